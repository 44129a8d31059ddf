//! What each policy keeps of a long history, as one table a policy: a changed rule is seen as a table's diff.

use expect_test::{ExpectFile, expect_file};
use jiff::SignedDuration;

use super::*;
use crate::id::{GroupName, SourceId};

pub(super) fn policy(text: &str) -> Retention {
    serde_json::from_str(text).expect("a policy")
}

pub(super) fn candidate(slot: Time) -> Candidate {
    let source = SourceId::Group(GroupName::from("web"));
    Candidate {
        id: BackupId { source, slot },
        published: false,
        publishing: false,
        there: true,
        pinned: false,
        former: false,
        clean: false,
    }
}

pub(super) fn at(text: &str) -> Time {
    format!("{text}:00Z").parse().expect("a time")
}

fn every(hours: i64, from: &str, until: &str) -> Vec<Time> {
    let (mut slot, until) = (at(from), at(until));
    let mut slots = Vec::new();
    while slot <= until {
        slots.push(slot);
        slot += SignedDuration::from_hours(hours);
    }
    slots
}

/// Every six hours for the last days, then once a day, a week, a month, and whenever somebody thought of it.
fn history() -> Vec<Candidate> {
    let mut slots: Vec<Time> =
        ["2021-03-14T09:00", "2022-02-01T00:00", "2022-11-20T17:00", "2023-06-01T00:00"].map(at).into();
    slots.extend((7..=12).map(|month| at(&format!("2024-{month:02}-01T00:00"))));
    slots.extend((1..=9).map(|month| at(&format!("2025-{month:02}-01T00:00"))));
    slots.extend(every(7 * 24, "2025-10-05T00:00", "2025-12-21T00:00"));
    slots.extend(every(24, "2025-12-26T00:00", "2026-01-10T00:00"));
    slots.extend(every(6, "2026-01-11T00:00", "2026-01-15T12:00"));
    slots.into_iter().map(candidate).collect()
}

/// Two a day, for eight days: short enough to see what stands beside the rules.
fn week() -> Vec<Candidate> {
    every(12, "2026-01-08T00:00", "2026-01-15T12:00").into_iter().map(candidate).collect()
}

fn mark(candidates: &mut [Candidate], slots: &[&str], mark: impl Fn(&mut Candidate)) {
    for slot in slots {
        let marked = candidates.iter_mut().find(|candidate| candidate.id.slot == at(slot));
        mark(marked.expect("it is in the history"));
    }
}

fn check(policy: &Retention, candidates: Vec<Candidate>, expect: &ExpectFile) {
    let zone = policy.zone();
    let mut table = format!("policy: {policy}\n\n");
    for (id, fate) in judge(policy, candidates) {
        table += &id.slot.strftime("%a %Y-%m-%d %H:%M UTC").to_string();
        if policy.timezone != "UTC" {
            table += &id.slot.to_zoned(zone.clone()).strftime(" = %a %Y-%m-%d %H:%M %Z").to_string();
        }
        table += &match fate {
            Fate::Keep(reasons) => {
                let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                format!("  keep    {}\n", reasons.join("; "))
            }
            Fate::LetGo(reason) => format!("  let go  {reason}\n"),
        };
    }
    expect.assert_eq(&table);
}

#[test]
fn last_3() {
    check(&Retention::default(), history(), &expect_file!["last_3.txt"]);
}

#[test]
fn within_30d() {
    check(&policy(r#"{"within_seconds": 2592000}"#), history(), &expect_file!["within_30d.txt"]);
}

#[test]
fn daily_7() {
    check(&policy(r#"{"daily": 7}"#), history(), &expect_file!["daily_7.txt"]);
}

#[test]
fn weekly_4() {
    check(&policy(r#"{"weekly": 4}"#), history(), &expect_file!["weekly_4.txt"]);
}

#[test]
fn monthly_12() {
    check(&policy(r#"{"monthly": 12}"#), history(), &expect_file!["monthly_12.txt"]);
}

#[test]
fn yearly_2() {
    check(&policy(r#"{"yearly": 2}"#), history(), &expect_file!["yearly_2.txt"]);
}

#[test]
fn grandfather_father_son() {
    let policy = policy(r#"{"last": 3, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 2}"#);
    check(&policy, history(), &expect_file!["grandfather_father_son.txt"]);
}

#[test]
fn places_are_left_so_the_oldest_stays() {
    check(&policy(r#"{"daily": 10, "yearly": 2}"#), week(), &expect_file!["places_left.txt"]);
}

#[test]
fn a_consistent_one_stays_behind_others() {
    let mut week = week();
    mark(&mut week, &["2026-01-13T00:00", "2026-01-10T12:00", "2026-01-08T00:00"], |it| it.clean = true);
    check(&policy(r#"{"last": 3, "consistent": 2}"#), week, &expect_file!["consistent_2.txt"]);
}

#[test]
fn pinned() {
    let mut week = week();
    mark(&mut week, &["2026-01-15T00:00", "2026-01-12T00:00", "2026-01-08T00:00"], |it| it.pinned = true);
    check(&policy(r#"{"last": 3, "daily": 2}"#), week, &expect_file!["pinned.txt"]);
}

#[test]
fn published_and_publishing() {
    let mut week = week();
    mark(&mut week, &["2026-01-15T12:00", "2026-01-13T00:00"], |it| it.publishing = true);
    mark(&mut week, &["2026-01-09T12:00"], |it| it.published = true);
    check(&policy(r#"{"last": 2, "daily": 2}"#), week, &expect_file!["published_and_publishing.txt"]);
}

#[test]
fn not_there() {
    let mut week = week();
    let ghosts = [
        "2026-01-15T12:00",
        "2026-01-14T12:00",
        "2026-01-14T00:00",
        "2026-01-13T00:00",
        "2026-01-12T12:00",
        "2026-01-11T12:00",
        "2026-01-10T12:00",
        "2026-01-09T00:00",
    ];
    mark(&mut week, &ghosts, |it| it.there = false);
    mark(&mut week, &["2026-01-09T00:00"], |it| it.published = true);
    check(&policy(r#"{"last": 2, "daily": 4}"#), week, &expect_file!["not_there.txt"]);
}

#[test]
fn all_zeros() {
    let mut week = week();
    mark(&mut week, &["2026-01-15T12:00"], |it| it.there = false);
    check(&policy("{}"), week, &expect_file!["all_zeros.txt"]);
}

/// Midnight in New York is 05:00 UTC until the clocks go forward on 8 March, and 04:00 UTC from then on.
#[test]
fn zone_new_york() {
    let hours = ["03:30", "04:30", "05:30", "16:00"];
    let slots = (6..=10).flat_map(|day| hours.map(|hour| at(&format!("2026-03-{day:02}T{hour}"))));
    let policy = policy(r#"{"last": 1, "daily": 4, "weekly": 2, "timezone": "America/New_York"}"#);
    check(&policy, slots.map(candidate).collect(), &expect_file!["zone_new_york.txt"]);
}

#[test]
fn the_last_of_a_former_source() {
    let mut week = week();
    mark(&mut week, &["2026-01-11T12:00"], |it| it.former = true);
    check(&policy(r#"{"last": 3}"#), week, &expect_file!["former.txt"]);
}

#[test]
fn a_source_that_is_gone_takes_all_but_what_is_pinned_along() {
    let mut history: Vec<Candidate> = (1..=3).map(|day| candidate(at(&format!("2026-01-{day:02}T00:00")))).collect();
    history[0].pinned = true;
    history[1].published = true;
    let fates: Vec<String> =
        super::retire(super::Gone::Deleted, history).into_iter().map(|(_, fate)| format!("{fate:?}")).collect();
    assert_eq!(fates, ["LetGo(SourceGone(Deleted))", "LetGo(SourceGone(Deleted))", "Keep([Pinned])"]);
}
