//! A single instance as what a backup is made of: whether it can be, how its copy comes along, and how long that takes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::life::{Event, State, again, enter};
use super::moves::{newer, overtaken};
use super::power::{self, Consistency, FIRST_LOOK_SECONDS, Power};
use super::record::{Artifact, Backup};
use super::shutdown;
use super::sight::{self, Sight};
use super::standby::Standby;
use crate::facts::{Group, Instance, InstanceState, Lifecycle, Member, Snapshot, StopHazards};
use crate::group::refreshing;
use crate::id::{GroupName, ImageId, InstanceId, RefreshId, SnapshotId, VolumeId};
use crate::instance::{hazard, obstacle};
use crate::notice::News;
use crate::{Time, later, seconds_between};

/// How long a GiB is expected to take of a source of which nothing was copied before: a guide of one cloud says an hour for 50.
pub const SECONDS_PER_GIB_DEFAULT: i64 = 72;
/// The least that any copy is expected to take.
const EXPECTED_SECONDS_MIN: i64 = 5 * 60;
/// How long an instance stays off at most while AWS begins to copy its volumes.
pub const COPY_BEGINS_SECONDS_MAX: i64 = 10 * 60;
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

/// What a backup of an instance is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInstance {
    /// The instance.
    pub instance: InstanceId,
    /// The image that it was launched from.
    pub base: Option<ImageId>,
    /// It runs.
    pub running: bool,
    /// It is shut down for it.
    pub stops: bool,
    /// The group that it is put in standby of.
    pub group: Option<GroupName>,
    /// Its volumes.
    pub volumes: Vec<VolumeId>,
    /// How long the last backup took.
    pub last: Option<Took>,
}

/// The group of an instance, and the refresh that is under way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InGroup {
    /// The group.
    pub group: Group,
    /// Its refresh.
    pub refresh: Option<RefreshId>,
}

/// A look at an image that is being made, and at all that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// What AWS says of the instance, if that was asked: `None` in it for one that it does not tell.
    pub instance: Option<Option<InstanceState>>,
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

/// What AWS tells of an instance lets happen to a backup of it. `hazards` is what a stop would meet, once that was asked;
/// `backups` are all of the instance.
#[must_use]
pub fn found(
    record: &Backup,
    id: &InstanceId,
    told: &[Instance],
    hazards: Option<StopHazards>,
    group: Option<&InGroup>,
    backups: &[Backup],
) -> Event {
    let Some(instance) = told.iter().find(|instance| instance.id == *id) else {
        return Event::NoOrigin(format!("there is no instance {id} any more"));
    };
    if let Some(why) = obstacle(instance, &record.capture) {
        return Event::NoOrigin(format!("{id} {why}"));
    }
    if let Some(overtaken) = overtaken(record, backups) {
        return overtaken;
    }
    // Two that are made at once would stop and start it under each other.
    let is_at_it = |other: &&Backup| other.id != record.id && holds_it(other);
    if let Some(other) = backups.iter().find(is_at_it) {
        if let Some(slot) = newer(record, backups, |other| other.state == State::Requested) {
            return Event::NoOrigin(format!("it waited, and the backup of {slot} takes its place"));
        }
        return Event::InstanceBusy(format!("the backup of {} is being made", other.id.slot));
    }
    let running = match instance.state {
        InstanceState::Running => true,
        InstanceState::Stopped => false,
        InstanceState::Pending => return Event::InstanceBusy(format!("{id} is being started")),
        InstanceState::Stopping => return Event::InstanceBusy(format!("{id} is being stopped by somebody else")),
        InstanceState::Leaving => return Event::NoOrigin(format!("{id} is terminated")),
    };
    if let Some(why) = hazards.filter(|_| running && record.capture.stop).and_then(hazard) {
        return Event::NoOrigin(format!("{id} {why}"));
    }
    let group = match (instance.group(), group) {
        (None, _) => None,
        (Some(name), group) => match no_standby(id, running, &name, group) {
            Some(event) => return event,
            None => Some(name),
        },
    };
    Event::InstanceFound(Box::new(FoundInstance {
        instance: id.clone(),
        base: instance.image.clone(),
        running,
        stops: running && record.capture.stop,
        group,
        volumes: instance.volumes.clone(),
        last: last(backups),
    }))
}

/// Whether a backup has its instance off, or in standby, or may.
#[must_use]
pub fn holds_it(backup: &Backup) -> bool {
    let is_off = backup.state == State::Quiescing || backup.power.state == Power::Stopped;
    is_off || backup.power.owed().is_some() || backup.standby.is_unsettled()
}

/// What happens to the backup of a member that can't be put in standby for its image; `None` if it can.
fn no_standby(id: &InstanceId, running: bool, name: &GroupName, group: Option<&InGroup>) -> Option<Event> {
    let Some(InGroup { group, refresh }) = group else {
        return Some(Event::NoOrigin(format!("there is no group {name} any more")));
    };
    if !running {
        return Some(Event::NoOrigin(format!("{id} is off, and {name} replaces it")));
    }
    if let Some(refresh) = refresh {
        return Some(Event::InstanceBusy(refreshing(name, refresh)));
    }
    let is_in_service = |member: &Member| member.instance == *id && member.lifecycle == Lifecycle::InService;
    if !group.members.iter().any(is_in_service) {
        return Some(Event::InstanceBusy(format!("{id} is not in service in {name}")));
    }
    // The group wants one less while it is in standby (AWS: EnterStandby, ShouldDecrementDesiredCapacity).
    (group.size <= group.size_min).then(|| {
        Event::NoOrigin(format!(
            "{name} wants {} members and has a minimum of {}: there is no room for one in standby; lower the minimum, or raise the size",
            group.size, group.size_min
        ))
    })
}

/// Whether what a stop would meet is to be asked for.
#[must_use]
pub fn asks_hazards(record: &Backup, told: &[Instance]) -> bool {
    let runs = |instance: &Instance| {
        Some(&instance.id) == record.id.source.instance() && instance.state == InstanceState::Running
    };
    record.capture.stop && told.iter().any(runs)
}

/// How long the newest good one took.
fn last(backups: &[Backup]) -> Option<Took> {
    let took = |backup: &Backup| {
        let seconds = seconds_between(backup.copy.begun_at?, backup.good_at?).max(1);
        Some((backup.id.slot, Took { seconds, gib: backup.copy.gib() }))
    };
    backups.iter().filter_map(took).max_by_key(|(slot, _)| *slot).map(|(_, took)| took)
}

/// It is there, and can be backed up.
pub(super) fn is_found(record: &mut Backup, found: FoundInstance, now: Time) -> String {
    record.instance = Some(found.instance);
    record.base = found.base;
    record.copy.volumes = found.volumes;
    record.copy.last = found.last;
    if let Some(group) = found.group {
        record.standby.state = Standby::Entering(None);
        record.standby.group = Some(group);
        return enter(record, State::Quiescing, now, "it goes into standby first".into());
    }
    if found.stops {
        let reason = shutdown::begin(record, now);
        return enter(record, State::Quiescing, now, reason);
    }
    record.artifact = Artifact::Asked;
    let (consistency, reason) = if found.running {
        (Consistency::CrashConsistent, "it goes on running")
    } else {
        (Consistency::Clean, "it is off already, and stays so")
    };
    record.power.consistency = Some(consistency);
    enter(record, State::Creating, now, reason.into())
}

/// What a look at the copy makes of a record: the instance comes back as soon as AWS has begun to copy each of its volumes, for
/// then the point in time is fixed.
pub(super) fn copying(record: &mut Backup, look: Copying, now: Time) -> String {
    note_copies(record, &look.snapshots, now);
    let mut reason = None;
    if record.power.state == Power::Stopped {
        let begun: BTreeSet<&VolumeId> =
            look.snapshots.iter().filter_map(|snapshot| snapshot.volume.as_ref()).collect();
        let all_begun = record.copy.volumes.iter().all(|volume| begun.contains(volume));
        match look.instance {
            Some(Some(InstanceState::Running | InstanceState::Pending)) => {
                power::started_by_others(record, now);
                reason = Some("somebody has started it meanwhile");
            }
            Some(Some(InstanceState::Leaving)) => record.power.state = Power::Gone,
            _ if all_begun => {
                power::owe(record, now);
                reason = Some("AWS copies each of its volumes: it is started again");
            }
            _ if seconds_between(record.since, now) >= COPY_BEGINS_SECONDS_MAX => {
                record.power.consistency = Some(Consistency::CrashConsistent);
                power::owe(record, now);
                reason = Some("AWS did not begin to copy each of its volumes: it is started all the same");
            }
            _ => {}
        }
    }
    let waits_for_copies = record.power.state == Power::Stopped;
    let told = sight::seen(record, look.sight, now);
    if waits_for_copies && record.state == State::Pending {
        record.look_at = record.look_at.min(later(now, FIRST_LOOK_SECONDS));
    }
    stands_still(record, now);
    reason.map_or(told, str::to_owned)
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

/// AWS can't be asked for it now.
pub(super) fn busy(record: &mut Backup, why: &str, now: Time) -> String {
    again(record, now, FIRST_LOOK_SECONDS, why)
}
