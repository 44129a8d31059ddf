//! Notices: what we tell on our bus when something changed that a person or a program may care about.
//!
//! A public contract: there is a sample of each in `events/`, and a test holds them together. Notices are written
//! into the outbox of a record in the same save that changes its state, and are sent at least once; the id stays
//! the same each time.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::id::{BackupId, ImageId, RefreshId, SnapshotId, SourceId, TemplateId};

/// The source of every event of ours on the bus.
pub const EVENT_SOURCE: &str = "lastgood";

/// One notice: the detail of the event that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same each time that this notice is sent.
    pub id: String,
    /// What it is about.
    pub source: SourceId,
    /// When it happened.
    pub at: Time,
    /// One sentence for a person, on one line and without double quotes.
    pub message: String,
    /// What happened.
    #[serde(flatten)]
    pub news: News,
}

/// What can happen, with its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum News {
    /// AWS says that the image and every snapshot of it are complete.
    #[serde(rename = "Backup Good")]
    BackupGood {
        /// Which backup.
        backup: BackupId,
        /// Its image.
        image: ImageId,
        /// Its snapshots.
        snapshots: Vec<SnapshotId>,
    },
    /// There will be no artifact for this slot.
    #[serde(rename = "Backup Failed")]
    BackupFailed {
        /// Which backup.
        backup: BackupId,
        /// Why.
        reason: String,
    },
    /// No good backup in the time that the plan gives.
    #[serde(rename = "Backup Overdue")]
    BackupOverdue {
        /// When it was due at the latest.
        due_by: Time,
        /// The slot of the last good backup, if there is any.
        last_good: Option<Time>,
    },
    /// The group launches from this image from now on.
    #[serde(rename = "Image Published")]
    ImagePublished {
        /// Which backup.
        backup: BackupId,
        /// Its image.
        image: ImageId,
        /// The launch template.
        template: TemplateId,
        /// Its version with the image.
        version: u64,
    },
    /// The image is good, but the group was not pointed at it.
    #[serde(rename = "Publication Held")]
    PublicationHeld {
        /// Which backup.
        backup: BackupId,
        /// Its image.
        image: ImageId,
        /// Why, and what to do.
        reason: String,
    },
    /// A backup was let go and its artifact is deleted.
    #[serde(rename = "Backups Deleted")]
    BackupsDeleted {
        /// Which.
        backups: Vec<DeletedBackup>,
    },
    /// A backup was to be let go, or leftovers to be cleaned, and something forbids it.
    #[serde(rename = "Deletion Refused")]
    DeletionRefused {
        /// Which backup.
        backup: BackupId,
        /// What forbids it.
        reason: String,
    },
    /// An instance refresh pauses at a checkpoint.
    #[serde(rename = "Checkpoint Reached")]
    CheckpointReached {
        /// Which refresh.
        refresh: RefreshId,
        /// Percent of the group that is replaced.
        percentage: u32,
        /// How long AWS waits before it goes on by itself, in seconds.
        delay_seconds: u64,
    },
    /// An instance refresh began, ended or turned back.
    #[serde(rename = "Rollout Changed")]
    RolloutChanged {
        /// Which refresh.
        refresh: RefreshId,
        /// What AWS's event says: `Started`, `Succeeded`, `Rollback Failed`, …
        status: String,
    },
}

/// A deleted backup, in the notice of its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedBackup {
    /// Which backup.
    pub backup: BackupId,
    /// The image that is gone.
    pub image: Option<ImageId>,
    /// The snapshots that are gone.
    pub snapshots: Vec<SnapshotId>,
    /// Why it was let go.
    pub reason: String,
}

impl News {
    /// The detail-type of the event.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::BackupGood { .. } => "Backup Good",
            Self::BackupFailed { .. } => "Backup Failed",
            Self::BackupOverdue { .. } => "Backup Overdue",
            Self::ImagePublished { .. } => "Image Published",
            Self::PublicationHeld { .. } => "Publication Held",
            Self::BackupsDeleted { .. } => "Backups Deleted",
            Self::DeletionRefused { .. } => "Deletion Refused",
            Self::CheckpointReached { .. } => "Checkpoint Reached",
            Self::RolloutChanged { .. } => "Rollout Changed",
        }
    }

    fn message(&self, source: &SourceId) -> String {
        match self {
            Self::BackupGood { backup, image, snapshots } => {
                format!("{source}: backup of {} is good ({image}, {})", backup.slot, count(snapshots.len(), "snapshot"))
            }
            Self::BackupFailed { backup, reason } => {
                format!("{source}: backup of {} failed: {reason}", backup.slot)
            }
            Self::BackupOverdue { due_by, last_good } => match last_good {
                Some(slot) => format!("{source}: no good backup since {slot}; one was due by {due_by}"),
                None => format!("{source}: no good backup yet; one was due by {due_by}"),
            },
            Self::ImagePublished { image, template, version, .. } => {
                format!("{source}: launches from {image} now (version {version} of {template})")
            }
            Self::PublicationHeld { image, reason, .. } => {
                format!("{source}: {image} is good but not published: {reason}")
            }
            Self::BackupsDeleted { backups } => {
                let each: Vec<_> = backups
                    .iter()
                    .map(|deleted| {
                        let image = deleted.image.as_ref().map_or("no image", ImageId::as_str);
                        let snapshots = count(deleted.snapshots.len(), "snapshot");
                        format!("{} ({image}, {snapshots}): {}", deleted.backup.slot, deleted.reason)
                    })
                    .collect();
                format!("{source}: deleted backup of {}", each.join(", of "))
            }
            Self::DeletionRefused { backup, reason } => {
                format!("{source}: backup of {} stays for now: {reason}", backup.slot)
            }
            Self::CheckpointReached { refresh, percentage, delay_seconds } => format!(
                "{source}: refresh {refresh} pauses at {percentage} percent; it goes on by itself after {delay_seconds} s"
            ),
            Self::RolloutChanged { refresh, status } => format!("{source}: refresh {refresh}: {status}"),
        }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

impl Notice {
    /// A notice about `source`; `occasion` is what makes it different from every other one of its kind there.
    #[must_use]
    pub fn new(source: &SourceId, occasion: &str, at: Time, news: News) -> Self {
        let message = news.message(source).replace('"', "'").replace(['\n', '\r'], " ");
        let id = format!("{source}/{occasion}/{}", news.detail_type());
        Self { id, source: source.clone(), at, message, news }
    }
}
