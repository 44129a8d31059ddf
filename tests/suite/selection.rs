//! Which groups plans select: by name and by tag, how groups come, lose their tags and vanish, and what of them can't be
//! published to.

use lastgood_core::backup::State;
use lastgood_core::facts::{Tags, TemplateRef, VersionRef};
use lastgood_core::incoming::{AboutBackup, AboutSource, Request, SkipRequested};
use lastgood_engine::apply::ApplyError;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{LaunchFromText, Override, TemplateData, World, by_number};

use crate::transcript::messages;

const BY_TAG: &str = "plans: [{name: web, select: {tags: {lastgood: web}}, schedule: hourly}]";

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

/// A group that launches from a template of its own, with a tag.
fn tagged(world: &World, name: &str) {
    let template = world.template(name, &world.base_image());
    world.group(name, &by_number(&template, 1), 2);
    world.tag_group(name, "lastgood", "web");
}

/// A group with a tag, whose plan deletes the backups of a group that is deleted.
fn deleted_with_its_group() -> Stack {
    let world = world();
    tagged(&world, "web");
    let stack = Stack::new(world);
    stack.apply(&BY_TAG.replace("schedule", "on_source_deleted: delete, schedule")).expect("applied");
    stack
}

/// Three hours in which only the cleanup runs.
fn clean_up_only(stack: &Stack) {
    for _ in 0..3 {
        stack.world.advance(3600);
        stack.invoke(Invocation::Cleanup);
    }
}

fn mistakes(stack: &Stack, plans: &str) -> Vec<String> {
    match stack.apply(plans) {
        Err(ApplyError::Mistakes(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn groups_are_selected_by_tag_page_by_page() {
    let world = world();
    for number in 0..7 {
        tagged(&world, &format!("g{number}"));
    }
    tagged(&world, "other");
    world.tag_group("other", "lastgood", "db");
    world.change_settings(|settings| settings.page_items_max = 3);
    let stack = Stack::new(world);
    stack.apply(BY_TAG).expect("applied");
    stack.run(45);
    for number in 0..7 {
        assert_eq!(stack.backups(&format!("group/g{number}"))[0].state, State::Good);
    }
    assert_eq!(stack.our_images().len(), 7, "the one with another value is nobody's");
}

#[test]
fn a_group_that_appears_is_found_within_15_minutes_and_backed_up() {
    let stack = Stack::new(world());
    stack.apply(BY_TAG).expect("an empty plan may be applied");
    tagged(&stack.world, "late");
    stack.run(15);
    assert_eq!(messages(&stack, "Source Found"), ["group/late: backed up by plan web from now on"]);
    stack.run(30);
    assert_eq!(stack.backups("group/late")[0].state, State::Good);
    assert_eq!(stack.world.group_image("late"), stack.backups("group/late")[0].image().cloned(), "and published to");
}

#[test]
fn a_group_that_loses_its_tag_is_told_and_keeps_its_backups() {
    let stack = deleted_with_its_group();
    stack.run(45);
    stack.world.untag_group("web", "lastgood");
    stack.run(15);
    let lost = messages(&stack, "Source Lost");
    assert_eq!(
        lost,
        ["group/web: not backed up any more: it does not bear the tags of plan web any more; its backups stay"]
    );
    stack.run(2 * 24 * 60);
    assert_eq!(stack.backups("group/web").len(), 1, "none is made");
    assert_eq!(stack.our_images().len(), 1, "and none deleted");
}

#[test]
fn a_deleted_group_is_told_within_15_minutes_and_its_backups_stay() {
    let world = world();
    tagged(&world, "web");
    let stack = Stack::new(world);
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: hourly}]").expect("applied");
    stack.run(45);
    stack.world.delete_group("web");
    stack.run(15);
    assert_eq!(
        messages(&stack, "Source Lost"),
        ["group/web: not backed up any more: the group is deleted; its backups stay"]
    );
    stack.run(2 * 24 * 60);
    assert_eq!(messages(&stack, "Source Lost").len(), 1, "told once");
    assert_eq!(messages(&stack, "Backup Failed"), [] as [String; 0], "no slot fails for a group that is gone");
    assert_eq!(messages(&stack, "Backup Overdue"), [] as [String; 0]);
    assert_eq!((stack.our_images().len(), stack.our_snapshots().len()), (1, 2));
}

#[test]
fn a_deleted_group_takes_its_backups_along_after_a_day_where_the_plan_says_so() {
    let stack = deleted_with_its_group();
    stack.run(2 * 60);
    let pinned = stack.backups("group/web").pop().expect("two").id;
    stack.ask(Request::Pin(AboutBackup { backup: pinned.clone(), by: "alice".parse().expect("a name"), reason: None }));
    stack.world.delete_group("web");
    stack.world.may_retire("group/web");
    stack.run(20);
    let lost = messages(&stack, "Source Lost");
    assert!(lost[0].contains("its backups are deleted after 2026-01-16T12:4"), "{}", lost[0]);
    stack.run(23 * 60);
    assert_eq!(stack.our_images().len(), 2, "a day is time to say that it was a mistake");
    stack.run(3 * 60);
    let left: Vec<_> = stack.our_images().into_iter().map(|image| image.tags["lastgood:backup"].clone()).collect();
    assert_eq!(left, [pinned.to_string()], "what is pinned stays");
    let deleted = messages(&stack, "Backups Deleted");
    assert!(deleted[0].contains("its source was deleted, and its plan says that its backups go too"), "{}", deleted[0]);
}

/// Somebody makes a group of the name of one that was deleted.
fn group_again(stack: &Stack) {
    let template = stack.world.template("web again", &stack.world.base_image());
    stack.world.group("web", &by_number(&template, 1), 1);
}

#[test]
fn a_group_that_came_back_keeps_its_backups_though_no_tick_has_seen_it() {
    let stack = deleted_with_its_group();
    stack.run(2 * 60);
    stack.world.delete_group("web");
    stack.run(23 * 60);
    group_again(&stack);
    stack.world.tag_group("web", "lastgood", "web");
    clean_up_only(&stack);
    assert_eq!(stack.our_images().len(), 2, "nothing is deleted");
    assert_eq!(messages(&stack, "Deletion Refused"), Vec::<String>::new(), "nor is anything let go");
    stack.run(2 * 60);
    assert_eq!(messages(&stack, "Source Found").len(), 1);
    assert_eq!(stack.our_images().len(), 3, "as many as its plan keeps");
}

#[test]
fn a_group_that_comes_back_while_its_backups_are_being_deleted_keeps_them() {
    let stack = deleted_with_its_group();
    stack.run(2 * 60);
    stack.world.delete_group("web");
    // They are let go, and what is left of them can't be looked at.
    stack.world.deny("ec2:DescribeSnapshots", "*");
    stack.run(25 * 60);
    assert!(stack.backups("group/web").iter().any(|backup| backup.state == State::Expiring));
    group_again(&stack);
    stack.world.tag_group("web", "lastgood", "web");
    stack.world.allow("ec2:DescribeSnapshots");
    clean_up_only(&stack);
    assert_eq!(stack.our_images().len(), 2, "nothing is deleted");
    let refused = messages(&stack, "Deletion Refused");
    assert!(refused.iter().any(|message| message.contains("group/web is back")), "{refused:?}");
}

#[test]
fn what_is_removed_with_its_backups_loses_them_though_a_group_of_its_name_is_there_again() {
    let world = world();
    tagged(&world, "web");
    let stack = Stack::new(world);
    stack.apply(BY_TAG).expect("applied");
    stack.run(45);
    stack.world.delete_group("web");
    stack.run(30);
    stack.world.may_retire("group/web");
    let nothing = BY_TAG.replace("lastgood: web", "lastgood: other");
    stack.apply(&format!("{nothing}\nremoved: {{group/web: delete}}")).expect("applied");
    group_again(&stack);
    stack.run(2 * 60);
    assert_eq!(stack.our_images().len(), 0);
}

#[test]
fn a_group_that_comes_back_within_the_day_keeps_its_backups() {
    let stack = deleted_with_its_group();
    stack.run(45);
    stack.world.delete_group("web");
    stack.run(60);
    group_again(&stack);
    stack.world.tag_group("web", "lastgood", "web");
    stack.run(2 * 24 * 60);
    assert_eq!(messages(&stack, "Source Found").len(), 1);
    assert_eq!(stack.our_images().len(), 3, "as many as its plan keeps");
}

#[test]
fn a_source_in_two_plans_is_refused_with_both_names() {
    let world = world();
    tagged(&world, "web");
    world.tag_group("web", "stage", "prod");
    let stack = Stack::new(world);
    let plans = "
plans:
  - {name: by-name, select: {groups: [web]}, schedule: hourly}
  - {name: by-tag, select: {tags: {stage: prod}}, schedule: daily}
";
    assert_eq!(
        mistakes(&stack, plans),
        ["plans.yaml:4:35: group/web is in two plans, 'by-name' and 'by-tag'; leave it in one"]
    );
    stack.apply("plans: [{name: by-name, select: {groups: [web]}, schedule: hourly}]").expect("applied");
    let later = "plans: [{name: by-tag, select: {tags: {stage: prod}}, schedule: daily}]";
    let refused = mistakes(&stack, later);
    assert!(
        refused[0].contains("group/web is in plan 'by-name' already, which this file does not name"),
        "{refused:?}"
    );
}

#[test]
fn a_group_that_gets_the_tag_of_a_second_plan_stays_in_the_first_and_that_is_told() {
    let world = world();
    tagged(&world, "web");
    let stack = Stack::new(world);
    let plans = "plans: [{name: a, select: {tags: {lastgood: web}}, schedule: hourly}, {name: b, select: {tags: {stage: prod}}, schedule: daily}]";
    stack.apply(plans).expect("applied");
    stack.world.tag_group("web", "stage", "prod");
    stack.run(30);
    assert_eq!(
        messages(&stack, "Source Contested"),
        ["group/web: the tags of plan b select it, and it stays in plan a; leave it in one"]
    );
    assert_eq!(stack.source("group/web").plan.as_deref(), Some("a"));
}

#[test]
fn every_group_that_cannot_be_published_to_is_refused_at_once_with_what_to_do() {
    let world = world();
    let base = world.base_image();
    world.launch_configuration("old", &base);
    world.group_from("legacy", LaunchFromText::Configuration("old".into()), 1, Tags::new());
    world.put_parameter("/images/web", base.as_str(), "aws:ec2:image");
    let alias = TemplateData { image: Some("resolve:ssm:/images/web".into()), ..world.launched_from(&base) };
    let alias = world.template_with("alias", &alias);
    world.group("alias", &by_number(&alias, 1), 1);
    let mapped =
        TemplateData { devices: vec![lastgood_world::Device::sized("/dev/xvdf", 100)], ..world.launched_from(&base) };
    let mapped = world.template_with("mapped", &mapped);
    world.group("mapped", &by_number(&mapped, 1), 1);
    let template = world.template("stateful", &base);
    world.group("stateful", &by_number(&template, 1), 1);
    world.tag_group("stateful", "lastgood:stateful", "");
    let stack = Stack::new(world);
    let plan = |publish: &str| {
        format!(
            "plans:\n- name: all\n  select: {{groups: [legacy, alias, mapped, stateful, gone]}}\n  schedule: hourly\n{publish}"
        )
    };
    let refused = mistakes(&stack, &plan(""));
    let text = refused.join("\n");
    for expected in [
        "3:21: group/legacy can't be published to: legacy launches from launch configuration old, which can't be given another image; give the group a launch template, or write 'publish: none'",
        "3:29: group/alias can't be published to: version 1 of the template takes its image from resolve:ssm:/images/web; write an image id into the template, or 'publish: {ssm: /images/web}'",
        "3:36: group/mapped can't be published to: version 1 of the template maps /dev/xvdf itself, so that instances would begin without the image's data there; take that mapping out of the template, or write 'publish: none'",
        "3:44: group/stateful can't be published to: stateful bears the tag lastgood:stateful",
        "3:54: there is no Auto Scaling group 'gone' in this account and region",
    ] {
        assert!(text.contains(expected), "{expected}\nis missing in\n{text}");
    }
    assert_eq!(refused.len(), 5);
    // Images alone can be made of each.
    let images = plan("  publish: none\n").replace(", gone", "");
    stack.apply(&images).expect("applied");
    stack.run(45);
    for name in ["legacy", "alias", "mapped", "stateful"] {
        assert_eq!(stack.backups(&format!("group/{name}"))[0].state, State::Good, "{name}");
        assert_eq!(stack.world.group_image(name), Some(base.clone()), "{name}: nothing is published");
    }
}

#[test]
fn overrides_of_their_own_are_left_alone_and_told_and_never_given_an_image_of_another_architecture() {
    use lastgood_world::Architecture;
    let world = world();
    let (base, arm) = (world.base_image(), world.base_image_of(Architecture::Arm64));
    let (template, own) = (world.template("web", &base), world.template("arm", &arm));
    let overrides =
        vec![Override::of_type("m5.large"), Override::of_type("m6g.large").with_template(&by_number(&own, 1))];
    world.mixed_group("web", &by_number(&template, 1), overrides, 4);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: hourly}]").expect("applied");
    stack.run(45);
    let newest = stack.backups("group/web").remove(0);
    assert_eq!(newest.base, Some(base), "an instance of the override is no source of an image for the base");
    let images = stack.world.group_images("web");
    assert_eq!(images, [newest.image().cloned().expect("good"), arm], "the override has its own image still");
    let published = messages(&stack, "Image Published");
    assert!(published[0].ends_with("; left alone: m6g.large has a template of its own"), "{}", published[0]);
}

#[test]
fn an_override_that_would_get_an_image_it_cannot_run_holds_the_publication() {
    let world = world();
    let template = world.template("web", &world.base_image());
    world.mixed_group("web", &by_number(&template, 1), vec![Override::of_type("m5.large")], 2);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: hourly}]").expect("applied");
    let group = stack.world.group_view("web").expect("there");
    let lastgood_world::LaunchFrom::Mixed(mut policy) = group.from else { panic!("a policy") };
    policy.overrides.push(Override::of_type("m6g.large"));
    let from = Some(LaunchFromText::Mixed((&policy).into()));
    let update = lastgood_world::UpdateGroup { name: "web".into(), from, ..Default::default() };
    stack.world.autoscaling().update_group(&update).expect("updated");
    stack.run(45);
    let held = messages(&stack, "Publication Held");
    assert!(
        held[0].contains("the image is for x86_64, and the group launches m6g.large too, which can't run that"),
        "{held:?}"
    );
}

#[test]
fn a_template_that_hides_a_device_of_the_image_holds_the_publication() {
    let world = world();
    let base = world.base_image();
    let template = world.template("web", &base);
    world.group("web", &TemplateRef { template: template.clone(), version: VersionRef::Latest }, 1);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: hourly}]").expect("applied");
    // The base image has data on /dev/xvdb; somebody maps an empty volume there.
    let data =
        TemplateData { devices: vec![lastgood_world::Device::sized("/dev/xvdb", 100)], ..TemplateData::default() };
    let made = stack.world.ec2().create_template_version(lastgood_world::CreateVersion {
        template: lastgood_world::TemplateName::Id(template.to_string()),
        source: Some("1".into()),
        data,
        description: String::new(),
        token: None,
    });
    made.expect("made");
    stack.run(45);
    let held = messages(&stack, "Publication Held");
    assert!(held[0].contains("version 2 of the template maps /dev/xvdb itself"), "{held:?}");
    assert_eq!(stack.world.group_image("web"), Some(base));
}

#[test]
fn what_operators_ask_is_done_once_and_told() {
    let world = world();
    tagged(&world, "web");
    let stack = Stack::new(world);
    stack.apply(BY_TAG).expect("applied");
    let about = || AboutSource {
        source: "group/web".parse().expect("a source"),
        by: "alice".parse().expect("a name"),
        reason: None,
    };
    let before = stack.world.group_image("web");
    stack.ask(Request::Hold(about()));
    stack.run(45);
    assert_eq!(stack.world.group_image("web"), before, "held");
    assert_eq!(messages(&stack, "Publication Held").len(), 1);
    stack.ask(Request::Release(about()));
    stack.run(5);
    assert_eq!(stack.world.group_image("web"), stack.backups("group/web")[0].image().cloned(), "released");
    let slot = stack.source("group/web").next_slot.expect("hourly");
    let skip = SkipRequested { source: about().source, slot, by: "alice".parse().expect("a name"), reason: None };
    for _ in 0..2 {
        stack.ask(Request::Skip(skip.clone()));
    }
    stack.run(60);
    assert_eq!(stack.backups("group/web").len(), 1, "the next slot is passed over");
    assert_eq!(messages(&stack, "Slot Skipped").len(), 1);
    assert_eq!(messages(&stack, "Backup Overdue"), [] as [String; 0]);
    stack.run(60);
    assert_eq!(stack.backups("group/web").len(), 2, "and the one after it is not");
}
