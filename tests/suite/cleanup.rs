//! What the cleanup leaves alone: the last one that is there, what is published, and what no plan has any more.

use lastgood_core::backup::{Publication, State};
use lastgood_tests::cut::Meanwhile;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::AwsError;

use crate::transcript::{DAILY, HOURLY, count, is_there, messages, web};

/// So many backups, an hour apart, and no cleanup.
fn hourly(stack: &Stack, backups: usize) {
    for _ in 0..backups {
        stack.world.advance(3600);
        stack.back_up_only(5);
    }
}

#[test]
fn the_last_one_stays_that_is_there_when_the_newer_goes_while_it_is_looked_at() {
    let (stack, _) = web(DAILY);
    stack.world.advance(30 * 60);
    stack.back_up_only(6);
    stack.world.advance(24 * 3600);
    stack.back_up_only(6);
    let [newer, older] = stack.backups("group/web").try_into().expect("two backups");
    let newer = newer.image().cloned().expect("good");
    let asked = || stack.world.calls().get("ec2:DescribeImages").copied().unwrap_or_default();
    // Once retention has looked whether what stays is there, somebody deregisters it.
    let before = asked();
    let gate = Meanwhile::new(|_| {
        if asked() == before + 1 && is_there(&stack, &newer) {
            let caller = stack.world.act_as(None);
            stack.world.broken_by_hand(&newer);
            stack.world.ec2().deregister_image(newer.as_str()).expect("it is there");
            stack.world.act_as(caller);
        }
    });
    stack.invoke_behind(&gate, Invocation::Cleanup).expect("it ends");
    assert!(!is_there(&stack, &newer) && is_there(&stack, &older.image().cloned().expect("good")));
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused[0].contains("no newer good backup of it is there"), "{refused:?}");
}

#[test]
fn what_leaves_its_plan_or_is_deleted_keeps_all_that_its_plan_would_let_go() {
    for leaves in [true, false] {
        let (stack, _) = web(HOURLY);
        hourly(&stack, 5);
        if leaves {
            let nobody = "plans: [{name: web, select: {tags: {lastgood: nobody}}, schedule: hourly}]";
            stack.apply(&format!("{nobody}\nremoved: {{group/web: keep}}")).expect("applied");
        } else {
            stack.world.delete_group("web");
            for _ in 0..4 {
                stack.world.advance(240);
                stack.invoke(Invocation::Tick);
            }
        }
        let source = stack.source("group/web");
        assert_eq!((source.plan.is_none(), source.lost.is_some()), (leaves, !leaves));
        for _ in 0..30 {
            stack.world.advance(3600);
            stack.invoke(Invocation::Cleanup);
        }
        assert_eq!(stack.our_images().len(), 5, "leaves: {leaves}");
    }
}

#[test]
fn what_is_published_is_not_let_go_though_nothing_is_published_any_more() {
    let (stack, _) = web("plans: [{name: web, select: {groups: [web]}, schedule: hourly, retain: {last: 1}}]");
    hourly(&stack, 1);
    let published = stack.backups("group/web").remove(0);
    assert!(matches!(published.publication, Publication::Published(_)), "{:?}", published.publication);
    let silent = "plans: [{name: web, select: {groups: [web]}, schedule: hourly, retain: {last: 1}, publish: none}]";
    stack.apply(silent).expect("applied");
    hourly(&stack, 3);
    for _ in 0..3 {
        stack.world.advance(600);
        stack.invoke(Invocation::Cleanup);
    }
    let states: Vec<_> = stack.backups("group/web").into_iter().map(|backup| (backup.id, backup.state)).collect();
    assert_eq!(states.last(), Some(&(published.id, State::Good)), "the group launches from it");
    assert_eq!(count(&stack, "Deletion Refused"), 0, "nobody had to refuse it");
    assert_eq!(stack.our_images().len(), 2, "{states:?}");
}

#[test]
fn an_image_that_lost_our_tag_is_not_taken_for_lost() {
    let (stack, _) = web(HOURLY);
    stack.run(2 * 60);
    let [newer, older] = stack.backups("group/web").try_into().expect("two backups");
    let untagged = older.image().cloned().expect("good");
    stack.world.untag_image(&untagged, "lastgood:managed-by");
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: weekly}]").expect("applied");
    stack.run(14 * 60);
    let sweeps = stack.world.log().into_iter().filter(|call| call.about.contains("tag:lastgood:managed-by"));
    assert!(sweeps.filter(|call| call.action == "ec2:DescribeImages").count() >= 2);
    assert_eq!(count(&stack, "Backup Lost"), 0, "the sweeps have found it");
    assert!(is_there(&stack, &untagged) && is_there(&stack, &newer.image().cloned().expect("good")));
}

/// A day after whose end the versions of the older backup can't be deleted for this reason; whether its image is there, and
/// how many versions have an image of ours.
fn refusing_versions(code: &str) -> (Stack, bool, impl Fn(&Stack) -> usize) {
    let (stack, template) = web(DAILY);
    stack.run(45);
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    let error = AwsError::new(code, "not now");
    stack.world.fail_next("ec2:DeleteLaunchTemplateVersions", 1, &error);
    stack.run(24 * 60);
    let there = is_there(&stack, &image);
    (stack, there, move |stack| stack.world.template_versions(&template).len() - 1)
}

#[test]
fn versions_that_can_not_be_deleted_now_are_waited_for_and_others_are_left_and_told() {
    let (stack, there, versions) = refusing_versions("SnapshotCreationPerVolumeRateExceeded");
    assert!(there, "what passes is waited for");
    stack.run(60);
    assert_eq!((stack.our_images().len(), versions(&stack)), (1, 1));
    assert_eq!(count(&stack, "Deletion Refused"), 0, "and is no news");
    let (stack, _, versions) = refusing_versions("UnauthorizedOperation");
    let told = messages(&stack, "Deletion Refused");
    assert!(told[0].contains("version 2 (") && told[0].contains("ec2:DeleteLaunchTemplateVersions"), "{told:?}");
    stack.run(60);
    assert_eq!((stack.our_images().len(), versions(&stack)), (1, 2), "the image goes without it");
}
