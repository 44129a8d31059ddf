//! The life of a backup.
//!
//! ```text
//!                                          all snapshots complete
//!  Requested ─▶ Creating ─▶ Pending ───────────────▶ Good ─▶ Expiring ─▶ Deleting ─▶ Deleted
//!      │            │          │                      ▲          │  (ids of image and snapshots
//!      └────────────┴──────────┴─▶ Failed             └──────────┘   are on record before the first delete)
//!                                  (reason; leftovers are cleaned)    something needs it: it stays
//!
//!  beside it:  artifact     None | Asked | Held | Condemned | SnapshotsLeft | Gone
//!              publication  NotAsked | Due | Reading | Making | Pointing | Published | Superseded | Held
//! ```
//!
//! [`decide`] says what an event makes of a record, [`due`] what the saved record asks for next, [`wake`] when it
//! must be looked at again. Effects follow from the saved state, never from the transition: whoever loads the record
//! after a crash goes on where it stands.

use serde::{Deserialize, Serialize};

use super::publication::{self, Publication, PublicationEvent};
use super::record::{Artifact, Backup};
use super::removal::{self, RemovalEvent};
use crate::facts::{Image, ImageState, SnapshotState, TemplateRef};
use crate::id::{GroupName, ImageId, InstanceId, SnapshotId, SourceId, TemplateId};
use crate::notice::{News, Notice};
use crate::refusal::{Refusal, Why};
use crate::{Time, later, seconds_between};

/// How long an instance to image is looked for before the backup fails.
pub const REQUESTED_SECONDS_MAX: i64 = 60 * 60;
/// How long CreateImage is tried before the backup fails.
pub const CREATING_SECONDS_MAX: i64 = 60 * 60;
/// How long an image may be pending. AWS speaks of up to 24 hours (AWS: Create an Amazon EBS-backed AMI).
pub const PENDING_SECONDS_MAX: i64 = 26 * 60 * 60;
/// How long a new image may be missing from AWS's answers before it counts as gone (AWS: Eventual consistency).
pub const VISIBLE_SECONDS_MAX: i64 = 15 * 60;
/// Pause between two looks at a pending image.
pub const PENDING_POLL_SECONDS: i64 = 60;
/// Pause after a call that did not get through.
pub const RETRY_SECONDS: i64 = 60;

/// Where a backup is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its slot is claimed. AWS has heard nothing of it.
    Requested,
    /// The instance is chosen. AWS may or may not have heard CreateImage.
    Creating,
    /// AWS has an image for it, which is not complete yet.
    Pending,
    /// AWS said that the image and every snapshot under it are complete.
    Good,
    /// Retention let it go. Nothing is deleted yet; whether something needs it is being looked up.
    Expiring,
    /// Nothing needs it and its ids are on record. Some or all of it may be deleted.
    Deleting,
    /// AWS holds nothing of it any more.
    Deleted,
    /// It never became good. What is left of it is cleaned: see `artifact`.
    Failed,
}

impl State {
    /// Every state, in the order of life.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Creating,
        Self::Pending,
        Self::Good,
        Self::Expiring,
        Self::Deleting,
        Self::Deleted,
        Self::Failed,
    ];
}

/// Something that happened, or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Woken,
    /// Somebody says that the artifact changed. A hint: it is looked at.
    ArtifactNews,
    /// The newest healthy instance of the group.
    InstanceChosen(InstanceId),
    /// There is no instance to image, and why.
    NoInstance(String),
    /// AWS made the image, or had made it when an earlier call went unanswered.
    ImageMade(ImageId),
    /// AWS refused CreateImage.
    CreateRefused(Refusal),
    /// What AWS says of the image.
    ImageSeen(Sight),
    /// Of its publication.
    Publication(PublicationEvent),
    /// Retention lets it go.
    LetGo(String),
    /// Of its removal.
    Removal(RemovalEvent),
    /// A call did not get through, and what was tried.
    Unanswered(String),
    /// The source has heard of the outcome.
    SourceTold,
    /// These notices are on the bus.
    Sent(Vec<String>),
}

/// An image with its snapshots, looked at together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// AWS has no such image: gone, or not visible yet.
    Missing,
    /// The image, and the state of each of its snapshots; `None` for one that AWS does not know.
    Seen(Image, Vec<(SnapshotId, Option<SnapshotState>)>),
}

/// What a record asks for. Each is safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put these notices on the bus.
    Send(Vec<Notice>),
    /// Tell the source how this backup came out.
    TellSource,
    /// Find the newest healthy instance of the group.
    ChooseInstance(GroupName),
    /// Make the image, without a reboot, with tags on it and its snapshots.
    CreateImage(InstanceId),
    /// Look at the image and its snapshots.
    LookAtImage(ImageId),
    /// Ask the source whether this backup may be published now.
    AskTurn,
    /// Read which template version the group launches from.
    ReadTemplate(GroupName),
    /// Make a version that is `base` with our image.
    MakeVersion {
        /// The launch template.
        template: TemplateId,
        /// The version to copy.
        base: u64,
        /// The image to put into it.
        image: ImageId,
    },
    /// Let the group launch from our version, if it still launches from `base`.
    PointGroup {
        /// The group.
        group: GroupName,
        /// How the group named its template when it was read.
        named: TemplateRef,
        /// The version that it launched from then.
        base: u64,
        /// Ours.
        version: u64,
    },
    /// Look what AWS holds of it, by name and by tag, and who needs it.
    Inspect,
    /// Deregister the image with its snapshots.
    Deregister(ImageId),
    /// Delete what is left of its snapshots.
    DeleteSnapshots(Vec<SnapshotId>),
}

/// What [`decide`] makes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The record as it is to be saved.
    pub record: Backup,
    /// Why, in words; for an event that changes nothing, why not.
    pub reason: String,
}

/// The function that carries a backup on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// backup-tick: sources whose next slot has come.
    Tick,
    /// snapshot-poll: backups on their way to be good and published.
    Poll,
    /// retention-cleanup: backups of which something must go.
    Cleanup,
}

/// What `event` makes of `record` at `now`. An event that is late, doubled or about another artifact leaves the
/// record as it is: that is no error.
#[must_use]
pub fn decide(record: &Backup, event: Event, now: Time) -> Step {
    let mut next = record.clone();
    let reason = step(&mut next, event, now);
    Step { record: next, reason }
}

fn step(record: &mut Backup, event: Event, now: Time) -> String {
    use State::{Creating, Deleted, Deleting, Expiring, Failed, Good, Pending, Requested};
    match (record.state, event) {
        (_, Event::Sent(ids)) => {
            record.outbox.retain(|notice| !ids.contains(&notice.id));
            "its notices are sent".into()
        }
        (_, Event::SourceTold) => {
            record.source_told = true;
            "its source knows".into()
        }
        (_, Event::Unanswered(trouble)) => {
            record.look_at = later(now, RETRY_SECONDS);
            record.trouble = Some(trouble.clone());
            format!("tried again later: {trouble}")
        }

        (Requested, Event::Woken) => give_up(record, now, REQUESTED_SECONDS_MAX, "no instance could be looked for"),
        (Requested, Event::InstanceChosen(instance)) => {
            let reason = format!("{instance} is its newest healthy instance");
            record.instance = Some(instance);
            record.artifact = Artifact::Asked;
            enter(record, Creating, now, reason)
        }
        (Requested, Event::NoInstance(why)) => fail(record, now, why),

        (Creating, Event::Woken) => give_up(record, now, CREATING_SECONDS_MAX, "CreateImage got no answer"),
        (Creating, Event::ImageMade(image)) => {
            let reason = format!("AWS makes {image}");
            record.image = Some(image);
            record.artifact = Artifact::Held;
            enter(record, Pending, now, reason)
        }
        (Creating, Event::CreateRefused(refusal)) if refusal.why.passes() => wait(record, now, &refusal),
        (Creating, Event::CreateRefused(refusal)) => {
            // An image of that name that is not ours: there is nothing of ours to clean.
            if refusal.why == Why::Taken {
                record.artifact = Artifact::None;
            }
            fail(record, now, refusal.to_string())
        }

        (Pending, Event::Woken) => give_up(record, now, PENDING_SECONDS_MAX, "the image did not become complete"),
        (Pending, Event::ArtifactNews) => {
            record.look_at = now;
            "AWS says that the image changed".into()
        }
        (Pending, Event::ImageSeen(sight)) => seen(record, sight, now),

        (Good, Event::Publication(event)) => publication::step(record, event, now),
        (Good, Event::Woken) => publication::woken(record, now),
        (Good, Event::LetGo(why)) if record.publication.is_at_rest() => enter(record, Expiring, now, why),
        (Good, Event::LetGo(_)) => "it is being published".into(),

        (Expiring | Deleting | Failed, Event::Removal(event)) => removal::step(record, event, now),

        (Expiring | Deleting | Failed, Event::Woken) => removal::woken(record, now),

        (Deleted, Event::Woken) => "nothing has a deadline".into(),
        // What comes too late, or speaks of a state that is past, changes nothing.
        (
            Requested | Creating | Good | Expiring | Deleting | Deleted | Failed,
            Event::ArtifactNews | Event::ImageSeen(_),
        )
        | (
            Creating | Pending | Good | Expiring | Deleting | Deleted | Failed,
            Event::InstanceChosen(_) | Event::NoInstance(_),
        )
        | (
            Requested | Pending | Good | Expiring | Deleting | Deleted | Failed,
            Event::ImageMade(_) | Event::CreateRefused(_),
        )
        | (
            Requested | Creating | Pending | Expiring | Deleting | Deleted | Failed,
            Event::Publication(_) | Event::LetGo(_),
        )
        | (Requested | Creating | Pending | Good | Deleted, Event::Removal(_)) => "stale".into(),
    }
}

fn seen(record: &mut Backup, sight: Sight, now: Time) -> String {
    let (image, snapshots) = match sight {
        Sight::Missing if seconds_between(record.since, now) < VISIBLE_SECONDS_MAX => {
            record.look_at = later(now, PENDING_POLL_SECONDS);
            return "the image is not visible yet".into();
        }
        Sight::Missing => return fail(record, now, "the image is gone: somebody deregistered it".into()),
        Sight::Seen(image, _) if record.image.as_ref() != Some(&image.id) => return "stale".into(),
        Sight::Seen(image, snapshots) => (image, snapshots),
    };
    record.trouble = None;
    record.look_at = later(now, PENDING_POLL_SECONDS);
    match image.state {
        ImageState::Pending => return "the image is pending".into(),
        ImageState::Broken(why) => return fail(record, now, format!("AWS could not make the image: {why}")),
        ImageState::Disabled => return fail(record, now, "somebody disabled the image before it was complete".into()),
        ImageState::Available => {}
    }
    record.snapshots = image.snapshots;
    if record.snapshots.is_empty() {
        return "the image is available, and tells no snapshots yet".into();
    }
    let mut complete = 0;
    for (id, state) in &snapshots {
        match state {
            Some(SnapshotState::Completed) => complete += usize::from(record.snapshots.contains(id)),
            Some(SnapshotState::Broken(why)) => return fail(record, now, format!("{id} can't be completed: {why}")),
            Some(SnapshotState::Pending) | None => {}
        }
    }
    let all = record.snapshots.len();
    if complete < all {
        return format!("{complete} of {all} snapshots are complete");
    }
    record.good_at = Some(now);
    record.publication = Publication::Due;
    record.source_told = false;
    let news = News::BackupGood { backup: record.id.clone(), image: image.id, snapshots: record.snapshots.clone() };
    record.tell("", now, news);
    enter(record, State::Good, now, format!("the image and {all} of {all} snapshots are complete"))
}

pub(super) fn enter(record: &mut Backup, state: State, now: Time, reason: String) -> String {
    record.state = state;
    record.since = now;
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}

fn fail(record: &mut Backup, now: Time, reason: String) -> String {
    record.source_told = false;
    record.tell("", now, News::BackupFailed { backup: record.id.clone(), reason: reason.clone() });
    enter(record, State::Failed, now, reason)
}

fn give_up(record: &mut Backup, now: Time, seconds_max: i64, what: &str) -> String {
    if seconds_between(record.since, now) < seconds_max {
        return "in time".into();
    }
    let hours = seconds_max / 3600;
    let reason = match &record.trouble {
        Some(trouble) => format!("{what} within {hours} h; last: {trouble}"),
        None => format!("{what} within {hours} h"),
    };
    fail(record, now, reason)
}

/// AWS wants a pause: the same call again, later.
pub(super) fn wait(record: &mut Backup, now: Time, refusal: &Refusal) -> String {
    record.look_at = later(now, RETRY_SECONDS);
    record.trouble = Some(refusal.to_string());
    format!("waits: {refusal}")
}

/// The one thing that the record asks for at `now`.
#[must_use]
pub fn due(record: &Backup, now: Time) -> Option<Effect> {
    // What has happened is told at once, however long the record waits for its next look.
    if !record.outbox.is_empty() {
        return Some(Effect::Send(record.outbox.clone()));
    }
    if !record.source_told {
        return Some(Effect::TellSource);
    }
    if now < record.look_at {
        return None;
    }
    let SourceId::Group(group) = &record.id.source;
    match record.state {
        State::Requested => Some(Effect::ChooseInstance(group.clone())),
        State::Creating => record.instance.clone().map(Effect::CreateImage),
        State::Pending => record.image.clone().map(Effect::LookAtImage),
        State::Good => publication::due(record, group),
        State::Expiring | State::Deleting | State::Failed => removal::due(record),
        State::Deleted => None,
    }
}

/// When the record must be looked at again: long ago for what is to be told, `None` when it is at rest.
#[must_use]
pub fn wake(record: &Backup) -> Option<Time> {
    match due(record, Time::MAX)? {
        Effect::Send(_) | Effect::TellSource => Some(Time::UNIX_EPOCH),
        _ => Some(record.look_at),
    }
}

/// Which function looks at it then.
#[must_use]
pub fn queue(record: &Backup) -> Queue {
    match record.state {
        State::Requested | State::Creating | State::Pending | State::Good => Queue::Poll,
        // What failed is told at once; its leftovers can wait for the cleanup.
        State::Failed if !record.outbox.is_empty() || !record.source_told => Queue::Poll,
        State::Failed | State::Expiring | State::Deleting | State::Deleted => Queue::Cleanup,
    }
}
