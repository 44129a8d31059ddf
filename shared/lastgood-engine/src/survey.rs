//! Looking for the sources of plans: which groups are there, and which bear a plan's tags (backup-tick, and `apply`).

use lastgood_core::facts::{Group, LaunchSource, TemplateVersion};
use lastgood_core::id::{GroupName, SourceId};
use lastgood_core::plan::{Plan, PublishTo};
use lastgood_core::source::survey::{Planned, survey};
use lastgood_core::source::{self, Found, Source};

use crate::Engine;
use crate::call::autoscaling::{GroupsNamed, GroupsTagged};
use crate::call::ec2::VersionOf;
use crate::call::ssm::GetParameter;
use crate::call::{Called, Cloud};
use crate::port::{Bus, CallFailed, Clock, Saved, Store, Versioned};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Surveys the plans of these names, one after the other: each costs one describe for its tags and one for a hundred
    /// names.
    pub(crate) async fn survey(&self, plans: Vec<String>, report: &mut Report) {
        for name in plans {
            if self.out_of_time() {
                report.out_of_time = true;
                return;
            }
            if let Err(error) = self.survey_plan(&name, report).await {
                report.trouble(&format!("plan {name}"), &error);
            }
        }
    }

    async fn survey_plan(&self, name: &str, report: &mut Report) -> Result<(), CallFailed> {
        let Some(planned) = self.store.load::<Planned>(&name.to_owned()).await? else { return Ok(()) };
        let plan = &planned.record.plan;
        // Those of other plans too: a group that bears the tags may be one of them.
        let known = self.store.list::<Source>(&()).await?;
        let records: Vec<Source> = known.iter().map(|source| source.record.clone()).collect();
        let groups = groups_of(&self.cloud, plan, &records).await?;
        // A survey that AWS refuses proves nothing about any group; the next one asks again.
        let groups = groups.map_err(CallFailed::refused("a survey"))?;
        let now = self.clock.now();
        for record in survey(plan, &groups, &records, now) {
            let before = known.iter().find(|source| source.record.id == record.id);
            let is_new = before.is_none_or(|before| {
                let elsewhere = before.record.policy.publish.to != record.policy.publish.to;
                before.record.plan.is_none() || before.record.lost.is_some() || elsewhere
            });
            let group = groups.iter().find(|group| group.name.as_str() == record.id.name());
            let record = match group.filter(|_| is_new) {
                Some(group) => match read(&self.cloud, group, &plan.policy.publish.to).await?.image_in_use() {
                    Some(Found(image)) => source::expect(record, image),
                    None => record,
                },
                None => record,
            };
            let id = record.id.clone();
            let changed = Versioned { record, version: before.map_or(0, |before| before.version) };
            match self.store.save(&changed).await? {
                // Somebody else saved it meanwhile: the next survey sees what became of it.
                Saved::Outdated => report.lost += 1,
                Saved::As(_) => {
                    tracing::info!(source = %id, plan = name, "the survey changed it");
                    // What is to be told stays in its outbox, and wakes it, until the bus has it.
                    if let Err(error) = self.send_from::<Source>(&id).await {
                        report.trouble(&id, &error);
                    }
                }
            }
        }
        let surveyed = Versioned { record: planned.record.surveyed(now), version: planned.version };
        self.store.save(&surveyed).await?;
        Ok(())
    }
}

/// Every group that matters to a plan: those it names, those on record under it, and those that bear its tags.
pub(crate) async fn groups_of(cloud: &impl Cloud, plan: &Plan, known: &[Source]) -> Called<Vec<Group>> {
    let mut names: Vec<GroupName> = plan.select.groups.clone();
    let ours = known.iter().filter(|source| source.plan.as_ref() == Some(&plan.name));
    names.extend(ours.map(|source| {
        let SourceId::Group(name) = &source.id;
        name.clone()
    }));
    names.sort();
    names.dedup();
    let mut groups = Vec::new();
    if !plan.select.tags.is_empty() {
        match cloud.call(&GroupsTagged(plan.select.tags.clone())).await? {
            Ok(tagged) => groups.extend(tagged),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    names.retain(|name| !groups.iter().any(|group: &Group| group.name == *name));
    if !names.is_empty() {
        match cloud.call(&GroupsNamed(names)).await? {
            Ok(named) => groups.extend(named),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(groups))
}

/// What is read of the place where a plan publishes a group's image.
pub(crate) enum Read {
    /// Nothing is published, or nothing can be told.
    Nothing,
    /// The version in use.
    Version(TemplateVersion),
    /// What stands in the parameter.
    Parameter(Option<String>),
    /// AWS does not tell, in words.
    Refused(String),
}

impl Read {
    /// The image that stands there: `None` if that can't be told, and then any image is taken as it is found.
    pub(crate) fn image_in_use(&self) -> Option<Found> {
        match self {
            Self::Version(version) => Some(Found(version.image.clone())),
            Self::Parameter(value) => Some(Found(value.clone())),
            Self::Nothing | Self::Refused(_) => None,
        }
    }
}

/// Reads it: one call, or none.
pub(crate) async fn read(cloud: &impl Cloud, group: &Group, to: &PublishTo) -> Result<Read, CallFailed> {
    Ok(match (to, group.launches_from.template()) {
        (PublishTo::Group, None) => match &group.launches_from {
            LaunchSource::Unreadable(what) => Read::Refused(what.clone()),
            LaunchSource::Template(_) | LaunchSource::Mixed(_) | LaunchSource::Configuration(_) => Read::Nothing,
        },
        (PublishTo::Nothing, _) => Read::Nothing,
        (PublishTo::Parameter(name), _) => match cloud.call(&GetParameter(name.clone())).await? {
            Ok(found) => Read::Parameter(found.map(|found| found.value)),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
        (PublishTo::Group, Some(named)) => match cloud.call(&VersionOf::named(named)).await? {
            Ok(version) => Read::Version(version),
            Err(refusal) => Read::Refused(refusal.to_string()),
        },
    })
}
