//! A single instance as what a backup is made of: whether it can be, and whether it is shut down for it.

use super::copy::Took;
use super::life::{Event, State, again, enter};
use super::moves::{newer, overtaken};
use super::power::{Consistency, FIRST_LOOK_SECONDS, Power};
use super::record::{Artifact, Backup};
use super::shutdown;
use super::standby::Standby;
use crate::facts::{Group, Instance, InstanceState, Lifecycle, Member, StopHazards};
use crate::group::refreshing;
use crate::id::{GroupName, ImageId, InstanceId, RefreshId, VolumeId};
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
    if let Some(why) = hazards.filter(|_| running && capture.stop).and_then(hazard) {
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
        stops: running && capture.stop,
        goes_on: not_stopped,
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
        return Some(Event::NoOrigin(format!("{id} is off, and a member of {name}: it is none of those that serve")));
    }
    if let Some(refresh) = refresh {
        return Some(Event::InstanceBusy(refreshing(name, refresh)));
    }
    let is_in_service = |member: &Member| member.instance == *id && member.lifecycle == Lifecycle::InService;
    if !group.members.iter().any(is_in_service) {
        return Some(Event::InstanceBusy(format!("{id} is not in service in {name}")));
    }
    // It leaves a gap, and no second one: others may be in standby for their own backups.
    let serves = |member: &Member| member.lifecycle == Lifecycle::InService && member.healthy;
    let is_wanted = |member: &&Member| member.instance != *id && member.lifecycle != Lifecycle::Warm;
    let gap = group.members.iter().filter(is_wanted).find(|member| !serves(member));
    if let Some(gap) = gap {
        return Some(Event::InstanceBusy(format!("{} of {name} does not serve either", gap.instance)));
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
