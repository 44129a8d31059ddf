//! What must hold of a rollout's record beside its states: when others come, what counts as tried, how the way back differs.

use std::collections::BTreeSet;

use super::life::{Event, State, decide, wake};
use super::life_table::{asked, fit, now, refusal, rollout, start, view};
use super::policy::{Followed, Judge, Others, Otherwise, Protected, Standby, VerdictPolicy};
use super::record::{Order, Rollout};
use super::{RolloutPolicy, Suspension};
use crate::facts::{RefreshStatus, RefreshView};
use crate::incoming::{RefreshChange, RefreshNews};
use crate::life::{LEASE_SECONDS, Life};
use crate::refusal::Why;
use crate::{later, seconds_between};

fn ordered(record: &mut Rollout) -> &mut Order {
    record.order.as_mut().expect("it is ordered")
}

#[test]
fn an_operators_image_says_who_asked_and_why() {
    let mut record = asked();
    assert_eq!(record.reason, "asked for by alice: a patch");
    let change = record.change.as_mut().expect("an operator asked for it");
    change.reason = None;
    assert_eq!(change.words(), "asked for by alice");
}

#[test]
fn the_second_refresh_differs_only_in_what_would_stop_it() {
    let policy = RolloutPolicy {
        checkpoints: vec![20, 50],
        delay_seconds: 900,
        min_healthy: 80,
        max_healthy: 120,
        warmup_seconds: Some(60),
        skip_matching: false,
        auto_rollback: true,
        alarms: vec!["errors".into()],
        bake_seconds: 600,
        protected: Protected::Refresh,
        standby: Standby::Terminate,
        verdict: VerdictPolicy { by: BTreeSet::from([Judge::Event]), within_seconds: 60, otherwise: Otherwise::Hold },
        followed: Followed::SecondRefresh,
        backup: true,
        others: Others::Judge,
    };
    let back = policy.back();
    assert_eq!((back.checkpoints.as_slice(), back.skip_matching, back.auto_rollback), ([].as_slice(), true, false));
    assert_eq!((back.alarms.as_slice(), back.bake_seconds), ([].as_slice(), 0));
    let RolloutPolicy { checkpoints, skip_matching, auto_rollback, alarms, bake_seconds, .. } = policy.clone();
    assert_eq!(RolloutPolicy { checkpoints, skip_matching, auto_rollback, alarms, bake_seconds, ..back }, policy);
}

#[test]
fn it_is_waited_for_until_whoever_does_knows_that_it_is_over() {
    for state in State::ALL {
        for told in [true, false] {
            let record = Rollout { told, ..rollout(state) };
            let waits = state != State::Watched && !(told && state.is_at_rest());
            assert_eq!(record.is_waited_for(), waits, "{state:?}, {told}");
            let watched = Rollout { order: None, change: None, ..record };
            assert!(!watched.is_waited_for(), "{state:?}: nobody judges it");
        }
        let begins = [State::Starting, State::StartingBack].contains(&state);
        assert_eq!(rollout(state).begins(), begins, "{state:?}: a refresh of ours may go whose id nobody knows");
    }
}

#[test]
fn what_was_done_at_aws_is_on_record_whoever_saved_meanwhile() {
    for done in [Event::Suspended, Event::Started("r-1".into()), Event::BackStarted("r-2".into())] {
        assert!(Rollout::holds_whoever_saved(&done), "{done:?}");
    }
    for read in [Event::Seen(None), fit(&[]), Event::Resumed, Event::StartRefused(refusal(Why::Locked)), Event::Woken] {
        assert!(!Rollout::holds_whoever_saved(&read), "{read:?}");
    }
}

#[test]
fn calls_that_failed_are_forgotten_by_an_answer_that_changes_something() {
    let record = Rollout { failures: 2, ..rollout(State::InProgress) };
    assert_eq!(decide(&record, view(RefreshStatus::InProgress, 0), now()).record.failures, 0);
    // An answer that comes too late says nothing of the call that is wanted.
    assert_eq!(decide(&record, Event::Started("r-1".into()), now()).record.failures, 2);
    assert_eq!(decide(&record, Event::Unanswered("no answer".into()), now()).record.failures, 3);
}

#[test]
fn who_moves_it_has_a_lease_and_what_was_looked_at_is_looked_at_again_in_time() {
    let begun = decide(&rollout(State::Starting), Event::Started("r-1".into()), now()).record;
    assert_eq!(wake(&begun), Some(later(now(), LEASE_SECONDS)), "whoever began it looks at once");
    let seen = decide(&begun, view(RefreshStatus::InProgress, 0), now()).record;
    assert_eq!(wake(&seen), Some(seen.look_at));
    assert_eq!(seconds_between(now(), seen.look_at), 120);
}

#[test]
fn a_second_refresh_that_is_rolled_back_did_not_take_anything_back() {
    let record = Rollout { back: Some("r-2".into()), ..rollout(State::RollingBack) };
    let seen = |id: &str, status: RefreshStatus| {
        let view = RefreshView { id: id.into(), status, reason: None, percentage: 0, desired: None, started_at: None };
        decide(&record, Event::Seen(Some(view)), now()).record.state
    };
    assert_eq!(seen("r-2", RefreshStatus::RolledBack), State::RollbackFailed);
    assert_eq!(seen("r-2", RefreshStatus::Successful), State::RolledBack);
    assert_eq!(seen("r-1", RefreshStatus::Successful), State::RollbackFailed);
    assert_eq!(seen("r-1", RefreshStatus::RolledBack), State::RolledBack);
}

#[test]
fn the_way_back_says_to_which_version_it_goes() {
    let mut record = rollout(State::StartingBack);
    ordered(&mut record).base = 7;
    let reason = decide(&record, Event::BackStarted("r-2".into()), now()).reason;
    assert_eq!(reason, "instance refresh r-2 goes back to version 7");
}

#[test]
fn a_partial_refresh_does_not_claim_that_every_member_is_new() {
    let mut record = rollout(State::InProgress);
    let ends = |record: &Rollout| decide(record, view(RefreshStatus::Successful, 100), now()).reason;
    assert_eq!(ends(&record), "every member is on the new version, and the group has it");
    ordered(&mut record).policy.checkpoints = vec![20, 50];
    assert_eq!(ends(&record), "it ends at 50 percent, as its plan says, and the group has the new version");
}

#[test]
fn what_fails_at_a_pause_is_tried_again_before_its_deadline() {
    let record = rollout(State::AtCheckpoint);
    let deadline = record.visits[0].deadline;
    let tried = |record: &Rollout, at| decide(record, Event::Unanswered("no answer".into()), at).record;
    let shortly_before = tried(&record, later(deadline, -5));
    assert_eq!((shortly_before.state, shortly_before.look_at), (State::AtCheckpoint, deadline));
    // It is held: its deadline is behind it, and says nothing of when to look.
    let mut held = Rollout { suspension: Suspension::Suspended, ..record };
    held.visits[0].held_until = Some(later(deadline, 3_600));
    for seconds in [0, 5] {
        let at = later(deadline, seconds);
        let again = tried(&held, at).look_at;
        assert!((60..=90).contains(&seconds_between(at, again)), "{seconds}: {again}");
    }
}

#[test]
fn what_aws_tells_is_looked_up_at_once_while_it_goes() {
    let status = RefreshChange::Status("Failed".into());
    let news =
        |at| RefreshNews { event: "e-9".into(), refresh: "r-1".into(), group: "web".into(), at, what: status.clone() };
    let mut waits = rollout(State::InProgress);
    waits.look_at = later(now(), 100);
    assert_eq!(decide(&waits, Event::News(news(now())), now()).record.look_at, now());
    let mut rests = Rollout { told: true, ..rollout(State::Succeeded) };
    rests.look_at = start();
    assert_eq!(decide(&rests, Event::News(news(now())), now()).record.look_at, start());
}
