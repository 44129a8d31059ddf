//! The driver: carries records on, a wave at a time, until nothing more is due now. It knows no kind of record: what is to be
//! known of one is its [`Life`], and how its effects are carried out [`Carries`].
//!
//! A wave asks every record what is due. Looks are asked together, everything else side by side; each answer is fed
//! back and saved as it comes, so that a function which dies in a large wave loses only what was under way. A record
//! that somebody else saved meanwhile is let be: whoever saved it carries it on.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::life::{Effect, Life};
use lastgood_core::notice::Notice;
use lastgood_core::record::Queue;
use lastgood_core::text::cut;

use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, How, Saved, Store, Versioned};
use crate::report::{Report, chain};
use crate::{CALLS_AT_ONCE_MAX, Engine, SAVES_MAX};

/// How often a record is carried one step on in one invocation: far more than the longest way from one rest to the next. What
/// is not at rest by then turns in circles.
const WAVES_MAX: usize = 200;
/// The longest trouble that is kept on record, in bytes.
const TROUBLE_BYTES_MAX: usize = 2_000;

/// What came of an effect.
pub(crate) type Carried<L> = Result<<L as Life>::Event, CallFailed>;
/// Records, and what each asks for.
pub(crate) type Wave<L, E> = Vec<(Versioned<L>, E)>;
/// Records, and what came of what each asked for.
pub(crate) type Answered<L> = Vec<(Versioned<L>, Carried<L>)>;

/// How the effects of a life are carried out. Nothing here chooses: each effect is its calls, each answer an event.
pub(crate) trait Carries<L: Life> {
    /// Carries out looks that many records ask for at once.
    fn carry_together(&self, wave: Wave<L, L::Together>) -> impl Future<Output = Answered<L>> + Send;
    /// Carries out what one record asks for by itself.
    fn carry(&self, record: &L, own: L::Alone) -> impl Future<Output = Carried<L>> + Send;
    /// Waits for the call of an effect that destroys something, or makes what may be wrong a moment later, so that nothing comes
    /// between the last look at the record and that. Should there be no call for now, the effect finds that out by itself.
    fn wait_to_change(&self, record: &L, own: &L::Alone) -> impl Future<Output = ()> + Send;
    /// Writes a line of the log: where the record is after `event`, and why. Nothing for one that is no news.
    fn log(record: &L, event: &L::Event, reason: &str);
}

/// What came of an event that was fed to a record.
enum Fed<L> {
    /// It changed nothing.
    Unchanged(Versioned<L>),
    /// It is saved.
    Moved(Versioned<L>),
    /// Somebody else saved the record meanwhile.
    Outdated,
}

/// A record that moved on, if it did, and what did not get through.
type Moved<L> = (Option<Versioned<L>>, Report);

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Feeds each record its event, then carries all of them on as far as they come now and as it is `part`'s work.
    pub(crate) fn drive<L: Life>(
        &self,
        part: Queue,
        records: Vec<(Versioned<L>, L::Event)>,
    ) -> impl Future<Output = Report> + Send
    where
        Self: Carries<L>,
    {
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

    async fn drive_all<L: Life>(&self, part: Queue, records: Vec<(Versioned<L>, L::Event)>) -> Report
    where
        Self: Carries<L>,
    {
        let mut report = Report { records: records.len(), ..Report::default() };
        let feeds = stream::iter(records).map(|(record, event)| async move {
            let id = record.record.id();
            match self.feed(record, event).await {
                // The event changed nothing, and the record is as due as it was.
                Ok(Fed::Unchanged(record) | Fed::Moved(record)) => (Some(record), Report::default()),
                Ok(Fed::Outdated) => (None, Report { lost: 1, ..Report::default() }),
                Err(error) => (None, Report::of_trouble(&id, &error)),
            }
        });
        let fed: Vec<Moved<L>> = feeds.buffered(CALLS_AT_ONCE_MAX).collect().await;
        let live = report.take_in(fed);
        report.add(self.carry_on(part, live).await);
        report
    }

    /// Carries records on until nothing more is due.
    async fn carry_on<L: Life>(&self, part: Queue, mut live: Vec<Versioned<L>>) -> Report
    where
        Self: Carries<L>,
    {
        let mut report = Report::default();
        for _ in 0..WAVES_MAX {
            let now = self.clock.now();
            let is_due =
                |record: &Versioned<L>| record.record.due(part, now).is_some() || !record.record.outbox().is_empty();
            live.retain(is_due);
            // Each wave anew: one may have become urgent in the last.
            live.sort_by_key(|record| !record.record.is_urgent());
            if live.is_empty() {
                return report;
            }
            if self.out_of_time() {
                report.out_of_time = true;
                return report;
            }
            let moved = self.wave(part, live, &mut report).await;
            live = report.take_in(moved);
        }
        for record in live {
            let ceaseless = CallFailed::new(How::NotMade, "carrying it on", "it came to no rest in one invocation");
            report.trouble(&record.record.id(), &ceaseless);
        }
        report
    }

    /// Does what is due and feeds the answers back. Notices go last: a bus that is down delays no work.
    async fn wave<L: Life>(&self, part: Queue, live: Vec<Versioned<L>>, report: &mut Report) -> Vec<Moved<L>>
    where
        Self: Carries<L>,
    {
        let now = self.clock.now();
        let (mut looks, mut single, mut telling) = (Vec::new(), Vec::new(), Vec::new());
        for record in live {
            match record.record.due(part, now) {
                Some(Effect::Together(look)) => looks.push((record, look)),
                Some(Effect::Alone(own)) => single.push((record, own)),
                None => telling.push(record),
            }
        }
        let (urgent, looks): (Wave<L, _>, Wave<L, _>) =
            looks.into_iter().partition(|(record, _)| record.record.is_urgent());
        let singly = stream::iter(single).map(|(record, own)| async move {
            if self.out_of_time() {
                return (None, Report { out_of_time: true, ..Report::default() });
            }
            // Its turn may have come late: what the record asks for now counts, not what it asked for then.
            let asks_for_it =
                || matches!(record.record.due(part, self.clock.now()), Some(Effect::Alone(now)) if now == own);
            if !asks_for_it() {
                return (Some(record), Report::default());
            }
            self.wait_to_change(&record.record, &own).await;
            if !asks_for_it() {
                return (Some(record), Report::default());
            }
            // Boxed, as in drive.
            let carried = Box::pin(self.carry(&record.record, own)).await;
            self.feed_carried(record, carried).await
        });
        let mut moved = self.look_together(urgent).await;
        moved.extend(singly.buffer_unordered(CALLS_AT_ONCE_MAX).collect::<Vec<Moved<L>>>().await);
        moved.extend(self.look_together(looks).await);
        moved.extend(self.send_all(telling, report).await);
        moved
    }

    async fn look_together<L: Life>(&self, looks: Wave<L, L::Together>) -> Vec<Moved<L>>
    where
        Self: Carries<L>,
    {
        let answered = stream::iter(self.carry_together(looks).await);
        let feeds = answered.map(|(record, carried)| self.feed_carried(record, carried));
        feeds.buffer_unordered(CALLS_AT_ONCE_MAX).collect().await
    }

    async fn feed_carried<L: Life>(&self, record: Versioned<L>, carried: Carried<L>) -> Moved<L>
    where
        Self: Carries<L>,
    {
        let id = record.record.id();
        let (event, mut report) = match carried {
            Ok(event) => (event, Report::default()),
            // Saved, so that the reason is on record; the next run tries again.
            Err(error) => {
                (record.record.unanswered(cut(chain(&error), TROUBLE_BYTES_MAX)), Report::of_trouble(&id, &error))
            }
        };
        let is_answer = report.troubles.is_empty();
        let moved = self.feed_surely(record, event, &mut report).await;
        // What an answer leaves as it is would ask the same again at once, and so would what got none.
        (moved.filter(|_| is_answer), report)
    }

    /// Feeds an event: once; or until it is saved, if it holds whoever saved the record meanwhile. What they made of it is
    /// theirs then to carry on, or the poll's. Gives the record back if it moved on.
    async fn feed_surely<L: Life>(
        &self,
        mut record: Versioned<L>,
        event: L::Event,
        report: &mut Report,
    ) -> Option<Versioned<L>>
    where
        Self: Carries<L>,
    {
        let id = record.record.id();
        let tries_max = if L::holds_whoever_saved(&event) { SAVES_MAX } else { 1 };
        for tries in 1..=tries_max {
            match self.feed(record.clone(), event.clone()).await {
                Ok(Fed::Moved(moved)) => return Some(moved).filter(|_| tries == 1),
                Ok(Fed::Unchanged(_)) => return None,
                Ok(Fed::Outdated) => report.lost += 1,
                Err(error) => report.trouble(&id, &error),
            }
            if tries == tries_max {
                break;
            }
            match self.store.load::<L>(&id).await {
                Ok(Some(newer)) => record = newer,
                Ok(None) => break,
                Err(error) => report.trouble(&id, &error),
            }
        }
        None
    }

    /// Decides what `event` makes of `record` and saves that.
    async fn feed<L: Life>(&self, record: Versioned<L>, event: L::Event) -> Result<Fed<L>, CallFailed>
    where
        Self: Carries<L>,
    {
        let step = record.record.decide(event.clone(), self.clock.now());
        // One that is not on record yet is put there before it asks for anything.
        if step.record == record.record && record.version > 0 {
            return Ok(Fed::Unchanged(record));
        }
        Self::log(&step.record, &event, &step.reason);
        self.save_moved(Versioned { record: step.record, version: record.version }).await
    }

    async fn save_moved<L: Life>(&self, moved: Versioned<L>) -> Result<Fed<L>, CallFailed> {
        Ok(match self.store.save(&moved).await? {
            Saved::As(version) => Fed::Moved(Versioned { version, ..moved }),
            Saved::Outdated => {
                tracing::info!(record = %moved.record.id(), "somebody else carries it on");
                Fed::Outdated
            }
        })
    }

    /// Sends what these records have to tell, all at once, and takes it out of their outboxes. What is not sent stays there
    /// and wakes its record again.
    async fn send_all<L: Life>(&self, telling: Vec<Versioned<L>>, report: &mut Report) -> Vec<Moved<L>> {
        let notices: Vec<Notice> = telling.iter().flat_map(|record| record.record.outbox().to_vec()).collect();
        if notices.is_empty() {
            return Vec::new();
        }
        let sent = match self.post(&notices).await {
            Ok(sent) => sent,
            Err(error) => {
                report.trouble(&"notices", &error);
                return Vec::new();
            }
        };
        let (mut told, mut untold) = (Vec::new(), Vec::new());
        for record in telling {
            let after = record.record.sent(&sent);
            if after == record.record {
                untold.push(record.record.id());
            } else {
                told.push(Versioned { record: after, version: record.version });
            }
        }
        // They would ask the same again at once.
        for id in untold {
            report.trouble(&id, &CallFailed::new(How::NotMade, "sending its notices", "the bus took none of them"));
        }
        let saves = stream::iter(told).map(|told| async move {
            let id = told.record.id();
            match self.save_moved(told).await {
                Ok(Fed::Moved(moved) | Fed::Unchanged(moved)) => (Some(moved), Report::default()),
                Ok(Fed::Outdated) => (None, Report { lost: 1, ..Report::default() }),
                Err(error) => (None, Report::of_trouble(&id, &error)),
            }
        });
        saves.buffer_unordered(CALLS_AT_ONCE_MAX).collect().await
    }

    /// Gives one record an event and carries it on; `begun` is what stands there if nothing does yet. From the start again if
    /// somebody else saves it meanwhile: an error means that the event is not on record. Returns the record as it stood then;
    /// `None` if there is none.
    pub(crate) async fn tell<L: Life>(
        &self,
        part: Queue,
        id: &L::Id,
        begun: Option<L>,
        event: &L::Event,
    ) -> Result<Option<(L, Report)>, CallFailed>
    where
        Self: Carries<L>,
    {
        let mut report = Report { records: 1, ..Report::default() };
        for _ in 0..SAVES_MAX {
            let found = self.store.load::<L>(id).await?;
            let Some(record) = found.or_else(|| begun.clone().map(Versioned::new)) else { return Ok(None) };
            match self.feed(record, event.clone()).await? {
                Fed::Unchanged(record) | Fed::Moved(record) => {
                    let stood = record.record.clone();
                    report.add(Box::pin(self.carry_on(part, vec![record])).await);
                    return Ok(Some((stood, report)));
                }
                Fed::Outdated => report.lost += 1,
            }
        }
        Err(CallFailed::new(How::NotMade, "saving a record", "others kept saving it"))
    }

    /// Loads records; those that are gone or can't be read are left out and reported.
    pub(crate) async fn load<L: Life>(&self, ids: Vec<L::Id>, report: &mut Report) -> Vec<Versioned<L>> {
        let loads = stream::iter(ids).map(|id| async move {
            let loaded = self.store.load::<L>(&id).await;
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
