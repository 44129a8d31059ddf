//! What must hold of a pause: which event is of which, who is heard, and when its time is over.

use std::collections::BTreeSet;

use super::life::{Alone, Event, State, decide, due};
use super::life_table::{checkpoint, fit, now, rollout, start, verdict, view};
use super::policy::{Judge, Otherwise};
use super::record::{Order, Rollout, Verdict, Visit};
use crate::facts::{Fitness, RefreshStatus};
use crate::{Time, later};

/// It pauses at 20 percent since [`start`], is judged by these, and pauses at 50 and 80 next.
fn paused(by: &[Judge]) -> Rollout {
    let mut record = rollout(State::AtCheckpoint);
    let Order { policy, .. } = record.order.as_mut().expect("it is ordered");
    policy.verdict.by = by.iter().copied().collect();
    policy.checkpoints = vec![20, 50, 80, 100];
    record
}

fn after(record: &Rollout, event: Event, at: Time) -> Rollout {
    decide(record, event, at).record
}

fn seen(record: &Rollout, percentage: u32, at: Time) -> Rollout {
    after(record, view(RefreshStatus::InProgress, percentage), at)
}

fn says(what: Verdict, judge: Judge, at: Time) -> Event {
    let Event::Verdict(asked, _) = verdict(what, judge, None) else { panic!("a verdict") };
    Event::Verdict(asked, at)
}

fn agreed(record: &Rollout) -> BTreeSet<Judge> {
    record.visits.last().expect("it pauses").opinions.iter().map(|opinion| opinion.judge).collect()
}

fn given(visit: &Visit) -> Option<Verdict> {
    visit.verdict.as_ref().map(|given| given.verdict)
}

/// It goes on from its pause at 20.
fn gone_on() -> Rollout {
    let record = after(&paused(&[Judge::Person]), says(Verdict::GoOn, Judge::Person, now()), now());
    assert_eq!((record.state, given(&record.visits[0])), (State::InProgress, Some(Verdict::GoOn)));
    record
}

#[test]
fn pauses_are_counted() {
    let mut record = gone_on();
    for (number, percentage) in [(2, 50), (3, 80)] {
        record = after(&record, checkpoint(&format!("e-at-{percentage}"), percentage, now()), now());
        let visit = record.visits.last().expect("it pauses");
        assert_eq!((visit.number, visit.percentage), (number, percentage));
        record = after(&record, says(Verdict::GoOn, Judge::Person, now()), now());
    }
}

#[test]
fn an_event_that_comes_after_its_pause_was_found_is_of_that_pause() {
    let found = seen(&gone_on(), 50, later(now(), 60));
    let visit = found.visits.last().expect("it is found");
    assert_eq!((visit.number, visit.percentage, visit.event.as_deref()), (2, 50, None));
    let (at, goes_on_at) = (visit.at, visit.goes_on_at);
    for at in [at, goes_on_at] {
        let heard = after(&found, checkpoint("e-2", 50, at), later(goes_on_at, 60));
        let visit = heard.visits.last().expect("it pauses");
        assert_eq!((visit.number, visit.event.as_deref(), visit.at), (2, Some("e-2"), found.visits[1].at));
    }
    // A later one is of a pause of its own, at which it waits anew; so is one at another percentage.
    let again = after(&found, checkpoint("e-3", 50, later(goes_on_at, 1)), later(goes_on_at, 60));
    assert_eq!(again.visits.last().map(|visit| visit.at), Some(later(goes_on_at, 1)));
    let higher = after(&found, checkpoint("e-4", 80, goes_on_at), later(goes_on_at, 60));
    assert_eq!(given(&higher.visits[1]), Some(Verdict::RollBack), "AWS went on before there was a verdict");
}

#[test]
fn an_event_of_a_pause_that_is_over_begins_none() {
    let record = gone_on();
    let early = decide(&record, checkpoint("e-0", 20, later(start(), -1)), now());
    assert_eq!((early.record.visits.len(), early.reason.as_str()), (1, "the pause at 20 percent is over"));
    // A scale-out may bring it back in the same second.
    assert_eq!(after(&record, checkpoint("e-2", 20, start()), now()).visits.len(), 2);
}

#[test]
fn a_checkpoint_that_nobody_told_is_found_by_what_aws_shows() {
    for (shown, pauses_at) in [(20, None), (49, None), (50, Some(50)), (79, Some(50)), (80, Some(80)), (100, Some(80))]
    {
        let record = seen(&gone_on(), shown, later(now(), 60));
        let visit = record.visits.last().filter(|visit| visit.number == 2).map(|visit| visit.percentage);
        assert_eq!(visit, pauses_at, "it shows {shown} percent");
    }
}

#[test]
fn a_pause_that_is_held_is_taken_back_if_aws_goes_on_all_the_same() {
    let mut record = paused(&[Judge::Person]);
    record.visits[0].held_until = Some(later(now(), 3_600));
    let record = seen(&record, 20, now());
    assert_eq!(record.visits[0].held_percentage, Some(20));
    for (shown, state) in [(10, State::AtCheckpoint), (20, State::AtCheckpoint), (21, State::TurningBack)] {
        assert_eq!(seen(&record, shown, now()).state, state, "it shows {shown} percent");
    }
}

#[test]
fn health_wants_the_group_at_its_size() {
    for (serving, agrees) in [(3, false), (4, true), (5, true)] {
        let fitness = Fitness { size: 4, serving, on_version: 1, unfit: Vec::new() };
        let record = after(&paused(&[Judge::Health, Judge::Person]), Event::FitnessSeen(fitness), now());
        assert_eq!(agreed(&record).contains(&Judge::Health), agrees, "{serving} of 4 serve");
        let trouble = (!agrees).then(|| "3 of 4 members serve".to_owned());
        assert_eq!(record.trouble, trouble);
    }
}

#[test]
fn a_verdict_that_names_no_pause_is_of_the_one_that_it_was_asked_after() {
    let record = paused(&[Judge::Person]);
    for (seconds, state) in [(-1, State::AtCheckpoint), (0, State::InProgress), (1, State::InProgress)] {
        let judged = after(&record, says(Verdict::GoOn, Judge::Person, later(start(), seconds)), now());
        assert_eq!(judged.state, state, "{seconds} s after it began");
    }
}

#[test]
fn no_program_speaks_for_a_person() {
    let says = |record: &Rollout, judge| decide(record, says(Verdict::GoOn, judge, now()), now());
    let gate = paused(&[Judge::Person]);
    let step = says(&gate, Judge::Event);
    assert_eq!((&step.record, step.reason.as_str()), (&gate, "its plan does not ask for a verdict by event"));
    // Also where the plan asks programs: what is held is held for a person.
    for by in [&[Judge::Event][..], &[Judge::Person], &[Judge::Health, Judge::Event]] {
        let mut held = paused(by);
        held.visits[0].held_until = Some(later(now(), 3_600));
        let step = says(&held, Judge::Event);
        assert_eq!(step.record, held);
        assert_eq!(step.reason, "it is held for a person, and a verdict by event does not end that");
        assert_eq!(says(&held, Judge::Person).record.state, State::InProgress);
    }
}

#[test]
fn what_was_well_a_minute_ago_is_asked_again_when_another_judge_agrees() {
    let record = paused(&[Judge::Health, Judge::Event, Judge::Person]);
    let record = after(&record, fit(&[]), start());
    let record = after(&record, says(Verdict::GoOn, Judge::Event, start()), start());
    assert_eq!(agreed(&record), BTreeSet::from([Judge::Health, Judge::Event]));
    let fresh = after(&record, says(Verdict::GoOn, Judge::Person, later(start(), 60)), later(start(), 60));
    assert_eq!(fresh.state, State::InProgress, "all agree");
    let at = later(start(), 61);
    let old = after(&record, says(Verdict::GoOn, Judge::Person, at), at);
    assert_eq!((old.state, agreed(&old)), (State::AtCheckpoint, BTreeSet::from([Judge::Event, Judge::Person])));
    assert!(matches!(due(&old, at), Some(Alone::LookAtMembers { .. })), "at once");
}

#[test]
fn aws_agrees_for_its_alarms_by_not_turning_back() {
    let record = after(&paused(&[Judge::Alarms, Judge::Person]), view(RefreshStatus::InProgress, 20), now());
    assert_eq!(agreed(&record), BTreeSet::from([Judge::Alarms]));
    let record = after(&paused(&[Judge::Person]), view(RefreshStatus::InProgress, 20), now());
    assert_eq!(agreed(&record), BTreeSet::new(), "nobody asked it");
}

#[test]
fn its_time_is_over_at_its_deadline() {
    let record = paused(&[Judge::Health, Judge::Person]);
    let deadline = record.visits[0].deadline;
    assert_eq!(after(&record, fit(&["i-1"]), later(deadline, -1)).state, State::AtCheckpoint);
    let over = after(&record, fit(&["i-1"]), deadline);
    assert_eq!(over.state, State::TurningBack);
    let because = "no verdict by health and person in time: i-1 fails its status checks";
    assert_eq!(over.back_because.as_deref(), Some(because));
    let mut goes_on = record;
    goes_on.order.as_mut().expect("it is ordered").policy.verdict.otherwise = Otherwise::Continue;
    assert_eq!(after(&goes_on, fit(&["i-1"]), deadline).state, State::InProgress);
}
