//! Instances and their volumes.

use std::collections::BTreeMap;

use lastgood_core::facts::Tags;
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::{Time, seconds_between};

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::service::Ec2;
use crate::state::{Asked, Due, State, World, ec2_arn};

/// How long a terminated instance is still told of (AWS: Terminate Amazon EC2 instances).
const TERMINATED_VISIBLE_SECONDS: i64 = 60 * 60;

/// The state of an instance (AWS: `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceState {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It is off, and has its volumes.
    Stopped,
    /// It is being terminated.
    ShuttingDown,
    /// It is gone.
    Terminated,
}

impl InstanceState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// AWS's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// A volume of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// `/dev/xvda`, ..
    pub device_name: String,
    /// Its size.
    pub gib: i64,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Its youngest snapshot began then.
    pub last_snapshot_at: Option<Time>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<SnapshotId>,
}

/// A block device to launch with: an EBS volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `/dev/xvda`, ..
    pub name: String,
    /// Its size.
    pub gib: i64,
    /// Whether it goes with the instance: true for root, false for attached data (AWS: Block device mappings).
    pub delete_on_termination: bool,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: InstanceId,
    /// What it was launched from.
    pub image: ImageId,
    /// Its state.
    pub state: InstanceState,
    /// When it was last started.
    pub launched_at: Time,
    /// When it was terminated.
    pub terminated_at: Option<Time>,
    /// Its volumes, root first.
    pub volumes: Vec<Volume>,
    /// Its tags.
    pub tags: Tags,
}

/// What RunInstances is asked for, for one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The image.
    pub image: String,
    /// Volumes beside those of the image.
    pub devices: Vec<Device>,
    /// Tags of the instance.
    pub tags: Tags,
}

impl Launch {
    /// One instance of `image`.
    pub fn of(image: &ImageId) -> Self {
        Self { image: image.to_string(), devices: Vec::new(), tags: Tags::new() }
    }
}

/// What DescribeInstances is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeInstances {
    /// By id: one unknown id fails the call.
    pub ids: Vec<String>,
    /// `instance-id`, `instance-state-name`, `image-id`, `tag:…`, `tag-key`.
    pub filters: Vec<Filter>,
    /// Which page. Not together with ids.
    pub paging: Paging,
}

impl Ec2<'_> {
    /// RunInstances, for one instance.
    pub fn run_instance(&self, launch: Launch) -> Result<Instance, AwsError> {
        let asked = Asked::new("ec2:RunInstances", ec2_arn("instance", "*"), &launch.image);
        self.0.call(asked, |state| {
            let id = state.launch(launch)?;
            Ok(state.instances[&id].clone())
        })
    }

    /// DescribeInstances.
    pub fn describe_instances(&self, asks: &DescribeInstances) -> Result<Page<Instance>, AwsError> {
        let about = format!("{:?} {:?}", asks.ids, asks.filters);
        self.0.call(Asked::new("ec2:DescribeInstances", "*", about), |state| state.describe_instances(asks))
    }

    /// TerminateInstances: the states before.
    pub fn terminate_instances(&self, ids: &[InstanceId]) -> Result<Vec<(InstanceId, InstanceState)>, AwsError> {
        let mut asked = Asked::new("ec2:TerminateInstances", "", format!("{ids:?}"));
        asked.needs = ids.iter().map(|id| ("ec2:TerminateInstances", ec2_arn("instance", id))).collect();
        self.0.call(asked, |state| {
            let before = ids.iter().map(|id| Ok((id.clone(), state.instance(id.as_str())?.state)));
            let before = before.collect::<Result<Vec<_>, AwsError>>()?;
            for id in ids {
                state.terminate(id);
            }
            Ok(before)
        })
    }
}

impl World {
    /// The instance is lost, at once and without a call: its host failed.
    pub fn kill(&self, id: &InstanceId) {
        let mut state = self.lock();
        state.terminate(id);
        state.instance_gone(id);
    }

    /// The instance is stopped, at once and without a call. It keeps its volumes.
    pub fn stop(&self, id: &InstanceId) {
        let mut state = self.lock();
        if let Some(instance) = state.instances.get_mut(id) {
            instance.state = InstanceState::Stopped;
        }
        state.member_changed(id);
    }

    /// A stopped instance is started again.
    pub fn start(&self, id: &InstanceId) {
        let mut state = self.lock();
        let (now, seconds) = (state.now, state.settings.instance_pending_seconds);
        if let Some(instance) = state.instances.get_mut(id) {
            instance.state = InstanceState::Pending;
            instance.launched_at = now;
            state.after(seconds, Due::InstanceRuns(id.clone()));
        }
    }

    /// Instances that CreateImage without NoReboot has rebooted. Lastgood never does: this must stay empty.
    pub fn reboots(&self) -> Vec<InstanceId> {
        self.lock().reboots.clone()
    }

    /// Every instance, terminated ones too.
    pub fn instances(&self) -> Vec<Instance> {
        self.lock().instances.values().cloned().collect()
    }
}

impl State {
    /// AWS: EC2 error codes, InvalidInstanceID.
    pub(crate) fn instance(&self, id: &str) -> Result<&Instance, AwsError> {
        check_id(id, "i-", "InvalidInstanceID.Malformed", "instance ID")?;
        let missing = || AwsError::new("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"));
        self.instances.get(&InstanceId::from(id)).filter(|instance| self.is_told(instance)).ok_or_else(missing)
    }

    fn is_told(&self, instance: &Instance) -> bool {
        instance.terminated_at.is_none_or(|at| seconds_between(at, self.now) < TERMINATED_VISIBLE_SECONDS)
    }

    /// Launches one instance, if its image can be.
    pub(crate) fn launch(&mut self, launch: Launch) -> Result<InstanceId, AwsError> {
        let image = self.launchable(&launch.image)?;
        let (image, mapped) = (image.id.clone(), image.mappings.clone());
        let mapped = mapped.into_iter().map(|mapping| Device {
            name: mapping.device_name,
            gib: mapping.gib,
            delete_on_termination: mapping.delete_on_termination,
        });
        let mut devices: BTreeMap<String, Device> = mapped.map(|device| (device.name.clone(), device)).collect();
        // What is asked for at launch overrides the image's mapping of that device (AWS: Block device mappings).
        devices.extend(launch.devices.into_iter().map(|device| (device.name.clone(), device)));
        let volumes = devices.into_values().map(|device| Volume {
            id: format!("vol-0{}", self.digits()),
            device_name: device.name,
            gib: device.gib,
            delete_on_termination: device.delete_on_termination,
            last_snapshot_at: None,
            snapshots: Vec::new(),
        });
        let volumes = volumes.collect();
        let id = InstanceId(format!("i-0{}", self.digits()));
        let instance = Instance {
            id: id.clone(),
            image,
            state: InstanceState::Pending,
            launched_at: self.now,
            terminated_at: None,
            volumes,
            tags: launch.tags,
        };
        self.instances.insert(id.clone(), instance);
        self.after(self.settings.instance_pending_seconds, Due::InstanceRuns(id.clone()));
        Ok(id)
    }

    pub(crate) fn instance_runs(&mut self, id: &InstanceId) {
        let now_runs = self.instances.get_mut(id).filter(|instance| instance.state == InstanceState::Pending);
        if let Some(instance) = now_runs {
            instance.state = InstanceState::Running;
            self.member_runs(id);
        }
    }

    /// Begins to terminate an instance, unless that has begun already.
    pub(crate) fn terminate(&mut self, id: &InstanceId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
            return;
        }
        instance.state = InstanceState::ShuttingDown;
        self.after(self.settings.shutting_down_seconds, Due::InstanceGone(id.clone()));
        self.break_images_of(id);
        self.member_changed(id);
    }

    pub(crate) fn instance_gone(&mut self, id: &InstanceId) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(id).filter(|instance| instance.terminated_at.is_none()) else {
            return;
        };
        instance.state = InstanceState::Terminated;
        instance.terminated_at = Some(now);
    }

    fn describe_instances(&self, asks: &DescribeInstances) -> Result<Page<Instance>, AwsError> {
        filter::check(&asks.filters, &["instance-id", "instance-state-name", "image-id"])?;
        check_page(&asks.paging, 5, 1000)?;
        if !asks.ids.is_empty() && asks.paging.max_results.is_some() {
            return Err(AwsError::new(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            ));
        }
        for id in &asks.ids {
            self.instance(id)?;
        }
        let found = self.instances.values().filter(|instance| {
            (asks.ids.is_empty() || asks.ids.iter().any(|id| id == instance.id.as_str()))
                && self.is_told(instance)
                && filter::passes(&asks.filters, &instance.tags, |name| {
                    vec![match name {
                        "instance-id" => instance.id.to_string(),
                        "image-id" => instance.image.to_string(),
                        _ => instance.state.name().to_owned(),
                    }]
                })
        });
        let keyed = found.map(|instance| (instance.id.to_string(), instance.clone()));
        filter::page(keyed, &asks.paging, self.settings.page_items_max)
    }
}

/// The tags that Auto Scaling gives to what it launches (AWS: Tag Auto Scaling groups and instances).
pub(crate) fn member_tags(group: &GroupName, template: Option<&(TemplateId, u64)>) -> Tags {
    let mut tags = Tags::from([("aws:autoscaling:groupName".to_owned(), group.to_string())]);
    if let Some((id, version)) = template {
        tags.insert("aws:ec2launchtemplate:id".to_owned(), id.to_string());
        tags.insert("aws:ec2launchtemplate:version".to_owned(), version.to_string());
    }
    tags
}

/// AWS: EC2 error codes, …Malformed: the prefix, then 8 or 17 hexadecimal digits.
pub(crate) fn check_id(id: &str, prefix: &str, code: &str, what: &str) -> Result<(), AwsError> {
    let digits = id.strip_prefix(prefix).unwrap_or_default();
    let well_formed = matches!(digits.len(), 8 | 17)
        && digits.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit));
    if well_formed { Ok(()) } else { Err(AwsError::new(code, format!("Invalid {what} \"{id}\""))) }
}

/// AWS: DescribeInstances, DescribeSnapshots, ..: the bounds of MaxResults.
pub(crate) fn check_page(paging: &Paging, least: usize, most: usize) -> Result<(), AwsError> {
    match paging.max_results {
        Some(asked) if asked < least || asked > most => Err(AwsError::new(
            "InvalidParameterValue",
            format!("Value ( {asked} ) for parameter maxResults is invalid. Expecting a value from {least} to {most}."),
        )),
        _ => Ok(()),
    }
}
