//! Reading what stands where a plan publishes.

use lastgood_core::facts::{LaunchSource, Resource};
use lastgood_core::plan::PublishTo;
use lastgood_core::source::Standing;

use crate::call::Cloud;
use crate::call::ec2::VersionOf;
use crate::call::ssm::GetParameter;
use crate::port::CallFailed;

/// Reads it: one call, or none.
pub(crate) async fn standing(cloud: &impl Cloud, resource: &Resource, to: &PublishTo) -> Result<Standing, CallFailed> {
    let Resource::Group(group) = resource else { return Ok(Standing::Nothing) };
    Ok(match (to, group.launches_from.template()) {
        (PublishTo::Group, None) => match &group.launches_from {
            LaunchSource::Unreadable(what) => Standing::Refused(what.clone()),
            LaunchSource::Template(_) | LaunchSource::Mixed(_) | LaunchSource::Configuration(_) => Standing::Nothing,
        },
        (PublishTo::Nothing, _) => Standing::Nothing,
        (PublishTo::Parameter(name), _) => match cloud.call(&GetParameter(name.clone())).await? {
            Ok(found) => Standing::Parameter(found.map(|found| found.value)),
            Err(refusal) => Standing::Refused(refusal.to_string()),
        },
        (PublishTo::Group, Some(named)) => match cloud.call(&VersionOf::named(named)).await? {
            Ok(version) => Standing::Version(version),
            Err(refusal) => Standing::Refused(refusal.to_string()),
        },
    })
}
