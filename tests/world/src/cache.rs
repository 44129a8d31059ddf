//! ElastiCache: caches of the four kinds, their statuses, failovers, and their tags.

use lastgood_core::facts::Tags;
use lastgood_core::id::{CacheId, CacheKind};
use lastgood_core::{Time, later};

use crate::cache_snapshot::CacheSnapshotState;
use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::service::ElastiCache;
use crate::state::{ACCOUNT, Asked, REGION, State, World};

/// How a cache is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheShape {
    /// One node that belongs to no replication group.
    Single,
    /// A replication group with cluster mode disabled: so many nodes, of which one is the primary.
    Replicated(usize),
    /// A replication group with cluster mode enabled: so many shards, each with so many replicas.
    Sharded(usize, usize),
    /// A serverless cache.
    Serverless,
}

impl CacheShape {
    fn kind(self) -> CacheKind {
        match self {
            Self::Single => CacheKind::Cluster,
            Self::Replicated(_) | Self::Sharded(..) => CacheKind::ReplicationGroup,
            Self::Serverless => CacheKind::Serverless,
        }
    }
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Its kind and name.
    pub id: CacheId,
    /// How it is built.
    pub shape: CacheShape,
    /// `redis`, `valkey`, `memcached`.
    pub engine: String,
    /// `cache.r7g.large`; serverless ones have none.
    pub node_type: String,
    /// What its parameter group says of reserved memory, if it says anything.
    pub reserved_memory_percent: Option<u32>,
    /// How far its replicas are behind, in seconds, as CloudWatch measures it.
    pub lag_seconds: Option<u32>,
    /// Nodes of it that are not available, by their clusters.
    pub ailing: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// Which of its nodes is the primary, from 0; with one shard alone.
    pub primary: usize,
    /// When it was made.
    pub created_at: Time,
    /// A status that somebody's change gives it, and until when.
    pub changing: Option<(String, Time)>,
}

impl Cache {
    /// Its clusters: one for each node, by shards.
    pub fn clusters(&self) -> Vec<Vec<String>> {
        let name = &self.id.name;
        match self.shape {
            CacheShape::Single => vec![vec![name.clone()]],
            CacheShape::Replicated(nodes) => vec![(1..=nodes).map(|node| format!("{name}-{node:03}")).collect()],
            CacheShape::Sharded(shards, replicas) => (1..=shards)
                .map(|shard| (1..=replicas + 1).map(|node| format!("{name}-{shard:04}-{node:03}")).collect())
                .collect(),
            CacheShape::Serverless => Vec::new(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        cache_arn(kind_word(self.id.kind), &self.id.name)
    }

    /// The ARN of one of its clusters.
    pub fn cluster_arn(cluster: &str) -> String {
        cache_arn("cluster", cluster)
    }

    /// Whether one of its clusters serves, as far as that goes by itself.
    pub(crate) fn is_well(&self, cluster: &str) -> bool {
        !self.ailing.iter().any(|ailing| ailing == cluster)
    }

    /// The name of its parameter group.
    pub fn parameter_group(&self) -> String {
        format!("{}-parameters", self.id.name)
    }
}

/// A cache as a describe tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTold {
    /// The cache.
    pub cache: Cache,
    /// `available`, `snapshotting`, `modifying`, ..
    pub status: String,
    /// The clusters of it that are being backed up.
    pub busy: Vec<String>,
}

pub(crate) fn kind_word(kind: CacheKind) -> &'static str {
    match kind {
        CacheKind::Cluster => "cluster",
        CacheKind::ReplicationGroup => "replicationgroup",
        CacheKind::Serverless => "serverlesscache",
    }
}

/// AWS: Actions, resources, and condition keys for Amazon ElastiCache.
pub(crate) fn cache_arn(kind: &str, name: &str) -> String {
    format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:{kind}:{name}")
}

impl ElastiCache<'_> {
    /// DescribeReplicationGroups.
    pub fn describe_replication_groups(&self, paging: &Paging) -> Result<Page<CacheTold>, AwsError> {
        self.describe("elasticache:DescribeReplicationGroups", CacheKind::ReplicationGroup, paging)
    }

    /// DescribeServerlessCaches.
    pub fn describe_serverless_caches(&self, paging: &Paging) -> Result<Page<CacheTold>, AwsError> {
        self.describe("elasticache:DescribeServerlessCaches", CacheKind::Serverless, paging)
    }

    fn describe(self, action: &'static str, kind: CacheKind, paging: &Paging) -> Result<Page<CacheTold>, AwsError> {
        self.0.serve(Asked::new(action, cache_arn(kind_word(kind), "*"), ""), |state| {
            let of_kind = state.caches.values().filter(|cache| cache.id.kind == kind);
            let told = of_kind.map(|cache| (cache.id.name.clone(), state.told_of(cache)));
            filter::page(told.collect::<Vec<_>>(), paging, state.settings.page_items_max)
        })
    }

    /// DescribeCacheClusters: each node of each cache, those of replication groups too. Whose it is comes with it.
    pub fn describe_cache_clusters(&self, paging: &Paging) -> Result<Page<(String, CacheTold)>, AwsError> {
        let asked = Asked::new("elasticache:DescribeCacheClusters", cache_arn("cluster", "*"), "");
        self.0.serve(asked, |state| {
            let mut clusters: Vec<(String, (String, CacheTold))> = Vec::new();
            for cache in state.caches.values() {
                let told = state.told_of(cache);
                let all = cache.clusters().into_iter().flatten();
                clusters.extend(all.map(|cluster| (cluster.clone(), (cluster, told.clone()))));
            }
            clusters.sort_by(|one, other| one.0.cmp(&other.0));
            filter::page(clusters, paging, state.settings.page_items_max)
        })
    }

    /// DescribeCacheParameters: the percentage of reserved memory, if the group says one.
    pub fn reserved_memory_percent(&self, group: &str) -> Result<Option<u32>, AwsError> {
        let asked = Asked::new("elasticache:DescribeCacheParameters", cache_arn("parametergroup", group), group);
        self.0.serve(asked, |state| {
            let found = state.caches.values().find(|cache| cache.parameter_group() == group);
            let missing = || AwsError::with_status(404, "CacheParameterGroupNotFound", "CacheParameterGroup not found");
            found.map(|cache| cache.reserved_memory_percent).ok_or_else(missing)
        })
    }

    /// CloudWatch's GetMetricData: how far a replica is behind.
    pub fn replica_lag(&self, cluster: &str) -> Result<Option<u32>, AwsError> {
        self.0.serve(Asked::new("cloudwatch:GetMetricData", "*", cluster), |state| {
            let is_of = |cache: &&Cache| cache.clusters().iter().flatten().any(|node| node == cluster);
            Ok(state.caches.values().find(is_of).and_then(|cache| cache.lag_seconds))
        })
    }

    /// ListTagsForResource of a cache or of a snapshot. Of a cache only while it is available (AWS: ListTagsForResource).
    pub fn list_tags(&self, arn: &str) -> Result<Tags, AwsError> {
        self.0.serve(Asked::new("elasticache:ListTagsForResource", arn, arn), |state| {
            if let Some(cache) = state.caches.values().find(|cache| cache.arn() == arn) {
                let status = state.told_of(cache).status;
                if status != "available" {
                    let (code, what) = match cache.id.kind {
                        CacheKind::Cluster => ("InvalidCacheClusterState", "Cache cluster"),
                        CacheKind::ReplicationGroup => ("InvalidReplicationGroupState", "Replication group"),
                        CacheKind::Serverless => ("InvalidServerlessCacheStateFault", "Serverless cache"),
                    };
                    return Err(AwsError::new(code, format!("{what} {} is {status}", cache.id.name)));
                }
            }
            let missing = || match arn.split(':').nth(5).unwrap_or_default() {
                "cluster" => AwsError::with_status(404, "CacheClusterNotFound", "CacheCluster not found"),
                "replicationgroup" => {
                    AwsError::with_status(404, "ReplicationGroupNotFoundFault", "ReplicationGroup not found")
                }
                "serverlesscache" => {
                    AwsError::with_status(404, "ServerlessCacheNotFoundFault", "ServerlessCache not found")
                }
                "snapshot" => AwsError::with_status(404, "SnapshotNotFoundFault", "Snapshot not found"),
                _ => AwsError::new("InvalidARN", format!("{arn} is not valid")),
            };
            state.tagged_things().into_iter().find(|(found, _)| found == arn).map(|(_, tags)| tags).ok_or_else(missing)
        })
    }

    /// GetResources of the Resource Groups Tagging API: what bears all of these tags and is of one of these types
    /// (`elasticache:snapshot`).
    pub fn get_resources(
        &self,
        filters: &[(String, Vec<String>)],
        types: &[String],
        paging: &Paging,
    ) -> Result<Page<(String, Tags)>, AwsError> {
        self.0.serve(Asked::new("tag:GetResources", "*", format!("{filters:?}")), |state| {
            let kind = |arn: &str| format!("elasticache:{}", arn.split(':').nth(5).unwrap_or_default());
            let bears = |tags: &Tags| {
                filters
                    .iter()
                    .all(|(key, values)| tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value)))
            };
            let mut found = state.tagged_things();
            found.retain(|(arn, tags)| !tags.is_empty() && types.contains(&kind(arn)) && bears(tags));
            found.sort();
            let keyed = found.into_iter().map(|(arn, tags)| (arn.clone(), (arn, tags)));
            filter::page(keyed, paging, state.settings.page_items_max)
        })
    }
}

impl World {
    /// A cache of this name and shape, available, of Valkey; replaces one that is there. Not a call.
    pub fn put_cache(&self, name: &str, shape: CacheShape) -> CacheId {
        let id = CacheId { kind: shape.kind(), name: name.to_owned() };
        let created_at = self.lock().now;
        let cache = Cache {
            id: id.clone(),
            created_at,
            shape,
            engine: "valkey".to_owned(),
            node_type: "cache.r7g.large".to_owned(),
            reserved_memory_percent: None,
            lag_seconds: None,
            ailing: Vec::new(),
            tags: Tags::new(),
            primary: 0,
            changing: None,
        };
        self.lock().caches.insert(id.clone(), cache);
        id
    }

    /// Changes a cache, if it is there. Not a call.
    pub fn change_cache(&self, id: &CacheId, change: impl FnOnce(&mut Cache)) {
        if let Some(cache) = self.lock().caches.get_mut(id) {
            change(cache);
        }
    }

    /// Somebody's change keeps a cache busy for so long. Not a call.
    pub fn cache_changes(&self, id: &CacheId, status: &str, seconds: i64) {
        let state = &mut *self.lock();
        let until = later(state.now, seconds);
        if let Some(cache) = state.caches.get_mut(id) {
            cache.changing = Some((status.to_owned(), until));
        }
    }

    /// The next node becomes the primary. Not a call.
    pub fn fail_over(&self, id: &CacheId) {
        self.change_cache(id, |cache| {
            if let CacheShape::Replicated(nodes) = cache.shape {
                cache.primary = (cache.primary + 1) % nodes.max(1);
            }
        });
    }

    /// Deletes a cache. Its snapshots by hand stay (AWS: DeleteReplicationGroup). Not a call.
    pub fn delete_cache(&self, id: &CacheId) {
        self.lock().caches.remove(id);
    }

    /// A cache, if it is there.
    pub fn cache(&self, id: &CacheId) -> Option<Cache> {
        self.lock().caches.get(id).cloned()
    }
}

impl State {
    pub(crate) fn told_of(&self, cache: &Cache) -> CacheTold {
        let making = self.cache_snapshots.values().filter(|snapshot| {
            snapshot.of.as_ref() == Some(&cache.id) && snapshot.state == CacheSnapshotState::Creating
        });
        let making: Vec<_> = making.collect();
        let changing = cache.changing.as_ref().filter(|(_, until)| *until > self.now).map(|(status, _)| status.clone());
        let status = if making.is_empty() { "available" } else { "snapshotting" };
        let busy = making.iter().filter_map(|snapshot| snapshot.cluster.clone()).collect();
        CacheTold { cache: cache.clone(), status: changing.unwrap_or_else(|| status.to_owned()), busy }
    }

    fn tagged_things(&self) -> Vec<(String, Tags)> {
        // The nodes of a replication group bear its tags (AWS: CreateReplicationGroup, Tags).
        let arns = |cache: &Cache| {
            let nodes = cache.clusters().into_iter().flatten().filter(|node| *node != cache.id.name);
            let nodes = nodes.map(|node| cache_arn(kind_word(CacheKind::Cluster), &node));
            std::iter::once(cache.arn()).chain(nodes).collect::<Vec<_>>()
        };
        let caches = self.caches.values();
        let caches = caches.flat_map(|cache| arns(cache).into_iter().map(|arn| (arn, cache.tags.clone())));
        let snapshots = self.cache_snapshots.values().map(|snapshot| (snapshot.arn(), snapshot.tags.clone()));
        caches.chain(snapshots).collect()
    }
}
