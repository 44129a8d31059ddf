//! CreateImage, DescribeImages, DeregisterImage.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{self, Filter, ResourceType, SnapshotReturnCodes, Tag, TagSpecification};
use lastgood_core::facts::{ForeignImage, Image, ImageState, SnapshotDeletion};
use lastgood_core::id::{ImageId, SnapshotId};
use lastgood_core::refusal::Why;
use lastgood_core::whole_second;
use lastgood_engine::call::ec2::{
    CreateImage, DeregisterImage, FILTER_VALUES_MAX, ForeignImageById, ImageNamed, ImagesById, ImagesTagged,
};
use lastgood_engine::{Answers, Call, Called};

use super::{PAGE_ITEMS, filter, literal, tags};
use crate::refusals::{answer, told};
use crate::{Aws, pages};

const DESCRIBE: &str = ImagesById::ACTION;

impl Answers<ImagesById> for Aws {
    async fn call(&self, ImagesById(ids): &ImagesById) -> Called<Vec<Image>> {
        let mut images = Vec::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            match described(&self.ec2, filter("image-id", ids.iter().map(ToString::to_string))).await? {
                Ok(more) => images.extend(more),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(images))
    }
}

impl Answers<ImageNamed> for Aws {
    async fn call(&self, ImageNamed(name): &ImageNamed) -> Called<Option<Image>> {
        let images = described(&self.ec2, filter("name", [literal(name)])).await?;
        // One that was deregistered may still be told beside the one that has the name now.
        Ok(images.map(|images| {
            let of_name = images.into_iter().filter(|image| image.name == *name);
            of_name.min_by_key(Image::is_deregistered)
        }))
    }
}

impl Answers<ImagesTagged> for Aws {
    async fn call(&self, ImagesTagged { key, value }: &ImagesTagged) -> Called<Vec<Image>> {
        described(&self.ec2, filter(format!("tag:{key}"), [literal(value)])).await
    }
}

impl Answers<ForeignImageById> for Aws {
    /// By its id, which tells deprecated ones of others, too (AWS: DescribeImages, IncludeDeprecated).
    async fn call(&self, ForeignImageById(id): &ForeignImageById) -> Called<Option<ForeignImage>> {
        let request = self.ec2.describe_images().image_ids(id.as_str());
        let request = request.include_deprecated(true).include_disabled(true);
        let output = match answer(DESCRIBE, request.send().await)? {
            Ok(output) => output,
            Err(refusal) if refusal.why == Why::Missing => return Ok(Ok(None)),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(found) = output.images().iter().find(|found| found.image_id() == Some(id.as_str())) else {
            return Ok(Ok(None));
        };
        let foreign = image(found).zip(found.owner_id().map(str::to_owned));
        let (image, owner) = told(DESCRIBE, foreign, "an image's id and its owner")?;
        Ok(Ok(Some(ForeignImage { image, owner })))
    }
}

/// Images of our own account only: without an owner AWS answers with every public one. Disabled ones are hidden unless
/// asked for (AWS: Disable an Amazon EC2 AMI).
async fn described(client: &Client, filter: Filter) -> Called<Vec<Image>> {
    let request = client.describe_images().owners("self").include_disabled(true).filters(filter);
    let pages = request.into_paginator().page_size(PAGE_ITEMS).send();
    let read = |found: &types::Image| told(DESCRIBE, image(found), "an image's id");
    pages::all(DESCRIBE, pages, |page| page.images().iter().map(read).collect()).await
}

fn image(image: &types::Image) -> Option<Image> {
    let mapped = image.block_device_mappings().iter();
    let devices: Vec<(String, SnapshotId)> = mapped
        .filter_map(|mapping| {
            Some((mapping.device_name()?.to_owned(), SnapshotId::from(mapping.ebs()?.snapshot_id()?)))
        })
        .collect();
    let sizes = image.block_device_mappings().iter().filter_map(|mapping| {
        Some((mapping.device_name()?.to_owned(), u32::try_from(mapping.ebs()?.volume_size()?).ok()?))
    });
    let snapshots = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.snapshot_id());
    // Any value that is not plainly "disabled" counts as protected (AWS: Image, DeregistrationProtection).
    let protected = image.deregistration_protection().is_some_and(|value| value != "disabled" && !value.is_empty());
    Some(Image {
        id: ImageId::from(image.image_id()?),
        name: image.name().unwrap_or_default().to_owned(),
        state: state(image),
        tags: tags(image.tags()),
        snapshots: snapshots.map(SnapshotId::from).collect(),
        root_device: image.root_device_name().map(str::to_owned),
        devices,
        sizes: sizes.collect(),
        architecture: image.architecture().map(|architecture| architecture.as_str().to_owned()),
        boot_mode: image.boot_mode().map(|mode| mode.as_str().to_owned()),
        protected,
        // AWS tells it as text, with milliseconds (AWS: Image, CreationDate).
        created_at: image.creation_date().and_then(|at| at.parse().ok()).map(whole_second),
    })
}

fn state(image: &types::Image) -> ImageState {
    match image.state() {
        Some(types::ImageState::Available) => ImageState::Available,
        Some(types::ImageState::Disabled) => ImageState::Disabled,
        Some(types::ImageState::Pending | types::ImageState::Transient) | None => ImageState::Pending,
        Some(other) => {
            let reason = image.state_reason();
            let code = reason.and_then(|reason| reason.code()).unwrap_or("no code");
            let message = reason.and_then(|reason| reason.message()).unwrap_or("no reason given");
            ImageState::Broken(format!("{}: {code}: {message}", other.as_str()))
        }
    }
}

impl Answers<CreateImage> for Aws {
    async fn call(&self, create: &CreateImage) -> Called<ImageId> {
        let tagged = |resource: ResourceType| {
            let tags = create.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            TagSpecification::builder().resource_type(resource).set_tags(Some(tags.collect())).build()
        };
        let result = self
            .ec2
            .create_image()
            .instance_id(create.instance.as_str())
            .name(&create.name)
            .description(&create.description)
            // Left out, it means that the instance is shut down (AWS: CreateImage).
            .no_reboot(true)
            .tag_specifications(tagged(ResourceType::Image))
            .tag_specifications(tagged(ResourceType::Snapshot))
            .send()
            .await;
        match answer(CreateImage::ACTION, result)? {
            // Without its id it is found again by its name.
            Ok(output) => Ok(Ok(ImageId::from(told(CreateImage::ACTION, output.image_id(), "an image's id")?))),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

impl Answers<DeregisterImage> for Aws {
    async fn call(&self, DeregisterImage(image): &DeregisterImage) -> Called<Vec<(SnapshotId, SnapshotDeletion)>> {
        let request = self.ec2.deregister_image().image_id(image.as_str()).delete_associated_snapshots(true);
        let output = answer(DeregisterImage::ACTION, request.send().await)?;
        Ok(output.map(|output| {
            let results = output.delete_snapshot_results().iter();
            results
                .filter_map(|result| Some((SnapshotId::from(result.snapshot_id()?), deletion(result.return_code()))))
                .collect()
        }))
    }
}

fn deletion(code: Option<&SnapshotReturnCodes>) -> SnapshotDeletion {
    match code {
        Some(SnapshotReturnCodes::Success) => SnapshotDeletion::Deleted,
        // It belongs to another image too (AWS: DeregisterImage).
        Some(SnapshotReturnCodes::WarnSkipped) => SnapshotDeletion::Shared,
        Some(other) => SnapshotDeletion::NotDeleted(other.as_str().to_owned()),
        None => SnapshotDeletion::NotDeleted("no return code".to_owned()),
    }
}
