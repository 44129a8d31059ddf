//! A backup of a cache, killed at every call: the next invocation finishes the work, and nothing is made or deleted twice.

use lastgood_core::backup::State;
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::CacheShape;

use crate::caches::of;

/// Every place in which an invocation can be cut that comes after `prepare`.
fn cuts(scene: impl Fn() -> Stack, invocation: Invocation, prepare: impl Fn(&Stack)) -> Vec<At> {
    let stack = scene();
    prepare(&stack);
    let knife = Knife::new(None);
    stack.invoke_behind(&knife, invocation).expect("it ends");
    assert!(knife.calls() > 5, "{} calls", knife.calls());
    (0..knife.calls()).flat_map(|call| [At::Before(call), At::After(call)]).collect()
}

#[test]
fn whoever_dies_in_the_making_leaves_one_snapshot_and_no_more() {
    for shape in [CacheShape::Replicated(2), CacheShape::Sharded(2, 1), CacheShape::Serverless] {
        for at in cuts(|| of(shape).0, Invocation::Tick, |stack| stack.world.advance(30 * 60)) {
            let (stack, id) = of(shape);
            stack.world.advance(30 * 60);
            let knife = Knife::new(Some(at));
            assert!(stack.invoke_behind(&knife, Invocation::Tick).is_none(), "{at:?}");
            stack.run(30);
            let backups = stack.backups(&id.to_string());
            assert_eq!(backups.len(), 1, "{shape:?}, killed at {at:?}");
            assert_eq!(backups[0].state, State::Good, "{shape:?}, killed at {at:?}: {}", backups[0].reason);
            assert_eq!(stack.our_cache_snapshots().len(), 1, "{shape:?}, killed at {at:?}");
        }
    }
}

#[test]
fn a_snapshot_whose_answer_was_lost_is_taken_for_what_it_is() {
    for (shape, action) in [
        (CacheShape::Single, "elasticache:CreateSnapshot"),
        (CacheShape::Replicated(2), "elasticache:CreateSnapshot"),
        (CacheShape::Serverless, "elasticache:CreateServerlessCacheSnapshot"),
    ] {
        let (stack, id) = of(shape);
        // It takes longer than any wait for a cache that is busy.
        stack.world.change_settings(|pace| pace.cache_snapshot_seconds = 90 * 60);
        stack.world.lose_next(action, 1);
        stack.run(115);
        let backups = stack.backups(&id.to_string());
        assert_eq!(backups[0].state, State::Pending, "{shape:?}: {}", backups[0].reason);
        stack.run(30);
        assert_eq!(stack.backups(&id.to_string()).last().map(|backup| backup.state), Some(State::Good), "{shape:?}");
        assert_eq!(stack.world.calls().get(action), Some(&1), "{shape:?}: AWS is asked once");
    }
}

#[test]
fn whoever_dies_in_the_deleting_leaves_what_is_kept_and_nothing_else() {
    let prepare = |stack: &Stack| {
        stack.run(4 * 60 + 29);
        stack.back_up_only(4);
    };
    let scene = || of(CacheShape::Replicated(2)).0;
    for at in cuts(scene, Invocation::Cleanup, prepare) {
        let (stack, id) = of(CacheShape::Replicated(2));
        prepare(&stack);
        let knife = Knife::new(Some(at));
        assert!(stack.invoke_behind(&knife, Invocation::Cleanup).is_none(), "{at:?}");
        stack.run(90);
        assert_eq!(stack.our_cache_snapshots().len(), 2, "killed at {at:?}");
        let states: Vec<State> = stack.backups(&id.to_string()).iter().map(|backup| backup.state).collect();
        assert_eq!(states, [State::Good, State::Good, State::Deleted], "killed at {at:?}");
    }
}
