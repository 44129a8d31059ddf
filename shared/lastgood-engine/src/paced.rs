//! AWS at our pace: no call goes out without a token from our share of its action's bucket (see [`lastgood_core::pace`]).
//!
//! All functions take from the same buckets, which stand in the table, a few calls at a time. Who finds one empty waits
//! for it to fill, and gives up when its own time is up: what was not called is left to the next run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::lock::Mutex;
use lastgood_core::facts::{
    Configuration, Group, Image, Instance, Parameter, Refresh, Snapshot, SnapshotDeletion, Tags, TemplateVersion,
    VersionRef,
};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::pace::{self, Share};
use lastgood_core::{Time, later};

use crate::port::{
    Answer, CallFailed, Clock, Cloud, How, ImageRequest, Saved, ScaleInProtection, Store, VersionRequest, Versioned,
};

/// How many calls are taken from a bucket at once: so many a run may leave unused.
pub const CALLS_TAKEN_AT_ONCE: u32 = 4;
/// How many things one call asks for, or deletes (AWS: DescribeInstances, Filters; DescribeAutoScalingGroups;
/// DeleteLaunchTemplateVersions).
const THINGS_A_CALL: usize = 200;
const GROUPS_A_DESCRIBE: usize = 100;

/// A cloud that is asked no faster than our share allows.
#[derive(Debug)]
pub struct Paced<'a, S, C, K> {
    cloud: &'a C,
    store: &'a S,
    clock: &'a K,
    share: Share,
    stop_at: Time,
    /// Calls that were taken from the table and not made yet, each action's by itself: who waits for one kind of call
    /// keeps nobody from another.
    taken: Mutex<BTreeMap<&'static str, Arc<Mutex<u32>>>>,
    /// Calls that were taken for one thing and not made yet.
    kept: Mutex<BTreeMap<(&'static str, String), u32>>,
    throttled: AtomicUsize,
}

type Called<T> = Result<Answer<T>, CallFailed>;

impl<'a, S: Store, C: Cloud, K: Clock> Paced<'a, S, C, K> {
    /// `cloud`, asked until `stop_at`.
    pub fn new(store: &'a S, cloud: &'a C, clock: &'a K, share: Share, stop_at: Time) -> Self {
        let (taken, kept) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()));
        Self { cloud, store, clock, share, stop_at, taken, kept, throttled: AtomicUsize::new(0) }
    }

    /// How many calls AWS throttled all the same.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Waits until `calls` calls of `action` may be made.
    async fn wait(&self, action: &'static str, calls: usize) -> Result<(), CallFailed> {
        let taken = self.taken_of(action).await;
        // One after the other: whoever came first goes first, whatever source it is for.
        let mut left = taken.lock().await;
        for _ in 0..calls.max(1) {
            if *left == 0 {
                *left = self.take(action).await?;
            }
            *left -= 1;
        }
        Ok(())
    }

    /// Waits until a call of `action` may be made, and keeps it for `about` alone: whoever looks at something and then
    /// changes it waits before the look, and nothing comes between the two.
    pub(crate) async fn ready(&self, action: &'static str, about: &str) -> Result<(), CallFailed> {
        self.wait(action, 1).await?;
        *self.kept.lock().await.entry((action, about.to_owned())).or_default() += 1;
        Ok(())
    }

    /// Waits until `calls` calls of `action` may be made, of which one may be kept for `about`.
    async fn wait_unless_kept(&self, action: &'static str, about: &str, calls: usize) -> Result<(), CallFailed> {
        if self.take_kept(action, about).await {
            return if calls > 1 { self.wait(action, calls - 1).await } else { Ok(()) };
        }
        self.wait(action, calls).await
    }

    async fn take_kept(&self, action: &'static str, about: &str) -> bool {
        let mut kept = self.kept.lock().await;
        let Some(kept) = kept.get_mut(&(action, about.to_owned())).filter(|kept| **kept > 0) else { return false };
        *kept -= 1;
        true
    }

    async fn taken_of(&self, action: &'static str) -> Arc<Mutex<u32>> {
        Arc::clone(self.taken.lock().await.entry(action).or_default())
    }

    /// Takes some calls from the table's bucket: at least one.
    async fn take(&self, action: &'static str) -> Result<u32, CallFailed> {
        loop {
            let bucket = self.store.bucket(action).await?;
            let now = self.clock.now();
            let (record, version) = bucket.map_or((None, 0), |bucket| (Some(bucket.record), bucket.version));
            let taken = pace::take(record.as_ref(), pace::limit_of(action), self.share, now, CALLS_TAKEN_AT_ONCE);
            if taken.granted == 0 {
                if later(now, taken.wait_seconds) >= self.stop_at {
                    return Err(CallFailed::new(How::NotMade, action, "our share of its calls is used up for now"));
                }
                self.clock.pause(taken.wait_seconds).await;
                continue;
            }
            if let Saved::As(_) = self.store.save_bucket(action, &Versioned { record: taken.bucket, version }).await? {
                return Ok(taken.granted);
            }
            // Somebody else took from it meanwhile.
            if self.clock.now() >= self.stop_at {
                return Err(CallFailed::new(How::NotMade, action, "others kept taking from its bucket"));
            }
        }
    }

    /// Notes a throttled call: nobody makes another for a moment.
    async fn heard<T>(&self, action: &'static str, answer: Called<T>) -> Called<T> {
        if let Err(error) = &answer
            && error.how == How::Throttled
        {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(action, "throttled, within our share: somebody else uses the account's calls");
            *self.taken_of(action).await.lock().await = 0;
            // Should it not be saved, somebody else has just taken from it and will hear for himself.
            if let Ok(bucket) = self.store.bucket(action).await {
                let version = bucket.map_or(0, |bucket| bucket.version);
                let drained = Versioned { record: pace::drained(self.clock.now()), version };
                let _ = self.store.save_bucket(action, &drained).await;
            }
        }
        answer
    }
}

/// One port function: its action, how many calls it makes, and the call.
macro_rules! paced {
    ($self:ident, $action:literal, $calls:expr, $call:expr) => {{
        $self.wait($action, $calls).await?;
        $self.heard($action, $call.await).await
    }};
}

/// The same for a change of one thing, for which a call may be kept.
macro_rules! paced_for {
    ($self:ident, $action:literal, $about:expr, $calls:expr, $call:expr) => {{
        $self.wait_unless_kept($action, $about, $calls).await?;
        $self.heard($action, $call.await).await
    }};
}

impl<S: Store, C: Cloud, K: Clock> Cloud for Paced<'_, S, C, K> {
    async fn groups(&self, names: &[GroupName]) -> Called<Vec<Group>> {
        let calls = names.len().div_ceil(GROUPS_A_DESCRIBE);
        paced!(self, "autoscaling:DescribeAutoScalingGroups", calls, self.cloud.groups(names))
    }
    async fn groups_tagged(&self, tags: &Tags) -> Called<Vec<Group>> {
        paced!(self, "autoscaling:DescribeAutoScalingGroups", 1, self.cloud.groups_tagged(tags))
    }
    async fn active_refresh(&self, group: &GroupName) -> Called<Option<Refresh>> {
        paced!(self, "autoscaling:DescribeInstanceRefreshes", 1, self.cloud.active_refresh(group))
    }
    async fn set_scale_in_protection(
        &self,
        group: &GroupName,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> Called<()> {
        let call = self.cloud.set_scale_in_protection(group, instance, protection);
        paced!(self, "autoscaling:SetInstanceProtection", 1, call)
    }
    async fn configurations(&self) -> Called<Vec<Configuration>> {
        paced!(self, "autoscaling:DescribeLaunchConfigurations", 1, self.cloud.configurations())
    }
    async fn instances_of(&self, image: &ImageId) -> Called<Vec<InstanceId>> {
        paced!(self, "ec2:DescribeInstances", 1, self.cloud.instances_of(image))
    }
    async fn image_references(&self, image: &ImageId) -> Called<Vec<String>> {
        paced!(self, "ec2:DescribeImageReferences", 1, self.cloud.image_references(image))
    }
    async fn images_tagged(&self, key: &str, value: &str) -> Called<Vec<Image>> {
        paced!(self, "ec2:DescribeImages", 1, self.cloud.images_tagged(key, value))
    }
    async fn architectures(&self, instance_types: &[String]) -> Called<BTreeMap<String, Vec<String>>> {
        let calls = instance_types.len().div_ceil(GROUPS_A_DESCRIBE);
        paced!(self, "ec2:DescribeInstanceTypes", calls, self.cloud.architectures(instance_types))
    }
    async fn parameter(&self, name: &str) -> Called<Option<Parameter>> {
        paced!(self, "ssm:GetParameter", 1, self.cloud.parameter(name))
    }
    async fn set_parameter(&self, name: &str, parameter: &Parameter) -> Called<()> {
        paced_for!(self, "ssm:PutParameter", name, 1, self.cloud.set_parameter(name, parameter))
    }
    async fn instances(&self, ids: &[InstanceId]) -> Called<Vec<Instance>> {
        paced!(self, "ec2:DescribeInstances", ids.len().div_ceil(THINGS_A_CALL), self.cloud.instances(ids))
    }
    async fn images(&self, ids: &[ImageId]) -> Called<Vec<Image>> {
        paced!(self, "ec2:DescribeImages", ids.len().div_ceil(THINGS_A_CALL), self.cloud.images(ids))
    }
    async fn image_named(&self, name: &str) -> Called<Option<Image>> {
        paced!(self, "ec2:DescribeImages", 1, self.cloud.image_named(name))
    }
    async fn snapshots(&self, ids: &[SnapshotId]) -> Called<Vec<Snapshot>> {
        paced!(self, "ec2:DescribeSnapshots", ids.len().div_ceil(THINGS_A_CALL), self.cloud.snapshots(ids))
    }
    async fn snapshots_tagged(&self, key: &str, value: &str) -> Called<Vec<Snapshot>> {
        paced!(self, "ec2:DescribeSnapshots", 1, self.cloud.snapshots_tagged(key, value))
    }
    async fn create_image(&self, request: &ImageRequest) -> Called<ImageId> {
        paced!(self, "ec2:CreateImage", 1, self.cloud.create_image(request))
    }
    async fn deregister_image(&self, image: &ImageId) -> Called<Vec<(SnapshotId, SnapshotDeletion)>> {
        paced_for!(self, "ec2:DeregisterImage", image.as_str(), 1, self.cloud.deregister_image(image))
    }
    async fn delete_snapshot(&self, id: &SnapshotId) -> Called<()> {
        paced!(self, "ec2:DeleteSnapshot", 1, self.cloud.delete_snapshot(id))
    }
    async fn template_version(&self, template: &TemplateId, version: VersionRef) -> Called<TemplateVersion> {
        paced!(self, "ec2:DescribeLaunchTemplateVersions", 1, self.cloud.template_version(template, version))
    }
    async fn template_versions_with(&self, template: &TemplateId, image: &ImageId) -> Called<Vec<TemplateVersion>> {
        paced!(self, "ec2:DescribeLaunchTemplateVersions", 1, self.cloud.template_versions_with(template, image))
    }
    async fn create_template_version(&self, request: &VersionRequest) -> Called<u64> {
        paced!(self, "ec2:CreateLaunchTemplateVersion", 1, self.cloud.create_template_version(request))
    }
    async fn delete_template_versions(&self, template: &TemplateId, versions: &[u64]) -> Called<Vec<(u64, String)>> {
        let calls = versions.len().div_ceil(THINGS_A_CALL);
        let call = self.cloud.delete_template_versions(template, versions);
        paced_for!(self, "ec2:DeleteLaunchTemplateVersions", template.as_str(), calls, call)
    }
    async fn set_default_version(&self, template: &TemplateId, version: u64) -> Called<()> {
        let call = self.cloud.set_default_version(template, version);
        paced_for!(self, "ec2:ModifyLaunchTemplate", template.as_str(), 1, call)
    }
    async fn set_mixed_version(&self, group: &GroupName, template: &TemplateId, base: u64, version: u64) -> Called<()> {
        // It reads the policy before it sends it back.
        self.wait("autoscaling:DescribeAutoScalingGroups", 1).await?;
        let call = self.cloud.set_mixed_version(group, template, base, version);
        paced_for!(self, "autoscaling:UpdateAutoScalingGroup", group.as_str(), 1, call)
    }
    async fn set_group_version(&self, group: &GroupName, template: &TemplateId, version: u64) -> Called<()> {
        let call = self.cloud.set_group_version(group, template, version);
        paced_for!(self, "autoscaling:UpdateAutoScalingGroup", group.as_str(), 1, call)
    }
}
