//! The power of an instance that is shut down for its image: it comes back, whoever died in between.
//!
//! ```text
//!  Untouched ─▶ Stopping ─▶ ForceStopping ─▶ Stopped ─▶ Starting ─▶ Running
//!                  │  └────────────────────────▲ │          ▲ │ ▲       ▲
//!                  │              │              │          │ └─┼─▶ Watched
//!                  └──────────────┴──── fails ───┴──────────┘   └──────┘ stopped once more, by one who hung
//!
//!  Starting ─▶ Freeing ─▶ Starting   it hangs on its way off, and can't be started: it is forced off
//!
//!  Gone  from anywhere: it is terminated
//! ```
//!
//! An instance that was off before is left off. What is to be started outranks everything else that is due.

use serde::{Deserialize, Serialize};

pub use super::consistency::Consistency;
use super::life::{Alone, Effect, State, Together, fail, unanswered};
use super::record::Backup;
use super::shutdown::{forcing, shutting_down, stop_refused, stopping};
use super::sight::VISIBLE_SECONDS_MAX;
use super::startup::{START_RETRY_SECONDS, coming, free_refused, left, start_refused, watched};
use crate::facts::InstanceState;
use crate::id::InstanceId;
use crate::life::{LEASE_SECONDS, RETRY_SECONDS};
use crate::refusal::Refusal;
use crate::{Time, later, pace, seconds_between};

/// Pause between two looks at one that goes off or comes up.
pub(super) const POLL_SECONDS: i64 = 15;
/// How long an instance is off at most until AWS copies its volumes.
pub const OFF_SECONDS_MAX: i64 = 10 * 60;
/// How long a call of somebody who hung may still be on its way, in seconds (AWS: Common error types, RequestExpired), and five
/// minutes more.
pub const HEARD_SECONDS_MAX: i64 = 20 * 60;
/// The pause that a first look at something of AWS is given.
pub(super) const FIRST_LOOK_SECONDS: i64 = RETRY_SECONDS / 4;

/// Whether its instance is to be started by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It was not to be stopped, or was off before.
    #[default]
    Untouched,
    /// Its system is to shut down: since when AWS has heard of that; `None` if it may or may not have.
    Stopping(Option<Time>),
    /// Its system did not, and is not asked any more.
    ForceStopping(Option<Time>),
    /// It is off. Its image is made of what lies on its volumes.
    Stopped,
    /// It is to be started, not before this time. AWS may or may not have heard of it.
    Starting(Time),
    /// AWS has heard of it: looked at then.
    Coming(Time),
    /// It is to be started, and hangs on its way off: it is forced off, not before this time. AWS may or may not have heard
    /// of it.
    Freeing(Time),
    /// It runs, and a call of somebody who hung may stop it once more: looked at then, and until then.
    Watched(Time, Time),
    /// It runs again.
    Running,
    /// It is terminated.
    Gone,
}

/// What is on record of the power of a backup's instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerPart {
    /// Where it stands.
    #[serde(default)]
    pub state: Power,
    /// What the image is of; `None` of a group's and of a cache's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// When it was first asked to shut down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Time>,
    /// When it was seen to be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_at: Option<Time>,
    /// Since when it is to be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_at: Option<Time>,
    /// When it was seen to run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_at: Option<Time>,
    /// It was off, or going off, by somebody else's will when AWS heard of us: it stays off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_off: bool,
    /// When AWS heard that it is to be started, if it has not been seen off since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_heard_at: Option<Time>,
    /// When somebody last took up a stop that another may still be at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt_at: Option<Time>,
    /// Since when it is seen on its way off while it is to be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangs_since: Option<Time>,
    /// Since when AWS does not tell it, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold_since: Option<Time>,
    /// That it can't be started was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refusal_told: bool,
    /// That it is off for too long was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_told: bool,
}

impl PowerPart {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How long it was away, in seconds, once it is back.
    #[must_use]
    pub fn downtime_seconds(&self) -> Option<i64> {
        Some(seconds_between(self.asked_at?, self.on_at?))
    }

    /// Until when a call of somebody who hung may still take it off; `None` if none may any more.
    pub(super) fn heard_until(&self, now: Time) -> Option<Time> {
        self.doubt_at.map(|at| later(at, HEARD_SECONDS_MAX)).filter(|until| *until > now)
    }

    /// When what is owed to it is due, whatever else its backup waits for.
    pub(super) fn owed(&self) -> Option<Time> {
        match self.state {
            Power::Starting(at) | Power::Coming(at) | Power::Freeing(at) | Power::Watched(at, _) => Some(at),
            Power::Untouched
            | Power::Stopping(_)
            | Power::ForceStopping(_)
            | Power::Stopped
            | Power::Running
            | Power::Gone => None,
        }
    }

    /// It is off because of us, or goes off.
    pub(super) fn is_off(&self) -> bool {
        match self.state {
            Power::Stopping(_)
            | Power::ForceStopping(_)
            | Power::Stopped
            | Power::Starting(_)
            | Power::Coming(_)
            | Power::Freeing(_) => true,
            Power::Untouched | Power::Watched(..) | Power::Running | Power::Gone => false,
        }
    }

    /// AWS has heard that it is to go off: it is waited for.
    pub(super) fn is_going_off(&self) -> bool {
        matches!(self.state, Power::Stopping(Some(_)) | Power::ForceStopping(Some(_)))
    }

    /// Whether it is looked at as soon as AWS says that its instance changed.
    #[must_use]
    pub fn waits_for_news(&self) -> bool {
        self.is_going_off() || matches!(self.state, Power::Coming(_) | Power::Watched(..))
    }

    /// When somebody else takes that up: what was to be done at once may be under way.
    pub(super) fn wake(&self) -> Option<Time> {
        match self.state {
            Power::Starting(at) | Power::Freeing(at) => Some(later(at, LEASE_SECONDS / 2)),
            _ => self.owed(),
        }
    }
}

/// An answer about the power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerEvent {
    /// AWS takes it off, and what it was before, if AWS says.
    StopHeard(Option<InstanceState>),
    /// AWS refused to.
    StopRefused(Refusal),
    /// Nobody knows whether AWS does: the call did not get through, and what was tried.
    StopUnanswered(String),
    /// What AWS says of it; `None`: it tells no such instance.
    Seen(Option<InstanceState>),
    /// AWS starts it.
    StartHeard,
    /// AWS refused to.
    StartRefused(Refusal),
    /// A call or a look did not get through, and what was tried.
    Unanswered(String),
    /// AWS says that it changed. A hint: it is looked at.
    News,
}

impl PowerEvent {
    /// Whether it says that a call got through.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::StopHeard(_) | Self::StopRefused(_) | Self::Seen(_) | Self::StartHeard | Self::StartRefused(_) => {
                true
            }
            Self::StopUnanswered(_) | Self::Unanswered(_) | Self::News => false,
        }
    }

    /// Whether it must be on record whoever saved meanwhile: the instance goes off, or may.
    pub(super) fn holds_whoever_saved(&self) -> bool {
        matches!(self, Self::StopHeard(_) | Self::StopUnanswered(_))
    }
}

/// What `event` makes of a record.
pub(super) fn step(record: &mut Backup, event: PowerEvent, now: Time) -> String {
    let event = match event {
        PowerEvent::Seen(seen) if is_gone(&mut record.power.untold_since, seen.is_some(), now) => {
            PowerEvent::Seen(Some(InstanceState::Leaving))
        }
        event => event,
    };
    match (record.power.state, event) {
        (Power::Stopping(None), PowerEvent::StopHeard(was)) => shutting_down(record, was, now),
        (Power::ForceStopping(None), PowerEvent::StopHeard(_)) => {
            record.power.state = Power::ForceStopping(Some(now));
            record.look_at = later(now, POLL_SECONDS);
            "it is forced off".into()
        }
        (Power::Stopping(None) | Power::ForceStopping(None), PowerEvent::StopRefused(refusal)) => {
            stop_refused(record, &refusal, now)
        }
        (Power::Stopping(None) | Power::ForceStopping(None), PowerEvent::StopUnanswered(why)) => {
            record.power.doubt_at = Some(now);
            unanswered(record, &why, now)
        }
        (Power::Stopping(_) | Power::ForceStopping(_), PowerEvent::Unanswered(why)) => unanswered(record, &why, now),
        (Power::Stopping(Some(since)), PowerEvent::Seen(seen)) => stopping(record, since, seen, now),
        (Power::ForceStopping(Some(since)), PowerEvent::Seen(seen)) => forcing(record, since, seen, now),
        (Power::Stopping(Some(_)) | Power::ForceStopping(Some(_)), PowerEvent::News) => {
            record.look_at = now;
            "AWS says that it changed".into()
        }
        (Power::Freeing(_), PowerEvent::StopHeard(_)) => {
            record.power.state = Power::Coming(later(now, POLL_SECONDS));
            "it is forced off".into()
        }
        (Power::Freeing(_), PowerEvent::StopRefused(refusal)) => free_refused(record, &refusal, now),
        // Whoever asked for it hung, and others went on meanwhile: it goes off, or may.
        (
            Power::Starting(_) | Power::Coming(_) | Power::Watched(..) | Power::Running,
            PowerEvent::StopHeard(_) | PowerEvent::StopUnanswered(_),
        ) => {
            record.power.doubt_at = Some(now);
            record.power.state = Power::Starting(now);
            "it was stopped too late".into()
        }
        (Power::Starting(_), PowerEvent::StartHeard) => {
            record.power.state = Power::Coming(later(now, POLL_SECONDS));
            record.power.start_heard_at = Some(now);
            "AWS starts it".into()
        }
        (Power::Starting(_) | Power::Coming(_) | Power::Watched(..), PowerEvent::StartRefused(refusal)) => {
            start_refused(record, &refusal, now)
        }
        (Power::Starting(_) | Power::Coming(_), PowerEvent::Seen(seen)) => coming(record, seen, now),
        (Power::Watched(_, until), PowerEvent::Seen(seen)) => watched(record, until, seen, now),
        (Power::Coming(_), PowerEvent::News) => {
            record.power.state = Power::Coming(now);
            "AWS says that it changed".into()
        }
        (Power::Watched(_, until), PowerEvent::News) => {
            record.power.state = Power::Watched(now, until);
            "AWS says that it changed".into()
        }
        (
            Power::Starting(_) | Power::Coming(_) | Power::Freeing(_) | Power::Watched(..),
            PowerEvent::Unanswered(why),
        )
        | (Power::Freeing(_), PowerEvent::StopUnanswered(why)) => {
            record.failures += 1;
            let at = pace::again_at(now, START_RETRY_SECONDS, record.failures.min(2), &record.id.to_string());
            put_off(record, at);
            left(record, now, &why);
            format!("later again: {why}")
        }
        (
            Power::Untouched
            | Power::Stopping(_)
            | Power::ForceStopping(_)
            | Power::Stopped
            | Power::Starting(_)
            | Power::Coming(_)
            | Power::Freeing(_)
            | Power::Watched(..)
            | Power::Running
            | Power::Gone,
            PowerEvent::StopHeard(_)
            | PowerEvent::StopRefused(_)
            | PowerEvent::StopUnanswered(_)
            | PowerEvent::Seen(_)
            | PowerEvent::StartHeard
            | PowerEvent::StartRefused(_)
            | PowerEvent::Unanswered(_)
            | PowerEvent::News,
        ) => "stale".into(),
    }
}

/// Notes whether AWS tells something. Whether it has not for so long that it must be gone: one answer without it proves nothing
/// (AWS: Eventual consistency), and of what is terminated it tells for an hour.
pub(super) fn is_gone(since: &mut Option<Time>, is_told: bool, now: Time) -> bool {
    if is_told {
        *since = None;
        return false;
    }
    seconds_between(*since.get_or_insert(now), now) >= VISIBLE_SECONDS_MAX
}

/// The same again, at another time.
fn put_off(record: &mut Backup, at: Time) {
    record.power.state = match record.power.state {
        Power::Coming(_) => Power::Coming(at),
        Power::Freeing(_) => Power::Freeing(at),
        Power::Watched(_, until) => Power::Watched(at, until),
        _ => Power::Starting(at),
    };
}

/// It is terminated: there is nothing to make an image of, and nothing to start.
pub(super) fn gone(record: &mut Backup, now: Time) -> String {
    record.power.state = Power::Gone;
    let reason = "the instance is terminated".to_owned();
    match record.state {
        State::Quiescing | State::Creating => fail(record, now, reason),
        _ => reason,
    }
}

/// Somebody takes the record up, and another may still be at the call that stops it.
pub(super) fn woken(record: &mut Backup, now: Time) -> String {
    if matches!(record.power.state, Power::Stopping(None) | Power::ForceStopping(None)) {
        record.power.doubt_at = Some(now);
        return "a call that takes it off may be on its way".into();
    }
    "nothing to do but what is due".into()
}

/// The image has what it needs, or will never be made: what was stopped is owed back.
pub(super) fn owe(record: &mut Backup, now: Time) {
    if !matches!(record.power.state, Power::Stopping(_) | Power::ForceStopping(_) | Power::Stopped) {
        return;
    }
    if record.power.was_off {
        record.power.state = Power::Untouched;
    } else {
        record.power.state = Power::Starting(now);
        record.power.owed_at = Some(now);
    }
}

/// It is not left off for an image for long, however that comes along and whatever AWS does not answer. Why it is started, if
/// that is so.
pub(super) fn settle(record: &mut Backup, now: Time) -> Option<String> {
    let until = later(record.power.off_at.filter(|_| record.power.state == Power::Stopped)?, OFF_SECONDS_MAX);
    if now < until {
        record.look_at = record.look_at.min(until);
        return None;
    }
    let minutes = OFF_SECONDS_MAX / 60;
    if record.state == State::Creating {
        let last = record.trouble.take().unwrap_or_default();
        return Some(fail(record, now, format!("CreateImage did not come about within {minutes} min; last: {last}")));
    }
    record.power.consistency = Some(Consistency::CrashConsistent);
    owe(record, now);
    Some(format!("AWS did not begin to copy each of its volumes within {minutes} min: it is started all the same"))
}

/// What is owed to it now.
pub(super) fn due(record: &Backup, instance: &InstanceId, now: Time) -> Option<Effect> {
    record.power.owed().filter(|at| *at <= now)?;
    match record.power.state {
        Power::Starting(_) => Some(Effect::Alone(Alone::StartInstance(instance.clone()))),
        Power::Freeing(_) => Some(Effect::Alone(Alone::StopInstance { instance: instance.clone(), force: true })),
        _ => Some(Effect::Together(Together::LookAtInstance(instance.clone()))),
    }
}
