//! DescribeImageReferences.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    ImageReferenceOptionName, ImageReferenceResourceType, ResourceTypeOption, ResourceTypeRequest,
};
use lastgood_core::id::ImageId;
use lastgood_engine::{Answer, CallFailed};

use super::PAGE_ITEMS;
use crate::refusals::{answer, told};

const DESCRIBE: &str = "ec2:DescribeImageReferences";
/// All versions of a template: AWS looks at the 10 newest if nobody says (AWS: ResourceTypeOption).
const VERSION_DEPTH_MAX: u32 = 10_000;

pub(crate) async fn image_references(client: &Client, image: &ImageId) -> Result<Answer<Vec<String>>, CallFailed> {
    let depth = ResourceTypeOption::builder()
        .option_name(ImageReferenceOptionName::VersionDepth)
        .option_values(VERSION_DEPTH_MAX.to_string());
    let templates = ResourceTypeRequest::builder()
        .resource_type(ImageReferenceResourceType::Ec2LaunchTemplate)
        .resource_type_options(depth.build());
    let request = client
        .describe_image_references()
        .image_ids(image.as_str())
        .include_all_resource_types(true)
        .resource_types(templates.build());
    let mut pages = request.into_paginator().page_size(PAGE_ITEMS).send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        match answer(DESCRIBE, page)? {
            Ok(page) => {
                for reference in page.image_references() {
                    found.push(told(DESCRIBE, reference.arn(), "a reference's ARN")?.to_owned());
                }
            }
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(found))
}
