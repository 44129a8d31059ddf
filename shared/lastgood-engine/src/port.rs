//! The ports: what the engine asks of the world outside. Real ones are in lastgood-aws, a simulated one in tests/world. That
//! of AWS itself is in [`crate::call`].
//!
//! Two kinds of no. An [`Answer`] may be a refusal: the call got through and was judged, and the decision must know.
//! [`CallFailed`] means that it did not get through, or nobody knows: it may be made again, for every call of these
//! ports is safe to repeat.

use std::collections::BTreeSet;
use std::future::Future;

use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::id::{ArtifactId, BackupId};
use lastgood_core::notice::Notice;
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Place, Queue, Record};
use lastgood_core::refusal::Refusal;
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::watch::Part;

/// A call that did not come about, or of which nobody knows whether it did.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}", .how.words())]
pub struct CallFailed {
    /// The call, as the field knows it: `ec2:CreateImage`.
    pub action: &'static str,
    /// How it failed.
    pub how: How,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// No answer came: it may have been carried out.
    Unanswered,
    /// AWS said that too many calls came in: it was not carried out.
    Throttled,
    /// It was not made.
    NotMade,
    /// It was refused, where there is no going on without it.
    Refused,
    /// What must be there by what AWS said before is not told yet.
    NotYet,
    /// Its answer can't be read.
    Unreadable,
}

impl How {
    fn words(self) -> &'static str {
        match self {
            Self::Unanswered => "got no answer",
            Self::Throttled => "was throttled",
            Self::NotMade => "was not done",
            Self::Refused => "was refused",
            Self::NotYet => "does not tell it yet",
            Self::Unreadable => "gave an answer that can't be read",
        }
    }
}

impl CallFailed {
    /// A call that failed.
    pub fn new(how: How, action: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { action, how, source: source.into() }
    }

    /// One that was refused, where there is no going on without it.
    pub fn refused(action: &'static str) -> impl Fn(Refusal) -> Self {
        move |refusal| Self::new(How::Refused, action, refusal)
    }
}

/// What was answered: the thing, or why not.
pub type Answer<T> = Result<T, Refusal>;

/// A record, and the version under which it was read. A record that is not there yet has version 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub record: T,
    /// Grows by one with every save.
    pub version: u64,
}

impl<T> Versioned<T> {
    /// A record that is not in the store yet.
    pub fn new(record: T) -> Self {
        Self { record, version: 0 }
    }
}

/// A list as it was read. One item that can't be read, of a newer version perhaps, keeps none of the others back.
#[derive(Debug)]
pub struct Listed<R> {
    /// What could be read.
    pub records: Vec<Versioned<R>>,
    /// What could not.
    pub unreadable: Vec<Unreadable>,
}

/// An item of the table that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the item '{}' in '{}' of the table can't be read, and is passed over; a newer version may have written it", place.sort, place.partition)]
pub struct Unreadable {
    /// Where it stands.
    pub place: Place,
    /// Why.
    #[source]
    pub source: CallFailed,
}

impl<R> Listed<R> {
    /// The keys of what could not be read.
    pub(crate) fn unread(&self) -> impl Iterator<Item = Key> {
        self.unreadable.iter().filter_map(|one| Key::at(&one.place))
    }

    /// All of it; an error if one can't be read.
    pub fn whole(mut self) -> Result<Vec<Versioned<R>>, CallFailed> {
        match self.unreadable.pop() {
            None => Ok(self.records),
            Some(one) => Err(CallFailed::new(How::Unreadable, "reading a list", one)),
        }
    }
}

/// What came of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is saved, under this version.
    As(u64),
    /// Somebody else saved the record since it was read: nothing was written.
    Outdated,
}

/// What came of a transaction over many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it is written.
    Whole,
    /// Somebody else saved one of the records since it was read: nothing was written.
    Outdated,
}

/// The records. Reads of one record are consistent; the queues and the list of artifacts may lag.
pub trait Store: Sync {
    /// Up to `limit` records of `queue` whose wake is not after `now`. Costs what is due, not what there is.
    fn due(&self, queue: Queue, now: Time, limit: usize) -> impl Future<Output = Result<Vec<Key>, CallFailed>> + Send;
    /// A record.
    fn load<R: Record>(&self, id: &R::Id) -> impl Future<Output = Result<Option<Versioned<R>>, CallFailed>> + Send;
    /// Every record of a list that can be read, and which can't.
    fn read<R: Record>(&self, of: &R::Of) -> impl Future<Output = Result<Listed<R>, CallFailed>> + Send;
    /// Every record of a list. An error if one of them can't be read: for decisions that all of them matter to.
    fn list<R: Record>(&self, of: &R::Of) -> impl Future<Output = Result<Vec<Versioned<R>>, CallFailed>> + Send {
        async move { self.read(of).await?.whole() }
    }
    /// Saves a record on its version.
    fn save<R: Record>(&self, record: &Versioned<R>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// The backup that has this artifact.
    fn backup_of(&self, artifact: &ArtifactId) -> impl Future<Output = Result<Option<BackupId>, CallFailed>> + Send;
    /// Saves a source on its version and creates a backup that is not there yet: both or neither. `Outdated` if the
    /// source changed or the backup exists.
    fn claim(
        &self,
        source: &Versioned<Source>,
        backup: &Backup,
    ) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// What is left of our share of an action's calls.
    fn bucket(&self, action: &str) -> impl Future<Output = Result<Option<Versioned<Bucket>>, CallFailed>> + Send;
    /// Saves that on its version.
    fn save_bucket(
        &self,
        action: &str,
        bucket: &Versioned<Bucket>,
    ) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// The table's name: another one holds other records.
    fn name(&self) -> &str;
    /// What of the table's own protection is off.
    fn broken(&self) -> impl Future<Output = Looked> + Send;
    /// Writes plans (or removes them), and the sources as they become, each on its version and all in one transaction.
    /// There are at most [`crate::apply::TRANSACTION_ITEMS_MAX`] of both together.
    fn write_plans(
        &self,
        plans: &[PlanWrite],
        sources: &[Versioned<Source>],
    ) -> impl Future<Output = Result<Written, CallFailed>> + Send;
}

/// A plan as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few of them, for one write")]
pub enum PlanWrite {
    /// It is put there.
    Put(Versioned<Planned>),
    /// It is removed.
    Remove {
        /// Its name.
        name: String,
        /// The version under which it was read.
        version: u64,
    },
}

/// What became of one notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is on the bus.
    Sent,
    /// It is not, and why.
    NotSent(String),
    /// It is not, because its sender may not send it: what AWS says of that.
    Forbidden(String),
}

/// What a look at the deployment found. One part that can't be looked at keeps back none of the others.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is missing or off.
    pub broken: BTreeSet<Part>,
    /// What could not be looked at.
    pub failed: Vec<CallFailed>,
}

impl Looked {
    /// Takes in what one look found.
    pub fn take(&mut self, found: Result<impl IntoIterator<Item = Part>, CallFailed>) {
        match found {
            Ok(parts) => self.broken.extend(parts),
            Err(error) => self.failed.push(error),
        }
    }

    /// Takes in what others found.
    pub fn add(&mut self, other: Self) {
        self.broken.extend(other.broken);
        self.failed.extend(other.failed);
    }
}

/// Our bus.
pub trait Bus: Sync {
    /// PutEvents, ten at a time: what became of each notice, in their order.
    fn post(&self, notices: &[Notice]) -> impl Future<Output = Result<Vec<Posted>, CallFailed>> + Send;
    /// What of the bus and of the rules of the deployment is missing or off. PutEvents on a bus that is missing tells
    /// nothing.
    fn broken(&self) -> impl Future<Output = Looked> + Send;
    /// The rule that hands notices to people, as EventBridge names it, if that is known.
    fn notice_rule(&self) -> Option<&str>;
}

/// The time.
pub trait Clock: Sync {
    /// Now, in whole seconds.
    fn now(&self) -> Time;
    /// Lets so many seconds pass. Only pacing waits: see `paced.rs`.
    fn pause(&self, seconds: i64) -> impl Future<Output = ()> + Send;
}
