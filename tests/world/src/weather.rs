//! Faults that nobody orders one by one: drawn from a seed, each at its own rate. They meet the calls of Lastgood alone;
//! what people do by hand, and what tests look at, gets through.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::fault::{Answered, AwsError, service_of};
use crate::state::World;

/// How often each fault comes, in a thousand calls or things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Calls that get a 500 and are not carried out.
    pub unheard: u32,
    /// Calls that are carried out, and whose answer is lost.
    pub unanswered: u32,
    /// Calls that are throttled, whatever their bucket holds.
    pub throttled: u32,
    /// Images that end `failed`.
    pub images_failing: u32,
    /// Snapshots that end in `error`.
    pub snapshots_failing: u32,
    /// Snapshots that DeregisterImage leaves behind.
    pub snapshots_left: u32,
    /// Instances that can't be started, for there is no room.
    pub starts_failing: u32,
    /// Entries that PutEvents refuses, each by itself.
    pub entries_refused: u32,
    /// Records that a query of an index does not tell yet.
    pub lagging: u32,
}

/// What comes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Through,
    Unheard,
    Unanswered,
    Throttled,
}

/// The weather of one port: its rates, its own row of numbers, and what it has done so far.
#[derive(Debug)]
pub(crate) struct Sky {
    pub(crate) weather: Weather,
    rng: Rng,
    pub(crate) done: BTreeMap<&'static str, usize>,
}

impl Default for Sky {
    fn default() -> Self {
        Self { weather: Weather::default(), rng: Rng::with_seed(0), done: BTreeMap::new() }
    }
}

impl Sky {
    pub(crate) fn set(&mut self, seed: u64, weather: Weather) {
        self.weather = weather;
        self.rng = Rng::with_seed(seed);
    }

    /// Whether a fault of this rate comes now. Nothing is drawn for one that never comes.
    pub(crate) fn strikes(&mut self, per_mille: u32, what: &'static str) -> bool {
        let strikes = per_mille > 0 && self.rng.u32(0..1000) < per_mille;
        if strikes {
            *self.done.entry(what).or_default() += 1;
        }
        strikes
    }

    pub(crate) fn fate(&mut self) -> Fate {
        let Weather { unheard, unanswered, throttled, .. } = self.weather;
        if self.strikes(unheard, "calls not heard") {
            Fate::Unheard
        } else if self.strikes(unanswered, "answers lost") {
            Fate::Unanswered
        } else if self.strikes(throttled, "calls throttled") {
            Fate::Throttled
        } else {
            Fate::Through
        }
    }

    /// The same for a call of AWS: what it is told, or whether its answer gets through.
    pub(crate) fn judge(&mut self, action: &str) -> Result<Answered, AwsError> {
        match self.fate() {
            Fate::Through => Ok(Answered::Yes),
            Fate::Unanswered => Ok(Answered::Lost),
            Fate::Unheard => Err(AwsError::with_status(500, "InternalError", "An internal error has occurred")),
            Fate::Throttled => Err(AwsError::throttled(service_of(action))),
        }
    }
}

impl World {
    /// From now on the calls of Lastgood meet this weather.
    pub fn set_weather(&self, seed: u64, weather: Weather) {
        self.lock().sky.set(seed, weather);
    }

    /// How many faults there were of each kind.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.lock().sky.done.clone()
    }
}
