//! What is on record of a source, and what changes it.
//!
//! A source has no states. It has a next slot, which [`claim`] moves on; a time by which its next good backup is due,
//! which [`overdue`] watches; the turn of the one backup that is being published, which [`ask_turn`] gives; and what
//! its backups told of themselves, which [`hear`] takes in. All are safe to repeat and indifferent to order.

use serde::{Deserialize, Serialize};

use crate::backup::{Backup, Origin, Publication, State};
use crate::id::{BackupId, ImageId, SourceId, TemplateId};
use crate::notice::{News, Notice};
use crate::plan::{OnManualChange, Plan, Policy};
use crate::{Time, later};

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is.
    pub id: SourceId,
    /// The plan that it belongs to; `None` once it was taken out of its plan. Its backups stay then, all of them.
    pub plan: Option<String>,
    /// What the plan says.
    pub policy: Policy,
    /// The next point of the schedule.
    pub next_slot: Option<Time>,
    /// When the next good backup is due at the latest.
    pub due_by: Option<Time>,
    /// That it is overdue was told.
    #[serde(default)]
    pub overdue_told: bool,
    /// Its newest good backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Good>,
    /// What the group launches from, as far as we published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The slot of the backup that may publish now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Time>,
    /// Why the newest image was not published, if it was not: an operator is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Why the newest backup failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Notices that are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
}

/// A good backup, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Its slot.
    pub slot: Time,
    /// When it became good.
    pub at: Time,
    /// Its image.
    pub image: ImageId,
}

/// A published image, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The slot of its backup.
    pub slot: Time,
    /// The image.
    pub image: ImageId,
    /// The launch template.
    pub template: TemplateId,
    /// The version with the image.
    pub version: u64,
}

/// A failed backup, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its slot.
    pub slot: Time,
    /// Why.
    pub reason: String,
}

/// A claimed slot: both records are to be saved in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The source, with its next slot moved on.
    pub source: Source,
    /// The new backup.
    pub backup: Backup,
}

/// Whether a backup may publish now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Given {
        /// The image that was published last.
        last: Option<ImageId>,
        /// What the plan says now.
        on_manual_change: OnManualChange,
    },
    /// Another backup is at it.
    Taken,
    /// A newer backup is good or published: this one is not wanted any more.
    Newer,
    /// The source is in no plan any more: nothing of it is published.
    Unplanned,
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
    pub hold: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

impl Outcome {
    /// What `backup` has to tell.
    #[must_use]
    pub fn of(backup: &Backup) -> Self {
        let slot = backup.id.slot;
        let good = backup.good_at.zip(backup.image.clone()).map(|(at, image)| Good { slot, at, image });
        let published = match (&backup.publication, backup.image.clone()) {
            (Publication::Published { template, version }, Some(image)) => {
                Some(Published { slot, image, template: template.clone(), version: *version })
            }
            _ => None,
        };
        let hold = match &backup.publication {
            Publication::Held(reason) => Some(reason.clone()),
            _ => None,
        };
        let failure = (backup.state == State::Failed).then(|| backup.reason.clone());
        Self { slot, good, published, at_rest: backup.publication.is_at_rest(), hold, failure }
    }
}

impl Source {
    /// The id of the backup of this source for `slot`.
    #[must_use]
    pub fn backup_id(&self, slot: Time) -> BackupId {
        BackupId { source: self.id.clone(), slot }
    }

    /// The time by which a good backup is due and was not seen to be.
    #[must_use]
    pub fn is_overdue(&self, now: Time) -> bool {
        self.plan.is_some() && self.due_by.is_some_and(|due_by| now > due_by)
    }
}

/// The source as `plan` wants it from `now` on; `before` is what is on record of it.
#[must_use]
pub fn apply(before: Option<&Source>, id: &SourceId, plan: &Plan, now: Time) -> Source {
    let policy = plan.policy.clone();
    let Some(before) = before else {
        let mut source = Source {
            id: id.clone(),
            plan: Some(plan.name.clone()),
            policy,
            next_slot: None,
            due_by: None,
            overdue_told: false,
            last_good: None,
            published: None,
            turn: None,
            hold: None,
            failure: None,
            outbox: Vec::new(),
        };
        begin(&mut source, now);
        return source;
    };
    let mut source = before.clone();
    let same = before.plan.is_some()
        && before.policy.schedule == policy.schedule
        && before.policy.on_overdue_seconds == policy.on_overdue_seconds;
    source.plan = Some(plan.name.clone());
    source.policy = policy;
    if !same {
        begin(&mut source, now);
    }
    if before.is_overdue(now) {
        // A new schedule is no excuse: what was due stays due until a good backup comes.
        source.due_by = before.due_by;
        source.overdue_told = before.overdue_told;
    }
    source
}

/// A new schedule begins at `now`: its first slot is the first one after it.
fn begin(source: &mut Source, now: Time) {
    source.next_slot = source.policy.schedule.next_after(now);
    source.due_by = due_by(source, now);
    source.overdue_told = false;
}

/// When the good backup of the first slot after `time` is due at the latest.
fn due_by(source: &Source, time: Time) -> Option<Time> {
    let slot = source.policy.schedule.next_after(time)?;
    Some(later(slot, source.policy.on_overdue_seconds))
}

/// The source without its plan: nothing is due any more, and everything it has stays.
#[must_use]
pub fn release(before: &Source) -> Source {
    let mut source = before.clone();
    source.plan = None;
    source.next_slot = None;
    source.due_by = None;
    source.overdue_told = false;
    source
}

/// Claims the slot that is due at `now`, if one is. Slots that were missed collapse into the latest of them.
#[must_use]
pub fn claim(before: &Source, now: Time) -> Option<Claim> {
    let due = before.next_slot.filter(|slot| *slot <= now)?;
    let plan = before.plan.as_deref()?;
    let schedule = &before.policy.schedule;
    let slot = schedule.latest_until(now).filter(|latest| *latest > due).unwrap_or(due);
    let mut source = before.clone();
    source.next_slot = schedule.next_after(now);
    let id = source.backup_id(slot);
    let backup = Backup::requested(id, plan, Origin::Schedule, before.policy.on_manual_change, now);
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
    let news = News::BackupOverdue { due_by, last_good };
    source.outbox.push(Notice::new(&source.id, &occasion, now, news));
    Some(source)
}

/// Gives the turn to publish to the backup of `slot`, or says why not.
#[must_use]
pub fn ask_turn(before: &Source, slot: Time) -> (Source, Turn) {
    let mut source = before.clone();
    let newer_good = source.last_good.as_ref().is_some_and(|good| good.slot > slot);
    let newer_published = source.published.as_ref().is_some_and(|published| published.slot > slot);
    if newer_good || newer_published || source.plan.is_none() {
        if source.turn == Some(slot) {
            source.turn = None;
        }
        let turn = if source.plan.is_none() { Turn::Unplanned } else { Turn::Newer };
        return (source, turn);
    }
    if source.turn.is_some_and(|holder| holder != slot) {
        return (source, Turn::Taken);
    }
    source.turn = Some(slot);
    let last = source.published.as_ref().map(|published| published.image.clone());
    let on_manual_change = source.policy.on_manual_change;
    (source, Turn::Given { last, on_manual_change })
}

/// Takes the turn from the backup of `slot`, if it has it.
#[must_use]
pub fn free_turn(before: &Source, slot: Time) -> Source {
    let mut source = before.clone();
    source.turn = source.turn.filter(|holder| *holder != slot);
    source
}

/// Takes in how a backup came out. Hearing it twice, or late, changes nothing more.
#[must_use]
pub fn hear(before: &Source, outcome: &Outcome) -> Source {
    let mut source = before.clone();
    let slot = outcome.slot;
    if let Some(good) = &outcome.good
        && source.last_good.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.last_good = Some(good.clone());
        if source.plan.is_some() {
            source.due_by = due_by(&source, slot);
            source.overdue_told = false;
        }
    }
    if let Some(published) = &outcome.published
        && source.published.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.published = Some(published.clone());
        source.hold = None;
    }
    if let Some(hold) = &outcome.hold
        && source.published.as_ref().is_none_or(|known| known.slot < slot)
    {
        source.hold = Some(hold.clone());
    }
    if outcome.at_rest && source.turn == Some(slot) {
        source.turn = None;
    }
    let newest = |known: &Option<Failure>| known.as_ref().is_none_or(|known| known.slot <= slot);
    match &outcome.failure {
        Some(reason) if source.last_good.as_ref().is_none_or(|good| good.slot < slot) && newest(&source.failure) => {
            source.failure = Some(Failure { slot, reason: reason.clone() });
        }
        None if outcome.good.is_some() && newest(&source.failure) => source.failure = None,
        Some(_) | None => {}
    }
    source
}

/// Takes notices out of the outbox that are on the bus.
#[must_use]
pub fn sent(before: &Source, ids: &[String]) -> Source {
    let mut source = before.clone();
    source.outbox.retain(|notice| !ids.contains(&notice.id));
    source
}

/// When backup-tick must look at it again: at its next slot, or when it becomes overdue, or at once if there is
/// something to be told.
#[must_use]
pub fn wake(source: &Source) -> Option<Time> {
    if !source.outbox.is_empty() {
        return Some(Time::UNIX_EPOCH);
    }
    source.plan.as_ref()?;
    let overdue = source.due_by.filter(|_| !source.overdue_told).map(|due_by| later(due_by, 1));
    [source.next_slot, overdue].into_iter().flatten().min()
}
