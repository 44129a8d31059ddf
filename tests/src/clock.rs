//! A clock that goes faster than a watch: what takes AWS minutes takes seconds then.

use std::sync::OnceLock;
use std::time::Instant;

use lastgood_core::{Time, later};

/// A world's clock.
#[derive(Debug)]
pub(crate) struct FastClock {
    start: Time,
    speed: i64,
    begun: OnceLock<Instant>,
}

impl FastClock {
    /// One that stands at `start`, and goes so many times as fast as a watch once it begins.
    pub(crate) fn at(start: Time, speed: i64) -> Self {
        Self { start, speed, begun: OnceLock::new() }
    }

    /// From now on it goes.
    pub(crate) fn begin(&self) {
        self.begun.get_or_init(Instant::now);
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Time {
        let passed = self.begun.get().map_or(0, |begun| i64::try_from(begun.elapsed().as_millis()).unwrap_or(0));
        later(self.start, passed * self.speed / 1000)
    }
}
