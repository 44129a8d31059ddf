//! Applying a plan file: what would change, and writing it. Nothing is written unless all of it is valid.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use lastgood_core::facts::Tags;
use lastgood_core::id::SourceId;
use lastgood_core::plan::{Mistake, PlacedPlan, Plan, PlanFile};
use lastgood_core::record::Record;
use lastgood_core::refusal::Refusal;
use lastgood_core::source::Source;
use lastgood_core::source::fit::{Selected, fit};
use lastgood_core::source::selection::selection;
use lastgood_core::source::survey::Planned;
use lastgood_core::{Time, seconds_between, stored};

use crate::call::Cloud;
use crate::call::autoscaling::GroupsTagged;
use crate::port::{CallFailed, PlanWrite, Store, Versioned, Written};
use crate::standing::standing;
use crate::{CALLS_AT_ONCE_MAX, find};

/// The most that one transaction of the table takes (AWS: TransactWriteItems).
pub const TRANSACTION_ITEMS_MAX: usize = 100;
/// The most bytes of one (AWS: TransactWriteItems, 4 MB), with room for keys and attributes.
const TRANSACTION_BYTES_MAX: usize = 3_500_000;

/// A plan is surveyed every few minutes: one whose survey is so long overdue is not found by it.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;

/// What applying a file would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Plans that are new, differ or go.
    pub plans: BTreeMap<String, PlanChange>,
    /// Sources that are new, differ or go.
    pub sources: Vec<SourceChange>,
    /// Plans of the table that the file does not name and that stay.
    pub untouched: Vec<String>,
    /// Plans whose tags select nothing now.
    pub empty: Vec<String>,
    /// Sources that leave their plan, with the plan, where nobody said what becomes of their backups.
    pub unsaid: BTreeMap<SourceId, String>,
}

/// One plan, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// As it stands in the table.
    pub before: Option<Plan>,
    /// As the file has it; `None` if it goes.
    pub after: Option<Plan>,
    /// The version under which it was read; 0 if it is new.
    pub version: u64,
}

/// One source, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceChange {
    /// As it stands in the table.
    pub before: Option<Source>,
    /// As it becomes, on the version under which it was read.
    pub after: Versioned<Source>,
}

/// What becomes of plans that are in the table and not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// They stay.
    Stay,
    /// They go.
    Go,
}

/// Why a file is not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit what is there.
    #[error("{} in the plan file", if .0.len() == 1 { "a mistake" } else { "mistakes" })]
    Mistakes(Vec<Mistake>),
    /// AWS does not let us look.
    #[error("the groups can't be looked up")]
    Refused(#[source] Refusal),
    /// Somebody else applied a plan, or a backup moved, meanwhile.
    #[error("the table changed meanwhile ({written} of {all} sources are written); run it again")]
    Outdated {
        /// How many sources were written before.
        written: usize,
        /// How many there are.
        all: usize,
    },
    /// What it would write is too long for one item of the table.
    #[error("{what} would take {bytes} bytes, and the table takes {} of one; {remedy}", stored::BYTES_MAX)]
    TooLarge {
        /// Which plan or source.
        what: String,
        /// How long its stored form would be.
        bytes: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// A call did not get through.
    #[error(transparent)]
    Call(#[from] CallFailed),
}

/// Compares a file with the table and with AWS.
pub async fn compare(
    store: &impl Store,
    cloud: &impl Cloud,
    file: &PlanFile,
    absent: Absent,
    now: Time,
) -> Result<Change, ApplyError> {
    let stored = store.list::<Planned>(&()).await?;
    let known = store.list::<Source>(&()).await?;
    let named: BTreeSet<&str> = file.plans.iter().map(|placed| placed.plan.name.as_str()).collect();
    let others: Vec<&Versioned<Planned>> =
        stored.iter().filter(|planned| !named.contains(planned.record.plan.name.as_str())).collect();
    let staying: Vec<&Plan> = match absent {
        Absent::Stay => others.iter().map(|planned| &planned.record.plan).collect(),
        Absent::Go => Vec::new(),
    };
    let records: Vec<Source> = known.iter().map(|source| source.record.clone()).collect();
    let selected = select(cloud, file, &staying, &records, now).await?;
    let mut change = Change { empty: selected.empty.clone(), ..Change::default() };
    for placed in &file.plans {
        let before = stored.iter().find(|planned| planned.record.plan.name == placed.plan.name);
        // A plan that nobody has surveyed for long was stored in a form that the survey does not find.
        let forgotten = before.is_some_and(|before| seconds_between(before.record.survey_at, now) > FORGOTTEN_SECONDS);
        if forgotten || before.map(|before| &before.record.plan) != Some(&placed.plan) {
            let plan_change = PlanChange {
                before: before.map(|before| before.record.plan.clone()),
                after: Some(placed.plan.clone()),
                version: before.map_or(0, |before| before.version),
            };
            change.plans.insert(placed.plan.name.clone(), plan_change);
        }
    }
    for planned in others {
        let plan = &planned.record.plan;
        match absent {
            Absent::Stay => change.untouched.push(plan.name.clone()),
            Absent::Go => {
                let gone = PlanChange { before: Some(plan.clone()), after: None, version: planned.version };
                change.plans.insert(plan.name.clone(), gone);
            }
        }
    }
    let selection = selection(file, &selected, &records, &change.untouched, now);
    change.unsaid = selection.unsaid;
    for record in selection.changed {
        let before = known.iter().find(|source| source.record.id == record.id);
        let after = Versioned { record, version: before.map_or(0, |before| before.version) };
        change.sources.push(SourceChange { before: before.map(|before| before.record.clone()), after });
    }
    fits(&change, now)?;
    Ok(change)
}

/// Whether the table takes each item that is to be written: asked before the first is.
fn fits(change: &Change, now: Time) -> Result<(), ApplyError> {
    for plan in change.plans.values().filter_map(|plan| plan.after.clone()) {
        let what = format!("plan '{}'", plan.name);
        let remedy = "split it into several plans of fewer sources each, or select them by tags";
        item_fits(&Planned::new(plan, now), what, remedy)?;
    }
    for source in &change.sources {
        let source = &source.after.record;
        item_fits(source, source.id.to_string(), "wait until its notices are sent, and apply again")?;
    }
    Ok(())
}

fn item_fits<R: Record>(record: &R, what: String, remedy: &'static str) -> Result<(), ApplyError> {
    let stored = stored::encode_within(record);
    stored.map(drop).map_err(|error| ApplyError::TooLarge { what, bytes: error.bytes, remedy })
}

/// What the plans of the file select, and whether that can be what they want.
async fn select(
    cloud: &impl Cloud,
    file: &PlanFile,
    staying: &[&Plan],
    known: &[Source],
    now: Time,
) -> Result<Selected, ApplyError> {
    let groups = cloud.call(&GroupsTagged(Tags::new())).await?.map_err(ApplyError::Refused)?;
    let mut read = Vec::new();
    for PlacedPlan { plan, .. } in &file.plans {
        let found = find::of_plan(cloud, plan, known).await?.map_err(ApplyError::Refused)?;
        let reads = found.into_iter().filter(|found| plan.select.has(found)).map(|resource| async move {
            let standing = standing(cloud, &resource, &plan.policy.publish.to).await?;
            Ok::<_, ApplyError>((resource, standing))
        });
        read.push(stream::iter(reads).buffered(CALLS_AT_ONCE_MAX).try_collect().await?);
    }
    fit(file, &read, staying, &groups, now).map_err(ApplyError::Mistakes)
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
pub async fn write(store: &impl Store, change: &Change, now: Time) -> Result<(), ApplyError> {
    let sources: Vec<Versioned<Source>> = change.sources.iter().map(|source| source.after.clone()).collect();
    let all = sources.len();
    let plan_write = |(name, change): (&String, &PlanChange)| match &change.after {
        Some(plan) => PlanWrite::Put(Versioned { record: Planned::new(plan.clone(), now), version: change.version }),
        None => PlanWrite::Remove { name: name.clone(), version: change.version },
    };
    let plans: Vec<_> = change.plans.iter().map(plan_write).collect();
    let plan_bytes = |write: &PlanWrite| match write {
        PlanWrite::Put(plan) => stored::encode(&plan.record).len(),
        PlanWrite::Remove { .. } => 0,
    };
    let source_bytes = |source: &Versioned<Source>| stored::encode(&source.record).len();
    let bytes: usize = plans.iter().map(plan_bytes).chain(sources.iter().map(source_bytes)).sum();
    if all + plans.len() <= TRANSACTION_ITEMS_MAX && bytes <= TRANSACTION_BYTES_MAX {
        return write_part(store, &plans, &sources, 0, all).await;
    }
    let mut written = 0;
    for sources in parts(&sources, source_bytes) {
        write_part(store, &[], sources, written, all).await?;
        written += sources.len();
    }
    for plans in parts(&plans, plan_bytes) {
        write_part(store, plans, &[], all, all).await?;
    }
    Ok(())
}

/// So many at a time as one transaction takes.
fn parts<T>(mut items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while !items.is_empty() {
        let mut taken = 0;
        let fits = |item: &&T| {
            taken += bytes(item);
            taken <= TRANSACTION_BYTES_MAX
        };
        let count = items.iter().take(TRANSACTION_ITEMS_MAX).take_while(fits).count().max(1);
        let (part, rest) = items.split_at(count);
        parts.push(part);
        items = rest;
    }
    parts
}

async fn write_part(
    store: &impl Store,
    plans: &[PlanWrite],
    sources: &[Versioned<Source>],
    written: usize,
    all: usize,
) -> Result<(), ApplyError> {
    if plans.is_empty() && sources.is_empty() {
        return Ok(());
    }
    match store.write_plans(plans, sources).await? {
        Written::Whole => Ok(()),
        Written::Outdated => Err(ApplyError::Outdated { written, all }),
    }
}
