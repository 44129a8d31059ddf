//! What becomes of the backups of a source when it is cleaned up. What only AWS can tell is asked for on the way, right
//! before it matters and only if it does.

use std::collections::BTreeSet;

use super::record::Source;
use crate::backup::power::Consistency;
use crate::backup::{Backup, Publication, State};
use crate::id::{ArtifactId, BackupId};
use crate::retention::{self, Candidate, Fate, Gone};
use crate::{Time, seconds_between};

/// How long after a cache was made anew under its name the last good backup of what it was before stays: its operator may have
/// meant its data to stay, too.
pub const FORMER_SECONDS: i64 = 30 * 24 * 60 * 60;

/// What AWS has told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether a source that counted as deleted is there again.
    pub is_back: Option<bool>,
    /// The backups whose artifact is there and can be used.
    pub there: Option<BTreeSet<BackupId>>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Everything stays.
    Rest,
    /// Ask whether the source is there again, though it counted as deleted.
    AskBack,
    /// So many would go, and stay as long as the newest backup failed: tell that.
    Halt(usize),
    /// Ask which of these are there and can be used.
    AskThere(Vec<(BackupId, ArtifactId)>),
    /// These go, each for its reason.
    LetGo(Vec<(BackupId, String)>),
}

/// Whether anything may go of a source at all: without a plan there is no retention, and everything stays, unless it was said
/// that all may go.
#[must_use]
pub fn may_lose(source: &Source, now: Time) -> bool {
    is_retired(source, now) || (source.plan.is_some() && source.lost.is_none())
}

fn is_retired(source: &Source, now: Time) -> bool {
    source.retire_at.is_some_and(|at| at <= now)
}

/// The next step for `source`, whose `backups` are all on record of it.
#[must_use]
pub fn cleanup(source: &Source, backups: &[Backup], known: &Known, now: Time) -> Cleanup {
    if !may_lose(source, now) {
        return Cleanup::Rest;
    }
    let retired = is_retired(source, now);
    let gone = retired.then_some(if source.lost.is_some() { Gone::Deleted } else { Gone::Unplanned });
    let let_go = |there: Option<&BTreeSet<BackupId>>| {
        let candidates = candidates(source, backups, there, now);
        let fates = match gone {
            Some(gone) => retention::retire(gone, candidates),
            None => retention::judge(&source.policy.retain, candidates),
        };
        let goes = fates.into_iter().filter_map(|(id, fate)| match fate {
            Fate::LetGo(reason) => Some((id, reason.to_string())),
            Fate::Keep(_) => None,
        });
        goes.collect::<Vec<_>>()
    };
    let first = let_go(None);
    if first.is_empty() {
        return Cleanup::Rest;
    }
    if gone == Some(Gone::Deleted) && source.may_be_back() {
        match known.is_back {
            None => return Cleanup::AskBack,
            Some(true) => return Cleanup::Rest,
            Some(false) => {}
        }
    }
    if retired {
        return Cleanup::LetGo(first);
    }
    if source.is_failing() {
        return Cleanup::Halt(first.len());
    }
    // Before anything goes, it is looked whether what stays is there.
    match &known.there {
        None => {
            let artifact = |backup: &Backup| Some((backup.id.clone(), backup.artifact_id.clone()?));
            Cleanup::AskThere(good(backups).filter_map(artifact).collect())
        }
        Some(there) => Cleanup::LetGo(let_go(Some(there))),
    }
}

/// The good backups of a source. What the group launches from is known twice, to the source and to the backup itself;
/// either is enough.
fn candidates(source: &Source, backups: &[Backup], there: Option<&BTreeSet<BackupId>>, now: Time) -> Vec<Candidate> {
    let published = |backup: &&Backup| matches!(backup.publication, Publication::Published(_));
    let newest_published = backups.iter().filter(published).map(|backup| backup.id.slot).max();
    let former = former(backups, now);
    let candidate = |backup: &Backup| Candidate {
        id: backup.id.clone(),
        published: Some(backup.id.slot) == newest_published
            || source.published.as_ref().is_some_and(|published| published.slot == backup.id.slot),
        publishing: backup.may_be_published_yet(now)
            || backup.reserved_by(now).is_some()
            || source.change.as_ref().is_some_and(|change| Some(&change.image) == backup.image()),
        there: there.is_none_or(|there| there.contains(&backup.id)),
        pinned: backup.pinned.is_some(),
        former: former.contains(&&backup.id),
        clean: backup.power.consistency == Some(Consistency::Clean),
    };
    good(backups).map(candidate).collect()
}

/// The last good backup of each cache that was there under this name before the one of the newest.
fn former(backups: &[Backup], now: Time) -> Vec<&BackupId> {
    let birth = |backup: &Backup| backup.cache.born_at();
    let mut newest_first: Vec<&Backup> = good(backups).filter(|backup| birth(backup).is_some()).collect();
    newest_first.sort_by_key(|backup| std::cmp::Reverse(backup.id.slot));
    let mut seen: BTreeSet<Time> = newest_first.first().and_then(|backup| birth(backup)).into_iter().collect();
    let is_recent = seen.first().is_some_and(|born| seconds_between(*born, now) < FORMER_SECONDS);
    let is_last = |backup: &&&Backup| birth(backup).is_some_and(|born| seen.insert(born));
    newest_first.iter().filter(|_| is_recent).filter(is_last).map(|backup| &backup.id).collect()
}

fn good(backups: &[Backup]) -> impl Iterator<Item = &Backup> {
    backups.iter().filter(|backup| backup.state == State::Good)
}
