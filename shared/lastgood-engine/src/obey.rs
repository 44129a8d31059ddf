//! What operators ask of sources and backups, over the bus (backup-tick). Each is safe to repeat.

use lastgood_core::Time;
use lastgood_core::backup::life::Queue;
use lastgood_core::backup::{Backup, Event, Pin, Publication, State};
use lastgood_core::id::{BackupId, SourceId};
use lastgood_core::incoming::Request;
use lastgood_core::source::{Source, operator};

use crate::Engine;
use crate::port::{Bus, CallFailed, Clock, Cloud, Store};
use crate::report::Report;

/// How often a pin is set again that met somebody else's save.
const PINS_MAX: usize = 5;

/// Why something that was asked for can't be done.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such source.
    #[error("there is no source {0}; `lastgood status` lists those on record")]
    NoSource(SourceId),
    /// There is no such backup, or it is not one that can be kept.
    #[error("{0} is no backup that could be pinned: {1}")]
    NoBackup(BackupId, String),
    /// The table could not be asked.
    #[error("the request could not be carried out")]
    Table(#[from] CallFailed),
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Does what was asked for `at` that time.
    pub async fn asked(&self, at: Time, request: Request) -> Result<Report, AskError> {
        match request {
            Request::Hold(about) => {
                let reason = about.reason.as_deref();
                self.change(&about.source, |source| operator::hold(source, &about.by, reason, at)).await
            }
            Request::Release(about) => {
                let reason = about.reason.as_deref();
                let report =
                    self.change(&about.source, |source| operator::release(source, &about.by, reason, at)).await?;
                self.publish_newest(&about.source, report).await
            }
            Request::Skip(about) => {
                self.change(&about.source, |source| operator::skip(source, about.slot, &about.by, at)).await
            }
            Request::Pin(about) => self.pin(&about.backup, Some(Pin { by: about.by, reason: about.reason })).await,
            Request::Unpin(about) => self.pin(&about.backup, None).await,
        }
    }

    async fn change(&self, id: &SourceId, change: impl Fn(&Source) -> Source + Sync) -> Result<Report, AskError> {
        let changed = self.change_source(id, |source| (change(source), ())).await?;
        if changed.is_none() {
            return Err(AskError::NoSource(id.clone()));
        }
        self.send_from_source(id).await?;
        Ok(Report::default())
    }

    /// The newest good backup that was held asks for its turn again; the poll carries it on.
    async fn publish_newest(&self, id: &SourceId, mut report: Report) -> Result<Report, AskError> {
        let backups = self.store.backups(id).await?;
        let newest = backups.into_iter().find(|backup| backup.record.state == State::Good);
        let held = newest.filter(|backup| matches!(backup.record.publication, Publication::Held(_)));
        let held = held.into_iter().map(|backup| (backup, Event::Released)).collect();
        // Publishing is the poll's work: here it is only made due.
        report.add(self.drive(Queue::Tick, held).await);
        Ok(report)
    }

    async fn pin(&self, id: &BackupId, pin: Option<Pin>) -> Result<Report, AskError> {
        let mut report = Report::default();
        for _ in 0..PINS_MAX {
            let Some(backup) = self.store.backup(id).await? else {
                return Err(AskError::NoBackup(id.clone(), "it is not on record".into()));
            };
            if let Some(why) = cannot_stay(&backup.record) {
                return Err(AskError::NoBackup(id.clone(), why.into()));
            }
            let driven = self.drive(Queue::Tick, vec![(backup, Event::Pinned(pin.clone()))]).await;
            let lost = driven.lost > 0;
            report.add(driven);
            if !lost {
                return Ok(report);
            }
        }
        Err(AskError::Table(CallFailed::new("saving the backup", "others kept saving it")))
    }
}

fn cannot_stay(backup: &Backup) -> Option<&'static str> {
    match backup.state {
        State::Requested | State::Creating | State::Pending | State::Good => None,
        State::Expiring | State::Deleting => Some("it is being deleted"),
        State::Deleted => Some("it is deleted"),
        State::Failed => Some("it failed"),
    }
}
