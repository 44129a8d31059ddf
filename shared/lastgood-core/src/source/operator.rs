//! What operators ask of a source: to hold it, to release it, to skip its next slot.
//!
//! Requests come over the bus, at least once: each is safe to repeat, for its event's time is part of what it does.

use super::life::due_by;
use super::record::{Asked, Because, Expected, Found, Hold, Source};
use crate::Time;
use crate::backup::{Backup, Publication, State};
use crate::id::BackupId;
use crate::incoming::ImageChangeRequested;
use crate::notice::News;
use crate::plan::PublishTo;
use crate::rollout::change::Step;
use crate::rollout::{Change, RolloutPolicy};

/// Nothing is published from now on. Backups are made and deleted as before.
#[must_use]
pub fn hold(before: &Source, by: &str, reason: Option<&str>, at: Time) -> Source {
    let hold = Hold { by: by.to_owned(), reason: reason.map(str::to_owned), at };
    if before.hold.as_ref() == Some(&hold) || Asked::Hold(at).is_old(before.asked) {
        return before.clone();
    }
    let mut source = before.clone();
    source.asked = Some(Asked::Hold(at));
    let reason = hold.words();
    source.hold = Some(hold);
    source.tell(&at.as_second().to_string(), at, News::SourceHeld { reason });
    source
}

/// Whether anything of the source waits for an operator.
#[must_use]
pub fn waits(source: &Source) -> bool {
    source.hold.is_some() || source.held.is_some()
}

/// The backup that a release lets ask for its turn again: the newest good one, if it was held. None while something waits: a
/// request that came late releases nothing.
#[must_use]
pub fn released<'a>(source: Option<&Source>, backups: &'a [Backup]) -> Option<&'a BackupId> {
    let good = backups.iter().filter(|backup| backup.state == State::Good && !backup.is_of_checkpoint());
    let newest = good.max_by_key(|backup| backup.id.slot)?;
    let held = matches!(newest.publication, Publication::Held(_));
    (held && source.is_some_and(|source| !waits(source))).then_some(&newest.id)
}

/// Publishing goes on: the newest good image replaces the one that is there now, whoever put it there. `found` is what
/// is there, if that can be told: a change after this is another one, and is held again.
///
/// Where nothing waits there is nothing to release.
#[must_use]
pub fn release(before: &Source, by: &str, reason: Option<&str>, found: Option<&Found>, at: Time) -> Source {
    let mut source = before.clone();
    if Asked::Release(at).is_old(before.asked) {
        return source;
    }
    // A hold that was asked for before this comes too late, also if there was nothing to release.
    source.asked = Some(Asked::Release(at));
    if !waits(before) {
        return source;
    }
    source.hold = None;
    source.held = None;
    source.expected = match found {
        // What was adopted, or published, and is still there stays what it is.
        Some(Found(image)) if source.expected.as_ref().is_some_and(|expected| expected.image == *image) => {
            source.expected
        }
        Some(Found(image)) => Some(Expected { image: image.clone(), because: Because::Applied }),
        None => None,
    };
    if source != *before {
        let reason = reason.map_or_else(|| format!("released by {by}"), |reason| format!("released by {by}: {reason}"));
        source.tell(&at.as_second().to_string(), at, News::SourceReleased { reason });
    }
    source
}

/// What an operator's image brings about, or why it can't be given.
pub fn change(source: &Source, asked: &ImageChangeRequested) -> Result<Change, String> {
    let id = &source.id;
    if source.plan.is_none() {
        return Err(format!("{id} is in no plan; select it in a plan and apply that, or change it by hand"));
    }
    if source.lost.is_some() {
        return Err(format!("{id} is deleted"));
    }
    match &source.policy.publish.to {
        PublishTo::Group => {}
        PublishTo::Nothing => {
            let what =
                "write 'rollout:' into it in the place of 'publish: none', or leave 'publish' out and say --no-refresh";
            return Err(format!("the plan of {id} publishes nothing, so nobody gives it an image here; {what}"));
        }
        PublishTo::Parameter(name) => {
            return Err(format!("{id} takes its image from the parameter {name}: write {} there", asked.image));
        }
    }
    let policy = match &source.policy.publish.rollout {
        Some(policy) => policy.clone(),
        None if asked.refresh => {
            let what = "write 'rollout:' into it, or let its members stay as they are: --no-refresh";
            return Err(format!("the plan of {id} says nothing of rollouts; {what}"));
        }
        None => RolloutPolicy::default(),
    };
    let (image, refresh) = (asked.image.clone(), asked.refresh);
    let (by, reason) = (asked.by.to_string(), asked.reason.as_ref().map(ToString::to_string));
    Ok(Change { image, backup: None, owner: None, by, reason, refresh, policy, step: Step::Asked, follows: None })
}

/// Whether `slot` is the next one, which alone can be passed over; else why not.
pub fn can_skip(source: &Source, slot: Time) -> Result<(), String> {
    let id = &source.id;
    match source.next_slot {
        Some(next) if next == slot => Ok(()),
        Some(next) if next > slot => {
            Err(format!("the slot {slot} of {id} has come, or is skipped already; the next one is {next}"))
        }
        Some(next) => Err(format!("{slot} is not the next slot of {id}; that is {next}, and it alone can be skipped")),
        None => Err(format!("{id} has no next slot that could be skipped")),
    }
}

/// The next slot is passed over, and nobody waits for its backup. `slot` is the one that the operator saw: if that has
/// come meanwhile, nothing is passed over.
#[must_use]
pub fn skip(before: &Source, slot: Time, by: &str, reason: Option<&str>, at: Time) -> Source {
    let mut source = before.clone();
    if source.next_slot != Some(slot) {
        return source;
    }
    source.next_slot = source.policy.schedule.next_after(slot);
    let due = due_by(&source, slot);
    // What is overdue stays so: a slot that is passed over brings no backup.
    if !source.is_overdue(at) {
        source.due_by = due.map(|due| source.due_by.map_or(due, |before| before.max(due)));
    }
    let reason = reason.map_or_else(|| format!("skipped by {by}"), |reason| format!("skipped by {by}: {reason}"));
    let news = News::SlotSkipped { slot, next_slot: source.next_slot, reason };
    source.tell(&slot.as_second().to_string(), at, news);
    source
}
