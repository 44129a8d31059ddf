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

/// How long AWS may tell that it runs once it had its time: a stop that was heard is told late (AWS: Eventual consistency).
const RUNS_ON_SECONDS_MAX: i64 = 60;
const RUNS: &str = "it runs: somebody has started it, or AWS did not take it off";

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
        | Power::Freeing(_)
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

/// AWS has heard of it. What was off before, or going off, and not by us, is so by somebody else's will.
pub(super) fn shutting_down(record: &mut Backup, was: Option<InstanceState>, now: Time) -> String {
    record.power.was_off =
        record.power.doubt_at.is_none() && matches!(was, Some(InstanceState::Stopped | InstanceState::Stopping));
    record.power.state = Power::Stopping(Some(now));
    record.look_at = later(now, POLL_SECONDS);
    if record.power.was_off { "somebody else has taken it off: it stays so" } else { "its system shuts down" }.into()
}

/// How long it may take until it is off, before the backup fails.
pub(super) fn seconds_max(record: &Backup) -> i64 {
    record.capture.stop_within_seconds + FORCING_SECONDS_MAX + RUNS_ON_SECONDS_MAX
}

/// Its system has its time to shut down.
pub(super) fn stopping(record: &mut Backup, since: Time, seen: Option<InstanceState>, now: Time) -> String {
    let within = record.capture.stop_within_seconds;
    let waited = seconds_between(since, now);
    match seen {
        Some(InstanceState::Stopped) => off(record, Consistency::Clean, now),
        Some(InstanceState::Leaving) => gone(record, now),
        // It is not taken off against whoever has started it.
        Some(InstanceState::Running | InstanceState::Pending) if waited >= within + RUNS_ON_SECONDS_MAX => {
            fail(record, now, RUNS.into())
        }
        Some(InstanceState::Stopping) if waited >= within && record.power.was_off => {
            fail(record, now, format!("somebody else is taking it off, and that takes longer than {within} s"))
        }
        Some(InstanceState::Stopping) if waited >= within => {
            record.power.state = Power::ForceStopping(None);
            record.look_at = now;
            format!("its system did not shut down within {within} s, and is forced to")
        }
        Some(InstanceState::Running | InstanceState::Stopping | InstanceState::Pending) | None => {
            let left = if waited < within { within - waited } else { within + RUNS_ON_SECONDS_MAX - waited };
            record.look_at = later(now, left.clamp(1, POLL_SECONDS));
            "its system shuts down".into()
        }
    }
}

/// Its system is not asked any more.
pub(super) fn forcing(record: &mut Backup, since: Time, seen: Option<InstanceState>, now: Time) -> String {
    match seen {
        Some(InstanceState::Stopped) => off(record, Consistency::Forced, now),
        Some(InstanceState::Leaving) => gone(record, now),
        Some(InstanceState::Running | InstanceState::Pending) if seconds_between(since, now) >= RUNS_ON_SECONDS_MAX => {
            fail(record, now, RUNS.into())
        }
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
    record.power.state = if record.power.was_off { Power::Untouched } else { Power::Stopped };
    record.power.consistency = Some(consistency);
    record.power.off_at = Some(now);
    record.artifact = Artifact::Asked;
    let how = if consistency == Consistency::Clean { "it has shut down" } else { "it was forced off" };
    enter(record, State::Creating, now, how.into())
}
