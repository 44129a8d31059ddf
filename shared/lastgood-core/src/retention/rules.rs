//! The rules of retention: what a policy asks for, what each rule keeps, and the words in which it says so.
//!
//! A rule sees the backups newest first. It is asked about each before it counts it, and counts only those that are
//! there.

use std::collections::BTreeSet;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::schedule::Zone;

/// How long backups are kept. Zero, or a field that is absent, means that the rule is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest so many.
    #[serde(default)]
    pub last: u32,
    /// All that are no more than so many seconds older than the newest. The newest is what it is measured from, not
    /// the present: should backups stop, nothing goes.
    #[serde(default)]
    pub within_seconds: i64,
    /// The newest of each day, for the last so many days that have one.
    #[serde(default)]
    pub daily: u32,
    /// The newest of each ISO week (Monday to Sunday), for the last so many weeks that have one.
    #[serde(default)]
    pub weekly: u32,
    /// The newest of each month, for the last so many months that have one.
    #[serde(default)]
    pub monthly: u32,
    /// The newest of each year, for the last so many years that have one.
    #[serde(default)]
    pub yearly: u32,
    /// The newest so many for which the instance had shut down in an orderly way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub consistent: u32,
    /// In whose days, weeks, months and years is counted: a name of the IANA database. One that is not known counts
    /// as UTC.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Default for Retention {
    fn default() -> Self {
        let timezone = utc();
        Self { last: 3, within_seconds: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, consistent: 0, timezone }
    }
}

impl Retention {
    /// No rule is asked for. A plan must not say so; [`judge`](super::judge) keeps the newest all the same.
    pub fn keeps_nothing(&self) -> bool {
        self.rules().is_empty()
    }

    /// The rules that are asked for, in the order in which they are told. None has counted anything.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        if self.last > 0 {
            rules.push(Rule::Last { last: self.last, taken: 0 });
        }
        if self.within_seconds > 0 {
            rules.push(Rule::Within { seconds: self.within_seconds, newest: None });
        }
        let tiers = [
            (Period::Day, self.daily),
            (Period::Week, self.weekly),
            (Period::Month, self.monthly),
            (Period::Year, self.yearly),
        ];
        let asked = tiers.into_iter().filter(|(_, count)| *count > 0);
        rules.extend(asked.map(|(period, count)| Rule::NewestOfEach { period, count, taken: BTreeSet::new() }));
        if self.consistent > 0 {
            rules.push(Rule::Consistent { count: self.consistent, taken: 0 });
        }
        rules
    }

    /// The zone in which the periods count.
    pub(super) fn zone(&self) -> TimeZone {
        // UTC needs no look into the database, which costs a cold start some of its time.
        if self.timezone == "UTC" {
            return TimeZone::UTC;
        }
        let zone = Zone::parse(&self.timezone).and_then(|zone| zone.time_zone());
        zone.unwrap_or(TimeZone::UTC)
    }
}

impl fmt::Display for Retention {
    /// As in `last 3, within 30 d, daily 7`; the zone is told if it is not UTC and a rule depends on it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules();
        if rules.is_empty() {
            return f.write_str("nothing");
        }
        let names: Vec<String> = rules.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))?;
        let by_calendar = rules.iter().any(|rule| matches!(rule, Rule::NewestOfEach { .. }));
        if by_calendar && self.timezone != "UTC" {
            write!(f, " in {}", self.timezone)?;
        }
        Ok(())
    }
}

/// A stretch of the calendar of which the newest backup is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// An ISO week, Monday to Sunday; the first of a year may begin in the year before.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

impl Period {
    /// Its rule, as plans write it, and how one of its kind is named. Two times are in the same one exactly if they
    /// give the same name.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Day => ("daily", "%Y-%m-%d"),
            Self::Week => ("weekly", "week %G-W%V"),
            Self::Month => ("monthly", "%B %Y"),
            Self::Year => ("yearly", "%Y"),
        }
    }

    fn name(self, at: &Zoned) -> String {
        at.strftime(self.words().1).to_string()
    }
}

/// Where a backup stands among the others.
pub(super) struct Place {
    /// Its slot, in the zone of the policy.
    pub(super) at: Zoned,
    /// No older one is there.
    pub(super) nothing_older: bool,
    /// The instance had shut down in an orderly way for it.
    pub(super) clean: bool,
}

/// A rule, and what it has counted so far.
pub(super) enum Rule {
    Last {
        last: u32,
        taken: usize,
    },
    Within {
        seconds: i64,
        newest: Option<Time>,
    },
    NewestOfEach {
        period: Period,
        count: u32,
        /// The periods that have their newest. They are all remembered, not the latest alone: where clocks go back
        /// over midnight, a day ends and begins once more.
        taken: BTreeSet<String>,
    },
    Consistent {
        count: u32,
        taken: usize,
    },
}

impl Rule {
    /// Why a backup in this place stays, given the younger ones that were counted.
    pub(super) fn keeps(&self, place: &Place) -> Option<Reason> {
        match self {
            Self::Last { last, taken } => {
                (*taken < *last as usize).then(|| Reason::Last { rank: taken + 1, last: *last })
            }
            Self::Within { seconds, newest } => {
                let at = place.at.timestamp();
                let age = newest.unwrap_or(at).duration_since(at);
                (age <= SignedDuration::from_secs(*seconds)).then_some(Reason::Within { seconds: *seconds })
            }
            Self::NewestOfEach { period, count, taken } => {
                if taken.len() >= *count as usize {
                    return None;
                }
                let (period, count, rank) = (*period, *count, taken.len() + 1);
                let name = period.name(&place.at);
                if !taken.contains(&name) {
                    return Some(Reason::NewestOf { name, period, rank, count });
                }
                // While places are left, what is kept reaches back as far as there is anything.
                place.nothing_older.then_some(Reason::OldestOfAll { period, rank, count })
            }
            Self::Consistent { count, taken } => {
                (place.clean && *taken < *count as usize).then(|| Reason::Consistent { rank: taken + 1, count: *count })
            }
        }
    }

    /// Counts a backup that is there.
    pub(super) fn count(&mut self, place: &Place) {
        match self {
            Self::Last { taken, .. } => *taken += 1,
            Self::Within { newest, .. } => {
                newest.get_or_insert(place.at.timestamp());
            }
            Self::NewestOfEach { period, taken, .. } => {
                taken.insert(period.name(&place.at));
            }
            Self::Consistent { taken, .. } => *taken += usize::from(place.clean),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last { last, .. } => write!(f, "last {last}"),
            Self::Within { seconds, .. } => write!(f, "within {}", length(*seconds)),
            Self::NewestOfEach { period, count, .. } => write!(f, "{} {count}", period.words().0),
            Self::Consistent { count, .. } => write!(f, "consistent {count}"),
        }
    }
}

/// Why a backup stays or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is number `rank` of the `last` newest.
    Last {
        /// Its place, the newest being 1.
        rank: usize,
        /// The rule's number.
        last: u32,
    },
    /// It is not older than the newest by more than this.
    Within {
        /// The rule's length.
        seconds: i64,
    },
    /// It is the newest of its day, week, month or year.
    NewestOf {
        /// Which one, as in `week 2026-W03`.
        name: String,
        /// Of which kind.
        period: Period,
        /// The place of the period among those that have a backup, the newest being 1.
        rank: usize,
        /// The rule's number.
        count: u32,
    },
    /// None is older, and the rule has places left.
    OldestOfAll {
        /// The rule's kind.
        period: Period,
        /// The first of the places that were left.
        rank: usize,
        /// The rule's number.
        count: u32,
    },
    /// The instance had shut down in an orderly way for it, and it is number `rank` of the `count` newest such.
    Consistent {
        /// Its place among those, the newest being 1.
        rank: usize,
        /// The rule's number.
        count: u32,
    },
    /// No rule keeps it, but it is the last good one that the source has.
    NewestGood,
    /// The group launches from it.
    Published,
    /// It is being published.
    Publishing,
    /// An operator asked that it stays.
    Pinned,
    /// Its source was made anew since, and had other data before.
    Former,
    /// Its image is not there, and too few younger ones are: what is left of it can wait.
    NotThere,
    /// No rule of this policy keeps it, nor anything else.
    NoRule(Retention),
    /// Its source is gone, and was to take its backups along.
    SourceGone(super::Gone),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last { rank, last } => write!(f, "{rank} of the last {last} good ones"),
            Self::Within { seconds } => write!(f, "within {} of the newest", length(*seconds)),
            Self::NewestOf { name, period, rank, count } => {
                write!(f, "newest of {name}, {} {rank} of {count}", period.words().0)
            }
            Self::OldestOfAll { period, rank, count } => {
                write!(f, "oldest of all, {} {rank} of {count}", period.words().0)
            }
            Self::Consistent { rank, count } => {
                write!(f, "{rank} of the last {count} of an instance that had shut down")
            }
            Self::NewestGood => f.write_str("the newest good one"),
            Self::Published => f.write_str("the group launches from it"),
            Self::Publishing => f.write_str("it is being published"),
            Self::Pinned => f.write_str("it is pinned"),
            Self::Former => f.write_str("it is the last one of what its source was before it was made anew"),
            Self::NotThere => f.write_str("its image is not there; it counts for nothing"),
            Self::SourceGone(super::Gone::Deleted) => {
                f.write_str("its source was deleted, and its plan says that its backups go too")
            }
            Self::SourceGone(super::Gone::Unplanned) => {
                f.write_str("its source was taken out of its plan, and its backups with it")
            }
            Self::NoRule(policy) => match policy.rules().as_slice() {
                [] => f.write_str("the policy keeps nothing but the newest good one"),
                [Rule::Last { last, .. }] => write!(f, "older than the last {last} good ones"),
                _ => write!(f, "no rule keeps it: {policy}"),
            },
        }
    }
}

/// A length of time in the largest unit that leaves no rest.
fn length(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds % size == 0).unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}
