//! Taking an instance off for its image: its system is asked, has its time, and is forced then.

use super::life::{Alone, Effect, State, Together, again, enter, fail, wait};
use super::power::{Consistency, POLL_SECONDS, Power, gone};
use super::record::{Artifact, Backup};
use crate::facts::InstanceState;
use crate::id::InstanceId;
use crate::refusal::{Refusal, Why};
use crate::{Time, later, seconds_between};

/// How long AWS may take to force it off, once its system had its time, before the backup fails.
pub(super) const FORCING_SECONDS_MAX: i64 = 20 * 60;

/// It is to go off from now on.
pub(super) fn begin(record: &mut Backup, now: Time) -> String {
    record.power.state = Power::Stopping(None);
    record.power.asked_at = Some(now);
    format!("its system has {} s to shut down", record.capture.stop_within_seconds)
}

/// What is asked for so that it goes off.
pub(super) fn quiesce(record: &Backup, instance: &InstanceId) -> Option<Effect> {
    let instance = instance.clone();
    match record.power.state {
        Power::Stopping(None) => Some(Effect::Alone(Alone::StopInstance { instance, force: false })),
        Power::ForceStopping(None) => Some(Effect::Alone(Alone::StopInstance { instance, force: true })),
        Power::Stopping(Some(_)) | Power::ForceStopping(Some(_)) => {
            Some(Effect::Together(Together::LookAtInstance(instance)))
        }
        Power::Untouched
        | Power::Stopped
        | Power::Starting(_)
        | Power::Coming(_)
        | Power::Watched(..)
        | Power::Running
        | Power::Gone => None,
    }
}

/// AWS refused to take it off. Nothing was stopped by that, but an earlier call may have been heard.
pub(super) fn stop_refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why.passes() || refusal.why == Why::WrongState {
        return wait(record, now, refusal);
    }
    if refusal.why == Why::Missing {
        record.power.state = Power::Gone;
    } else if record.power.doubt_at.is_none() && record.power.state == Power::Stopping(None) {
        record.power.state = Power::Untouched;
    }
    fail(record, now, refusal.to_string())
}

/// Its system has its time to shut down.
pub(super) fn stopping(record: &mut Backup, since: Time, seen: Option<InstanceState>, now: Time) -> String {
    let within = record.capture.stop_within_seconds;
    let waited = seconds_between(since, now);
    match seen {
        Some(InstanceState::Stopped) => off(record, Consistency::Clean, now),
        Some(InstanceState::Leaving) => gone(record, now),
        Some(InstanceState::Running | InstanceState::Stopping | InstanceState::Pending) if waited >= within => {
            record.power.state = Power::ForceStopping(None);
            record.look_at = now;
            format!("its system did not shut down within {within} s, and is forced to")
        }
        Some(InstanceState::Running | InstanceState::Stopping | InstanceState::Pending) | None => {
            record.look_at = later(now, (within - waited).clamp(1, POLL_SECONDS));
            "its system shuts down".into()
        }
    }
}

/// Its system is not asked any more.
pub(super) fn forcing(record: &mut Backup, since: Time, seen: Option<InstanceState>, now: Time) -> String {
    match seen {
        Some(InstanceState::Stopped) => off(record, Consistency::Forced, now),
        Some(InstanceState::Leaving) => gone(record, now),
        _ if seconds_between(since, now) >= FORCING_SECONDS_MAX => {
            let minutes = FORCING_SECONDS_MAX / 60;
            fail(record, now, format!("AWS did not take the instance off within {minutes} minutes, forced"))
        }
        Some(InstanceState::Running | InstanceState::Stopping | InstanceState::Pending) | None => {
            again(record, now, POLL_SECONDS, "it is forced off")
        }
    }
}

/// It is off: its image is made now.
fn off(record: &mut Backup, consistency: Consistency, now: Time) -> String {
    record.power.state = Power::Stopped;
    record.power.consistency = Some(consistency);
    record.power.off_at = Some(now);
    record.artifact = Artifact::Asked;
    let how = if consistency == Consistency::Clean { "it has shut down" } else { "it was forced off" };
    enter(record, State::Creating, now, how.into())
}
