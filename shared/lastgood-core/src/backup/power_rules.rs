//! What takes an instance off for its image, and for how long: whoever does not answer, and whoever else stops and starts it.

use super::copy::asks_instance;
use super::instance_rules::{artifact, found_instance, id, instance, look, with};
use super::life::{Alone, Effect, Event, State, Together, decide, due};
use super::power::{Consistency, HEARD_SECONDS_MAX, OFF_SECONDS_MAX, Power, PowerEvent};
use super::record::Backup;
use super::{fixtures::now, fixtures::refusal, fixtures::start};
use crate::facts::InstanceState;
use crate::notice::News;
use crate::record::Queue;
use crate::refusal::Why;
use crate::{Time, later, seconds_between};

/// It is off since `start`.
fn off(state: State) -> Backup {
    with(state, Power::Stopped)
}

fn seen(record: &Backup, state: InstanceState, at: Time) -> Backup {
    decide(record, Event::Power(PowerEvent::Seen(Some(state))), at).record
}

#[test]
fn whatever_does_not_answer_an_instance_is_started_after_ten_minutes() {
    for state in [State::Creating, State::Pending] {
        let (mut record, mut at, mut tries) = (off(state), now(), 0);
        loop {
            record = decide(&record, Event::Unanswered("no answer".into()), at).record;
            tries += 1;
            if record.power.state != Power::Stopped {
                break;
            }
            assert!(seconds_between(at, record.look_at) <= 90, "{state:?}: from {at} until {}", record.look_at);
            at = record.look_at;
        }
        assert!(tries >= 8, "{state:?}: {tries}");
        assert_eq!(record.power.state, Power::Starting(later(start(), OFF_SECONDS_MAX)));
        let state = if state == State::Creating { State::Failed } else { State::Pending };
        assert_eq!(record.state, state);
    }
    let late = decide(&off(State::Pending), Event::Unanswered("no answer".into()), later(start(), OFF_SECONDS_MAX));
    assert_eq!(late.record.power.consistency, Some(Consistency::CrashConsistent));
    assert_eq!(late.reason, "AWS did not begin to copy each of its volumes within 10 min: it is started all the same");
    let woken = decide(&off(State::Pending), Event::Woken, later(start(), 2 * OFF_SECONDS_MAX)).record;
    assert_eq!(woken.power.state, Power::Stopped, "its copies may have begun since the last look");
}

#[test]
fn one_that_somebody_has_started_is_started_once_more_until_it_is_seen_to_run() {
    for state in [InstanceState::Running, InstanceState::Pending] {
        let begun = decide(&off(State::Pending), look(Some(state), &["vol-1"]), now()).record;
        assert_eq!(begun.power.state, Power::Starting(now()), "{state:?} may be told late, or come to nothing");
        assert_eq!(begun.power.consistency, Some(Consistency::CrashConsistent));
        assert_eq!(begun.power.on_at, None);
    }
}

#[test]
fn what_somebody_else_took_off_stays_off() {
    let stopping = with(State::Quiescing, Power::Stopping(None));
    let heard = |record: &Backup, was| decide(record, Event::Power(PowerEvent::StopHeard(was)), now()).record;
    for was in [InstanceState::Stopped, InstanceState::Stopping] {
        let record = heard(&stopping, Some(was));
        let off = seen(&record, InstanceState::Stopped, now());
        assert_eq!((off.state, off.power.state), (State::Creating, Power::Untouched));
        assert_eq!(off.power.consistency, Some(Consistency::Clean));
        let failed = decide(&off, Event::CreateRefused(refusal(Why::Denied)), now()).record;
        assert_eq!((failed.state, failed.power.state), (State::Failed, Power::Untouched));
        let late = seen(&record, InstanceState::Stopping, later(now(), 60));
        assert_eq!((late.state, late.power.state), (State::Failed, Power::Untouched), "whose stop it is may force it");
    }
    // What AWS does not say, and what may be an earlier call of ours, is ours.
    let doubtful = decide(&stopping, Event::Woken, now()).record;
    for record in [
        heard(&stopping, None),
        heard(&stopping, Some(InstanceState::Running)),
        heard(&doubtful, Some(InstanceState::Stopped)),
    ] {
        let off = seen(&record, InstanceState::Stopped, now());
        assert_eq!(off.power.state, Power::Stopped);
    }
}

#[test]
fn one_that_was_off_is_clean_only_if_nobody_starts_it_before_each_volume_is_copied() {
    let found = decide(&with(State::Requested, Power::Untouched), found_instance(false), now()).record;
    let made = decide(&found, Event::Made(artifact()), now()).record;
    assert!(asks_instance(&made));
    let looked = |state, volumes: &[&str]| decide(&made, look(Some(state), volumes), now()).record;
    let off = looked(InstanceState::Stopped, &["vol-1"]);
    assert_eq!((off.power.consistency, off.power.state), (Some(Consistency::Clean), Power::Untouched));
    assert!(asks_instance(&off));
    let copied = looked(InstanceState::Stopped, &["vol-1", "vol-2"]);
    assert!(!asks_instance(&copied), "its point in time is fixed");
    for state in [InstanceState::Running, InstanceState::Pending] {
        assert_eq!(looked(state, &["vol-1"]).power.consistency, Some(Consistency::CrashConsistent));
    }
    assert!(!asks_instance(&with(State::Pending, Power::Running)));
}

#[test]
fn a_volume_that_somebody_takes_off_meanwhile_is_not_waited_for() {
    let without = |volumes: &[&str]| {
        let Event::Copying(mut copying) = look(Some(InstanceState::Stopped), volumes) else { panic!("a look") };
        copying.instance =
            Some(Some(crate::facts::Instance { volumes: vec!["vol-1".into()], ..instance(InstanceState::Stopped) }));
        decide(&off(State::Pending), Event::Copying(copying), now()).record.power
    };
    assert_eq!(without(&["vol-1"]).state, Power::Starting(now()));
    assert_eq!(without(&["vol-1"]).consistency, Some(Consistency::Clean));
    assert_eq!(without(&[]).state, Power::Stopped, "nothing is copied yet");
}

#[test]
fn a_start_that_comes_to_nothing_is_told_once_and_made_again() {
    let starting = with(State::Pending, Power::Starting(now()));
    let coming = decide(&starting, Event::Power(PowerEvent::StartHeard), now()).record;
    let off = seen(&coming, InstanceState::Stopped, later(now(), 15));
    assert_eq!(due(&off, Queue::Poll, later(now(), 15)), Some(Effect::Alone(Alone::StartInstance(id()))));
    let told = |record: &Backup| {
        record.outbox.iter().filter(|notice| matches!(notice.news, News::InstanceNotStarted { .. })).count()
    };
    assert_eq!(told(&off), 1);
    let again = decide(&off, Event::Power(PowerEvent::StartHeard), later(now(), 16)).record;
    assert_eq!(told(&seen(&again, InstanceState::Stopped, later(now(), 31))), 1, "once");
    // One that was still going down when it was asked to start has not begun to.
    let refused = decide(&starting, Event::Power(PowerEvent::StartRefused(refusal(Why::WrongState))), now()).record;
    assert_eq!(told(&seen(&refused, InstanceState::Stopped, later(now(), 20))), 0);
}

#[test]
fn an_instance_whose_stop_may_be_heard_late_is_watched_until_that_can_not_be() {
    let stopping = with(State::Quiescing, Power::Stopping(None));
    let woken = decide(&stopping, Event::Woken, now()).record;
    assert_eq!(woken.power.doubt_at, Some(now()), "somebody else may still be at it");
    let mut coming = with(State::Pending, Power::Coming(now()));
    coming.power.doubt_at = Some(now());
    let runs = Event::Power(PowerEvent::Seen(Some(InstanceState::Running)));
    let until = later(now(), HEARD_SECONDS_MAX);
    let watched = decide(&coming, runs.clone(), later(now(), 30)).record;
    assert_eq!(watched.power.state, Power::Watched(later(now(), 90), until));
    let look = Some(Effect::Together(Together::LookAtInstance(id())));
    assert_eq!(due(&watched, Queue::Poll, later(now(), 90)), look);
    let off = decide(&watched, Event::Power(PowerEvent::Seen(Some(InstanceState::Stopped))), later(now(), 90)).record;
    assert_eq!(off.power.state, Power::Starting(later(now(), 90)));
    assert_eq!(decide(&watched, runs, until).record.power.state, Power::Running);
}

#[test]
fn a_shutdown_of_which_nothing_is_heard_ends_after_its_time_and_that_of_the_force() {
    let stopping = with(State::Quiescing, Power::Stopping(None));
    let unanswered = |seconds| {
        let event = Event::Power(PowerEvent::StopUnanswered("no answer".into()));
        decide(&stopping, event, later(start(), seconds)).record
    };
    assert_eq!(unanswered(60 + 20 * 60 + 59).state, State::Quiescing);
    let failed = unanswered(60 + 20 * 60 + 60);
    assert_eq!((failed.state, failed.power.state), (State::Failed, Power::Starting(later(start(), 22 * 60))));
    assert_eq!(failed.reason, "the instance did not shut down within 22 min; last: no answer");
}

#[test]
fn one_that_runs_on_is_looked_at_for_a_minute_longer() {
    let stopping = with(State::Quiescing, Power::Stopping(Some(start())));
    let next =
        |waited| seconds_between(start(), seen(&stopping, InstanceState::Running, later(start(), waited)).look_at);
    assert_eq!([next(10), next(59), next(60), next(115), next(119)], [25, 60, 75, 120, 120]);
    assert_eq!(seen(&stopping, InstanceState::Running, later(start(), 119)).state, State::Quiescing);
}

#[test]
fn one_volume_that_is_copied_is_enough_for_who_has_no_other() {
    let mut one = with(State::Pending, Power::Untouched);
    (one.power.consistency, one.copy.volumes) = (Some(Consistency::Clean), vec!["vol-1".into()]);
    assert!(asks_instance(&one));
    let copied = decide(&one, look(Some(InstanceState::Stopped), &["vol-1"]), now()).record;
    assert!(!asks_instance(&copied));
}
