//! Killed anywhere, nothing lost: every invocation of a whole backup is cut at every call in turn, before the call is
//! heard and after it, and run again. Each time the world and the table end as if nothing had happened.

use std::fmt::Write as _;

use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{World, by_number};

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly, retain: {last: 1}}]";

fn stack() -> Stack {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 2);
    let stack = Stack::new(world);
    stack.apply(PLAN).expect("applied");
    stack
}

/// Two backups: the second is published in place of the first, which is let go. The invocation number `victim` is cut
/// `at` a call, then run again. Returns how many calls the victim made, and how everything ended.
fn two_backups(victim: Option<(usize, At)>) -> (Vec<usize>, String) {
    let stack = stack();
    let mut calls = Vec::new();
    for _ in 0..12 {
        // Long enough for whatever waits a minute, and short enough to come by each hour's slot.
        stack.world.advance(10 * 60);
        let mut queue = vec![Invocation::Tick, Invocation::Poll, Invocation::Cleanup];
        queue.splice(0..0, stack.deliveries());
        for invocation in queue {
            let number = calls.len();
            let at = victim.and_then(|(victim, at)| (victim == number).then_some(at));
            let knife = Knife::new(at);
            let ended = stack.invoke_behind(&knife, invocation.clone());
            assert_eq!(ended.is_none(), at.is_some(), "it dies where it is cut, and only there");
            if at.is_some() {
                stack.invoke(invocation);
            }
            calls.push(knife.calls());
        }
    }
    (calls, end(&stack))
}

/// How everything ended: what AWS holds, what the records say, what was told. Without versions and waiting times,
/// which a repetition may move.
fn end(stack: &Stack) -> String {
    let mut text = String::new();
    for backup in stack.backups("group/web") {
        let _ = writeln!(
            text,
            "{} {:?} {:?} {:?} {:?} {:?} {}",
            backup.id,
            backup.state,
            backup.artifact,
            backup.image(),
            backup.snapshots,
            backup.publication,
            backup.reason
        );
        assert!(backup.outbox.is_empty() && backup.source_told, "{backup:?}");
    }
    let source = stack.source("group/web");
    let good = source.last_good.map(|good| (good.slot, good.artifact));
    let _ = writeln!(text, "{:?} {good:?} {:?} {:?}", source.next_slot, source.published, source.turn);
    for image in stack.our_images() {
        let _ = writeln!(text, "{} {} {:?} {:?}", image.id, image.name, image.state, image.tags);
    }
    for snapshot in stack.our_snapshots() {
        let _ = writeln!(text, "{} {:?}", snapshot.id, snapshot.state);
    }
    let _ = writeln!(text, "{:?}", stack.world.group_image("web"));
    let mut told: Vec<_> =
        stack.told().into_iter().map(|notice| format!("{}: {}", notice.id, notice.message)).collect();
    told.sort();
    let _ = writeln!(text, "{}", told.join("\n"));
    text
}

#[test]
fn every_invocation_cut_at_every_call_ends_in_the_same_state() {
    let (calls, expected) = two_backups(None);
    assert!(expected.contains(" Good There ") && expected.contains(" Deleted Gone "), "a whole life: {expected}");
    let mut cuts = 0;
    for (victim, calls) in calls.iter().enumerate() {
        for call in 0..*calls {
            for at in [At::Before(call), At::After(call)] {
                let (_, ended) = two_backups(Some((victim, at)));
                assert_eq!(ended, expected, "invocation {victim}, cut {at:?}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 100, "only {cuts} cuts: the story has become too short to show anything");
}
