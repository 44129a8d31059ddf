//! EC2: instances by tag, what a stop of one would meet, and their power.

use std::collections::BTreeSet;

use lastgood_core::facts::{Instance, InstanceState, Tags};
use lastgood_core::id::InstanceId;

use super::Call;
use super::ec2::TYPES_A_CALL_MAX;

/// The instances that bear all of these tags and are not terminated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancesTagged(pub Tags);

impl Call for InstancesTagged {
    type Told = Vec<Instance>;
    const ACTION: &'static str = "ec2:DescribeInstances";
}

/// Those of these instance types that bring volumes of instance store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypesInStore(pub Vec<String>);

impl Call for TypesInStore {
    type Told = BTreeSet<String>;
    const ACTION: &'static str = "ec2:DescribeInstanceTypes";

    fn times(&self) -> usize {
        self.0.len().div_ceil(TYPES_A_CALL_MAX)
    }
}

/// Whether stop protection of an instance is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopProtected(pub InstanceId);

impl Call for StopProtected {
    type Told = bool;
    const ACTION: &'static str = "ec2:DescribeInstanceAttribute";
}

/// Whether the Spot request of an instance is for one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeSpot(pub InstanceId);

impl Call for OneTimeSpot {
    type Told = bool;
    const ACTION: &'static str = "ec2:DescribeSpotInstanceRequests";
}

/// Whether whoever asks may start an instance: a trial run, which starts nothing (AWS: StartInstances, DryRun). A refusal is no
/// more than what AWS says of it: only [`lastgood_core::refusal::Why::Denied`] says that the right is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MayStart(pub InstanceId);

impl Call for MayStart {
    type Told = ();
    const ACTION: &'static str = StartInstance::ACTION;
}

/// Shut an instance down, and tell what it was before, if AWS says. Its system is asked first, always; with `force` it is taken
/// off if it does not. Made once: an adapter that tries again by itself would tell what its own first try has brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopInstance {
    /// Which.
    pub instance: InstanceId,
    /// Its system had its time.
    pub force: bool,
}

impl Call for StopInstance {
    type Told = Option<InstanceState>;
    const ACTION: &'static str = "ec2:StopInstances";
}

/// Start an instance. One that runs goes on running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartInstance(pub InstanceId);

impl Call for StartInstance {
    type Told = ();
    const ACTION: &'static str = "ec2:StartInstances";
}
