//! What must hold of the sweep: what is young, living or not ours is left alone; what is left behind goes.

use super::*;
use crate::backup::Origin;
use crate::backup::fixtures;
use crate::facts::{CacheSnapshot, CacheSnapshotState, ImageState, SnapshotState, Tags};
use crate::id::{CacheId, CacheKind};
use crate::name::{TAG_MANAGED_BY, cache_snapshot_id, image_name};
use crate::plan::Policy;

const TAG: &str = "group/web@20260115T103000Z";

fn now() -> Time {
    "2026-01-15T18:00:00Z".parse().expect("a time")
}

fn backup(state: State, artifact: Artifact) -> Backup {
    let text = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
    let policy: Policy = crate::plan::read("plans.yaml", text).expect("a plan").plans[0].plan.policy.clone();
    let id = TAG.parse().expect("an id");
    let asked_at = later(now(), -99_999);
    let instance = Some("i-1".into());
    Backup { state, artifact, instance, ..Backup::requested(id, "web", Origin::Schedule, &policy, asked_at) }
}

fn tags(backup: &str) -> Tags {
    [(TAG_MANAGED_BY.to_owned(), "lastgood".to_owned()), (TAG_BACKUP.to_owned(), backup.to_owned())].into()
}

fn image(id: &str, age_seconds: i64) -> Image {
    Image {
        id: id.into(),
        name: image_name(&TAG.parse().expect("an id")),
        state: ImageState::Available,
        tags: tags(TAG),
        snapshots: vec!["snap-1".into()],
        root_device: None,
        devices: Vec::new(),
        sizes: Vec::new(),
        architecture: None,
        boot_mode: None,
        protected: false,
        created_at: Some(later(now(), -age_seconds)),
    }
}

fn snapshot(id: &str, age_seconds: i64) -> Snapshot {
    let started_at = Some(later(now(), -age_seconds));
    Snapshot {
        id: id.into(),
        state: SnapshotState::Completed,
        tags: tags(TAG),
        description: "Created by CreateImage(i-1) for ami-1".into(),
        started_at,
        volume: None,
        gib: None,
        percent: None,
    }
}

fn held(images: Vec<Image>, snapshots: Vec<Snapshot>) -> Account {
    Account { images, snapshots, cache_snapshots: Vec::new() }
}

#[test]
fn an_image_that_came_after_its_backup_was_given_up_goes_once_it_is_old() {
    {
        for artifact in [Artifact::None, Artifact::Gone] {
            let record = backup(State::Failed, artifact);
            let found =
                |age| of_backup(&record, &held(vec![image("ami-1", age)], vec![snapshot("snap-1", age)]), now());
            assert_eq!(found(ORPHAN_SECONDS_MIN - 1), None, "a function may still be at it");
            // Its snapshots are under it, and go with it.
            let left = Event::LeftBehind { artifact: Some(fixtures::artifact("ami-1")), snapshots: Vec::new() };
            assert_eq!(found(ORPHAN_SECONDS_MIN), Some(left));
        }
        let cleaned = backup(State::Failed, Artifact::There);
        assert_eq!(of_backup(&cleaned, &held(vec![image("ami-1", 9_999)], Vec::new()), now()), None);
    }
}

#[test]
fn what_a_living_backup_holds_is_its_own_business() {
    for state in [State::Requested, State::Creating, State::Pending, State::Expiring, State::Deleting] {
        let record = backup(state, Artifact::Asked);
        let all = held(vec![image("ami-1", 99_999)], vec![snapshot("snap-9", 99_999)]);
        assert_eq!(of_backup(&record, &all, now()), None);
    }
}

#[test]
fn another_image_than_the_one_on_record_is_not_taken_for_it() {
    let record = Backup { artifact_id: Some(fixtures::artifact("ami-2")), ..backup(State::Deleted, Artifact::Gone) };
    let all = held(vec![image("ami-1", 9_999)], Vec::new());
    assert_eq!(of_backup(&record, &all, now()), None);
    let told = unknown(&[&record], &all, now());
    assert_eq!((told.len(), told[0].images.as_slice()), (1, ["ami-1".into()].as_slice()));
    assert_eq!(told[0].source, "group/web".parse().expect("a source"));
    // A failed one takes up its own image again, and no other.
    let failed =
        |image: &str| Backup { artifact_id: Some(fixtures::artifact(image)), ..backup(State::Failed, Artifact::Gone) };
    let left = Event::LeftBehind { artifact: Some(fixtures::artifact("ami-1")), snapshots: Vec::new() };
    assert_eq!(of_backup(&failed("ami-1"), &all, now()), Some(left));
    assert_eq!(of_backup(&failed("ami-2"), &all, now()), None);
    assert_eq!(unknown(&[&failed("ami-1")], &all, now()), []);
    assert_eq!(unknown(&[&failed("ami-2")], &all, now()).len(), 1);
}

#[test]
fn snapshots_without_an_image_go_if_they_are_on_record_or_nobodys() {
    let all = held(Vec::new(), vec![snapshot("snap-1", 9_999), snapshot("snap-2", 9_999), snapshot("snap-3", 60)]);
    let left = |ids: &[&str]| {
        let snapshots = ids.iter().map(|id| SnapshotId::from(*id)).collect();
        Some(Event::LeftBehind { artifact: None, snapshots })
    };
    // Of a failed backup those that AWS says were made for its image.
    let failed = Backup { artifact_id: Some(fixtures::artifact("ami-1")), ..backup(State::Failed, Artifact::Gone) };
    assert_eq!(of_backup(&failed, &all, now()), left(&["snap-1", "snap-2"]));
    let shared = Backup { shared: vec!["snap-1".into()], ..failed.clone() };
    assert_eq!(of_backup(&shared, &all, now()), left(&["snap-2"]));
    assert_eq!(unknown(&[&failed], &all, now()), []);
    // Of a good one those beside its own are somebody's copies.
    let good = Backup { snapshots: vec!["snap-1".into()], ..backup(State::Good, Artifact::There) };
    assert_eq!(unknown(&[&good], &all, now())[0].snapshots, ["snap-2".into()]);
}

#[test]
fn what_bears_the_tags_of_a_failed_backup_and_is_not_proved_to_be_its_own_is_told_and_left_alone() {
    let record = Backup { artifact_id: Some(fixtures::artifact("ami-1")), ..backup(State::Failed, Artifact::Gone) };
    let copy = Snapshot { description: "[Copied snap-1 from us-east-1]".into(), ..snapshot("snap-7", 9_999) };
    let all = held(Vec::new(), vec![snapshot("snap-1", 9_999), copy]);
    let left = Event::LeftBehind { artifact: None, snapshots: vec!["snap-1".into()] };
    assert_eq!(of_backup(&record, &all, now()), Some(left));
    assert_eq!(unknown(&[&record], &all, now())[0].snapshots, ["snap-7".into()]);
    let known = Backup { snapshots: vec!["snap-7".into()], ..record };
    assert_eq!(unknown(&[&known], &all, now()), [], "it is on record");
    let nameless = backup(State::Failed, Artifact::None);
    let theirs = Image { name: "theirs".into(), ..image("ami-1", 9_999) };
    let older = image("ami-1", 99_999 + 61);
    for foreign in [theirs, older] {
        let all = held(vec![foreign], vec![snapshot("snap-9", 9_999)]);
        assert_eq!(of_backup(&nameless, &all, now()), None);
        let told = unknown(&[&nameless], &all, now());
        let ids = (told[0].images.as_slice(), told[0].snapshots.as_slice());
        assert_eq!(ids, (["ami-1".into()].as_slice(), ["snap-9".into()].as_slice()));
    }
}

#[test]
fn what_is_back_after_its_deletion_somebody_has_restored() {
    let deleted = Backup {
        artifact_id: Some(fixtures::artifact("ami-1")),
        snapshots: vec!["snap-1".into()],
        shared: vec!["snap-3".into()],
        ..backup(State::Deleted, Artifact::Gone)
    };
    let all = held(vec![image("ami-1", 9_999)], vec![snapshot("snap-2", 9_999), snapshot("snap-3", 9_999)]);
    assert_eq!(of_backup(&deleted, &all, now()), None);
    let told = unknown(&[&deleted], &all, now());
    assert_eq!(
        (told[0].images.as_slice(), told[0].snapshots.as_slice()),
        (["ami-1".into()].as_slice(), ["snap-2".into()].as_slice())
    );
}

#[test]
fn a_sweep_writes_no_more_notices_than_its_item_holds_and_the_rest_soon() {
    let stranger = |number: usize| Unknown {
        source: "group/web".parse().expect("a source"),
        backup: format!("group/web@{number}"),
        images: vec![format!("ami-{number:05}").as_str().into()],
        snapshots: Vec::new(),
        cache_snapshots: Vec::new(),
    };
    let all: Vec<Unknown> = (0..NOTICES_MAX + 50).map(stranger).collect();
    let first = Sweep::first().done(&all, &[], now());
    assert_eq!((first.outbox.len(), first.told.len()), (NOTICES_MAX, NOTICES_MAX));
    assert_eq!(first.next_at, later(now(), LOOK_AGAIN_SECONDS));
    let ids: Vec<String> = first.outbox.iter().map(|notice| notice.id.clone()).collect();
    let second = first.sent(&ids).done(&all, &[], later(now(), LOOK_AGAIN_SECONDS));
    assert_eq!((second.outbox.len(), second.told.len()), (50, NOTICES_MAX + 50));
}

#[test]
fn a_good_backup_hears_whether_its_image_is_there() {
    let good = Backup { artifact_id: Some(fixtures::artifact("ami-1")), ..backup(State::Good, Artifact::There) };
    let there = held(vec![image("ami-1", 9_999)], Vec::new());
    assert_eq!(of_backup(&good, &there, now()), None);
    assert_eq!(of_backup(&good, &Account::default(), now()), Some(Event::ArtifactGone));
    let mut told_gone = image("ami-1", 9_999);
    told_gone.state = ImageState::Broken("deregistered".into());
    assert_eq!(of_backup(&good, &held(vec![told_gone], Vec::new()), now()), Some(Event::ArtifactGone));
    let told = Backup { lost_told: Some(now()), ..good.clone() };
    assert_eq!(of_backup(&told, &Account::default(), now()), None, "it was told");
    let missed = Backup { missing_since: Some(now()), ..good };
    assert_eq!(of_backup(&missed, &there, now()), Some(Event::ArtifactBack));
}

#[test]
fn what_has_no_record_is_told_once_until_it_is_gone() {
    let all = held(vec![image("ami-1", 9_999)], vec![snapshot("snap-1", 9_999), snapshot("snap-2", 9_999)]);
    let found = unknown(&[], &all, now());
    // The snapshot under the image is told by its image.
    assert_eq!((found[0].images.len(), found[0].snapshots.as_slice()), (1, ["snap-2".into()].as_slice()));
    let first = Sweep::first();
    assert!(first.is_due(now()));
    let told = first.done(&found, &[], now());
    assert_eq!(told.outbox.len(), 1);
    assert!(
        told.outbox[0].message.contains("no record says that ami-1, snap-2 should be there"),
        "{}",
        told.outbox[0].message
    );
    assert!(!told.is_due(later(now(), SWEEP_SECONDS - 1)) && told.is_due(later(now(), SWEEP_SECONDS)));
    let sent = told.sent(&[told.outbox[0].id.clone()]);
    assert_eq!(sent.outbox, []);
    let again = sent.done(&found, &[], later(now(), SWEEP_SECONDS));
    assert_eq!(again.outbox, [], "it was told");
    let gone = again.done(&[], &[], later(now(), 2 * SWEEP_SECONDS));
    assert_eq!(gone.done(&found, &[], later(now(), 3 * SWEEP_SECONDS)).outbox.len(), 1, "it is another one by then");
    assert_eq!(unknown(&[], &held(vec![image("ami-1", 60)], Vec::new()), now()), [], "its record may be on its way");
}

#[test]
fn a_sweep_is_done_every_six_hours_and_after_one_if_an_image_was_missed() {
    assert_eq!((SWEEP_SECONDS, LOOK_AGAIN_SECONDS, ORPHAN_SECONDS_MIN), (21_600, 3_600, 3_600));
    let next = |told: &[Event]| Sweep::first().done(&[], told, now()).next_at;
    assert_eq!(next(&[Event::ArtifactBack]), later(now(), SWEEP_SECONDS));
    assert_eq!(next(&[Event::ArtifactBack, Event::ArtifactGone]), later(now(), LOOK_AGAIN_SECONDS));
}

#[test]
fn no_more_than_a_thousand_things_are_remembered() {
    let strangers = |count: usize| {
        let images = (0..count).map(|number| format!("ami-{number:05}").as_str().into());
        let source = "group/web".parse().expect("a source");
        [Unknown {
            source,
            backup: TAG.into(),
            images: images.collect(),
            snapshots: Vec::new(),
            cache_snapshots: Vec::new(),
        }]
    };
    assert_eq!(Sweep::first().done(&strangers(TOLD_MAX), &[], now()).told.len(), TOLD_MAX);
    let most = Sweep::first().done(&strangers(TOLD_MAX + 5), &[], now());
    assert_eq!((most.told.len(), most.outbox.len()), (TOLD_MAX, 1));
}

#[test]
fn the_snapshot_of_a_cache_that_is_on_its_way_out_is_no_surprise() {
    let cache = CacheId { kind: CacheKind::Cluster, name: "web".into() };
    let id = BackupId { source: SourceId::Cache(cache.clone()), slot: later(now(), -27_000) };
    let of = |state| CacheSnapshot {
        id: cache_snapshot_id(&id, &cache),
        arn: String::new(),
        tags: tags(&id.to_string()),
        of: vec!["web".into()],
        state,
        manual: true,
        begun_at: Some(later(now(), -9_999)),
        bytes: None,
    };
    let account = |state| Account { cache_snapshots: vec![of(state)], ..held(Vec::new(), Vec::new()) };
    let of_cache = |state| Backup { id: id.clone(), ..backup(state, Artifact::Gone) };
    let (deleted, failed) = (of_cache(State::Deleted), of_cache(State::Failed));
    for (state, surprises) in [(CacheSnapshotState::Available, true), (CacheSnapshotState::Deleting, false)] {
        let account = account(state);
        assert_eq!(unknown(&[&deleted], &account, now()).len(), usize::from(surprises), "{account:?}");
        assert_eq!(of_backup(&failed, &account, now()).is_some(), surprises, "{account:?}");
    }
}
