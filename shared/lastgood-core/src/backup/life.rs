//! The life of a backup.
//!
//! ```text
//!  Requested ─▶ Quiescing ─▶ Creating ─▶ Pending ─▶ Good ─▶ Expiring ─▶ Deleting ─▶ Deleted
//!      │  └──────────┼──────────▲ │          │        ▲         │ │          │          ▲
//!      │             │            │          │        └─────────┴─┼──────────┘          │
//!      └─────────────┴────────────┴──────────┴─▶ Failed           └─────────────────────┘
//!
//!  Quiescing a single instance shuts down for it, if its plan says so
//!  Good      all snapshots are complete; again: something needs it, and it stays
//!  Deleting  the ids of image and snapshots are on record before the first delete
//!  Deleted   nothing of it is left; at once, if nothing was
//!  Failed    with the reason; leftovers are cleaned, and what the sweep finds of it later goes the same way
//!
//!  beside it:  artifact     None | Asked | There | Condemned | SnapshotsLeft | Gone
//!              publication  NotAsked | Due | Reading | Pinning | Making | Pointing | Rolling | Writing
//!                           | Published | Superseded | Adopted | Held | RolledBack
//!              scale-in     Untouched | Asked | Protected | Owed | GivenBack
//!              power        Untouched | Stopping | ForceStopping | Stopped | Starting | Coming | Watched
//!                           | Running | Gone
//! ```
//!
//! [`decide`] says what an event makes of a record, [`due`] what the saved record asks for next, [`wake`] when it
//! must be looked at again. Effects follow from the saved state, never from the transition: whoever loads the record
//! after a crash goes on where it stands. Which function that is, is in `queue.rs`; what one kind of source asks for and
//! another does not, in `kinds.rs`.

use serde::{Deserialize, Serialize};

use super::cache::{self, ChosenCache};
use super::copy::{self, Copying};
pub use super::effect::{Alone, Effect, Together};
use super::instance::{self, FoundInstance};
use super::kinds;
use super::late;
pub(super) use super::moves::{again, enter, fail, lost, unanswered, wait};
use super::power::{self, PowerEvent};
use super::publication::{self, PublicationEvent};
pub use super::queue::{is_work_of, queue, wake};
pub use super::record::Chosen;
use super::record::{Artifact, Backup, Pin};
use super::removal::{self, RemovalEvent};
use super::reservation;
use super::scale_in::{self, ScaleIn, ScaleInEvent};
use super::sight::{self, Sight};
use crate::Time;
use crate::facts::CacheStrain;
use crate::id::{ArtifactId, SnapshotId};
use crate::life::{RETRY_SECONDS, Step};
use crate::record::Queue;
use crate::refusal::Refusal;

/// How long an instance to image is looked for before the backup fails.
pub const REQUESTED_SECONDS_MAX: i64 = 60 * 60;
/// How long CreateImage is tried before the backup fails.
pub const CREATING_SECONDS_MAX: i64 = 60 * 60;
/// How long an image may be pending. AWS speaks of up to 24 hours (AWS: Create an Amazon EBS-backed AMI).
pub const PENDING_SECONDS_MAX: i64 = 26 * 60 * 60;

/// Where a backup is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its slot is claimed. AWS has heard nothing of it.
    Requested,
    /// The instance is to be off. AWS may or may not have heard StopInstances.
    Quiescing,
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
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Quiescing,
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
    /// The newest member of the group that an image can be made from.
    InstanceChosen(Chosen),
    /// The instance can be backed up.
    InstanceFound(Box<FoundInstance>),
    /// It can't be for now, and why.
    InstanceBusy(String),
    /// How the copy of an instance comes along.
    Copying(Box<Copying>),
    /// Of the power of its instance.
    Power(PowerEvent),
    /// What the snapshot of a cache is made of, and when AWS told that.
    CacheChosen(Box<ChosenCache>, Time),
    /// The cache can't be backed up for now, and why.
    CacheBusy(String),
    /// AWS takes no more backups of the cache before then, and why.
    CacheFull {
        /// When it is asked again.
        until: Time,
        /// Why.
        why: String,
    },
    /// There is nothing that it can be made of, and why.
    NoOrigin(String),
    /// AWS makes the artifact, or made it when an earlier call went unanswered.
    Made(ArtifactId),
    /// AWS refused to make it.
    CreateRefused(Refusal),
    /// What AWS says of the artifact.
    Seen(Sight),
    /// The same of the snapshot of a cache, with what is measured of that.
    CacheMeasured(CacheStrain, Sight),
    /// Of the protection of its instance.
    ScaleIn(ScaleInEvent),
    /// Of its publication.
    Publication(PublicationEvent),
    /// An operator wants it published after all.
    Released,
    /// An operator wants it kept.
    Pinned(Pin),
    /// An operator wants it kept as its plan says; who, and why.
    Unpinned(Pin),
    /// Something is about to launch from it: what, in words.
    Reserved(String),
    /// Retention lets it go.
    LetGo(String),
    /// The sweep found something of it at AWS though nothing should be left.
    LeftBehind {
        /// Its artifact.
        artifact: Option<ArtifactId>,
        /// Snapshots without an image.
        snapshots: Vec<SnapshotId>,
    },
    /// The sweep did not find its artifact.
    ArtifactGone,
    /// The sweep found its artifact again.
    ArtifactBack,
    /// Of its removal.
    Removal(RemovalEvent),
    /// A call did not get through, and what was tried.
    Unanswered(String),
    /// The source has heard of the outcome.
    SourceTold,
}

impl Event {
    /// Whether it says that a call got through, or that something else is to be tried now.
    fn is_answer(&self) -> bool {
        match self {
            Self::Power(event) => event.is_answer(),
            Self::InstanceChosen(_)
            | Self::InstanceFound(_)
            | Self::InstanceBusy(_)
            | Self::Copying(_)
            | Self::CacheChosen(..)
            | Self::CacheMeasured(..)
            | Self::CacheBusy(_)
            | Self::CacheFull { .. }
            | Self::NoOrigin(_)
            | Self::Made(_)
            | Self::CreateRefused(_)
            | Self::Seen(_)
            | Self::ScaleIn(
                ScaleInEvent::On | ScaleInEvent::OnRefused(_) | ScaleInEvent::Off | ScaleInEvent::OffRefused(_),
            )
            | Self::Publication(_)
            | Self::Released
            | Self::LetGo(_)
            | Self::LeftBehind { .. }
            | Self::Removal(_) => true,
            Self::Woken
            | Self::ArtifactNews
            | Self::ScaleIn(ScaleInEvent::OnUnanswered(_) | ScaleInEvent::OffUnanswered(_))
            | Self::Pinned(_)
            | Self::Unpinned(_)
            | Self::Reserved(_)
            | Self::ArtifactGone
            | Self::ArtifactBack
            | Self::Unanswered(_)
            | Self::SourceTold => false,
        }
    }
}

/// What `event` makes of `record` at `now`. An event that is late, doubled or about another artifact leaves the
/// record as it is: that is no error.
#[must_use]
pub fn decide(record: &Backup, event: Event, now: Time) -> Step<Backup> {
    let mut next = record.clone();
    let is_answer = event.is_answer();
    let gives_up = matches!(event, Event::Woken | Event::Unanswered(_));
    let is_look = is_answer || matches!(event, Event::Unanswered(_));
    let mut reason = step(&mut next, event, now);
    // A deadline is met by a look, never by the clock alone.
    if is_look && let Some(started) = power::settle(&mut next, now) {
        reason = started;
    }
    if gives_up {
        late::note_publishing(record, &mut next, now);
    }
    // An answer to what was asked, whatever it says, ends a row of calls that did not get through.
    if is_answer && next != *record {
        next.failures = 0;
    }
    Step { record: next, reason }
}

fn step(record: &mut Backup, event: Event, now: Time) -> String {
    use State::{Creating, Deleted, Deleting, Expiring, Failed, Good, Pending, Quiescing, Requested};
    match (record.state, event) {
        (_, Event::SourceTold) => {
            record.source_told = true;
            "its source knows".into()
        }
        (_, Event::Unanswered(trouble)) => unanswered(record, &trouble, now),
        (_, Event::ScaleIn(event)) => scale_in::step(record, event, now),
        (_, Event::Power(event)) => power::step(record, event, now),
        (_, Event::Reserved(by)) => reservation::reserve(record, by, now),
        // What is being deleted can't be kept any more.
        (Requested | Quiescing | Creating | Pending | Good, Event::Pinned(pin)) => record.pin(pin, now),
        (Requested | Quiescing | Creating | Pending | Good, Event::Unpinned(asked)) => record.unpin(&asked, now),

        (Requested, Event::InstanceChosen(chosen)) => {
            let reason = format!("{} is its newest member that can be imaged", chosen.instance);
            record.instance = Some(chosen.instance);
            record.base = chosen.base;
            record.generation = chosen.generation + 1;
            record.artifact = Artifact::Asked;
            if record.capture.protect_from_scale_in && !chosen.protected_from_scale_in {
                record.scale_in = ScaleIn::Asked;
            }
            enter(record, Creating, now, reason)
        }
        (Requested, Event::InstanceFound(found)) => instance::is_found(record, *found, now),
        (Requested, Event::InstanceBusy(why)) => instance::busy(record, &why, now),
        (Pending, Event::Copying(look)) => copy::copying(record, *look, now),
        // What AWS says of a cache is looked at again right before the call.
        (Requested | Creating, Event::CacheChosen(chosen, at)) => cache::is_chosen(record, *chosen, at, now),
        (Requested | Creating, Event::CacheBusy(why)) => again(record, now, RETRY_SECONDS, &why),
        (Requested | Creating, Event::CacheFull { until, why }) => cache::is_full(record, until, &why, now),
        // Whatever an earlier call may have made of it is looked for by the cleanup.
        (Requested | Creating, Event::NoOrigin(why)) => fail(record, now, why),

        (Creating, Event::Made(artifact)) => {
            let reason = format!("AWS makes {}", artifact.as_str());
            kinds::begun(record, now);
            record.artifact_id = Some(artifact);
            record.artifact = Artifact::There;
            enter(record, Pending, now, reason)
        }
        (Creating, Event::CreateRefused(refusal)) => kinds::refused(record, &refusal, now),

        (Pending, Event::ArtifactNews) => {
            record.look_at = now;
            format!("AWS says that {} changed", kinds::words(record).artifact)
        }
        (Pending, Event::Seen(sight)) => sight::seen(record, sight, now),
        (Pending, Event::CacheMeasured(strain, sight)) => {
            cache::is_measured(record, &strain);
            sight::seen(record, sight, now)
        }

        (Good, Event::Publication(event)) => publication::step(record, event, now),
        (Good, Event::Released) => publication::released(record, now),
        (Good, Event::Woken) => publication::woken(record),
        (Good, Event::LetGo(_)) if record.pinned.is_some() => "it is pinned".into(),
        (Good, Event::LetGo(why)) if !record.may_be_published_yet(now) => {
            // However it came to be good again: whether something needs it is looked up now.
            (record.artifact, record.versions_tried) = (Artifact::There, false);
            enter(record, Expiring, now, why)
        }
        (Good, Event::LetGo(_)) => "it is being published, or a call that does so may be on its way".into(),
        (Good, Event::ArtifactGone) => removal::artifact_gone(record, now),
        (Good, Event::ArtifactBack) => {
            (record.missing_since, record.lost_told) = (None, None);
            format!("{} is there", kinds::words(record).artifact)
        }
        (Failed, Event::LeftBehind { artifact, snapshots }) => removal::left_behind(record, artifact, snapshots, now),

        (Expiring | Deleting | Failed, Event::Removal(event)) => removal::step(record, event, now),

        (Expiring | Deleting | Failed, Event::Woken) => removal::woken(record),

        (Quiescing, Event::Woken) => power::woken(record, now),
        // A deadline is met by an answer, never by the clock alone: an image may be complete since the last look.
        (Requested | Creating | Pending | Deleted, Event::Woken) => "nothing to do but what is due".into(),
        // What comes too late, or speaks of a state that is past, changes nothing.
        (
            Requested | Quiescing | Creating | Good | Expiring | Deleting | Deleted | Failed,
            Event::ArtifactNews | Event::Seen(_) | Event::CacheMeasured(..) | Event::Copying(_),
        )
        | (
            Quiescing | Creating | Pending | Good | Expiring | Deleting | Deleted | Failed,
            Event::InstanceChosen(_) | Event::InstanceFound(_) | Event::InstanceBusy(_),
        )
        | (
            Quiescing | Pending | Good | Expiring | Deleting | Deleted | Failed,
            Event::NoOrigin(_) | Event::CacheChosen(..) | Event::CacheBusy(_) | Event::CacheFull { .. },
        )
        | (
            Requested | Quiescing | Pending | Good | Expiring | Deleting | Deleted | Failed,
            Event::Made(_) | Event::CreateRefused(_),
        )
        | (
            Requested | Quiescing | Creating | Pending | Expiring | Deleting | Deleted | Failed,
            Event::Publication(_) | Event::LetGo(_) | Event::Released | Event::ArtifactGone | Event::ArtifactBack,
        )
        | (Requested | Quiescing | Creating | Pending | Good | Deleted, Event::Removal(_))
        | (
            Requested | Quiescing | Creating | Pending | Good | Expiring | Deleting | Deleted,
            Event::LeftBehind { .. },
        )
        | (Expiring | Deleting | Deleted | Failed, Event::Pinned(_) | Event::Unpinned(_)) => "stale".into(),
    }
}

/// The one thing that the record asks for at `now` of the function that looks at `part`. The source hears first, for it
/// decides on turns.
#[must_use]
pub fn due(record: &Backup, part: Queue, now: Time) -> Option<Effect> {
    let gives_back = matches!(part, Queue::Tick | Queue::Poll);
    let give_back = kinds::give_back(record, now).filter(|_| gives_back);
    // Before all else: an instance that is off is missed.
    if record.power.owed().is_some() && give_back.is_some() {
        return give_back;
    }
    if !record.source_told {
        return Some(Effect::Alone(Alone::TellSource));
    }
    if give_back.is_some() {
        return give_back;
    }
    let mine = is_work_of(part, record.state) && now >= record.look_at;
    if mine { work(record, now) } else { None }
}

/// What its state asks of AWS or of its source, if nobody else is at it.
pub(super) fn work(record: &Backup, now: Time) -> Option<Effect> {
    match record.state {
        State::Requested | State::Quiescing | State::Creating => kinds::make(record, now),
        State::Pending => record.artifact_id.as_ref().map(|artifact| kinds::look(record, artifact)),
        State::Good => kinds::publish(record),
        State::Expiring | State::Deleting | State::Failed => removal::due(record, now),
        State::Deleted => None,
    }
}
