//! The port `Store`, in memory. What is kept is what the stored form says when it is read back, so that every test goes
//! through it; only a day of chaos does without, for it is the same thousands of times over.

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
use lastgood_core::sweep::Sweep;
use lastgood_engine::port::{CallFailed, How, Key, PlanWrite, Saved, Store, Versioned, Written};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::weather::{Fate, Sky, Weather};

/// The table.
#[derive(Debug, Default)]
pub struct MemoryStore {
    table: Mutex<Table>,
}

type Row<T> = Versioned<T>;

#[derive(Debug, Default)]
struct Table {
    /// Records are kept as they come.
    is_plain: bool,
    sources: BTreeMap<SourceId, Row<Source>>,
    backups: BTreeMap<BackupId, Row<Backup>>,
    rollouts: BTreeMap<RefreshId, Row<Rollout>>,
    plans: BTreeMap<String, Row<Planned>>,
    buckets: BTreeMap<String, Versioned<Bucket>>,
    sweep: Option<Row<Sweep>>,
    by_image: BTreeMap<ImageId, BackupId>,
    /// Where each record stands in the queues, and the queues in the order of time.
    places: BTreeMap<Key, (Queue, Time)>,
    queues: BTreeMap<Queue, BTreeSet<(Time, Key)>>,
    sky: Sky,
    /// Every save of a backup since it was last asked, if somebody watches: what was there, and what is.
    watched: Option<Vec<SavedBackup>>,
}

/// A save of a backup: what was there before, and what is there now.
pub type SavedBackup = (Option<Backup>, Backup);

impl MemoryStore {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty table that does without the stored form.
    pub fn plain() -> Self {
        let store = Self::default();
        store.lock().is_plain = true;
        store
    }

    /// All of it as text, a line for each record: equal texts are equal tables.
    pub fn dump(&self) -> String {
        let table = self.lock();
        let mut text = String::new();
        let mut line = |key: &str, version: u64, stored: String| {
            let _ = writeln!(text, "{key} v{version} {stored}");
        };
        for (id, row) in &table.sources {
            line(&id.to_string(), row.version, stored::encode(&row.record));
        }
        for (id, row) in &table.backups {
            line(&id.to_string(), row.version, stored::encode(&row.record));
        }
        for (id, row) in &table.rollouts {
            line(&format!("rollout/{id}"), row.version, stored::encode(&row.record));
        }
        for (name, row) in &table.plans {
            line(&format!("plan/{name}"), row.version, stored::encode(&row.record));
        }
        text
    }

    /// From now on calls meet this weather.
    pub fn set_weather(&self, seed: u64, weather: Weather) {
        self.lock().sky.set(seed, weather);
    }

    /// How many faults there were of each kind.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.lock().sky.done.clone()
    }

    /// From now on saves of backups are kept for [`MemoryStore::take_saved`].
    pub fn watch(&self) {
        self.lock().watched = Some(Vec::new());
    }

    /// The saves of backups since this was last asked, in their order.
    pub fn take_saved(&self) -> Vec<SavedBackup> {
        self.lock().watched.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Every backup. Not a call.
    pub fn all_backups(&self) -> Vec<Backup> {
        self.lock().backups.values().map(|row| row.record.clone()).collect()
    }

    /// Every source. Not a call.
    pub fn all_sources(&self) -> Vec<Source> {
        self.lock().sources.values().map(|row| row.record.clone()).collect()
    }

    /// When the first record of a queue is due. Not a call.
    pub fn next_due(&self, queue: Queue) -> Option<Time> {
        self.lock().queues.get(&queue)?.first().map(|(at, _)| *at)
    }

    /// What stands in a queue, whenever it is due. Not a call.
    pub fn waiting(&self, queue: Queue) -> Vec<(Time, Key)> {
        self.lock().queues.get(&queue).into_iter().flatten().cloned().collect()
    }

    /// A row is lost: a bad script, a restore of the table from before. Not a call.
    pub fn lose_backup(&self, id: &BackupId) {
        let mut table = self.lock();
        table.backups.remove(id);
        table.by_image.retain(|_, other| other != id);
        table.place(Key::Backup(id.clone()), Queue::Poll, None);
    }

    /// Carries a call out, if it gets through.
    fn call<T>(&self, run: impl FnOnce(&mut Table) -> Result<T, CallFailed>) -> Result<T, CallFailed> {
        let mut table = self.lock();
        let failed = |why: &str| Err(CallFailed::new(How::Unanswered, "dynamodb", why));
        match table.sky.fate() {
            Fate::Through => run(&mut table),
            Fate::Unanswered => run(&mut table).and_then(|_| failed("the answer is lost")),
            Fate::Unheard | Fate::Throttled => failed("the call was not heard"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version_of<K: Ord, T>(rows: &BTreeMap<K, Row<T>>, key: &K) -> u64 {
    rows.get(key).map_or(0, |row| row.version)
}

impl Table {
    /// A record as it is read back.
    fn row<T: Clone + Serialize + DeserializeOwned>(&self, record: &T, version: u64) -> Row<T> {
        let record = if self.is_plain {
            record.clone()
        } else {
            stored::decode(&stored::encode(record)).expect("what is written can be read")
        };
        Row { record, version }
    }

    fn put_source(&mut self, source: &Source, version: u64) {
        let row = self.row(source, version);
        self.sources.insert(source.id.clone(), row);
        self.place(Key::Source(source.id.clone()), Queue::Tick, source::wake(source));
    }

    fn put_backup(&mut self, backup: &Backup, version: u64) {
        let row = self.row(backup, version);
        let before = self.backups.insert(backup.id.clone(), row);
        if let Some(watched) = &mut self.watched {
            watched.push((before.map(|row| row.record), backup.clone()));
        }
        if let Some(image) = &backup.image {
            self.by_image.insert(image.clone(), backup.id.clone());
        }
        self.place(Key::Backup(backup.id.clone()), backup::queue(backup), backup::wake(backup));
    }

    fn put_rollout(&mut self, rollout: &Rollout, version: u64) {
        let row = self.row(rollout, version);
        self.rollouts.insert(rollout.refresh.clone(), row);
        self.place(Key::Rollout(rollout.refresh.clone()), Queue::Poll, rollout::wake(rollout));
    }

    fn put_plan(&mut self, planned: &Planned, version: u64) {
        let name = planned.plan.name.clone();
        let row = self.row(planned, version);
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
        self.call(|table| {
            let waiting = table.queues.get(&queue).into_iter().flatten();
            let waiting = waiting.take_while(|(wake, _)| *wake <= now).take(limit).map(|(_, key)| key.clone());
            let mut due: Vec<Key> = waiting.collect();
            let lagging = table.sky.weather.lagging;
            due.retain(|_| !table.sky.strikes(lagging, "records an index lacked"));
            Ok(due)
        })
    }

    async fn source(&self, id: &SourceId) -> Result<Option<Versioned<Source>>, CallFailed> {
        self.call(|table| Ok(table.sources.get(id).cloned()))
    }

    async fn sources(&self) -> Result<Vec<Versioned<Source>>, CallFailed> {
        self.call(|table| Ok(table.sources.values().cloned().collect()))
    }

    async fn save_source(&self, source: &Versioned<Source>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if version_of(&table.sources, &source.record.id) != source.version {
                return Ok(Saved::Outdated);
            }
            table.put_source(&source.record, source.version + 1);
            Ok(Saved::As(source.version + 1))
        })
    }

    async fn backup(&self, id: &BackupId) -> Result<Option<Versioned<Backup>>, CallFailed> {
        self.call(|table| Ok(table.backups.get(id).cloned()))
    }

    async fn backups(&self, source: &SourceId) -> Result<Vec<Versioned<Backup>>, CallFailed> {
        let slot = |slot| BackupId { source: source.clone(), slot };
        self.call(|table| {
            let rows = table.backups.range(slot(Time::MIN)..=slot(Time::MAX)).rev();
            Ok(rows.map(|(_, row)| row.clone()).collect())
        })
    }

    async fn backup_of(&self, image: &ImageId) -> Result<Option<BackupId>, CallFailed> {
        self.call(|table| {
            let found = table.by_image.get(image).cloned();
            let lagging = table.sky.weather.lagging;
            Ok(found.filter(|_| !table.sky.strikes(lagging, "records an index lacked")))
        })
    }

    async fn save_backup(&self, backup: &Versioned<Backup>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if version_of(&table.backups, &backup.record.id) != backup.version {
                return Ok(Saved::Outdated);
            }
            table.put_backup(&backup.record, backup.version + 1);
            Ok(Saved::As(backup.version + 1))
        })
    }

    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        self.call(|table| {
            let outdated = version_of(&table.sources, &source.record.id) != source.version;
            if outdated || table.backups.contains_key(&backup.id) {
                return Ok(Saved::Outdated);
            }
            table.put_source(&source.record, source.version + 1);
            table.put_backup(backup, 1);
            Ok(Saved::As(source.version + 1))
        })
    }

    async fn create_backup(&self, backup: &Backup) -> Result<Saved, CallFailed> {
        self.save_backup(&Versioned::new(backup.clone())).await
    }

    async fn rollout(&self, id: &RefreshId) -> Result<Option<Versioned<Rollout>>, CallFailed> {
        self.call(|table| Ok(table.rollouts.get(id).cloned()))
    }

    async fn save_rollout(&self, rollout: &Versioned<Rollout>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if version_of(&table.rollouts, &rollout.record.refresh) != rollout.version {
                return Ok(Saved::Outdated);
            }
            table.put_rollout(&rollout.record, rollout.version + 1);
            Ok(Saved::As(rollout.version + 1))
        })
    }

    async fn plans(&self) -> Result<Vec<Versioned<Planned>>, CallFailed> {
        self.call(|table| Ok(table.plans.values().cloned().collect()))
    }

    async fn plan(&self, name: &str) -> Result<Option<Versioned<Planned>>, CallFailed> {
        self.call(|table| Ok(table.plans.get(name).cloned()))
    }

    async fn save_plan(&self, plan: &Versioned<Planned>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if version_of(&table.plans, &plan.record.plan.name) != plan.version {
                return Ok(Saved::Outdated);
            }
            table.put_plan(&plan.record, plan.version + 1);
            Ok(Saved::As(plan.version + 1))
        })
    }

    async fn sweep(&self) -> Result<Option<Versioned<Sweep>>, CallFailed> {
        self.call(|table| Ok(table.sweep.clone()))
    }

    async fn save_sweep(&self, sweep: &Versioned<Sweep>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if table.sweep.as_ref().map_or(0, |row| row.version) != sweep.version {
                return Ok(Saved::Outdated);
            }
            table.sweep = Some(table.row(&sweep.record, sweep.version + 1));
            Ok(Saved::As(sweep.version + 1))
        })
    }

    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        self.call(|table| Ok(table.buckets.get(action).cloned()))
    }

    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        self.call(|table| {
            if table.buckets.get(action).map_or(0, |known| known.version) != bucket.version {
                return Ok(Saved::Outdated);
            }
            let saved = Versioned { record: bucket.record.clone(), version: bucket.version + 1 };
            table.buckets.insert(action.to_owned(), saved);
            Ok(Saved::As(bucket.version + 1))
        })
    }

    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        self.call(|table| {
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
        })
    }
}
