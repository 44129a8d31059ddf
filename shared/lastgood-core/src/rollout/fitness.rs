//! How the members on the new version are: what a verdict by health looks at.

use std::collections::BTreeMap;

use crate::facts::{Fitness, Group, Lifecycle, Member, StatusCheck};
use crate::id::{InstanceId, TemplateId};

/// The members of a group that launched from a version of a template and are not on their way out.
#[must_use]
pub fn on_version(group: &Group, template: &TemplateId, version: u64) -> Vec<InstanceId> {
    let of_it = group.members.iter().filter(|member| is_on(member, template, version));
    of_it.map(|member| member.instance.clone()).collect()
}

fn is_on(member: &Member, template: &TemplateId, version: u64) -> bool {
    let on = member.template.as_ref().is_some_and(|(of, number)| of == template && *number == version);
    on && member.lifecycle != Lifecycle::Leaving
}

/// How they are. `checks` are the status checks of those that run.
#[must_use]
pub fn fitness(
    group: &Group,
    template: &TemplateId,
    version: u64,
    checks: &BTreeMap<InstanceId, StatusCheck>,
) -> Fitness {
    let serving = group.members.iter().filter(|member| member.lifecycle == Lifecycle::InService && member.healthy);
    let mut fitness = Fitness { size: group.size, serving: serving.count(), on_version: 0, unfit: Vec::new() };
    for member in group.members.iter().filter(|member| is_on(member, template, version)) {
        fitness.on_version += 1;
        if let Some(why) = unfit(member, checks.get(&member.instance)) {
            fitness.unfit.push((member.instance.clone(), why.to_owned()));
        }
    }
    fitness
}

fn unfit(member: &Member, check: Option<&StatusCheck>) -> Option<&'static str> {
    match (member.lifecycle, check) {
        (Lifecycle::InService, _) if !member.healthy => Some("is unhealthy"),
        // Of one that somebody took out of service it says nothing.
        (Lifecycle::Standby, _) | (Lifecycle::InService, Some(StatusCheck::Passed)) => None,
        (Lifecycle::InService, Some(StatusCheck::Failed)) => Some("fails its status checks"),
        (Lifecycle::InService, Some(StatusCheck::Unknown)) => Some("has not passed its status checks yet"),
        (Lifecycle::InService, None) => Some("does not run"),
        (Lifecycle::Pending | Lifecycle::Leaving | Lifecycle::Other, _) => Some("does not serve"),
    }
}
