//! What AWS tells of a refresh, and what follows from it.

use super::life::{LOOK_SECONDS, State, UNSEEN_SECONDS_MAX, VISIT_LOOK_SECONDS};
use super::moves::{cancelled, enter, fail, rollback_failed, rolled_back, rolling, succeed, wait};
use super::record::Rollout;
use super::visit;
use crate::facts::{RefreshStatus, RefreshView};
use crate::life::RETRY_SECONDS;
use crate::{Time, later, seconds_between};

/// Our refresh, as AWS tells it, while it goes.
pub(super) fn seen(record: &mut Rollout, view: Option<RefreshView>, now: Time) -> String {
    let Some(view) = view else { return unseen(record, now) };
    let reason = view.reason.clone();
    let before = record.seen_at.unwrap_or(record.since);
    record.seen_at = Some(now);
    record.trouble = None;
    let why = |what: &str| match &reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    };
    match view.status {
        RefreshStatus::InProgress | RefreshStatus::Unknown(_) => visit::goes_on(record, view.percentage, now, before),
        RefreshStatus::Baking => {
            record.percentage = view.percentage;
            match record.state {
                State::InProgress => {
                    enter(record, State::Baking, now, "all is replaced, and AWS waits whether that holds".into())
                }
                State::AtCheckpoint => visit::passed(record, now),
                _ => wait(record, now, LOOK_SECONDS, "it bakes"),
            }
        }
        RefreshStatus::Successful => {
            record.percentage = view.percentage;
            match record.state {
                State::TurningBack | State::Cancelling => {
                    enter(record, State::StartingBack, now, "it had succeeded before it could be taken back".into())
                }
                State::AtCheckpoint => visit::passed(record, now),
                _ => succeed(record, now),
            }
        }
        RefreshStatus::RollingBack => {
            let because = why("AWS takes it back");
            visit::close(record, &because, now);
            record.back_because.get_or_insert(because);
            rolling(record, &view.id, now)
        }
        RefreshStatus::RolledBack => {
            let because = why("AWS took it back");
            visit::close(record, &because, now);
            record.back_because.get_or_insert(because);
            rolled_back(record, now)
        }
        RefreshStatus::RollbackFailed => rollback_failed(record, &why("AWS could not take it back"), now),
        RefreshStatus::Failed => {
            let because = why("the refresh failed");
            visit::close(record, &because, now);
            if !record.is_ours() && record.back_because.is_none() {
                return fail(record, because, now);
            }
            record.back_because.get_or_insert(because.clone());
            enter(record, State::StartingBack, now, because)
        }
        RefreshStatus::Cancelling | RefreshStatus::Cancelled => match record.state {
            State::TurningBack | State::Cancelling => enter(record, State::StartingBack, now, "it is cancelled".into()),
            _ if view.status == RefreshStatus::Cancelling => wait(record, now, VISIT_LOOK_SECONDS, "it is cancelled"),
            _ => cancelled(record, now),
        },
    }
}

/// AWS does not tell of it, or of its group.
pub(super) fn unseen(record: &mut Rollout, now: Time) -> String {
    let since = record.seen_at.unwrap_or(record.since);
    if seconds_between(since, now) < UNSEEN_SECONDS_MAX {
        return wait(record, now, RETRY_SECONDS, "AWS does not tell of the refresh");
    }
    fail(record, "AWS does not tell of the refresh any more, as if its group were gone".into(), now)
}

/// The way back, as AWS tells it.
pub(super) fn seen_back(record: &mut Rollout, view: Option<RefreshView>, now: Time) -> String {
    let Some(view) = view else { return unseen(record, now) };
    record.seen_at = Some(now);
    record.trouble = None;
    record.percentage = view.percentage;
    let is_second = record.back.as_ref() == Some(&view.id);
    match view.status {
        RefreshStatus::Successful if is_second => rolled_back(record, now),
        RefreshStatus::RolledBack if !is_second => rolled_back(record, now),
        RefreshStatus::InProgress
        | RefreshStatus::Baking
        | RefreshStatus::RollingBack
        | RefreshStatus::Cancelling
        | RefreshStatus::Unknown(_) => {
            record.look_at = later(now, LOOK_SECONDS);
            format!("it goes back: {} percent", view.percentage)
        }
        RefreshStatus::Successful
        | RefreshStatus::RolledBack
        | RefreshStatus::Failed
        | RefreshStatus::Cancelled
        | RefreshStatus::RollbackFailed => {
            let reason = view.reason.unwrap_or_else(|| format!("the refresh ended as {:?}", view.status));
            rollback_failed(record, &reason, now)
        }
    }
}
