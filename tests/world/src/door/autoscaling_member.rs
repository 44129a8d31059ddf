//! Auto Scaling's calls about the members of groups.

use lastgood_core::id::InstanceId;

use super::Action;
use super::policy::{Names, named};
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::group::invalid;
use crate::member::{Capacity, Member, ScaleIn};
use crate::state::World;

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "EnterStandby" => enter_standby,
        "ExitStandby" => exit_standby,
        "SetInstanceHealth" => set_instance_health,
        "SetInstanceProtection" => set_instance_protection,
        _ => return None,
    })
}

fn instances(query: &mut Query) -> Vec<InstanceId> {
    query.texts("InstanceIds.member").into_iter().map(InstanceId).collect()
}

/// A switch that must be there.
fn switch(query: &mut Query, name: &str) -> Result<bool, AwsError> {
    query.parse(name)?.ok_or_else(|| invalid(format!("{name} is required")))
}

fn enter_standby(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("AutoScalingGroupName")?;
    let ids = instances(&mut query);
    let decrement = switch(&mut query, "ShouldDecrementDesiredCapacity")?;
    query.done()?;
    let capacity = if decrement { Capacity::Decrement } else { Capacity::Keep };
    world.autoscaling().enter_standby(&group, &ids, capacity)?;
    Ok(activities(world, &group, &ids, "Moving EC2 instance to Standby"))
}

fn exit_standby(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("AutoScalingGroupName")?;
    let ids = instances(&mut query);
    query.done()?;
    world.autoscaling().exit_standby(&group, &ids)?;
    Ok(activities(world, &group, &ids, "Moving EC2 instance out of Standby"))
}

/// One activity for each instance. Nobody can ask for it again: its id is made of the instance's.
fn activities(world: &World, group: &str, ids: &[InstanceId], what: &str) -> Xml {
    let now = world.time();
    let mut xml = Xml::default();
    xml.list("Activities", "member", ids, |member, id| {
        member
            .leaf("ActivityId", format!("activity-{id}"))
            .leaf("AutoScalingGroupName", group)
            .leaf("Description", format!("{what}: {id}"))
            .leaf("Cause", format!("At {now} instance {id} was moved in response to a user request."))
            .leaf("StartTime", format!("{now:.3}"))
            .leaf("StatusCode", "InProgress")
            .leaf("Progress", 50);
    });
    xml
}

fn set_instance_protection(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("AutoScalingGroupName")?;
    let ids = instances(&mut query);
    let protected = switch(&mut query, "ProtectedFromScaleIn")?;
    query.done()?;
    let scale_in = if protected { ScaleIn::Forbidden } else { ScaleIn::Allowed };
    world.autoscaling().set_protection(&group, &ids, scale_in)?;
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

/// A member, as its group tells it.
pub(super) fn instance(xml: &mut Xml, member: &Member, names: &Names) {
    xml.leaf("InstanceId", &member.instance)
        .leaf("InstanceType", &member.instance_type)
        .leaf("AvailabilityZone", "us-east-1a")
        .leaf("LifecycleState", member.lifecycle.name())
        .leaf("HealthStatus", if member.healthy { "Healthy" } else { "Unhealthy" })
        .leaf("ImageId", &member.image)
        .leaf("ProtectedFromScaleIn", member.protected);
    if let Some((template, version)) = &member.template {
        named(xml, "LaunchTemplate", template, &version.to_string(), names);
    }
}
