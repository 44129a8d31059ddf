//! EC2's calls about images, and CreateTags.

use lastgood_core::id::SnapshotId;

use super::query::Query;
use super::xml::Xml;
use super::{Action, returned, tag_set};
use crate::fault::AwsError;
use crate::image::{CreateImage, Image, ImageState, Mapping, Protection};
use crate::image_calls::{DescribeImages, RegisterImage};
use crate::instance_type::Architecture;
use crate::state::World;

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateImage" => create_image,
        "CreateTags" => create_tags,
        "DeregisterImage" => deregister_image,
        "DescribeImages" => describe_images,
        "DisableImage" => disable_image,
        "DisableImageDeregistrationProtection" => unprotect_image,
        "EnableImage" => enable_image,
        "EnableImageDeregistrationProtection" => protect_image,
        "RegisterImage" => register_image,
        _ => return None,
    })
}

fn create_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let mut omitted_devices = Vec::new();
    for mut mapping in query.records("BlockDeviceMapping") {
        let device = mapping.need("DeviceName")?;
        // NoDevice is given as an empty text, which here is all that matters of it.
        let omitted = mapping.takes_out("NoDevice");
        mapping.done()?;
        if !omitted {
            let message = "Of BlockDeviceMapping only NoDevice is simulated";
            return Err(AwsError::new("InvalidParameterValue", message));
        }
        omitted_devices.push(device);
    }
    let request = CreateImage {
        instance: query.need("InstanceId")?,
        name: query.need("Name")?,
        description: query.take("Description").unwrap_or_default(),
        no_reboot: query.flag("NoReboot")?,
        omitted_devices,
        tags: query.tag_specifications()?,
    };
    query.done()?;
    let id = world.ec2().create_image(request)?;
    let mut xml = Xml::default();
    xml.leaf("imageId", id);
    Ok(xml)
}

fn create_tags(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let ids = query.texts("ResourceId");
    let tags = query.tags("Tag")?;
    query.done()?;
    world.ec2().create_tags(&ids, &tags)?;
    Ok(returned())
}

fn deregister_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("ImageId")?;
    let with_snapshots = query.flag("DeleteAssociatedSnapshots")?;
    query.done()?;
    if !with_snapshots {
        world.ec2().deregister_image(&id)?;
        return Ok(returned());
    }
    let results = world.ec2().deregister_image_and_snapshots(&id)?;
    let mut xml = returned();
    xml.list("deleteSnapshotResultSet", "item", results, |item, (snapshot, code)| {
        item.leaf("snapshotId", snapshot).leaf("returnCode", code);
    });
    Ok(xml)
}

fn disable_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("ImageId")?;
    query.done()?;
    world.ec2().disable_image(&id)?;
    Ok(returned())
}

fn enable_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("ImageId")?;
    query.done()?;
    world.ec2().enable_image(&id)?;
    Ok(returned())
}

fn protect_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("ImageId")?;
    let cooldown = query.flag("WithCooldown")?;
    query.done()?;
    let protection = if cooldown { Protection::OnWithCooldown } else { Protection::On };
    world.ec2().protect_image(&id, protection)?;
    Ok(returned())
}

fn unprotect_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("ImageId")?;
    query.done()?;
    world.ec2().unprotect_image(&id)?;
    Ok(returned())
}

fn register_image(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("Name")?;
    let architecture = match query.take("Architecture") {
        None => Architecture::default(),
        Some(told) => Architecture::named(&told).ok_or_else(|| {
            AwsError::new("InvalidParameterValue", format!("The architecture '{told}' is not simulated"))
        })?,
    };
    let root_device = query.take("RootDeviceName");
    let mut devices = Vec::new();
    for mut mapping in query.records("BlockDeviceMapping") {
        devices.push((mapping.need("DeviceName")?, SnapshotId(mapping.need("Ebs.SnapshotId")?)));
        mapping.done()?;
    }
    query.done()?;
    let root_device = root_device.unwrap_or_else(|| "/dev/sda1".to_owned());
    let id = world.ec2().register_image(&RegisterImage { name, architecture, root_device, devices })?;
    let mut xml = Xml::default();
    xml.leaf("imageId", id);
    Ok(xml)
}

fn describe_images(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeImages {
        ids: query.texts("ImageId"),
        owners: query.texts("Owner"),
        filters: query.filters()?,
        include_disabled: query.flag("IncludeDisabled")?,
        include_deprecated: query.flag("IncludeDeprecated")?,
        paging: query.paging()?,
    };
    query.done()?;
    let page = world.ec2().describe_images(&asks)?;
    let mut xml = Xml::default();
    xml.list("imagesSet", "item", &page.items, image).maybe("nextToken", page.next_token);
    Ok(xml)
}

fn image(xml: &mut Xml, image: &Image) {
    xml.leaf("imageId", &image.id)
        .leaf("imageLocation", format!("{}/{}", image.owner, image.name))
        .leaf("imageState", image.state.name())
        .leaf("imageOwnerId", &image.owner)
        .leaf("creationDate", format!("{:.3}", image.created_at))
        .leaf("isPublic", false)
        .leaf("architecture", image.architecture)
        .leaf("imageType", "machine")
        .leaf("name", &image.name)
        .leaf("description", &image.description)
        .leaf("rootDeviceType", "ebs")
        .leaf("virtualizationType", "hvm")
        .leaf("hypervisor", "xen")
        .leaf("rootDeviceName", &image.root_device)
        .maybe("sourceInstanceId", image.source.as_ref())
        .leaf("deregistrationProtection", protection(image.protection));
    if let Some(reason) = &image.reason {
        xml.node("stateReason", |told| {
            told.leaf("code", &reason.code).leaf("message", &reason.message);
        });
    }
    // A failed image tells no volumes.
    let told = image.mappings.iter().filter(|_| image.state != ImageState::Failed);
    xml.list("blockDeviceMapping", "item", told, mapping);
    tag_set(xml, &image.tags);
}

fn mapping(xml: &mut Xml, mapping: &Mapping) {
    xml.leaf("deviceName", &mapping.device_name).node("ebs", |ebs| {
        ebs.maybe("snapshotId", mapping.snapshot.as_ref())
            .leaf("volumeSize", mapping.gib)
            .leaf("deleteOnTermination", mapping.delete_on_termination)
            .leaf("volumeType", "gp3")
            .leaf("encrypted", false);
    });
}

/// AWS: DescribeImages tells no list of these; `enabled-…` were seen. What it says in the cooldown is a guess.
fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::Off => "disabled",
        Protection::On => "enabled-without-cooldown",
        Protection::OnWithCooldown | Protection::CoolingUntil(_) => "enabled-with-cooldown",
    }
}
