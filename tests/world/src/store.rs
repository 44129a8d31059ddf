//! The port `Store`, in memory. Records are kept in their stored form, so that every test reads and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgood_core::Time;
use lastgood_core::backup::{self, Backup, life::Queue};
use lastgood_core::id::{BackupId, ImageId, RefreshId, SourceId};
use lastgood_core::pace::Bucket;
use lastgood_core::rollout::{self, Rollout};
use lastgood_core::source::survey::Planned;
use lastgood_core::source::{self, Source};
use lastgood_core::stored;
use lastgood_engine::port::{CallFailed, Key, PlanWrite, Saved, Store, Versioned, Written};

/// The table.
#[derive(Debug, Default)]
pub struct MemoryStore {
    table: Mutex<Table>,
}

#[derive(Clone, Debug)]
struct Row {
    version: u64,
    text: String,
}

#[derive(Debug, Default)]
struct Table {
    sources: BTreeMap<SourceId, Row>,
    backups: BTreeMap<BackupId, Row>,
    rollouts: BTreeMap<RefreshId, Row>,
    plans: BTreeMap<String, Row>,
    buckets: BTreeMap<String, Versioned<Bucket>>,
    by_image: BTreeMap<ImageId, BackupId>,
    /// Where each record stands in the queues, and the queues in the order of time.
    places: BTreeMap<Key, (Queue, Time)>,
    queues: BTreeMap<Queue, BTreeSet<(Time, Key)>>,
}

impl MemoryStore {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// All of it as text, a line for each record: equal texts are equal tables.
    pub fn dump(&self) -> String {
        let table = self.lock();
        let mut text = String::new();
        let mut line = |key: &str, row: &Row| {
            let _ = writeln!(text, "{key} v{} {}", row.version, row.text);
        };
        table.sources.iter().for_each(|(id, row)| line(&id.to_string(), row));
        table.backups.iter().for_each(|(id, row)| line(&id.to_string(), row));
        table.rollouts.iter().for_each(|(id, row)| line(&format!("rollout/{id}"), row));
        table.plans.iter().for_each(|(name, row)| line(&format!("plan/{name}"), row));
        text
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreadable(error: stored::StoredError) -> CallFailed {
    CallFailed::new("reading a record", error)
}

fn read<T>(row: &Row, decode: fn(&str) -> Result<T, stored::StoredError>) -> Result<Versioned<T>, CallFailed> {
    let record = decode(&row.text).map_err(unreadable)?;
    Ok(Versioned { record, version: row.version })
}

fn version_of<K: Ord>(rows: &BTreeMap<K, Row>, key: &K) -> u64 {
    rows.get(key).map_or(0, |row| row.version)
}

impl Table {
    fn put_source(&mut self, source: &Source, version: u64) {
        let row = Row { version, text: stored::encode(source) };
        self.sources.insert(source.id.clone(), row);
        self.place(Key::Source(source.id.clone()), Queue::Tick, source::wake(source));
    }

    fn put_backup(&mut self, backup: &Backup, version: u64) {
        let row = Row { version, text: stored::encode(backup) };
        self.backups.insert(backup.id.clone(), row);
        if let Some(image) = &backup.image {
            self.by_image.insert(image.clone(), backup.id.clone());
        }
        self.place(Key::Backup(backup.id.clone()), backup::queue(backup), backup::wake(backup));
    }

    fn put_rollout(&mut self, rollout: &Rollout, version: u64) {
        let row = Row { version, text: stored::encode(rollout) };
        self.rollouts.insert(rollout.refresh.clone(), row);
        self.place(Key::Rollout(rollout.refresh.clone()), Queue::Poll, rollout::wake(rollout));
    }

    fn put_plan(&mut self, planned: &Planned, version: u64) {
        let name = planned.plan.name.clone();
        let row = Row { version, text: stored::encode(planned) };
        self.plans.insert(name.clone(), row);
        self.place(Key::Plan(name), Queue::Tick, Some(planned.survey_at));
    }

    fn place(&mut self, key: Key, queue: Queue, wake: Option<Time>) {
        if let Some((queue, wake)) = self.places.remove(&key) {
            self.queues.entry(queue).or_default().remove(&(wake, key.clone()));
        }
        if let Some(wake) = wake {
            self.places.insert(key.clone(), (queue, wake));
            self.queues.entry(queue).or_default().insert((wake, key));
        }
    }
}

impl Store for MemoryStore {
    async fn due(&self, queue: Queue, now: Time, limit: usize) -> Result<Vec<Key>, CallFailed> {
        let table = self.lock();
        let waiting = table.queues.get(&queue).into_iter().flatten();
        Ok(waiting.take_while(|(wake, _)| *wake <= now).take(limit).map(|(_, key)| key.clone()).collect())
    }

    async fn source(&self, id: &SourceId) -> Result<Option<Versioned<Source>>, CallFailed> {
        self.lock().sources.get(id).map(|row| read(row, stored::decode)).transpose()
    }

    async fn sources(&self) -> Result<Vec<Versioned<Source>>, CallFailed> {
        self.lock().sources.values().map(|row| read(row, stored::decode)).collect()
    }

    async fn save_source(&self, source: &Versioned<Source>) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        if version_of(&table.sources, &source.record.id) != source.version {
            return Ok(Saved::Outdated);
        }
        table.put_source(&source.record, source.version + 1);
        Ok(Saved::As(source.version + 1))
    }

    async fn backup(&self, id: &BackupId) -> Result<Option<Versioned<Backup>>, CallFailed> {
        self.lock().backups.get(id).map(|row| read(row, stored::decode)).transpose()
    }

    async fn backups(&self, source: &SourceId) -> Result<Vec<Versioned<Backup>>, CallFailed> {
        let slot = |slot| BackupId { source: source.clone(), slot };
        let table = self.lock();
        table.backups.range(slot(Time::MIN)..=slot(Time::MAX)).rev().map(|(_, row)| read(row, stored::decode)).collect()
    }

    async fn backup_of(&self, image: &ImageId) -> Result<Option<BackupId>, CallFailed> {
        Ok(self.lock().by_image.get(image).cloned())
    }

    async fn save_backup(&self, backup: &Versioned<Backup>) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        if version_of(&table.backups, &backup.record.id) != backup.version {
            return Ok(Saved::Outdated);
        }
        table.put_backup(&backup.record, backup.version + 1);
        Ok(Saved::As(backup.version + 1))
    }

    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        let outdated = version_of(&table.sources, &source.record.id) != source.version;
        if outdated || table.backups.contains_key(&backup.id) {
            return Ok(Saved::Outdated);
        }
        table.put_source(&source.record, source.version + 1);
        table.put_backup(backup, 1);
        Ok(Saved::As(source.version + 1))
    }

    async fn create_backup(&self, backup: &Backup) -> Result<Saved, CallFailed> {
        self.save_backup(&Versioned::new(backup.clone())).await
    }

    async fn rollout(&self, id: &RefreshId) -> Result<Option<Versioned<Rollout>>, CallFailed> {
        self.lock().rollouts.get(id).map(|row| read(row, stored::decode)).transpose()
    }

    async fn save_rollout(&self, rollout: &Versioned<Rollout>) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        if version_of(&table.rollouts, &rollout.record.refresh) != rollout.version {
            return Ok(Saved::Outdated);
        }
        table.put_rollout(&rollout.record, rollout.version + 1);
        Ok(Saved::As(rollout.version + 1))
    }

    async fn plans(&self) -> Result<Vec<Versioned<Planned>>, CallFailed> {
        self.lock().plans.values().map(|row| read(row, stored::decode)).collect()
    }

    async fn plan(&self, name: &str) -> Result<Option<Versioned<Planned>>, CallFailed> {
        self.lock().plans.get(name).map(|row| read(row, stored::decode)).transpose()
    }

    async fn save_plan(&self, plan: &Versioned<Planned>) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        if version_of(&table.plans, &plan.record.plan.name) != plan.version {
            return Ok(Saved::Outdated);
        }
        table.put_plan(&plan.record, plan.version + 1);
        Ok(Saved::As(plan.version + 1))
    }

    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        Ok(self.lock().buckets.get(action).cloned())
    }

    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        let mut table = self.lock();
        if table.buckets.get(action).map_or(0, |known| known.version) != bucket.version {
            return Ok(Saved::Outdated);
        }
        let saved = Versioned { record: bucket.record.clone(), version: bucket.version + 1 };
        table.buckets.insert(action.to_owned(), saved);
        Ok(Saved::As(bucket.version + 1))
    }

    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        let mut table = self.lock();
        let same = |write: &PlanWrite| match write {
            PlanWrite::Put(plan) => version_of(&table.plans, &plan.record.plan.name) == plan.version,
            PlanWrite::Remove { name, version } => version_of(&table.plans, name) == *version,
        };
        let outdated = sources.iter().any(|source| version_of(&table.sources, &source.record.id) != source.version);
        if outdated || !plans.iter().all(same) {
            return Ok(Written::Outdated);
        }
        for write in plans {
            match write {
                PlanWrite::Put(plan) => table.put_plan(&plan.record, plan.version + 1),
                PlanWrite::Remove { name, .. } => {
                    table.plans.remove(name);
                    table.place(Key::Plan(name.clone()), Queue::Tick, None);
                }
            }
        }
        for source in sources {
            table.put_source(&source.record, source.version + 1);
        }
        Ok(Written::Whole)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ready<T>(future: impl Future<Output = Result<T, CallFailed>>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done.expect("in memory"),
            Poll::Pending => panic!("the store was pending"),
        }
    }

    fn at(text: &str) -> Time {
        format!("2026-01-15T{text}Z").parse().expect("a time")
    }

    /// A table with a plan of two sources, whose slots come at 11:00.
    fn table() -> (MemoryStore, Vec<Versioned<Source>>) {
        let text = "plans: [{name: web, select: {groups: [b, a]}, schedule: hourly}]";
        let plan = lastgood_core::plan::read("plans.yaml", text).expect("a plan").plans[0].plan.clone();
        let id = |name: &str| SourceId::Group(name.into());
        let sources: Vec<_> = ["a", "b"]
            .iter()
            .map(|name| Versioned::new(source::apply(None, &id(name), &plan, at("10:30:00"))))
            .collect();
        let store = MemoryStore::new();
        let plans = [PlanWrite::Put(Versioned::new(Planned { plan, survey_at: at("12:00:00") }))];
        assert_eq!(ready(store.write_plans(&plans, &sources)), Written::Whole);
        // They were new then: a second time nothing is written.
        assert_eq!(ready(store.write_plans(&plans, &sources)), Written::Outdated);
        let sources = ready(store.sources());
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
        assert_eq!(ready(store.save_source(&late)), Saved::As(2));
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
        assert_eq!(ready(store.create_backup(&claim.backup)), Saved::Outdated);
        assert_eq!(store.dump(), before);
        let backups = ready(store.backups(&claim.backup.id.source));
        assert_eq!(backups, [Versioned { record: claim.backup.clone(), version: 1 }]);
        // Others leave it to whoever claimed it for a while.
        assert_eq!(ready(store.due(Queue::Poll, at("11:00:59"), 10)), []);
        assert_eq!(ready(store.due(Queue::Poll, at("11:01:00"), 10)), [Key::Backup(claim.backup.id.clone())]);

        let mut imaged = backups[0].clone();
        imaged.record.image = Some("ami-1".into());
        assert_eq!(ready(store.save_backup(&imaged)), Saved::As(2));
        assert_eq!(ready(store.save_backup(&imaged)), Saved::Outdated);
        assert_eq!(ready(store.backup_of(&"ami-1".into())), Some(claim.backup.id));
    }
}
