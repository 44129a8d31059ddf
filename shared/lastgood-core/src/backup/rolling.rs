//! What a publication has to do with the rollout of its image: the rollout itself has a life of its own.

use super::life::again;
use super::place::PublishedTo;
use super::publication::{Publication, go, hold, published, rest};
use super::record::Backup;
use crate::facts::TemplateRef;
use crate::notice::News;
use crate::rollout::{Followed, Order, Outcome, RolloutPolicy};
use crate::{Time, seconds_between};

/// How long a group must have been seen to follow a version before it is pinned to that.
pub(crate) const FOLLOWS_SECONDS_MIN: i64 = 2 * 60;

/// Whether the group is to name its version by number before it is rolled out to.
pub(super) fn pins(record: &Backup, group: &TemplateRef) -> bool {
    let pins = |policy: &RolloutPolicy| policy.followed == Followed::Pin;
    record.publish.rollout.as_ref().is_some_and(pins) && group.version.follows()
}

/// It is pinned once it was seen to follow this version for a while: a newer one that somebody made just now may not be told
/// yet (AWS: Eventual consistency), and whoever pins the group to the one before undoes that.
pub(super) fn pin(record: &mut Backup, group: TemplateRef, base: u64, now: Time) -> String {
    if let Err(why) = has_followed(&mut record.follows, base, now) {
        record.publication = Publication::Due;
        return again(record, now, FOLLOWS_SECONDS_MIN, &why);
    }
    let reason = format!("the group follows version {base} of {} by {}", group.template, group.version);
    go(record, now, Publication::Pinning { group, base }, reason)
}

/// Whether the group was seen to follow this version for long enough; else, in words, what is waited for. `follows` is what was
/// seen, and since when.
pub(crate) fn has_followed(follows: &mut Option<(u64, Time)>, base: u64, now: Time) -> Result<(), String> {
    let since = follows.filter(|(version, _)| *version == base).map_or(now, |(_, since)| since);
    *follows = Some((base, since));
    if seconds_between(since, now) < FOLLOWS_SECONDS_MIN {
        return Err(format!("whether the group follows version {base} still is seen in a while"));
    }
    Ok(())
}

/// It does: what it launches from is read once more.
pub(super) fn pinned(record: &mut Backup, group: &TemplateRef, base: u64, now: Time) -> String {
    let (backup, template) = (record.id.clone(), group.template.clone());
    let was = group.version.to_string();
    record.tell("", now, News::GroupPinned { backup: Some(backup), rollout: None, template, version: base, was });
    go(record, now, Publication::Due, format!("the group names version {base} by its number"))
}

/// What the rollout of a version is to bring about.
pub(super) fn order(record: &Backup) -> Option<Order> {
    let Publication::Rolling { group, base, version, at, .. } = &record.publication else { return None };
    let policy = record.publish.rollout.as_ref()?.over(group);
    Some(Order {
        backup: Some(record.id.clone()),
        image: record.image().cloned()?,
        at: *at,
        named: group.clone(),
        base: *base,
        version: *version,
        policy,
    })
}

/// How the rollout ended.
pub(super) fn ended(record: &mut Backup, outcome: Outcome, now: Time) -> String {
    match outcome {
        Outcome::Succeeded(template, version) => published(record, PublishedTo::Version { template, version }, now),
        Outcome::RolledBack(why) => rest(record, now, Publication::RolledBack(why.clone()), why),
        Outcome::NotDone(why) => hold(record, now, why),
    }
}
