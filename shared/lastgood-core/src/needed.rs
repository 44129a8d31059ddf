//! Who needs an image: judged over one reading of the account, right before the image may be deleted.
//!
//! An image stays as long as anything could be launched from it again: by a group (and by its warm pool, which launches
//! from what the group names: AWS: Warm pools for Amazon EC2 Auto Scaling), by the goal of an instance refresh or
//! by what it rolls back to (which is what the group itself says), by a version of a template that is not ours, by a launch
//! configuration or a parameter; as long as a plan protects its instances; if somebody pinned it; and if no newer good
//! image of its source is there. What could not be read counts as a need. [`needs`] only adds up: no need takes another
//! one away.

use std::collections::BTreeSet;
use std::fmt;

use crate::Time;
use crate::facts::{Configuration, Group, LaunchSource, Refresh, TemplateVersion, VersionRef};
use crate::id::{GroupName, ImageId, InstanceId, RefreshId, TemplateId};
use crate::source::Source;

/// How many instances a refusal names.
const INSTANCES_TOLD_MAX: usize = 3;

/// What was read of the account, as far as it bears on one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Every group of the account, planned or not.
    pub groups: Vec<Group>,
    /// When AWS told them, if it did.
    pub groups_at: Option<Time>,
    /// The refreshes that are under way.
    pub refreshes: Vec<(GroupName, Refresh)>,
    /// Every template in which the image stands.
    pub templates: Vec<TemplateReading>,
    /// Every launch configuration of the account.
    pub configurations: Vec<Configuration>,
    /// Parameters that may name the image, each with its value.
    pub parameters: Vec<(String, String)>,
    /// Instances that were launched from the image and are not terminated, if the plan protects them.
    pub instances: Vec<InstanceId>,
    /// Other things that AWS says refer to the image, by their ARNs.
    pub others: Vec<String>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
}

/// A launch template with the image in some of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateReading {
    /// The template.
    pub template: TemplateId,
    /// Its default version, by number; `None` only if none of its versions has the image.
    pub default: Option<u64>,
    /// Its latest version, by number; `None` only if nobody follows it.
    pub latest: Option<u64>,
    /// The versions that name the image.
    pub naming: Vec<TemplateVersion>,
}

/// The image that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving<'a> {
    /// Which.
    pub image: &'a ImageId,
    /// The versions that we made with it. They go with it, unless somebody launches from one.
    pub ours: &'a [(TemplateId, u64)],
    /// Who of its own wants it kept: see [`wants`].
    pub wants: Vec<Need>,
}

/// Where a backup stands among those of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rank {
    /// It never was good, or all backups of its source may go.
    Dispensable,
    /// A newer good one is there.
    Replaced,
    /// It is the newest good one, or no newer one is there.
    Last,
}

/// Somebody who needs an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A group launches from it.
    Group(GroupName, TemplateId, u64),
    /// An override of a group's mixed instances policy names it.
    Override(GroupName),
    /// An instance refresh of a group goes to it.
    Refresh(GroupName, RefreshId),
    /// It is what everybody launches from who names no version of the template.
    Default(TemplateId, u64),
    /// A version that is not ours names it.
    Version(TemplateId, u64),
    /// A launch configuration names it.
    Configuration(String),
    /// A parameter names it.
    Parameter(String),
    /// An instance of it is there, and its plan says that it stays as long.
    Instance(InstanceId),
    /// Something else refers to it: its ARN.
    Other(String),
    /// Its backup is pinned: by whom.
    Pin(String),
    /// It is reserved: by whom.
    Reservation(String),
    /// No newer good backup of its source is there.
    LastGood,
    /// Something could not be read.
    Unread(String),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group, template, version) => write!(f, "group/{group} (version {version} of {template})"),
            Self::Override(group) => write!(f, "group/{group} (an override's own image)"),
            Self::Refresh(group, refresh) => write!(f, "instance refresh {refresh} of group/{group}, which goes to it"),
            Self::Default(template, version) => write!(f, "{template}, whose default is version {version}"),
            Self::Version(template, version) => {
                write!(f, "version {version} of {template}, which somebody else made")
            }
            Self::Configuration(name) => write!(f, "launch configuration {name}"),
            Self::Parameter(name) => write!(f, "parameter {name}"),
            Self::Instance(instance) => write!(f, "{instance}, for its plan keeps what instances use"),
            Self::Other(arn) => write!(f, "{arn}"),
            Self::Pin(who) => write!(f, "a pin: {who}"),
            Self::Reservation(who) => write!(f, "{who}, which is about to launch from it"),
            Self::LastGood => write!(f, "its source, for no newer good backup of it is there"),
            Self::Unread(what) => write!(f, "who can say, for {what}"),
        }
    }
}

/// Who of its own wants a backup kept: whoever pinned or reserved it, and its source.
#[must_use]
pub fn wants(pinned: Option<String>, reserved: Option<String>, rank: Rank) -> Vec<Need> {
    let last = (rank == Rank::Last).then_some(Need::LastGood);
    pinned.map(Need::Pin).into_iter().chain(reserved.map(Need::Reservation)).chain(last).collect()
}

/// Everybody who needs the image, in one order, whatever the order in which AWS told them; nobody, if it may go.
#[must_use]
pub fn needs(reading: &Reading, leaving: &Leaving<'_>) -> Vec<Need> {
    let is_it = |text: &str| text == leaving.image.as_str();
    let mut needs = leaving.wants.clone();
    for group in &reading.groups {
        by_source(&group.launches_from, leaving, reading, &mut needs, &|found| match found {
            Found::Version(template, version) => Need::Group(group.name.clone(), template, version),
            Found::Override => Need::Override(group.name.clone()),
            Found::Unreadable(what) => Need::Unread(what),
        });
    }
    for (group, refresh) in &reading.refreshes {
        if let Some(desired) = &refresh.desired {
            by_source(desired, leaving, reading, &mut needs, &|found| match found {
                Found::Version(..) | Found::Override => Need::Refresh(group.clone(), refresh.id.clone()),
                Found::Unreadable(what) => Need::Unread(what),
            });
        }
    }
    for found in &reading.templates {
        for version in &found.naming {
            let ours = leaving.ours.contains(&(found.template.clone(), version.number));
            if found.default == Some(version.number) {
                needs.push(Need::Default(found.template.clone(), version.number));
            } else if !ours {
                needs.push(Need::Version(found.template.clone(), version.number));
            }
        }
    }
    let configurations = reading.configurations.iter().filter(|found| is_it(&found.image));
    needs.extend(configurations.map(|found| Need::Configuration(found.name.clone())));
    let parameters = reading.parameters.iter().filter(|(_, value)| is_it(value));
    needs.extend(parameters.map(|(name, _)| Need::Parameter(name.clone())));
    needs.extend(reading.instances.iter().cloned().map(Need::Instance));
    needs.extend(reading.others.iter().cloned().map(Need::Other));
    needs.extend(reading.unread.iter().cloned().map(Need::Unread));
    needs.sort();
    needs.dedup();
    needs
}

/// The needs in words; of many instances only the first few.
#[must_use]
pub fn words(needs: &[Need]) -> Vec<String> {
    let is_instance = |need: &&Need| matches!(need, Need::Instance(_));
    let instances = needs.iter().filter(is_instance).count();
    let others = needs.iter().filter(|need| !is_instance(need)).map(ToString::to_string);
    let told = needs.iter().filter(is_instance).take(INSTANCES_TOLD_MAX).map(ToString::to_string);
    let more = (instances > INSTANCES_TOLD_MAX).then(|| "more instances".to_owned());
    others.chain(told).chain(more).collect()
}

/// The versions of ours that nobody launches from, by the needs of the image: those may go, whatever becomes of it.
#[must_use]
pub fn unused(needs: &[Need], leaving: &Leaving<'_>) -> Vec<(TemplateId, u64)> {
    let used = |template: &TemplateId, number: u64| {
        needs.iter().any(|need| match need {
            Need::Group(_, of, version) | Need::Default(of, version) => of == template && *version == number,
            Need::Refresh(..) | Need::Unread(_) => true,
            Need::Override(_)
            | Need::Version(..)
            | Need::Configuration(_)
            | Need::Parameter(_)
            | Need::Instance(_)
            | Need::Other(_)
            | Need::Pin(_)
            | Need::Reservation(_)
            | Need::LastGood => false,
        })
    };
    leaving.ours.iter().filter(|(template, number)| !used(template, *number)).cloned().collect()
}

/// The templates among what AWS says refers to an image, in ARNs.
#[must_use]
pub fn templates_told(references: &[String]) -> BTreeSet<TemplateId> {
    references.iter().filter_map(|arn| part_after(arn, ":launch-template/")).map(TemplateId::from).collect()
}

/// What of `references` is not read by itself: templates are; parameters of ours are; an instance needs its image only if a
/// plan says so.
#[must_use]
pub fn others(references: Vec<String>, reading: &Reading) -> Vec<String> {
    let is_read = |name: &str| reading.parameters.iter().any(|(read, _)| read.trim_start_matches('/') == name);
    let is_other = |arn: &String| {
        let judged = arn.contains(":launch-template/") || arn.contains(":instance/");
        !judged && !part_after(arn, ":parameter/").is_some_and(is_read)
    };
    references.into_iter().filter(is_other).collect()
}

fn part_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, part)| part)
}

/// Why nothing is known of what a group launches from, if it was read as `before` first and as `now` when all else was read:
/// a refresh that ended in between has become what it launches from. `own` is there for the image's own group: what is on
/// record of its source.
#[must_use]
pub fn changed_meanwhile(
    name: &GroupName,
    before: Option<&Group>,
    now: Option<&Group>,
    own: Option<Option<&Source>>,
) -> Option<String> {
    // One answer without the group proves nothing, as long as nobody else has found it gone.
    let known_gone =
        |source: Option<&Source>| source.is_none_or(|source| source.lost.is_some() || source.plan.is_none());
    match (before, now, own) {
        (_, None, None) => None,
        (None, None, Some(source)) if known_gone(source) => None,
        (_, None, Some(_)) => Some(format!("AWS does not tell group/{name}")),
        (_, Some(_), Some(Some(source))) if source.may_be_back() => Some(format!("group/{name} is back")),
        (before, now, _) if launches_from(before) == launches_from(now) => None,
        (_, Some(_), _) => {
            Some(format!("group/{name} was given something else to launch from while it was asked who does"))
        }
    }
}

fn launches_from(group: Option<&Group>) -> Option<&LaunchSource> {
    group.map(|group| &group.launches_from)
}

enum Found {
    Version(TemplateId, u64),
    Override,
    Unreadable(String),
}

/// What of a launch source leads to the image.
fn by_source(
    from: &LaunchSource,
    leaving: &Leaving<'_>,
    reading: &Reading,
    needs: &mut Vec<Need>,
    name: &dyn Fn(Found) -> Need,
) {
    match from {
        LaunchSource::Mixed(policy) => {
            let own = policy.overrides.iter().filter_map(|other| other.image.as_deref());
            needs.extend(own.filter(|image| *image == leaving.image.as_str()).map(|_| name(Found::Override)));
        }
        LaunchSource::Unreadable(what) => needs.push(name(Found::Unreadable(what.clone()))),
        LaunchSource::Template(_) | LaunchSource::Configuration(_) => {}
    }
    for named in from.templates() {
        let Some(found) = reading.templates.iter().find(|found| found.template == named.template) else { continue };
        let number = match named.version {
            VersionRef::Number(number) => Some(number),
            VersionRef::Default => found.default,
            VersionRef::Latest => found.latest,
        };
        if let Some(number) = number.filter(|number| found.naming.iter().any(|version| version.number == *number)) {
            needs.push(name(Found::Version(named.template.clone(), number)));
        }
    }
}

#[cfg(test)]
#[path = "needed_rules.rs"]
mod rules;
