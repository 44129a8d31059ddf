//! Whether a plan file fits what is there: which groups its plans select, and whether each can be what its plan wants.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::Time;
use lastgood_core::facts::{Group, Resource, Tags};
use lastgood_core::group;
use lastgood_core::id::SourceId;
use lastgood_core::plan::{Mistake, PlacedPlan, Plan, PlanFile, PublishTo};
use lastgood_core::source::{Found, Source};

use crate::apply::ApplyError;
use crate::call::Cloud;
use crate::call::autoscaling::GroupsTagged;
use crate::place::{Read, read};
use crate::{CALLS_AT_ONCE_MAX, find};

/// What the plans of a file select.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selected {
    /// Each source, once.
    pub(crate) sources: BTreeMap<SourceId, Match>,
    /// Plans that select nothing now.
    pub(crate) empty: Vec<String>,
}

/// A source that a plan selects.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    /// The plan's name.
    pub(crate) plan: String,
    /// The image where the plan publishes, as far as it can be told.
    pub(crate) image_in_use: Option<Found>,
}

struct Fit<'a> {
    file: &'a PlanFile,
    mistakes: Vec<Mistake>,
    selected: Selected,
}

/// What the file selects; `staying` are plans of the table that the file does not name. Every mistake is told at once.
pub(crate) async fn select(
    cloud: &impl Cloud,
    file: &PlanFile,
    staying: &[&Plan],
    known: &[Source],
    now: Time,
) -> Result<Selected, ApplyError> {
    let mut fit = Fit { file, mistakes: Vec::new(), selected: Selected::default() };
    // Groups that share a template matter to each other, planned or not.
    let all = cloud.call(&GroupsTagged(Tags::new())).await?.map_err(ApplyError::Refused)?;
    let mut selected = Vec::new();
    for placed in &file.plans {
        let found = find::of_plan(cloud, &placed.plan, known).await?.map_err(ApplyError::Refused)?;
        let found: Vec<Resource> = found.into_iter().filter(|found| placed.plan.select.has(found)).collect();
        fit.plan(placed, &found, staying, now);
        selected.push((placed, found));
    }
    for (placed, found) in &selected {
        let reads = stream::iter(found).map(|resource| async move {
            let read = read(cloud, resource, &placed.plan.policy.publish.to).await;
            (resource, read)
        });
        let reads: Vec<_> = reads.buffered(CALLS_AT_ONCE_MAX).collect().await;
        for (resource, read) in reads {
            fit.publishable(placed, resource, &read?, &all);
        }
    }
    for id in fit.selected.sources.keys().cloned().collect::<Vec<_>>() {
        if file.removed.contains_key(&id.to_string()) {
            let place = file.plans.first().map_or((0, 0), |placed| placed.place_of(&id));
            let what = format!("{id} stands under 'removed', and a plan selects it; leave it out of one of them");
            fit.mistake(place, what);
        }
    }
    if fit.mistakes.is_empty() {
        return Ok(fit.selected);
    }
    fit.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    Err(ApplyError::Mistakes(fit.mistakes))
}

impl Fit<'_> {
    fn mistake(&mut self, place: (u64, u64), what: String) {
        let (line, column) = place;
        self.mistakes.push(Mistake { file: self.file.file.clone(), line, column, what });
    }

    /// Each source that the plan names must be there, and each that it selects be its alone.
    fn plan(&mut self, placed: &PlacedPlan, found: &[Resource], staying: &[&Plan], now: Time) {
        let plan = &placed.plan;
        if plan.policy.schedule.next_after(now).is_none() {
            let what = format!("'{}' has no slot any more; write one that comes after {now}", plan.policy.schedule);
            self.mistake(placed.tags_place, what);
        }
        for (id, place) in &placed.places {
            if !found.iter().any(|found| found.id() == *id) {
                let what = match id {
                    SourceId::Group(name) => format!(
                        "there is no Auto Scaling group '{name}' in this account and region; write the name of one that is there"
                    ),
                };
                self.mistake(*place, what);
            }
        }
        let other = staying.iter().find(|other| {
            matches!(plan.policy.publish.to, PublishTo::Parameter(_))
                && other.policy.publish.to == plan.policy.publish.to
        });
        if let Some(other) = other {
            let what = format!("plan '{}' writes the same parameter; give each plan its own", other.name);
            self.mistake(placed.tags_place, what);
        }
        if found.is_empty() && placed.places.is_empty() {
            self.selected.empty.push(plan.name.clone());
        }
        for resource in found {
            let id = resource.id();
            let place = placed.place_of(&id);
            if let Some(other) = staying.iter().find(|other| other.select.has(resource)) {
                let what = format!(
                    "{id} is in plan '{}' already, which this file does not name; leave it in one, or apply with --prune",
                    other.name
                );
                self.mistake(place, what);
            }
            let taken = Match { plan: plan.name.clone(), image_in_use: None };
            if let Some(other) = self.selected.sources.insert(id.clone(), taken) {
                let what = format!("{id} is in two plans, '{}' and '{}'; leave it in one", other.plan, plan.name);
                self.mistake(place, what);
            }
        }
    }

    /// Whether the source can be published to as its plan wants.
    fn publishable(&mut self, placed: &PlacedPlan, resource: &Resource, read: &Read, all: &[Group]) {
        let Resource::Group(found) = resource;
        let id = resource.id();
        let place = placed.place_of(&id);
        let obstacle = match placed.plan.policy.publish.to {
            PublishTo::Nothing => None,
            PublishTo::Group => group::unpublishable(found).or_else(|| group::undone_by(found, all)),
            PublishTo::Parameter(_) => group::stateful(found),
        };
        let obstacle = obstacle.or_else(|| match read {
            Read::Version(version) => group::resolves(version).or_else(|| group::maps(version)),
            Read::Refused(refusal) => Some(format!("{refusal}; mend that and apply again")),
            Read::Nothing | Read::Parameter(_) => None,
        });
        if let Some(obstacle) = obstacle {
            self.mistake(place, format!("{id} can't be published to: {obstacle}"));
        }
        if let Some(selected) = self.selected.sources.get_mut(&id) {
            selected.image_in_use = read.image_in_use();
        }
    }
}
