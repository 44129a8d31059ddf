//! What a plan file makes of the sources on record: of those that its plans select, and of those that none selects any more.

use std::collections::BTreeMap;

use super::fit::Selected;
use super::life::{apply, begins_anew, expect, unplan};
use super::record::{Found, Source};
use super::survey;
use crate::Time;
use crate::id::SourceId;
use crate::plan::{Afterwards, Plan, PlanFile};

/// What changes if a file is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The sources that are new, or differ from what is on record.
    pub changed: Vec<Source>,
    /// Sources that leave their plan, with the plan, where nobody said what becomes of their backups.
    pub unsaid: BTreeMap<SourceId, String>,
}

/// What `file` makes of the sources; `known` are those on record, and `untouched` the plans that stay though the file does
/// not name them.
#[must_use]
pub fn selection(file: &PlanFile, selected: &Selected, known: &[Source], untouched: &[String], now: Time) -> Selection {
    let mut selection = Selection::default();
    for (id, found) in &selected.sources {
        let Some(plan) = named(file, &found.plan) else { continue };
        let before = known.iter().find(|source| source.id == *id);
        let mut after = apply(before, id, plan, now);
        let anew = begins_anew(before, &after);
        if let Some(Found(image)) = found.image_in_use.clone().filter(|_| anew) {
            after = expect(after, image);
        }
        if before != Some(&after) {
            selection.changed.push(after);
        }
    }
    for before in known.iter().filter(|source| !selected.sources.contains_key(&source.id)) {
        if before.plan.as_ref().is_some_and(|plan| untouched.contains(plan)) {
            continue;
        }
        let after = unselected(&mut selection.unsaid, file, before, now);
        if after != *before {
            selection.changed.push(after);
        }
    }
    selection
}

/// What becomes of a source that no plan of the file selects now.
fn unselected(unsaid: &mut BTreeMap<SourceId, String>, file: &PlanFile, source: &Source, now: Time) -> Source {
    let of_itself = file.removed.get(&source.id.to_string()).copied();
    let Some(plan) = &source.plan else {
        // It left before; what was said of its backups then may be said otherwise now.
        return of_itself.map_or_else(|| source.clone(), |said| unplan(source, said, now));
    };
    // One that is only missing is the survey's: it is not taken out of its plan by an answer without it.
    let may_return = |plan: &&Plan| plan.select.names(&source.id) || (is_away(source) && !plan.select.tags.is_empty());
    if let Some(plan) = named(file, plan).filter(may_return).filter(|_| of_itself.is_none()) {
        return survey::apply_to_absent(source, plan, now);
    }
    let said = of_itself.or_else(|| file.removed.get(plan).copied());
    if said.is_none() {
        unsaid.insert(source.id.clone(), plan.clone());
    }
    unplan(source, said.unwrap_or(Afterwards::Keep), now)
}

fn named<'a>(file: &'a PlanFile, name: &str) -> Option<&'a Plan> {
    file.plans.iter().map(|placed| &placed.plan).find(|plan| plan.name == name)
}

fn is_away(source: &Source) -> bool {
    source.lost.is_some() || source.missing_since.is_some()
}
