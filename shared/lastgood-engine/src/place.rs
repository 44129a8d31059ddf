//! What stands where a plan publishes: the version that a group launches from, or a parameter.

use lastgood_core::facts::{LaunchSource, Resource, TemplateVersion};
use lastgood_core::plan::PublishTo;
use lastgood_core::source::Found;

use crate::call::Cloud;
use crate::call::ec2::VersionOf;
use crate::call::ssm::GetParameter;
use crate::port::CallFailed;

/// What is read of the place where a plan publishes a group's image.
pub(crate) enum Read {
    /// Nothing is published, or nothing can be told.
    Nothing,
    /// The version in use.
    Version(TemplateVersion),
    /// What stands in the parameter.
    Parameter(Option<String>),
    /// AWS does not tell, in words.
    Refused(String),
}

impl Read {
    /// The image that stands there: `None` if that can't be told, and then any image is taken as it is found.
    pub(crate) fn image_in_use(&self) -> Option<Found> {
        match self {
            Self::Version(version) => Some(Found(version.image.clone())),
            Self::Parameter(value) => Some(Found(value.clone())),
            Self::Nothing | Self::Refused(_) => None,
        }
    }
}

/// Reads it: one call, or none.
pub(crate) async fn read(cloud: &impl Cloud, resource: &Resource, to: &PublishTo) -> Result<Read, CallFailed> {
    let Resource::Group(group) = resource;
    Ok(match (to, group.launches_from.template()) {
        (PublishTo::Group, None) => match &group.launches_from {
            LaunchSource::Unreadable(what) => Read::Refused(what.clone()),
            LaunchSource::Template(_) | LaunchSource::Mixed(_) | LaunchSource::Configuration(_) => Read::Nothing,
        },
        (PublishTo::Nothing, _) => Read::Nothing,
        (PublishTo::Parameter(name), _) => match cloud.call(&GetParameter(name.clone())).await? {
            Ok(found) => Read::Parameter(found.map(|found| found.value)),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
        (PublishTo::Group, Some(named)) => match cloud.call(&VersionOf::named(named)).await? {
            Ok(version) => Read::Version(version),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
    })
}
