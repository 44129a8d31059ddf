//! Lastgood looks after itself: what of its own deployment is missing or off, and a heartbeat once a day.
//!
//! The heartbeat is the proof that notices arrive: an alarm that goes another way misses it (`infra/template.yaml`,
//! NoHeartbeatAlarm). What carries notices can't report its own loss, so [`Part::carries_notices`] says when the function
//! must fail as well, which Lambda counts and an alarm sees.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::notice::{News, Notice};
use crate::outbox;
use crate::record::{Place, Queue, Record, Tells, WATCHES};
use crate::source::Source;
use crate::{Time, later};

/// Pause between two heartbeats. An hour less than a day: the cleanup that sends it runs once an hour, and the alarm waits
/// for 25 hours.
pub const HEARTBEAT_SECONDS: i64 = 23 * 60 * 60;

/// How long nothing is deleted after the table has become another one: a restored table knows nothing of what was pinned or
/// held after its time, and an operator needs a day to say it again.
pub const REST_SECONDS: i64 = 24 * 60 * 60;

/// The statements that the policy of the bus must have: their names begin so (infra/template.yaml).
pub const BUS_STATEMENTS: [&str; 3] = ["OnlyOperatorsAsk", "OnlyJudgesGiveVerdicts", "OnlyLastgoodReports"];

/// A part of the deployment that is missing or off. Rules are named as EventBridge names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// There is no bus of that name: what is put on it is dropped, and nobody is told (AWS: PutEvents).
    Bus(String),
    /// The policy of the bus lacks this statement: others than it says may send.
    BusOpen(String),
    /// There is no rule of that name.
    RuleMissing(String),
    /// The rule is disabled.
    RuleDisabled(String),
    /// Point-in-time recovery of the table is off.
    PointInTimeRecovery(String),
    /// Time to live of the table is off: what is over stays in it.
    TimeToLive(String),
}

impl Part {
    /// Whether notices go through it: then a notice of its loss is lost as well. `notice_rule` is the rule that hands
    /// notices to people.
    #[must_use]
    pub fn carries_notices(&self, notice_rule: Option<&str>) -> bool {
        match self {
            Self::Bus(_) => true,
            Self::RuleMissing(rule) | Self::RuleDisabled(rule) => Some(rule.as_str()) == notice_rule,
            Self::BusOpen(_) | Self::PointInTimeRecovery(_) | Self::TimeToLive(_) => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(name) => write!(f, "the bus {name} is missing: deploy the stack again"),
            Self::BusOpen(statement) => write!(
                f,
                "the policy of the bus lacks the statement {statement}, so that others may ask: deploy the stack again"
            ),
            Self::RuleMissing(name) => write!(f, "the rule {name} is missing: deploy the stack again"),
            Self::RuleDisabled(name) => {
                write!(f, "the rule {name} is disabled: enable it (aws events enable-rule), or deploy the stack again")
            }
            Self::PointInTimeRecovery(table) => {
                write!(f, "point-in-time recovery of the table {table} is off: switch it on, or deploy the stack again")
            }
            Self::TimeToLive(table) => {
                write!(f, "time to live of the table {table} is off: switch it on for the attribute 'expires'")
            }
        }
    }
}

/// What a heartbeat says of the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// Sources that a plan backs up.
    pub sources: usize,
    /// Those whose next good backup is overdue.
    pub overdue: usize,
    /// Those of which something waits for an operator.
    pub held: usize,
    /// Those that never had a good backup.
    pub never_good: usize,
}

impl Pulse {
    /// The pulse of these sources.
    #[must_use]
    pub fn of<'a>(sources: impl IntoIterator<Item = &'a Source>, now: Time) -> Self {
        let mut pulse = Self::default();
        for source in sources.into_iter().filter(|source| source.plan.is_some() && source.lost.is_none()) {
            pulse.sources += 1;
            pulse.overdue += usize::from(source.is_overdue(now));
            pulse.held += usize::from(crate::source::operator::waits(source));
            pulse.never_good += usize::from(source.last_good.is_none());
        }
        pulse
    }
}

/// What is on record of the watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// When the next heartbeat is due.
    pub heartbeat_at: Time,
    /// The table that this record was read in at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Until then nothing is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<Time>,
    /// What was missing or off at the last look.
    #[serde(default)]
    pub broken: BTreeSet<Part>,
    /// Notices that are not sent yet.
    #[serde(default)]
    pub outbox: Vec<Notice>,
}

impl Watch {
    /// The record before the first look.
    #[must_use]
    pub fn first() -> Self {
        Self {
            heartbeat_at: Time::UNIX_EPOCH,
            table: None,
            rests_until: None,
            broken: BTreeSet::new(),
            outbox: Vec::new(),
        }
    }

    /// Whether a heartbeat is due.
    #[must_use]
    pub fn beats(&self, now: Time) -> bool {
        now >= self.heartbeat_at
    }

    /// Whether nothing may be deleted now: the records are those of another table, of which nobody knows how old they are.
    #[must_use]
    pub fn rests(&self, table: &str, now: Time) -> bool {
        self.table.as_deref().is_some_and(|known| known != table) || self.rests_until.is_some_and(|until| now < until)
    }

    /// The record after a look. What is newly broken is reported at once, and so is that all of it works again; unless the
    /// look was `whole`, what was broken before counts as broken still. `pulse`: how the sources are, if they could be read.
    /// `table`: the name of the table.
    #[must_use]
    pub fn looked(&self, broken: &BTreeSet<Part>, whole: bool, pulse: Option<Pulse>, table: &str, now: Time) -> Self {
        let mut next = self.clone();
        let occasion = now.as_second().to_string();
        if let Some(was) = self.table.as_deref().filter(|was| *was != table) {
            let until = later(now, REST_SECONDS);
            let news = News::TableReplaced { was: was.to_owned(), table: table.to_owned(), until };
            outbox::put(&mut next.outbox, Notice::of_deployment(&occasion, now, news));
            next.rests_until = Some(until);
        }
        next.table = Some(table.to_owned());
        next.rests_until = next.rests_until.filter(|until| now < *until);
        let broken = if whole { broken.clone() } else { broken | &self.broken };
        if broken.difference(&self.broken).next().is_some() {
            let parts = broken.iter().map(ToString::to_string).collect();
            outbox::put(&mut next.outbox, Notice::of_deployment(&occasion, now, News::DeploymentBroken { parts }));
        } else if broken.is_empty() && !self.broken.is_empty() {
            outbox::put(&mut next.outbox, Notice::of_deployment(&occasion, now, News::DeploymentMended {}));
        }
        next.broken = broken;
        if let Some(pulse) = pulse.filter(|_| self.beats(now)) {
            outbox::put(&mut next.outbox, Notice::of_deployment(&occasion, now, News::Heartbeat { pulse }));
            next.heartbeat_at = later(now, HEARTBEAT_SECONDS);
        }
        next
    }

    /// The record after an operator asked for a notice, to see that notices arrive.
    #[must_use]
    pub fn tested(&self, by: &str, test: &str, now: Time) -> Self {
        let mut next = self.clone();
        let news = News::NoticeTest { by: by.to_owned(), test: test.to_owned() };
        outbox::put(&mut next.outbox, Notice::of_deployment(test, now, news));
        next
    }
}

impl Record for Watch {
    type Id = ();
    type Of = ();

    fn id(&self) {}

    fn place((): &()) -> Place {
        Place { partition: Self::partition(&()), sort: "watch".to_owned() }
    }

    fn partition((): &()) -> String {
        WATCHES.to_owned()
    }

    /// Every cleanup looks at it.
    fn waits(&self) -> Option<(Queue, Time)> {
        None
    }
}

impl Tells for Watch {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}
