//! A backup as a record: where it stands, which function does the work of its state, and where it waits for that.

use super::life::{Alone, Effect, Event, State, Together, decide, due, work};
use super::power::PowerEvent;
use super::record::{Artifact, Backup};
use super::scale_in::{ScaleIn, ScaleInEvent};
use crate::id::{ArtifactId, BackupId, SourceId};
use crate::life::{LEASE_SECONDS, Life, Step};
use crate::notice::Notice;
use crate::record::{BACKUPS, EXPIRES_SECONDS, Place, Queue, Record, Tells};
use crate::{Time, later};

impl Record for Backup {
    type Id = BackupId;
    type Of = SourceId;
    /// The newest is asked for most.
    const LAST_FIRST: bool = true;

    fn id(&self) -> BackupId {
        self.id.clone()
    }

    fn place(id: &BackupId) -> Place {
        Place { partition: Self::partition(&id.source), sort: id.slot_text() }
    }

    fn partition(of: &SourceId) -> String {
        format!("{BACKUPS}#{of}")
    }

    fn waits(&self) -> Option<(Queue, Time)> {
        wake(self).map(|wake| (queue(self), wake))
    }

    fn artifact(&self) -> Option<&ArtifactId> {
        self.artifact_id.as_ref()
    }

    fn expires(&self) -> Option<Time> {
        let over = match self.state {
            State::Deleted => true,
            State::Failed => matches!(self.artifact, Artifact::None | Artifact::Gone),
            State::Requested
            | State::Quiescing
            | State::Creating
            | State::Pending
            | State::Good
            | State::Expiring
            | State::Deleting => false,
        };
        (over && wake(self).is_none()).then(|| later(self.since, EXPIRES_SECONDS))
    }
}

impl Tells for Backup {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}

impl Life for Backup {
    type Event = Event;
    type Together = Together;
    type Alone = Alone;

    fn decide(&self, event: Event, now: Time) -> Step<Self> {
        decide(self, event, now)
    }

    fn due(&self, part: Queue, now: Time) -> Option<Effect> {
        due(self, part, now)
    }

    fn woken() -> Event {
        Event::Woken
    }

    fn unanswered(&self, trouble: String) -> Event {
        // Whether its instance is protected nobody knows then, and that is not forgotten.
        if self.state == State::Creating && self.scale_in == ScaleIn::Asked {
            return Event::ScaleIn(ScaleInEvent::OnUnanswered(trouble));
        }
        if self.state == State::Quiescing {
            return Event::Power(PowerEvent::StopUnanswered(trouble));
        }
        Event::Unanswered(trouble)
    }

    fn is_urgent(&self) -> bool {
        self.power.is_off()
    }

    /// A member is protected, or an instance goes off, whoever went on meanwhile: that must be on record.
    fn holds_whoever_saved(event: &Event) -> bool {
        match event {
            Event::Power(event) => event.holds_whoever_saved(),
            event => matches!(event, Event::ScaleIn(ScaleInEvent::On | ScaleInEvent::OnUnanswered(_))),
        }
    }
}

/// When others must look at the record; `None` when it is at rest. Who moves a record goes on with it at once; others
/// come a lease later, in case that it died.
#[must_use]
pub fn wake(record: &Backup) -> Option<Time> {
    if !record.source_told || !record.outbox.is_empty() {
        let told = later(record.since.min(record.look_at), LEASE_SECONDS);
        return [record.power.wake(), Some(told)].into_iter().flatten().min();
    }
    let owed = match record.scale_in {
        ScaleIn::Owed(at) => Some(later(at, LEASE_SECONDS)),
        ScaleIn::Untouched | ScaleIn::Asked | ScaleIn::Protected | ScaleIn::GivenBack => None,
    };
    let works = work(record, record.look_at).map(|_| match record.state {
        State::Pending => record.look_at,
        // So is room in a quota.
        State::Requested | State::Creating if record.cache.waits_for_room(record.look_at) => record.look_at,
        // A shutdown is waited for, and not somebody who is at it.
        State::Quiescing if record.power.is_going_off() => record.look_at,
        State::Requested
        | State::Quiescing
        | State::Creating
        | State::Good
        | State::Expiring
        | State::Deleting
        | State::Deleted
        | State::Failed => later(record.look_at, LEASE_SECONDS),
    });
    [record.power.wake(), owed, works].into_iter().flatten().min()
}

/// Which function looks at it then.
#[must_use]
pub fn queue(record: &Backup) -> Queue {
    match record.state {
        State::Requested | State::Quiescing | State::Creating | State::Pending | State::Good => Queue::Poll,
        // An instance is not left off until the next cleanup.
        _ if record.power.owed().is_some() => Queue::Poll,
        // A member is not left protected until the next cleanup; but while its protection can't be taken away, the
        // leftovers need not wait for that, if there are any.
        _ if matches!(record.scale_in, ScaleIn::Owed(at) if at <= record.look_at || work(record, record.look_at).is_none()) => {
            Queue::Poll
        }
        // What failed is told at once; its leftovers can wait for the cleanup.
        State::Failed if !record.outbox.is_empty() || !record.source_told => Queue::Poll,
        State::Failed | State::Expiring | State::Deleting | State::Deleted => Queue::Cleanup,
    }
}

/// Whether the work of a state is that of the function which looks at `queue`. Each has the permissions for its own
/// part alone; notices and news for the source are everybody's.
#[must_use]
pub fn is_work_of(queue: Queue, state: State) -> bool {
    match state {
        State::Requested | State::Quiescing | State::Creating => matches!(queue, Queue::Tick | Queue::Poll),
        State::Pending | State::Good => queue == Queue::Poll,
        State::Expiring | State::Deleting | State::Failed => queue == Queue::Cleanup,
        State::Deleted => false,
    }
}
