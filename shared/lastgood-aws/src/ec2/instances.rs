//! DescribeInstances.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{self, InstanceStateName};
use lastgood_core::Time;
use lastgood_core::facts::Instance;
use lastgood_core::id::InstanceId;
use lastgood_engine::{Answer, CallFailed};

use super::{FILTER_VALUES_MAX, PAGE_ITEMS, filter};
use crate::refusals::answer;

const DESCRIBE: &str = "ec2:DescribeInstances";

pub(crate) async fn instances(client: &Client, ids: &[InstanceId]) -> Result<Answer<Vec<Instance>>, CallFailed> {
    let mut instances = Vec::new();
    for ids in ids.chunks(FILTER_VALUES_MAX) {
        let filter = filter("instance-id", ids.iter().map(ToString::to_string));
        let mut pages = client.describe_instances().filters(filter).into_paginator().page_size(PAGE_ITEMS).send();
        while let Some(page) = pages.next().await {
            match answer(DESCRIBE, page)? {
                Ok(page) => {
                    let all = page.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
                    instances.extend(all.filter_map(instance));
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
    }
    Ok(Ok(instances))
}

/// An instance whose launch time AWS does not tell can't be the newest one.
fn instance(instance: &types::Instance) -> Option<Instance> {
    let running = instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running);
    let launched_at = Time::from_second(instance.launch_time()?.secs()).ok()?;
    Some(Instance { id: InstanceId::from(instance.instance_id()?), running, launched_at })
}
