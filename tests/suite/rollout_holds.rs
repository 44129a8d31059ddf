//! Pauses that are held: AWS is kept from going on until somebody judges, and what was suspended is given back.

use lastgood_core::rollout::{Judge, State, Suspension, Verdict};
use lastgood_world::Sickness;

use crate::rollouts::{STEPS, numbered, verdicts};
use crate::transcript::count;

#[test]
fn a_hold_keeps_the_refresh_from_going_on_until_somebody_judges_it() {
    let held = format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}");
    for (verdict, ends) in [(Verdict::GoOn, State::Succeeded), (Verdict::RollBack, State::RolledBack)] {
        let scene = numbered(4, &held);
        scene.back_up(3 * 60);
        assert_eq!((scene.rollout().state, scene.rollout().suspension), (State::AtCheckpoint, Suspension::Suspended));
        assert_eq!((scene.suspended(), scene.renewed()), (1, 2), "AWS does not go on by itself");
        assert_eq!(count(&scene.stack, "Rollout Held"), 1);
        scene.judge(verdict, Judge::Person, None);
        scene.stack.run(40);
        assert_eq!((scene.rollout().state, scene.suspended()), (ends, 0), "what was suspended is resumed");
    }
    // Nobody comes: it is taken back after a day.
    let alone = numbered(4, &held);
    alone.back_up(26 * 60);
    let rollouts = alone.stack.rollouts();
    assert!(rollouts.iter().any(|rollout| rollout.state == State::RolledBack), "{rollouts:?}");
    assert_eq!(alone.suspended(), 0);
}

#[test]
fn a_suspension_whose_answer_was_lost_is_given_back() {
    // The call was heard, and tried again: what is suspended then is ours all the same.
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}"));
    scene.stack.world.lose_next("autoscaling:SuspendProcesses", 2);
    scene.back_up(20);
    assert_eq!((scene.rollout().state, scene.rollout().suspension), (State::AtCheckpoint, Suspension::Suspended));
    scene.judge(Verdict::RollBack, Judge::Person, None);
    scene.stack.run(40);
    assert_eq!((scene.rollout().state, scene.rollout().suspension), (State::RolledBack, Suspension::GivenBack));
    assert_eq!(scene.suspended(), 0);
}

#[test]
fn a_program_that_agrees_ends_no_hold() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [health, event], within: 5m, otherwise: hold}}"));
    scene.back_up(6);
    scene.sicken(Sickness::Impaired);
    scene.stack.run(14);
    assert_eq!((count(&scene.stack, "Rollout Held"), scene.rollout().suspension), (1, Suspension::Suspended));
    scene.judge(Verdict::GoOn, Judge::Event, None);
    scene.stack.run(5);
    assert_eq!((count(&scene.stack, "Rollout Held"), scene.rollout().suspension), (1, Suspension::Suspended));
    assert!(scene.rollout().open_visit().is_some_and(|visit| visit.held_until.is_some()));
    scene.judge(Verdict::RollBack, Judge::Person, None);
    scene.stack.run(40);
    assert_eq!((scene.rollout().state, scene.rollout().suspension), (State::RolledBack, Suspension::GivenBack));
    assert_eq!(scene.suspended(), 0);
}

#[test]
fn what_somebody_has_suspended_is_theirs_to_resume() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}"));
    scene.back_up(8);
    let process = ["InstanceRefresh".to_owned()];
    scene.stack.world.autoscaling().suspend_processes("web", &process).expect("suspended");
    scene.stack.run(20);
    assert_eq!(scene.rollout().suspension, Suspension::Untouched);
    scene.judge(Verdict::GoOn, Judge::Person, None);
    scene.stack.run(10);
    assert_eq!(scene.suspended(), 1);
}

#[test]
fn a_person_says_which_if_it_is_held_whatever_judges_the_plan_names() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [health], within: 5m, otherwise: hold}}"));
    scene.back_up(2);
    scene.sicken(Sickness::Impaired);
    scene.until_it_pauses();
    scene.judge(Verdict::GoOn, Judge::Person, None);
    assert!(scene.rollout().open_visit().is_some(), "it is not held yet, and nobody asked them");
    scene.stack.run(10);
    assert_eq!((count(&scene.stack, "Rollout Held"), scene.rollout().suspension), (1, Suspension::Suspended));
    scene.judge(Verdict::GoOn, Judge::Event, None);
    assert!(scene.rollout().open_visit().is_some(), "a program is no operator");
    scene.judge(Verdict::GoOn, Judge::Person, None);
    assert_eq!(verdicts(&scene.rollout()), [(50, Verdict::GoOn)]);
    assert_eq!(scene.told("Verdict Given"), ["group/web: at 50 percent: go on: a test: as seen"]);
    scene.stack.run(3);
    assert_eq!(scene.suspended(), 0);
}

#[test]
fn what_may_not_be_resumed_now_stays_owed() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}"));
    scene.back_up(15);
    assert_eq!((scene.rollout().suspension, scene.suspended()), (Suspension::Suspended, 1));
    scene.stack.world.deny("autoscaling:ResumeProcesses", "*");
    scene.judge(Verdict::GoOn, Judge::Person, None);
    scene.stack.run(10);
    assert_eq!((scene.rollout().suspension, scene.suspended()), (Suspension::Owed, 1));
    scene.stack.world.allow("autoscaling:ResumeProcesses");
    scene.stack.run(60);
    assert_eq!((scene.rollout().state, scene.rollout().suspension), (State::Succeeded, Suspension::GivenBack));
    assert_eq!(scene.suspended(), 0);
}

#[test]
fn a_group_that_is_deleted_while_it_is_held_has_nothing_to_give_back() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}"));
    scene.back_up(15);
    assert_eq!(scene.rollout().suspension, Suspension::Suspended);
    scene.stack.world.delete_group("web");
    scene.stack.run(60);
    let rollout = scene.rollout();
    assert_eq!((rollout.state, rollout.suspension), (State::Failed, Suspension::GivenBack), "{}", rollout.reason);
    assert_eq!(scene.stack.source("group/web").rollout, None);
}
