//! Which member of a group goes into standby for its image, what is asked before a stop, and when what is owed is due.

use super::fixtures::{self, now, start};
use super::instance::{FoundInstance, InGroup, asks_hazards, found};
use super::instance_rules::{id, instance, with};
use super::life::{Event, State, decide, due};
use super::power::{Consistency, HEARD_SECONDS_MAX, Power, PowerEvent};
use super::queue::wake;
use super::record::Backup;
use super::standby::{Standby, StandbyEvent};
use crate::facts::{Instance, InstanceState, LaunchSource, Lifecycle, Member};
use crate::id::GroupName;
use crate::life::Life;
use crate::record::Queue;
use crate::refusal::Why;
use crate::{later, seconds_between};

/// A backup that wants its instance off, in standby.
fn backup() -> Backup {
    let mut record = with(State::Requested, Power::Untouched);
    record.capture.standby = true;
    record
}

fn member(id: &str, lifecycle: Lifecycle, healthy: bool) -> Member {
    Member { instance: id.into(), lifecycle, healthy, protected_from_scale_in: false, template: None }
}

/// What comes of it in a group of these members, which wants so many and at least one.
fn in_group(members: Vec<Member>, size: usize) -> Event {
    let mut told = instance(InstanceState::Running);
    told.tags.insert("aws:autoscaling:groupName".into(), "web".into());
    let group =
        crate::facts::Group { size, size_min: 1, ..fixtures::group(LaunchSource::Unreadable("none".into()), members) };
    found(&backup(), &id(), &[told], None, Some(&InGroup { group, refresh: None }), &[])
}

#[test]
fn a_member_goes_into_standby_if_it_serves_and_all_the_others_do() {
    let serves = |id: &str| member(id, Lifecycle::InService, true);
    let Event::InstanceFound(one) = in_group(vec![serves("i-1"), serves("i-2")], 2) else { panic!("it can") };
    let FoundInstance { stops, group, .. } = *one;
    assert_eq!((stops, group.as_ref().map(GroupName::as_str)), (true, Some("web")));
    let warm = in_group(vec![serves("i-1"), serves("i-2"), member("i-3", Lifecycle::Warm, true)], 2);
    assert!(matches!(warm, Event::InstanceFound(_)), "one that waits in the warm pool leaves no gap: {warm:?}");
    let busy = |members, why: &str| {
        let event = in_group(members, 2);
        assert!(matches!(&event, Event::InstanceBusy(told) if told == why), "{event:?}");
    };
    busy(vec![member("i-1", Lifecycle::Pending, true), serves("i-2")], "i-1 is not in service in web");
    busy(vec![serves("i-2")], "i-1 is not in service in web");
    for lifecycle in [Lifecycle::Standby, Lifecycle::Pending, Lifecycle::Leaving, Lifecycle::Other] {
        busy(vec![serves("i-1"), member("i-2", lifecycle, true)], "i-2 of web does not serve either");
    }
    busy(vec![serves("i-1"), member("i-2", Lifecycle::InService, false)], "i-2 of web does not serve either");
    assert!(matches!(in_group(vec![serves("i-1"), serves("i-2")], 1), Event::NoOrigin(_)), "there is no room");
}

#[test]
fn what_a_stop_would_meet_is_asked_only_of_one_that_is_to_be_stopped() {
    let other = Instance { id: "i-2".into(), ..instance(InstanceState::Running) };
    let runs = instance(InstanceState::Running);
    assert!(asks_hazards(&backup(), &[other.clone(), runs.clone()]));
    assert!(!asks_hazards(&backup(), &[other.clone(), instance(InstanceState::Stopped)]));
    assert!(!asks_hazards(&backup(), &[other]));
    let mut plain = backup();
    plain.capture.stop = false;
    assert!(!asks_hazards(&plain, &[runs]));
}

#[test]
fn news_of_an_instance_are_looked_into_while_its_power_is_waited_for() {
    let at = now();
    for (power, waits) in [
        (Power::Untouched, false),
        (Power::Stopping(None), false),
        (Power::Stopping(Some(at)), true),
        (Power::ForceStopping(None), false),
        (Power::ForceStopping(Some(at)), true),
        (Power::Stopped, false),
        (Power::Starting(at), false),
        (Power::Coming(at), true),
        (Power::Watched(at, at), true),
        (Power::Running, false),
        (Power::Gone, false),
    ] {
        assert_eq!(with(State::Pending, power).power.waits_for_news(), waits, "{power:?}");
    }
}

#[test]
fn an_answer_ends_a_row_of_calls_that_got_none() {
    let failing = |state, power| Backup { failures: 3, ..with(state, power) };
    let seen = Event::Power(PowerEvent::Seen(Some(InstanceState::Stopping)));
    assert_eq!(decide(&failing(State::Quiescing, Power::Stopping(Some(start()))), seen, now()).record.failures, 0);
    let mut entering = failing(State::Quiescing, Power::Untouched);
    entering.standby.state = Standby::Entering(Some(start()));
    let seen = Event::Standby(StandbyEvent::Seen(Some(Lifecycle::Pending)));
    assert_eq!(decide(&entering, seen, now()).record.failures, 0);
    for (power, expected) in [
        (Power::Starting(now()), "starting"),
        (Power::Coming(now()), "coming"),
        (Power::Watched(now(), later(now(), 600)), "watched"),
    ] {
        let later =
            decide(&failing(State::Good, power), Event::Power(PowerEvent::Unanswered("no".into())), now()).record;
        assert_eq!(later.failures, 4);
        let kept = match later.power.state {
            Power::Starting(_) => "starting",
            Power::Coming(_) => "coming",
            Power::Watched(_, until) if seconds_between(now(), until) == 600 => "watched",
            _ => "something else",
        };
        assert_eq!(kept, expected, "the same again later");
    }
}

#[test]
fn what_takes_it_off_is_on_record_whoever_saved_meanwhile() {
    let holds = |event: PowerEvent| Backup::holds_whoever_saved(&Event::Power(event));
    assert!(holds(PowerEvent::StopHeard(None)) && holds(PowerEvent::StopUnanswered("no".into())));
    let refused = PowerEvent::StopRefused(fixtures::refusal(Why::Denied));
    assert!(!holds(refused) && !holds(PowerEvent::StartHeard) && !holds(PowerEvent::Seen(None)));
    let holds = |event: StandbyEvent| Backup::holds_whoever_saved(&Event::Standby(event));
    assert!(holds(StandbyEvent::EnterHeard) && holds(StandbyEvent::EnterUnanswered("no".into())));
    assert!(!holds(StandbyEvent::LeaveHeard) && !holds(StandbyEvent::Seen(None)));
}

#[test]
fn what_is_waited_for_is_looked_at_then_and_no_sooner() {
    let mut record = with(State::Good, Power::Running);
    record.power.doubt_at = Some(now());
    let until = later(now(), HEARD_SECONDS_MAX);
    assert_eq!(record.power.heard_until(later(until, -1)), Some(until));
    assert_eq!(record.power.heard_until(until), None);

    record.standby.state = Standby::Leaving(later(now(), 1));
    record.standby.group = Some("web".into());
    assert_eq!(due(&record, Queue::Poll, now()), None);
    assert!(due(&record, Queue::Poll, later(now(), 1)).is_some());

    let mut entering = with(State::Quiescing, Power::Untouched);
    entering.outbox.clear();
    (entering.standby.state, entering.standby.group) = (Standby::Entering(Some(start())), Some("web".into()));
    assert_eq!(wake(&entering), Some(entering.look_at), "nobody is at it: it is waited for");

    let stopping = with(State::Quiescing, Power::Stopping(Some(start())));
    let seen = |waited| {
        let event = Event::Power(PowerEvent::Seen(Some(InstanceState::Stopping)));
        seconds_between(start(), decide(&stopping, event, later(start(), waited)).record.look_at)
    };
    assert_eq!((seen(10), seen(50), seen(59)), (25, 60, 60), "at the end of its time at the latest");
}

#[test]
fn how_consistent_an_image_is_has_words() {
    let words = [Consistency::Clean, Consistency::Forced, Consistency::CrashConsistent].map(Consistency::words);
    assert_eq!(words, ["clean", "forced", "crash-consistent"]);
}
