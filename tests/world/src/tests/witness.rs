//! The witness itself: each thing that Lastgood must not do is done once, and told; the same in order is not.

use lastgood_core::facts::{Tags, TemplateRef, VersionRef};
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_core::name::{TAG_BACKUP, TAG_SOURCE};

use super::{version_of, world};
use crate::*;

/// An invocation of Lastgood's makes an image of the source `group/web` for the slot of this minute. It takes three minutes.
fn backed_up(world: &World, minute: u32) -> ImageId {
    let instance = world.instance(&world.base_image());
    let before = world.act_as(Some(1));
    let backup = format!("group/web@20260115T10{minute:02}00Z");
    let tags = Tags::from([(TAG_SOURCE.to_owned(), "group/web".to_owned()), (TAG_BACKUP.to_owned(), backup)]);
    let tags = vec![("image".to_owned(), tags.clone()), ("snapshot".to_owned(), tags)];
    let request = CreateImage { tags, ..super::request(&instance, &format!("web-{minute}")) };
    let image = world.ec2().create_image(request);
    world.act_as(before);
    world.advance(300);
    image.expect("made")
}

/// Two good backups of `group/web`, the older one first.
fn two() -> (World, ImageId, ImageId) {
    let world = world();
    let (old, new) = (backed_up(&world, 10), backed_up(&world, 20));
    for image in [&old, &new] {
        assert!(world.was_proven(image));
        world.told_good(image);
    }
    (world, old, new)
}

/// What the witness says, without the time, when an invocation of Lastgood's does this.
fn told(world: &World, does: impl FnOnce(&World)) -> Vec<String> {
    let before = world.wrongs().len();
    let caller = world.act_as(Some(2));
    does(world);
    world.act_as(caller);
    let wrongs = world.wrongs().split_off(before);
    wrongs.into_iter().map(|wrong| wrong.split_once(' ').map_or(wrong.clone(), |(_, what)| what.to_owned())).collect()
}

fn deregisters(image: &ImageId) -> impl FnOnce(&World) {
    let image = image.to_string();
    move |world| drop(world.ec2().deregister_image(&image))
}

/// What is said when the older of two good images goes, after `uses` has used it.
fn used_by(uses: impl FnOnce(&World, &ImageId)) -> Vec<String> {
    let (world, old, _) = two();
    uses(&world, &old);
    let told = told(&world, deregisters(&old));
    told.iter().map(|what| what.replace(old.as_str(), "it")).collect()
}

#[test]
fn an_older_good_image_may_go_and_the_newest_may_not() {
    let (world, old, new) = two();
    assert_eq!(told(&world, deregisters(&old)), [] as [&str; 0]);
    assert_eq!(
        told(&world, deregisters(&new)),
        [format!("{new} is deleted, and it is the newest good image of group/web")]
    );
    let (world, old, new) = two();
    world.may_retire("group/web");
    assert_eq!(told(&world, deregisters(&new)), [] as [&str; 0]);
    assert_eq!(told(&world, deregisters(&old)), [] as [&str; 0]);
}

#[test]
fn as_many_stay_as_the_plan_says() {
    let (world, old, _) = two();
    world.keep_at_least("group/web", 2);
    assert_eq!(
        told(&world, deregisters(&old)),
        [format!("{old} is deleted, and only 1 good images of group/web are left, not 2")]
    );
}

#[test]
fn what_stands_in_for_an_image_may_have_been_taken_away_half_a_minute_ago_and_no_longer() {
    for (seconds, wrongs) in [(30, 0), (31, 1)] {
        let (world, old, new) = two();
        world.ec2().deregister_image(new.as_str()).expect("deregistered");
        world.broken_by_hand(&new);
        world.advance(seconds);
        assert_eq!(told(&world, deregisters(&old)).len(), wrongs, "after {seconds} s");
    }
}

#[test]
fn what_lastgood_did_not_make_it_may_not_delete() {
    let (world, old, new) = two();
    let stranger = world.base_image();
    assert_eq!(told(&world, deregisters(&stranger)), [format!("{stranger} is deleted, and Lastgood did not make it")]);
    let theirs = world.old_snapshot(1).to_string();
    assert_eq!(
        told(&world, |world| drop(world.ec2().delete_snapshot(&theirs))),
        [format!("{theirs} is deleted, and Lastgood did not make it")]
    );
    // What people delete is theirs to answer for.
    for image in [&old, &new] {
        world.ec2().deregister_image(image.as_str()).expect("deregistered");
    }
    assert_eq!(world.wrongs().len(), 2);
}

#[test]
fn tags_make_nothing_lastgoods() {
    let (world, old, _) = two();
    let tags = world.image(&old).expect("there").tags;
    let stranger = world.base_image();
    let theirs = world.old_snapshot(1);
    let first = world.image(&old).expect("there").snapshots().remove(0);
    let copy = world.ec2().copy_snapshot(first.as_str(), "[Copied it]", &tags).expect("copied");
    world.ec2().create_tags(&[stranger.to_string(), theirs.to_string()], &tags).expect("tagged");
    let what = |id: &str| [format!("{id} is deleted, and Lastgood did not make it")];
    assert_eq!(told(&world, deregisters(&stranger)), what(stranger.as_str()));
    for id in [theirs, copy] {
        assert_eq!(told(&world, |world| drop(world.ec2().delete_snapshot(id.as_str()))), what(id.as_str()));
    }
    let cache = world.put_cache("sessions", CacheShape::Serverless);
    let request = CreateCacheSnapshot {
        name: "theirs".into(),
        of: CacheOrigin::Serverless("sessions".into()),
        tags: tags.clone(),
    };
    let taken = world.elasticache().create_snapshot(&request).expect("taken").id;
    world.may_retire(&cache.to_string());
    world.advance(300);
    assert_eq!(told(&world, |world| drop(world.elasticache().delete_snapshot(&taken))), what(&taken.to_string()));
}

#[test]
fn whoever_refers_to_an_image_keeps_it() {
    let by_group = used_by(|world, image| {
        let template = world.template("db", image);
        world.group("db", &by_number(&template, 1), 0);
    });
    assert_eq!(by_group[0], "it is deleted, and group db (its template) refers to it");
    let by_override = used_by(|world, image| {
        let template = world.template("db", &world.base_image());
        let own = Override { image: Some(image.to_string()), ..Override::of_type("m5.large") };
        world.mixed_group("db", &by_number(&template, 1), vec![own], 0);
    });
    assert_eq!(by_override, ["it is deleted, and group db (an override) refers to it"]);
    let by_template = used_by(|world, image| drop(world.template("db", image)));
    assert!(by_template[0].starts_with("it is deleted, and version 1 of lt-"), "{by_template:?}");
    let by_configuration = used_by(|world, image| drop(world.launch_configuration("old", image)));
    assert_eq!(by_configuration, ["it is deleted, and launch configuration old refers to it"]);
    let by_parameter = used_by(|world, image| world.put_parameter("/web", image.as_str(), "aws:ec2:image"));
    assert_eq!(by_parameter, ["it is deleted, and parameter /web refers to it"]);
    let by_instance = used_by(|world, image| {
        world.keep_in_use("group/web");
        world.instance(image);
    });
    assert!(by_instance[0].starts_with("it is deleted, and instance i-"), "{by_instance:?}");
    let by_refresh = used_by(|world, image| {
        let template = world.template("db", &world.base_image());
        world.group("db", &by_number(&template, 1), 1);
        let version = version_of(world, &template, image);
        let desired = Some((&by_number(&template, version)).into());
        let refresh = StartRefresh { group: "db".into(), desired, ..StartRefresh::default() };
        world.autoscaling().start_refresh(&refresh).expect("begun");
    });
    assert!(by_refresh.iter().any(|what| what.contains("group db")), "{by_refresh:?}");
    assert_eq!(used_by(|world, image| drop(world.instance(image))), [] as [&str; 0], "no policy keeps it for that");
}

/// The template gets a version with this image.
fn gives(world: &World, template: &TemplateId, image: &ImageId) {
    version_of(world, template, image);
}

#[test]
fn a_backup_has_one_image() {
    let world = world();
    let first = backed_up(&world, 10);
    let again = world.image(&first).expect("there");
    let instance = world.instance(&world.base_image());
    let wrongs = told(&world, |world| {
        let tags = vec![("image".to_owned(), again.tags.clone())];
        let request = CreateImage { tags, ..super::request(&instance, "another") };
        world.ec2().create_image(request).expect("made");
    });
    assert_eq!(wrongs, ["group/web@20260115T101000Z has two images"]);
}

#[test]
fn a_version_goes_if_lastgood_made_it_and_no_group_launches_from_it() {
    let (world, _, new) = two();
    let template = world.template("web", &world.base_image());
    let name = TemplateName::Id(template.to_string());
    let theirs = version_of(&world, &template, &new);
    let caller = world.act_as(Some(1));
    let ours = version_of(&world, &template, &new);
    world.act_as(caller);
    world.group("web", &by_number(&template, ours), 0);
    let delete = |version: u64| told(&world, |world| drop(world.ec2().delete_template_versions(&name, &[version])));
    assert_eq!(delete(theirs), [format!("version {theirs} of {template} is deleted, and Lastgood did not make it")]);
    assert_eq!(delete(ours), [format!("version {ours} of {template} is deleted, and group web launches from it")]);
}

#[test]
fn a_group_is_given_a_complete_image_of_ours_and_no_other() {
    let (world, _, new) = two();
    let stranger = world.base_image();
    let template = world.template("web", &stranger);
    world.group("web", &TemplateRef { template: template.clone(), version: VersionRef::Latest }, 0);
    assert_eq!(told(&world, |world| gives(world, &template, &new)), [] as [&str; 0]);
    assert_eq!(
        told(&world, |world| gives(world, &template, &stranger)),
        [format!("group web is given {stranger}, and Lastgood did not make it")]
    );
    let instance = world.instance(&stranger);
    let caller = world.act_as(Some(1));
    let young = world.ec2().create_image(super::request(&instance, "young")).expect("made");
    world.act_as(caller);
    assert_eq!(
        told(&world, |world| gives(world, &template, &young)),
        [format!("group web is given {young}, and it was never complete")]
    );
}

#[test]
fn what_was_changed_by_hand_stays_until_it_is_released() {
    let (world, old, new) = two();
    let template = world.template("web", &old);
    world.group("web", &TemplateRef { template: template.clone(), version: VersionRef::Latest }, 0);
    let stranger = world.base_image();
    version_of(&world, &template, &stranger);
    world.changed_by_hand("web");
    let undo = |world: &World| gives(world, &template, &new);
    assert_eq!(told(&world, undo), [] as [&str; 0], "nobody can have seen it yet: no call of AWS compares");
    version_of(&world, &template, &stranger);
    world.changed_by_hand("web");
    world.advance(61);
    assert_eq!(told(&world, undo), [format!("{stranger} was given to group web by hand, and that was undone")]);
    version_of(&world, &template, &stranger);
    world.changed_by_hand("web");
    world.advance(61);
    world.released("web");
    assert_eq!(told(&world, undo), [] as [&str; 0]);
}

#[test]
fn a_call_that_comes_after_its_caller_is_gone_is_not_blamed_and_remembered() {
    let (world, _, new) = two();
    let blamed = told(&world, |world| {
        world.comes(Arrival::AfterItsCaller);
        let _ = world.ec2().deregister_image(new.as_str());
    });
    assert_eq!(blamed, [] as [&str; 0]);
    let world = super::world();
    let instance = world.instance(&world.base_image());
    world.act_as(Some(1));
    world.comes(Arrival::AfterItsCaller);
    let late = world.ec2().create_image(super::request(&instance, "late")).expect("made");
    world.act_as(None);
    assert!(world.was_made_late(late.as_str()));
    assert!(world.image(&late).expect("there").snapshots().iter().all(|id| world.was_made_late(id.as_str())));
    assert!(!world.was_made_late(new.as_str()));
}
