//! Whole lives, told as transcripts. Each test is named for what a user fears or hopes.

use expect_test::expect;
use lastgood_core::backup::{Origin, Publication, PublishedTo, State};
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::TemplateId;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{LaunchFromText, TemplateName, UpdateGroup, World, by_number};

use crate::transcript::told;

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";

/// A group `web` of three that names its template by number, under an hourly plan, at 10:30.
fn web() -> (Stack, TemplateId) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let template = world.template("web", &base);
    world.group("web", &by_number(&template, 1), 3);
    let stack = Stack::new(world);
    stack.apply(PLAN).expect("applied");
    (stack, template)
}

fn states(stack: &Stack) -> Vec<(String, State)> {
    stack
        .backups("group/web")
        .into_iter()
        .map(|backup| (backup.id.slot.strftime("%H:%M").to_string(), backup.state))
        .collect()
}

/// An operator gives the group another version.
fn set_by_hand(stack: &Stack, template: &TemplateId, version: u64) {
    let from = LaunchFromText::Template(TemplateName::Id(template.to_string()), Some(version.to_string()));
    let update = UpdateGroup { name: "web".into(), from: Some(from), min: None, max: None, desired: None };
    stack.world.autoscaling().update_group(&update).expect("the version is there");
}

#[test]
fn five_hours_leave_three_images_and_a_group_on_the_newest() {
    let (stack, template) = web();
    let before: Vec<_> = stack.world.images();
    stack.run(5 * 60);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        13:02 Backup Good: group/web: backup of 2026-01-15T13:00:00Z is good (ami-4, 2 snapshots)
        13:02 Image Published: group/web: launches from ami-4 now (version 4 of lt-2)
        14:02 Backup Good: group/web: backup of 2026-01-15T14:00:00Z is good (ami-5, 2 snapshots)
        14:02 Image Published: group/web: launches from ami-5 now (version 5 of lt-2)
        14:02 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 3 good ones
        15:02 Backup Good: group/web: backup of 2026-01-15T15:00:00Z is good (ami-6, 2 snapshots)
        15:02 Image Published: group/web: launches from ami-6 now (version 6 of lt-2)
        15:02 Backups Deleted: group/web: deleted backup of 2026-01-15T12:00:00Z (ami-3, 2 snapshots): older than the last 3 good ones
    "#]],
    );
    assert_eq!(stack.our_images().len(), 3);
    assert_eq!(stack.our_snapshots().len(), 6, "two volumes an instance");
    let newest = stack.source("group/web").last_good.expect("good").image().cloned().expect("an image");
    assert_eq!(stack.world.group_image("web"), Some(newest));
    // What we did not make is as it was: the image, its snapshots, the first version.
    let base = stack.world.image(&before[0].id).expect("there");
    assert_eq!(base, before[0]);
    let versions: Vec<_> = stack.world.template_versions(&template).iter().map(|version| version.number).collect();
    assert_eq!(versions, [1, 4, 5, 6], "versions of ours go with their images");
    assert!(stack.world.reboots().is_empty(), "no instance is ever rebooted");
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn a_group_on_default_and_one_on_latest_are_published_to_as_they_name_it() {
    for version in [VersionRef::Default, VersionRef::Latest] {
        let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
        let template = world.template("web", &world.base_image());
        world.group("web", &TemplateRef { template: template.clone(), version }, 2);
        let stack = Stack::new(world);
        stack.apply(PLAN).expect("applied");
        stack.run(3 * 60);
        let newest = stack.source("group/web").last_good.expect("good").image().cloned().expect("an image");
        assert_eq!(stack.world.group_image("web"), Some(newest), "{version:?}");
        let calls = stack.world.calls();
        assert_eq!(calls.get("autoscaling:UpdateAutoScalingGroup"), None, "the group itself is not touched");
        let modified = calls.get("ec2:ModifyLaunchTemplate").copied().unwrap_or_default();
        assert_eq!(modified, if version == VersionRef::Default { 3 } else { 0 });
    }
}

#[test]
fn an_image_whose_snapshots_are_not_complete_is_not_published() {
    let (stack, _) = web();
    // Snapshots may complete long after their image is available.
    stack.world.change_settings(|pace| pace.snapshot_lag_seconds = 50 * 60);
    let before = stack.world.group_image("web");
    stack.run(30 + 20);
    assert_eq!(states(&stack), [("11:00".to_owned(), State::Pending)]);
    assert_eq!(stack.world.group_image("web"), before);
    assert!(stack.told().is_empty());
    stack.run(35);
    assert_eq!(states(&stack)[0].1, State::Good);
    assert_ne!(stack.world.group_image("web"), before);
}

#[test]
fn an_image_that_fails_is_told_and_cleaned_and_the_next_slot_tries_again() {
    let (stack, _) = web();
    stack.world.fail_next_image("Server.InternalError: the disk was busy");
    stack.run(3 * 60);
    told(
        &stack,
        &expect![[r#"
            11:02 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: AWS could not make the image: Server.InternalError: Server.InternalError: the disk was busy
            12:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): it failed: AWS could not make the image: Server.InternalError: Server.InternalError: the disk was busy
            12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-2, 2 snapshots)
            12:02 Image Published: group/web: launches from ami-2 now (version 2 of lt-3)
            13:02 Backup Good: group/web: backup of 2026-01-15T13:00:00Z is good (ami-4, 2 snapshots)
            13:02 Image Published: group/web: launches from ami-4 now (version 3 of lt-3)
        "#]],
    );
    assert_eq!(stack.our_images().len(), 2);
    assert_eq!(stack.our_snapshots().len(), 4);
}

#[test]
fn an_instance_that_dies_under_its_image_leaves_nothing_behind() {
    let (stack, _) = web();
    stack.world.advance(30 * 60);
    stack.minute();
    let instance = stack.backups("group/web")[0].instance.clone().expect("chosen");
    stack.world.kill(&instance);
    stack.run(40);
    // Another member was tried, once, and that backup is good.
    let [second, failed] = &stack.backups("group/web")[..] else { panic!("two backups") };
    assert_eq!(failed.state, State::Failed);
    assert!(failed.reason.contains("Client.InstanceTerminated"), "{}", failed.reason);
    assert!(failed.reason.ends_with("another member is tried"), "{}", failed.reason);
    assert_eq!(
        (second.state, second.origin.clone()),
        (State::Good, Origin::Retry { of: failed.id.slot, lost: instance.clone() })
    );
    assert_ne!(second.instance.as_ref(), Some(&instance));
    // The image failed, but its snapshots completed: they bear our tag, and go.
    stack.run(60);
    let tagged = failed.id.to_string();
    assert!(stack.our_images().iter().all(|image| image.tags["lastgood:backup"] != tagged));
    assert!(stack.our_snapshots().iter().all(|snapshot| snapshot.tags["lastgood:backup"] != tagged));
    told(
        &stack,
        &expect![[r#"
        11:01 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: the instance went away while its image was made: Client.InstanceTerminated: The instance was terminated or rebooted during AMI creation; another member is tried
        11:03 Backup Good: group/web: backup of 2026-01-15T11:01:00Z is good (ami-1, 2 snapshots)
        11:03 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-3, 2 snapshots): it failed: the instance went away while its image was made: Client.InstanceTerminated: The instance was terminated or rebooted during AMI creation; another member is tried
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-4, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-4 now (version 3 of lt-2)
    "#]],
    );
}

#[test]
fn what_an_operator_changed_by_hand_is_held_and_told() {
    let (stack, template) = web();
    stack.run(60);
    let operators = stack.world.base_image();
    let version = stack.world.version_by_hand(&template, 1, &operators);
    set_by_hand(&stack, &template, version);
    stack.run(60);
    assert_eq!(stack.world.group_image("web"), Some(operators.clone()));
    let hold = stack.source("group/web").held.expect("held");
    assert!(hold.contains(operators.as_str()), "{hold}");
    told(
        &stack,
        &expect![[r#"
            11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
            11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
            12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
            12:02 Publication Held: group/web: ami-3 is good but not published: the group launches from ami-4, not ami-1 that was published last: somebody changed it; give it back ami-1, or let this one replace it: lastgood release group/web
        "#]],
    );
    // Overwriting is for those who ask for it.
    stack
        .apply(
            "plans: [{name: web, select: {groups: [web]}, schedule: hourly, publish: {on_manual_change: overwrite}}]",
        )
        .expect("applied");
    stack.run(60);
    assert_eq!(stack.source("group/web").held, None);
    assert_eq!(
        stack.world.group_image("web"),
        stack.source("group/web").last_good.and_then(|good| good.image().cloned())
    );
}

#[test]
fn a_group_locked_by_a_refresh_is_published_to_when_it_is_free() {
    let (stack, _) = web();
    stack.run(31);
    stack.world.lock_group("web");
    stack.run(20);
    assert_eq!(stack.backups("group/web")[0].publication, Publication::Due);
    stack.world.unlock_group("web");
    stack.run(10);
    assert!(matches!(stack.backups("group/web")[0].publication, Publication::Published { .. }));
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:26 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
}

#[test]
fn an_image_that_the_group_was_set_back_to_is_not_deleted() {
    let (stack, template) = web();
    stack.run(3 * 60);
    let oldest = stack.backups("group/web").last().expect("three").clone();
    let Publication::Published(PublishedTo::Version { version, .. }) = oldest.publication else { panic!("published") };
    set_by_hand(&stack, &template, version);
    stack.run(60);
    let kept = stack.backups("group/web").last().expect("four").clone();
    assert_eq!((kept.id.clone(), kept.state), (oldest.id, State::Good));
    assert!(stack.our_images().iter().any(|image| Some(&image.id) == kept.image()));
    let refusals: Vec<_> =
        stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Deletion Refused").collect();
    assert_eq!(refusals.len(), 1, "told once");
    assert!(refusals[0].message.contains("is needed by group/web (version 2"), "{}", refusals[0].message);
    stack.run(3 * 60);
    assert!(stack.our_images().iter().any(|image| Some(&image.id) == kept.image()));
}

#[test]
fn a_snapshot_that_a_strangers_image_shares_stays() {
    let (stack, _) = web();
    stack.run(40);
    let ours = stack.backups("group/web")[0].clone();
    let shared = ours.snapshots[0].clone();
    let strangers = stack.world.image_sharing(ours.image().expect("good"), "a colleague's copy");
    stack.run(4 * 60);
    assert_eq!(stack.backups("group/web").last().expect("five").state, State::Deleted);
    assert!(stack.world.snapshots().iter().any(|snapshot| snapshot.id == shared));
    assert!(stack.world.image(&strangers).is_some());
}

#[test]
fn a_lost_answer_to_create_image_makes_one_image() {
    let (stack, _) = web();
    stack.world.lose_next("ec2:CreateImage", 1);
    stack.run(45);
    assert_eq!(stack.our_images().len(), 1);
    assert_eq!(states(&stack), [("11:00".to_owned(), State::Good)]);
    assert_eq!(stack.world.calls()["ec2:CreateImage"], 2);
    told(
        &stack,
        &expect![[r#"
        11:03 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:03 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
}

#[test]
fn an_image_of_the_same_name_that_is_not_ours_is_left_alone() {
    let (stack, _) = web();
    let strangers = stack.world.image_sharing(&stack.world.base_image(), "lastgood-web-20260115T110000Z");
    stack.run(45);
    let failed = &stack.backups("group/web")[0];
    assert_eq!(failed.state, State::Failed);
    assert!(failed.reason.contains(strangers.as_str()), "{}", failed.reason);
    stack.run(60);
    assert!(stack.world.image(&strangers).is_some());
}

#[test]
fn a_missing_permission_fails_one_source_with_its_words_and_the_other_goes_on() {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let web = world.group("web", &by_number(&world.template("web", &base), 1), 1);
    world.group("api", &by_number(&world.template("api", &base), 1), 1);
    world.deny("ec2:CreateImage", web.members[0].instance.as_str());
    let stack = Stack::new(world);
    stack.apply("plans: [{name: all, select: {groups: [web, api]}, schedule: hourly}]").expect("applied");
    stack.run(45);
    let failed = &stack.backups("group/web")[0];
    assert_eq!(failed.state, State::Failed);
    assert!(failed.reason.starts_with("ec2:CreateImage is not permitted: "), "{}", failed.reason);
    assert!(failed.reason.contains(web.members[0].instance.as_str()), "{}", failed.reason);
    assert_eq!(stack.backups("group/api")[0].state, State::Good);
}

#[test]
fn a_group_without_a_healthy_member_fails_with_that_reason() {
    let (stack, _) = web();
    for member in stack.world.group_view("web").expect("there").members {
        stack.world.autoscaling().set_unhealthy(&member.instance).expect("there");
    }
    stack.world.advance(30 * 60);
    let instances = stack.world.group_view("web").expect("there").members;
    for member in instances {
        stack.world.autoscaling().set_unhealthy(&member.instance).expect("there");
    }
    stack.minute();
    assert_eq!(
        stack.backups("group/web")[0].reason,
        "none of the 3 members of web can be imaged: 3 unhealthy, so about to be replaced"
    );
}

#[test]
fn a_bus_that_refuses_and_forgets_still_hears_every_notice() {
    let (stack, _) = web();
    stack.bus.refuse_next(1);
    stack.bus.fail_next(2);
    stack.bus.lose_next(1);
    stack.run(60);
    let mut kinds: Vec<_> = stack.told().iter().map(|notice| notice.news.detail_type()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Backup Good", "Image Published"]);
}

#[test]
fn a_source_that_is_asked_for_twice_in_one_second_is_backed_up_once() {
    let (stack, _) = web();
    stack.request("group/web");
    stack.request("group/web");
    assert_eq!(stack.our_images().len(), 1);
    assert_eq!(stack.world.calls()["ec2:CreateImage"], 1);
}

#[test]
fn a_group_that_does_not_exist_is_refused_and_nothing_is_written() {
    let (stack, _) = web();
    let before = stack.store.dump();
    let error = stack
        .apply("plans:\n  - name: two\n    select: {groups: [web, wbe]}\n    schedule: daily\n")
        .expect_err("refused");
    let lastgood_engine::apply::ApplyError::Mistakes(mistakes) = error else { panic!("{error}") };
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    expect![[r#"
        plans.yaml:3:23: group/web is in plan 'web' already, which this file does not name; leave it in one, or apply with --prune
        plans.yaml:3:28: there is no Auto Scaling group 'wbe' in this account and region; write the name of one that is there"#]].assert_eq(&lines.join("\n"));
    assert_eq!(stack.store.dump(), before);
}

#[test]
fn a_group_taken_out_of_its_plan_keeps_its_backups() {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    world.group("web", &by_number(&world.template("web", &base), 1), 1);
    world.group("api", &by_number(&world.template("api", &base), 1), 1);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: all, select: {groups: [web, api]}, schedule: hourly}]").expect("applied");
    stack.run(5 * 60);
    stack.apply("plans: [{name: all, select: {groups: [api]}, schedule: hourly}]").expect("applied");
    stack.run(5 * 60);
    let web = stack.backups("group/web");
    assert_eq!(web.iter().filter(|backup| backup.state == State::Good).count(), 3);
    assert_eq!(web.len(), 5);
    assert_eq!(stack.source("group/web").plan, None);
    assert_eq!(stack.backups("group/api").len(), 10);
}

#[test]
fn the_newest_healthy_instance_is_imaged_without_a_reboot_and_with_tags() {
    let (stack, _) = web();
    stack.world.autoscaling().set_desired_capacity("web", 4).expect("room");
    stack.run(31);
    let newest = stack.world.instances().into_iter().max_by_key(|instance| instance.launched_at).expect("four");
    let backup = &stack.backups("group/web")[0];
    assert_eq!(backup.instance.as_ref(), Some(&newest.id));
    let image = &stack.our_images()[0];
    assert_eq!(image.name, "lastgood-web-20260115T110000Z");
    let tags = ["managed-by", "source", "backup", "plan"].map(|key| image.tags[&format!("lastgood:{key}")].clone());
    assert_eq!(tags, ["lastgood-test", "group/web", "group/web@20260115T110000Z", "web"]);
    assert!(stack.our_snapshots().iter().all(|snapshot| snapshot.tags == image.tags));
    assert!(stack.world.reboots().is_empty());
}

#[test]
fn retention_cleanup_asks_nothing_of_aws_while_there_is_nothing_to_let_go() {
    let (stack, _) = web();
    stack.run(2 * 60);
    let before = stack.world.calls();
    stack.invoke(Invocation::Cleanup);
    assert_eq!(stack.world.calls(), before);
}
