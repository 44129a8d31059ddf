//! DescribeImageReferences.

use aws_sdk_ec2::types::{
    ImageReference, ImageReferenceOptionName, ImageReferenceResourceType, ResourceTypeOption, ResourceTypeRequest,
};
use lastgood_engine::call::ec2::ImageReferences;
use lastgood_engine::{Answers, Call, Called};

use super::PAGE_ITEMS;
use crate::refusals::told;
use crate::{Aws, pages};

/// All versions of a template: AWS looks at the 10 newest if nobody says (AWS: ResourceTypeOption).
const VERSION_DEPTH_MAX: u32 = 10_000;

impl Answers<ImageReferences> for Aws {
    async fn call(&self, ImageReferences(image): &ImageReferences) -> Called<Vec<String>> {
        let depth = ResourceTypeOption::builder()
            .option_name(ImageReferenceOptionName::VersionDepth)
            .option_values(VERSION_DEPTH_MAX.to_string());
        let templates = ResourceTypeRequest::builder()
            .resource_type(ImageReferenceResourceType::Ec2LaunchTemplate)
            .resource_type_options(depth.build());
        let request = self
            .ec2
            .describe_image_references()
            .image_ids(image.as_str())
            .include_all_resource_types(true)
            .resource_types(templates.build());
        let pages = request.into_paginator().page_size(PAGE_ITEMS).send();
        let arn = |reference: &ImageReference| {
            Ok(told(ImageReferences::ACTION, reference.arn(), "a reference's ARN")?.to_owned())
        };
        pages::all(ImageReferences::ACTION, pages, |page| page.image_references().iter().map(arn).collect()).await
    }
}
