//! checkpoint-reached: takes down what AWS tells of instance refreshes, each event once, and announces it.

use lastgood_core::id::RefreshId;
use lastgood_core::incoming::RefreshNews;
use lastgood_core::rollout::{self, Rollout};

use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, How, Saved, Store, Versioned};
use crate::{Engine, SAVES_MAX};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes one event down and announces it.
    pub async fn refresh(&self, news: &RefreshNews) -> Result<(), CallFailed> {
        let now = self.clock.now();
        self.change_rollout(&news.refresh, |before| rollout::decide(before, news, now)).await?;
        self.send_from_rollout(&news.refresh).await
    }

    pub(crate) async fn send_from_rollout(&self, id: &RefreshId) -> Result<(), CallFailed> {
        let Some(rollout) = self.store.load::<Rollout>(id).await? else { return Ok(()) };
        if rollout.record.outbox.is_empty() {
            return Ok(());
        }
        let sent = self.post(&rollout.record.outbox).await?;
        let known = rollout.record;
        self.change_rollout(id, |before| rollout::sent(before.unwrap_or(&known), &sent)).await
    }

    async fn change_rollout(
        &self,
        id: &RefreshId,
        change: impl Fn(Option<&Rollout>) -> Rollout + Sync,
    ) -> Result<(), CallFailed> {
        for _ in 0..SAVES_MAX {
            let before = self.store.load::<Rollout>(id).await?;
            let record = change(before.as_ref().map(|before| &before.record));
            if before.as_ref().is_some_and(|before| before.record == record) {
                return Ok(());
            }
            let changed = Versioned { record, version: before.map_or(0, |before| before.version) };
            if let Saved::As(_) = self.store.save(&changed).await? {
                return Ok(());
            }
        }
        Err(CallFailed::new(How::NotMade, "saving the rollout", "others kept saving it"))
    }
}
