//! What is on record of a backup. Plain data: what follows from it is decided in `life.rs`.

use serde::{Deserialize, Serialize};

use super::cache::CachePart;
use super::copy::CopyPart;
use super::life::State;
use super::power::PowerPart;
use super::publication::Publication;
use super::reservation::Reservation;
use super::scale_in::ScaleIn;
use crate::Time;
use crate::group::Wish;
use crate::id::{ArtifactId, BackupId, CacheSnapshotId, ImageId, InstanceId, RolloutId, SnapshotId, TemplateId};
use crate::notice::{News, Notice};
use crate::outbox;
use crate::plan::{Capture, Policy, Publish, PublishTo};

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Which source, which slot.
    pub id: BackupId,
    /// The plan that it was made under.
    pub plan: String,
    /// Who asked for it.
    pub origin: Origin,
    /// When its slot was claimed.
    pub requested_at: Time,
    /// Where it is in its life.
    pub state: State,
    /// Since when.
    pub since: Time,
    /// Why it is there, in words.
    pub reason: String,
    /// Nothing is due before this.
    pub look_at: Time,
    /// The last call that did not get through, or was told to wait. Empty once one gets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How many calls in a row did not get through.
    #[serde(default)]
    pub failures: u32,
    /// When it was told that its image is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_told: Option<Time>,
    /// Since when AWS does not show the image, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Time>,
    /// What AWS holds of it.
    pub artifact: Artifact,
    /// The instance that the image is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// The image that the instance was launched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<ImageId>,
    /// How many images deep it is: 1 from an instance of an image that is not ours, 2 from an instance of such an image
    /// of ours, and so on. 0 as long as no instance is chosen.
    #[serde(default)]
    pub generation: u32,
    /// What is to be known of it because it is one of a cache.
    #[serde(default, skip_serializing_if = "CachePart::is_empty")]
    pub cache: CachePart,
    /// What is to be known of it because it is one of a single instance.
    #[serde(default, skip_serializing_if = "CopyPart::is_empty")]
    pub copy: CopyPart,
    /// Whether its instance is on.
    #[serde(default, skip_serializing_if = "PowerPart::is_empty")]
    pub power: PowerPart,
    /// What its plan says of making the image.
    #[serde(default)]
    pub capture: Capture,
    /// Whether the instance is protected from scale-in by us.
    #[serde(default)]
    pub scale_in: ScaleIn,
    /// The last refusal to take its protection away that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_told: Option<String>,
    /// The instance went away while its image was made.
    #[serde(default)]
    pub instance_lost: bool,
    /// Its id at AWS, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_id: Option<ArtifactId>,
    /// The image's snapshots, as far as AWS has told them. They stay on record when they are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotId>,
    /// Snapshots of it that another image is over too: they stay with that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SnapshotId>,
    /// Versions of launch templates that we made with the image, and that go before it. On record while it is condemned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<(TemplateId, u64)>,
    /// AWS left some of them: they are not tried again.
    #[serde(default)]
    pub versions_tried: bool,
    /// When AWS took the image for the parameter first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Time>,
    /// When AWS said that all of it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_at: Option<Time>,
    /// Whether the group launches from it.
    pub publication: Publication,
    /// Since when nobody waits for the answer of a call that publishes it and may be on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_unheard_at: Option<Time>,
    /// What its plan says of publishing it.
    #[serde(default)]
    pub publish: Publish,
    /// The version that its group was seen to follow by `$Latest` or `$Default`, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<(u64, Time)>,
    /// Why the backup before it was held, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_before: Option<String>,
    /// What of a mixed instances policy the image is not for, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
    /// When a pin was asked for last, or to take it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_asked_at: Option<Time>,
    /// Somebody wants it kept, whatever its plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pin>,
    /// Something is about to launch from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reservation>,
    /// The last refusal to delete it that was told, so that it is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Its source has heard of the outcome so far.
    pub source_told: bool,
    /// Notices that are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
}

/// Who asked for a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The plan's schedule.
    Schedule,
    /// A request on the bus.
    Request {
        /// Who.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The backup of the slot `of` lost its instance: another member is tried, once.
    Retry {
        /// The slot of the backup that failed.
        of: Time,
        /// The instance that was lost.
        lost: InstanceId,
    },
    /// A rollout goes on from a pause, and its plan has each of these backed up: kept to come back to, and not published.
    Checkpoint {
        /// The rollout.
        rollout: RolloutId,
        /// Percent of the group that were replaced.
        percentage: u32,
        /// The template.
        template: TemplateId,
        /// Its version that is rolled out: a member of that is imaged.
        version: u64,
    },
}

/// Why a backup is kept by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Who wants it.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked for.
    pub at: Time,
}

/// The instance that an image is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The instance.
    pub instance: InstanceId,
    /// The image that it was launched from.
    pub base: Option<ImageId>,
    /// How many images deep that image is: 0 if it is not ours.
    pub generation: u32,
    /// Somebody has protected the instance from scale-in already.
    pub protected_from_scale_in: bool,
}

impl Pin {
    fn words(&self, done: &str) -> String {
        match &self.reason {
            Some(reason) => format!("{done} by {}: {reason}", self.by),
            None => format!("{done} by {}", self.by),
        }
    }
}

/// What AWS holds of a backup, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// Nothing: AWS was never asked.
    None,
    /// CreateImage was or will be sent. AWS may or may not have heard it.
    Asked,
    /// AWS holds the image.
    There,
    /// Its ids are on record and it may go. DeregisterImage may or may not have been heard.
    Condemned,
    /// The image is gone; snapshots of it may be left.
    SnapshotsLeft,
    /// Nothing is left.
    Gone,
}

impl Backup {
    /// A backup whose slot was just claimed. AWS has heard nothing yet.
    #[must_use]
    pub fn requested(id: BackupId, plan: &str, origin: Origin, policy: &Policy, now: Time) -> Self {
        let (mut capture, mut publish) = (policy.capture, policy.publish.clone());
        if let Origin::Checkpoint { .. } = origin {
            capture.during_refresh = true;
            publish.to = PublishTo::Nothing;
        }
        if id.source.group().is_none() {
            publish = Publish { to: PublishTo::Nothing, ..Publish::default() };
        }
        let reason = match &origin {
            Origin::Schedule => "its slot came".to_owned(),
            Origin::Request { by, reason: None } => format!("requested by {by}"),
            Origin::Request { by, reason: Some(reason) } => format!("requested by {by}: {reason}"),
            Origin::Retry { of, lost } => format!("{lost} went away under the backup of {of}"),
            Origin::Checkpoint { rollout, percentage, .. } => {
                format!("rollout {rollout} goes on at {percentage} percent")
            }
        };
        Self {
            id,
            plan: plan.to_owned(),
            origin,
            requested_at: now,
            state: State::Requested,
            since: now,
            reason,
            look_at: now,
            trouble: None,
            failures: 0,
            missing_since: None,
            lost_told: None,
            artifact: Artifact::None,
            instance: None,
            base: None,
            generation: 0,
            cache: CachePart::default(),
            copy: CopyPart::default(),
            power: PowerPart::default(),
            capture,
            scale_in: ScaleIn::Untouched,
            protection_told: None,
            instance_lost: false,
            artifact_id: None,
            snapshots: Vec::new(),
            shared: Vec::new(),
            versions: Vec::new(),
            versions_tried: false,
            written_at: None,
            good_at: None,
            publication: Publication::NotAsked,
            publish_unheard_at: None,
            publish,
            follows: None,
            held_before: None,
            left_alone: Vec::new(),
            pin_asked_at: None,
            pinned: None,
            reserved: None,
            refused: None,
            source_told: true,
            outbox: Vec::new(),
        }
    }

    /// Its image, if an image is what AWS holds of it, and its id is known.
    #[must_use]
    pub fn image(&self) -> Option<&ImageId> {
        self.artifact_id.as_ref()?.image()
    }

    /// Its snapshot of a cache, if that is what AWS holds of it, and its name is known.
    #[must_use]
    pub fn cache_snapshot(&self) -> Option<&CacheSnapshotId> {
        self.artifact_id.as_ref()?.cache_snapshot()
    }

    /// The instance that another member is tried for, if this backup was one of a second try.
    #[must_use]
    pub fn retries(&self) -> Option<&InstanceId> {
        match &self.origin {
            Origin::Retry { lost, .. } => Some(lost),
            Origin::Schedule | Origin::Request { .. } | Origin::Checkpoint { .. } => None,
        }
    }

    /// Whether it is one of a rollout's pause: kept, and not published.
    #[must_use]
    pub fn is_of_checkpoint(&self) -> bool {
        matches!(self.origin, Origin::Checkpoint { .. })
    }

    /// Which member its image may be made from.
    #[must_use]
    pub fn wish(&self) -> Wish<'_> {
        match &self.origin {
            Origin::Schedule | Origin::Request { .. } => Wish::Any,
            Origin::Retry { lost, .. } => Wish::Not(lost),
            Origin::Checkpoint { template, version, .. } => Wish::On(template, *version),
        }
    }

    /// Why nobody can have it kept any more, if so.
    #[must_use]
    pub fn cannot_be_pinned(&self) -> Option<&'static str> {
        match self.state {
            State::Requested | State::Quiescing | State::Creating | State::Pending | State::Good => None,
            State::Expiring | State::Deleting => Some("it is being deleted"),
            State::Deleted => Some("it is deleted"),
            State::Failed => Some("it failed"),
        }
    }

    /// Requests come twice, late and in any order: the newest one holds, and of two within one second the one that is
    /// heard last. Whether this one changes anything.
    fn hears(&mut self, at: Time, is_so: bool) -> bool {
        let is_late = self.pin_asked_at.is_some_and(|asked| asked > at);
        if !is_late {
            self.pin_asked_at = Some(at);
        }
        !is_late && !is_so
    }

    /// Keeps it by hand; told if that is new.
    pub(super) fn pin(&mut self, pin: Pin, now: Time) -> String {
        if !self.hears(pin.at, self.pinned.is_some()) {
            return "it is so already, or was asked before".into();
        }
        let reason = pin.words("pinned");
        self.pinned = Some(pin);
        let news = News::BackupPinned { backup: self.id.clone(), pinned: true, reason: reason.clone() };
        self.tell(&format!("/{}/pinned", now.as_second()), now, news);
        reason
    }

    /// Keeps it as its plan says again.
    pub(super) fn unpin(&mut self, asked: &Pin, now: Time) -> String {
        if !self.hears(asked.at, self.pinned.is_none()) {
            return "it is so already, or was asked before".into();
        }
        self.pinned = None;
        let reason = asked.words("unpinned");
        let news = News::BackupPinned { backup: self.id.clone(), pinned: false, reason: reason.clone() };
        self.tell(&format!("/{}/unpinned", now.as_second()), now, news);
        reason
    }

    /// Puts a notice into the outbox. `occasion` tells notices of one kind about one backup apart.
    pub(super) fn tell(&mut self, occasion: &str, now: Time, news: News) {
        let occasion = format!("{}{occasion}", self.id.slot_text());
        outbox::put(&mut self.outbox, Notice::new(&self.id.source, &occasion, now, news));
    }
}
