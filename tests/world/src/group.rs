//! Auto Scaling groups: what they are, and how they are made, changed and found. The calls are in `group_calls.rs`, those
//! about their members in `member.rs`; what groups do by themselves is in `scaling.rs`.

use std::collections::BTreeSet;

use lastgood_core::Time;
use lastgood_core::facts::Tags;
use lastgood_core::id::GroupName;

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::member::Member;
use crate::policy::{LaunchFrom, LaunchFromText};
use crate::state::{ACCOUNT, Asked, Due, REGION, State};

/// AWS: DescribeAutoScalingGroups: names, and groups on a page.
const NAMES_MAX: usize = 100;
const RECORDS_DEFAULT: usize = 50;
/// AWS: CreateAutoScalingGroup, MaxInstanceLifetime: a day at least, or 0 for none.
const LIFETIME_SECONDS_MIN: i64 = 86_400;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// What it launches from.
    pub from: LaunchFrom,
    /// The least that it may be scaled to.
    pub min: usize,
    /// The most.
    pub max: usize,
    /// How many members it wants.
    pub desired: usize,
    /// Its members.
    pub members: Vec<Member>,
    /// Its tags. Whether instances get them too is not simulated.
    pub tags: Tags,
    /// Its times.
    pub times: Times,
    /// Its suspended processes. `InstanceRefresh`, `Launch` and `Terminate` keep a refresh from going on; beyond that they
    /// change nothing here.
    pub suspended: BTreeSet<String>,
    /// When it was made.
    pub created_at: Time,
    /// How many launches were begun: whose turn it is among the overrides.
    pub(crate) launches: usize,
}

impl Group {
    /// Whether a process is suspended without which an instance refresh can't go on (AWS: Suspend and resume processes).
    pub fn suspends_refreshes(&self) -> bool {
        ["InstanceRefresh", "Launch", "Terminate"].iter().any(|process| self.suspended.contains(*process))
    }
}

/// How long a group waits for its members, and how long it keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// `DefaultInstanceWarmup`, if it is set.
    pub default_warmup_seconds: Option<i64>,
    /// `HealthCheckGracePeriod`.
    pub grace_seconds: i64,
    /// `MaxInstanceLifetime`, if it is set. The world replaces no member for its age.
    pub lifetime_seconds_max: Option<i64>,
}

impl Times {
    /// How long a new member takes until it counts as warmed up (AWS: Set the default instance warmup for an Auto Scaling
    /// group).
    pub fn warmup_seconds(&self) -> i64 {
        self.default_warmup_seconds.unwrap_or(self.grace_seconds)
    }
}

/// What a call says of the times of a group. What it does not say stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimesText {
    /// `DefaultInstanceWarmup`: -1 takes it away.
    pub default_warmup: Option<i64>,
    /// `HealthCheckGracePeriod`.
    pub grace: Option<i64>,
    /// `MaxInstanceLifetime`: 0 takes it away.
    pub lifetime_max: Option<i64>,
}

/// What CreateAutoScalingGroup is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// The name.
    pub name: String,
    /// What it launches from.
    pub from: LaunchFromText,
    /// The least size.
    pub min: usize,
    /// The greatest size.
    pub max: usize,
    /// The size; without it, the least.
    pub desired: Option<usize>,
    /// Tags of the group.
    pub tags: Tags,
    /// Its times.
    pub times: TimesText,
}

impl CreateGroup {
    /// A group of `desired` members, that may have up to ten and may have none.
    pub fn of(name: &str, from: LaunchFromText, desired: usize) -> Self {
        let (name, max) = (name.to_owned(), desired.max(10));
        Self { name, from, min: 0, max, desired: Some(desired), tags: Tags::new(), times: TimesText::default() }
    }
}

/// What UpdateAutoScalingGroup is asked to change, but for times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateGroup {
    /// The group.
    pub name: String,
    /// What it launches from.
    pub from: Option<LaunchFromText>,
    /// The least size.
    pub min: Option<usize>,
    /// The greatest size.
    pub max: Option<usize>,
    /// The size.
    pub desired: Option<usize>,
}

/// What DescribeAutoScalingGroups is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeGroups {
    /// By name: unknown ones are left out in silence.
    pub names: Vec<String>,
    /// `tag:…`, `tag-key`, `tag-value`. No page of AWS speaks of wildcards in them, so there are none.
    pub filters: Vec<Filter>,
    /// Which page.
    pub paging: Paging,
}

/// A call about a group. The ARN of a group holds a UUID that policies leave open.
pub(crate) fn group_call(action: &'static str, name: &str) -> Asked {
    Asked::new(action, group_arn(name), name)
}

/// The ARN of a group.
pub(crate) fn group_arn(name: &str) -> String {
    format!(
        "arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:5f2e8a0c-1111-2222-3333-444455556666:\
         autoScalingGroupName/{name}"
    )
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationError", message)
}

impl State {
    pub(crate) fn group(&self, name: &str) -> Result<&Group, AwsError> {
        let missing = || invalid(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"));
        self.groups.get(&GroupName::from(name)).ok_or_else(missing)
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> Result<&mut Group, AwsError> {
        let name = self.group(name)?.name.clone();
        Ok(self.groups.get_mut(&name).expect("it was found a line above"))
    }

    pub(crate) fn create_group(&mut self, request: &CreateGroup) -> Result<(), AwsError> {
        let CreateGroup { name, min, max, tags, .. } = request;
        if self.groups.contains_key(&GroupName::from(name.as_str())) {
            let message =
                format!("AutoScalingGroup by this name already exists - A group with the name {name} already exists");
            return Err(AwsError::new("AlreadyExists", message));
        }
        if name.is_empty() || name.chars().count() > 255 || name.contains(':') {
            return Err(invalid(format!("'{name}' is no name for a group")));
        }
        let desired = request.desired.unwrap_or(*min);
        check_size(*min, *max, desired)?;
        check_group_tags(tags)?;
        let group = Group {
            name: GroupName::from(name.as_str()),
            from: self.launch_from(&request.from)?,
            min: *min,
            max: *max,
            desired,
            members: Vec::new(),
            tags: tags.clone(),
            times: Times::default().changed(&request.times)?,
            suspended: BTreeSet::new(),
            created_at: self.now,
            launches: 0,
        };
        self.groups.insert(group.name.clone(), group);
        Ok(())
    }

    pub(crate) fn update_group(&mut self, request: &UpdateGroup, times: &TimesText) -> Result<(), AwsError> {
        let group = self.group(&request.name)?;
        let name = group.name.clone();
        let held = self.active_refresh(&name).is_some_and(|refresh| refresh.desired.is_some());
        // AWS: Instance refresh overview: what the desired configuration holds cannot be updated meanwhile.
        if held && request.from.is_some() {
            return Err(invalid(
                "An active instance refresh with a desired configuration exists. All configuration options derived \
                 from the desired configuration are not available for update while the instance refresh is active.",
            ));
        }
        let from = request.from.as_ref().map(|from| self.launch_from(from)).transpose()?;
        let (min, max) = (request.min.unwrap_or(group.min), request.max.unwrap_or(group.max));
        // AWS: UpdateAutoScalingGroup: a new bound moves the size with it.
        let desired = request.desired.unwrap_or_else(|| group.desired.max(min).min(max));
        check_size(min, max, desired)?;
        let times = group.times.changed(times)?;
        let group = self.group_mut(&request.name)?;
        (group.min, group.max, group.desired, group.times) = (min, max, desired, times);
        if let Some(from) = from {
            group.from = from;
        }
        self.act_on_size(&name);
        Ok(())
    }

    /// A change of size is acted on soon after.
    pub(crate) fn act_on_size(&mut self, name: &GroupName) {
        let counted = |group: &Group| group.members.iter().filter(|member| member.counts()).count();
        if self.groups.get(name).is_some_and(|group| counted(group) != group.desired) {
            self.after(self.settings.scale_seconds, Due::GroupActs(name.clone()));
        }
    }

    /// The group goes, and its members with it.
    pub(crate) fn remove_group(&mut self, name: &GroupName) {
        let group = self.groups.remove(name);
        self.refreshes.remove(name);
        for member in group.into_iter().flat_map(|group| group.members) {
            self.terminate(&member.instance);
        }
    }

    pub(crate) fn describe_groups(&self, asks: &DescribeGroups) -> Result<Page<Group>, AwsError> {
        if asks.names.len() > NAMES_MAX {
            return Err(invalid(format!("The number of group names that may be passed in is limited to {NAMES_MAX}")));
        }
        if asks.paging.max_results.is_some_and(|records| !(1..=NAMES_MAX).contains(&records)) {
            return Err(invalid(format!("MaxRecords must be from 1 to {NAMES_MAX}")));
        }
        for Filter { name, .. } in &asks.filters {
            if !(name == "tag-key" || name == "tag-value" || name.starts_with("tag:")) {
                return Err(invalid(format!("Filter type {name} is not correct")));
            }
        }
        let found = self.groups.values().filter(|group| {
            (asks.names.is_empty() || asks.names.iter().any(|name| name == group.name.as_str()))
                && asks.filters.iter().all(|filter| has_tag(&group.tags, filter))
        });
        let keyed = found.map(|group| (group.name.to_string(), group.clone()));
        let records = asks.paging.max_results.unwrap_or(RECORDS_DEFAULT);
        let paging = Paging { max_results: Some(records), ..asks.paging.clone() };
        filter::page(keyed, &paging, self.settings.page_items_max)
    }
}

/// Whether one of the tags is what the filter asks for.
fn has_tag(tags: &Tags, Filter { name, values }: &Filter) -> bool {
    tags.iter().any(|(key, value)| match name.strip_prefix("tag:") {
        Some(wanted) => key == wanted && values.contains(value),
        None if name == "tag-key" => values.contains(key),
        None => values.contains(value),
    })
}

impl Times {
    /// AWS: UpdateAutoScalingGroup, DefaultInstanceWarmup, MaxInstanceLifetime. The words are a guess.
    fn changed(&self, text: &TimesText) -> Result<Self, AwsError> {
        let grace_seconds = text.grace.unwrap_or(self.grace_seconds);
        let default_warmup_seconds = match text.default_warmup {
            Some(-1) => None,
            told => told.or(self.default_warmup_seconds),
        };
        let lifetime_seconds_max = match text.lifetime_max {
            Some(0) => None,
            told => told.or(self.lifetime_seconds_max),
        };
        if grace_seconds < 0 || default_warmup_seconds.is_some_and(|seconds| seconds < 0) {
            return Err(invalid("HealthCheckGracePeriod and DefaultInstanceWarmup must not be below 0"));
        }
        if lifetime_seconds_max.is_some_and(|seconds| seconds < LIFETIME_SECONDS_MIN) {
            let message = format!("MaxInstanceLifetime must be 0 or at least {LIFETIME_SECONDS_MIN} seconds");
            return Err(invalid(message));
        }
        Ok(Self { default_warmup_seconds, grace_seconds, lifetime_seconds_max })
    }
}

/// Tags of groups as AWS takes them (AWS: Tag Auto Scaling groups and instances). The words are a guess.
pub(crate) fn check_group_tags(tags: &Tags) -> Result<(), AwsError> {
    if tags.len() > 50 {
        return Err(AwsError::new("LimitExceeded", "A group can't have more than 50 tags"));
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return Err(invalid(format!("Tag keys that begin with aws: are reserved: {key}")));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("A tag has a key of 1 to 128 characters and a value of up to 256: {key}")));
        }
    }
    Ok(())
}

fn check_size(min: usize, max: usize, desired: usize) -> Result<(), AwsError> {
    if min > max {
        return Err(invalid(format!("Max bound, {max}, must be greater than or equal to min bound, {min}")));
    }
    if desired < min {
        return Err(invalid(format!("Desired capacity:{desired} must be within min:{min} and max:{max}")));
    }
    if desired > max {
        return Err(invalid(format!("New SetDesiredCapacity value {desired} is above max value {max} for the group.")));
    }
    Ok(())
}
