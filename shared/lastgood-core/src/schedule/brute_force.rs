//! The slots of whole years, minute by minute, by a reading of both dialects that shares nothing with the other one.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::*;

const YEARS: i16 = 3;

/// Each zone with the first of its years.
const ZONES: [(&str, i16); 8] = [
    ("UTC", 2026),
    ("America/New_York", 2026),
    ("Europe/Berlin", 2026),
    ("Australia/Lord_Howe", 2026),
    ("Africa/Cairo", 2026),
    ("America/St_Johns", 2006),
    ("America/Sao_Paulo", 2016),
    ("Pacific/Apia", 2010),
];

const PATTERNS: [&str; 14] = [
    "30 2 * * *",
    "0 */3 * * *",
    "*/20 1-2 * * 0,6",
    "0 0 13 * FRI",
    "15 2 29 2,3 *",
    "59 23 31 * *",
    "5 0 * * 5-7",
    "cron(0/30 20-2 ? * MON-FRI *)",
    "cron(30 1 L * ? *)",
    "cron(15 2 ? * 1L 2006/2)",
    "cron(0 3 ? * 1#2 *)",
    "cron(10 0 1W * ? *)",
    "cron(1/25 2 ? * FRI-MON *)",
    "cron(45 23 31W 10-3 ? 2007-2027)",
];

#[test]
fn every_minute_of_three_years() {
    for (zone, year) in ZONES {
        let zone = Zone::parse(zone).expect(zone);
        let clock = Clock::watched(&zone.time_zone().expect("a zone"), year);
        for text in PATTERNS {
            let expected = Naive::read(text).slots(&clock);
            assert!(!expected.is_empty(), "{text} in {zone}: no slots to compare");
            let slots = Schedule::new(Pattern::parse(text).expect(text), zone.clone()).slots().expect("a schedule");
            let (begin, end) = (clock.instant(0), clock.instant(clock.stands_for.len() - 1));
            let onward = iter::successors(slots.after(just_before(begin)), |slot| slots.after(*slot));
            let onward: Vec<_> = onward.take_while(|slot| *slot <= end).collect();
            same(&onward, &expected, &format!("{text} in {zone}, onward"));
            // The last of the years, for the way back costs as much as the way there.
            let begin = clock.instant(clock.stands_for.len() - 365 * 1440);
            let expected = &expected[expected.partition_point(|slot| *slot < begin)..];
            let back = iter::successors(slots.until(end), |slot| slots.until(just_before(*slot)));
            let mut back: Vec<_> = back.take_while(|slot| *slot >= begin).collect();
            back.reverse();
            same(&back, expected, &format!("{text} in {zone}, back"));
        }
    }
}

fn same(found: &[Time], expected: &[Time], what: &str) {
    let first = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert!(first.is_none(), "{what}: (found, expected) {first:?}");
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// What a clock on a wall shows, watched for some years.
struct Clock {
    first_day: Date,
    days: usize,
    /// For each minute that a calendar of these days has: the first minute, counted from 1970 in UTC, at which the
    /// clock shows it or something later.
    stands_for: Vec<i64>,
}

impl Clock {
    fn watched(zone: &TimeZone, year: i16) -> Self {
        let (first_day, end_day) = (date(year, 1, 1), date(year + YEARS, 1, 1));
        let minutes =
            |day: Date| day.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).expect("a day").timestamp().as_second() / 60;
        let (begin, end) = (minutes(first_day), minutes(end_day));
        let offset = |minute: i64| {
            let time = Time::from_second(minute * 60).expect("a time");
            i64::from(zone.to_offset(time).seconds()) / 60
        };
        let mut stands_for = Vec::new();
        let mut shown = begin - 1;
        for day in (begin - 2880..end + 2880).step_by(1440) {
            let (morning, evening) = (offset(day), offset(day + 1439));
            for minute in day..day + 1440 {
                let now = minute + if morning == evening { morning } else { offset(minute) };
                while shown < now && shown < end - 1 {
                    shown += 1;
                    stands_for.push(minute);
                }
            }
        }
        let days = usize::try_from((end - begin) / 1440).expect("days");
        assert_eq!(stands_for.len(), days * 1440);
        Self { first_day, days, stands_for }
    }

    fn instant(&self, minute: usize) -> Time {
        Time::from_second(self.stands_for[minute] * 60).expect("a time")
    }
}

/// A cron of either dialect, read field by field.
struct Naive {
    minutes: Vec<i64>,
    hours: Vec<i64>,
    day: String,
    months: Vec<i64>,
    weekday: String,
    years: Vec<i64>,
    /// What the dialect calls Sunday.
    sunday: i64,
}

impl Naive {
    fn read(text: &str) -> Self {
        let inner = text.strip_prefix("cron(").and_then(|text| text.strip_suffix(')'));
        let fields: Vec<&str> = inner.unwrap_or(text).split(' ').collect();
        Self {
            minutes: set(fields[0], 0, 59),
            hours: set(fields[1], 0, 23),
            day: fields[2].to_owned(),
            months: set(fields[3], 1, 12),
            weekday: fields[4].to_owned(),
            years: set(fields.get(5).unwrap_or(&"*"), 1970, 2199),
            sunday: i64::from(inner.is_some()),
        }
    }

    fn slots(&self, clock: &Clock) -> Vec<Time> {
        let has_minute = |minute: &i64| self.hours.contains(&(minute / 60)) && self.minutes.contains(&(minute % 60));
        let minutes = (0..1440).filter(has_minute).map(|minute| usize::try_from(minute).expect("a minute"));
        let minutes: Vec<usize> = minutes.collect();
        let mut slots = Vec::new();
        let mut day = clock.first_day;
        for number in 0..clock.days {
            if self.has_day(day) {
                slots.extend(minutes.iter().map(|minute| clock.instant(number * 1440 + minute)));
            }
            day = day.tomorrow().expect("a day");
        }
        slots.dedup();
        slots
    }

    fn has_day(&self, day: Date) -> bool {
        if !self.months.contains(&i64::from(day.month())) || !self.years.contains(&i64::from(day.year())) {
            return false;
        }
        let any = |field: &str| field == "*" || field == "?";
        match (any(&self.day), any(&self.weekday)) {
            (true, true) => true,
            (false, true) => self.by_number(day),
            (true, false) => self.by_weekday(day),
            (false, false) => self.by_number(day) || self.by_weekday(day),
        }
    }

    fn by_number(&self, day: Date) -> bool {
        if self.day == "L" {
            return day.tomorrow().expect("a day").month() != day.month();
        }
        let Some(wanted) = self.day.strip_suffix('W') else {
            return set(&self.day, 1, 31).contains(&i64::from(day.day()));
        };
        let wanted: i8 = wanted.parse().expect("a day");
        let workdays = (1..=day.days_in_month()).filter(|other| {
            (1..=5).contains(&day.with().day(*other).build().expect("a day").weekday().to_monday_one_offset())
        });
        wanted <= day.days_in_month() && workdays.min_by_key(|other| (other - wanted).abs()) == Some(day.day())
    }

    fn by_weekday(&self, day: Date) -> bool {
        let weekday = i64::from(day.weekday().to_sunday_zero_offset());
        let is = |text: &str| word(text) - self.sunday == weekday;
        if let Some(last) = self.weekday.strip_suffix('L') {
            return is(last) && day.day() + 7 > day.days_in_month();
        }
        if let Some((of, nth)) = self.weekday.split_once('#') {
            return is(of) && (day.day() + 6) / 7 == nth.parse::<i8>().expect("a number");
        }
        let named = self.weekday.contains(char::is_alphabetic);
        let (first, sunday) = if named { (0, 0) } else { (self.sunday, self.sunday) };
        set(&self.weekday, first, first + 7).iter().any(|value| (value - sunday) % 7 == weekday)
    }
}

/// `FRI` and the like are counted from Sunday, which is 0 then.
fn word(text: &str) -> i64 {
    let weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let named = weekdays.iter().position(|name| *name == text).and_then(|place| i64::try_from(place).ok());
    named.unwrap_or_else(|| text.parse().expect("a number"))
}

fn set(text: &str, first: i64, last: i64) -> Vec<i64> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(word(step))));
        let (mut value, end) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((start, end)) => (word(start), word(end)),
            None => (word(range), if step.is_some() { last } else { word(range) }),
        };
        let mut since = 0;
        loop {
            if since % step.unwrap_or(1) == 0 {
                all.push(value);
            }
            if value == end {
                break;
            }
            since += 1;
            value = if value == last { first } else { value + 1 };
        }
    }
    all
}
