//! EC2: instances, images, snapshots, launch templates. Images and snapshots are those of our account.

use std::collections::BTreeMap;

use lastgood_core::facts::{
    ForeignImage, Image, Instance, Runs, Snapshot, SnapshotDeletion, StatusCheck, Tags, TemplateRef, TemplateVersion,
    VersionRef,
};
use lastgood_core::id::{ImageId, InstanceId, SnapshotId, TemplateId};

use super::Call;

/// The most values of a filter, and so how many things one call tells (AWS: Filter your resources).
pub const FILTER_VALUES_MAX: usize = 200;
/// How many versions one call deletes (AWS: DeleteLaunchTemplateVersions).
pub const VERSIONS_A_CALL_MAX: usize = 200;
/// How many instances one call tells the status of (AWS: DescribeInstanceStatus).
pub const STATUSES_A_CALL_MAX: usize = 100;
/// How many instance types one call tells (AWS: DescribeInstanceTypes).
pub const TYPES_A_CALL_MAX: usize = 100;

const DESCRIBE_INSTANCES: &str = "ec2:DescribeInstances";
const DESCRIBE_IMAGES: &str = "ec2:DescribeImages";
const DESCRIBE_SNAPSHOTS: &str = "ec2:DescribeSnapshots";
const DESCRIBE_VERSIONS: &str = "ec2:DescribeLaunchTemplateVersions";

/// The instances of these ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancesById(pub Vec<InstanceId>);

impl Call for InstancesById {
    type Told = Vec<Instance>;
    const ACTION: &'static str = DESCRIBE_INSTANCES;

    fn times(&self) -> usize {
        self.0.len().div_ceil(FILTER_VALUES_MAX)
    }
}

/// The instances that were launched from this image and are not terminated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancesOf(pub ImageId);

impl Call for InstancesOf {
    type Told = Vec<InstanceId>;
    const ACTION: &'static str = DESCRIBE_INSTANCES;
}

/// What the status checks of these instances say: of each that runs. What is not told does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusesOf(pub Vec<InstanceId>);

impl Call for StatusesOf {
    type Told = BTreeMap<InstanceId, StatusCheck>;
    const ACTION: &'static str = "ec2:DescribeInstanceStatus";

    fn times(&self) -> usize {
        self.0.len().div_ceil(STATUSES_A_CALL_MAX)
    }
}

/// For each of these instance types what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypesRun(pub Vec<String>);

impl Call for TypesRun {
    type Told = BTreeMap<String, Runs>;
    const ACTION: &'static str = "ec2:DescribeInstanceTypes";

    fn times(&self) -> usize {
        self.0.len().div_ceil(TYPES_A_CALL_MAX)
    }
}

/// The image of this id that another account owns, a deprecated or disabled one too; `None` for one that is not there, or that
/// nobody lets our account use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignImageById(pub ImageId);

impl Call for ForeignImageById {
    type Told = Option<ForeignImage>;
    const ACTION: &'static str = DESCRIBE_IMAGES;
}

/// The images of our own account of these ids, disabled ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagesById(pub Vec<ImageId>);

impl Call for ImagesById {
    type Told = Vec<Image>;
    const ACTION: &'static str = DESCRIBE_IMAGES;

    fn times(&self) -> usize {
        self.0.len().div_ceil(FILTER_VALUES_MAX)
    }
}

/// The image of exactly this name, a disabled one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNamed(pub String);

impl Call for ImageNamed {
    type Told = Option<Image>;
    const ACTION: &'static str = DESCRIBE_IMAGES;
}

/// The images with this tag, disabled ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagesTagged {
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Call for ImagesTagged {
    type Told = Vec<Image>;
    const ACTION: &'static str = DESCRIBE_IMAGES;
}

/// The ARNs of templates (of all their versions), parameters, recipes and instances that refer to this image. AWS looks at
/// no groups and at no launch configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReferences(pub ImageId);

impl Call for ImageReferences {
    type Told = Vec<String>;
    const ACTION: &'static str = "ec2:DescribeImageReferences";
}

/// Make an image, always without a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateImage {
    /// The instance, running or stopped.
    pub instance: InstanceId,
    /// The image's name: unique for (source, slot), and so the only token that the call has.
    pub name: String,
    /// Up to 255 characters.
    pub description: String,
    /// Tags for the image and for each snapshot, in the call itself.
    pub tags: Tags,
}

impl Call for CreateImage {
    type Told = ImageId;
    const ACTION: &'static str = "ec2:CreateImage";
}

/// Deregister an image, with DeleteAssociatedSnapshots: what became of each snapshot that AWS speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeregisterImage(pub ImageId);

impl Call for DeregisterImage {
    type Told = Vec<(SnapshotId, SnapshotDeletion)>;
    const ACTION: &'static str = "ec2:DeregisterImage";

    fn changes(&self) -> Option<&str> {
        Some(self.0.as_str())
    }
}

/// The snapshots of these ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotsById(pub Vec<SnapshotId>);

impl Call for SnapshotsById {
    type Told = Vec<Snapshot>;
    const ACTION: &'static str = DESCRIBE_SNAPSHOTS;

    fn times(&self) -> usize {
        self.0.len().div_ceil(FILTER_VALUES_MAX)
    }
}

/// The snapshots with this tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotsTagged {
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Call for SnapshotsTagged {
    type Told = Vec<Snapshot>;
    const ACTION: &'static str = DESCRIBE_SNAPSHOTS;
}

/// Delete a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSnapshot(pub SnapshotId);

impl Call for DeleteSnapshot {
    type Told = ();
    const ACTION: &'static str = "ec2:DeleteSnapshot";
}

/// One version of a launch template. `Missing` if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionOf {
    /// The launch template.
    pub template: TemplateId,
    /// Which of its versions.
    pub version: VersionRef,
}

impl VersionOf {
    /// The version that is named so.
    #[must_use]
    pub fn named(named: &TemplateRef) -> Self {
        Self { template: named.template.clone(), version: named.version }
    }
}

impl Call for VersionOf {
    type Told = TemplateVersion;
    const ACTION: &'static str = DESCRIBE_VERSIONS;
}

/// Every version of a launch template that names this image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsWith {
    /// The launch template.
    pub template: TemplateId,
    /// The image.
    pub image: ImageId,
}

impl Call for VersionsWith {
    type Told = Vec<TemplateVersion>;
    const ACTION: &'static str = DESCRIBE_VERSIONS;
}

/// Make a version of a launch template: its number is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVersion {
    /// The launch template.
    pub template: TemplateId,
    /// The version that is copied.
    pub base: u64,
    /// The image that it gets instead of its own.
    pub image: ImageId,
    /// The same for each repetition.
    pub token: String,
    /// Up to 255 characters.
    pub description: String,
}

impl Call for CreateVersion {
    type Told = u64;
    const ACTION: &'static str = "ec2:CreateLaunchTemplateVersion";
}

/// Delete versions of a launch template: those that are left are told, with AWS's reason. One that is not there is
/// deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteVersions {
    /// The launch template.
    pub template: TemplateId,
    /// Their numbers.
    pub versions: Vec<u64>,
}

impl Call for DeleteVersions {
    type Told = Vec<(u64, String)>;
    const ACTION: &'static str = "ec2:DeleteLaunchTemplateVersions";

    fn times(&self) -> usize {
        self.versions.len().div_ceil(VERSIONS_A_CALL_MAX)
    }

    fn changes(&self) -> Option<&str> {
        Some(self.template.as_str())
    }
}

/// Make a version the default of its launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDefaultVersion {
    /// The launch template.
    pub template: TemplateId,
    /// The version.
    pub version: u64,
}

impl Call for SetDefaultVersion {
    type Told = ();
    const ACTION: &'static str = "ec2:ModifyLaunchTemplate";

    fn changes(&self) -> Option<&str> {
        Some(self.template.as_str())
    }
}
