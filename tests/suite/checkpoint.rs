//! What AWS tells of instance refreshes: each event is on record once and told once, whatever comes in between.

use futures_util::FutureExt;
use lastgood_core::incoming::{RefreshChange, RefreshNews};
use lastgood_core::record::{Key, Queue};
use lastgood_core::rollout::Rollout;
use lastgood_engine::Store;
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::World;

use crate::transcript::count;
use crate::two_at_once::interleaved;

fn stack() -> Stack {
    Stack::new(World::new("2026-01-15T10:30:00Z".parse().expect("a time")))
}

/// A pause at a percentage, told in the event of this id.
fn visit(stack: &Stack, event: &str, percentage: u32) -> Invocation {
    Invocation::Refresh(RefreshNews {
        event: event.to_owned(),
        refresh: "r-1".into(),
        group: "web".into(),
        at: stack.world.time(),
        what: RefreshChange::Checkpoint { percentage, delay_seconds: 300 },
    })
}

fn rollout(stack: &Stack) -> Option<Rollout> {
    let found = stack.store.load::<Rollout>(&"r-1".into()).now_or_never().expect("in memory").expect("read");
    found.map(|found| found.record)
}

/// The percentages on record; nothing is left to tell.
fn visits(stack: &Stack) -> Vec<u32> {
    let Some(rollout) = rollout(stack) else { return Vec::new() };
    assert!(rollout.outbox.is_empty(), "{:?}", rollout.outbox);
    let percentage = |news: &RefreshNews| match news.what {
        RefreshChange::Checkpoint { percentage, .. } => percentage,
        RefreshChange::Status(_) => panic!("no status was told"),
    };
    rollout.news.iter().map(percentage).collect()
}

#[test]
fn a_checkpoint_is_told_once_however_often_its_event_comes() {
    let stack = stack();
    for (event, percentage) in [("e-1", 50), ("e-1", 50), ("e-2", 50), ("e-3", 100), ("e-2", 50)] {
        stack.invoke(visit(&stack, event, percentage));
    }
    assert_eq!(visits(&stack), [50, 50, 100], "after a scale-out the same percentage comes again");
    let told: Vec<_> = stack.bus.sent().into_iter().map(|notice| notice.message).collect();
    assert_eq!(told.len(), 3, "and nothing is sent twice: {told:?}");
    assert_eq!(count(&stack, "Checkpoint Reached"), 3);
    assert!(told[0].contains("group/web") && told[0].contains("r-1") && told[0].contains("50"), "{}", told[0]);
}

#[test]
fn a_function_killed_at_any_call_loses_no_checkpoint() {
    let knife = Knife::new(None);
    let whole = stack();
    whole.invoke_behind(&knife, visit(&whole, "e-1", 50)).expect("it ends");
    assert_eq!(knife.calls(), 5, "its source and it are read, it is saved, told, and saved as told");
    for call in 0..knife.calls() {
        for at in [At::Before(call), At::After(call)] {
            for again in [true, false] {
                let stack = stack();
                let dies = stack.invoke_behind(&Knife::new(Some(at)), visit(&stack, "e-1", 50));
                assert!(dies.is_none(), "{at:?}");
                // Lambda tries again; what was taken down before it died is told by the poll even if it does not.
                let taken_down = rollout(&stack).is_some();
                if again {
                    stack.invoke(visit(&stack, "e-1", 50));
                }
                stack.invoke(Invocation::Poll);
                let known = usize::from(again || taken_down);
                assert_eq!(visits(&stack), [50].repeat(known), "{at:?}, again: {again}");
                assert_eq!(count(&stack, "Checkpoint Reached"), known, "{at:?}, again: {again}");
            }
        }
    }
}

#[test]
fn what_the_bus_does_not_take_is_told_by_the_poll() {
    let stack = stack();
    stack.bus.refuse_next(1);
    assert!(stack.try_invoke(visit(&stack, "e-1", 50)).is_err(), "so that Lambda tries it again");
    assert_eq!(
        stack.store.waiting(Queue::Poll).into_iter().map(|(_, key)| key).collect::<Vec<_>>(),
        [Key::Rollout("r-1".into())]
    );
    assert_eq!(rollout(&stack).expect("taken down").outbox.len(), 1);
    // A bus that does not answer is no reason to leave everything else be.
    stack.bus.fail_next(1);
    let report = stack.invoke(Invocation::Poll);
    assert_eq!(report.troubles.len(), 1, "{report:?}");
    stack.invoke(Invocation::Poll);
    assert_eq!((visits(&stack), count(&stack, "Checkpoint Reached")), (vec![50], 1));
    assert_eq!(stack.store.waiting(Queue::Poll), []);
    stack.invoke(Invocation::Poll);
    assert_eq!(stack.bus.sent().len(), 1, "once it is told, nothing is left to tell");
}

#[test]
fn a_notice_that_the_bus_refuses_fails_its_own_event_and_no_other_and_is_told_by_name() {
    let stack = stack();
    stack.bus.refuse(Some("e-1"));
    assert!(stack.try_invoke(visit(&stack, "e-1", 50)).is_err());
    stack.invoke(visit(&stack, "e-2", 75));
    let other = Invocation::Refresh(RefreshNews {
        refresh: "r-2".into(),
        ..match visit(&stack, "e-3", 50) {
            Invocation::Refresh(news) => news,
            other => panic!("{other:?}"),
        }
    });
    stack.bus.refuse(Some("e-"));
    assert!(stack.try_invoke(other).is_err());
    stack.bus.refuse(Some("e-1"));
    let report = stack.invoke(Invocation::Poll);
    let about: Vec<&str> = report.troubles.iter().map(|trouble| trouble.about.as_str()).collect();
    assert_eq!(about, ["r-1"], "r-2 is told");
    stack.bus.refuse(None);
    stack.invoke(Invocation::Poll);
    assert_eq!((visits(&stack), count(&stack, "Checkpoint Reached")), (vec![50, 75], 3));
}

#[test]
fn an_event_that_could_not_be_told_in_time_is_no_success() {
    let stack = stack();
    assert!(stack.try_within(0, visit(&stack, "e-1", 50)).is_err(), "so that Lambda tries it again");
    assert_eq!(rollout(&stack).expect("taken down").outbox.len(), 1);
    stack.invoke(visit(&stack, "e-1", 50));
    assert_eq!((visits(&stack), count(&stack, "Checkpoint Reached")), (vec![50], 1));
}

/// How many calls one event costs that is saved over by another.
const CALLS: usize = 7;

#[test]
fn two_events_of_one_refresh_at_once_are_both_on_record() {
    let mut most = 0;
    for first in 0..CALLS {
        for second in 0..CALLS {
            let stack = stack();
            let (one, other) = (visit(&stack, "e-1", 50), visit(&stack, "e-2", 75));
            let (calls, _) = interleaved(&stack, (one, first), (other, second));
            most = most.max(calls);
            stack.invoke(Invocation::Poll);
            let mut visits = visits(&stack);
            visits.sort_unstable();
            assert_eq!(visits, [50, 75], "held at {first} and {second}");
            assert_eq!(count(&stack, "Checkpoint Reached"), 2, "held at {first} and {second}");
        }
    }
    assert_eq!(most, CALLS, "one that is saved over begins again, and no call of any is left out");
}
