//! Two functions at one record, interleaved at any two of their calls: the one hangs, the other begins and hangs, then the
//! first goes on to its end and after it the second.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lastgood_core::Time;
use lastgood_core::backup::State;
use lastgood_core::pace::Share;
use lastgood_engine::{Engine, Running};
use lastgood_tests::cut::{Cut, Latch};
use lastgood_tests::stack::{Invocation, STACK, Stack, handle};
use lastgood_world::RefreshStatus;

use crate::transcript::{members, web};

const PROTECTED: &str =
    "plans: [{name: web, select: {groups: [web]}, schedule: hourly, capture: {protect_from_scale_in: true}}]";

/// Lets `first` hang at one call and `second`, two minutes later, at another. Returns how many calls each made.
fn interleaved(stack: &Stack, first: (Invocation, usize), second: (Invocation, usize)) -> (usize, usize) {
    let (one, other) = (Latch::new(first.1), Latch::new(second.1));
    let cut = |gate| {
        let store = Cut { port: &stack.store, gate };
        (store, Cut { port: &stack.world, gate }, Cut { port: &stack.bus, gate })
    };
    let (of_one, of_other) = (cut(&one), cut(&other));
    let running = Running { stack: STACK, stop_at: Time::MAX, share: Share::default() };
    let (world, mut context) = (&stack.world, Context::from_waker(Waker::noop()));
    let engine_of_one = Engine::new(&of_one.0, &of_one.1, &of_one.2, world, running);
    let engine_of_other = Engine::new(&of_other.0, &of_other.1, &of_other.2, world, running);
    let mut first = pin!(handle(&engine_of_one, first.0));
    let mut second = pin!(handle(&engine_of_other, second.0));
    let begun = first.as_mut().poll(&mut context);
    world.advance(120);
    let begun_too = second.as_mut().poll(&mut context);
    one.open();
    if begun.is_pending() {
        assert!(matches!(first.as_mut().poll(&mut context), Poll::Ready(Ok(_))), "the first ends well");
    }
    other.open();
    if begun_too.is_pending() {
        assert!(matches!(second.as_mut().poll(&mut context), Poll::Ready(Ok(_))), "the second ends well");
    }
    (one.calls(), other.calls())
}

/// A backup that a tick begins and that a poll takes up while the tick hangs. During a refresh it fails.
fn begun_twice(fails: bool, tick: usize, poll: usize) -> (usize, usize) {
    let (stack, _) = web(PROTECTED);
    stack.world.advance(30 * 60);
    if fails {
        stack.world.lock_group("web");
    }
    let calls = interleaved(&stack, (Invocation::Tick, tick), (Invocation::Poll, poll));
    stack.run(20);
    if fails {
        stack.world.set_refresh("web", RefreshStatus::Cancelled);
    }
    let backup = stack.backups("group/web").remove(0);
    let context = format!("tick held at {tick}, poll at {poll}: {:?}, {}", backup.scale_in, backup.reason);
    assert_eq!(backup.state, if fails { State::Failed } else { State::Good }, "{context}");
    assert_eq!(stack.our_images().len(), usize::from(!fails), "{context}");
    assert_eq!(members(&stack).iter().filter(|member| member.protected).count(), 0, "{context}");
    calls
}

#[test]
fn two_functions_that_begin_one_backup_leave_no_member_protected_and_one_image() {
    for fails in [false, true] {
        let mut most = 0;
        let (ticks, _) = begun_twice(fails, usize::MAX, usize::MAX);
        assert!(ticks > 10, "{ticks}");
        for tick in 0..ticks {
            let (_, polls) = begun_twice(fails, tick, usize::MAX);
            most = most.max(polls);
            for poll in 0..polls {
                begun_twice(fails, tick, poll);
            }
        }
        assert!(most > 10, "{most}");
    }
}
