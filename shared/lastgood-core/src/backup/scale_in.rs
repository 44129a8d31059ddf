//! Protection from scale-in: a member keeps its place while its image is made, and loses the protection afterwards.
//!
//! ```text
//!  Untouched ─▶ Asked ─▶ Protected ─▶ Owed ─▶ GivenBack
//!                 └───────────────────┘ ▲          │
//!       however it ends, and            └──────────┘ protected once more, by one who hung
//!       whoever died in between
//! ```
//!
//! A member that somebody has protected already is left as it is.

use serde::{Deserialize, Serialize};

use super::life::{Alone, Effect, State, fail, lost, unanswered, wait};
use super::record::Backup;
use crate::id::GroupName;
use crate::life::RETRY_SECONDS;
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::{Time, later, pace};

/// Pause before a protection that could not be taken away is tried again.
pub const OWED_RETRY_SECONDS: i64 = 10 * 60;

/// Whether the instance is protected from scale-in by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleIn {
    /// Not asked for, or somebody else's.
    #[default]
    Untouched,
    /// AWS may or may not have heard that it is to be protected.
    Asked,
    /// It is protected.
    Protected,
    /// The protection is to be taken away again, not before this time.
    Owed(Time),
    /// It is taken away, or went with the instance.
    GivenBack,
}

/// An answer about the protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScaleInEvent {
    /// It is protected.
    On,
    /// AWS refused to protect it.
    OnRefused(Refusal),
    /// Nobody knows whether it is protected: the call did not get through, and what was tried.
    OnUnanswered(String),
    /// It is not protected any more.
    Off,
    /// AWS refused to take the protection away.
    OffRefused(Refusal),
    /// The call to take it away did not get through, and what was tried.
    OffUnanswered(String),
}

/// What `event` makes of a record.
pub(super) fn step(record: &mut Backup, event: ScaleInEvent, now: Time) -> String {
    match (record.scale_in, event) {
        (ScaleIn::Asked, ScaleInEvent::On) => {
            record.scale_in = ScaleIn::Protected;
            record.look_at = now;
            "the instance is protected from scale-in".into()
        }
        (ScaleIn::Asked, ScaleInEvent::OnRefused(refusal)) if record.state == State::Creating => {
            if refusal.why.passes() {
                return wait(record, now, &refusal);
            }
            let reason = refusal.to_string();
            if matches!(refusal.why, Why::Missing | Why::WrongState) {
                return lost(record, now, &reason);
            }
            fail(record, now, reason)
        }
        (ScaleIn::Asked, ScaleInEvent::OnUnanswered(why)) => unanswered(record, &why, now),
        // Whoever asked for it hung, and others went on meanwhile. It is owed at once, and at another time than before: who
        // is taking it away right now must not save that it is away.
        (ScaleIn::GivenBack, ScaleInEvent::On | ScaleInEvent::OnUnanswered(_)) => too_late(record, now),
        (ScaleIn::Owed(at), ScaleInEvent::On | ScaleInEvent::OnUnanswered(_)) => {
            too_late(record, later(at.min(now), -1))
        }
        (ScaleIn::Owed(_), ScaleInEvent::Off) => {
            record.scale_in = ScaleIn::GivenBack;
            "the protection from scale-in is taken away".into()
        }
        (ScaleIn::Owed(_), ScaleInEvent::OffRefused(refusal)) if refusal.why == Why::Missing => {
            record.scale_in = ScaleIn::GivenBack;
            format!("its protection went with it: {refusal}")
        }
        (ScaleIn::Owed(_), ScaleInEvent::OffRefused(refusal)) => {
            record.scale_in = ScaleIn::Owed(later(now, OWED_RETRY_SECONDS));
            let reason = refusal.to_string();
            // A member that is on its way in or out takes the call later, or is gone then.
            let is_news = refusal.why != Why::WrongState && record.protection_told.as_ref() != Some(&reason);
            if let Some(instance) = record.instance.clone().filter(|_| is_news) {
                record.protection_told = Some(reason.clone());
                let backup = record.id.clone();
                record.tell(
                    &format!("/{}", now.as_second()),
                    now,
                    News::ProtectionLeft { backup, instance, reason: reason.clone() },
                );
            }
            reason
        }
        (ScaleIn::Owed(_), ScaleInEvent::OffUnanswered(why)) => {
            record.failures += 1;
            let again = pace::again_at(now, RETRY_SECONDS, record.failures, &record.id.to_string());
            record.scale_in = ScaleIn::Owed(again);
            format!("later again: {why}")
        }
        (
            ScaleIn::Untouched | ScaleIn::Asked | ScaleIn::Protected | ScaleIn::Owed(_) | ScaleIn::GivenBack,
            ScaleInEvent::On
            | ScaleInEvent::OnRefused(_)
            | ScaleInEvent::OnUnanswered(_)
            | ScaleInEvent::Off
            | ScaleInEvent::OffRefused(_)
            | ScaleInEvent::OffUnanswered(_),
        ) => "stale".into(),
    }
}

/// What is owed waits for the poll, and not for the cleanup: no later than the record itself.
fn too_late(record: &mut Backup, at: Time) -> String {
    record.scale_in = ScaleIn::Owed(at.min(record.look_at));
    "the instance was protected from scale-in too late".into()
}

/// The image is made, or will never be: what was asked for is owed back.
pub(super) fn owe(record: &mut Backup, now: Time) {
    if matches!(record.scale_in, ScaleIn::Asked | ScaleIn::Protected) {
        record.scale_in = ScaleIn::Owed(now);
    }
}

/// Whether the protection is to be taken away now.
pub(super) fn due(record: &Backup, group: &GroupName, now: Time) -> Option<Effect> {
    match record.scale_in {
        ScaleIn::Owed(at) if at <= now => {
            Some(Effect::Alone(Alone::Unprotect(group.clone(), record.instance.clone()?)))
        }
        ScaleIn::Untouched | ScaleIn::Asked | ScaleIn::Protected | ScaleIn::Owed(_) | ScaleIn::GivenBack => None,
    }
}
