//! Caches: what each kind is backed up from, how many AWS takes, and what stays.

use expect_test::expect;
use lastgood_core::backup::State;
use lastgood_core::id::{ArtifactId, CacheFamily, CacheId, CacheSnapshotId};
use lastgood_core::incoming::{AboutBackup, Request};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{AwsError, CacheOrigin, CacheShape, CreateCacheSnapshot, World};

use crate::transcript::{count, messages, told};

/// Every two hours, of which the last two are kept.
pub(crate) fn plan(select: &str) -> String {
    format!("plans: [{{name: web, select: {{{select}}}, schedule: '0 */2 * * *', retain: {{last: 2}}}}]")
}

/// A deployment over one cache of this shape, under a plan that names it, at 09:30.
pub(crate) fn of(shape: CacheShape) -> (Stack, CacheId) {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let id = world.put_cache("sessions", shape);
    let stack = Stack::new(world);
    let key = match shape {
        CacheShape::Single => "cache_clusters",
        CacheShape::Replicated(_) | CacheShape::Sharded(..) => "replication_groups",
        CacheShape::Serverless => "serverless_caches",
    };
    stack.apply(&plan(&format!("{key}: [sessions]"))).expect("applied");
    (stack, id)
}

/// Somebody takes a snapshot of a cluster by hand, and waits for it.
fn by_hand(stack: &Stack, cluster: &str, name: &str) {
    let (of, tags) = (CacheOrigin::Cluster(cluster.into()), lastgood_core::facts::Tags::new());
    stack.world.elasticache().create_snapshot(&CreateCacheSnapshot { name: name.into(), of, tags }).expect("taken");
    stack.world.advance(120);
}

/// What was asked of CreateSnapshot, each time.
pub(crate) fn asked(stack: &Stack) -> Vec<String> {
    let calls = stack.world.log().into_iter().filter(|call| call.action.starts_with("elasticache:Create"));
    calls.map(|call| call.about.split(' ').next_back().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn states(stack: &Stack, id: &CacheId) -> Vec<State> {
    stack.backups(&id.to_string()).into_iter().map(|backup| backup.state).collect()
}

#[test]
fn each_kind_is_backed_up_from_what_aws_asks_for_and_kept_as_its_plan_says() {
    for (shape, origin) in [
        (CacheShape::Single, "sessions"),
        (CacheShape::Replicated(3), "sessions-002"),
        (CacheShape::Replicated(1), "sessions-001"),
        (CacheShape::Sharded(2, 1), "sessions"),
        (CacheShape::Serverless, "sessions"),
    ] {
        let (stack, id) = of(shape);
        stack.world.automatic_cache_snapshot(&id);
        stack.run(9 * 60);
        assert_eq!(asked(&stack), [origin; 5], "{shape:?}");
        assert_eq!(states(&stack, &id)[..2], [State::Good; 2], "{shape:?}");
        assert_eq!(states(&stack, &id)[2..], [State::Deleted; 3], "{shape:?}");
        assert_eq!(stack.our_cache_snapshots().len(), 2, "{shape:?}");
        assert_eq!(stack.world.cache_snapshots().len(), 3, "AWS's own one stays");
        let newest = &stack.backups(&id.to_string())[0];
        let chosen = newest.cache.chosen.as_ref().expect("chosen");
        assert_eq!(chosen.setup.engine, "valkey");
        assert_eq!(newest.cache.bytes, Some(5 << 20));
        assert_eq!((newest.instance.as_ref(), newest.generation), (None, 0));
    }
}

#[test]
fn an_operator_reads_what_becomes_of_a_cache() {
    let (stack, _) = of(CacheShape::Replicated(2));
    stack.run(7 * 60);
    told(
        &stack,
        &expect![[r#"
        10:02 Backup Good: replication-group/sessions: backup of 2026-01-15T10:00:00Z is good (sess-2601151000c4uqg)
        12:02 Backup Good: replication-group/sessions: backup of 2026-01-15T12:00:00Z is good (sess-2601151200n7ue2)
        14:02 Backup Good: replication-group/sessions: backup of 2026-01-15T14:00:00Z is good (sess-2601151400dcse3)
        14:02 Backups Deleted: replication-group/sessions: deleted backup of 2026-01-15T10:00:00Z (sess-2601151000c4uqg): older than the last 2 good ones
        16:02 Backup Good: replication-group/sessions: backup of 2026-01-15T16:00:00Z is good (sess-2601151600lcowj)
        16:02 Backups Deleted: replication-group/sessions: deleted backup of 2026-01-15T12:00:00Z (sess-2601151200n7ue2): older than the last 2 good ones
    "#]],
    );
}

#[test]
fn a_failover_between_the_choice_and_the_call_is_seen() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.world.fail_next("elasticache:CreateSnapshot", 1, &AwsError::new("InvalidCacheClusterState", "it fails over"));
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    assert_eq!(asked(&stack), ["sessions-002"]);
    stack.world.fail_over(&id);
    stack.run(5);
    assert_eq!(asked(&stack), ["sessions-002", "sessions-001"], "the primary of now is left alone");
    let newest = &stack.backups(&id.to_string())[0];
    assert_eq!(
        (newest.state, newest.cache.chosen.as_ref().and_then(|chosen| chosen.node.as_deref())),
        (State::Good, Some("sessions-001"))
    );
}

#[test]
fn twenty_of_somebody_else_send_it_to_the_other_replica_and_then_make_it_wait() {
    let (stack, id) = of(CacheShape::Replicated(3));
    for number in 0..20 {
        by_hand(&stack, "sessions-002", &format!("theirs-{number}"));
    }
    // 10:10: it is the other replica's turn.
    stack.run(5);
    assert_eq!(asked(&stack).last().map(String::as_str), Some("sessions-003"));
    for number in 20..39 {
        by_hand(&stack, "sessions-003", &format!("theirs-{number}"));
    }
    assert_eq!(count(&stack, "Backup Waits"), 0);
    stack.run(2 * 60);
    let waits = messages(&stack, "Backup Waits");
    assert_eq!(
        waits,
        [
            "replication-group/sessions: backup of 2026-01-15T12:00:00Z waits until 2026-01-16T09:31:00Z: AWS takes 20 backups by hand of a node in 24 hours, and of replication-group/sessions that many were taken"
        ]
    );
    let made = asked(&stack).len();
    stack.run(2 * 60);
    assert_eq!(asked(&stack).len(), made, "neither is AWS asked in vain, nor the primary taken, which has room");
    let failed = messages(&stack, "Backup Failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].ends_with("the backup of 2026-01-15T14:00:00Z takes its place"), "{failed:?}");
    // When the first of them counts no more there is room again.
    stack.run(20 * 60);
    assert!(asked(&stack).len() > made);
    let theirs = stack.world.cache_snapshots().into_iter().filter(|snapshot| snapshot.id.name.starts_with("theirs"));
    assert_eq!(theirs.count(), 39);
    assert_eq!(states(&stack, &id)[0], State::Good);
}

#[test]
fn what_others_deleted_counts_too_and_aws_says_so() {
    let (stack, id) = of(CacheShape::Replicated(3));
    for number in 0..20 {
        let name = format!("theirs-{number}");
        by_hand(&stack, "sessions-002", &name);
        stack.world.lose_cache_snapshot(&CacheSnapshotId { family: CacheFamily::Nodes, name });
    }
    stack.run(5);
    assert_eq!(asked(&stack)[20..], ["sessions-002", "sessions-003"], "the next replica, in the same minute");
    assert_eq!((states(&stack, &id), count(&stack, "Backup Waits")), (vec![State::Good], 0));
}

#[test]
fn the_only_node_that_aws_takes_no_more_of_is_asked_again_after_an_hour() {
    let (stack, id) = of(CacheShape::Sharded(2, 1));
    let full = AwsError::new("SnapshotQuotaExceededFault", "The maximum number of manual snapshots has been reached");
    stack.world.fail_next("elasticache:CreateSnapshot", 1, &full);
    stack.run(50);
    assert_eq!((asked(&stack).len(), count(&stack, "Backup Waits")), (1, 1));
    stack.run(50);
    assert_eq!((asked(&stack).len(), states(&stack, &id)), (2, vec![State::Good]));
}

#[test]
fn a_cache_that_is_busy_is_waited_for_and_not_for_ever() {
    let (stack, id) = of(CacheShape::Serverless);
    stack.world.cache_changes(&id, "modifying", 70 * 60);
    stack.run(60);
    assert_eq!(states(&stack, &id), [State::Requested]);
    assert!(asked(&stack).is_empty());
    stack.run(20);
    assert_eq!(states(&stack, &id), [State::Good]);
    stack.world.cache_changes(&id, "modifying", 12 * 3600);
    stack.run(3 * 60);
    assert_eq!(states(&stack, &id)[0], State::Failed);
    assert_eq!(
        messages(&stack, "Backup Failed"),
        [
            "serverless-cache/sessions: backup of 2026-01-15T12:00:00Z failed: the cache could not be backed up within 1 h; last: sessions is modifying, and not available"
        ]
    );
}

#[test]
fn one_that_aws_could_not_make_fails_and_is_cleaned() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.world.fail_next_cache_snapshot();
    stack.run(3 * 60 + 20);
    assert_eq!(states(&stack, &id), [State::Good, State::Failed]);
    assert_eq!(stack.our_cache_snapshots().len(), 1, "what failed is cleaned");
    let failed = messages(&stack, "Backup Failed");
    assert!(failed[0].contains("AWS could not make sess-"), "{failed:?}");
}

#[test]
fn a_pinned_one_stays_and_one_that_is_being_restored_is_waited_for() {
    let (stack, id) = of(CacheShape::Single);
    stack.run(40);
    let first = stack.backups(&id.to_string())[0].id.clone();
    stack.ask(Request::Pin(AboutBackup { backup: first.clone(), by: "alice".parse().expect("a name"), reason: None }));
    stack.run(2 * 60);
    let second = stack.backups(&id.to_string())[0].cache_snapshot().cloned().expect("a snapshot");
    stack.world.restore_cache_snapshot(&second, true);
    stack.run(6 * 60);
    let state = |snapshot: &CacheSnapshotId| {
        let backups = stack.backups(&id.to_string());
        backups.into_iter().find(|backup| backup.cache_snapshot() == Some(snapshot)).map(|backup| backup.state)
    };
    assert_eq!(state(&second), Some(State::Deleting));
    stack.world.restore_cache_snapshot(&second, false);
    stack.run(2 * 60);
    assert_eq!(state(&second), Some(State::Deleted));
    let kept = stack.backups(&id.to_string()).into_iter().find(|backup| backup.id == first).expect("on record");
    assert_eq!(kept.state, State::Good, "a baseline that is restored again and again is never let go");
}

#[test]
fn a_cache_that_is_deleted_leaves_its_backups() {
    for (after, left) in [("keep", 2), ("delete", 0)] {
        let (stack, id) = of(CacheShape::Replicated(2));
        let plan =
            plan("replication_groups: [sessions]").replace("retain:", &format!("on_source_deleted: {after}, retain:"));
        stack.apply(&plan).expect("applied");
        stack.run(5 * 60);
        stack.world.delete_cache(&id);
        stack.world.may_retire(&id.to_string());
        stack.run(30 * 60);
        assert_eq!(stack.our_cache_snapshots().len(), left, "{after}");
        let lost = messages(&stack, "Source Lost");
        assert!(lost[0].contains("the cache is deleted"), "{lost:?}");
    }
}

#[test]
fn caches_that_bear_a_plans_tags_come_and_go_with_them() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let (tagged, other) =
        (world.put_cache("carts", CacheShape::Sharded(2, 1)), world.put_cache("other", CacheShape::Serverless));
    world.change_cache(&tagged, |cache| drop(cache.tags.insert("lastgood".into(), "web".into())));
    let stack = Stack::new(world);
    stack.apply(&plan("tags: {lastgood: web}")).expect("applied");
    stack.world.change_cache(&other, |cache| drop(cache.tags.insert("lastgood".into(), "web".into())));
    stack.run(45);
    assert_eq!(states(&stack, &tagged), [State::Good]);
    assert_eq!(states(&stack, &other), [State::Good], "it was found in time");
    stack.world.change_cache(&tagged, |cache| cache.tags.clear());
    stack.run(3 * 60);
    assert_eq!((states(&stack, &tagged).len(), states(&stack, &other).len()), (1, 2));
    assert_eq!(messages(&stack, "Source Lost").len(), 1);
}

#[test]
fn what_aws_does_not_do_is_refused_when_the_plan_is_applied() {
    let refused = |key: &str, schedule: &str, shape, change: &dyn Fn(&mut lastgood_world::Cache)| {
        let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
        let id = world.put_cache("sessions", shape);
        world.change_cache(&id, |cache| {
            cache.tags.insert("lastgood".into(), "web".into());
            change(cache);
        });
        let stack = Stack::new(world);
        let plan = format!("plans: [{{name: web, select: {{{key}}}, schedule: {schedule}}}]");
        match stack.apply(&plan) {
            Ok(()) => String::new(),
            Err(lastgood_engine::apply::ApplyError::Mistakes(mistakes)) => {
                assert_eq!(mistakes.len(), 1, "{mistakes:?}");
                mistakes[0].what.clone()
            }
            Err(other) => panic!("{other:?}"),
        }
    };
    let none: &dyn Fn(&mut lastgood_world::Cache) = &|_| {};
    let (single, group) = (CacheShape::Single, CacheShape::Replicated(2));
    expect![[r#"
        replication-group/sessions can't be backed up so often: 'hourly' has up to 24 slots in 24 hours, and AWS takes 20 backups by hand of a node in that time; leave 72 minutes or more between two, as in '0 */2 * * *'
        replication-group/sessions can't be backed up so often: 'continuous' has up to 144 slots in 24 hours, and AWS takes 20 backups by hand of a node in that time; leave 72 minutes or more between two, as in '0 */2 * * *'
        serverless-cache/sessions can't be backed up so often: 'continuous' has up to 144 slots in 24 hours, and AWS takes 24 backups by hand of a serverless cache in that time; leave 60 minutes or more between two, as in '0 */2 * * *'
        cache-cluster/sessions can't be backed up: it is a Memcached cluster of nodes, and AWS makes no backups of those; leave it out
        cache-cluster/sessions can't be backed up: its nodes are cache.t1.micro, and AWS makes no backups of those; leave it out
        there is no cache-cluster/sessions in this account and region; write the name of one that is there, under the key of its kind"#]].assert_eq(
        &[
            refused("replication_groups: [sessions]", "hourly", group, none),
            refused("tags: {lastgood: web}", "continuous", group, none),
            refused("serverless_caches: [sessions]", "continuous", CacheShape::Serverless, none),
            refused("cache_clusters: [sessions]", "daily", single, &|cache| cache.engine = "memcached".into()),
            refused("cache_clusters: [sessions]", "daily", single, &|cache| cache.node_type = "cache.t1.micro".into()),
            refused("cache_clusters: [sessions]", "daily", group, none),
        ]
        .join("\n"),
    );
    assert_eq!(refused("serverless_caches: [sessions]", "hourly", CacheShape::Serverless, none), "");
    let memcached: &dyn Fn(&mut lastgood_world::Cache) = &|cache| cache.engine = "memcached".into();
    assert_eq!(refused("serverless_caches: [sessions]", "daily", CacheShape::Serverless, memcached), "");
}

#[test]
fn news_of_a_topic_and_of_a_serverless_cache_are_looked_into_at_once() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.world.change_settings(|pace| pace.cache_snapshot_seconds = 100);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(101);
    stack.invoke(Invocation::CacheNews(vec!["other-002".into()]));
    assert_eq!(states(&stack, &id), [State::Pending]);
    stack.invoke(Invocation::CacheNews(vec!["sessions-002".into()]));
    assert_eq!(states(&stack, &id), [State::Good]);

    let (stack, id) = of(CacheShape::Serverless);
    stack.world.change_settings(|pace| pace.cache_snapshot_seconds = 100);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(101);
    let news = stack.deliveries();
    assert_eq!(news.len(), 1);
    for delivery in news {
        stack.invoke(delivery);
    }
    assert_eq!(states(&stack, &id), [State::Good]);
}

#[test]
fn somebody_elses_snapshot_of_the_same_name_is_told_and_left_alone() {
    let (stack, id) = of(CacheShape::Single);
    let backup = format!("{id}@20260115T100000Z").parse().expect("a backup");
    let name = lastgood_core::name::cache_snapshot_name(&backup);
    by_hand(&stack, "sessions", &name);
    stack.run(3 * 60);
    let failed = messages(&stack, "Backup Failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains(&format!("{name} has the name {name} and does not bear our tags")), "{failed:?}");
    assert!(stack.world.cache_snapshots().iter().any(|snapshot| snapshot.id.name == name));
}

#[test]
fn what_somebody_deletes_is_told_and_what_no_record_speaks_of_is_left_alone() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.apply(&plan("replication_groups: [sessions]").replace("last: 2", "last: 20")).expect("applied");
    stack.run(40);
    let lost = stack.backups(&id.to_string())[0].cache_snapshot().cloned().expect("a snapshot");
    stack.world.lose_cache_snapshot(&lost);
    let stranger: lastgood_core::id::BackupId = format!("{id}@20250115T100000Z").parse().expect("a backup");
    let tags = lastgood_core::name::tags(lastgood_tests::stack::STACK, &stranger, "web");
    let of = CacheOrigin::Cluster("sessions-002".into());
    stack.world.elasticache().create_snapshot(&CreateCacheSnapshot { name: "older".into(), of, tags }).expect("taken");
    stack.run(24 * 60);
    assert_eq!(messages(&stack, "Backup Lost").len(), 1);
    assert!(messages(&stack, "Backup Lost")[0].ends_with(&format!("somebody deleted {}", lost.name)));
    let unknown = messages(&stack, "Artifact Unknown");
    assert!(unknown[0].contains("no record says that older"), "{unknown:?}");
    assert!(stack.world.cache_snapshots().iter().any(|snapshot| snapshot.id.name == "older"));
}

#[test]
fn status_warns_of_what_makes_a_backup_risky() {
    let (stack, id) = of(CacheShape::Replicated(1));
    stack.world.change_cache(&id, |cache| cache.reserved_memory_percent = Some(10));
    stack.run(40);
    let warnings = stack.source(&id.to_string()).warnings;
    assert_eq!(
        warnings,
        [
            "no replica of it is told: the primary bears the load of its backups",
            "its parameter group reserves 10 percent of memory: a backup needs 25 percent free, or it may swap or fail"
        ]
    );
    // What is not told for want of a permission keeps no backup from being made.
    stack.world.deny("elasticache:DescribeCacheParameters", "*");
    stack.run(2 * 60);
    assert_eq!(states(&stack, &id), [State::Good; 2]);
    assert_eq!(stack.source(&id.to_string()).warnings.len(), 1);
}

#[test]
fn nothing_of_a_cache_goes_that_does_not_bear_our_tags() {
    let (stack, id) = of(CacheShape::Single);
    stack.run(40);
    let artifact = stack.backups(&id.to_string())[0].artifact_id.clone().expect("a snapshot");
    let ArtifactId::CacheSnapshot(snapshot) = &artifact else { panic!("{artifact}") };
    stack.world.change_cache_snapshot(snapshot, |snapshot| snapshot.tags.clear());
    stack.run(6 * 60);
    assert!(stack.world.cache_snapshots().iter().any(|found| found.id == *snapshot));
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused[0].contains("does not bear our tags"), "{refused:?}");
}
