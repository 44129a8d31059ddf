//! Refreshes that somebody else begins: watched and announced, and judged if the plan says so.

use lastgood_core::backup::Publication;
use lastgood_core::facts::VersionRef;
use lastgood_core::id::ImageId;
use lastgood_core::rollout::{Rollout, State, Verdict};
use lastgood_tests::stack::Invocation;
use lastgood_world::{LaunchFromText, RefreshStatus, Sickness, StartRefresh, by_number};

use crate::rollouts::{STEPS, Scene, numbered, plan, verdicts};
use crate::transcript::{count, during, messages};

impl Scene {
    /// Somebody makes a version with an image of theirs, and begins to refresh the group to it, with a pause at 50.
    fn somebody_refreshes(&self) -> ImageId {
        let (theirs, version) = self.version_by_hand();
        let preferences = [
            ("CheckpointPercentages.member.1", "50"),
            ("CheckpointPercentages.member.2", "100"),
            ("CheckpointDelay", "900"),
            ("MinHealthyPercentage", "50"),
            ("InstanceWarmup", "120"),
        ];
        let preferences = preferences.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let desired = Some(LaunchFromText::from(&by_number(&self.template, version)));
        let refresh = StartRefresh { group: "web".into(), desired, preferences };
        self.stack.world.autoscaling().start_refresh(&refresh).expect("begun");
        theirs
    }

    fn theirs(&self) -> Rollout {
        let all = self.stack.rollouts().into_iter();
        all.filter(|rollout| !rollout.is_ours()).max_by_key(|rollout| rollout.since).expect("it is on record")
    }
}

#[test]
fn by_itself_it_is_watched_and_not_judged() {
    let scene = numbered(4, STEPS);
    scene.stack.run(2);
    let image = scene.somebody_refreshes();
    scene.stack.world.make_sick(&image, Sickness::Impaired);
    scene.stack.run(60);
    let theirs = scene.theirs();
    assert_eq!((theirs.state, theirs.visits.len(), theirs.order.is_none()), (State::Watched, 0, true));
    assert_eq!(scene.statuses(), [RefreshStatus::Successful], "nobody keeps it from going on");
    assert_eq!((count(&scene.stack, "Checkpoint Reached"), count(&scene.stack, "Verdict Given")), (1, 0));
}

#[test]
fn if_the_plan_says_so_its_pauses_are_judged() {
    let scene = numbered(4, &format!("{STEPS}, others: judge"));
    scene.stack.run(2);
    scene.somebody_refreshes();
    scene.stack.run(60);
    let theirs = scene.theirs();
    assert_eq!((theirs.state, verdicts(&theirs)), (State::Succeeded, vec![(50, Verdict::GoOn)]), "{}", theirs.reason);
    assert_eq!((scene.statuses(), scene.named()), (vec![RefreshStatus::Successful], VersionRef::Number(2)));
    assert_eq!(scene.stack.source("group/web").rollout, None);
}

#[test]
fn and_one_that_is_bad_is_rolled_back() {
    let scene = numbered(4, &format!("{STEPS}, others: judge"));
    scene.stack.run(2);
    let before = scene.stack.world.group_image("web");
    let image = scene.somebody_refreshes();
    scene.stack.world.make_sick(&image, Sickness::Impaired);
    scene.stack.run(60);
    let theirs = scene.theirs();
    assert_eq!(theirs.state, State::RolledBack, "{}", theirs.reason);
    assert_eq!(scene.statuses(), [RefreshStatus::RollbackSuccessful]);
    assert_eq!((scene.stack.world.group_image("web"), scene.named()), (before, VersionRef::Number(1)));
    assert!(messages(&scene.stack, "Rollout Rolled Back")[0].contains("fails its status checks"));
}

#[test]
fn one_that_fails_by_itself_is_left_as_it_is() {
    let scene = numbered(4, &format!("{STEPS}, others: judge"));
    scene.stack.run(2);
    let image = scene.somebody_refreshes();
    scene.stack.world.make_sick(&image, Sickness::Unhealthy);
    scene.stack.run(3 * 60);
    let theirs = scene.theirs();
    assert_eq!(theirs.state, State::Failed, "{}", theirs.reason);
    assert_eq!(scene.statuses(), [RefreshStatus::Failed], "no second refresh goes back");
    assert_eq!(scene.stack.source("group/web").rollout, None);
}

#[test]
fn two_that_hear_of_it_at_once_block_nothing() {
    let begun = || {
        let scene = numbered(4, &format!("{STEPS}, others: judge"));
        scene.stack.run(2);
        scene.somebody_refreshes();
        let is_news = |delivery: &Invocation| matches!(delivery, Invocation::Refresh(_));
        let news = scene.stack.deliveries().into_iter().find(is_news).expect("AWS tells of it");
        (scene, news)
    };
    let (scene, news) = begun();
    let calls = during(&scene.stack, news, usize::MAX, || {}).1;
    assert!(scene.theirs().order.is_some(), "it is taken up");
    for call in 0..calls {
        let (scene, news) = begun();
        // The other one may not look at it, and leaves it watched.
        during(&scene.stack, news.clone(), call, || {
            scene.stack.world.deny("autoscaling:DescribeInstanceRefreshes", "*");
            let _ = scene.stack.try_invoke(news.clone());
            scene.stack.world.allow("autoscaling:DescribeInstanceRefreshes");
        });
        scene.stack.run(2 * 60);
        assert_eq!(scene.stack.source("group/web").rollout, None, "{call}");
        scene.back_up(60);
        let backup = scene.stack.backups("group/web").remove(0);
        // They gave it another image, which is held; but nothing waits for a turn that never comes.
        assert!(matches!(backup.publication, Publication::Held(_)), "{call}: {:?}", backup.publication);
    }
}

#[test]
fn what_is_ours_waits_for_it() {
    let scene = numbered(4, &format!("{STEPS}, others: judge"));
    scene.stack.run(2);
    let image = scene.somebody_refreshes();
    scene.stack.run(1);
    let ours = scene.stack.world.base_image();
    scene.give(&ours, true);
    scene.stack.run(90);
    assert_eq!(scene.statuses(), [RefreshStatus::Successful, RefreshStatus::Successful]);
    assert_eq!(scene.stack.world.group_image("web"), Some(ours));
    assert_ne!(scene.stack.world.group_image("web"), Some(image));
}

#[test]
fn what_was_watched_before_the_plan_asked_for_it_stays_watched() {
    let scene = numbered(4, STEPS);
    scene.stack.run(2);
    scene.somebody_refreshes();
    scene.stack.run(1);
    assert_eq!((scene.theirs().state, scene.theirs().news.len()), (State::Watched, 1), "it has begun");
    scene.stack.apply(&plan(&format!("{STEPS}, others: judge"))).expect("applied");
    scene.stack.run(40);
    let theirs = scene.theirs();
    assert_eq!((theirs.state, theirs.visits.len()), (State::Watched, 0));
    assert_eq!((scene.statuses(), count(&scene.stack, "Checkpoint Reached")), (vec![RefreshStatus::Successful], 1));
    assert_eq!(scene.stack.source("group/web").rollout, None, "nobody waits for it");
}
