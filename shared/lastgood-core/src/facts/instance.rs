//! EC2 instances, as AWS tells them.

use super::Tags;
use crate::Time;
use crate::id::{GroupName, ImageId, InstanceId, VolumeId};
use crate::refusal::Refusal;

/// An EC2 instance, as DescribeInstances tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// When it was last started.
    pub launched_at: Time,
    /// The image that it was launched from.
    pub image: Option<ImageId>,
    /// Its tags.
    pub tags: Tags,
    /// `m5.large`.
    pub instance_type: Option<String>,
    /// Its EBS volumes.
    pub volumes: Vec<VolumeId>,
    /// Its root volume is instance store: it can't be stopped at all (AWS: StopInstances).
    pub root_in_store: bool,
    /// It is a Spot instance.
    pub spot: bool,
    /// It may hibernate: AWS supports no image of such a one (AWS: Hibernate your Amazon EC2 instance, limitations).
    pub hibernates: bool,
    /// Its public address that AWS gave it, and that is another one after a stop (AWS: How EC2 instance stop and start works).
    pub passing_address: Option<String>,
}

impl Instance {
    /// One of which nothing but this is told.
    #[must_use]
    pub fn new(id: InstanceId, state: InstanceState, launched_at: Time) -> Self {
        Self {
            id,
            state,
            launched_at,
            image: None,
            tags: Tags::new(),
            instance_type: None,
            volumes: Vec::new(),
            root_in_store: false,
            spot: false,
            hibernates: false,
            passing_address: None,
        }
    }

    /// The group that it is a member of: Auto Scaling says so in a tag of its own (AWS: Tag Auto Scaling groups and instances).
    #[must_use]
    pub fn group(&self) -> Option<GroupName> {
        self.tags.get("aws:autoscaling:groupName").map(|name| GroupName::from(name.as_str()))
    }
}

/// The state of an instance (AWS: InstanceState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceState {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It is off.
    Stopped,
    /// It is being terminated, or is.
    Leaving,
}

/// What only other calls tell of an instance, and what a stop of it would meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopHazards {
    /// Its type brings volumes of instance store, whose data a stop erases.
    pub in_store: bool,
    /// Stop protection is on.
    pub protected: bool,
    /// Its Spot request is for one time: AWS does not stop such a one.
    pub one_time_spot: bool,
    /// The function that stops it may not start it again: AWS's refusal.
    pub no_start: Option<Refusal>,
}
