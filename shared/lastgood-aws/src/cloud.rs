//! EC2, Auto Scaling and the Parameter Store as the engine's `Cloud`. What each call does is in the file of its service.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use lastgood_core::facts::{
    Configuration, Group, Image, Instance, Parameter, Refresh, Snapshot, SnapshotDeletion, Tags, TemplateVersion,
    VersionRef,
};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_engine::port::{ImageRequest, VersionRequest};
use lastgood_engine::{Answer, CallFailed, Cloud, ScaleInProtection};

use crate::ec2::{images, instances, references, snapshots, templates};
use crate::{autoscaling, ssm};

/// The clients of EC2, Auto Scaling and the Parameter Store.
#[derive(Clone, Debug)]
pub struct Aws {
    ec2: aws_sdk_ec2::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    ssm: aws_sdk_ssm::Client,
}

impl Aws {
    /// Clients for one account and region.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
        }
    }
}

type Called<T> = Result<Answer<T>, CallFailed>;

impl Cloud for Aws {
    async fn groups(&self, names: &[GroupName]) -> Called<Vec<Group>> {
        autoscaling::groups(&self.autoscaling, names).await
    }

    async fn groups_tagged(&self, tags: &Tags) -> Called<Vec<Group>> {
        autoscaling::groups_tagged(&self.autoscaling, tags).await
    }

    async fn active_refresh(&self, group: &GroupName) -> Called<Option<Refresh>> {
        autoscaling::active_refresh(&self.autoscaling, group).await
    }

    async fn set_scale_in_protection(
        &self,
        group: &GroupName,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> Called<()> {
        autoscaling::set_scale_in_protection(&self.autoscaling, group, instance, protection).await
    }

    async fn configurations(&self) -> Called<Vec<Configuration>> {
        autoscaling::configurations(&self.autoscaling).await
    }
    async fn instances_of(&self, image: &ImageId) -> Called<Vec<InstanceId>> {
        instances::instances_of(&self.ec2, image).await
    }
    async fn image_references(&self, image: &ImageId) -> Called<Vec<String>> {
        references::image_references(&self.ec2, image).await
    }
    async fn images_tagged(&self, key: &str, value: &str) -> Called<Vec<Image>> {
        images::images_tagged(&self.ec2, key, value).await
    }

    async fn architectures(&self, instance_types: &[String]) -> Called<BTreeMap<String, Vec<String>>> {
        instances::architectures(&self.ec2, instance_types).await
    }

    async fn parameter(&self, name: &str) -> Called<Option<Parameter>> {
        ssm::parameter(&self.ssm, name).await
    }

    async fn set_parameter(&self, name: &str, parameter: &Parameter) -> Called<()> {
        ssm::set_parameter(&self.ssm, name, parameter).await
    }

    async fn set_mixed_version(&self, group: &GroupName, template: &TemplateId, base: u64, version: u64) -> Called<()> {
        autoscaling::set_mixed_version(&self.autoscaling, group, template, base, version).await
    }

    async fn instances(&self, ids: &[InstanceId]) -> Called<Vec<Instance>> {
        instances::instances(&self.ec2, ids).await
    }

    async fn images(&self, ids: &[ImageId]) -> Called<Vec<Image>> {
        images::images(&self.ec2, ids).await
    }

    async fn image_named(&self, name: &str) -> Called<Option<Image>> {
        images::image_named(&self.ec2, name).await
    }

    async fn snapshots(&self, ids: &[SnapshotId]) -> Called<Vec<Snapshot>> {
        snapshots::snapshots(&self.ec2, ids).await
    }

    async fn snapshots_tagged(&self, key: &str, value: &str) -> Called<Vec<Snapshot>> {
        snapshots::snapshots_tagged(&self.ec2, key, value).await
    }

    async fn create_image(&self, request: &ImageRequest) -> Called<ImageId> {
        images::create_image(&self.ec2, request).await
    }

    async fn deregister_image(&self, image: &ImageId) -> Called<Vec<(SnapshotId, SnapshotDeletion)>> {
        images::deregister_image(&self.ec2, image).await
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Called<()> {
        snapshots::delete_snapshot(&self.ec2, id).await
    }

    async fn template_version(&self, template: &TemplateId, version: VersionRef) -> Called<TemplateVersion> {
        templates::template_version(&self.ec2, template, version).await
    }

    async fn template_versions_with(&self, template: &TemplateId, image: &ImageId) -> Called<Vec<TemplateVersion>> {
        templates::template_versions_with(&self.ec2, template, image).await
    }

    async fn create_template_version(&self, request: &VersionRequest) -> Called<u64> {
        templates::create_template_version(&self.ec2, request).await
    }

    async fn delete_template_versions(&self, template: &TemplateId, versions: &[u64]) -> Called<Vec<(u64, String)>> {
        templates::delete_template_versions(&self.ec2, template, versions).await
    }

    async fn set_default_version(&self, template: &TemplateId, version: u64) -> Called<()> {
        templates::set_default_version(&self.ec2, template, version).await
    }

    async fn set_group_version(&self, group: &GroupName, template: &TemplateId, version: u64) -> Called<()> {
        autoscaling::set_group_version(&self.autoscaling, group, template, version).await
    }
}
