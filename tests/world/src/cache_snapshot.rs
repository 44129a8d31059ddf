//! Snapshots of caches, by hand and automatic ones: how they are made, how many AWS takes, and how they go. The calls are in
//! `cache_calls.rs`.

use lastgood_core::facts::Tags;
use lastgood_core::id::{CacheFamily, CacheId, CacheKind, CacheSnapshotId};
use lastgood_core::name::TAG_BACKUP;
use lastgood_core::{Time, seconds_between};

use crate::cache::{CacheShape, cache_arn};
use crate::events;
use crate::fault::AwsError;
use crate::state::{Due, State, World, check_tags};

/// AWS: Backup constraints: so many by hand of one node in any 24 hours.
const NODE_QUOTA: usize = 20;
/// So many of one serverless cache.
const SERVERLESS_QUOTA: usize = 24;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// A snapshot that came so short a time ago whoever counts may not know.
const COUNTED_SECONDS_AGO: i64 = 60;

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheSnapshotState {
    /// It is being made.
    Creating,
    /// All of it is there.
    Available,
    /// Somebody restores or copies it: it is there, and can't be deleted.
    Restoring,
    /// It will never be there.
    Failed,
}

impl CacheSnapshotState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Restoring => "restoring",
            Self::Failed => "failed",
        }
    }
}

/// A snapshot of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSnapshot {
    /// Its family and name.
    pub id: CacheSnapshotId,
    /// The cache that it was taken of.
    pub of: Option<CacheId>,
    /// The one cluster of it, if it was taken of one.
    pub cluster: Option<String>,
    /// Its state.
    pub state: CacheSnapshotState,
    /// Somebody asked for it.
    pub manual: bool,
    /// When it was begun.
    pub begun_at: Time,
    /// Its size, in bytes; told once it is complete.
    pub bytes: u64,
    /// Its tags.
    pub tags: Tags,
    pub(crate) ends_badly: bool,
}

impl CacheSnapshot {
    /// Its ARN.
    pub fn arn(&self) -> String {
        cache_arn(snapshot_word(self.id.family), &self.id.name)
    }
}

pub(crate) fn snapshot_word(family: CacheFamily) -> &'static str {
    match family {
        CacheFamily::Nodes => "snapshot",
        CacheFamily::Serverless => "serverlesscachesnapshot",
    }
}

/// A snapshot by hand that counts against the quota, also when it is deleted.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// The cluster, or the cache if it was taken as a whole.
    of: String,
    kind: CacheKind,
    at: Time,
    id: CacheSnapshotId,
    by_us: bool,
}

/// What CreateSnapshot and CreateServerlessCacheSnapshot are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCacheSnapshot {
    /// The name.
    pub name: String,
    /// What it is taken of.
    pub of: CacheOrigin,
    /// Tags.
    pub tags: Tags,
}

/// What a snapshot is taken of: the parameter that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheOrigin {
    /// `CacheClusterId`.
    Cluster(String),
    /// `ReplicationGroupId`.
    Group(String),
    /// `ServerlessCacheName`.
    Serverless(String),
}

impl World {
    /// A snapshot of a cache, if it is there.
    pub fn cache_snapshot(&self, id: &CacheSnapshotId) -> Option<CacheSnapshot> {
        self.lock().cache_snapshots.get(id).cloned()
    }

    /// Every snapshot of a cache.
    pub fn cache_snapshots(&self) -> Vec<CacheSnapshot> {
        self.lock().cache_snapshots.values().cloned().collect()
    }

    /// AWS takes its own daily snapshot of a cache. Not a call.
    pub fn automatic_cache_snapshot(&self, id: &CacheId) {
        let state = &mut *self.lock();
        let name = format!("automatic.{}-{}", id.name, state.now.strftime("%Y-%m-%d-%H-%M"));
        let snapshot = CacheSnapshotId { family: id.kind.family(), name };
        state.begin_cache_snapshot(snapshot, id.clone(), None, false, &Tags::new());
    }

    /// Somebody begins to restore a snapshot, or is done with it. Not a call.
    pub fn restore_cache_snapshot(&self, id: &CacheSnapshotId, begins: bool) {
        let state = &mut *self.lock();
        let Some(snapshot) = state.cache_snapshots.get_mut(id) else { return };
        snapshot.state = match (snapshot.state, begins) {
            (CacheSnapshotState::Available, true) => CacheSnapshotState::Restoring,
            (CacheSnapshotState::Restoring, false) => CacheSnapshotState::Available,
            (other, _) => other,
        };
    }

    /// Somebody deletes a snapshot. Not a call.
    pub fn lose_cache_snapshot(&self, id: &CacheSnapshotId) {
        let state = &mut *self.lock();
        if let Some(of) = state.cache_snapshots.remove(id).and_then(|snapshot| snapshot.of) {
            state.witness.lost_snapshots.insert(of, state.now);
        }
    }

    /// Changes a snapshot, if it is there. Not a call.
    pub fn change_cache_snapshot(&self, id: &CacheSnapshotId, change: impl FnOnce(&mut CacheSnapshot)) {
        if let Some(snapshot) = self.lock().cache_snapshots.get_mut(id) {
            change(snapshot);
        }
    }

    /// The next snapshot of a cache ends `failed`.
    pub fn fail_next_cache_snapshot(&self) {
        self.lock().faults.cache_snapshots += 1;
    }
}

impl State {
    pub(crate) fn create_cache_snapshot(&mut self, request: &CreateCacheSnapshot) -> Result<CacheSnapshot, AwsError> {
        check_tags(&request.tags)?;
        let (cache, cluster) = self.cache_of(&request.of)?;
        let kind = cache.kind;
        let name = request.name.to_ascii_lowercase();
        let legal = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !name.ends_with('-')
            && !name.contains("--")
            && name.len() <= 40;
        if !legal {
            return Err(AwsError::new(
                "InvalidParameterValue",
                format!(
                    "The parameter SnapshotName is not a valid identifier: {name}. Identifiers must begin with a letter; must \
                     contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two \
                     consecutive hyphens."
                ),
            ));
        }
        let id = CacheSnapshotId { family: kind.family(), name };
        if self.cache_snapshots.contains_key(&id) {
            let code = match kind.family() {
                CacheFamily::Nodes => "SnapshotAlreadyExistsFault",
                CacheFamily::Serverless => "ServerlessCacheSnapshotAlreadyExistsFault",
            };
            return Err(AwsError::new(code, format!("Snapshot with specified name already exists: {}", id.name)));
        }
        let found = self.caches.get(&cache).expect("it was just found");
        if kind.family() == CacheFamily::Nodes && (found.engine == "memcached" || found.node_type == "cache.t1.micro") {
            let message = "Snapshotting is not supported for this cache";
            return Err(AwsError::new("SnapshotFeatureNotSupportedFault", message));
        }
        if let Some(ailing) = cluster.as_ref().filter(|cluster| !found.is_well(cluster)) {
            return Err(AwsError::new("InvalidCacheClusterState", format!("{ailing} is not in available state")));
        }
        let status = self.told_of(found).status;
        if status != "available" {
            let code = match (&request.of, kind) {
                (CacheOrigin::Cluster(_), _) => "InvalidCacheClusterState",
                (_, CacheKind::Serverless) => "InvalidServerlessCacheStateFault",
                _ => "InvalidReplicationGroupState",
            };
            return Err(AwsError::new(code, format!("{cache} is not in available state: {status}")));
        }
        self.within_quota(&cache, cluster.as_deref())?;
        let at = self.now;
        let of = cluster.clone().unwrap_or_else(|| cache.name.clone());
        let by_us = self.witness.caller.is_some();
        self.counted.push(Counted { of, kind, at, id: id.clone(), by_us });
        Ok(self.begin_cache_snapshot(id, cache, cluster, true, &request.tags))
    }

    /// The cache that a call names, and the one cluster of it. Cluster mode enabled takes the group, and disabled a node
    /// (AWS: Taking manual backups).
    fn cache_of(&self, of: &CacheOrigin) -> Result<(CacheId, Option<String>), AwsError> {
        let combination = |message: &str| AwsError::new("InvalidParameterCombination", message);
        match of {
            CacheOrigin::Cluster(name) => {
                let has = |clusters: Vec<Vec<String>>| clusters.into_iter().flatten().any(|cluster| cluster == *name);
                let found = self.caches.values().find(|cache| has(cache.clusters()));
                let found = found
                    .ok_or_else(|| AwsError::with_status(404, "CacheClusterNotFound", "CacheCluster not found"))?;
                if let CacheShape::Sharded(..) = found.shape {
                    return Err(combination("Cluster mode is enabled: name the replication group"));
                }
                Ok((found.id.clone(), Some(name.clone())))
            }
            CacheOrigin::Group(name) => {
                let id = CacheId { kind: CacheKind::ReplicationGroup, name: name.clone() };
                let missing =
                    || AwsError::with_status(404, "ReplicationGroupNotFoundFault", "ReplicationGroup not found");
                match self.caches.get(&id).ok_or_else(missing)?.shape {
                    CacheShape::Sharded(..) => Ok((id, None)),
                    _ => Err(combination("Cluster mode is disabled: name a cluster of the group")),
                }
            }
            CacheOrigin::Serverless(name) => {
                let id = CacheId { kind: CacheKind::Serverless, name: name.clone() };
                let missing =
                    || AwsError::with_status(404, "ServerlessCacheNotFoundFault", "ServerlessCache not found");
                self.caches.get(&id).map(|_| (id.clone(), None)).ok_or_else(missing)
            }
        }
    }

    fn within_quota(&mut self, cache: &CacheId, cluster: Option<&str>) -> Result<(), AwsError> {
        let of = cluster.unwrap_or(&cache.name);
        let (quota, code) = match cache.kind.family() {
            CacheFamily::Nodes => (NODE_QUOTA, "SnapshotQuotaExceededFault"),
            CacheFamily::Serverless => (SERVERLESS_QUOTA, "ServerlessCacheSnapshotQuotaExceededFault"),
        };
        let now = self.now;
        let same = |counted: &&Counted| {
            counted.of == of
                && counted.kind.family() == cache.kind.family()
                && seconds_between(counted.at, now) < DAY_SECONDS
        };
        let counted: Vec<Counted> = self.counted.iter().filter(same).cloned().collect();
        if counted.len() < quota {
            return Ok(());
        }
        // Whoever counts knows what is there, and what it took itself; not what others deleted.
        let known = counted.iter().filter(|counted| {
            let is_told = counted.by_us || self.cache_snapshots.contains_key(&counted.id);
            is_told && seconds_between(counted.at, now) >= COUNTED_SECONDS_AGO
        });
        if known.count() >= quota && self.blamed().is_some() {
            self.wrong(&format!("{of} is asked for more snapshots than AWS takes, and that could be known"));
        }
        let message = "The maximum number of manual snapshots for this cluster taken within 24 hours has been reached";
        Err(AwsError::new(code, message))
    }

    fn begin_cache_snapshot(
        &mut self,
        id: CacheSnapshotId,
        of: CacheId,
        cluster: Option<String>,
        manual: bool,
        tags: &Tags,
    ) -> CacheSnapshot {
        let per_mille = self.sky.weather.snapshots_failing;
        let struck = self.sky.strikes(per_mille, "snapshots failed");
        let ordered = self.faults.cache_snapshots > 0;
        self.faults.cache_snapshots = self.faults.cache_snapshots.saturating_sub(1);
        let snapshot = CacheSnapshot {
            id: id.clone(),
            of: Some(of),
            cluster,
            state: CacheSnapshotState::Creating,
            manual,
            begun_at: self.now,
            bytes: 5 << 20,
            tags: tags.clone(),
            ends_badly: struck || ordered,
        };
        self.cache_snapshots.insert(id.clone(), snapshot.clone());
        self.witness_makes(id.to_string());
        let seconds = self.settings.cache_snapshot_seconds;
        self.after(seconds, Due::CacheSnapshotDone(id));
        snapshot
    }

    pub(crate) fn cache_snapshot_done(&mut self, id: &CacheSnapshotId) {
        let Some(snapshot) = self.cache_snapshots.get_mut(id) else { return };
        let failed = snapshot.ends_badly;
        snapshot.state = if failed { CacheSnapshotState::Failed } else { CacheSnapshotState::Available };
        let snapshot = snapshot.clone();
        if !failed {
            self.witness.proven_snapshots.insert(id.clone());
        }
        events::cache_snapshot_changed(self, &snapshot);
    }

    /// An invocation deletes the snapshot of a cache: one of ours, and not the newest good one.
    pub(crate) fn witness_cache_snapshot_goes(&mut self, id: &CacheSnapshotId) {
        if self.blamed().is_none() {
            return;
        }
        let Some(snapshot) = self.cache_snapshots.get(id).cloned() else { return };
        if !self.witness.ours.contains(&id.to_string()) || !snapshot.manual {
            self.wrong(&format!("{id} is deleted, and Lastgood did not make it"));
        }
        let complete = |other: &CacheSnapshot| {
            matches!(other.state, CacheSnapshotState::Available | CacheSnapshotState::Restoring)
        };
        let slot = |snapshot: &CacheSnapshot| {
            snapshot.tags.get(TAG_BACKUP).and_then(|tag| tag.rsplit('@').next()).map(str::to_owned)
        };
        let newer = self.cache_snapshots.values().filter(|other| {
            other.id != *id
                && other.of == snapshot.of
                && complete(other)
                && self.witness.ours.contains(&other.id.to_string())
                && slot(other) >= slot(&snapshot)
        });
        let source = snapshot.of.as_ref().map(ToString::to_string).unwrap_or_default();
        // Who looked a moment ago may have seen one that somebody has deleted since.
        let lost = snapshot.of.as_ref().and_then(|of| self.witness.lost_snapshots.get(of));
        let just_lost = lost.is_some_and(|at| seconds_between(*at, self.now) <= COUNTED_SECONDS_AGO);
        if complete(&snapshot) && newer.count() == 0 && !self.may_all_go(&source) && !just_lost {
            self.wrong(&format!("{id} is deleted, and it is the newest good one of {source}"));
        }
    }
}
