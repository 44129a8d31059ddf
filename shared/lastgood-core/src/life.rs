//! What every life has in common: the shape that `backup/life.rs` and `rollout/life.rs` fill, and all that the engine's driver
//! knows of a record.
//!
//! Load, decide, save on the version, do what is due, feed the answer back. Nothing here says what happens to a record:
//! that is in its own folder. What its outbox holds is sent by the driver, when nothing else is due: a bus that is down
//! delays no work.

use std::fmt::{self, Debug, Display};

use crate::Time;
use crate::record::{Queue, Tells};

/// Pause after a call that did not get through.
pub const RETRY_SECONDS: i64 = 60;
/// How long others leave a record alone after somebody moved it: they are at it, unless they died.
pub const LEASE_SECONDS: i64 = 60;

/// What [`Life::decide`] makes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<R> {
    /// The record as it is to be saved.
    pub record: R,
    /// Why, in words; for an event that changes nothing, why not.
    pub reason: String,
}

/// What a record asks for. Each is safe to repeat.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect<Together, Alone> {
    /// A look that one call answers for many records: those of a wave ask together.
    Together(Together),
    /// What each record asks by itself.
    Alone(Alone),
}

impl<Together: Debug, Alone: Debug> Debug for Effect<Together, Alone> {
    /// As what is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Together(look) => look.fmt(f),
            Self::Alone(own) => own.fmt(f),
        }
    }
}

/// A record that has a life: events change it, and what is saved of it asks for effects.
pub trait Life: Tells<Id: Display> {
    /// Something that happened, or an answer.
    type Event: Clone + Debug + Send + Sync;
    /// What records ask for together.
    type Together: Debug + PartialEq + Send + Sync;
    /// What each asks for by itself.
    type Alone: Debug + PartialEq + Send + Sync;

    /// What `event` makes of the record at `now`. An event that is late, doubled or about something else leaves it as it is:
    /// that is no error.
    fn decide(&self, event: Self::Event, now: Time) -> Step<Self>;
    /// The one thing that the saved record asks for at `now` of the function that looks at `part`.
    fn due(&self, part: Queue, now: Time) -> Option<Effect<Self::Together, Self::Alone>>;
    /// The event that somebody takes the record up, for its time has come.
    fn woken() -> Self::Event;
    /// The event that what the record asks for did not get through, and what was tried.
    fn unanswered(&self, trouble: String) -> Self::Event;
    /// Whether it goes before all others: something that runs is off because of it.
    fn is_urgent(&self) -> bool {
        false
    }
    /// Whether an event tells what is so at AWS whoever saved the record meanwhile: then it is fed to what they saved.
    fn holds_whoever_saved(event: &Self::Event) -> bool;
}
