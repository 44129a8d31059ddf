//! StopInstances, StartInstances, and what a stop would meet.

use std::collections::BTreeSet;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{InstanceAttributeName, InstanceType, SpotInstanceType};
use lastgood_core::facts::{Instance, InstanceState};
use lastgood_engine::call::ec2::TYPES_A_CALL_MAX;
use lastgood_engine::call::power::{
    InstancesTagged, MayStart, OneTimeSpot, StartInstance, StopInstance, StopProtected, TypesInStore,
};
use lastgood_engine::{Answers, Call, Called};

use super::instances::{THERE, described, instance, state};
use super::{filter, literal};
use crate::refusals::{answer, trial};
use crate::{Aws, pages};

impl Answers<InstancesTagged> for Aws {
    async fn call(&self, InstancesTagged(tags): &InstancesTagged) -> Called<Vec<Instance>> {
        let mut request = self.ec2.describe_instances();
        for (key, value) in tags {
            request = request.filters(filter(format!("tag:{key}"), [literal(value)]));
        }
        let request = request.filters(filter("instance-state-name", THERE.map(str::to_owned)));
        Ok(described(request, |found| Ok(instance(found))).await?.map(|found| found.into_iter().flatten().collect()))
    }
}

impl Answers<TypesInStore> for Aws {
    async fn call(&self, TypesInStore(types): &TypesInStore) -> Called<BTreeSet<String>> {
        let mut in_store = BTreeSet::new();
        for names in types.chunks(TYPES_A_CALL_MAX) {
            let names = names.iter().map(|name| InstanceType::from(name.as_str())).collect();
            let pages = self.ec2.describe_instance_types().set_instance_types(Some(names)).into_paginator().send();
            let read = |page: aws_sdk_ec2::operation::describe_instance_types::DescribeInstanceTypesOutput| {
                let with =
                    page.instance_types().iter().filter(|kind| kind.instance_storage_supported().unwrap_or(false));
                Ok(with.filter_map(|kind| Some(kind.instance_type()?.as_str().to_owned())).collect())
            };
            match pages::all(TypesInStore::ACTION, pages, read).await? {
                Ok(found) => in_store.extend::<Vec<String>>(found),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(in_store))
    }
}

impl Answers<StopProtected> for Aws {
    async fn call(&self, StopProtected(instance): &StopProtected) -> Called<bool> {
        let request = self.ec2.describe_instance_attribute().instance_id(instance.as_str());
        let result = request.attribute(InstanceAttributeName::DisableApiStop).send().await;
        Ok(answer(StopProtected::ACTION, result)?.map(|output| {
            // What is not plainly off counts as on.
            output.disable_api_stop().is_none_or(|value| value.value().unwrap_or(true))
        }))
    }
}

impl Answers<OneTimeSpot> for Aws {
    async fn call(&self, OneTimeSpot(instance): &OneTimeSpot) -> Called<bool> {
        let request = self.ec2.describe_spot_instance_requests();
        let pages = request.filters(filter("instance-id", [instance.to_string()])).into_paginator().send();
        let read =
            |page: aws_sdk_ec2::operation::describe_spot_instance_requests::DescribeSpotInstanceRequestsOutput| {
                Ok(page.spot_instance_requests().iter().map(|request| request.r#type().cloned()).collect())
            };
        let found = pages::all(OneTimeSpot::ACTION, pages, read).await?;
        // One of which nothing is told is not stopped.
        Ok(found.map(|found| !found.contains(&Some(SpotInstanceType::Persistent))))
    }
}

impl Answers<MayStart> for Aws {
    async fn call(&self, MayStart(instance): &MayStart) -> Called<()> {
        let request = self.ec2.start_instances().instance_ids(instance.as_str()).dry_run(true);
        trial(MayStart::ACTION, request.send().await)
    }
}

impl Answers<StopInstance> for Aws {
    async fn call(&self, StopInstance { instance, force }: &StopInstance) -> Called<Option<InstanceState>> {
        // Never SkipOsShutdown: what is not written out is lost with it (AWS: StopInstances).
        let request = self.ec2.stop_instances().instance_ids(instance.as_str()).force(*force);
        // Once: a second try would be told the state that the first one, whose answer was lost, has brought about.
        let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
        let result = request.customize().config_override(once).send().await;
        Ok(answer(StopInstance::ACTION, result)?.map(|output| {
            let changed =
                output.stopping_instances().iter().find(|changed| changed.instance_id() == Some(instance.as_str()));
            state(changed?.previous_state())
        }))
    }
}

impl Answers<StartInstance> for Aws {
    async fn call(&self, StartInstance(instance): &StartInstance) -> Called<()> {
        let result = self.ec2.start_instances().instance_ids(instance.as_str()).send().await;
        Ok(answer(StartInstance::ACTION, result)?.map(|_| ()))
    }
}
