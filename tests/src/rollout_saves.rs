//! What must be true of every save of a rollout. Its arrows are written a second time here, on purpose: from the drawing.

use lastgood_core::rollout::{Rollout, State, Verdict};

/// What is wrong with a save, if anything is.
pub(crate) fn wrong(before: Option<&Rollout>, after: &Rollout) -> Option<String> {
    let Some(before) = before else {
        let begins = matches!(after.state, State::Starting | State::Watched) || is_asked(after) || is_taken_up(after);
        return (!begins).then(|| format!("rollout {} begins as {:?}", after.id, after.state));
    };
    if before.id != after.id {
        return Some(format!("rollout {} becomes {}", before.id, after.id));
    }
    if before.state != after.state && !may_go(before.state, after.state) {
        return Some(format!("rollout {} goes from {:?} to {:?}", after.id, before.state, after.state));
    }
    if before.refresh.is_some() && before.refresh != after.refresh {
        return Some(format!("rollout {} had {:?} and has {:?}", after.id, before.refresh, after.refresh));
    }
    // An operator's image has its order once its version is made.
    if before.order != after.order && before.state != State::Preparing {
        return Some(format!("rollout {} is ordered otherwise", after.id));
    }
    // Each pause has one verdict, and that stands.
    for (was, is) in before.visits.iter().zip(&after.visits) {
        if was.verdict.is_some() && was.verdict != is.verdict {
            return Some(format!("pause {} of {} had {:?} and has {:?}", is.number, after.id, was.verdict, is.verdict));
        }
    }
    if after.visits.len() < before.visits.len() {
        return Some(format!("rollout {} forgets a pause", after.id));
    }
    let bad = |given: &lastgood_core::rollout::Given| given.verdict == Verdict::RollBack;
    let was_bad = after.visits.iter().filter_map(|visit| visit.verdict.as_ref()).any(bad);
    if after.state == State::Succeeded && was_bad {
        return Some(format!("rollout {} succeeded, and a pause of it was to be rolled back", after.id));
    }
    let open = after.visits.iter().rev().skip(1).find(|visit| visit.verdict.is_none());
    open.map(|visit| format!("pause {} of {} has no verdict, and another one followed", visit.number, after.id))
}

/// An operator's image.
fn is_asked(after: &Rollout) -> bool {
    after.state == State::Preparing && after.change.is_some()
}

/// Somebody else's refresh, which goes already, and is judged.
fn is_taken_up(after: &Rollout) -> bool {
    let is_theirs = after.change.is_none() && after.order.as_ref().is_some_and(|order| order.backup.is_none());
    // It may be that its first pause is the first that is heard of it.
    matches!(after.state, State::InProgress | State::AtCheckpoint) && is_theirs && after.refresh.is_some()
}

#[expect(clippy::unnested_or_patterns, reason = "one line for each arrow")]
fn may_go(from: State, to: State) -> bool {
    use State::{
        AtCheckpoint, Baking, Cancelled, Cancelling, Failed, InProgress, Preparing, RollbackFailed, RolledBack,
        RollingBack, Starting, StartingBack, Succeeded, TurningBack,
    };
    matches!(
        (from, to),
        (Preparing, Starting | Failed | Succeeded)
            | (Starting, InProgress | Failed)
            | (InProgress, AtCheckpoint)
            | (AtCheckpoint, InProgress)
            | (InProgress, Baking)
            | (InProgress | Baking, Succeeded)
            | (InProgress | AtCheckpoint | Baking, TurningBack | Cancelled)
            // AWS turned back, failed, or both, before it was asked to.
            | (InProgress | AtCheckpoint | Baking | TurningBack | Cancelling, RollingBack | RolledBack | RollbackFailed)
            | (InProgress | AtCheckpoint | Baking | TurningBack | Cancelling, StartingBack)
            | (TurningBack, Cancelling)
            | (StartingBack, RollingBack | RollbackFailed)
            | (RollingBack, RolledBack | RollbackFailed)
            // Its group is gone.
            | (InProgress | AtCheckpoint | Baking | TurningBack | Cancelling | RollingBack, Failed)
    )
}
