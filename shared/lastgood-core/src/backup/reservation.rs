//! A reservation: something is about to launch from a backup, and nothing of it is deleted until AWS shows who does.
//!
//! Whoever reserves a backup and whoever deletes it save one record, each on the version that it read: the second one sees
//! the first. So either nothing is deleted, or nothing launches from what is going.

use serde::{Deserialize, Serialize};

use super::record::{Artifact, Backup};
use crate::{Time, later, seconds_between};

/// How long a backup is reserved, unless that is asked for again.
pub const RESERVED_SECONDS: i64 = 60 * 60;
/// What must be left of it for those who go on: the lives of two functions, one after the other (AWS: Lambda quotas, 15
/// minutes), and the time until AWS shows what the second one did.
const LEFT_SECONDS_MIN: i64 = 45 * 60;

/// Who is about to launch from a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// In words.
    pub by: String,
    /// Nothing of it is deleted before this.
    pub until: Time,
}

impl Backup {
    /// Who has it reserved at `now`.
    #[must_use]
    pub fn reserved_by(&self, now: Time) -> Option<&str> {
        self.reserved.as_ref().filter(|reserved| reserved.until > now).map(|reserved| reserved.by.as_str())
    }

    /// Why nothing can launch from it any more, if so.
    #[must_use]
    pub fn cannot_be_reserved(&self) -> Option<String> {
        match self.artifact {
            Artifact::None | Artifact::Asked | Artifact::There => None,
            Artifact::Condemned | Artifact::SnapshotsLeft => Some(format!("backup {} is being deleted", self.id)),
            Artifact::Gone => Some(format!("backup {} is deleted", self.id)),
        }
    }
}

/// It is reserved from `now` on, if that is not too late; anew only if little is left, so that asking often saves nothing.
pub(super) fn reserve(record: &mut Backup, by: String, now: Time) -> String {
    if let Some(why) = record.cannot_be_reserved() {
        return why;
    }
    if record.reserved.as_ref().is_some_and(|reserved| seconds_between(now, reserved.until) >= LEFT_SECONDS_MIN) {
        return "it is reserved already".into();
    }
    let reason = format!("it is reserved by {by}");
    record.reserved = Some(Reservation { by, until: later(now, RESERVED_SECONDS) });
    reason
}
