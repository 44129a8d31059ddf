//! Whose turn it is to publish: one backup of a source at a time has it, so that an older image never lands on top of a newer
//! one. And the rollout that goes, if one does.

use super::record::{Expected, Source};
use crate::Time;
use crate::backup::Backup;
use crate::id::RolloutId;
use crate::plan::{Publish, PublishTo};

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
    let newer_good = source.last_good.as_ref().is_some_and(|good| good.slot > slot);
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
    if source.turn.is_some_and(|holder| holder != slot) {
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

/// It is over, if it is the one that went.
#[must_use]
pub fn rolls_no_more(before: &Source, rollout: &RolloutId) -> Source {
    let rollout = before.rollout.clone().filter(|goes| goes != rollout);
    Source { rollout, ..before.clone() }
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
