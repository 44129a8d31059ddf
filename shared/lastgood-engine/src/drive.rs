//! The driver: carries backups on, a wave at a time, until nothing more is due now.
//!
//! A wave asks every record what is due. Looks are asked together, everything else side by side; each answer is fed
//! back and saved as it comes, so that a function which dies in a large wave loses only what was under way. A record
//! that somebody else saved meanwhile is let be: whoever saved it carries it on.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::life::{decide, due};
use lastgood_core::backup::scale_in::{ScaleIn, ScaleInEvent};
use lastgood_core::backup::{Backup, Effect, Event, State};
use lastgood_core::id::BackupId;
use lastgood_core::record::Queue;

use crate::call::Cloud;
use crate::call::ec2::{DeleteVersions, DeregisterImage};
use crate::port::{Bus, CallFailed, Clock, Saved, Store, Versioned};
use crate::report::{Report, chain};
use crate::{CALLS_AT_ONCE_MAX, Engine, SAVES_MAX};

/// What came of an effect.
pub(crate) type Carried = Result<Event, CallFailed>;

/// A record that moved on, if it did, and what did not get through.
type Fed = (Option<Versioned<Backup>>, Report);

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Feeds each record its event, then carries all of them on as far as they come now and as it is `part`'s work.
    pub(crate) fn drive(
        &self,
        part: Queue,
        records: Vec<(Versioned<Backup>, Event)>,
    ) -> impl Future<Output = Report> + Send {
        // Boxed: the SDK's futures are large, and the compiler must not lay all of them out in one.
        Box::pin(async move {
            // What was seen before a deletion holds for a moment only: a few are carried to their end, then the next.
            let at_once = if part == Queue::Cleanup { CALLS_AT_ONCE_MAX } else { records.len().max(1) };
            let mut report = Report::default();
            let mut records = records.into_iter();
            loop {
                let some: Vec<_> = records.by_ref().take(at_once).collect();
                if some.is_empty() {
                    return report;
                }
                report.add(self.drive_all(part, some).await);
                if report.out_of_time {
                    return report;
                }
            }
        })
    }

    async fn drive_all(&self, part: Queue, records: Vec<(Versioned<Backup>, Event)>) -> Report {
        let mut report = Report { records: records.len(), ..Report::default() };
        let feeds = stream::iter(records).map(|(record, event)| async move {
            match self.feed(record.clone(), event).await {
                // The event changed nothing, and the record is as due as it was.
                (None, fed) if fed.is_clean() => (Some(record), fed),
                moved => moved,
            }
        });
        let fed: Vec<Fed> = feeds.buffered(CALLS_AT_ONCE_MAX).collect().await;
        let mut live = report.take_in(fed);
        loop {
            let now = self.clock.now();
            let wave: Vec<(Versioned<Backup>, Effect)> = live
                .into_iter()
                .filter_map(|record| due(&record.record, part, now).map(|effect| (record, effect)))
                .collect();
            if wave.is_empty() {
                return report;
            }
            if self.out_of_time() {
                report.out_of_time = true;
                return report;
            }
            live = report.take_in(self.wave(part, wave).await);
        }
    }

    /// Does what is due and feeds the answers back.
    async fn wave(&self, part: Queue, wave: Vec<(Versioned<Backup>, Effect)>) -> Vec<Fed> {
        let (looks, single): (Vec<_>, Vec<_>) = wave.into_iter().partition(|(_, effect)| is_asked_together(effect));
        let singly = stream::iter(single).map(|(record, effect)| async move {
            if self.out_of_time() {
                return (None, Report { out_of_time: true, ..Report::default() });
            }
            self.wait_to_delete(&effect).await;
            // Its turn may have come late: what the record asks for now counts, not what it asked for then.
            if due(&record.record, part, self.clock.now()).as_ref() != Some(&effect) {
                return (Some(record), Report::default());
            }
            // Boxed, as in drive.
            let carried = Box::pin(self.carry(&record.record, effect)).await;
            self.feed_carried(record, carried).await
        });
        let mut fed: Vec<Fed> = singly.buffer_unordered(CALLS_AT_ONCE_MAX).collect().await;
        let together = stream::iter(self.carry_together(looks).await);
        let feeds = together.map(|(record, carried)| self.feed_carried(record, carried));
        fed.extend(feeds.buffer_unordered(CALLS_AT_ONCE_MAX).collect::<Vec<Fed>>().await);
        fed
    }

    /// Waits for the call that deletes, so that nothing comes between the last look at the record and the deletion. Should
    /// there be no call for now, the deletion finds that out by itself.
    async fn wait_to_delete(&self, effect: &Effect) {
        let _ = match effect {
            Effect::Deregister(image) => self.cloud.ready(&DeregisterImage(image.clone())).await,
            Effect::DeleteVersions(template, versions) => {
                let delete = DeleteVersions { template: template.clone(), versions: versions.clone() };
                self.cloud.ready(&delete).await
            }
            _ => Ok(()),
        };
    }

    async fn feed_carried(&self, record: Versioned<Backup>, carried: Carried) -> Fed {
        match carried {
            // A member is protected, whoever went on meanwhile: that must be on record.
            Ok(event @ Event::ScaleIn(ScaleInEvent::On)) => self.feed_surely(record, event).await,
            // A record that an answer leaves as it is would ask the same again at once: it does not come back.
            Ok(event) => self.feed(record, event).await,
            Err(error) => {
                let about = record.record.id.clone();
                // Saved, so that the reason is on record; the next run tries again.
                let (_, mut report) = if is_protecting(&record.record) {
                    let event = ScaleInEvent::OnUnanswered(chain(&error));
                    self.feed_surely(record, Event::ScaleIn(event)).await
                } else {
                    self.feed(record, Event::Unanswered(chain(&error))).await
                };
                report.trouble(&about, &error);
                (None, report)
            }
        }
    }

    /// Decides what `event` makes of `record` and saves that. Gives the record back if it moved on.
    async fn feed(&self, record: Versioned<Backup>, event: Event) -> Fed {
        let quiet = matches!(event, Event::Sent(_) | Event::SourceTold | Event::Woken);
        let mut report = Report::default();
        let step = decide(&record.record, event, self.clock.now());
        if step.record == record.record {
            return (None, report);
        }
        if !quiet {
            log(&step.record, &step.reason);
        }
        let next = Versioned { record: step.record, version: record.version };
        match self.store.save(&next).await {
            Ok(Saved::As(version)) => (Some(Versioned { version, ..next }), report),
            Ok(Saved::Outdated) => {
                tracing::info!(backup = %next.record.id, "somebody else carries it on");
                report.lost += 1;
                (None, report)
            }
            Err(error) => {
                report.trouble(&next.record.id, &error);
                (None, report)
            }
        }
    }

    /// As [`Self::feed`], and again until it is saved: if somebody else saved the record meanwhile, what they made of it is
    /// fed. That is theirs then to carry on, or the poll's.
    async fn feed_surely(&self, mut record: Versioned<Backup>, event: Event) -> Fed {
        let id = record.record.id.clone();
        let mut report = Report::default();
        for tries in 1..=SAVES_MAX {
            let (moved, fed) = self.feed(record.clone(), event.clone()).await;
            let done = fed.is_clean();
            report.add(fed);
            if done {
                return (moved.filter(|_| tries == 1), report);
            }
            match self.store.load::<Backup>(&id).await {
                Ok(Some(newer)) => record = newer,
                Ok(None) => break,
                Err(error) => report.trouble(&id, &error),
            }
        }
        (None, report)
    }

    /// Loads backups; those that are gone or can't be read are left out and reported.
    pub(crate) async fn load(&self, ids: Vec<BackupId>, report: &mut Report) -> Vec<Versioned<Backup>> {
        let loads = stream::iter(ids).map(|id| async move {
            let loaded = self.store.load::<Backup>(&id).await;
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

/// What its state asks for is the protection of its instance.
fn is_protecting(record: &Backup) -> bool {
    record.state == State::Creating && record.scale_in == ScaleIn::Asked
}

fn is_asked_together(effect: &Effect) -> bool {
    matches!(effect, Effect::ChooseInstance(_) | Effect::LookAtImage(_) | Effect::ReadTemplate(_) | Effect::Send(_))
}

fn log(record: &Backup, reason: &str) {
    let image = record.image.as_ref().map(ToString::to_string);
    tracing::info!(backup = %record.id, state = ?record.state, publication = ?record.publication, image, reason);
}
