//! What happens to a backup of a cache: every event of its own, as a table, and what the engine is told to look at.

use expect_test::expect_file;

use super::cache::{ChosenCache, FULL_SECONDS, QUOTA_WAIT_SECONDS_MAX, chosen, is_there, sight};
use super::fixtures::{came_to, now, refusal, start, was_good};
use super::life::{Alone, Effect, Event, REQUESTED_SECONDS_MAX, State, Together, decide, due};
use super::life_table::lines;
use super::record::Backup;
use super::sight::Sight;
use crate::cache::Full;
use crate::facts::{
    Cache, CacheNode, CacheRole, CacheSetup, CacheShape, CacheSnapshot, CacheSnapshotState, CacheStatus, CacheStrain,
};
use crate::id::{ArtifactId, CacheFamily, CacheId, CacheKind, CacheSnapshotId};
use crate::name::cache_snapshot_name;
use crate::record::Queue;
use crate::refusal::Why;
use crate::{Time, later};

const NODE: &str = "sessions-002";

fn id() -> CacheId {
    CacheId { kind: CacheKind::ReplicationGroup, name: "sessions".into() }
}

fn snapshot_id() -> CacheSnapshotId {
    let backup = "replication-group/sessions@20260115T103000Z".parse().expect("a backup");
    CacheSnapshotId { family: CacheFamily::Nodes, name: cache_snapshot_name(&backup) }
}

fn artifact() -> ArtifactId {
    ArtifactId::CacheSnapshot(snapshot_id())
}

fn choice(node: &str) -> ChosenCache {
    ChosenCache {
        node: Some(node.into()),
        why: format!("{node} is a replica"),
        setup: CacheSetup::default(),
        warnings: Vec::new(),
        is_measured: false,
        expected_seconds: 600,
    }
}

/// A backup of a cache that came to `state` by itself, and told everything.
fn backup(state: State) -> Backup {
    let id = "replication-group/sessions@20260115T103000Z".parse().expect("a backup");
    let mut record = came_to(state, id, artifact());
    if state != State::Requested {
        record.cache.chosen = Some(choice(NODE));
        record.cache.chosen_at = Some(start());
    }
    if !matches!(state, State::Requested | State::Creating) {
        record.cache.begun_at = Some(start());
    }
    if was_good(state) {
        record.good_at = Some(later(start(), 300));
        record.cache.bytes = Some(5_000_000);
    }
    record
}

fn snapshot(state: CacheSnapshotState) -> CacheSnapshot {
    CacheSnapshot {
        id: snapshot_id(),
        arn: String::new(),
        tags: crate::facts::Tags::new(),
        of: vec![NODE.into()],
        state,
        manual: true,
        begun_at: Some(start()),
        bytes: Some(5_000_000),
    }
}

fn strain() -> CacheStrain {
    CacheStrain { reserved_memory_percent: Some(10), lag_seconds: Some(40) }
}

pub(super) fn events() -> Vec<(&'static str, Event, Time)> {
    let soon = later(start(), 5);
    let seen = |state| Event::Seen(sight(&snapshot_id(), &[snapshot(state)]));
    let full = |until| Event::CacheFull { until, why: "AWS takes 20 in 24 hours".into() };
    vec![
        ("node chosen", Event::CacheChosen(Box::new(choice(NODE)), soon), soon),
        ("busy", Event::CacheBusy("sessions is modifying".into()), soon),
        (
            "busy, past the deadline",
            Event::CacheBusy("sessions is modifying".into()),
            later(start(), REQUESTED_SECONDS_MAX),
        ),
        ("full", full(later(soon, 7200)), soon),
        ("full for as long as it waits", full(later(start(), QUOTA_WAIT_SECONDS_MAX)), soon),
        ("full for too long", full(later(start(), QUOTA_WAIT_SECONDS_MAX + 1)), soon),
        ("no cache", Event::NoOrigin("there is no sessions any more".into()), soon),
        ("snapshot made", Event::Made(artifact()), soon),
        ("create refused: busy", Event::CreateRefused(refusal(Why::TooSoon)), soon),
        ("create refused: quota", Event::CreateRefused(refusal(Why::Quota)), soon),
        ("create refused: gone", Event::CreateRefused(refusal(Why::Missing)), soon),
        ("create refused: name taken", Event::CreateRefused(refusal(Why::Taken)), soon),
        ("snapshot missing", Event::Seen(Sight::Missing), soon),
        ("creating", seen(CacheSnapshotState::Creating), soon),
        ("available", seen(CacheSnapshotState::Available), soon),
        ("failed", seen(CacheSnapshotState::Failed), soon),
        ("deleting", seen(CacheSnapshotState::Deleting), soon),
        (
            "measured",
            Event::CacheMeasured(strain(), sight(&snapshot_id(), &[snapshot(CacheSnapshotState::Creating)])),
            soon,
        ),
        ("another word", seen(CacheSnapshotState::Other("resting".into())), soon),
        ("not told by the sweep", Event::ArtifactGone, soon),
        ("let go", Event::LetGo("older than the last 3 good ones".into()), soon),
        ("released", Event::Released, soon),
        ("unanswered", Event::Unanswered("elasticache:Call got no answer".into()), soon),
    ]
}

#[test]
fn every_state_of_a_cache_s_backup_and_every_event_of_its_own() {
    let mut table = String::new();
    for state in State::ALL {
        table += &format!("{state:?}\n");
        table += &lines(&backup(state), &events());
    }
    expect_file!["cache_table.txt"].assert_eq(&table);
}

#[test]
fn what_was_seen_of_a_cache_holds_for_half_a_minute() {
    let choose = Effect::Together(Together::ChooseNode(id()));
    let create = Effect::Alone(Alone::CreateCacheSnapshot(id(), Some(NODE.into())));
    assert_eq!(due(&backup(State::Requested), Queue::Tick, now()), Some(choose.clone()));
    assert_eq!(due(&backup(State::Creating), Queue::Poll, later(start(), 30)), Some(create));
    assert_eq!(due(&backup(State::Creating), Queue::Poll, later(start(), 31)), Some(choose.clone()));
    let full = decide(&backup(State::Creating), Event::CreateRefused(refusal(Why::Quota)), now()).record;
    assert_eq!(due(&full, Queue::Poll, now()), Some(choose), "another node is looked for at once");
}

#[test]
fn a_wait_for_room_takes_nothing_from_the_time_after_it() {
    let until = later(start(), 20 * 3600);
    let full = Event::CacheFull { until, why: "AWS takes 20 in 24 hours".into() };
    let waits = decide(&backup(State::Requested), full.clone(), now()).record;
    assert_eq!((waits.look_at, waits.outbox.len()), (later(now(), FULL_SECONDS), 1));
    assert_eq!(due(&waits, Queue::Poll, later(now(), FULL_SECONDS - 1)), None);
    let busy = |at| decide(&waits, Event::CacheBusy("modifying".into()), at).record.state;
    assert_eq!(busy(later(until, REQUESTED_SECONDS_MAX - 1)), State::Requested);
    assert_eq!(busy(later(until, REQUESTED_SECONDS_MAX)), State::Failed);
    let again = decide(&waits, full, later(now(), 60)).record;
    assert_eq!(again.outbox.len(), 1, "it is told once");
}

fn cache(nodes: &[(&str, CacheRole)]) -> Cache {
    let nodes = nodes
        .iter()
        .map(|(cluster, role)| CacheNode { cluster: (*cluster).into(), role: *role, status: CacheStatus::Available })
        .collect();
    Cache {
        id: id(),
        tags: crate::facts::Tags::new(),
        arn: String::new(),
        member_of: None,
        status: CacheStatus::Available,
        shape: CacheShape::Replicated(nodes),
        setup: CacheSetup { engine: "redis".into(), ..CacheSetup::default() },
    }
}

fn seen(count: i64, of: &str) -> Vec<CacheSnapshot> {
    let made = |number: i64| CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name: format!("theirs-{number}") },
        of: vec![of.into()],
        begun_at: Some(later(start(), -60 * number)),
        ..snapshot(CacheSnapshotState::Available)
    };
    (1..=count).map(made).collect()
}

#[test]
fn what_is_deleted_counts_against_the_quota_as_what_is_there() {
    let both = [cache(&[("sessions-001", CacheRole::Primary), (NODE, CacheRole::Replica)])];
    let record = backup(State::Requested);
    let node = |event| match event {
        Event::CacheChosen(chosen, _) => chosen.node,
        other => panic!("{other:?}"),
    };
    let choose =
        |snapshots: &[CacheSnapshot], backups: &[Backup]| chosen(&record, &id(), &both, snapshots, backups, now());
    assert_eq!(node(choose(&seen(19, NODE), &[])).as_deref(), Some(NODE));
    let mut deleted = backup(State::Deleted);
    deleted.id.slot = later(start(), -7200);
    assert!(matches!(choose(&seen(19, NODE), &[deleted.clone()]), Event::CacheFull { .. }));
    // One that AWS tells and that is on record counts once.
    let good = backup(State::Good);
    let with = |count| [seen(count, NODE), vec![snapshot(CacheSnapshotState::Available)]].concat();
    assert_eq!(node(choose(&with(18), std::slice::from_ref(&good))).as_deref(), Some(NODE));
    assert!(matches!(choose(&with(19), &[good]), Event::CacheFull { .. }));
    // Those of another cache do not count, nor what is of the other family.
    assert_eq!(node(choose(&seen(20, "other-002"), &[])).as_deref(), Some(NODE));
    let theirs = |number: i64, of: &str| CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name: format!("{of}-{number}") },
        of: vec![of.into()],
        begun_at: Some(later(start(), -number)),
        ..snapshot(CacheSnapshotState::Available)
    };
    let full: Vec<_> = (0..20).flat_map(|number| [theirs(number, NODE), theirs(number, "sessions-001")]).collect();
    assert!(matches!(choose(&full, &[]), Event::CacheFull { .. }));
    let mut newer = backup(State::Requested);
    newer.id.slot = later(start(), 3600);
    assert!(matches!(choose(&full, &[newer.clone()]), Event::NoOrigin(why) if why.ends_with("takes its place")));
    assert!(matches!(choose(&[], &[newer.clone()]), Event::CacheChosen(..)), "where there is room both are made");
    for (state, overtaken) in
        [(State::Creating, true), (State::Good, true), (State::Failed, false), (State::Deleted, false)]
    {
        let event = choose(&[], &[Backup { state, ..newer.clone() }]);
        assert_eq!(matches!(event, Event::NoOrigin(_)), overtaken, "{state:?}");
    }
}

#[test]
fn what_is_of_another_cache_or_of_the_other_family_does_not_count() {
    let ours = Cache { shape: CacheShape::Sharded, ..cache(&[]) };
    let has_room = |snapshots: &[CacheSnapshot]| {
        let caches = [ours.clone()];
        let event = chosen(&backup(State::Requested), &id(), &caches, snapshots, &[], now());
        assert!(matches!(event, Event::CacheChosen(..) | Event::CacheFull { .. }), "{event:?}");
        matches!(event, Event::CacheChosen(..))
    };
    assert!(!has_room(&seen(20, "sessions")));
    assert!(has_room(&seen(20, "sessions-of-another")));
    let namesake = |snapshot: CacheSnapshot| CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Serverless, ..snapshot.id.clone() },
        ..snapshot
    };
    let serverless: Vec<CacheSnapshot> = seen(20, "sessions").into_iter().map(namesake).collect();
    assert!(has_room(&serverless));
    assert!(has_room(&[serverless, seen(19, "sessions")].concat()));
}

#[test]
fn a_node_that_is_full_again_is_full_for_as_long_as_it_was_told_last_and_the_others_as_before() {
    let refused = Event::CreateRefused(refusal(Why::Quota));
    let full = |of: &str, seconds| Full { of: of.into(), until: later(now(), seconds) };
    let mut record = backup(State::Creating);
    record.cache.full = vec![full(NODE, 60), full("sessions-003", 120)];
    let after = decide(&record, refused, now()).record;
    assert_eq!(after.cache.full, [full("sessions-003", 120), full(NODE, FULL_SECONDS)]);
}

#[test]
fn a_snapshot_can_be_restored_if_it_is_there_and_available() {
    let told = [snapshot(CacheSnapshotState::Available)];
    assert!(is_there(&snapshot_id(), &told));
    let other = CacheSnapshotId { name: "theirs-1".into(), ..snapshot_id() };
    assert!(!is_there(&other, &told), "another one is");
    assert!(!is_there(&snapshot_id(), &[snapshot(CacheSnapshotState::Deleting)]));
    assert!(!is_there(&snapshot_id(), &[]));
}

#[test]
fn what_aws_told_is_as_old_as_the_look_and_not_as_the_save() {
    let event = Event::CacheChosen(Box::new(choice(NODE)), start());
    let chosen = decide(&backup(State::Requested), event, later(start(), 20)).record;
    let create = Effect::Alone(Alone::CreateCacheSnapshot(id(), Some(NODE.into())));
    assert_eq!(due(&chosen, Queue::Tick, later(start(), 30)), Some(create));
    let choose = Effect::Together(Together::ChooseNode(id()));
    assert_eq!(due(&chosen, Queue::Tick, later(start(), 31)), Some(choose));
}

#[test]
fn what_is_measured_of_a_cache_is_warned_of_once() {
    let measured = |record: &Backup| {
        let sight = sight(&snapshot_id(), &[snapshot(CacheSnapshotState::Creating)]);
        decide(record, Event::CacheMeasured(strain(), sight), now()).record
    };
    let once = measured(&backup(State::Pending));
    let chosen = once.cache.chosen.clone().expect("chosen");
    assert!(chosen.is_measured);
    assert_eq!(chosen.warnings.len(), 2, "{:?}", chosen.warnings);
    assert_eq!(measured(&once).cache.chosen, once.cache.chosen);
}

#[test]
fn one_that_waits_for_room_is_looked_at_as_soon_as_there_is_some() {
    let full = Event::CacheFull { until: later(now(), 61), why: "AWS takes 20 in 24 hours".into() };
    let waits = decide(&backup(State::Requested), full, now()).record;
    assert_eq!(super::life::wake(&Backup { outbox: Vec::new(), ..waits }), Some(later(now(), 61)));
}

#[test]
fn what_is_chosen_brings_what_a_restore_needs_and_what_to_be_warned_of() {
    let alone = [cache(&[("sessions-001", CacheRole::Primary)])];
    let mut last = backup(State::Good);
    last.id.slot = later(start(), -3600);
    let Event::CacheChosen(chosen, _) = chosen(&backup(State::Requested), &id(), &alone, &[], &[last], now()) else {
        panic!("chosen")
    };
    assert_eq!((chosen.setup.engine.as_str(), chosen.expected_seconds), ("redis", 300));
}

#[test]
fn one_that_is_gone_or_never_was_fit_fails_with_the_reason() {
    let why = |caches: &[Cache]| match chosen(&backup(State::Requested), &id(), caches, &[], &[], now()) {
        Event::NoOrigin(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&[]), "there is no replication-group/sessions any more");
    let mut memcached = cache(&[]);
    memcached.setup.engine = "memcached".into();
    assert!(why(&[memcached]).starts_with("replication-group/sessions: it is a Memcached cluster"));
}

#[test]
fn looks_and_deadlines_follow_from_how_long_the_last_one_took() {
    let times = |seconds| {
        let mut record = backup(State::Pending);
        record.cache.chosen = Some(ChosenCache { expected_seconds: seconds, ..choice(NODE) });
        (record.cache.poll_seconds(100_000), record.cache.making_seconds_max())
    };
    assert_eq!(times(60), (15, 93_600));
    assert_eq!(times(600), (60, 93_600));
    assert_eq!(times(1_800), (180, 93_600));
    assert_eq!(times(100_000), (300, 604_800));
    let pending = backup(State::Pending);
    let creating = Event::Seen(sight(&snapshot_id(), &[snapshot(CacheSnapshotState::Creating)]));
    let pause = |waited: i64| {
        let now = later(start(), waited);
        crate::seconds_between(now, decide(&pending, creating.clone(), now).record.look_at)
    };
    assert_eq!([0, 30, 60, 120, 3600].map(pause), [15, 15, 30, 60, 60], "a small one is seen soon");
    assert_eq!(FULL_SECONDS, 3_600);
}

#[test]
fn the_only_node_of_a_group_counts_as_it() {
    let alone = [cache(&[("sessions-001", CacheRole::Primary)])];
    let event = chosen(&backup(State::Requested), &id(), &alone, &seen(20, "sessions-001"), &[], now());
    assert!(matches!(event, Event::CacheFull { .. }), "{event:?}");
}

#[test]
fn a_cache_that_was_made_anew_says_so_as_long_as_the_last_backup_of_before_stays() {
    let born = later(start(), -3_600);
    let mut anew = cache(&[(NODE, CacheRole::Replica)]);
    anew.setup.created_at = Some(born);
    let mut before = backup(State::Good);
    before.id.slot = later(born, -7_200);
    before.cache.chosen.as_mut().expect("chosen").setup.created_at = Some(later(born, -86_400));
    let warnings = |backups: &[Backup], at| {
        let event = chosen(&backup(State::Requested), &id(), &[anew.clone()], &[], backups, at);
        let Event::CacheChosen(chosen, _) = event else { panic!("{event:?}") };
        chosen.warnings.iter().filter(|text| text.starts_with("it was made anew")).count()
    };
    let month = crate::source::cleanup::FORMER_SECONDS;
    assert_eq!(warnings(&[before.clone()], later(born, month - 1)), 1);
    assert_eq!(warnings(&[before.clone()], later(born, month)), 0);
    let gone = Backup { state: State::Deleted, ..before.clone() };
    let mut own = before;
    own.cache.chosen.as_mut().expect("chosen").setup.created_at = Some(born);
    assert_eq!(warnings(&[gone, own], later(born, 60)), 0, "there is none of before");
}
