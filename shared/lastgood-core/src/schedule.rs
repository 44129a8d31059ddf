//! When a source is due: a pattern, matched on the clock of a time zone, between two bounds.
//!
//! A named frequency is its cron pattern: there is one way to find the next slot, and no second arithmetic. A slot is
//! an instant. What becomes of a local time that the clock skips or shows twice is decided in [`slots`] alone.

mod cron;
mod error;
mod pattern;
mod slots;
mod zone;

use std::collections::VecDeque;
use std::fmt;
use std::iter;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use self::error::ScheduleError;
pub use self::pattern::Pattern;
use self::slots::Slots;
pub use self::zone::Zone;
use crate::{Time, later, seconds_between};

/// When a source is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Which local times are slots.
    pub pattern: Pattern,
    /// Whose clock the pattern is matched on.
    #[serde(default)]
    pub timezone: Zone,
    /// The first instant that may be a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// The first instant that may no longer be a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// 2026-01-01T00:00:00Z, in seconds. No schedule is older than Lastgood: one whose slots all lie before this never
/// comes.
const BEGIN_SECOND: i64 = 1_767_225_600;

/// Weekdays, days of the month and leap years meet in every way within 28 years, here with their seven leap days.
const GAP_SECONDS_MAX: i64 = 883_612_800;

/// So many slots show every distance of a pattern that has more of them than that in the years above.
const GAP_SLOTS_MAX: usize = 4000;

impl Schedule {
    /// A schedule without bounds. Whether it ever comes is not looked at: see [`Schedule::checked`].
    #[must_use]
    pub fn new(pattern: Pattern, timezone: Zone) -> Self {
        Self { pattern, timezone, from: None, until: None }
    }

    /// A schedule that has a slot at or after 2026-01-01, within its bounds. `from` is the first instant that may be
    /// a slot, `until` the first that may not.
    pub fn checked(
        pattern: Pattern,
        timezone: Zone,
        from: Option<Time>,
        until: Option<Time>,
    ) -> Result<Self, ScheduleError> {
        let schedule = Self { pattern, timezone, from, until };
        let slots = schedule.slots()?;
        if slots.after(just_before(begin())).is_none() {
            return Err(ScheduleError::Never {
                pattern: schedule.pattern.to_string(),
                remedy: slots.until(begin()).map_or_else(
                    || "the calendar has no such day; write one that its months and years have".to_owned(),
                    |last| format!("its last slot was {last}; write a year to come, or '*' for every year"),
                ),
            });
        }
        let first = schedule.first_instant();
        if schedule.next(&slots, just_before(first)).is_some() {
            return Ok(schedule);
        }
        let remedy = match (until, slots.after(just_before(first))) {
            (Some(until), _) if until <= first => format!("write an end after {first}"),
            (_, Some(next)) => format!("its first slot would be {next}; write an end after that"),
            (_, None) => slots.until(first).map_or_else(
                || "write a pattern that comes within them".to_owned(),
                |last| format!("its last slot is {last}; begin at or before that"),
            ),
        };
        Err(ScheduleError::NoSlot { schedule: schedule.to_string(), remedy })
    }

    /// The first slot after `time`; `None` if the years or the bounds of the schedule have ended.
    #[must_use]
    pub fn next_after(&self, time: Time) -> Option<Time> {
        self.next(&self.slots().ok()?, time)
    }

    /// The last slot that is not after `time`; `None` if the schedule has not begun.
    #[must_use]
    pub fn latest_until(&self, time: Time) -> Option<Time> {
        self.latest(&self.slots().ok()?, time)
    }

    /// The shortest distance of two consecutive slots from 2026 on, in seconds; `None` if there are no two. The days
    /// on which the clock is changed count: a daily slot in Berlin is 82800 seconds after the one before, once a year.
    #[must_use]
    pub fn shortest_gap_seconds(&self) -> Option<i64> {
        let slots = self.slots().ok()?;
        let begin = just_before(self.first_instant());
        let end = later(begin, GAP_SECONDS_MAX);
        let walk = |first: Option<Time>| iter::successors(first, |slot| self.next(&slots, *slot));
        let every = walk(self.next(&slots, begin)).take_while(|slot| *slot <= end).take(GAP_SLOTS_MAX);
        // A change of the clock moves the slots next to it, and no others.
        let by_change = slots.changes(begin, end).filter_map(|change| {
            let before = just_before(change);
            shortest(walk(self.latest(&slots, before).or_else(|| self.next(&slots, before))).take(4))
        });
        shortest(every).into_iter().chain(by_change).min()
    }

    /// The most slots that it has within so many seconds, from 2026 on.
    #[must_use]
    pub fn most_within(&self, seconds: i64) -> usize {
        let Ok(slots) = self.slots() else { return 0 };
        let begin = just_before(self.first_instant());
        let every = iter::successors(self.next(&slots, begin), |slot| self.next(&slots, *slot));
        let mut window = VecDeque::new();
        let counts = every.take_while(|slot| *slot <= later(begin, GAP_SECONDS_MAX)).take(GAP_SLOTS_MAX).map(|slot| {
            window.push_back(slot);
            while window.front().is_some_and(|first| seconds_between(*first, slot) >= seconds) {
                window.pop_front();
            }
            window.len()
        });
        counts.max().unwrap_or(0)
    }

    fn slots(&self) -> Result<Slots, ScheduleError> {
        Ok(Slots { cron: self.pattern.cron()?, zone: self.timezone.time_zone()? })
    }

    fn next(&self, slots: &Slots, time: Time) -> Option<Time> {
        let time = self.from.map_or(time, |from| time.max(just_before(from)));
        slots.after(time).filter(|slot| self.until.is_none_or(|until| *slot < until))
    }

    fn latest(&self, slots: &Slots, time: Time) -> Option<Time> {
        let time = self.until.map_or(time, |until| time.min(just_before(until)));
        slots.until(time).filter(|slot| self.from.is_none_or(|from| *slot >= from))
    }

    fn first_instant(&self) -> Time {
        self.from.map_or(begin(), |from| from.max(begin()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pattern)?;
        if self.timezone != Zone::default() {
            write!(f, " in {}", self.timezone)?;
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        Ok(())
    }
}

fn begin() -> Time {
    Time::from_second(BEGIN_SECOND).expect("2026 is in the calendar")
}

fn just_before(time: Time) -> Time {
    time.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(time)
}

fn shortest(slots: impl Iterator<Item = Time>) -> Option<i64> {
    let mut before = None;
    slots.filter_map(|slot| before.replace(slot).map(|before| seconds_between(before, slot))).min()
}

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod schedule_rules;
#[cfg(test)]
mod slot_table;
