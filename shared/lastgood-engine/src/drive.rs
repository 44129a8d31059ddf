//! The driver: carries backups on, a wave at a time, until nothing more is due now.
//!
//! A wave asks every record what is due, does it (looks together, the rest side by side), feeds each answer back and
//! saves on the version. A record that somebody else saved meanwhile is let be: whoever saved it carries it on.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::life::{decide, due};
use lastgood_core::backup::{Backup, Effect, Event};
use lastgood_core::id::BackupId;

use crate::port::{Bus, CallFailed, Clock, Cloud, Saved, Store, Versioned};
use crate::report::{Report, chain};
use crate::{CALLS_AT_ONCE_MAX, Engine};

/// What came of an effect.
pub(crate) type Carried = Result<Event, CallFailed>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Feeds each record its event, then carries all of them on as far as they come now.
    pub(crate) fn drive(&self, records: Vec<(Versioned<Backup>, Event)>) -> impl Future<Output = Report> + Send {
        // Boxed: the SDK's futures are large, and the compiler must not lay all of them out in one.
        Box::pin(self.drive_all(records))
    }

    async fn drive_all(&self, records: Vec<(Versioned<Backup>, Event)>) -> Report {
        let mut report = Report { records: records.len(), ..Report::default() };
        let mut live = Vec::new();
        for (record, event) in records {
            match self.feed(record, event, &mut report).await {
                Some(Fed::Moved(record) | Fed::Same(record)) => live.push(record),
                None => {}
            }
        }
        loop {
            let now = self.clock.now();
            let wave: Vec<(Versioned<Backup>, Effect)> =
                live.into_iter().filter_map(|record| due(&record.record, now).map(|effect| (record, effect))).collect();
            if wave.is_empty() {
                return report;
            }
            if self.out_of_time() {
                report.out_of_time = true;
                return report;
            }
            live = self.wave(wave, &mut report).await;
        }
    }

    /// Does what is due and feeds the answers back. Returns the records that moved on.
    async fn wave(&self, wave: Vec<(Versioned<Backup>, Effect)>, report: &mut Report) -> Vec<Versioned<Backup>> {
        let carried = self.carry_all(wave).await;
        let mut live = Vec::new();
        for (record, carried) in carried {
            let id = record.record.id.clone();
            let event = match carried {
                Ok(event) => event,
                Err(error) => {
                    report.trouble(&id, &error);
                    // Saved so that the reason is on record; the next run tries again.
                    let event = Event::Unanswered(chain(&error));
                    self.feed(record, event, report).await;
                    continue;
                }
            };
            // A record that an answer leaves as it is would ask the same again at once.
            if let Some(Fed::Moved(record)) = self.feed(record, event, report).await {
                live.push(record);
            }
        }
        live
    }

    /// Decides what `event` makes of `record` and saves that. `None` if it could not be saved.
    async fn feed(&self, record: Versioned<Backup>, event: Event, report: &mut Report) -> Option<Fed> {
        let told = matches!(event, Event::Sent(_) | Event::SourceTold | Event::Woken);
        let step = decide(&record.record, event, self.clock.now());
        if step.record == record.record {
            return Some(Fed::Same(record));
        }
        if !told {
            log(&step.record, &step.reason);
        }
        let next = Versioned { record: step.record, version: record.version };
        match self.store.save_backup(&next).await {
            Ok(Saved::As(version)) => Some(Fed::Moved(Versioned { version, ..next })),
            Ok(Saved::Outdated) => {
                tracing::info!(backup = %next.record.id, "somebody else carries it on");
                None
            }
            Err(error) => {
                report.trouble(&next.record.id, &error);
                None
            }
        }
    }

    /// Loads backups; those that are gone or can't be read are left out and reported.
    pub(crate) async fn load(&self, ids: Vec<BackupId>, report: &mut Report) -> Vec<Versioned<Backup>> {
        let loads = stream::iter(ids).map(|id| async move {
            let loaded = self.store.backup(&id).await;
            (id, loaded)
        });
        let loaded: Vec<_> = loads.buffered(CALLS_AT_ONCE_MAX).collect().await;
        let mut records = Vec::new();
        for (id, loaded) in loaded {
            match loaded {
                Ok(record) => records.extend(record),
                Err(error) => report.trouble(&id, &error),
            }
        }
        records
    }
}

enum Fed {
    Moved(Versioned<Backup>),
    Same(Versioned<Backup>),
}

fn log(record: &Backup, reason: &str) {
    let image = record.image.as_ref().map(ToString::to_string);
    tracing::info!(backup = %record.id, state = ?record.state, publication = ?record.publication, image, reason);
}
