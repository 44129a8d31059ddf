//! Single instances: shut down, imaged, and on again, whatever happens in between.

use expect_test::expect;
use lastgood_core::backup::State;
use lastgood_core::backup::power::{Consistency, Power};
use lastgood_core::facts::Tags;
use lastgood_core::id::InstanceId;
use lastgood_engine::apply::ApplyError;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{AwsError, InstanceState, Launch, Nature, TRIAL, World, by_number};

use crate::transcript::{count, messages, told};

pub(crate) const STOP: &str = "capture: {reboot: stop}";

/// An hourly plan that keeps two.
pub(crate) fn plan(select: &str, more: &str) -> String {
    format!("plans: [{{name: db, select: {{{select}}}, schedule: hourly, retain: {{last: 2}}, {more}}}]")
}

/// A deployment over one instance that runs, under a plan that names it, at 09:30.
pub(crate) fn of(nature: Nature, more: &str) -> (Stack, InstanceId) {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let id = world.instance(&base);
    world.change_nature(&id, |it| *it = nature);
    // A copy takes a quarter of an hour.
    world.change_settings(|pace| pace.image_seconds = 900);
    let stack = Stack::new(world);
    stack.apply(&plan(&format!("instances: [{id}]"), more)).expect("applied");
    (stack, id)
}

pub(crate) fn source(id: &InstanceId) -> String {
    format!("instance/{id}")
}

pub(crate) fn state(stack: &Stack, id: &InstanceId) -> InstanceState {
    stack.world.machine(id).expect("it is there").state
}

/// What was done to the instance, in its order.
pub(crate) fn done(stack: &Stack) -> Vec<String> {
    let is_act = |action: &str| matches!(action, "ec2:StopInstances" | "ec2:StartInstances" | "ec2:CreateImage");
    let is_done = |call: &lastgood_world::Call| is_act(&call.action) && !call.about.ends_with(TRIAL);
    let acts = stack.world.log().into_iter().filter(is_done);
    let act = |call: lastgood_world::Call| {
        let forced = if call.about.ends_with("forced") { " by force" } else { "" };
        format!("{} {}{forced}", call.at.strftime("%H:%M:%S"), call.action.trim_start_matches("ec2:"))
    };
    acts.map(act).collect()
}

pub(crate) fn consistency(stack: &Stack, id: &InstanceId) -> Option<Consistency> {
    stack.backups(&source(id))[0].power.consistency
}

#[test]
fn an_instance_is_shut_down_imaged_and_on_again_before_its_image_is_complete() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.run(33);
    assert_eq!(state(&stack, &id), InstanceState::Running);
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.state), (State::Pending, Power::Running), "{}", backup.reason);
    assert_eq!(backup.copy.copies.iter().map(|copy| copy.gib).collect::<Vec<_>>(), [8, 20]);
    stack.run(20);
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.consistency), (State::Good, Some(Consistency::Clean)));
    expect![[r#"
        10:00:00 StopInstances
        10:01:00 CreateImage
        10:02:00 StartInstances"#]]
    .assert_eq(&done(&stack).join("\n"));
    assert!(stack.world.reboots().is_empty());
    assert_eq!(backup.power.downtime_seconds(), Some(180));
}

#[test]
fn a_system_that_ignores_its_shutdown_is_forced_after_its_window_and_one_of_59_seconds_is_not() {
    let slow = Nature { shutdown_seconds: Some(59), ..Nature::default() };
    let deaf = Nature { ignores_shutdown: true, ..Nature::default() };
    for (nature, more, forced, expected) in [
        (slow.clone(), STOP, false, Consistency::Clean),
        (
            Nature { shutdown_seconds: Some(170), ..slow },
            "capture: {reboot: stop, stop_within: 3m}",
            false,
            Consistency::Clean,
        ),
        (deaf, STOP, true, Consistency::Forced),
    ] {
        let (stack, id) = of(nature, more);
        stack.run(40);
        assert_eq!(done(&stack).iter().any(|act| act.ends_with("by force")), forced, "{:?}", done(&stack));
        assert_eq!((consistency(&stack, &id), state(&stack, &id)), (Some(expected), InstanceState::Running));
        assert_eq!(stack.backups(&source(&id))[0].state, State::Pending, "it runs before its image is complete");
        stack.run(20);
        assert_eq!(stack.backups(&source(&id))[0].state, State::Good);
    }
}

#[test]
fn one_that_was_off_stays_off_and_one_that_may_not_be_stopped_goes_on() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.stop(&id);
    stack.run(70);
    assert_eq!((state(&stack, &id), consistency(&stack, &id)), (InstanceState::Stopped, Some(Consistency::Clean)));
    assert_eq!(done(&stack).len(), 1, "only its image is made: {:?}", done(&stack));
    let (stack, id) = of(Nature::default(), "capture: {reboot: never}");
    stack.run(70);
    assert_eq!(consistency(&stack, &id), Some(Consistency::CrashConsistent));
    assert_eq!((state(&stack, &id), done(&stack).len()), (InstanceState::Running, 1));
}

#[test]
fn one_that_may_not_be_started_again_is_not_stopped() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.deny("ec2:StartInstances", "*");
    stack.run(60);
    assert_eq!(state(&stack, &id), InstanceState::Running);
    assert!(done(&stack).is_empty(), "{:?}", done(&stack));
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.state), (State::Failed, Power::Untouched));
    told(
        &stack,
        &expect![[r#"
        10:00 Backup Failed: instance/i-1: backup of 2026-01-15T10:00:00Z failed: i-1 is not stopped, for the function may not start it again: ec2:StartInstances is not permitted: UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/lastgood/world is not authorized to perform: ec2:StartInstances on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-1 because no identity-based policy allows the ec2:StartInstances action; give its role ec2:StartInstances for the instance and what belongs to it (a license configuration, a policy of the organization), or say 'reboot: never'
    "#]],
    );
    // Any other no proves nothing.
    let (stack, id) = of(Nature::default(), STOP);
    let not_so = AwsError::new("IncorrectInstanceState", "not in a state from which it can be started");
    stack.world.fail_next("ec2:StartInstances", 1, &not_so);
    stack.run(60);
    assert_eq!((consistency(&stack, &id), state(&stack, &id)), (Some(Consistency::Clean), InstanceState::Running));
    // What goes on running needs no such right.
    let (stack, id) = of(Nature::default(), "capture: {reboot: never}");
    stack.world.deny("ec2:StartInstances", "*");
    stack.run(60);
    assert_eq!(consistency(&stack, &id), Some(Consistency::CrashConsistent));
    assert_eq!(stack.world.calls().get("ec2:StartInstances"), None);
}

#[test]
fn where_there_is_no_room_it_is_tried_on_and_an_operator_is_called() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.no_room(true);
    stack.run(45);
    assert_eq!(state(&stack, &id), InstanceState::Stopped);
    stack.world.no_room(false);
    stack.run(3);
    assert_eq!(state(&stack, &id), InstanceState::Running);
    assert_eq!((count(&stack, "Instance Not Started"), count(&stack, "Instance Left Stopped")), (1, 1));
    stack.run(15);
    told(
        &stack,
        &expect![[r#"
        10:02 Instance Not Started: instance/i-1: i-1 is off for its backup and can't be started, which is tried on: ec2:StartInstances was asked to wait: InsufficientInstanceCapacity: We currently do not have sufficient capacity in the Availability Zone you requested
        10:07 Instance Left Stopped: instance/i-1: i-1 is still off, and was to be started at 2026-01-15T10:02:00Z; start it, or see to it that it can be: ec2:StartInstances was asked to wait: InsufficientInstanceCapacity: We currently do not have sufficient capacity in the Availability Zone you requested
        10:17 Backup Good: instance/i-1: backup of 2026-01-15T10:00:00Z is good (ami-2, 2 snapshots)
    "#]],
    );
}

#[test]
fn who_starts_it_half_way_has_a_copy_of_a_disk_in_use_and_who_terminates_it_none() {
    let (stack, id) = of(Nature::default(), STOP);
    // The snapshots are not told for a while.
    stack.world.change_settings(|pace| pace.snapshot_visible_seconds = 300);
    stack.run(32);
    assert_eq!(stack.backups(&source(&id))[0].power.state, Power::Stopped);
    stack.world.start(&id);
    stack.run(30);
    assert_eq!(
        (consistency(&stack, &id), state(&stack, &id)),
        (Some(Consistency::CrashConsistent), InstanceState::Running)
    );
    let starts = done(&stack).iter().filter(|act| act.ends_with("StartInstances")).count();
    assert_eq!(
        starts, 1,
        "for the case that what somebody began came to nothing: it changes nothing for one that runs"
    );

    let (stack, id) = of(Nature { shutdown_seconds: Some(50), ..Nature::default() }, STOP);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    assert_eq!(stack.backups(&source(&id))[0].state, State::Quiescing);
    stack.world.kill(&id);
    stack.run(60);
    let backup = &stack.backups(&source(&id))[0];
    assert_eq!((backup.state, backup.power.state), (State::Failed, Power::Gone), "{}", backup.reason);
    assert!(stack.our_images().is_empty());
}

#[test]
fn snapshots_that_never_begin_keep_nobody_off_for_ever() {
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.change_settings(|pace| pace.snapshot_visible_seconds = 24 * 3600);
    stack.run(45);
    assert_eq!(
        (state(&stack, &id), consistency(&stack, &id)),
        (InstanceState::Running, Some(Consistency::CrashConsistent))
    );
    let (stack, id) = of(Nature::default(), STOP);
    stack.world.deny("ec2:CreateImage", "*");
    stack.run(40);
    assert_eq!((state(&stack, &id), stack.backups(&source(&id))[0].state), (InstanceState::Running, State::Failed));
}

#[test]
fn what_forbids_a_stop_is_found_before_anything_is_stopped() {
    let why = |nature: Nature, type_name: Option<&str>| {
        let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
        let launch = Launch { instance_type: type_name.map(str::to_owned), ..Launch::of(&world.base_image()) };
        let id = world.ec2().run_instance(launch).expect("launched").id;
        world.advance(60);
        world.change_nature(&id, |it| *it = nature);
        let stack = Stack::new(world);
        let applied = stack.apply(&plan(&format!("instances: [{id}]"), STOP));
        let told = match applied {
            Err(ApplyError::Mistakes(mistakes)) => mistakes[0].what.clone(),
            Err(other) => panic!("{other:?}"),
            Ok(()) => {
                stack.run(40);
                messages(&stack, "Backup Failed").join("; ")
            }
        };
        assert!(done(&stack).is_empty(), "{:?}", done(&stack));
        assert_eq!(state(&stack, &id), InstanceState::Running);
        told.replace(id.as_str(), "ID")
    };
    let plain = Nature::default();
    let passing = Some(("203.0.113.7".to_owned(), false));
    expect![[r#"
        instance/ID: backup of 2026-01-15T10:00:00Z failed: ID has stop protection on: turn that off, or say 'reboot: never'
        instance/ID: backup of 2026-01-15T10:00:00Z failed: ID is of a Spot request for one time, which AWS does not stop: say 'reboot: never'
        instance/ID: backup of 2026-01-15T10:00:00Z failed: ID has volumes of instance store, whose data a stop erases: say 'reboot: never'
        instance/ID may hibernate, and AWS supports no images of such instances; turn that off, or leave it out
        instance/ID has its root volume in instance store: AWS makes no image of it; leave it out
        instance/ID has the public address 203.0.113.7, and gets another one after a stop; give it an Elastic IP address, or say 'allow_address_change: true' under 'capture'"#]].assert_eq(
        &[
            why(Nature { stop_protected: true, ..plain.clone() }, None),
            why(Nature { spot: Some(true), ..plain.clone() }, None),
            why(plain.clone(), Some("m5d.large")),
            why(Nature { hibernates: true, ..plain.clone() }, None),
            why(Nature { root_in_store: true, ..plain.clone() }, None),
            why(Nature { address: passing, ..plain }, None),
        ]
        .join("\n"),
    );
    for nature in [
        Nature { spot: Some(false), ..Nature::default() },
        Nature { address: Some(("203.0.113.7".to_owned(), true)), ..Nature::default() },
    ] {
        let (stack, id) = of(nature, STOP);
        stack.run(40);
        assert_eq!((consistency(&stack, &id), state(&stack, &id)), (Some(Consistency::Clean), InstanceState::Running));
    }
}

/// Says that an instance may be stopped though its tags alone select it.
fn consents(world: &World, id: &InstanceId, value: &str) {
    let tags = Tags::from([("lastgood:may-stop".to_owned(), value.to_owned())]);
    world.ec2().create_tags(&[id.to_string()], &tags).expect("tagged");
}

#[test]
fn who_may_tag_an_instance_does_not_have_it_shut_down_by_that() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let (named, tagged) = (world.instance(&world.base_image()), world.instance(&world.base_image()));
    let stack = Stack::new(world);
    let both = plan(&format!("instances: [{named}], tags: {{lastgood: db}}"), STOP);
    stack.apply(&both).expect("applied");
    let select = Tags::from([("lastgood".to_owned(), "db".to_owned())]);
    stack.world.ec2().create_tags(&[named.to_string(), tagged.to_string()], &select).expect("tagged");
    stack.run(33);
    let found = messages(&stack, "Source Found").pop().expect("it is told");
    assert!(found.contains("is selected by its tags alone, and 'reboot: stop' shuts it down"), "{found}");
    assert!(found.contains("give it the tag 'lastgood:may-stop' with the value 'true'"), "{found}");
    assert_eq!((state(&stack, &tagged), state(&stack, &named)), (InstanceState::Running, InstanceState::Running));
    stack.run(30);
    assert_eq!(consistency(&stack, &named), Some(Consistency::Clean), "the plan names it");
    assert_eq!(consistency(&stack, &tagged), Some(Consistency::CrashConsistent), "it is backed up as it runs");
    let asks = done(&stack);
    assert_eq!(asks.iter().filter(|act| act.contains("StopInstances")).count(), 1, "{asks:?}");
    // A plan that is applied says so at once.
    let mistakes = match stack.apply(&both.replace("hourly", "daily")) {
        Err(ApplyError::Mistakes(mistakes)) => mistakes,
        other => panic!("{other:?}"),
    };
    assert!(mistakes[0].what.contains("name it under 'instances'"), "{mistakes:?}");
    // Another value is no consent, and taken away it counts no more.
    for (value, expected) in
        [("yes", Consistency::CrashConsistent), ("true", Consistency::Clean), ("false", Consistency::CrashConsistent)]
    {
        consents(&stack.world, &tagged, value);
        stack.run(60);
        assert_eq!(consistency(&stack, &tagged), Some(expected), "{value}");
    }
}

#[test]
fn members_of_a_group_are_backed_up_with_their_group() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let template = world.template("web", &base);
    world.group("web", &by_number(&template, 1), 1);
    let member = world.instances().remove(0).id;
    let alone = world.instance(&base);
    let tag = |id: &InstanceId| {
        let tags = Tags::from([("lastgood".to_owned(), "db".to_owned())]);
        world.ec2().create_tags(&[id.to_string()], &tags).expect("tagged");
    };
    tag(&member);
    tag(&alone);
    consents(&world, &alone, "true");
    let stack = Stack::new(world);
    let mistakes = match stack.apply(&plan(&format!("instances: [{member}]"), STOP)) {
        Err(ApplyError::Mistakes(mistakes)) => mistakes[0].what.replace(member.as_str(), "ID"),
        other => panic!("{other:?}"),
    };
    assert!(mistakes.starts_with("instance/ID is a member of the Auto Scaling group web: back that up"), "{mistakes}");
    stack.apply(&plan("tags: {lastgood: db}", STOP)).expect("applied");
    stack.run(60);
    assert!(stack.backups(&source(&member)).is_empty(), "it has its tags from its group, perhaps");
    assert_eq!(consistency(&stack, &alone), Some(Consistency::Clean));
}

#[test]
fn the_newest_clean_one_stays_as_long_as_its_plan_says() {
    let (stack, id) = of(Nature::default(), "capture: {reboot: stop}");
    stack
        .apply(&plan(&format!("instances: [{id}]"), STOP).replace("last: 2", "last: 1, consistent: 1"))
        .expect("applied");
    stack.run(60);
    let clean = stack.backups(&source(&id))[0].id.clone();
    stack.world.change_nature(&id, |nature| nature.ignores_shutdown = true);
    stack.run(4 * 60);
    let good: Vec<_> = stack.backups(&source(&id)).into_iter().filter(|backup| backup.state == State::Good).collect();
    let kept: Vec<_> = good.iter().map(|backup| backup.power.consistency).collect();
    assert_eq!(kept, [Some(Consistency::Forced), Some(Consistency::Clean)]);
    assert_eq!(good[1].id, clean);
}
