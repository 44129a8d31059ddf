//! The survey of a plan: which of its sources are there. Groups that appear are taken in, those that lost their tags or
//! were deleted are let out, and each is told.
//!
//! One answer without a source proves nothing (AWS: Eventual consistency): it counts as deleted once it was missing in
//! every survey for [`LOST_SECONDS`].

use serde::{Deserialize, Serialize};

use super::life::{apply, end, unplan};
use super::record::Source;
use crate::facts::Resource;
use crate::id::SourceId;
use crate::notice::News;
use crate::plan::{Afterwards, Plan};
use crate::record::{PLANS, Place, Queue, Record};
use crate::{Time, later, seconds_between};
use crate::{cache, instance};

/// Pause between two surveys of a plan.
pub const SURVEY_SECONDS: i64 = 4 * 60;
/// How long a group must be missing from every answer before it counts as deleted.
pub const LOST_SECONDS: i64 = 8 * 60;
/// How long the backups of a deleted group stay all the same, where its plan says `on_source_deleted: delete`: time to
/// hear of it, and to say that it was a mistake.
pub const RETIRE_SECONDS: i64 = 24 * 60 * 60;

/// A plan on record, and when its sources are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// When they are looked for next.
    pub survey_at: Time,
}

impl Planned {
    /// A plan that was just applied, with its sources looked for.
    #[must_use]
    pub fn new(plan: Plan, now: Time) -> Self {
        Self { plan, survey_at: later(now, SURVEY_SECONDS) }
    }

    /// The same with its sources looked for just now.
    #[must_use]
    pub fn surveyed(&self, now: Time) -> Self {
        Self::new(self.plan.clone(), now)
    }
}

impl Record for Planned {
    type Id = String;
    type Of = ();

    fn id(&self) -> String {
        self.plan.name.clone()
    }

    fn place(name: &String) -> Place {
        Place { partition: Self::partition(&()), sort: name.clone() }
    }

    fn partition((): &()) -> String {
        PLANS.to_owned()
    }

    fn waits(&self) -> Option<(Queue, Time)> {
        Some((Queue::Tick, self.survey_at))
    }
}

/// What a survey changes: the sources that differ from what is on record. `told` is what AWS told: of the names on record
/// and in the plan, and of the plan's tags. `known` is every source on record.
#[must_use]
pub fn survey(plan: &Plan, told: &[Resource], known: &[Source], now: Time) -> Vec<Source> {
    let mut changed = Vec::new();
    for resource in told.iter().filter(|resource| plan.select.has(resource)) {
        let id = resource.id();
        let before = known.iter().find(|source| source.id == id);
        let after = present(plan, resource, before, now);
        if before != Some(&after) {
            changed.push(after);
        }
    }
    for before in known.iter().filter(|source| source.plan.as_ref() == Some(&plan.name)) {
        let after = match told.iter().find(|resource| resource.id() == before.id) {
            Some(resource) if plan.select.has(resource) => continue,
            Some(_) => unselected(plan, before, now),
            None => absent(plan, before, now),
        };
        if after != *before {
            changed.push(after);
        }
    }
    changed
}

/// It is there and selected.
fn present(plan: &Plan, resource: &Resource, before: Option<&Source>, now: Time) -> Source {
    let id = &resource.id();
    let found = |source: Option<&Source>| {
        let mut source = apply(source, id, plan, now);
        // It is backed up as far as AWS lets it be: that is better than not at all.
        let obstacle = match resource {
            Resource::Cache(cache) => cache::obstacle(cache, &plan.policy.schedule),
            Resource::Instance(found) => instance::obstacle(found, &plan.policy_of(id).capture),
            Resource::Group(_) => None,
        };
        source.tell(&now.as_second().to_string(), now, News::SourceFound { plan: plan.name.clone(), obstacle });
        source
    };
    let Some(before) = before else { return found(None) };
    match &before.plan {
        None => found(Some(before)),
        Some(name) if *name == plan.name && before.lost.is_some() => found(Some(before)),
        // A plan that was changed while the group was away counts from now on.
        Some(name) if *name == plan.name => {
            let source = Source { missing_since: None, ..before.clone() };
            if source.policy == plan.policy_of(id) { source } else { apply(Some(&source), id, plan, now) }
        }
        // It stays where it is; who wrote the plans is told, once.
        Some(name) => {
            let mut source = before.clone();
            if !source.contested_by.contains(&plan.name) {
                source.contested_by.push(plan.name.clone());
                let news = News::SourceContested { plan: name.clone(), other: plan.name.clone() };
                source.tell(&format!("{}/{}", now.as_second(), plan.name), now, news);
            }
            source
        }
    }
}

/// It is there, and no tag of its selects it any more. Its backups stay: nobody deleted anything.
fn unselected(plan: &Plan, before: &Source, now: Time) -> Source {
    let mut source = unplan(before, Afterwards::Keep, now);
    (source.missing_since, source.lost) = (None, None);
    let reason = format!("it does not bear the tags of plan {} any more; its backups stay", plan.name);
    source.tell(&now.as_second().to_string(), now, News::SourceLost { reason });
    source
}

/// What a change of its plan makes of a source that is away: the plan counts, and when its backups go is found anew.
#[must_use]
pub fn apply_to_absent(before: &Source, plan: &Plan, now: Time) -> Source {
    let mut source = before.clone();
    // One that is only missing takes the plan up when it is back.
    if source.lost.is_none() {
        return source;
    }
    source.policy = plan.policy_of(&before.id);
    source.retire_at = match plan.policy.on_source_deleted {
        Afterwards::Delete => before.retire_at.or_else(|| Some(later(now, RETIRE_SECONDS))),
        Afterwards::Keep => None,
    };
    source
}

/// What people call a source.
fn it(id: &SourceId) -> &'static str {
    match id {
        SourceId::Group(_) => "the group",
        SourceId::Cache(_) => "the cache",
        SourceId::Instance(_) => "the instance",
    }
}

/// It is not told.
fn absent(plan: &Plan, before: &Source, now: Time) -> Source {
    let mut source = before.clone();
    let since = *source.missing_since.get_or_insert(now);
    if source.lost.is_some() || seconds_between(since, now) < LOST_SECONDS {
        return source;
    }
    source.lost = Some(now);
    end(&mut source);
    let what = match plan.policy.on_source_deleted {
        Afterwards::Keep => "its backups stay".to_owned(),
        Afterwards::Delete => {
            let at = later(now, RETIRE_SECONDS);
            source.retire_at = Some(at);
            format!("its backups are deleted after {at}, but for pinned ones, unless it is back by then")
        }
    };
    source.tell(
        &now.as_second().to_string(),
        now,
        News::SourceLost { reason: format!("{} is deleted; {what}", it(&before.id)) },
    );
    source
}
