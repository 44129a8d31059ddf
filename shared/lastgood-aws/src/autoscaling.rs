//! Auto Scaling: DescribeAutoScalingGroups, UpdateAutoScalingGroup.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, LifecycleState};
use lastgood_core::facts::{Group, LaunchSource, Member, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, InstanceId, TemplateId};
use lastgood_engine::{Answer, CallFailed};

use crate::refusals::answer;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";
const UPDATE: &str = "autoscaling:UpdateAutoScalingGroup";
/// The most names and the largest page of one call (AWS: DescribeAutoScalingGroups).
const GROUPS_A_CALL_MAX: usize = 100;
const PAGE_GROUPS_MAX: i32 = 100;

pub(crate) async fn groups(client: &Client, names: &[GroupName]) -> Result<Answer<Vec<Group>>, CallFailed> {
    let mut groups = Vec::new();
    for names in names.chunks(GROUPS_A_CALL_MAX) {
        let names = names.iter().map(ToString::to_string).collect();
        let request = client.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names));
        let mut pages = request.into_paginator().page_size(PAGE_GROUPS_MAX).send();
        while let Some(page) = pages.next().await {
            let page = match answer(DESCRIBE, page)? {
                Ok(page) => page,
                Err(refusal) => return Ok(Err(refusal)),
            };
            for described in page.auto_scaling_groups() {
                groups.extend(group(described)?);
            }
        }
    }
    Ok(Ok(groups))
}

fn group(group: &AutoScalingGroup) -> Result<Option<Group>, CallFailed> {
    let Some(name) = group.auto_scaling_group_name() else { return Ok(None) };
    let launches_from = match group.launch_template() {
        Some(template) => LaunchSource::Template(template_ref(template)?),
        None if group.mixed_instances_policy().is_some() => LaunchSource::MixedInstances,
        None => LaunchSource::LaunchConfiguration,
    };
    let members = group.instances().iter().filter_map(|instance| {
        Some(Member {
            instance: InstanceId::from(instance.instance_id()?),
            in_service: instance.lifecycle_state() == Some(&LifecycleState::InService),
            healthy: instance.health_status() == Some("Healthy"),
        })
    });
    Ok(Some(Group { name: GroupName::from(name), launches_from, members: members.collect() }))
}

/// A group that names no version means the default one (AWS: LaunchTemplateSpecification).
fn template_ref(specification: &LaunchTemplateSpecification) -> Result<TemplateRef, CallFailed> {
    let unreadable = |what: String| CallFailed { action: DESCRIBE, source: what.into() };
    let template = specification.launch_template_id().map(TemplateId::from);
    let version = match specification.version() {
        None | Some("$Default") => VersionRef::Default,
        Some("$Latest") => VersionRef::Latest,
        Some(number) => {
            let parsed = number.parse().map_err(|_| unreadable(format!("'{number}' is no version")))?;
            VersionRef::Number(parsed)
        }
    };
    let template = template.ok_or_else(|| unreadable("a launch template without an id".to_owned()))?;
    Ok(TemplateRef { template, version })
}

pub(crate) async fn set_group_version(
    client: &Client,
    group: &GroupName,
    template: &TemplateId,
    version: u64,
) -> Result<Answer<()>, CallFailed> {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(template.as_str())
        .version(version.to_string())
        .build();
    let request = client.update_auto_scaling_group().auto_scaling_group_name(group.as_str()).launch_template(template);
    Ok(answer(UPDATE, request.send().await)?.map(|_| ()))
}
