//! Status checks of instances (AWS: Status checks for Amazon EC2 instances), and images that make sick instances.

use lastgood_core::id::{ImageId, InstanceId};
use lastgood_core::seconds_between;

use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::image::Sickness;
use crate::instance::{Instance, InstanceState};
use crate::service::Ec2;
use crate::state::{Asked, State, World};

/// What a status check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusCheck {
    /// It has not been done yet.
    Initializing,
    /// It passed.
    Ok,
    /// It failed.
    Impaired,
}

impl StatusCheck {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Ok => "ok",
            Self::Impaired => "impaired",
        }
    }
}

/// The status of a running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    /// Which.
    pub instance: InstanceId,
    /// `InstanceStatus`.
    pub check: StatusCheck,
    /// `SystemStatus`: the host's. Hosts are well here.
    pub system: StatusCheck,
}

/// What DescribeInstanceStatus is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeStatuses {
    /// By id: one unknown id fails the call.
    pub ids: Vec<String>,
    /// Which page. Not together with ids.
    pub paging: Paging,
}

impl Ec2<'_> {
    /// DescribeInstanceStatus: of running instances only.
    pub fn describe_statuses(&self, asks: &DescribeStatuses) -> Result<Page<InstanceStatus>, AwsError> {
        self.0.serve(Asked::new("ec2:DescribeInstanceStatus", "*", format!("{:?}", asks.ids)), |state| {
            for id in &asks.ids {
                state.instance(id)?;
            }
            let running = state.instances.values().filter(|instance| instance.state == InstanceState::Running);
            let found =
                running.filter(|instance| asks.ids.is_empty() || asks.ids.iter().any(|id| id == instance.id.as_str()));
            let keyed = found.map(|instance| (instance.id.to_string(), state.status_of(instance)));
            let keyed: Vec<_> = keyed.collect();
            filter::page(keyed, &asks.paging, state.settings.page_items_max)
        })
    }
}

impl State {
    fn status_of(&self, instance: &Instance) -> InstanceStatus {
        let is_new = seconds_between(instance.launched_at, self.now) < self.settings.status_seconds;
        let sickness = self.images.get(&instance.image).and_then(|image| image.sickness);
        let well = if is_new { StatusCheck::Initializing } else { StatusCheck::Ok };
        let check = if sickness == Some(Sickness::Impaired) && !is_new { StatusCheck::Impaired } else { well };
        InstanceStatus { instance: instance.id.clone(), check, system: well }
    }
}

impl World {
    /// What is launched from this image from now on is sick. Not a call.
    pub fn make_sick(&self, image: &ImageId, sickness: Sickness) {
        if let Some(image) = self.lock().images.get_mut(image) {
            image.sickness = Some(sickness);
        }
    }
}
