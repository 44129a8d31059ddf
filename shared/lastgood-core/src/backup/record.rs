//! What is on record of a backup. Plain data: what follows from it is decided in `life.rs`.

use serde::{Deserialize, Serialize};

use super::life::State;
use super::publication::Publication;
use crate::Time;
use crate::id::{BackupId, ImageId, InstanceId, SnapshotId};
use crate::notice::{News, Notice};
use crate::plan::OnManualChange;

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
    /// Since when AWS does not show the image, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Time>,
    /// What AWS holds of it.
    pub artifact: Artifact,
    /// The instance that the image is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
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
    /// What its plan says of an image that was changed by hand.
    pub on_manual_change: OnManualChange,
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
    pub fn requested(id: BackupId, plan: &str, origin: Origin, on_manual_change: OnManualChange, now: Time) -> Self {
        let reason = match &origin {
            Origin::Schedule => "its slot came".to_owned(),
            Origin::Request { by, reason: None } => format!("requested by {by}"),
            Origin::Request { by, reason: Some(reason) } => format!("requested by {by}: {reason}"),
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
            missing_since: None,
            artifact: Artifact::None,
            instance: None,
            image: None,
            snapshots: Vec::new(),
            good_at: None,
            publication: Publication::NotAsked,
            on_manual_change,
            refused: None,
            source_told: true,
            outbox: Vec::new(),
        }
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
