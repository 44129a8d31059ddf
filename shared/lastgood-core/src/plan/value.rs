//! What single texts of a plan file mean: names, lengths of time, points in time. An error says what is wrong with the
//! text, and what to write instead.

use crate::id::CacheKind;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Unit};

use crate::Time;
use crate::text::{is_control, shown};

/// The longest key and value of a tag (AWS: Tag Auto Scaling groups and instances).
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_VALUE_CHARS_MAX: usize = 256;
/// AWS: PutParameter, Name.
const PARAMETER_CHARS_MAX: usize = 1011;
const PARAMETER_LEVELS_MAX: usize = 15;
/// The shortest length of time that means anything: schedules know minutes.
const DURATION_SECONDS_MIN: i64 = 60;
/// How long a system may take to shut down at most: a server that is away for longer is missed.
const STOP_WITHIN_SECONDS_MAX: i64 = 15 * 60;
/// A hundred years.
const DURATION_SECONDS_MAX: i64 = 100 * 366 * 24 * 60 * 60;

/// The form of a date.
const DATE: &str = "2026-02-01";

/// What is wrong, and what to write instead.
pub(super) type Wrong = String;

pub(super) fn plan_name(name: &str) -> Result<(), Wrong> {
    let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits {
        return Ok(());
    }
    let what = "write letters of a to z, digits, '-', '_' or '.', beginning with a letter or digit";
    Err(format!("'{}' can't name a plan; {what}", shown(name)))
}

/// AWS: CreateAutoScalingGroup, AutoScalingGroupName. Its characters are wider than its documentation says; a `*` is
/// one of them, but nobody means it.
pub(super) fn group_name(name: &str) -> Result<(), Wrong> {
    let remedy = if let Some((_, name)) = name.rsplit_once("autoScalingGroupName/") {
        format!("it is an ARN; write the name alone: '{}'", shown(name))
    } else if let Some(name) = name.strip_prefix("group/") {
        format!("a source is written so, a group by its name; write '{}'", shown(name))
    } else if name.contains('*') {
        "names are taken letter by letter; write each, or select groups by their tags".into()
    } else if is_id(name, "i-") {
        "it is an instance; write the name of its Auto Scaling group, or the id under 'instances' if it is in none"
            .into()
    } else if is_id(name, "ami-") || is_id(name, "lt-") {
        "it is an id; write the name of an Auto Scaling group".into()
    } else if name.contains(':') || name.chars().any(is_control) {
        "AWS takes no colon and no line break in one; write it as AWS shows it".into()
    } else if name.trim() != name {
        "spaces stand around it; write it without them".into()
    } else {
        return Ok(());
    };
    Err(format!("'{}' can't be the name of a group; {remedy}", shown(name)))
}

/// The id of an instance.
pub(super) fn instance_id(id: &str) -> Result<(), Wrong> {
    if is_id(id, "i-") {
        return Ok(());
    }
    let remedy = match id.rsplit_once('/') {
        Some((_, id)) if is_id(id, "i-") => format!("write the id alone: '{id}'"),
        _ => "write one as in 'i-0123456789abcdef0', or select instances by their tags".to_owned(),
    };
    Err(format!("'{}' can't be the id of an instance; {remedy}", shown(id)))
}

/// The name of a cache, as ElastiCache stores it: in lower case (AWS: CreateReplicationGroup).
pub(super) fn cache_name(name: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let remedy = if let Some((_, name)) = name.rsplit_once(':').filter(|_| name.starts_with("arn:")) {
        format!("it is an ARN; write the name alone: '{}'", shown(name))
    } else if let Some((kind, name)) = name.split_once('/').filter(|(kind, _)| CacheKind::of_word(kind).is_some()) {
        format!("a source is written so, a {kind} by its name; write '{}'", shown(name))
    } else if name.contains('*') {
        "names are taken letter by letter; write each, or select caches by their tags".into()
    } else if !name.chars().all(plain) {
        "write letters, digits and hyphens, as AWS shows it".into()
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "write one that begins with a letter".into()
    } else if name.ends_with('-') || name.contains("--") {
        "write it without a hyphen at its end, and with one at a time".into()
    } else {
        return Ok(name.to_ascii_lowercase());
    };
    Err(format!("'{}' can't be the name of a cache; {remedy}", shown(name)))
}

/// Whether a text is an id as AWS makes them: 8 or 17 hexadecimal digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|id| matches!(id.len(), 8 | 17) && id.chars().all(|c| c.is_ascii_hexdigit()))
}

pub(super) fn tag(key: &str, value: &str) -> Result<(), Wrong> {
    let (key_chars, value_chars) = (key.chars().count(), value.chars().count());
    if key_chars == 0 {
        return Err("the key of a tag is empty; write it, or leave the tag out".into());
    }
    let key = shown(key);
    if key_chars > TAG_KEY_CHARS_MAX {
        return Err(format!(
            "the key '{key}' has {key_chars} characters; write at most {TAG_KEY_CHARS_MAX}, as AWS takes"
        ));
    }
    if value_chars > TAG_VALUE_CHARS_MAX {
        return Err(format!(
            "the value of '{key}' has {value_chars} characters; write at most {TAG_VALUE_CHARS_MAX}, as AWS takes"
        ));
    }
    if value.contains('*') {
        return Err(format!("'{}' in the tag '{key}' is taken letter by letter; write the whole value", shown(value)));
    }
    Ok(())
}

/// The name of a parameter of the Parameter Store.
pub(super) fn parameter(name: &str) -> Result<(), Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let first = name.trim_start_matches('/').to_lowercase();
    let levels = name.matches('/').count();
    let remedy = if let Some((_, path)) = name.split_once(":parameter/") {
        format!("it is an ARN; write the path alone: '/{path}'")
    } else if let Some(path) = name.strip_prefix(crate::group::RESOLVE) {
        format!("a launch template refers to it so; write the path alone: '{path}'")
    } else if !name.starts_with('/') {
        format!("it must begin with '/'; write '/{}'", name.replace(|c| !plain(c), "-"))
    } else if !name.chars().all(plain) {
        "write a path of letters of a to z, digits, '_', '.' and '-', as in '/images/web'".into()
    } else if name.ends_with('/') || name.contains("//") {
        "a part of its path is empty; write a path as in '/images/web'".into()
    } else if name.len() > PARAMETER_CHARS_MAX || levels > PARAMETER_LEVELS_MAX {
        format!("write at most {PARAMETER_CHARS_MAX} characters in {PARAMETER_LEVELS_MAX} levels, as AWS takes")
    } else if first.starts_with("aws") || first.starts_with("ssm") {
        "names that begin with aws or ssm are AWS's own; write another, as in '/images/web'".into()
    } else {
        return Ok(());
    };
    Err(format!("'{}' can't name a parameter; {remedy}", shown(name)))
}

/// A length of time, in seconds: at least a minute.
pub(super) fn duration(text: &str) -> Result<i64, Wrong> {
    length(text, DURATION_SECONDS_MIN, "a minute")
}

/// How long a system may take to shut down, in seconds.
pub(super) fn stop_within(text: &str) -> Result<i64, Wrong> {
    match seconds(text)? {
        seconds if seconds <= STOP_WITHIN_SECONDS_MAX => Ok(seconds),
        _ => Err(format!("'{text}' is too long to be without a server; write at most 15 minutes, as in '60s'")),
    }
}

/// A length of time, in seconds: at least one.
pub(super) fn seconds(text: &str) -> Result<i64, Wrong> {
    length(text, 1, "a second")
}

fn length(text: &str, least: i64, words: &str) -> Result<i64, Wrong> {
    let wrong = |why: &str| Err(format!("'{text}' {why}, as in '90m', '2h' or '1d'"));
    if text.trim().parse::<f64>().is_ok() {
        return wrong("has no unit; write one");
    }
    let Ok(span) = text.parse::<Span>() else {
        return wrong("is no length of time; write a number and a unit");
    };
    if span.get_years() != 0 || span.get_months() != 0 {
        return wrong("is not always the same length; write days or hours");
    }
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range is cut to the ends, and refused")]
    match seconds as i64 {
        seconds if seconds < least => wrong(&format!("is less than {words}; write more")),
        seconds if seconds <= DURATION_SECONDS_MAX => Ok(seconds),
        _ => wrong("is more than a hundred years; write less"),
    }
}

/// A date (its first moment there) or a date and time with its offset.
pub(super) fn point(text: &str, zone: &TimeZone) -> Result<Time, Wrong> {
    let wrong = || {
        format!(
            "'{text}' is no point in time; write a date, '2026-02-01', or a date and time with its offset, '2026-02-01T12:00:00Z'"
        )
    };
    if let Ok(time) = text.parse::<Time>() {
        return Ok(crate::whole_second(time));
    }
    if text.parse::<DateTime>().is_ok_and(|_| text.len() > DATE.len()) {
        return Err(format!(
            "'{text}' has no offset from UTC; write it, as in '2026-02-01T12:00:00+01:00', or a date alone"
        ));
    }
    // A longer text would parse as a date too, and what it says of the time of day would be lost.
    let date = text.parse::<Date>().ok().filter(|_| text.len() == DATE.len()).ok_or_else(wrong)?;
    Ok(date.to_zoned(zone.clone()).map_err(|_| wrong())?.timestamp())
}
