//! What a plan file may say, as types: the JSON Schema is generated from them, and a file is held against that schema
//! before anything else. What a value means is read in `read.rs`.
//!
//! What must be there is an option all the same: the schema tells what is missing, and the rest is read on. Examples
//! are for editors, and are what a mistake tells an operator to write.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rollout_text::RolloutText;
use super::{Afterwards, CACHE_NAME_CHARS_MAX, GROUP_NAME_CHARS_MAX, OnManualChange, PLAN_NAME_CHARS_MAX};

/// EventBridge takes no longer ones (AWS: PutRule, ScheduleExpression).
const SCHEDULE_CHARS_MAX: usize = 256;
/// More than any name of a time zone, length of time or point in time has.
pub(super) const WORD_CHARS_MAX: usize = 64;
/// More than anybody keeps, and less than overflows anything.
const COUNT_MAX: i64 = 100_000;

/// A Lastgood plan file: what is backed up, when, how long it is kept, and what becomes of the images.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lastgood plan file")]
#[schemars(example = json!({"plans": [plan_example()]}))]
pub(super) struct FileText {
    /// The plans. A source belongs to one of them.
    #[schemars(required, length(min = 1), example = json!([plan_example()]))]
    pub(super) plans: Option<Vec<PlanText>>,
    /// What becomes of the backups of each plan that is in the table but not in this file any more, and of each source
    /// (group/NAME, instance/ID) that no plan names any more.
    #[serde(default)]
    #[schemars(example = json!({"old-plan": "keep", "group/old-group": "delete"}))]
    pub(super) removed: BTreeMap<String, Afterwards>,
}

/// One plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = plan_example())]
pub(super) struct PlanText {
    /// 1 to 63 letters, digits, '-', '_' or '.'.
    #[schemars(required, length(min = 1, max = PLAN_NAME_CHARS_MAX))]
    pub(super) name: Option<String>,
    /// The sources that the plan is for.
    #[schemars(required, example = json!({"groups": ["web-prod"]}))]
    pub(super) select: Option<SelectText>,
    /// continuous (every 10 minutes), hourly, daily (00:00), weekly (Sunday 00:00), a cron of five fields, or
    /// cron(...) of six fields as EventBridge writes it.
    #[schemars(required, length(max = SCHEDULE_CHARS_MAX), example = &"hourly")]
    pub(super) schedule: Option<String>,
    /// The time zone of the schedule and of the days, weeks, months and years of retention, as 'Europe/Berlin'. UTC if
    /// left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"Europe/Berlin")]
    pub(super) timezone: Option<String>,
    /// Each source begins up to so much later than its slot, always by the same time: '10m'.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"10m")]
    pub(super) spread: Option<String>,
    /// No slot before this: a date, or a date and time with its offset from UTC.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"2026-02-01")]
    pub(super) from: Option<String>,
    /// No slot from this on: a date, or a date and time with its offset from UTC.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"2027-02-01")]
    pub(super) until: Option<String>,
    /// Which good backups are kept. The last 3 if left out.
    #[schemars(example = json!({"last": 3}))]
    pub(super) retain: Option<RetainText>,
    /// How an image is made.
    #[schemars(example = json!({"protect_from_scale_in": true}))]
    pub(super) capture: Option<CaptureText>,
    /// What becomes of a good image of a group: nothing ('none'), or the group launches from it.
    #[schemars(example = json!({"ssm": "/images/web"}))]
    pub(super) publish: Option<PublishText>,
    /// How the group's members are replaced with a good image. Left out: only new launches use it.
    #[schemars(example = json!({"checkpoints": [20, 50, 100], "checkpoint_delay": "15m"}))]
    pub(super) rollout: Option<RolloutText>,
    /// Images stay as long as an instance that was launched from one is there, running or stopped.
    pub(super) keep_in_use: Option<bool>,
    /// What becomes of the backups of a source that was deleted. They are kept if left out.
    pub(super) on_source_deleted: Option<Afterwards>,
    /// How long after a slot its good backup is due: '2h', which is meant if left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"2h")]
    pub(super) on_overdue: Option<String>,
}

/// Which sources. At least one of these; a source that is named and bears the tags is selected once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectText {
    /// Auto Scaling groups, by name.
    #[schemars(inner(length(min = 1, max = GROUP_NAME_CHARS_MAX)), example = json!(["web-prod"]))]
    pub(super) groups: Option<Vec<String>>,
    /// Single EC2 instances, by id. Members of a group are backed up with their group.
    #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)), example = json!(["i-0123456789abcdef0"]))]
    pub(super) instances: Option<Vec<String>>,
    /// ElastiCache replication groups (Redis or Valkey, of one shard or of several), by name.
    #[schemars(inner(length(min = 1, max = CACHE_NAME_CHARS_MAX)), example = json!(["sessions"]))]
    pub(super) replication_groups: Option<Vec<String>>,
    /// ElastiCache clusters of one node that belong to no replication group, by name.
    #[schemars(inner(length(min = 1, max = CACHE_NAME_CHARS_MAX)), example = json!(["queue"]))]
    pub(super) cache_clusters: Option<Vec<String>>,
    /// ElastiCache serverless caches, by name.
    #[schemars(inner(length(min = 1, max = CACHE_NAME_CHARS_MAX)), example = json!(["catalog"]))]
    pub(super) serverless_caches: Option<Vec<String>>,
    /// Auto Scaling groups, instances that are in none, and caches that bear every one of these tags, now or later.
    #[schemars(example = json!({"lastgood": "web"}))]
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// Which good backups are kept: those that any of the rules keeps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetainText {
    /// The newest so many.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 3)]
    pub(super) last: Option<i64>,
    /// All that are at most so much older than the newest: '30d'.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"30d")]
    pub(super) within: Option<String>,
    /// The newest of each of the last so many days that have one.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 7)]
    pub(super) daily: Option<i64>,
    /// The newest of each of the last so many weeks (Monday to Sunday) that have one.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 4)]
    pub(super) weekly: Option<i64>,
    /// The newest of each of the last so many months that have one.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 12)]
    pub(super) monthly: Option<i64>,
    /// The newest of each of the last so many years that have one.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 2)]
    pub(super) yearly: Option<i64>,
    /// The newest so many for which the instance had shut down in an orderly way.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 1)]
    pub(super) consistent: Option<i64>,
}

/// How an image is made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaptureText {
    /// Whether a single instance that runs is shut down for it, and started again. A member of a group never is: Auto Scaling
    /// would replace it.
    pub(super) reboot: Option<RebootText>,
    /// How long its system may take to shut down before it is forced to: '60s', which is meant if left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"60s")]
    pub(super) stop_within: Option<String>,
    /// It may have another public address afterwards: AWS gives a new one at each start.
    pub(super) allow_address_change: Option<bool>,
    /// The instance is protected from scale-in while its image is made.
    pub(super) protect_from_scale_in: Option<bool>,
    /// An image is made also while an instance refresh is under way.
    pub(super) during_refresh: Option<bool>,
}

/// Whether an instance is stopped for its image.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RebootText {
    /// It goes on running.
    Never,
    /// It is shut down in an orderly way, and started again.
    Stop,
}

/// What becomes of a good image.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum PublishText {
    /// Nothing: images only.
    No(NoneText),
    /// It is published.
    To(PublishToText),
}

/// The word none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NoneText {
    /// Nothing.
    None,
}

/// How it is published.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishToText {
    /// Write the image's id into this parameter of the Parameter Store, and touch neither template nor group.
    #[schemars(example = &"/images/web")]
    pub(super) ssm: Option<String>,
    /// What to do if somebody gave the group (or the parameter) another image by hand. hold if left out.
    pub(super) on_manual_change: Option<OnManualChange>,
    /// How many images deep one may be made from another before nothing is published any more.
    #[schemars(range(min = 1, max = COUNT_MAX), example = 20)]
    pub(super) max_generations: Option<i64>,
}

fn plan_example() -> Value {
    json!({"name": "web", "select": {"groups": ["web-prod"]}, "schedule": "hourly"})
}
