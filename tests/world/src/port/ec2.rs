//! EC2's calls.

use std::collections::BTreeMap;

use lastgood_core::facts::{self, SnapshotDeletion};
use lastgood_core::id::{ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_engine::call::ec2::{
    CreateImage, CreateVersion, DeleteSnapshot, DeleteVersions, DeregisterImage, ForeignImageById, ImageNamed,
    ImageReferences, ImagesById, ImagesTagged, InstancesById, InstancesOf, SetDefaultVersion, SnapshotsById,
    SnapshotsTagged, StatusesOf, TypesRun, VersionOf, VersionsWith,
};
use lastgood_engine::{Answers, Call, Called};

use super::facts::{answer, image_fact, instance_fact, snapshot_fact, version_fact};
use super::{all, paging, parts};
use crate::fault::AwsError;
use crate::filter::{Filter, Paging};
use crate::image::Image;
use crate::image_calls::DescribeImages;
use crate::instance::{DescribeInstances, Instance};
use crate::instance_type::{DescribeInstanceTypes, InstanceType};
use crate::reference::{DescribeReferences, VERSION_DEPTH_MAX};
use crate::snapshot::DescribeSnapshots;
use crate::state::World;
use crate::status::{DescribeStatuses, InstanceStatus, StatusCheck};
use crate::template::{DescribeVersions, TemplateData, TemplateName, version_text};
use crate::{image, template};

/// Ids in one call (AWS: Filter: at most 200 values); names of instance types in one call.
const IDS_A_CALL: usize = 200;
pub(super) const NAMES_A_CALL: usize = 100;

impl World {
    /// Those that are not terminated and pass these filters.
    pub(super) fn instances_there(&self, mut filters: Vec<Filter>) -> Result<Vec<Instance>, AwsError> {
        let there = ["pending", "running", "stopping", "stopped", "shutting-down"];
        filters.push(Filter::any("instance-state-name", there));
        all(|token| {
            let paging = paging(IDS_A_CALL, token);
            self.ec2().describe_instances(&DescribeInstances { ids: Vec::new(), filters: filters.clone(), paging })
        })
    }

    fn all_images(&self, filter: &Filter) -> Result<Vec<facts::Image>, AwsError> {
        let found = all(|token| {
            self.ec2().describe_images(&DescribeImages {
                ids: Vec::new(),
                owners: vec!["self".to_owned()],
                filters: vec![filter.clone()],
                include_disabled: true,
                include_deprecated: false,
                paging: paging(IDS_A_CALL, token),
            })
        });
        Ok(found?.iter().map(image_fact).collect())
    }

    fn all_snapshots(&self, filter: &Filter) -> Result<Vec<facts::Snapshot>, AwsError> {
        let found = all(|token| {
            self.ec2().describe_snapshots(&DescribeSnapshots {
                ids: Vec::new(),
                owners: vec!["self".to_owned()],
                filters: vec![filter.clone()],
                paging: paging(IDS_A_CALL, token),
            })
        });
        let now = self.time();
        Ok(found?.iter().map(|snapshot| snapshot_fact(snapshot, now)).collect())
    }

    fn all_versions(&self, asks: &DescribeVersions) -> Result<Vec<facts::TemplateVersion>, AwsError> {
        let found = all(|token| {
            let asks = DescribeVersions { paging: paging(IDS_A_CALL, token), ..asks.clone() };
            self.ec2().describe_template_versions(&asks)
        });
        Ok(found?.iter().map(version_fact).collect())
    }
}

impl Answers<InstancesById> for World {
    async fn call(&self, InstancesById(ids): &InstancesById) -> Called<Vec<facts::Instance>> {
        let found = parts(ids, IDS_A_CALL, |ids| {
            all(|token| {
                self.ec2().describe_instances(&DescribeInstances {
                    ids: Vec::new(),
                    filters: vec![Filter::any("instance-id", ids.iter().map(InstanceId::as_str))],
                    paging: paging(IDS_A_CALL, token),
                })
            })
        });
        answer(InstancesById::ACTION, found.map(|instances| instances.iter().map(instance_fact).collect()))
    }
}

impl Answers<StatusesOf> for World {
    async fn call(&self, StatusesOf(ids): &StatusesOf) -> Called<BTreeMap<InstanceId, facts::StatusCheck>> {
        let found = parts(ids, IDS_A_CALL, |ids| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            all(|next_token| {
                let paging = Paging { next_token, ..Paging::default() };
                self.ec2().describe_statuses(&DescribeStatuses { ids: ids.clone(), paging })
            })
        });
        let fact = |status: InstanceStatus| {
            let check = match (status.check, status.system) {
                (StatusCheck::Impaired, _) | (_, StatusCheck::Impaired) => facts::StatusCheck::Failed,
                (StatusCheck::Ok, StatusCheck::Ok) => facts::StatusCheck::Passed,
                (StatusCheck::Initializing, _) | (_, StatusCheck::Initializing) => facts::StatusCheck::Unknown,
            };
            (status.instance, check)
        };
        answer(StatusesOf::ACTION, found.map(|found| found.into_iter().map(fact).collect()))
    }
}

impl Answers<InstancesOf> for World {
    async fn call(&self, InstancesOf(image): &InstancesOf) -> Called<Vec<InstanceId>> {
        let found = self.instances_there(vec![Filter::new("image-id", image.as_str())]);
        let found = found.map(|found| found.into_iter().map(|instance| instance.id).collect());
        answer(InstancesOf::ACTION, found)
    }
}

impl Answers<TypesRun> for World {
    async fn call(&self, TypesRun(types): &TypesRun) -> Called<BTreeMap<String, facts::Runs>> {
        // By filter: a name that AWS does not know is left out, where as a name it would fail the call.
        let found = parts(types, NAMES_A_CALL, |names| {
            all(|token| {
                self.ec2().describe_instance_types(&DescribeInstanceTypes {
                    names: Vec::new(),
                    filters: vec![Filter::any("instance-type", names)],
                    paging: paging(NAMES_A_CALL, token),
                })
            })
        });
        let told = |found: InstanceType| {
            let architectures = found.architectures.iter().map(ToString::to_string).collect();
            let boot_modes = found.boot_modes().iter().map(|mode| (*mode).to_owned()).collect();
            (found.name, facts::Runs { architectures, boot_modes })
        };
        answer(TypesRun::ACTION, found.map(|types| types.into_iter().map(told).collect()))
    }
}

impl Answers<ForeignImageById> for World {
    async fn call(&self, ForeignImageById(id): &ForeignImageById) -> Called<Option<facts::ForeignImage>> {
        let found = self.ec2().describe_images(&DescribeImages {
            ids: vec![id.to_string()],
            include_disabled: true,
            include_deprecated: true,
            ..DescribeImages::default()
        });
        let found = match found {
            Err(error) if error.code == "InvalidAMIID.NotFound" => Ok(None),
            found => found.map(|page| page.items.into_iter().next()),
        };
        let fact = |image: Image| facts::ForeignImage { image: image_fact(&image), owner: image.owner };
        answer(ForeignImageById::ACTION, found.map(|image| image.map(fact)))
    }
}

impl Answers<ImagesById> for World {
    async fn call(&self, ImagesById(ids): &ImagesById) -> Called<Vec<facts::Image>> {
        let found =
            parts(ids, IDS_A_CALL, |ids| self.all_images(&Filter::any("image-id", ids.iter().map(ImageId::as_str))));
        answer(ImagesById::ACTION, found)
    }
}

impl Answers<ImageNamed> for World {
    async fn call(&self, ImageNamed(name): &ImageNamed) -> Called<Option<facts::Image>> {
        let found = self.all_images(&Filter::new("name", name));
        // One that was deregistered may still be told beside the one that has the name now.
        let found = found.map(|images| {
            let mut images = images.into_iter().filter(|image| image.name == *name).collect::<Vec<_>>();
            images.sort_by_key(|image| image.state == facts::ImageState::Broken("deregistered".to_owned()));
            images.into_iter().next()
        });
        answer(ImageNamed::ACTION, found)
    }
}

impl Answers<ImagesTagged> for World {
    async fn call(&self, ImagesTagged { key, value }: &ImagesTagged) -> Called<Vec<facts::Image>> {
        let found = self.all_images(&Filter::new(&format!("tag:{key}"), &literal(value)));
        answer(ImagesTagged::ACTION, found)
    }
}

impl Answers<ImageReferences> for World {
    async fn call(&self, ImageReferences(image): &ImageReferences) -> Called<Vec<String>> {
        let found = all(|token| {
            self.ec2().describe_image_references(&DescribeReferences {
                images: vec![image.to_string()],
                version_depth: VERSION_DEPTH_MAX,
                paging: paging(IDS_A_CALL, token),
            })
        });
        let found = found.map(|found| found.into_iter().map(|reference| reference.arn).collect());
        answer(ImageReferences::ACTION, found)
    }
}

impl Answers<CreateImage> for World {
    async fn call(&self, create: &CreateImage) -> Called<ImageId> {
        let tags = ["image", "snapshot"].map(|kind| (kind.to_owned(), create.tags.clone()));
        let made = self.ec2().create_image(image::CreateImage {
            instance: create.instance.to_string(),
            name: create.name.clone(),
            description: create.description.clone(),
            no_reboot: true,
            omitted_devices: Vec::new(),
            tags: tags.into(),
        });
        answer(CreateImage::ACTION, made)
    }
}

impl Answers<DeregisterImage> for World {
    async fn call(&self, DeregisterImage(image): &DeregisterImage) -> Called<Vec<(SnapshotId, SnapshotDeletion)>> {
        let told = self.ec2().deregister_image_and_snapshots(image.as_str());
        let told = told.map(|results| {
            let result = |(id, code): (SnapshotId, String)| match code.as_str() {
                "success" => (id, SnapshotDeletion::Deleted),
                "skipped" => (id, SnapshotDeletion::Shared),
                _ => (id, SnapshotDeletion::NotDeleted(code)),
            };
            results.into_iter().map(result).collect()
        });
        answer(DeregisterImage::ACTION, told)
    }
}

impl Answers<SnapshotsById> for World {
    async fn call(&self, SnapshotsById(ids): &SnapshotsById) -> Called<Vec<facts::Snapshot>> {
        let found = parts(ids, IDS_A_CALL, |ids| {
            self.all_snapshots(&Filter::any("snapshot-id", ids.iter().map(SnapshotId::as_str)))
        });
        answer(SnapshotsById::ACTION, found)
    }
}

impl Answers<SnapshotsTagged> for World {
    async fn call(&self, SnapshotsTagged { key, value }: &SnapshotsTagged) -> Called<Vec<facts::Snapshot>> {
        let found = self.all_snapshots(&Filter::new(&format!("tag:{key}"), &literal(value)));
        answer(SnapshotsTagged::ACTION, found)
    }
}

impl Answers<DeleteSnapshot> for World {
    async fn call(&self, DeleteSnapshot(id): &DeleteSnapshot) -> Called<()> {
        answer(DeleteSnapshot::ACTION, self.ec2().delete_snapshot(id.as_str()))
    }
}

impl Answers<VersionOf> for World {
    async fn call(&self, VersionOf { template, version }: &VersionOf) -> Called<facts::TemplateVersion> {
        let asks = DescribeVersions { versions: vec![version_text(*version)], ..versions_of(template) };
        let found = self.all_versions(&asks).and_then(|versions| {
            let missing = || AwsError::new("InvalidLaunchTemplateId.VersionNotFound", "AWS told no version");
            versions.into_iter().next().ok_or_else(missing)
        });
        answer(VersionOf::ACTION, found)
    }
}

impl Answers<VersionsWith> for World {
    async fn call(&self, VersionsWith { template, image }: &VersionsWith) -> Called<Vec<facts::TemplateVersion>> {
        let asks = DescribeVersions { filters: vec![Filter::new("image-id", image.as_str())], ..versions_of(template) };
        answer(VersionsWith::ACTION, self.all_versions(&asks))
    }
}

impl Answers<CreateVersion> for World {
    async fn call(&self, create: &CreateVersion) -> Called<u64> {
        let made = self.ec2().create_template_version(template::CreateVersion {
            template: TemplateName::Id(create.template.to_string()),
            source: Some(create.base.to_string()),
            data: TemplateData { image: Some(create.image.to_string()), ..TemplateData::default() },
            description: create.description.clone(),
            token: Some(create.token.clone()),
        });
        answer(CreateVersion::ACTION, made.map(|version| version.number))
    }
}

impl Answers<DeleteVersions> for World {
    async fn call(&self, DeleteVersions { template, versions }: &DeleteVersions) -> Called<Vec<(u64, String)>> {
        let template = TemplateName::Id(template.to_string());
        let done = self.ec2().delete_template_versions(&template, versions);
        let left = |(number, result): (u64, Result<(), &'static str>)| match result {
            Ok(()) | Err("launchTemplateVersionDoesNotExist") => None,
            Err(code) => Some((number, code.to_owned())),
        };
        answer(DeleteVersions::ACTION, done.map(|results| results.into_iter().filter_map(left).collect()))
    }
}

impl Answers<SetDefaultVersion> for World {
    async fn call(&self, SetDefaultVersion { template, version }: &SetDefaultVersion) -> Called<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.ec2().set_default_version(&template, &version.to_string());
        answer(SetDefaultVersion::ACTION, done.map(|_| ()))
    }
}

fn versions_of(template: &TemplateId) -> DescribeVersions {
    DescribeVersions {
        template: TemplateName::Id(template.to_string()),
        versions: Vec::new(),
        min: None,
        max: None,
        filters: Vec::new(),
        resolve_alias: false,
        paging: Paging::default(),
    }
}

/// A filter value that matches nothing but itself.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}
