//! What must hold of a plan file and of an event, whatever their bytes. The fuzzer in `tests/fuzz` looks for bytes that
//! break it; `tests/suite/fuzz.rs` holds it over the corpus, and over mutations of it, in every test run.

use lastgood_core::Time;
use lastgood_core::incoming::{Envelope, Incoming};
use lastgood_core::notice::Notice;
use lastgood_core::plan::{Mistake, Plan, read};
use lastgood_core::source::survey::Planned;
use lastgood_core::stored;
use serde_json::Value;

/// Reads the bytes as a plan file; bytes that are no text are replaced first. Returns whether the file is right.
///
/// It panics unless the same text gives the same twice, and a right file has plans, each of which survives its stored
/// form, and a wrong one has mistakes, each told in one line and with a place in the file or none.
pub fn plan(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let found = read("plans.yaml", &text);
    assert_eq!(found, read("plans.yaml", &text), "the same text was read twice");
    match &found {
        Ok(file) => {
            assert!(!file.plans.is_empty(), "a right file without a plan");
            for placed in &file.plans {
                survives_its_stored_form(&placed.plan);
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "a wrong file without a mistake");
            let lines = lines(&text);
            for mistake in mistakes {
                is_told_with_its_place(mistake, lines);
            }
        }
    }
    found.is_ok()
}

/// Reads the bytes as an event that wakes us, and as a notice of ours. Returns whether either can be read.
///
/// It panics unless the same event means the same twice, and a notice that is written is read back as it was.
///
/// What [begins before the calendar](before_the_calendar) is left out: jiff 0.2.43 panics of it where debug assertions
/// are on (<https://github.com/BurntSushi/jiff/issues/645>). A function reads an event's time in whole seconds, and is
/// not touched by it.
pub fn event(data: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return false };
    if before_the_calendar(&value) {
        return false;
    }
    // On the bus the notice is the detail of an event; in the outbox of a record it stands alone.
    let notices = [&value, &value["detail"]].map(is_a_notice);
    let Ok(envelope) = serde_json::from_value::<Envelope>(value) else { return notices.contains(&true) };
    let incoming = || Incoming::of(envelope.clone()).map_err(|error| format!("{error:?}"));
    let meant = incoming();
    assert_eq!(meant, incoming(), "the same event was read twice");
    meant.is_ok() || notices.contains(&true)
}

/// Whether a text of the value may be a time in the last second before jiff's calendar, which begins at
/// `-009999-01-02T01:59:59Z`.
pub fn before_the_calendar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with("-009999"),
        Value::Array(values) => values.iter().any(before_the_calendar),
        Value::Object(fields) => fields.values().any(before_the_calendar),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn survives_its_stored_form(plan: &Plan) {
    let planned = Planned::new(plan.clone(), Time::UNIX_EPOCH);
    let text = stored::encode(&planned);
    let back: Planned = stored::decode(&text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
    assert_eq!(back, planned);
}

fn is_told_with_its_place(mistake: &Mistake, lines: u64) {
    assert!(!mistake.what.trim().is_empty(), "a mistake without a word: {mistake}");
    assert!(!mistake.what.contains(['\n', '\r']), "more than a line: {mistake}");
    assert!(mistake.line <= lines, "a place behind the last of {lines} lines: {mistake}");
    assert!(mistake.line == 0 || mistake.column > 0, "a line without a column: {mistake}");
}

/// The lines of a text as YAML counts them, with the empty one after the last line break. A break is `\n`, `\r` or both.
fn lines(text: &str) -> u64 {
    let breaks = text.replace("\r\n", "\n").matches(['\n', '\r']).count();
    u64::try_from(breaks + 1).expect("a text is shorter than that")
}

fn is_a_notice(value: &Value) -> bool {
    let Ok(notice) = serde_json::from_value::<Notice>(value.clone()) else { return false };
    let text = serde_json::to_string(&notice).expect("a notice is JSON");
    let back: Notice = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(back, notice);
    true
}
