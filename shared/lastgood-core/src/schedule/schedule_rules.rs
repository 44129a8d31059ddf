//! What must hold of every schedule: bounds, distances, its stored form, and the two ways to search.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Time {
    text.parse().expect("a time")
}

fn in_zone(pattern: &str, zone: &str) -> Schedule {
    Schedule::new(Pattern::parse(pattern).expect(pattern), Zone::parse(zone).expect(zone))
}

fn utc(pattern: &str) -> Schedule {
    in_zone(pattern, "UTC")
}

#[test]
fn six_fields_end_with_2199() {
    let schedule = utc("cron(0 0 * * ? *)");
    assert_eq!(schedule.next_after(at("2199-12-30T12:00:00Z")), Some(at("2199-12-31T00:00:00Z")));
    assert_eq!(schedule.next_after(at("2199-12-31T00:00:00Z")), None);
    assert_eq!(schedule.latest_until(at("2500-01-01T00:00:00Z")), Some(at("2199-12-31T00:00:00Z")));
    assert_eq!(schedule.latest_until(at("1969-12-31T23:59:59Z")), None);
    assert_eq!(utc("cron(0 0 1 1 ? 2027)").next_after(at("2027-01-01T00:00:00Z")), None);
}

#[test]
fn missed_slots_are_found_from_the_last_one() {
    let hourly = utc("hourly");
    assert_eq!(hourly.latest_until(at("2026-01-15T10:30:00Z")), Some(at("2026-01-15T10:00:00Z")));
    assert_eq!(hourly.latest_until(at("2026-01-15T10:00:00Z")), Some(at("2026-01-15T10:00:00Z")));
    assert_eq!(hourly.latest_until(at("2026-01-15T09:59:59.999Z")), Some(at("2026-01-15T09:00:00Z")));
    assert_eq!(hourly.next_after(at("2026-01-15T09:59:59.999Z")), Some(at("2026-01-15T10:00:00Z")));
}

#[test]
fn while_an_hour_comes_a_second_time_its_slots_are_past() {
    let hourly = in_zone("*/30 * * * *", "Europe/Berlin");
    // 02:30 comes at 00:30Z, and again at 01:30Z, which is no slot.
    assert_eq!(hourly.latest_until(at("2026-10-25T01:45:00Z")), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(hourly.latest_until(at("2026-10-25T01:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(hourly.next_after(at("2026-10-25T01:00:00Z")), Some(at("2026-10-25T02:00:00Z")));
    assert_eq!(hourly.next_after(at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T02:00:00Z")));
    assert_eq!(hourly.latest_until(at("2026-10-25T02:00:00Z")), Some(at("2026-10-25T02:00:00Z")));
}

#[test]
fn from_is_a_slot_and_until_is_none() {
    let (from, until) = (at("2026-06-01T00:00:00Z"), at("2026-06-03T00:00:00Z"));
    let schedule = Schedule::checked(Pattern::Daily, Zone::default(), Some(from), Some(until)).expect("a schedule");
    let second = at("2026-06-02T00:00:00Z");
    assert_eq!(schedule.next_after(Time::MIN), Some(from));
    assert_eq!(schedule.next_after(from), Some(second));
    assert_eq!(schedule.next_after(second), None);
    assert_eq!(schedule.latest_until(Time::MAX), Some(second));
    assert_eq!(schedule.latest_until(just_before(from)), None);
    assert_eq!(schedule.shortest_gap_seconds(), Some(86_400));
}

#[test]
fn the_ends_of_time_have_an_answer() {
    for zone in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
        for pattern in ["continuous", "30 2 * * *", "cron(0 10 * * ? *)"] {
            let schedule = in_zone(pattern, zone);
            assert_eq!(schedule.next_after(Time::MAX), None);
            assert_eq!(schedule.latest_until(Time::MIN), None);
        }
    }
}

#[test]
fn the_shortest_distance_counts_the_days_on_which_the_clock_changes() {
    let mut gaps = String::new();
    for (pattern, zone) in [
        ("continuous", "UTC"),
        ("* * * * *", "Europe/Berlin"),
        ("hourly", "Europe/Berlin"),
        ("daily", "UTC"),
        ("daily", "Europe/Berlin"),
        ("daily", "Pacific/Apia"),
        ("30 2 * * *", "Europe/Berlin"),
        ("weekly", "Africa/Cairo"),
        ("50 1,3 * * *", "UTC"),
        ("50 1,3 * * *", "Europe/Berlin"),
        ("30 2 29 3 *", "Europe/Berlin"),
        ("0 0 1 * MON", "UTC"),
        ("0 0 29 2 *", "UTC"),
        ("55 23 * * *", "UTC"),
        ("cron(0,59 0,23 * * ? *)", "UTC"),
        ("cron(0 0 L * ? *)", "UTC"),
        ("cron(0 0 1 1 ? 2027)", "UTC"),
    ] {
        gaps += &format!(
            "{:<40} {:?}\n",
            in_zone(pattern, zone).to_string(),
            in_zone(pattern, zone).shortest_gap_seconds()
        );
    }
    expect![[r#"
        continuous                               Some(600)
        * * * * * in Europe/Berlin               Some(60)
        hourly in Europe/Berlin                  Some(3600)
        daily                                    Some(86400)
        daily in Europe/Berlin                   Some(82800)
        daily in Pacific/Apia                    Some(86400)
        30 2 * * * in Europe/Berlin              Some(84600)
        weekly in Africa/Cairo                   Some(601200)
        50 1,3 * * *                             Some(7200)
        50 1,3 * * * in Europe/Berlin            Some(3600)
        30 2 29 3 * in Europe/Berlin             Some(31534200)
        0 0 1 * MON                              Some(86400)
        0 0 29 2 *                               Some(126230400)
        55 23 * * *                              Some(86400)
        cron(0,59 0,23 * * ? *)                  Some(60)
        cron(0 0 L * ? *)                        Some(2419200)
        cron(0 0 1 1 ? 2027)                     None
    "#]]
    .assert_eq(&gaps);
}

#[test]
fn a_schedule_is_said_and_stored() {
    let mut said = String::new();
    for (pattern, zone, from, until) in [
        ("hourly", "UTC", None, None),
        ("daily", "europe/berlin", None, None),
        (" 30  2 * * 1-5 ", "UTC", Some(at("2026-06-01T00:00:00Z")), None),
        ("cron( 0 10 * * ? * )", "Asia/Kolkata", Some(at("2026-06-01T00:00:00Z")), Some(at("2027-01-01T00:00:00Z"))),
    ] {
        let schedule = Schedule { from, until, ..in_zone(pattern, zone) };
        let stored = serde_json::to_string(&schedule).expect("JSON");
        assert_eq!(serde_json::from_str::<Schedule>(&stored).expect("a schedule"), schedule);
        said += &format!("{schedule}\n    {stored}\n");
    }
    expect![[r#"
        hourly
            {"pattern":"hourly","timezone":"UTC"}
        daily in Europe/Berlin
            {"pattern":"daily","timezone":"Europe/Berlin"}
        30 2 * * 1-5 from 2026-06-01T00:00:00Z
            {"pattern":"30 2 * * 1-5","timezone":"UTC","from":"2026-06-01T00:00:00Z"}
        cron(0 10 * * ? *) in Asia/Kolkata from 2026-06-01T00:00:00Z until 2027-01-01T00:00:00Z
            {"pattern":"cron(0 10 * * ? *)","timezone":"Asia/Kolkata","from":"2026-06-01T00:00:00Z","until":"2027-01-01T00:00:00Z"}
    "#]].assert_eq(&said);
    assert_eq!(serde_json::from_str::<Schedule>(r#"{"pattern": "daily"}"#).expect("a schedule"), utc("daily"));
    assert!(serde_json::from_str::<Schedule>(r#"{"pattern": "dayly"}"#).is_err());
    assert!(serde_json::from_str::<Schedule>(r#"{"pattern": "daily", "timezone": "+02:00"}"#).is_err());
}

const PATTERNS: [&str; 12] = [
    "continuous",
    "hourly",
    "daily",
    "weekly",
    "30 2 * * *",
    "*/7 1-3 * * *",
    "0 0 13 * FRI",
    "59 23 31 12 *",
    "cron(0/30 20-2 ? * MON-FRI *)",
    "cron(15 2 ? * 1L *)",
    "cron(30 0 1W * ? *)",
    "cron(0 3 ? MAR 1#2 2020-2040)",
];

const ZONES: [&str; 9] = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/St_Johns",
];

proptest! {
    #[test]
    fn the_next_slot_and_the_latest_are_inverse(
        pattern in prop::sample::select(&PATTERNS),
        zone in prop::sample::select(&ZONES),
        // 2005 to 2045, and most of the times near a change of the clock.
        second in 1_104_537_600_i64..2_366_841_600,
        near in prop::option::weighted(0.8, prop_oneof![-7_300_i64..7_300, -90_000_i64..90_000]),
        bounds in prop::option::of((-40_000_000_i64..0, 0_i64..40_000_000)),
    ) {
        let mut schedule = in_zone(pattern, zone);
        let mut time = Time::from_second(second).expect("a time");
        if let Some(near) = near {
            let change = schedule.slots().expect("a schedule").changes(time, Time::MAX).next();
            time = later(change.unwrap_or(time), near);
        }
        if let Some((from, until)) = bounds {
            schedule.from = Some(later(time, from));
            schedule.until = Some(later(time, until));
        }
        let (latest, next) = (schedule.latest_until(time), schedule.next_after(time));
        if let Some(next) = next {
            prop_assert!(next > time);
            prop_assert_eq!(schedule.latest_until(next), Some(next));
            prop_assert_eq!(schedule.latest_until(just_before(next)), latest);
            prop_assert_eq!(schedule.next_after(just_before(next)), Some(next));
        }
        if let Some(latest) = latest {
            prop_assert!(latest <= time);
            prop_assert_eq!(schedule.next_after(latest), next);
            prop_assert_eq!(schedule.latest_until(latest), Some(latest));
        }
    }
}
