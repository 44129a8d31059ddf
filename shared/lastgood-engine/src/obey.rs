//! What operators ask of sources and backups, over the bus (backup-tick). Each is safe to repeat.

use lastgood_core::Time;
use lastgood_core::backup::{Backup, Event, Pin};
use lastgood_core::id::{BackupId, SourceId};
use lastgood_core::incoming::Request;
use lastgood_core::record::Queue;
use lastgood_core::source::{Found, Source, Standing, operator};

use crate::call::Cloud;
use crate::port::{Bus, Clock, Store};
use crate::refuse::{AskError, Asked};
use crate::report::Report;
use crate::standing::standing;
use crate::{Engine, find};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Does what was asked for `at` that time.
    pub async fn asked(&self, at: Time, request: Request) -> Result<Report, AskError> {
        let asked = Asked::of(request.detail_type(), request.source(), request.by(), at, &request);
        self.answer(asked, self.do_asked(at, request)).await
    }

    async fn do_asked(&self, at: Time, request: Request) -> Result<Report, AskError> {
        let by = request.by().clone();
        let reason = request.reason().map(|reason| reason.as_str().to_owned());
        let (by, reason) = (by.as_str(), reason.as_deref());
        let pin = || Pin { by: by.to_owned(), reason: reason.map(str::to_owned), at };
        match request {
            Request::Hold(about) => {
                let hold = |source: &Source| operator::hold(source, by, reason, at);
                self.obey(&about.source, hold).await
            }
            Request::Release(about) => {
                let found = self.found(&about.source).await?;
                let release = |source: &Source| operator::release(source, by, reason, found.as_ref(), at);
                let mut report = self.obey(&about.source, release).await?;
                report.add(Box::pin(self.publish_newest(&about.source)).await?);
                Ok(report)
            }
            Request::Skip(about) => {
                let source = self.store.load::<Source>(&about.source).await?;
                let source = source.ok_or_else(|| AskError::NoSource(about.source.clone()))?;
                operator::can_skip(&source.record, about.slot).map_err(AskError::Unable)?;
                let skip = |source: &Source| operator::skip(source, about.slot, by, reason, at);
                self.obey(&about.source, skip).await
            }
            Request::Pin(about) => Box::pin(self.tell_backup(&about.backup, &Event::Pinned(pin()))).await,
            Request::Unpin(about) => Box::pin(self.tell_backup(&about.backup, &Event::Unpinned(pin()))).await,
        }
    }

    /// Changes a source as it was asked.
    async fn obey(&self, id: &SourceId, change: impl Fn(&Source) -> Source + Sync) -> Result<Report, AskError> {
        let changed = self.change_source(id, |source| (change(source), ())).await?;
        if changed.is_none() {
            return Err(AskError::NoSource(id.clone()));
        }
        let mut report = Report::default();
        // What was asked is done. What is to be told of it stays in the outbox until the bus has it.
        if let Err(error) = self.send_from::<Source>(id).await {
            report.trouble(id, &error);
        }
        Ok(report)
    }

    /// What stands now where the source publishes, if anything does.
    async fn found(&self, id: &SourceId) -> Result<Option<Found>, AskError> {
        let Some(source) = self.store.load::<Source>(id).await? else { return Ok(None) };
        let unread = |why: String| AskError::Unread(id.clone(), why);
        let look = |error| AskError::Look(id.clone(), error);
        let told = Box::pin(find::named(&self.cloud, vec![id.clone()])).await.map_err(look)?;
        let told = told.map_err(|refusal| unread(refusal.to_string()))?;
        let Some(found) = told.first() else {
            // One answer without it proves nothing.
            return if source.record.lost.is_some() {
                Ok(None)
            } else {
                Err(unread(format!("AWS does not tell {}", id.name())))
            };
        };
        match standing(&self.cloud, found, &source.record.policy.publish.to).await.map_err(look)? {
            Standing::Refused(why) => Err(unread(why)),
            standing => Ok(standing.image()),
        }
    }

    /// The newest good backup asks for its turn again if it was held; the poll carries it on.
    async fn publish_newest(&self, id: &SourceId) -> Result<Report, AskError> {
        let source = self.store.load::<Source>(id).await?.map(|source| source.record);
        match operator::released(source.as_ref(), &self.backups_of(id).await?) {
            Some(held) => Box::pin(self.tell_backup(held, &Event::Released)).await,
            None => Ok(Report::default()),
        }
    }

    /// Gives a backup an event.
    async fn tell_backup(&self, id: &BackupId, event: &Event) -> Result<Report, AskError> {
        let no_backup = |why: &str| AskError::NoBackup(id.clone(), why.into());
        let is_pin = matches!(event, Event::Pinned(_));
        let refusal = |backup: &Backup| backup.cannot_be_pinned().filter(|_| is_pin).map(no_backup);
        let before = if is_pin { self.store.load::<Backup>(id).await? } else { None };
        if let Some(refusal) = before.and_then(|before| refusal(&before.record)) {
            return Err(refusal);
        }
        let told = self.tell::<Backup>(Queue::Tick, id, None, event).await?;
        let (backup, report) = told.ok_or_else(|| no_backup("it is not on record"))?;
        // Somebody may have let it go since.
        refusal(&backup).map_or(Ok(report), Err)
    }
}
