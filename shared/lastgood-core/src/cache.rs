//! Which node of a cache is backed up, and when: what state it is in, and what AWS lets one take in a day. What makes a
//! backup of one impossible, and what makes it risky.
//!
//! AWS refuses the twenty-first backup by hand of a node within any 24 hours, whoever made the others, and does not say when
//! the next one may come: it is counted here before it is asked for.

use serde::{Deserialize, Serialize};

use crate::facts::{
    Cache, CacheNode, CacheRole, CacheShape, CacheSnapshot, CacheSnapshotState, CacheStatus, CacheStrain,
};
use crate::id::{CacheFamily, CacheId, CacheSnapshotId};
use crate::schedule::Schedule;
use crate::{Time, later};

/// The time over which AWS counts (AWS: Scheduling backups).
pub const QUOTA_SECONDS: i64 = 24 * 60 * 60;
/// How many backups by hand there may be of one node in that time (AWS: Backup constraints).
pub const NODE_QUOTA: usize = 20;
/// How many of one serverless cache (AWS: Backup constraints).
pub const SERVERLESS_QUOTA: usize = 24;
/// The part of its memory that a node needs free for a backup, in percent (AWS: Managing reserved memory).
pub const RESERVED_MEMORY_PERCENT_MIN: u32 = 25;
/// How far a replica may be behind its primary before that is warned of, in seconds: so much of the newest data a backup of it
/// lacks.
pub const LAG_SECONDS_MAX: u32 = 30;
/// How long AWS's clock and ours may be apart, in seconds: so much longer than a day a backup counts.
const CLOCKS_SECONDS_APART_MAX: i64 = 60;

/// What a backup of a cache is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Of this, now.
    Now(Origin),
    /// Not before this, for that reason: AWS takes no more for now.
    Quota {
        /// When there is room again.
        until: Time,
        /// Why, in words.
        why: String,
    },
    /// Its status forbids it for now, in words.
    Busy(String),
}

/// What a backup is asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The cluster that is one of several nodes; `None`: the whole cache.
    pub node: Option<String>,
    /// What the load of it falls on, in words.
    pub why: String,
}

/// A backup of the cache that is known to have been taken, by whomever: those that AWS tells, and those of ours that were
/// deleted since, which it counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its name.
    pub id: CacheSnapshotId,
    /// The clusters that it was taken of; none: of all of the cache.
    pub of: Vec<String>,
    /// When it was begun.
    pub at: Time,
}

/// A node of which AWS took no more, though fewer were counted: somebody deleted some, and those count all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    /// The node, or the cache if it is asked as a whole.
    pub of: String,
    /// Not asked before this.
    pub until: Time,
}

/// Those that AWS tells. One whose time is not told yet was begun just now; one that failed and has none was not begun.
#[must_use]
pub fn taken(snapshots: &[CacheSnapshot], now: Time) -> Vec<Taken> {
    let is_begun =
        |snapshot: &&CacheSnapshot| snapshot.begun_at.is_some() || snapshot.state != CacheSnapshotState::Failed;
    let manual = snapshots.iter().filter(|snapshot| snapshot.manual).filter(is_begun);
    let taken = |snapshot: &CacheSnapshot| Taken {
        id: snapshot.id.clone(),
        of: snapshot.of.clone(),
        at: snapshot.begun_at.unwrap_or(now),
    };
    manual.map(taken).collect()
}

/// What the next backup of a cache is made of. A replica goes before the primary, on which writes fall, and whoever has room
/// in its quota before whoever has not.
#[must_use]
pub fn choose(cache: &Cache, taken: &[Taken], full: &[Full], now: Time) -> Choice {
    match &cache.status {
        CacheStatus::Available => {}
        CacheStatus::Snapshotting => return Choice::Busy(format!("{} is being backed up already", cache.id.name)),
        CacheStatus::Other(word) => return Choice::Busy(format!("{} is {word}, and not available", cache.id.name)),
    }
    let whole = |why: &str| {
        let origin = Origin { node: None, why: why.to_owned() };
        match free_at(cache, &cache.id.name, taken.iter(), full, now) {
            None => Choice::Now(origin),
            Some(room) => none_now(cache, room),
        }
    };
    match &cache.shape {
        CacheShape::Single => whole("it has no replica: its one node does the work"),
        CacheShape::Sharded => whole("AWS takes a replica of each shard where there is one"),
        CacheShape::Serverless => whole("it is serverless"),
        CacheShape::Replicated(nodes) => of_nodes(cache, nodes, taken, full, now),
    }
}

fn of_nodes(cache: &Cache, nodes: &[CacheNode], taken: &[Taken], full: &[Full], now: Time) -> Choice {
    let mut nodes: Vec<&CacheNode> = nodes.iter().collect();
    nodes.sort_by_key(|node| (rank(node.role), node.cluster.clone()));
    let has_replica = nodes.iter().any(|node| node.role == CacheRole::Replica);
    let (well, ailing): (Vec<&CacheNode>, Vec<&CacheNode>) =
        nodes.into_iter().partition(|node| node.status == CacheStatus::Available);
    // The primary's turn comes only if no other is available: one that has no room today is waited for.
    let others: Vec<&CacheNode> = well.iter().filter(|node| node.role != CacheRole::Primary).copied().collect();
    let mut until = None;
    for node in if others.is_empty() { well } else { others } {
        // One that names no node may be of any.
        let names_none = |taken: &&Taken| taken.of.iter().all(|of| *of == cache.id.name);
        let of_it = taken.iter().filter(|taken| names_none(taken) || taken.of.contains(&node.cluster));
        match free_at(cache, &node.cluster, of_it, full, now) {
            None => {
                let why = match node.role {
                    CacheRole::Replica => format!("{} is a replica", node.cluster),
                    CacheRole::Primary if has_replica => {
                        format!("{} is the primary: no replica is available", node.cluster)
                    }
                    CacheRole::Primary => format!("{} is the primary: there is no replica", node.cluster),
                    CacheRole::Unknown => format!("AWS does not say what {} is", node.cluster),
                };
                return Choice::Now(Origin { node: Some(node.cluster.clone()), why });
            }
            Some(room) => until = Some(until.map_or(room, |other: Room| other.min(room))),
        }
    }
    match (until, ailing.first()) {
        (Some(room), _) => none_now(cache, room),
        (None, Some(node)) => Choice::Busy(format!("{} is not available", node.cluster)),
        (None, None) => Choice::Busy(format!("AWS tells no node of {}", cache.id.name)),
    }
}

/// Until when AWS counts it.
pub(crate) fn counts_until(taken: &Taken) -> Time {
    later(taken.at, QUOTA_SECONDS + CLOCKS_SECONDS_APART_MAX)
}

/// When there is room for one more, and how that is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Room {
    until: Time,
    /// AWS said that there is none, though fewer are counted.
    is_told: bool,
}

fn rank(role: CacheRole) -> u8 {
    match role {
        CacheRole::Replica => 0,
        CacheRole::Unknown => 1,
        CacheRole::Primary => 2,
    }
}

/// When AWS takes one more of it; `None`: now.
fn free_at<'a>(
    cache: &Cache,
    node: &str,
    taken: impl Iterator<Item = &'a Taken>,
    full: &[Full],
    now: Time,
) -> Option<Room> {
    let (quota, _) = quota(cache.id.kind.family());
    let mut ends: Vec<Time> = taken.map(counts_until).filter(|until| *until > now).collect();
    ends.sort();
    // So many must have ended that one more makes the quota full.
    let over = (ends.len() + 1).saturating_sub(quota);
    let counted = over.checked_sub(1).and_then(|last| ends.get(last).copied());
    let told = full.iter().filter(|full| full.of == node && full.until > now).map(|full| full.until).max();
    let room = |is_told| move |until| Room { until, is_told };
    counted.map(room(false)).max(told.map(room(true)))
}

fn none_now(cache: &Cache, Room { until, is_told }: Room) -> Choice {
    let (quota, of) = quota(cache.id.kind.family());
    let taken = if is_told {
        "AWS took no more, though fewer are counted: somebody has deleted some, and when there is room AWS does not say"
    } else {
        "that many were taken"
    };
    let why = format!("AWS takes {quota} backups by hand of {of} in 24 hours, and of {} {taken}", cache.id);
    Choice::Quota { until, why }
}

/// How many backups by hand AWS takes in 24 hours, and of what.
#[must_use]
pub fn quota(family: CacheFamily) -> (usize, &'static str) {
    match family {
        CacheFamily::Nodes => (NODE_QUOTA, "a node"),
        CacheFamily::Serverless => (SERVERLESS_QUOTA, "a serverless cache"),
    }
}

/// Why backups of a cache can't be made as its plan wants, and what to do, if so.
#[must_use]
pub fn obstacle(cache: &Cache, schedule: &Schedule) -> Option<String> {
    let never = unfit(cache).map(|why| format!("can't be backed up: {why}; leave it out"));
    never.or_else(|| too_often(&cache.id, schedule).map(|why| format!("can't be backed up so often: {why}")))
}

/// Why a schedule has more slots than AWS takes backups of such a cache, and what to write, if so.
fn too_often(id: &CacheId, schedule: &Schedule) -> Option<String> {
    let (quota, of) = quota(id.kind.family());
    let slots = schedule.most_within(QUOTA_SECONDS);
    if slots <= quota {
        return None;
    }
    let gap_minutes = QUOTA_SECONDS / 60 / i64::try_from(quota).unwrap_or(i64::MAX);
    Some(format!(
        "'{schedule}' has up to {slots} slots in 24 hours, and AWS takes {quota} backups by hand of {of} in that time; leave {gap_minutes} minutes or more between two, as in '0 */2 * * *'"
    ))
}

/// Why a cache can't be backed up by itself at all, if so (AWS: Backup constraints; CreateSnapshot).
#[must_use]
pub fn unfit(cache: &Cache) -> Option<String> {
    if let Some(group) = &cache.member_of {
        return Some(format!("it is a node of replication group {group}, and is backed up with that"));
    }
    let is_of_nodes = cache.id.kind.family() == CacheFamily::Nodes;
    if is_of_nodes && cache.setup.engine == "memcached" {
        return Some("it is a Memcached cluster of nodes, and AWS makes no backups of those".into());
    }
    match cache.setup.node_type.as_deref() {
        Some(small @ "cache.t1.micro") => Some(format!("its nodes are {small}, and AWS makes no backups of those")),
        _ => None,
    }
}

/// What makes a backup of a cache likelier to fail or to be felt by what is measured of it, in words.
#[must_use]
pub fn strained(strain: &CacheStrain) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(percent) = strain.reserved_memory_percent.filter(|percent| *percent < RESERVED_MEMORY_PERCENT_MIN) {
        warnings.push(format!(
            "its parameter group reserves {percent} percent of memory: a backup needs {RESERVED_MEMORY_PERCENT_MIN} percent free, or it may swap or fail"
        ));
    }
    if let Some(seconds) = strain.lag_seconds.filter(|seconds| *seconds > LAG_SECONDS_MAX) {
        warnings.push(format!(
            "the replica that is backed up is {seconds} seconds behind its primary: so much of the newest data its backup lacks"
        ));
    }
    warnings
}

/// The same by how it is built, of a backup of that node, and what makes its restore likelier to fail.
#[must_use]
pub fn warnings(cache: &Cache, node: Option<&str>) -> Vec<String> {
    let mut warnings = Vec::new();
    match &cache.shape {
        CacheShape::Replicated(nodes) if !nodes.iter().any(|node| node.role == CacheRole::Replica) => {
            warnings.push("no replica of it is told: the primary bears the load of its backups".into());
        }
        CacheShape::Single => warnings.push("it has no replica: its one node bears the load of its backups".into()),
        CacheShape::Sharded if cache.setup.shards.iter().any(|shard| shard.replicas == 0) => {
            let bare: Vec<&str> =
                cache.setup.shards.iter().filter(|shard| shard.replicas == 0).map(|shard| shard.id.as_str()).collect();
            warnings.push(format!("no replica in shard {}: its primary bears the load of backups", bare.join(", ")));
        }
        CacheShape::Replicated(nodes) => {
            let is_it = |one: &&CacheNode| Some(one.cluster.as_str()) == node && one.role == CacheRole::Primary;
            warnings.extend(nodes.iter().find(is_it).map(|primary| {
                format!("no replica is available: the primary, {}, bears the load of the backup", primary.cluster)
            }));
        }
        CacheShape::Sharded | CacheShape::Serverless => {}
    }
    if cache.setup.data_tiering {
        warnings
            .push("it tiers its data to disk: its backups restore to r6gd nodes alone, and can't be exported".into());
    }
    warnings
}

#[cfg(test)]
#[path = "cache_rules.rs"]
mod rules;
