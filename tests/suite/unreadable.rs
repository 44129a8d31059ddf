//! An item of the table that nobody here can read, of a newer version perhaps: it is told, everything else goes on, and nothing is
//! deleted that it may speak of.

use lastgood_core::backup::{Backup, State};
use lastgood_core::id::SourceId;
use lastgood_core::record::{Place, Record};
use lastgood_core::source::Source;
use lastgood_tests::stack::{Invocation, Stack};

use crate::transcript::{count, messages};

/// Two groups under one plan that keeps one backup of each.
fn two() -> Stack {
    let stack = Stack::of_groups(2);
    let plan =
        "plans: [{name: all, select: {groups: [g000, g001]}, schedule: hourly, retain: {last: 1}, publish: none}]";
    stack.apply(plan).expect("applied");
    stack.run(70);
    stack
}

fn of_source(source: &str) -> Place {
    Source::place(&source.parse::<SourceId>().expect("a source"))
}

fn newest(stack: &Stack, source: &str) -> Place {
    Backup::place(&stack.backups(source)[0].id)
}

fn good(stack: &Stack, source: &str) -> usize {
    stack.backups(source).iter().filter(|backup| backup.state == State::Good).count()
}

#[test]
fn a_source_that_can_not_be_read_keeps_no_other_back() {
    let stack = two();
    stack.store.spoil(&of_source("group/g000"), true);
    let before = good(&stack, "group/g000");
    stack.run(5 * 60);
    assert_eq!(good(&stack, "group/g001"), 1, "the other is backed up and cleaned up");
    assert!(stack.backups("group/g001").len() >= 5);
    assert_eq!((good(&stack, "group/g000"), count(&stack, "Source Found")), (before, 0), "it is not found anew");
    for invocation in [Invocation::Cleanup, Invocation::Tick] {
        let report = stack.invoke(invocation);
        let told = report.troubles.iter().filter(|trouble| trouble.about.contains("group/g000"));
        let told: Vec<&str> = told.map(|trouble| trouble.what.as_str()).collect();
        assert!(!told.is_empty(), "{:?}", report.troubles);
    }
    let report = stack.invoke(Invocation::Cleanup);
    let about = report.troubles.iter().find(|trouble| trouble.about == "sources/group/g000").expect("it is told");
    assert!(about.what.starts_with("the item 'group/g000' in 'sources' of the table can't be read"), "{}", about.what);
    stack.store.spoil(&of_source("group/g000"), false);
    stack.run(2 * 60);
    assert_eq!(good(&stack, "group/g000"), 1, "it goes on where it was");
}

#[test]
fn of_a_source_one_backup_of_which_can_not_be_read_nothing_is_deleted() {
    let stack = two();
    let spoiled = newest(&stack, "group/g000");
    stack.store.spoil(&spoiled, true);
    let images = stack.our_images().len();
    for _ in 0..2 {
        stack.run(6 * 60);
    }
    let (all, deleted) = (stack.store.all_backups(), |backup: &Backup| backup.state == State::Deleted);
    let of = |source: &str| {
        let source: SourceId = source.parse().expect("a source");
        all.iter().filter(|backup| backup.id.source == source).cloned().collect::<Vec<_>>()
    };
    assert!(!of("group/g000").iter().any(deleted), "nothing of it goes");
    assert!(of("group/g001").iter().filter(|backup| deleted(backup)).count() >= 10, "of the other what may go goes");
    assert!(stack.our_images().len() >= images + 10);
    assert_eq!(messages(&stack, "Artifact Unknown"), [] as [String; 0], "what it has is on record all the same");
    let report = stack.invoke(Invocation::Cleanup);
    assert!(report.troubles.iter().any(|trouble| trouble.about == "group/g000"), "{:?}", report.troubles);
    stack.store.spoil(&spoiled, false);
    stack.run(60);
    assert_eq!(good(&stack, "group/g000"), 1);
}

#[test]
fn the_sweep_takes_what_can_not_be_read_for_known_and_deletes_nothing_of_its_source() {
    let stack = two();
    // What a backup left behind that failed is swept away, but not while a record of its source can't be read.
    let spoiled = newest(&stack, "group/g000");
    stack.store.spoil(&spoiled, true);
    stack.store.spoil(&of_source("group/g001"), true);
    let images = stack.our_images().len();
    stack.world.advance(7 * 3600);
    let report = stack.invoke(Invocation::Cleanup);
    assert_eq!(messages(&stack, "Artifact Unknown"), [] as [String; 0], "{:?}", report.troubles);
    assert_eq!(stack.our_images().len(), images);
    let told: Vec<&str> = report.troubles.iter().map(|trouble| trouble.about.as_str()).collect();
    assert!(told.contains(&"sources/group/g001"), "{told:?}");
    assert!(told.iter().any(|about| about.starts_with("backups#group/g000/")), "{told:?}");
}
