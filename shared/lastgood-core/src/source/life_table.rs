//! What a source makes of how its backups come out, of who wants to publish, and of a plan that is applied again: as
//! tables that a reviewer sees change.

use expect_test::expect_file;
use serde_json::Value;

use super::life::{Outcome, apply, claim, hear};
use super::life_rules::{at, plan, web};
use super::operator::hold;
use super::record::{Because, Expected, Failure, Good, Published, Retry, Source};
use super::turn::{Turn, ask_turn};
use crate::backup::PublishedTo;
use crate::backup::fixtures::artifact;
use crate::plan::{Plan, Policy, PublishTo};
use crate::schedule::Pattern;
use crate::{Time, changed, later};

/// The slot of the backup that is heard of, or asks; another one is older or newer.
const SLOT: &str = "11:00:00";
const SLOTS: [(&str, &str); 3] = [("an older", "10:00:00"), ("this", SLOT), ("a newer", "12:00:00")];

/// Every field that differs.
fn changes(before: &Source, after: &Source) -> String {
    let text = |value: &Value| match value {
        Value::Object(fields) => {
            let first = fields.get("at").or_else(|| fields.values().next());
            first.map_or_else(String::new, ToString::to_string)
        }
        other => other.to_string(),
    };
    let parts: Vec<String> = changed::fields(before, after)
        .into_iter()
        .map(|(name, value)| match value {
            None | Some(Value::Null) => format!("no {name}"),
            Some(value) => format!("{name} {}", text(&value)),
        })
        .collect();
    if parts.is_empty() { "unchanged".to_owned() } else { parts.join(", ").replace("2026-01-15T", "") }
}

fn good(slot: &str) -> Good {
    Good {
        slot: at(slot),
        at: later(at(slot), 300),
        artifact: artifact(&format!("ami-{}", &slot[..2])),
        only_kept: false,
    }
}

fn published(slot: &str) -> Published {
    let to = PublishedTo::Version { template: "lt-1".into(), version: 2 };
    Published { slot: at(slot), image: good(slot).artifact.as_str().into(), to }
}

fn failure(slot: &str) -> Failure {
    Failure { slot: at(slot), reason: "it failed".into() }
}

/// One that was held, halted and waits for others, so that whatever is taken back shows.
fn waiting() -> Source {
    let expected = Expected { image: Some("ami-base".into()), because: Because::Applied };
    Source {
        held: Some("somebody changed it".into()),
        halt_told: true,
        overdue_told: true,
        expected: Some(expected),
        ..web(Pattern::Hourly)
    }
}

/// What may be known: nothing, or one thing of a backup that is older, the same or newer.
fn known() -> Vec<(String, Source)> {
    let mut known = vec![("nothing".to_owned(), waiting())];
    for (age, slot) in SLOTS {
        known.push((format!("{age} good one"), Source { last_good: Some(good(slot)), ..waiting() }));
        known.push((format!("{age} published one"), Source { published: Some(published(slot)), ..waiting() }));
        known.push((format!("{age} failure"), Source { failure: Some(failure(slot)), ..waiting() }));
        known.push((format!("{age} second try"), Source { retried: Some(at(slot)), ..waiting() }));
        known.push((format!("{age} one's turn"), Source { turn: Some(at(slot)), ..waiting() }));
    }
    known
}

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let nothing = Outcome {
        slot: at(SLOT),
        good: None,
        published: None,
        at_rest: false,
        held: None,
        adopted: None,
        failure: None,
        warnings: None,
        retry: None,
    };
    let retry = Retry { slot: at("11:04:00"), of: at(SLOT), lost: "i-1".into() };
    vec![
        ("nothing yet", nothing.clone()),
        ("good", Outcome { good: Some(good(SLOT)), ..nothing.clone() }),
        ("published", Outcome { published: Some(published(SLOT)), ..nothing.clone() }),
        ("adopted", Outcome { adopted: Some("ami-theirs".into()), ..nothing.clone() }),
        ("held", Outcome { held: Some("the group is stateful".into()), ..nothing.clone() }),
        ("failed", Outcome { failure: Some("no member".into()), ..nothing.clone() }),
        ("lost its instance", Outcome { retry: Some(retry), ..nothing.clone() }),
        ("at rest", Outcome { at_rest: true, ..nothing }),
    ]
}

#[test]
fn every_outcome_by_what_is_known_already() {
    let mut known = known();
    let both = Source { last_good: Some(good("10:00:00")), failure: Some(failure("12:00:00")), ..waiting() };
    known.push(("an older good one and a newer failure".to_owned(), both));
    known.push(("that it is lost".to_owned(), Source { lost: Some(at("10:30:00")), ..waiting() }));
    known.push(("that it is in no plan".to_owned(), Source { plan: None, ..waiting() }));
    let elsewhere = PublishTo::Parameter("/images/web".into());
    let mut moved = waiting();
    moved.policy.publish.to = elsewhere;
    known.push(("that its plan publishes elsewhere now".to_owned(), moved));
    let mut table = String::new();
    for (what, source) in known {
        table += &format!("knows of {what}\n");
        for (name, outcome) in outcomes() {
            let after = hear(&source, &outcome);
            assert_eq!(hear(&after, &outcome), after, "{what}, {name}: hearing it twice changes nothing more");
            table += &format!("  {name:<18} {}\n", changes(&source, &after));
        }
    }
    expect_file!["hear_table.txt"].assert_eq(&table);
}

#[test]
fn every_turn() {
    let mut known = known();
    let own = Source { turn: Some(at(SLOT)), ..waiting() };
    let held = hold(&own, "alice", Some("a game day"), at("10:50:00"));
    known.push(("a hold, at its own turn".to_owned(), held));
    known.push(("that it is in no plan, at its own turn".to_owned(), Source { plan: None, ..own.clone() }));
    let mut silent = own;
    silent.policy.publish.to = PublishTo::Nothing;
    known.push(("that its plan publishes nothing, at its own turn".to_owned(), silent));
    let mut table = String::new();
    for (what, source) in known {
        let (after, turn) = ask_turn(&source, at(SLOT));
        let turn = match turn {
            Turn::Given { expected, held, .. } => {
                let expected = expected.and_then(|expected| expected.image);
                format!("given, expects {expected:?}, held before: {held:?}")
            }
            other => format!("{other:?}"),
        };
        table += &format!("{what:<50} {turn}; {}\n", changes(&source, &after));
    }
    expect_file!["turn_table.txt"].assert_eq(&table);
}

#[test]
fn every_plan_that_is_applied_again() {
    // Applied at 10:20: its first slot is 11:00, and a good backup of it is due by 13:00.
    let hourly = plan(Pattern::Hourly);
    let with = |policy: Policy| Plan { policy, ..hourly.clone() };
    let plans = [
        ("the same", hourly.clone()),
        ("overdue an hour later", with(Policy { on_overdue_seconds: 3 * 3600, ..hourly.policy.clone() })),
        ("overdue an hour sooner", with(Policy { on_overdue_seconds: 3600, ..hourly.policy.clone() })),
        ("spread over ten minutes", with(Policy { spread_seconds: 600, ..hourly.policy.clone() })),
        ("daily", plan(Pattern::Daily)),
    ];
    let spread = || {
        let mut source = waiting();
        source.policy.spread_seconds = 1800;
        source
    };
    let spread_seconds = spread().spread();
    assert!((60..1800).contains(&spread_seconds), "{spread_seconds}");
    let backgrounds: Vec<(&str, Source, Time)> = vec![
        ("before its slot", waiting(), at("10:40:00")),
        ("at its slot", waiting(), at(SLOT)),
        ("spread, a second before its slot", spread(), at("10:59:59")),
        ("spread, at its slot", spread(), at(SLOT)),
        ("spread, a second before its time", spread(), later(at(SLOT), spread_seconds - 1)),
        ("spread, at its time", spread(), later(at(SLOT), spread_seconds)),
        ("overdue", waiting(), at("13:30:00")),
        ("lost", Source { lost: Some(at("10:30:00")), missing_since: Some(at("10:20:00")), ..spread() }, at(SLOT)),
        ("in no plan", Source { plan: None, retire_at: Some(at("10:30:00")), ..spread() }, at(SLOT)),
    ];
    let mut table = String::new();
    for (what, source, now) in backgrounds {
        table += &format!("{what}\n");
        for (name, plan) in &plans {
            let mut after = apply(Some(&source), &source.id, plan, now);
            assert_eq!((&after.policy, after.plan.as_deref()), (&plan.policy, Some("web")));
            after.policy = source.policy.clone();
            table += &format!("  {name:<24} {}\n", changes(&source, &after));
        }
    }
    expect_file!["apply_table.txt"].assert_eq(&table);
}

#[test]
fn a_spread_slot_is_claimed_at_its_time_and_missed_ones_become_the_latest() {
    let mut source = web(Pattern::Hourly);
    source.policy.spread_seconds = 1800;
    let spread = source.spread();
    let slot_at = |now: Time| claim(&source, now).map(|claimed| (claimed.backup.id.slot, claimed.source.next_slot));
    assert_eq!(slot_at(later(at(SLOT), spread - 1)), None);
    assert_eq!(slot_at(later(at(SLOT), spread)), Some((at(SLOT), Some(at("12:00:00")))));
    // The next slot has come, and waits for its spread.
    assert_eq!(slot_at(later(at("12:00:00"), spread - 1)), Some((at(SLOT), Some(at("12:00:00")))));
    assert_eq!(slot_at(later(at("12:00:00"), spread)), Some((at("12:00:00"), Some(at("13:00:00")))));
}
