//! Deletions: what goes and what stays when backups are let go, whoever else has a hand in it.

use expect_test::expect;
use lastgood_core::backup::{Publication, State};
use lastgood_core::facts::Tags;
use lastgood_core::id::SnapshotId;
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{InstanceState, Launch, Protection, TemplateName};

use crate::transcript::{DAILY, count, held, is_there, lose_members, members, newest, states, told, web};

const DAY: i64 = 24 * 60;

fn are_there(stack: &Stack, ids: &[SnapshotId]) -> bool {
    let all = stack.world.snapshots();
    ids.iter().all(|id| all.iter().any(|snapshot| snapshot.id == *id))
}

#[test]
fn instances_run_on_though_their_image_and_its_snapshots_are_deleted() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let first = stack.backups("group/web").remove(0);
    let image = first.image().cloned().expect("good");
    lose_members(&stack);
    stack.run(DAY);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 16 11:02 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 1 good ones
    "#]],
    );
    assert!(!is_there(&stack, &image));
    assert_eq!(held(&stack), (1, 2));
    let members_of_it = members(&stack);
    assert_eq!(members_of_it.len(), 3);
    for member in members_of_it {
        assert_eq!(member.image, image);
        let mut instances = stack.world.instances().into_iter();
        let instance = instances.find(|instance| instance.id == member.instance).expect("it is there");
        assert_eq!(instance.state, InstanceState::Running);
        let from: Vec<_> = instance.volumes.into_iter().filter_map(|volume| volume.from_snapshot).collect();
        assert_eq!(from, first.snapshots, "its volumes began with what is gone now");
    }
    // Whoever comes after them is launched from the newest.
    stack.world.kill(&members(&stack)[0].instance);
    stack.run(5);
    assert_eq!(members(&stack).iter().filter(|member| member.image == newest(&stack)).count(), 1);
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn an_image_stays_as_long_as_instances_of_it_run_where_the_plan_says_so() {
    let (stack, _) = web(&DAILY.replace("retain: {last: 1}", "retain: {last: 1}, keep_in_use: true"));
    stack.run(45);
    let first = newest(&stack);
    lose_members(&stack);
    stack.run(DAY + 60);
    assert!(members(&stack).iter().all(|member| member.image == first));
    assert_eq!(held(&stack), (2, 4), "the newest, and the one that is in use");
    lose_members(&stack);
    stack.run(60);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 16 11:02 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 is needed by i-4, for its plan keeps what instances use, i-5, for its plan keeps what instances use, i-6, for its plan keeps what instances use
        Jan 16 13:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 1 good ones
    "#]],
    );
    assert_eq!(count(&stack, "Deletion Refused"), 1);
    assert!(!is_there(&stack, &first));
    assert_eq!(states(&stack), [State::Good, State::Deleted]);
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn the_snapshots_stay_under_a_colleagues_second_image() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let ours = stack.backups("group/web").remove(0);
    let theirs = stack.world.image_sharing(ours.image().expect("good"), "a-colleagues-copy");
    stack.run(DAY);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 16 11:02 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 0 snapshots; snap-4, snap-5 stay, for another image is over them): older than the last 1 good ones
    "#]],
    );
    let deleted = stack.backups("group/web").remove(1);
    assert_eq!(
        (deleted.state, deleted.snapshots, deleted.shared),
        (State::Deleted, Vec::new(), ours.snapshots.clone())
    );
    assert!(!is_there(&stack, ours.image().expect("good")));
    assert!(are_there(&stack, &ours.snapshots));
    stack.world.ec2().run_instance(Launch::of(&theirs)).expect("their image can be launched");
    // They are the colleague's from now on, whatever becomes of the second image.
    stack.world.ec2().deregister_image(theirs.as_str()).expect("it is theirs");
    stack.run(12 * 60);
    assert!(are_there(&stack, &ours.snapshots));
    assert_eq!(count(&stack, "Artifact Unknown"), 0, "they were told of already");
}

#[test]
fn a_colleague_took_over_the_snapshots_of_an_image_that_is_gone() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let ours = stack.backups("group/web").remove(0);
    let image = ours.image().expect("good");
    let theirs = stack.world.image_sharing(image, "a-colleagues-copy");
    stack.world.ec2().deregister_image(image.as_str()).expect("by hand");
    stack.run(DAY);
    told(
        &stack,
        &expect![[r#"
            Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
            Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
            Jan 15 18:00 Backup Lost: group/web: the backup of 2026-01-15T11:00:00Z can't be restored any more: somebody deregistered ami-1
            Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
            Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
            Jan 16 11:02 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 0 snapshots; snap-4, snap-5 stay, for another image is over them): older than the last 1 good ones
        "#]],
    );
    let deleted = stack.backups("group/web").remove(1);
    assert_eq!(
        (deleted.state, deleted.snapshots, deleted.shared),
        (State::Deleted, Vec::new(), ours.snapshots.clone())
    );
    assert_eq!(stack.world.calls()["ec2:DeleteSnapshot"], 2, "AWS says that each is in use");
    assert!(are_there(&stack, &ours.snapshots) && is_there(&stack, &theirs));
}

#[test]
fn somebody_tries_to_delete_a_snapshot_under_a_good_image() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let backup = stack.backups("group/web").remove(0);
    let image = newest(&stack);
    let delete = || stack.world.ec2().delete_snapshot(backup.snapshots[0].as_str()).map_err(|error| error.code);
    assert_eq!(delete(), Err("InvalidSnapshot.InUse".to_owned()));
    stack.world.ec2().disable_image(image.as_str()).expect("it is available");
    assert_eq!(delete(), Err("InvalidSnapshot.InUse".to_owned()), "also under an image that is disabled");
    stack.world.ec2().enable_image(image.as_str()).expect("it is disabled");
    stack.run(12 * 60);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
    assert_eq!((states(&stack), held(&stack)), (vec![State::Good], (1, 2)));
}

/// A function that died may have asked for a template version of the image, and AWS hears that a while later: a group that
/// follows `$Latest` would launch from an image that is gone.
#[test]
fn an_image_that_a_dead_function_may_have_published_stays_for_twenty_minutes() {
    let asked = (0..60).find_map(|call| {
        let (stack, _) = web(DAILY);
        stack.run(45);
        stack.request("group/web");
        stack.world.advance(10 * 60);
        stack.invoke_behind(&Knife::new(Some(At::Before(call))), Invocation::Poll);
        matches!(stack.backups("group/web")[0].publication, Publication::Making { .. }).then_some(stack)
    });
    let stack = asked.expect("a call before which it dies, with a version asked for");
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    stack.request("group/web");
    stack.run(4);
    assert_ne!(newest(&stack), image, "replaced");
    stack.invoke(Invocation::Cleanup);
    assert!(is_there(&stack, &image));
    stack.world.advance(20 * 60);
    stack.invoke(Invocation::Cleanup);
    assert!(!is_there(&stack, &image));
    assert_eq!(held(&stack), (1, 2));
}

#[test]
fn a_deleted_group_leaves_nothing_once_nobody_else_uses_its_image() {
    let more = "retain: {last: 1}, keep_in_use: true, on_source_deleted: delete";
    let (stack, template) = web(&DAILY.replace("retain: {last: 1}", more));
    let world = &stack.world;
    stack.run(45);
    let image = newest(&stack);
    let other = world.template("other", &image);
    world.put_parameter("/images/golden", image.as_str(), "aws:ec2:image");
    let instance = world.instance(&image);
    world.delete_group("web");
    world.may_retire("group/web");
    // At each cleanup that is refused, by whom it is needed still.
    let (default, parameter) = (format!("{other}, whose default is version 1"), "parameter/images/golden");
    let users = [default.as_str(), parameter, instance.as_str()];
    let refused = |by: [bool; 3]| {
        let told = stack.told().into_iter().rfind(|notice| notice.news.detail_type() == "Deletion Refused");
        let message = told.expect("it is refused").message;
        assert_eq!(users.map(|user| message.contains(user)), by, "{message}");
        assert_eq!(held(&stack), (1, 2));
    };
    stack.run(DAY + 55);
    refused([true, true, true]);
    let (base, name) = (world.base_image(), TemplateName::Id(other.to_string()));
    world.version_by_hand(&other, 1, &base);
    world.ec2().set_default_version(&name, "2").expect("it is there");
    world.ec2().delete_template_versions(&name, &[1]).expect("it is not the default any more");
    stack.run(60);
    refused([false, true, true]);
    world.put_parameter("/images/golden", base.as_str(), "aws:ec2:image");
    stack.run(60);
    refused([false, false, true]);
    world.kill(&instance);
    stack.run(60);
    told(
        &stack,
        &expect![[r#"
            Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
            Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
            Jan 15 11:26 Source Lost: group/web: not backed up any more: the group is deleted; its backups are deleted after 2026-01-16T11:26:00Z, but for pinned ones, unless it is back by then
            Jan 16 12:00 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 is needed by lt-3, whose default is version 1, arn:aws:ssm:us-east-1:123456789012:parameter/images/golden, i-4, for its plan keeps what instances use
            Jan 16 13:00 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 is needed by arn:aws:ssm:us-east-1:123456789012:parameter/images/golden, i-4, for its plan keeps what instances use
            Jan 16 14:00 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 is needed by i-4, for its plan keeps what instances use
            Jan 16 15:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): its source was deleted, and its plan says that its backups go too
        "#]],
    );
    assert_eq!((states(&stack), held(&stack)), (vec![State::Deleted], (0, 0)));
    let numbers: Vec<_> = world.template_versions(&template).iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1], "our version goes with the image");
}

#[test]
fn an_image_stays_as_long_as_a_launch_configuration_names_it() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let first = newest(&stack);
    let from = stack.world.launch_configuration("old", &first);
    stack.world.group_from("legacy", from, 1, Tags::new());
    stack.run(DAY + 3 * 60);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 16 11:02 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 is needed by launch configuration old
    "#]],
    );
    assert_eq!(count(&stack, "Deletion Refused"), 1, "told once");
    assert_eq!(held(&stack), (2, 4));
    let legacy = || stack.world.group_view("legacy").expect("there").members.remove(0);
    let before = legacy();
    stack.world.kill(&before.instance);
    stack.run(5);
    assert_ne!(legacy().instance, before.instance, "it is replaced");
    assert_eq!(legacy().image, first);
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn an_image_that_somebody_protected_stays_until_it_may_go() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let first = newest(&stack);
    stack.world.ec2().protect_image(first.as_str(), Protection::OnWithCooldown).expect("it is there");
    stack.run(DAY);
    let kept = stack.backups("group/web").remove(1);
    let why = format!("{first} has deregistration protection");
    assert_eq!((kept.state, kept.reason), (State::Good, format!("it stays: {why}")));
    assert_eq!(kept.refused, Some(why));
    // Taken off at 15:15, the protection goes on for a day.
    stack.run(4 * 60);
    stack.world.ec2().unprotect_image(first.as_str()).expect("it is protected");
    stack.run(DAY - 10);
    assert!(is_there(&stack, &first));
    assert_eq!(count(&stack, "Deletion Refused"), 1, "told once, for all the cleanups that tried");
    stack.run(60);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 16 11:02 Deletion Refused: group/web: backup of 2026-01-15T11:00:00Z stays for now: ami-1 has deregistration protection
        Jan 17 11:02 Backup Good: group/web: backup of 2026-01-17T11:00:00Z is good (ami-4, 2 snapshots)
        Jan 17 11:02 Image Published: group/web: launches from ami-4 now (version 4 of lt-2)
        Jan 17 11:02 Backups Deleted: group/web: deleted backup of 2026-01-16T11:00:00Z (ami-3, 2 snapshots): older than the last 1 good ones
        Jan 17 16:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 1 good ones
    "#]],
    );
    assert!(!is_there(&stack, &first));
    assert_eq!(states(&stack), [State::Good, State::Deleted, State::Deleted]);
    assert_eq!(stack.backups("group/web")[2].reason, "older than the last 1 good ones");
}

#[test]
fn the_only_backup_was_deregistered_by_hand_and_that_is_told() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let lost = newest(&stack);
    stack.world.ec2().deregister_image(lost.as_str()).expect("by hand");
    // The sweep of 17:00 proves nothing by itself: the one of 18:00 is the second.
    stack.run(6 * 60);
    assert_eq!(count(&stack, "Backup Lost"), 0);
    stack.run(60);
    assert_eq!(count(&stack, "Backup Lost"), 1);
    stack.run(5 * 60);
    assert_eq!(count(&stack, "Backup Lost"), 1, "it is told once");
    assert_eq!(held(&stack), (0, 2), "its snapshots stay as long as it would have");
    stack.run(DAY);
    told(
        &stack,
        &expect![[r#"
            Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
            Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
            Jan 15 18:00 Backup Lost: group/web: the backup of 2026-01-15T11:00:00Z can't be restored any more: somebody deregistered ami-1
            Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
            Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
            Jan 16 11:02 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 1 good ones
        "#]],
    );
    assert_eq!(states(&stack), [State::Good, State::Deleted]);
    assert_eq!(held(&stack), (1, 2));
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
}

#[test]
fn a_row_of_the_table_is_lost_and_its_image_is_told_once_and_never_deleted() {
    let (stack, _) = web(DAILY);
    stack.run(45);
    let lost = stack.backups("group/web").remove(0);
    stack.store.lose_backup(&lost.id);
    stack.run(2 * DAY + 60);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        Jan 15 11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        Jan 15 17:00 Artifact Unknown: group/web: no record says that ami-1 should be there, tagged as the backup group/web@20260115T110000Z; it stays, and is yours to keep or to delete
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        Jan 17 11:02 Backup Good: group/web: backup of 2026-01-17T11:00:00Z is good (ami-4, 2 snapshots)
        Jan 17 11:02 Image Published: group/web: launches from ami-4 now (version 4 of lt-2)
        Jan 17 11:02 Backups Deleted: group/web: deleted backup of 2026-01-16T11:00:00Z (ami-3, 2 snapshots): older than the last 1 good ones
    "#]],
    );
    assert_eq!(count(&stack, "Artifact Unknown"), 1, "told once, for eight sweeps");
    assert!(is_there(&stack, lost.image().expect("good")));
    assert!(are_there(&stack, &lost.snapshots));
    assert_eq!(held(&stack), (2, 4), "beside it there is the newest, as the plan says");
    assert_eq!(states(&stack), [State::Good, State::Deleted]);
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
}
