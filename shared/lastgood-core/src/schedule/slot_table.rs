//! The slots of many patterns in many zones, around the days on which the clock is changed, as a table to be read.

use std::fmt::Write;

use expect_test::expect_file;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use super::*;

/// What is shown, the pattern, the zone, the local time that the table begins at, and how many slots it has.
const CASES: [(&str, &str, &str, &str, usize); 34] = [
    ("every ten minutes", "continuous", "UTC", "2026-12-31T23:45", 4),
    ("every hour", "hourly", "UTC", "2026-12-31T22:30", 4),
    ("every day", "daily", "UTC", "2026-12-30T12:00", 3),
    ("every Sunday", "weekly", "UTC", "2026-12-30T12:00", 3),
    ("the clock goes forward at 02:00", "continuous", "Europe/Berlin", "2026-03-29T01:35", 5),
    ("the clock goes back at 03:00", "continuous", "Europe/Berlin", "2026-10-25T02:25", 6),
    ("the clock goes forward at 02:00", "hourly", "Europe/Berlin", "2026-03-28T23:30", 5),
    ("the clock goes back at 03:00", "hourly", "Europe/Berlin", "2026-10-24T23:30", 6),
    ("the clock goes forward at 02:00", "30 2 * * *", "Europe/Berlin", "2026-03-27T12:00", 4),
    ("the clock goes back at 03:00", "30 2 * * *", "Europe/Berlin", "2026-10-23T12:00", 4),
    ("the same in the other dialect", "cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-27T12:00", 4),
    ("several local times become one slot", "*/15 2,3 * * *", "Europe/Berlin", "2026-03-28T03:20", 7),
    ("the slot after the change is its own, once", "0,30 2,3 29 3 *", "Europe/Berlin", "2026-03-01T00:00", 3),
    ("the clock goes forward at 02:00", "daily", "America/New_York", "2026-03-07T12:00", 3),
    ("the second Sunday of March is that day", "cron(30 2 ? MAR 1#2 *)", "America/New_York", "2026-01-01T00:00", 3),
    ("the clock goes back at 02:00", "*/20 1 * * *", "America/New_York", "2026-10-31T12:00", 6),
    ("the clock goes forward half an hour at 02:00", "*/15 1-2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00", 9),
    ("the clock goes back half an hour at 02:00", "*/15 1-2 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", 9),
    ("half an hour beside UTC, and never changed", "daily", "Asia/Kolkata", "2026-03-28T12:00", 3),
    ("three quarters of an hour beside UTC", "cron(0 10 * * ? *)", "Asia/Kathmandu", "2026-03-28T12:00", 3),
    ("midnight is skipped", "daily", "Africa/Cairo", "2026-04-22T12:00", 4),
    ("23:00 comes twice, midnight once", "hourly", "Africa/Cairo", "2026-10-29T21:30", 4),
    ("midnight is skipped on a Sunday", "weekly", "America/Sao_Paulo", "2018-10-27T12:00", 3),
    ("the hour before midnight comes twice", "30 23 * * 6", "America/Sao_Paulo", "2018-02-09T12:00", 3),
    ("Friday, 30 December 2011 is skipped", "0 12 * * *", "Pacific/Apia", "2011-12-28T00:00", 5),
    ("every Friday, of which one is skipped", "30 8 * * FRI", "Pacific/Apia", "2011-12-22T00:00", 3),
    (
        "four times of the skipped day, and the next midnight, are one slot",
        "0 */6 * * *",
        "Pacific/Apia",
        "2011-12-29T11:00",
        4,
    ),
    ("half an hour beside the others, at 02:00", "15,45 2 8 3 *", "America/St_Johns", "2026-01-01T00:00", 3),
    ("half an hour beside the others, at 02:00", "30 1 1 11 *", "America/St_Johns", "2026-01-01T00:00", 2),
    ("the thirteenth, and every Friday", "0 0 13 * FRI", "Europe/Berlin", "2026-03-08T00:00", 5),
    (
        "the night from Friday to Saturday ends at midnight",
        "cron(0/30 20-2 ? * MON-FRI *)",
        "UTC",
        "2026-01-09T22:45",
        9,
    ),
    ("the last day of the month", "cron(0 22 L * ? *)", "America/New_York", "2028-01-15T00:00", 3),
    ("the weekday nearest to the first", "cron(0 9 1W * ? *)", "Europe/Berlin", "2026-07-15T00:00", 4),
    ("the last Sunday, every other year", "cron(30 2 ? 3,10 SUNL 2026/2)", "Europe/Berlin", "2026-01-01T00:00", 4),
];

#[test]
fn slots_around_the_changes_of_the_clock() {
    let mut table = String::new();
    for (what, pattern, zone, from, count) in CASES {
        let pattern = Pattern::parse(pattern).expect(pattern);
        let schedule = Schedule::new(pattern, Zone::parse(zone).expect(zone));
        let slots = schedule.slots().expect("a schedule");
        let from: DateTime = from.parse().expect("a local time");
        let from = slots.zone.to_timestamp(from).expect("a time");
        writeln!(table, "{}, {}: {what}", schedule.pattern, schedule.timezone).expect("a text");
        writeln!(table, "  {:<28} {:<18} {:>10}", "local", "UTC", "after").expect("a text");
        let mut before = None;
        let walk = iter::successors(schedule.next_after(from), |slot| schedule.next_after(*slot));
        for slot in walk.take(count) {
            let after = before.replace(slot).map_or(String::new(), |before| hours(seconds_between(before, slot)));
            let local = slot.to_zoned(slots.zone.clone()).strftime("%a %Y-%m-%d %H:%M %:z").to_string();
            let line = format!(
                "  {local:<28} {:<18} {after:>10}  {}",
                slot.strftime("%Y-%m-%d %H:%M").to_string(),
                remark(&slots, slot)
            );
            writeln!(table, "{}", line.trim_end()).expect("a text");
        }
        table += "\n";
    }
    expect_file!["slots.txt"].assert_eq(&table);
}

fn hours(seconds: i64) -> String {
    format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60)
}

/// The local times of the pattern that became this slot, where they are not simply its own.
fn remark(slots: &Slots, slot: Time) -> String {
    let shown = slots.zone.to_datetime(slot);
    let first = shown.checked_sub(jiff::Span::new().hours(25)).expect("a time");
    let all = iter::successors(slots.cron.find_next_occurrence(&first, true).ok(), |civil| {
        slots.cron.find_next_occurrence(civil, false).ok()
    });
    let here: Vec<_> =
        all.take_while(|civil| *civil <= shown).filter(|civil| slots.instant(*civil) == Some(slot)).collect();
    let skipped: Vec<_> =
        here.iter().filter(|civil| **civil != shown).map(|civil| civil.strftime("%H:%M").to_string()).collect();
    let twice = matches!(slots.zone.to_ambiguous_timestamp(shown).offset(), AmbiguousOffset::Fold { .. });
    match &skipped[..] {
        [] if twice => format!("{} exists twice", shown.strftime("%H:%M")),
        [] => String::new(),
        [one] => format!("{one} does not exist"),
        [first, .., last] => format!("{first} to {last} do not exist"),
    }
}
