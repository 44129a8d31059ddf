//! Every group of the account, planned or not: who shares a template with another, and who launches from an image.

use lastgood_core::backup::removal::CONDEMNED_SECONDS_MAX;
use lastgood_core::facts::{Group, Tags};
use lastgood_core::{Time, seconds_between};

use crate::Engine;
use crate::call::autoscaling::GroupsTagged;
use crate::call::{Answers, Called, Cloud};
use crate::port::{Bus, Clock, Store};

/// How old the list may be, in seconds: it is told once for all decisions of a run that come within this time.
const SEEN_SECONDS_MAX: i64 = 20;
// Else what is decided by it would be too old to delete anything.
const _: () = assert!(SEEN_SECONDS_MAX < CONDEMNED_SECONDS_MAX);

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// The groups, as AWS told them just now or a moment ago, and when.
    pub(crate) async fn every_group(&self) -> Called<(Time, Vec<Group>)> {
        let mut seen = self.seen.lock().await;
        let now = self.clock.now();
        if let Some(told) = seen.as_ref().filter(|(at, _)| seconds_between(*at, now) <= SEEN_SECONDS_MAX) {
            return Ok(Ok(told.clone()));
        }
        let told = self.cloud.call(&GroupsTagged(Tags::new())).await?;
        let told = told.map(|groups| (self.clock.now(), groups));
        if let Ok(told) = &told {
            *seen = Some(told.clone());
        }
        Ok(told)
    }
}
