//! How long the lists and texts of a notice may be: it stands in a record of the table, and goes over the bus in one entry.

use super::{LISTED_MAX, News};
use crate::text::cut;

/// The longest text of one field, in bytes.
const FIELD_BYTES_MAX: usize = 4_000;

impl News {
    /// The same with every list and text in its bounds, and how many entries are left out.
    pub(super) fn bounded(mut self) -> (Self, usize) {
        let left_out = match &mut self {
            Self::BackupGood { snapshots, .. } => shorten(snapshots),
            Self::ImagePublished { left_alone, .. } => {
                left_alone.iter_mut().for_each(bound);
                shorten(left_alone)
            }
            Self::BackupsDeleted { backups } => {
                let mut left_out = shorten(backups);
                for deleted in backups {
                    bound(&mut deleted.reason);
                    left_out += shorten(&mut deleted.snapshots) + shorten(&mut deleted.shared);
                }
                left_out
            }
            Self::ArtifactUnknown { images, snapshots, cache_snapshots, .. } => {
                shorten(images) + shorten(snapshots) + shorten(cache_snapshots)
            }
            Self::SourceFound { obstacle, .. } => {
                obstacle.iter_mut().for_each(bound);
                0
            }
            Self::ManualChange { found, expected, .. } => {
                bound(found);
                bound(expected);
                0
            }
            Self::BackupWaits { reason, .. }
            | Self::BackupStuck { reason, .. }
            | Self::InstanceNotStarted { reason, .. }
            | Self::InstanceLeftStopped { reason, .. }
            | Self::BackupFailed { reason, .. }
            | Self::ProtectionLeft { reason, .. }
            | Self::StandbyLeft { reason, .. }
            | Self::PublicationHeld { reason, .. }
            | Self::DeletionRefused { reason, .. }
            | Self::DeletionHalted { reason, .. }
            | Self::SourceLost { reason }
            | Self::SourceHeld { reason }
            | Self::SourceReleased { reason }
            | Self::SlotSkipped { reason, .. }
            | Self::BackupPinned { reason, .. }
            | Self::VerdictGiven { reason, .. }
            | Self::RolloutHeld { reason, .. }
            | Self::RolloutRolledBack { reason, .. }
            | Self::RolloutFailed { reason, .. }
            | Self::RequestRefused { reason, .. } => {
                bound(reason);
                0
            }
            Self::BackupOverdue { .. }
            | Self::LineageDeep { .. }
            | Self::BackupLost { .. }
            | Self::SourceContested { .. }
            | Self::CheckpointReached { .. }
            | Self::GroupPinned { .. }
            | Self::RolloutSucceeded { .. }
            | Self::RolloutChanged { .. }
            | Self::NoticesNotKept { .. } => 0,
        };
        (self, left_out)
    }
}

fn bound(text: &mut String) {
    *text = cut(std::mem::take(text), FIELD_BYTES_MAX);
}

fn shorten<T>(list: &mut Vec<T>) -> usize {
    let left_out = list.len().saturating_sub(LISTED_MAX);
    list.truncate(LISTED_MAX);
    left_out
}
