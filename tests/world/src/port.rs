//! The engine's ports `Cloud` and `Clock`, in process. Every future is ready at once.

use lastgood_core::Time;
use lastgood_core::facts::{self, LaunchSource, SnapshotDeletion, VersionRef};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::port::{Answer, CallFailed, Clock, Cloud, ImageRequest, VersionRequest};

use crate::fault::AwsError;
use crate::filter::{Filter, Page, Paging};
use crate::group::{DescribeGroups, Group, LaunchFrom, LaunchFromText, Lifecycle, UpdateGroup};
use crate::image::{CreateImage, Image, ImageState, Protection};
use crate::image_calls::DescribeImages;
use crate::instance::{DescribeInstances, Instance, InstanceState};
use crate::snapshot::{DescribeSnapshots, Snapshot, SnapshotState};
use crate::state::World;
use crate::template::{CreateVersion, DescribeVersions, TemplateData, TemplateName, TemplateVersion, version_text};

/// Ids in one call (AWS: Filter: at most 200 values); names of groups in one call.
const IDS_A_CALL: usize = 200;
const NAMES_A_CALL: usize = 100;

type Asked<T> = Result<Answer<T>, CallFailed>;

/// The one table of what AWS's codes mean to a decision.
fn classify(error: &AwsError) -> Option<Why> {
    if error.http_status >= 500 {
        return None;
    }
    let why = match error.code.as_str() {
        "RequestLimitExceeded" | "Throttling" => return None,
        "UnauthorizedOperation" | "AccessDenied" | "AuthFailure" => Why::Denied,
        "InvalidAMIID.Unavailable"
        | "InvalidLaunchTemplateId.VersionNotFound"
        | "InvalidLaunchTemplateName.NotFoundException" => Why::Missing,
        code if code.ends_with(".NotFound") => Why::Missing,
        "InvalidAMIName.Duplicate" | "IdempotentParameterMismatch" => Why::Taken,
        "InvalidSnapshot.InUse" => Why::InUse,
        "ValidationError" if error.message.contains("active instance refresh") => Why::Locked,
        "ValidationError" if error.message.contains("name not found") => Why::Missing,
        "SnapshotCreationPerVolumeRateExceeded"
        | "ConcurrentSnapshotLimitExceeded"
        | "ConcurrentCreateImageNoRebootLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "ConcurrentTagAccess" => Why::TooSoon,
        code if code.ends_with("LimitExceeded") => Why::Quota,
        "IncorrectState" | "IncorrectInstanceState" => Why::WrongState,
        "InvalidParameterValue" if error.message.contains("Instance is not in state") => Why::WrongState,
        _ => Why::Invalid,
    };
    Some(why)
}

fn answer<T>(action: &'static str, result: Result<T, AwsError>) -> Asked<T> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) => match classify(&error) {
            Some(why) => {
                let message = format!("{}: {}", error.code, error.message.replace(['\n', '\r'], " "));
                Ok(Err(Refusal { why, action: action.to_owned(), message }))
            }
            None => Err(CallFailed { action, source: Box::new(error) }),
        },
    }
}

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
        let found = parts(names, NAMES_A_CALL, |names| {
            all(|token| {
                self.autoscaling().describe_groups(&DescribeGroups {
                    names: names.iter().map(GroupName::to_string).collect(),
                    filters: Vec::new(),
                    paging: paging(NAMES_A_CALL, token),
                })
            })
        });
        let found = found.map(|groups| groups.iter().map(group_fact).collect());
        answer("autoscaling:DescribeAutoScalingGroups", found)
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

    async fn set_default_version(&self, template: &TemplateId, version: u64) -> Asked<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.ec2().set_default_version(&template, &version.to_string());
        answer("ec2:ModifyLaunchTemplate", done.map(|_| ()))
    }

    async fn set_group_version(&self, group: &GroupName, template: &TemplateId, version: u64) -> Asked<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.autoscaling().update_group(&UpdateGroup {
            name: group.to_string(),
            from: Some(LaunchFromText::Template(template, Some(version.to_string()))),
            ..UpdateGroup::default()
        });
        answer("autoscaling:UpdateAutoScalingGroup", done)
    }
}

impl Clock for World {
    fn now(&self) -> Time {
        self.time()
    }
}

fn versions_of(template: &TemplateId) -> DescribeVersions {
    DescribeVersions {
        template: TemplateName::Id(template.to_string()),
        versions: Vec::new(),
        min: None,
        max: None,
        filters: Vec::new(),
        paging: Paging::default(),
    }
}

/// A filter value that matches nothing but itself.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}

fn group_fact(group: &Group) -> facts::Group {
    let launches_from = match &group.from {
        LaunchFrom::Template(named) => LaunchSource::Template(named.clone()),
        LaunchFrom::Mixed(_) => LaunchSource::MixedInstances,
        LaunchFrom::Configuration(_) => LaunchSource::LaunchConfiguration,
    };
    let members = group.members.iter().map(|member| facts::Member {
        instance: member.instance.clone(),
        in_service: member.lifecycle == Lifecycle::InService,
        healthy: member.healthy,
    });
    facts::Group { name: group.name.clone(), launches_from, members: members.collect() }
}

fn instance_fact(instance: &Instance) -> facts::Instance {
    let running = instance.state == InstanceState::Running;
    facts::Instance { id: instance.id.clone(), running, launched_at: instance.launched_at }
}

fn image_fact(image: &Image) -> facts::Image {
    let state = match (image.state, &image.reason) {
        (ImageState::Pending, _) => facts::ImageState::Pending,
        (ImageState::Available, _) => facts::ImageState::Available,
        (ImageState::Disabled, _) => facts::ImageState::Disabled,
        (ImageState::Failed, Some(reason)) => facts::ImageState::Broken(format!("{}: {}", reason.code, reason.message)),
        (other, _) => facts::ImageState::Broken(other.name().to_owned()),
    };
    facts::Image {
        id: image.id.clone(),
        name: image.name.clone(),
        state,
        tags: image.tags.clone(),
        snapshots: image.snapshots(),
        protected: image.protection != Protection::Off,
    }
}

fn snapshot_fact(snapshot: &Snapshot) -> facts::Snapshot {
    let state = match snapshot.state {
        SnapshotState::Pending => facts::SnapshotState::Pending,
        SnapshotState::Completed => facts::SnapshotState::Completed,
        SnapshotState::Error => facts::SnapshotState::Broken(snapshot.message.clone()),
    };
    facts::Snapshot { id: snapshot.id.clone(), state, tags: snapshot.tags.clone() }
}

fn version_fact(version: &TemplateVersion) -> facts::TemplateVersion {
    facts::TemplateVersion {
        number: version.number,
        description: version.description.clone(),
        image: version.data.image.clone(),
    }
}
