//! The copy of a single instance's volumes: how it comes along, how long it takes, and whether it is stuck.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::life::State;
use super::power::{self, Consistency, FIRST_LOOK_SECONDS, Power};
use super::record::Backup;
use super::sight::{self, Sight};
use crate::facts::{Instance, InstanceState, Snapshot};
use crate::id::{SnapshotId, VolumeId};
use crate::notice::News;
use crate::{Time, later, seconds_between};

/// How long a GiB is expected to take of a source of which nothing was copied before: a guide of one cloud says an hour for 50.
pub const SECONDS_PER_GIB_DEFAULT: i64 = 72;
/// The least that any copy is expected to take.
const EXPECTED_SECONDS_MIN: i64 = 5 * 60;
/// The least and the most time between two looks at a copy.
const POLL_SECONDS: (i64, i64) = (30, 10 * 60);
/// A copy that takes so many times longer than expected fails.
const STUCK_TIMES: i64 = 10;
/// The least and the most time that one may take (AWS: Create an Amazon EBS-backed AMI speaks of up to 24 hours).
const COPYING_SECONDS_MAX: (i64, i64) = (26 * 60 * 60, 7 * 24 * 60 * 60);
/// A copy that stands still for so long, and for half of what it is expected to take, is stuck.
pub const STILL_SECONDS_MIN: i64 = 60 * 60;

/// What is on record of a backup because it is one of a single instance. Empty for any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyPart {
    /// The volumes that are copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeId>,
    /// Their copies, as far as AWS has told them: each goes only onto a volume that is at least as large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copied>,
    /// How long the last one took, and of how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Took>,
    /// When AWS took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Time>,
    /// How much is copied, in percent of all, if AWS tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// Since when it is so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_at: Option<Time>,
    /// That it stands still was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck_told: bool,
}

/// The copy of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The volume.
    pub volume: VolumeId,
    /// Its snapshot.
    pub snapshot: SnapshotId,
    /// Its size, in GiB.
    pub gib: u32,
}

/// How long a copy took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Took {
    /// So many seconds.
    pub seconds: i64,
    /// For so many GiB.
    pub gib: u32,
}

/// A look at an image that is being made, and at all that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// What AWS says of the instance, if that was asked: `None` in it for one that it does not tell.
    pub instance: Option<Option<Instance>>,
    /// What AWS says of the image.
    pub sight: Sight,
    /// The snapshots that bear this backup's tag.
    pub snapshots: Vec<Snapshot>,
}

impl CopyPart {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How much is copied, in GiB, as far as AWS tells.
    #[must_use]
    pub fn gib(&self) -> u32 {
        self.copies.iter().map(|copy| copy.gib).sum()
    }

    /// How long the copy is expected to take: as long for each GiB as the last one.
    #[must_use]
    pub fn expected_seconds(&self) -> i64 {
        let gib = i64::from(self.gib());
        let seconds = match self.last {
            Some(Took { seconds, gib: of }) if of > 0 => gib.saturating_mul(seconds) / i64::from(of),
            _ => gib.saturating_mul(SECONDS_PER_GIB_DEFAULT),
        };
        seconds.max(EXPECTED_SECONDS_MIN)
    }

    /// When it is expected to be complete.
    #[must_use]
    pub fn expected_at(&self) -> Option<Time> {
        self.begun_at.map(|at| later(at, self.expected_seconds()))
    }

    pub(super) fn poll_seconds(&self, waited_seconds: i64) -> i64 {
        (self.expected_seconds() / 10).min(waited_seconds / 2).clamp(POLL_SECONDS.0, POLL_SECONDS.1)
    }

    pub(super) fn copying_seconds_max(&self) -> i64 {
        self.expected_seconds().saturating_mul(STUCK_TIMES).clamp(COPYING_SECONDS_MAX.0, COPYING_SECONDS_MAX.1)
    }
}

/// What a look at the copy makes of a record: the instance comes back as soon as AWS has begun to copy each of its volumes, for
/// then the point in time is fixed.
pub(super) fn copying(record: &mut Backup, look: Copying, now: Time) -> String {
    note_copies(record, &look.snapshots, now);
    let reason = match look.instance {
        Some(instance) => off(record, instance.as_ref(), &look.snapshots, now),
        None => None,
    };
    let waits_for_copies = record.power.state == Power::Stopped;
    let told = sight::seen(record, look.sight, now);
    if waits_for_copies && record.state == State::Pending {
        record.look_at = record.look_at.min(later(now, FIRST_LOOK_SECONDS));
    }
    stands_still(record, now);
    reason.map_or(told, str::to_owned)
}

/// What a look makes of an instance that is off while its volumes are copied.
fn off(record: &mut Backup, instance: Option<&Instance>, snapshots: &[Snapshot], now: Time) -> Option<&'static str> {
    let state = instance.map(|instance| instance.state);
    let is_on = matches!(state, Some(InstanceState::Running | InstanceState::Pending));
    match record.power.state {
        // Nothing tells whether it goes on to run: it is started once more, which changes nothing for one that runs.
        Power::Stopped if is_on => {
            record.power.consistency = Some(Consistency::CrashConsistent);
            power::owe(record, now);
            Some("somebody has started it meanwhile")
        }
        Power::Stopped if state == Some(InstanceState::Leaving) => {
            record.power.state = Power::Gone;
            None
        }
        Power::Stopped if all_begun(record, instance, snapshots) => {
            power::owe(record, now);
            Some("AWS copies each of its volumes: it is started again")
        }
        Power::Untouched if is_on => {
            record.power.consistency = Some(Consistency::CrashConsistent);
            Some("somebody has started it before AWS had begun to copy each of its volumes")
        }
        _ => None,
    }
}

/// Whether AWS copies each volume that the instance has still: one that somebody takes off meanwhile is waited for no more.
fn all_begun(record: &Backup, instance: Option<&Instance>, snapshots: &[Snapshot]) -> bool {
    let begun: BTreeSet<&VolumeId> = snapshots.iter().filter_map(|snapshot| snapshot.volume.as_ref()).collect();
    let has = |volume: &&VolumeId| instance.is_none_or(|instance| instance.volumes.contains(volume));
    !begun.is_empty() && record.copy.volumes.iter().filter(has).all(|volume| begun.contains(volume))
}

/// Whether a look at the copy is to ask for the instance, too: it waits for the copy to begin, or was off by itself and may be
/// started by somebody before that.
#[must_use]
pub fn asks_instance(record: &Backup) -> bool {
    let is_copied = |volume: &VolumeId| record.copy.copies.iter().any(|copy| copy.volume == *volume);
    match record.power.state {
        Power::Stopped => true,
        Power::Untouched => {
            record.power.consistency == Some(Consistency::Clean) && !record.copy.volumes.iter().all(is_copied)
        }
        _ => false,
    }
}

fn note_copies(record: &mut Backup, snapshots: &[Snapshot], now: Time) {
    let copy = |snapshot: &Snapshot| {
        Some(Copied { volume: snapshot.volume.clone()?, snapshot: snapshot.id.clone(), gib: snapshot.gib? })
    };
    let mut copies: Vec<Copied> = snapshots.iter().filter_map(copy).collect();
    copies.sort_by(|one, other| one.volume.cmp(&other.volume));
    // What is told late is not forgotten for being told late.
    if copies.len() >= record.copy.copies.len() {
        record.copy.copies = copies;
    }
    let sizes = snapshots.iter().map(|snapshot| u64::from(snapshot.gib.unwrap_or(1)));
    let all: u64 = sizes.clone().sum();
    let done: u64 =
        sizes.zip(snapshots).map(|(gib, snapshot)| gib * u64::from(snapshot.percent.unwrap_or(0).min(100))).sum();
    let percent = (all > 0).then(|| u32::try_from(done / all.max(1)).unwrap_or(100));
    if percent != record.copy.percent || record.copy.percent_at.is_none() {
        record.copy.percent = percent;
        record.copy.percent_at = Some(now);
    }
}

/// Slow as expected, or stuck: what does not move for half of the time that all of it takes is told.
fn stands_still(record: &mut Backup, now: Time) {
    if record.state != State::Pending {
        return;
    }
    let still = record.copy.percent_at.map_or(0, |at| seconds_between(at, now));
    let since = record.copy.percent_at.unwrap_or(now);
    let percent = record.copy.percent.unwrap_or(0);
    if still < STILL_SECONDS_MIN.max(record.copy.expected_seconds() / 2) {
        record.trouble = record.copy.expected_at().map(|at| format!("{percent} percent are copied; expected by {at}"));
        return;
    }
    let reason = format!("{percent} percent are copied, and no more since {since}");
    record.trouble = Some(reason.clone());
    if !record.copy.stuck_told {
        record.copy.stuck_told = true;
        record.tell("", now, News::BackupStuck { backup: record.id.clone(), percent, since, reason });
    }
}
