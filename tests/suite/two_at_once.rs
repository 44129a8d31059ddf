//! Two functions at one record, interleaved at any two of their calls: the one hangs, the other begins and hangs, then the
//! first goes on to its end and after it the second.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lastgood_core::Time;
use lastgood_core::backup::{Publication, State};
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::TemplateId;
use lastgood_core::pace::Share;
use lastgood_engine::{Engine, Running};
use lastgood_tests::cut::Latch;
use lastgood_tests::stack::{Invocation, STACK, Stack, handle};
use lastgood_world::{RefreshStatus, World};

use crate::transcript::{DAILY, HOURLY, count, held, members, states, web};

const PROTECTED: &str =
    "plans: [{name: web, select: {groups: [web]}, schedule: hourly, capture: {protect_from_scale_in: true}}]";

/// Lets `first` hang at one call and `second`, two minutes later, at another. Returns how many calls each made.
pub(crate) fn interleaved(stack: &Stack, first: (Invocation, usize), second: (Invocation, usize)) -> (usize, usize) {
    let (one, other) = (Latch::new(first.1), Latch::new(second.1));
    let (of_one, of_other) = (stack.behind(&one), stack.behind(&other));
    let running = Running { stack: STACK, stop_at: Time::MAX, share: Share::default() };
    let (world, mut context) = (&stack.world, Context::from_waker(Waker::noop()));
    let engine_of_one = Engine::new(&of_one.0, &of_one.1, &of_one.2, world, running);
    let engine_of_other = Engine::new(&of_other.0, &of_other.1, &of_other.2, world, running);
    let mut first = pin!(handle(&engine_of_one, first.0));
    let mut second = pin!(handle(&engine_of_other, second.0));
    // Each is judged by the world, under a number that no other invocation has.
    world.act_as(Some(u64::MAX));
    let begun = first.as_mut().poll(&mut context);
    world.act_as(None);
    world.advance(120);
    world.act_as(Some(u64::MAX - 1));
    let begun_too = second.as_mut().poll(&mut context);
    one.open();
    world.act_as(Some(u64::MAX));
    let ended = if begun.is_pending() { first.as_mut().poll(&mut context) } else { begun };
    other.open();
    world.act_as(Some(u64::MAX - 1));
    let ended_too = if begun_too.is_pending() { second.as_mut().poll(&mut context) } else { begun_too };
    world.act_as(None);
    assert!(matches!((ended, ended_too), (Poll::Ready(Ok(_)), Poll::Ready(Ok(_)))), "both end well");
    (one.calls(), other.calls())
}

/// What goes wrong with a backup while two functions begin it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    Nothing,
    /// A refresh: it fails.
    Refresh,
    /// And it is not told that its instance was protected.
    RefreshAndNoAnswer,
}

/// A backup that a tick begins and that a poll takes up while the tick hangs.
fn begun_twice(bad: Bad, tick: usize, poll: usize) -> (usize, usize) {
    let (stack, _) = web(PROTECTED);
    stack.world.advance(30 * 60);
    let fails = bad != Bad::Nothing;
    if fails {
        stack.world.lock_group("web");
    }
    if bad == Bad::RefreshAndNoAnswer {
        stack.world.lose_next("autoscaling:SetInstanceProtection", 1);
    }
    let calls = interleaved(&stack, (Invocation::Tick, tick), (Invocation::Poll, poll));
    stack.back_up_only(4);
    if fails {
        stack.world.set_refresh("web", RefreshStatus::Cancelled);
    }
    let backup = stack.backups("group/web").remove(0);
    let context = format!("{bad:?}, tick held at {tick}, poll at {poll}: {:?}, {}", backup.scale_in, backup.reason);
    assert_eq!(backup.state, if fails { State::Failed } else { State::Good }, "{context}");
    assert_eq!(stack.our_images().len(), usize::from(!fails), "{context}");
    assert_eq!(members(&stack).iter().filter(|member| member.protected).count(), 0, "{context}");
    calls
}

#[test]
fn two_functions_that_begin_one_backup_leave_no_member_protected_and_one_image() {
    for bad in [Bad::Nothing, Bad::Refresh, Bad::RefreshAndNoAnswer] {
        every_way(|tick, poll| begun_twice(bad, tick, poll));
    }
}

/// All ways in which two invocations can be interleaved, by `at`: which returns how many calls each made.
fn every_way(mut at: impl FnMut(usize, usize) -> (usize, usize)) {
    let (firsts, _) = at(usize::MAX, usize::MAX);
    let mut most = 0;
    for first in 0..firsts {
        let (_, seconds) = at(first, usize::MAX);
        most = most.max(seconds);
        for second in 0..seconds {
            at(first, second);
        }
    }
    assert!(firsts > 10 && most > 10, "{firsts} and {most} calls");
}

#[test]
fn two_functions_that_publish_one_image_make_one_version_and_tell_it_once() {
    for version in [VersionRef::Number(1), VersionRef::Default, VersionRef::Latest] {
        every_way(|first, second| {
            let (stack, template) = web_by(version);
            stack.world.advance(30 * 60);
            stack.invoke(Invocation::Tick);
            stack.world.advance(10 * 60);
            let calls = interleaved(&stack, (Invocation::Poll, first), (Invocation::Poll, second));
            stack.back_up_only(3);
            let backup = stack.backups("group/web").remove(0);
            let context = format!("{version:?}, held at {first} and {second}: {:?}", backup.publication);
            assert!(matches!(backup.publication, Publication::Published(_)), "{context}");
            assert_eq!(stack.world.group_image("web"), backup.image().cloned(), "{context}");
            assert_eq!(stack.world.template_versions(&template).len(), 2, "{context}");
            assert_eq!((count(&stack, "Image Published"), count(&stack, "Publication Held")), (1, 0), "{context}");
            calls
        });
    }
}

#[test]
fn two_functions_that_delete_one_backup_leave_nothing_of_it_and_touch_nothing_else() {
    every_way(|first, second| {
        let (stack, _) = web(DAILY);
        stack.world.advance(30 * 60);
        stack.back_up_only(6);
        stack.world.advance(24 * 3600);
        stack.back_up_only(6);
        let calls = interleaved(&stack, (Invocation::Cleanup, first), (Invocation::Cleanup, second));
        for _ in 0..2 {
            stack.world.advance(3600);
            stack.invoke(Invocation::Cleanup);
        }
        let context = format!("held at {first} and {second}");
        assert_eq!(states(&stack), [State::Good, State::Deleted], "{context}");
        assert_eq!(held(&stack), (1, 2), "{context}");
        assert_eq!((count(&stack, "Backups Deleted"), count(&stack, "Deletion Refused")), (1, 0), "{context}");
        calls
    });
}

fn web_by(version: VersionRef) -> (Stack, TemplateId) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("web", &world.base_image());
    world.group("web", &TemplateRef { template: template.clone(), version }, 2);
    let stack = Stack::new(world);
    stack.apply(HOURLY).expect("applied");
    (stack, template)
}
