//! What AWS says of its things, cut down to what a decision needs. Shapes only: no behaviour of AWS is assumed here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// An Auto Scaling group, as DescribeAutoScalingGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Where its instances' configuration comes from.
    pub launches_from: LaunchSource,
    /// Its members, in no order.
    pub members: Vec<Member>,
}

/// A group has exactly one of these (AWS: CreateAutoScalingGroup).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchSource {
    /// A launch template, named by id, and the version as the group names it.
    Template(TemplateRef),
    /// A mixed instances policy.
    MixedInstances,
    /// A launch configuration (legacy; it cannot be given another image).
    LaunchConfiguration,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionRef {
    /// By number: a new version changes nothing until the group is updated.
    Number(u64),
    /// `$Default`: a new version counts when it is made the template's default.
    Default,
    /// `$Latest`: a new version counts at once.
    Latest,
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// LifecycleState is InService.
    pub in_service: bool,
    /// HealthStatus is Healthy.
    pub healthy: bool,
}

/// An EC2 instance, as DescribeInstances tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state is `running`.
    pub running: bool,
    /// When it was last started.
    pub launched_at: Time,
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
    /// Deregistration protection is on: nobody may deregister it.
    pub protected: bool,
}

impl Image {
    /// AWS still tells it for a while, and it is gone (AWS: DescribeImages).
    #[must_use]
    pub fn is_deregistered(&self) -> bool {
        matches!(&self.state, ImageState::Broken(why) if why.starts_with("deregistered"))
    }
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
