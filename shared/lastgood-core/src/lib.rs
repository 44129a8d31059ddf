//! What Lastgood decides, and nothing of how it is carried out.
//!
//! Everything here is a pure function or plain data: no async, no AWS, no clock, no environment, no randomness.
//! `now`, ids and settings are arguments. The lives are in [`backup::life`], [`source::life`] and
//! [`rollout::life`]; what may go is in [`retention`]; when a backup is due is in [`schedule`].

pub mod backup;
pub mod cache;
#[cfg(test)]
mod changed;
pub mod facts;
pub mod group;
pub mod id;
pub mod incoming;
pub mod instance;
pub mod life;
#[cfg(test)]
mod limits;
pub mod name;
pub mod needed;
pub mod notice;
pub mod outbox;
pub mod pace;
pub mod plan;
pub mod record;
pub mod refusal;
pub mod retention;
pub mod rollout;
pub mod schedule;
pub mod source;
pub mod stored;
pub mod sweep;
pub mod text;
pub mod watch;

/// A point in time, in UTC. Lastgood works in whole seconds; fractions are cut where time comes in.
pub type Time = jiff::Timestamp;

/// `time` plus `seconds`; at the end of the calendar it stays there.
#[must_use]
pub fn later(time: Time, seconds: i64) -> Time {
    time.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Time::MAX)
}

/// Whole seconds from `earlier` to `later`; negative if the two are the other way round.
#[must_use]
pub fn seconds_between(earlier: Time, later: Time) -> i64 {
    later.as_second() - earlier.as_second()
}

/// `time` without its fraction of a second.
#[must_use]
pub fn whole_second(time: Time) -> Time {
    Time::from_second(time.as_second()).unwrap_or(time)
}
