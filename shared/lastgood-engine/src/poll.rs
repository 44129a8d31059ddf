//! snapshot-poll: carries backups on that wait for something, by the clock or because AWS sent word.

use lastgood_core::backup::power::PowerEvent;
use lastgood_core::backup::{Backup, Event, State};
use lastgood_core::id::{ArtifactId, InstanceId, SourceId};
use lastgood_core::life::Life;
use lastgood_core::record::{Key, Queue};
use lastgood_core::rollout::Rollout;
use lastgood_core::source::{self, Source};

use crate::call::Cloud;
use crate::drive::Carries;
use crate::port::{Bus, CallFailed, Clock, Store};
use crate::report::Report;
use crate::{Engine, RECORDS_A_RUN_MAX};

/// How often a hint is given again that met somebody else's save.
const HINTS_MAX: usize = 3;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Carries on every backup whose time has come, and tells what is overdue: should no tick run, this still does. An
    /// error only if the table can't be asked.
    pub async fn poll(&self) -> Result<Report, CallFailed> {
        let mut report = self.carry_queue(Queue::Poll).await?;
        for key in self.store.due(Queue::Tick, self.clock.now(), RECORDS_A_RUN_MAX).await? {
            let Key::Source(id) = key else { continue };
            if self.out_of_time() {
                report.out_of_time = true;
                break;
            }
            let now = self.clock.now();
            let told =
                self.change_source(&id, |source| (source::overdue(source, now).unwrap_or_else(|| source.clone()), ()));
            if let Err(error) = told.await {
                report.trouble(&id, &error);
                continue;
            }
            if let Err(error) = self.send_from::<Source>(&id).await {
                report.trouble(&id, &error);
            }
        }
        report.throttled = self.cloud.throttled();
        Ok(report)
    }

    /// Carries on every record of a queue whose time has come.
    pub(crate) async fn carry_queue(&self, queue: Queue) -> Result<Report, CallFailed> {
        let keys = self.store.due(queue, self.clock.now(), RECORDS_A_RUN_MAX).await?;
        let (mut backups, mut rollouts) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::Backup(id) => backups.push(id),
                Key::Rollout(id) => rollouts.push(id),
                Key::Source(_) | Key::Plan(_) => {}
            }
        }
        let mut report = self.wake::<Backup>(queue, backups).await;
        report.add(self.wake::<Rollout>(queue, rollouts).await);
        Ok(report)
    }

    /// Carries on the records of these names.
    async fn wake<L: Life>(&self, queue: Queue, ids: Vec<L::Id>) -> Report
    where
        Self: Carries<L>,
    {
        let mut report = Report::default();
        let records = self.load::<L>(ids, &mut report).await;
        let woken = records.into_iter().map(|record| (record, L::woken())).collect();
        report.add(self.drive(queue, woken).await);
        report
    }

    /// AWS says that clusters finished a snapshot, or failed to; of which snapshots it does not say. It is a hint: those of ours
    /// that are being made of such a cluster are looked at now.
    pub async fn cache_news(&self, clusters: &[String]) -> Result<Report, CallFailed> {
        let mut report = Report::default();
        if clusters.is_empty() {
            return Ok(report);
        }
        for source in report.readable(self.store.read::<Source>(&()).await?) {
            let id = source.record.id;
            if !id.cache().is_some_and(|cache| clusters.iter().any(|cluster| cache.has_node(cluster))) {
                continue;
            }
            for backup in report.readable(self.store.read::<Backup>(&id).await?) {
                if let (State::Pending, Some(artifact)) = (backup.record.state, &backup.record.artifact_id) {
                    report.add(self.artifact_news(artifact).await?);
                }
            }
        }
        Ok(report)
    }

    /// AWS says that an instance came on or went off. It is a hint: a backup of ours that waits for that looks now.
    pub async fn instance_news(&self, instance: &InstanceId) -> Result<Report, CallFailed> {
        let mut report = Report::default();
        let backups = self.store.read::<Backup>(&SourceId::Instance(instance.clone())).await?;
        let backups = report.readable(backups);
        let waiting = backups.into_iter().filter(|backup| backup.record.power.waits_for_news());
        let news = waiting.map(|backup| (backup, Event::Power(PowerEvent::News))).collect();
        report.add(self.drive(Queue::Poll, news).await);
        Ok(report)
    }

    /// AWS says that an artifact changed. It is a hint: if it is ours, it is looked at now.
    pub async fn artifact_news(&self, artifact: &ArtifactId) -> Result<Report, CallFailed> {
        let mut report = Report::default();
        let Some(id) = self.store.backup_of(artifact).await? else { return Ok(report) };
        for _ in 0..HINTS_MAX {
            let mut records = self.load::<Backup>(vec![id.clone()], &mut report).await;
            // Only a look waits for this news. Everything else is the poll's, which begins with fresh looks.
            records.retain(|record| record.record.state == State::Pending);
            let news = records.into_iter().map(|record| (record, Event::ArtifactNews)).collect();
            let driven = self.drive(Queue::Poll, news).await;
            let lost = driven.lost > 0;
            report.add(driven);
            // Who saved in between may have looked before it changed: the hint is given again.
            if !lost {
                break;
            }
        }
        Ok(report)
    }
}
