//! retention-cleanup: lets go what retention does not keep, and finishes every deletion that was begun.

use lastgood_core::Time;
use lastgood_core::backup::{Backup, Event, Publication, State};
use lastgood_core::facts::ImageState;
use lastgood_core::group;
use lastgood_core::id::{BackupId, ImageId, SourceId};
use lastgood_core::record::Queue;
use lastgood_core::retention::{self, Candidate, Fate, Gone};
use lastgood_core::source::{self, Source};

use crate::Engine;
use crate::call::autoscaling::GroupsNamed;
use crate::call::ec2::ImagesById;
use crate::call::{Answers, Call, Cloud};
use crate::port::{Bus, CallFailed, Clock, Store, Versioned};
use crate::report::Report;

/// Backups that may go, each with the event that says why.
type LetGo = Vec<(Versioned<Backup>, Event)>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Carries on what is being deleted, then judges the backups of every source.
    pub async fn cleanup(&self) -> Result<Report, CallFailed> {
        let mut report = self.carry_queue(Queue::Cleanup).await?;
        let mut let_go = Vec::new();
        for source in self.store.list::<Source>(&()).await? {
            if self.out_of_time() {
                report.out_of_time = true;
                break;
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
        match self.store.load::<Source>(id).await? {
            Some(source) => Ok(self.drive(Queue::Cleanup, self.judge(&source.record).await?).await),
            None => Ok(Report::default()),
        }
    }

    /// What may go of one source, and why. A source without a plan has no retention: everything stays, unless it was
    /// said that all may go.
    async fn judge(&self, source: &Source) -> Result<LetGo, CallFailed> {
        let now = self.clock.now();
        let retired = source.retire_at.is_some_and(|at| at <= now);
        if !retired && (source.plan.is_none() || source.lost.is_some()) {
            return Ok(Vec::new());
        }
        let gone = retired.then_some(if source.lost.is_some() { Gone::Deleted } else { Gone::Unplanned });
        let backups = self.store.list::<Backup>(&source.id).await?;
        let policy = &source.policy.retain;
        let mut candidates = candidates(source, &backups, now);
        let judge = |candidates: Vec<Candidate>| match gone {
            Some(gone) => retention::retire(gone, candidates),
            None => retention::judge(policy, candidates),
        };
        let first = lets_go(&judge(candidates.clone()));
        if first == 0 || (gone == Some(Gone::Deleted) && self.is_back(source).await?) {
            return Ok(Vec::new());
        }
        if !retired && source.is_failing() {
            self.change_source(&source.id, |source| {
                (source::halt(source, first, now).unwrap_or_else(|| source.clone()), ())
            })
            .await?;
            self.send_from::<Source>(&source.id).await?;
            return Ok(Vec::new());
        }
        if !retired {
            // Before anything goes, it is looked whether what stays is there.
            let there = self.still_there(&backups).await?;
            for candidate in &mut candidates {
                candidate.there = there.contains(&candidate.id);
            }
        }
        let mut let_go = Vec::new();
        for (id, fate) in judge(candidates) {
            let Fate::LetGo(reason) = fate else { continue };
            let record = backups.iter().find(|backup| backup.record.id == id);
            let_go.extend(record.cloned().map(|record| (record, Event::LetGo(reason.to_string()))));
        }
        Ok(let_go)
    }

    /// Whether a group that its plan had lost is there again: the next survey finds that, too.
    async fn is_back(&self, source: &Source) -> Result<bool, CallFailed> {
        if !source.may_be_back() {
            return Ok(false);
        }
        let SourceId::Group(name) = &source.id;
        let found = self.cloud.call(&GroupsNamed(vec![name.clone()])).await?;
        Ok(group::named(&found.map_err(CallFailed::refused(GroupsNamed::ACTION))?, name).is_some())
    }

    /// Those of the good ones whose image can be launched now.
    async fn still_there(&self, backups: &[Versioned<Backup>]) -> Result<Vec<BackupId>, CallFailed> {
        let good = good(backups);
        let asked: Vec<(BackupId, ImageId)> =
            good.filter_map(|backup| Some((backup.id.clone(), backup.image().cloned()?))).collect();
        let ids: Vec<ImageId> = asked.iter().map(|(_, image)| image.clone()).collect();
        let images = self.cloud.call(&ImagesById(ids)).await?.map_err(CallFailed::refused(ImagesById::ACTION))?;
        let available =
            |id: &ImageId| images.iter().any(|image| image.id == *id && image.state == ImageState::Available);
        Ok(asked.into_iter().filter(|(_, image)| available(image)).map(|(id, _)| id).collect())
    }
}

fn lets_go(fates: &[(BackupId, Fate)]) -> usize {
    fates.iter().filter(|(_, fate)| matches!(fate, Fate::LetGo(_))).count()
}

/// One of each list, then the next of each, and so on.
fn in_turn(lists: Vec<LetGo>) -> LetGo {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    (0..longest).flat_map(|_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

/// The good backups of a source. What the group launches from is known twice, to the source and to the backup itself;
/// either is enough.
fn candidates(source: &Source, backups: &[Versioned<Backup>], now: Time) -> Vec<Candidate> {
    let published = |backup: &Backup| matches!(backup.publication, Publication::Published(_));
    let newest_published =
        backups.iter().map(|backup| &backup.record).filter(|backup| published(backup)).map(|b| b.id.slot).max();
    let candidate = |backup: &Backup| Candidate {
        id: backup.id.clone(),
        published: Some(backup.id.slot) == newest_published
            || source.published.as_ref().is_some_and(|published| published.slot == backup.id.slot),
        publishing: backup.may_be_published_yet(now),
        there: true,
        pinned: backup.pinned.is_some(),
    };
    good(backups).map(candidate).collect()
}

fn good(backups: &[Versioned<Backup>]) -> impl Iterator<Item = &Backup> {
    backups.iter().map(|backup| &backup.record).filter(|backup| backup.state == State::Good)
}
