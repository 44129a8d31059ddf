//! What people do about instance refreshes, what they think of rollouts, and the images that they ask a group to be given.

use lastgood_core::facts::VersionRef;
use lastgood_core::incoming::{ImageChangeRequested, VerdictAsked};
use lastgood_core::rollout::{Judge, Verdict};
use lastgood_world::{LaunchFromText, RefreshStatus, StartRefresh, by_number};

use super::crew::Crew;
use super::hands::{about, an_image, can_be_launched, changed};
use super::scene::Kind;
use crate::stack::Invocation;

/// Somebody begins a refresh, or ends the one that goes.
pub(super) fn refresh(crew: &mut Crew<'_>, group: &Kind) {
    let world = crew.world();
    if world.group_view(&group.name).is_none() {
        return;
    }
    let versions: Vec<u64> = world.template_versions(&group.template).iter().map(|version| version.number).collect();
    let number = versions[crew.rng.usize(0..versions.len())];
    let desired = (!matches!(group.version, VersionRef::Latest) && !group.mixed && crew.rng.bool())
        .then(|| LaunchFromText::from(&by_number(&group.template, number)));
    let pauses = [
        ("CheckpointPercentages.member.1", "50"),
        ("CheckpointPercentages.member.2", "100"),
        ("CheckpointDelay", "300"),
        ("MinHealthyPercentage", "50"),
    ];
    let has_pauses = desired.is_some() && crew.rng.bool();
    let preferences =
        pauses.iter().filter(|_| has_pauses).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let begun = world.autoscaling().start_refresh(&StartRefresh {
        group: group.name.clone(),
        desired: desired.clone(),
        preferences,
    });
    if begun.is_ok() {
        crew.say(|| format!("an instance refresh of {} begins: {desired:?}", group.name));
        return;
    }
    let before = world.own_image(&group.name);
    let how = [RefreshStatus::Successful, RefreshStatus::Cancelled, RefreshStatus::RollbackSuccessful];
    let status = how[crew.rng.usize(0..3)];
    world.set_refresh(&group.name, status);
    crew.say(|| format!("the instance refresh of {} ends: {status:?}", group.name));
    changed(crew, group, before.as_ref());
}

/// Somebody gives a verdict: on the pause that is open, or on one that they only think is.
pub(super) fn judge(crew: &mut Crew<'_>, group: &Kind) {
    let rollouts = crew.scene.stack.store.all_rollouts();
    let of_group =
        rollouts.into_iter().filter(|rollout| rollout.group.as_str() == group.name && rollout.order.is_some());
    let Some(rollout) = of_group.max_by_key(|rollout| rollout.since) else { return };
    let verdict = if crew.rng.u32(0..3) == 0 { Verdict::RollBack } else { Verdict::GoOn };
    let judge = if crew.rng.bool() { Judge::Person } else { Judge::Event };
    let visit = crew.rng.bool().then(|| crew.rng.u32(1..3));
    let asked = VerdictAsked {
        rollout: rollout.id,
        visit,
        verdict,
        judge,
        by: "somebody".parse().expect("a name"),
        reason: None,
    };
    let (now, after) = (crew.world().time(), crew.rng.i64(0..60));
    crew.say(|| format!("judges: {asked:?}"));
    crew.post(Invocation::Verdict(now, asked), 0, after);
}

/// Somebody asks that the group is given an image: one of their own, or an older one of ours.
pub(super) fn give_image(crew: &mut Crew<'_>, group: &Kind) {
    let older = an_image(crew).filter(|image| can_be_launched(crew, image) && crew.rng.u32(0..3) == 0);
    let image = older.unwrap_or_else(|| {
        let theirs = crew.world().base_image();
        crew.sicken_some(&theirs);
        theirs
    });
    let (source, refresh) = (about(group).source, crew.rng.u32(0..4) > 0);
    let asked = ImageChangeRequested { source, image, refresh, by: "somebody".parse().expect("a name"), reason: None };
    crew.world().asked_for(&group.name, &asked.image);
    let (now, after) = (crew.world().time(), crew.rng.i64(0..60));
    crew.say(|| format!("asks: {asked:?}"));
    crew.post(Invocation::ImageChange(now, asked.clone()), 0, after);
    if crew.rng.u32(0..5) == 0 {
        crew.post(Invocation::ImageChange(now, asked), 0, after + 40);
    }
}

/// Refreshes that people began come to their end.
pub(super) fn mend(crew: &mut Crew<'_>) {
    for group in crew.scene.groups.clone() {
        let newest = crew.world().refreshes(&group.name).pop();
        if newest.is_some_and(|refresh| !refresh.is_ours) {
            crew.world().set_refresh(&group.name, RefreshStatus::Cancelled);
        }
    }
}
