//! What may go, and why: a pure function from a source's good backups to the fate of each, with its reasons.
//!
//! Only good backups count. What each rule keeps, and the words in which it says so, are in `retention/rules.rs`: to
//! change a rule, change it there. The tables beside it show, policy by policy, what a change does.

use std::cmp::Reverse;

use crate::Time;
use crate::id::BackupId;

mod rules;

pub use rules::{Period, Reason, Retention};

use rules::Place;

/// A good backup, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "six facts that do not depend on each other")]
pub struct Candidate {
    /// Which backup.
    pub id: BackupId,
    /// The group launches from it, as far as we published it.
    pub published: bool,
    /// It is being published.
    pub publishing: bool,
    /// AWS still has its image, and can launch it: one that somebody deregistered or disabled by hand counts for
    /// nothing. True as long as nobody looked.
    pub there: bool,
    /// An operator asked that it stays, however old it gets.
    pub pinned: bool,
    /// The last one of what its source was before it was made anew under its name.
    pub former: bool,
    /// The instance had shut down in an orderly way for it.
    pub clean: bool,
}

/// What becomes of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, for each of these reasons; there is at least one.
    Keep(Vec<Reason>),
    /// Nothing keeps it.
    LetGo(Reason),
}

/// The fate of each candidate of one source, newest first.
///
/// * Each rule goes through those that are there, newest first. A backup stays if one rule keeps it, and tells every
///   rule that does.
/// * What is published, being published, pinned or the last of a former source stays beside the rules, and takes its places in them like any other
///   good backup: `last 3` with a pinned one among the newest three keeps three, not four.
/// * The newest that is there stays, whatever the policy says: a stored one of all zeros too.
/// * One that is not there takes no place. It stays as long as a real backup in its place would, so it goes only when
///   the rules are satisfied by younger ones that are there.
#[must_use]
pub fn judge(policy: &Retention, mut candidates: Vec<Candidate>) -> Vec<(BackupId, Fate)> {
    candidates.sort_by_key(|candidate| Reverse(candidate.id.slot));
    let oldest = candidates.iter().rfind(|candidate| candidate.there).map(|candidate| candidate.id.slot);
    let zone = policy.zone();
    let mut rules = policy.rules();
    let mut younger_are_there = false;
    let mut judged = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let slot = candidate.id.slot;
        let place = Place {
            at: slot.to_zoned(zone.clone()),
            nothing_older: oldest.is_none_or(|oldest| slot <= oldest),
            clean: candidate.clean,
        };
        let mut reasons: Vec<Reason> = rules.iter().filter_map(|rule| rule.keeps(&place)).collect();
        if reasons.is_empty() && !younger_are_there {
            reasons.push(Reason::NewestGood);
        }
        if candidate.there {
            younger_are_there = true;
            for rule in &mut rules {
                rule.count(&place);
            }
        } else if !reasons.is_empty() {
            reasons = vec![Reason::NotThere];
        }
        let beside = [
            (candidate.published, Reason::Published),
            (candidate.publishing, Reason::Publishing),
            (candidate.pinned, Reason::Pinned),
            (candidate.former, Reason::Former),
        ];
        reasons.extend(beside.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)));
        let fate = if reasons.is_empty() { Fate::LetGo(Reason::NoRule(policy.clone())) } else { Fate::Keep(reasons) };
        judged.push((candidate.id, fate));
    }
    judged
}

/// The fate of each backup of a source that is gone, and whose plan (or whoever took it out of its plan) says that its
/// backups go too: only what is pinned stays, and what is being published for now.
#[must_use]
pub fn retire(gone: Gone, mut candidates: Vec<Candidate>) -> Vec<(BackupId, Fate)> {
    candidates.sort_by_key(|candidate| Reverse(candidate.id.slot));
    let fate = |candidate: &Candidate| {
        let beside = [(candidate.publishing, Reason::Publishing), (candidate.pinned, Reason::Pinned)];
        let reasons: Vec<_> = beside.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect();
        if reasons.is_empty() { Fate::LetGo(Reason::SourceGone(gone)) } else { Fate::Keep(reasons) }
    };
    candidates.into_iter().map(|candidate| (candidate.id.clone(), fate(&candidate))).collect()
}

/// How a source went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted.
    Deleted,
    /// It was taken out of its plan.
    Unplanned,
}

/// Whether nothing of a source may be let go for now: the newest of its runs that ended, ended in failure.
///
/// While backups fail, every good one may be the one that is needed, and the newest may already hold what makes them
/// fail. The first good run after the failures lifts it. Give the slot of the newest good backup and of the newest
/// failed one; a source with neither is not halted, as it has nothing to let go.
#[must_use]
pub fn halted(newest_good: Option<Time>, newest_failed: Option<Time>) -> bool {
    newest_failed > newest_good
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tables;
