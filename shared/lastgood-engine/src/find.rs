//! Finding sources at AWS, by name and by tag: each kind by its own calls.

use lastgood_core::facts::{Resource, Tags};
use lastgood_core::id::{GroupName, SourceId};
use lastgood_core::plan::Plan;
use lastgood_core::source::Source;

use crate::call::autoscaling::{GroupsNamed, GroupsTagged};
use crate::call::{Called, Cloud};

/// Those of these that AWS tells. One that it does not tell proves nothing (AWS: Eventual consistency).
pub(crate) async fn named(cloud: &impl Cloud, ids: Vec<SourceId>) -> Called<Vec<Resource>> {
    let groups: Vec<GroupName> = ids.iter().map(|SourceId::Group(name)| name.clone()).collect();
    if groups.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let told = cloud.call(&GroupsNamed(groups)).await?.map(|groups| groups.into_iter().map(Resource::Group));
    Ok(told.map(|told| told.filter(|resource| ids.contains(&resource.id())).collect()))
}

/// Those that bear all of these tags.
async fn tagged(cloud: &impl Cloud, tags: &Tags) -> Called<Vec<Resource>> {
    let groups = cloud.call(&GroupsTagged(tags.clone())).await?;
    Ok(groups.map(|groups| groups.into_iter().map(Resource::Group).collect()))
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
    match named(cloud, ids).await? {
        Ok(named) => found.extend(named),
        Err(refusal) => return Ok(Err(refusal)),
    }
    Ok(Ok(found))
}
