//! The table is lost and restored to a point in time (DynamoDB: point-in-time recovery, to a new table, which the parameter
//! `ExistingTable` names). The records are of yesterday then, and AWS is of today: both come together again, and nothing is
//! deleted on the word of an old record.

use std::collections::BTreeSet;

use lastgood_core::backup::State;
use lastgood_core::id::ImageId;
use lastgood_core::incoming::{AboutBackup, AboutSource, Request};
use lastgood_tests::stack::Stack;
use lastgood_world::{World, by_number};

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly, retain: {last: 2}}]";

fn stack() -> Stack {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 2);
    let stack = Stack::new(world);
    stack.apply(PLAN).expect("applied");
    stack
}

fn kinds(stack: &Stack) -> Vec<&'static str> {
    stack.told().iter().map(|notice| notice.news.detail_type()).collect()
}

fn images(stack: &Stack) -> BTreeSet<ImageId> {
    stack.our_images().into_iter().map(|image| image.id).collect()
}

#[test]
fn a_table_of_five_hours_ago_and_an_account_of_today_come_together_again() {
    let stack = stack();
    stack.run(3 * 60);
    let then = stack.store.remember();
    let known_then: BTreeSet<ImageId> =
        stack.backups("group/web").iter().filter_map(|backup| backup.image().cloned()).collect();
    stack.run(5 * 60);
    let made_since: BTreeSet<ImageId> = images(&stack).difference(&known_then).cloned().collect();
    let in_use = stack.world.images_in_use();
    assert!(!made_since.is_empty() && in_use.iter().any(|image| made_since.contains(image)), "time has passed");
    let told_before = kinds(&stack).len();

    stack.store.restore(&then);
    // Its slots of then have passed: one backup makes up for them.
    stack.run(26 * 60);

    let backups = stack.backups("group/web");
    let good = backups.iter().filter(|backup| backup.state == State::Good).count();
    assert!(good >= 2, "backups go on: {:?}", backups.iter().map(|backup| backup.state).collect::<Vec<_>>());
    // What no record knows is not deleted, and is reported; what a record knows and is gone is reported as lost.
    let there = images(&stack);
    let adopted: BTreeSet<ImageId> = backups.iter().filter_map(|backup| backup.image().cloned()).collect();
    let unknown: Vec<&ImageId> = made_since.iter().filter(|image| !adopted.contains(image)).collect();
    assert!(unknown.iter().all(|image| there.contains(*image)), "{unknown:?} of {there:?}");
    assert!(in_use.is_subset(&there), "what the group launches from is there");
    let told = &kinds(&stack)[told_before..];
    for kind in ["Artifact Unknown", "Publication Held"] {
        assert!(told.contains(&kind), "{kind} is missing from {told:?}");
    }
    // The group launches from an image that no record knows: that is somebody else's, and stays until an operator releases.
    assert!(stack.world.images_in_use().iter().any(|image| made_since.contains(image)));
    let release = AboutSource {
        source: "group/web".parse().expect("a source"),
        by: "an operator".parse().expect("a name"),
        reason: None,
    };
    stack.ask(Request::Release(release));
    stack.run(2 * 60);
    let used = stack.world.images_in_use();
    assert!(
        used.iter().any(|image| adopted.contains(image) || !made_since.contains(image)),
        "it is published to again: {used:?}"
    );
}

#[test]
fn nothing_is_deleted_for_a_day_and_what_is_pinned_again_by_then_stays() {
    let stack = stack();
    stack.run(3 * 60);
    let then = stack.store.remember();
    let pinned = stack.backups("group/web")[0].clone();
    let image = pinned.image().cloned().expect("it has an image");
    let pin = || AboutBackup { backup: pinned.id.clone(), by: "alice".parse().expect("a name"), reason: None };
    stack.ask(Request::Pin(pin()));
    stack.run(6 * 60);
    let there = images(&stack);
    assert!(there.contains(&image), "it is pinned");

    stack.store.restore(&then);
    stack.run(23 * 60);
    let left = images(&stack);
    let gone: Vec<&ImageId> = there.iter().filter(|id| !left.contains(*id)).collect();
    assert_eq!(gone, Vec::<&ImageId>::new(), "the records are old: nothing is deleted on their word");
    let replaced = stack.told().into_iter().find(|notice| notice.news.detail_type() == "Table Replaced");
    let message = replaced.expect("it is told").message;
    assert!(
        message.contains("are in the table restored now, and were in table") && message.contains("pin and hold again"),
        "{message}"
    );
    assert_eq!(kinds(&stack).iter().filter(|kind| **kind == "Table Replaced").count(), 1);

    let deleted = |stack: &Stack| kinds(stack).iter().filter(|kind| **kind == "Backups Deleted").count();
    let before = deleted(&stack);
    stack.ask(Request::Pin(pin()));
    stack.run(6 * 60);
    assert!(images(&stack).contains(&image), "what is pinned again stays");
    assert!(deleted(&stack) > before, "and retention goes on after the day");
}

#[test]
fn a_table_from_before_anything_deletes_nothing_that_is_there() {
    let stack = stack();
    let then = stack.store.remember();
    stack.run(4 * 60);
    let there = images(&stack);
    stack.store.restore(&then);
    // From before the first look: nothing says that it is another table, and no record knows what is there.
    stack.run(30 * 60);
    let left = images(&stack);
    let known: BTreeSet<ImageId> =
        stack.store.all_backups().iter().filter_map(|backup| backup.image().cloned()).collect();
    let gone: Vec<&ImageId> = there.iter().filter(|image| !left.contains(*image) && !known.contains(*image)).collect();
    assert_eq!(gone, Vec::<&ImageId>::new(), "what no record knows stays");
    assert!(kinds(&stack).contains(&"Artifact Unknown"));
}
