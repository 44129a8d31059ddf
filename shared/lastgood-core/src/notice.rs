//! Notices: what we tell on our bus when something changed that a person or a program may care about.
//!
//! A public contract: there is a sample of each in `events/`, and a test holds them together. Notices are written
//! into the outbox of a record in the same save that changes its state, and are sent at least once; the id stays
//! the same each time.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::backup::PublishedTo;
use crate::id::{BackupId, ImageId, InstanceId, RefreshId, SnapshotId, SourceId};
use crate::plan::OnManualChange;

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
    /// The group launches from this image from now on, or the parameter names it.
    #[serde(rename = "Image Published")]
    ImagePublished {
        /// Which backup.
        backup: BackupId,
        /// Its image.
        image: ImageId,
        /// Where: `template` and `version`, or `parameter`.
        #[serde(flatten)]
        to: PublishedTo,
        /// Overrides of the group's mixed instances policy that have a template or an image of their own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_alone: Vec<String>,
    },
    /// Somebody gave the group another image by hand, and the plan says what follows: it is replaced, or adopted.
    #[serde(rename = "Manual Change")]
    ManualChange {
        /// The backup that was to be published.
        backup: BackupId,
        /// The image that was found.
        found: String,
        /// The one that was expected.
        expected: String,
        /// What becomes of it.
        done: OnManualChange,
    },
    /// The image is as many images deep as its plan allows: the next one is held.
    #[serde(rename = "Lineage Deep")]
    LineageDeep {
        /// Which backup.
        backup: BackupId,
        /// How deep it is.
        generation: u32,
    },
    /// A member that was protected from scale-in for its image could not be freed again.
    #[serde(rename = "Protection Left")]
    ProtectionLeft {
        /// Which backup.
        backup: BackupId,
        /// The instance.
        instance: InstanceId,
        /// Why.
        reason: String,
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
    /// Something bears our tag, and no record speaks of it: nothing of it is deleted.
    #[serde(rename = "Artifact Unknown")]
    ArtifactUnknown {
        /// The backup that its tag names.
        backup: String,
        /// Images.
        images: Vec<ImageId>,
        /// Snapshots that no image of ours is over.
        snapshots: Vec<SnapshotId>,
    },
    /// The image of a good backup is gone, and Lastgood did not deregister it.
    #[serde(rename = "Backup Lost")]
    BackupLost {
        /// Which backup.
        backup: BackupId,
        /// Its image.
        image: Option<ImageId>,
    },
    /// Nothing of the source is deleted as long as its newest backup failed.
    #[serde(rename = "Deletion Halted")]
    DeletionHalted {
        /// How many backups would have gone.
        backups: usize,
        /// The slot of the backup that failed.
        failed: Time,
        /// Why it failed.
        reason: String,
    },
    /// A source came under a plan.
    #[serde(rename = "Source Found")]
    SourceFound {
        /// The plan.
        plan: String,
    },
    /// A source is deleted, or no plan selects it any more.
    #[serde(rename = "Source Lost")]
    SourceLost {
        /// What became of it, and what becomes of its backups.
        reason: String,
    },
    /// The tags of two plans select the same source; it stays with the first.
    #[serde(rename = "Source Contested")]
    SourceContested {
        /// The plan that it is in.
        plan: String,
        /// The other one.
        other: String,
    },
    /// An operator wants nothing published.
    #[serde(rename = "Source Held")]
    SourceHeld {
        /// Who, and why.
        reason: String,
    },
    /// Publishing goes on.
    #[serde(rename = "Source Released")]
    SourceReleased {
        /// Who said so, and why.
        reason: String,
    },
    /// An operator had a slot passed over.
    #[serde(rename = "Slot Skipped")]
    SlotSkipped {
        /// The slot.
        slot: Time,
        /// The one after it.
        next_slot: Option<Time>,
        /// Who said so.
        reason: String,
    },
    /// A backup is kept by hand, or not any more.
    #[serde(rename = "Backup Pinned")]
    BackupPinned {
        /// Which backup.
        backup: BackupId,
        /// Whether it is pinned now.
        pinned: bool,
        /// Who said so, and why.
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
    /// Snapshots of it that stay, for another image is over them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SnapshotId>,
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
            Self::ManualChange { .. } => "Manual Change",
            Self::LineageDeep { .. } => "Lineage Deep",
            Self::ProtectionLeft { .. } => "Protection Left",
            Self::ArtifactUnknown { .. } => "Artifact Unknown",
            Self::BackupLost { .. } => "Backup Lost",
            Self::DeletionHalted { .. } => "Deletion Halted",
            Self::SourceFound { .. } => "Source Found",
            Self::SourceLost { .. } => "Source Lost",
            Self::SourceContested { .. } => "Source Contested",
            Self::SourceHeld { .. } => "Source Held",
            Self::SourceReleased { .. } => "Source Released",
            Self::SlotSkipped { .. } => "Slot Skipped",
            Self::BackupPinned { .. } => "Backup Pinned",
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
            Self::ImagePublished { image, to, left_alone, .. } => {
                let to = match to {
                    PublishedTo::Version { template, version } => {
                        format!("launches from {image} now (version {version} of {template})")
                    }
                    PublishedTo::Parameter { parameter } => format!("{parameter} names {image} now"),
                };
                let alone = if left_alone.is_empty() {
                    String::new()
                } else {
                    format!("; left alone: {}", left_alone.join(", "))
                };
                format!("{source}: {to}{alone}")
            }
            Self::ManualChange { found, expected, done, .. } => match done {
                OnManualChange::Overwrite => {
                    format!("{source}: somebody changed {expected} to {found} by hand; its plan says to overwrite that")
                }
                OnManualChange::Adopt | OnManualChange::Hold => {
                    format!(
                        "{source}: somebody changed {expected} to {found} by hand; what follows is based on {found}"
                    )
                }
            },
            Self::LineageDeep { backup, generation } => format!(
                "{source}: the image of {} is {generation} images deep, as many as its plan allows; give the group a clean image soon",
                backup.slot
            ),
            Self::ProtectionLeft { backup, instance, reason } => format!(
                "{source}: {instance} is still protected from scale-in after the backup of {}: {reason}",
                backup.slot
            ),
            Self::DeletionHalted { backups, failed, reason } => format!(
                "{source}: {} would be deleted and stay until a backup is good again; that of {failed} failed: {reason}",
                count(*backups, "backup")
            ),
            Self::SourceFound { plan } => format!("{source}: backed up by plan {plan} from now on"),
            Self::SourceLost { reason } => format!("{source}: not backed up any more: {reason}"),
            Self::SourceContested { plan, other } => {
                format!("{source}: the tags of plan {other} select it, and it stays in plan {plan}; leave it in one")
            }
            Self::SourceHeld { reason } => format!("{source}: nothing is published: {reason}"),
            Self::SourceReleased { reason } => format!("{source}: publishing goes on: {reason}"),
            Self::SlotSkipped { slot, next_slot, reason } => match next_slot {
                Some(next) => format!("{source}: no backup for {slot}, the next is for {next}: {reason}"),
                None => format!("{source}: no backup for {slot}, which was the last slot: {reason}"),
            },
            Self::BackupPinned { backup, pinned, reason } => {
                let kept = if *pinned { "stays whatever its plan says" } else { "is kept as its plan says" };
                format!("{source}: the backup of {} {kept}: {reason}", backup.slot)
            }
            Self::PublicationHeld { image, reason, .. } => {
                format!("{source}: {image} is good but not published: {reason}")
            }
            Self::BackupsDeleted { backups } => {
                let each: Vec<_> = backups.iter().map(DeletedBackup::words).collect();
                format!("{source}: deleted backup of {}", each.join(", of "))
            }
            Self::DeletionRefused { backup, reason } => {
                format!("{source}: backup of {} stays for now: {reason}", backup.slot)
            }
            Self::ArtifactUnknown { backup, images, snapshots } => {
                let images = images.iter().map(ImageId::as_str);
                let ids: Vec<&str> = images.chain(snapshots.iter().map(SnapshotId::as_str)).collect();
                format!(
                    "{source}: no record speaks of {}, tagged as the backup {backup}; it stays, and is yours to keep or to delete",
                    ids.join(", ")
                )
            }
            Self::BackupLost { backup, image } => {
                let image = image.as_ref().map_or("its image", ImageId::as_str);
                format!(
                    "{source}: the backup of {} can't be restored any more: somebody deregistered {image}",
                    backup.slot
                )
            }
            Self::CheckpointReached { refresh, percentage, delay_seconds } => format!(
                "{source}: refresh {refresh} pauses at {percentage} percent; it goes on by itself after {delay_seconds} s"
            ),
            Self::RolloutChanged { refresh, status } => format!("{source}: refresh {refresh}: {status}"),
        }
    }
}

impl DeletedBackup {
    fn words(&self) -> String {
        let image = self.image.as_ref().map_or("no image", ImageId::as_str);
        let snapshots = count(self.snapshots.len(), "snapshot");
        let shared: Vec<&str> = self.shared.iter().map(SnapshotId::as_str).collect();
        let shared = match shared.as_slice() {
            [] => String::new(),
            shared => format!("; {} stay, for another image is over them", shared.join(", ")),
        };
        format!("{} ({image}, {snapshots}{shared}): {}", self.backup.slot, self.reason)
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
