//! Auto Scaling groups and the calls about them. What groups do by themselves is in `scaling.rs`.

use lastgood_core::Time;
use lastgood_core::facts::{Tags, TemplateRef};
use lastgood_core::id::{GroupName, ImageId, InstanceId, TemplateId};

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::service::AutoScaling;
use crate::state::{ACCOUNT, Asked, Due, REGION, State};
use crate::template::{TemplateName, read_version, version_text};

/// AWS: DescribeAutoScalingGroups: names, and groups on a page.
const NAMES_MAX: usize = 100;
const RECORDS_DEFAULT: usize = 50;

/// What a group launches from: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFrom {
    /// A launch template.
    Template(TemplateRef),
    /// A mixed instances policy over a launch template.
    Mixed(TemplateRef),
    /// A launch configuration, by name.
    Configuration(String),
}

/// What a call says of that, before anybody looked whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFromText {
    /// A launch template, and its version as text; no version means `$Default` (AWS: `LaunchTemplateSpecification`).
    Template(TemplateName, Option<String>),
    /// The same in a mixed instances policy.
    Mixed(TemplateName, Option<String>),
    /// A launch configuration.
    Configuration(String),
}

/// Where a member is in its life in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// It is being launched.
    Pending,
    /// It serves.
    InService,
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Whether it passes for healthy. A lost instance does until the group notices.
    pub healthy: bool,
    /// The template version that it was launched from.
    pub template: Option<(TemplateId, u64)>,
}

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
    /// Its tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Time,
    /// An instance refresh with a desired configuration is active.
    pub locked: bool,
}

/// A launch that did not succeed, as the group's activity tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFailure {
    /// When.
    pub at: Time,
    /// The group.
    pub group: GroupName,
    /// The image, as the template names it.
    pub image: String,
    /// AWS's words.
    pub message: String,
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
}

/// What UpdateAutoScalingGroup is asked to change.
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
    /// `tag:…`, `tag-key`, `tag-value`.
    pub filters: Vec<Filter>,
    /// Which page.
    pub paging: Paging,
}

/// Whether a group with instances is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is refused.
    Plain,
    /// It goes, and they with it.
    Forced,
}

impl AutoScaling<'_> {
    /// CreateLaunchConfiguration.
    pub fn create_configuration(&self, name: &str, image: &ImageId) -> Result<(), AwsError> {
        let asked = Asked::new("autoscaling:CreateLaunchConfiguration", "*", name);
        self.0.call(asked, |state| {
            if state.configurations.contains_key(name) {
                let message = format!("Launch Configuration by this name already exists - {name}");
                return Err(AwsError::new("AlreadyExists", message));
            }
            state.configurations.insert(name.to_owned(), image.clone());
            Ok(())
        })
    }

    /// CreateAutoScalingGroup.
    pub fn create_group(&self, request: &CreateGroup) -> Result<(), AwsError> {
        self.0.call(group_call("autoscaling:CreateAutoScalingGroup", &request.name), |state| {
            state.create_group(request)?;
            state.act_on_size(&GroupName::from(request.name.as_str()));
            Ok(())
        })
    }

    /// DescribeAutoScalingGroups.
    pub fn describe_groups(&self, asks: &DescribeGroups) -> Result<Page<Group>, AwsError> {
        let about = format!("{:?} {:?}", asks.names, asks.filters);
        let asked = Asked::new("autoscaling:DescribeAutoScalingGroups", "*", about);
        self.0.call(asked, |state| state.describe_groups(asks))
    }

    /// UpdateAutoScalingGroup. It has no token and no lock.
    pub fn update_group(&self, request: &UpdateGroup) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:UpdateAutoScalingGroup", &request.name);
        asked.about = format!("{} {:?}", request.name, request.from);
        self.0.call(asked, |state| state.update_group(request))
    }

    /// SetDesiredCapacity.
    pub fn set_desired_capacity(&self, name: &str, desired: usize) -> Result<(), AwsError> {
        self.0.call(group_call("autoscaling:SetDesiredCapacity", name), |state| {
            let update = UpdateGroup { name: name.to_owned(), desired: Some(desired), ..UpdateGroup::default() };
            state.update_group(&update)
        })
    }

    /// DeleteAutoScalingGroup.
    pub fn delete_group(&self, name: &str, deletion: Deletion) -> Result<(), AwsError> {
        self.0.call(group_call("autoscaling:DeleteAutoScalingGroup", name), |state| {
            let group = state.group(name)?;
            // AWS: DeleteAutoScalingGroup, ResourceInUse.
            if !group.members.is_empty() && deletion == Deletion::Plain {
                return Err(AwsError::new(
                    "ResourceInUse",
                    "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance \
                     request(s) still in the group.",
                ));
            }
            let group = state.groups.remove(&GroupName::from(name));
            for member in group.into_iter().flat_map(|group| group.members) {
                state.terminate(&member.instance);
            }
            Ok(())
        })
    }

    /// SetInstanceHealth: Unhealthy. The group replaces the instance when it comes to it.
    pub fn set_unhealthy(&self, id: &InstanceId) -> Result<(), AwsError> {
        self.0.call(Asked::new("autoscaling:SetInstanceHealth", "*", id.as_str()), |state| {
            let members = state.groups.values_mut().flat_map(|group| &mut group.members);
            let found = members.into_iter().find(|member| member.instance == *id);
            let message = format!("Instance Id not found - {id}");
            found.ok_or_else(|| AwsError::new("ValidationError", message))?.healthy = false;
            state.member_changed(id);
            Ok(())
        })
    }
}

/// The ARN of a group holds a UUID that policies leave open.
fn group_call(action: &'static str, name: &str) -> Asked {
    Asked::new(action, group_arn(name), name)
}

/// The ARN of a group.
pub(crate) fn group_arn(name: &str) -> String {
    format!(
        "arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:5f2e8a0c-1111-2222-3333-444455556666:\
         autoScalingGroupName/{name}"
    )
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationError", message)
}

impl State {
    pub(crate) fn group(&self, name: &str) -> Result<&Group, AwsError> {
        let missing = || invalid(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"));
        self.groups.get(&GroupName::from(name)).ok_or_else(missing)
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
        let group = Group {
            name: GroupName::from(name.as_str()),
            from: self.launch_from(&request.from)?,
            min: *min,
            max: *max,
            desired,
            members: Vec::new(),
            tags: tags.clone(),
            created_at: self.now,
            locked: false,
        };
        self.groups.insert(group.name.clone(), group);
        Ok(())
    }

    fn update_group(&mut self, request: &UpdateGroup) -> Result<(), AwsError> {
        let group = self.group(&request.name)?;
        // AWS: Instance refresh overview: what the desired configuration holds cannot be updated meanwhile.
        if group.locked && request.from.is_some() {
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
        let name = group.name.clone();
        let Some(group) = self.groups.get_mut(&name) else { return Ok(()) };
        (group.min, group.max, group.desired) = (min, max, desired);
        if let Some(from) = from {
            group.from = from;
        }
        self.act_on_size(&name);
        Ok(())
    }

    /// A change of size is acted on soon after.
    fn act_on_size(&mut self, name: &GroupName) {
        if self.groups.get(name).is_some_and(|group| group.members.len() != group.desired) {
            self.after(self.settings.scale_seconds, Due::GroupActs(name.clone()));
        }
    }

    fn launch_from(&self, text: &LaunchFromText) -> Result<LaunchFrom, AwsError> {
        match text {
            LaunchFromText::Template(name, version) => {
                Ok(LaunchFrom::Template(self.template_ref(name, version.as_deref())?))
            }
            LaunchFromText::Mixed(name, version) => Ok(LaunchFrom::Mixed(self.template_ref(name, version.as_deref())?)),
            LaunchFromText::Configuration(name) if self.configurations.contains_key(name) => {
                Ok(LaunchFrom::Configuration(name.clone()))
            }
            LaunchFromText::Configuration(name) => Err(invalid(format!(
                "Launch configuration name not found - A launch configuration with the name: {name} does not exist"
            ))),
        }
    }

    fn template_ref(&self, name: &TemplateName, version: Option<&str>) -> Result<TemplateRef, AwsError> {
        let version = read_version(version.unwrap_or("$Default")).map_err(|error| invalid(error.message))?;
        let found = self.version(name, &version_text(version));
        let found = found.map_err(|error| {
            invalid(format!("You must use a valid fully-formed launch template. {}", error.message))
        })?;
        Ok(TemplateRef { template: found.template, version })
    }

    fn describe_groups(&self, asks: &DescribeGroups) -> Result<Page<Group>, AwsError> {
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
                && filter::passes(&asks.filters, &group.tags, |_| group.tags.values().cloned().collect())
        });
        let keyed = found.map(|group| (group.name.to_string(), group.clone()));
        let records = asks.paging.max_results.unwrap_or(RECORDS_DEFAULT);
        let paging = Paging { max_results: Some(records), ..asks.paging.clone() };
        filter::page(keyed, &paging, self.settings.page_items_max)
    }
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
