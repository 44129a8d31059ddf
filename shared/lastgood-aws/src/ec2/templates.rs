//! DescribeLaunchTemplateVersions, CreateLaunchTemplateVersion, ModifyLaunchTemplate, DeleteLaunchTemplateVersions.

use aws_sdk_ec2::types::{
    LaunchTemplateEbsBlockDevice, LaunchTemplateVersion, RequestLaunchTemplateData, ResponseLaunchTemplateData,
};
use lastgood_core::facts::{TemplateDevice, TemplateVersion};
use lastgood_core::id::SnapshotId;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::call::ec2::{
    CreateVersion, DeleteVersions, SetDefaultVersion, VERSIONS_A_CALL_MAX, VersionOf, VersionsWith,
};
use lastgood_engine::{Answers, Call, CallFailed, Called};

use super::filter;
use crate::refusals::{answer, told};
use crate::{Aws, pages};

const DESCRIBE: &str = VersionOf::ACTION;
/// The largest page of versions (AWS: DescribeLaunchTemplateVersions).
const PAGE_VERSIONS_MAX: i32 = 200;

impl Answers<VersionOf> for Aws {
    async fn call(&self, VersionOf { template, version }: &VersionOf) -> Called<TemplateVersion> {
        let name = version.to_string();
        let request =
            self.ec2.describe_launch_template_versions().launch_template_id(template.as_str()).versions(&name);
        let output = match answer(DESCRIBE, request.send().await)? {
            Ok(output) => output,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found = output.launch_template_versions().first().map(described).transpose()?;
        Ok(found.ok_or_else(|| Refusal {
            why: Why::Missing,
            action: DESCRIBE.to_owned(),
            message: format!("{template} has no version {name}"),
        }))
    }
}

impl Answers<VersionsWith> for Aws {
    async fn call(&self, VersionsWith { template, image }: &VersionsWith) -> Called<Vec<TemplateVersion>> {
        let request = self
            .ec2
            .describe_launch_template_versions()
            .launch_template_id(template.as_str())
            .filters(filter("image-id", [image.to_string()]));
        let pages = request.into_paginator().page_size(PAGE_VERSIONS_MAX).send();
        pages::all(DESCRIBE, pages, |page| page.launch_template_versions().iter().map(described).collect()).await
    }
}

fn number(action: &'static str, number: Option<i64>) -> Result<u64, CallFailed> {
    told(action, number.and_then(|number| u64::try_from(number).ok()), "a version's number")
}

fn described(version: &LaunchTemplateVersion) -> Result<TemplateVersion, CallFailed> {
    let image = version.launch_template_data().and_then(|data| data.image_id());
    let mapped =
        version.launch_template_data().map(ResponseLaunchTemplateData::block_device_mappings).unwrap_or_default();
    // NoDevice, too, is a mapping that hides the image's. A volume of the instance store has no data to hide.
    let with_data = mapped.iter().filter(|mapping| mapping.virtual_name().is_none());
    let devices = with_data.filter_map(|mapping| {
        let snapshot = mapping.ebs().and_then(|volume| volume.snapshot_id()).map(SnapshotId::from);
        let gib =
            mapping.ebs().and_then(LaunchTemplateEbsBlockDevice::volume_size).and_then(|gib| u32::try_from(gib).ok());
        Some(TemplateDevice { name: mapping.device_name()?.to_owned(), snapshot, gib })
    });
    Ok(TemplateVersion {
        number: number(DESCRIBE, version.version_number())?,
        description: version.version_description().unwrap_or_default().to_owned(),
        image: image.map(str::to_owned),
        instance_type: version
            .launch_template_data()
            .and_then(|data| data.instance_type())
            .map(|name| name.as_str().to_owned()),
        devices: devices.collect(),
    })
}

impl Answers<CreateVersion> for Aws {
    async fn call(&self, create: &CreateVersion) -> Called<u64> {
        let result = self
            .ec2
            .create_launch_template_version()
            .launch_template_id(create.template.as_str())
            // A number, so that a repetition copies the same version.
            .source_version(create.base.to_string())
            .client_token(&create.token)
            .version_description(&create.description)
            .launch_template_data(RequestLaunchTemplateData::builder().image_id(create.image.as_str()).build())
            .send()
            .await;
        let output = match answer(CreateVersion::ACTION, result)? {
            Ok(output) => output,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let made = output.launch_template_version().and_then(LaunchTemplateVersion::version_number);
        Ok(Ok(number(CreateVersion::ACTION, made)?))
    }
}

impl Answers<DeleteVersions> for Aws {
    async fn call(&self, DeleteVersions { template, versions }: &DeleteVersions) -> Called<Vec<(u64, String)>> {
        let mut left = Vec::new();
        for versions in versions.chunks(VERSIONS_A_CALL_MAX) {
            let numbers = versions.iter().map(ToString::to_string).collect();
            let request = self.ec2.delete_launch_template_versions().launch_template_id(template.as_str());
            let output = match answer(DeleteVersions::ACTION, request.set_versions(Some(numbers)).send().await)? {
                Ok(output) => output,
                Err(refusal) => return Ok(Err(refusal)),
            };
            for version in output.unsuccessfully_deleted_launch_template_versions() {
                let error = version.response_error();
                let code = error.and_then(|error| error.code()).map_or("no reason given", |code| code.as_str());
                let number = number(DeleteVersions::ACTION, version.version_number())?;
                if code != "launchTemplateVersionDoesNotExist" {
                    left.push((number, code.to_owned()));
                }
            }
        }
        Ok(Ok(left))
    }
}

impl Answers<SetDefaultVersion> for Aws {
    async fn call(&self, SetDefaultVersion { template, version }: &SetDefaultVersion) -> Called<()> {
        let request = self
            .ec2
            .modify_launch_template()
            .launch_template_id(template.as_str())
            .default_version(version.to_string());
        Ok(answer(SetDefaultVersion::ACTION, request.send().await)?.map(|_| ()))
    }
}
