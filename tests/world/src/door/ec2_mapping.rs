//! Block device mappings of launches and launch templates, and EC2's instance types.

use lastgood_core::id::SnapshotId;

use super::Action;
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::instance_type::{DescribeInstanceTypes, InstanceType};
use crate::launch::Device;
use crate::state::World;

pub(super) fn action(name: &str) -> Option<Action> {
    match name {
        "DescribeInstanceTypes" => Some(describe_instance_types),
        _ => None,
    }
}

/// `BlockDeviceMapping.1`, ..
pub(super) fn devices(query: &mut Query) -> Result<Vec<Device>, AwsError> {
    let device = |mut mapping: Query| {
        let device = Device {
            name: mapping.need("DeviceName")?,
            snapshot: mapping.take("Ebs.SnapshotId").map(SnapshotId),
            gib: mapping.parse("Ebs.VolumeSize")?,
            delete_on_termination: mapping.parse("Ebs.DeleteOnTermination")?,
            // NoDevice is given as an empty text, which here is all that matters of it.
            omitted: mapping.takes_out("NoDevice"),
        };
        mapping.done().map(|()| device)
    };
    query.records("BlockDeviceMapping").into_iter().map(device).collect()
}

pub(super) fn device(xml: &mut Xml, device: &Device) {
    xml.leaf("deviceName", &device.name);
    if device.omitted {
        xml.leaf("noDevice", "");
        return;
    }
    xml.node("ebs", |ebs| {
        ebs.maybe("snapshotId", device.snapshot.as_ref())
            .maybe("volumeSize", device.gib)
            .maybe("deleteOnTermination", device.delete_on_termination);
    });
}

fn describe_instance_types(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeInstanceTypes {
        names: query.texts("InstanceType"),
        filters: query.filters()?,
        paging: query.paging()?,
    };
    query.done()?;
    let page = world.ec2().describe_instance_types(&asks)?;
    let mut xml = Xml::default();
    xml.list("instanceTypeSet", "item", &page.items, |item, told: &InstanceType| {
        item.leaf("instanceType", &told.name).node("processorInfo", |processor| {
            processor.node("supportedArchitectures", |list| {
                for architecture in &told.architectures {
                    list.leaf("item", architecture);
                }
            });
        });
    });
    xml.maybe("nextToken", page.next_token);
    Ok(xml)
}
