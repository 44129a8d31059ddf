//! ElastiCache's calls, and GetResources of the Tagging API, which speaks JSON.

use lastgood_core::facts::Tags;
use lastgood_core::id::{CacheFamily, CacheSnapshotId};
use serde_json::{Value, json};

use super::Action;
use super::query::Query;
use super::xml::Xml;
use crate::cache::{Cache, CacheShape, CacheTold};
use crate::cache_snapshot::{CacheOrigin, CacheSnapshot, CacheSnapshotState, CreateCacheSnapshot};
use crate::fault::AwsError;
use crate::filter::Paging;
use crate::state::World;

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateServerlessCacheSnapshot" => create_serverless_snapshot,
        "CreateSnapshot" => create_snapshot,
        "DeleteServerlessCacheSnapshot" => delete_serverless_snapshot,
        "DeleteSnapshot" => delete_snapshot,
        "DescribeCacheClusters" => describe_clusters,
        "DescribeCacheParameters" => describe_parameters,
        "DescribeReplicationGroups" => describe_groups,
        "DescribeServerlessCaches" => describe_serverless,
        "DescribeServerlessCacheSnapshots" => describe_serverless_snapshots,
        "DescribeSnapshots" => describe_snapshots,
        "ListTagsForResource" => list_tags,
        _ => return None,
    })
}

/// `MaxRecords` and `Marker`.
fn by_marker(query: &mut Query) -> Result<Paging, AwsError> {
    Ok(Paging { max_results: query.parse("MaxRecords")?, next_token: query.take("Marker") })
}

fn create_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("SnapshotName")?;
    let of = match (query.take("CacheClusterId"), query.take("ReplicationGroupId")) {
        (Some(cluster), None) => CacheOrigin::Cluster(cluster),
        (None, Some(group)) => CacheOrigin::Group(group),
        (Some(_), Some(_)) | (None, None) => {
            let message = "One of CacheClusterId and ReplicationGroupId is wanted";
            return Err(AwsError::new("InvalidParameterCombination", message));
        }
    };
    let tags = query.tags("Tags.Tag")?;
    query.done()?;
    let made = world.elasticache().create_snapshot(&CreateCacheSnapshot { name, of, tags })?;
    let mut xml = Xml::default();
    xml.node("Snapshot", |told| snapshot(told, &made));
    Ok(xml)
}

fn create_serverless_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("ServerlessCacheSnapshotName")?;
    let of = CacheOrigin::Serverless(query.need("ServerlessCacheName")?);
    let tags = query.tags("Tags.Tag")?;
    query.done()?;
    let made = world.elasticache().create_snapshot(&CreateCacheSnapshot { name, of, tags })?;
    let mut xml = Xml::default();
    xml.node("ServerlessCacheSnapshot", |told| serverless_snapshot(told, &made));
    Ok(xml)
}

fn delete_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = CacheSnapshotId { family: CacheFamily::Nodes, name: query.need("SnapshotName")? };
    query.done()?;
    world.elasticache().delete_snapshot(&id)?;
    Ok(Xml::default())
}

fn delete_serverless_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("ServerlessCacheSnapshotName")?;
    query.done()?;
    world.elasticache().delete_snapshot(&CacheSnapshotId { family: CacheFamily::Serverless, name })?;
    Ok(Xml::default())
}

fn describe_snapshots(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let (name, paging) = (query.take("SnapshotName"), by_marker(&mut query)?);
    if let Some(other) = query.take("SnapshotSource").filter(|source| source != "user") {
        return Err(AwsError::new("InvalidParameterValue", format!("{other} is not simulated")));
    }
    query.done()?;
    let page = world.elasticache().describe_snapshots(CacheFamily::Nodes, name.as_deref(), &paging)?;
    let mut xml = Xml::default();
    xml.maybe("Marker", page.next_token).list("Snapshots", "Snapshot", &page.items, snapshot);
    Ok(xml)
}

fn describe_serverless_snapshots(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.take("ServerlessCacheSnapshotName");
    let paging = query.paging()?;
    query.take("SnapshotType");
    query.done()?;
    let page = world.elasticache().describe_snapshots(CacheFamily::Serverless, name.as_deref(), &paging)?;
    let mut xml = Xml::default();
    xml.maybe("NextToken", page.next_token);
    xml.list("ServerlessCacheSnapshots", "ServerlessCacheSnapshot", &page.items, serverless_snapshot);
    Ok(xml)
}

fn describe_clusters(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let paging = by_marker(&mut query)?;
    query.take("ShowCacheNodeInfo");
    query.done()?;
    let page = world.elasticache().describe_cache_clusters(&paging)?;
    let mut xml = Xml::default();
    xml.maybe("Marker", page.next_token).list("CacheClusters", "CacheCluster", &page.items, |told, (name, of)| {
        let cache = &of.cache;
        let alone = cache.shape == CacheShape::Single;
        let busy = of.busy.contains(name);
        let own = if cache.ailing.contains(name) { "rebooting cluster nodes" } else { "available" };
        told.leaf("CacheClusterId", name)
            .maybe("ReplicationGroupId", (!alone).then_some(&cache.id.name))
            .leaf("CacheClusterStatus", if alone || busy { of.status.as_str() } else { own })
            .leaf("Engine", &cache.engine)
            .leaf("EngineVersion", "8.0")
            .leaf("CacheNodeType", &cache.node_type)
            .leaf("NumCacheNodes", 1)
            .leaf("ARN", Cache::cluster_arn(name))
            .node("CacheParameterGroup", |group| {
                group.leaf("CacheParameterGroupName", cache.parameter_group());
            });
        told.leaf("CacheSubnetGroupName", "caches");
    });
    Ok(xml)
}

fn describe_groups(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let paging = by_marker(&mut query)?;
    query.done()?;
    let page = world.elasticache().describe_replication_groups(&paging)?;
    let mut xml = Xml::default();
    xml.maybe("Marker", page.next_token).list("ReplicationGroups", "ReplicationGroup", &page.items, group);
    Ok(xml)
}

fn group(xml: &mut Xml, told: &CacheTold) {
    let cache = &told.cache;
    let is_sharded = matches!(cache.shape, CacheShape::Sharded(..));
    xml.leaf("ReplicationGroupId", &cache.id.name).leaf("Status", &told.status).leaf("ClusterEnabled", is_sharded);
    xml.leaf("Engine", &cache.engine).leaf("CacheNodeType", &cache.node_type).leaf("ARN", cache.arn());
    xml.node("MemberClusters", |members| {
        for cluster in cache.clusters().into_iter().flatten() {
            members.leaf("ClusterId", cluster);
        }
    });
    let shards = cache.clusters().into_iter().enumerate();
    xml.list("NodeGroups", "NodeGroup", shards, |shard, (number, clusters)| {
        shard.leaf("NodeGroupId", format!("{:04}", number + 1));
        let nodes = clusters.into_iter().enumerate();
        shard.list("NodeGroupMembers", "NodeGroupMember", nodes, |member, (at, cluster)| {
            member.leaf("CacheClusterId", cluster);
            // AWS: NodeGroupMember: told with cluster mode disabled alone.
            let role = if at == cache.primary { "primary" } else { "replica" };
            member.maybe("CurrentRole", (!is_sharded).then_some(role));
        });
    });
}

fn describe_serverless(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let paging = query.paging()?;
    query.done()?;
    let page = world.elasticache().describe_serverless_caches(&paging)?;
    let mut xml = Xml::default();
    xml.maybe("NextToken", page.next_token).list("ServerlessCaches", "member", &page.items, |told, of| {
        told.leaf("ServerlessCacheName", &of.cache.id.name)
            .leaf("Status", &of.status)
            .leaf("Engine", &of.cache.engine)
            .leaf("ARN", of.cache.arn());
    });
    Ok(xml)
}

fn describe_parameters(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("CacheParameterGroupName")?;
    by_marker(&mut query)?;
    query.done()?;
    let percent = world.elasticache().reserved_memory_percent(&group)?;
    let mut xml = Xml::default();
    xml.list("Parameters", "Parameter", percent, |told, percent| {
        told.leaf("ParameterName", "reserved-memory-percent").leaf("ParameterValue", percent);
    });
    Ok(xml)
}

fn list_tags(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let arn = query.need("ResourceName")?;
    query.done()?;
    let tags = world.elasticache().list_tags(&arn)?;
    let mut xml = Xml::default();
    xml.list("TagList", "Tag", &tags, |told, (key, value)| {
        told.leaf("Key", key).leaf("Value", value);
    });
    Ok(xml)
}

fn snapshot(xml: &mut Xml, snapshot: &CacheSnapshot) {
    let whole = snapshot.of.as_ref().filter(|_| snapshot.cluster.is_none());
    xml.leaf("SnapshotName", &snapshot.id.name)
        .maybe("CacheClusterId", snapshot.cluster.as_ref())
        .maybe("ReplicationGroupId", whole.map(|cache| &cache.name))
        .leaf("SnapshotStatus", snapshot.state.name())
        .leaf("SnapshotSource", if snapshot.manual { "manual" } else { "automated" })
        .leaf("ARN", snapshot.arn());
    xml.list("NodeSnapshots", "NodeSnapshot", [snapshot], |node, snapshot| {
        node.leaf("SnapshotCreateTime", snapshot.begun_at);
        let is_complete = snapshot.state == CacheSnapshotState::Available;
        node.leaf("CacheSize", if is_complete { format!("{} MB", snapshot.bytes >> 20) } else { String::new() });
    });
}

fn serverless_snapshot(xml: &mut Xml, snapshot: &CacheSnapshot) {
    xml.leaf("ServerlessCacheSnapshotName", &snapshot.id.name)
        .leaf("ARN", snapshot.arn())
        .leaf("SnapshotType", if snapshot.manual { "manual" } else { "automated" })
        .leaf("Status", snapshot.state.name())
        .leaf("CreateTime", snapshot.begun_at)
        .leaf("BytesUsedForCache", snapshot.bytes);
    xml.node("ServerlessCacheConfiguration", |cache| {
        cache.maybe("ServerlessCacheName", snapshot.of.as_ref().map(|cache| &cache.name));
    });
}

/// The Tagging API's calls, which are told by the header `X-Amz-Target`.
pub(super) fn tagging(world: &World, target: &str, body: &[u8]) -> Result<Value, AwsError> {
    if target != "ResourceGroupsTaggingAPI_20170126.GetResources" {
        return Err(AwsError::new("UnknownOperationException", format!("{target} is not simulated")));
    }
    let asked: Value =
        serde_json::from_slice(body).map_err(|error| AwsError::new("SerializationException", error.to_string()))?;
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let filters = asked["TagFilters"].as_array().into_iter().flatten();
    let filters: Vec<(String, Vec<String>)> = filters
        .map(|filter| (filter["Key"].as_str().unwrap_or_default().to_owned(), texts(&filter["Values"])))
        .collect();
    let token = asked["PaginationToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    let paging = Paging { max_results: Some(100), next_token: token };
    let page = world.elasticache().get_resources(&filters, &texts(&asked["ResourceTypeFilters"]), &paging)?;
    let tags = |tags: &Tags| tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>();
    let found = page.items.iter().map(|(arn, of)| json!({"ResourceARN": arn, "Tags": tags(of)})).collect::<Vec<_>>();
    Ok(json!({"PaginationToken": page.next_token.unwrap_or_default(), "ResourceTagMappingList": found}))
}
