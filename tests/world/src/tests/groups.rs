//! Groups and their members.

use lastgood_core::facts::{self, Tags, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, InstanceId, TemplateId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::Answers;
use lastgood_engine::call::autoscaling::{
    ActiveRefresh, GroupsNamed, GroupsTagged, ScaleInProtection, SetGroupVersion, SetScaleInProtection,
};

use super::{code, ready, world};
use crate::*;

fn web(world: &World, desired: usize) -> Group {
    world.group("web", &by_number(&world.template("web", &world.base_image()), 1), desired)
}

fn ids(group: &Group) -> Vec<InstanceId> {
    group.members.iter().map(|member| member.instance.clone()).collect()
}

fn lifecycles(world: &World) -> Vec<Lifecycle> {
    world.group_view("web").expect("there").members.iter().map(|member| member.lifecycle).collect()
}

fn set_version(group: &GroupName, template: &TemplateId, version: u64) -> SetGroupVersion {
    SetGroupVersion { group: group.clone(), template: template.clone(), version }
}

fn fact(world: &World) -> facts::Group {
    ready(world.call(&GroupsNamed(vec!["web".into()]))).expect("answered").expect("told").remove(0)
}

#[test]
fn a_group_replaces_what_it_lost_from_its_version_of_that_time() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    let id = world.template("web", &old);
    for (name, version) in [("fixed", VersionRef::Number(1)), ("latest", VersionRef::Latest)] {
        let group = world.group(name, &TemplateRef { template: id.clone(), version }, 2);
        assert!(group.members.iter().all(|member| member.lifecycle == Lifecycle::InService));
    }
    let data = TemplateData { image: Some(new.to_string()), ..TemplateData::default() };
    let template = TemplateName::Id(id.to_string());
    let version = CreateVersion { template, source: None, data, description: String::new(), token: None };
    world.ec2().create_template_version(version).expect("made");
    for name in ["fixed", "latest"] {
        let lost = world.group_view(name).expect("there").members[0].instance.clone();
        world.kill(&lost);
        // Until the group notices, it tells the lost instance as a healthy member.
        let member = world.group_view(name).expect("there").members[0].clone();
        assert_eq!((member.instance, member.healthy), (lost, true));
    }
    world.advance(60);
    assert_eq!(world.group_view("fixed").expect("there").members[1].lifecycle, Lifecycle::Pending);
    world.advance(30);
    let image_of = |name: &str| {
        let group = world.group_view(name).expect("there");
        assert!(group.members.iter().all(|member| member.lifecycle == Lifecycle::InService), "{group:?}");
        let newest = &group.members[1].instance;
        world.instances().into_iter().find(|instance| instance.id == *newest).expect("there").image
    };
    assert_eq!((image_of("fixed"), image_of("latest")), (old, new));
    assert_eq!(world.launch_failures(), []);
}

#[test]
fn what_cannot_be_launched_is_told_and_tried_again() {
    let world = world();
    let image = world.base_image();
    let group = world.group("web", &by_number(&world.template("web", &image), 1), 2);
    world.ec2().deregister_image(image.as_str()).expect("nothing protects it");
    world.kill(&group.members[0].instance);
    world.advance(60 + 60);
    let failures = world.launch_failures();
    assert_eq!(failures.len(), 2);
    let told = format!("The AMI ID {image} does not exist. Launching EC2 instance failed.");
    assert_eq!(failures[0].message, told);
    assert_eq!(world.group_view("web").expect("there").members.len(), 1);
}

#[test]
fn a_group_grows_shrinks_and_is_locked_by_a_refresh() {
    let world = world();
    let image = world.base_image();
    let id = world.template("web", &image);
    world.group("web", &by_number(&id, 1), 2);
    world.autoscaling().set_desired_capacity("web", 4).expect("set");
    world.advance(40);
    assert_eq!(world.group_view("web").expect("there").members.len(), 4);
    world.autoscaling().set_desired_capacity("web", 1).expect("set");
    world.advance(10);
    let going = |world: &World| {
        let members = world.group_view("web").expect("there").members;
        members.iter().filter(|member| member.lifecycle == Lifecycle::Terminating).count()
    };
    assert_eq!(going(&world), 3);
    // They are members for as long as their instances shut down.
    world.advance(29);
    assert_eq!(going(&world), 3);
    world.advance(1);
    assert_eq!(world.group_view("web").expect("there").members.len(), 1);
    let name = GroupName::from("web");
    world.lock_group("web");
    let refusal: Refusal = ready(world.call(&set_version(&name, &id, 1))).expect("answered").expect_err("locked");
    assert_eq!((refusal.why, refusal.action.as_str()), (Why::Locked, "autoscaling:UpdateAutoScalingGroup"));
    world.unlock_group("web");
    ready(world.call(&set_version(&name, &id, 1))).expect("answered").expect("free");
    let refusal = ready(world.call(&set_version(&name, &id, 9))).expect("answered").expect_err("no such version");
    assert_eq!(refusal.why, Why::Invalid);
}

#[test]
fn groups_are_found_by_all_of_some_tags_and_by_nothing_like_them() {
    let world = world();
    let from = by_number(&world.template("t", &world.base_image()), 1);
    for name in ["a", "b", "c"] {
        world.group(name, &from, 0);
        world.tag_group(name, "app", "web");
    }
    world.tag_group("b", "env", "prod");
    world.tag_group("c", "env", "prod*");
    let found = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let groups = ready(world.call(&GroupsTagged(tags))).expect("answered").expect("told");
        groups.into_iter().map(|group| group.name.0).collect::<Vec<_>>()
    };
    assert_eq!(found(&[("app", "web")]), ["a", "b", "c"]);
    assert_eq!(found(&[("app", "web"), ("env", "prod")]), ["b"]);
    assert_eq!(found(&[("env", "prod*")]), ["c"]);
    assert_eq!(found(&[("app", "we?")]), [] as [String; 0]);
    let keys = DescribeGroups { filters: vec![Filter::new("tag-key", "env")], ..DescribeGroups::default() };
    assert_eq!(world.autoscaling().describe_groups(&keys).expect("told").items.len(), 2);
    world.untag_group("b", "env");
    assert_eq!(found(&[("env", "prod")]), [] as [String; 0]);
    let tag = |name: &str| (name.to_owned(), Tags::from([("env".to_owned(), "test".to_owned())]));
    // One unknown group, and none is tagged.
    assert_eq!(code(world.autoscaling().tag_groups(&[tag("a"), tag("none")])), "ValidationError");
    assert_eq!(found(&[("env", "test")]), [] as [String; 0]);
    world.autoscaling().tag_groups(&[tag("a"), tag("b")]).expect("tagged");
    assert_eq!(found(&[("env", "test")]), ["a", "b"]);
    world.autoscaling().untag_groups(&[tag("a")]).expect("untagged");
    world.delete_group("b");
    assert_eq!(found(&[("env", "test")]), [] as [String; 0]);
    assert_eq!(found(&[("app", "web")]), ["a", "c"]);
}

#[test]
fn the_warmup_is_the_default_one_or_else_the_grace_period() {
    let world = world();
    web(&world, 0);
    assert_eq!((fact(&world).warmup_seconds, fact(&world).lifetime_seconds_max), (0, None));
    let change = |times: TimesText| {
        let update = UpdateGroup { name: "web".to_owned(), ..UpdateGroup::default() };
        world.autoscaling().update_group_and_times(&update, &times)
    };
    change(TimesText { grace: Some(300), ..TimesText::default() }).expect("set");
    assert_eq!(fact(&world).warmup_seconds, 300);
    let times = TimesText { default_warmup: Some(0), lifetime_max: Some(86_400), ..TimesText::default() };
    change(times).expect("set");
    assert_eq!((fact(&world).warmup_seconds, fact(&world).lifetime_seconds_max), (0, Some(86_400)));
    change(TimesText { default_warmup: Some(-1), lifetime_max: Some(0), grace: None }).expect("set");
    assert_eq!((fact(&world).warmup_seconds, fact(&world).lifetime_seconds_max), (300, None));
    assert_eq!(code(change(TimesText { lifetime_max: Some(60), ..TimesText::default() })), "ValidationError");
}

#[test]
fn standby_lowers_the_size_or_is_replaced() {
    let world = world();
    let members = ids(&web(&world, 2));
    let autoscaling = world.autoscaling();
    autoscaling.enter_standby("web", &members[..1], Capacity::Decrement).expect("in standby");
    world.advance(200);
    assert_eq!(lifecycles(&world), [Lifecycle::Standby, Lifecycle::InService]);
    assert_eq!(world.group_view("web").expect("there").desired, 1);
    assert_eq!(fact(&world).members[0].lifecycle, facts::Lifecycle::Standby);
    // Nobody asks after its health.
    world.stop(&members[0]);
    world.advance(200);
    assert_eq!(lifecycles(&world), [Lifecycle::Standby, Lifecycle::InService]);
    world.start(&members[0]);
    world.advance(30);
    assert_eq!(lifecycles(&world), [Lifecycle::Standby, Lifecycle::InService]);
    autoscaling.exit_standby("web", &members[..1]).expect("out of standby");
    assert_eq!(lifecycles(&world), [Lifecycle::Pending, Lifecycle::InService]);
    world.advance(30);
    assert_eq!(lifecycles(&world), [Lifecycle::InService; 2]);
    assert_eq!(world.group_view("web").expect("there").desired, 2);

    // With the size kept there is another member meanwhile, and one too many afterwards.
    autoscaling.enter_standby("web", &members[1..], Capacity::Keep).expect("in standby");
    world.advance(40);
    assert_eq!(lifecycles(&world), [Lifecycle::InService, Lifecycle::Standby, Lifecycle::InService]);
    autoscaling.exit_standby("web", &members[1..]).expect("out of standby");
    assert_eq!(world.group_view("web").expect("there").desired, 3);
    world.advance(30);
    assert_eq!(lifecycles(&world), [Lifecycle::InService; 3]);
}

#[test]
fn standby_keeps_to_the_bounds_of_the_group() {
    let world = world();
    let members = ids(&web(&world, 2));
    let autoscaling = world.autoscaling();
    let bounds = |min, max| {
        let update = UpdateGroup { name: "web".to_owned(), min: Some(min), max: Some(max), ..UpdateGroup::default() };
        autoscaling.update_group(&update).expect("set");
    };
    bounds(2, 2);
    assert_eq!(code(autoscaling.enter_standby("web", &members[..1], Capacity::Decrement)), "ValidationError");
    autoscaling.enter_standby("web", &members[..1], Capacity::Keep).expect("in standby");
    assert_eq!(code(autoscaling.exit_standby("web", &members[..1])), "ValidationError");
    let twice = autoscaling.enter_standby("web", &members[..1], Capacity::Keep).expect_err("it is there");
    assert_eq!(twice.message, format!("The instance {} is not in InService.", members[0]));
    // What was lost in standby is noticed when it comes back.
    world.kill(&members[0]);
    world.advance(200);
    assert_eq!(lifecycles(&world).len(), 3);
    bounds(2, 3);
    autoscaling.exit_standby("web", &members[..1]).expect("out of standby");
    world.advance(60);
    assert!(!ids(&world.group_view("web").expect("there")).contains(&members[0]));
}

#[test]
fn a_scale_in_passes_over_who_is_protected() {
    let world = world();
    let group = web(&world, 3);
    let (name, members) = (group.name.clone(), ids(&group));
    let protect = |id: &InstanceId, protection| {
        let set = SetScaleInProtection { group: name.clone(), instance: id.clone(), protection };
        ready(world.call(&set))
    };
    for id in &members[..2] {
        protect(id, ScaleInProtection::On).expect("answered").expect("protected");
    }
    let told: Vec<bool> = fact(&world).members.iter().map(|member| member.protected_from_scale_in).collect();
    assert_eq!(told, [true, true, false]);
    world.autoscaling().set_desired_capacity("web", 1).expect("set");
    world.advance(10);
    assert_eq!(lifecycles(&world), [Lifecycle::InService, Lifecycle::InService, Lifecycle::Terminating]);
    let going = protect(&members[2], ScaleInProtection::On).expect("answered").expect_err("it goes");
    assert_eq!(going.why, Why::WrongState);
    world.advance(30);
    let gone = protect(&members[2], ScaleInProtection::On).expect("answered").expect_err("it is gone");
    assert_eq!(gone.why, Why::Missing);
    let words = format!("ValidationError: The instance {} is not part of Auto Scaling group web.", members[2]);
    assert_eq!(gone.message, words);
    assert_eq!(ids(&world.group_view("web").expect("there")), members[..2]);
    // It does not help the sick, whom nobody replaces: there is one too many.
    world.autoscaling().set_unhealthy(&members[0]).expect("there");
    protect(&members[1], ScaleInProtection::Off).expect("answered").expect("free");
    world.advance(60 + 30);
    assert_eq!(ids(&world.group_view("web").expect("there")), members[1..2]);
}

#[test]
fn a_group_with_members_goes_only_by_force() {
    let world = world();
    let members = ids(&web(&world, 1));
    let delete = |deletion| world.autoscaling().delete_group("web", deletion);
    assert_eq!(code(delete(Deletion::Plain)), "ResourceInUse");
    delete(Deletion::Forced).expect("gone");
    assert_eq!(world.group_view("web"), None);
    world.advance(30);
    let states: Vec<_> = world.instances().iter().map(|instance| (instance.id.clone(), instance.state)).collect();
    assert_eq!(states, [(members[0].clone(), InstanceState::Terminated)]);
    assert_eq!(code(delete(Deletion::Forced)), "ValidationError");
}

#[test]
fn a_refresh_holds_the_configuration_until_it_succeeds() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    let template = world.template("web", &old);
    let group = world.group("web", &by_number(&template, 1), 1);
    let other = world.template("other", &new);
    let active = || {
        let told = ready(world.call(&ActiveRefresh(group.name.clone()))).expect("answered");
        told.map(|refresh| refresh.map(|refresh| refresh.id))
    };
    assert_eq!(active(), Ok(None));
    let autoscaling = world.autoscaling();
    assert_eq!(code(autoscaling.cancel_refresh("web", false)), "ActiveInstanceRefreshNotFound");
    // Without a desired configuration nothing is held.
    let plain = StartRefresh { group: "web".to_owned(), ..StartRefresh::default() };
    let first = autoscaling.start_refresh(&plain).expect("begun");
    assert_eq!(active(), Ok(Some(first.clone())));
    ready(world.call(&set_version(&group.name, &template, 1))).expect("answered").expect("free");
    assert_eq!(code(autoscaling.start_refresh(&plain)), "InstanceRefreshInProgress");
    assert_eq!(autoscaling.cancel_refresh("web", false).expect("cancelled"), first);

    world.advance(5);
    let desired = Some(LaunchFromText::from(&by_number(&other, 1)));
    let second = autoscaling.start_refresh(&StartRefresh { desired, ..plain }).expect("begun");
    let refused = ready(world.call(&set_version(&group.name, &template, 1))).expect("answered").expect_err("held");
    assert_eq!(refused.why, Why::Locked);
    // Who is launched meanwhile is launched from what is desired; the group has it for good at the end.
    assert_eq!(world.group_image("web"), Some(new.clone()));
    assert_eq!(world.group_view("web").expect("there").from, group.from);
    world.set_refresh("web", RefreshStatus::Successful);
    assert_eq!((active(), world.group_image("web")), (Ok(None), Some(new)));
    assert_ne!(world.group_view("web").expect("there").from, group.from);
    let told = autoscaling.describe_refreshes(&DescribeRefreshes { group: "web".to_owned(), ..Default::default() });
    let told = told.expect("told").items;
    assert_eq!(told.iter().map(|refresh| refresh.id.clone()).collect::<Vec<_>>(), [second, first]);
    assert_eq!(told[0].ended_at, Some(world.time()));
    let missing = ready(world.call(&ActiveRefresh("none".into()))).expect("answered").expect_err("no group");
    assert_eq!(missing.why, Why::Missing);
}
