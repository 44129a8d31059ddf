//! Calls that may still be on their way when their record has gone on: AWS hears a call up to a quarter of an hour after it
//! was signed (AWS: Common error types, `RequestExpired`). What such a call may name must still be there then.

use super::publication::Publication;
use super::record::Backup;
use crate::{Time, seconds_between};

/// How long an image stays after nobody waits any more for the answer of a call that publishes it, in seconds: the quarter
/// of an hour in which AWS hears it, and five minutes for a function that sends it without having seen that somebody else
/// took the record up.
pub const PUBLISH_HEARD_SECONDS_MAX: i64 = 20 * 60;

/// Notes on `next` that nobody waits for the answer any more, if `before` had asked: the call failed, or somebody else takes
/// the record up. A call that was answered is not on its way.
pub(super) fn note_publishing(before: &Backup, next: &mut Backup, now: Time) {
    if next != before && is_asked(&before.publication) {
        next.publish_unheard_at = Some(now);
    }
}

/// A call that publishes may have been sent.
fn is_asked(publication: &Publication) -> bool {
    match publication {
        Publication::Making { .. }
        | Publication::Pointing { .. }
        | Publication::Rolling { .. }
        | Publication::Writing { .. } => true,
        Publication::NotAsked
        | Publication::Due
        | Publication::Reading { .. }
        | Publication::Published(_)
        | Publication::Superseded
        | Publication::Adopted(_)
        | Publication::Pinning { .. }
        | Publication::Held(_)
        | Publication::RolledBack(_) => false,
    }
}

impl Backup {
    /// Whether a call that lets its group launch from the image is still to come, or may be on its way.
    #[must_use]
    pub fn may_be_published_yet(&self, now: Time) -> bool {
        let heard = |at: Time| seconds_between(at, now) < PUBLISH_HEARD_SECONDS_MAX;
        !self.publication.is_at_rest() || self.publish_unheard_at.is_some_and(heard)
    }
}
