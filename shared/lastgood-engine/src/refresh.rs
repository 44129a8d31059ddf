//! checkpoint-reached: takes down what AWS tells of instance refreshes, each event once, and announces it.

use std::convert::Infallible;

use lastgood_core::incoming::RefreshNews;
use lastgood_core::record::Queue;
use lastgood_core::rollout::{Event, Rollout};

use crate::Engine;
use crate::call::Cloud;
use crate::drive::{Answered, Carried, Carries, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes one event down and announces it. An error if it is not on record, or not announced yet; the poll does that, too.
    pub async fn refresh(&self, news: RefreshNews) -> Result<Report, CallFailed> {
        let begun = Rollout::new(news.refresh.clone(), news.group.clone());
        let (id, event) = (news.refresh.clone(), news.event.clone());
        let told = self.tell(Queue::Poll, &id, Some(begun), &Event::News(news)).await?;
        let report = told.map(|(_, report)| report).unwrap_or_default();
        if report.troubles.is_empty() && !report.out_of_time {
            return Ok(report);
        }
        // Something is not told: this event, or one that came before it.
        let rollout = self.store.load::<Rollout>(&id).await?;
        if rollout.is_some_and(|rollout| rollout.record.has_to_tell(&event)) {
            return Err(CallFailed::new(How::NotMade, "announcing the event", "it is on record, and the poll goes on"));
        }
        Ok(report)
    }
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Carries<Rollout> for Engine<'_, S, C, B, K> {
    async fn carry_together(&self, _: Wave<Rollout, Infallible>) -> Answered<Rollout> {
        Vec::new()
    }

    async fn carry(&self, _: &Rollout, own: Infallible) -> Carried<Rollout> {
        match own {}
    }

    async fn wait_to_destroy(&self, own: &Infallible) {
        match *own {}
    }

    fn log(record: &Rollout, event: &Event, reason: &str) {
        if let Event::News(_) = event {
            tracing::info!(rollout = %record.refresh, group = %record.group, reason);
        }
    }
}
