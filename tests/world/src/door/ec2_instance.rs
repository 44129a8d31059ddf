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
        "RunInstances" => run_instances,
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
        .leaf("rootDeviceType", "ebs")
        .leaf("rootDeviceName", &instance.root_device);
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
