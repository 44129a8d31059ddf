//! ElastiCache: caches of every kind, and what each is set up as.

mod snapshots;

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::{
    CacheCluster, CacheUsageLimits, DataStorageUnit, DataTieringStatus, Endpoint, MultiAzStatus, NodeGroup,
    ReplicationGroup, ServerlessCache, TransitEncryptionMode,
};
use lastgood_core::facts::{
    Cache, CacheAccess, CacheNode, CacheRole, CacheSetup, CacheShape, CacheShard, CacheStatus, Tags,
};
use lastgood_core::id::{CacheFamily, CacheId, CacheKind};
use lastgood_engine::call::elasticache::{CacheTags, CachesById, ReservedMemory};
use lastgood_engine::{Answers, Call, CallFailed, Called};

use self::snapshots::time;
use crate::Aws;
use crate::pages;
use crate::refusals::{answer, told};

/// The most that one page tells (AWS: DescribeReplicationGroups, DescribeCacheClusters: MaxRecords).
const PAGE_MAX: i32 = 100;
/// The parameter of a parameter group that keeps memory free (AWS: Managing reserved memory).
const RESERVED_MEMORY: &str = "reserved-memory-percent";

impl Answers<CachesById> for Aws {
    async fn call(&self, CachesById(ids): &CachesById) -> Called<Vec<Cache>> {
        let mut caches = Vec::new();
        if ids.iter().any(|id| id.kind.family() == CacheFamily::Nodes) {
            match self.caches_of_nodes().await? {
                Ok(found) => caches.extend(found),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        if ids.iter().any(|id| id.kind.family() == CacheFamily::Serverless) {
            let pages = self.cache.describe_serverless_caches().into_paginator().send();
            let action = "elasticache:DescribeServerlessCaches";
            let read =
                |page: aws_sdk_elasticache::operation::describe_serverless_caches::DescribeServerlessCachesOutput| {
                    page.serverless_caches().iter().map(serverless).collect()
                };
            match pages::all(action, pages, read).await? {
                Ok(found) => caches.extend(found),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        caches.retain(|cache: &Cache| ids.contains(&cache.id));
        Ok(Ok(caches))
    }
}

impl Aws {
    /// Clusters of one node and replication groups. What a group is set up as, its clusters tell.
    async fn caches_of_nodes(&self) -> Called<Vec<Cache>> {
        let request = self.cache.describe_cache_clusters().max_records(PAGE_MAX).show_cache_node_info(true);
        let pages = request.into_paginator().send();
        let clusters = pages::all(CachesById::FIRST.unwrap_or_default(), pages, |page| {
            Ok(page.cache_clusters.unwrap_or_default())
        });
        let clusters = match clusters.await? {
            Ok(clusters) => clusters,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let request = self.cache.describe_replication_groups().max_records(PAGE_MAX);
        let pages = request.into_paginator().send();
        let groups = pages::all(CachesById::ACTION, pages, |page| Ok(page.replication_groups.unwrap_or_default()));
        let groups = match groups.await? {
            Ok(groups) => groups,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let caches = clusters.iter().map(single).chain(groups.iter().map(|found| group(found, &clusters)));
        caches.collect::<Result<_, _>>().map(Ok)
    }
}

/// A cluster, by itself or as a node of a replication group.
fn single(cluster: &CacheCluster) -> Result<Cache, CallFailed> {
    let action = CachesById::ACTION;
    let name = told(action, cluster.cache_cluster_id(), "a cluster's id")?.to_owned();
    let setup = CacheSetup {
        port: cluster.cache_nodes().iter().find_map(|node| port(node.endpoint())),
        created_at: cluster.cache_cluster_create_time().and_then(time),
        ..of_cluster(cluster)
    };
    Ok(Cache {
        id: CacheId { kind: CacheKind::Cluster, name },
        tags: Tags::new(),
        arn: told(action, cluster.arn(), "a cluster's ARN")?.to_owned(),
        member_of: cluster.replication_group_id().map(str::to_owned),
        status: status(told(action, cluster.cache_cluster_status(), "a cluster's status")?),
        shape: CacheShape::Single,
        setup,
    })
}

/// What any cluster tells of its setup.
fn of_cluster(cluster: &CacheCluster) -> CacheSetup {
    let ids = cluster.security_groups().iter().filter_map(|group| group.security_group_id());
    CacheSetup {
        engine: cluster.engine().unwrap_or_default().to_owned(),
        engine_version: cluster.engine_version().map(str::to_owned),
        node_type: cluster.cache_node_type().map(str::to_owned),
        parameter_group: cluster
            .cache_parameter_group()
            .and_then(|group| group.cache_parameter_group_name())
            .map(str::to_owned),
        subnets: cluster.cache_subnet_group_name().map(str::to_owned).into_iter().collect(),
        security_groups: ids.map(str::to_owned).collect(),
        encrypted: cluster.at_rest_encryption_enabled().unwrap_or(false),
        tls: tls(cluster.transit_encryption_enabled(), cluster.transit_encryption_mode()),
        access: access(&[], cluster.auth_token_enabled()),
        ..CacheSetup::default()
    }
}

/// Whether clients speak TLS. Where AWS says no more than that they do, they must.
fn tls(is_on: Option<bool>, mode: Option<&TransitEncryptionMode>) -> Option<String> {
    let is_on = is_on.unwrap_or(false);
    is_on.then(|| mode.map_or("required", TransitEncryptionMode::as_str).to_owned())
}

fn access(user_groups: &[String], has_token: Option<bool>) -> CacheAccess {
    match (user_groups, has_token.unwrap_or(false)) {
        ([], false) => CacheAccess::Anyone,
        ([], true) => CacheAccess::Token,
        (groups, _) => CacheAccess::UserGroups(groups.to_vec()),
    }
}

fn group(found: &ReplicationGroup, clusters: &[CacheCluster]) -> Result<Cache, CallFailed> {
    let action = CachesById::ACTION;
    let name = told(action, found.replication_group_id(), "a replication group's id")?.to_owned();
    let members: Vec<&CacheCluster> =
        clusters.iter().filter(|cluster| cluster.replication_group_id() == Some(name.as_str())).collect();
    let of_member = members.first().map(|member| of_cluster(member)).unwrap_or_default();
    let endpoint = found.configuration_endpoint();
    let primary = || found.node_groups().iter().find_map(|shard| port(shard.primary_endpoint()));
    let setup = CacheSetup {
        engine: found.engine().map_or(of_member.engine, str::to_owned),
        node_type: found.cache_node_type().map(str::to_owned).or(of_member.node_type),
        shards: found.node_groups().iter().map(shard).collect(),
        created_at: found.replication_group_create_time().and_then(time),
        port: port(endpoint).or_else(primary),
        encrypted: found.at_rest_encryption_enabled().unwrap_or(of_member.encrypted),
        kms_key: found.kms_key_id().map(str::to_owned),
        tls: tls(found.transit_encryption_enabled(), found.transit_encryption_mode()),
        access: access(found.user_group_ids(), found.auth_token_enabled()),
        multi_az: found.multi_az() == Some(&MultiAzStatus::Enabled),
        data_tiering: found.data_tiering() == Some(&DataTieringStatus::Enabled),
        ..of_member
    };
    let mut status = status(told(action, found.status(), "a replication group's status")?);
    // A snapshot of one of its nodes is told by that node.
    let is_busy = |member: &&CacheCluster| member.cache_cluster_status() == Some(SNAPSHOTTING);
    if status == CacheStatus::Available && members.iter().any(is_busy) {
        status = CacheStatus::Snapshotting;
    }
    let shape = if found.cluster_enabled().unwrap_or(false) {
        CacheShape::Sharded
    } else {
        CacheShape::Replicated(nodes(found, clusters))
    };
    Ok(Cache {
        id: CacheId { kind: CacheKind::ReplicationGroup, name },
        tags: Tags::new(),
        arn: told(action, found.arn(), "a replication group's ARN")?.to_owned(),
        member_of: None,
        status,
        shape,
        setup,
    })
}

/// The nodes of a group with cluster mode disabled. AWS tells their roles of no other (AWS: NodeGroupMember).
fn nodes(group: &ReplicationGroup, clusters: &[CacheCluster]) -> Vec<CacheNode> {
    let members = group.node_groups().iter().flat_map(NodeGroup::node_group_members);
    let told: BTreeMap<&str, Option<&str>> =
        members.filter_map(|member| Some((member.cache_cluster_id()?, member.current_role()))).collect();
    let all = group.member_clusters().iter().map(String::as_str).chain(told.keys().copied());
    let all: std::collections::BTreeSet<&str> = all.collect();
    let node = |cluster: &str| {
        // One that no describe of clusters tells yet, or that is told without a status, is taken at its group's word.
        let own = clusters.iter().find(|found| found.cache_cluster_id() == Some(cluster));
        let own = own.and_then(CacheCluster::cache_cluster_status).map_or(CacheStatus::Available, status);
        let role = match told.get(cluster).copied().flatten() {
            Some("primary") => CacheRole::Primary,
            Some("replica") => CacheRole::Replica,
            Some(_) | None => CacheRole::Unknown,
        };
        CacheNode { cluster: cluster.to_owned(), role, status: own }
    };
    all.into_iter().map(node).collect()
}

fn shard(found: &NodeGroup) -> CacheShard {
    let members = u32::try_from(found.node_group_members().len()).unwrap_or(u32::MAX);
    CacheShard {
        id: found.node_group_id().unwrap_or_default().to_owned(),
        slots: found.slots().map(str::to_owned),
        replicas: members.saturating_sub(1),
    }
}

fn serverless(found: &ServerlessCache) -> Result<Cache, CallFailed> {
    let action = "elasticache:DescribeServerlessCaches";
    let name = told(action, found.serverless_cache_name(), "a serverless cache's name")?.to_owned();
    let version = found.full_engine_version().or_else(|| found.major_engine_version());
    let setup = CacheSetup {
        engine: found.engine().unwrap_or_default().to_owned(),
        engine_version: version.map(str::to_owned),
        subnets: found.subnet_ids().to_vec(),
        security_groups: found.security_group_ids().to_vec(),
        port: port(found.endpoint()),
        created_at: found.create_time().and_then(time),
        // Always, and in more than one zone (AWS: ElastiCache Serverless).
        encrypted: true,
        tls: Some(TransitEncryptionMode::Required.as_str().to_owned()),
        multi_az: true,
        kms_key: found.kms_key_id().map(str::to_owned),
        access: access(found.user_group_id().map(str::to_owned).as_slice(), None),
        limits: found.cache_usage_limits().and_then(limits),
        ..CacheSetup::default()
    };
    Ok(Cache {
        id: CacheId { kind: CacheKind::Serverless, name },
        tags: Tags::new(),
        arn: told(action, found.arn(), "a serverless cache's ARN")?.to_owned(),
        member_of: None,
        status: status(told(action, found.status(), "a serverless cache's status")?),
        shape: CacheShape::Serverless,
        setup,
    })
}

/// The limits of a serverless cache, as far as it has any.
fn limits(told: &CacheUsageLimits) -> Option<String> {
    let range = |what: &str, least: Option<i32>, most: Option<i32>, unit: &str| {
        let least = least.map(|least| format!("at least {least} {unit}"));
        let most = most.map(|most| format!("at most {most} {unit}"));
        let both: Vec<String> = least.into_iter().chain(most).collect();
        (!both.is_empty()).then(|| format!("{what} {}", both.join(", ")))
    };
    let data = told.data_storage().and_then(|data| {
        range("data", data.minimum(), data.maximum(), data.unit().map_or("GB", DataStorageUnit::as_str))
    });
    let ecpu = told.ecpu_per_second().and_then(|ecpu| range("work", ecpu.minimum(), ecpu.maximum(), "ECPU a second"));
    let all: Vec<String> = data.into_iter().chain(ecpu).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

const SNAPSHOTTING: &str = "snapshotting";

fn status(word: &str) -> CacheStatus {
    match word.to_ascii_lowercase().as_str() {
        "available" => CacheStatus::Available,
        SNAPSHOTTING => CacheStatus::Snapshotting,
        _ => CacheStatus::Other(word.to_owned()),
    }
}

fn port(endpoint: Option<&Endpoint>) -> Option<u32> {
    endpoint.and_then(Endpoint::port).and_then(|port| u32::try_from(port).ok())
}

impl Answers<ReservedMemory> for Aws {
    async fn call(&self, ReservedMemory(group): &ReservedMemory) -> Called<Option<u32>> {
        let pages = self.cache.describe_cache_parameters().cache_parameter_group_name(group).into_paginator().send();
        let values = pages::all(ReservedMemory::ACTION, pages, |page| {
            let is_it = |name: Option<&str>| name == Some(RESERVED_MEMORY);
            let found = page.parameters().iter().filter(|parameter| is_it(parameter.parameter_name()));
            Ok(found.filter_map(|parameter| parameter.parameter_value()?.trim().parse().ok()).collect::<Vec<u32>>())
        });
        Ok(values.await?.map(|values| values.first().copied()))
    }
}

impl Answers<CacheTags> for Aws {
    async fn call(&self, CacheTags(arn): &CacheTags) -> Called<Tags> {
        let result = self.cache.list_tags_for_resource().resource_name(arn).send().await;
        let tags = answer(CacheTags::ACTION, result)?.map(|output| output.tag_list.unwrap_or_default());
        let pair = |tag: aws_sdk_elasticache::types::Tag| Some((tag.key?, tag.value.unwrap_or_default()));
        Ok(tags.map(|tags| tags.into_iter().filter_map(pair).collect()))
    }
}
