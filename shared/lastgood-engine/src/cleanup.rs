//! retention-cleanup: lets go what retention does not keep, and finishes every deletion that was begun.

use std::collections::BTreeSet;

use lastgood_core::backup::kinds::{Artifacts, is_there};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::id::{ArtifactId, BackupId, SourceId};
use lastgood_core::record::Queue;
use lastgood_core::source::cleanup::{Cleanup, Known, cleanup, may_lose};
use lastgood_core::source::{self, Source};

use crate::call::ec2::ImagesById;
use crate::call::elasticache::CacheSnapshotsById;
use crate::call::{Answers, Call, Cloud};
use crate::port::{Bus, CallFailed, Clock, How, Store, Versioned};
use crate::report::Report;
use crate::{Engine, find};

/// Backups that may go, each with the event that says why.
type LetGo = Vec<(Versioned<Backup>, Event)>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Carries on what is being deleted, then judges the backups of every source.
    pub async fn cleanup(&self) -> Result<Report, CallFailed> {
        let mut report = Report::default();
        // First, for it says whether anything may be deleted. What can't be told counts as no.
        let rests = match self.watch().await {
            Ok((watched, rests)) => {
                report.add(watched);
                rests
            }
            Err(error) => {
                report.trouble(&"the look at the deployment", &error);
                true
            }
        };
        if rests {
            return Ok(report);
        }
        report.add(self.carry_queue(Queue::Cleanup).await?);
        let mut let_go = Vec::new();
        for source in report.readable(self.store.read::<Source>(&()).await?) {
            if self.out_of_time() {
                report.out_of_time = true;
                break;
            }
            // A run that came late, or died, may have left it waiting for what is over.
            if source.record.rollouts().next().is_some()
                && let Err(error) = self.free_turn(&source.record.id).await
            {
                report.trouble(&source.record.id, &error);
            }
            match self.judge(&source.record).await {
                Ok(judged) => let_go.push(judged),
                Err(error) => report.trouble(&source.record.id, &error),
            }
        }
        match self.sweep().await {
            Ok(swept) => report.add(swept),
            Err(error) => report.trouble(&"sweep", &error),
        }
        // One of each source in turn: a source with much to delete must not use up the calls of all others.
        report.add(self.drive(Queue::Cleanup, in_turn(let_go)).await);
        report.throttled = self.cloud.throttled();
        Ok(report)
    }

    /// Judges the backups of one source: it has a new good one.
    pub async fn cleanup_source(&self, id: &SourceId) -> Result<Report, CallFailed> {
        if self.rests().await? {
            return Ok(Report::default());
        }
        match self.judge_one(id).await {
            Ok(let_go) => Ok(self.drive(Queue::Cleanup, let_go).await),
            // To try again would not make it readable: the hourly cleanup goes on telling it.
            Err(error) if error.how == How::Unreadable => Ok(Report::of_trouble(id, &error)),
            Err(error) => Err(error),
        }
    }

    async fn judge_one(&self, id: &SourceId) -> Result<LetGo, CallFailed> {
        match self.store.load::<Source>(id).await? {
            Some(source) => self.judge(&source.record).await,
            None => Ok(Vec::new()),
        }
    }

    /// What may go of one source, and why.
    async fn judge(&self, source: &Source) -> Result<LetGo, CallFailed> {
        if !may_lose(source, self.clock.now()) {
            return Ok(Vec::new());
        }
        // What can't be read may be what is needed: then nothing of the source goes.
        let records = self.store.list::<Backup>(&source.id).await?;
        let backups: Vec<Backup> = records.iter().map(|backup| backup.record.clone()).collect();
        let mut known = Known::default();
        loop {
            match cleanup(source, &backups, &known, self.clock.now()) {
                Cleanup::Rest => return Ok(Vec::new()),
                Cleanup::AskBack => known.is_back = Some(self.is_there(&source.id).await?),
                Cleanup::AskThere(artifacts) => known.there = Some(self.still_there(artifacts).await?),
                Cleanup::Halt(wanted) => {
                    let now = self.clock.now();
                    let halt = |source: &Source| source::halt(source, wanted, now).unwrap_or_else(|| source.clone());
                    self.change_source(&source.id, |source| (halt(source), ())).await?;
                    self.send_from::<Source>(&source.id).await?;
                    return Ok(Vec::new());
                }
                Cleanup::LetGo(ids) => {
                    let record = |id: &BackupId| records.iter().find(|backup| backup.record.id == *id).cloned();
                    let goes = |(id, why)| Some((record(&id)?, Event::LetGo(why)));
                    return Ok(ids.into_iter().filter_map(goes).collect());
                }
            }
        }
    }

    /// Whether AWS tells a source.
    async fn is_there(&self, id: &SourceId) -> Result<bool, CallFailed> {
        let told = Box::pin(find::named(&self.cloud, vec![id.clone()])).await?;
        Ok(!told.map_err(CallFailed::refused("a look for its source"))?.is_empty())
    }

    /// The backups of those artifacts that can be used now.
    async fn still_there(&self, artifacts: Vec<(BackupId, ArtifactId)>) -> Result<BTreeSet<BackupId>, CallFailed> {
        let mut told = Artifacts::default();
        let images: Vec<_> = artifacts.iter().filter_map(|(_, artifact)| artifact.image().cloned()).collect();
        if !images.is_empty() {
            let images = self.cloud.call(&ImagesById(images)).await?;
            told.images = images.map_err(CallFailed::refused(ImagesById::ACTION))?;
        }
        let ids: Vec<_> = artifacts.iter().filter_map(|(_, artifact)| artifact.cache_snapshot().cloned()).collect();
        if !ids.is_empty() {
            let snapshots = self.cloud.call(&CacheSnapshotsById(ids)).await?;
            told.cache_snapshots = snapshots.map_err(CallFailed::refused(CacheSnapshotsById::ACTION))?;
        }
        let there = artifacts.into_iter().filter(|(_, artifact)| is_there(artifact, &told));
        Ok(there.map(|(id, _)| id).collect())
    }
}

/// One of each list, then the next of each, and so on.
fn in_turn(lists: Vec<LetGo>) -> LetGo {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    (0..longest).flat_map(|_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}
