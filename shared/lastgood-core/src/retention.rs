//! What may go, and why: a pure function from a source's good backups to the fate of each, with its reasons.
//!
//! Only good backups count. To change or add a rule, change [`judge`]; the table in the test below shows what it does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::BackupId;

/// How long backups are kept. A policy that keeps nothing can't be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest so many good backups.
    pub last: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { last: 3 }
    }
}

/// A good backup, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which backup.
    pub id: BackupId,
    /// The group launches from it, as far as we published it.
    pub published: bool,
    /// It is being published.
    pub publishing: bool,
    /// AWS still has its image, and can launch it: one that somebody deregistered or disabled by hand counts for
    /// nothing. True as long as nobody looked.
    pub there: bool,
}

/// What becomes of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, for each of these reasons.
    Keep(Vec<Reason>),
    /// No rule keeps it.
    LetGo(Reason),
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
    /// The group launches from it.
    Published,
    /// It is being published.
    Publishing,
    /// Its image is not there, and too few younger ones are: what is left of it can wait.
    NotThere,
    /// It is older than the `last` newest, and nothing else keeps it.
    OlderThanLast {
        /// The rule's number.
        last: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last { rank, last } => write!(f, "{rank} of the last {last} good ones"),
            Self::Published => f.write_str("the group launches from it"),
            Self::Publishing => f.write_str("it is being published"),
            Self::NotThere => f.write_str("its image is not there; it counts for nothing"),
            Self::OlderThanLast { last } => write!(f, "older than the last {last} good ones"),
        }
    }
}

/// The fate of each candidate, newest first.
///
/// `last` is at least one wherever a plan was checked; should a stored policy say zero, the newest stays all the
/// same: the last good backup of a source is never let go.
#[must_use]
pub fn judge(policy: &Retention, mut candidates: Vec<Candidate>) -> Vec<(BackupId, Fate)> {
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.id.slot));
    let last = policy.last.max(1);
    let mut counted = 0;
    let mut judged = Vec::new();
    for candidate in candidates {
        let mut reasons = Vec::new();
        let enough = counted >= last as usize;
        if candidate.there {
            counted += 1;
        }
        if candidate.there && !enough {
            reasons.push(Reason::Last { rank: counted, last });
        }
        if candidate.published {
            reasons.push(Reason::Published);
        }
        if candidate.publishing {
            reasons.push(Reason::Publishing);
        }
        if !candidate.there && !enough {
            reasons.push(Reason::NotThere);
        }
        let fate = if reasons.is_empty() { Fate::LetGo(Reason::OlderThanLast { last }) } else { Fate::Keep(reasons) };
        judged.push((candidate.id, fate));
    }
    judged
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::id::{GroupName, SourceId};

    fn candidate(day: u32, published: bool, publishing: bool) -> Candidate {
        let slot = format!("2026-01-{day:02}T00:00:00Z").parse().expect("a time");
        let source = SourceId::Group(GroupName::from("web"));
        Candidate { id: BackupId { source, slot }, published, publishing, there: true }
    }

    fn table(last: u32, candidates: Vec<Candidate>) -> String {
        let mut lines = String::new();
        for (id, fate) in judge(&Retention { last }, candidates) {
            let day = id.slot.strftime("%d");
            lines += &match fate {
                Fate::Keep(reasons) => {
                    let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                    format!("{day} keep   {}\n", reasons.join("; "))
                }
                Fate::LetGo(reason) => format!("{day} let go {reason}\n"),
            };
        }
        lines
    }

    #[test]
    fn the_newest_stay_and_older_ones_go() {
        let five = (1..=5).map(|day| candidate(day, day == 5, false)).collect();
        expect![[r"
            05 keep   1 of the last 3 good ones; the group launches from it
            04 keep   2 of the last 3 good ones
            03 keep   3 of the last 3 good ones
            02 let go older than the last 3 good ones
            01 let go older than the last 3 good ones
        "]]
        .assert_eq(&table(3, five));
    }

    #[test]
    fn what_the_group_launches_from_stays_however_old() {
        let held = (1..=6).map(|day| candidate(day, day == 1, day == 2)).collect();
        expect![[r"
            06 keep   1 of the last 2 good ones
            05 keep   2 of the last 2 good ones
            04 let go older than the last 2 good ones
            03 let go older than the last 2 good ones
            02 keep   it is being published
            01 keep   the group launches from it
        "]]
        .assert_eq(&table(2, held));
    }

    #[test]
    fn an_image_that_is_not_there_counts_for_nothing_and_goes_when_enough_younger_ones_are() {
        let ghosts = [1, 3, 5];
        let some = (1..=5).map(|day| Candidate { there: !ghosts.contains(&day), ..candidate(day, false, false) });
        expect![[r"
            05 keep   its image is not there; it counts for nothing
            04 keep   1 of the last 2 good ones
            03 keep   its image is not there; it counts for nothing
            02 keep   2 of the last 2 good ones
            01 let go older than the last 2 good ones
        "]]
        .assert_eq(&table(2, some.collect()));
    }

    #[test]
    fn the_last_good_one_stays_even_under_a_policy_of_zero() {
        expect![[r"
            02 keep   1 of the last 1 good ones
            01 let go older than the last 1 good ones
        "]]
        .assert_eq(&table(0, vec![candidate(1, false, false), candidate(2, false, false)]));
        assert_eq!(table(3, Vec::new()), "");
    }
}
