//! Whose turn it is to publish: one backup of a source at a time has it, so that an older image never lands on top of a newer
//! one. And the rollout that goes, if one does.

use super::record::{Because, Changing, Expected, Source};
use crate::Time;
use crate::backup::Backup;
use crate::id::RolloutId;
use crate::plan::{Publish, PublishTo};
use crate::rollout::{Rollout, State};

/// Whether a backup may publish now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Given {
        /// What should be found there; `None` if anything may.
        expected: Option<Expected>,
        /// What the plan says now.
        publish: Publish,
        /// Why the backup before it was held, if it was.
        held: Option<String>,
    },
    /// Another backup is at it.
    Taken,
    /// A newer backup is good or published: this one is not wanted any more.
    Newer,
    /// Nothing of the source is published: it is in no plan any more, or its plan publishes nothing.
    Unwanted(String),
    /// An operator holds it: why, and why the backup before it was held, if it was.
    OnHold(String, Option<String>),
}

/// Gives the turn to publish to the backup of `slot`, or says why not.
#[must_use]
pub fn ask_turn(before: &Source, slot: Time) -> (Source, Turn) {
    let mut source = before.clone();
    let newer_good = source.last_good.as_ref().is_some_and(|good| good.slot > slot && !good.only_kept);
    let newer_published = source.published.as_ref().is_some_and(|published| published.slot > slot);
    let unwanted = if source.plan.is_none() {
        Some("its source is in no plan any more")
    } else if source.policy.publish.to == PublishTo::Nothing {
        Some("its plan publishes nothing any more")
    } else {
        None
    };
    let no = if let Some(why) = unwanted {
        Some(Turn::Unwanted(why.to_owned()))
    } else if newer_good || newer_published {
        Some(Turn::Newer)
    } else {
        source.hold.as_ref().map(|hold| Turn::OnHold(hold.words(), source.held.clone()))
    };
    if let Some(no) = no {
        source.turn = source.turn.filter(|holder| *holder != slot);
        return (source, no);
    }
    // Whoever has it goes on, and an operator's image waits for that.
    let is_held_up = source.change.is_some() || source.rollout.is_some();
    if source.turn.map_or(is_held_up, |holder| holder != slot) {
        return (source, Turn::Taken);
    }
    source.turn = Some(slot);
    let (expected, publish) = (source.expected.clone(), source.policy.publish.clone());
    let held = source.held.clone();
    (source, Turn::Given { expected, publish, held })
}

/// The rollout of this name goes.
#[must_use]
pub fn rolls(before: &Source, rollout: &RolloutId) -> Source {
    Source { rollout: Some(rollout.clone()), ..before.clone() }
}

/// The turn for a rollout that no backup waits for, if nothing else is being published or rolled out; and whether it has it.
/// An operator's image that waits is waited for: nothing else begins.
#[must_use]
pub fn ask_to_roll(before: &Source, rollout: &Rollout) -> (Source, bool) {
    let mut source = before.clone();
    if let (None, Some(change)) = (&source.change, &rollout.change) {
        source.change = Some(Changing { rollout: rollout.id.clone(), image: change.image.clone() });
    }
    let is_next = source.change.as_ref().is_none_or(|change| change.rollout == rollout.id);
    let is_free = source.turn.is_none() && source.rollout.as_ref().is_none_or(|goes| *goes == rollout.id);
    let has_it = is_next && is_free;
    (if has_it { rolls(&source, &rollout.id) } else { source }, has_it)
}

/// Nothing is known of a rollout of this name any more: nobody waits for it.
#[must_use]
pub fn forget_rollout(before: &Source, rollout: &RolloutId) -> Source {
    let mut source = before.clone();
    source.rollout = source.rollout.filter(|goes| goes != rollout);
    source.change = source.change.filter(|change| change.rollout != *rollout);
    source
}

/// It is over, if it is the one that went. What an operator gave it is what its backups are based on from then on.
#[must_use]
pub fn rolls_no_more(before: &Source, ended: &Rollout) -> Source {
    let mut source = before.clone();
    source.rollout = source.rollout.filter(|goes| *goes != ended.id);
    let change = source.change.clone().filter(|change| change.rollout == ended.id);
    if let Some(change) = change {
        source.change = None;
        if ended.state == State::Succeeded {
            source.expected = Some(Expected { image: Some(change.image.to_string()), because: Because::Adopted });
            source.held = None;
        }
    }
    source
}

/// Whether the backup that has the turn is at it still: one that two runs had at once may keep it at rest. What it came to
/// must be known to the source before another one begins.
#[must_use]
pub fn is_at_it(holder: Option<&Backup>) -> bool {
    holder.is_some_and(|backup| !backup.publication.is_at_rest() || !backup.source_told)
}

/// Takes the turn from the backup of `slot`, if it has it.
#[must_use]
pub fn free_turn(before: &Source, slot: Time) -> Source {
    let mut source = before.clone();
    source.turn = source.turn.filter(|holder| *holder != slot);
    source
}
