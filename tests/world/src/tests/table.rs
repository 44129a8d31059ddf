//! The table in memory: queues in the order of time, and writes that are whole or nothing.

use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::id::ArtifactId;
use lastgood_core::id::SourceId;
use lastgood_core::record::{Key, Queue};
use lastgood_core::source::survey::Planned;
use lastgood_core::source::{self, Source};
use lastgood_engine::port::{CallFailed, PlanWrite, Saved, Store, Versioned, Written};

use crate::MemoryStore;

fn ready<T>(future: impl Future<Output = Result<T, CallFailed>>) -> T {
    super::ready(future).expect("in memory")
}

fn at(text: &str) -> Time {
    format!("2026-01-15T{text}Z").parse().expect("a time")
}

/// A table with a plan of two sources, whose slots come at 11:00.
fn table() -> (MemoryStore, Vec<Versioned<Source>>) {
    let text = "plans: [{name: web, select: {groups: [b, a]}, schedule: hourly}]";
    let plan = lastgood_core::plan::read("plans.yaml", text).expect("a plan").plans[0].plan.clone();
    let id = |name: &str| SourceId::Group(name.into());
    let sources: Vec<_> =
        ["a", "b"].iter().map(|name| Versioned::new(source::apply(None, &id(name), &plan, at("10:30:00")))).collect();
    let store = MemoryStore::new();
    let plans = [PlanWrite::Put(Versioned::new(Planned { plan, survey_at: at("12:00:00") }))];
    assert_eq!(ready(store.write_plans(&plans, &sources)), Written::Whole);
    // They were new then: a second time nothing is written.
    assert_eq!(ready(store.write_plans(&plans, &sources)), Written::Outdated);
    let sources = ready(store.list::<Source>(&()));
    (store, sources)
}

#[test]
fn a_queue_tells_what_is_due_in_the_order_of_time_and_no_more_than_asked() {
    let (store, sources) = table();
    let keys: Vec<Key> = sources.iter().map(|source| Key::Source(source.record.id.clone())).collect();
    assert_eq!(ready(store.due(Queue::Tick, at("10:59:59"), 10)), []);
    assert_eq!(ready(store.due(Queue::Tick, at("11:00:00"), 10)), keys);
    assert_eq!(ready(store.due(Queue::Tick, at("11:00:00"), 1)), keys[..1]);
    assert_eq!(ready(store.due(Queue::Poll, at("11:00:00"), 10)), []);
    let mut late = sources[0].clone();
    late.record.next_slot = Some(at("11:30:00"));
    assert_eq!(ready(store.save(&late)), Saved::As(2));
    assert_eq!(ready(store.due(Queue::Tick, at("11:00:00"), 10)), keys[1..]);
    assert_eq!(ready(store.due(Queue::Tick, at("11:30:00"), 10)), [keys[1].clone(), keys[0].clone()]);
}

#[test]
fn a_slot_is_claimed_once_or_nothing_is_written() {
    let (store, sources) = table();
    let claim = source::claim(&sources[0].record, at("11:00:00")).expect("due");
    let moved = Versioned { record: claim.source.clone(), version: sources[0].version };
    assert_eq!(ready(store.claim(&moved, &claim.backup)), Saved::As(2));
    let before = store.dump();
    assert_eq!(ready(store.claim(&moved, &claim.backup)), Saved::Outdated);
    // The source is as it was read, but the backup is there.
    let again = Versioned { version: 2, ..moved };
    assert_eq!(ready(store.claim(&again, &claim.backup)), Saved::Outdated);
    assert_eq!(ready(store.save(&Versioned::new(claim.backup.clone()))), Saved::Outdated);
    assert_eq!(store.dump(), before);
    let backups = ready(store.list::<Backup>(&claim.backup.id.source));
    assert_eq!(backups, [Versioned { record: claim.backup.clone(), version: 1 }]);
    // Others leave it to whoever claimed it for a while.
    assert_eq!(ready(store.due(Queue::Poll, at("11:00:59"), 10)), []);
    assert_eq!(ready(store.due(Queue::Poll, at("11:01:00"), 10)), [Key::Backup(claim.backup.id.clone())]);

    let mut imaged = backups[0].clone();
    let image = ArtifactId::Image("ami-1".into());
    imaged.record.artifact_id = Some(image.clone());
    assert_eq!(ready(store.save(&imaged)), Saved::As(2));
    assert_eq!(ready(store.save(&imaged)), Saved::Outdated);
    assert_eq!(ready(store.backup_of(&image)), Some(claim.backup.id));
}
