//! Chaos: a day of a deployment that comes from one number. A storm, in which everything that may go wrong does, at rates
//! that the seed says; then a calm, in which all of it must come to rest.
//!
//! Judged are every save ([`crate::saves`]), every effect (the world's own witness), and the rest ([`rest`]). The same seed makes
//! the same day: a failing one is run again with its story told.

mod caches;
mod course;
mod crew;
mod gate;
mod hands;
mod instances;
mod refreshes;
mod release;
mod rest;
mod scene;
mod tags;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic;

use crew::Crew;
use lastgood_world::access::Need;
use scene::Scene;

/// What a day came to.
#[derive(Debug, Default)]
pub struct Day {
    /// What must not have happened.
    pub wrongs: Vec<String>,
    /// How many faults of each kind there were.
    pub faults: BTreeMap<&'static str, usize>,
    /// How many calls changed something, by action: what there was to go wrong.
    pub effects: usize,
    /// How many backups there were.
    pub backups: usize,
    /// Every permission that was needed, and of which function.
    pub used: BTreeSet<(&'static str, Need)>,
    /// What happened, a line each; only if it is wanted.
    pub story: Vec<String>,
}

/// Whether the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// It is: slower.
    Told,
    /// It is not.
    Silent,
}

thread_local! {
    /// The seed of the day that this thread is at.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on a panic in a day tells its seed.
pub fn tell_seeds_of_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |told| {
        if let Some(seed) = SEED.get() {
            eprintln!("in the day of seed {seed}:");
        }
        before(told);
    }));
}

/// One day.
#[must_use]
pub fn day(seed: u64, story: Story) -> Day {
    SEED.set(Some(seed));
    let scene = Scene::of(seed);
    let mut crew = Crew::new(&scene, story);
    crew.storm();
    crew.calm();
    let day = crew.end();
    SEED.set(None);
    day
}

/// Calls that change something at AWS.
fn is_effect(action: &str) -> bool {
    let call = action.split_once(':').map_or(action, |(_, call)| call);
    !["Describe", "Get", "List"].iter().any(|verb| call.starts_with(verb))
}
