//! Every group of the account, planned or not: who shares a template with another, and who launches from an image.

use lastgood_core::backup::removal::CONDEMNED_SECONDS_MAX;
use lastgood_core::facts::{Group, Tags};
use lastgood_core::{Time, seconds_between};

use crate::Engine;
use crate::call::autoscaling::GroupsTagged;
use crate::call::{Answers, Cloud};
use crate::port::{Answer, Bus, CallFailed, Clock, Store};

/// How old the list may be, in seconds: it is told once for all decisions of a run that come within this time.
const SEEN_SECONDS_MAX: i64 = 20;
// Else what is decided by it would be too old to delete anything.
const _: () = assert!(SEEN_SECONDS_MAX < CONDEMNED_SECONDS_MAX);

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// When AWS told them last.
    pub(crate) async fn groups_seen_at(&self) -> Option<Time> {
        self.seen.lock().await.as_ref().map(|(at, _)| *at)
    }

    /// The groups, as AWS told them just now or a moment ago.
    pub(crate) async fn every_group(&self) -> Result<Answer<Vec<Group>>, CallFailed> {
        let mut seen = self.seen.lock().await;
        let now = self.clock.now();
        if let Some((at, groups)) = seen.as_ref()
            && seconds_between(*at, now) <= SEEN_SECONDS_MAX
        {
            return Ok(Ok(groups.clone()));
        }
        let told = self.cloud.call(&GroupsTagged(Tags::new())).await?;
        if let Ok(groups) = &told {
            *seen = Some((self.clock.now(), groups.clone()));
        }
        Ok(told)
    }
}
