//! ElastiCache: caches and their snapshots, and the tags of both.

use lastgood_core::Time;
use lastgood_core::facts::{Cache, CacheSnapshot, Tags};
use lastgood_core::id::{CacheFamily, CacheId, CacheSnapshotId};

use super::Call;

/// Caches that bear a tag, and snapshots that do: no describe of ElastiCache filters by tags.
const GET_RESOURCES: &str = "tag:GetResources";
const DESCRIBE_SNAPSHOTS: &str = "elasticache:DescribeSnapshots";

/// These caches, without their tags. AWS is asked for all of their kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachesById(pub Vec<CacheId>);

impl Call for CachesById {
    type Told = Vec<Cache>;
    const ACTION: &'static str = "elasticache:DescribeReplicationGroups";
    const FIRST: Option<&'static str> = Some("elasticache:DescribeCacheClusters");
}

/// The names of the caches that bear all of these tags, and all tags of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachesTagged(pub Tags);

impl Call for CachesTagged {
    type Told = Vec<(CacheId, Tags)>;
    const ACTION: &'static str = GET_RESOURCES;
}

/// How much memory a parameter group keeps free of data, in percent, if it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedMemory(pub String);

impl Call for ReservedMemory {
    type Told = Option<u32>;
    const ACTION: &'static str = "elasticache:DescribeCacheParameters";
}

/// How far a replica is behind its primary, in seconds: the most of the last minutes, if CloudWatch tells any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaLag {
    /// The cluster that is the replica.
    pub node: String,
    /// The end of those minutes.
    pub at: Time,
}

impl Call for ReplicaLag {
    type Told = Option<u32>;
    const ACTION: &'static str = "cloudwatch:GetMetricData";
}

/// The tags of a cache or of a snapshot, by its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTags(pub String);

impl Call for CacheTags {
    type Told = Tags;
    const ACTION: &'static str = "elasticache:ListTagsForResource";
}

/// Every snapshot by hand of caches of one family, without their tags: whoever took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManualCacheSnapshots(pub CacheFamily);

impl Call for ManualCacheSnapshots {
    type Told = Vec<CacheSnapshot>;
    const ACTION: &'static str = DESCRIBE_SNAPSHOTS;
}

/// These snapshots, without their tags: one call for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSnapshotsById(pub Vec<CacheSnapshotId>);

impl Call for CacheSnapshotsById {
    type Told = Vec<CacheSnapshot>;
    const ACTION: &'static str = DESCRIBE_SNAPSHOTS;

    fn times(&self) -> usize {
        self.0.len()
    }
}

/// The snapshots that bear this tag, with all of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSnapshotsTagged {
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Call for CacheSnapshotsTagged {
    type Told = Vec<CacheSnapshot>;
    const ACTION: &'static str = DESCRIBE_SNAPSHOTS;
    const FIRST: Option<&'static str> = Some(GET_RESOURCES);
}

/// Makes a snapshot, with tags. Its name is its token: the second call with one name is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCacheSnapshot {
    /// Of this cache.
    pub cache: CacheId,
    /// Of this node of it; `None`: of all of it.
    pub node: Option<String>,
    /// Its name.
    pub id: CacheSnapshotId,
    /// Its tags.
    pub tags: Tags,
}

impl Call for CreateCacheSnapshot {
    type Told = ();
    const ACTION: &'static str = "elasticache:CreateSnapshot";

    fn changes(&self) -> Option<&str> {
        Some(&self.id.name)
    }
}

/// Deletes a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteCacheSnapshot(pub CacheSnapshotId);

impl Call for DeleteCacheSnapshot {
    type Told = ();
    const ACTION: &'static str = "elasticache:DeleteSnapshot";

    fn changes(&self) -> Option<&str> {
        Some(&self.0.name)
    }
}
