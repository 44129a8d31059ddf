//! What people do in a day: what they ask of Lastgood, and what they do to AWS behind its back.

use lastgood_core::backup::{Backup, State};
use lastgood_core::facts::VersionRef;
use lastgood_core::id::{ImageId, SourceId};
use lastgood_core::incoming::{AboutBackup, AboutSource, BackupRequested, Request};
use lastgood_world::{
    CreateVersion, ImageState, LaunchFromText, Protection, TemplateData, TemplateName, UpdateGroup, by_number,
};

use super::crew::Crew;
use super::scene::{Kind, Scene, Wish};
use super::{caches, instances, refreshes, tags};
use crate::stack::Invocation;

/// What people have done so far, as far as it matters to what is right.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The plans as they are wished now.
    pub(super) wishes: Vec<Wish>,
    /// Images that are disabled or protected until the calm.
    disabled: Vec<ImageId>,
    protected: Vec<ImageId>,
    /// Groups that were deleted.
    deleted: Vec<Kind>,
    /// Rows that were lost.
    pub(super) lost_rows: Vec<Backup>,
    /// Images whose instances are sick.
    pub(super) sick: std::collections::BTreeSet<ImageId>,
    /// What bears our tags and is not ours.
    pub(super) tagged: std::collections::BTreeSet<String>,
    /// What was done to caches.
    pub(super) caches: caches::Memory,
    /// Things that were made by hand, to name the next one.
    made: usize,
}

impl Memory {
    pub(super) fn of(scene: &Scene) -> Self {
        Self { wishes: scene.wishes.clone(), ..Self::default() }
    }
}

/// Somebody does something.
pub(super) fn act(crew: &mut Crew<'_>) {
    let before = crew.world().images_in_use();
    if !crew.scene.caches.all.is_empty() && crew.rng.u32(0..4) == 0 {
        caches::act(crew);
    } else if !crew.scene.instances.all.is_empty() && crew.rng.u32(0..3) == 0 {
        instances::act(crew);
    } else {
        act_once(crew);
    }
    for image in crew.world().images_in_use().difference(&before) {
        crew.world().begun_by_hand(image.clone());
    }
    crew.count("acts by hand");
    crew.see_saves();
}

fn act_once(crew: &mut Crew<'_>) {
    let group = crew.scene.groups[crew.rng.usize(0..crew.scene.groups.len())].clone();
    match crew.rng.u32(0..36) {
        0..=2 => ask_for_a_backup(crew, about(&group).source),
        3 => ask(crew, Request::Hold(about(&group))),
        4..=5 => ask(crew, Request::Release(about(&group))),
        6..=7 => pin(crew),
        8..=10 => change_by_hand(crew, &group),
        11 => deregister(crew),
        12 => disable(crew),
        13 => protect(crew),
        14 => share(crew),
        15 => use_elsewhere(crew, &group),
        16..=18 => kill_a_member(crew, &group),
        19 => scale(crew, &group),
        20 => delete_group(crew, &group),
        21 => tag(crew, &group),
        22..=23 => refreshes::refresh(crew, &group),
        30..=31 => refreshes::judge(crew, &group),
        32..=33 => refreshes::give_image(crew, &group),
        24..=26 => edit_plans(crew),
        27 => lose_a_row(crew),
        28 => launch_one(crew),
        34..=35 => tags::act(crew),
        _ => back_by_hand(crew, &group),
    }
}

pub(super) fn about(group: &Kind) -> AboutSource {
    AboutSource {
        source: source(group).parse().expect("a source"),
        by: "somebody".parse().expect("a name"),
        reason: None,
    }
}

pub(super) fn source(group: &Kind) -> String {
    format!("group/{}", group.name)
}

pub(super) fn ask_for_a_backup(crew: &mut Crew<'_>, source: SourceId) {
    let (now, after) = (crew.world().time(), crew.rng.i64(0..60));
    crew.say(|| format!("asks for a backup of {source}"));
    let request = BackupRequested { source, by: "somebody".parse().expect("a name"), reason: None };
    crew.post(Invocation::Request(now, request), 0, after);
}

fn ask(crew: &mut Crew<'_>, request: Request) {
    let (now, after) = (crew.world().time(), crew.rng.i64(0..60));
    crew.say(|| format!("asks: {request:?}"));
    crew.post(Invocation::Asked(now, request.clone()), 0, after);
    if crew.rng.u32(0..5) == 0 {
        crew.post(Invocation::Asked(now, request), 0, after + 40);
    }
}

/// A good backup, if there is any.
fn a_good_one(crew: &mut Crew<'_>) -> Option<Backup> {
    let mut good = crew.scene.stack.store.all_backups();
    good.retain(|backup| backup.state == State::Good && backup.image().is_some());
    if good.is_empty() {
        return None;
    }
    let index = crew.rng.usize(0..good.len());
    Some(good.swap_remove(index))
}

/// An image of a good backup that is still there.
pub(super) fn an_image(crew: &mut Crew<'_>) -> Option<ImageId> {
    let image = a_good_one(crew)?.image().cloned()?;
    let there = crew.world().image(&image).is_some_and(|image| image.deregistered_at.is_none());
    there.then_some(image)
}

pub(super) fn can_be_launched(crew: &Crew<'_>, image: &ImageId) -> bool {
    crew.world().image(image).is_some_and(|image| image.state == ImageState::Available)
}

fn pin(crew: &mut Crew<'_>) {
    let Some(backup) = a_good_one(crew) else { return };
    let about = AboutBackup { backup: backup.id, by: "somebody".parse().expect("a name"), reason: None };
    let request = if crew.rng.u32(0..3) == 0 { Request::Unpin(about) } else { Request::Pin(about) };
    ask(crew, request);
}

/// Somebody gives the group another image, behind Lastgood's back.
fn change_by_hand(crew: &mut Crew<'_>, group: &Kind) {
    let image = crew.world().base_image();
    give(crew, group, &image);
}

/// Somebody goes back to an older image of ours.
fn back_by_hand(crew: &mut Crew<'_>, group: &Kind) {
    if let Some(image) = an_image(crew) {
        give(crew, group, &image);
    }
}

fn give(crew: &mut Crew<'_>, group: &Kind, image: &ImageId) {
    let world = crew.world();
    let before = world.own_image(&group.name);
    if let Some(parameter) = &group.parameter {
        world.put_parameter(parameter, image.as_str(), "aws:ec2:image");
    } else {
        let data = TemplateData { image: Some(image.to_string()), ..TemplateData::default() };
        let template = TemplateName::Id(group.template.to_string());
        let source = Some("$Latest".to_owned());
        let asked =
            CreateVersion { template: template.clone(), source, data, description: "by hand".into(), token: None };
        let Ok(made) = world.ec2().create_template_version(asked) else { return };
        let done = match group.version {
            VersionRef::Latest => Ok(()),
            VersionRef::Default => world.ec2().set_default_version(&template, &made.number.to_string()).map(|_| ()),
            VersionRef::Number(_) => point(crew, group, made.number),
        };
        if done.is_err() {
            return;
        }
    }
    crew.say(|| format!("gives {} the image {image} by hand", group.name));
    changed(crew, group, before.as_ref());
}

fn point(crew: &Crew<'_>, group: &Kind, version: u64) -> Result<(), lastgood_world::AwsError> {
    let world = crew.world();
    let held = world.group_view(&group.name).map(|held| held.from);
    let from = match held {
        Some(lastgood_world::LaunchFrom::Mixed(policy)) => {
            let base = by_number(&group.template, version);
            LaunchFromText::Mixed((&lastgood_world::MixedPolicy { base, ..policy }).into())
        }
        _ => (&by_number(&group.template, version)).into(),
    };
    let update = UpdateGroup { name: group.name.clone(), from: Some(from), ..UpdateGroup::default() };
    world.autoscaling().update_group(&update)
}

/// What a group launches from was changed by hand. If its plan says to hold that, nobody may undo it. Whoever gives it the
/// image that it had `before` has changed nothing.
pub(super) fn changed(crew: &mut Crew<'_>, group: &Kind, before: Option<&ImageId>) {
    let own = crew.world().own_image(&group.name);
    if own.as_ref() == before {
        return;
    }
    let sources = crew.scene.stack.store.all_sources();
    let known = sources.iter().find(|known| known.id.to_string() == source(group) && known.plan.is_some());
    let Some(expected) = known.and_then(|known| known.expected.as_ref()) else { return };
    let backups = crew.scene.stack.store.all_backups();
    let is_good = |backup: &&Backup| backup.state == State::Good && backup.id.source.to_string() == source(group);
    let newest = backups.iter().filter(is_good).map(|backup| backup.id.slot).max();
    let goes = |backup: &Backup| Some(backup.id.slot) == newest || !backup.publication.is_at_rest();
    // Whoever gives a group the newest image of ours, or one that waits to be published, has published it.
    let published = backups.iter().filter(is_good).any(|backup| backup.image() == own.as_ref() && goes(backup));
    let fits = published || expected.image.as_deref() == own.as_ref().map(ImageId::as_str);
    if crew.hand.wishes[group.plan].on_manual_change == "hold" && !fits {
        crew.world().changed_by_hand(&group.name);
    } else {
        crew.world().released(&group.name);
    }
}

fn deregister(crew: &mut Crew<'_>) {
    let Some(image) = an_image(crew) else { return };
    let world = crew.world();
    let snapshots = world.image(&image).map(|image| image.snapshots()).unwrap_or_default();
    if world.ec2().deregister_image(image.as_str()).is_err() {
        return;
    }
    world.broken_by_hand(&image);
    crew.say(|| format!("deregisters {image} by hand"));
    if crew.rng.bool() {
        for snapshot in snapshots {
            let _ = crew.world().ec2().delete_snapshot(snapshot.as_str());
        }
    }
}

fn disable(crew: &mut Crew<'_>) {
    let Some(image) = an_image(crew) else { return };
    if crew.world().ec2().disable_image(image.as_str()).is_ok() {
        crew.world().broken_by_hand(&image);
        crew.say(|| format!("disables {image}"));
        crew.hand.disabled.push(image);
    }
}

fn protect(crew: &mut Crew<'_>) {
    let Some(image) = an_image(crew) else { return };
    if crew.world().ec2().protect_image(image.as_str(), Protection::On).is_ok() {
        crew.say(|| format!("protects {image} from deregistration"));
        crew.hand.protected.push(image);
    }
}

/// What the next thing that is made by hand is called.
pub(super) fn next_name(crew: &mut Crew<'_>) -> String {
    crew.hand.made += 1;
    format!("theirs-{}", crew.hand.made)
}

/// Somebody registers an image of their own over the snapshots of one of ours.
fn share(crew: &mut Crew<'_>) {
    let Some(image) = an_image(crew) else { return };
    let name = next_name(crew);
    let theirs = crew.world().image_sharing(&image, &name);
    crew.say(|| format!("registers {theirs} over the snapshots of {image}"));
}

/// One of our images is used where Lastgood was not asked.
fn use_elsewhere(crew: &mut Crew<'_>, group: &Kind) {
    let Some(image) = an_image(crew).filter(|image| can_be_launched(crew, image)) else { return };
    let name = next_name(crew);
    let world = crew.world();
    match crew.rng.u32(0..4) {
        0 => {
            let template = world.template(&name, &image);
            if crew.rng.bool() {
                world.group(&name, &by_number(&template, 1), 1);
            }
            crew.say(|| format!("uses {image} in {template}"));
        }
        1 => {
            world.launch_configuration(&name, &image);
            crew.say(|| format!("uses {image} in launch configuration {name}"));
        }
        2 => {
            world.put_parameter(&format!("/theirs/{name}"), image.as_str(), "aws:ec2:image");
            crew.say(|| format!("uses {image} in a parameter"));
        }
        _ => {
            let versions = world.our_versions();
            let of_group = versions
                .iter()
                .find(|(template, _, named)| *template == group.template && named.as_deref() == Some(image.as_str()));
            if let Some((template, number, _)) = of_group {
                world.group(&name, &by_number(template, *number), 1);
                crew.say(|| format!("makes group {name} launch from our version {number}"));
            }
        }
    }
}

fn launch_one(crew: &mut Crew<'_>) {
    if let Some(image) = an_image(crew).filter(|image| can_be_launched(crew, image)) {
        crew.world().instance(&image);
    }
}

fn kill_a_member(crew: &mut Crew<'_>, group: &Kind) {
    let Some(held) = crew.world().group_view(&group.name) else { return };
    if held.members.is_empty() {
        return;
    }
    let member = held.members[crew.rng.usize(0..held.members.len())].instance.clone();
    crew.say(|| format!("{member} of {} is lost", group.name));
    crew.world().kill(&member);
}

fn scale(crew: &mut Crew<'_>, group: &Kind) {
    let desired = crew.rng.usize(1..=4);
    crew.say(|| format!("{} is to have {desired} members", group.name));
    let _ = crew.world().autoscaling().set_desired_capacity(&group.name, desired);
}

fn delete_group(crew: &mut Crew<'_>, group: &Kind) {
    if crew.rng.u32(0..3) > 0 {
        return;
    }
    crew.say(|| format!("deletes {}", group.name));
    crew.world().delete_group(&group.name);
    crew.world().released(&group.name);
    crew.hand.deleted.push(group.clone());
    retire(crew);
}

/// The backups of a deleted group may all go once its plan says so, whatever it says later.
fn retire(crew: &Crew<'_>) {
    for group in &crew.hand.deleted {
        if crew.hand.wishes[group.plan].on_source_deleted == "delete" {
            crew.world().may_retire(&source(group));
        }
    }
}

fn tag(crew: &mut Crew<'_>, group: &Kind) {
    let Some(held) = crew.world().group_view(&group.name) else { return };
    if held.tags.contains_key("lastgood") {
        crew.say(|| format!("takes the tag off {}", group.name));
        crew.world().untag_group(&group.name, "lastgood");
    } else {
        crew.say(|| format!("tags {} again", group.name));
        // What is there when a plan finds it is what it begins with.
        crew.world().released(&group.name);
        crew.world().tag_group(&group.name, "lastgood", &format!("p{}", group.plan));
    }
}

fn edit_plans(crew: &mut Crew<'_>) {
    let number = crew.rng.usize(0..crew.hand.wishes.len());
    let before = crew.hand.wishes.clone();
    crew.hand.wishes[number] = before[number].edited(&mut crew.rng);
    if !crew.apply() {
        crew.hand.wishes = before;
        return;
    }
    retire(crew);
    // Whatever was changed by hand before: from now on another rule may count.
    for group in crew.scene.groups.clone() {
        crew.world().released(&group.name);
    }
}

fn lose_a_row(crew: &mut Crew<'_>) {
    if crew.rng.u32(0..3) > 0 {
        return;
    }
    let Some(backup) = a_good_one(crew) else { return };
    crew.say(|| format!("the row of {} is lost", backup.id));
    crew.scene.stack.store.lose_backup(&backup.id);
    crew.hand.lost_rows.push(backup);
}

/// People tidy up what would keep Lastgood waiting for ever.
pub(super) fn mend(crew: &mut Crew<'_>) {
    let world = crew.world();
    for image in std::mem::take(&mut crew.hand.protected) {
        let _ = world.ec2().unprotect_image(image.as_str());
    }
    for image in std::mem::take(&mut crew.hand.disabled) {
        let _ = world.ec2().enable_image(image.as_str());
    }
    refreshes::mend(crew);
    caches::mend(crew);
    instances::mend(crew);
}
