//! The engine's ports `Cloud` and `Clock`, in process. Every future is ready at once.

use std::collections::BTreeMap;

use lastgood_core::Time;
use lastgood_core::facts::{self, Parameter, SnapshotDeletion, Tags, VersionRef};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::port::{Answer, CallFailed, Clock, Cloud, ImageRequest, ScaleInProtection, VersionRequest};

use crate::configuration::{Configuration, DescribeConfigurations};
use crate::fault::AwsError;
use crate::filter::{Filter, Page, Paging};
use crate::group::{DescribeGroups, Group, UpdateGroup};
use crate::image::CreateImage;
use crate::image_calls::DescribeImages;
use crate::instance::DescribeInstances;
use crate::instance_type::{Architecture, DescribeInstanceTypes};
use crate::member::ScaleIn;
use crate::parameter::{Overwrite, PutParameter};
use crate::policy::{LaunchFrom, LaunchFromText, MixedText, Specification};
use crate::port_facts::{answer, group_fact, image_fact, instance_fact, refresh_fact, snapshot_fact, version_fact};
use crate::reference::{DescribeReferences, VERSION_DEPTH_MAX};
use crate::refresh::DescribeRefreshes;
use crate::snapshot::DescribeSnapshots;
use crate::state::World;
use crate::template::{CreateVersion, DescribeVersions, TemplateData, TemplateName, version_text};

/// Ids in one call (AWS: Filter: at most 200 values); names of groups in one call.
const IDS_A_CALL: usize = 200;
const NAMES_A_CALL: usize = 100;

const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
const UPDATE_GROUP: &str = "autoscaling:UpdateAutoScalingGroup";

type Asked<T> = Result<Answer<T>, CallFailed>;

/// Every item of every page.
fn all<T>(ask: impl Fn(Option<String>) -> Result<Page<T>, AwsError>) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    let mut token = None;
    loop {
        let page = ask(token)?;
        items.extend(page.items);
        token = page.next_token;
        if token.is_none() {
            return Ok(items);
        }
    }
}

/// Asks for `ids` in parts of `size`.
fn parts<I, T>(ids: &[I], size: usize, ask: impl Fn(&[I]) -> Result<Vec<T>, AwsError>) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    for part in ids.chunks(size) {
        items.extend(ask(part)?);
    }
    Ok(items)
}

fn paging(max_results: usize, next_token: Option<String>) -> Paging {
    Paging { max_results: Some(max_results), next_token }
}

impl World {
    fn groups_named(&self, names: &[GroupName]) -> Result<Vec<Group>, AwsError> {
        parts(names, NAMES_A_CALL, |names| {
            all(|token| {
                self.autoscaling().describe_groups(&DescribeGroups {
                    names: names.iter().map(GroupName::to_string).collect(),
                    filters: Vec::new(),
                    paging: paging(NAMES_A_CALL, token),
                })
            })
        })
    }

    fn all_images(&self, filter: &Filter) -> Result<Vec<facts::Image>, AwsError> {
        let found = all(|token| {
            self.ec2().describe_images(&DescribeImages {
                ids: Vec::new(),
                owners: vec!["self".to_owned()],
                filters: vec![filter.clone()],
                include_disabled: true,
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
        Ok(found?.iter().map(snapshot_fact).collect())
    }

    fn all_versions(&self, asks: &DescribeVersions) -> Result<Vec<facts::TemplateVersion>, AwsError> {
        let found = all(|token| {
            let asks = DescribeVersions { paging: paging(IDS_A_CALL, token), ..asks.clone() };
            self.ec2().describe_template_versions(&asks)
        });
        Ok(found?.iter().map(version_fact).collect())
    }
}

impl Cloud for World {
    async fn groups(&self, names: &[GroupName]) -> Asked<Vec<facts::Group>> {
        let found = self.groups_named(names);
        answer(DESCRIBE_GROUPS, found.map(|groups| groups.iter().map(group_fact).collect()))
    }

    async fn groups_tagged(&self, tags: &Tags) -> Asked<Vec<facts::Group>> {
        let filters: Vec<_> = tags.iter().map(|(key, value)| Filter::new(&format!("tag:{key}"), value)).collect();
        let found = all(|token| {
            let (filters, paging) = (filters.clone(), paging(NAMES_A_CALL, token));
            self.autoscaling().describe_groups(&DescribeGroups { names: Vec::new(), filters, paging })
        });
        answer(DESCRIBE_GROUPS, found.map(|groups| groups.iter().map(group_fact).collect()))
    }

    async fn active_refresh(&self, group: &GroupName) -> Asked<Option<facts::Refresh>> {
        let found = all(|token| {
            let (group, paging) = (group.to_string(), paging(NAMES_A_CALL, token));
            self.autoscaling().describe_refreshes(&DescribeRefreshes { group, ids: Vec::new(), paging })
        });
        let active = found.map(|refreshes| refreshes.into_iter().find(|refresh| refresh.status.is_active()));
        answer("autoscaling:DescribeInstanceRefreshes", active.map(|active| active.map(refresh_fact)))
    }

    async fn set_scale_in_protection(
        &self,
        group: &GroupName,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> Asked<()> {
        let scale_in = match protection {
            ScaleInProtection::On => ScaleIn::Forbidden,
            ScaleInProtection::Off => ScaleIn::Allowed,
        };
        let done = self.autoscaling().set_protection(group.as_str(), std::slice::from_ref(instance), scale_in);
        answer("autoscaling:SetInstanceProtection", done)
    }

    async fn configurations(&self) -> Asked<Vec<facts::Configuration>> {
        let found = all(|token| {
            let asks = DescribeConfigurations { names: Vec::new(), paging: paging(NAMES_A_CALL, token) };
            self.autoscaling().describe_configurations(&asks)
        });
        let fact = |found: Configuration| facts::Configuration { name: found.name, image: found.image.0 };
        let found = found.map(|found| found.into_iter().map(fact).collect());
        answer("autoscaling:DescribeLaunchConfigurations", found)
    }

    async fn instances_of(&self, image: &ImageId) -> Asked<Vec<InstanceId>> {
        let there = ["pending", "running", "stopping", "stopped", "shutting-down"];
        let found = all(|token| {
            self.ec2().describe_instances(&DescribeInstances {
                ids: Vec::new(),
                filters: vec![Filter::new("image-id", image.as_str()), Filter::any("instance-state-name", there)],
                paging: paging(IDS_A_CALL, token),
            })
        });
        let found = found.map(|found| found.into_iter().map(|instance| instance.id).collect());
        answer("ec2:DescribeInstances", found)
    }

    async fn image_references(&self, image: &ImageId) -> Asked<Vec<String>> {
        let found = all(|token| {
            self.ec2().describe_image_references(&DescribeReferences {
                images: vec![image.to_string()],
                version_depth: VERSION_DEPTH_MAX,
                paging: paging(IDS_A_CALL, token),
            })
        });
        let found = found.map(|found| found.into_iter().map(|reference| reference.arn).collect());
        answer("ec2:DescribeImageReferences", found)
    }

    async fn images_tagged(&self, key: &str, value: &str) -> Asked<Vec<facts::Image>> {
        let found = self.all_images(&Filter::new(&format!("tag:{key}"), &literal(value)));
        answer("ec2:DescribeImages", found)
    }

    async fn architectures(&self, instance_types: &[String]) -> Asked<BTreeMap<String, Vec<String>>> {
        // By filter: a name that AWS does not know is left out, where as a name it would fail the call.
        let found = parts(instance_types, NAMES_A_CALL, |names| {
            all(|token| {
                self.ec2().describe_instance_types(&DescribeInstanceTypes {
                    names: Vec::new(),
                    filters: vec![Filter::any("instance-type", names)],
                    paging: paging(NAMES_A_CALL, token),
                })
            })
        });
        let told = |architectures: Vec<Architecture>| architectures.iter().map(ToString::to_string).collect();
        let found = found.map(|types| types.into_iter().map(|found| (found.name, told(found.architectures))).collect());
        answer("ec2:DescribeInstanceTypes", found)
    }

    async fn parameter(&self, name: &str) -> Asked<Option<Parameter>> {
        let found = match self.parameter_store().get_parameter(name) {
            Ok(found) => Ok(Some(Parameter { value: found.value, data_type: found.data_type })),
            Err(error) if error.code == "ParameterNotFound" => Ok(None),
            Err(error) => Err(error),
        };
        answer("ssm:GetParameter", found)
    }

    async fn set_parameter(&self, name: &str, parameter: &Parameter) -> Asked<()> {
        let done = self.parameter_store().put_parameter(&PutParameter {
            name: name.to_owned(),
            value: parameter.value.clone(),
            data_type: Some(parameter.data_type.clone()),
            overwrite: Overwrite::Yes,
        });
        answer("ssm:PutParameter", done.map(|_| ()))
    }

    async fn instances(&self, ids: &[InstanceId]) -> Asked<Vec<facts::Instance>> {
        let found = parts(ids, IDS_A_CALL, |ids| {
            all(|token| {
                self.ec2().describe_instances(&DescribeInstances {
                    ids: Vec::new(),
                    filters: vec![Filter::any("instance-id", ids.iter().map(InstanceId::as_str))],
                    paging: paging(IDS_A_CALL, token),
                })
            })
        });
        answer("ec2:DescribeInstances", found.map(|instances| instances.iter().map(instance_fact).collect()))
    }

    async fn images(&self, ids: &[ImageId]) -> Asked<Vec<facts::Image>> {
        let found =
            parts(ids, IDS_A_CALL, |ids| self.all_images(&Filter::any("image-id", ids.iter().map(ImageId::as_str))));
        answer("ec2:DescribeImages", found)
    }

    async fn image_named(&self, name: &str) -> Asked<Option<facts::Image>> {
        let found = self.all_images(&Filter::new("name", name));
        // One that was deregistered may still be told beside the one that has the name now.
        let found = found.map(|images| {
            let mut images = images.into_iter().filter(|image| image.name == name).collect::<Vec<_>>();
            images.sort_by_key(|image| image.state == facts::ImageState::Broken("deregistered".to_owned()));
            images.into_iter().next()
        });
        answer("ec2:DescribeImages", found)
    }

    async fn snapshots(&self, ids: &[SnapshotId]) -> Asked<Vec<facts::Snapshot>> {
        let found = parts(ids, IDS_A_CALL, |ids| {
            self.all_snapshots(&Filter::any("snapshot-id", ids.iter().map(SnapshotId::as_str)))
        });
        answer("ec2:DescribeSnapshots", found)
    }

    async fn snapshots_tagged(&self, key: &str, value: &str) -> Asked<Vec<facts::Snapshot>> {
        let found = self.all_snapshots(&Filter::new(&format!("tag:{key}"), &literal(value)));
        answer("ec2:DescribeSnapshots", found)
    }

    async fn create_image(&self, request: &ImageRequest) -> Asked<ImageId> {
        let tags = ["image", "snapshot"].map(|kind| (kind.to_owned(), request.tags.clone()));
        let made = self.ec2().create_image(CreateImage {
            instance: request.instance.to_string(),
            name: request.name.clone(),
            description: request.description.clone(),
            no_reboot: true,
            omitted_devices: Vec::new(),
            tags: tags.into(),
        });
        answer("ec2:CreateImage", made)
    }

    async fn deregister_image(&self, image: &ImageId) -> Asked<Vec<(SnapshotId, SnapshotDeletion)>> {
        let told = self.ec2().deregister_image_and_snapshots(image.as_str());
        let told = told.map(|results| {
            let result = |(id, code): (SnapshotId, String)| match code.as_str() {
                "success" => (id, SnapshotDeletion::Deleted),
                "skipped" => (id, SnapshotDeletion::Shared),
                _ => (id, SnapshotDeletion::NotDeleted(code)),
            };
            results.into_iter().map(result).collect()
        });
        answer("ec2:DeregisterImage", told)
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Asked<()> {
        answer("ec2:DeleteSnapshot", self.ec2().delete_snapshot(id.as_str()))
    }

    async fn template_version(&self, template: &TemplateId, version: VersionRef) -> Asked<facts::TemplateVersion> {
        let asks = DescribeVersions { versions: vec![version_text(version)], ..versions_of(template) };
        let found = self.all_versions(&asks).and_then(|versions| {
            let missing = || AwsError::new("InvalidLaunchTemplateId.VersionNotFound", "AWS told no version");
            versions.into_iter().next().ok_or_else(missing)
        });
        answer("ec2:DescribeLaunchTemplateVersions", found)
    }

    async fn template_versions_with(
        &self,
        template: &TemplateId,
        image: &ImageId,
    ) -> Asked<Vec<facts::TemplateVersion>> {
        let asks = DescribeVersions { filters: vec![Filter::new("image-id", image.as_str())], ..versions_of(template) };
        answer("ec2:DescribeLaunchTemplateVersions", self.all_versions(&asks))
    }

    async fn create_template_version(&self, request: &VersionRequest) -> Asked<u64> {
        let made = self.ec2().create_template_version(CreateVersion {
            template: TemplateName::Id(request.template.to_string()),
            source: Some(request.base.to_string()),
            data: TemplateData { image: Some(request.image.to_string()), ..TemplateData::default() },
            description: request.description.clone(),
            token: Some(request.token.clone()),
        });
        answer("ec2:CreateLaunchTemplateVersion", made.map(|version| version.number))
    }

    async fn delete_template_versions(&self, template: &TemplateId, versions: &[u64]) -> Asked<Vec<(u64, String)>> {
        let template = TemplateName::Id(template.to_string());
        let done = self.ec2().delete_template_versions(&template, versions);
        let left = |(number, result): (u64, Result<(), &'static str>)| match result {
            Ok(()) | Err("launchTemplateVersionDoesNotExist") => None,
            Err(code) => Some((number, code.to_owned())),
        };
        answer("ec2:DeleteLaunchTemplateVersions", done.map(|results| results.into_iter().filter_map(left).collect()))
    }

    async fn set_default_version(&self, template: &TemplateId, version: u64) -> Asked<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.ec2().set_default_version(&template, &version.to_string());
        answer("ec2:ModifyLaunchTemplate", done.map(|_| ()))
    }

    async fn set_mixed_version(&self, group: &GroupName, template: &TemplateId, base: u64, version: u64) -> Asked<()> {
        let refused = |why: Why, message: String| Ok(Err(Refusal { why, action: UPDATE_GROUP.to_owned(), message }));
        let found = match answer(DESCRIBE_GROUPS, self.groups_named(std::slice::from_ref(group)))? {
            Ok(found) => found.into_iter().next(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(found) = found else { return refused(Why::Missing, format!("there is no group {group}")) };
        let LaunchFrom::Mixed(policy) = &found.from else {
            return refused(Why::WrongState, format!("{group} has no mixed instances policy"));
        };
        if policy.base != crate::setup::by_number(template, base) {
            return refused(Why::WrongState, format!("the policy of {group} is based on {:?} now", policy.base));
        }
        let base = Specification { version: Some(version.to_string()), ..Specification::from(&policy.base) };
        let policy = MixedText { base, ..policy.into() };
        let from = Some(LaunchFromText::Mixed(policy));
        let update = UpdateGroup { name: group.to_string(), from, ..UpdateGroup::default() };
        answer(UPDATE_GROUP, self.autoscaling().update_group(&update))
    }

    async fn set_group_version(&self, group: &GroupName, template: &TemplateId, version: u64) -> Asked<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.autoscaling().update_group(&UpdateGroup {
            name: group.to_string(),
            from: Some(LaunchFromText::Template(template, Some(version.to_string()))),
            ..UpdateGroup::default()
        });
        answer(UPDATE_GROUP, done)
    }
}

impl Clock for World {
    fn now(&self) -> Time {
        self.time()
    }

    async fn pause(&self, seconds: i64) {
        self.advance(seconds);
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
