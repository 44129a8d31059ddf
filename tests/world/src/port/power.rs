//! EC2's calls about the power of instances.

use std::collections::BTreeSet;

use lastgood_core::facts;
use lastgood_engine::call::power::{
    InstancesTagged, MayStart, OneTimeSpot, StartInstance, StopInstance, StopProtected, TypesInStore,
};
use lastgood_engine::{Answers, Call, Called};

use super::ec2::NAMES_A_CALL;
use super::facts::{answer, instance_fact, state_fact};
use super::{all, parts};
use crate::filter::{Filter, Paging};
use crate::instance_type::{DescribeInstanceTypes, InstanceType};
use crate::power::would_be_done;
use crate::state::World;

impl Answers<InstancesTagged> for World {
    async fn call(&self, InstancesTagged(tags): &InstancesTagged) -> Called<Vec<facts::Instance>> {
        let tags = tags.iter().map(|(key, value)| Filter::new(&format!("tag:{key}"), value));
        let found = self.instances_there(tags.collect());
        answer(InstancesTagged::ACTION, found.map(|instances| instances.iter().map(instance_fact).collect()))
    }
}

impl Answers<TypesInStore> for World {
    async fn call(&self, TypesInStore(types): &TypesInStore) -> Called<BTreeSet<String>> {
        let found = parts(types, NAMES_A_CALL, |names| {
            all(|next_token| {
                let paging = Paging { next_token, ..Paging::default() };
                let asks = DescribeInstanceTypes { names: names.to_vec(), filters: Vec::new(), paging };
                self.ec2().describe_instance_types(&asks)
            })
        });
        let with = |found: Vec<InstanceType>| found.into_iter().filter(InstanceType::is_in_store).map(|kind| kind.name);
        answer(TypesInStore::ACTION, found.map(|found| with(found).collect()))
    }
}

impl Answers<StopProtected> for World {
    async fn call(&self, StopProtected(instance): &StopProtected) -> Called<bool> {
        answer(StopProtected::ACTION, self.ec2().stop_protected(instance))
    }
}

impl Answers<OneTimeSpot> for World {
    async fn call(&self, OneTimeSpot(instance): &OneTimeSpot) -> Called<bool> {
        let requests = self.ec2().spot_requests(instance.as_str());
        answer(OneTimeSpot::ACTION, requests.map(|requests| !requests.contains(&false)))
    }
}

impl Answers<MayStart> for World {
    async fn call(&self, MayStart(instance): &MayStart) -> Called<()> {
        let Err(error) = self.ec2().may_start(instance);
        answer(MayStart::ACTION, if error == would_be_done() { Ok(()) } else { Err(error) })
    }
}

impl Answers<StopInstance> for World {
    async fn call(&self, StopInstance { instance, force }: &StopInstance) -> Called<Option<facts::InstanceState>> {
        let stopped = self.ec2().stop_instance(instance, *force);
        answer(StopInstance::ACTION, stopped.map(|(before, _)| Some(state_fact(before))))
    }
}

impl Answers<StartInstance> for World {
    async fn call(&self, StartInstance(instance): &StartInstance) -> Called<()> {
        answer(StartInstance::ACTION, self.ec2().start_instance(instance).map(|_| ()))
    }
}
