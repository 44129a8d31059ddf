//! Applying a plan file: what would change, and writing it. Nothing is written unless all of it is valid.

use std::collections::{BTreeMap, BTreeSet};

use lastgood_core::Time;
use lastgood_core::facts::{Group, LaunchSource, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, SourceId};
use lastgood_core::plan::{Mistake, PlacedPlan, Plan};
use lastgood_core::refusal::Refusal;
use lastgood_core::source::{self, Source};

use crate::port::{CallFailed, Cloud, Store, Versioned, Written};

/// The most that one transaction of the table takes (AWS: TransactWriteItems).
pub const TRANSACTION_ITEMS_MAX: usize = 100;

/// What applying a file would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Plans that are new or differ, with what stands now; `None` for a plan that goes.
    pub plans: BTreeMap<String, PlanChange>,
    /// Sources as they become, on the version under which they were read.
    pub sources: Vec<Versioned<Source>>,
    /// Plans of the table that the file does not name and that stay.
    pub untouched: Vec<String>,
}

/// One plan, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// As it stands in the table.
    pub before: Option<Plan>,
    /// As the file has it; `None` if it goes.
    pub after: Option<Plan>,
}

/// What becomes of plans that are in the table and not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// They stay.
    Stay,
    /// They go; the backups of their sources stay.
    Go,
}

/// Why a file is not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit what is there.
    #[error("{} in the plan file", if .0.len() == 1 { "a mistake" } else { "mistakes" })]
    Mistakes(Vec<Mistake>),
    /// AWS does not let us look.
    #[error("the groups can't be looked up: {0}")]
    Refused(Refusal),
    /// Somebody else applied a plan, or a backup moved, meanwhile.
    #[error("the table changed meanwhile ({written} of {all} sources are written); run it again")]
    Outdated {
        /// How many sources were written before.
        written: usize,
        /// How many there are.
        all: usize,
    },
    /// A call did not get through.
    #[error("a call did not get through")]
    Call(#[from] CallFailed),
}

/// Compares a file with the table and with AWS. `file` is its name, for the mistakes.
pub async fn compare(
    store: &impl Store,
    cloud: &impl Cloud,
    file: &str,
    placed: &[PlacedPlan],
    absent: Absent,
    now: Time,
) -> Result<Change, ApplyError> {
    let stored = store.plans().await?;
    let known = store.sources().await?;
    let mut mistakes = check_groups(cloud, file, placed, &known).await?;
    mistakes.extend(in_other_plans(file, placed, &stored, absent));
    if !mistakes.is_empty() {
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        return Err(ApplyError::Mistakes(mistakes));
    }
    let mut change = Change::default();
    let named: BTreeSet<&str> = placed.iter().map(|placed| placed.plan.name.as_str()).collect();
    for placed in placed {
        let before = stored.iter().find(|plan| plan.name == placed.plan.name);
        if before != Some(&placed.plan) {
            let plan_change = PlanChange { before: before.cloned(), after: Some(placed.plan.clone()) };
            change.plans.insert(placed.plan.name.clone(), plan_change);
        }
    }
    for plan in stored.iter().filter(|plan| !named.contains(plan.name.as_str())) {
        match absent {
            Absent::Stay => change.untouched.push(plan.name.clone()),
            Absent::Go => {
                let gone = PlanChange { before: Some(plan.clone()), after: None };
                change.plans.insert(plan.name.clone(), gone);
            }
        }
    }
    change.sources = changed_sources(placed, &known, &stored, &change, now);
    Ok(change)
}

fn changed_sources(
    placed: &[PlacedPlan],
    known: &[Versioned<Source>],
    stored: &[Plan],
    change: &Change,
    now: Time,
) -> Vec<Versioned<Source>> {
    let mut sources = Vec::new();
    let mut planned = BTreeSet::new();
    for plan in placed.iter().map(|placed| &placed.plan) {
        for id in &plan.sources {
            planned.insert(id.clone());
            let before = known.iter().find(|source| source.record.id == *id);
            let record = source::apply(before.map(|before| &before.record), id, plan, now);
            if before.map(|before| &before.record) != Some(&record) {
                sources.push(Versioned { record, version: before.map_or(0, |before| before.version) });
            }
        }
    }
    // A source that its plan no longer names, or whose plan goes or is not there, is let go of; its backups stay.
    let stays = |plan: &String| change.untouched.contains(plan) && stored.iter().any(|stored| stored.name == *plan);
    for source in known.iter().filter(|source| !planned.contains(&source.record.id)) {
        if source.record.plan.as_ref().is_some_and(|plan| !stays(plan)) {
            sources.push(Versioned { record: source::release(&source.record), version: source.version });
        }
    }
    sources
}

/// A group must be there and launch from a launch template, and by no version that another group would change for it.
async fn check_groups(
    cloud: &impl Cloud,
    file: &str,
    placed: &[PlacedPlan],
    known: &[Versioned<Source>],
) -> Result<Vec<Mistake>, ApplyError> {
    let places: BTreeMap<&SourceId, (u64, u64)> =
        placed.iter().flat_map(|placed| placed.places.iter().map(|(id, place)| (id, *place))).collect();
    let planned = known.iter().map(|source| &source.record).filter(|source| source.plan.is_some());
    let ids: BTreeSet<&SourceId> = places.keys().copied().chain(planned.map(|source| &source.id)).collect();
    let names: Vec<GroupName> = ids
        .iter()
        .map(|id| match id {
            SourceId::Group(name) => name.clone(),
        })
        .collect();
    let groups: Vec<Group> = cloud.groups(&names).await?.map_err(ApplyError::Refused)?;
    let mut mistakes = Vec::new();
    for (id, (line, column)) in places {
        let group = groups.iter().find(|group| group.name.as_str() == id.name());
        let what = match group.map(|group| &group.launches_from) {
            Some(LaunchSource::Template(named)) => match undone_by(id, named, &groups) {
                None => continue,
                Some(what) => what,
            },
            None => format!(
                "there is no Auto Scaling group '{}' in this account and region; write the name of one that is there",
                id.name()
            ),
            Some(LaunchSource::MixedInstances) => {
                format!(
                    "{id} launches from a mixed instances policy, which this version can't publish to; leave it out"
                )
            }
            Some(LaunchSource::LaunchConfiguration) => {
                format!(
                    "{id} launches from a launch configuration, which can't be given another image; give the group a launch template"
                )
            }
        };
        mistakes.push(Mistake { file: file.to_owned(), line, column, what });
    }
    Ok(mistakes)
}

/// A version for one group is the version of every group that follows `$Latest` or `$Default` of the same template: each
/// would get the other's image.
fn undone_by(id: &SourceId, named: &TemplateRef, groups: &[Group]) -> Option<String> {
    let follows = |version: VersionRef| !matches!(version, VersionRef::Number(_));
    let other = groups.iter().filter(|group| group.name.as_str() != id.name()).find(|group| {
        matches!(&group.launches_from, LaunchSource::Template(other)
            if other.template == named.template && (follows(named.version) || follows(other.version)))
    })?;
    Some(format!(
        "{id} shares launch template {} with group/{}, and one of them follows $Latest or $Default: each would get the other's image; give each group a template of its own, or let both name their version by number",
        named.template, other.name
    ))
}

/// A source belongs to one plan: also to one of the plans that the file does not name.
fn in_other_plans(file: &str, placed: &[PlacedPlan], stored: &[Plan], absent: Absent) -> Vec<Mistake> {
    if absent == Absent::Go {
        return Vec::new();
    }
    let named: BTreeSet<&str> = placed.iter().map(|placed| placed.plan.name.as_str()).collect();
    let others: Vec<&Plan> = stored.iter().filter(|plan| !named.contains(plan.name.as_str())).collect();
    let mut mistakes = Vec::new();
    for placed in placed {
        for (id, (line, column)) in &placed.places {
            let Some(other) = others.iter().find(|other| other.sources.contains(id)) else { continue };
            let what = format!(
                "{id} is in plan '{}' already, which this file does not name; leave it in one, or apply with --prune",
                other.name
            );
            mistakes.push(Mistake { file: file.to_owned(), line: *line, column: *column, what });
        }
    }
    mistakes
}

impl Change {
    /// There is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.sources.is_empty()
    }
}

/// Writes a change: in one transaction, or in several where it is too large for one. The plans go last: as long as they
/// stand as before, running it again finds and writes the rest.
pub async fn write(store: &impl Store, change: &Change) -> Result<(), ApplyError> {
    let all = change.sources.len();
    let plans: Vec<_> = change.plans.iter().map(|(name, change)| (name.clone(), change.after.clone())).collect();
    if all + plans.len() <= TRANSACTION_ITEMS_MAX {
        return write_part(store, &plans, &change.sources, 0, all).await;
    }
    for (number, sources) in change.sources.chunks(TRANSACTION_ITEMS_MAX).enumerate() {
        write_part(store, &[], sources, number * TRANSACTION_ITEMS_MAX, all).await?;
    }
    for plans in plans.chunks(TRANSACTION_ITEMS_MAX) {
        write_part(store, plans, &[], all, all).await?;
    }
    Ok(())
}

async fn write_part(
    store: &impl Store,
    plans: &[(String, Option<Plan>)],
    sources: &[Versioned<Source>],
    written: usize,
    all: usize,
) -> Result<(), ApplyError> {
    let plans: BTreeMap<String, Option<Plan>> = plans.iter().cloned().collect();
    if plans.is_empty() && sources.is_empty() {
        return Ok(());
    }
    match store.write_plans(&plans, sources).await? {
        Written::Whole => Ok(()),
        Written::Outdated => Err(ApplyError::Outdated { written, all }),
    }
}
