//! A snapshot of a cache as the artifact of a backup: what it is made of, what AWS takes and refuses, and what AWS says of it.

use serde::{Deserialize, Serialize};

use super::image::{Named, foreign};
use super::inspection::Remains;
use super::life::{Event, State, enter, fail, wait};
use super::moves::{newer, overtaken};
use super::proof::is_its_cache_snapshot;
use super::record::{Artifact, Backup, Origin as By};
use super::sight::{Completeness, Sight};
use crate::cache::{Choice, Full, Origin, Taken, choose, counts_until, strained, taken, unfit, warnings};
use crate::facts::{Cache, CacheSetup, CacheShape, CacheSnapshot, CacheSnapshotState, CacheStrain};
use crate::id::{ArtifactId, CacheId, CacheSnapshotId};
use crate::name::cache_snapshot_id;
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::source::cleanup::FORMER_SECONDS;
use crate::{Time, later, seconds_between};

/// How long what was seen of a cache holds, in seconds: a failover makes another node the primary.
pub const CHOSEN_SECONDS_MAX: i64 = 30;
/// Pause before a node is asked again of which AWS took no more though fewer were counted: when there is room again it does
/// not say. A backup that waits for room is looked at as often.
pub const FULL_SECONDS: i64 = 60 * 60;
/// A wait for room that ends so soon is told nobody: what AWS took a day ago must be a whole day old, so a plan with as many slots
/// as AWS takes waits for a minute or two each time.
pub const QUOTA_TOLD_SECONDS_MIN: i64 = 30 * 60;
/// How long a backup waits for room in AWS's quota before it fails.
pub const QUOTA_WAIT_SECONDS_MAX: i64 = 25 * 60 * 60;
/// How long a snapshot is expected to take of which none was made before.
pub const EXPECTED_SECONDS_DEFAULT: i64 = 10 * 60;
/// The least and the most time between two looks at a snapshot that is being made.
const POLL_SECONDS: (i64, i64) = (15, 5 * 60);
/// A snapshot that takes so many times longer than expected is stuck.
const STUCK_TIMES: i64 = 10;
/// The least and the most time that one may take. A first one teaches nothing yet of how long its cache takes: it has a day.
const MAKING_SECONDS_MAX: (i64, i64) = (26 * 60 * 60, 7 * 24 * 60 * 60);

/// What is on record of a backup because it is one of a cache. Empty for any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePart {
    /// What it is made of, once that is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<ChosenCache>,
    /// When that was chosen; `None` if it is to be chosen again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_at: Option<Time>,
    /// When AWS took it: it counts from then, also when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Time>,
    /// How large it is, in bytes, if AWS told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Nodes of which AWS took no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full: Vec<Full>,
    /// It waited until then for room in AWS's quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_until: Option<Time>,
    /// That was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quota_told: bool,
}

/// What a backup of a cache is made of, and what whoever restores it will need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenCache {
    /// The cluster that is one of several nodes; `None`: the whole cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Why that one, in words.
    pub why: String,
    /// How the cache was set up then.
    pub setup: CacheSetup,
    /// What makes the backup, or its restore, likelier to fail or to be felt, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What is measured of it is among these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_measured: bool,
    /// How long the snapshot is expected to take, in seconds: as long as the last one.
    pub expected_seconds: i64,
}

impl CachePart {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether what was chosen still holds.
    pub(super) fn is_fresh(&self, now: Time) -> bool {
        self.chosen_at.is_some_and(|at| seconds_between(at, now) <= CHOSEN_SECONDS_MAX)
    }

    /// When the cache was made that it is of, if AWS told.
    pub(crate) fn born_at(&self) -> Option<Time> {
        self.chosen.as_ref()?.setup.created_at
    }

    /// It waits for room in AWS's quota, and is looked at then.
    pub(super) fn waits_for_room(&self, look_at: Time) -> bool {
        self.chosen_at.is_none() && self.quota_until.is_some_and(|until| look_at <= until)
    }

    /// The cluster that is one of several nodes, once that is chosen.
    fn node(&self) -> Option<String> {
        self.chosen.as_ref()?.node.clone()
    }

    fn expected_seconds(&self) -> i64 {
        self.chosen.as_ref().map_or(EXPECTED_SECONDS_DEFAULT, |chosen| chosen.expected_seconds)
    }

    /// Pause between two looks at it while it is being made: half of what was waited so far, up to a tenth of what it is
    /// expected to take.
    pub(super) fn poll_seconds(&self, waited_seconds: i64) -> i64 {
        (self.expected_seconds() / 10).min(waited_seconds / 2).clamp(POLL_SECONDS.0, POLL_SECONDS.1)
    }

    /// How long it may take.
    pub(super) fn making_seconds_max(&self) -> i64 {
        self.expected_seconds().saturating_mul(STUCK_TIMES).clamp(MAKING_SECONDS_MAX.0, MAKING_SECONDS_MAX.1)
    }
}

/// What AWS tells of a cache at `now`, and whose snapshots of it there are, lets happen to a backup. `backups` are all of the
/// cache.
#[must_use]
pub fn chosen(
    record: &Backup,
    id: &CacheId,
    caches: &[Cache],
    snapshots: &[CacheSnapshot],
    backups: &[Backup],
    now: Time,
) -> Event {
    let Some(cache) = caches.iter().find(|cache| cache.id == *id) else {
        return Event::NoOrigin(format!("there is no {id} any more"));
    };
    if let Some(why) = unfit(cache) {
        return Event::NoOrigin(format!("{id}: {why}"));
    }
    if let Some(overtaken) = overtaken(record, backups) {
        return overtaken;
    }
    // What one backup was told of a node holds for the next one.
    let full: Vec<Full> = backups.iter().chain([record]).flat_map(|backup| backup.cache.full.clone()).collect();
    let all = ledger(cache, snapshots, backups, now);
    match choose(cache, &all, &full, now) {
        Choice::Now(Origin { node, why }) => {
            let mut warnings = warnings(cache, node.as_deref());
            warnings.extend(made_anew(cache, backups, now));
            let (setup, expected_seconds) = (cache.setup.clone(), expected_seconds(backups));
            let chosen = ChosenCache { node, why, setup, warnings, is_measured: false, expected_seconds };
            Event::CacheChosen(Box::new(chosen), now)
        }
        Choice::Busy(why) => Event::CacheBusy(why),
        Choice::Quota { until, why } => match newer(record, backups, |other| other.state == State::Requested) {
            Some(slot) => Event::NoOrigin(format!("{why}; the backup of {slot} takes its place")),
            None if gives_way(record, cache, &all, &full, backups, until, now) => {
                let minutes = seconds_between(record.id.slot, until) / 60;
                let why = format!("{why}, each of them by its plan: it would come {minutes} min late");
                Event::NoOrigin(format!("{why}, and gives way, so that the next ones are on time again"))
            }
            None => Event::CacheFull { until, why },
        },
    }
}

/// That the cache was made anew under its name since its last good backup of before.
fn made_anew(cache: &Cache, backups: &[Backup], now: Time) -> Option<String> {
    let born = cache.setup.created_at.filter(|born| seconds_between(*born, now) < FORMER_SECONDS)?;
    let is_former =
        |backup: &&Backup| backup.state == State::Good && backup.cache.born_at().is_some_and(|at| at < born);
    let last = backups.iter().filter(is_former).map(|backup| backup.id.slot).max()?;
    let until = later(born, FORMER_SECONDS);
    Some(format!(
        "it was made anew at {born}: the backup of {last}, the last one of what it was before, stays until {until}; pin it to keep it longer"
    ))
}

/// Whether a slot is left out: of a plan with as many slots as AWS takes each comes a minute later than a day ago, and would be
/// late by half an hour now.
fn gives_way(
    record: &Backup,
    cache: &Cache,
    all: &[Taken],
    full: &[Full],
    backups: &[Backup],
    until: Time,
    now: Time,
) -> bool {
    let is_scheduled = |taken: &Taken| {
        let is_it = |backup: &&Backup| cache_snapshot_id(&backup.id, &cache.id) == taken.id;
        backups.iter().find(is_it).is_some_and(|backup| backup.origin == By::Schedule)
    };
    let is_told_full = full.iter().any(|full| full.until > now);
    record.origin == By::Schedule
        && seconds_between(record.id.slot, until) >= QUOTA_TOLD_SECONDS_MIN
        && !is_told_full
        && all.iter().filter(|taken| counts_until(taken) > now).all(is_scheduled)
}

/// What is measured of a cache that a snapshot is being made of is known now: for warnings alone.
pub(super) fn is_measured(record: &mut Backup, strain: &CacheStrain) {
    if let Some(chosen) = record.cache.chosen.as_mut().filter(|chosen| !chosen.is_measured) {
        chosen.is_measured = true;
        chosen.warnings.extend(strained(strain));
    }
}

/// Every backup by hand that AWS counts: those that it tells, by whomever, and those of ours that are deleted by now.
fn ledger(cache: &Cache, snapshots: &[CacheSnapshot], backups: &[Backup], now: Time) -> Vec<Taken> {
    let told: Vec<CacheSnapshot> = snapshots.iter().filter(|snapshot| is_of(snapshot, cache)).cloned().collect();
    let mut all = taken(&told, now);
    for backup in backups {
        let Some(at) = backup.cache.begun_at else { continue };
        let id = cache_snapshot_id(&backup.id, &cache.id);
        if !all.iter().any(|taken| taken.id == id) {
            all.push(Taken { id, of: backup.cache.node().into_iter().collect(), at });
        }
    }
    all
}

/// Whether a snapshot was taken of a cache, as a whole or of one of its nodes.
fn is_of(snapshot: &CacheSnapshot, cache: &Cache) -> bool {
    let nodes = match &cache.shape {
        CacheShape::Replicated(nodes) => nodes.as_slice(),
        _ => &[],
    };
    let is_it = |of: &String| *of == cache.id.name || nodes.iter().any(|node| node.cluster == *of);
    snapshot.id.family == cache.id.kind.family() && snapshot.of.iter().any(is_it)
}

/// How long the newest good one took, and so the next one.
fn expected_seconds(backups: &[Backup]) -> i64 {
    let took = |backup: &Backup| Some((backup.id.slot, seconds_between(backup.cache.begun_at?, backup.good_at?)));
    backups.iter().filter_map(took).max().map_or(EXPECTED_SECONDS_DEFAULT, |(_, seconds)| seconds.max(1))
}

/// It is chosen what the snapshot is made of, by what AWS told at `at`.
pub(super) fn is_chosen(record: &mut Backup, chosen: ChosenCache, at: Time, now: Time) -> String {
    let reason = match &chosen.node {
        Some(node) => format!("of {node}: {}", chosen.why),
        None => chosen.why.clone(),
    };
    record.cache.chosen = Some(chosen);
    record.cache.chosen_at = Some(at);
    record.artifact = Artifact::Asked;
    record.look_at = now;
    match record.state {
        State::Requested => enter(record, State::Creating, now, reason),
        _ => reason,
    }
}

/// AWS takes no more for now: hours, perhaps. An operator hears of it once.
pub(super) fn is_full(record: &mut Backup, until: Time, why: &str, now: Time) -> String {
    if seconds_between(record.requested_at, until) > QUOTA_WAIT_SECONDS_MAX {
        return fail(record, now, format!("{why}; there is no room before {until}"));
    }
    let waits_seconds = seconds_between(now, until);
    if !record.cache.quota_told && waits_seconds >= QUOTA_TOLD_SECONDS_MIN {
        record.cache.quota_told = true;
        let news = News::BackupWaits { backup: record.id.clone(), until, reason: why.to_owned() };
        record.tell("", now, news);
    }
    record.cache.quota_until = Some(until);
    record.cache.chosen_at = None;
    // Whether a newer one has come is seen on the way.
    record.look_at = until.min(later(now, FULL_SECONDS));
    record.trouble = Some(why.to_owned());
    format!("it waits until {until}: {why}")
}

/// AWS refused to make it.
pub(super) fn refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    record.cache.chosen_at = None;
    // What of it is gone the next look says: another node, perhaps, is there.
    if refusal.why.passes() || refusal.why == Why::Missing {
        return wait(record, now, refusal);
    }
    if refusal.why == Why::Quota {
        let of = record.cache.node().unwrap_or_else(|| record.id.source.name().to_owned());
        record.cache.full.retain(|full| full.of != of);
        record.cache.full.push(Full { of: of.clone(), until: later(now, FULL_SECONDS) });
        record.look_at = now;
        return format!("of {of} AWS takes no more for now: {refusal}");
    }
    fail(record, now, refusal.to_string())
}

/// A snapshot that is being made, or is.
#[must_use]
pub fn sight(id: &CacheSnapshotId, snapshots: &[CacheSnapshot]) -> Sight {
    let Some(snapshot) = snapshots.iter().find(|snapshot| snapshot.id == *id) else { return Sight::Missing };
    let name = &id.name;
    let completeness = match &snapshot.state {
        CacheSnapshotState::Creating => Completeness::Incomplete("AWS is making the snapshot".into()),
        CacheSnapshotState::Available => Completeness::Complete(format!("{name} is available")),
        CacheSnapshotState::Failed => Completeness::Broken(format!(
            "AWS could not make {name}; the events of the cluster may say why (AWS: DescribeEvents)"
        )),
        CacheSnapshotState::Deleting => Completeness::Broken(format!("somebody deletes {name}")),
        CacheSnapshotState::Other(word) => Completeness::Incomplete(format!("AWS says that {name} is {word}")),
    };
    Sight::There {
        artifact: ArtifactId::CacheSnapshot(id.clone()),
        snapshots: None,
        bytes: snapshot.bytes,
        completeness,
    }
}

/// Whether a snapshot can be restored.
#[must_use]
pub fn is_there(id: &CacheSnapshotId, snapshots: &[CacheSnapshot]) -> bool {
    snapshots.iter().any(|snapshot| snapshot.id == *id && snapshot.state == CacheSnapshotState::Available)
}

/// A snapshot whose backup is to go.
#[must_use]
pub fn remains(snapshot: &CacheSnapshot) -> Remains {
    Remains {
        id: ArtifactId::CacheSnapshot(snapshot.id.clone()),
        made_at: snapshot.begun_at,
        locked: None,
        snapshots: Vec::new(),
    }
}

/// What has the name of a backup's snapshot, and whether it bears our tags.
#[must_use]
pub fn named(record: &Backup, snapshot: &CacheSnapshot, bears_tags: bool) -> Named {
    Named {
        artifact: ArtifactId::CacheSnapshot(snapshot.id.clone()),
        name: snapshot.id.name.clone(),
        foreign: foreign(bears_tags, is_its_cache_snapshot(record, snapshot)),
    }
}
