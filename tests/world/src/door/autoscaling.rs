//! Auto Scaling's calls about groups, their tags, and launch configurations.

use lastgood_core::facts::Tags;
use lastgood_core::id::ImageId;

use super::policy::{Names, launch_from, told_from};
use super::query::Query;
use super::xml::Xml;
use super::{Action, autoscaling_member, autoscaling_refresh};
use crate::configuration::{Configuration, DescribeConfigurations};
use crate::fault::AwsError;
use crate::filter::{Filter, Paging};
use crate::group::{CreateGroup, DescribeGroups, Group, TimesText, UpdateGroup, group_arn, invalid};
use crate::group_calls::Deletion;
use crate::instance_type::Architecture;
use crate::state::{ACCOUNT, REGION, World};

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateAutoScalingGroup" => create_group,
        "CreateLaunchConfiguration" => create_configuration,
        "CreateOrUpdateTags" => create_tags,
        "DeleteAutoScalingGroup" => delete_group,
        "DeleteTags" => delete_tags,
        "DescribeAutoScalingGroups" => describe_groups,
        "DescribeLaunchConfigurations" => describe_configurations,
        "SetDesiredCapacity" => set_desired_capacity,
        "UpdateAutoScalingGroup" => update_group,
        _ => return autoscaling_member::action(name).or_else(|| autoscaling_refresh::action(name)),
    })
}

/// `MaxRecords` and `NextToken`.
pub(super) fn paging(query: &mut Query) -> Result<Paging, AwsError> {
    Ok(Paging { max_results: query.parse("MaxRecords")?, next_token: query.take("NextToken") })
}

/// One tag, as a call names it.
struct Tag {
    group: Option<String>,
    key: String,
    value: String,
}

/// `Tags.member.1`, ..
fn tags(query: &mut Query) -> Result<Vec<Tag>, AwsError> {
    let tag = |mut tag: Query| {
        let value = tag.take("Value").unwrap_or_default();
        let read = Tag { group: tag.take("ResourceId"), key: tag.need("Key")?, value };
        if tag.take("ResourceType").is_some_and(|kind| kind != "auto-scaling-group") {
            return Err(invalid("The only resource type of tags is auto-scaling-group"));
        }
        // Whether instances get it too is not simulated.
        tag.take("PropagateAtLaunch");
        tag.done().map(|()| read)
    };
    query.records("Tags.member").into_iter().map(tag).collect()
}

/// Tags of groups that are there, group by group.
fn tags_of_groups(mut query: Query) -> Result<Vec<(String, Tags)>, AwsError> {
    let tags = tags(&mut query)?;
    query.done()?;
    let of_one = |Tag { group, key, value }| {
        let group = group.ok_or_else(|| invalid("Each tag must name its ResourceId"))?;
        Ok((group, Tags::from([(key, value)])))
    };
    tags.into_iter().map(of_one).collect()
}

fn create_tags(world: &World, query: Query) -> Result<Xml, AwsError> {
    world.autoscaling().tag_groups(&tags_of_groups(query)?)?;
    Ok(Xml::default())
}

fn delete_tags(world: &World, query: Query) -> Result<Xml, AwsError> {
    world.autoscaling().untag_groups(&tags_of_groups(query)?)?;
    Ok(Xml::default())
}

fn times(query: &mut Query) -> Result<TimesText, AwsError> {
    Ok(TimesText {
        default_warmup: query.parse("DefaultInstanceWarmup")?,
        grace: query.parse("HealthCheckGracePeriod")?,
        lifetime_max: query.parse("MaxInstanceLifetime")?,
    })
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
        tags: tags(&mut query)?.into_iter().map(|Tag { key, value, .. }| (key, value)).collect(),
        times: times(&mut query)?,
    };
    // The world has one place.
    query.texts("AvailabilityZones.member");
    query.take("VPCZoneIdentifier");
    query.done()?;
    world.autoscaling().create_group(&request)?;
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
    let times = times(&mut query)?;
    query.done()?;
    world.autoscaling().update_group_and_times(&request, &times)?;
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
        paging: paging(&mut query)?,
    };
    query.done()?;
    let page = world.autoscaling().describe_groups(&asks)?;
    let names = world.template_names();
    let mut xml = Xml::default();
    xml.list("AutoScalingGroups", "member", &page.items, |member, told| group(member, told, &names));
    xml.maybe("NextToken", page.next_token);
    Ok(xml)
}

fn group(xml: &mut Xml, group: &Group, names: &Names) {
    xml.leaf("AutoScalingGroupName", &group.name).leaf("AutoScalingGroupARN", group_arn(group.name.as_str()));
    told_from(xml, &group.from, names);
    xml.leaf("MinSize", group.min)
        .leaf("MaxSize", group.max)
        .leaf("DesiredCapacity", group.desired)
        .leaf("DefaultCooldown", 300)
        .leaf("HealthCheckType", "EC2")
        .leaf("HealthCheckGracePeriod", group.times.grace_seconds)
        .maybe("DefaultInstanceWarmup", group.times.default_warmup_seconds)
        .maybe("MaxInstanceLifetime", group.times.lifetime_seconds_max)
        .leaf("NewInstancesProtectedFromScaleIn", false)
        .leaf("CreatedTime", format!("{:.3}", group.created_at))
        .list("SuspendedProcesses", "member", &group.suspended, |member, process| {
            member.leaf("ProcessName", process).leaf("SuspensionReason", "User suspended");
        })
        .node("AvailabilityZones", |zones| {
            zones.leaf("member", "us-east-1a");
        })
        .list("Instances", "member", &group.members, |member, told| autoscaling_member::instance(member, told, names))
        .list("Tags", "member", &group.tags, |member, (key, value)| {
            member
                .leaf("ResourceId", &group.name)
                .leaf("ResourceType", "auto-scaling-group")
                .leaf("Key", key)
                .leaf("Value", value)
                .leaf("PropagateAtLaunch", false);
        });
}

fn create_configuration(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("LaunchConfigurationName")?;
    let image = ImageId(query.need("ImageId")?);
    let instance_type = query.take("InstanceType");
    query.done()?;
    world.autoscaling().create_configuration_of_type(&name, &image, instance_type)?;
    Ok(Xml::default())
}

fn describe_configurations(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let names = query.texts("LaunchConfigurationNames.member");
    let asks = DescribeConfigurations { names, paging: paging(&mut query)? };
    query.done()?;
    let page = world.autoscaling().describe_configurations(&asks)?;
    let mut xml = Xml::default();
    xml.list("LaunchConfigurations", "member", &page.items, |member, told: &Configuration| {
        let Configuration { name, image, instance_type, created_at } = told;
        let arn = format!(
            "arn:aws:autoscaling:{REGION}:{ACCOUNT}:launchConfiguration:5f2e8a0c-1111-2222-3333-444455556666:\
             launchConfigurationName/{name}"
        );
        member
            .leaf("LaunchConfigurationName", name)
            .leaf("LaunchConfigurationARN", arn)
            .leaf("ImageId", image)
            .leaf("InstanceType", instance_type.as_deref().unwrap_or(Architecture::default().usual_type()))
            .leaf("CreatedTime", format!("{created_at:.3}"));
    });
    xml.maybe("NextToken", page.next_token);
    Ok(xml)
}
