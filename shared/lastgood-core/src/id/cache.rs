//! Names of ElastiCache: caches by their kind, and what backups of them AWS holds. ElastiCache lower-cases all of them.

use std::fmt;

/// A cache: which kind of thing it is at AWS, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheId {
    /// The kind.
    pub kind: CacheKind,
    /// Its name, at most 50 characters (AWS: CreateCacheCluster, CreateReplicationGroup, CreateServerlessCache).
    pub name: String,
}

/// What a cache is at AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheKind {
    /// One node that belongs to no replication group.
    Cluster,
    /// A replication group, of one shard or of several.
    ReplicationGroup,
    /// A serverless cache.
    Serverless,
}

impl CacheKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::ReplicationGroup, Self::Serverless];

    /// The word before the slash.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cache-cluster",
            Self::ReplicationGroup => "replication-group",
            Self::Serverless => "serverless-cache",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The family of calls by which such a cache is backed up.
    #[must_use]
    pub fn family(self) -> CacheFamily {
        match self {
            Self::Cluster | Self::ReplicationGroup => CacheFamily::Nodes,
            Self::Serverless => CacheFamily::Serverless,
        }
    }
}

impl CacheId {
    /// Whether a cluster is one of its nodes, by its name: that of the cache, with the node's number and before it that of its
    /// shard, if it has several (AWS: Amazon SNS events).
    #[must_use]
    pub fn has_node(&self, cluster: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '-');
        match cluster.strip_prefix(self.name.as_str()) {
            Some("") => self.kind == CacheKind::Cluster,
            Some(rest) => self.kind == CacheKind::ReplicationGroup && rest.strip_prefix('-').is_some_and(number),
            None => false,
        }
    }
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

/// The two families of calls that ElastiCache has for snapshots: each names its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheFamily {
    /// Of node-based caches: CreateSnapshot and its like.
    Nodes,
    /// Of serverless caches: CreateServerlessCacheSnapshot and its like.
    Serverless,
}

impl CacheFamily {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Nodes, Self::Serverless];

    /// The word before the slash of such a snapshot.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nodes => "cache-snapshot",
            Self::Serverless => "serverless-snapshot",
        }
    }
}

/// A snapshot of a cache, by the name that whoever asked for it gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheSnapshotId {
    /// Whose calls know it.
    pub family: CacheFamily,
    /// Its name.
    pub name: String,
}

impl fmt::Display for CacheSnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.family.word(), self.name)
    }
}
