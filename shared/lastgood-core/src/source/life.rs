//! What is on record of a source, and what changes it.
//!
//! A source has no states. It has a next slot, which [`claim`] moves on; a time by which its next good backup is due,
//! which [`overdue`] watches; the turn of the one backup that is being published, which [`ask_turn`] gives; and what
//! its backups told of themselves, which [`hear`] takes in. All are safe to repeat and indifferent to order. What
//! operators ask of it is in `operator.rs`; how it is found and lost in `survey.rs`.

use super::record::{Because, Expected, Failure, Good, Published, Retry, Source};
use crate::backup::{Backup, Origin, Publication, State};
use crate::id::SourceId;
use crate::notice::{News, Notice};
use crate::plan::{Afterwards, Plan};
use crate::record::{Place, Queue, Record, SOURCES, Tells};
use crate::{Time, later};

/// A claimed slot: both records are to be saved in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The source, with its next slot moved on.
    pub source: Source,
    /// The new backup.
    pub backup: Backup,
}

/// How a backup came out so far, as it tells its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its slot.
    pub slot: Time,
    /// It became good.
    pub good: Option<Good>,
    /// It was published.
    pub published: Option<Published>,
    /// Nothing of its publication is under way.
    pub at_rest: bool,
    /// Why it was not published.
    pub held: Option<String>,
    /// Somebody gave the group this image by hand, and what follows is based on it.
    pub adopted: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What is to be warned of, as far as it was looked at.
    pub warnings: Option<Vec<String>>,
    /// Its instance was lost, and another member is to be tried.
    pub retry: Option<Retry>,
}

impl Outcome {
    /// What `backup` has to tell.
    #[must_use]
    pub fn of(backup: &Backup) -> Self {
        let slot = backup.id.slot;
        let only_kept = backup.is_of_checkpoint();
        let good = backup.good_at.zip(backup.artifact_id.clone());
        let good = good.map(|(at, artifact)| Good { slot, at, artifact, only_kept });
        let (mut published, mut held, mut adopted) = (None, None, None);
        match &backup.publication {
            Publication::Published(to) => {
                published = backup.image().map(|image| Published { slot, image: image.clone(), to: to.clone() });
            }
            Publication::Held(reason) => held = Some(reason.clone()),
            Publication::Adopted(image) => adopted = Some(image.clone()),
            Publication::NotAsked
            | Publication::Due
            | Publication::Reading { .. }
            | Publication::Making { .. }
            | Publication::Pointing { .. }
            | Publication::Pinning { .. }
            | Publication::Rolling { .. }
            | Publication::Writing { .. }
            | Publication::Superseded
            | Publication::RolledBack(_) => {}
        }
        let failed = backup.state == State::Failed;
        let failure = failed.then(|| backup.reason.clone());
        let second_try = failed && backup.instance_lost && backup.retries().is_none() && !only_kept;
        let retry = backup.instance.clone().filter(|_| second_try);
        let retry = retry.map(|lost| Retry { slot: backup.since, of: slot, lost });
        let warnings = backup.cache.chosen.as_ref().map(|chosen| chosen.warnings.clone());
        let at_rest = backup.publication.is_at_rest();
        Self { slot, good, published, at_rest, held, adopted, failure, warnings, retry }
    }
}

/// The source as `plan` wants it from `now` on; `before` is what is on record of it.
#[must_use]
pub fn apply(before: Option<&Source>, id: &SourceId, plan: &Plan, now: Time) -> Source {
    let policy = plan.policy_of(id);
    let Some(before) = before else {
        let mut source = Source::new(id, plan);
        begin(&mut source, now);
        return source;
    };
    let mut source = before.clone();
    let same = before.plan.is_some()
        && before.lost.is_none()
        && before.policy.schedule == policy.schedule
        && before.policy.spread_seconds == policy.spread_seconds;
    let later_overdue = policy.on_overdue_seconds - before.policy.on_overdue_seconds;
    source.plan = Some(plan.name.clone());
    source.policy = policy;
    (source.lost, source.missing_since, source.retire_at) = (None, None, None);
    if before.plan.is_none() || before.lost.is_some() {
        source.held = None;
    }
    if same {
        source.due_by = source.due_by.map(|due_by| later(due_by, later_overdue));
    } else {
        begin(&mut source, now);
        // A slot that has come, and waits for its spread, is not lost by a change of the plan.
        let spread = before.spread();
        let waits = |slot: &Time| *slot <= now && now < later(*slot, spread);
        let waiting = before.next_slot.filter(|slot| waits(slot) && before.lost.is_none() && before.plan.is_some());
        source.next_slot = waiting.or(source.next_slot);
    }
    if before.is_overdue(now) {
        // A new schedule is no excuse: what was due stays due until a good backup comes.
        source.due_by = before.due_by;
        source.overdue_told = before.overdue_told;
    }
    source
}

/// Whether a source comes under a plan, or is published to in another place than before: what is there then is nobody's
/// change. One that is away, or that another plan only would have, does not.
#[must_use]
pub fn begins_anew(before: Option<&Source>, after: &Source) -> bool {
    let is_there = after.plan.is_some() && after.lost.is_none();
    let elsewhere = |before: &Source| before.policy.publish.to != after.policy.publish.to;
    is_there && before.is_none_or(|before| before.plan.is_none() || before.lost.is_some() || elsewhere(before))
}

/// What the group launches from, or the parameter names, as it is now: from here on another image is somebody's change.
/// What was published before and is still there stays what was published.
#[must_use]
pub fn expect(mut source: Source, image: Option<String>) -> Source {
    let as_before = source.expected.as_ref().is_some_and(|expected| expected.image == image);
    if !as_before {
        source.expected = Some(Expected { image, because: Because::Applied });
    }
    source
}

/// A new schedule begins at `now`: its first slot is the first one after it.
pub(super) fn begin(source: &mut Source, now: Time) {
    source.next_slot = source.policy.schedule.next_after(now);
    source.due_by = due_by(source, now);
    source.overdue_told = false;
}

/// When the good backup of the first slot after `time` is due at the latest.
pub(super) fn due_by(source: &Source, time: Time) -> Option<Time> {
    let slot = source.policy.schedule.next_after(time)?;
    Some(later(slot, source.spread() + source.policy.on_overdue_seconds))
}

/// The source without its plan: nothing is due any more. Its backups stay, or all of them may go at once.
#[must_use]
pub fn unplan(before: &Source, backups: Afterwards, now: Time) -> Source {
    let mut source = before.clone();
    source.plan = None;
    end(&mut source);
    source.retire_at = match backups {
        Afterwards::Keep => None,
        Afterwards::Delete => Some(before.retire_at.map_or(now, |at| at.min(now))),
    };
    source
}

/// Nothing is due any more.
pub(super) fn end(source: &mut Source) {
    source.next_slot = None;
    source.due_by = None;
    source.overdue_told = false;
    source.retry = None;
}

/// Claims the slot that is due at `now`, if one is. Slots that were missed collapse into the latest of them. A second
/// try is claimed if no slot is due.
#[must_use]
pub fn claim(before: &Source, now: Time) -> Option<Claim> {
    let plan = before.plan.as_deref()?;
    let schedule = &before.policy.schedule;
    let mut source = before.clone();
    // Whatever comes now, another member is tried with it.
    source.retry = None;
    let spread = before.spread();
    let due = before.next_slot.filter(|slot| later(*slot, spread) <= now);
    let (slot, origin) = match (due, &before.retry) {
        (Some(due), _) => {
            let begun = later(now, -spread);
            source.next_slot = schedule.next_after(begun);
            (schedule.latest_until(begun).filter(|latest| *latest > due).unwrap_or(due), Origin::Schedule)
        }
        (None, Some(retry)) => (retry.slot, Origin::Retry { of: retry.of, lost: retry.lost.clone() }),
        (None, None) => return None,
    };
    let backup = Backup::requested(source.backup_id(slot), plan, origin, &before.policy, now);
    Some(Claim { source, backup })
}

/// Tells once that the good backup which was due by now is not there.
#[must_use]
pub fn overdue(before: &Source, now: Time) -> Option<Source> {
    let due_by = before.due_by.filter(|_| before.is_overdue(now) && !before.overdue_told)?;
    let mut source = before.clone();
    source.overdue_told = true;
    let last_good = source.last_good.as_ref().map(|good| good.slot);
    let occasion = due_by.as_second().to_string();
    source.tell(&occasion, now, News::BackupOverdue { due_by, last_good });
    Some(source)
}

/// Takes in how a backup came out. Hearing it twice, or late, changes nothing more.
#[must_use]
pub fn hear(before: &Source, outcome: &Outcome) -> Source {
    let mut source = before.clone();
    let slot = outcome.slot;
    if let Some(warnings) = &outcome.warnings
        && source.last_good.as_ref().is_none_or(|known| known.slot <= slot)
    {
        source.warnings.clone_from(warnings);
    }
    if let Some(good) = &outcome.good
        && source.last_good.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.last_good = Some(good.clone());
        if source.plan.is_some() && source.lost.is_none() {
            source.due_by = due_by(&source, slot);
            source.overdue_told = false;
        }
    }
    if let Some(published) = &outcome.published
        && source.published.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.published = Some(published.clone());
        // What a plan of before published elsewhere says nothing of the place of now.
        if published.to.is_at(&source.policy.publish.to) {
            source.expected = Some(Expected { image: Some(published.image.to_string()), because: Because::Published });
        }
        source.held = None;
    }
    if let Some(image) = &outcome.adopted
        && source.published.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.expected = Some(Expected { image: Some(image.clone()), because: Because::Adopted });
        source.held = None;
    }
    if let Some(retry) = outcome.retry.as_ref().filter(|_| source.plan.is_some() && source.lost.is_none())
        && source.retried.is_none_or(|retried| retried < retry.of)
        && source.last_good.as_ref().is_none_or(|good| good.slot < slot)
    {
        source.retry = Some(retry.clone());
        source.retried = Some(retry.of);
    }
    if let Some(hold) = &outcome.held
        && source.published.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.held = Some(hold.clone());
    }
    if outcome.at_rest && source.turn == Some(slot) {
        source.turn = None;
    }
    let newest = |known: &Option<Failure>| known.as_ref().is_none_or(|known| known.slot <= slot);
    match &outcome.failure {
        Some(reason) if source.last_good.as_ref().is_none_or(|good| good.slot < slot) && newest(&source.failure) => {
            source.failure = Some(Failure { slot, reason: reason.clone() });
        }
        None if outcome.good.is_some() && newest(&source.failure) => {
            source.failure = None;
            source.halt_told = false;
        }
        Some(_) | None => {}
    }
    source
}

/// Tells once that nothing is deleted as long as the newest backup failed; `wanted` is how many would go.
#[must_use]
pub fn halt(before: &Source, wanted: usize, now: Time) -> Option<Source> {
    let failure = before.failure.as_ref().filter(|_| before.is_failing() && !before.halt_told)?;
    let mut source = before.clone();
    source.halt_told = true;
    let occasion = failure.slot.as_second().to_string();
    let news = News::DeletionHalted { backups: wanted, failed: failure.slot, reason: failure.reason.clone() };
    source.tell(&occasion, now, news);
    Some(source)
}

/// When backup-tick must look at it again: at its next slot, or when it becomes overdue, or at once if there is
/// something to be told or tried again.
#[must_use]
pub fn wake(source: &Source) -> Option<Time> {
    if !source.outbox.is_empty() {
        return Some(Time::UNIX_EPOCH);
    }
    source.plan.as_ref()?;
    let slot = source.next_slot.map(|slot| later(slot, source.spread()));
    let overdue = source.due_by.filter(|_| !source.overdue_told).map(|due_by| later(due_by, 1));
    let retry = source.retry.as_ref().map(|retry| retry.slot);
    [slot, overdue, retry].into_iter().flatten().min()
}

impl Record for Source {
    type Id = SourceId;
    type Of = ();

    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn place(id: &SourceId) -> Place {
        Place { partition: Self::partition(&()), sort: id.to_string() }
    }

    fn partition((): &()) -> String {
        SOURCES.to_owned()
    }

    fn waits(&self) -> Option<(Queue, Time)> {
        wake(self).map(|wake| (Queue::Tick, wake))
    }
}

impl Tells for Source {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}
