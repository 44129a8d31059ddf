//! Caches of ElastiCache and their snapshots, as AWS tells them.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::Time;
use crate::id::{CacheId, CacheSnapshotId};

/// A cache, as its describe tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// What it is called.
    pub id: CacheId,
    /// Its tags.
    pub tags: Tags,
    /// Its ARN.
    pub arn: String,
    /// The replication group that it is a node of: what is selected by tag bears the tags of that, too (AWS:
    /// CreateReplicationGroup, Tags).
    pub member_of: Option<String>,
    /// Its status.
    pub status: CacheStatus,
    /// How it is built.
    pub shape: CacheShape,
    /// What somebody who restores it must know.
    pub setup: CacheSetup,
}

/// What makes a backup of a cache riskier than it looks, as far as AWS tells: it is asked for warnings alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStrain {
    /// How much of a node's memory is kept free of data, in percent, if its parameter group says (AWS: Managing reserved
    /// memory).
    pub reserved_memory_percent: Option<u32>,
    /// How far the replica that is backed up is behind its primary, in seconds (AWS: Metrics for Valkey and Redis OSS,
    /// ReplicationLag).
    pub lag_seconds: Option<u32>,
}

/// The status of a cache (AWS: DescribeReplicationGroups, Status; DescribeCacheClusters, CacheClusterStatus).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// A backup of it can be made.
    Available,
    /// It is being backed up, by whomever: one at a time.
    Snapshotting,
    /// Anything else, in AWS's word.
    Other(String),
}

/// How a cache is built: that says what a backup of it is asked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheShape {
    /// One node, without replicas.
    Single,
    /// Cluster mode disabled: its nodes, each a cluster of its own.
    Replicated(Vec<CacheNode>),
    /// Cluster mode enabled: one backup holds all shards.
    Sharded,
    /// Serverless.
    Serverless,
}

/// One node of a cache with replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheNode {
    /// The cluster that it is, `my-cache-002`.
    pub cluster: String,
    /// What it is in its group now.
    pub role: CacheRole,
    /// The status of that cluster: its group may be available and it not.
    pub status: CacheStatus,
}

/// What a node is in its group. AWS tells it of groups with cluster mode disabled alone (AWS: DescribeReplicationGroups).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheRole {
    /// Writes go to it.
    Primary,
    /// It follows the primary.
    Replica,
    /// AWS does not tell.
    Unknown,
}

/// What a restore must know of a cache beside its data. AWS keeps some of it in the snapshot; none of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSetup {
    /// `redis`, `valkey` or `memcached`.
    pub engine: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// `cache.r7g.large`; none of a serverless one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_type: Option<String>,
    /// Its shards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<CacheShard>,
    /// The parameter group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter_group: Option<String>,
    /// The subnet group; of a serverless one its subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// When it was made: one that is made anew under its name has none of its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// The security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    /// What it stores is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key that it is encrypted with, if it is one of the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Whether clients speak TLS: `required`, `preferred`; none where they don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Whom it lets in.
    #[serde(default)]
    pub access: CacheAccess,
    /// Multi-AZ is on.
    #[serde(default)]
    pub multi_az: bool,
    /// The limits of a serverless one, in words, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// Part of its data lies on disks: it can be restored only to a node type that does the same (AWS: Data tiering).
    #[serde(default)]
    pub data_tiering: bool,
}

/// Whom a cache lets in. AWS keeps nothing of it in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheAccess {
    /// Whoever reaches it.
    #[default]
    Anyone,
    /// Whoever knows its token (AWS: AUTH).
    Token,
    /// The users of these groups (AWS: Role-Based Access Control).
    UserGroups(Vec<String>),
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheShard {
    /// Its id.
    pub id: String,
    /// Its slots, `0-5460`; none where there is one shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<String>,
    /// How many replicas it has.
    pub replicas: u32,
}

/// A snapshot of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSnapshot {
    /// Its name, and its family.
    pub id: CacheSnapshotId,
    /// Its ARN.
    pub arn: String,
    /// Its tags, where they are asked for: no describe tells them.
    pub tags: Tags,
    /// What it is of: a cluster, a replication group, a serverless cache, by their names.
    pub of: Vec<String>,
    /// Where it is in its life.
    pub state: CacheSnapshotState,
    /// Somebody asked for it: it is none of AWS's own daily ones.
    pub manual: bool,
    /// When the first of its nodes was begun; `None` while AWS does not tell.
    pub begun_at: Option<Time>,
    /// How large it is, in bytes, if AWS tells: not while it is being made.
    pub bytes: Option<u64>,
}

/// The state of a snapshot of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheSnapshotState {
    /// It is being made.
    Creating,
    /// All of it is there. One that is being copied or restored is, too.
    Available,
    /// It is on its way out.
    Deleting,
    /// It will never be complete. AWS's list of states does not have it, its guide does.
    Failed,
    /// A word that says nothing here.
    Other(String),
}
