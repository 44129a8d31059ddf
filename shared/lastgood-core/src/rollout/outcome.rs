//! How a rollout ended, as its backup hears it.

use super::life::State;
use super::record::Rollout;
use crate::id::{BackupId, TemplateId};

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The group launches from this version of the template.
    Succeeded(TemplateId, u64),
    /// It was taken back, or could not be: the image is not published again.
    RolledBack(String),
    /// It did not come about.
    NotDone(String),
}

impl Outcome {
    /// What there is to tell, and whom, if it is over and a backup waits for it.
    #[must_use]
    pub fn of(rollout: &Rollout) -> Option<(BackupId, Self)> {
        let order = rollout.order.as_ref()?;
        let reason = || rollout.reason.clone();
        let outcome = match rollout.state {
            State::Succeeded => Self::Succeeded(order.template().clone(), order.version),
            State::RolledBack | State::RollbackFailed => Self::RolledBack(reason()),
            State::Failed | State::Cancelled => Self::NotDone(reason()),
            State::Preparing
            | State::Starting
            | State::InProgress
            | State::AtCheckpoint
            | State::Baking
            | State::TurningBack
            | State::Cancelling
            | State::StartingBack
            | State::RollingBack
            | State::Watched => return None,
        };
        Some((order.backup.clone()?, outcome))
    }
}
