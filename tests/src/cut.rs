//! Ports that die: at one call of an invocation everything stops, before the call is heard or after it, with its answer
//! lost. What a killed function leaves behind is exactly what the calls before left.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

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
use lastgood_core::rollout::Rollout;
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::sweep::Sweep;
use lastgood_engine::port::{ImageRequest, Posted, VersionRequest};
use lastgood_engine::{
    Answer, Bus, CallFailed, Cloud, Key, PlanWrite, Saved, ScaleInProtection, Store, Versioned, Written,
};

/// Where an invocation dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the call of this number is heard, counted from 0.
    Before(usize),
    /// After it was done, with its answer lost.
    After(usize),
}

/// Counts the calls of all ports together, and stops at one of them.
#[derive(Debug)]
pub struct Knife {
    at: Option<At>,
    calls: AtomicUsize,
}

impl Knife {
    /// A knife that falls `at` a call, or never.
    #[must_use]
    pub fn new(at: Option<At>) -> Self {
        Self { at, calls: AtomicUsize::new(0) }
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// What every call of a port passes.
pub trait Gate: Sync {
    /// Lets a call through, now, later or never.
    fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send;
}

impl Gate for Knife {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.at == Some(At::Before(number)) {
            pending::<()>().await;
        }
        let answer = call.await;
        if self.at == Some(At::After(number)) {
            pending::<()>().await;
        }
        answer
    }
}

/// Lets something happen before a call is heard: the function hangs meanwhile.
///
/// Boxed: a gate of its own type for each closure would have the whole engine compiled once for each.
pub struct Meanwhile<'a> {
    calls: AtomicUsize,
    happens: Box<dyn Fn(usize) + Sync + 'a>,
}

impl<'a> Meanwhile<'a> {
    /// A gate at which `happens` is called before each call, with its number, counted from 0.
    pub fn new(happens: impl Fn(usize) + Sync + 'a) -> Self {
        Self { calls: AtomicUsize::new(0), happens: Box::new(happens) }
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Gate for Meanwhile<'_> {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        (self.happens)(self.calls.fetch_add(1, Ordering::Relaxed));
        call.await
    }
}

/// Holds an invocation at one call, before that is heard, until it is opened.
#[derive(Debug)]
pub struct Latch {
    at: usize,
    calls: AtomicUsize,
    open: AtomicBool,
}

impl Latch {
    /// A gate that holds the call of this number, counted from 0.
    #[must_use]
    pub fn new(at: usize) -> Self {
        Self { at, calls: AtomicUsize::new(0), open: AtomicBool::new(false) }
    }

    /// Lets the call through.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Gate for Latch {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            poll_fn(|context| {
                if self.open.load(Ordering::Relaxed) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        call.await
    }
}

/// A port behind a gate.
#[derive(Debug)]
pub struct Cut<'a, P, G = Knife> {
    /// The port.
    pub port: &'a P,
    /// The gate that all ports of an invocation share.
    pub gate: &'a G,
}

type Called<T> = Result<Answer<T>, CallFailed>;

impl<P: Cloud, G: Gate> Cloud for Cut<'_, P, G> {
    async fn groups(&self, names: &[GroupName]) -> Called<Vec<Group>> {
        self.gate.pass(self.port.groups(names)).await
    }
    async fn groups_tagged(&self, tags: &Tags) -> Called<Vec<Group>> {
        self.gate.pass(self.port.groups_tagged(tags)).await
    }
    async fn active_refresh(&self, group: &GroupName) -> Called<Option<Refresh>> {
        self.gate.pass(self.port.active_refresh(group)).await
    }
    async fn set_scale_in_protection(
        &self,
        group: &GroupName,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> Called<()> {
        self.gate.pass(self.port.set_scale_in_protection(group, instance, protection)).await
    }
    async fn configurations(&self) -> Called<Vec<Configuration>> {
        self.gate.pass(self.port.configurations()).await
    }
    async fn instances_of(&self, image: &ImageId) -> Called<Vec<InstanceId>> {
        self.gate.pass(self.port.instances_of(image)).await
    }
    async fn image_references(&self, image: &ImageId) -> Called<Vec<String>> {
        self.gate.pass(self.port.image_references(image)).await
    }
    async fn images_tagged(&self, key: &str, value: &str) -> Called<Vec<Image>> {
        self.gate.pass(self.port.images_tagged(key, value)).await
    }
    async fn architectures(&self, instance_types: &[String]) -> Called<BTreeMap<String, Vec<String>>> {
        self.gate.pass(self.port.architectures(instance_types)).await
    }
    async fn parameter(&self, name: &str) -> Called<Option<Parameter>> {
        self.gate.pass(self.port.parameter(name)).await
    }
    async fn set_parameter(&self, name: &str, parameter: &Parameter) -> Called<()> {
        self.gate.pass(self.port.set_parameter(name, parameter)).await
    }
    async fn set_mixed_version(&self, group: &GroupName, template: &TemplateId, base: u64, version: u64) -> Called<()> {
        self.gate.pass(self.port.set_mixed_version(group, template, base, version)).await
    }
    async fn instances(&self, ids: &[InstanceId]) -> Called<Vec<Instance>> {
        self.gate.pass(self.port.instances(ids)).await
    }
    async fn images(&self, ids: &[ImageId]) -> Called<Vec<Image>> {
        self.gate.pass(self.port.images(ids)).await
    }
    async fn image_named(&self, name: &str) -> Called<Option<Image>> {
        self.gate.pass(self.port.image_named(name)).await
    }
    async fn snapshots(&self, ids: &[SnapshotId]) -> Called<Vec<Snapshot>> {
        self.gate.pass(self.port.snapshots(ids)).await
    }
    async fn snapshots_tagged(&self, key: &str, value: &str) -> Called<Vec<Snapshot>> {
        self.gate.pass(self.port.snapshots_tagged(key, value)).await
    }
    async fn create_image(&self, request: &ImageRequest) -> Called<ImageId> {
        self.gate.pass(self.port.create_image(request)).await
    }
    async fn deregister_image(&self, image: &ImageId) -> Called<Vec<(SnapshotId, SnapshotDeletion)>> {
        self.gate.pass(self.port.deregister_image(image)).await
    }
    async fn delete_snapshot(&self, id: &SnapshotId) -> Called<()> {
        self.gate.pass(self.port.delete_snapshot(id)).await
    }
    async fn template_version(&self, template: &TemplateId, version: VersionRef) -> Called<TemplateVersion> {
        self.gate.pass(self.port.template_version(template, version)).await
    }
    async fn template_versions_with(&self, template: &TemplateId, image: &ImageId) -> Called<Vec<TemplateVersion>> {
        self.gate.pass(self.port.template_versions_with(template, image)).await
    }
    async fn create_template_version(&self, request: &VersionRequest) -> Called<u64> {
        self.gate.pass(self.port.create_template_version(request)).await
    }
    async fn delete_template_versions(&self, template: &TemplateId, versions: &[u64]) -> Called<Vec<(u64, String)>> {
        self.gate.pass(self.port.delete_template_versions(template, versions)).await
    }
    async fn set_default_version(&self, template: &TemplateId, version: u64) -> Called<()> {
        self.gate.pass(self.port.set_default_version(template, version)).await
    }
    async fn set_group_version(&self, group: &GroupName, template: &TemplateId, version: u64) -> Called<()> {
        self.gate.pass(self.port.set_group_version(group, template, version)).await
    }
}

impl<P: Store, G: Gate> Store for Cut<'_, P, G> {
    async fn due(&self, queue: Queue, now: Time, limit: usize) -> Result<Vec<Key>, CallFailed> {
        self.gate.pass(self.port.due(queue, now, limit)).await
    }
    async fn source(&self, id: &SourceId) -> Result<Option<Versioned<Source>>, CallFailed> {
        self.gate.pass(self.port.source(id)).await
    }
    async fn sources(&self) -> Result<Vec<Versioned<Source>>, CallFailed> {
        self.gate.pass(self.port.sources()).await
    }
    async fn save_source(&self, source: &Versioned<Source>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_source(source)).await
    }
    async fn backup(&self, id: &BackupId) -> Result<Option<Versioned<Backup>>, CallFailed> {
        self.gate.pass(self.port.backup(id)).await
    }
    async fn backups(&self, source: &SourceId) -> Result<Vec<Versioned<Backup>>, CallFailed> {
        self.gate.pass(self.port.backups(source)).await
    }
    async fn backup_of(&self, image: &ImageId) -> Result<Option<BackupId>, CallFailed> {
        self.gate.pass(self.port.backup_of(image)).await
    }
    async fn save_backup(&self, backup: &Versioned<Backup>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_backup(backup)).await
    }
    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.claim(source, backup)).await
    }
    async fn create_backup(&self, backup: &Backup) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.create_backup(backup)).await
    }
    async fn rollout(&self, id: &RefreshId) -> Result<Option<Versioned<Rollout>>, CallFailed> {
        self.gate.pass(self.port.rollout(id)).await
    }
    async fn save_rollout(&self, rollout: &Versioned<Rollout>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_rollout(rollout)).await
    }
    async fn plans(&self) -> Result<Vec<Versioned<Planned>>, CallFailed> {
        self.gate.pass(self.port.plans()).await
    }
    async fn plan(&self, name: &str) -> Result<Option<Versioned<Planned>>, CallFailed> {
        self.gate.pass(self.port.plan(name)).await
    }
    async fn save_plan(&self, plan: &Versioned<Planned>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_plan(plan)).await
    }
    async fn sweep(&self) -> Result<Option<Versioned<Sweep>>, CallFailed> {
        self.gate.pass(self.port.sweep()).await
    }
    async fn save_sweep(&self, sweep: &Versioned<Sweep>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_sweep(sweep)).await
    }
    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        self.gate.pass(self.port.bucket(action)).await
    }
    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_bucket(action, bucket)).await
    }
    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        self.gate.pass(self.port.write_plans(plans, sources)).await
    }
}

impl<P: Bus, G: Gate> Bus for Cut<'_, P, G> {
    async fn post(&self, notices: &[Notice]) -> Result<Vec<Posted>, CallFailed> {
        self.gate.pass(self.port.post(notices)).await
    }
}
