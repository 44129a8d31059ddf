//! Auto Scaling: DescribeAutoScalingGroups, UpdateAutoScalingGroup, SetInstanceProtection, DescribeLaunchConfigurations. What
//! is about instance refreshes is in `refresh.rs`.

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, Filter, LaunchConfiguration, LaunchTemplateSpecification, LifecycleState, MixedInstancesPolicy,
};
use lastgood_core::facts::{
    Configuration, Group, LaunchSource, Lifecycle, Member, MixedPolicy, Override, TemplateRef, VersionRef,
};
use lastgood_core::id::{GroupName, InstanceId, TemplateId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::call::autoscaling::{
    GROUPS_A_CALL_MAX, GroupsNamed, GroupsTagged, LaunchConfigurations, ScaleInProtection, SetGroupVersion,
    SetMixedVersion, SetScaleInProtection,
};
use lastgood_engine::{Answers, Call, CallFailed, Called};

use crate::refusals::{answer, told};
use crate::{Aws, pages};

const DESCRIBE: &str = GroupsNamed::ACTION;
const UPDATE: &str = SetGroupVersion::ACTION;
/// The processes without which an instance refresh can't go on (AWS: Suspend and resume processes).
const REFRESH_NEEDS: [&str; 3] = ["InstanceRefresh", "Launch", "Terminate"];
/// The largest page of groups and of launch configurations (AWS: DescribeAutoScalingGroups).
const PAGE_GROUPS_MAX: i32 = 100;

impl Answers<GroupsNamed> for Aws {
    async fn call(&self, GroupsNamed(names): &GroupsNamed) -> Called<Vec<Group>> {
        let mut groups = Vec::new();
        for names in names.chunks(GROUPS_A_CALL_MAX) {
            let names = names.iter().map(ToString::to_string).collect();
            let request = self.autoscaling.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names));
            match all(request).await? {
                Ok(described) => groups.extend(read(&described)?),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(groups))
    }
}

impl Answers<GroupsTagged> for Aws {
    async fn call(&self, GroupsTagged(tags): &GroupsTagged) -> Called<Vec<Group>> {
        // Several filters are all to be met (AWS: DescribeAutoScalingGroups, Filters).
        let filters =
            tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(value).build());
        let filters = Some(filters.collect()).filter(|_| !tags.is_empty());
        let request = self.autoscaling.describe_auto_scaling_groups().set_filters(filters);
        Ok(match all(request).await? {
            Ok(described) => Ok(read(&described)?),
            Err(refusal) => Err(refusal),
        })
    }
}

/// Every page of a describe.
async fn all(request: DescribeAutoScalingGroupsFluentBuilder) -> Called<Vec<AutoScalingGroup>> {
    let pages = request.into_paginator().page_size(PAGE_GROUPS_MAX).send();
    pages::all(DESCRIBE, pages, |page| Ok(page.auto_scaling_groups.unwrap_or_default())).await
}

/// What AWS must tell and does not is an empty text to the SDK.
fn written(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn read(described: &[AutoScalingGroup]) -> Result<Vec<Group>, CallFailed> {
    described.iter().map(|found| told(DESCRIBE, group(found), "a group's name")).collect()
}

fn group(group: &AutoScalingGroup) -> Option<Group> {
    let name = written(group.auto_scaling_group_name())?;
    // One group whose launch source can't be read must not keep all others from being read.
    let launches_from = match (group.launch_template(), group.mixed_instances_policy()) {
        (Some(template), _) => template_ref(template).map(LaunchSource::Template),
        (None, Some(policy)) => mixed(policy).map(LaunchSource::Mixed),
        (None, None) => {
            let name = group.launch_configuration_name();
            name.map(|name| LaunchSource::Configuration(name.to_owned())).ok_or_else(|| "AWS tells nothing".to_owned())
        }
    };
    let members = group.instances().iter().filter_map(|instance| {
        Some(Member {
            instance: InstanceId::from(instance.instance_id()?),
            lifecycle: lifecycle(instance.lifecycle_state()),
            healthy: instance.health_status() == Some("Healthy"),
            protected_from_scale_in: instance.protected_from_scale_in().unwrap_or_default(),
            template: instance
                .launch_template()
                .and_then(|used| Some((TemplateId::from(used.launch_template_id()?), used.version()?.parse().ok()?))),
        })
    });
    let tags = group.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    // -1 takes the default warm-up back (AWS: UpdateAutoScalingGroup, DefaultInstanceWarmup).
    let warmup = group.default_instance_warmup().filter(|seconds| *seconds >= 0);
    Some(Group {
        name: GroupName::from(name),
        tags: tags.collect(),
        launches_from: launches_from.unwrap_or_else(LaunchSource::Unreadable),
        members: members.collect(),
        size: usize::try_from(group.desired_capacity().unwrap_or_default()).unwrap_or_default(),
        refresh_suspended: group
            .suspended_processes()
            .iter()
            .any(|process| process.process_name().is_some_and(|name| REFRESH_NEEDS.contains(&name))),
        warmup_seconds: warmup.or(group.health_check_grace_period()).unwrap_or_default().into(),
        lifetime_seconds_max: group.max_instance_lifetime().filter(|seconds| *seconds > 0).map(i64::from),
    })
}

pub(crate) fn mixed(policy: &MixedInstancesPolicy) -> Result<MixedPolicy, String> {
    let unreadable = || "a mixed instances policy without a launch template".to_owned();
    let template = policy.launch_template().ok_or_else(unreadable)?;
    let base = template.launch_template_specification().ok_or_else(unreadable)?;
    let overrides = template.overrides().iter().map(|other| {
        Ok(Override {
            instance_type: other.instance_type().map(str::to_owned),
            template: other.launch_template_specification().map(template_ref).transpose()?,
            image: other.image_id().map(str::to_owned),
        })
    });
    Ok(MixedPolicy { base: template_ref(base)?, overrides: overrides.collect::<Result<_, String>>()? })
}

fn lifecycle(state: Option<&LifecycleState>) -> Lifecycle {
    use LifecycleState as S;
    match state {
        Some(S::InService) => Lifecycle::InService,
        Some(S::Standby) => Lifecycle::Standby,
        Some(S::Pending | S::PendingProceed | S::PendingWait | S::Quarantined) => Lifecycle::Pending,
        Some(
            S::Terminating
            | S::TerminatingProceed
            | S::TerminatingWait
            | S::TerminatingRetained
            | S::Terminated
            | S::Detaching
            | S::Detached,
        ) => Lifecycle::Leaving,
        Some(_) | None => Lifecycle::Other,
    }
}

/// A group that names no version means the default one (AWS: LaunchTemplateSpecification).
pub(crate) fn template_ref(specification: &LaunchTemplateSpecification) -> Result<TemplateRef, String> {
    let template = specification.launch_template_id().map(TemplateId::from);
    let version = match specification.version() {
        None | Some("$Default") => VersionRef::Default,
        Some("$Latest") => VersionRef::Latest,
        Some(number) => VersionRef::Number(number.parse().map_err(|_| format!("'{number}' is no version"))?),
    };
    let template = template.ok_or_else(|| "a launch template without an id".to_owned())?;
    Ok(TemplateRef { template, version })
}

impl Answers<SetGroupVersion> for Aws {
    async fn call(&self, SetGroupVersion { group, template, version }: &SetGroupVersion) -> Called<()> {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(template.as_str())
            .version(version.to_string())
            .build();
        let request = self
            .autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(group.as_str())
            .launch_template(template);
        Ok(answer(UPDATE, request.send().await)?.map(|_| ()))
    }
}

impl Answers<SetMixedVersion> for Aws {
    /// AWS takes a mixed instances policy whole: what is left out of it is lost. So the one that stands is sent back as it
    /// was read, with the base's version changed.
    async fn call(&self, SetMixedVersion { group, template, named, version }: &SetMixedVersion) -> Called<()> {
        let policy = match self.policy_with(UPDATE, group, template, Some(*named), *version).await? {
            Ok(policy) => policy,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let request = self
            .autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(group.as_str())
            .mixed_instances_policy(policy);
        Ok(answer(UPDATE, request.send().await)?.map(|_| ()))
    }
}

impl Aws {
    /// The mixed instances policy of a group as it stands, with `version` of `template` for its base. It must be based on
    /// that template; and name it by `named`, if that is said.
    pub(crate) async fn policy_with(
        &self,
        action: &'static str,
        group: &GroupName,
        template: &TemplateId,
        named: Option<VersionRef>,
        version: u64,
    ) -> Called<MixedInstancesPolicy> {
        let request = self.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(group.as_str());
        let described = match all(request).await? {
            Ok(described) => described,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let changed = |message: String| Ok(Err(Refusal { why: Why::WrongState, action: action.to_owned(), message }));
        let policy = described.into_iter().next().and_then(|group| group.mixed_instances_policy);
        let Some(mut policy) = policy else {
            return changed(format!("{group} has no mixed instances policy any more"));
        };
        let base = policy.launch_template.as_mut().and_then(|base| base.launch_template_specification.as_mut());
        let is_base = |base: &LaunchTemplateSpecification| {
            template_ref(base)
                .is_ok_and(|base| base.template == *template && named.is_none_or(|named| named == base.version))
        };
        let Some(base) = base.filter(|base| is_base(base)) else {
            let wanted = named.map_or_else(String::new, |named| format!("version {named} of "));
            return changed(format!(
                "the mixed instances policy of {group} is not based on {wanted}{template} any more"
            ));
        };
        base.version = Some(version.to_string());
        // AWS tells id and name, and takes one of them (AWS: LaunchTemplateSpecification).
        base.launch_template_name = None;
        for other in policy.launch_template.iter_mut().flat_map(|base| base.overrides.iter_mut().flatten()) {
            if let Some(own) = &mut other.launch_template_specification
                && own.launch_template_id.is_some()
            {
                own.launch_template_name = None;
            }
        }
        Ok(Ok(policy))
    }
}

impl Answers<SetScaleInProtection> for Aws {
    async fn call(&self, SetScaleInProtection { group, instance, protection }: &SetScaleInProtection) -> Called<()> {
        let request = self
            .autoscaling
            .set_instance_protection()
            .auto_scaling_group_name(group.as_str())
            .instance_ids(instance.as_str())
            .protected_from_scale_in(*protection == ScaleInProtection::On);
        Ok(answer(SetScaleInProtection::ACTION, request.send().await)?.map(|_| ()))
    }
}

impl Answers<LaunchConfigurations> for Aws {
    /// Every launch configuration of the account: there are at most 200 (AWS: Quotas for Auto Scaling).
    async fn call(&self, _: &LaunchConfigurations) -> Called<Vec<Configuration>> {
        let pages =
            self.autoscaling.describe_launch_configurations().into_paginator().page_size(PAGE_GROUPS_MAX).send();
        pages::all(LaunchConfigurations::ACTION, pages, |page| {
            page.launch_configurations().iter().map(configuration).collect()
        })
        .await
    }
}

fn configuration(found: &LaunchConfiguration) -> Result<Configuration, CallFailed> {
    let told = |text, what| told(LaunchConfigurations::ACTION, written(text), what).map(str::to_owned);
    Ok(Configuration {
        name: told(found.launch_configuration_name(), "a launch configuration's name")?,
        image: told(found.image_id(), "a launch configuration's image")?,
    })
}
