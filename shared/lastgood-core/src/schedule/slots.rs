//! The instants of a pattern on the clock of a zone, and the only place that knows of changes of that clock.
//!
//! A pattern gives local times. Each becomes one instant: a time that the clock skips becomes the first instant after
//! the skip, one that it shows twice the first of the two. Local times keep their order that way, and several of them
//! may become one instant, which is one slot.

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::Time;

pub(super) struct Slots {
    pub(super) cron: Cron,
    pub(super) zone: TimeZone,
}

impl Slots {
    /// The first slot after `time`.
    pub(super) fn after(&self, time: Time) -> Option<Time> {
        let mut civil = self.zone.to_datetime(time);
        loop {
            civil = self.cron.find_next_occurrence(&civil, false).ok()?;
            // While the clock shows an hour for the second time, the slots of that hour are past. The search leaves
            // it minute by minute at the most.
            let slot = self.instant(civil)?;
            if slot > time {
                return Some(slot);
            }
        }
    }

    /// The last slot that is not after `time`.
    pub(super) fn until(&self, time: Time) -> Option<Time> {
        let civil = self.zone.to_datetime(time);
        // While the clock shows an hour for the second time, the first time that hour has passed as a whole. The time
        // that an unchanged clock would show lies behind all of it, and so far ahead only by as much.
        let latest = match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Fold { before, .. } => before.to_datetime(time),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => civil,
        };
        let mut civil = self.cron.find_previous_occurrence(&latest, true).ok()?;
        loop {
            let slot = self.instant(civil)?;
            if slot <= time {
                return Some(slot);
            }
            civil = self.cron.find_previous_occurrence(&civil, false).ok()?;
        }
    }

    /// When the clock is changed, after `begin` and not after `end`.
    pub(super) fn changes(&self, begin: Time, end: Time) -> impl Iterator<Item = Time> {
        self.zone.following(begin).map(|change| change.timestamp()).take_while(move |change| *change <= end)
    }

    /// The one instant that a local time stands for.
    pub(super) fn instant(&self, civil: DateTime) -> Option<Time> {
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(civil).ok()
            }
            AmbiguousOffset::Gap { after, .. } => {
                // Read on the later clock, a skipped time lies before the change.
                let before = after.to_timestamp(civil).ok()?;
                self.zone.following(before).find(|change| change.offset() == after).map(|change| change.timestamp())
            }
        }
    }
}
