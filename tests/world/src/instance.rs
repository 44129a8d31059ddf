//! Instances and their volumes.

use lastgood_core::facts::Tags;
use lastgood_core::id::{ImageId, InstanceId, SnapshotId};
use lastgood_core::{Time, seconds_between};

use crate::access::Need;
use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::instance_type::Architecture;
use crate::launch::Launch;
use crate::power::{Nature, OffBy};
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
    /// The snapshot that it began with; without one it began empty.
    pub from_snapshot: Option<SnapshotId>,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Its youngest snapshot began then.
    pub last_snapshot_at: Option<Time>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<SnapshotId>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: InstanceId,
    /// What it was launched from.
    pub image: ImageId,
    /// `m5.large`, ..
    pub instance_type: String,
    /// Its image's and its type's.
    pub architecture: Architecture,
    /// `/dev/xvda`, ..
    pub root_device: String,
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
    /// What matters to a stop.
    pub nature: Nature,
    /// Who took it off, if it is off.
    pub off_by: Option<OffBy>,
    /// How often it was taken off or put on.
    pub(crate) turns: u64,
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
        self.0.serve(asked, |state| {
            let id = state.launch(launch)?;
            Ok(state.instances[&id].clone())
        })
    }

    /// DescribeInstances.
    pub fn describe_instances(&self, asks: &DescribeInstances) -> Result<Page<Instance>, AwsError> {
        let about = format!("{:?} {:?}", asks.ids, asks.filters);
        self.0.serve(Asked::new("ec2:DescribeInstances", "*", about), |state| state.describe_instances(asks))
    }

    /// TerminateInstances: the states before.
    pub fn terminate_instances(&self, ids: &[InstanceId]) -> Result<Vec<(InstanceId, InstanceState)>, AwsError> {
        let mut asked = Asked::new("ec2:TerminateInstances", "", format!("{ids:?}"));
        asked.needs = ids.iter().map(|id| Need::new("ec2:TerminateInstances", ec2_arn("instance", id))).collect();
        self.0.serve(asked, |state| {
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
        self.member_gone(id);
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
