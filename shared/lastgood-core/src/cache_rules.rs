//! Which node is backed up, and when: a table of caches and of what was taken of them.

use proptest::prelude::*;

use super::*;
use crate::facts::{CacheSetup, CacheShard, CacheSnapshotState};
use crate::id::{CacheId, CacheKind};
use crate::seconds_between;

fn now() -> Time {
    "2026-01-15T10:30:00Z".parse().expect("a time")
}

fn node(cluster: &str, role: CacheRole) -> CacheNode {
    CacheNode { cluster: cluster.into(), role, status: CacheStatus::Available }
}

fn ailing(cluster: &str, role: CacheRole) -> CacheNode {
    CacheNode { status: CacheStatus::Other("rebooting cluster nodes".into()), ..node(cluster, role) }
}

fn cache(status: CacheStatus, shape: CacheShape) -> Cache {
    let kind = if shape == CacheShape::Serverless { CacheKind::Serverless } else { CacheKind::ReplicationGroup };
    let id = CacheId { kind, name: "web".into() };
    Cache {
        id,
        tags: crate::facts::Tags::new(),
        arn: String::new(),
        member_of: None,
        status,
        shape,
        setup: CacheSetup::default(),
    }
}

fn replicated(nodes: &[(&str, CacheRole)]) -> Cache {
    let nodes = nodes.iter().map(|(cluster, role)| node(cluster, *role)).collect();
    cache(CacheStatus::Available, CacheShape::Replicated(nodes))
}

/// So many backups of a cluster, a minute apart, the last of them so many seconds ago.
fn of(cluster: &str, count: usize, seconds_ago: i64) -> Vec<Taken> {
    let taken = |number: usize| Taken {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name: format!("s{number}") },
        of: if cluster.is_empty() { Vec::new() } else { vec![cluster.to_owned()] },
        at: later(now(), -seconds_ago - 60 * i64::try_from(number).expect("few")),
    };
    (0..count).map(taken).collect()
}

fn chosen(choice: Choice) -> (Option<String>, String) {
    match choice {
        Choice::Now(origin) => (origin.node, origin.why),
        other => panic!("{other:?}"),
    }
}

fn until(choice: Choice) -> i64 {
    match choice {
        Choice::Quota { until, why } => {
            assert!(why.contains("in 24 hours"), "{why}");
            seconds_between(now(), until)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replica_goes_before_the_primary_whatever_their_order() {
    let both = [("web-001", CacheRole::Primary), ("web-002", CacheRole::Replica), ("web-003", CacheRole::Replica)];
    let (node, why) = chosen(choose(&replicated(&both), &[], &[], now()));
    assert_eq!((node.as_deref(), why.as_str()), (Some("web-002"), "web-002 is a replica"));
    // A failover between two looks.
    let after = [("web-001", CacheRole::Replica), ("web-002", CacheRole::Primary)];
    assert_eq!(chosen(choose(&replicated(&after), &[], &[], now())).0.as_deref(), Some("web-001"));
    let (node, why) = chosen(choose(&replicated(&[("web-001", CacheRole::Primary)]), &[], &[], now()));
    assert_eq!((node.as_deref(), why.as_str()), (Some("web-001"), "web-001 is the primary: there is no replica"));
    let untold = replicated(&[("web-001", CacheRole::Primary), ("web-002", CacheRole::Unknown)]);
    assert_eq!(
        chosen(choose(&untold, &[], &[], now())).0.as_deref(),
        Some("web-002"),
        "what may be a replica goes first"
    );
    assert!(
        matches!(choose(&replicated(&[]), &[], &[], now()), Choice::Busy(why) if why == "AWS tells no node of web")
    );
}

#[test]
fn one_backup_at_a_time_and_of_what_is_available_alone() {
    for (status, why) in [
        (CacheStatus::Snapshotting, "web is being backed up already"),
        (CacheStatus::Other("modifying".into()), "web is modifying, and not available"),
    ] {
        assert_eq!(choose(&cache(status, CacheShape::Sharded), &[], &[], now()), Choice::Busy(why.into()));
    }
}

#[test]
fn the_twenty_first_of_a_day_waits_until_the_oldest_counts_no_more() {
    let sharded = cache(CacheStatus::Available, CacheShape::Sharded);
    chosen(choose(&sharded, &of("", 19, 0), &[], now()));
    // The oldest of twenty was begun 19 minutes ago.
    assert_eq!(until(choose(&sharded, &of("", 20, 0), &[], now())), QUOTA_SECONDS + 60 - 19 * 60);
    // Of twenty-two three must have gone.
    assert_eq!(until(choose(&sharded, &of("", 22, 0), &[], now())), QUOTA_SECONDS + 60 - 19 * 60);
    chosen(choose(&sharded, &of("", 20, QUOTA_SECONDS + 60), &[], now()));
    let serverless = cache(CacheStatus::Available, CacheShape::Serverless);
    chosen(choose(&serverless, &of("", 23, 0), &[], now()));
    assert_eq!(until(choose(&serverless, &of("", 24, 0), &[], now())), QUOTA_SECONDS + 60 - 23 * 60);
    let single = cache(CacheStatus::Available, CacheShape::Single);
    assert_eq!(until(choose(&single, &of("web", 20, 0), &[], now())), QUOTA_SECONDS + 60 - 19 * 60);
}

#[test]
fn a_full_replica_leaves_it_to_another_and_never_to_the_primary() {
    let nodes = [("web-001", CacheRole::Primary), ("web-002", CacheRole::Replica), ("web-003", CacheRole::Replica)];
    let cache = replicated(&nodes);
    let mut taken = of("web-002", 20, 0);
    assert_eq!(chosen(choose(&cache, &taken, &[], now())).0.as_deref(), Some("web-003"));
    taken.extend(of("web-003", 20, 600));
    // The one that has room first; the primary, which has, is not asked for it.
    assert_eq!(until(choose(&cache, &taken, &[], now())), QUOTA_SECONDS + 60 - 600 - 19 * 60);
    // One of which AWS does not say of what counts against each of them.
    assert!(matches!(choose(&cache, &of("", 20, 0), &[], now()), Choice::Quota { .. }));
}

#[test]
fn what_others_took_counts_and_what_aws_took_does_not() {
    let snapshot = |manual, begun_at| CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name: "theirs".into() },
        arn: String::new(),
        tags: crate::facts::Tags::new(),
        of: vec!["web-001".into()],
        state: CacheSnapshotState::Available,
        manual,
        begun_at,
        bytes: None,
    };
    let told = taken(&[snapshot(true, Some(later(now(), -60))), snapshot(false, None), snapshot(true, None)], now());
    let times: Vec<Time> = told.iter().map(|taken| taken.at).collect();
    assert_eq!(times, [later(now(), -60), now()], "one that AWS does not date was begun just now");
}

#[test]
fn a_node_of_which_aws_took_no_more_is_left_alone_for_a_while() {
    let nodes = [("web-001", CacheRole::Primary), ("web-002", CacheRole::Replica)];
    let full = |of: &str, seconds| Full { of: of.into(), until: later(now(), seconds) };
    let three = [nodes[0], nodes[1], ("web-003", CacheRole::Replica)];
    let (node, _) = chosen(choose(&replicated(&three), &[], &[full("web-002", 3600)], now()));
    assert_eq!(node.as_deref(), Some("web-003"));
    let both = [full("web-002", 3600), full("web-003", 1800)];
    assert_eq!(until(choose(&replicated(&three), &[], &both, now())), 1800, "the one that may have room first");
    let Choice::Quota { why, .. } = choose(&replicated(&three), &[], &both, now()) else { panic!("no room") };
    assert!(why.ends_with("AWS took no more, though fewer are counted: somebody has deleted some, and when there is room AWS does not say"), "{why}");
    assert_eq!(chosen(choose(&replicated(&nodes), &[], &[full("web-002", 0)], now())).0.as_deref(), Some("web-002"));
    let sharded = cache(CacheStatus::Available, CacheShape::Sharded);
    assert_eq!(until(choose(&sharded, &[], &[full("web", 600)], now())), 600);
    assert_eq!(until(choose(&sharded, &of("", 20, 0), &[full("web", 600)], now())), QUOTA_SECONDS + 60 - 19 * 60);
}

#[test]
fn what_aws_makes_no_backups_of_says_why() {
    let with = |kind, engine: &str, node_type: Option<&str>| {
        let mut cache = cache(CacheStatus::Available, CacheShape::Single);
        cache.id.kind = kind;
        cache.setup.engine = engine.into();
        cache.setup.node_type = node_type.map(str::to_owned);
        unfit(&cache)
    };
    assert_eq!(with(CacheKind::Cluster, "redis", Some("cache.t3.micro")), None);
    assert_eq!(with(CacheKind::Serverless, "memcached", None), None, "a serverless one is backed up");
    let node = Cache { member_of: Some("web".into()), ..cache(CacheStatus::Available, CacheShape::Single) };
    assert_eq!(unfit(&node).as_deref(), Some("it is a node of replication group web, and is backed up with that"));
    assert_eq!(
        with(CacheKind::Cluster, "memcached", Some("cache.t3.micro")).as_deref(),
        Some("it is a Memcached cluster of nodes, and AWS makes no backups of those")
    );
    assert_eq!(
        with(CacheKind::Cluster, "redis", Some("cache.t1.micro")).as_deref(),
        Some("its nodes are cache.t1.micro, and AWS makes no backups of those")
    );
}

#[test]
fn what_makes_a_backup_risky_is_told() {
    let warned = |shape, change: &dyn Fn(&mut Cache)| {
        let mut cache = cache(CacheStatus::Available, shape);
        change(&mut cache);
        warnings(&cache, None)
            .iter()
            .map(|text| text.split(':').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let none = |_: &mut Cache| {};
    let both = vec![node("web-001", CacheRole::Primary), node("web-002", CacheRole::Replica)];
    assert!(warned(CacheShape::Replicated(both), &none).is_empty());
    let primary = |nodes| {
        let cache = cache(CacheStatus::Available, CacheShape::Replicated(nodes));
        (warnings(&cache, Some("web-001")), warnings(&cache, Some("web-002")))
    };
    let (of_primary, of_replica) =
        primary(vec![node("web-001", CacheRole::Primary), ailing("web-002", CacheRole::Replica)]);
    assert_eq!(of_primary, ["no replica is available: the primary, web-001, bears the load of the backup"]);
    assert!(of_replica.is_empty());
    let alone = vec![node("web-001", CacheRole::Primary)];
    assert_eq!(warned(CacheShape::Replicated(alone), &none), ["no replica of it is told"]);
    assert_eq!(warned(CacheShape::Single, &none), ["it has no replica"]);
    assert!(warned(CacheShape::Serverless, &none).is_empty());
    let shard = |id: &str, replicas| CacheShard { id: id.into(), slots: None, replicas };
    let shards = |cache: &mut Cache| cache.setup.shards = vec![shard("0001", 1), shard("0002", 0)];
    assert_eq!(warned(CacheShape::Sharded, &shards), ["no replica in shard 0002"]);
    let bare = |cache: &mut Cache| cache.setup.shards = vec![shard("0001", 0), shard("0002", 0)];
    assert_eq!(warned(CacheShape::Sharded, &bare), ["no replica in shard 0001, 0002"]);
    let full = |cache: &mut Cache| cache.setup.shards = vec![shard("0001", 1), shard("0002", 2)];
    assert!(warned(CacheShape::Sharded, &full).is_empty());
    for (percent, warns) in [(24, true), (25, false)] {
        let strain = CacheStrain { reserved_memory_percent: Some(percent), ..CacheStrain::default() };
        assert_eq!(!strained(&strain).is_empty(), warns, "{percent}");
    }
    for (seconds, warns) in [(31, true), (30, false)] {
        let strain = CacheStrain { lag_seconds: Some(seconds), ..CacheStrain::default() };
        assert_eq!(!strained(&strain).is_empty(), warns, "{seconds}");
    }
    let tiering = |cache: &mut Cache| cache.setup.data_tiering = true;
    assert_eq!(warned(CacheShape::Sharded, &tiering).len(), 1);
}

#[test]
fn a_node_that_is_not_available_itself_is_passed_over() {
    use CacheRole::{Primary, Replica};
    let of =
        |nodes: Vec<CacheNode>| choose(&cache(CacheStatus::Available, CacheShape::Replicated(nodes)), &[], &[], now());
    let both = of(vec![node("web-001", Primary), ailing("web-002", Replica), node("web-003", Replica)]);
    assert_eq!(chosen(both).0.as_deref(), Some("web-003"));
    let (one, why) = chosen(of(vec![node("web-001", Primary), ailing("web-002", Replica)]));
    assert_eq!((one.as_deref(), why.as_str()), (Some("web-001"), "web-001 is the primary: no replica is available"));
    // Where one has no room and another is not available, room is waited for: that may take longer.
    let nodes = vec![node("web-001", Primary), node("web-002", Replica), ailing("web-003", Replica)];
    let cache = cache(CacheStatus::Available, CacheShape::Replicated(nodes));
    assert_eq!(until(choose(&cache, &super::rules::of("web-002", 20, 0), &[], now())), QUOTA_SECONDS + 60 - 19 * 60);
    let none = of(vec![ailing("web-001", Primary), ailing("web-002", Replica)]);
    assert_eq!(none, Choice::Busy("web-002 is not available".into()));
}

#[test]
fn what_names_only_the_group_counts_for_each_node_and_what_names_another_for_none() {
    let nodes = [("web-001", CacheRole::Primary), ("web-002", CacheRole::Replica)];
    let named = |of: &[&str]| -> Vec<Taken> {
        let of: Vec<String> = of.iter().map(|of| (*of).to_owned()).collect();
        super::rules::of("", 20, 0).into_iter().map(|taken| Taken { of: of.clone(), ..taken }).collect()
    };
    until(choose(&replicated(&nodes), &named(&["web"]), &[], now()));
    let (node, _) = chosen(choose(&replicated(&nodes), &named(&["web", "web-009"]), &[], now()));
    assert_eq!(node.as_deref(), Some("web-002"));
}

#[test]
fn one_that_failed_and_tells_no_time_is_not_counted() {
    let snapshot = |state, begun_at| CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name: "s-1".into() },
        arn: String::new(),
        tags: crate::facts::Tags::new(),
        of: vec!["web".into()],
        state,
        manual: true,
        begun_at,
        bytes: None,
    };
    let count = |state, begun_at| taken(&[snapshot(state, begun_at)], now()).len();
    assert_eq!(count(CacheSnapshotState::Failed, None), 0);
    assert_eq!(count(CacheSnapshotState::Failed, Some(now())), 1);
    assert_eq!(count(CacheSnapshotState::Creating, None), 1, "it was begun just now");
}

#[test]
fn a_schedule_may_not_have_more_slots_than_aws_takes() {
    let often = |kind, pattern: &str| {
        let pattern = crate::schedule::Pattern::parse(pattern).expect("a pattern");
        let schedule = Schedule::new(pattern, crate::schedule::Zone::default());
        too_often(&CacheId { kind, name: "web".into() }, &schedule)
    };
    for (pattern, nodes, serverless) in [
        ("continuous", true, true),
        ("hourly", true, false),
        ("0 */2 * * *", false, false),
        ("0 1-20 * * *", false, false),
        ("0 1-21 * * *", true, false),
        ("*/10 9-11 * * *", false, false),
        ("*/10 9-12 * * 1", true, false),
        ("daily", false, false),
    ] {
        assert_eq!(often(CacheKind::ReplicationGroup, pattern).is_some(), nodes, "{pattern}");
        assert_eq!(often(CacheKind::Cluster, pattern).is_some(), nodes, "{pattern}");
        assert_eq!(often(CacheKind::Serverless, pattern).is_some(), serverless, "{pattern}");
    }
    let why = often(CacheKind::Cluster, "hourly").expect("refused");
    assert!(why.starts_with("'hourly' has up to 24 slots in 24 hours, and AWS takes 20"), "{why}");
    assert!(why.contains("leave 72 minutes or more"), "{why}");
    assert!(often(CacheKind::Serverless, "continuous").expect("refused").contains("leave 60 minutes or more"));
}

proptest! {
    /// Whoever asks as often as it is let never has more than the quota within any 24 hours.
    #[test]
    fn the_quota_is_never_exceeded(gaps in proptest::collection::vec(1_i64..5_000, 1..120), serverless: bool) {
        let (shape, quota) =
            if serverless { (CacheShape::Serverless, SERVERLESS_QUOTA) } else { (CacheShape::Sharded, NODE_QUOTA) };
        let cache = cache(CacheStatus::Available, shape);
        let (mut at, mut made): (Time, Vec<Taken>) = (now(), Vec::new());
        for (number, gap) in gaps.into_iter().enumerate() {
            at = later(at, gap);
            match choose(&cache, &made, &[], at) {
                Choice::Now(_) => {}
                Choice::Quota { until, .. } => {
                    prop_assert!(until > at);
                    at = until;
                    prop_assert!(matches!(choose(&cache, &made, &[], at), Choice::Now(_)), "there is room when it says so");
                }
                Choice::Busy(why) => return Err(TestCaseError::fail(why)),
            }
            let id = CacheSnapshotId { family: CacheFamily::Nodes, name: format!("s{number}") };
            made.push(Taken { id, of: Vec::new(), at });
            let within = made.iter().filter(|taken| seconds_between(taken.at, at) < QUOTA_SECONDS).count();
            prop_assert!(within <= quota, "{within}");
        }
    }
}
