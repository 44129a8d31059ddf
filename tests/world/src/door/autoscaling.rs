//! Auto Scaling's calls.

use lastgood_core::facts::{Tags, TemplateRef};
use lastgood_core::id::{ImageId, InstanceId, TemplateId};

use super::Action;
use super::ec2_template::template_name;
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::filter::{Filter, Paging};
use crate::group::{
    CreateGroup, Deletion, DescribeGroups, Group, LaunchFrom, LaunchFromText, Lifecycle, Member, UpdateGroup, group_arn,
};
use crate::state::World;
use crate::template::version_text;

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateAutoScalingGroup" => create_group,
        "CreateLaunchConfiguration" => create_configuration,
        "DeleteAutoScalingGroup" => delete_group,
        "DescribeAutoScalingGroups" => describe_groups,
        "SetDesiredCapacity" => set_desired_capacity,
        "SetInstanceHealth" => set_instance_health,
        "UpdateAutoScalingGroup" => update_group,
        _ => return None,
    })
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("ValidationError", message)
}

/// A launch template, and a version if one is named.
fn specification(record: Query) -> Result<(crate::template::TemplateName, Option<String>), AwsError> {
    let mut record = record;
    let name = template_name(&mut record).map_err(|error| invalid(&error.message))?;
    let version = record.take("Version");
    record.done()?;
    Ok((name, version))
}

fn launch_from(query: &mut Query) -> Result<Option<LaunchFromText>, AwsError> {
    let template = query.record("LaunchTemplate").map(specification).transpose()?;
    let mixed = query.record("MixedInstancesPolicy").map(|mut policy| {
        let named = policy.record("LaunchTemplate.LaunchTemplateSpecification");
        // Overrides and the distribution choose among types of instances, which the world does not tell apart.
        policy.record("LaunchTemplate.Overrides");
        policy.record("InstancesDistribution");
        policy.done()?;
        specification(named.ok_or_else(|| invalid("A mixed instances policy needs a launch template"))?)
    });
    let configuration = query.take("LaunchConfigurationName");
    match (template, mixed.transpose()?, configuration) {
        (None, None, None) => Ok(None),
        (Some((name, version)), None, None) => Ok(Some(LaunchFromText::Template(name, version))),
        (None, Some((name, version)), None) => Ok(Some(LaunchFromText::Mixed(name, version))),
        (None, None, Some(name)) => Ok(Some(LaunchFromText::Configuration(name))),
        _ => Err(invalid(
            "Valid requests must contain only one of LaunchTemplate, LaunchConfigurationName, MixedInstancesPolicy.",
        )),
    }
}

fn tags(query: &mut Query) -> Result<Tags, AwsError> {
    let mut tags = Tags::new();
    for mut tag in query.records("Tags.member") {
        tags.insert(tag.need("Key")?, tag.take("Value").unwrap_or_default());
        // Whose tag it is, is said; whether instances get it too is not simulated.
        for also in ["ResourceId", "ResourceType", "PropagateAtLaunch"] {
            tag.take(also);
        }
        tag.done()?;
    }
    Ok(tags)
}

fn create_group(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let from = launch_from(&mut query)?.ok_or_else(|| {
        invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
             MixedInstancesPolicy parameter.",
        )
    })?;
    let size = |value: Option<usize>| value.ok_or_else(|| invalid("MinSize and MaxSize are required"));
    let request = CreateGroup {
        name: query.need("AutoScalingGroupName")?,
        from,
        min: size(query.parse("MinSize")?)?,
        max: size(query.parse("MaxSize")?)?,
        desired: query.parse("DesiredCapacity")?,
        tags: tags(&mut query)?,
    };
    // The world has one place.
    query.texts("AvailabilityZones.member");
    query.take("VPCZoneIdentifier");
    query.done()?;
    world.autoscaling().create_group(&request)?;
    Ok(Xml::default())
}

fn create_configuration(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("LaunchConfigurationName")?;
    let image = ImageId(query.need("ImageId")?);
    query.take("InstanceType");
    query.done()?;
    world.autoscaling().create_configuration(&name, &image)?;
    Ok(Xml::default())
}

fn update_group(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let request = UpdateGroup {
        name: query.need("AutoScalingGroupName")?,
        from: launch_from(&mut query)?,
        min: query.parse("MinSize")?,
        max: query.parse("MaxSize")?,
        desired: query.parse("DesiredCapacity")?,
    };
    query.done()?;
    world.autoscaling().update_group(&request)?;
    Ok(Xml::default())
}

fn set_desired_capacity(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("AutoScalingGroupName")?;
    let desired: Option<usize> = query.parse("DesiredCapacity")?;
    query.flag("HonorCooldown")?;
    query.done()?;
    let desired = desired.ok_or_else(|| invalid("DesiredCapacity is required"))?;
    world.autoscaling().set_desired_capacity(&name, desired)?;
    Ok(Xml::default())
}

fn set_instance_health(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = InstanceId(query.need("InstanceId")?);
    let health = query.need("HealthStatus")?;
    query.flag("ShouldRespectGracePeriod")?;
    query.done()?;
    if health != "Unhealthy" {
        return Err(invalid("Of HealthStatus only Unhealthy is simulated"));
    }
    world.autoscaling().set_unhealthy(&id)?;
    Ok(Xml::default())
}

fn delete_group(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("AutoScalingGroupName")?;
    let deletion = if query.flag("ForceDelete")? { Deletion::Forced } else { Deletion::Plain };
    query.done()?;
    world.autoscaling().delete_group(&name, deletion)?;
    Ok(Xml::default())
}

fn describe_groups(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let filter = |mut record: Query| {
        let filter = Filter { name: record.need("Name")?, values: record.texts("Values.member") };
        record.done().map(|()| filter)
    };
    let filters = query.records("Filters.member").into_iter().map(filter);
    let asks = DescribeGroups {
        filters: filters.collect::<Result<_, AwsError>>()?,
        names: query.texts("AutoScalingGroupNames.member"),
        paging: Paging { max_results: query.parse("MaxRecords")?, next_token: query.take("NextToken") },
    };
    query.done()?;
    let page = world.autoscaling().describe_groups(&asks)?;
    let templates = world.template_names();
    let name = |id: &TemplateId| templates.get(id).cloned().unwrap_or_default();
    let mut xml = Xml::default();
    xml.list("AutoScalingGroups", "member", &page.items, |member, told| group(member, told, &name));
    xml.maybe("NextToken", page.next_token);
    Ok(xml)
}

fn named(xml: &mut Xml, element: &str, template: &TemplateRef, name: &impl Fn(&TemplateId) -> String) {
    xml.node(element, |inside| {
        inside
            .leaf("LaunchTemplateId", &template.template)
            .leaf("LaunchTemplateName", name(&template.template))
            .leaf("Version", version_text(template.version));
    });
}

fn group(xml: &mut Xml, group: &Group, name: &impl Fn(&TemplateId) -> String) {
    xml.leaf("AutoScalingGroupName", &group.name).leaf("AutoScalingGroupARN", group_arn(group.name.as_str()));
    match &group.from {
        LaunchFrom::Template(template) => named(xml, "LaunchTemplate", template, name),
        LaunchFrom::Mixed(template) => {
            xml.node("MixedInstancesPolicy", |policy| {
                policy.node("LaunchTemplate", |inside| {
                    named(inside, "LaunchTemplateSpecification", template, name);
                    inside.node("Overrides", |_| {});
                });
            });
        }
        LaunchFrom::Configuration(name) => {
            xml.leaf("LaunchConfigurationName", name);
        }
    }
    xml.leaf("MinSize", group.min)
        .leaf("MaxSize", group.max)
        .leaf("DesiredCapacity", group.desired)
        .leaf("DefaultCooldown", 300)
        .leaf("HealthCheckType", "EC2")
        .leaf("HealthCheckGracePeriod", 0)
        .leaf("CreatedTime", format!("{:.3}", group.created_at))
        .node("AvailabilityZones", |zones| {
            zones.leaf("member", "us-east-1a");
        })
        .list("Instances", "member", &group.members, |member, told| instance(member, told, name))
        .list("Tags", "member", &group.tags, |member, (key, value)| {
            member
                .leaf("ResourceId", &group.name)
                .leaf("ResourceType", "auto-scaling-group")
                .leaf("Key", key)
                .leaf("Value", value)
                .leaf("PropagateAtLaunch", false);
        });
}

fn instance(xml: &mut Xml, member: &Member, name: &impl Fn(&TemplateId) -> String) {
    let lifecycle = match member.lifecycle {
        Lifecycle::Pending => "Pending",
        Lifecycle::InService => "InService",
    };
    xml.leaf("InstanceId", &member.instance)
        .leaf("AvailabilityZone", "us-east-1a")
        .leaf("LifecycleState", lifecycle)
        .leaf("HealthStatus", if member.healthy { "Healthy" } else { "Unhealthy" })
        .leaf("ProtectedFromScaleIn", false);
    if let Some((template, version)) = &member.template {
        xml.node("LaunchTemplate", |inside| {
            inside
                .leaf("LaunchTemplateId", template)
                .leaf("LaunchTemplateName", name(template))
                .leaf("Version", version);
        });
    }
}
