//! Looking at a pending artifact: is all of it complete? What AWS says of an image is judged in `image.rs`.

use super::kinds;
use super::life::{State, again, enter, fail, lost};
use super::publication::Publication;
use super::record::Backup;
use super::{power, scale_in};
use crate::id::{ArtifactId, SnapshotId};
use crate::plan::PublishTo;
use crate::{Time, seconds_between};

/// How long a new image may be missing from AWS's answers before it counts as gone (AWS: Eventual consistency).
pub const VISIBLE_SECONDS_MAX: i64 = 15 * 60;
/// Pause between two looks at a pending image.
pub const PENDING_POLL_SECONDS: i64 = 60;

/// What AWS says of an artifact, judged: is all of it complete?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// AWS has no such thing: gone, or not visible yet.
    Missing,
    /// It is there.
    There {
        /// Which.
        artifact: ArtifactId,
        /// The snapshots under it, if AWS tells them by now.
        snapshots: Option<Vec<SnapshotId>>,
        /// How large it is, if AWS tells.
        bytes: Option<u64>,
        /// What is to be thought of it.
        completeness: Completeness,
    },
}

/// What is to be thought of an artifact that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// AWS is not done with it, in words.
    Incomplete(String),
    /// All of it is complete, in words.
    Complete(String),
    /// It will never be complete, in words.
    Broken(String),
    /// Nor will this one, for what it is made from went away, in words.
    OriginLost(String),
}

/// What a look at a pending artifact makes of its backup: good only when all of it is complete.
pub(super) fn seen(record: &mut Backup, sight: Sight, now: Time) -> String {
    let (artifact, snapshots, bytes, completeness) = match sight {
        Sight::Missing => return missing(record, now),
        Sight::There { artifact, .. } if record.artifact_id.as_ref() != Some(&artifact) => return "stale".into(),
        Sight::There { artifact, snapshots, bytes, completeness } => (artifact, snapshots, bytes, completeness),
    };
    record.missing_since = None;
    record.trouble = None;
    if let Some(snapshots) = snapshots {
        record.snapshots = snapshots;
    }
    record.cache.bytes = bytes.or(record.cache.bytes);
    let complete = match completeness {
        Completeness::Incomplete(why) => return again(record, now, kinds::poll_seconds(record, now), &why),
        Completeness::Broken(why) => return fail(record, now, why),
        Completeness::OriginLost(why) => return lost(record, now, &why),
        Completeness::Complete(words) => words,
    };
    record.good_at = Some(now);
    record.publication = match record.publish.to {
        PublishTo::Nothing => Publication::NotAsked,
        PublishTo::Group | PublishTo::Parameter(_) => Publication::Due,
    };
    scale_in::owe(record, now);
    power::owe(record, now);
    record.source_told = false;
    record.tell("", now, kinds::good(record, &artifact));
    enter(record, State::Good, now, complete)
}

/// One answer without the image proves nothing, neither early nor late (AWS: Eventual consistency).
fn missing(record: &mut Backup, now: Time) -> String {
    if !is_gone(record, now) {
        let why = format!("{} is not visible", kinds::words(record).artifact);
        return again(record, now, kinds::poll_seconds(record, now), &why);
    }
    fail(record, now, kinds::words(record).gone.into())
}

/// Notes that AWS does not show the image. Whether it has not for so long that it must be gone.
pub(super) fn is_gone(record: &mut Backup, now: Time) -> bool {
    let since = *record.missing_since.get_or_insert(now);
    seconds_between(since, now) >= VISIBLE_SECONDS_MAX
}
