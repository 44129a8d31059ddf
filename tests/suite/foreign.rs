//! What bears our tags and is not ours: whoever may tag can put them on anything. It is told once, and nothing of it goes.

use lastgood_core::backup::{Backup, State};
use lastgood_core::facts::Tags;
use lastgood_core::name::{TAG_BACKUP, TAG_MANAGED_BY};
use lastgood_core::notice::News;
use lastgood_tests::stack::Stack;
use lastgood_world::{CacheOrigin, CacheShape, CreateCacheSnapshot, CreateImage, World};

use crate::caches;
use crate::transcript::{DAILY, count, is_there, messages, web};

/// The tags of the only backup, as somebody copies them.
fn tags_of(stack: &Stack, source: &str) -> Tags {
    let backup = stack.backups(source).remove(0);
    assert_eq!(backup.state, State::Failed, "{}", backup.reason);
    lastgood_core::name::tags(lastgood_tests::stack::STACK, &backup.id, &backup.plan)
}

/// Every image and snapshot that was told to be unknown.
fn unknown(stack: &Stack) -> Vec<String> {
    let mut ids = Vec::new();
    for notice in stack.told() {
        if let News::ArtifactUnknown { images, snapshots, cache_snapshots, .. } = notice.news {
            ids.extend(images.iter().map(ToString::to_string));
            ids.extend(snapshots.iter().map(ToString::to_string));
            ids.extend(cache_snapshots);
        }
    }
    ids.sort();
    ids
}

#[test]
fn what_somebody_tags_like_a_failed_backup_is_told_once_and_left_alone() {
    let (stack, _) = web(DAILY);
    stack.world.fail_next_image("AWS's bad day");
    stack.run(35);
    let failed = stack.backups("group/web").remove(0);
    let tags = tags_of(&stack, "group/web");
    let own = stack.our_snapshots();
    assert_eq!(own.len(), 2, "a broken image leaves its snapshots");
    let ec2 = stack.world.ec2();
    let copy = |description: &str| ec2.copy_snapshot(own[0].id.as_str(), description, &tags).expect("copied");
    let copies = [copy("[Copied it from us-east-1]"), copy(&own[0].description)];
    let old = stack.world.old_snapshot(8);
    let base = stack.world.base_image();
    // Somebody's own image of the same instance, of which nothing but its snapshots is left.
    let by_hand = ec2.create_image(CreateImage {
        instance: failed.instance.expect("it was chosen").to_string(),
        name: "theirs".into(),
        description: String::new(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags: Vec::new(),
    });
    let by_hand = by_hand.expect("the instance is there");
    let theirs = stack.world.image(&by_hand).expect("made").snapshots();
    ec2.deregister_image(by_hand.as_str()).expect("theirs");
    let mut foreign: Vec<String> =
        copies.iter().chain(&theirs).chain([&old]).map(ToString::to_string).chain([base.to_string()]).collect();
    foreign.sort();
    ec2.create_tags(&foreign, &tags).expect("tagged");
    stack.run(20 * 60);
    let snapshots: Vec<String> = stack.world.snapshots().into_iter().map(|snapshot| snapshot.id.to_string()).collect();
    for id in foreign.iter().filter(|id| id.starts_with("snap-")) {
        assert!(snapshots.contains(id), "{id}");
    }
    assert!(is_there(&stack, &base));
    assert!(own.iter().all(|own| !snapshots.contains(&own.id.to_string())), "what AWS made for it goes");
    assert_eq!(unknown(&stack), foreign, "each is told");
    assert_eq!(count(&stack, "Artifact Unknown"), 1, "once, for three sweeps");
    assert_eq!(stack.world.wrongs(), [] as [&str; 0]);
}

#[test]
fn a_snapshot_of_a_cache_that_somebody_tags_like_a_failed_backup_is_told_and_left_alone() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let id = world.put_cache("sessions", CacheShape::Single);
    world.fail_next_cache_snapshot();
    let stack = Stack::new(world);
    stack
        .apply("plans: [{name: web, select: {cache_clusters: [sessions]}, schedule: '0 10 * * *', retain: {last: 2}}]")
        .expect("applied");
    stack.run(60);
    let tags = tags_of(&stack, &id.to_string());
    let of = CacheOrigin::Cluster("sessions".into());
    let theirs = CreateCacheSnapshot { name: "theirs".into(), of, tags };
    stack.world.elasticache().create_snapshot(&theirs).expect("taken");
    stack.run(20 * 60);
    let left: Vec<String> = stack.world.cache_snapshots().into_iter().map(|snapshot| snapshot.id.name).collect();
    assert_eq!(left, ["theirs"], "what AWS made for it goes");
    assert_eq!(unknown(&stack), ["theirs"]);
    assert_eq!(stack.world.wrongs(), [] as [&str; 0]);
}

#[test]
fn an_image_that_is_older_than_its_backup_is_not_taken_over_whatever_its_name_and_tags() {
    let (stack, _) = web(DAILY);
    let id: lastgood_core::id::BackupId = "group/web@20260115T110000Z".parse().expect("a backup");
    let tags = lastgood_core::name::tags(lastgood_tests::stack::STACK, &id, "web");
    assert!(tags.contains_key(TAG_BACKUP) && tags.contains_key(TAG_MANAGED_BY));
    let instance = stack.world.instances()[0].id.to_string();
    let older = stack.world.ec2().create_image(CreateImage {
        instance,
        name: lastgood_core::name::image_name(&id),
        description: String::new(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags: ["image", "snapshot"].map(|kind| (kind.to_owned(), tags.clone())).into(),
    });
    let older = older.expect("the instance is there");
    stack.run(10 * 60);
    let failed = stack.backups("group/web").remove(0);
    assert_eq!(failed.state, State::Failed);
    assert!(failed.reason.ends_with("was made before this backup was asked for"), "{}", failed.reason);
    assert!(is_there(&stack, &older));
    assert_eq!(unknown(&stack), [older.to_string()]);
}

#[test]
fn what_a_call_makes_that_is_heard_after_its_backup_was_deleted_is_told_and_left_alone() {
    let (stack, id) = caches::of(CacheShape::Replicated(2));
    stack.run(6 * 60);
    let is_deleted = |backup: &Backup| backup.state == State::Deleted;
    let backup = stack.backups(&id.to_string()).into_iter().find(is_deleted).expect("two are kept");
    let name = backup.cache_snapshot().expect("it was made").name.clone();
    let tags = lastgood_core::name::tags(lastgood_tests::stack::STACK, &backup.id, &backup.plan);
    let late = CreateCacheSnapshot { name: name.clone(), of: CacheOrigin::Cluster("sessions-002".into()), tags };
    stack.world.elasticache().create_snapshot(&late).expect("taken: its name is free again");
    stack.run(24 * 60);
    let words = format!(
        "{id}: no record says that {name} should be there, tagged as the backup {}; it stays, and is yours to keep or to delete",
        backup.id
    );
    assert_eq!(messages(&stack, "Artifact Unknown"), [words]);
    assert!(stack.world.cache_snapshots().iter().any(|snapshot| snapshot.id.name == name));
}
