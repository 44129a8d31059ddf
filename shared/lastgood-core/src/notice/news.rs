//! What can happen that somebody may care about: each kind of notice, with its facts.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::words::DeletedBackup;
use crate::id::{BackupId, ImageId, InstanceId, RefreshId, RolloutId, SnapshotId, TemplateId};
use crate::{Time, backup::PublishedTo, plan::OnManualChange, rollout::Verdict, watch::Pulse};

/// What can happen, with its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum News {
    /// AWS says that the image and every snapshot of it are complete.
    #[serde(rename = "Backup Good")]
    BackupGood {
        /// Which backup.
        backup: BackupId,
        /// Its image, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<ImageId>,
        /// The snapshots of that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        snapshots: Vec<SnapshotId>,
        /// The name of its snapshot, if it is one of a cache.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_snapshot: Option<String>,
    },
    /// AWS takes no more backups of the cache for now: the backup waits for that.
    #[serde(rename = "Backup Waits")]
    BackupWaits {
        /// Which backup.
        backup: BackupId,
        /// When AWS is asked again.
        until: Time,
        /// Why.
        reason: String,
    },
    /// The copy of an instance's volumes stands still for longer than is to be expected.
    #[serde(rename = "Backup Stuck")]
    BackupStuck {
        /// Which backup.
        backup: BackupId,
        /// How much is copied, in percent.
        percent: u32,
        /// Since when no more is.
        since: Time,
        /// The same in words.
        reason: String,
    },
    /// An instance that was shut down for its image could not be started at once. It is tried on.
    #[serde(rename = "Instance Not Started")]
    InstanceNotStarted {
        /// Which backup.
        backup: BackupId,
        /// The instance.
        instance: InstanceId,
        /// Why.
        reason: String,
    },
    /// It is off for more than five minutes longer than its image needed. It is tried on, and somebody is wanted.
    #[serde(rename = "Instance Left Stopped")]
    InstanceLeftStopped {
        /// Which backup.
        backup: BackupId,
        /// The instance.
        instance: InstanceId,
        /// Since when it is to be started.
        since: Time,
        /// Why it is not.
        reason: String,
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
    /// Something bears our tag, and no record says that it should be there: nothing of it is deleted.
    #[serde(rename = "Artifact Unknown")]
    ArtifactUnknown {
        /// The backup that its tag names.
        backup: String,
        /// Images.
        images: Vec<ImageId>,
        /// Snapshots that no image of ours is over.
        snapshots: Vec<SnapshotId>,
        /// Snapshots of caches, by their names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cache_snapshots: Vec<String>,
    },
    /// The image of a good backup is gone, and Lastgood did not deregister it.
    #[serde(rename = "Backup Lost")]
    BackupLost {
        /// Which backup.
        backup: BackupId,
        /// Its image, if it was one.
        image: Option<ImageId>,
        /// The name of its snapshot, if it was one of a cache.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_snapshot: Option<String>,
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
        /// Why its backups will not come as the plan wants, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        obstacle: Option<String>,
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
        /// The rollout, if it is one of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<RolloutId>,
        /// Which of its pauses, from 1: for whoever answers with a verdict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        visit: Option<u32>,
        /// When the verdict is due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// The group named `$Latest` or `$Default`, and is pinned to the version that it launches from: so AWS can go back.
    #[serde(rename = "Group Pinned")]
    GroupPinned {
        /// The backup that is to be rolled out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<BackupId>,
        /// The rollout of an image that an operator gives the group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<RolloutId>,
        /// The launch template.
        template: TemplateId,
        /// The version.
        version: u64,
        /// How the group named it before.
        was: String,
    },
    /// A pause at a checkpoint got its verdict.
    #[serde(rename = "Verdict Given")]
    VerdictGiven {
        /// Which rollout.
        rollout: RolloutId,
        /// Which of its pauses, from 1.
        visit: u32,
        /// Percent of the group that is replaced.
        percentage: u32,
        /// `go-on` or `roll-back`.
        verdict: Verdict,
        /// Who agreed, or why not.
        reason: String,
    },
    /// A pause is held, for nobody judged it in time and its plan says so.
    #[serde(rename = "Rollout Held")]
    RolloutHeld {
        /// Which rollout.
        rollout: RolloutId,
        /// Which of its pauses, from 1.
        visit: u32,
        /// When it is taken back if nobody has judged it by then.
        until: Time,
        /// Why.
        reason: String,
    },
    /// The group launches from the image, and its members do.
    #[serde(rename = "Rollout Succeeded")]
    RolloutSucceeded {
        /// Which rollout.
        rollout: RolloutId,
        /// The image.
        image: ImageId,
        /// The account that owns it, if an operator gave the group an image of another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// The template version with it.
        version: u64,
    },
    /// The group is as it was, and the image is not published again.
    #[serde(rename = "Rollout Rolled Back")]
    RolloutRolledBack {
        /// Which rollout.
        rollout: RolloutId,
        /// The image.
        image: ImageId,
        /// The template version that the group launches from again.
        version: u64,
        /// Why.
        reason: String,
    },
    /// A rollout did not come about, or did not come to its end: an operator is wanted.
    #[serde(rename = "Rollout Failed")]
    RolloutFailed {
        /// Which rollout.
        rollout: RolloutId,
        /// Why, and how the group is.
        reason: String,
    },
    /// Something was asked on our bus and is not done.
    #[serde(rename = "Request Refused")]
    RequestRefused {
        /// What was asked: the detail-type of the request.
        request: String,
        /// Who asked.
        by: String,
        /// Why it is not done, and what to do.
        reason: String,
    },
    /// The bus took no notices for so long that the record of a source had no room for more.
    #[serde(rename = "Notices Not Kept")]
    NoticesNotKept {
        /// When the first of them was to be sent.
        since: Time,
        /// How many of each kind.
        kinds: BTreeMap<String, usize>,
    },
    /// An instance refresh began, ended or turned back.
    #[serde(rename = "Rollout Changed")]
    RolloutChanged {
        /// Which refresh.
        refresh: RefreshId,
        /// What AWS's event says: `Started`, `Succeeded`, `Rollback Failed`, …
        status: String,
    },
    /// Once a day: notices arrive, and this is how the sources are.
    #[serde(rename = "Heartbeat")]
    Heartbeat {
        /// How many sources there are, and of how many something is wrong.
        #[serde(flatten)]
        pulse: Pulse,
    },
    /// An operator asked whether notices arrive.
    #[serde(rename = "Notice Test")]
    NoticeTest {
        /// Who asked.
        by: String,
        /// What the command calls the test: the id of the request's event.
        test: String,
    },
    /// The records are in another table than at the last look. Nothing is deleted for a while.
    #[serde(rename = "Table Replaced")]
    TableReplaced {
        /// The table before.
        was: String,
        /// The table now.
        table: String,
        /// Until then nothing is deleted.
        until: Time,
    },
    /// Parts of the deployment are missing or off.
    #[serde(rename = "Deployment Broken")]
    DeploymentBroken {
        /// All of them, each with what to do.
        parts: Vec<String>,
    },
    /// All parts of the deployment are there and on again.
    #[serde(rename = "Deployment Mended")]
    DeploymentMended {},
}
