//! Killed anywhere, no group is left between two images: every invocation of a whole rollout is cut at every call in turn,
//! before the call is heard and after it, and run again. And what a verdict costs.

use std::fmt::Write as _;

use expect_test::expect;
use lastgood_core::incoming::{RefreshChange, RefreshNews, VerdictAsked};
use lastgood_core::rollout::{Judge, Rollout, State, Suspension, Verdict};
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::Invocation;
use lastgood_world::Sickness;

use crate::image_changes::request;
use crate::rollouts::{STEPS, Scene, numbered, verdicts};
use crate::transcript::count;

/// Minutes between two rounds of invocations: longer than whatever waits for somebody who died.
const ROUND_MINUTES: i64 = 2;

/// How a story goes.
#[derive(Clone, Copy, Debug)]
enum Tale {
    /// The image is good.
    Good,
    /// Its instances are impaired.
    Sick,
    /// It is good, and a person is asked, who lets it be held and then takes it back.
    Held,
    /// An operator gives it, and it is good.
    Given,
    /// An operator gives it, and its instances are impaired.
    GivenSick,
    /// An operator gives it to new members alone.
    OnlyNew,
}

impl Tale {
    /// Whether an operator gives the image, and to new members alone.
    fn is_given(self) -> Option<bool> {
        match self {
            Self::Good | Self::Sick | Self::Held => None,
            Self::Given | Self::GivenSick => Some(false),
            Self::OnlyNew => Some(true),
        }
    }
}

/// One whole rollout. The invocation number `victim` is cut `at` a call, then run again. Returns how many calls each
/// invocation made, and how everything ended.
fn whole(tale: Tale, victim: Option<(usize, At)>) -> (Vec<usize>, String) {
    let by = "verdict: {by: [person], within: 4m, otherwise: hold}";
    let scene = numbered(4, &if let Tale::Held = tale { format!("{STEPS}, {by}") } else { STEPS.to_owned() });
    let theirs = scene.stack.world.base_image();
    if tale.is_given().is_none() {
        scene.back_up(2);
    }
    match tale {
        Tale::Sick => scene.sicken(Sickness::Impaired),
        Tale::GivenSick => scene.stack.world.make_sick(&theirs, Sickness::Impaired),
        Tale::Good | Tale::Held | Tale::Given | Tale::OnlyNew => {}
    }
    let mut calls = Vec::new();
    for round in 0..24 {
        scene.stack.world.advance(ROUND_MINUTES * 60);
        let mut queue = scene.stack.deliveries();
        queue.extend([Invocation::Tick, Invocation::Poll]);
        if let Tale::Held = tale
            && round == 10
        {
            let (rollout, by, reason) = (scene.newest().id, "a test".parse().expect("a name"), None);
            let (verdict, judge) = (Verdict::RollBack, Judge::Person);
            let asked = VerdictAsked { rollout, visit: Some(1), verdict, judge, by, reason };
            queue.insert(0, Invocation::Verdict(scene.stack.world.time(), asked));
        }
        if let Some(only_new) = tale.is_given().filter(|_| round == 0) {
            queue.insert(0, Invocation::ImageChange(scene.stack.world.time(), request(&theirs, !only_new)));
        }
        for invocation in queue {
            let number = calls.len();
            let at = victim.and_then(|(victim, at)| (victim == number).then_some(at));
            let knife = Knife::new(at);
            let ended = scene.stack.invoke_behind(&knife, invocation.clone());
            assert_eq!(ended.is_none(), at.is_some(), "it dies where it is cut, and only there");
            if at.is_some() {
                scene.stack.invoke(invocation);
            }
            calls.push(knife.calls());
        }
    }
    (calls, end(&scene))
}

/// How everything ended: the rollout, the group, AWS's refreshes, what is suspended, what was told.
fn end(scene: &Scene) -> String {
    let (rollout, group) = (scene.newest(), scene.stack.world.group_view("web").expect("there"));
    assert!(matches!(rollout.suspension, Suspension::Untouched | Suspension::GivenBack), "{rollout:?}");
    assert!(rollout.outbox.is_empty() && rollout.told && group.suspended.is_empty(), "{rollout:?}");
    let source = scene.stack.source("group/web");
    let mut text = format!("{:?} {:?}\n", rollout.state, verdicts(&rollout));
    let renewed = rollout.order.as_ref().map_or(0, |order| scene.on(&order.image));
    let _ = writeln!(text, "the group names {}, {renewed} of its members are renewed", scene.named());
    let _ = writeln!(text, "{:?} {:?} {:?} {:?}", scene.statuses(), source.rollout, source.turn, source.held);
    let _ = writeln!(text, "{:?} {:?}", source.change, source.expected.map(|expected| expected.because));
    for kind in [
        "Checkpoint Reached",
        "Verdict Given",
        "Rollout Held",
        "Rollout Succeeded",
        "Rollout Rolled Back",
        "Image Published",
    ] {
        let _ = writeln!(text, "{kind}: {}", count(&scene.stack, kind));
    }
    text
}

impl Scene {
    /// The rollout that began last.
    fn newest(&self) -> Rollout {
        self.stack.rollouts().into_iter().max_by_key(|rollout| rollout.since).expect("there is one")
    }
}

fn cut_everywhere(tale: Tale, ends: State) {
    let (calls, expected) = whole(tale, None);
    assert!(expected.starts_with(&format!("{ends:?}")), "{tale:?}: {expected}");
    let mut cuts = 0;
    for (victim, calls) in calls.iter().enumerate() {
        for call in 0..*calls {
            for at in [At::Before(call), At::After(call)] {
                let (_, ended) = whole(tale, Some((victim, at)));
                assert_eq!(ended, expected, "{tale:?}: invocation {victim}, cut {at:?}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 100, "{tale:?}: only {cuts} cuts: the story has become too short to show anything");
}

#[test]
fn a_rollout_cut_at_every_call_succeeds_all_the_same() {
    cut_everywhere(Tale::Good, State::Succeeded);
}

#[test]
fn a_rollback_cut_at_every_call_ends_where_the_group_was() {
    cut_everywhere(Tale::Sick, State::RolledBack);
}

#[test]
fn a_hold_cut_at_every_call_leaves_nothing_suspended() {
    cut_everywhere(Tale::Held, State::RolledBack);
}

#[test]
fn an_operators_image_cut_at_every_call_is_given_all_the_same() {
    cut_everywhere(Tale::Given, State::Succeeded);
    cut_everywhere(Tale::OnlyNew, State::Succeeded);
}

#[test]
fn an_operators_image_that_is_taken_back_cut_at_every_call_leaves_all_as_it_was() {
    cut_everywhere(Tale::GivenSick, State::RolledBack);
}

#[test]
fn the_invocation_that_hears_of_a_pause_judges_it_with_four_calls_at_most() {
    let scene = numbered(4, STEPS);
    scene.back_up(2);
    for _ in 0..30 {
        scene.stack.world.advance(60);
        for delivery in scene.stack.deliveries() {
            let is_pause = |news: &RefreshNews| matches!(news.what, RefreshChange::Checkpoint { percentage: 50, .. });
            let is_pause = matches!(&delivery, Invocation::Refresh(news) if is_pause(news));
            let before = scene.stack.world.calls();
            scene.stack.invoke(delivery);
            if !is_pause {
                continue;
            }
            let grown = |(call, count): (String, usize)| {
                let more = count - before.get(&call).unwrap_or(&0);
                (more > 0).then(|| format!("{call} {more}"))
            };
            let made: Vec<String> = scene.stack.world.calls().into_iter().filter_map(grown).collect();
            assert_eq!(verdicts(&scene.rollout()), [(50, Verdict::GoOn)]);
            expect![[r#"
                autoscaling:DescribeAutoScalingGroups 1
                ec2:DescribeInstanceStatus 1"#]]
            .assert_eq(&made.join("\n"));
            return;
        }
        scene.stack.invoke(Invocation::Tick);
        scene.stack.invoke(Invocation::Poll);
    }
    panic!("nobody told of the pause");
}
