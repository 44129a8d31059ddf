//! What the ports tell: AWS's things as the engine knows them, and what AWS's errors mean to a decision.

use lastgood_core::Time;
use lastgood_core::facts::{self, LaunchSource, TemplateDevice};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::port::{Answer, CallFailed, How};

use crate::fault::AwsError;
use crate::group::Group;
use crate::image::{Image, ImageState, Protection};
use crate::instance::{Instance, InstanceState};
use crate::member::{Lifecycle, Member};
use crate::policy::LaunchFrom;
use crate::refresh::{Refresh, RefreshStatus};
use crate::snapshot::{Snapshot, SnapshotState};
use crate::template::TemplateVersion;

/// The codes that say that too many calls came in.
const THROTTLED: [&str; 4] = ["RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException"];

impl AwsError {
    /// What it means to a decision; `None` if the call was not judged. A test of lastgood-aws holds that it is what its table
    /// says.
    pub fn why(&self) -> Option<Why> {
        classify(self)
    }
}

fn classify(error: &AwsError) -> Option<Why> {
    // It was judged, though AWS calls it a server's error.
    if error.code.ends_with("InstanceCapacity") || error.code == "InsufficientHostCapacity" {
        return Some(Why::TooSoon);
    }
    if error.http_status >= 500 || THROTTLED.contains(&error.code.as_str()) {
        return None;
    }
    let says = |words: &str| error.message.contains(words);
    let why = match error.code.as_str() {
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "AuthFailure"
        | "AuthorizationError"
        | "OptInRequired" => Why::Denied,
        "InvalidAMIID.Unavailable"
        | "CacheClusterNotFound"
        | "NotFound"
        | "CacheParameterGroupNotFound"
        | "InvalidLaunchTemplateId.VersionNotFound"
        | "InvalidLaunchTemplateName.NotFoundException"
        | "ResourceNotFoundException"
        | "ActiveInstanceRefreshNotFound"
        | "ParameterVersionNotFound"
        | "ParameterNotFound" => Why::Missing,
        code if code.ends_with(".NotFound")
            || code.ends_with("NotFoundFault") && code != "ServiceLinkedRoleNotFoundFault" =>
        {
            Why::Missing
        }
        "ServiceLinkedRoleNotFoundFault" => Why::Denied,
        code if code.ends_with("AlreadyExistsFault") => Why::Taken,
        code if code.ends_with("QuotaExceededFault") => Why::Quota,
        "InvalidAMIName.Duplicate"
        | "IdempotentParameterMismatch"
        | "AlreadyExists"
        | "InvalidLaunchTemplateName.AlreadyExistsException"
        | "ParameterAlreadyExists" => Why::Taken,
        "InvalidSnapshot.InUse" | "ResourceInUse" => Why::InUse,
        "InstanceRefreshInProgress" => Why::Locked,
        "ValidationError" if says("active instance refresh") => Why::Locked,
        "ValidationError" if says("name not found") || says("is not part of Auto Scaling group") => Why::Missing,
        "ValidationError" if says("is not in InService") => Why::WrongState,
        "InvalidCacheClusterState"
        | "InvalidReplicationGroupState"
        | "InvalidServerlessCacheStateFault"
        | "InvalidSnapshotState"
        | "InvalidServerlessCacheSnapshotStateFault"
        | "SnapshotCreationPerVolumeRateExceeded"
        | "ConcurrentSnapshotLimitExceeded"
        | "ConcurrentCreateImageNoRebootLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "ConcurrentTagAccess"
        | "ScalingActivityInProgress" => Why::TooSoon,
        "FilterLimitExceeded" => Why::Invalid,
        code if code.ends_with("LimitExceeded") => Why::Quota,
        "IncorrectState" | "IncorrectInstanceState" | "IrreversibleInstanceRefresh" => Why::WrongState,
        "InvalidParameterValue" if says("Instance is not in state") => Why::WrongState,
        _ => Why::Invalid,
    };
    Some(why)
}

/// What a port answers for what AWS answered.
pub(crate) fn answer<T>(action: &'static str, result: Result<T, AwsError>) -> Result<Answer<T>, CallFailed> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) => {
            let Some(why) = classify(&error) else {
                let throttled = THROTTLED.contains(&error.code.as_str());
                let how = if throttled { How::Throttled } else { How::Unanswered };
                return Err(CallFailed::new(how, action, error));
            };
            let message = format!("{}: {}", error.code, error.message.replace(['\n', '\r'], " "));
            Ok(Err(Refusal { why, action: action.to_owned(), message }))
        }
    }
}

fn launch_source(from: &LaunchFrom) -> LaunchSource {
    match from {
        LaunchFrom::Template(named) => LaunchSource::Template(named.clone()),
        LaunchFrom::Mixed(policy) => {
            let overrides = policy.overrides.iter().map(|told| facts::Override {
                instance_type: told.instance_type.clone(),
                template: told.template.clone(),
                image: told.image.clone(),
            });
            LaunchSource::Mixed(facts::MixedPolicy { base: policy.base.clone(), overrides: overrides.collect() })
        }
        LaunchFrom::Configuration(name) => LaunchSource::Configuration(name.clone()),
    }
}

pub(crate) fn refresh_fact(refresh: Refresh) -> facts::Refresh {
    facts::Refresh { id: refresh.id, desired: refresh.desired.as_ref().map(launch_source) }
}

pub(crate) fn view_fact(refresh: &Refresh) -> facts::RefreshView {
    let status = match refresh.status {
        RefreshStatus::Pending | RefreshStatus::InProgress => facts::RefreshStatus::InProgress,
        RefreshStatus::Baking => facts::RefreshStatus::Baking,
        RefreshStatus::Successful => facts::RefreshStatus::Successful,
        RefreshStatus::Failed => facts::RefreshStatus::Failed,
        RefreshStatus::Cancelling => facts::RefreshStatus::Cancelling,
        RefreshStatus::Cancelled => facts::RefreshStatus::Cancelled,
        RefreshStatus::RollbackInProgress => facts::RefreshStatus::RollingBack,
        RefreshStatus::RollbackSuccessful => facts::RefreshStatus::RolledBack,
        RefreshStatus::RollbackFailed => facts::RefreshStatus::RollbackFailed,
    };
    facts::RefreshView {
        id: refresh.id.clone(),
        status,
        reason: refresh.reason.clone(),
        percentage: refresh.percentage,
        desired: refresh.desired.as_ref().map(launch_source),
        started_at: Some(refresh.started_at),
    }
}

pub(crate) fn group_fact(group: &Group) -> facts::Group {
    facts::Group {
        name: group.name.clone(),
        tags: group.tags.clone(),
        launches_from: launch_source(&group.from),
        members: group.members.iter().map(member_fact).collect(),
        size: group.desired,
        refresh_suspended: group.suspends_refreshes(),
        warmup_seconds: group.times.warmup_seconds(),
        lifetime_seconds_max: group.times.lifetime_seconds_max,
    }
}

fn member_fact(member: &Member) -> facts::Member {
    let lifecycle = match member.lifecycle {
        Lifecycle::Pending => facts::Lifecycle::Pending,
        Lifecycle::InService => facts::Lifecycle::InService,
        Lifecycle::Standby => facts::Lifecycle::Standby,
        Lifecycle::Terminating => facts::Lifecycle::Leaving,
    };
    facts::Member {
        instance: member.instance.clone(),
        lifecycle,
        healthy: member.healthy,
        protected_from_scale_in: member.protected,
        template: member.template.clone(),
    }
}

pub(crate) fn instance_fact(instance: &Instance) -> facts::Instance {
    let state = state_fact(instance.state);
    let nature = &instance.nature;
    let passing = nature.address.as_ref().filter(|(_, is_own)| !is_own);
    facts::Instance {
        image: Some(instance.image.clone()),
        tags: instance.tags.clone(),
        instance_type: Some(instance.instance_type.clone()),
        volumes: instance.volumes.iter().map(|volume| volume.id.as_str().into()).collect(),
        root_in_store: nature.root_in_store,
        spot: nature.spot.is_some(),
        hibernates: nature.hibernates,
        passing_address: passing.map(|(address, _)| address.clone()),
        ..facts::Instance::new(instance.id.clone(), state, instance.launched_at)
    }
}

pub(crate) fn state_fact(state: InstanceState) -> facts::InstanceState {
    match state {
        InstanceState::Pending => facts::InstanceState::Pending,
        InstanceState::Running => facts::InstanceState::Running,
        InstanceState::Stopping => facts::InstanceState::Stopping,
        InstanceState::Stopped => facts::InstanceState::Stopped,
        InstanceState::ShuttingDown | InstanceState::Terminated => facts::InstanceState::Leaving,
    }
}

pub(crate) fn image_fact(image: &Image) -> facts::Image {
    let state = match (image.state, &image.reason) {
        (ImageState::Pending, _) => facts::ImageState::Pending,
        (ImageState::Available, _) => facts::ImageState::Available,
        (ImageState::Disabled, _) => facts::ImageState::Disabled,
        (ImageState::Failed, Some(reason)) => facts::ImageState::Broken(format!("{}: {}", reason.code, reason.message)),
        (other, _) => facts::ImageState::Broken(other.name().to_owned()),
    };
    let devices = image.mappings.iter();
    let devices = devices.filter_map(|mapping| Some((mapping.device_name.clone(), mapping.snapshot.clone()?)));
    facts::Image {
        id: image.id.clone(),
        name: image.name.clone(),
        state,
        tags: image.tags.clone(),
        snapshots: image.snapshots(),
        root_device: Some(image.root_device.clone()),
        devices: devices.collect(),
        sizes: image
            .mappings
            .iter()
            .filter_map(|mapping| Some((mapping.device_name.clone(), u32::try_from(mapping.gib).ok()?)))
            .collect(),
        architecture: Some(image.architecture.to_string()),
        boot_mode: image.boot_mode.clone(),
        protected: image.protection != Protection::Off,
        created_at: Some(image.created_at),
    }
}

pub(crate) fn snapshot_fact(snapshot: &Snapshot, now: Time) -> facts::Snapshot {
    let state = match snapshot.state {
        SnapshotState::Pending => facts::SnapshotState::Pending,
        SnapshotState::Completed => facts::SnapshotState::Completed,
        SnapshotState::Error => facts::SnapshotState::Broken(snapshot.message.clone()),
    };
    let started_at = Some(snapshot.started_at);
    facts::Snapshot {
        id: snapshot.id.clone(),
        state,
        tags: snapshot.tags.clone(),
        description: snapshot.description.clone(),
        started_at,
        volume: Some(snapshot.volume.as_str().into()),
        gib: u32::try_from(snapshot.gib).ok(),
        percent: Some(snapshot.percent(now)),
    }
}

pub(crate) fn version_fact(version: &TemplateVersion) -> facts::TemplateVersion {
    let devices = version.data.devices.iter();
    let devices = devices.map(|device| TemplateDevice {
        name: device.name.clone(),
        snapshot: device.snapshot.clone(),
        gib: device.gib.and_then(|gib| u32::try_from(gib).ok()),
    });
    let instance_type = version.data.instance_type.clone();
    facts::TemplateVersion {
        number: version.number,
        description: version.description.clone(),
        image: version.data.image.clone(),
        instance_type,
        devices: devices.collect(),
    }
}
