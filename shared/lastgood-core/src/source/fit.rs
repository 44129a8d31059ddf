//! Whether a plan file fits what is there: which sources its plans select, and whether each can be what its plan wants.
//!
//! A file that is right in itself may still not fit: a group that is not there, one that two plans select by their tags, one
//! that can't be published to. Every such mistake is told at once.

use std::collections::BTreeMap;

use super::record::Found;
use super::standing::Standing;
use crate::facts::{Group, Resource};
use crate::id::SourceId;
use crate::plan::{Mistake, PlacedPlan, Plan, PlanFile, PublishTo};
use crate::{Time, cache, group, instance};

/// A source that is there and that a plan of the file selects, and what stands where that plan publishes.
pub type Read = (Resource, Standing);

/// What the plans of a file select.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Each source, once.
    pub sources: BTreeMap<SourceId, Match>,
    /// Plans that select nothing now.
    pub empty: Vec<String>,
}

/// A source that a plan selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The plan's name.
    pub plan: String,
    /// The image where the plan publishes, as far as it can be told.
    pub image_in_use: Option<Found>,
}

struct Fit<'a> {
    file: &'a PlanFile,
    mistakes: Vec<Mistake>,
    selected: Selected,
}

/// What the file selects. `read` has what each of its plans selects, plan by plan; `staying` are plans of the table that the
/// file does not name; `groups` are all groups of the account, for those that share a template matter to each other.
pub fn fit(
    file: &PlanFile,
    read: &[Vec<Read>],
    staying: &[&Plan],
    groups: &[Group],
    now: Time,
) -> Result<Selected, Vec<Mistake>> {
    let mut fit = Fit { file, mistakes: Vec::new(), selected: Selected::default() };
    for (placed, found) in file.plans.iter().zip(read) {
        fit.plan(placed, found, staying, now);
    }
    for (placed, found) in file.plans.iter().zip(read) {
        for (resource, standing) in found {
            match resource {
                Resource::Group(group) => fit.publishable(placed, group, standing, groups),
                Resource::Cache(cache) => {
                    fit.possible(placed, resource, cache::obstacle(cache, &placed.plan.policy.schedule));
                }
                Resource::Instance(found) => {
                    fit.possible(
                        placed,
                        resource,
                        instance::obstacle(found, &placed.plan.policy_of(&resource.id()).capture),
                    );
                }
            }
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
    Err(fit.mistakes)
}

impl Fit<'_> {
    fn mistake(&mut self, place: (u64, u64), what: String) {
        let (line, column) = place;
        self.mistakes.push(Mistake { file: self.file.file.clone(), line, column, what });
    }

    /// Each source that the plan names must be there, and each that it selects be its alone.
    fn plan(&mut self, placed: &PlacedPlan, found: &[Read], staying: &[&Plan], now: Time) {
        let plan = &placed.plan;
        if plan.policy.schedule.next_after(now).is_none() {
            let what = format!("'{}' has no slot any more; write one that comes after {now}", plan.policy.schedule);
            self.mistake(placed.tags_place, what);
        }
        for (id, place) in &placed.places {
            if !found.iter().any(|(found, _)| found.id() == *id) {
                let what = match id {
                    SourceId::Group(name) => format!(
                        "there is no Auto Scaling group '{name}' in this account and region; write the name of one that is there"
                    ),
                    SourceId::Instance(id) => format!(
                        "there is no instance {id} in this account and region; write the id of one that is there"
                    ),
                    SourceId::Cache(cache) => format!(
                        "there is no {cache} in this account and region; write the name of one that is there, under the key of its kind"
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
        for (resource, _) in found {
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

    /// Why backups of it can't be made as its plan wants, if so.
    fn possible(&mut self, placed: &PlacedPlan, resource: &Resource, obstacle: Option<String>) {
        let id = resource.id();
        if let Some(obstacle) = obstacle {
            self.mistake(placed.place_of(&id), format!("{id} {obstacle}"));
        }
    }

    /// Whether the group can be published to as its plan wants.
    fn publishable(&mut self, placed: &PlacedPlan, found: &Group, standing: &Standing, all: &[Group]) {
        let id = SourceId::Group(found.name.clone());
        let place = placed.place_of(&id);
        let obstacle = match placed.plan.policy.publish.to {
            PublishTo::Nothing => None,
            PublishTo::Group => group::unpublishable(found).or_else(|| group::undone_by(found, all)),
            PublishTo::Parameter(_) => group::stateful(found),
        };
        let obstacle = obstacle.or_else(|| match standing {
            Standing::Version(version) => group::resolves(version).or_else(|| group::maps(version)),
            Standing::Refused(refusal) => Some(format!("{refusal}; mend that and apply again")),
            Standing::Nothing | Standing::Parameter(_) => None,
        });
        if let Some(obstacle) = obstacle {
            self.mistake(place, format!("{id} can't be published to: {obstacle}"));
        }
        if let Some(selected) = self.selected.sources.get_mut(&id) {
            selected.image_in_use = standing.image();
        }
    }
}
