//! The port `Store`, in memory. What is kept is what the stored form says when it is read back, so that every test goes
//! through it; only a day of chaos does without, for it is the same thousands of times over.

mod kept;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::id::{ArtifactId, BackupId};
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Place, Queue, Record};
use lastgood_core::rollout::Rollout;
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::stored;
use lastgood_core::watch::Part;
use lastgood_engine::port::{CallFailed, How, Listed, Looked, PlanWrite, Saved, Store, Versioned, Written};

pub use self::kept::Kept;
use self::kept::record_of;
use crate::access::{Access, Need};
use crate::weather::{Fate, Sky, Weather};

/// The table.
#[derive(Debug, Default)]
pub struct MemoryStore {
    table: Mutex<Table>,
    /// Who may what, and what the table is called.
    guard: Mutex<Option<(Access, String)>>,
    /// It was restored, which makes another table (AWS: Restoring a DynamoDB table to a point in time).
    restored: AtomicBool,
}

#[derive(Debug, Default)]
struct Table {
    /// Records are kept as they come.
    is_plain: bool,
    kept: Kept,
    sky: Sky,
    /// What of its protection is off.
    broken: Vec<Part>,
    /// Every save of a backup since it was last asked, if somebody watches: what was there, and what is.
    watched: Option<Vec<SavedBackup>>,
    /// The same of rollouts.
    watched_rollouts: Vec<SavedRollout>,
}

/// A save of a backup: what was there before, and what is there now.
pub type SavedBackup = (Option<Backup>, Backup);
/// A save of a rollout, so too.
pub type SavedRollout = (Option<Rollout>, Rollout);

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
        for (Place { partition, sort }, row) in &table.kept.rows {
            let _ = writeln!(text, "{partition} {sort} {row:?}");
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

    /// The saves of rollouts since this was last asked, in their order.
    pub fn take_saved_rollouts(&self) -> Vec<SavedRollout> {
        std::mem::take(&mut self.lock().watched_rollouts)
    }

    /// What the table holds now. Not a call.
    pub fn remember(&self) -> Kept {
        self.lock().kept.clone()
    }

    /// The table as it was. Not a call.
    pub fn restore(&self, then: &Kept) {
        self.restored.store(true, Ordering::Relaxed);
        self.lock().kept = then.clone();
    }

    /// Every rollout, and every refresh that was watched. Not a call.
    pub fn all_rollouts(&self) -> Vec<Rollout> {
        self.lock().kept.all()
    }

    /// Every backup. Not a call.
    pub fn all_backups(&self) -> Vec<Backup> {
        self.lock().kept.all()
    }

    /// Every source. Not a call.
    pub fn all_sources(&self) -> Vec<Source> {
        self.lock().kept.all()
    }

    /// When the first record of a queue is due. Not a call.
    pub fn next_due(&self, queue: Queue) -> Option<Time> {
        self.lock().kept.queues.get(&queue)?.first().map(|(at, _)| *at)
    }

    /// What stands in a queue, whenever it is due. Not a call.
    pub fn waiting(&self, queue: Queue) -> Vec<(Time, Key)> {
        self.lock().kept.queues.get(&queue).into_iter().flatten().cloned().collect()
    }

    /// A row is lost: a bad script, a restore of the table from before. Not a call.
    pub fn lose_backup(&self, id: &BackupId) {
        let mut table = self.lock();
        table.kept.by_artifact.retain(|_, other| other != id);
        table.kept.remove(&Backup::place(id));
    }

    /// Somebody switches these parts of its protection off, and all others on. Not a call.
    pub fn breaks(&self, parts: &[Part]) {
        self.lock().broken = parts.to_vec();
    }

    /// From now on calls are judged: the table has this ARN.
    pub fn guard(&self, access: Access, arn: &str) {
        *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = Some((access, arn.to_owned()));
    }

    /// Whether the caller may: `place` is behind the table's ARN.
    /// What such a call tells to be broken.
    fn look(&self, action: &'static str, tells: impl Fn(&Part) -> bool) -> Result<Vec<Part>, CallFailed> {
        self.may(action, "")?;
        self.call(|table| Ok(table.broken.iter().filter(|part| tells(part)).cloned().collect()))
    }

    fn may(&self, action: &'static str, place: &str) -> Result<(), CallFailed> {
        match &*self.guard.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((access, arn)) => access
                .judge(&[Need::new(action, format!("{arn}{place}"))])
                .map_err(|need| CallFailed::new(How::Refused, action, format!("AccessDeniedException: {need}"))),
            None => Ok(()),
        }
    }

    /// An item of the table becomes one that nobody here can read, or is one that can be read again. Not a call.
    pub fn spoil(&self, place: &Place, is_spoiled: bool) {
        self.lock().kept.rows.get_mut(place).expect("tests spoil what is there").is_spoiled = is_spoiled;
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

impl Table {
    /// Whether the real table would take a record.
    fn fits<R: Record>(&self, saved: &Versioned<R>) -> Result<(), CallFailed> {
        if self.is_plain {
            return Ok(());
        }
        let stored = stored::encode_within(&saved.record);
        stored.map(|_| ()).map_err(|error| CallFailed::new(How::NotMade, "dynamodb", error))
    }

    /// Keeps a record as it is read back.
    fn put<R: Record>(&mut self, saved: &Versioned<R>) {
        let record = if self.is_plain {
            saved.record.clone()
        } else {
            stored::decode(&stored::encode(&saved.record)).expect("what is written can be read")
        };
        let place = R::place(&record.id());
        if let (Some(watched), Some(after)) = (&mut self.watched, (&record as &dyn Any).downcast_ref::<Backup>()) {
            let before = self.kept.rows.get(&place).map(|row| record_of::<Backup>(&*row.record).clone());
            watched.push((before, after.clone()));
        }
        if let (Some(_), Some(after)) = (&self.watched, (&record as &dyn Any).downcast_ref::<Rollout>()) {
            let before = self.kept.rows.get(&place).map(|row| record_of::<Rollout>(&*row.record).clone());
            self.watched_rollouts.push((before, after.clone()));
        }
        self.kept.put(record, saved.version + 1);
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &str {
        if self.restored.load(Ordering::Relaxed) { "restored" } else { "table" }
    }

    async fn broken(&self) -> Looked {
        let mut looked = Looked::default();
        let is_recovery = |part: &Part| matches!(part, Part::PointInTimeRecovery(_));
        looked.take(self.look("dynamodb:DescribeContinuousBackups", is_recovery));
        looked.take(self.look("dynamodb:DescribeTimeToLive", |part| !is_recovery(part)));
        looked
    }

    async fn due(&self, queue: Queue, now: Time, limit: usize) -> Result<Vec<Key>, CallFailed> {
        self.may("dynamodb:Query", "/index/due")?;
        self.call(|table| {
            let waiting = table.kept.queues.get(&queue).into_iter().flatten();
            let waiting = waiting.take_while(|(wake, _)| *wake <= now).take(limit).map(|(_, key)| key.clone());
            let mut due: Vec<Key> = waiting.collect();
            let lagging = table.sky.weather.lagging;
            due.retain(|_| !table.sky.strikes(lagging, "records an index lacked"));
            Ok(due)
        })
    }

    async fn load<R: Record>(&self, id: &R::Id) -> Result<Option<Versioned<R>>, CallFailed> {
        self.may("dynamodb:GetItem", "")?;
        self.call(|table| table.kept.load(id))
    }

    async fn read<R: Record>(&self, of: &R::Of) -> Result<Listed<R>, CallFailed> {
        self.may("dynamodb:Query", "")?;
        self.call(|table| Ok(table.kept.list(of)))
    }

    async fn save<R: Record>(&self, record: &Versioned<R>) -> Result<Saved, CallFailed> {
        self.may("dynamodb:PutItem", "")?;
        self.call(|table| {
            table.fits(record)?;
            if !table.kept.is_same(record) {
                return Ok(Saved::Outdated);
            }
            table.put(record);
            Ok(Saved::As(record.version + 1))
        })
    }

    async fn backup_of(&self, artifact: &ArtifactId) -> Result<Option<BackupId>, CallFailed> {
        self.may("dynamodb:Query", "/index/artifact")?;
        self.call(|table| {
            let found = table.kept.by_artifact.get(artifact).cloned();
            let lagging = table.sky.weather.lagging;
            Ok(found.filter(|_| !table.sky.strikes(lagging, "records an index lacked")))
        })
    }

    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        self.may("dynamodb:PutItem", "")?;
        let backup = Versioned::new(backup.clone());
        self.call(|table| {
            table.fits(source)?;
            table.fits(&backup)?;
            if !table.kept.is_same(source) || !table.kept.is_same(&backup) {
                return Ok(Saved::Outdated);
            }
            table.put(source);
            table.put(&backup);
            Ok(Saved::As(source.version + 1))
        })
    }

    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        self.may("dynamodb:GetItem", "")?;
        self.call(|table| Ok(table.kept.buckets.get(action).cloned()))
    }

    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        self.may("dynamodb:PutItem", "")?;
        self.call(|table| {
            if table.kept.buckets.get(action).map_or(0, |known| known.version) != bucket.version {
                return Ok(Saved::Outdated);
            }
            let saved = Versioned { record: bucket.record.clone(), version: bucket.version + 1 };
            table.kept.buckets.insert(action.to_owned(), saved);
            Ok(Saved::As(bucket.version + 1))
        })
    }

    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        self.may("dynamodb:PutItem", "")?;
        self.call(|table| {
            for source in sources {
                table.fits(source)?;
            }
            for write in plans {
                if let PlanWrite::Put(plan) = write {
                    table.fits(plan)?;
                }
            }
            let same = |write: &PlanWrite| match write {
                PlanWrite::Put(plan) => table.kept.is_same(plan),
                PlanWrite::Remove { name, version } => table.kept.version(&Planned::place(name)) == *version,
            };
            if !plans.iter().all(same) || !sources.iter().all(|source| table.kept.is_same(source)) {
                return Ok(Written::Outdated);
            }
            for write in plans {
                match write {
                    PlanWrite::Put(plan) => table.put(plan),
                    PlanWrite::Remove { name, .. } => table.kept.remove(&Planned::place(name)),
                }
            }
            for source in sources {
                table.put(source);
            }
            Ok(Written::Whole)
        })
    }
}
