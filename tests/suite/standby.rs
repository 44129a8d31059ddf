//! Members of groups that are backed up by themselves: in standby while they are off, and serving again afterwards.

use lastgood_core::backup::State;
use lastgood_core::backup::power::{Consistency, Power};
use lastgood_core::backup::standby::Standby;
use lastgood_core::id::InstanceId;
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{InstanceState, Lifecycle, UpdateGroup, World, by_number};

use crate::transcript::{count, messages};

/// A deployment over one member of a group of two, of which it wants one at the least, at 09:30.
fn of(min: usize) -> (Stack, InstanceId) {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let template = world.template("web", &base);
    world.group("web", &by_number(&template, 1), 2);
    let update = UpdateGroup { name: "web".into(), min: Some(min), max: Some(2), ..UpdateGroup::default() };
    world.autoscaling().update_group(&update).expect("updated");
    let id = world.instances().remove(0).id;
    world.change_settings(|pace| pace.image_seconds = 900);
    let stack = Stack::new(world);
    let plan = format!(
        "plans: [{{name: db, select: {{instances: [{id}]}}, schedule: hourly, retain: {{last: 2}}, capture: {{reboot: stop, standby: true}}}}]"
    );
    stack.apply(&plan).expect("applied");
    (stack, id)
}

fn lifecycles(stack: &Stack) -> Vec<Lifecycle> {
    let group = stack.world.group_view("web").expect("it is there");
    group.members.iter().map(|member| member.lifecycle).collect()
}

fn done(stack: &Stack) -> Vec<String> {
    let acts = ["EnterStandby", "ExitStandby", "StopInstances", "StartInstances", "CreateImage"];
    let name = |call: lastgood_world::Call| call.action.split(':').nth(1).unwrap_or_default().to_owned();
    stack.world.log().into_iter().map(name).filter(|name| acts.contains(&name.as_str())).collect()
}

#[test]
fn a_member_is_in_standby_while_it_is_off_and_its_group_replaces_nobody() {
    let (stack, id) = of(1);
    stack.run(50);
    let backup = &stack.backups(&format!("instance/{id}"))[0];
    assert_eq!(done(&stack), ["EnterStandby", "StopInstances", "CreateImage", "StartInstances", "ExitStandby"]);
    assert_eq!((backup.state, backup.power.consistency), (State::Good, Some(Consistency::Clean)));
    assert_eq!((backup.power.state, backup.standby.state), (Power::Running, Standby::Left));
    assert_eq!(lifecycles(&stack), [Lifecycle::InService; 2]);
    assert_eq!(stack.world.instances().len(), 2, "nobody was launched in its place");
}

#[test]
fn where_the_group_has_no_room_nothing_is_touched() {
    let (stack, id) = of(2);
    stack.run(50);
    assert!(done(&stack).is_empty(), "{:?}", done(&stack));
    let failed = messages(&stack, "Backup Failed");
    assert!(failed[0].contains("web wants 2 members and has a minimum of 2: there is no room"), "{failed:?}");
    assert_eq!(stack.backups(&format!("instance/{id}"))[0].state, State::Failed);
}

#[test]
fn one_that_its_group_can_not_take_back_is_told_and_tried_on() {
    let (stack, id) = of(1);
    stack.run(32);
    assert_eq!(stack.backups(&format!("instance/{id}"))[0].standby.state, Standby::In);
    let one = UpdateGroup { name: "web".into(), max: Some(1), ..UpdateGroup::default() };
    stack.world.autoscaling().update_group(&one).expect("updated");
    stack.run(10);
    assert_eq!(count(&stack, "Standby Left"), 1);
    assert_eq!(stack.world.machine(&id).map(|it| it.state), Some(InstanceState::Running), "it is on all the same");
    let two = UpdateGroup { name: "web".into(), max: Some(2), ..UpdateGroup::default() };
    stack.world.autoscaling().update_group(&two).expect("updated");
    stack.run(10);
    assert_eq!(lifecycles(&stack), [Lifecycle::InService; 2]);
}

#[test]
fn one_that_no_call_takes_out_of_standby_is_told_though_nobody_answers() {
    let (stack, id) = of(1);
    stack.run(32);
    assert_eq!(stack.backups(&format!("instance/{id}"))[0].standby.state, Standby::In);
    for action in ["autoscaling:ExitStandby", "autoscaling:DescribeAutoScalingGroups"] {
        stack.world.deny(action, "*");
    }
    stack.run(4);
    assert_eq!(count(&stack, "Standby Left"), 0, "it may come yet");
    stack.run(20);
    assert_eq!(count(&stack, "Standby Left"), 1);
    for action in ["autoscaling:ExitStandby", "autoscaling:DescribeAutoScalingGroups"] {
        stack.world.allow(action);
    }
    stack.run(20);
    assert_eq!(lifecycles(&stack), [Lifecycle::InService; 2]);
}

#[test]
fn whoever_dies_between_any_two_calls_leaves_nobody_in_standby() {
    for minute in 0..7 {
        let (stack, _) = of(1);
        let invocation = || if minute == 0 { Invocation::Tick } else { Invocation::Poll };
        stack.run(29 + minute);
        stack.world.advance(60);
        let knife = Knife::new(None);
        stack.invoke_behind(&knife, invocation()).expect("it ends");
        for call in 0..knife.calls() {
            for at in [At::Before(call), At::After(call)] {
                let (stack, id) = of(1);
                stack.run(29 + minute);
                stack.world.advance(60);
                assert!(stack.invoke_behind(&Knife::new(Some(at)), invocation()).is_none(), "{at:?}");
                stack.run(55);
                let backups = stack.backups(&format!("instance/{id}"));
                let first = backups.last().expect("one");
                assert_eq!(first.state, State::Good, "minute {minute}, killed at {at:?}: {}", first.reason);
                let settled = (first.power.state, first.standby.state);
                assert_eq!(settled, (Power::Running, Standby::Left), "minute {minute}, killed at {at:?}");
                assert_eq!(stack.world.instances().len(), 2, "minute {minute}, killed at {at:?}: nobody was replaced");
            }
        }
    }
}
