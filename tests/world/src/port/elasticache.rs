//! ElastiCache's calls, and that of the Tagging API.

use lastgood_core::facts::{self, CacheNode, CacheRole, CacheSetup, CacheShard, CacheStatus, Tags};
use lastgood_core::id::{CacheFamily, CacheId, CacheKind};
use lastgood_engine::call::elasticache::{
    CacheSnapshotsById, CacheSnapshotsTagged, CacheTags, CachesById, CachesTagged, CreateCacheSnapshot,
    DeleteCacheSnapshot, ManualCacheSnapshots, ReplicaLag, ReservedMemory,
};
use lastgood_engine::{Answers, Call, Called};

use super::facts::answer;
use super::{all, paging};
use crate::cache::{Cache, CacheShape, CacheTold, cache_arn, kind_word};
use crate::cache_snapshot::{self, CacheOrigin, CacheSnapshot, CacheSnapshotState};
use crate::fault::AwsError;
use crate::state::World;

/// How many one page tells at most.
const A_PAGE: usize = 50;

impl World {
    fn told_caches(&self, ids: &[CacheId]) -> Result<Vec<facts::Cache>, AwsError> {
        let (mut told, mut members) = (Vec::new(), Vec::new());
        if ids.iter().any(|id| id.kind.family() == CacheFamily::Nodes) {
            let clusters = all(|token| self.elasticache().describe_cache_clusters(&paging(A_PAGE, token)))?;
            let nodes = clusters.iter().filter(|(_, told)| told.cache.id.kind != CacheKind::Cluster);
            let nodes: Vec<facts::Cache> = nodes.map(|(cluster, told)| node_fact(cluster, told)).collect();
            members.extend(nodes);
            let alone = clusters.into_iter().map(|(_, told)| told);
            told.extend(alone.filter(|told| told.cache.id.kind == CacheKind::Cluster));
            told.extend(all(|token| self.elasticache().describe_replication_groups(&paging(A_PAGE, token)))?);
        }
        if ids.iter().any(|id| id.kind.family() == CacheFamily::Serverless) {
            told.extend(all(|token| self.elasticache().describe_serverless_caches(&paging(A_PAGE, token)))?);
        }
        let all = told.iter().map(cache_fact).chain(members);
        Ok(all.filter(|cache| ids.contains(&cache.id)).collect())
    }

    fn manual(&self, family: CacheFamily) -> Result<Vec<facts::CacheSnapshot>, AwsError> {
        let found = all(|token| self.elasticache().describe_snapshots(family, None, &paging(A_PAGE, token)))?;
        Ok(found.iter().map(snapshot_fact).collect())
    }

    fn tagged(&self, tags: &Tags, types: &[&str]) -> Result<Vec<(String, Tags)>, AwsError> {
        let filters: Vec<_> = tags.iter().map(|(key, value)| (key.clone(), vec![value.clone()])).collect();
        let types: Vec<String> = types.iter().map(|kind| format!("elasticache:{kind}")).collect();
        all(|token| self.elasticache().get_resources(&filters, &types, &paging(A_PAGE, token)))
    }
}

impl Answers<CachesById> for World {
    async fn call(&self, CachesById(ids): &CachesById) -> Called<Vec<facts::Cache>> {
        answer(CachesById::ACTION, self.told_caches(ids))
    }
}

impl Answers<CachesTagged> for World {
    async fn call(&self, CachesTagged(tags): &CachesTagged) -> Called<Vec<(CacheId, Tags)>> {
        let words = CacheKind::ALL.map(kind_word);
        let found = self.tagged(tags, &words).map(|found| {
            let id = |(arn, tags): (String, Tags)| {
                let mut parts = arn.splitn(7, ':').skip(5);
                let (word, name) = (parts.next()?, parts.next()?);
                let kind = CacheKind::ALL.into_iter().find(|kind| kind_word(*kind) == word)?;
                Some((CacheId { kind, name: name.to_owned() }, tags))
            };
            found.into_iter().filter_map(id).collect()
        });
        answer(CachesTagged::ACTION, found)
    }
}

impl Answers<ReservedMemory> for World {
    async fn call(&self, ReservedMemory(group): &ReservedMemory) -> Called<Option<u32>> {
        answer(ReservedMemory::ACTION, self.elasticache().reserved_memory_percent(group))
    }
}

impl Answers<ReplicaLag> for World {
    async fn call(&self, ReplicaLag { node, .. }: &ReplicaLag) -> Called<Option<u32>> {
        answer(ReplicaLag::ACTION, self.elasticache().replica_lag(node))
    }
}

impl Answers<CacheTags> for World {
    async fn call(&self, CacheTags(arn): &CacheTags) -> Called<Tags> {
        answer(CacheTags::ACTION, self.elasticache().list_tags(arn))
    }
}

impl Answers<ManualCacheSnapshots> for World {
    async fn call(&self, ManualCacheSnapshots(family): &ManualCacheSnapshots) -> Called<Vec<facts::CacheSnapshot>> {
        answer(ManualCacheSnapshots::ACTION, self.manual(*family))
    }
}

impl Answers<CacheSnapshotsById> for World {
    async fn call(&self, CacheSnapshotsById(ids): &CacheSnapshotsById) -> Called<Vec<facts::CacheSnapshot>> {
        let one = |id: &lastgood_core::id::CacheSnapshotId| {
            let found = self.elasticache().describe_snapshots(id.family, Some(&id.name), &paging(A_PAGE, None));
            match found {
                Ok(page) => Ok(page.items),
                Err(error) if error.code.ends_with("NotFoundFault") => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        };
        let found: Result<Vec<_>, _> = ids.iter().map(one).collect();
        let found = found.map(|found| found.concat().iter().map(snapshot_fact).collect());
        answer(CacheSnapshotsById::ACTION, found)
    }
}

impl Answers<CacheSnapshotsTagged> for World {
    async fn call(&self, asked: &CacheSnapshotsTagged) -> Called<Vec<facts::CacheSnapshot>> {
        let tags = [(asked.key.clone(), asked.value.clone())].into();
        let found = self.tagged(&tags, &["snapshot", "serverlesscachesnapshot"]).and_then(|tagged| {
            if tagged.is_empty() {
                return Ok(Vec::new());
            }
            let mut told = self.manual(CacheFamily::Nodes)?;
            told.extend(self.manual(CacheFamily::Serverless)?);
            let with = |snapshot: facts::CacheSnapshot| {
                let (_, tags) = tagged.iter().find(|(arn, _)| *arn == snapshot.arn)?;
                Some(facts::CacheSnapshot { tags: tags.clone(), ..snapshot })
            };
            Ok(told.into_iter().filter_map(with).collect())
        });
        answer(CacheSnapshotsTagged::ACTION, found)
    }
}

impl Answers<CreateCacheSnapshot> for World {
    async fn call(&self, CreateCacheSnapshot { cache, node, id, tags }: &CreateCacheSnapshot) -> Called<()> {
        let of = match (cache.kind, node) {
            (CacheKind::Serverless, _) => CacheOrigin::Serverless(cache.name.clone()),
            (_, Some(node)) => CacheOrigin::Cluster(node.clone()),
            (CacheKind::ReplicationGroup, None) => CacheOrigin::Group(cache.name.clone()),
            (CacheKind::Cluster, None) => CacheOrigin::Cluster(cache.name.clone()),
        };
        let request = cache_snapshot::CreateCacheSnapshot { name: id.name.clone(), of, tags: tags.clone() };
        answer(CreateCacheSnapshot::ACTION, self.elasticache().create_snapshot(&request).map(|_| ()))
    }
}

impl Answers<DeleteCacheSnapshot> for World {
    async fn call(&self, DeleteCacheSnapshot(id): &DeleteCacheSnapshot) -> Called<()> {
        answer(DeleteCacheSnapshot::ACTION, self.elasticache().delete_snapshot(id))
    }
}

fn cache_fact(told: &CacheTold) -> facts::Cache {
    let cache = &told.cache;
    let status = match told.status.as_str() {
        "available" => CacheStatus::Available,
        "snapshotting" => CacheStatus::Snapshotting,
        other => CacheStatus::Other(other.to_owned()),
    };
    facts::Cache {
        id: cache.id.clone(),
        tags: Tags::new(),
        arn: cache.arn(),
        member_of: None,
        status,
        shape: shape_fact(cache),
        setup: setup_fact(cache),
    }
}

/// A node of a replication group, as a cluster.
fn node_fact(cluster: &str, told: &CacheTold) -> facts::Cache {
    facts::Cache {
        id: CacheId { kind: CacheKind::Cluster, name: cluster.to_owned() },
        arn: cache_arn(kind_word(CacheKind::Cluster), cluster),
        member_of: Some(told.cache.id.name.clone()),
        shape: facts::CacheShape::Single,
        ..cache_fact(told)
    }
}

fn shape_fact(cache: &Cache) -> facts::CacheShape {
    match cache.shape {
        CacheShape::Single => facts::CacheShape::Single,
        CacheShape::Sharded(..) => facts::CacheShape::Sharded,
        CacheShape::Serverless => facts::CacheShape::Serverless,
        CacheShape::Replicated(_) => {
            let nodes = cache.clusters().into_iter().flatten().enumerate();
            let role = |at| if at == cache.primary { CacheRole::Primary } else { CacheRole::Replica };
            let node = |(at, cluster): (usize, String)| {
                let ailing = || CacheStatus::Other("rebooting cluster nodes".to_owned());
                let status = if cache.is_well(&cluster) { CacheStatus::Available } else { ailing() };
                CacheNode { cluster, role: role(at), status }
            };
            facts::CacheShape::Replicated(nodes.map(node).collect())
        }
    }
}

fn setup_fact(cache: &Cache) -> CacheSetup {
    let serverless = cache.shape == CacheShape::Serverless;
    let shards = cache.clusters().into_iter().enumerate().map(|(at, nodes)| CacheShard {
        id: format!("{:04}", at + 1),
        slots: None,
        replicas: u32::try_from(nodes.len()).unwrap_or(1) - 1,
    });
    CacheSetup {
        engine: cache.engine.clone(),
        engine_version: Some("8.0".to_owned()),
        node_type: (!serverless).then(|| cache.node_type.clone()),
        shards: shards.collect(),
        parameter_group: (!serverless).then(|| cache.parameter_group()),
        port: Some(6379),
        created_at: Some(cache.created_at),
        ..CacheSetup::default()
    }
}

fn snapshot_fact(snapshot: &CacheSnapshot) -> facts::CacheSnapshot {
    let state = match snapshot.state {
        CacheSnapshotState::Creating => facts::CacheSnapshotState::Creating,
        CacheSnapshotState::Available | CacheSnapshotState::Restoring => facts::CacheSnapshotState::Available,
        CacheSnapshotState::Failed => facts::CacheSnapshotState::Failed,
    };
    let whole = snapshot.of.as_ref().map(|cache| cache.name.clone());
    facts::CacheSnapshot {
        id: snapshot.id.clone(),
        arn: snapshot.arn(),
        tags: Tags::new(),
        of: snapshot.cluster.clone().into_iter().chain(whole).collect(),
        bytes: (state == facts::CacheSnapshotState::Available).then_some(snapshot.bytes),
        state,
        manual: snapshot.manual,
        begun_at: Some(snapshot.begun_at),
    }
}
