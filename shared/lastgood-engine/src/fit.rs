//! Whether a plan file fits what is there: which groups its plans select, and whether each can be what its plan wants.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::Time;
use lastgood_core::facts::{Group, TemplateRef, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{GroupName, SourceId};
use lastgood_core::plan::{Mistake, PlacedPlan, Plan, PlanFile, PublishTo};
use lastgood_core::source::Source;

use crate::CALLS_AT_ONCE_MAX;
use crate::apply::ApplyError;
use crate::port::{CallFailed, Cloud};
use crate::survey::{InUse, groups_of};

/// What the plans of a file select.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selected {
    /// Each source, once.
    pub(crate) sources: BTreeMap<SourceId, Found>,
    /// Plans that select nothing now.
    pub(crate) empty: Vec<String>,
}

/// A source that a plan selects.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The plan's name.
    pub(crate) plan: String,
    /// The image where the plan publishes, as far as it can be told.
    pub(crate) image_in_use: Option<InUse>,
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
    let mut all: Vec<Group> = planned_elsewhere(cloud, file, known).await?;
    let mut groups = Vec::new();
    for placed in &file.plans {
        let found = groups_of(cloud, &placed.plan, known).await?.map_err(ApplyError::Refused)?;
        let selects = |group: &Group| placed.plan.select.names(&id(group)) || placed.plan.select.matches(&group.tags);
        let found: Vec<Group> = found.into_iter().filter(selects).collect();
        fit.plan(placed, &found, staying, now);
        all.extend(found.iter().cloned());
        groups.push((placed, found));
    }
    for (placed, found) in &groups {
        let reads = stream::iter(found).map(|group| async move {
            let read = read(cloud, group, &placed.plan.policy.publish.to).await;
            (group, read)
        });
        let reads: Vec<_> = reads.buffered(CALLS_AT_ONCE_MAX).collect().await;
        for (group, read) in reads {
            fit.publishable(placed, group, &read?, &all);
        }
    }
    if fit.mistakes.is_empty() {
        return Ok(fit.selected);
    }
    fit.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    Err(ApplyError::Mistakes(fit.mistakes))
}

fn id(group: &Group) -> SourceId {
    SourceId::Group(group.name.clone())
}

/// The groups of sources that other plans have: what they launch from matters to those that share a template.
async fn planned_elsewhere(cloud: &impl Cloud, file: &PlanFile, known: &[Source]) -> Result<Vec<Group>, ApplyError> {
    let ours: BTreeSet<&str> = file.plans.iter().map(|placed| placed.plan.name.as_str()).collect();
    let others = known.iter().filter(|source| source.plan.as_deref().is_some_and(|plan| !ours.contains(plan)));
    let names: Vec<GroupName> = others
        .map(|source| {
            let SourceId::Group(name) = &source.id;
            name.clone()
        })
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    cloud.groups(&names).await?.map_err(ApplyError::Refused)
}

/// What is read of one group's place of publication.
enum Read {
    /// Nothing is published, or nothing can be told.
    Nothing,
    /// The version in use.
    Version(TemplateVersion),
    /// What stands in the parameter.
    Parameter(Option<String>),
    /// AWS does not tell, in words.
    Refused(String),
}

async fn read(cloud: &impl Cloud, group: &Group, to: &PublishTo) -> Result<Read, CallFailed> {
    Ok(match (to, group.launches_from.template()) {
        (PublishTo::Nothing, _) | (PublishTo::Group, None) => Read::Nothing,
        (PublishTo::Parameter(name), _) => match cloud.parameter(name).await? {
            Ok(found) => Read::Parameter(found.map(|found| found.value)),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
        (PublishTo::Group, Some(named)) => match cloud.template_version(&named.template, named.version).await? {
            Ok(version) => Read::Version(version),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
    })
}

impl Fit<'_> {
    fn mistake(&mut self, place: (u64, u64), what: String) {
        let (line, column) = place;
        self.mistakes.push(Mistake { file: self.file.file.clone(), line, column, what });
    }

    /// Each group that the plan names must be there, and each that it selects be its alone.
    fn plan(&mut self, placed: &PlacedPlan, found: &[Group], staying: &[&Plan], now: Time) {
        let plan = &placed.plan;
        if plan.policy.schedule.next_after(now).is_none() {
            let what = format!("'{}' has no slot any more; write one that comes after {now}", plan.policy.schedule);
            self.mistake(placed.tags_place, what);
        }
        for (id, place) in &placed.places {
            if !found.iter().any(|group| group.name.as_str() == id.name()) {
                let what = format!(
                    "there is no Auto Scaling group '{}' in this account and region; write the name of one that is there",
                    id.name()
                );
                self.mistake(*place, what);
            }
        }
        if found.is_empty() && placed.places.is_empty() {
            self.selected.empty.push(plan.name.clone());
        }
        for group in found {
            let (id, place) = (id(group), placed.place_of(&id(group)));
            if let Some(other) =
                staying.iter().find(|other| other.select.names(&id) || other.select.matches(&group.tags))
            {
                let what = format!(
                    "{id} is in plan '{}' already, which this file does not name; leave it in one, or apply with --prune",
                    other.name
                );
                self.mistake(place, what);
            }
            let taken = Found { plan: plan.name.clone(), image_in_use: None };
            if let Some(other) = self.selected.sources.insert(id.clone(), taken) {
                let what = format!("{id} is in two plans, '{}' and '{}'; leave it in one", other.plan, plan.name);
                self.mistake(place, what);
            }
        }
    }

    /// Whether the group can be published to as its plan wants.
    fn publishable(&mut self, placed: &PlacedPlan, found: &Group, read: &Read, all: &[Group]) {
        let (id, place) = (id(found), placed.place_of(&id(found)));
        let to_group = placed.plan.policy.publish.to == PublishTo::Group;
        let obstacle = if to_group { group::unpublishable(found).or_else(|| undone_by(found, all)) } else { None };
        let obstacle = obstacle.or_else(|| match read {
            Read::Version(version) => group::resolves(version).or_else(|| group::maps(version)),
            Read::Refused(refusal) => Some(format!("{refusal}; mend that and apply again")),
            Read::Nothing | Read::Parameter(_) => None,
        });
        if let Some(obstacle) = obstacle {
            self.mistake(place, format!("{id} can't be published to: {obstacle}"));
        }
        if let Some(selected) = self.selected.sources.get_mut(&id) {
            selected.image_in_use = match read {
                Read::Version(version) => Some(InUse(version.image.clone())),
                Read::Parameter(value) => Some(InUse(value.clone())),
                Read::Nothing | Read::Refused(_) => None,
            };
        }
    }
}

/// A version for one group is the version of every group that follows `$Latest` or `$Default` of the same template: each
/// would get the other's image.
fn undone_by(found: &Group, all: &[Group]) -> Option<String> {
    let named = found.launches_from.template()?;
    let follows = |named: &TemplateRef| !matches!(named.version, VersionRef::Number(_));
    let other = all.iter().filter(|group| group.name != found.name).find(|group| {
        let other = group.launches_from.template();
        other.is_some_and(|other| other.template == named.template && (follows(named) || follows(other)))
    })?;
    Some(format!(
        "it shares launch template {} with group/{}, and one of them follows $Latest or $Default: each would get the other's image; give each group a template of its own, or let both name their version by number",
        named.template, other.name
    ))
}
