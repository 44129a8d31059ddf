//! Second opinions: what two simulations of AWS that others wrote answer to the calls of ElastiCache that Lastgood makes,
//! beside what the simulated world answers. Where the three differ, the table shows it, and AWS's reference says who is right.

use std::net::Ipv4Addr;
use std::sync::Arc;

use expect_test::expect;
use lastgood_tests::ministack::MiniStack;
use lastgood_tests::python::{Boto, environment, is_left_out, target_dir};
use lastgood_world::door::{self, DoorTime};
use lastgood_world::{CacheShape, World};
use serde_json::{Value, json};

/// What one of them answers, as far as it is to be compared: the values of these fields, or the code of the refusal.
fn answer(boto: &mut Boto, endpoint: &str, call: &str, args: &Value, told: &[&str]) -> String {
    match boto.call("elasticache", endpoint, call, args.clone()) {
        Ok(value) => {
            let fields = told.iter().map(|path| value.pointer(path).map_or("nothing".to_owned(), plain));
            fields.collect::<Vec<_>>().join(" ")
        }
        Err(error) => format!("{} {}", error.code, error.status.map_or("-".to_owned(), |status| status.to_string())),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("{} of them", items.len()),
        other => other.to_string(),
    }
}

/// Makes `queue`, one node, and `sessions`, a group of two, where that is not done by the world itself.
fn prepare(boto: &mut Boto, endpoint: &str) {
    let cluster = json!({
        "CacheClusterId": "queue", "Engine": "redis", "CacheNodeType": "cache.t4g.small", "NumCacheNodes": 1,
    });
    boto.call("elasticache", endpoint, "create_cache_cluster", cluster).expect("a cluster");
    let group = json!({
        "ReplicationGroupId": "sessions", "ReplicationGroupDescription": "sessions", "Engine": "redis",
        "CacheNodeType": "cache.t4g.small", "NumCacheClusters": 2,
    });
    boto.call("elasticache", endpoint, "create_replication_group", group).expect("a group");
}

#[test]
fn moto_and_ministack_answer_most_calls_about_caches_as_the_world_does() {
    if is_left_out("second opinions on ElastiCache") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a runtime");
    let world = Arc::new(World::new("2026-01-15T10:30:00Z".parse().expect("a time")));
    world.put_cache("queue", CacheShape::Single);
    world.put_cache("sessions", CacheShape::Replicated(2));
    let opened = door::open(Arc::clone(&world), (Ipv4Addr::LOCALHOST, 0).into(), DoorTime::Moved);
    let door = runtime.block_on(opened).expect("a free port");
    let python = environment().unwrap_or_else(|error| panic!("{error}"));
    let log = target_dir().expect("a target directory").join("stage/second-opinions.log");
    let ministack = MiniStack::start(&python, 1, &door.url(), &log).expect("MiniStack");
    let mut boto = Boto::start().unwrap_or_else(|error| panic!("{error}"));
    assert!(ministack.wait_ready(&mut boto), "MiniStack did not start: {}", log.display());
    prepare(&mut boto, "moto");
    prepare(&mut boto, &ministack.url());
    let snapshot = |name: &str| json!({ "SnapshotName": name });
    let of = |name: &str, cluster: &str| json!({ "SnapshotName": name, "CacheClusterId": cluster });
    let in_account = |what: &str| format!("arn:aws:elasticache:us-east-1:123456789012:{what}");
    let asked: Vec<(&str, &str, Value, &[&str])> = vec![
        ("clusters", "describe_cache_clusters", json!({}), &["/CacheClusters/0/CacheClusterStatus"]),
        ("groups", "describe_replication_groups", json!({}), &["/ReplicationGroups/0/Status"]),
        ("make", "create_snapshot", of("s-1", "queue"), &["/Snapshot/SnapshotSource"]),
        ("make it again", "create_snapshot", of("s-1", "queue"), &[]),
        ("of none", "create_snapshot", of("s-2", "none"), &[]),
        ("of nothing", "create_snapshot", snapshot("s-3"), &[]),
        (
            "look",
            "describe_snapshots",
            snapshot("s-1"),
            &["/Snapshots/0/SnapshotStatus", "/Snapshots/0/SnapshotSource"],
        ),
        ("by hand", "describe_snapshots", json!({ "SnapshotSource": "user" }), &["/Snapshots"]),
        ("none", "describe_snapshots", snapshot("s-9"), &["/Snapshots"]),
        ("tags", "list_tags_for_resource", json!({ "ResourceName": in_account("snapshot:s-1") }), &["/TagList"]),
        ("no tags", "list_tags_for_resource", json!({ "ResourceName": in_account("cluster:none") }), &[]),
        ("delete", "delete_snapshot", snapshot("s-1"), &[]),
        ("delete again", "delete_snapshot", snapshot("s-1"), &[]),
    ];
    let mut table = String::new();
    for (what, call, args, told) in asked {
        let row = [door.url(), "moto".to_owned(), ministack.url()]
            .map(|endpoint| answer(&mut boto, &endpoint, call, &args, told));
        table += &format!("{what:<14}|{:<38}|{:<38}|{}\n", row[0], row[1], row[2]);
        // Only the world takes its time.
        world.advance(120);
    }
    expect![[r#"
        clusters      |available                             |available                             |available
        groups        |available                             |available                             |available
        make          |manual                                |manual                                |manual
        make it again |SnapshotAlreadyExistsFault 400        |SnapshotAlreadyExistsFault 400        |SnapshotAlreadyExistsFault 400
        of none       |CacheClusterNotFound 404              |CacheClusterNotFound 404              |
        of nothing    |InvalidParameterCombination 400       |InvalidParameterValue 400             |
        look          |available manual                      |available manual                      |available manual
        by hand       |1 of them                             |1 of them                             |3 of them
        none          |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404             |0 of them
        tags          |0 of them                             |0 of them                             |0 of them
        no tags       |CacheClusterNotFound 404              |                                      |CacheClusterNotFound 404
        delete        |                                      |                                      |
        delete again  |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404
    "#]].assert_eq(&table);
}
