//! What a plan says of its rollouts.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::TemplateRef;

/// How long AWS waits at a checkpoint if nobody says otherwise, in seconds (AWS: RefreshPreferences).
pub const DELAY_SECONDS_DEFAULT: i64 = 60 * 60;
/// The longest that it waits there, and bakes, in seconds (AWS: RefreshPreferences).
pub const DELAY_SECONDS_MAX: i64 = 172_800;
/// How long before AWS goes on by itself a verdict is due at the latest: time to hear of it, to look, and to call twice.
/// Of a short pause a quarter.
pub const MARGIN_SECONDS: i64 = 3 * 60;
/// Percent of the group that stay healthy if nobody says otherwise (AWS: RefreshPreferences).
pub const MIN_HEALTHY_DEFAULT: u32 = 90;
/// How many alarms AWS takes (AWS: AlarmSpecification).
pub const ALARMS_MAX: usize = 10;

/// How long after a pause of so many seconds began a verdict on it is due at the latest.
#[must_use]
pub fn verdict_seconds_max(delay_seconds: i64) -> i64 {
    delay_seconds - MARGIN_SECONDS.min(delay_seconds / 4)
}

/// How a group is given an image: one instance refresh, and who judges its checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutPolicy {
    /// Percentages of the group at which the refresh pauses, ascending. It ends at the last.
    pub checkpoints: Vec<u32>,
    /// How long AWS waits at each, in seconds.
    pub delay_seconds: i64,
    /// Percent of the group that stay healthy.
    pub min_healthy: u32,
    /// Percent of the group that there may be at once.
    pub max_healthy: u32,
    /// How long a new member takes until it counts, in seconds; as the group says if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_seconds: Option<i64>,
    /// Members that launched from the same already are passed over.
    pub skip_matching: bool,
    /// AWS turns back by itself if the refresh fails.
    pub auto_rollback: bool,
    /// CloudWatch alarms that AWS watches meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// How long AWS waits at the end before the refresh has succeeded, in seconds.
    #[serde(default)]
    pub bake_seconds: i64,
    /// What becomes of members that are protected from scale-in.
    #[serde(default)]
    pub protected: Protected,
    /// What becomes of members in standby.
    #[serde(default)]
    pub standby: Standby,
    /// Who judges a checkpoint, and what follows if nobody does in time.
    pub verdict: VerdictPolicy,
    /// How a group that names `$Latest` or `$Default` can be given back what it launched from: AWS can't do it.
    #[serde(default)]
    pub followed: Followed,
    /// Whether each pause that goes on is backed up, from a member on the new version.
    #[serde(default)]
    pub backup: bool,
    /// What is done with refreshes that somebody else begins.
    #[serde(default)]
    pub others: Others,
}

/// That of a plan that says nothing but that there is to be a rollout.
impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            checkpoints: vec![100],
            delay_seconds: DELAY_SECONDS_DEFAULT,
            min_healthy: MIN_HEALTHY_DEFAULT,
            max_healthy: 100,
            warmup_seconds: None,
            skip_matching: true,
            auto_rollback: true,
            alarms: Vec::new(),
            bake_seconds: 0,
            protected: Protected::default(),
            standby: Standby::default(),
            verdict: VerdictPolicy::default(),
            followed: Followed::default(),
            backup: false,
            others: Others::default(),
        }
    }
}

impl RolloutPolicy {
    /// That of a group that names its template so: AWS refuses `AutoRollback` for one that follows a version (AWS:
    /// RefreshPreferences, AutoRollback).
    #[must_use]
    pub fn over(&self, named: &TemplateRef) -> Self {
        Self { auto_rollback: self.auto_rollback && !named.version.follows(), ..self.clone() }
    }

    /// That of the second refresh, which goes back: without a pause, and only over what the first one replaced.
    #[must_use]
    pub fn back(&self) -> Self {
        Self {
            checkpoints: Vec::new(),
            skip_matching: true,
            auto_rollback: false,
            alarms: Vec::new(),
            bake_seconds: 0,
            ..self.clone()
        }
    }
}

/// What becomes of members that are protected from scale-in (AWS: `ScaleInProtectedInstances`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protected {
    /// They stay as they are.
    #[default]
    Ignore,
    /// They are replaced as all others are.
    Refresh,
    /// The refresh waits for them, and fails after an hour.
    Wait,
}

/// What becomes of members in standby (AWS: `StandbyInstances`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standby {
    /// They stay as they are.
    #[default]
    Ignore,
    /// They are terminated.
    Terminate,
    /// The refresh waits for them, and fails after an hour.
    Wait,
}

/// How a group that names `$Latest` or `$Default` is given back what it launched from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Followed {
    /// It is given the number of the version that it launches from first, and that is told. Then AWS can.
    #[default]
    Pin,
    /// A second refresh goes to the version that it launched from.
    SecondRefresh,
}

/// What is done with an instance refresh that somebody else began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// It is recorded and announced.
    #[default]
    Watch,
    /// Its pauses are judged as those of ours, and it is rolled back if they do not go on.
    Judge,
}

/// Who judges a checkpoint visit, and by when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictPolicy {
    /// All of them must agree.
    pub by: BTreeSet<Judge>,
    /// How long after the checkpoint was reached the verdict is due, in seconds. It is due a while before AWS goes on, too.
    pub within_seconds: i64,
    /// What follows if they have not agreed by then.
    pub otherwise: Otherwise,
}

/// Who judges a checkpoint visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judge {
    /// Members on the new version serve, are healthy and pass their status checks, and the group has its size.
    Health,
    /// AWS, which watches the alarms and has not turned back.
    Alarms,
    /// A program that answers our Checkpoint Reached with a Checkpoint Verdict.
    Event,
    /// A person, by an Operator Verdict: lastgood verdict.
    Person,
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Health => "health",
            Self::Alarms => "alarms",
            Self::Event => "event",
            Self::Person => "person",
        })
    }
}

/// What follows if a verdict does not come in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The group is given back what it launched from.
    #[default]
    RollBack,
    /// The refresh goes on.
    Continue,
    /// It is held, until an operator says which: then a person's word is enough.
    Hold,
}

impl Default for VerdictPolicy {
    fn default() -> Self {
        Self { by: BTreeSet::from([Judge::Health]), within_seconds: 10 * 60, otherwise: Otherwise::default() }
    }
}
