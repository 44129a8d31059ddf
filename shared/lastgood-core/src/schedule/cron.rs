//! The two dialects of cron, read to their sets of values and handed to the search as plain lists of numbers.
//!
//! The search knows one dialect more than either of these, so nothing reaches it unread: a range that wraps, a step
//! that starts at a number and the numbers of the weekdays mean what their own dialect says.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// One field: what it is called, and what may be in it.
struct Field {
    name: &'static str,
    first: u16,
    last: u16,
    /// Names of its values, from `first` on.
    words: &'static [&'static str],
    /// How the values are described in an error.
    write: &'static str,
    /// `20-2` goes on at the start.
    wraps: bool,
    /// What may have a step behind it.
    steps: Steps,
}

#[derive(PartialEq, Eq)]
enum Steps {
    /// `*` and ranges.
    Ranges,
    /// A single value too: `1/10` is every tenth one from 1 on.
    Anything,
    /// No part of the field.
    Nothing,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const MINUTE: Field =
    Field { name: "minute", first: 0, last: 59, words: &[], write: "0-59", wraps: false, steps: Steps::Ranges };
const HOUR: Field = Field { name: "hour", last: 23, write: "0-23", ..MINUTE };
const DAY: Field = Field { name: "day of month", first: 1, last: 31, write: "1-31", ..MINUTE };
const MONTH: Field = Field { name: "month", first: 1, last: 12, words: &MONTHS, write: "1-12 or JAN-DEC", ..MINUTE };
const WEEKDAY: Field =
    Field { name: "day of week", last: 7, words: &WEEKDAYS, write: "0-7 or SUN-SAT, 0 and 7 are Sunday", ..MINUTE };

const AWS_MINUTE: Field = Field { wraps: true, steps: Steps::Anything, ..MINUTE };
const AWS_HOUR: Field = Field { wraps: true, steps: Steps::Anything, ..HOUR };
const AWS_DAY: Field = Field { wraps: true, steps: Steps::Anything, write: "1-31, 'L', '3W' or '?'", ..DAY };
const AWS_MONTH: Field = Field { wraps: true, steps: Steps::Anything, ..MONTH };
const AWS_WEEKDAY: Field = Field {
    first: 1,
    write: "1-7 or SUN-SAT, 1 is Sunday, 'L', '6L', '3#2' or '?'",
    wraps: true,
    steps: Steps::Nothing,
    ..WEEKDAY
};
const AWS_YEAR: Field =
    Field { name: "year", first: 1970, last: 2199, write: "1970-2199", steps: Steps::Anything, ..MINUTE };

/// Reads the five fields of a crontab. The error says what to write instead.
pub(super) fn unix(text: &str) -> Result<Cron, String> {
    let fields: Vec<_> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(match fields.len() {
            6 if aws(text).is_ok() => {
                format!("six fields are EventBridge's form; write cron(...) around it: 'cron({text})'")
            }
            // A crontab with seconds in front, as some schedulers have it.
            6 => format!(
                "it has six fields, and the first are no seconds here: write five, 'minute hour day month weekday', as in '{}'",
                fields[1..].join(" ").replace('?', "*")
            ),
            count => format!(
                "it has {count} of five fields; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'"
            ),
        });
    };
    // Crontabs disagree here: some take both fields, some either.
    let stepped = |field: &str| field.starts_with("*/");
    if (stepped(day) && weekday != "*") || (stepped(weekday) && day != "*") {
        return Err(
            "'*/' in one day field beside the other day field means both in some crontabs and either in others; write the days out, as in '1,11,21,31'"
                .to_owned(),
        );
    }
    let either = |field: &Field, text| if text == "*" { Ok("*".to_owned()) } else { values(field, text).map(list) };
    let weekdays = if weekday == "*" {
        weekday.to_owned()
    } else {
        list(values(&WEEKDAY, weekday)?.into_iter().map(|day| day % 7).collect())
    };
    let minute = list(values(&MINUTE, minute)?);
    let hour = list(values(&HOUR, hour)?);
    let day = either(&DAY, day)?;
    let month = list(values(&MONTH, month)?);
    plain(&format!("0 {minute} {hour} {day} {month} {weekdays} *"))
}

/// Reads EventBridge's six fields, as they stand in `cron(...)`. The error says what to write instead.
pub(super) fn aws(text: &str) -> Result<Cron, String> {
    let fields: Vec<_> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday, year] = fields[..] else {
        return Err(match fields.len() {
            5 => "the year is missing; write '*' as the sixth field, or leave out cron(...) if it is a crontab's five"
                .to_owned(),
            count => format!(
                "it has {count} of six fields; write minute, hour, day of month, month, day of week and year, as in 'cron(0 10 * * ? *)'"
            ),
        });
    };
    match (day, weekday) {
        ("?", "?") => return Err("'?' is in both day fields; write '*' in one of them".to_owned()),
        ("?", _) | (_, "?") => {}
        _ => {
            return Err(format!(
                "neither day field is '?'; write ? in one of them, as in 'cron({})'",
                if weekday == "*" || day != "*" {
                    format!("{minute} {hour} {day} {month} ? {year}")
                } else {
                    format!("{minute} {hour} ? {month} {weekday} {year}")
                }
            ));
        }
    }
    let minute = list(values(&AWS_MINUTE, minute)?);
    let hour = list(values(&AWS_HOUR, hour)?);
    let day = aws_day(day)?;
    let month = list(values(&AWS_MONTH, month)?);
    let weekday = aws_weekday(weekday)?;
    let year = list(values(&AWS_YEAR, year)?);
    plain(&format!("0 {minute} {hour} {day} {month} {weekday} {year}"))
}

fn aws_day(text: &str) -> Result<String, String> {
    match text {
        "?" | "*" => Ok("*".to_owned()),
        "L" => Ok("L".to_owned()),
        "LW" | "WL" => Err(format!(
            "'{text}' is not in EventBridge's cron; write 'L' for the last day, or a day as in '28W' for the weekday nearest to it"
        )),
        _ => match text.strip_suffix('W') {
            Some(day) => Ok(format!("{}W", value(&AWS_DAY, day)?)),
            None => values(&AWS_DAY, text).map(list),
        },
    }
}

fn aws_weekday(text: &str) -> Result<String, String> {
    // The search counts from Sunday, which is 0.
    let one = |day| value(&AWS_WEEKDAY, day).map(|day| day - 1);
    match text {
        "?" | "*" => return Ok("*".to_owned()),
        // The last day of the week.
        "L" => return Ok("6".to_owned()),
        _ => {}
    }
    if text.matches('#').count() > 1 || (text.contains('#') && text.contains(',')) {
        return Err(format!("the day of week '{text}' has more than one '#' or a list; write one, as in '3#2'"));
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth: u16 = nth.parse().ok().filter(|nth| (1..=5).contains(nth)).ok_or_else(|| {
            format!("'{nth}' in '{text}' counts no week of a month; write 1-5, as in '3#2' for the second Tuesday")
        })?;
        return Ok(format!("{}#{nth}", one(day)?));
    }
    if let Some(day) = text.strip_suffix('L') {
        return Ok(format!("{}L", one(day)?));
    }
    Ok(list(values(&AWS_WEEKDAY, text)?.into_iter().map(|day| day - 1).collect()))
}

/// The values of a field, in the order in which it names them.
fn values(field: &Field, text: &str) -> Result<Vec<u16>, String> {
    let name = field.name;
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(read_step(field, text, step)?)),
        };
        let values: Vec<u16> = if range == "*" {
            if part != text {
                return Err(format!("'*' in the {name} '{text}' holds every other value; write it alone"));
            }
            (field.first..=field.last).collect()
        } else if let Some((start, end)) = range.split_once('-') {
            read_range(field, range, value(field, start)?, value(field, end)?)?
        } else {
            let start = value(field, range)?;
            match step {
                None => vec![start],
                Some(_) if field.steps == Steps::Anything => (start..=field.last).collect(),
                Some(step) => {
                    return Err(format!(
                        "the {name} '{part}' has a step but no range; write '{start}-{}/{step}'",
                        field.last
                    ));
                }
            }
        };
        all.extend(values.into_iter().step_by(step.unwrap_or(1).into()));
    }
    Ok(all)
}

fn read_step(field: &Field, text: &str, step: &str) -> Result<u16, String> {
    let Field { name, first, last, .. } = field;
    if field.steps == Steps::Nothing {
        return Err(format!("the {name} '{text}' has a step; write the days out, as in 'MON,WED,FRI'"));
    }
    let most = last - first;
    number(step)
        .filter(|step| (1..=most).contains(step))
        .ok_or_else(|| format!("'{step}' is no step of the {name}; write 1-{most}, as in '*/2'"))
}

fn read_range(field: &Field, range: &str, start: u16, end: u16) -> Result<Vec<u16>, String> {
    let Field { name, first, last, .. } = *field;
    if start <= end {
        Ok((start..=end).collect())
    } else if field.wraps {
        Ok((start..=last).chain(first..=end).collect())
    } else if name == WEEKDAY.name && end == 0 {
        // Sunday at the end of a week.
        Ok((start..=last).collect())
    } else if name == AWS_YEAR.name {
        Err(format!("the year '{range}' runs backwards; write '{end}-{start}'"))
    } else {
        Err(format!("the {name} '{range}' runs backwards; write '{start}-{last},{first}-{end}'"))
    }
}

fn value(field: &Field, text: &str) -> Result<u16, String> {
    let Field { name, first, last, words, write, .. } = field;
    let word = || words.iter().zip(*first..).find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| value);
    let value = number(text).filter(|value| (first..=last).contains(&value)).or_else(word);
    value.ok_or_else(|| {
        if text.is_empty() {
            format!("a value of the {name} is empty; write {write}")
        } else if text == "?" && field.steps != Steps::Ranges {
            format!("'?' has no place in the {name}; write {write}")
        } else if field.steps == Steps::Ranges
            && text.trim_matches(|c: char| "0123456789LW#?".contains(c)).is_empty()
            && number(text).is_none()
        {
            format!(
                "'{text}' is not known in five fields; write {write}, or EventBridge's six as in 'cron(0 10 L * ? *)'"
            )
        } else {
            format!("'{text}' is no {name}; write {write}")
        }
    })
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.chars().all(|c| c.is_ascii_digit()))
}

/// The values as text: a range if there is no hole, for that is read faster.
fn list(mut values: Vec<u16>) -> String {
    values.sort_unstable();
    values.dedup();
    match values[..] {
        [first, .., last] if usize::from(last - first) + 1 == values.len() => format!("{first}-{last}"),
        _ => values.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
    }
}

/// Seven fields, with seconds and year, in which days of the week are 0-6 and both days restricted mean either.
fn plain(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
    parser.parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_a_range_only_without_a_hole() {
        for (values, text) in [
            (vec![5], "5"),
            (vec![1, 4], "1,4"),
            (vec![3, 1, 2, 2], "1-3"),
            (vec![1, 2, 4], "1,2,4"),
            (vec![0, 1], "0-1"),
        ] {
            assert_eq!(list(values), text);
        }
    }

    #[test]
    fn a_second_mark_of_a_week_and_a_list_with_one_are_told_as_such() {
        for text in ["3#2#1", "3#2,4"] {
            let told = aws_weekday(text).expect_err(text);
            assert!(told.contains("has more than one '#' or a list"), "{told}");
        }
        assert_eq!(aws_weekday("3#2").as_deref(), Ok("2#2"));
    }
}
