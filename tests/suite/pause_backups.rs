//! Backups of pauses: each that goes on becomes a point to come back to, which is kept and not published.

use lastgood_core::backup::{Backup, Origin, Publication, State};
use lastgood_core::incoming::{AboutSource, Request};
use lastgood_core::rollout::{self, Verdict};
use lastgood_world::{CacheShape, Sickness};

use crate::rollouts::{STEPS, Scene, numbered, plan, verdicts};
use crate::transcript::count;

fn scene() -> Scene {
    numbered(4, "checkpoints: [25, 50, 100], checkpoint_delay: 15m, min_healthy: 50, backup: true")
}

impl Scene {
    /// The backups of pauses, oldest first.
    fn of_pauses(&self) -> Vec<Backup> {
        let mut backups = self.stack.backups("group/web");
        backups.retain(|backup| matches!(backup.origin, Origin::Checkpoint { .. }));
        backups.reverse();
        backups
    }

    fn rolled_out(&self) -> Backup {
        let all = self.stack.backups("group/web").into_iter();
        all.filter(|backup| !backup.is_of_checkpoint()).max_by_key(|backup| backup.id.slot).expect("one")
    }
}

#[test]
fn each_pause_that_goes_on_is_kept_as_a_point_to_come_back_to() {
    let scene = scene();
    scene.back_up(90);
    let ours = scene.rolled_out();
    assert!(matches!(ours.publication, Publication::Published(_)), "{:?}", ours.publication);
    let kept = scene.of_pauses();
    let at: Vec<u32> = kept
        .iter()
        .map(|backup| match &backup.origin {
            Origin::Checkpoint { percentage, .. } => *percentage,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(at, [25, 50]);
    for backup in &kept {
        assert_eq!((backup.state, &backup.publication), (State::Good, &Publication::NotAsked), "{}", backup.reason);
        assert_eq!((backup.base.as_ref(), backup.generation), (ours.image(), 2), "of a member on the new version");
    }
    assert_eq!(scene.stack.world.group_image("web"), ours.image().cloned(), "it is not published");
    assert_eq!(scene.stack.rollouts().len(), 1, "nor rolled out");
    assert_eq!(count(&scene.stack, "Image Published"), 1);
}

#[test]
fn a_pause_that_is_rolled_back_is_not_kept() {
    let scene = scene();
    scene.back_up(2);
    scene.sicken(Sickness::Impaired);
    scene.stack.run(60);
    let rollout = scene.stack.rollouts().remove(0);
    assert_eq!((rollout.state, verdicts(&rollout)), (rollout::State::RolledBack, vec![(25, Verdict::RollBack)]));
    assert_eq!(scene.of_pauses().len(), 0);
}

#[test]
fn one_that_can_not_be_made_keeps_nothing_from_going_on() {
    let scene = scene();
    scene.back_up(3);
    // Nobody may make images any more.
    scene.stack.world.deny("ec2:CreateImage", "*");
    scene.stack.run(90);
    let rollout = scene.stack.rollouts().remove(0);
    assert_eq!(rollout.state, rollout::State::Succeeded, "{}", rollout.reason);
    let kept = scene.of_pauses();
    assert!(kept.iter().all(|backup| backup.state == State::Failed) && kept.len() == 2, "{kept:?}");
    assert_eq!(count(&scene.stack, "Backup Failed"), 2);
}

#[test]
fn a_newer_point_to_come_back_to_overtakes_nothing() {
    // Somebody cancels the refresh after the first pause was kept: what was rolled out is held, and can be released.
    let scene = scene();
    scene.back_up(20);
    assert_eq!(scene.of_pauses().len(), 1);
    scene.stack.world.autoscaling().cancel_refresh("web", false).expect("cancelled");
    scene.stack.run(5);
    assert!(matches!(scene.rolled_out().publication, Publication::Held(_)));
    let source = "group/web".parse().expect("a source");
    scene.stack.ask(Request::Release(AboutSource { source, by: "alice".parse().expect("a name"), reason: None }));
    scene.stack.run(90);
    let ours = scene.rolled_out();
    assert!(matches!(ours.publication, Publication::Published(_)), "{:?}: {}", ours.publication, ours.reason);
    assert_eq!(scene.stack.world.group_image("web"), ours.image().cloned());
}

#[test]
fn the_rollout_of_an_operators_image_is_kept_at_its_pauses_too() {
    let scene = numbered(4, &format!("{STEPS}, backup: true"));
    scene.stack.run(2);
    let theirs = scene.stack.world.base_image();
    scene.give(&theirs, true);
    scene.stack.run(60);
    let kept = scene.of_pauses();
    assert_eq!((kept.len(), kept[0].state, kept[0].base.as_ref()), (1, State::Good, Some(&theirs)));
}

#[test]
fn the_caches_that_the_plan_names_are_backed_up_beside_the_group() {
    let scene = scene();
    let world = &scene.stack.world;
    let (sessions, other) =
        (world.put_cache("sessions", CacheShape::Replicated(2)), world.put_cache("other", CacheShape::Serverless));
    let steps = "checkpoints: [25, 50, 100], checkpoint_delay: 15m, min_healthy: 50, backup: true";
    let plan = plan(steps).replace("groups: [web]", "groups: [web], replication_groups: [sessions]");
    let others = "{name: other, select: {serverless_caches: [other]}, schedule: daily}]";
    scene.stack.apply(&plan.replace("}}]", &format!("}}}}, {others}"))).expect("applied");
    scene.back_up(90);
    let backups = scene.stack.backups(&sessions.to_string());
    let of_pauses = scene.of_pauses();
    assert_eq!(backups.len(), 2, "one for each pause");
    for (of_cache, of_group) in backups.iter().rev().zip(&of_pauses) {
        assert_eq!((of_cache.state, &of_cache.origin), (State::Good, &of_group.origin), "{}", of_cache.reason);
        assert_eq!(of_cache.id.slot, of_group.id.slot);
    }
    assert!(scene.stack.backups(&other.to_string()).is_empty(), "it is in another plan");
}

#[test]
fn a_cache_that_can_not_be_backed_up_keeps_nothing_from_going_on() {
    let scene = scene();
    let sessions = scene.stack.world.put_cache("sessions", CacheShape::Sharded(2, 1));
    let steps = "checkpoints: [50, 100], checkpoint_delay: 15m, min_healthy: 50, backup: true";
    let plan = plan(steps).replace("groups: [web]", "groups: [web], replication_groups: [sessions]");
    scene.stack.apply(&plan).expect("applied");
    scene.stack.world.deny("elasticache:*", "*");
    scene.back_up(90);
    assert_eq!(scene.stack.rollouts().remove(0).state, rollout::State::Succeeded);
    let states: Vec<State> = scene.stack.backups(&sessions.to_string()).iter().map(|backup| backup.state).collect();
    assert_eq!((states.as_slice(), scene.of_pauses()[0].state), ([State::Failed].as_slice(), State::Good));
}
