//! What operators ask of a source: to hold it, to release it, to skip its next slot.
//!
//! Requests come over the bus, at least once: each is safe to repeat, for its event's time is part of what it does.

use super::life::due_by;
use super::record::{OnHold, Source};
use crate::Time;
use crate::notice::News;

/// Nothing is published from now on. Backups are made and deleted as before.
#[must_use]
pub fn hold(before: &Source, by: &str, reason: Option<&str>, at: Time) -> Source {
    let on_hold = OnHold { by: by.to_owned(), reason: reason.map(str::to_owned), at };
    if before.on_hold.as_ref() == Some(&on_hold) {
        return before.clone();
    }
    let mut source = before.clone();
    let reason = on_hold.words();
    source.on_hold = Some(on_hold);
    source.tell(&at.as_second().to_string(), at, News::SourceHeld { reason });
    source
}

/// Publishing goes on: the newest good image replaces whatever is there now, whoever put it there.
///
/// A request that is older than the hold is about another one, and changes nothing.
#[must_use]
pub fn release(before: &Source, by: &str, reason: Option<&str>, at: Time) -> Source {
    let mut source = before.clone();
    if source.on_hold.as_ref().is_some_and(|hold| hold.at > at) {
        return source;
    }
    source.on_hold = None;
    source.hold = None;
    source.expected = None;
    if source != *before {
        let reason = reason.map_or_else(|| format!("released by {by}"), |reason| format!("released by {by}: {reason}"));
        source.tell(&at.as_second().to_string(), at, News::SourceReleased { reason });
    }
    source
}

/// The next slot is passed over, and nobody waits for its backup. `slot` is the one that the operator saw: if that has
/// come meanwhile, nothing is passed over.
#[must_use]
pub fn skip(before: &Source, slot: Time, by: &str, at: Time) -> Source {
    let mut source = before.clone();
    if source.next_slot != Some(slot) {
        return source;
    }
    source.next_slot = source.policy.schedule.next_after(slot);
    let due = due_by(&source, slot);
    // What is overdue stays so: a slot that is passed over brings no backup.
    if !source.is_overdue(at) {
        source.due_by = source.due_by.max(due);
    }
    let news = News::SlotSkipped { slot, next_slot: source.next_slot, reason: format!("skipped by {by}") };
    source.tell(&slot.as_second().to_string(), at, news);
    source
}
