//! Single instances and whoever else has a hand in them: calls that are not answered, operators who stop and start, plans that
//! change, and functions that come hours late.

use std::sync::atomic::{AtomicBool, Ordering};

use lastgood_core::backup::State;
use lastgood_core::backup::power::{Consistency, OFF_SECONDS_MAX, Power};
use lastgood_core::seconds_between;
use lastgood_tests::cut::{At, Knife, Meanwhile};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{InstanceState, Nature, TRIAL, World, by_number};

use crate::instances::{STOP, consistency, done, of, plan, source, state};

/// When a call was first made.
fn first(stack: &Stack, action: &str) -> lastgood_core::Time {
    let log = stack.world.log();
    log.iter()
        .find(|call| call.action == action && !call.about.ends_with(TRIAL))
        .unwrap_or_else(|| panic!("{action} was not called"))
        .at
}

#[test]
fn looks_that_nobody_answers_keep_no_instance_off() {
    for action in ["ec2:DescribeSnapshots", "ec2:DescribeImages", "ec2:DescribeInstances"] {
        let (stack, id) = of(Nature::default(), STOP);
        stack.world.change_settings(|pace| pace.snapshot_visible_seconds = 300);
        stack.run(31);
        assert_eq!(stack.backups(&source(&id))[0].power.state, Power::Stopped, "{action}");
        stack.world.deny(action, "*");
        stack.run(15);
        assert_eq!(state(&stack, &id), InstanceState::Running, "{action}");
        let off_seconds = seconds_between(first(&stack, "ec2:StopInstances"), first(&stack, "ec2:StartInstances"));
        assert!(off_seconds <= OFF_SECONDS_MAX + 180, "{action}: off for {off_seconds} s");
        assert_eq!(consistency(&stack, &id), Some(Consistency::CrashConsistent), "{action}");
        stack.world.allow(action);
        stack.run(40);
        assert_eq!(stack.backups(&source(&id))[0].state, State::Good, "{action}");
    }
}

#[test]
fn functions_that_come_hours_late_take_nothing_off() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.apply(&plan(&format!("instances: [{id}]"), STOP).replace("hourly", "'0 10 * * *'")).expect("applied");
    stack.world.advance(8 * 60 * 60);
    stack.run(30);
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.consistency), (State::Good, Some(Consistency::CrashConsistent)));
    assert!(!done(&stack).iter().any(|act| act.ends_with("StopInstances")), "{:?}", done(&stack));
    // What somebody asks for by hand is not late.
    stack.request(&source(&id));
    stack.run(5);
    assert!(done(&stack).iter().any(|act| act.ends_with("StopInstances")), "{:?}", done(&stack));
}

#[test]
fn what_is_not_wanted_off_any_more_stays_on() {
    let without_a_stop = plan("instances: [ID]", "");
    let without_it = "plans: [{name: db, select: {tags: {a: b}}, schedule: hourly}]\nremoved: {instance/ID: keep}";
    let changes = [
        (without_a_stop.as_str(), "its plan does not take it off any more"),
        (without_it, "it is in no plan any more"),
    ];
    for (change, why) in changes {
        let (stack, id) = of(Nature::default(), STOP);
        stack.world.advance(30 * 60 - 5);
        // It is being started when its time comes, and that is waited for.
        stack.world.stop(&id);
        stack.world.start(&id);
        stack.world.advance(5);
        stack.invoke(Invocation::Tick);
        assert_eq!(stack.backups(&source(&id))[0].state, State::Requested);
        stack.apply(&change.replace("ID", id.as_str())).expect("applied");
        stack.run(10);
        let backup = &stack.backups(&source(&id))[0];
        assert_eq!(backup.state, State::Failed);
        assert!(backup.reason.contains(why), "{}", backup.reason);
        assert!(done(&stack).is_empty(), "{:?}", done(&stack));
        assert_eq!(state(&stack, &id), InstanceState::Running);
    }
}

#[test]
fn whoever_stops_it_right_before_we_do_finds_it_off() {
    let tick = |stack: &Stack| stack.world.advance(30 * 60);
    let (stack, _) = of(Nature::default(), STOP);
    tick(&stack);
    let knife = Knife::new(None);
    stack.invoke_behind(&knife, Invocation::Tick).expect("it ends");
    let mut before = 0;
    for call in 0..knife.calls() {
        let (stack, id) = of(Nature::default(), STOP);
        tick(&stack);
        let is_first = AtomicBool::new(false);
        let gate = Meanwhile::new(|number| {
            if number == call && !stack.world.calls().contains_key("ec2:StopInstances") {
                stack.world.stop(&id);
                is_first.store(true, Ordering::Relaxed);
            }
        });
        stack.invoke_behind(&gate, Invocation::Tick).expect("it ends");
        let is_first = is_first.load(Ordering::Relaxed);
        before += usize::from(is_first);
        stack.run(45);
        let expected = if is_first { InstanceState::Stopped } else { InstanceState::Running };
        assert_eq!(state(&stack, &id), expected, "before call {call}");
        let backup = &stack.backups(&source(&id))[0];
        assert_eq!((backup.state, backup.power.consistency), (State::Good, Some(Consistency::Clean)), "call {call}");
    }
    assert!(before > 5, "{before}");
}

#[test]
fn one_that_its_operator_starts_while_it_is_to_shut_down_is_not_taken_off_again() {
    let (stack, id) = of(Nature { shutdown_seconds: Some(5), ..Nature::default() }, STOP);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(20);
    stack.world.start(&id);
    // The news of it are lost, and the poll comes late.
    stack.world.advance(120);
    stack.invoke(Invocation::Poll);
    stack.run(10);
    assert_eq!(state(&stack, &id), InstanceState::Running);
    let acts = done(&stack);
    assert!(!acts.iter().any(|act| act.ends_with("by force")), "{acts:?}");
    assert_eq!(acts.iter().filter(|act| act.ends_with("StopInstances")).count(), 1, "{acts:?}");
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!(backup.state, State::Failed);
    assert!(backup.reason.contains("somebody has started it"), "{}", backup.reason);
}

#[test]
fn one_that_was_off_and_is_started_before_its_copy_begins_is_not_called_clean() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.change_settings(|pace| pace.snapshot_visible_seconds = 300);
    stack.world.stop(&id);
    stack.run(31);
    assert_eq!(consistency(&stack, &id), Some(Consistency::Clean));
    stack.world.start(&id);
    stack.run(29);
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.consistency), (State::Good, Some(Consistency::CrashConsistent)));
}

#[test]
fn whoever_dies_between_any_two_calls_leaves_nothing_off() {
    for deaf in [false, true] {
        let nature = || Nature { ignores_shutdown: deaf, ..Nature::default() };
        // Each invocation of the first minutes is cut at each of its calls.
        for minute in 0..6 {
            let (stack, _) = of(nature(), STOP);
            stack.run(29 + minute);
            stack.world.advance(60);
            let knife = Knife::new(None);
            let invocation = || if minute == 0 { Invocation::Tick } else { Invocation::Poll };
            stack.invoke_behind(&knife, invocation()).expect("it ends");
            for call in 0..knife.calls() {
                for at in [At::Before(call), At::After(call)] {
                    let (stack, id) = of(nature(), STOP);
                    stack.run(29 + minute);
                    stack.world.advance(60);
                    assert!(stack.invoke_behind(&Knife::new(Some(at)), invocation()).is_none(), "{at:?}");
                    stack.run(25);
                    let backup = &stack.backups(&source(&id))[0];
                    assert_eq!(
                        state(&stack, &id),
                        InstanceState::Running,
                        "minute {minute}, {at:?}: {:?}",
                        backup.power
                    );
                    stack.run(25);
                    let backups = stack.backups(&source(&id));
                    let first = backups.last().expect("one");
                    assert_eq!(first.state, State::Good, "minute {minute}, killed at {at:?}: {}", first.reason);
                }
            }
        }
    }
}

#[test]
fn a_stop_that_is_heard_late_is_undone() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.lose_next("ec2:StopInstances", 1);
    stack.run(37);
    let backup = &stack.backups(&source(&id))[0];
    assert!(matches!(backup.power.state, Power::Watched(..)), "{:?}", backup.power);
    // The call of somebody who hung is heard only now.
    let before = stack.world.act_as(Some(1));
    stack.world.ec2().stop_instance(&id, false).expect("heard");
    stack.world.act_as(before);
    stack.run(5);
    assert_eq!(state(&stack, &id), InstanceState::Running);
    stack.run(25);
    assert_eq!(stack.backups(&source(&id))[0].power.state, Power::Running);
    // After that it is its operator's.
    stack.world.stop(&id);
    stack.run(15);
    assert_eq!(state(&stack, &id), InstanceState::Stopped);
}

#[test]
fn a_stop_that_is_heard_late_by_a_system_that_does_not_listen_is_forced_and_undone() {
    let (stack, id) = of(Nature { ignores_shutdown: true, ..Nature::default() }, STOP);
    stack.world.lose_next("ec2:StopInstances", 1);
    stack.run(40);
    let backup = &stack.backups(&source(&id))[0];
    assert!(matches!(backup.power.state, Power::Watched(..)), "{:?}", backup.power);
    let forced = |stack: &Stack| done(stack).iter().filter(|act| act.ends_with("by force")).count();
    let before = forced(&stack);
    // Off it does not go, and on it can't be as long as it is on its way off.
    let caller = stack.world.act_as(Some(1));
    stack.world.ec2().stop_instance(&id, false).expect("heard");
    stack.world.act_as(caller);
    stack.run(10);
    assert_eq!((state(&stack, &id), forced(&stack)), (InstanceState::Running, before + 1), "{:?}", done(&stack));
    stack.run(20);
    assert_eq!(stack.backups(&source(&id))[0].power.state, Power::Running);
    assert_eq!(forced(&stack), before + 1);
}

#[test]
fn one_that_is_to_be_started_goes_before_whatever_else_is_due() {
    const GROUPS: usize = 12;
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let id = world.instance(&base);
    let names: Vec<String> = (0..GROUPS).map(|number| format!("web-{number}")).collect();
    for name in &names {
        let template = world.template(name, &base);
        world.group(name, &by_number(&template, 1), 1);
    }
    let stack = Stack::new(world);
    let groups = format!("{{name: web, select: {{groups: [{}]}}, schedule: hourly}}", names.join(", "));
    let instance = format!("{{name: db, select: {{instances: [{id}]}}, schedule: hourly, {STOP}}}");
    stack.apply(&format!("plans: [{groups}, {instance}]")).expect("applied");
    stack.run(29);
    // Who asks for the images of the groups hears nothing; the instance has its image, and no room.
    stack.world.no_room(true);
    stack.world.lose_next("ec2:CreateImage", GROUPS);
    for invocation in [Invocation::Tick, Invocation::Poll, Invocation::Poll] {
        stack.world.advance(60);
        stack.invoke(invocation);
    }
    assert_eq!(state(&stack, &id), InstanceState::Stopped);
    // Nothing runs for a while: then all of it is due at once, and what the groups ask for has waited longer.
    stack.world.no_room(false);
    stack.world.advance(1200);
    let before = done(&stack).len();
    stack.invoke(Invocation::Poll);
    let acts = done(&stack).split_off(before);
    assert_eq!(acts[0], "10:22:00 StartInstances");
    assert_eq!(acts[1..], vec!["10:22:00 CreateImage"; GROUPS]);
    assert_eq!(state(&stack, &id), InstanceState::Pending);
}
