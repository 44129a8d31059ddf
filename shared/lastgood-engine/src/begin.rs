//! backup-tick: claims the slots that are due, begins their backups, and tells what is overdue.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::Time;
use lastgood_core::backup::{Backup, Event, Origin};
use lastgood_core::id::SourceId;
use lastgood_core::incoming::BackupRequested;
use lastgood_core::record::{Key, Queue};
use lastgood_core::source::{self, Claim, Source};

use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, Saved, Store, Versioned};
use crate::refuse::{AskError, Asked};
use crate::report::Report;
use crate::{CALLS_AT_ONCE_MAX, Engine, RECORDS_A_RUN_MAX};

/// A new backup, as it stands in the store.
type Begun = Option<Versioned<Backup>>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Claims every slot that is due and begins its backup. An error only if the table can't be asked what is due.
    pub async fn tick(&self) -> Result<Report, CallFailed> {
        let keys = self.store.due(Queue::Tick, self.clock.now(), RECORDS_A_RUN_MAX).await?;
        let (mut plans, mut sources) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::Plan(name) => plans.push(name),
                Key::Source(id) => sources.push(id),
                Key::Backup(_) | Key::Rollout(_) => {}
            }
        }
        let ticks = stream::iter(sources).map(|id| async move {
            let ticked = self.tick_source(&id).await;
            (id, ticked)
        });
        let ticked: Vec<_> = ticks.buffered(CALLS_AT_ONCE_MAX).collect().await;
        let mut report = Report::default();
        let mut begun = Vec::new();
        for (id, ticked) in ticked {
            match ticked {
                Ok(backup) => begun.extend(backup),
                Err(error) => report.trouble(&id, &error),
            }
        }
        report.claimed = begun.iter().map(|backup| backup.record.id.clone()).collect();
        let begun = begun.into_iter().map(|backup| (backup, Event::Woken)).collect();
        report.add(self.drive(Queue::Tick, begun).await);
        // Backups first: a plan of many groups must not delay a slot.
        self.survey(plans, &mut report).await;
        report.throttled = self.cloud.throttled();
        Ok(report)
    }

    async fn tick_source(&self, id: &SourceId) -> Result<Begun, CallFailed> {
        let Some(mut source) = self.store.load::<Source>(id).await? else { return Ok(None) };
        let now = self.clock.now();
        let mut begun = None;
        if let Some(claim) = source::claim(&source.record, now) {
            let Some((saved, backup)) = self.claim(source.version, claim).await? else { return Ok(None) };
            source = saved;
            begun = backup;
        }
        if let Some(record) = source::overdue(&source.record, now) {
            let told = Versioned { record, version: source.version };
            match self.store.save(&told).await? {
                Saved::As(_) => source = told,
                Saved::Outdated => return Ok(begun),
            }
        }
        // The new backup is begun whatever becomes of the notices: they stay in the outbox.
        if !source.record.outbox.is_empty()
            && let Err(error) = self.send_from::<Source>(id).await
        {
            tracing::warn!(source = %id, error = crate::report::chain(&error), "its notices are not sent yet");
        }
        Ok(begun)
    }

    /// Saves a claim. `None` if another tick has it.
    async fn claim(&self, version: u64, claim: Claim) -> Result<Option<(Versioned<Source>, Begun)>, CallFailed> {
        let source = Versioned { record: claim.source, version };
        if let Saved::As(version) = self.store.claim(&source, &claim.backup).await? {
            let backup = Versioned { record: claim.backup, version: 1 };
            return Ok(Some((Versioned { version, ..source }, Some(backup))));
        }
        // A request may have made the backup of that very second: then only the slot is left to move on.
        if self.store.load::<Backup>(&claim.backup.id).await?.is_none() {
            return Ok(None);
        }
        match self.store.save(&source).await? {
            Saved::As(version) => Ok(Some((Versioned { version, ..source }, None))),
            Saved::Outdated => Ok(None),
        }
    }

    /// Begins the backup that somebody asked for. The request's second is its slot, so the same event twice makes one
    /// backup.
    pub async fn request(&self, slot: Time, request: BackupRequested) -> Result<Report, AskError> {
        let asked = Asked::of(BackupRequested::DETAIL_TYPE, &request.source, &request.by, slot, &request);
        self.answer(asked, self.begin_asked(slot, request)).await
    }

    async fn begin_asked(&self, slot: Time, request: BackupRequested) -> Result<Report, AskError> {
        let id = request.source.clone();
        let source = self.store.load::<Source>(&id).await?;
        let planned = source.and_then(|source| source.record.plan.clone().map(|plan| (source.record, plan)));
        let Some((source, plan)) = planned else { return Err(AskError::NotPlanned(id)) };
        if source.lost.is_some() {
            return Err(AskError::Lost(id));
        }
        let origin = Origin::Request { by: request.by.into(), reason: request.reason.map(Into::into) };
        let backup = Backup::requested(source.backup_id(slot), &plan, origin, &source.policy, self.clock.now());
        let mut report = Report::default();
        // The same request again is others' work: whoever began it is at it, or the poll.
        if let Saved::As(version) = self.store.save(&Versioned::new(backup.clone())).await? {
            report.claimed.push(backup.id.clone());
            report.add(self.drive(Queue::Tick, vec![(Versioned { record: backup, version }, Event::Woken)]).await);
        }
        Ok(report)
    }
}
