//! Looking at a pending image with its snapshots: is all of it complete?

use super::life::{State, again, enter, fail, lost};
use super::publication::Publication;
use super::record::Backup;
use super::scale_in;
use crate::facts::{Image, ImageState, SnapshotState};
use crate::id::SnapshotId;
use crate::notice::News;
use crate::plan::PublishTo;
use crate::{Time, seconds_between};

/// How long a new image may be missing from AWS's answers before it counts as gone (AWS: Eventual consistency).
pub const VISIBLE_SECONDS_MAX: i64 = 15 * 60;
/// Pause between two looks at a pending image.
pub const PENDING_POLL_SECONDS: i64 = 60;
/// What is said of one that is gone.
pub(super) const GONE: &str = "the image is gone: somebody deregistered it";
/// AWS's code for an image whose instance was terminated or rebooted meanwhile (AWS: StateReason).
const INSTANCE_LOST: &str = "Client.InstanceTerminated";

/// An image with its snapshots, looked at together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives for the time of a decision")]
pub enum Sight {
    /// AWS has no such image: gone, or not visible yet.
    Missing,
    /// The image, and the state of each of its snapshots; `None` for one that AWS does not know.
    Seen(Image, Vec<(SnapshotId, Option<SnapshotState>)>),
}

/// What a look at a pending image makes of its backup: good only when all of it is complete.
pub(super) fn seen(record: &mut Backup, sight: Sight, now: Time) -> String {
    let (image, snapshots) = match sight {
        Sight::Missing => return missing(record, now),
        Sight::Seen(image, _) if record.image.as_ref() != Some(&image.id) => return "stale".into(),
        Sight::Seen(image, snapshots) => (image, snapshots),
    };
    record.missing_since = None;
    record.trouble = None;
    match image.state {
        ImageState::Pending => return again(record, now, PENDING_POLL_SECONDS, "the image is pending"),
        ImageState::Broken(why) if why.contains(INSTANCE_LOST) => {
            return lost(record, now, &format!("the instance went away while its image was made: {why}"));
        }
        ImageState::Broken(why) => return fail(record, now, format!("AWS could not make the image: {why}")),
        ImageState::Disabled => return fail(record, now, "somebody disabled the image before it was complete".into()),
        ImageState::Available => {}
    }
    record.snapshots = image.snapshots;
    if record.snapshots.is_empty() {
        let waits = "the image is available, and tells no snapshots yet";
        return again(record, now, PENDING_POLL_SECONDS, waits);
    }
    let mut complete = 0;
    for (id, state) in &snapshots {
        match state {
            Some(SnapshotState::Completed) => complete += usize::from(record.snapshots.contains(id)),
            Some(SnapshotState::Broken(why)) => return fail(record, now, format!("{id} can't be completed: {why}")),
            Some(SnapshotState::Pending) | None => {}
        }
    }
    let all = record.snapshots.len();
    if complete < all {
        let waits = format!("{complete} of {all} snapshots are complete");
        return again(record, now, PENDING_POLL_SECONDS, &waits);
    }
    record.good_at = Some(now);
    record.publication = match record.publish.to {
        PublishTo::Nothing => Publication::NotAsked,
        PublishTo::Group | PublishTo::Parameter(_) => Publication::Due,
    };
    scale_in::owe(record, now);
    record.source_told = false;
    let news = News::BackupGood { backup: record.id.clone(), image: image.id, snapshots: record.snapshots.clone() };
    record.tell("", now, news);
    enter(record, State::Good, now, format!("the image and {all} of {all} snapshots are complete"))
}

/// One answer without the image proves nothing, neither early nor late (AWS: Eventual consistency).
fn missing(record: &mut Backup, now: Time) -> String {
    if !is_gone(record, now) {
        return again(record, now, PENDING_POLL_SECONDS, "the image is not visible");
    }
    fail(record, now, GONE.into())
}

/// Notes that AWS does not show the image. Whether it has not for so long that it must be gone.
pub(super) fn is_gone(record: &mut Backup, now: Time) -> bool {
    let since = *record.missing_since.get_or_insert(now);
    seconds_between(since, now) >= VISIBLE_SECONDS_MAX
}
