//! The moves that every part of a rollout's life makes: into a state, to its ends, and the same again later.

use super::life::State;
use super::record::{Order, Rollout};
use super::visit;
use crate::facts::VersionRef;
use crate::id::RefreshId;
use crate::life::RETRY_SECONDS;
use crate::notice::News;
use crate::{Time, later, pace, seconds_between};

/// It is to be taken back: by AWS if that can, else by a second refresh.
pub(super) fn turn_back(record: &mut Rollout, why: String, now: Time) -> String {
    record.back_because = Some(why.clone());
    enter(record, State::TurningBack, now, why)
}

pub(super) fn rolling(record: &mut Rollout, refresh: &RefreshId, now: Time) -> String {
    if record.refresh.as_ref() != Some(refresh) {
        // The call names the group alone: between the look and the call ours had ended, and another one went.
        record.trouble = Some(format!("instance refresh {refresh} is taken back, which is not ours"));
        return enter(record, State::StartingBack, now, format!("instance refresh {refresh} was taken back, not ours"));
    }
    enter(record, State::RollingBack, now, "AWS takes it back".into())
}

pub(super) fn succeed(record: &mut Rollout, now: Time) -> String {
    if let Some(Order { image, version, .. }) = record.order.clone() {
        let owner = record.change.as_ref().and_then(|change| change.owner.clone());
        record.tell("", now, News::RolloutSucceeded { rollout: record.id.clone(), image, owner, version });
    }
    let last = record.order.as_ref().and_then(|order| order.policy.checkpoints.last().copied());
    let reason = if record.change.as_ref().is_some_and(|change| !change.refresh) {
        "what the group launches from now on is of the new version; its members stay".into()
    } else if let Some(last) = last.filter(|last| *last < 100) {
        format!("it ends at {last} percent, as its plan says, and the group has the new version")
    } else {
        "every member is on the new version, and the group has it".into()
    };
    enter(record, State::Succeeded, now, reason)
}

pub(super) fn rolled_back(record: &mut Rollout, now: Time) -> String {
    let because = record.back_because.clone().unwrap_or_else(|| "it was taken back".into());
    if let Some(Order { image, base, .. }) = record.order.clone() {
        let news =
            News::RolloutRolledBack { rollout: record.id.clone(), image, version: base, reason: because.clone() };
        record.tell("", now, news);
    }
    enter(record, State::RolledBack, now, because)
}

pub(super) fn rollback_failed(record: &mut Rollout, why: &str, now: Time) -> String {
    let because = record.back_because.clone().unwrap_or_else(|| "it was to be taken back".into());
    let reason = format!("{because}; but it could not be taken back: {why}");
    record.tell("", now, News::RolloutFailed { rollout: record.id.clone(), reason: reason.clone() });
    enter(record, State::RollbackFailed, now, reason)
}

pub(super) fn fail(record: &mut Rollout, reason: String, now: Time) -> String {
    record.tell("", now, News::RolloutFailed { rollout: record.id.clone(), reason: reason.clone() });
    enter(record, State::Failed, now, reason)
}

pub(super) fn cancelled(record: &mut Rollout, now: Time) -> String {
    // Its template's new version is what a group that names $Latest launches from anyway.
    let follows = record.order.as_ref().is_some_and(|order| order.named.version == VersionRef::Latest);
    let launched = if follows { "has the new version" } else { "is what the group launched from before" };
    let reason =
        format!("somebody cancelled the refresh: what it replaced stays replaced, and what is launched now {launched}");
    record.tell("", now, News::RolloutFailed { rollout: record.id.clone(), reason: reason.clone() });
    enter(record, State::Cancelled, now, reason)
}

/// A call did not get through: the same again after a pause that grows, but for a verdict, which is due.
pub(super) fn unanswered(record: &mut Rollout, why: &str, now: Time) -> String {
    record.failures += 1;
    let again = pace::again_at(now, RETRY_SECONDS, record.failures, record.id.as_str());
    let reason = wait(record, now, seconds_between(now, again), why);
    visit::due_by(record, now).unwrap_or(reason)
}

pub(super) fn wait(record: &mut Rollout, now: Time, pause_seconds: i64, why: &str) -> String {
    record.look_at = later(now, pause_seconds);
    if let Some(visit) = record.open_visit().filter(|visit| visit.deadline > now) {
        record.look_at = record.look_at.min(visit.deadline);
    }
    record.trouble = Some(why.to_owned());
    format!("later again: {why}")
}

pub(super) fn enter(record: &mut Rollout, state: State, now: Time, reason: String) -> String {
    // What is held is held at its pause; beyond that the group's refreshes may go on.
    if state != State::AtCheckpoint {
        record.suspension = record.suspension.owed();
    }
    record.state = state;
    record.since = now;
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}
