//! The ports: what the engine asks of the world outside. Real ones are in lastgood-aws, a simulated one in tests/world.
//!
//! Two kinds of no. An [`Answer`] may be a refusal: the call got through and was judged, and the decision must know.
//! [`CallFailed`] means that it did not get through, or nobody knows: it may be made again, for every call of these
//! ports is safe to repeat.

use std::collections::BTreeMap;
use std::future::Future;

use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::backup::life::Queue;
use lastgood_core::facts::{
    Configuration, Group, Image, Instance, Parameter, Refresh, Snapshot, SnapshotDeletion, Tags, TemplateVersion,
    VersionRef,
};
use lastgood_core::id::{BackupId, GroupName, ImageId, InstanceId, RefreshId, SnapshotId, SourceId, TemplateId};
use lastgood_core::notice::Notice;
use lastgood_core::pace::Bucket;
use lastgood_core::refusal::Refusal;
use lastgood_core::rollout::Rollout;
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::sweep::Sweep;

/// A call that did not come about, or of which nobody knows whether it did.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}", .how.words())]
pub struct CallFailed {
    /// The call, as the field knows it: `ec2:CreateImage`.
    pub action: &'static str,
    /// How it failed.
    pub how: How,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// No answer came: it may have been carried out.
    Unanswered,
    /// AWS said that too many calls came in: it was not carried out.
    Throttled,
    /// It was not made.
    NotMade,
    /// It was refused, where there is no going on without it.
    Refused,
    /// What must be there by what AWS said before is not told yet.
    NotYet,
    /// Its answer can't be read.
    Unreadable,
}

impl How {
    fn words(self) -> &'static str {
        match self {
            Self::Unanswered => "got no answer",
            Self::Throttled => "was throttled",
            Self::NotMade => "was not done",
            Self::Refused => "was refused",
            Self::NotYet => "does not tell it yet",
            Self::Unreadable => "gave an answer that can't be read",
        }
    }
}

impl CallFailed {
    /// A call that failed.
    pub fn new(how: How, action: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { action, how, source: source.into() }
    }

    /// One that was refused, where there is no going on without it.
    pub(crate) fn refused(action: &'static str) -> impl Fn(Refusal) -> Self {
        move |refusal| Self::new(How::Refused, action, refusal)
    }
}

/// What was answered: the thing, or why not.
pub type Answer<T> = Result<T, Refusal>;

/// A record, and the version under which it was read. A record that is not there yet has version 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub record: T,
    /// Grows by one with every save.
    pub version: u64,
}

impl<T> Versioned<T> {
    /// A record that is not in the store yet.
    pub fn new(record: T) -> Self {
        Self { record, version: 0 }
    }
}

/// What came of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is saved, under this version.
    As(u64),
    /// Somebody else saved the record since it was read: nothing was written.
    Outdated,
}

/// What came of a transaction over many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it is written.
    Whole,
    /// Somebody else saved one of the records since it was read: nothing was written.
    Outdated,
}

/// Names a record in a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A plan, whose sources are to be looked for.
    Plan(String),
    /// A source.
    Source(SourceId),
    /// A backup.
    Backup(BackupId),
    /// A rollout.
    Rollout(RefreshId),
}

/// The records. Reads of one record are consistent; the queues and the list of artifacts may lag.
pub trait Store: Sync {
    /// Up to `limit` records of `queue` whose wake is not after `now`. Costs what is due, not what there is.
    fn due(&self, queue: Queue, now: Time, limit: usize) -> impl Future<Output = Result<Vec<Key>, CallFailed>> + Send;
    /// A source.
    fn source(&self, id: &SourceId) -> impl Future<Output = Result<Option<Versioned<Source>>, CallFailed>> + Send;
    /// Every source.
    fn sources(&self) -> impl Future<Output = Result<Vec<Versioned<Source>>, CallFailed>> + Send;
    /// Saves a source on its version.
    fn save_source(&self, source: &Versioned<Source>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// A backup.
    fn backup(&self, id: &BackupId) -> impl Future<Output = Result<Option<Versioned<Backup>>, CallFailed>> + Send;
    /// Every backup of a source, newest first.
    fn backups(&self, source: &SourceId) -> impl Future<Output = Result<Vec<Versioned<Backup>>, CallFailed>> + Send;
    /// The backup that has this image.
    fn backup_of(&self, image: &ImageId) -> impl Future<Output = Result<Option<BackupId>, CallFailed>> + Send;
    /// Saves a backup on its version.
    fn save_backup(&self, backup: &Versioned<Backup>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// Saves a source on its version and creates a backup that is not there yet: both or neither. `Outdated` if the
    /// source changed or the backup exists.
    fn claim(
        &self,
        source: &Versioned<Source>,
        backup: &Backup,
    ) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// Creates a backup that is not there yet; `Outdated` if it is.
    fn create_backup(&self, backup: &Backup) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// A rollout.
    fn rollout(&self, id: &RefreshId) -> impl Future<Output = Result<Option<Versioned<Rollout>>, CallFailed>> + Send;
    /// Saves a rollout on its version.
    fn save_rollout(&self, rollout: &Versioned<Rollout>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// Every plan.
    fn plans(&self) -> impl Future<Output = Result<Vec<Versioned<Planned>>, CallFailed>> + Send;
    /// A plan.
    fn plan(&self, name: &str) -> impl Future<Output = Result<Option<Versioned<Planned>>, CallFailed>> + Send;
    /// Saves a plan on its version.
    fn save_plan(&self, plan: &Versioned<Planned>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// The record of the sweep.
    fn sweep(&self) -> impl Future<Output = Result<Option<Versioned<Sweep>>, CallFailed>> + Send;
    /// Saves that on its version.
    fn save_sweep(&self, sweep: &Versioned<Sweep>) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// What is left of our share of an action's calls.
    fn bucket(&self, action: &str) -> impl Future<Output = Result<Option<Versioned<Bucket>>, CallFailed>> + Send;
    /// Saves that on its version.
    fn save_bucket(
        &self,
        action: &str,
        bucket: &Versioned<Bucket>,
    ) -> impl Future<Output = Result<Saved, CallFailed>> + Send;
    /// Writes plans (or removes them), and the sources as they become, each on its version and all in one transaction.
    /// There are at most [`crate::apply::TRANSACTION_ITEMS_MAX`] of both together.
    fn write_plans(
        &self,
        plans: &[PlanWrite],
        sources: &[Versioned<Source>],
    ) -> impl Future<Output = Result<Written, CallFailed>> + Send;
}

/// A plan as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few of them, for one write")]
pub enum PlanWrite {
    /// It is put there.
    Put(Versioned<Planned>),
    /// It is removed.
    Remove {
        /// Its name.
        name: String,
        /// The version under which it was read.
        version: u64,
    },
}

/// What CreateImage is asked for. It is always without a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// The instance, running or stopped.
    pub instance: InstanceId,
    /// The image's name: unique for (source, slot), and so the only token that the call has.
    pub name: String,
    /// Up to 255 characters.
    pub description: String,
    /// Tags for the image and for each snapshot, in the call itself.
    pub tags: Tags,
}

/// What CreateLaunchTemplateVersion is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRequest {
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

/// Whether a member may be terminated by a scale-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleInProtection {
    /// It may not.
    On,
    /// It may.
    Off,
}

/// AWS: EC2, Auto Scaling and the Parameter Store. One function for each operation; those that take lists split them as AWS wants them and
/// read every page. What is unknown is absent from an answer.
pub trait Cloud: Sync {
    /// DescribeAutoScalingGroups, by name.
    fn groups(&self, names: &[GroupName]) -> impl Future<Output = Result<Answer<Vec<Group>>, CallFailed>> + Send;
    /// DescribeAutoScalingGroups, by tags of the groups: those that bear every one of `tags` with its value, and so every
    /// group if there are none. Every page.
    fn groups_tagged(&self, tags: &Tags) -> impl Future<Output = Result<Answer<Vec<Group>>, CallFailed>> + Send;
    /// DescribeInstanceRefreshes: the refresh (or its rollback) that is under way, if one is. `Missing` if there is no
    /// such group.
    fn active_refresh(
        &self,
        group: &GroupName,
    ) -> impl Future<Output = Result<Answer<Option<Refresh>>, CallFailed>> + Send;
    /// SetInstanceProtection of one member.
    fn set_scale_in_protection(
        &self,
        group: &GroupName,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
    /// DescribeLaunchConfigurations: every one of the account.
    fn configurations(&self) -> impl Future<Output = Result<Answer<Vec<Configuration>>, CallFailed>> + Send;
    /// DescribeInstanceTypes: for each instance type the architectures that it runs.
    fn architectures(
        &self,
        instance_types: &[String],
    ) -> impl Future<Output = Result<Answer<BTreeMap<String, Vec<String>>>, CallFailed>> + Send;
    /// GetParameter, `None` if there is none of this name.
    fn parameter(&self, name: &str) -> impl Future<Output = Result<Answer<Option<Parameter>>, CallFailed>> + Send;
    /// PutParameter, over whatever stands there.
    fn set_parameter(
        &self,
        name: &str,
        parameter: &Parameter,
    ) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
    /// DescribeInstances, by id.
    fn instances(&self, ids: &[InstanceId]) -> impl Future<Output = Result<Answer<Vec<Instance>>, CallFailed>> + Send;
    /// DescribeImages of our account, by id, disabled ones too.
    fn images(&self, ids: &[ImageId]) -> impl Future<Output = Result<Answer<Vec<Image>>, CallFailed>> + Send;
    /// DescribeInstances: those that were launched from this image and are not terminated.
    fn instances_of(&self, image: &ImageId)
    -> impl Future<Output = Result<Answer<Vec<InstanceId>>, CallFailed>> + Send;
    /// DescribeImageReferences: the ARNs of templates (of all their versions), parameters, recipes and instances that
    /// refer to this image. It knows no groups and no launch configurations.
    fn image_references(&self, image: &ImageId)
    -> impl Future<Output = Result<Answer<Vec<String>>, CallFailed>> + Send;
    /// DescribeImages of our account, by the value of one tag, disabled ones too.
    fn images_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> impl Future<Output = Result<Answer<Vec<Image>>, CallFailed>> + Send;
    /// DescribeImages of our account, by exact name, disabled ones too.
    fn image_named(&self, name: &str) -> impl Future<Output = Result<Answer<Option<Image>>, CallFailed>> + Send;
    /// DescribeSnapshots of our account, by id.
    fn snapshots(&self, ids: &[SnapshotId]) -> impl Future<Output = Result<Answer<Vec<Snapshot>>, CallFailed>> + Send;
    /// DescribeSnapshots of our account, by the value of one tag.
    fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> impl Future<Output = Result<Answer<Vec<Snapshot>>, CallFailed>> + Send;
    /// CreateImage.
    fn create_image(&self, request: &ImageRequest) -> impl Future<Output = Result<Answer<ImageId>, CallFailed>> + Send;
    /// DeregisterImage with DeleteAssociatedSnapshots: what became of each snapshot that AWS speaks of.
    fn deregister_image(
        &self,
        image: &ImageId,
    ) -> impl Future<Output = Result<Answer<Vec<(SnapshotId, SnapshotDeletion)>>, CallFailed>> + Send;
    /// DeleteSnapshot.
    fn delete_snapshot(&self, id: &SnapshotId) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
    /// DescribeLaunchTemplateVersions of one version.
    fn template_version(
        &self,
        template: &TemplateId,
        version: VersionRef,
    ) -> impl Future<Output = Result<Answer<TemplateVersion>, CallFailed>> + Send;
    /// DescribeLaunchTemplateVersions: every version of one template that names this image.
    fn template_versions_with(
        &self,
        template: &TemplateId,
        image: &ImageId,
    ) -> impl Future<Output = Result<Answer<Vec<TemplateVersion>>, CallFailed>> + Send;
    /// CreateLaunchTemplateVersion: the number of the new version.
    fn create_template_version(
        &self,
        request: &VersionRequest,
    ) -> impl Future<Output = Result<Answer<u64>, CallFailed>> + Send;
    /// DeleteLaunchTemplateVersions: those that are left, with AWS's reason. One that is not there is deleted.
    fn delete_template_versions(
        &self,
        template: &TemplateId,
        versions: &[u64],
    ) -> impl Future<Output = Result<Answer<Vec<(u64, String)>>, CallFailed>> + Send;
    /// ModifyLaunchTemplate: makes a version the default.
    fn set_default_version(
        &self,
        template: &TemplateId,
        version: u64,
    ) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
    /// UpdateAutoScalingGroup of a group with a mixed instances policy: gives the policy's base this version, by number,
    /// and changes nothing else. AWS takes the policy whole, so it is read and sent back; `WrongState` if its base is not
    /// version `base` of `template` any more.
    fn set_mixed_version(
        &self,
        group: &GroupName,
        template: &TemplateId,
        base: u64,
        version: u64,
    ) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
    /// UpdateAutoScalingGroup: gives the group this version, by number, and changes nothing else.
    fn set_group_version(
        &self,
        group: &GroupName,
        template: &TemplateId,
        version: u64,
    ) -> impl Future<Output = Result<Answer<()>, CallFailed>> + Send;
}

/// What became of one notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is on the bus.
    Sent,
    /// It is not, and why.
    NotSent(String),
}

/// Our bus.
pub trait Bus: Sync {
    /// PutEvents, ten at a time: what became of each notice, in their order.
    fn post(&self, notices: &[Notice]) -> impl Future<Output = Result<Vec<Posted>, CallFailed>> + Send;
}

/// The time.
pub trait Clock: Sync {
    /// Now, in whole seconds.
    fn now(&self) -> Time;
    /// Lets so many seconds pass. Only pacing waits: see `paced.rs`.
    fn pause(&self, seconds: i64) -> impl Future<Output = ()> + Send;
}
