//! Finding sources at AWS, by name and by tag: each kind by its own calls.

use lastgood_core::facts::{Cache, Instance, InstanceState, Resource, Tags};
use lastgood_core::id::{CacheId, GroupName, InstanceId, SourceId};
use lastgood_core::plan::Plan;
use lastgood_core::refusal::Why;
use lastgood_core::source::Source;

use crate::call::autoscaling::{GroupsNamed, GroupsTagged};
use crate::call::ec2::InstancesById;
use crate::call::elasticache::{CacheTags, CachesById, CachesTagged};
use crate::call::power::InstancesTagged;
use crate::call::{Called, Cloud};

/// Those of these that AWS tells. One that it does not tell proves nothing (AWS: Eventual consistency).
pub(crate) async fn named(cloud: &impl Cloud, ids: Vec<SourceId>) -> Called<Vec<Resource>> {
    let groups: Vec<GroupName> = ids.iter().filter_map(SourceId::group).cloned().collect();
    let caches: Vec<CacheId> = ids.iter().filter_map(SourceId::cache).cloned().collect();
    let instances: Vec<InstanceId> = ids.iter().filter_map(SourceId::instance).cloned().collect();
    let mut found = Vec::new();
    if !groups.is_empty() {
        match cloud.call(&GroupsNamed(groups)).await? {
            Ok(told) => found.extend(told.into_iter().map(Resource::Group)),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    if !caches.is_empty() {
        match caches_named(cloud, caches).await? {
            Ok(told) => found.extend(told.into_iter().map(|cache| Resource::Cache(Box::new(cache)))),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    if !instances.is_empty() {
        match cloud.call(&InstancesById(instances)).await? {
            Ok(told) => found.extend(there(told)),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    found.retain(|resource| ids.contains(&resource.id()));
    Ok(Ok(found))
}

/// Those that are not terminated: AWS tells of one for an hour after that (AWS: Terminate Amazon EC2 instances).
fn there(told: Vec<Instance>) -> impl Iterator<Item = Resource> {
    let there = told.into_iter().filter(|instance| instance.state != InstanceState::Leaving);
    there.map(|instance| Resource::Instance(Box::new(instance)))
}

/// The same of caches, with their tags, which no describe tells.
async fn caches_named(cloud: &impl Cloud, ids: Vec<CacheId>) -> Called<Vec<Cache>> {
    let caches = match cloud.call(&CachesById(ids)).await? {
        Ok(caches) => caches,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut found = Vec::new();
    for cache in caches {
        match cloud.call(&CacheTags(cache.arn.clone())).await? {
            Ok(tags) => found.push(Cache { tags, ..cache }),
            // AWS tells no tags of one that is busy: it is there all the same (AWS: ListTagsForResource).
            Err(refusal) if refusal.why.passes() => found.push(cache),
            // It went between the two looks.
            Err(refusal) if refusal.why == Why::Missing => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(found))
}

/// Those that bear all of these tags. A member of a group may have them from its group, and is backed up with that.
async fn tagged(cloud: &impl Cloud, tags: &Tags) -> Called<Vec<Resource>> {
    let groups = match cloud.call(&GroupsTagged(tags.clone())).await? {
        Ok(groups) => groups,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let tagged = match cloud.call(&CachesTagged(tags.clone())).await? {
        Ok(caches) => caches,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut instances = match cloud.call(&InstancesTagged(tags.clone())).await? {
        Ok(instances) => instances,
        Err(refusal) => return Ok(Err(refusal)),
    };
    instances.retain(|instance| instance.group().is_none());
    let mut found: Vec<Resource> = groups.into_iter().map(Resource::Group).chain(there(instances)).collect();
    if !tagged.is_empty() {
        let ids = tagged.iter().map(|(id, _)| id.clone()).collect();
        let caches = match cloud.call(&CachesById(ids)).await? {
            Ok(caches) => caches,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // The nodes of a replication group bear its tags, and are backed up with it.
        let whole = caches.into_iter().filter(|cache| cache.member_of.is_none());
        found.extend(whole.filter_map(|cache| {
            let (_, tags) = tagged.iter().find(|(id, _)| *id == cache.id)?;
            Some(Resource::Cache(Box::new(Cache { tags: tags.clone(), ..cache })))
        }));
    }
    Ok(Ok(found))
}

/// Each that matters to a plan: those that it names, those on record under it, and those that bear its tags.
pub(crate) async fn of_plan(cloud: &impl Cloud, plan: &Plan, known: &[Source]) -> Called<Vec<Resource>> {
    let ours = known.iter().filter(|source| source.plan.as_ref() == Some(&plan.name));
    let mut ids: Vec<SourceId> = plan.select.sources.iter().chain(ours.map(|source| &source.id)).cloned().collect();
    ids.sort();
    ids.dedup();
    let mut found = Vec::new();
    if !plan.select.tags.is_empty() {
        match tagged(cloud, &plan.select.tags).await? {
            Ok(tagged) => found.extend(tagged),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    ids.retain(|id| !found.iter().any(|resource: &Resource| resource.id() == *id));
    let is_node = |resource: &Resource| matches!(resource, Resource::Cache(cache) if cache.member_of.is_some());
    let named = match named(cloud, ids).await? {
        Ok(named) => named,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // One that became a node of a group is found with that. Whoever names it is told.
    found.extend(named.into_iter().filter(|found| !is_node(found) || plan.select.sources.contains(&found.id())));
    Ok(Ok(found))
}
