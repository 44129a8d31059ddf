//! A single instance as what a backup is made of: whether it can be, and whether it is shut down for it.

use super::copy::Took;
use super::life::{Event, State, again, enter};
use super::moves::{newer, overtaken};
use super::power::{Consistency, FIRST_LOOK_SECONDS, Power};
use super::record::{Artifact, Backup};
use super::shutdown;
use crate::facts::{Instance, InstanceState, StopHazards};
use crate::id::{ImageId, InstanceId, VolumeId};
use crate::instance::{granted, hazard, obstacle};
use crate::{Time, seconds_between};

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
    /// Why it is not, though its plan wants it.
    pub goes_on: Option<String>,
    /// Its volumes.
    pub volumes: Vec<VolumeId>,
    /// How long the last backup took.
    pub last: Option<Took>,
}

/// What AWS tells of an instance lets happen to a backup of it. `hazards` is what a stop would meet, once that was asked;
/// `backups` are all of the instance.
#[must_use]
pub fn found(
    record: &Backup,
    id: &InstanceId,
    told: &[Instance],
    hazards: Option<StopHazards>,
    backups: &[Backup],
) -> Event {
    let Some(instance) = told.iter().find(|instance| instance.id == *id) else {
        return Event::NoOrigin(format!("there is no instance {id} any more"));
    };
    let (capture, not_stopped) = granted(instance, record.capture);
    if let Some(why) = obstacle(instance, &capture) {
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
    if let Some(why) = hazards.filter(|_| running && capture.stop).as_ref().and_then(hazard) {
        return Event::NoOrigin(format!("{id} {why}"));
    }
    Event::InstanceFound(Box::new(FoundInstance {
        instance: id.clone(),
        base: instance.image.clone(),
        running,
        stops: running && capture.stop,
        goes_on: not_stopped,
        volumes: instance.volumes.clone(),
        last: last(backups),
    }))
}

/// Whether a backup has its instance off, or may.
#[must_use]
pub fn holds_it(backup: &Backup) -> bool {
    let is_off = backup.state == State::Quiescing || backup.power.state == Power::Stopped;
    is_off || backup.power.owed().is_some()
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
    if found.stops {
        let reason = shutdown::begin(record, now);
        return enter(record, State::Quiescing, now, reason);
    }
    record.artifact = Artifact::Asked;
    let (consistency, reason) = if found.running {
        (Consistency::CrashConsistent, found.goes_on.unwrap_or_else(|| "it goes on running".into()))
    } else {
        (Consistency::Clean, "it is off already, and stays so".into())
    };
    record.power.consistency = Some(consistency);
    enter(record, State::Creating, now, reason)
}

/// AWS can't be asked for it now.
pub(super) fn busy(record: &mut Backup, why: &str, now: Time) -> String {
    again(record, now, FIRST_LOOK_SECONDS, why)
}
