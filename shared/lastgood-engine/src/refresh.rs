//! checkpoint-reached: takes down what AWS tells of instance refreshes, each event once, and announces it.

use lastgood_core::incoming::RefreshNews;
use lastgood_core::record::Queue;
use lastgood_core::rollout::{Effect, Event, Rollout};

use crate::Engine;
use crate::call::Cloud;
use crate::drive::{Answered, Carried, Carries, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes one event down and announces it. An error if it is not on record, or not announced: the poll does that, too.
    pub async fn refresh(&self, news: RefreshNews) -> Result<Report, CallFailed> {
        let begun = Rollout::new(news.refresh.clone(), news.group.clone());
        let id = news.refresh.clone();
        let told = self.tell(Queue::Poll, &id, Some(begun), &Event::News(news)).await?;
        let report = told.map(|(_, report)| report).unwrap_or_default();
        match report.troubles.first() {
            Some(trouble) => Err(CallFailed::new(How::NotMade, "announcing a refresh", trouble.what.clone())),
            None => Ok(report),
        }
    }
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Carries<Rollout> for Engine<'_, S, C, B, K> {
    fn is_asked_together(effect: &Effect) -> bool {
        match *effect {}
    }

    async fn carry(&self, _: &Rollout, effect: Effect) -> Carried<Rollout> {
        match effect {}
    }

    async fn carry_together(&self, _: Wave<Rollout>) -> Answered<Rollout> {
        Vec::new()
    }

    async fn wait_to_destroy(&self, effect: &Effect) {
        match *effect {}
    }

    fn log(record: &Rollout, event: &Event, reason: &str) {
        if let Event::News(_) = event {
            tracing::info!(rollout = %record.refresh, group = %record.group, reason);
        }
    }
}
