//! Carries decisions out: load, decide, save on the version, do what is due, feed the answer back.
//!
//! The engine knows no AWS: it talks to a [`Store`], a [`Cloud`], a [`Bus`] and a [`Clock`]. It never sleeps and
//! never decides: what happens to a record is in lastgood-core. One function a use case:
//!
//! * [`Engine::tick`], [`Engine::request`]: claim what is due, and begin it (backup-tick)
//! * [`Engine::poll`], [`Engine::artifact_news`]: carry backups on (snapshot-poll)
//! * [`Engine::cleanup`], [`Engine::cleanup_source`]: let go and delete (retention-cleanup)
//! * [`Engine::refresh`]: record and announce an instance refresh (checkpoint-reached)
//! * [`apply`]: compare a plan file with the table and write it (cli)

pub mod apply;
mod begin;
mod carry;
mod cleanup;
mod drive;
mod look;
mod poll;
pub mod port;
mod publish;
mod refresh;
mod report;

pub use port::{Answer, Bus, CallFailed, Clock, Cloud, Key, Posted, Saved, Store, Versioned, Written};
pub use report::{Report, Trouble, chain};

use lastgood_core::Time;

/// The four ports and the settings, for one invocation.
#[derive(Debug)]
pub struct Engine<'a, S, C, B, K> {
    /// The table.
    pub store: &'a S,
    /// AWS.
    pub cloud: &'a C,
    /// Our bus.
    pub bus: &'a B,
    /// The time.
    pub clock: &'a K,
    /// Which stack this is: the value of the tag on all that it makes.
    pub stack: &'a str,
    /// Nothing is begun after this: what is not done then is left to the next invocation.
    pub stop_at: Time,
}

/// How many calls are under way at once.
pub const CALLS_AT_ONCE_MAX: usize = 8;
/// How many records one invocation takes from a queue.
pub const RECORDS_A_RUN_MAX: usize = 1_000;

impl<S, C, B, K: Clock> Engine<'_, S, C, B, K> {
    fn out_of_time(&self) -> bool {
        self.clock.now() >= self.stop_at
    }
}
