//! What AWS says of its things, cut down to what a decision needs. Shapes only: no behaviour of AWS is assumed here.

mod cache;
mod instance;
mod refresh;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::id::{GroupName, ImageId, InstanceId, RefreshId, SnapshotId, SourceId, TemplateId, VolumeId};

pub use cache::{
    Cache, CacheAccess, CacheNode, CacheRole, CacheSetup, CacheShape, CacheShard, CacheSnapshot, CacheSnapshotState,
    CacheStatus, CacheStrain,
};
pub use instance::{Instance, InstanceState, StopHazards};
pub use refresh::{Fitness, RefreshStatus, RefreshView, StatusCheck};

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// A thing at AWS that can be a source, as AWS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// An Auto Scaling group.
    Group(Group),
    /// A cache.
    Cache(Box<Cache>),
    /// A single instance.
    Instance(Box<Instance>),
}

impl Resource {
    /// The source that it is, or would be.
    #[must_use]
    pub fn id(&self) -> SourceId {
        match self {
            Self::Group(group) => SourceId::Group(group.name.clone()),
            Self::Cache(cache) => SourceId::Cache(cache.id.clone()),
            Self::Instance(instance) => SourceId::Instance(instance.id.clone()),
        }
    }

    /// Its own tags.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        match self {
            Self::Group(group) => &group.tags,
            Self::Cache(cache) => &cache.tags,
            Self::Instance(instance) => &instance.tags,
        }
    }
}

/// An Auto Scaling group, as DescribeAutoScalingGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Its own tags.
    pub tags: Tags,
    /// Where its instances' configuration comes from.
    pub launches_from: LaunchSource,
    /// Its members, in no order.
    pub members: Vec<Member>,
    /// How many members it wants.
    pub size: usize,
    /// Its instance refreshes are kept from going on: one of the processes that they need is suspended.
    pub refresh_suspended: bool,
    /// How long a new member takes until it counts as warmed up: the default instance warm-up, else the health check
    /// grace period, in seconds (AWS: Set the default instance warmup for an Auto Scaling group).
    pub warmup_seconds: i64,
    /// How long a member lives at most, in seconds, if the group limits that (AWS: Replace instances based on maximum
    /// instance lifetime).
    pub lifetime_seconds_max: Option<i64>,
}

/// A group has exactly one of these (AWS: CreateAutoScalingGroup).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchSource {
    /// A launch template, named by id, and the version as the group names it.
    Template(TemplateRef),
    /// A mixed instances policy: a base template, and overrides of it.
    Mixed(MixedPolicy),
    /// A launch configuration, by name (legacy; it cannot be given another image).
    Configuration(String),
    /// What AWS told can't be read, in words: it is left alone.
    Unreadable(String),
}

impl LaunchSource {
    /// The launch template, or the base of a mixed instances policy.
    #[must_use]
    pub fn template(&self) -> Option<&TemplateRef> {
        match self {
            Self::Template(named) => Some(named),
            Self::Mixed(policy) => Some(&policy.base),
            Self::Configuration(_) | Self::Unreadable(_) => None,
        }
    }

    /// Every template that something may be launched from: that one, and those of overrides.
    #[must_use]
    pub fn templates(&self) -> Vec<&TemplateRef> {
        let mut templates: Vec<_> = self.template().into_iter().collect();
        if let Self::Mixed(policy) = self {
            templates.extend(policy.overrides.iter().filter_map(|other| other.template.as_ref()));
        }
        templates
    }
}

/// The part of a mixed instances policy that says from which image an instance is launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedPolicy {
    /// The launch template of the policy.
    pub base: TemplateRef,
    /// What differs for some of the instances.
    pub overrides: Vec<Override>,
}

/// One override of a mixed instances policy (AWS: LaunchTemplateOverrides).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The instance type; `None` if it names requirements instead.
    pub instance_type: Option<String>,
    /// A template of its own, in place of the base.
    pub template: Option<TemplateRef>,
    /// An image of its own, in place of the base's.
    pub image: Option<String>,
}

impl Override {
    /// It has a template or an image of its own: the base's image means nothing to it.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.template.is_some() || self.image.is_some()
    }
}

/// A launch template as a group refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRef {
    /// The template.
    pub template: TemplateId,
    /// Which of its versions.
    pub version: VersionRef,
}

/// How a group names the version that it launches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum VersionRef {
    /// By number: a new version changes nothing until the group is updated.
    Number(u64),
    /// `$Default`: a new version counts when it is made the template's default.
    Default,
    /// `$Latest`: a new version counts at once.
    Latest,
}

impl VersionRef {
    /// Whether it means another version as soon as one is made, or made the default.
    #[must_use]
    pub fn follows(self) -> bool {
        match self {
            Self::Default | Self::Latest => true,
            Self::Number(_) => false,
        }
    }
}

impl fmt::Display for VersionRef {
    /// As AWS writes it: `7`, `$Default`, `$Latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Default => f.write_str("$Default"),
            Self::Latest => f.write_str("$Latest"),
        }
    }
}

/// An instance refresh that is under way, as DescribeInstanceRefreshes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Its id.
    pub id: RefreshId,
    /// What the group is to launch from when it succeeds; `None`: what the group launches from anyway.
    pub desired: Option<LaunchSource>,
}

/// A launch configuration, as DescribeLaunchConfigurations tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// The image that it names.
    pub image: String,
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// Where it is in its life in the group.
    pub lifecycle: Lifecycle,
    /// HealthStatus is Healthy.
    pub healthy: bool,
    /// It may not be terminated by a scale-in.
    pub protected_from_scale_in: bool,
    /// The template and the version that it was launched from.
    pub template: Option<(TemplateId, u64)>,
}

/// LifecycleState, as far as it matters to a backup (AWS: LifecycleState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifecycle {
    /// It serves.
    InService,
    /// Somebody took it out of service.
    Standby,
    /// It is coming up.
    Pending,
    /// It is on its way out of the group, or out already.
    Leaving,
    /// A state that says nothing here: going into standby, warm pools, a root volume being replaced.
    Other,
}

/// One version of a launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// Its number.
    pub number: u64,
    /// Its description.
    pub description: String,
    /// The image that it names: an id, or `resolve:ssm:…`, or none.
    pub image: Option<String>,
    /// The instance type that it names.
    pub instance_type: Option<String>,
    /// The block devices that it maps itself, in place of the image's.
    pub devices: Vec<TemplateDevice>,
}

/// A block device mapping of a launch template. It overrides the image's mapping of the same device (AWS: Block device
/// mappings for volumes on Amazon EC2 instances).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateDevice {
    /// `/dev/xvdf`.
    pub name: String,
    /// The snapshot that its volume begins with; without one it begins empty.
    pub snapshot: Option<SnapshotId>,
    /// How large its volume is to be, in GiB, if it says.
    pub gib: Option<u32>,
}

/// An image, as DescribeImages tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ImageState,
    /// Its tags.
    pub tags: Tags,
    /// Its EBS snapshots. May be incomplete while it is pending (AWS: DescribeImages).
    pub snapshots: Vec<SnapshotId>,
    /// The device of its root volume, `/dev/xvda`.
    pub root_device: Option<String>,
    /// Each device that it maps to a snapshot.
    pub devices: Vec<(String, SnapshotId)>,
    /// How large each device is at the least, in GiB, as far as AWS tells.
    pub sizes: Vec<(String, u32)>,
    /// `x86_64`, `arm64`, …
    pub architecture: Option<String>,
    /// `uefi`, `legacy-bios`, `uefi-preferred`; `None` where whoever made it left that to AWS (AWS: Image, BootMode).
    pub boot_mode: Option<String>,
    /// Deregistration protection is on: nobody may deregister it.
    pub protected: bool,
    /// When it was begun, if AWS tells.
    pub created_at: Option<Time>,
}

impl Image {
    /// AWS still tells it for a while, and it is gone (AWS: DescribeImages).
    #[must_use]
    pub fn is_deregistered(&self) -> bool {
        matches!(&self.state, ImageState::Broken(why) if why.starts_with("deregistered"))
    }
}

/// An image that another account owns and lets ours launch: shared, public, or of the Marketplace. A type of its own, for none
/// of these is ever an artifact of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignImage {
    /// The image.
    pub image: Image,
    /// The account's number.
    pub owner: String,
}

/// What an instance type runs, as DescribeInstanceTypes tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// `x86_64`, `arm64`, …
    pub architectures: Vec<String>,
    /// `legacy-bios`, `uefi`; empty if AWS does not tell.
    pub boot_modes: Vec<String>,
}

/// The state of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    /// It is being made.
    Pending,
    /// It can be launched.
    Available,
    /// It can't be launched until somebody enables it again.
    Disabled,
    /// It will never be available: `failed`, `error`, `invalid`, `deregistered`, with AWS's reason.
    Broken(String),
}

/// An EBS snapshot, as DescribeSnapshots tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its state.
    pub state: SnapshotState,
    /// Its tags.
    pub tags: Tags,
    /// How whoever made it describes it; AWS itself, if that was CreateImage. Nobody can change it.
    pub description: String,
    /// When it was begun, if AWS tells.
    pub started_at: Option<Time>,
    /// The volume that it is of, if AWS tells.
    pub volume: Option<VolumeId>,
    /// How large that is, in GiB: a volume that is made from it must be at least as large (AWS: CreateVolume).
    pub gib: Option<u32>,
    /// How much of it is copied, in percent, if AWS tells.
    pub percent: Option<u32>,
}

/// The state of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    /// Its data is still being copied.
    Pending,
    /// All of it is there.
    Completed,
    /// It will never be complete, with AWS's reason.
    Broken(String),
}

/// What DeregisterImage said of one snapshot (AWS: DeregisterImage, DeleteSnapshotResults).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotDeletion {
    /// It is deleted.
    Deleted,
    /// It belongs to another image too, and stays.
    Shared,
    /// It was not deleted: AWS's return code.
    NotDeleted(String),
}

/// A parameter of the Parameter Store, as GetParameter tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// What stands in it.
    pub value: String,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
}

#[cfg(test)]
mod tests {
    use super::VersionRef;

    #[test]
    fn a_version_is_written_as_aws_writes_it() {
        let texts = [VersionRef::Number(7), VersionRef::Default, VersionRef::Latest].map(|version| version.to_string());
        assert_eq!(texts, ["7", "$Default", "$Latest"]);
    }
}
