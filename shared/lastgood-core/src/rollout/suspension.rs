//! Whether we keep a group's refresh from going on: the `InstanceRefresh` process of the group is suspended.
//!
//! ```text
//!  Untouched ─▶ Wanted ─▶ Asked ─▶ Suspended ─▶ Owed ─▶ GivenBack
//!      ▲          │          └────────────────────▲
//!      └──────────┘ somebody else's               however it ends, and whoever died
//! ```
//!
//! What somebody else has suspended already is left as it is: it is theirs to resume. So it is looked at, and what was seen
//! is on record before the call: after a call whose answer was lost, a suspended process tells no longer whose it is.

use serde::{Deserialize, Serialize};

use super::life::{Alone, Event, LOCKED_SECONDS, State};
use super::moves::wait;
use super::record::{Rollout, Verdict};
use super::visit;
use crate::Time;

/// Whether the process is suspended by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspension {
    /// Not asked for, or somebody else's.
    #[default]
    Untouched,
    /// To be asked for, unless somebody else keeps it from going on already.
    Wanted,
    /// AWS may or may not have heard SuspendProcesses.
    Asked,
    /// It is suspended.
    Suspended,
    /// It is to be resumed.
    Owed,
    /// It is resumed.
    GivenBack,
}

impl Suspension {
    /// It is to be ours. What may be ours already is asked for again, and not looked at: it would be taken for somebody's.
    #[must_use]
    pub fn wanted(self) -> Self {
        match self {
            Self::Untouched | Self::Wanted | Self::GivenBack => Self::Wanted,
            Self::Asked | Self::Owed => Self::Asked,
            Self::Suspended => Self::Suspended,
        }
    }

    /// It is to be given back, if it may be ours.
    #[must_use]
    pub fn owed(self) -> Self {
        match self {
            Self::Asked | Self::Suspended | Self::Owed => Self::Owed,
            Self::Untouched | Self::Wanted => Self::Untouched,
            Self::GivenBack => Self::GivenBack,
        }
    }
}

/// What came of keeping the group's refreshes from going on, which is wanted as long as a pause is held, or of letting them.
pub(super) fn answered(record: &mut Rollout, event: Event, now: Time) -> String {
    match (record.suspension, event) {
        (Suspension::Wanted, Event::SuspensionSeen(true)) => {
            record.suspension = Suspension::Untouched;
            record.look_at = now;
            "somebody keeps the group's refreshes from going on already".into()
        }
        (Suspension::Wanted, Event::SuspensionSeen(false)) => {
            record.suspension = Suspension::Asked;
            record.look_at = now;
            "nobody keeps the group's refreshes from going on".into()
        }
        (Suspension::Asked, Event::Suspended) => {
            record.suspension = Suspension::Suspended;
            record.look_at = now;
            "the group's refreshes are kept from going on".into()
        }
        // It was given up meanwhile, and the call was heard all the same.
        (Suspension::Untouched | Suspension::GivenBack, Event::Suspended) => {
            record.suspension = Suspension::Owed;
            "the group's refreshes are to go on".into()
        }
        (Suspension::Asked, Event::SuspendRefused(refusal)) => {
            record.suspension = Suspension::Untouched;
            visit::give(record, Verdict::RollBack, format!("it can't be held: {refusal}"), now)
        }
        (Suspension::Owed, Event::Resumed) => {
            record.suspension = Suspension::GivenBack;
            "the group's refreshes may go on".into()
        }
        (Suspension::Owed, Event::ResumeRefused(refusal)) => wait(record, now, LOCKED_SECONDS, &refusal.to_string()),
        (_, _) => "stale".into(),
    }
}

/// What is to be done about it before anything else.
pub(super) fn question(record: &Rollout) -> Option<Alone> {
    let group = record.group.clone();
    match record.suspension {
        Suspension::Wanted => Some(Alone::LookAtSuspension(group)),
        Suspension::Asked => Some(Alone::Suspend(group)),
        // What is to be taken back is, before it could go on.
        Suspension::Owed if record.state != State::TurningBack => Some(Alone::Resume(group)),
        Suspension::Owed | Suspension::Untouched | Suspension::Suspended | Suspension::GivenBack => None,
    }
}
