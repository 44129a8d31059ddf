//! DescribeInstances, DescribeInstanceTypes.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{self, InstanceStateName, InstanceType, ProcessorInfo};
use lastgood_core::Time;
use lastgood_core::facts::Instance;
use lastgood_core::id::{ImageId, InstanceId};
use lastgood_engine::call::ec2::{Architectures, InstancesById, InstancesOf};
use lastgood_engine::{Answers, Call, Called};

use super::{FILTER_VALUES_MAX, PAGE_ITEMS, filter};
use crate::Aws;
use crate::refusals::{answer, told};

const DESCRIBE: &str = InstancesById::ACTION;

impl Answers<InstancesById> for Aws {
    async fn call(&self, InstancesById(ids): &InstancesById) -> Called<Vec<Instance>> {
        let mut instances = Vec::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            let filter = filter("instance-id", ids.iter().map(ToString::to_string));
            let mut pages = self.ec2.describe_instances().filters(filter).into_paginator().page_size(PAGE_ITEMS).send();
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
}

/// All that may still be started or stopped again.
const THERE: [&str; 5] = ["pending", "running", "stopping", "stopped", "shutting-down"];

impl Answers<InstancesOf> for Aws {
    async fn call(&self, InstancesOf(image): &InstancesOf) -> Called<Vec<InstanceId>> {
        let request = self
            .ec2
            .describe_instances()
            .filters(filter("image-id", [image.to_string()]))
            .filters(filter("instance-state-name", THERE.map(str::to_owned)));
        let mut pages = request.into_paginator().page_size(PAGE_ITEMS).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            match answer(DESCRIBE, page)? {
                Ok(page) => {
                    let all = page.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
                    for instance in all {
                        found.push(InstanceId::from(told(DESCRIBE, instance.instance_id(), "an instance's id")?));
                    }
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(found))
    }
}

/// An instance whose launch time AWS does not tell can't be the newest one.
fn instance(instance: &types::Instance) -> Option<Instance> {
    let running = instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running);
    let launched_at = Time::from_second(instance.launch_time()?.secs()).ok()?;
    let image = instance.image_id().map(ImageId::from);
    Some(Instance { id: InstanceId::from(instance.instance_id()?), running, launched_at, image })
}

/// The most types of one call (AWS: DescribeInstanceTypes).
const TYPES_A_CALL_MAX: usize = 100;

impl Answers<Architectures> for Aws {
    async fn call(&self, Architectures(types): &Architectures) -> Called<BTreeMap<String, Vec<String>>> {
        let mut architectures = BTreeMap::new();
        for names in types.chunks(TYPES_A_CALL_MAX) {
            let names = names.iter().map(|name| InstanceType::from(name.as_str())).collect();
            let mut pages = self.ec2.describe_instance_types().set_instance_types(Some(names)).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = match answer(Architectures::ACTION, page)? {
                    Ok(page) => page,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                for found in page.instance_types() {
                    let runs = found.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
                    let runs = runs.iter().map(|architecture| architecture.as_str().to_owned()).collect();
                    if let Some(name) = found.instance_type() {
                        architectures.insert(name.as_str().to_owned(), runs);
                    }
                }
            }
        }
        Ok(Ok(architectures))
    }
}
