//! What is on record of a backup. Plain data: what follows from it is decided in `life.rs`.

use serde::{Deserialize, Serialize};

use super::life::State;
use super::publication::Publication;
use super::scale_in::ScaleIn;
use crate::Time;
use crate::id::{BackupId, ImageId, InstanceId, SnapshotId};
use crate::notice::{News, Notice};
use crate::plan::{Capture, Policy, Publish};

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
    /// What its plan says of making the image.
    #[serde(default)]
    pub capture: Capture,
    /// Whether the instance is protected from scale-in by us.
    #[serde(default)]
    pub scale_in: ScaleIn,
    /// The instance went away while its image was made.
    #[serde(default)]
    pub instance_lost: bool,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// The image's snapshots, as far as AWS has told them. They stay on record when they are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotId>,
    /// When AWS said that all of it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_at: Option<Time>,
    /// Whether the group launches from it.
    pub publication: Publication,
    /// What its plan says of publishing it.
    #[serde(default)]
    pub publish: Publish,
    /// What of a mixed instances policy the image is not for, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
    /// Somebody wants it kept, whatever its plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pin>,
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
}

/// Why a backup is kept by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Who wants it.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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

/// What AWS holds of a backup, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// Nothing: AWS was never asked.
    None,
    /// CreateImage was or will be sent. AWS may or may not have heard it.
    Asked,
    /// AWS holds the image.
    Held,
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
        let reason = match &origin {
            Origin::Schedule => "its slot came".to_owned(),
            Origin::Request { by, reason: None } => format!("requested by {by}"),
            Origin::Request { by, reason: Some(reason) } => format!("requested by {by}: {reason}"),
            Origin::Retry { of, lost } => format!("{lost} went away under the backup of {of}"),
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
            artifact: Artifact::None,
            instance: None,
            base: None,
            generation: 0,
            capture: policy.capture,
            scale_in: ScaleIn::Untouched,
            instance_lost: false,
            image: None,
            snapshots: Vec::new(),
            good_at: None,
            publication: Publication::NotAsked,
            publish: policy.publish.clone(),
            left_alone: Vec::new(),
            pinned: None,
            refused: None,
            source_told: true,
            outbox: Vec::new(),
        }
    }

    /// The instance that another member is tried for, if this backup was one of a second try.
    #[must_use]
    pub fn retries(&self) -> Option<&InstanceId> {
        match &self.origin {
            Origin::Retry { lost, .. } => Some(lost),
            Origin::Schedule | Origin::Request { .. } => None,
        }
    }

    /// Keeps it by hand, or not any more; told if that is new.
    pub(super) fn pin(&mut self, pin: Option<Pin>, now: Time) -> String {
        if self.pinned == pin || (self.pinned.is_none() && pin.is_none()) {
            return "it is so already".into();
        }
        let reason = match pin.as_ref() {
            Some(Pin { by, reason: Some(reason) }) => format!("pinned by {by}: {reason}"),
            Some(Pin { by, reason: None }) => format!("pinned by {by}"),
            None => "unpinned".to_owned(),
        };
        let news = News::BackupPinned { backup: self.id.clone(), pinned: pin.is_some(), reason: reason.clone() };
        self.pinned = pin;
        self.tell(&format!("/{}", now.as_second()), now, news);
        reason
    }

    /// Puts a notice into the outbox. `occasion` tells notices of one kind about one backup apart.
    pub(super) fn tell(&mut self, occasion: &str, now: Time, news: News) {
        let occasion = format!("{}{occasion}", self.id.slot_text());
        let notice = Notice::new(&self.id.source, &occasion, now, news);
        if !self.outbox.iter().any(|other| other.id == notice.id) {
            self.outbox.push(notice);
        }
    }
}
