//! Plans that are applied again: what changes then, what comes under a plan and leaves it, and what that says of changes
//! by hand.

use futures_util::FutureExt;
use lastgood_core::backup::{Publication, PublishedTo};
use lastgood_core::id::TemplateId;
use lastgood_core::incoming::{AboutSource, Request};
use lastgood_core::source::survey::Planned;
use lastgood_core::{later, plan, seconds_between};
use lastgood_engine::Store;
use lastgood_engine::apply::{self, Absent, ApplyError, Change};
use lastgood_tests::stack::Stack;
use lastgood_world::{TemplateData, World, by_number};

use crate::transcript::give;

const BY_NAME: &str = "plans: [{name: web, select: {groups: [web, api]}, schedule: hourly}]";
const BY_TAG: &str = "plans: [{name: web, select: {tags: {lastgood: web}}, schedule: hourly}]";

/// Two groups, `web` and `api`, that name their templates by number and bear the tag of [`BY_TAG`].
fn two(plans: &str) -> (Stack, TemplateId) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let template = world.template("web", &base);
    world.group("web", &by_number(&template, 1), 1);
    let other = world.template("api", &base);
    world.group("api", &by_number(&other, 1), 1);
    for group in ["web", "api"] {
        world.tag_group(group, "lastgood", "web");
    }
    let stack = Stack::new(world);
    stack.apply(plans).expect("applied");
    (stack, template)
}

/// What applying the file would change.
fn compared(stack: &Stack, text: &str) -> Change {
    let file = plan::read("plans.yaml", text).expect("a plan file");
    let change = apply::compare(&stack.store, &stack.world, &file, Absent::Stay, stack.world.time());
    change.now_or_never().expect("ready").expect("compared")
}

#[test]
fn a_group_that_was_changed_while_no_plan_had_it_was_not_changed_by_hand_under_the_next() {
    let (stack, template) = two(BY_NAME);
    stack.run(45);
    let first = stack.backups("group/web").remove(0);
    assert!(matches!(first.publication, Publication::Published(PublishedTo::Version { version: 2, .. })), "{first:?}");
    let without = "plans: [{name: web, select: {groups: [api]}, schedule: hourly}]\nremoved: {group/web: keep}";
    stack.apply(without).expect("applied");
    assert_eq!(stack.source("group/web").plan, None);
    give(&stack, "web", &template, 1);
    stack.apply(BY_NAME).expect("applied");
    stack.run(60);
    let newest = stack.backups("group/web").remove(0);
    assert_ne!(newest.id, first.id);
    assert!(matches!(newest.publication, Publication::Published(_)), "{:?}", newest.publication);
    assert_eq!(stack.world.group_image("web"), newest.image().cloned());
}

#[test]
fn a_group_that_lost_its_tags_leaves_the_plan_when_that_is_applied_and_one_that_is_away_does_not() {
    let (stack, _) = two(BY_TAG);
    stack.run(45);
    stack.world.untag_group("web", "lastgood");
    stack.world.delete_group("api");
    stack.run(30);
    assert!(stack.source("group/api").lost.is_some(), "told by now");
    stack.apply(&format!("{BY_TAG}\nremoved: {{group/web: keep}}")).expect("applied");
    let plan = |source: &str| stack.source(source).plan;
    assert_eq!((plan("group/web"), plan("group/api").as_deref()), (None, Some("web")));
}

#[test]
fn a_group_that_is_missing_for_the_moment_stays_in_its_plan_when_that_is_applied() {
    let (stack, _) = two(BY_TAG);
    stack.run(45);
    stack.world.delete_group("api");
    stack.run(5);
    let source = stack.source("group/api");
    assert!(source.missing_since.is_some() && source.lost.is_none(), "{source:?}");
    assert!(compared(&stack, BY_TAG).unsaid.is_empty());
    stack.apply(BY_TAG).expect("applied");
    assert_eq!(stack.source("group/api").plan.as_deref(), Some("web"));
}

#[test]
fn a_group_that_was_missing_for_a_moment_and_was_changed_meanwhile_was_changed_by_hand() {
    let (stack, template) = two(BY_TAG);
    stack.run(45);
    let published = stack.world.group_image("web");
    stack.world.delete_group("web");
    stack.run(5);
    assert!(stack.source("group/web").missing_since.is_some());
    // It is there again, and launches from what it began with.
    stack.world.group("web", &by_number(&template, 1), 1);
    stack.world.tag_group("web", "lastgood", "web");
    stack.run(5);
    assert!(stack.source("group/web").missing_since.is_none());
    stack.run(60);
    let newest = stack.backups("group/web").remove(0);
    assert!(matches!(newest.publication, Publication::Held(_)), "{:?}", newest.publication);
    assert_ne!(stack.world.group_image("web"), published);
}

#[test]
fn a_group_that_lost_its_tags_a_moment_ago_leaves_the_plan_at_once_when_that_is_applied() {
    let (stack, _) = two(BY_TAG);
    stack.run(45);
    stack.world.untag_group("web", "lastgood");
    let change = compared(&stack, BY_TAG);
    let unsaid: Vec<String> = change.unsaid.keys().map(ToString::to_string).collect();
    assert_eq!(unsaid, ["group/web"], "what becomes of its backups must be said");
    stack.apply(BY_TAG).expect("applied");
    assert_eq!(stack.source("group/web").plan, None);
    assert_eq!(stack.source("group/api").plan.as_deref(), Some("web"));
}

#[test]
fn a_plan_that_no_survey_has_found_for_a_day_is_written_again_though_nothing_differs() {
    let (stack, _) = two(BY_NAME);
    assert!(compared(&stack, BY_NAME).is_empty(), "applied a moment ago");
    let planned = stack.store.list::<Planned>(&()).now_or_never().expect("ready").expect("read");
    let day_after = later(planned[0].record.survey_at, 24 * 60 * 60);
    stack.world.advance(seconds_between(stack.world.time(), day_after));
    assert!(compared(&stack, BY_NAME).is_empty(), "overdue for a day");
    stack.world.advance(1);
    let change = compared(&stack, BY_NAME);
    assert_eq!(change.plans.keys().collect::<Vec<_>>(), ["web"]);
    stack.apply(BY_NAME).expect("applied");
    assert!(compared(&stack, BY_NAME).is_empty());
}

#[test]
fn a_parameter_is_written_by_one_plan_also_if_the_other_stands_in_another_file() {
    let (stack, _) = two(BY_NAME);
    let writes = |plan: &str, group: &str| {
        format!(
            "plans: [{{name: {plan}, select: {{groups: [{group}]}}, schedule: hourly, publish: {{ssm: /images/web}}}}]"
        )
    };
    let world = &stack.world;
    for group in ["one", "other"] {
        world.put_parameter("/images/web", world.base_image().as_str(), "aws:ec2:image");
        let image = Some("resolve:ssm:/images/web".to_owned());
        let data = TemplateData { image, ..world.launched_from(&world.base_image()) };
        let template = world.template_with(group, &data);
        world.group(group, &by_number(&template, 1), 1);
    }
    stack.apply(&writes("a", "one")).expect("applied");
    let refused = match stack.apply(&writes("b", "other")) {
        Err(ApplyError::Mistakes(mistakes)) => mistakes[0].to_string(),
        other => panic!("not refused: {other:?}"),
    };
    assert!(refused.contains("plan 'a' writes the same parameter; give each plan its own"), "{refused}");
}

#[test]
fn a_plan_whose_tags_select_nothing_is_told_to_be_empty() {
    let (stack, _) = two(BY_NAME);
    assert_eq!(compared(&stack, BY_NAME).empty, [] as [&str; 0]);
    let nobody = "plans: [{name: db, select: {tags: {lastgood: db}}, schedule: hourly}]";
    assert_eq!(compared(&stack, nobody).empty, ["db"]);
    assert_eq!(two(BY_TAG).0.source("group/web").plan.as_deref(), Some("web"));
    assert_eq!(compared(&two(BY_TAG).0, BY_TAG).empty, [] as [&str; 0], "its tags select two");
    let both =
        "plans: [{name: db, select: {groups: [web], tags: {lastgood: db}}, schedule: hourly}]\nremoved: {web: keep}";
    let file = plan::read("plans.yaml", both).expect("a plan file");
    let change = apply::compare(&stack.store, &stack.world, &file, Absent::Go, stack.world.time());
    assert_eq!(change.now_or_never().expect("ready").expect("compared").empty, [] as [&str; 0], "it has a name");
}

/// A plan over so many groups, `g000` and on, that keeps so many backups.
fn many(groups: usize, last: u32) -> String {
    let names: Vec<String> = (0..groups).map(|number| format!("g{number:03}")).collect();
    let names = names.join(", ");
    format!("plans: [{{name: all, select: {{groups: [{names}]}}, schedule: hourly, retain: {{last: {last}}}}}]")
}

#[test]
fn what_fits_into_one_transaction_is_written_whole_or_not_at_all() {
    // With the plan itself as many as one takes (AWS: TransactWriteItems).
    let stack = Stack::of_groups(apply::TRANSACTION_ITEMS_MAX - 1);
    let change = compared(&stack, &many(apply::TRANSACTION_ITEMS_MAX - 1, 2));
    assert_eq!((change.sources.len(), change.plans.len()), (99, 1));
    // Somebody else applies another file meanwhile: all sources are as they were, and the plan is not.
    let mut planned = stack.store.list::<Planned>(&()).now_or_never().expect("ready").expect("read").remove(0);
    planned.record.survey_at = later(planned.record.survey_at, 60);
    stack.store.save(&planned).now_or_never().expect("ready").expect("saved");
    let now = stack.world.time();
    let written = apply::write(&stack.store, &change, now).now_or_never().expect("ready");
    assert!(matches!(written, Err(ApplyError::Outdated { written: 0, all: 99 })), "{written:?}");
    assert_eq!(stack.source("group/g000").policy.retain.last, 1, "nothing is half written");
    stack.apply(&many(99, 2)).expect("applied");
    assert_eq!(stack.source("group/g098").policy.retain.last, 2);
}

#[test]
fn what_fits_is_counted_in_plans_and_sources_together() {
    let stack = Stack::of_groups(60);
    let two_plans = |last| {
        let text = many(60, last);
        format!(
            "{}, {{name: other, select: {{tags: {{lastgood: other}}}}, schedule: hourly}}]",
            &text[..text.len() - 1]
        )
    };
    stack.apply(&two_plans(1)).expect("applied");
    let change = compared(&stack, &two_plans(2).replace("schedule: hourly}]", "schedule: daily}]"));
    assert_eq!((change.sources.len(), change.plans.len()), (60, 2));
    let planned = stack.store.list::<Planned>(&()).now_or_never().expect("ready").expect("read");
    let mut other = planned.into_iter().find(|planned| planned.record.plan.name == "other").expect("applied");
    other.record.survey_at = later(other.record.survey_at, 60);
    stack.store.save(&other).now_or_never().expect("ready").expect("saved");
    let written = apply::write(&stack.store, &change, stack.world.time()).now_or_never().expect("ready");
    assert!(matches!(written, Err(ApplyError::Outdated { written: 0, all: 60 })), "{written:?}");
    assert_eq!(stack.source("group/g000").policy.retain.last, 1, "nothing is half written");
}

#[test]
fn of_what_does_not_fit_into_one_transaction_it_is_told_how_much_was_written() {
    let stack = Stack::of_groups(250);
    let change = compared(&stack, &many(250, 2));
    // Somebody asks for something of one in the third part meanwhile.
    let about = AboutSource {
        source: "group/g220".parse().expect("a source"),
        by: "alice".parse().expect("a name"),
        reason: None,
    };
    stack.ask(Request::Hold(about));
    let now = stack.world.time();
    let written = apply::write(&stack.store, &change, now).now_or_never().expect("ready");
    assert!(matches!(written, Err(ApplyError::Outdated { written: 200, all: 250 })), "{written:?}");
    let last = |group: &str| stack.source(group).policy.retain.last;
    assert_eq!((last("group/g199"), last("group/g200")), (2, 1), "parts are written in the order of their names");
    stack.apply(&many(250, 2)).expect("applied");
    assert!((0..250).all(|number| last(&format!("group/g{number:03}")) == 2));
}

#[test]
fn a_file_that_changes_sources_alone_changes_something() {
    let (stack, _) = two(BY_TAG);
    stack.world.untag_group("web", "lastgood");
    let change = compared(&stack, &format!("{BY_TAG}\nremoved: {{group/web: keep}}"));
    assert_eq!((change.plans.len(), change.sources.len()), (0, 1));
    assert!(!change.is_empty());
}

#[test]
fn a_plan_that_is_too_large_for_the_table_is_refused_before_anything_is_written() {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("all", &world.base_image());
    let names: Vec<String> = (0..1_700).map(|number| format!("{number:0250}")).collect();
    for name in &names {
        world.group(name, &by_number(&template, 1), 0);
    }
    let stack = Stack::new(world);
    let plan = |name: &str, names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("{{name: {name}, select: {{groups: [{}]}}, schedule: hourly, publish: none}}", names.join(", "))
    };
    let before = stack.store.dump();
    let whole = format!("plans: [{}]", plan("whole", &names));
    let refused = stack.apply(&whole).expect_err("it is too large").to_string();
    assert!(refused.starts_with("plan 'whole' would take 4"), "{refused}");
    assert!(
        refused.ends_with("split it into several plans of fewer sources each, or select them by tags"),
        "{refused}"
    );
    assert_eq!(stack.store.dump(), before, "no source is written");
    let (one, other) = names.split_at(850);
    stack.apply(&format!("plans: [{}, {}]", plan("one", one), plan("other", other))).expect("applied");
    assert_eq!(stack.store.all_sources().len(), 1_700);
}
