//! The operator wins: what people do by hand while Lastgood is at work, told as stories.

use futures_util::FutureExt;
use lastgood_core::backup::{Publication, PublishedTo, State};
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_core::incoming::{AboutSource, BackupRequested, Request};
use lastgood_core::{later, plan};
use lastgood_engine::apply::{self, Absent, ApplyError};
use lastgood_tests::cut::{At, Cut, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{CreateVersion, TemplateData, TemplateName, World, by_number};

use crate::transcript::{count, give};

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

/// A group `web` of two that names its template by number, under an hourly plan, at 10:30.
fn web() -> (Stack, TemplateId) {
    let world = world();
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 2);
    let stack = Stack::new(world);
    stack.apply(PLAN).expect("applied");
    (stack, template)
}

/// An operator makes a version that copies `base`, with another image or none.
fn make_version(stack: &Stack, template: &TemplateId, base: u64, image: Option<&ImageId>) -> u64 {
    let data = TemplateData {
        image: image.map(ToString::to_string),
        instance_type: Some("t3.micro".into()),
        ..TemplateData::default()
    };
    let version = stack.world.ec2().create_template_version(CreateVersion {
        template: TemplateName::Id(template.to_string()),
        source: Some(base.to_string()),
        data,
        description: "by hand".into(),
        token: None,
    });
    version.expect("made").number
}

fn newest_image(stack: &Stack) -> Option<ImageId> {
    stack.source("group/web").last_good.and_then(|good| good.image().cloned())
}

fn instance_type(stack: &Stack, template: &TemplateId) -> Option<String> {
    let image = stack.world.group_image("web").map(|image| image.to_string());
    let versions = stack.world.template_versions(template);
    versions
        .into_iter()
        .filter(|version| version.data.image == image)
        .max_by_key(|version| version.number)?
        .data
        .instance_type
}

#[test]
fn a_version_that_an_operator_made_while_the_group_was_locked_is_not_undone() {
    let (stack, template) = web();
    stack.run(91);
    stack.world.lock_group("web");
    stack.run(20);
    // The image is good, and the refresh that locks the group ends with a version of the operator's.
    assert_eq!(stack.backups("group/web")[0].publication, Publication::Due);
    stack.world.unlock_group("web");
    let theirs = make_version(&stack, &template, 2, None);
    give(&stack, "web", &template, theirs);
    stack.run(10);
    assert_eq!(stack.world.group_image("web"), newest_image(&stack));
    assert_eq!(instance_type(&stack, &template).as_deref(), Some("t3.micro"), "their change is in our version");
}

#[test]
fn an_image_that_stands_in_a_version_of_somebody_elses_stays_with_it() {
    let (stack, template) = web();
    stack.run(60);
    let first = stack.backups("group/web")[0].image().cloned().expect("good");
    let theirs = make_version(&stack, &template, 1, Some(&first));
    stack.run(6 * 60);
    let numbers: Vec<_> = stack.world.template_versions(&template).iter().map(|version| version.number).collect();
    // The first, which was there before; theirs, with the image that it names and our version of that; and those of the
    // three images that the plan keeps.
    assert_eq!(numbers, [1, 2, theirs, 7, 8, 9]);
    assert!(stack.our_images().iter().any(|image| image.id == first));
    let refused: Vec<_> =
        stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Deletion Refused").collect();
    assert_eq!(refused.len(), 1, "it is told once");
    let words = format!("needed by version {theirs} of {template}, which somebody else made");
    assert!(refused[0].message.contains(&words), "{}", refused[0].message);
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn a_version_that_somebody_made_with_our_image_is_not_taken_for_ours() {
    let (stack, template) = web();
    stack.run(31);
    stack.world.lock_group("web");
    stack.run(20);
    let ours = stack.backups("group/web")[0].image().cloned().expect("good");
    let theirs = make_version(&stack, &template, 1, Some(&ours));
    stack.world.unlock_group("web");
    stack.run(10);
    let Publication::Published(PublishedTo::Version { version, .. }) = stack.backups("group/web")[0].publication else {
        panic!("published")
    };
    assert_ne!(version, theirs, "a test of somebody's must not become production");
    assert_eq!(stack.world.group_image("web"), Some(ours));
}

#[test]
fn whoever_gives_a_group_the_image_that_waits_to_be_published_has_published_it_and_a_newer_one_replaces_it() {
    let (stack, template) = web();
    stack.run(31);
    stack.world.lock_group("web");
    stack.run(20);
    let waiting = stack.backups("group/web").remove(0);
    assert_eq!((waiting.state, &waiting.publication), (State::Good, &Publication::Due));
    stack.world.unlock_group("web");
    let by_hand = make_version(&stack, &template, 1, waiting.image());
    give(&stack, "web", &template, by_hand);
    stack.run(10);
    let published = stack.backups("group/web").remove(0).publication;
    assert!(matches!(published, Publication::Published(_)), "{published:?}");
    assert_eq!(stack.world.group_image("web"), waiting.image().cloned());
    stack.run(60);
    let newer = stack.backups("group/web").remove(0);
    assert_ne!(newer.image(), waiting.image());
    assert_eq!(stack.world.group_image("web"), newer.image().cloned());
    assert_eq!(instance_type(&stack, &template).as_deref(), Some("t3.micro"), "their change is in our version");
    assert_eq!(count(&stack, "Publication Held"), 0);
}

#[test]
fn an_image_that_is_needed_again_before_its_deletion_came_about_stays() {
    let (stack, template) = web();
    stack.run(3 * 60);
    let oldest = stack.backups("group/web")[2].clone();
    stack.world.throttle_next("ec2:DeregisterImage", 1);
    stack.run(40);
    assert_eq!(stack.backups("group/web")[3].state, State::Deleting);
    // Our version of it is gone already: the operator makes another.
    let version = make_version(&stack, &template, 1, oldest.image());
    give(&stack, "web", &template, version);
    stack.run(2 * 60);
    let kept = stack.backups("group/web").into_iter().find(|backup| backup.id == oldest.id).expect("on record");
    assert_eq!(kept.state, State::Good);
    assert_eq!(stack.world.group_image("web"), oldest.image().cloned());
    assert!(stack.our_images().iter().any(|image| Some(&image.id) == oldest.image()));
}

#[test]
fn an_image_that_was_deregistered_before_it_was_published_is_not_published() {
    let (stack, _) = web();
    stack.run(31);
    stack.world.lock_group("web");
    stack.run(20);
    let before = stack.world.group_image("web");
    let image = stack.backups("group/web")[0].image().cloned().expect("good");
    stack.world.ec2().deregister_image(image.as_str()).expect("by hand");
    stack.world.unlock_group("web");
    stack.run(10);
    let waits = &stack.backups("group/web")[0];
    assert!(!waits.publication.is_at_rest());
    assert!(waits.trouble.as_deref().is_some_and(|why| why.contains("the image is not visible")), "{waits:?}");
    assert_eq!(stack.world.group_image("web"), before);
    // It is told once nobody can hope any more. The next one is good, and is published.
    stack.run(65);
    let Publication::Held(why) = &stack.backups("group/web")[1].publication else { panic!("held") };
    assert!(why.contains("somebody deregistered it"), "{why}");
    assert_eq!(stack.world.group_image("web"), newest_image(&stack));
}

#[test]
fn images_that_were_deregistered_by_hand_keep_no_real_one_from_counting() {
    let (stack, _) = web();
    stack.run(4 * 60);
    let backups = stack.backups("group/web");
    for backup in &backups[0..2] {
        stack.world.ec2().deregister_image(backup.image().expect("good").as_str()).expect("by hand");
    }
    // Two of the three newest are ghosts. The third, and the one that comes, are what there is.
    stack.run(60);
    let good: Vec<_> = stack.our_images().into_iter().map(|image| image.id).collect();
    assert!(good.contains(backups[2].image().expect("good")), "the only older image that is there stays");
    assert_eq!(good.len(), 2);
    // Once three that are there are younger, what is left of the ghosts goes: their snapshots.
    stack.run(3 * 60);
    assert_eq!((stack.our_images().len(), stack.our_snapshots().len()), (3, 6));
}

#[test]
fn a_deletion_that_stays_forbidden_is_told_once() {
    let (stack, _) = web();
    stack.world.deny("ec2:DeregisterImage", "*");
    stack.run(8 * 60);
    let refusals: Vec<_> =
        stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Deletion Refused").collect();
    let mut sources: Vec<_> = refusals.iter().map(|notice| notice.message.split(" stays").next()).collect();
    sources.dedup();
    assert_eq!(sources.len(), refusals.len(), "{refusals:#?}");
    assert!(!refusals.is_empty());
}

#[test]
fn two_groups_that_would_get_each_others_image_are_refused() {
    for (one, other, refused) in [
        (VersionRef::Latest, VersionRef::Latest, true),
        (VersionRef::Number(1), VersionRef::Latest, true),
        (VersionRef::Default, VersionRef::Number(1), true),
        (VersionRef::Number(1), VersionRef::Number(1), false),
    ] {
        let world = world();
        let template = world.template("shared", &world.base_image());
        world.group("web", &TemplateRef { template: template.clone(), version: one }, 1);
        world.group("api", &TemplateRef { template, version: other }, 1);
        let stack = Stack::new(world);
        let applied = stack.apply("plans: [{name: all, select: {groups: [web, api]}, schedule: hourly}]");
        assert_eq!(applied.is_err(), refused, "{one:?} and {other:?}");
        let Err(ApplyError::Mistakes(mistakes)) = applied else { continue };
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].what.contains("each would get the other's image"), "{}", mistakes[0].what);
    }
}

#[test]
fn a_group_taken_out_of_its_plan_is_not_published_to_any_more() {
    let world = world();
    let base = world.base_image();
    world.group("web", &by_number(&world.template("web", &base), 1), 1);
    world.group("api", &by_number(&world.template("api", &base), 1), 1);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: all, select: {groups: [web, api]}, schedule: hourly}]").expect("applied");
    stack.run(30);
    assert_eq!(stack.backups("group/web")[0].state, State::Pending);
    stack.apply("plans: [{name: all, select: {groups: [api]}, schedule: hourly}]").expect("applied");
    stack.run(15);
    assert_eq!(stack.backups("group/web")[0].publication, Publication::Superseded);
    assert_eq!(stack.world.group_image("web"), Some(base));
}

#[test]
fn silence_is_told_though_no_tick_ever_ran() {
    let (stack, _) = web();
    stack.world.advance(4 * 3600);
    stack.invoke(Invocation::Poll);
    let told: Vec<_> = stack.told().iter().map(|notice| notice.news.detail_type()).collect();
    assert_eq!(told, ["Backup Overdue"]);
    stack.invoke(Invocation::Poll);
    assert_eq!(stack.bus.sent().len(), 1, "once");
}

#[test]
fn silence_is_told_by_the_tick_though_no_poll_ever_runs() {
    let (stack, _) = web();
    stack.world.advance(4 * 3600);
    stack.invoke(Invocation::Tick);
    let told: Vec<_> = stack.told().iter().map(|notice| notice.news.detail_type()).collect();
    assert_eq!(told, ["Backup Overdue"]);
}

#[test]
fn silence_is_told_by_the_tick_that_finds_its_slot_taken_by_a_request() {
    let (stack, _) = web();
    stack.world.advance(3 * 3600 + 30 * 60);
    let request = BackupRequested {
        source: "group/web".parse().expect("a source"),
        by: "a test".parse().expect("a name"),
        reason: None,
    };
    stack.invoke(Invocation::Request(stack.world.time(), request));
    stack.invoke(Invocation::Tick);
    assert_eq!(stack.backups("group/web").len(), 1, "the slot of 14:00 is that of the request");
    let told: Vec<_> = stack.told().iter().map(|notice| notice.news.detail_type()).collect();
    assert_eq!(told, ["Backup Overdue"]);
}

#[test]
fn each_function_asks_only_for_what_it_is_permitted() {
    let (stack, _) = web();
    stack.world.fail_next_image("the disk was busy");
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(30 * 60);
    let before = stack.world.calls();
    stack.invoke(Invocation::Poll);
    assert_eq!(stack.backups("group/web")[0].state, State::Failed);
    let grown = |call: &str| stack.world.calls().get(call) != before.get(call);
    assert!(!grown("ec2:DeregisterImage") && !grown("ec2:DescribeSnapshots"), "the leftovers are the cleanup's work");
    assert_eq!(stack.told().iter().map(|notice| notice.news.detail_type()).collect::<Vec<_>>(), ["Backup Failed"]);
}

#[test]
fn what_cannot_be_read_is_not_released() {
    let (stack, template) = web();
    stack.run(60);
    let theirs = make_version(&stack, &template, 1, Some(&stack.world.base_image()));
    give(&stack, "web", &template, theirs);
    stack.run(60);
    let before = stack.world.group_image("web");
    assert_eq!(count(&stack, "Publication Held"), 1);
    let about = AboutSource {
        source: "group/web".parse().expect("a source"),
        by: "a test".parse().expect("a name"),
        reason: None,
    };
    let release = Invocation::Asked(stack.world.time(), Request::Release(about));
    for action in ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeLaunchTemplateVersions"] {
        stack.world.deny(action, "*");
        let refused = stack.invoke(release.clone()).refused;
        let why =
            "Release Requested of group/web: what group/web launches from can't be read, so nothing is released: ";
        assert!(refused[0].starts_with(why), "{refused:?}");
        stack.world.allow(action);
    }
    stack.run(10);
    assert_eq!(stack.world.group_image("web"), before, "it is still held");
    stack.invoke(release);
    stack.run(10);
    assert_eq!(stack.world.group_image("web"), newest_image(&stack));
}

#[test]
fn a_request_from_the_future_is_refused() {
    let (stack, _) = web();
    let asked = |seconds_ahead| {
        let source = "group/web".parse().expect("a source");
        let request = BackupRequested { source, by: "a laptop".parse().expect("a name"), reason: None };
        stack.invoke(Invocation::Request(later(stack.world.time(), seconds_ahead), request)).refused
    };
    let refused = asked(301);
    assert!(refused[0].contains("whose clock is wrong?"), "its clock is further ahead than clocks are: {refused:?}");
    assert!(stack.backups("group/web").is_empty());
    assert!(asked(300).is_empty(), "clocks may be five minutes apart");
    assert_eq!(stack.backups("group/web").len(), 1);
}

#[test]
fn a_wish_from_the_future_is_refused_for_nothing_that_is_asked_before_it_would_count_any_more() {
    let (stack, _) = web();
    let hold = |seconds_ahead| {
        let about = AboutSource {
            source: "group/web".parse().expect("a source"),
            by: "a laptop".parse().expect("a name"),
            reason: None,
        };
        stack.invoke(Invocation::Asked(later(stack.world.time(), seconds_ahead), Request::Hold(about))).refused
    };
    let refused = hold(301);
    assert!(refused[0].contains("whose clock is wrong?"), "its clock is further ahead than clocks are: {refused:?}");
    assert!(stack.source("group/web").hold.is_none());
    assert!(hold(300).is_empty(), "clocks may be five minutes apart");
    assert!(stack.source("group/web").hold.is_some());
}

#[test]
fn an_apply_that_dies_half_way_is_finished_by_the_next() {
    let world = world();
    let base = world.base_image();
    let names: Vec<String> = (0..150).map(|number| format!("g{number:03}")).collect();
    for name in &names {
        let template = world.template(name, &base);
        world.group(name, &by_number(&template, 1), 1);
    }
    let stack = Stack::new(world);
    let file = |names: &[String]| {
        format!("plans: [{{name: all, select: {{groups: [{}]}}, schedule: daily}}]", names.join(", "))
    };
    stack.apply(&file(&names)).expect("applied");
    // Most of the groups leave the plan; the one that applies it dies in the middle.
    let fewer = file(&names[..20]);
    let file = plan::read("plans.yaml", &fewer).expect("right");
    let now = stack.world.time();
    let compare = apply::compare(&stack.store, &stack.world, &file, Absent::Stay, now);
    let change = compare.now_or_never().expect("ready").expect("compared");
    let knife = Knife::new(Some(At::Before(1)));
    let cut = Cut { port: &stack.store, gate: &knife };
    assert!(apply::write(&cut, &change, now).now_or_never().is_none(), "it dies before the second part");
    stack.apply(&fewer).expect("applied");
    let planned = names.iter().filter(|name| stack.source(&format!("group/{name}")).plan.is_some()).count();
    assert_eq!(planned, 20);
}
