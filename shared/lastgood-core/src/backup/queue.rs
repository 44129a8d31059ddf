//! Which function does the work of a state, and where a record waits for it.

use super::life::{State, work};
use super::record::Backup;
use super::scale_in::ScaleIn;

/// The function that carries a backup on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// backup-tick: sources whose next slot has come.
    Tick,
    /// snapshot-poll: backups on their way to be good and published.
    Poll,
    /// retention-cleanup: backups of which something must go.
    Cleanup,
}

/// Which function looks at it then.
#[must_use]
pub fn queue(record: &Backup) -> Queue {
    match record.state {
        State::Requested | State::Creating | State::Pending | State::Good => Queue::Poll,
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
        State::Requested | State::Creating => matches!(queue, Queue::Tick | Queue::Poll),
        State::Pending | State::Good => queue == Queue::Poll,
        State::Expiring | State::Deleting | State::Failed => queue == Queue::Cleanup,
        State::Deleted => false,
    }
}
