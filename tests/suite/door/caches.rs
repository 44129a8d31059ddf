//! ElastiCache, and GetResources of the Tagging API.

use lastgood_world::CacheShape;
use serde_json::{Value, json};

use super::{Client, client, tags, text, texts};

impl Client {
    fn cache(&self, call: &str, args: Value) -> Value {
        self.call_of("elasticache", call, args).unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }

    fn cache_refused(&self, call: &str, args: Value) -> (String, u64) {
        let (code, status, _) = self.call_of("elasticache", call, args).expect_err(call);
        (code, status)
    }
}

#[test]
fn caches_of_each_kind_are_told() {
    let Some(client) = client("DescribeReplicationGroups") else { return };
    client.world.put_cache("queue", CacheShape::Single);
    let sessions = client.world.put_cache("sessions", CacheShape::Replicated(2));
    client.world.put_cache("carts", CacheShape::Sharded(2, 1));
    client.world.put_cache("catalog", CacheShape::Serverless);
    let clusters = client.cache("describe_cache_clusters", json!({}))["CacheClusters"].clone();
    assert_eq!(texts(&clusters, "CacheClusterId").len(), 1 + 2 + 4);
    let groups = client.cache("describe_replication_groups", json!({}))["ReplicationGroups"].clone();
    assert_eq!(texts(&groups, "ReplicationGroupId"), ["carts", "sessions"]);
    let roles = |group: &Value| texts(&group["NodeGroups"][0]["NodeGroupMembers"], "CurrentRole");
    assert_eq!((&groups[0]["ClusterEnabled"], &groups[1]["ClusterEnabled"]), (&json!(true), &json!(false)));
    assert!(groups[0]["NodeGroups"][0]["NodeGroupMembers"][0].get("CurrentRole").is_none());
    assert_eq!(roles(&groups[1]), ["primary", "replica"]);
    client.world.fail_over(&sessions);
    let groups = client.cache("describe_replication_groups", json!({}))["ReplicationGroups"].clone();
    let members = &groups[1]["NodeGroups"][0]["NodeGroupMembers"];
    assert_eq!((text(&members[0]["CacheClusterId"]), text(&members[0]["CurrentRole"])), ("sessions-001", "replica"));
    let serverless = client.cache("describe_serverless_caches", json!({}))["ServerlessCaches"].clone();
    assert_eq!(texts(&serverless, "ServerlessCacheName"), ["catalog"]);
}

#[test]
fn a_snapshot_of_a_cache_is_made_told_tagged_and_deleted() {
    let Some(client) = client("elasticache CreateSnapshot") else { return };
    client.world.put_cache("sessions", CacheShape::Replicated(2));
    let make = |name: &str, of: Value| {
        let mut args = json!({ "SnapshotName": name, "Tags": tags(&[("of", "sessions")]) });
        args.as_object_mut().expect("arguments").extend(of.as_object().expect("arguments").clone());
        args
    };
    let replica = json!({ "CacheClusterId": "sessions-002" });
    let group = json!({ "ReplicationGroupId": "sessions" });
    let refused = |args: Value| client.cache_refused("create_snapshot", args);
    assert_eq!(refused(make("s-1", group)), ("InvalidParameterCombination".into(), 400));
    assert_eq!(refused(make("s--1", replica.clone())), ("InvalidParameterValue".into(), 400));
    assert_eq!(refused(make("s-1", json!({ "CacheClusterId": "none" }))), ("CacheClusterNotFound".into(), 404));
    client.cache("create_snapshot", make("S-1", replica.clone()));
    assert_eq!(refused(make("s-1", replica.clone())), ("SnapshotAlreadyExistsFault".into(), 400));
    assert_eq!(refused(make("s-2", replica.clone())), ("InvalidCacheClusterState".into(), 400));
    let named = json!({ "SnapshotName": "s-1" });
    assert_eq!(client.cache_refused("delete_snapshot", named.clone()), ("InvalidSnapshotState".into(), 400));
    client.world.advance(120);
    let told = client.cache("describe_snapshots", named.clone())["Snapshots"][0].clone();
    assert_eq!((text(&told["SnapshotStatus"]), text(&told["SnapshotSource"])), ("available", "manual"));
    assert_eq!(text(&told["NodeSnapshots"][0]["CacheSize"]), "5 MB");
    let arn = text(&told["ARN"]).to_owned();
    let list = client.cache("list_tags_for_resource", json!({ "ResourceName": arn }))["TagList"].clone();
    assert_eq!(texts(&list, "Value"), ["sessions"]);
    let asked = json!({ "TagFilters": [{ "Key": "of", "Values": ["sessions"] }], "ResourceTypeFilters": ["elasticache:snapshot"] });
    let found = client.call_of("resourcegroupstaggingapi", "get_resources", asked).expect("told");
    assert_eq!(texts(&found["ResourceTagMappingList"], "ResourceARN"), [arn]);
    client.cache("delete_snapshot", named.clone());
    assert_eq!(client.cache_refused("describe_snapshots", named), ("SnapshotNotFoundFault".into(), 404));
}

#[test]
fn the_twenty_first_snapshot_of_a_node_in_a_day_is_refused() {
    let Some(client) = client("SnapshotQuotaExceededFault") else { return };
    client.world.put_cache("queue", CacheShape::Single);
    let make = |number: usize| json!({ "SnapshotName": format!("s-{number}"), "CacheClusterId": "queue" });
    for number in 0..20 {
        client.cache("create_snapshot", make(number));
        client.world.advance(120);
        // What is deleted counts all the same.
        client.cache("delete_snapshot", json!({ "SnapshotName": format!("s-{number}") }));
    }
    assert_eq!(client.cache_refused("create_snapshot", make(20)), ("SnapshotQuotaExceededFault".into(), 400));
    client.world.advance(24 * 3600 - 20 * 120);
    client.cache("create_snapshot", make(20));
}
