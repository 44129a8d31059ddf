//! A pattern as text: a frequency by its name, or a cron in one of two dialects, told apart by `cron(...)`.

use std::fmt;

use croner::Cron;
use serde::{Deserialize, Serialize};

use super::{ScheduleError, cron};

/// Which local times are slots. Whole minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Pattern {
    /// Every 10 minutes, on the full ten.
    Continuous,
    /// On the hour.
    Hourly,
    /// At 00:00.
    Daily,
    /// On Sunday at 00:00.
    Weekly,
    /// Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday). If both days are
    /// restricted, either is enough, as in every crontab.
    Cron(String),
    /// EventBridge's six fields, without the `cron(...)` that is written around them: minute, hour, day of month,
    /// month, day of week (1 is Sunday) and year. One of the two days is `?`.
    AwsCron(String),
}

const FREQUENCIES: [(&str, Pattern); 4] = [
    ("continuous", Pattern::Continuous),
    ("hourly", Pattern::Hourly),
    ("daily", Pattern::Daily),
    ("weekly", Pattern::Weekly),
];

/// Words of other schedulers, and how they are written here.
const ELSEWHERE: [(&str, &str); 9] = [
    ("hourly", "hourly"),
    ("daily", "daily"),
    ("midnight", "daily"),
    ("weekly", "weekly"),
    ("monthly", "'0 0 1 * *'"),
    ("quarterly", "'0 0 1 */3 *'"),
    ("yearly", "'0 0 1 1 *'"),
    ("annually", "'0 0 1 1 *'"),
    ("always", "continuous"),
];

const WRITE: &str =
    "write continuous, hourly, daily, weekly or a cron, as in '30 2 * * 1-5' or 'cron(30 2 ? * MON-FRI *)'";

/// A word is near a frequency from this likeness on; 1 is the same.
const LIKENESS_MIN: f64 = 0.6;

impl Pattern {
    /// Reads a frequency's name, a cron of five fields, or one of six in `cron(...)`. Whether it ever comes is not
    /// looked at: see [`super::Schedule::checked`].
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((_, pattern)) = FREQUENCIES.into_iter().find(|(name, _)| *name == text) {
            return Ok(pattern);
        }
        let pattern = if let Some(fields) = text.strip_prefix("cron(") {
            let unclosed = || unreadable(&text, "its ')' is missing; write it at the end");
            Self::AwsCron(fields.strip_suffix(')').ok_or_else(unclosed)?.trim().to_owned())
        } else if text.contains(' ') && text.starts_with(|c: char| !c.is_alphabetic() && c != '@') {
            Self::Cron(text)
        } else {
            return Err(ScheduleError::NotASchedule { remedy: remedy(&text), text });
        };
        pattern.cron().map(|_| pattern)
    }

    /// The pattern in the one form that slots are found with.
    pub(super) fn cron(&self) -> Result<Cron, ScheduleError> {
        let read = match self {
            Self::Continuous => cron::unix("*/10 * * * *"),
            Self::Hourly => cron::unix("0 * * * *"),
            Self::Daily => cron::unix("0 0 * * *"),
            Self::Weekly => cron::unix("0 0 * * 0"),
            Self::Cron(text) => cron::unix(text),
            Self::AwsCron(text) => cron::aws(text),
        };
        read.map_err(|why| unreadable(&self.to_string(), &why))
    }
}

fn unreadable(text: &str, why: &str) -> ScheduleError {
    ScheduleError::Unreadable { text: text.to_owned(), why: why.to_owned() }
}

fn remedy(text: &str) -> String {
    let word = text.trim_start_matches('@').to_ascii_lowercase();
    if word.starts_with("cron(") {
        return format!("write cron in small letters: '{}'", text.replacen(&text[.."cron".len()], "cron", 1));
    }
    if word.starts_with("rate(") || word.starts_with("every ") || word.ends_with('m') && is_count(&word) {
        return "write continuous, hourly, or a cron, as in '*/15 * * * *': slots stand at fixed times".to_owned();
    }
    if word.starts_with("at(") {
        return "write a cron, as in '30 2 * * 1-5', or ask for a single backup: lastgood backup SOURCE".to_owned();
    }
    if let Some((hour, minute)) =
        word.split_once(':').and_then(|(h, m)| Some((h.parse::<u8>().ok()?, m.parse::<u8>().ok()?)))
        && hour < 24
        && minute < 60
    {
        return format!("write '{minute} {hour} * * *' for each day at that time");
    }
    if let Some((_, here)) = ELSEWHERE.into_iter().find(|(name, _)| *name == word) {
        return format!("write {here}");
    }
    let near = FREQUENCIES.map(|(name, _)| (strsim::normalized_damerau_levenshtein(&word, name), name));
    let near = near.into_iter().filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(|| WRITE.to_owned(), |(_, name)| format!("write {name}"))
}

/// As in `15m`.
fn is_count(word: &str) -> bool {
    word.len() > 1 && word[..word.len() - 1].bytes().all(|digit| digit.is_ascii_digit())
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continuous => f.write_str("continuous"),
            Self::Hourly => f.write_str("hourly"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly => f.write_str("weekly"),
            Self::Cron(text) => f.write_str(text),
            Self::AwsCron(text) => write!(f, "cron({text})"),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for Pattern {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::remedy;

    #[test]
    fn a_time_of_day_becomes_a_cron_and_what_is_none_does_not() {
        assert_eq!(remedy("23:59"), "write '59 23 * * *' for each day at that time");
        for none in ["24:00", "12:60"] {
            assert!(!remedy(none).contains("each day at that time"), "{none}");
        }
        assert!(remedy("15m").starts_with("write continuous"), "{}", remedy("15m"));
        assert!(!remedy("m").starts_with("write continuous, hourly, or a cron"), "{}", remedy("m"));
    }
}
