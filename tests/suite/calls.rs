//! What each call of AWS costs of our share, and the one thing that it changes: a call that is kept for one thing must not be
//! spent on another.

use lastgood_core::facts::{Parameter, Tags, VersionRef};
use lastgood_core::id::{CacheFamily, CacheId, CacheKind, CacheSnapshotId};
use lastgood_engine::Call;
use lastgood_engine::call::autoscaling::{
    ActiveRefresh, GROUPS_A_CALL_MAX, GroupsNamed, GroupsTagged, LaunchConfigurations, SetGroupVersion, SetMixedVersion,
};
use lastgood_engine::call::ec2::{
    DeleteVersions, DeregisterImage, FILTER_VALUES_MAX, ImagesById, InstancesById, STATUSES_A_CALL_MAX,
    SetDefaultVersion, SnapshotsById, StatusesOf, TYPES_A_CALL_MAX, TypesRun, VERSIONS_A_CALL_MAX,
};
use lastgood_engine::call::elasticache::{CacheSnapshotsById, CreateCacheSnapshot, DeleteCacheSnapshot};
use lastgood_engine::call::power::TypesInStore;
use lastgood_engine::call::ssm::PutParameter;

/// As many things as one call takes are one call, one more is two, and of nothing there is none.
fn costs<C: Call>(a_call_max: usize, of: impl Fn(usize) -> C) {
    let times = [0, 1, a_call_max, a_call_max + 1, 2 * a_call_max + 1].map(|count| of(count).times());
    assert_eq!(times, [0, 1, 1, 2, 3], "{}", C::ACTION);
}

fn names<T: for<'a> From<&'a str>>(count: usize) -> Vec<T> {
    (0..count).map(|number| T::from(format!("x-{number}").as_str())).collect()
}

#[test]
fn a_list_costs_as_many_calls_as_aws_takes_for_it() {
    costs(GROUPS_A_CALL_MAX, |count| GroupsNamed(names(count)));
    costs(FILTER_VALUES_MAX, |count| InstancesById(names(count)));
    costs(STATUSES_A_CALL_MAX, |count| StatusesOf(names(count)));
    costs(FILTER_VALUES_MAX, |count| ImagesById(names(count)));
    costs(FILTER_VALUES_MAX, |count| SnapshotsById(names(count)));
    costs(TYPES_A_CALL_MAX, |count| TypesRun(names(count)));
    costs(TYPES_A_CALL_MAX, |count| TypesInStore(names(count)));
    let cache_snapshot = |name: String| CacheSnapshotId { family: CacheFamily::Nodes, name };
    let cache_snapshots = |count| names::<String>(count).into_iter().map(cache_snapshot).collect();
    costs(1, |count| CacheSnapshotsById(cache_snapshots(count)));
    let versions = |count: usize| (0..u64::try_from(count).expect("few")).collect();
    costs(VERSIONS_A_CALL_MAX, |count| DeleteVersions { template: "lt-1".into(), versions: versions(count) });
    let one = [GroupsTagged(Tags::new()).times(), ActiveRefresh("web".into()).times(), LaunchConfigurations.times()];
    assert_eq!(one, [1, 1, 1]);
}

#[test]
fn a_call_says_what_it_changes() {
    let parameter = Parameter { value: "ami-1".into(), data_type: "text".into() };
    let put = PutParameter { name: "/images/web".into(), parameter };
    assert_eq!(put.changes(), Some("/images/web"));
    assert_eq!(DeregisterImage("ami-1".into()).changes(), Some("ami-1"));
    let snapshot = CacheSnapshotId { family: CacheFamily::Nodes, name: "web-1".into() };
    assert_eq!(DeleteCacheSnapshot(snapshot.clone()).changes(), Some("web-1"));
    let cache = CacheId { kind: CacheKind::ReplicationGroup, name: "web".into() };
    let create = CreateCacheSnapshot { cache, node: None, id: snapshot, tags: Tags::new() };
    assert_eq!(create.changes(), Some("web-1"), "each its own");
    assert_eq!(DeleteVersions { template: "lt-1".into(), versions: vec![2] }.changes(), Some("lt-1"));
    assert_eq!(SetDefaultVersion { template: "lt-1".into(), version: 2 }.changes(), Some("lt-1"));
    let set = SetGroupVersion { group: "web".into(), template: "lt-1".into(), version: 2 };
    let mixed =
        SetMixedVersion { group: "web".into(), template: "lt-1".into(), named: VersionRef::Number(1), version: 2 };
    assert_eq!((set.changes(), mixed.changes()), (Some("web"), Some("web")), "either way the same group is changed");
    assert_eq!(ImagesById(Vec::new()).changes(), None, "a look changes nothing");
}
