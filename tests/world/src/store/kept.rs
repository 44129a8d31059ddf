//! What the table holds: what point-in-time recovery restores.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use lastgood_core::Time;
use lastgood_core::id::{ArtifactId, BackupId};
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Place, Queue, Record};
use lastgood_core::stored;
use lastgood_engine::port::{CallFailed, How, Listed, Unreadable, Versioned};

/// A record as it is kept. All kinds stand together, as they do in the real table.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) record: Arc<dyn Any + Send + Sync>,
    version: u64,
    /// Its stored form.
    stored: fn(&dyn Any) -> String,
    key: Option<Key>,
    /// Nobody here can read it.
    pub(super) is_spoiled: bool,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{} {}", self.version, (self.stored)(&*self.record))
    }
}

pub(super) fn record_of<R: Record>(record: &dyn Any) -> &R {
    record.downcast_ref().expect("each place is of one kind")
}

/// All of its rows, by their place and as its indexes have them.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub(super) rows: BTreeMap<Place, Row>,
    pub(super) buckets: BTreeMap<String, Versioned<Bucket>>,
    pub(super) by_artifact: BTreeMap<ArtifactId, BackupId>,
    /// Where each record stands in the queues, and the queues in the order of time.
    waiting: BTreeMap<Key, (Queue, Time)>,
    pub(super) queues: BTreeMap<Queue, BTreeSet<(Time, Key)>>,
}

impl Kept {
    pub(super) fn version(&self, place: &Place) -> u64 {
        self.rows.get(place).map_or(0, |row| row.version)
    }

    pub(super) fn load<R: Record>(&self, id: &R::Id) -> Result<Option<Versioned<R>>, CallFailed> {
        match self.rows.get(&R::place(id)) {
            Some(row) if row.is_spoiled => Err(spoiled()),
            row => Ok(row.map(versioned)),
        }
    }

    pub(super) fn list<R: Record>(&self, of: &R::Of) -> Listed<R> {
        let partition = R::partition(of);
        let first = Place { partition: partition.clone(), sort: String::new() };
        let rows = self.rows.range(first..).take_while(|(place, _)| place.partition == partition);
        let mut listed = Listed { records: Vec::new(), unreadable: Vec::new() };
        for (place, row) in rows {
            if row.is_spoiled {
                listed.unreadable.push(Unreadable { place: place.clone(), source: spoiled() });
            } else {
                listed.records.push(versioned(row));
            }
        }
        if R::LAST_FIRST {
            listed.records.reverse();
        }
        listed
    }

    /// Every record of a kind.
    pub(super) fn all<R: Record>(&self) -> Vec<R> {
        self.rows.values().filter_map(|row| row.record.downcast_ref::<R>().cloned()).collect()
    }

    /// Whether nobody has saved the record since it was read.
    pub(super) fn is_same<R: Record>(&self, record: &Versioned<R>) -> bool {
        self.version(&R::place(&record.record.id())) == record.version
    }

    pub(super) fn put<R: Record>(&mut self, record: R, version: u64) {
        let place = R::place(&record.id());
        let (key, waits) = (Key::at(&place), record.waits());
        if let (Some(artifact), Some(Key::Backup(id))) = (record.artifact(), &key) {
            self.by_artifact.insert(artifact.clone(), id.clone());
        }
        if let Some(key) = key.clone() {
            self.wait(key, waits);
        }
        let stored = |record: &dyn Any| stored::encode(record_of::<R>(record));
        self.rows.insert(place, Row { record: Arc::new(record), version, stored, key, is_spoiled: false });
    }

    pub(super) fn remove(&mut self, place: &Place) {
        if let Some(key) = self.rows.remove(place).and_then(|row| row.key) {
            self.wait(key, None);
        }
    }

    fn wait(&mut self, key: Key, waits: Option<(Queue, Time)>) {
        if let Some((queue, wake)) = self.waiting.remove(&key) {
            self.queues.entry(queue).or_default().remove(&(wake, key.clone()));
        }
        if let Some((queue, wake)) = waits {
            self.waiting.insert(key.clone(), (queue, wake));
            self.queues.entry(queue).or_default().insert((wake, key));
        }
    }
}

fn spoiled() -> CallFailed {
    CallFailed::new(How::Unreadable, "dynamodb", "not a stored record")
}

fn versioned<R: Record>(row: &Row) -> Versioned<R> {
    Versioned { record: record_of::<R>(&*row.record).clone(), version: row.version }
}
