//! What a rollout makes of everything that may happen, as a table that a reviewer sees change.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::{expect, expect_file};
use serde_json::Value;

use super::change::{Change, Step};
use super::life::{Event, State, decide, due, wake};
use super::policy::{Judge, Otherwise};
use super::record::{Order, Rollout, Verdict};
use super::{RolloutPolicy, Suspension, VerdictPolicy};
use crate::backup::fixtures::rollout_policy;
use crate::facts::{Fitness, RefreshStatus, RefreshView, TemplateRef, VersionRef};
use crate::id::RolloutId;
use crate::incoming::{RefreshChange, RefreshNews, VerdictAsked};
use crate::refusal::{Refusal, Why};
use crate::{Time, changed, later, seconds_between};

pub(super) fn start() -> Time {
    "2026-01-15T10:30:00Z".parse().expect("a time")
}

pub(super) fn now() -> Time {
    later(start(), 120)
}

fn policy() -> RolloutPolicy {
    let by = BTreeSet::from([Judge::Health, Judge::Person]);
    let verdict = VerdictPolicy { by, within_seconds: 600, otherwise: Otherwise::RollBack };
    RolloutPolicy { verdict, ..rollout_policy() }
}

/// A rollout that came to `state` by itself, and has nothing in its outbox.
pub(super) fn rollout(state: State) -> Rollout {
    let order = Order {
        backup: Some("group/web@20260115T103000Z".parse().expect("a backup")),
        image: "ami-1".into(),
        at: start(),
        named: TemplateRef { template: "lt-1".into(), version: VersionRef::Number(1) },
        base: 1,
        version: 2,
        policy: policy(),
    };
    let mut record = Rollout::ordered("web".into(), order, start());
    if state == State::Watched {
        return Rollout::watched("r-1".into(), "web".into(), start());
    }
    if state == State::Preparing {
        return asked();
    }
    if state != State::Starting {
        record.refresh = Some("r-1".into());
        record.seen_at = Some(start());
    }
    if state == State::AtCheckpoint {
        record.state = State::InProgress;
        record = decide(&record, checkpoint("e-1", 20, start()), start()).record;
        record.outbox.clear();
    }
    record.state = state;
    record
}

/// An image that an operator gives.
pub(super) fn asked() -> Rollout {
    let change = Change {
        image: "ami-9".into(),
        backup: None,
        owner: None,
        by: "alice".into(),
        reason: Some("a patch".into()),
        refresh: true,
        policy: policy(),
        step: Step::Asked,
        follows: None,
    };
    Rollout::asked("web".into(), change, start(), start())
}

pub(super) fn checkpoint(event: &str, percentage: u32, at: Time) -> Event {
    let what = RefreshChange::Checkpoint { percentage, delay_seconds: 900 };
    Event::News(RefreshNews { event: event.into(), refresh: "r-1".into(), group: "web".into(), at, what })
}

pub(super) fn view(status: RefreshStatus, percentage: u32) -> Event {
    let (id, reason) = ("r-1".into(), Some("AWS's reason".to_owned()));
    Event::Seen(Some(RefreshView { id, status, reason, percentage, desired: None, started_at: None }))
}

pub(super) fn refusal(why: Why) -> Refusal {
    Refusal { why, action: "autoscaling:Call".into(), message: "AWS's words".into() }
}

pub(super) fn fit(unfit: &[&str]) -> Event {
    let unfit = unfit.iter().map(|instance| ((*instance).into(), "fails its status checks".to_owned())).collect();
    Event::FitnessSeen(Fitness { size: 4, serving: 4, on_version: 1, unfit })
}

pub(super) fn verdict(verdict: Verdict, judge: Judge, visit: Option<u32>) -> Event {
    let rollout = RolloutId::from("group/web@20260115T103000Z");
    let reason = "as seen".parse().ok();
    Event::Verdict(VerdictAsked { rollout, visit, verdict, judge, by: "alice".parse().expect("a name"), reason }, now())
}

fn events() -> Vec<(&'static str, Event, Time)> {
    let status = RefreshChange::Status("Succeeded".into());
    let news = |refresh: &str| RefreshNews {
        event: "e-9".into(),
        refresh: refresh.into(),
        group: "web".into(),
        at: now(),
        what: status.clone(),
    };
    let late = later(start(), 601);
    vec![
        ("woken", Event::Woken, now()),
        ("news: status", Event::News(news("r-1")), now()),
        ("news: another's", Event::News(news("r-9")), now()),
        ("news: at 20", checkpoint("e-2", 20, now()), now()),
        ("news: at 50", checkpoint("e-3", 50, now()), now()),
        ("news: at 100", checkpoint("e-4", 100, now()), now()),
        ("news: at 20, of long ago", checkpoint("e-5", 20, later(start(), -300)), now()),
        ("started", Event::Started("r-1".into()), now()),
        ("start refused: locked", Event::StartRefused(refusal(Why::Locked)), now()),
        ("start refused: denied", Event::StartRefused(refusal(Why::Denied)), now()),
        ("start refused, late", Event::StartRefused(refusal(Why::Locked)), later(start(), 14 * 86_400)),
        ("seen: nothing", Event::Seen(None), now()),
        ("seen: nothing, for long", Event::Seen(None), later(start(), 3_600)),
        ("seen: at 0", view(RefreshStatus::InProgress, 0), now()),
        ("seen: at 50", view(RefreshStatus::InProgress, 50), now()),
        ("seen: unknown", view(RefreshStatus::Unknown("Dancing".into()), 0), now()),
        ("seen: baking", view(RefreshStatus::Baking, 100), now()),
        ("seen: successful", view(RefreshStatus::Successful, 100), now()),
        ("seen: failed", view(RefreshStatus::Failed, 20), now()),
        ("seen: cancelling", view(RefreshStatus::Cancelling, 20), now()),
        ("seen: cancelled", view(RefreshStatus::Cancelled, 20), now()),
        ("seen: rolling back", view(RefreshStatus::RollingBack, 10), now()),
        ("seen: rolled back", view(RefreshStatus::RolledBack, 0), now()),
        ("seen: rollback failed", view(RefreshStatus::RollbackFailed, 0), now()),
        ("members: well", fit(&[]), now()),
        ("members: one unfit", fit(&["i-1"]), now()),
        ("members: one unfit, late", fit(&["i-1"]), late),
        ("verdict: go on", verdict(Verdict::GoOn, Judge::Person, Some(1)), now()),
        ("verdict: go on, by a program", verdict(Verdict::GoOn, Judge::Event, None), now()),
        ("verdict: on another pause", verdict(Verdict::GoOn, Judge::Person, Some(7)), now()),
        ("verdict: roll back", verdict(Verdict::RollBack, Judge::Event, None), now()),
        ("rollback begun", Event::RollbackBegun("r-1".into()), now()),
        ("rollback begun: another's", Event::RollbackBegun("r-9".into()), now()),
        ("rollback refused: irreversible", Event::RollbackRefused(refusal(Why::WrongState)), now()),
        ("rollback refused: none goes", Event::RollbackRefused(refusal(Why::Missing)), now()),
        ("cancel begun", Event::CancelBegun("r-1".into()), now()),
        ("cancel refused", Event::CancelRefused(refusal(Why::Denied)), now()),
        ("back started", Event::BackStarted("r-2".into()), now()),
        ("back refused: locked", Event::BackRefused(refusal(Why::Locked)), now()),
        ("back refused: changed", Event::BackRefused(refusal(Why::WrongState)), now()),
        ("turn: given", Event::Turn(true), now()),
        ("turn: taken", Event::Turn(false), now()),
        ("turn: taken, late", Event::Turn(false), later(start(), 14 * 86_400)),
        ("backed up", Event::BackedUp(Ok(())), now()),
        ("backup refused", Event::BackedUp(Err("it is lost".into())), now()),
        ("unanswered", Event::Unanswered("no answer".into()), now()),
        ("unanswered, late", Event::Unanswered("no answer".into()), late),
        ("told", Event::Told, now()),
    ]
}

/// What comes of the suspension, which lives beside the states.
fn of_suspension() -> Vec<(&'static str, Event, Time)> {
    vec![
        ("somebody suspends", Event::SuspensionSeen(true), now()),
        ("nobody suspends", Event::SuspensionSeen(false), now()),
        ("suspended", Event::Suspended, now()),
        ("suspend refused", Event::SuspendRefused(refusal(Why::Denied)), now()),
        ("resumed", Event::Resumed, now()),
        ("resume refused", Event::ResumeRefused(refusal(Why::Denied)), now()),
        ("verdict: go on", verdict(Verdict::GoOn, Judge::Person, Some(1)), now()),
        ("verdict: roll back", verdict(Verdict::RollBack, Judge::Event, None), now()),
    ]
}

const SUSPENSIONS: [Suspension; 6] = [
    Suspension::Untouched,
    Suspension::Wanted,
    Suspension::Asked,
    Suspension::Suspended,
    Suspension::Owed,
    Suspension::GivenBack,
];

/// What changed, and what is asked next.
pub(super) fn line(before: &Rollout, name: &str, event: Event, at: Time) -> String {
    let step = decide(before, event, at);
    let mut parts = Vec::new();
    if step.record.state != before.state {
        parts.push(format!("-> {:?}", step.record.state));
    }
    for (field, value) in changed::fields(before, &step.record) {
        match (field.as_str(), value) {
            ("state" | "since" | "reason" | "seen_at" | "trouble" | "news", _) => {}
            ("look_at", _) => {
                let seconds = seconds_between(at, step.record.look_at);
                if seconds != 0 {
                    parts.push(format!("next look in {seconds} s"));
                }
            }
            ("outbox", _) => {
                let told = step.record.outbox.iter().map(|notice| format!("notice {}", notice.news.detail_type()));
                parts.extend(told);
            }
            ("order", _) => {
                let order = step.record.order.as_ref().expect("there is one");
                parts.push(format!("ordered from version {} to {}", order.base, order.version));
            }
            ("change", _) => {
                let change = step.record.change.as_ref().expect("an operator asked for it");
                parts.push(format!("step {:?}, follows {:?}", change.step, change.follows.map(|(version, _)| version)));
            }
            ("visits", _) => {
                let visit = step.record.visits.last().expect("there is one");
                let opinions: Vec<String> = visit.opinions.iter().map(|one| one.judge.to_string()).collect();
                let given = visit.verdict.as_ref().map_or("open", |given| given.verdict.words());
                parts.push(format!(
                    "pause {} at {} %: {given} [{}]",
                    visit.number,
                    visit.percentage,
                    opinions.join(" ")
                ));
            }
            (field, Some(Value::String(text))) => parts.push(format!("{field} {text:?}")),
            (field, Some(value)) => parts.push(format!("{field} {value}")),
            (field, None) => parts.push(format!("no {field}")),
        }
    }
    if parts.is_empty() {
        parts.push("unchanged".into());
    }
    format!("  {name:<32} {}: {}\n", parts.join(", "), step.reason)
}

#[test]
fn every_state_and_every_event() {
    let mut table = String::new();
    for state in State::ALL {
        let record = rollout(state);
        let mut stale = Vec::new();
        writeln!(table, "{state:?}").expect("a text takes more");
        for (name, event, at) in events() {
            if decide(&record, event.clone(), at).reason == "stale" {
                stale.push(name);
            } else {
                table += &line(&record, name, event, at);
            }
        }
        writeln!(table, "  stale: {}\n", stale.join("; ")).expect("a text takes more");
    }
    expect_file!["life_table.txt"].assert_eq(&table);
}

#[test]
fn a_pause_that_is_held_with_every_suspension() {
    let mut table = String::new();
    for suspension in SUSPENSIONS {
        // A verdict by a person is all that is missing.
        let by = BTreeSet::from([Judge::Person]);
        let mut record = rollout(State::AtCheckpoint);
        let verdict = &mut record.order.as_mut().expect("ordered").policy.verdict;
        (verdict.by, verdict.otherwise) = (by, Otherwise::Hold);
        record.visits[0].held_until = Some(later(now(), 3_600));
        record.suspension = suspension;
        writeln!(table, "{suspension:?}").expect("a text takes more");
        for (name, event, at) in of_suspension() {
            table += &line(&record, name, event, at);
        }
        table.push('\n');
    }
    expect_file!["suspension_table.txt"].assert_eq(&table);
}

#[test]
fn what_each_state_asks_for_and_when_others_look() {
    let mut table = String::new();
    for state in State::ALL {
        for suspension in SUSPENSIONS {
            let record = Rollout { suspension, ..rollout(state) };
            let asked = due(&record, now()).map_or("nothing".into(), |asked| format!("{asked:?}"));
            let asked = asked.split(['(', ' ']).next().unwrap_or_default().to_owned();
            let wakes = wake(&record).map_or("never".into(), |at| format!("in {} s", seconds_between(start(), at)));
            writeln!(table, "{:<15} {:<10} {asked:<16} wakes {wakes}", format!("{state:?}"), format!("{suspension:?}"))
                .expect("a text takes more");
        }
    }
    expect_file!["due_table.txt"].assert_eq(&table);
}

#[test]
fn every_arrow_of_the_table_is_drawn() {
    let mut arrows = BTreeSet::new();
    for record in State::ALL.map(rollout) {
        for (_, event, at) in events() {
            let after = decide(&record, event, at).record.state;
            if after != record.state {
                arrows.insert(format!("{:?} ─▶ {after:?}", record.state));
            }
        }
    }
    let arrows: Vec<String> = arrows.into_iter().collect();
    // As the drawing in life.rs has them, and tests/src/saves.rs.
    expect![[r#"
        AtCheckpoint ─▶ Cancelled
        AtCheckpoint ─▶ Failed
        AtCheckpoint ─▶ RollbackFailed
        AtCheckpoint ─▶ RolledBack
        AtCheckpoint ─▶ RollingBack
        AtCheckpoint ─▶ StartingBack
        AtCheckpoint ─▶ TurningBack
        Baking ─▶ Cancelled
        Baking ─▶ Failed
        Baking ─▶ RollbackFailed
        Baking ─▶ RolledBack
        Baking ─▶ RollingBack
        Baking ─▶ StartingBack
        Baking ─▶ Succeeded
        Baking ─▶ TurningBack
        Cancelling ─▶ Failed
        Cancelling ─▶ RollbackFailed
        Cancelling ─▶ RolledBack
        Cancelling ─▶ RollingBack
        Cancelling ─▶ StartingBack
        InProgress ─▶ AtCheckpoint
        InProgress ─▶ Baking
        InProgress ─▶ Cancelled
        InProgress ─▶ Failed
        InProgress ─▶ RollbackFailed
        InProgress ─▶ RolledBack
        InProgress ─▶ RollingBack
        InProgress ─▶ StartingBack
        InProgress ─▶ Succeeded
        InProgress ─▶ TurningBack
        Preparing ─▶ Failed
        RollingBack ─▶ Failed
        RollingBack ─▶ RollbackFailed
        RollingBack ─▶ RolledBack
        Starting ─▶ Failed
        Starting ─▶ InProgress
        StartingBack ─▶ RollbackFailed
        StartingBack ─▶ RollingBack
        TurningBack ─▶ Cancelling
        TurningBack ─▶ Failed
        TurningBack ─▶ RollbackFailed
        TurningBack ─▶ RolledBack
        TurningBack ─▶ RollingBack
        TurningBack ─▶ StartingBack"#]]
    .assert_eq(&arrows.join("\n"));
}
