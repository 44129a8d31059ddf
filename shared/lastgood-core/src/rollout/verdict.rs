//! Which verdicts are heard. What is refused is reported to who sent it; what was given already is not, for events come twice.

use super::life::State;
use super::policy::Judge;
use super::record::{Rollout, Verdict};
use super::visit::policy;
use crate::Time;
use crate::incoming::VerdictAsked;

/// Why a verdict that was asked for `at` that time changes nothing and will not, if that is so.
#[must_use]
pub fn refused(record: &Rollout, asked: &VerdictAsked, at: Time) -> Option<String> {
    if is_given(record, asked) {
        return None;
    }
    match record.state {
        State::AtCheckpoint => unheard(record, asked, at),
        State::Preparing | State::InProgress | State::Baking if asked.verdict == Verdict::RollBack => None,
        State::Preparing | State::InProgress | State::Baking => Some("it does not pause now".to_owned()),
        State::Starting => Some("it is about to begin; say it when it has begun".to_owned()),
        State::TurningBack | State::Cancelling | State::StartingBack | State::RollingBack => {
            Some("it is being rolled back".to_owned())
        }
        State::Watched => Some("somebody else began it, and its pauses are not judged here".to_owned()),
        State::Succeeded | State::RolledBack | State::RollbackFailed | State::Failed | State::Cancelled => {
            Some("it is over".to_owned())
        }
    }
}

/// Why a verdict is not heard at the pause that is open.
pub(super) fn unheard(record: &Rollout, asked: &VerdictAsked, at: Time) -> Option<String> {
    let Some(visit) = record.open_visit() else { return Some("it has its verdict".to_owned()) };
    if asked.visit.is_some_and(|number| number != visit.number) || (asked.visit.is_none() && at < visit.at) {
        return Some("it speaks of another pause".to_owned());
    }
    if asked.verdict == Verdict::RollBack {
        return None;
    }
    let is_named = policy(record).is_some_and(|policy| policy.verdict.by.contains(&asked.judge));
    match visit.held_until {
        // No program speaks for a person.
        Some(_) => (asked.judge != Judge::Person)
            .then(|| format!("it is held for a person, and a verdict by {} does not end that", asked.judge)),
        None => (!is_named).then(|| format!("its plan does not ask for a verdict by {}", asked.judge)),
    }
}

/// Whether the same was said before, or came about.
fn is_given(record: &Rollout, asked: &VerdictAsked) -> bool {
    let goes_back = match record.state {
        State::TurningBack
        | State::Cancelling
        | State::StartingBack
        | State::RollingBack
        | State::RolledBack
        | State::Failed => true,
        State::Preparing
        | State::Starting
        | State::InProgress
        | State::AtCheckpoint
        | State::Baking
        | State::Succeeded
        | State::RollbackFailed
        | State::Cancelled
        | State::Watched => false,
    };
    if goes_back && asked.verdict == Verdict::RollBack {
        return true;
    }
    let mut of_it = record.visits.iter().filter(|visit| asked.visit.is_none_or(|number| number == visit.number));
    let is_open = record.open_visit().is_some() && asked.visit.is_none();
    !is_open && of_it.any(|visit| visit.verdict.as_ref().is_some_and(|given| given.verdict == asked.verdict))
}
