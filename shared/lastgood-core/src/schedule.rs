//! When a source is due. All times are UTC; a slot is a whole minute.
//!
//! A named frequency is its cron pattern: there is one way to find the next slot, and no second arithmetic.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::Time;

/// A schedule that has been checked: it has a next slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Schedule {
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
}

/// A text that is no schedule, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither a frequency nor five fields.
    #[error("'{0}' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'")]
    NotASchedule(String),
    /// A field can't be read.
    #[error(
        "the cron '{text}' can't be read: {why}; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'"
    )]
    Unreadable {
        /// The text.
        text: String,
        /// What the parser says.
        why: String,
    },
    /// It can be read, but never comes.
    #[error("the cron '{0}' never comes: no month has that day")]
    Never(String),
}

/// A month and day that exist only in leap years come within eight years.
const SEARCH_FROM: DateTime = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);

impl Schedule {
    /// Reads a frequency's name or a cron of five fields.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        match text.trim() {
            "continuous" => Ok(Self::Continuous),
            "hourly" => Ok(Self::Hourly),
            "daily" => Ok(Self::Daily),
            "weekly" => Ok(Self::Weekly),
            cron => {
                let cron = Self::Cron(cron.split_whitespace().collect::<Vec<_>>().join(" "));
                let pattern = cron.pattern()?;
                pattern.find_next_occurrence(&SEARCH_FROM, true).map_err(|_| ScheduleError::Never(cron.to_string()))?;
                Ok(cron)
            }
        }
    }

    /// The first slot after `time`; `None` only at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, time: Time) -> Option<Time> {
        let civil = TimeZone::UTC.to_datetime(time);
        let next = self.pattern().ok()?.find_next_occurrence(&civil, false).ok()?;
        TimeZone::UTC.to_timestamp(next).ok()
    }

    /// The last slot that is not after `time`.
    #[must_use]
    pub fn latest_until(&self, time: Time) -> Option<Time> {
        let civil = TimeZone::UTC.to_datetime(time);
        let latest = self.pattern().ok()?.find_previous_occurrence(&civil, true).ok()?;
        TimeZone::UTC.to_timestamp(latest).ok()
    }

    fn pattern(&self) -> Result<Cron, ScheduleError> {
        let text = match self {
            Self::Continuous => "*/10 * * * *",
            Self::Hourly => "0 * * * *",
            Self::Daily => "0 0 * * *",
            Self::Weekly => "0 0 * * 0",
            Self::Cron(text) => text.as_str(),
        };
        if text.split_whitespace().count() != 5 {
            return Err(ScheduleError::NotASchedule(text.to_owned()));
        }
        let unreadable = |why: String| ScheduleError::Unreadable { text: text.to_owned(), why };
        // The parser knows more than a crontab does (L, W, #, ?); in five fields those would be a surprise.
        if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || " ,-*/".contains(*c))) {
            return Err(unreadable(format!("'{odd}' has no place in it")));
        }
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        if let Some(odd) = words.into_iter().find(|word| word.len() != 3) {
            return Err(unreadable(format!("'{odd}' is no month and no day")));
        }
        CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(text)
            .map_err(|error| unreadable(error.to_string()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continuous => "continuous",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Cron(text) => text,
        })
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(schedule: &str, from: &str, expect: &Expect) {
        let schedule = Schedule::parse(schedule).expect("a schedule");
        let mut time: Time = from.parse().expect("a time");
        let mut slots = String::new();
        for _ in 0..4 {
            time = schedule.next_after(time).expect("a next slot");
            slots += &format!("{}\n", time.strftime("%a %Y-%m-%d %H:%M:%S"));
        }
        expect.assert_eq(&slots);
    }

    #[test]
    fn the_frequencies() {
        let from = "2026-12-31T23:45:10Z";
        check(
            "continuous",
            from,
            &expect![[r"
            Thu 2026-12-31 23:50:00
            Fri 2027-01-01 00:00:00
            Fri 2027-01-01 00:10:00
            Fri 2027-01-01 00:20:00
        "]],
        );
        check(
            "hourly",
            from,
            &expect![[r"
            Fri 2027-01-01 00:00:00
            Fri 2027-01-01 01:00:00
            Fri 2027-01-01 02:00:00
            Fri 2027-01-01 03:00:00
        "]],
        );
        check(
            "daily",
            from,
            &expect![[r"
            Fri 2027-01-01 00:00:00
            Sat 2027-01-02 00:00:00
            Sun 2027-01-03 00:00:00
            Mon 2027-01-04 00:00:00
        "]],
        );
        check(
            "weekly",
            from,
            &expect![[r"
            Sun 2027-01-03 00:00:00
            Sun 2027-01-10 00:00:00
            Sun 2027-01-17 00:00:00
            Sun 2027-01-24 00:00:00
        "]],
        );
    }

    #[test]
    fn five_fields() {
        check(
            "30 2 * * 1-5",
            "2026-01-02T02:30:00Z",
            &expect![[r"
            Mon 2026-01-05 02:30:00
            Tue 2026-01-06 02:30:00
            Wed 2026-01-07 02:30:00
            Thu 2026-01-08 02:30:00
        "]],
        );
        // Both days restricted: the thirteenth, and every Friday.
        check(
            "0 0 13 * FRI",
            "2026-01-08T00:00:00Z",
            &expect![[r"
            Fri 2026-01-09 00:00:00
            Tue 2026-01-13 00:00:00
            Fri 2026-01-16 00:00:00
            Fri 2026-01-23 00:00:00
        "]],
        );
        check(
            "0 0 29 2 *",
            "2026-01-08T00:00:00Z",
            &expect![[r"
            Tue 2028-02-29 00:00:00
            Sun 2032-02-29 00:00:00
            Fri 2036-02-29 00:00:00
            Wed 2040-02-29 00:00:00
        "]],
        );
        // Seven is Sunday too.
        check(
            "5 4 * * 7",
            "2026-01-08T00:00:00Z",
            &expect![[r"
            Sun 2026-01-11 04:05:00
            Sun 2026-01-18 04:05:00
            Sun 2026-01-25 04:05:00
            Sun 2026-02-01 04:05:00
        "]],
        );
    }

    #[test]
    fn missed_slots_are_found_from_the_last_one() {
        let hourly = Schedule::Hourly;
        let at = |text: &str| text.parse::<Time>().expect("a time");
        assert_eq!(hourly.latest_until(at("2026-01-15T10:30:00Z")), Some(at("2026-01-15T10:00:00Z")));
        assert_eq!(hourly.latest_until(at("2026-01-15T10:00:00Z")), Some(at("2026-01-15T10:00:00Z")));
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        let mut errors = String::new();
        for text in [
            "dayly",
            "",
            "* * * *",
            "61 * * * *",
            "0 0 31 2 *",
            "0 0 L * *",
            "@daily",
            "0 0 * * 8",
            "* * * * * *",
            "0 0 * janu *",
        ] {
            let error = Schedule::parse(text).expect_err(text);
            errors += &format!("{error}\n");
        }
        expect![[r#"
            'dayly' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'
            '' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'
            '* * * *' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'
            the cron '61 * * * *' can't be read: Component error: Number out of bounds.; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
            the cron '0 0 31 2 *' never comes: no month has that day
            the cron '0 0 L * *' can't be read: 'L' is no month and no day; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
            '@daily' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'
            the cron '0 0 * * 8' can't be read: Component error: Number out of bounds.; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
            '* * * * * *' is neither continuous, hourly, daily, weekly nor a cron of five fields, as in '30 2 * * 1-5'
            the cron '0 0 * janu *' can't be read: 'janu' is no month and no day; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
        "#]]
        .assert_eq(&errors);
    }
}
