//! checkpoint-reached: takes down what AWS tells of instance refreshes, each event once, and announces it.

use lastgood_core::incoming::RefreshNews;
use lastgood_core::rollout::{self, Rollout};

use crate::Engine;
use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, Store};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes one event down and announces it.
    pub async fn refresh(&self, news: &RefreshNews) -> Result<(), CallFailed> {
        let now = self.clock.now();
        let heard = |before: Option<&Rollout>| Some((rollout::decide(before, news, now), ()));
        self.change(&news.refresh, heard).await?;
        self.send_from::<Rollout>(&news.refresh).await
    }
}
