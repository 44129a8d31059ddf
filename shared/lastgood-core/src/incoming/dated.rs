//! When a request was made: its time is its sender's word, and part of what it does.

use crate::{Time, seconds_between};

/// How far EventBridge's clock and ours may be apart, in seconds.
const CLOCK_SECONDS_APART_MAX: i64 = 5 * 60;

/// How old a request may be, in seconds. EventBridge and Lambda each try for an hour to deliver one (infra/template.yaml).
pub const REQUEST_SECONDS_OLD_MAX: i64 = 3 * 60 * 60;

/// A request whose time, which is its sender's word, can't be right, or is long over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misdated {
    /// It can't have been asked by now: everything that is asked after it would count as older.
    #[error("the request is dated {at}, and it is {now}; whose clock is wrong?")]
    Ahead {
        /// When it says it was sent.
        at: Time,
        /// Our time.
        now: Time,
    },
    /// It is of a time for which nobody asks any more: a backup would have a slot in the past.
    #[error("the request is dated {at}, and it is {now}, more than {} h later; ask again", REQUEST_SECONDS_OLD_MAX / 3600)]
    Old {
        /// When it says it was sent.
        at: Time,
        /// Our time.
        now: Time,
    },
}

/// Whether a request can be of this time.
pub fn dated(at: Time, now: Time) -> Result<(), Misdated> {
    if seconds_between(now, at) > CLOCK_SECONDS_APART_MAX {
        return Err(Misdated::Ahead { at, now });
    }
    if seconds_between(at, now) > REQUEST_SECONDS_OLD_MAX {
        return Err(Misdated::Old { at, now });
    }
    Ok(())
}
