//! Our share of the account's API calls: never more, and nearly all of it when there is work.

use crate::transcript::count;
use lastgood_core::backup::{Publication, State};
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::rollout;
use lastgood_core::seconds_between;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{Call, Override, Sickness, TemplateData, World};

#[test]
fn five_hundred_groups_due_at_once_are_backed_up_without_one_throttled_call() {
    let stack = Stack::of_groups(500);
    stack.world.advance(20 * 60);
    stack.world.enforce_throttling();
    stack.world.advance(10 * 60);
    let begun = stack.world.time();
    stack.invoke(Invocation::Tick);
    let took = seconds_between(begun, stack.world.time());
    // Half of AWS's bucket for CreateImage: 25 at once, then 2.5 each second.
    let least = (500 - 25) * 10 / 25;
    assert!(took >= least, "{took} s for what may take {least} s at the fastest");
    assert!(took * 95 <= least * 100, "{took} s: at least 95 % of the share is used when there is work ({least} s)");
    assert_eq!(stack.world.calls()["ec2:CreateImage"], 500);
    stack.run(20);
    assert!((0..500).all(|number| stack.backups(&format!("group/g{number:03}"))[0].state == State::Good));
    stack.run(60);
    assert_eq!(stack.world.throttled(), 0);
}

#[test]
fn what_others_use_up_is_met_with_longer_and_longer_pauses() {
    let stack = Stack::of_groups(1);
    stack.world.advance(30 * 60);
    stack.world.throttle_next("ec2:CreateImage", 4);
    let mut looks = Vec::new();
    for _ in 0..20 {
        stack.minute();
        let backup = stack.backups("group/g000").remove(0);
        if looks.last() != Some(&backup.look_at) {
            looks.push(backup.look_at);
        }
        stack.world.advance(60);
    }
    let pauses: Vec<i64> = looks.windows(2).map(|pair| seconds_between(pair[0], pair[1])).collect();
    assert!(pauses[0] >= 60 && pauses[1] > pauses[0] && pauses[2] > pauses[1], "{pauses:?}");
    stack.run(10);
    assert_eq!(stack.backups("group/g000")[0].state, State::Good);
}

#[test]
fn a_source_with_much_to_delete_leaves_room_for_the_others() {
    let stack = Stack::of_groups(3);
    let keep = |last: u32| {
        let plan = "plans: [{name: all, select: {groups: [g000, g001, g002]}, schedule: hourly, retain: {last: LAST}}]";
        stack.apply(&plan.replace("LAST", &last.to_string())).expect("applied");
    };
    keep(20);
    for _ in 0..9 {
        stack.run(10);
        stack.request("group/g000");
    }
    stack.run(40);
    // One source has many to let go now, the others one or two each.
    keep(1);
    let begun = stack.world.log().len();
    stack.invoke(Invocation::Cleanup);
    let log = stack.world.log();
    let calls = log[begun..].iter().filter(|call| call.action == "ec2:DeregisterImage");
    let tag = |image: &str| stack.world.image(&image.into()).map(|image| image.tags["lastgood:source"].clone());
    let sources: Vec<_> = calls.filter_map(|call| tag(call.about.split(' ').next().unwrap_or_default())).collect();
    assert_eq!(sources[..3], ["group/g000", "group/g001", "group/g002"], "one of each in turn");
    let of_first = sources.iter().filter(|source| *source == "group/g000").count();
    assert!(of_first >= 8 && sources.len() >= of_first + 2, "{sources:?}");
}

#[test]
fn throttling_delays_and_loses_nothing() {
    let stack = Stack::of_groups(1);
    stack.world.throttle_next("ec2:CreateImage", 3);
    stack.world.throttle_next("autoscaling:DescribeAutoScalingGroups", 2);
    stack.world.throttle_next("ec2:DescribeImages", 2);
    stack.run(55);
    assert_eq!(stack.backups("group/g000")[0].state, State::Good);
}

#[test]
fn hundreds_of_images_that_may_go_at_once_go_at_the_pace_that_is_ours() {
    let stack = Stack::of_groups(100);
    // Nobody cleans up for hours.
    for _ in 0..4 {
        stack.world.advance(60 * 60);
        stack.back_up_only(5);
    }
    let before = stack.our_images().len();
    assert!(before >= 400, "{before} images");
    stack.world.enforce_throttling();
    // As long as the deployed function may run (infra/template.yaml).
    let report = stack.invoke_within(288, Invocation::Cleanup);
    assert_eq!(report.throttled, 0);
    assert_eq!(stack.our_images().len(), 100, "one each is kept, all others went in one run");
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn a_function_whose_time_is_up_begins_nothing_and_says_so_and_the_next_one_goes_on() {
    let stack = Stack::of_groups(2);
    stack.run(45);
    stack.world.advance(60 * 60);
    let calls = |stack: &Stack| stack.world.log().len();
    let before = calls(&stack);
    let tick = stack.invoke_within(0, Invocation::Tick);
    assert!(tick.out_of_time, "{tick:?}");
    assert_eq!(calls(&stack), before, "claimed and not begun; nothing surveyed");
    stack.invoke(Invocation::Tick);
    stack.world.advance(5 * 60);
    let before = calls(&stack);
    let poll = stack.invoke_within(0, Invocation::Poll);
    assert!(poll.out_of_time, "{poll:?}");
    assert_eq!(calls(&stack), before, "no image is looked at");
    stack.back_up_only(5);
    let before = calls(&stack);
    let cleanup = stack.invoke_within(0, Invocation::Cleanup);
    assert!(cleanup.out_of_time, "{cleanup:?}");
    assert_eq!(calls(&stack), before, "nothing is judged, deleted or swept");
    assert_eq!(stack.our_images().len(), 4);
    stack.invoke(Invocation::Cleanup);
    assert_eq!(stack.our_images().len(), 2, "one is kept of each");
}

#[test]
fn a_poll_whose_time_is_up_leaves_what_is_overdue_to_the_next() {
    let stack = Stack::of_groups(3);
    // No tick ever runs.
    stack.world.advance(4 * 60 * 60);
    let poll = stack.invoke_within(0, Invocation::Poll);
    assert!(poll.out_of_time, "{poll:?}");
    assert_eq!(stack.bus.sent().len(), 0);
    stack.invoke(Invocation::Poll);
    assert_eq!(count(&stack, "Backup Overdue"), 3);
}

#[test]
fn what_waited_long_for_its_call_is_looked_at_again_before_it_is_deleted() {
    for action in ["ec2:DeregisterImage", "ec2:DeleteLaunchTemplateVersions"] {
        let stack = Stack::of_groups(1);
        for _ in 0..2 {
            stack.world.advance(60 * 60);
            stack.back_up_only(5);
        }
        // Others have drained our share, and what was seen before a deletion holds for half a minute.
        stack.drain(action, 60);
        let begun = stack.world.time();
        stack.invoke(Invocation::Cleanup);
        assert!(seconds_between(begun, stack.world.time()) > 30, "it had to wait");
        assert_eq!(stack.our_images().len(), 1);
        let log = stack.world.log();
        let last = |log: &[Call], action: &str| log.iter().rposition(|call| call.action == action).expect("made");
        let deleted = last(&log, action);
        let looked = last(&log[..deleted], "ec2:DescribeImageReferences");
        assert_eq!(stack.world.calls()["ec2:DescribeImageReferences"], 2, "before the wait and after it");
        assert_eq!(log[looked].at, log[deleted].at, "{action}");
    }
}

#[test]
fn what_gets_no_call_before_the_time_is_up_is_not_deleted() {
    let stack = Stack::of_groups(1);
    for _ in 0..2 {
        stack.world.advance(60 * 60);
        stack.back_up_only(5);
    }
    stack.drain("ec2:DeregisterImage", 4 * 60);
    let report = stack.invoke_within(60, Invocation::Cleanup);
    assert_eq!(stack.world.calls().get("ec2:DeregisterImage"), None);
    assert!(
        report.troubles.iter().any(|trouble| trouble.what.contains("our share of its calls is used up")),
        "{report:?}"
    );
    stack.world.advance(60 * 60);
    stack.invoke(Invocation::Cleanup);
    assert_eq!(stack.our_images().len(), 1);
}

/// Eighty groups that are published to in one run, of which `group` makes the one with this name and its images `named`
/// by the second; each object that is changed was looked at in the same second.
#[track_caller]
fn published_to_at_once(plan: &str, group: impl Fn(&World, &str), look: &str, change: &str, named: fn(&str) -> &str) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let names: Vec<String> = eighty().collect();
    for name in &names {
        group(&world, name);
    }
    let stack = Stack::new(world);
    stack.apply(plan).expect("applied");
    stack.world.advance(20 * 60);
    stack.world.enforce_throttling();
    stack.run(40);
    for name in &names {
        let backup = stack.backups(&format!("group/{name}")).remove(0);
        assert!(matches!(backup.publication, Publication::Published { .. }), "{:?}", backup.publication);
    }
    assert_eq!(looked_at_in_their_second(&stack.world.log(), look, change, named), 80);
}

/// How often `change` was called; each object that it changed, `named` by what the call was about, was looked at in the same
/// second, though they had to wait for each other.
#[track_caller]
fn looked_at_in_their_second(log: &[Call], look: &str, change: &str, named: fn(&str) -> &str) -> usize {
    let changes = || log.iter().enumerate().filter(|(_, call)| call.action == change && call.outcome == "ok");
    let begun = changes().map(|(_, call)| call.at).min().expect("a change");
    let ended = changes().map(|(_, call)| call.at).max().expect("a change");
    assert!(seconds_between(begun, ended) > 10, "{change}: they had to wait for each other: from {begun} to {ended}");
    for (index, changed) in changes() {
        let it = named(&changed.about);
        let looked = log[..index].iter().rev().find(|call| call.action == look && call.about.contains(it));
        let looked = looked.unwrap_or_else(|| panic!("nobody looked at {it}"));
        assert_eq!(looked.at, changed.at, "{it}: {looked:?}, then {changed:?}");
    }
    changes().count()
}

/// Eighty groups that are rolled out to in one run, and taken back: each was looked at in the second in which its refresh
/// was begun, and taken back by this `change`.
#[track_caller]
fn rolled_back_at_once(named: VersionRef, followed: &str, change: &str) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    for name in eighty() {
        let template = world.template(&name, &world.base_image());
        world.group(&name, &TemplateRef { template, version: named }, 2);
    }
    let stack = Stack::new(world);
    let names: Vec<String> = eighty().collect();
    stack.apply(&format!(
        "plans: [{{name: all, select: {{groups: [{}]}}, schedule: daily, rollout: {{checkpoints: [50, 100], min_healthy: 50, \
         warmup: 60s, followed: {followed}}}}}]",
        names.join(", ")
    ))
    .expect("applied");
    for name in &names {
        stack.request(&format!("group/{name}"));
    }
    for image in stack.our_images() {
        stack.world.make_sick(&image.id, Sickness::Impaired);
    }
    stack.world.enforce_throttling();
    stack.run(60);
    assert!(stack.rollouts().iter().all(|rollout| rollout.state == rollout::State::RolledBack));
    assert_eq!(stack.rollouts().len(), 80);
    let log = stack.world.log();
    let (start, group) = ("autoscaling:StartInstanceRefresh", "autoscaling:DescribeAutoScalingGroups");
    assert!(looked_at_in_their_second(&log, group, start, first) >= 80);
    assert_eq!(looked_at_in_their_second(&log, "autoscaling:DescribeInstanceRefreshes", change, first), 80);
}

#[test]
fn a_refresh_is_looked_at_and_taken_back_in_one_second() {
    rolled_back_at_once(VersionRef::Number(1), "pin", "autoscaling:RollbackInstanceRefresh");
    rolled_back_at_once(VersionRef::Default, "second-refresh", "autoscaling:CancelInstanceRefresh");
}

fn eighty() -> impl Iterator<Item = String> {
    (0..80).map(|number| format!("g{number:03}"))
}

fn plan_of_all() -> String {
    let names: Vec<String> = eighty().collect();
    format!("plans: [{{name: all, select: {{groups: [{}]}}, schedule: hourly}}]", names.join(", "))
}

/// The first word.
fn first(about: &str) -> &str {
    about.split(' ').next().unwrap_or_default()
}

#[test]
fn a_group_is_looked_at_and_changed_in_one_second_however_many_are_published_to() {
    let (look, change) = ("autoscaling:DescribeAutoScalingGroups", "autoscaling:UpdateAutoScalingGroup");
    let pinned = |world: &World, name: &str| {
        let template = world.template(name, &world.base_image());
        world.group(name, &TemplateRef { template, version: VersionRef::Number(1) }, 1);
    };
    published_to_at_once(&plan_of_all(), pinned, look, change, first);
    let mixed = |world: &World, name: &str| {
        let template = world.template(name, &world.base_image());
        let version = VersionRef::Number(1);
        world.mixed_group(name, &TemplateRef { template, version }, vec![Override::of_type("m5.large")], 1);
    };
    published_to_at_once(&plan_of_all(), mixed, look, change, first);
}

#[test]
fn a_template_s_default_is_looked_at_and_changed_in_one_second() {
    let default = |world: &World, name: &str| {
        let template = world.template(name, &world.base_image());
        world.group(name, &TemplateRef { template, version: VersionRef::Default }, 1);
    };
    let (look, change) = ("ec2:DescribeLaunchTemplateVersions", "ec2:ModifyLaunchTemplate");
    published_to_at_once(&plan_of_all(), default, look, change, first);
}

#[test]
fn a_parameter_is_looked_at_and_changed_in_one_second() {
    let each = |name: String| {
        format!("{{name: {name}, select: {{groups: [{name}]}}, schedule: hourly, publish: {{ssm: /images/{name}}}}}")
    };
    let plans: Vec<String> = eighty().map(each).collect();
    let plan = format!("plans: [{}]", plans.join(", "));
    let by_parameter = |world: &World, name: &str| {
        let base = world.base_image();
        world.put_parameter(&format!("/images/{name}"), base.as_str(), "aws:ec2:image");
        let image = Some(format!("resolve:ssm:/images/{name}"));
        let template = world.template_with(name, &TemplateData { image, ..world.launched_from(&base) });
        world.group(name, &TemplateRef { template, version: VersionRef::Number(1) }, 1);
    };
    published_to_at_once(&plan, by_parameter, "ssm:GetParameter", "ssm:PutParameter", first);
}
