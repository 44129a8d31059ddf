//! What each notice says to a person, in one sentence, and what its event is called.

use serde::{Deserialize, Serialize};

use super::News;
use crate::backup::PublishedTo;
use crate::id::{BackupId, ImageId, SnapshotId};
use crate::plan::OnManualChange;

impl News {
    /// The detail-type of the event.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::BackupGood { .. } => "Backup Good",
            Self::BackupFailed { .. } => "Backup Failed",
            Self::BackupWaits { .. } => "Backup Waits",
            Self::BackupStuck { .. } => "Backup Stuck",
            Self::InstanceNotStarted { .. } => "Instance Not Started",
            Self::InstanceLeftStopped { .. } => "Instance Left Stopped",
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
            Self::GroupPinned { .. } => "Group Pinned",
            Self::VerdictGiven { .. } => "Verdict Given",
            Self::RolloutHeld { .. } => "Rollout Held",
            Self::RolloutSucceeded { .. } => "Rollout Succeeded",
            Self::RolloutRolledBack { .. } => "Rollout Rolled Back",
            Self::RolloutFailed { .. } => "Rollout Failed",
            Self::RolloutChanged { .. } => "Rollout Changed",
            Self::Heartbeat { .. } => "Heartbeat",
            Self::NoticeTest { .. } => "Notice Test",
            Self::TableReplaced { .. } => "Table Replaced",
            Self::DeploymentBroken { .. } => "Deployment Broken",
            Self::DeploymentMended {} => "Deployment Mended",
            Self::RequestRefused { .. } => "Request Refused",
            Self::NoticesNotKept { .. } => "Notices Not Kept",
        }
    }

    pub(super) fn message(&self, source: &str) -> String {
        match self {
            Self::BackupGood { backup, image, snapshots, cache_snapshot } => {
                let what = holds(image.as_ref(), snapshots, cache_snapshot.as_deref());
                format!("{source}: backup of {} is good ({what})", backup.slot)
            }
            Self::BackupWaits { backup, until, reason } => {
                format!("{source}: backup of {} waits until {until}: {reason}", backup.slot)
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
            Self::ProtectionLeft { .. }
            | Self::BackupStuck { .. }
            | Self::InstanceNotStarted { .. }
            | Self::InstanceLeftStopped { .. } => self.of_instance(source),
            Self::DeletionHalted { backups, failed, reason } => format!(
                "{source}: {} would be deleted and stay until a backup is good again; that of {failed} failed: {reason}",
                count(*backups, "backup")
            ),
            Self::SourceFound { .. }
            | Self::SourceLost { .. }
            | Self::SourceContested { .. }
            | Self::SourceHeld { .. }
            | Self::SourceReleased { .. }
            | Self::SlotSkipped { .. } => self.of_source(source),
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
            Self::ArtifactUnknown { backup, images, snapshots, cache_snapshots } => {
                let ids = every(images, snapshots, cache_snapshots);
                format!(
                    "{source}: no record says that {ids} should be there, tagged as the backup {backup}; it stays, and is yours to keep or to delete"
                )
            }
            Self::BackupLost { backup, image, cache_snapshot } => {
                let image = image.as_ref().map_or("its image", ImageId::as_str);
                let deregistered = || format!("somebody deregistered {image}");
                let what = cache_snapshot.as_ref().map_or_else(deregistered, |name| format!("somebody deleted {name}"));
                format!("{source}: the backup of {} can't be restored any more: {what}", backup.slot)
            }
            Self::CheckpointReached { .. }
            | Self::GroupPinned { .. }
            | Self::VerdictGiven { .. }
            | Self::RolloutHeld { .. }
            | Self::RolloutSucceeded { .. }
            | Self::RolloutRolledBack { .. }
            | Self::RolloutFailed { .. }
            | Self::RolloutChanged { .. } => self.of_rollout(source),
            Self::NoticesNotKept { .. }
            | Self::RequestRefused { .. }
            | Self::Heartbeat { .. }
            | Self::NoticeTest { .. }
            | Self::TableReplaced { .. }
            | Self::DeploymentBroken { .. }
            | Self::DeploymentMended {} => self.of_lastgood(source),
        }
    }

    /// Those of Lastgood itself and of what is asked of it; of others it says nothing.
    fn of_lastgood(&self, source: &str) -> String {
        match self {
            Self::NoticesNotKept { kinds, .. } => {
                let count = count(kinds.values().sum(), "further notice");
                let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
                let kinds = kinds.join(", ");
                format!(
                    "{source}: {count} could not be kept while the bus took none ({kinds}); `lastgood status` and `lastgood backups` show how things are"
                )
            }
            Self::RequestRefused { request, by, reason } => {
                format!("{source}: '{request}' by {by} is refused: {reason}")
            }
            Self::Heartbeat { pulse } => format!(
                "Lastgood is alive and its notices arrive: {} sources, {} overdue, {} held, {} without a good backup yet",
                pulse.sources, pulse.overdue, pulse.held, pulse.never_good
            ),
            Self::NoticeTest { by, test } => {
                format!("This is the test {test} that {by} asked for: Lastgood's notices arrive here")
            }
            Self::TableReplaced { was, table, until } => format!(
                "Lastgood's records are in the table {table} now, and were in {was}; if it was restored, pin and hold again what was \
                 pinned and held since: nothing is deleted until {until}"
            ),
            Self::DeploymentBroken { parts } => {
                format!("Lastgood's own deployment is not whole: {}", parts.join("; "))
            }
            Self::DeploymentMended {} => "Lastgood's own deployment is whole again".to_owned(),
            _ => String::new(),
        }
    }

    /// Those of the instance that an image is made of; of others it says nothing.
    fn of_instance(&self, source: &str) -> String {
        match self {
            Self::ProtectionLeft { backup, instance, reason } => format!(
                "{source}: {instance} is still protected from scale-in after the backup of {}: {reason}",
                backup.slot
            ),
            Self::BackupStuck { backup, reason, .. } => {
                format!("{source}: the copy for the backup of {} stands still: {reason}", backup.slot)
            }
            Self::InstanceNotStarted { instance, reason, .. } => {
                format!("{source}: {instance} is off for its backup and can't be started, which is tried on: {reason}")
            }
            Self::InstanceLeftStopped { instance, since, reason, .. } => {
                format!(
                    "{source}: {instance} is still off, and was to be started at {since}; start it, or see to it that it can be: {reason}"
                )
            }
            _ => String::new(),
        }
    }

    /// Those of sources; of others it says nothing.
    fn of_source(&self, source: &str) -> String {
        match self {
            Self::SourceFound { plan, obstacle } => {
                let but = obstacle.as_ref().map_or(String::new(), |obstacle| format!("; but it {obstacle}"));
                format!("{source}: backed up by plan {plan} from now on{but}")
            }
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
            _ => String::new(),
        }
    }

    /// Those of rollouts; of others it says nothing.
    fn of_rollout(&self, source: &str) -> String {
        match self {
            Self::CheckpointReached { refresh, percentage, delay_seconds, deadline, .. } => {
                let judged = match deadline {
                    Some(deadline) => format!("its verdict is due by {deadline}"),
                    None => format!("it goes on by itself after {delay_seconds} s"),
                };
                format!("{source}: refresh {refresh} pauses at {percentage} percent; {judged}")
            }
            Self::GroupPinned { template, version, was, .. } => {
                format!("{source}: names version {version} of {template} now, not {was}: so that AWS can roll it back")
            }
            Self::VerdictGiven { percentage, verdict, reason, .. } => {
                format!("{source}: at {percentage} percent: {}: {reason}", verdict.words())
            }
            Self::RolloutHeld { until, reason, .. } => {
                format!("{source}: its rollout is held until {until}, and is taken back then: {reason}")
            }
            Self::RolloutSucceeded { image, owner, version, .. } => {
                let whose = owner.as_ref().map(|owner| {
                    format!("; it belongs to account {owner}, and Lastgood's retention does not protect it: copy it into this account if it must stay")
                });
                let whose = whose.unwrap_or_default();
                format!("{source}: {image} is rolled out (version {version}), and the group launches from it{whose}")
            }
            Self::RolloutRolledBack { image, version, reason, .. } => {
                format!("{source}: {image} is rolled back to version {version}, and is not published again: {reason}")
            }
            Self::RolloutFailed { reason, .. } => format!("{source}: its rollout is over: {reason}"),
            Self::RolloutChanged { refresh, status } => format!("{source}: refresh {refresh}: {status}"),
            _ => String::new(),
        }
    }
}

/// A deleted backup, in the notice of its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedBackup {
    /// Which backup.
    pub backup: BackupId,
    /// The image that is gone.
    pub image: Option<ImageId>,
    /// The name of the snapshot of a cache that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_snapshot: Option<String>,
    /// The snapshots that are gone.
    pub snapshots: Vec<SnapshotId>,
    /// Snapshots of it that stay, for another image is over them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SnapshotId>,
    /// Why it was let go.
    pub reason: String,
}

impl DeletedBackup {
    fn words(&self) -> String {
        let what = holds(self.image.as_ref(), &self.snapshots, self.cache_snapshot.as_deref());
        let shared: Vec<&str> = self.shared.iter().map(SnapshotId::as_str).collect();
        let shared = match shared.as_slice() {
            [] => String::new(),
            shared => format!("; {} stay, for another image is over them", shared.join(", ")),
        };
        format!("{} ({what}{shared}): {}", self.backup.slot, self.reason)
    }
}

/// All ids, in one list.
fn every(images: &[ImageId], snapshots: &[SnapshotId], cache_snapshots: &[String]) -> String {
    let ids = images.iter().map(ImageId::as_str).chain(snapshots.iter().map(SnapshotId::as_str));
    ids.chain(cache_snapshots.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
}

/// What AWS holds, or held, of a backup.
fn holds(image: Option<&ImageId>, snapshots: &[SnapshotId], cache_snapshot: Option<&str>) -> String {
    if let Some(name) = cache_snapshot {
        return name.to_owned();
    }
    let image = image.map_or("no image", ImageId::as_str);
    format!("{image}, {}", count(snapshots.len(), "snapshot"))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
