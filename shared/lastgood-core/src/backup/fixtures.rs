//! Records, answers and facts that the tests of a backup's life begin with.

use super::image::{remains, sight};
use super::inspection::Inspection;
use super::life::Event;
use super::life::{Chosen, State};
use super::publication::{Publication, PublishedTo};
use super::record::{Artifact, Backup, Origin};
use crate::facts::{Group, Image, ImageState, LaunchSource, Member, Snapshot, SnapshotState, Tags};
use crate::id::{ArtifactId, BackupId};
use crate::plan::{Afterwards, Capture, Policy, Publish};
use crate::refusal::{Refusal, Why};
use crate::retention::Retention;
use crate::rollout::RolloutPolicy;
use crate::schedule::{Pattern, Schedule, Zone};
use crate::{Time, later};

pub(super) fn start() -> Time {
    "2026-01-15T10:30:00Z".parse().expect("a time")
}

pub(crate) fn now() -> Time {
    later(start(), 30)
}

/// A policy that publishes to the group and says nothing else.
pub(crate) fn policy() -> Policy {
    Policy {
        schedule: Schedule::new(Pattern::Hourly, Zone::default()),
        spread_seconds: 0,
        retain: Retention::default(),
        capture: Capture::default(),
        publish: Publish::default(),
        keep_in_use: false,
        on_source_deleted: Afterwards::Keep,
        on_overdue_seconds: 7200,
    }
}

/// A rollout with pauses at 20 and 50 percent, a quarter of an hour each, judged by health.
pub(crate) fn rollout_policy() -> RolloutPolicy {
    RolloutPolicy { checkpoints: vec![20, 50, 100], delay_seconds: 900, ..RolloutPolicy::default() }
}

pub(super) fn version_2() -> PublishedTo {
    PublishedTo::Version { template: "lt-1".into(), version: 2 }
}

pub(super) fn chosen() -> Chosen {
    Chosen { instance: "i-1".into(), base: Some("ami-base".into()), generation: 0, protected_from_scale_in: false }
}

/// A backup that came to `state` by itself, told everything and has nothing in its outbox.
pub(crate) fn backup(state: State) -> Backup {
    let id = "group/web@20260115T103000Z".parse().expect("a backup");
    let mut record = came_to(state, id, artifact("ami-1"));
    if state != State::Requested {
        record.instance = Some("i-1".into());
    }
    if was_good(state) {
        record.snapshots = vec!["snap-1".into(), "snap-2".into()];
        record.good_at = Some(start());
        record.publication = Publication::Published(version_2());
    }
    record
}

/// Whether whatever stands there became good.
pub(super) fn was_good(state: State) -> bool {
    matches!(state, State::Good | State::Expiring | State::Deleting | State::Deleted)
}

/// What a record of any kind of source is in a state: where it stands, and what AWS holds of it.
pub(super) fn came_to(state: State, id: BackupId, artifact: ArtifactId) -> Backup {
    let mut record = Backup::requested(id, "web", Origin::Schedule, &policy(), start());
    record.state = state;
    if state != State::Requested {
        record.artifact = Artifact::Asked;
    }
    if !matches!(state, State::Requested | State::Creating) {
        record.artifact_id = Some(artifact);
        record.artifact = Artifact::There;
    }
    if matches!(state, State::Expiring | State::Deleting | State::Deleted) {
        record.reason = "older than the last 3 good ones".into();
    }
    match state {
        State::Deleting => record.artifact = Artifact::Condemned,
        State::Deleted => record.artifact = Artifact::Gone,
        _ => {}
    }
    record
}

pub(super) fn refusal(why: Why) -> Refusal {
    Refusal { why, action: "ec2:Call".into(), message: "AWS's words".into() }
}

pub(crate) fn image(state: ImageState) -> Image {
    Image {
        id: "ami-1".into(),
        name: "lastgood-web".into(),
        state,
        tags: Tags::new(),
        snapshots: vec!["snap-1".into(), "snap-2".into()],
        root_device: Some("/dev/xvda".into()),
        devices: vec![("/dev/xvda".into(), "snap-1".into()), ("/dev/xvdf".into(), "snap-2".into())],
        sizes: Vec::new(),
        architecture: Some("x86_64".into()),
        boot_mode: None,
        protected: false,
        created_at: Some(now()),
    }
}

/// A group of so many members, of which nothing else is told.
pub(crate) fn group(launches_from: LaunchSource, members: Vec<Member>) -> Group {
    Group {
        name: "web".into(),
        tags: Tags::new(),
        launches_from,
        size: members.len(),
        members,
        refresh_suspended: false,
        warmup_seconds: 300,
        lifetime_seconds_max: None,
    }
}

pub(crate) fn artifact(image: &str) -> ArtifactId {
    ArtifactId::Image(image.into())
}

/// That AWS tells this image, and no snapshots.
pub(super) fn seen(image: Image) -> Event {
    Event::Seen(sight(&image.id.clone(), &[image], &[]))
}

/// That AWS tells the image to be available, and its two snapshots so; `None` for one that it does not tell.
pub(super) fn complete(states: [Option<SnapshotState>; 2]) -> Event {
    let told = ["snap-1", "snap-2"].into_iter().zip(states).filter_map(|(id, state)| {
        Some(Snapshot {
            id: id.into(),
            state: state?,
            tags: Tags::new(),
            description: String::new(),
            started_at: None,
            volume: None,
            gib: None,
            percent: None,
        })
    });
    let image = image(ImageState::Available);
    Event::Seen(sight(&image.id.clone(), &[image], &told.collect::<Vec<_>>()))
}

/// What is there of a backup: its image with its snapshots and the version that was made for it, or nothing.
pub(super) fn inspection(image: Option<&Image>) -> Inspection {
    let (snapshots, versions) = match image {
        Some(image) => (image.snapshots.clone(), vec![("lt-1".into(), 2)]),
        None => (Vec::new(), Vec::new()),
    };
    // Never too old, whenever it is heard.
    let artifact = image.map(remains);
    Inspection { at: Time::MAX, ours: image.is_some(), artifact, snapshots, versions, needed_by: Vec::new() }
}
