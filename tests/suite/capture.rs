//! Which member an image is made from, and what becomes of it meanwhile.

use expect_test::expect;
use lastgood_core::backup::{ScaleIn, State};
use lastgood_core::incoming::{AboutBackup, Request};
use lastgood_tests::cut::{At, Knife, Meanwhile};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{CreateGroup, World, by_number};

use crate::transcript::told;

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
const PROTECTED: &str =
    "plans: [{name: web, select: {groups: [web]}, schedule: hourly, capture: {protect_from_scale_in: true}}]";

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

/// A group `web` of three under this plan, at 10:30.
fn web(plan: &str) -> Stack {
    let world = world();
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 3);
    let stack = Stack::new(world);
    stack.apply(plan).expect("applied");
    stack
}

fn protected(stack: &Stack) -> usize {
    let members = stack.world.group_view("web").expect("there").members;
    members.iter().filter(|member| member.protected).count()
}

#[test]
fn a_member_that_is_not_warmed_up_is_not_imaged() {
    let world = world();
    let template = world.template("web", &world.base_image());
    let mut request = CreateGroup::of("web", (&by_number(&template, 1)).into(), 1);
    request.times.default_warmup = Some(600);
    world.group_with(&request);
    let stack = Stack::new(world);
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: '31 10 * * *'}]").expect("applied");
    stack.run(2);
    assert_eq!(stack.backups("group/web")[0].reason, "none of the 1 members of web can be imaged: 1 not warmed up yet");
    stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: '42 10 * * *'}]").expect("applied");
    stack.run(20);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
}

#[test]
fn a_member_in_standby_is_not_imaged() {
    let stack = web(PLAN);
    let members = stack.world.group_view("web").expect("there").members;
    let standby: Vec<_> = members.iter().map(|member| member.instance.clone()).collect();
    stack.world.enter_standby("web", &standby);
    stack.run(45);
    assert_eq!(stack.backups("group/web")[0].reason, "none of the 3 members of web can be imaged: 3 in standby");
    told(
        &stack,
        &expect![[r#"
        11:00 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: none of the 3 members of web can be imaged: 3 in standby
    "#]],
    );
}

#[test]
fn no_image_is_made_during_a_refresh_unless_the_plan_says_so() {
    let stack = web(PLAN);
    stack.world.lock_group("web");
    stack.run(45);
    let reason = stack.backups("group/web")[0].reason.clone();
    assert!(reason.ends_with("of web is under way, and its plan does not say 'during_refresh: true'"), "{reason}");
    assert_eq!(stack.world.calls().get("ec2:CreateImage"), None);
    let during = PLAN.replace("schedule: hourly", "schedule: hourly, capture: {during_refresh: true}");
    stack.apply(&during).expect("applied");
    stack.run(60);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
    assert!(!stack.backups("group/web")[0].publication.is_at_rest(), "it is published when the refresh is over");
    stack.world.unlock_group("web");
    stack.run(10);
    assert_eq!(stack.world.group_image("web"), stack.backups("group/web")[0].image().cloned());
}

#[test]
fn a_second_loss_is_not_tried_a_third_time() {
    let stack = web(PLAN);
    stack.world.change_settings(|settings| settings.image_seconds = 15 * 60);
    stack.run(30);
    for _ in 0..2 {
        let instance = stack.backups("group/web")[0].instance.clone().expect("chosen");
        stack.world.kill(&instance);
        stack.run(5);
    }
    let states: Vec<_> = stack.backups("group/web").into_iter().map(|backup| backup.state).collect();
    assert_eq!(states, [State::Failed, State::Failed], "the next slot tries again, and nothing before it");
    stack.run(90);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
    // What the failed ones left is cleaned.
    assert_eq!(stack.our_images().len(), stack.backups("group/web").iter().filter(|b| b.state == State::Good).count());
}

#[test]
fn a_member_is_protected_while_its_image_is_made_and_not_longer() {
    let stack = web(PROTECTED);
    stack.run(30);
    let backup = stack.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.scale_in, protected(&stack)), (State::Pending, ScaleIn::Protected, 1));
    stack.run(15);
    let backup = stack.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.scale_in, protected(&stack)), (State::Good, ScaleIn::GivenBack, 0));
}

#[test]
fn a_member_whose_image_fails_is_not_left_protected() {
    let stack = web(PROTECTED);
    stack.world.fail_next_image("Server.InternalError: the disk was busy");
    stack.run(45);
    assert_eq!((stack.backups("group/web")[0].state, protected(&stack)), (State::Failed, 0));
}

#[test]
fn a_member_that_somebody_has_protected_stays_protected() {
    let stack = web(PROTECTED);
    let members = stack.world.group_view("web").expect("there").members;
    let ids: Vec<_> = members.iter().map(|member| member.instance.clone()).collect();
    stack.world.autoscaling().set_protection("web", &ids, lastgood_world::ScaleIn::Forbidden).expect("members");
    stack.run(45);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
    assert_eq!((stack.backups("group/web")[0].scale_in, protected(&stack)), (ScaleIn::Untouched, 3));
}

#[test]
fn protection_that_cannot_be_taken_away_is_told_and_tried_again() {
    let stack = web(PROTECTED);
    stack.run(30);
    stack.world.deny("autoscaling:SetInstanceProtection", "*");
    stack.run(25);
    let left: Vec<_> =
        stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Protection Left").collect();
    assert_eq!(left.len(), 1, "told once");
    assert_eq!(protected(&stack), 1);
    assert_eq!(
        stack.world.group_image("web"),
        stack.backups("group/web")[0].image().cloned(),
        "it keeps nothing else back"
    );
    stack.world.allow("autoscaling:SetInstanceProtection");
    stack.run(15);
    assert_eq!(protected(&stack), 0);
}

/// A whole backup with the invocation number `victim` cut `at` a call and run again. Returns each one's calls.
fn protected_backup(victim: Option<(usize, At)>) -> Vec<usize> {
    let stack = web(PROTECTED);
    stack.world.advance(30 * 60);
    let mut calls = Vec::new();
    for invocation in [Invocation::Tick, Invocation::Poll, Invocation::Poll, Invocation::Poll] {
        let number = calls.len();
        let at = victim.and_then(|(victim, at)| (victim == number).then_some(at));
        let knife = Knife::new(at);
        stack.invoke_behind(&knife, invocation);
        calls.push(knife.calls());
        stack.world.advance(2 * 60);
    }
    stack.run(10);
    let backup = stack.backups("group/web").remove(0);
    assert_eq!((backup.state, protected(&stack)), (State::Good, 0), "{victim:?}: {:?}", backup.scale_in);
    calls
}

#[test]
fn a_function_that_dies_anywhere_leaves_no_member_protected() {
    let calls = protected_backup(None);
    for (victim, calls) in calls.iter().enumerate() {
        for call in 0..*calls {
            protected_backup(Some((victim, At::Before(call))));
            protected_backup(Some((victim, At::After(call))));
        }
    }
    assert!(calls.iter().sum::<usize>() > 30, "{calls:?}");
}

/// A tick that begins a backup and hangs at one of its calls, for so long that the poll carries the backup on to its end.
/// Returns how many calls the tick made.
fn hangs_at(call: usize) -> usize {
    let stack = web(PROTECTED);
    stack.world.advance(30 * 60);
    let pause = Meanwhile::new(|number| {
        for _ in 0..if number == call { 10 } else { 0 } {
            stack.world.advance(2 * 60);
            stack.invoke(Invocation::Poll);
        }
    });
    stack.invoke_behind(&pause, Invocation::Tick);
    let calls = pause.calls();
    stack.run(10);
    let backup = stack.backups("group/web").remove(0);
    assert_eq!((backup.state, stack.our_images().len()), (State::Good, 1), "call {call}: {}", backup.reason);
    assert_eq!(protected(&stack), 0, "call {call}: {:?}", backup.scale_in);
    calls
}

#[test]
fn a_function_that_hangs_anywhere_while_others_go_on_leaves_no_member_protected() {
    let calls = hangs_at(usize::MAX);
    for call in 0..calls {
        hangs_at(call);
    }
    assert!(calls > 10, "{calls}");
}

#[test]
fn a_lineage_is_counted_told_at_its_limit_and_held_beyond_it() {
    let stack = web(&PLAN.replace("schedule: hourly", "schedule: hourly, publish: {max_generations: 2}"));
    let replace = || {
        for member in stack.world.group_view("web").expect("there").members {
            stack.world.kill(&member.instance);
        }
    };
    let deepest = |deep: u32| stack.backups("group/web")[0].generation == deep;
    let told = |kind: &str| stack.told().iter().filter(|notice| notice.news.detail_type() == kind).count();
    stack.run(45);
    assert!(deepest(1));
    replace();
    stack.run(60);
    assert!(deepest(2), "from an instance of the first");
    assert_eq!((told("Lineage Deep"), told("Publication Held")), (1, 0));
    replace();
    let before = stack.world.group_image("web");
    stack.run(60);
    assert!(deepest(3));
    assert_eq!((told("Lineage Deep"), told("Publication Held")), (1, 1));
    assert_eq!(stack.world.group_image("web"), before);
    let hold = stack.source("group/web").held.expect("held");
    assert!(hold.starts_with("it is 3 images deep, and its plan says max_generations: 2"), "{hold}");
}

#[test]
fn nothing_is_deleted_while_the_newest_backup_failed_and_that_is_told_once() {
    let stack = web(PLAN);
    stack.run(3 * 60 + 5);
    assert_eq!(stack.our_images().len(), 3);
    stack.world.fail_next_image("Server.InternalError: the disk was busy");
    stack.run(50);
    stack.apply(&PLAN.replace("schedule: hourly", "schedule: hourly, retain: {last: 1}")).expect("applied");
    stack.invoke(Invocation::Cleanup);
    stack.invoke(Invocation::Cleanup);
    let halted: Vec<_> =
        stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Deletion Halted").collect();
    assert_eq!(halted.len(), 1, "{halted:?}");
    assert!(
        halted[0].message.contains("would be deleted and stay until a backup is good again"),
        "{}",
        halted[0].message
    );
    assert_eq!(stack.our_images().len(), 3, "nothing went");
    stack.run(60);
    assert_eq!(stack.our_images().len(), 1, "a good backup lifts it");
}

#[test]
fn a_pinned_backup_stays_whatever_its_plan_says_until_it_is_unpinned() {
    let stack = web(&PLAN.replace("schedule: hourly", "schedule: hourly, retain: {last: 1}"));
    stack.run(45);
    let first = stack.backups("group/web").remove(0);
    let about = || AboutBackup {
        backup: first.id.clone(),
        by: "alice".parse().expect("a name"),
        reason: "before 4.2".parse().ok(),
    };
    stack.ask(Request::Pin(about()));
    stack.ask(Request::Pin(about()));
    stack.run(3 * 60);
    let there = |stack: &Stack| stack.our_images().iter().any(|image| Some(&image.id) == first.image());
    assert!(there(&stack));
    assert_eq!(stack.our_images().len(), 2);
    stack.ask(Request::Unpin(about()));
    stack.run(60);
    assert!(!there(&stack));
    let told: Vec<_> = stack.told().into_iter().filter(|notice| notice.news.detail_type() == "Backup Pinned").collect();
    let messages: Vec<_> = told.iter().map(|notice| notice.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "group/web: the backup of 2026-01-15T11:00:00Z stays whatever its plan says: pinned by alice: before 4.2",
            "group/web: the backup of 2026-01-15T11:00:00Z is kept as its plan says: unpinned by alice: before 4.2",
        ]
    );
}
