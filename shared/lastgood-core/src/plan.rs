//! Plans: what to back up, when, how long to keep, how to publish. Read from a YAML file, checked as a whole.
//!
//! Reading gives either every plan of the file or every mistake in it, each with its line and column and what to
//! write instead. Keys that are not known are mistakes: a misspelt key must not pass for a default. What a file may say
//! is in `text.rs`; the JSON Schema is made from it.

mod check;
pub mod may;
mod mistake;
mod read;
mod rollout_text;
mod select;
mod text;
mod tree;
mod value;
mod words;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::{Resource, Tags};
use crate::id::{GroupName, SourceId};
use crate::retention::Retention;
use crate::rollout::RolloutPolicy;
use crate::schedule::Schedule;

pub use read::{read, schema};

/// The longest name of a plan.
pub const PLAN_NAME_CHARS_MAX: usize = 63;
/// The longest name of an Auto Scaling group (AWS: CreateAutoScalingGroup).
pub const GROUP_NAME_CHARS_MAX: usize = crate::text::NAME_CHARS_MAX;
/// The longest name of a cache (AWS: CreateCacheCluster).
pub const CACHE_NAME_CHARS_MAX: usize = 50;
/// How long a system may take to shut down if its plan does not say.
pub const STOP_WITHIN_SECONDS_DEFAULT: i64 = 60;
/// What a plan that does not say `on_overdue` means by it.
pub const ON_OVERDUE_SECONDS_DEFAULT: i64 = 2 * 60 * 60;

/// One checked plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The sources that it is for.
    pub select: Select,
    /// What it says of each.
    pub policy: Policy,
}

/// Which sources a plan is for. One that is named and bears the tags is selected once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// Sources by name.
    pub sources: Vec<SourceId>,
    /// Sources that bear every one of these tags. Empty: none by tag.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl Select {
    /// The groups that it names.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.sources.iter().filter_map(SourceId::group)
    }

    /// Whether it is for sources of one kind alone, whatever comes.
    #[must_use]
    pub fn is_only(&self, is_so: impl Fn(&SourceId) -> bool) -> bool {
        self.tags.is_empty() && !self.sources.is_empty() && self.sources.iter().all(is_so)
    }

    /// Whether the plan names this source.
    #[must_use]
    pub fn names(&self, id: &SourceId) -> bool {
        self.sources.contains(id)
    }

    /// Whether the plan is for what AWS tells: it names it, or selects it by its tags.
    #[must_use]
    pub fn has(&self, resource: &Resource) -> bool {
        self.names(&resource.id()) || self.matches(resource.tags())
    }

    fn matches(&self, tags: &Tags) -> bool {
        !self.tags.is_empty() && self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }
}

impl Plan {
    /// What it says of this source. Whoever may tag an instance may bring it under a plan, but not have it shut down by that.
    #[must_use]
    pub fn policy_of(&self, id: &SourceId) -> Policy {
        let mut policy = self.policy.clone();
        policy.capture.asks_consent = policy.capture.stop && id.instance().is_some() && !self.select.names(id);
        policy
    }
}

/// What a plan says of each of its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// When a backup is made.
    pub schedule: Schedule,
    /// Each source begins its backups up to so many seconds after their slots.
    #[serde(default)]
    pub spread_seconds: i64,
    /// How long backups are kept.
    pub retain: Retention,
    /// How an image is made.
    #[serde(default)]
    pub capture: Capture,
    /// What becomes of a good image.
    #[serde(default)]
    pub publish: Publish,
    /// Images stay as long as an instance that was launched from one is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_in_use: bool,
    /// What becomes of the backups of a source that was deleted.
    #[serde(default)]
    pub on_source_deleted: Afterwards,
    /// How long after a slot its good backup is due, in seconds.
    pub on_overdue_seconds: i64,
}

/// How an image is made. A member of a group is never rebooted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of plans")]
pub struct Capture {
    /// The instance is protected from scale-in while its image is made.
    #[serde(default)]
    pub protect_from_scale_in: bool,
    /// An image is made also while an instance refresh is under way.
    #[serde(default)]
    pub during_refresh: bool,
    /// A single instance that runs is shut down for it, and started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
    /// How long its system may take to shut down before it is forced to, in seconds.
    #[serde(default = "stop_within", skip_serializing_if = "is_stop_within")]
    pub stop_within_seconds: i64,
    /// It may have another public address afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_address_change: bool,
    /// It is selected by its tags alone: it is stopped only if it bears the tag of consent. No plan says so, its sources do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_consent: bool,
}

fn stop_within() -> i64 {
    STOP_WITHIN_SECONDS_DEFAULT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_stop_within(seconds: &i64) -> bool {
    *seconds == STOP_WITHIN_SECONDS_DEFAULT
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            protect_from_scale_in: false,
            during_refresh: false,
            stop: false,
            stop_within_seconds: STOP_WITHIN_SECONDS_DEFAULT,
            allow_address_change: false,
            asks_consent: false,
        }
    }
}

/// What becomes of a good image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Where it is published.
    pub to: PublishTo,
    /// What happens if somebody gave the group, or the parameter, another image by hand.
    pub on_manual_change: OnManualChange,
    /// How many images deep one may be made from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_generations: Option<u32>,
    /// The group's members are replaced with it, in steps that are judged. Without it only new launches use the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutPolicy>,
}

/// Where an image is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublishTo {
    /// Nowhere: images only.
    Nothing,
    /// The group launches from it.
    #[default]
    Group,
    /// Its id is written into this parameter of the Parameter Store. Template and group are somebody else's, and AWS
    /// cannot roll such a group back (AWS: Undo changes with a rollback).
    Parameter(String),
}

/// What to do if the group's image is not the one that was published last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnManualChange {
    /// Leave the group as it is, and tell.
    #[default]
    Hold,
    /// Publish all the same, and tell.
    Overwrite,
    /// Take the image that somebody gave the group for the base of what follows, and tell: what was made from older
    /// instances is not published any more, what is made from instances of the new image is.
    Adopt,
}

/// What becomes of backups whose source is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Afterwards {
    /// They stay, all of them.
    #[default]
    Keep,
    /// They are deleted, but for pinned ones.
    Delete,
}

/// A mistake in a plan file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// From 1; 0 if the mistake has no place.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.what);
        }
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

/// A plan file that is right in itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFile {
    /// Its name, for mistakes that only AWS or the table show.
    pub file: String,
    /// Its plans.
    pub plans: Vec<PlacedPlan>,
    /// What becomes of the backups of plans and sources (`group/NAME`) that are not in it any more.
    pub removed: BTreeMap<String, Afterwards>,
}

/// A plan, and where in the file it says what it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPlan {
    /// The plan.
    pub plan: Plan,
    /// Line and column of each source that it names.
    pub places: BTreeMap<SourceId, (u64, u64)>,
    /// Line and column of its tags, or of all that it selects.
    pub tags_place: (u64, u64),
}

impl PlacedPlan {
    /// Where the file selects a source: by its name, else by tags.
    #[must_use]
    pub fn place_of(&self, id: &SourceId) -> (u64, u64) {
        self.places.get(id).copied().unwrap_or(self.tags_place)
    }
}

#[cfg(test)]
mod limits;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod right;
#[cfg(test)]
mod wrong;
