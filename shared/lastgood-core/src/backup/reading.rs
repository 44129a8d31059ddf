//! What a publication makes of what its group launches from, and what it asks for.

use super::effect::{Alone, Effect, Together};
use super::manual::{self, Manual};
use super::place::{PublishedTo, TemplateUse};
use super::publication::{Publication, go, hold, published, rest};
use super::record::Backup;
use super::rolling;
use crate::Time;
use crate::facts::TemplateRef;
use crate::id::{GroupName, ImageId};
use crate::plan::PublishTo;
use crate::source::Expected;

pub(super) fn template_read(record: &mut Backup, expected: Option<&Expected>, used: TemplateUse, now: Time) -> String {
    record.left_alone = used.left_alone;
    record.missing_since = None;
    if used.image.as_deref() == record.image().map(ImageId::as_str) {
        // To make it was to publish it. Whoever has released it knows what is there.
        let is_known = expected.is_some_and(|expected| expected.image == used.image);
        if let Some(between) = used.between.filter(|_| !is_known) {
            return changed(record, &format!("version {between}, made meanwhile, was the newest before ours"), now);
        }
        // A version that a group which follows the newest launches from at once is not rolled out yet.
        if let Some(base) = used.made_from.filter(|_| record.publish.rollout.is_some()) {
            return made(record, used.group, base, used.version, now);
        }
        let to = PublishedTo::Version { template: used.group.template, version: used.version };
        return published(record, to, now);
    }
    if let Some(obstacle) = used.obstacle {
        return hold(record, now, obstacle);
    }
    match manual::judge(record, expected, used.image.as_deref(), "the group launches from", now) {
        Manual::Held(reason) => return hold(record, now, reason),
        Manual::Rests(publication, reason) => return rest(record, now, publication, reason),
        Manual::Fine => {}
    }
    if rolling::pins(record, &used.group) {
        return rolling::pin(record, used.group, used.version, now);
    }
    if let Some(version) = used.ours {
        made(record, used.group, used.version, version, now)
    } else {
        let reason = format!("version {} of {} is copied", used.version, used.group.template);
        go(record, now, Publication::Making { group: used.group, base: used.version }, reason)
    }
}

pub(super) fn changed(record: &mut Backup, what: &str, now: Time) -> String {
    hold(record, now, format!("{what}; it was changed by hand while the image was being published"))
}

pub(super) fn made(record: &mut Backup, group: TemplateRef, base: u64, version: u64, now: Time) -> String {
    let reason = format!("version {version} of {} has the image", group.template);
    if record.publish.rollout.is_some() {
        return go(record, now, Publication::Rolling { group, base, version, at: now, begun: false }, reason);
    }
    go(record, now, Publication::Pointing { group, base, version }, reason)
}

/// What the publication asks for next.
pub(super) fn due(record: &Backup, group: &GroupName) -> Option<Effect> {
    match &record.publication {
        Publication::Due => Some(Effect::Alone(Alone::AskTurn)),
        Publication::Reading { .. } => Some(match &record.publish.to {
            PublishTo::Parameter(name) => Effect::Alone(Alone::ReadParameter(group.clone(), name.clone())),
            PublishTo::Group | PublishTo::Nothing => Effect::Together(Together::ReadTemplate(group.clone())),
        }),
        Publication::Making { group, base } => Some(Effect::Alone(Alone::MakeVersion {
            template: group.template.clone(),
            base: *base,
            image: record.image().cloned()?,
        })),
        Publication::Pointing { group: named, base, version } => Some(Effect::Alone(Alone::PointGroup {
            group: group.clone(),
            named: named.clone(),
            base: *base,
            version: *version,
        })),
        Publication::Pinning { group: named, base } => {
            Some(Effect::Alone(Alone::PinGroup { group: group.clone(), named: named.clone(), base: *base }))
        }
        Publication::Rolling { begun: false, .. } => {
            rolling::order(record).map(|order| Effect::Alone(Alone::BeginRollout(group.clone(), Box::new(order))))
        }
        Publication::Writing { name, was } => Some(Effect::Alone(Alone::WriteParameter {
            name: name.clone(),
            image: record.image().cloned()?,
            was: was.clone(),
        })),
        Publication::Rolling { begun: true, .. }
        | Publication::NotAsked
        | Publication::Published(_)
        | Publication::Superseded
        | Publication::Adopted(_)
        | Publication::Held(_)
        | Publication::RolledBack(_) => None,
    }
}
