//! Rollouts: a good image is given to a group in steps, each pause gets one verdict, and what is bad is taken back.

use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_core::incoming::VerdictAsked;
use lastgood_core::rollout::{Judge, Rollout, State, Suspension, Verdict};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{Group, LaunchFrom, Override, RefreshStatus, Sickness, World, by_number};

use crate::transcript::{count, messages};

/// A group of `size` on version 1 of its template, warm two minutes after their launch, and a plan that rolls out.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) template: TemplateId,
    base: ImageId,
}

pub(crate) fn followed(size: usize, named: VersionRef, rollout: &str) -> Scene {
    scene(named, rollout, |world, from| world.group("web", from, size))
}

/// The same over a mixed instances policy.
pub(crate) fn mixed(size: usize, named: VersionRef, rollout: &str) -> Scene {
    let overrides = vec![Override::of_type("m5.large"), Override::of_type("c5.large")];
    scene(named, rollout, |world, from| world.mixed_group("web", from, overrides, size))
}

fn scene(named: VersionRef, rollout: &str, group: impl FnOnce(&World, &TemplateRef) -> Group) -> Scene {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let base = world.base_image();
    let template = world.template("web", &base);
    group(&world, &TemplateRef { template: template.clone(), version: named });
    let scene = Scene { stack: Stack::new(world), template, base };
    scene.stack.apply(&plan(rollout)).expect("applied");
    scene
}

/// A plan that rolls out so.
pub(crate) fn plan(rollout: &str) -> String {
    format!("plans: [{{name: web, select: {{groups: [web]}}, schedule: daily, rollout: {{warmup: 120s, {rollout}}}}}]")
}

pub(crate) const STEPS: &str = "checkpoints: [50, 100], checkpoint_delay: 15m, min_healthy: 50";

pub(crate) fn numbered(size: usize, rollout: &str) -> Scene {
    followed(size, VersionRef::Number(1), rollout)
}

impl Scene {
    /// Asks for a backup, and lets so many minutes pass.
    pub(crate) fn back_up(&self, minutes: i64) {
        self.stack.request("group/web");
        self.stack.run(minutes);
    }

    /// The rollout of the newest backup.
    pub(crate) fn rollout(&self) -> Rollout {
        let backup = self.stack.backups("group/web").remove(0);
        let of_it =
            |rollout: &Rollout| rollout.order.as_ref().is_some_and(|order| order.backup.as_ref() == Some(&backup.id));
        self.stack.rollouts().into_iter().filter(of_it).max_by_key(|rollout| rollout.since).expect("it is rolled out")
    }

    /// Lets time pass until the newest rollout pauses.
    pub(crate) fn until_it_pauses(&self) {
        let pauses = |scene: &Self| {
            let waiting = scene.stack.rollouts().into_iter().filter(|rollout| rollout.open_visit().is_some()).count();
            waiting > 0
        };
        for _ in 0..60 {
            if pauses(self) {
                return;
            }
            self.stack.run(1);
        }
        panic!("nothing pauses: {:?}", self.stack.rollouts());
    }

    /// How many members serve the image of the newest backup.
    pub(crate) fn renewed(&self) -> usize {
        let image = self.stack.backups("group/web")[0].image().cloned();
        let members = self.stack.world.group_view("web").expect("there").members;
        members.iter().filter(|member| Some(&member.image) == image.as_ref()).count()
    }

    /// How the group names its version.
    pub(crate) fn named(&self) -> VersionRef {
        match self.stack.world.group_view("web").expect("there").from {
            LaunchFrom::Template(named) => named.version,
            LaunchFrom::Mixed(policy) => policy.base.version,
            LaunchFrom::Configuration(name) => panic!("{name}"),
        }
    }

    pub(crate) fn told(&self, kind: &str) -> Vec<String> {
        messages(&self.stack, kind)
    }

    pub(crate) fn statuses(&self) -> Vec<RefreshStatus> {
        self.stack.world.refreshes("web").iter().map(|refresh| refresh.status).collect()
    }

    pub(crate) fn judge(&self, verdict: Verdict, judge: Judge, visit: Option<u32>) {
        self.say(&self.rollout(), verdict, judge, visit);
    }

    /// Judges a rollout.
    pub(crate) fn say(&self, rollout: &Rollout, verdict: Verdict, judge: Judge, visit: Option<u32>) {
        let (rollout, by) = (rollout.id.clone(), "a test".parse().expect("a name"));
        self.stack.judge(VerdictAsked { rollout, visit, verdict, judge, by, reason: "as seen".parse().ok() });
    }

    /// Somebody makes a version of the group's template with an image of theirs: both.
    pub(crate) fn version_by_hand(&self) -> (ImageId, u64) {
        let theirs = self.stack.world.base_image();
        let made = self.stack.world.version_by_hand(&self.template, 1, &theirs);
        (theirs, made)
    }

    /// How many of the group's processes are suspended.
    pub(crate) fn suspended(&self) -> usize {
        self.stack.world.group_view("web").expect("there").suspended.len()
    }

    /// The next image is sick.
    pub(crate) fn sicken(&self, sickness: Sickness) {
        let ours = self.stack.our_images();
        self.stack.world.make_sick(&ours[0].id, sickness);
    }
}

/// The verdicts of a rollout, in the order of its pauses.
pub(crate) fn verdicts(rollout: &Rollout) -> Vec<(u32, Verdict)> {
    let given = rollout.visits.iter().map(|visit| (visit.percentage, visit.verdict.as_ref().expect("judged").verdict));
    given.collect()
}

#[test]
fn a_good_image_is_rolled_out_in_steps_and_counts_as_published_at_the_end() {
    let scene = numbered(4, STEPS);
    scene.back_up(4);
    let rollout = scene.rollout();
    assert_eq!(rollout.state, State::InProgress, "{}", rollout.reason);
    assert_eq!(scene.named(), VersionRef::Number(1), "the group is not given it before it has succeeded");
    assert_eq!(scene.stack.world.group_image("web"), scene.stack.backups("group/web")[0].image().cloned());
    assert_eq!(count(&scene.stack, "Image Published"), 0);
    scene.stack.run(6);
    let rollout = scene.rollout();
    assert_eq!((rollout.visits.len(), rollout.visits[0].percentage), (1, 50));
    assert_eq!(verdicts(&rollout), [(50, Verdict::GoOn)]);
    assert_eq!(scene.renewed(), 2, "AWS waits for its time all the same");
    scene.stack.run(30);
    let rollout = scene.rollout();
    assert_eq!((rollout.state, rollout.suspension), (State::Succeeded, Suspension::Untouched));
    assert_eq!((scene.named(), scene.renewed()), (VersionRef::Number(2), 4));
    for kind in ["Checkpoint Reached", "Verdict Given", "Rollout Succeeded", "Image Published"] {
        assert_eq!(count(&scene.stack, kind), 1, "{kind}");
    }
    let source = scene.stack.source("group/web");
    assert_eq!((source.rollout, source.turn, source.held), (None, None, None));
    assert_eq!(scene.statuses(), [RefreshStatus::Successful]);
}

#[test]
fn a_bad_image_is_rolled_back_and_never_published_again() {
    let scene = numbered(4, STEPS);
    scene.back_up(2);
    scene.sicken(Sickness::Impaired);
    scene.stack.run(40);
    let rollout = scene.rollout();
    assert_eq!(rollout.state, State::RolledBack, "{}", rollout.reason);
    assert_eq!(verdicts(&rollout), [(50, Verdict::RollBack)]);
    assert!(rollout.reason.contains("fails its status checks"), "{}", rollout.reason);
    assert_eq!(scene.statuses(), [RefreshStatus::RollbackSuccessful]);
    assert_eq!((scene.named(), scene.renewed()), (VersionRef::Number(1), 0));
    assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    assert_eq!((count(&scene.stack, "Rollout Rolled Back"), count(&scene.stack, "Image Published")), (1, 0));
    let backup = scene.stack.backups("group/web").remove(0);
    assert!(matches!(backup.publication, lastgood_core::backup::Publication::RolledBack(_)));
    // An operator's release does not bring it back; the next image is another one.
    let about = lastgood_core::incoming::AboutSource {
        source: backup.id.source,
        by: "alice".parse().expect("a name"),
        reason: None,
    };
    scene.stack.ask(lastgood_core::incoming::Request::Release(about));
    scene.stack.run(10);
    assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    assert!(scene.stack.world.image(backup.artifact_id.as_ref().and_then(|id| id.image()).expect("made")).is_some());
    scene.back_up(60);
    assert_eq!(scene.rollout().state, State::Succeeded, "{}", scene.rollout().reason);
}

#[test]
fn an_image_whose_members_die_turns_back_by_itself() {
    let scene = numbered(4, STEPS);
    scene.back_up(2);
    scene.sicken(Sickness::Unhealthy);
    scene.stack.run(4 * 60);
    assert_eq!(scene.rollout().state, State::RolledBack, "{}", scene.rollout().reason);
    assert_eq!(scene.named(), VersionRef::Number(1));
    assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    assert_eq!(count(&scene.stack, "Rollout Rolled Back"), 1);
}

#[test]
fn a_group_that_follows_a_version_is_pinned_first_and_told_so() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        let scene = followed(4, named, STEPS);
        scene.back_up(6);
        assert_eq!(scene.named(), VersionRef::Number(1), "{named}");
        assert_eq!(count(&scene.stack, "Group Pinned"), 1);
        assert!(scene.told("Group Pinned")[0].contains(&named.to_string()));
        scene.sicken(Sickness::Impaired);
        scene.stack.run(40);
        assert_eq!(scene.statuses(), [RefreshStatus::RollbackSuccessful], "AWS can take it back now");
        assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    }
}

#[test]
fn a_version_that_is_not_told_yet_is_not_undone_by_the_pin() {
    let scene = followed(2, VersionRef::Latest, STEPS);
    scene.stack.world.change_settings(|settings| settings.version_visible_seconds = 60);
    scene.back_up(1);
    while scene.stack.backups("group/web")[0].good_at.is_none() {
        scene.stack.run(1);
    }
    // Somebody makes a newer version in the very minute in which it is read.
    let (theirs, _) = scene.version_by_hand();
    scene.stack.run(30);
    assert_eq!(scene.named(), VersionRef::Latest, "it is not pinned to the version before");
    assert_eq!(scene.stack.world.group_image("web"), Some(theirs));
    assert_eq!((count(&scene.stack, "Publication Held"), count(&scene.stack, "Group Pinned")), (1, 0));
}

#[test]
fn what_is_released_after_a_rollout_that_did_not_come_about_is_rolled_out_anew() {
    let scene = numbered(4, STEPS);
    scene.back_up(8);
    scene.stack.world.autoscaling().cancel_refresh("web", false).expect("cancelled");
    scene.stack.run(5);
    let first = scene.rollout();
    assert_eq!(first.state, State::Cancelled);
    let source = "group/web".parse().expect("a source");
    let about = lastgood_core::incoming::AboutSource { source, by: "alice".parse().expect("a name"), reason: None };
    scene.stack.ask(lastgood_core::incoming::Request::Release(about));
    scene.stack.run(60);
    let second = scene.rollout();
    assert_ne!(first.id, second.id);
    assert_eq!(second.state, State::Succeeded, "{}", second.reason);
    assert_eq!(scene.statuses(), [RefreshStatus::Cancelled, RefreshStatus::Successful]);
}

#[test]
fn or_a_second_refresh_goes_back() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        let scene = followed(4, named, &format!("{STEPS}, followed: second-refresh"));
        scene.back_up(3);
        assert_eq!((scene.named(), count(&scene.stack, "Group Pinned")), (named, 0));
        scene.sicken(Sickness::Impaired);
        scene.stack.run(60);
        let rollout = scene.rollout();
        assert_eq!(rollout.state, State::RolledBack, "{named}: {}", rollout.reason);
        assert_eq!(scene.statuses(), [RefreshStatus::Cancelled, RefreshStatus::Successful], "{named}");
        assert_eq!((scene.named(), scene.renewed()), (VersionRef::Number(1), 0), "{named}");
        assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    }
}

#[test]
fn all_that_the_plan_names_must_agree() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [health, event, person], within: 10m}}"));
    scene.back_up(10);
    assert_eq!(scene.rollout().state, State::AtCheckpoint);
    scene.judge(Verdict::GoOn, Judge::Event, Some(1));
    assert!(scene.rollout().open_visit().is_some(), "a person has yet to say so");
    scene.judge(Verdict::GoOn, Judge::Person, Some(2));
    assert!(scene.rollout().open_visit().is_some(), "that speaks of another pause");
    scene.judge(Verdict::GoOn, Judge::Person, None);
    scene.stack.run(2);
    assert_eq!(verdicts(&scene.rollout()), [(50, Verdict::GoOn)]);
    let told = scene.told("Verdict Given").remove(0);
    assert!(told.contains("a test: as seen") && told.contains("serve and are well"), "{told}");
    scene.stack.run(40);
    assert_eq!(scene.rollout().state, State::Succeeded);
}

#[test]
fn whoever_sees_that_it_is_bad_is_heard() {
    for (judge, later) in [(Judge::Event, 0), (Judge::Person, 4)] {
        let scene = numbered(4, STEPS);
        scene.back_up(7 + later);
        scene.judge(Verdict::RollBack, judge, None);
        scene.stack.run(20);
        assert_eq!(scene.rollout().state, State::RolledBack, "{judge}, though its plan asks for health alone");
        assert!(scene.told("Rollout Rolled Back")[0].contains("a test: as seen"));
        assert_eq!(scene.stack.world.group_image("web"), Some(scene.base.clone()));
    }
}

#[test]
fn without_a_verdict_in_time_the_plan_says_what_follows() {
    let by_person = |otherwise: &str| format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: {otherwise}}}");
    let back = numbered(4, &by_person("roll-back"));
    back.back_up(40);
    assert_eq!(back.rollout().state, State::RolledBack);
    assert!(back.rollout().reason.contains("no verdict by person in time"), "{}", back.rollout().reason);
    let on = numbered(4, &by_person("continue"));
    on.back_up(60);
    assert_eq!((on.rollout().state, verdicts(&on.rollout())), (State::Succeeded, vec![(50, Verdict::GoOn)]));
}

#[test]
fn a_pause_of_which_no_event_tells_is_found_by_looking() {
    let scene = numbered(4, STEPS);
    scene.stack.request("group/web");
    for _ in 0..60 {
        scene.stack.world.advance(60);
        // Every event of AWS is lost.
        scene.stack.world.take_events();
        scene.stack.invoke(Invocation::Tick);
        scene.stack.invoke(Invocation::Poll);
    }
    let rollout = scene.rollout();
    assert_eq!((rollout.state, verdicts(&rollout)), (State::Succeeded, vec![(50, Verdict::GoOn)]));
    assert_eq!(rollout.visits[0].event, None);
    assert_eq!(count(&scene.stack, "Checkpoint Reached"), 1);
}

#[test]
fn a_refresh_of_somebody_else_is_waited_for_and_not_taken_for_ours() {
    let scene = numbered(2, "checkpoints: [100]");
    scene.stack.run(1);
    scene.stack.world.lock_group("web");
    let plan = "plans: [{name: web, select: {groups: [web]}, schedule: daily, capture: {during_refresh: true}, rollout: {warmup: 120s}}]";
    scene.stack.apply(plan).expect("applied");
    scene.back_up(30);
    assert!(scene.stack.rollouts().iter().all(|rollout| rollout.state == State::Starting), "it waits");
    scene.stack.world.unlock_group("web");
    scene.stack.run(30);
    assert_eq!(scene.rollout().state, State::Succeeded, "{}", scene.rollout().reason);
}

#[test]
fn a_change_by_hand_before_it_began_is_held_and_not_overwritten() {
    let scene = numbered(2, "checkpoints: [100]");
    scene.stack.world.lock_group("web");
    let plan = "plans: [{name: web, select: {groups: [web]}, schedule: daily, capture: {during_refresh: true}, rollout: {warmup: 120s}}]";
    scene.stack.apply(plan).expect("applied");
    scene.back_up(10);
    let theirs = scene.stack.world.base_image();
    let other = scene.stack.world.template("other", &theirs);
    scene.stack.world.unlock_group("web");
    let update = lastgood_world::UpdateGroup {
        name: "web".into(),
        from: Some((&by_number(&other, 1)).into()),
        ..lastgood_world::UpdateGroup::default()
    };
    scene.stack.world.autoscaling().update_group(&update).expect("updated");
    scene.stack.run(20);
    assert_eq!(scene.stack.world.group_image("web"), Some(theirs));
    assert!(scene.stack.world.refreshes("web").len() <= 1, "none of ours began");
    assert_eq!(count(&scene.stack, "Publication Held"), 1);
    assert_ne!(scene.template, other);
}

#[test]
fn a_refresh_that_somebody_cancels_is_theirs() {
    let scene = numbered(4, STEPS);
    scene.back_up(8);
    scene.stack.world.autoscaling().cancel_refresh("web", false).expect("cancelled");
    scene.stack.run(10);
    assert_eq!(scene.rollout().state, State::Cancelled);
    assert_eq!((count(&scene.stack, "Rollout Failed"), count(&scene.stack, "Publication Held")), (1, 1));
    assert_eq!(scene.statuses(), [RefreshStatus::Cancelled], "nothing else was begun");
}

#[test]
fn a_refresh_that_may_not_be_looked_at_is_not_taken_for_gone() {
    let scene = numbered(4, STEPS);
    scene.back_up(4);
    scene.stack.world.deny("autoscaling:DescribeInstanceRefreshes", "*");
    let mut troubles = Vec::new();
    for _ in 0..90 {
        scene.stack.world.advance(60);
        troubles.extend(scene.stack.invoke(Invocation::Poll).troubles);
    }
    assert!(troubles.len() > 5, "the poll says that it may not look: {troubles:?}");
    let rollout = scene.rollout();
    assert_eq!(rollout.state, State::InProgress, "{}", rollout.reason);
    let trouble = rollout.trouble.expect("it says what is wrong");
    assert!(trouble.contains("autoscaling:DescribeInstanceRefreshes"), "{trouble}");
    scene.stack.world.allow("autoscaling:DescribeInstanceRefreshes");
    scene.stack.run(20);
    assert_eq!(scene.rollout().state, State::Succeeded);
}
