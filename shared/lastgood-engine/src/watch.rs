//! The hourly look at Lastgood's own deployment, the daily heartbeat, and the notice that an operator asks for. What follows
//! from a look is decided in [`lastgood_core::watch`].

use lastgood_core::Time;
use lastgood_core::incoming::NoticeTestRequested;
use lastgood_core::source::Source;
use lastgood_core::watch::{Pulse, Watch};

use crate::Engine;
use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, Looked, Store};
use crate::report::Report;

/// Something that carries notices is missing or off: nobody would hear of it but for the failure of the function.
#[derive(Debug, thiserror::Error)]
#[error("notices reach nobody: {0}")]
pub struct NoticesLost(pub String);

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Looks at the deployment, and reports what is missing or off; once a day it sends a heartbeat. Whether nothing may be
    /// deleted now. One look that fails keeps back none of the others.
    pub(crate) async fn watch(&self) -> Result<(Report, bool), CallFailed> {
        let mut report = Report::default();
        let mut looked = self.bus.broken().await;
        looked.add(self.store.broken().await);
        let Looked { broken, failed } = looked;
        for error in &failed {
            report.trouble(&"the look at the deployment", error);
        }
        let rule = self.bus.notice_rule();
        let lost: Vec<String> =
            broken.iter().filter(|part| part.carries_notices(rule)).map(ToString::to_string).collect();
        if !lost.is_empty() {
            report.notices_lost = Some(lost.join("; "));
        }
        let now = self.clock.now();
        let first = Watch::first();
        let watch = self.store.load::<Watch>(&()).await?;
        // The sources are read when they are to be told of, and not each hour.
        let beats = watch.map_or_else(|| first.beats(now), |watch| watch.record.beats(now));
        let pulse = if beats { self.pulse(&mut report, now).await } else { None };
        let table = self.store.name();
        let look = |watch: Option<&Watch>| {
            let next = watch.unwrap_or(&first).looked(&broken, failed.is_empty(), pulse, table, now);
            let rests = next.rests(table, now);
            Some((next, rests))
        };
        let rests = self.change(&(), look).await?.unwrap_or(true);
        if let Err(error) = self.send_from::<Watch>(&()).await {
            report.trouble(&"the notices about the deployment", &error);
        }
        Ok((report, rests))
    }

    /// How the sources are, if they can be read.
    async fn pulse(&self, report: &mut Report, now: Time) -> Option<Pulse> {
        match self.store.read::<Source>(&()).await {
            Ok(sources) => Some(Pulse::of(report.readable(sources).iter().map(|source| &source.record), now)),
            Err(error) => {
                report.trouble(&"the heartbeat", &error);
                None
            }
        }
    }

    /// Whether nothing may be deleted now.
    pub(crate) async fn rests(&self) -> Result<bool, CallFailed> {
        let watch = self.store.load::<Watch>(&()).await?;
        Ok(watch.is_some_and(|watch| watch.record.rests(self.store.name(), self.clock.now())))
    }

    /// Sends a notice that says nothing but that notices arrive.
    pub async fn test_notices(&self, asked: &NoticeTestRequested, event: &str) -> Result<Report, CallFailed> {
        let (now, first) = (self.clock.now(), Watch::first());
        let test = |watch: Option<&Watch>| Some((watch.unwrap_or(&first).tested(asked.by.as_str(), event, now), ()));
        self.change(&(), test).await?;
        self.send_from::<Watch>(&()).await?;
        Ok(Report::default())
    }
}
