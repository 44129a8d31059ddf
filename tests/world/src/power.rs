//! The power of instances: systems that shut down, late or never, hosts that have no room, and what forbids a stop.

use std::convert::Infallible;

use lastgood_core::id::InstanceId;
use lastgood_core::{Time, seconds_between};

use crate::events;
use crate::fault::AwsError;
use crate::instance::{Instance, InstanceState};
use crate::service::Ec2;
use crate::state::{Asked, Due, State, World, ec2_arn};

/// How long AWS takes to take an instance off that is forced, once its system had its chance.
const FORCED_SECONDS: i64 = 10;

/// What the log says of a call that was a trial run.
pub const TRIAL: &str = "(trial)";

/// AWS's yes to a trial run.
pub(crate) fn would_be_done() -> AwsError {
    AwsError::with_status(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

/// What an instance is that matters to a stop.
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, whatever the others are")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// Its system does not shut down when it is asked to.
    pub ignores_shutdown: bool,
    /// How long its system takes to shut down; the world's pace if it is not said.
    pub shutdown_seconds: Option<i64>,
    /// Stop protection is on.
    pub stop_protected: bool,
    /// It is a Spot instance; whether its request is for one time.
    pub spot: Option<bool>,
    /// It may hibernate.
    pub hibernates: bool,
    /// Its root volume is instance store.
    pub root_in_store: bool,
    /// Its public address, and whether that is the account's own.
    pub address: Option<(String, bool)>,
}

/// Who took an instance off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffBy {
    /// One of our functions.
    Us,
    /// Anybody else.
    Others,
}

impl Ec2<'_> {
    /// StopInstances, for one instance: its state before and now.
    pub fn stop_instance(&self, id: &InstanceId, force: bool) -> Result<(InstanceState, InstanceState), AwsError> {
        let about = if force { format!("{id} forced") } else { id.to_string() };
        let asked = Asked::new("ec2:StopInstances", ec2_arn("instance", id), about);
        self.0.serve(asked, |state| state.stop_instance(id, force))
    }

    /// StartInstances, for one instance: its state before and now.
    pub fn start_instance(&self, id: &InstanceId) -> Result<(InstanceState, InstanceState), AwsError> {
        let started = id.clone();
        let asked = Asked::new("ec2:StartInstances", ec2_arn("instance", id), id.as_str())
            .and_more(move |state| state.needs_to_start(&started));
        self.0.serve(asked, |state| state.start_instance(id))
    }

    /// StartInstances with DryRun: its yes is an error, too. Permissions are judged first (AWS: Error codes, DryRunOperation).
    pub fn may_start(&self, id: &InstanceId) -> Result<Infallible, AwsError> {
        let started = id.clone();
        let asked = Asked::new("ec2:StartInstances", ec2_arn("instance", id), format!("{id} {TRIAL}"))
            .and_more(move |state| state.needs_to_try_a_start(&started));
        self.0.serve(asked, |state| {
            state.instance(id.as_str())?;
            Err(would_be_done())
        })
    }

    /// DescribeInstanceAttribute of `disableApiStop`.
    pub fn stop_protected(&self, id: &InstanceId) -> Result<bool, AwsError> {
        let asked = Asked::new("ec2:DescribeInstanceAttribute", ec2_arn("instance", id), id.as_str());
        self.0.serve(asked, |state| Ok(state.instance(id.as_str())?.nature.stop_protected))
    }

    /// DescribeSpotInstanceRequests by the instance: whether each is for one time.
    pub fn spot_requests(&self, id: &str) -> Result<Vec<bool>, AwsError> {
        let asked = Asked::new("ec2:DescribeSpotInstanceRequests", "*", id);
        self.0.serve(asked, |state| {
            let found = state.instances.get(&InstanceId::from(id));
            Ok(found.and_then(|instance| instance.nature.spot).into_iter().collect())
        })
    }
}

impl World {
    /// Changes what an instance is. Not a call.
    pub fn change_nature(&self, id: &InstanceId, change: impl FnOnce(&mut Nature)) {
        if let Some(instance) = self.lock().instances.get_mut(id) {
            change(&mut instance.nature);
        }
    }

    /// There is no room to start anything, or there is again. Not a call.
    pub fn no_room(&self, is_so: bool) {
        self.lock().faults.no_room = is_so;
    }

    /// The instance is off now, at once and without a call: its operator did that. It keeps its volumes.
    pub fn stop(&self, id: &InstanceId) {
        let mut state = self.lock();
        let found = state.instances.get_mut(id);
        let is_on = |one: &&mut Instance| {
            matches!(one.state, InstanceState::Pending | InstanceState::Running | InstanceState::Stopping)
        };
        if let Some(instance) = found.filter(is_on) {
            instance.state = InstanceState::Stopped;
            instance.off_by = Some(OffBy::Others);
        }
        state.member_changed(id);
    }

    /// A stopped instance is started again, by its operator.
    pub fn start(&self, id: &InstanceId) {
        let state = &mut *self.lock();
        let is_off = state.instances.get(id).is_some_and(|instance| instance.state == InstanceState::Stopped);
        if is_off {
            state.power_on(id);
        }
    }

    /// One instance, terminated or not.
    pub fn machine(&self, id: &InstanceId) -> Option<Instance> {
        self.lock().instances.get(id).cloned()
    }

    /// Instances that are off, or going off, because of us.
    pub fn off_by_us(&self) -> Vec<InstanceId> {
        let state = self.lock();
        let off = state.instances.values().filter(|instance| {
            instance.off_by == Some(OffBy::Us)
                && matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping)
        });
        off.map(|instance| instance.id.clone()).collect()
    }
}

impl State {
    fn stop_instance(&mut self, id: &InstanceId, force: bool) -> Result<(InstanceState, InstanceState), AwsError> {
        let by = if self.witness.caller.is_some() { OffBy::Us } else { OffBy::Others };
        let pace = self.settings.shutdown_seconds;
        let instance = self.instance(id.as_str())?;
        let before = instance.state;
        let nature = instance.nature.clone();
        let wrong = || {
            let message = format!("The instance '{id}' is not in a state from which it can be stopped.");
            AwsError::new("IncorrectInstanceState", message)
        };
        match before {
            InstanceState::Stopped => return Ok((before, before)),
            InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated => return Err(wrong()),
            InstanceState::Running | InstanceState::Stopping => {}
        }
        if nature.stop_protected {
            let message = format!(
                "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
            );
            return Err(AwsError::new("OperationNotPermitted", message));
        }
        if nature.spot == Some(true) {
            let message = format!(
                "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request."
            );
            return Err(AwsError::new("UnsupportedOperation", message));
        }
        let machine = self.instances.get_mut(id).expect("it was just found");
        if before == InstanceState::Running {
            machine.state = InstanceState::Stopping;
            machine.off_by = Some(by);
            machine.turns += 1;
        }
        let turn = machine.turns;
        let asked_nicely = nature.shutdown_seconds.unwrap_or(pace);
        if !nature.ignores_shutdown && before == InstanceState::Running {
            self.after(asked_nicely, Due::InstanceOff(id.clone(), turn));
        }
        if force {
            self.after(FORCED_SECONDS, Due::InstanceOff(id.clone(), turn));
        }
        self.member_changed(id);
        Ok((before, InstanceState::Stopping))
    }

    fn start_instance(&mut self, id: &InstanceId) -> Result<(InstanceState, InstanceState), AwsError> {
        let before = self.instance(id.as_str())?.state;
        match before {
            InstanceState::Running | InstanceState::Pending => Ok((before, before)),
            InstanceState::Stopped
                if self.faults.no_room || self.sky.strikes(self.sky.weather.starts_failing, "starts refused") =>
            {
                let message = "We currently do not have sufficient capacity in the Availability Zone you requested";
                Err(AwsError::with_status(500, "InsufficientInstanceCapacity", message))
            }
            InstanceState::Stopped => {
                self.power_on(id);
                Ok((before, InstanceState::Pending))
            }
            InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated => {
                let message = format!("The instance '{id}' is not in a state from which it can be started.");
                Err(AwsError::new("IncorrectInstanceState", message))
            }
        }
    }

    /// It comes up, on another host perhaps: its passing address is another one (AWS: How EC2 instance stop and start works).
    fn power_on(&mut self, id: &InstanceId) {
        let (now, seconds) = (self.now, self.settings.instance_pending_seconds);
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.state = InstanceState::Pending;
        instance.launched_at = now;
        instance.off_by = None;
        instance.turns += 1;
        if let Some((address, false)) = &mut instance.nature.address {
            *address = format!("203.0.113.{}", instance.turns % 256);
        }
        self.after(seconds, Due::InstanceRuns(id.clone()));
    }

    /// Its system has shut down, or it was forced off: if it is still in that very stop.
    pub(crate) fn instance_off(&mut self, id: &InstanceId, turn: u64) {
        let found = self.instances.get_mut(id);
        let Some(instance) = found.filter(|one| one.state == InstanceState::Stopping && one.turns == turn) else {
            return;
        };
        instance.state = InstanceState::Stopped;
        events::instance_stopped(self, id);
    }
}

/// How much of something that ends at `done` is there at `now`, in percent.
pub(crate) fn percent(begun: Time, done: Time, now: Time) -> u32 {
    let (whole, passed) = (seconds_between(begun, done).max(1), seconds_between(begun, now).max(0));
    u32::try_from(passed.saturating_mul(100) / whole).unwrap_or(100).min(99)
}
