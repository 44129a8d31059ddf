//! Caches and what AWS makes of them meanwhile: nodes that ail, looks that are refused, caches that come and go, and plans that
//! take all that AWS gives.

use std::collections::BTreeSet;

use lastgood_core::backup::{Backup, State};
use lastgood_core::id::CacheId;
use lastgood_core::seconds_between;
use lastgood_engine::apply::ApplyError;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{AwsError, CacheShape, Call, World};

use crate::caches::{asked, of, plan, states};
use crate::transcript::{count, messages};

fn chosen(stack: &Stack, id: &CacheId) -> String {
    stack.backups(&id.to_string())[0].cache.chosen.clone().map(|chosen| chosen.why).unwrap_or_default()
}

#[test]
fn a_replica_that_ails_is_passed_over_and_the_primary_taken_only_if_all_do() {
    for (nodes, ailing, node, why) in [
        (3, "sessions-002", "sessions-003", "sessions-003 is a replica"),
        (2, "sessions-002", "sessions-001", "sessions-001 is the primary: no replica is available"),
    ] {
        let (stack, id) = of(CacheShape::Replicated(nodes));
        stack.world.change_cache(&id, |cache| cache.ailing = vec![ailing.into()]);
        stack.run(40);
        assert_eq!((asked(&stack), states(&stack, &id)), (vec![node.to_owned()], vec![State::Good]));
        assert_eq!(chosen(&stack, &id), why);
    }
}

#[test]
fn a_replica_far_behind_is_warned_of_and_what_can_not_be_measured_delays_nothing() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.world.change_cache(&id, |cache| cache.lag_seconds = Some(90));
    stack.run(40);
    let warnings = stack.source(&id.to_string()).warnings;
    let expected =
        "the replica that is backed up is 90 seconds behind its primary: so much of the newest data its backup lacks";
    assert_eq!(warnings, [expected]);
    for action in ["cloudwatch:GetMetricData", "elasticache:DescribeCacheParameters"] {
        stack.world.lose_next(action, 1);
    }
    stack.run(110);
    stack.world.advance(10 * 60);
    stack.invoke(Invocation::Tick);
    assert_eq!(asked(&stack).len(), 2, "made in the minute of its slot");
}

#[test]
fn what_aws_refuses_of_one_family_says_nothing_of_the_other() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let nodes = world.put_cache("sessions", CacheShape::Replicated(2));
    let serverless = world.put_cache("catalog", CacheShape::Serverless);
    let stack = Stack::new(world);
    stack.apply(&plan("replication_groups: [sessions], serverless_caches: [catalog]")).expect("applied");
    stack.world.deny("elasticache:DescribeServerlessCaches", "*");
    stack.run(40);
    assert_eq!((states(&stack, &nodes), states(&stack, &serverless)), (vec![State::Good], vec![State::Failed]));
    let failed = messages(&stack, "Backup Failed");
    assert!(failed[0].contains("elasticache:DescribeReplicationGroups is not permitted"), "{failed:?}");
}

#[test]
fn what_was_made_is_taken_over_though_its_cache_may_not_be_looked_at_any_more() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.world.lose_next("elasticache:CreateSnapshot", 1);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    assert_eq!(states(&stack, &id), [State::Creating]);
    stack.world.deny("elasticache:DescribeReplicationGroups", "*");
    stack.run(10);
    assert_eq!((states(&stack, &id), stack.our_cache_snapshots().len()), (vec![State::Good], 1));
}

#[test]
fn a_node_that_went_between_the_choice_and_the_call_is_no_reason_to_fail() {
    let (stack, id) = of(CacheShape::Replicated(2));
    let gone = AwsError::with_status(404, "CacheClusterNotFound", "CacheCluster not found: sessions-002");
    stack.world.fail_next("elasticache:CreateSnapshot", 1, &gone);
    stack.run(40);
    assert_eq!((states(&stack, &id), asked(&stack).len()), (vec![State::Good], 2));
}

#[test]
fn a_cache_that_goes_while_its_plan_is_surveyed_keeps_no_other_from_being_found() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    world.put_cache("sessions", CacheShape::Replicated(2));
    let later = world.put_cache("catalog", CacheShape::Serverless);
    let stack = Stack::new(world);
    stack.apply(&plan("replication_groups: [sessions], tags: {lastgood: web}")).expect("applied");
    stack.world.change_cache(&later, |cache| drop(cache.tags.insert("lastgood".into(), "web".into())));
    let gone = AwsError::with_status(404, "ReplicationGroupNotFoundFault", "ReplicationGroup not found");
    stack.world.fail_next("elasticache:ListTagsForResource", 1, &gone);
    stack.run(5);
    assert_eq!(messages(&stack, "Source Found"), ["serverless-cache/catalog: backed up by plan web from now on"]);
    stack.run(30);
    assert_eq!(count(&stack, "Source Lost"), 0, "one answer without it proves nothing");
}

#[test]
fn a_busy_cache_of_which_aws_tells_no_tags_stays_in_its_plan() {
    let (stack, id) = of(CacheShape::Sharded(2, 1));
    stack.world.cache_changes(&id, "modifying", 20 * 60);
    stack.run(25);
    assert_eq!(count(&stack, "Source Lost"), 0);
    assert!(stack.world.calls().get("elasticache:ListTagsForResource").is_some_and(|calls| *calls > 4));
    stack.run(15);
    assert_eq!(states(&stack, &id), [State::Good]);
}

#[test]
fn a_cache_found_by_its_tag_is_told_with_what_aws_does_not_do_of_it() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let stack = Stack::new(world);
    stack.apply(&plan("tags: {lastgood: web}").replace("'0 */2 * * *'", "hourly")).expect("applied");
    for (name, engine) in [("sessions", "valkey"), ("pages", "memcached")] {
        let id = stack.world.put_cache(name, CacheShape::Single);
        stack.world.change_cache(&id, |cache| {
            cache.engine = engine.into();
            cache.tags.insert("lastgood".into(), "web".into());
        });
    }
    stack.run(5);
    let mut found = messages(&stack, "Source Found");
    found.sort();
    assert_eq!(
        found,
        [
            "cache-cluster/pages: backed up by plan web from now on; but it can't be backed up: it is a Memcached cluster of nodes, and AWS makes no backups of those; leave it out",
            "cache-cluster/sessions: backed up by plan web from now on; but it can't be backed up so often: 'hourly' has up to 24 slots in 24 hours, and AWS takes 20 backups by hand of a node in that time; leave 72 minutes or more between two, as in '0 */2 * * *'",
        ]
    );
    // It is backed up as far as AWS lets it be.
    stack.run(35);
    assert_eq!(stack.our_cache_snapshots().len(), 1);
}

#[test]
fn a_plan_that_takes_all_that_aws_gives_is_late_by_minutes_until_one_slot_gives_way() {
    let (stack, id) = of(CacheShape::Serverless);
    let hourly = "plans: [{name: web, select: {serverless_caches: [sessions]}, schedule: hourly, retain: {last: 3}}]";
    stack.apply(hourly).expect("applied");
    let days = 34;
    stack.run(days * 24 * 60);
    assert_eq!(count(&stack, "Backup Waits"), 0);
    let failed = messages(&stack, "Backup Failed");
    assert!(failed.len() == 1 && failed[0].contains("it would come 30 min late, and gives way"), "{failed:?}");
    let backups = stack.backups(&id.to_string());
    assert!(backups.len() >= usize::try_from(days).expect("few") * 24 - 1, "{}", backups.len());
    let begun = |backup: &Backup| backup.cache.begun_at.map(|at| seconds_between(backup.id.slot, at));
    let late_seconds = backups.iter().filter_map(begun).max();
    assert!(late_seconds.is_some_and(|late| late < 30 * 60), "{late_seconds:?}");
    assert!(backups.iter().find_map(begun).is_some_and(|late| late <= 4 * 60), "the last ones are on time again");
}

#[test]
fn what_aws_said_of_a_full_node_holds_for_the_next_backup_too() {
    let (stack, id) = of(CacheShape::Sharded(2, 1));
    let full = AwsError::new("SnapshotQuotaExceededFault", "The maximum number of manual snapshots has been reached");
    stack.world.fail_next("elasticache:CreateSnapshot", 1, &full);
    stack.run(40);
    assert_eq!(asked(&stack).len(), 1);
    stack.request(&id.to_string());
    stack.run(20);
    assert_eq!(asked(&stack).len(), 1, "AWS is not asked again within the hour");
    stack.run(40);
    assert_eq!(states(&stack, &id)[0], State::Good);
}

#[test]
fn a_deletion_that_waited_long_for_its_call_is_looked_into_again_right_before_it() {
    let (stack, id) = of(CacheShape::Replicated(2));
    for _ in 0..3 {
        stack.world.advance(2 * 60 * 60);
        stack.back_up_only(5);
    }
    assert_eq!(states(&stack, &id), [State::Good; 3]);
    // Others have drained our share, and what was seen before a deletion holds for half a minute.
    stack.drain("elasticache:DeleteSnapshot", 60);
    let begun = stack.world.time();
    stack.invoke(Invocation::Cleanup);
    assert!(seconds_between(begun, stack.world.time()) > 30, "it had to wait");
    let log = stack.world.log();
    let last = |log: &[Call], action: &str| log.iter().rposition(|call| call.action == action).expect("made");
    let deleted = last(&log, "elasticache:DeleteSnapshot");
    assert_eq!(log.iter().filter(|call| call.action == "elasticache:DeleteSnapshot").count(), 1);
    let looked = &log[last(&log[..deleted], "elasticache:DescribeSnapshots")];
    assert!(seconds_between(looked.at, log[deleted].at) <= 2, "it was looked at before the wait alone");
}

#[test]
fn the_nodes_of_a_group_that_bear_its_tags_are_backed_up_with_it() {
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let id = world.put_cache("sessions", CacheShape::Replicated(3));
    world.change_cache(&id, |cache| drop(cache.tags.insert("lastgood".into(), "web".into())));
    let stack = Stack::new(world);
    stack.apply(&plan("tags: {lastgood: web}")).expect("applied");
    stack.run(3 * 60);
    let sources: BTreeSet<String> =
        stack.store.all_backups().into_iter().map(|backup| backup.id.source.to_string()).collect();
    assert_eq!(sources, ["replication-group/sessions".to_owned()].into());
    assert_eq!((count(&stack, "Backup Failed"), count(&stack, "Source Found")), (0, 0));
    let Err(ApplyError::Mistakes(mistakes)) = stack.apply(&plan("cache_clusters: [sessions-002]")) else {
        panic!("a node is not backed up by itself")
    };
    let why = &mistakes[0].what;
    assert!(why.contains("it is a node of replication group sessions, and is backed up with that"), "{why}");
}

#[test]
fn the_roles_of_many_caches_are_as_told_in_the_last_half_minute_when_a_node_is_asked_for() {
    const CACHES: usize = 120;
    let world = World::new("2026-01-15T09:30:00Z".parse().expect("a time"));
    let names: Vec<String> = (0..CACHES).map(|number| format!("c{number:03}")).collect();
    for name in &names {
        world.put_cache(name, CacheShape::Replicated(2));
    }
    let stack = Stack::new(world);
    stack.apply(&plan(&format!("replication_groups: [{}]", names.join(", ")))).expect("applied");
    stack.run(45);
    let good = stack.store.all_backups().into_iter().filter(|backup| backup.state == State::Good);
    assert_eq!(good.count(), CACHES);
    let (mut told, mut made) = (None, 0);
    for call in stack.world.log() {
        match call.action.as_str() {
            "elasticache:DescribeReplicationGroups" => told = Some(call.at),
            "elasticache:CreateSnapshot" => {
                let age_seconds = told.map(|told| seconds_between(told, call.at));
                assert!(age_seconds.is_some_and(|age| age <= 31), "{age_seconds:?}");
                made += 1;
            }
            _ => {}
        }
    }
    assert_eq!(made, CACHES);
}

#[test]
fn the_last_backup_of_a_cache_that_was_made_anew_under_its_name_stays_for_a_month() {
    let (stack, id) = of(CacheShape::Replicated(2));
    stack.run(3 * 60);
    let last = stack.backups(&id.to_string()).remove(0);
    assert_eq!(last.state, State::Good);
    // Somebody's template replaces it: for AWS it is never gone.
    stack.world.put_cache("sessions", CacheShape::Replicated(2));
    let is_there = || {
        let backups = stack.backups(&id.to_string());
        backups.into_iter().find(|backup| backup.id == last.id).map(|backup| backup.state)
    };
    stack.run(24 * 60);
    assert_eq!((is_there(), states(&stack, &id)[..2].to_vec()), (Some(State::Good), vec![State::Good; 2]));
    assert_eq!(stack.our_cache_snapshots().len(), 3, "two of the new one, and the last one of the old one");
    let warnings = stack.source(&id.to_string()).warnings;
    assert!(warnings.iter().any(|text| text.starts_with("it was made anew at 2026-01-15T12:30:00Z")), "{warnings:?}");
    stack.run(30 * 24 * 60);
    assert_eq!((is_there(), stack.our_cache_snapshots().len()), (Some(State::Deleted), 2));
    assert!(stack.source(&id.to_string()).warnings.is_empty());
}
