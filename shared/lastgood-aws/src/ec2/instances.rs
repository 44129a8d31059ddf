//! DescribeInstances, DescribeInstanceTypes.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::describe_instances::builders::DescribeInstancesFluentBuilder;
use aws_sdk_ec2::types::{self, InstanceStateName, InstanceStatus, InstanceType, ProcessorInfo, SummaryStatus};
use lastgood_core::Time;
use lastgood_core::facts::{Instance, InstanceState, Runs, StatusCheck};
use lastgood_core::id::{ImageId, InstanceId, VolumeId};
use lastgood_engine::call::ec2::{
    FILTER_VALUES_MAX, InstancesById, InstancesOf, STATUSES_A_CALL_MAX, StatusesOf, TYPES_A_CALL_MAX, TypesRun,
};
use lastgood_engine::{Answers, Call, CallFailed, Called};

use super::{PAGE_ITEMS, filter, tags};
use crate::refusals::told;
use crate::{Aws, pages};

const DESCRIBE: &str = InstancesById::ACTION;

impl Answers<InstancesById> for Aws {
    async fn call(&self, InstancesById(ids): &InstancesById) -> Called<Vec<Instance>> {
        let mut instances = Vec::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            let filter = filter("instance-id", ids.iter().map(ToString::to_string));
            let request = self.ec2.describe_instances().filters(filter);
            match described(request, |found| Ok(instance(found))).await? {
                Ok(found) => instances.extend(found.into_iter().flatten()),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(instances))
    }
}

impl Answers<StatusesOf> for Aws {
    /// By id, for there is no filter for that (AWS: DescribeInstanceStatus). One that is gone fails the call: its group, which is
    /// read again before the next one, tells it no longer.
    async fn call(&self, StatusesOf(ids): &StatusesOf) -> Called<BTreeMap<InstanceId, StatusCheck>> {
        let mut checks = BTreeMap::new();
        for ids in ids.chunks(STATUSES_A_CALL_MAX) {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let pages = self.ec2.describe_instance_status().set_instance_ids(Some(ids)).into_paginator().send();
            let found = pages::all(StatusesOf::ACTION, pages, |page| {
                Ok(page.instance_statuses().iter().filter_map(check).collect())
            });
            match found.await? {
                Ok(found) => checks.extend::<Vec<_>>(found),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(checks))
    }
}

fn check(found: &InstanceStatus) -> Option<(InstanceId, StatusCheck)> {
    let id = InstanceId::from(found.instance_id()?);
    let both = [found.instance_status(), found.system_status()];
    let words = both.map(|summary| summary.and_then(|summary| summary.status()));
    let check = if words.contains(&Some(&SummaryStatus::Impaired)) {
        StatusCheck::Failed
    } else if words.iter().all(|word| *word == Some(&SummaryStatus::Ok)) {
        StatusCheck::Passed
    } else {
        StatusCheck::Unknown
    };
    Some((id, check))
}

/// All that may still be started or stopped again.
pub(super) const THERE: [&str; 5] = ["pending", "running", "stopping", "stopped", "shutting-down"];

impl Answers<InstancesOf> for Aws {
    async fn call(&self, InstancesOf(image): &InstancesOf) -> Called<Vec<InstanceId>> {
        let request = self
            .ec2
            .describe_instances()
            .filters(filter("image-id", [image.to_string()]))
            .filters(filter("instance-state-name", THERE.map(str::to_owned)));
        described(request, |found| Ok(InstanceId::from(told(DESCRIBE, found.instance_id(), "an instance's id")?))).await
    }
}

/// What `read` finds in every instance of every page.
pub(super) async fn described<T>(
    request: DescribeInstancesFluentBuilder,
    read: impl Fn(&types::Instance) -> Result<T, CallFailed>,
) -> Called<Vec<T>> {
    let pages = request.into_paginator().page_size(PAGE_ITEMS).send();
    pages::all(DESCRIBE, pages, |page| {
        page.reservations().iter().flat_map(types::Reservation::instances).map(&read).collect()
    })
    .await
}

/// An instance whose launch time AWS does not tell can't be the newest one.
pub(super) fn instance(found: &types::Instance) -> Option<Instance> {
    let state = state(found.state()).unwrap_or(InstanceState::Pending);
    let launched_at = Time::from_second(found.launch_time()?.secs()).ok()?;
    let volumes = found.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.volume_id());
    // What is associated with an address of the account's own says so; AWS's own are `amazon` (AWS: InstanceNetworkInterfaceAssociation).
    let is_passing = |interface: &types::InstanceNetworkInterface| {
        let association = interface.association()?;
        let is_amazons = association.ip_owner_id() == Some("amazon");
        association.public_ip().filter(|_| is_amazons).map(str::to_owned)
    };
    Some(Instance {
        image: found.image_id().map(ImageId::from),
        tags: tags(found.tags()),
        instance_type: found.instance_type().map(|kind| kind.as_str().to_owned()),
        volumes: volumes.map(VolumeId::from).collect(),
        root_in_store: found.root_device_type() == Some(&types::DeviceType::InstanceStore),
        spot: found.instance_lifecycle() == Some(&types::InstanceLifecycleType::Spot),
        hibernates: found.hibernation_options().and_then(types::HibernationOptions::configured).unwrap_or(false),
        passing_address: found.network_interfaces().iter().find_map(is_passing),
        ..Instance::new(InstanceId::from(found.instance_id()?), state, launched_at)
    })
}

/// A state, if AWS says one.
pub(super) fn state(told: Option<&types::InstanceState>) -> Option<InstanceState> {
    Some(match told?.name()? {
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown | InstanceStateName::Terminated => InstanceState::Leaving,
        _ => InstanceState::Pending,
    })
}

impl Answers<TypesRun> for Aws {
    async fn call(&self, TypesRun(types): &TypesRun) -> Called<BTreeMap<String, Runs>> {
        let mut known = BTreeMap::new();
        for names in types.chunks(TYPES_A_CALL_MAX) {
            let names = names.iter().map(|name| InstanceType::from(name.as_str())).collect();
            let pages = self.ec2.describe_instance_types().set_instance_types(Some(names)).into_paginator().send();
            match pages::all(TypesRun::ACTION, pages, |page| Ok(page.instance_types.unwrap_or_default())).await? {
                Ok(found) => known.extend(found.iter().filter_map(runs)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(known))
    }
}

/// An instance type, and what it runs.
fn runs(found: &types::InstanceTypeInfo) -> Option<(String, Runs)> {
    let architectures = found.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
    let architectures = architectures.iter().map(|architecture| architecture.as_str().to_owned()).collect();
    let boot_modes = found.supported_boot_modes().iter().map(|mode| mode.as_str().to_owned()).collect();
    Some((found.instance_type()?.as_str().to_owned(), Runs { architectures, boot_modes }))
}
