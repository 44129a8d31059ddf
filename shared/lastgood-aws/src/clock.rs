//! The system's clock: one of the two files that may ask the machine for anything.

use std::time::Duration;

use lastgood_core::{Time, whole_second};
use lastgood_engine::Clock;

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "the one place where the time comes in")]
        whole_second(Time::now())
    }

    async fn pause(&self, seconds: i64) {
        #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
        tokio::time::sleep(Duration::from_secs(seconds.try_into().unwrap_or(0))).await;
    }
}
