//! What must not be deleted, and what must not be published over: found by those who tried to break it.

use lastgood_core::backup::{Publication, PublishedTo, State};
use lastgood_core::facts::{Tags, TemplateRef, VersionRef};
use lastgood_core::id::TemplateId;
use lastgood_core::incoming::{AboutBackup, AboutSource, Request};
use lastgood_core::later;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{LaunchFrom, LaunchFromText, Override, RefreshStatus, StartRefresh, World, by_number};

use crate::transcript::{give, messages};

const BY_TAG: &str =
    "plans: [{name: web, select: {tags: {lastgood: web}}, schedule: hourly, on_source_deleted: delete}]";
const BY_NAME: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

fn follows(template: &TemplateId, version: VersionRef) -> TemplateRef {
    TemplateRef { template: template.clone(), version }
}

/// A group `web` of two that names its template as `version`, with the tag of the plan.
fn web(version: VersionRef, plan: &str) -> (Stack, TemplateId) {
    let world = world();
    let template = world.template("web", &world.base_image());
    world.group("web", &follows(&template, version), 2);
    world.tag_group("web", "lastgood", "web");
    let stack = Stack::new(world);
    stack.apply(plan).expect("applied");
    (stack, template)
}

fn by_hand(stack: &Stack, template: &TemplateId) -> u64 {
    let theirs = stack.world.base_image();
    stack.world.version_by_hand(template, 1, theirs)
}

fn version_of(stack: &Stack, index: usize) -> u64 {
    match stack.backups("group/web")[index].publication {
        Publication::Published(PublishedTo::Version { version, .. }) => version,
        _ => panic!("published"),
    }
}

fn about() -> AboutSource {
    AboutSource { source: "group/web".parse().expect("a source"), by: "alice".parse().expect("a name"), reason: None }
}

#[test]
fn blue_is_deleted_and_green_launches_from_its_image() {
    let (stack, template) = web(VersionRef::Default, BY_TAG);
    stack.run(45);
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    // The group's successor shares the template, and nobody plans it.
    stack.world.group("green", &follows(&template, VersionRef::Default), 2);
    stack.world.delete_group("web");
    stack.run(2 * 24 * 60);
    assert!(stack.our_images().iter().any(|other| other.id == image), "green launches from it");
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused[0].contains("group/green (version 2"), "{refused:?}");
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn another_group_that_was_put_on_our_version_keeps_its_image() {
    let (stack, template) = web(VersionRef::Number(1), BY_NAME);
    stack.run(45);
    let (image, version) = (stack.backups("group/web")[0].image().cloned(), version_of(&stack, 0));
    stack.world.group("copy", &by_number(&template, version), 1);
    stack.run(5 * 60);
    assert!(stack.our_images().iter().any(|other| Some(&other.id) == image.as_ref()));
    assert!(messages(&stack, "Deletion Refused")[0].contains("group/copy (version 2"));
}

#[test]
fn a_group_that_is_not_told_once_keeps_the_image_that_it_launches_from() {
    let (stack, template) = web(VersionRef::Number(1), BY_NAME);
    stack.run(3 * 60);
    let oldest = stack.backups("group/web")[2].clone();
    give(&stack, "web", &template, version_of(&stack, 2));
    stack.run(60);
    // The group vanishes, and nobody has looked twice yet.
    stack.world.delete_group("web");
    stack.invoke(Invocation::Cleanup);
    assert!(stack.our_images().iter().any(|other| Some(&other.id) == oldest.image()));
}

#[test]
fn what_an_instance_refresh_goes_to_is_not_deleted() {
    let (stack, template) =
        web(VersionRef::Number(1), &BY_NAME.replace("hourly}", "hourly, capture: {during_refresh: true}}"));
    stack.run(3 * 60 + 5);
    // Somebody rolls the group back to the oldest of three, and pauses half way.
    let oldest = stack.backups("group/web")[2].image().cloned().expect("good");
    let desired = Some(LaunchFromText::from(&by_number(&template, version_of(&stack, 2))));
    let pauses = [("CheckpointPercentages.member.1", "50"), ("CheckpointPercentages.member.2", "100")];
    let pauses = pauses.into_iter().chain([("CheckpointDelay", "172800")]);
    let preferences = pauses.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let refresh = StartRefresh { group: "web".into(), desired, preferences };
    let refresh = stack.world.autoscaling().start_refresh(&refresh).expect("begun");
    let saved = stack.world.group_view("web").expect("there").from;
    stack.run(5 * 60);
    let left: Vec<_> = stack.our_images().into_iter().map(|image| image.id).collect();
    assert!(left.contains(&oldest), "the refresh goes to it");
    let LaunchFrom::Template(saved) = saved else { panic!("a template") };
    let VersionRef::Number(saved) = saved.version else { panic!("a number") };
    let versions = stack.world.template_versions(&template);
    let saved = versions.into_iter().find(|version| version.number == saved).and_then(|version| version.data.image);
    assert!(left.iter().any(|image| Some(image.to_string()) == saved), "it can be rolled back to what the group says");
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused[0].contains(&format!("instance refresh {refresh} of group/web, which goes to it")), "{refused:?}");
    stack.world.set_refresh("web", RefreshStatus::Successful);
    stack.run(2 * 60);
    assert_eq!(stack.world.group_image("web"), Some(oldest), "the operator wins");
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn a_template_that_can_not_be_read_is_told_as_that_and_keeps_the_image() {
    let world = world();
    // Of its own group no template is read: it has none.
    let from = world.launch_configuration("old", &world.base_image());
    world.group_from("web", from, 1, Tags::new());
    let stack = Stack::new(world);
    stack.apply(&BY_NAME.replace("hourly}", "hourly, publish: none}")).expect("applied");
    stack.run(45);
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    stack.world.template("somebody's", &image);
    stack.world.deny("ec2:DescribeLaunchTemplateVersions", "*");
    stack.run(5 * 60);
    assert!(stack.our_images().iter().any(|there| there.id == image));
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused[0].contains("ec2:DescribeLaunchTemplateVersions is not permitted"), "{refused:?}");
}

#[test]
fn a_parameter_of_the_plan_of_now_keeps_a_backup_of_the_plan_of_before() {
    let (stack, _) = web(VersionRef::Number(1), &BY_NAME.replace("hourly}", "hourly, publish: none}"));
    stack.run(45);
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    stack.apply(&BY_NAME.replace("hourly}", "hourly, publish: {ssm: /images/web}}")).expect("applied");
    // An operator goes back to a backup of before: what follows is held.
    stack.world.put_parameter("/images/web", image.as_str(), "aws:ec2:image");
    stack.run(5 * 60);
    assert!(stack.our_images().iter().any(|there| there.id == image), "the parameter names it");
}

#[test]
fn a_request_that_comes_twice_undoes_nothing_that_was_asked_later() {
    let (stack, template) = web(VersionRef::Number(1), BY_NAME);
    stack.run(45);
    let backup = stack.backups("group/web")[0].id.clone();
    let asked = |seconds: i64| later(stack.world.time(), seconds);
    let pin = || AboutBackup { backup: backup.clone(), by: "alice".parse().expect("a name"), reason: None };
    let (first, second, third) = (asked(0), asked(10), asked(20));
    stack.world.advance(60);
    stack.invoke(Invocation::Asked(first, Request::Pin(pin())));
    stack.invoke(Invocation::Asked(second, Request::Unpin(pin())));
    stack.invoke(Invocation::Asked(third, Request::Pin(pin())));
    stack.invoke(Invocation::Asked(second, Request::Unpin(pin())));
    assert!(stack.backups("group/web")[0].pinned.is_some(), "the unpin was asked before the pin");

    let theirs = by_hand(&stack, &template);
    give(&stack, "web", &template, theirs);
    stack.run(60);
    let released = stack.world.time();
    stack.invoke(Invocation::Asked(released, Request::Release(about())));
    stack.run(5);
    let again = by_hand(&stack, &template);
    give(&stack, "web", &template, again);
    let image = stack.world.group_image("web");
    stack.run(60);
    stack.invoke(Invocation::Asked(released, Request::Release(about())));
    stack.run(5);
    assert_eq!(stack.world.group_image("web"), image, "the release was asked before the second change");
}

#[test]
fn a_release_of_nothing_opens_no_door_for_later() {
    let (stack, template) = web(VersionRef::Number(1), BY_NAME);
    stack.run(45);
    stack.ask(Request::Hold(about()));
    stack.run(2);
    stack.ask(Request::Release(about()));
    stack.run(2);
    stack.ask(Request::Release(about()));
    let theirs = by_hand(&stack, &template);
    give(&stack, "web", &template, theirs);
    let image = stack.world.group_image("web");
    stack.run(60);
    assert_eq!(stack.world.group_image("web"), image);
    assert_eq!(messages(&stack, "Publication Held").len(), 1);
}

#[test]
fn a_hold_that_stands_is_told_once() {
    let (stack, template) = web(VersionRef::Number(1), BY_NAME);
    stack.run(45);
    let theirs = by_hand(&stack, &template);
    give(&stack, "web", &template, theirs);
    stack.run(5 * 60);
    assert_eq!(messages(&stack, "Publication Held").len(), 1, "five backups, one reason");
}

#[test]
fn to_keep_is_heard_though_the_group_is_gone_already() {
    let (stack, _) = web(VersionRef::Number(1), BY_TAG);
    stack.run(45);
    stack.world.delete_group("web");
    stack.run(20);
    assert!(stack.source("group/web").retire_at.is_some());
    stack.apply(&BY_TAG.replace("delete}", "keep}")).expect("applied");
    assert_eq!(stack.source("group/web").retire_at, None);
    stack.apply(BY_TAG).expect("applied");
    assert!(stack.source("group/web").retire_at.is_some());
    stack.apply(&format!("{BY_TAG}\nremoved: {{group/web: keep}}\n")).expect("applied");
    stack.run(2 * 24 * 60);
    assert_eq!(stack.our_images().len(), 1);
}

#[test]
fn an_override_that_follows_the_template_of_the_base_is_refused() {
    let world = world();
    let template = world.template("web", &world.base_image());
    let own = Override::of_type("c5.large").with_template(&follows(&template, VersionRef::Latest));
    world.mixed_group("web", &by_number(&template, 1), vec![own], 2);
    let refused = format!("{:?}", Stack::new(world).apply(BY_NAME).expect_err("refused"));
    assert!(refused.contains("an override of web follows the newest version"), "{refused}");
}

#[test]
fn a_member_of_an_override_with_its_own_version_is_not_imaged_for_the_base() {
    let world = world();
    let (base, other) = (world.base_image(), world.base_image());
    let template = world.template("web", &base);
    let made = world.version_by_hand(&template, 1, other);
    let own = Override::of_type("c5.large").with_template(&by_number(&template, made));
    world.mixed_group("web", &by_number(&template, 1), vec![Override::of_type("m5.large"), own], 4);
    let stack = Stack::new(world);
    stack.apply(BY_NAME).expect("applied");
    stack.run(45);
    assert_eq!(stack.backups("group/web")[0].base, Some(base));
}

#[test]
fn two_groups_that_the_survey_finds_on_one_followed_template_are_held() {
    let (stack, template) = web(VersionRef::Default, BY_TAG);
    stack.run(45);
    stack.world.group("api", &follows(&template, VersionRef::Default), 1);
    stack.world.tag_group("api", "lastgood", "web");
    let before = stack.world.group_image("api");
    stack.run(60);
    assert_eq!(stack.world.group_image("api"), before);
    assert!(messages(&stack, "Publication Held").iter().all(|held| held.contains("each would get the other's image")));
}

#[test]
fn a_parameter_is_not_given_an_image_that_is_gone() {
    let (stack, _) = web(VersionRef::Number(1), &BY_NAME.replace("hourly}", "hourly, publish: {ssm: /images/web}}"));
    stack.ask(Request::Hold(about()));
    stack.run(45);
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    stack.world.ec2().deregister_image(image.as_str()).expect("by hand");
    stack.ask(Request::Release(about()));
    stack.run(10);
    assert_eq!(stack.world.parameter("/images/web"), None);
}

#[test]
fn a_plan_that_was_changed_while_its_group_was_away_counts_when_it_is_back() {
    let (stack, _) = web(VersionRef::Number(1), BY_TAG);
    stack.run(5);
    stack.world.untag_group("web", "lastgood");
    stack.world.tag_group("web", "lastgood", "web");
    stack.apply(&BY_TAG.replace("hourly", "daily")).expect("applied");
    stack.run(10);
    assert_eq!(stack.source("group/web").policy.schedule.to_string(), "daily");
}

#[test]
fn a_change_of_the_plan_does_not_drop_a_slot_that_waits_for_its_spread() {
    let plan = "plans: [{name: web, select: {groups: [web]}, schedule: '0 11 * * *', spread: 30m}]";
    let (stack, _) = web(VersionRef::Number(1), plan);
    stack.run(30);
    assert!(stack.source("group/web").spread() > 60, "it waits");
    stack.apply(&plan.replace("30m", "20m")).expect("applied");
    stack.apply(&plan.replace("30m", "30m, on_overdue: 3h")).expect("applied");
    stack.run(45);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
}

#[test]
fn what_can_not_be_read_counts_as_needed() {
    let ssm = "hourly, keep_in_use: true, retain: {last: 1}, publish: {ssm: /images/web}}";
    for (action, plan) in [
        ("autoscaling:DescribeAutoScalingGroups", "hourly, retain: {last: 1}}"),
        ("autoscaling:DescribeInstanceRefreshes", "hourly, retain: {last: 1}}"),
        ("autoscaling:DescribeLaunchConfigurations", "hourly, retain: {last: 1}}"),
        ("ec2:DescribeImageReferences", "hourly, retain: {last: 1}}"),
        ("ec2:DescribeLaunchTemplateVersions", "hourly, retain: {last: 1}}"),
        ("ec2:DescribeInstances", ssm),
        ("ssm:GetParameter", ssm),
    ] {
        let (stack, _) = web(VersionRef::Number(1), &BY_NAME.replace("hourly}", plan));
        stack.run(60);
        // The second is good, and nobody has cleaned up.
        stack.world.advance(31 * 60);
        stack.back_up_only(4);
        let images = stack.our_images().len();
        assert_eq!(images, 2, "{action}: {:?}", stack.told());
        for instance in stack.world.instances() {
            stack.world.kill(&instance.id);
        }
        stack.world.advance(10 * 60);
        stack.world.deny(action, "*");
        stack.invoke(Invocation::Cleanup);
        assert_eq!(stack.our_images().len(), 2, "{action} is denied");
        let refused = messages(&stack, "Deletion Refused");
        assert!(refused.len() == 1 && refused[0].contains(action), "{action}: {refused:?}");
        stack.world.allow(action);
        stack.invoke(Invocation::Cleanup);
        assert_eq!(stack.our_images().len(), 1, "{action} is allowed again");
    }
}

#[test]
fn failed_backups_do_not_count_for_what_is_kept() {
    let (stack, _) = web(VersionRef::Number(1), &BY_NAME.replace("hourly}", "hourly, retain: {last: 2}}"));
    stack.run(2 * 60 + 20);
    let image = |index: usize| stack.backups("group/web")[index].image().cloned().expect("good");
    let (second, first) = (image(0), image(1));
    // Its image is available; only one of its snapshots never is.
    stack.world.fail_next_snapshot("the volume could not be read");
    stack.run(30);
    assert_eq!(stack.backups("group/web")[0].state, State::Failed);
    stack.request("group/web");
    stack.run(15);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
    let newest = stack.source("group/web").last_good.expect("good").image().cloned().expect("an image");
    let good: Vec<_> = stack.our_images().into_iter().map(|image| image.id).collect();
    assert!(good.contains(&newest) && good.contains(&second), "the newest two good ones stay: {good:?}");
    assert!(!good.contains(&first), "and the third goes");
}
