//! Carries decisions out: load, decide, save on the version, do what is due, feed the answer back.
//!
//! The engine knows no AWS: it talks to a [`Store`], a [`Cloud`], a [`Bus`] and a [`Clock`]. It waits for nothing but its
//! turn to call ([`Paced`]), and never decides: what happens to a record is in lastgood-core. One function a use case:
//!
//! * [`Engine::tick`], [`Engine::request`]: claim what is due, and begin it (backup-tick)
//! * [`Engine::asked`]: what operators ask of sources and backups (backup-tick)
//! * [`Engine::poll`], [`Engine::artifact_news`]: carry backups on (snapshot-poll)
//! * [`Engine::cleanup`], [`Engine::cleanup_source`]: let go and delete (retention-cleanup)
//! * [`Engine::refresh`], [`Engine::verdict`], [`Engine::change_image`]: what AWS tells of instance refreshes, what others think
//!   of their pauses, and which images operators give (checkpoint-reached)
//! * [`apply`]: compare a plan file with the table and write it (cli)

pub mod apply;
mod backup;
mod begin;
pub mod call;
mod change;
mod cleanup;
mod drive;
mod every;
mod find;
mod obey;
mod paced;
mod poll;
pub mod port;
mod records;
mod refuse;
mod report;
mod rollout;
mod standing;
mod survey;
mod sweep;
mod template;
mod watch;

pub use call::{Answers, Call, Called, Cloud};
pub use paced::{CALLS_TAKEN_AT_ONCE, Paced};
pub use port::{
    Answer, Bus, CallFailed, Clock, How, Listed, PlanWrite, Posted, Saved, Store, Unreadable, Versioned, Written,
};
pub use refuse::AskError;
pub use report::{Report, Trouble, chain};
pub use watch::NoticesLost;

use futures_util::lock::Mutex;
use lastgood_core::Time;
use lastgood_core::facts::Group;
use lastgood_core::pace::Share;

/// The four ports and the settings, for one invocation.
#[derive(Debug)]
pub struct Engine<'a, S, C, B, K> {
    store: &'a S,
    cloud: Paced<'a, S, C, K>,
    bus: &'a B,
    clock: &'a K,
    running: Running<'a>,
    /// Every group of the account, and when AWS told them.
    seen: Mutex<Option<(Time, Vec<Group>)>>,
}

/// What one invocation is told of itself.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Which stack this is: the value of the tag on all that it makes.
    pub stack: &'a str,
    /// Nothing is begun after this: what is not done then is left to the next invocation.
    pub stop_at: Time,
    /// Which part of the account's API calls is ours.
    pub share: Share,
}

/// How long before the end of an invocation nothing new is begun, in seconds: a call that hangs and what follows from
/// its answer must still fit in.
pub const STOP_BEFORE_DEADLINE_SECONDS: i64 = 12;
/// How many calls are under way at once.
pub const CALLS_AT_ONCE_MAX: usize = 8;
/// How often something is saved again that met somebody else's save.
pub(crate) const SAVES_MAX: usize = 10;
/// How many records one invocation takes from a queue.
pub const RECORDS_A_RUN_MAX: usize = 1_000;

impl<'a, S: Store, C: Cloud, B: Bus, K: Clock> Engine<'a, S, C, B, K> {
    /// An engine over these ports.
    pub fn new(store: &'a S, cloud: &'a C, bus: &'a B, clock: &'a K, running: Running<'a>) -> Self {
        let cloud = Paced::new(store, cloud, clock, running.share, running.stop_at);
        Self { store, cloud, bus, clock, running, seen: Mutex::new(None) }
    }

    fn out_of_time(&self) -> bool {
        self.clock.now() >= self.running.stop_at
    }
}
