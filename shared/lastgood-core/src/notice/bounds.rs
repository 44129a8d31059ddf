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
                let (mut left_out, mut room) = (shorten(backups), LISTED_MAX);
                for deleted in backups {
                    bound(&mut deleted.reason);
                    left_out += shorten_into(&mut room, &mut deleted.snapshots);
                    left_out += shorten_into(&mut room, &mut deleted.shared);
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
            | Self::Heartbeat { .. }
            | Self::NoticeTest { .. }
            | Self::TableReplaced { .. }
            | Self::DeploymentMended {}
            | Self::NoticesNotKept { .. } => 0,
            Self::DeploymentBroken { parts } => {
                parts.iter_mut().for_each(bound);
                shorten(parts)
            }
        };
        (self, left_out)
    }
}

fn bound(text: &mut String) {
    *text = cut(std::mem::take(text), FIELD_BYTES_MAX);
}

fn shorten<T>(list: &mut Vec<T>) -> usize {
    shorten_into(&mut LISTED_MAX.clone(), list)
}

/// Several lists share one room.
fn shorten_into<T>(room: &mut usize, list: &mut Vec<T>) -> usize {
    let left_out = list.len().saturating_sub(*room);
    list.truncate(*room);
    *room -= list.len();
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;
    use crate::id::SourceId;
    use crate::notice::{DeletedBackup, MESSAGE_BYTES_MAX, Notice};

    fn notice(news: News) -> Notice {
        let source: SourceId = "group/web".parse().expect("a source");
        Notice::new(&source, "x", Time::UNIX_EPOCH, news)
    }

    #[test]
    fn a_list_has_a_hundred_entries_and_says_how_many_more_there_are() {
        let ids = |count: usize| (0..count).map(|number| format!("snap-{number:017x}").as_str().into()).collect();
        let unknown = |count| {
            notice(News::ArtifactUnknown {
                backup: "group/web@20260115T103000Z".into(),
                images: Vec::new(),
                snapshots: ids(count),
                cache_snapshots: vec!["c".into()],
            })
        };
        let exact = unknown(LISTED_MAX);
        assert_eq!((exact.left_out, exact.message.contains("more")), (0, false));
        let many = unknown(5_000);
        assert_eq!(many.left_out, 4_900);
        assert!(many.message.ends_with("; and 4900 more, which are not listed"), "{}", many.message);
        let deleted = |count| DeletedBackup {
            backup: "group/web@20260115T103000Z".parse().expect("a backup"),
            image: None,
            cache_snapshot: None,
            snapshots: ids(count),
            shared: ids(count),
            reason: "x".into(),
        };
        let backups = notice(News::BackupsDeleted { backups: vec![deleted(101); 101] });
        assert_eq!(backups.left_out, 1 + 100 * 202 - LISTED_MAX);
        for notice in [many, backups] {
            assert!(notice.message.len() <= MESSAGE_BYTES_MAX);
            assert!(serde_json::to_string(&notice).expect("JSON").len() < 250_000, "the bus takes it");
        }
    }

    #[test]
    fn a_message_is_cut_at_a_whole_character_and_says_so() {
        for c in ["x", "ü", "𝄞"] {
            let long = notice(News::SourceFound { plan: c.repeat(9_000), obstacle: None });
            assert!(long.message.len() <= MESSAGE_BYTES_MAX && long.message.len() > MESSAGE_BYTES_MAX - 8);
            assert!(long.message.ends_with(" … (cut)"), "{}", long.message);
        }
        let reason = notice(News::SourceHeld { reason: "ü".repeat(9_000) });
        let News::SourceHeld { reason } = reason.news else { panic!("it is held") };
        assert!(reason.len() <= FIELD_BYTES_MAX && reason.ends_with("(cut)"));
    }

    #[test]
    fn what_ends_a_quoted_line_reaches_no_mail() {
        let reason = "say \"no\"\\u0020\r\n\u{1b}[2J\u{9b}\u{2028}end".to_owned();
        let told = notice(News::SourceHeld { reason });
        assert_eq!(told.message, "group/web: nothing is published: say 'no'/u0020   [2J  end");
    }
}
