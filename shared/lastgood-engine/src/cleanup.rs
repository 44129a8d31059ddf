//! retention-cleanup: lets go what retention does not keep, and finishes every deletion that was begun.

use lastgood_core::backup::life::Queue;
use lastgood_core::backup::{Backup, Event, Publication, State};
use lastgood_core::facts::ImageState;
use lastgood_core::id::{BackupId, ImageId, SourceId};
use lastgood_core::retention::{self, Candidate, Fate};
use lastgood_core::source::Source;

use crate::Engine;
use crate::port::{Bus, CallFailed, Clock, Cloud, Store, Versioned};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Carries on what is being deleted, then judges the backups of every source.
    pub async fn cleanup(&self) -> Result<Report, CallFailed> {
        let mut report = self.carry_queue(Queue::Cleanup).await?;
        for source in self.store.sources().await? {
            if self.out_of_time() {
                report.out_of_time = true;
                return Ok(report);
            }
            match self.judge(&source.record).await {
                Ok(judged) => report.add(judged),
                Err(error) => report.trouble(&source.record.id, &error),
            }
        }
        Ok(report)
    }

    /// Judges the backups of one source: it has a new good one.
    pub async fn cleanup_source(&self, id: &SourceId) -> Result<Report, CallFailed> {
        match self.store.source(id).await? {
            Some(source) => self.judge(&source.record).await,
            None => Ok(Report::default()),
        }
    }

    /// A source without a plan has no retention: everything stays.
    async fn judge(&self, source: &Source) -> Result<Report, CallFailed> {
        if source.plan.is_none() {
            return Ok(Report::default());
        }
        let backups = self.store.backups(&source.id).await?;
        let policy = &source.policy.retain;
        let mut candidates = candidates(source, &backups);
        if !lets_go(&retention::judge(policy, candidates.clone())) {
            return Ok(Report::default());
        }
        // Before anything goes, it is looked whether what stays is there.
        let there = self.still_there(&backups, &candidates).await?;
        for candidate in &mut candidates {
            candidate.there = there.contains(&candidate.id);
        }
        let fates = retention::judge(policy, candidates);
        let mut let_go = Vec::new();
        for (id, fate) in fates {
            let Fate::LetGo(reason) = fate else { continue };
            let record = backups.iter().find(|backup| backup.record.id == id);
            let_go.extend(record.cloned().map(|record| (record, Event::LetGo(reason.to_string()))));
        }
        Ok(self.drive(Queue::Cleanup, let_go).await)
    }

    /// Those of the candidates whose image can be launched now.
    async fn still_there(
        &self,
        backups: &[Versioned<Backup>],
        candidates: &[Candidate],
    ) -> Result<Vec<BackupId>, CallFailed> {
        let good = backups.iter().map(|backup| &backup.record);
        let good = good.filter(|backup| candidates.iter().any(|candidate| candidate.id == backup.id));
        let asked: Vec<(BackupId, ImageId)> =
            good.filter_map(|backup| Some((backup.id.clone(), backup.image.clone()?))).collect();
        let ids: Vec<ImageId> = asked.iter().map(|(_, image)| image.clone()).collect();
        let images = self
            .cloud
            .images(&ids)
            .await?
            .map_err(|refusal| CallFailed { action: "ec2:DescribeImages", source: refusal.to_string().into() })?;
        let available =
            |id: &ImageId| images.iter().any(|image| image.id == *id && image.state == ImageState::Available);
        Ok(asked.into_iter().filter(|(_, image)| available(image)).map(|(id, _)| id).collect())
    }
}

fn lets_go(fates: &[(BackupId, Fate)]) -> bool {
    fates.iter().any(|(_, fate)| matches!(fate, Fate::LetGo(_)))
}

/// The good backups of a source. What the group launches from is known twice, to the source and to the backup itself;
/// either is enough.
fn candidates(source: &Source, backups: &[Versioned<Backup>]) -> Vec<Candidate> {
    let published = |backup: &Backup| matches!(backup.publication, Publication::Published { .. });
    let newest_published =
        backups.iter().map(|backup| &backup.record).filter(|backup| published(backup)).map(|b| b.id.slot).max();
    let good = backups.iter().map(|backup| &backup.record).filter(|backup| backup.state == State::Good);
    good.map(|backup| Candidate {
        id: backup.id.clone(),
        published: Some(backup.id.slot) == newest_published
            || source.published.as_ref().is_some_and(|published| published.slot == backup.id.slot),
        publishing: !backup.publication.is_at_rest(),
        there: true,
    })
    .collect()
}
