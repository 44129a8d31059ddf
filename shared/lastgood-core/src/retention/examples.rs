//! Retention in small: worked examples, policies as they are stored and told, and the halt.

use super::tables::{at, candidate, policy};
use super::*;

/// The slots that stay, oldest first.
fn kept(policy: &Retention, slots: &[Time]) -> Vec<Time> {
    let judged = judge(policy, slots.iter().copied().map(candidate).collect());
    let kept = judged.into_iter().filter(|(_, fate)| matches!(fate, Fate::Keep(_)));
    let mut kept: Vec<_> = kept.map(|(id, _)| id.slot).collect();
    kept.reverse();
    kept
}

/// Twelve Sundays at 11:00, the last one being 17 November 2019.
fn sundays() -> Vec<Time> {
    (0..12).map(|week| at("2019-09-01T11:00") + jiff::SignedDuration::from_hours(week * 7 * 24)).collect()
}

#[test]
fn a_backup_every_sunday_and_daily_4_are_the_last_four_sundays() {
    let four = ["2019-10-27T11:00", "2019-11-03T11:00", "2019-11-10T11:00", "2019-11-17T11:00"].map(at);
    assert_eq!(kept(&policy(r#"{"daily": 4}"#), &sundays()), four);
    assert_eq!(kept(&policy(r#"{"last": 4}"#), &sundays()), four);
    assert_eq!(kept(&policy(r#"{"weekly": 4}"#), &sundays()), four);
}

#[test]
fn a_backup_every_sunday_by_month_and_year() {
    let months = ["2019-10-27T11:00", "2019-11-17T11:00"].map(at);
    assert_eq!(kept(&policy(r#"{"monthly": 2}"#), &sundays()), months);
    // One year has one newest; the oldest of all takes one of the places that are left.
    let years = ["2019-09-01T11:00", "2019-11-17T11:00"].map(at);
    assert_eq!(kept(&policy(r#"{"yearly": 10}"#), &sundays()), years);
    assert_eq!(kept(&policy(r#"{"yearly": 1}"#), &sundays()), years[1..]);
}

/// Which rule is the first to keep how many, and how many each keeps. At the end of a week that ends a year, these are 7
/// by day, 4 more by week, 11 more by month and 74 more by year: the newest of all is the newest of its week, month and
/// year too. In the middle of a year, the end of the last one is kept by month already.
#[test]
fn a_backup_every_day_for_a_hundred_years() {
    let policy = policy(r#"{"daily": 7, "weekly": 5, "monthly": 12, "yearly": 75}"#);
    for (until, first_kept_by) in [("2023-12-31T12:00", [7, 4, 11, 74]), ("2026-01-18T12:00", [7, 4, 11, 73])] {
        let days = (0..36_525).map(|day| candidate(at(until) - jiff::SignedDuration::from_hours(day * 24)));
        let mut first = [0; 4];
        let mut all = [0; 4];
        for (_, fate) in judge(&policy, days.collect()) {
            let Fate::Keep(reasons) = fate else { continue };
            let periods = reasons.iter().map(|reason| match reason {
                Reason::NewestOf { period, .. } => *period as usize,
                other => panic!("kept by {other:?}"),
            });
            let periods: Vec<_> = periods.collect();
            first[periods[0]] += 1;
            for period in periods {
                all[period] += 1;
            }
        }
        assert_eq!(first, first_kept_by, "until {until}");
        assert_eq!(all, [7, 5, 12, 75], "until {until}");
    }
}

#[test]
fn within_ends_with_the_length_itself_and_is_measured_from_the_newest() {
    let slots = ["2026-01-14T11:59", "2026-01-14T12:00", "2026-01-15T12:00"].map(at);
    assert_eq!(kept(&policy(r#"{"within_seconds": 86400}"#), &slots), slots[1..]);
    // A length below zero is not asked for.
    assert_eq!(kept(&policy(r#"{"within_seconds": -5, "last": 1}"#), &slots), slots[2..]);
}

#[test]
fn a_policy_is_told_by_its_rules() {
    let told = |text: &str| policy(text).to_string();
    assert_eq!(Retention::default().to_string(), "last 3");
    assert_eq!(told(r#"{"last": 3, "within_seconds": 2592000, "daily": 7}"#), "last 3, within 30 d, daily 7");
    assert_eq!(told(r#"{"weekly": 4, "monthly": 12, "yearly": 2}"#), "weekly 4, monthly 12, yearly 2");
    assert_eq!(told(r#"{"within_seconds": 129600}"#), "within 36 h");
    assert_eq!(told(r#"{"within_seconds": 5400}"#), "within 90 min");
    assert_eq!(told(r#"{"within_seconds": 61}"#), "within 61 s");
    assert_eq!(told(r#"{"daily": 7, "timezone": "Asia/Tokyo"}"#), "daily 7 in Asia/Tokyo");
    assert_eq!(told(r#"{"last": 7, "timezone": "Asia/Tokyo"}"#), "last 7");
    assert_eq!(told("{}"), "nothing");
}

#[test]
fn what_goes_is_told_by_which_policy() {
    let why = |text: &str| Reason::NoRule(policy(text)).to_string();
    assert_eq!(why(r#"{"last": 3}"#), "older than the last 3 good ones");
    assert_eq!(why(r#"{"last": 3, "daily": 7}"#), "no rule keeps it: last 3, daily 7");
}

#[test]
fn a_stored_policy_of_before_is_read_and_any_is_read_as_it_was_written() {
    assert_eq!(policy(r#"{"last": 3}"#), Retention::default());
    let whole = Retention {
        last: 1,
        within_seconds: 2,
        daily: 3,
        weekly: 4,
        monthly: 5,
        yearly: 6,
        consistent: 7,
        timezone: "Europe/Berlin".into(),
    };
    assert_eq!(policy(&serde_json::to_string(&whole).expect("text")), whole);
}

#[test]
fn a_policy_that_keeps_nothing_is_known() {
    assert!(policy("{}").keeps_nothing());
    assert!(policy(r#"{"timezone": "Asia/Tokyo"}"#).keeps_nothing());
    for rule in ["last", "within_seconds", "daily", "weekly", "monthly", "yearly", "consistent"] {
        assert!(!policy(&format!(r#"{{"{rule}": 1}}"#)).keeps_nothing(), "{rule}");
    }
}

#[test]
fn an_unknown_zone_counts_as_utc() {
    let slots = ["2026-01-14T23:00", "2026-01-15T01:00"].map(at);
    assert_eq!(kept(&policy(r#"{"daily": 2, "timezone": "Mars/Olympus"}"#), &slots), slots);
    assert_eq!(judge(&policy(r#"{"daily": 1, "timezone": ""}"#), Vec::new()), Vec::new());
}

#[test]
fn deletion_halts_while_the_newest_run_failed() {
    let (older, newer) = (Some(at("2026-01-15T11:00")), Some(at("2026-01-15T12:00")));
    assert!(halted(older, newer));
    assert!(halted(None, newer));
    assert!(!halted(newer, older));
    assert!(!halted(newer, None));
    assert!(!halted(None, None));
}
