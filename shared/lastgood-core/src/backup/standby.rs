//! A member of a group that is shut down for its image: it is in standby meanwhile, or Auto Scaling would replace it, and it
//! serves again afterwards, whoever died in between.
//!
//! ```text
//!  Untouched ─▶ Entering ─▶ In ─▶ Leaving ─▶ Returning ─▶ Left
//!                  └──────────────▲   ▲ └───────┘          │
//!         however it ends, once it is │                    │
//!         on again                    └────────────────────┘ put in standby once more, by one who hung
//! ```

use serde::{Deserialize, Serialize};

use super::life::{Alone, Effect, State, Together, again, fail, unanswered, wait};
use super::power::{POLL_SECONDS, is_gone};
use super::record::Backup;
use super::shutdown;
use super::startup::LEFT_SECONDS_MAX;
use crate::facts::Lifecycle;
use crate::id::{GroupName, InstanceId};
use crate::life::{LEASE_SECONDS, RETRY_SECONDS};
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::{Time, later, pace, seconds_between};

/// Whether it is to be taken out of standby by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standby {
    /// It was not to be in standby.
    #[default]
    Untouched,
    /// Since when AWS has heard that it is to be; `None` if it may or may not have.
    Entering(Option<Time>),
    /// It is.
    In,
    /// It is to serve again, not before this time. AWS may or may not have heard of it.
    Leaving(Time),
    /// AWS has heard of it: looked at then.
    Returning(Time),
    /// It serves again, or is no member any more.
    Left,
}

/// What is on record of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandbyPart {
    /// Where it stands.
    #[serde(default)]
    pub state: Standby,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// Since when AWS tells no such member, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold_since: Option<Time>,
    /// The last refusal to take it out, until a look says what it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The last one that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
}

impl StandbyPart {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// It is in standby by us, or may be.
    pub(super) fn is_unsettled(&self) -> bool {
        !matches!(self.state, Standby::Untouched | Standby::Left)
    }

    /// When what is owed to it is due.
    fn owed(&self) -> Option<Time> {
        match self.state {
            Standby::Leaving(at) | Standby::Returning(at) => Some(at),
            Standby::Untouched | Standby::Entering(_) | Standby::In | Standby::Left => None,
        }
    }
}

/// An answer about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandbyEvent {
    /// AWS puts it in standby.
    EnterHeard,
    /// AWS refused to.
    EnterRefused(Refusal),
    /// Nobody knows whether AWS does: the call did not get through, and what was tried.
    EnterUnanswered(String),
    /// Where it is in its life in the group; `None`: it is no member.
    Seen(Option<Lifecycle>),
    /// Another member is in standby, too, and why that matters.
    NotAlone(String),
    /// AWS takes it out.
    LeaveHeard,
    /// AWS refused to.
    LeaveRefused(Refusal),
    /// A call or a look did not get through, and what was tried.
    Unanswered(String),
}

impl StandbyEvent {
    /// Whether it says that a call got through.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::EnterHeard
            | Self::EnterRefused(_)
            | Self::Seen(_)
            | Self::NotAlone(_)
            | Self::LeaveHeard
            | Self::LeaveRefused(_) => true,
            Self::EnterUnanswered(_) | Self::Unanswered(_) => false,
        }
    }

    /// Whether it must be on record whoever saved meanwhile: the instance goes into standby, or may.
    pub(super) fn holds_whoever_saved(&self) -> bool {
        matches!(self, Self::EnterHeard | Self::EnterUnanswered(_))
    }
}

/// What `event` makes of a record.
pub(super) fn step(record: &mut Backup, event: StandbyEvent, now: Time) -> String {
    let event = match event {
        StandbyEvent::Seen(None) if !is_gone(&mut record.standby.untold_since, false, now) => {
            StandbyEvent::Seen(Some(Lifecycle::Other))
        }
        StandbyEvent::Seen(Some(lifecycle)) => {
            record.standby.untold_since = None;
            StandbyEvent::Seen(Some(lifecycle))
        }
        event => event,
    };
    let goes_in = event.holds_whoever_saved();
    match (record.standby.state, event) {
        (Standby::Entering(None), StandbyEvent::EnterHeard) => entering(record, now),
        // An earlier call may have been heard: which, a look says.
        (Standby::Entering(None), StandbyEvent::EnterRefused(refusal)) if refusal.why == Why::WrongState => {
            entering(record, now)
        }
        (Standby::Entering(None), StandbyEvent::EnterRefused(refusal)) if refusal.why.passes() => {
            wait(record, now, &refusal)
        }
        (Standby::Entering(None), StandbyEvent::EnterRefused(refusal)) => fail(record, now, refusal.to_string()),
        (Standby::Entering(None), StandbyEvent::EnterUnanswered(why)) => {
            record.power.doubt_at = Some(now);
            unanswered(record, &why, now)
        }
        (Standby::Entering(_), StandbyEvent::Unanswered(why)) => unanswered(record, &why, now),
        (Standby::Entering(Some(_)), StandbyEvent::Seen(seen)) => match seen {
            Some(Lifecycle::Standby) => {
                record.standby.state = Standby::In;
                record.look_at = now;
                format!("it is in standby, and {}", shutdown::begin(record, now))
            }
            None | Some(Lifecycle::Leaving) => {
                record.standby.state = Standby::Left;
                fail(record, now, "the instance leaves its group".into())
            }
            Some(Lifecycle::InService | Lifecycle::Pending | Lifecycle::Warm | Lifecycle::Other) => {
                again(record, now, POLL_SECONDS, "it goes into standby")
            }
        },
        // Nothing was stopped yet, and it serves again.
        (Standby::Entering(Some(_)), StandbyEvent::NotAlone(why)) => fail(record, now, why),
        (Standby::Leaving(_) | Standby::Returning(_) | Standby::Left, _) if goes_in => {
            record.standby.state = Standby::Leaving(now);
            "it was put in standby too late".into()
        }
        (Standby::Leaving(_), StandbyEvent::LeaveHeard) => {
            record.standby.state = Standby::Returning(later(now, POLL_SECONDS));
            "it comes out of standby".into()
        }
        (Standby::Leaving(_), StandbyEvent::LeaveRefused(refusal)) => leave_refused(record, &refusal, now),
        (Standby::Leaving(_) | Standby::Returning(_), StandbyEvent::Seen(seen)) => match seen {
            Some(Lifecycle::Standby) => still_in(record, now),
            Some(Lifecycle::Warm | Lifecycle::Other) => {
                record.standby.state = Standby::Returning(later(now, POLL_SECONDS));
                "it comes out of standby".into()
            }
            Some(Lifecycle::InService | Lifecycle::Pending) => serves(record, now),
            None | Some(Lifecycle::Leaving) => {
                record.standby.state = Standby::Left;
                "it is no member of its group any more".into()
            }
        },
        (Standby::Leaving(_) | Standby::Returning(_), StandbyEvent::Unanswered(why)) => {
            record.failures += 1;
            let at = pace::again_at(now, RETRY_SECONDS, record.failures, &record.id.to_string());
            record.standby.state = match record.standby.state {
                Standby::Returning(_) => Standby::Returning(at),
                _ => Standby::Leaving(at),
            };
            left_in(record, &why, now);
            format!("later again: {why}")
        }
        (
            Standby::Untouched
            | Standby::Entering(_)
            | Standby::In
            | Standby::Leaving(_)
            | Standby::Returning(_)
            | Standby::Left,
            StandbyEvent::EnterHeard
            | StandbyEvent::EnterRefused(_)
            | StandbyEvent::EnterUnanswered(_)
            | StandbyEvent::Seen(_)
            | StandbyEvent::NotAlone(_)
            | StandbyEvent::LeaveHeard
            | StandbyEvent::LeaveRefused(_)
            | StandbyEvent::Unanswered(_),
        ) => "stale".into(),
    }
}

/// It serves again. A call of somebody who hung may put it in standby once more: it is looked at until that can't be.
fn serves(record: &mut Backup, now: Time) -> String {
    record.standby.state = match record.power.heard_until(now) {
        Some(until) => Standby::Returning(later(now, RETRY_SECONDS).min(until)),
        None => Standby::Left,
    };
    "it serves again".into()
}

fn entering(record: &mut Backup, now: Time) -> String {
    record.standby.state = Standby::Entering(Some(now));
    record.look_at = later(now, POLL_SECONDS);
    "it goes into standby".into()
}

/// AWS would not take it out: it is out already, perhaps, or its group is full (AWS: Temporarily remove instances from your Auto
/// Scaling group). Which, a look says.
fn leave_refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why == Why::Missing {
        record.standby.state = Standby::Left;
    } else {
        record.standby.state = Standby::Returning(later(now, RETRY_SECONDS));
        record.standby.refused = Some(refusal.to_string());
    }
    refusal.to_string()
}

/// It is in standby still: it is tried again, and told if AWS refused.
fn still_in(record: &mut Backup, now: Time) -> String {
    record.standby.state = Standby::Leaving(now);
    if let Some(refused) = record.standby.refused.take() {
        tell_left(record, refused, now);
    }
    "it is in standby".into()
}

/// That it is in standby still is told, unless that was told for this reason.
fn tell_left(record: &mut Backup, reason: String, now: Time) {
    let Some(instance) = record.instance.clone().filter(|_| record.standby.told.as_ref() != Some(&reason)) else {
        return;
    };
    record.standby.told = Some(reason.clone());
    let news = News::StandbyLeft { backup: record.id.clone(), instance, reason };
    record.tell(&format!("/{}", now.as_second()), now, news);
}

/// No call gets through that takes it out, or says where it is: after a while that is told, once.
fn left_in(record: &mut Backup, why: &str, now: Time) {
    let since = record.power.on_at.unwrap_or(record.since);
    if record.standby.told.is_none() && seconds_between(since, now) >= LEFT_SECONDS_MAX {
        let reason = record.standby.refused.clone().unwrap_or_else(|| why.to_owned());
        tell_left(record, reason, now);
    }
}

/// Once its instance is on again, or its backup is over without having stopped it, it is to serve again.
pub(super) fn settle(record: &mut Backup, now: Time) {
    let is_in = matches!(record.standby.state, Standby::Entering(_) | Standby::In);
    let needs_it = record.state == State::Quiescing || record.power.may_be_off();
    if is_in && !needs_it {
        record.standby.state = Standby::Leaving(now);
    }
}

/// What is asked for so that it is in standby; nothing once it is, or for one that is no member.
pub(super) fn enter(record: &Backup, instance: &InstanceId) -> Option<Effect> {
    let group = record.standby.group.clone()?;
    match record.standby.state {
        Standby::Entering(None) => Some(Effect::Alone(Alone::EnterStandby(group, instance.clone()))),
        Standby::Entering(Some(_)) => Some(Effect::Together(Together::LookAtMember(group, instance.clone()))),
        Standby::Untouched | Standby::In | Standby::Leaving(_) | Standby::Returning(_) | Standby::Left => None,
    }
}

/// What is owed to it now: nothing while its instance is off.
pub(super) fn due(record: &Backup, instance: &InstanceId, now: Time) -> Option<Effect> {
    let group = record.standby.group.clone().filter(|_| !record.power.may_be_off())?;
    match record.standby.state {
        Standby::Leaving(at) if at <= now => Some(Effect::Alone(Alone::LeaveStandby(group, instance.clone()))),
        Standby::Returning(at) if at <= now => Some(Effect::Together(Together::LookAtMember(group, instance.clone()))),
        _ => None,
    }
}

/// When that wakes the record.
pub(super) fn wake(record: &Backup) -> Option<Time> {
    let owed = record.standby.owed().filter(|_| !record.power.may_be_off())?;
    Some(if matches!(record.standby.state, Standby::Leaving(_)) { later(owed, LEASE_SECONDS) } else { owed })
}
