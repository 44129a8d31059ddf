//! EC2's calls about instances.

use lastgood_core::id::InstanceId;

use super::query::Query;
use super::xml::Xml;
use super::{Action, ec2_mapping, tag_set};
use crate::fault::AwsError;
use crate::instance::{DescribeInstances, Instance, InstanceState, Volume};
use crate::launch::Launch;
use crate::state::{ACCOUNT, World};
use crate::status::DescribeStatuses;

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "DescribeInstanceStatus" => describe_statuses,
        "DescribeInstances" => describe_instances,
        "DescribeInstanceAttribute" => describe_attribute,
        "DescribeSpotInstanceRequests" => describe_spot_requests,
        "RunInstances" => run_instances,
        "StartInstances" => start_instances,
        "StopInstances" => stop_instances,
        "TerminateInstances" => terminate_instances,
        _ => return None,
    })
}

fn run_instances(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let counts = (query.need("MinCount")?, query.need("MaxCount")?);
    if counts != ("1".to_owned(), "1".to_owned()) {
        return Err(AwsError::new("InvalidParameterValue", "Only one instance at a time is simulated"));
    }
    let launch = Launch {
        image: query.need("ImageId")?,
        instance_type: query.take("InstanceType"),
        devices: ec2_mapping::devices(&mut query)?,
        tags: query.tags_of("instance")?,
    };
    query.take("ClientToken");
    query.done()?;
    let launched = world.ec2().run_instance(launch)?;
    let mut xml = Xml::default();
    reservation(&mut xml, &launched);
    Ok(xml)
}

fn describe_instances(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeInstances { ids: query.texts("InstanceId"), filters: query.filters()?, paging: query.paging()? };
    query.done()?;
    let page = world.ec2().describe_instances(&asks)?;
    let mut xml = Xml::default();
    xml.list("reservationSet", "item", &page.items, reservation).maybe("nextToken", page.next_token);
    Ok(xml)
}

fn describe_statuses(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeStatuses { ids: query.texts("InstanceId"), paging: query.paging()? };
    query.done()?;
    let page = world.ec2().describe_statuses(&asks)?;
    let mut xml = Xml::default();
    xml.list("instanceStatusSet", "item", &page.items, |item, told| {
        item.leaf("instanceId", &told.instance);
        state(item, "instanceState", InstanceState::Running);
        for (name, check) in [("instanceStatus", told.check), ("systemStatus", told.system)] {
            item.node(name, |status| {
                status.leaf("status", check.name());
            });
        }
    });
    xml.maybe("nextToken", page.next_token);
    Ok(xml)
}

fn terminate_instances(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let ids: Vec<InstanceId> = query.texts("InstanceId").into_iter().map(InstanceId).collect();
    query.done()?;
    let before = world.ec2().terminate_instances(&ids)?;
    let mut xml = Xml::default();
    xml.list("instancesSet", "item", before, |item, (id, before)| {
        let now = if before == InstanceState::Terminated { before } else { InstanceState::ShuttingDown };
        item.leaf("instanceId", id);
        state(item, "currentState", now);
        state(item, "previousState", before);
    });
    Ok(xml)
}

fn changed(id: &InstanceId, (before, now): (InstanceState, InstanceState)) -> Xml {
    let mut xml = Xml::default();
    xml.list("instancesSet", "item", [id], |item, id| {
        item.leaf("instanceId", id);
        state(item, "currentState", now);
        state(item, "previousState", before);
    });
    xml
}

/// One at a time: one unknown id fails a whole call.
fn one_id(query: &mut Query) -> Result<InstanceId, AwsError> {
    match query.texts("InstanceId").as_slice() {
        [id] => Ok(InstanceId::from(id.as_str())),
        _ => Err(AwsError::new("InvalidParameterValue", "Only one instance at a time is simulated")),
    }
}

fn stop_instances(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = one_id(&mut query)?;
    let force = query.take("Force").is_some_and(|force| force == "true");
    // SkipOsShutdown and Hibernate are not simulated.
    query.done()?;
    Ok(changed(&id, world.ec2().stop_instance(&id, force)?))
}

fn start_instances(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = one_id(&mut query)?;
    let is_trial = query.take("DryRun").is_some_and(|trial| trial == "true");
    query.done()?;
    if is_trial {
        let Err(told) = world.ec2().may_start(&id);
        return Err(told);
    }
    Ok(changed(&id, world.ec2().start_instance(&id)?))
}

fn describe_attribute(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = InstanceId::from(query.need("InstanceId")?.as_str());
    let attribute = query.need("Attribute")?;
    query.done()?;
    if attribute != "disableApiStop" {
        return Err(AwsError::new("InvalidParameterValue", format!("{attribute} is not simulated")));
    }
    let protected = world.ec2().stop_protected(&id)?;
    let mut xml = Xml::default();
    xml.leaf("instanceId", &id).node("disableApiStop", |value| {
        value.leaf("value", protected);
    });
    Ok(xml)
}

fn describe_spot_requests(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let filters = query.filters()?;
    query.paging()?;
    query.done()?;
    let id = filters.iter().find(|filter| filter.name == "instance-id").and_then(|filter| filter.values.first());
    let missing = || AwsError::new("InvalidParameterValue", "Only the filter instance-id is simulated");
    let requests = world.ec2().spot_requests(id.ok_or_else(missing)?)?;
    let mut xml = Xml::default();
    xml.list("spotInstanceRequestSet", "item", requests, |item, one_time| {
        item.leaf("type", if one_time { "one-time" } else { "persistent" });
    });
    Ok(xml)
}

fn state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.node(name, |told| {
        told.leaf("code", state.code()).leaf("name", state.name());
    });
}

/// Each instance is a reservation of its own.
fn reservation(xml: &mut Xml, launched: &Instance) {
    let id = launched.id.as_str().trim_start_matches("i-");
    xml.leaf("reservationId", format!("r-{id}")).leaf("ownerId", ACCOUNT).list(
        "instancesSet",
        "item",
        [launched],
        instance,
    );
}

fn instance(xml: &mut Xml, instance: &Instance) {
    xml.leaf("instanceId", &instance.id).leaf("imageId", &instance.image);
    state(xml, "instanceState", instance.state);
    xml.leaf("instanceType", &instance.instance_type)
        .leaf("launchTime", format!("{:.3}", instance.launched_at))
        .leaf("architecture", instance.architecture)
        .leaf("rootDeviceType", if instance.nature.root_in_store { "instance-store" } else { "ebs" })
        .leaf("rootDeviceName", &instance.root_device);
    let nature = &instance.nature;
    xml.maybe("instanceLifecycle", nature.spot.map(|_| "spot"));
    xml.node("hibernationOptions", |options| {
        options.leaf("configured", nature.hibernates);
    });
    xml.list("networkInterfaceSet", "item", &nature.address, |item, (address, is_own)| {
        item.node("association", |association| {
            association.leaf("publicIp", address).leaf("ipOwnerId", if *is_own { ACCOUNT } else { "amazon" });
        });
    });
    let attached = instance.volumes.iter().filter(|_| instance.state != InstanceState::Terminated);
    xml.list("blockDeviceMapping", "item", attached, |item, volume: &Volume| {
        item.leaf("deviceName", &volume.device_name).node("ebs", |ebs| {
            ebs.leaf("volumeId", &volume.id)
                .leaf("status", "attached")
                .leaf("deleteOnTermination", volume.delete_on_termination);
        });
    });
    tag_set(xml, &instance.tags);
}
