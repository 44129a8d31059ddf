//! An operator gives a group an image, in one step: backups wait, its members are replaced as the plan says, and either backups
//! go on from it or all is as before.

use lastgood_core::backup::Publication;
use lastgood_core::backup::State::Good;
use lastgood_core::facts::VersionRef;
use lastgood_core::id::ImageId;
use lastgood_core::incoming::ImageChangeRequested;
use lastgood_core::rollout::{Judge, Rollout, State, Verdict};
use lastgood_core::source::Because;
use lastgood_tests::stack::Invocation;
use lastgood_world::{Architecture, RefreshStatus, Sickness};

use crate::rollouts::{STEPS, Scene, followed, numbered, verdicts};
use crate::transcript::{count, during, messages};

/// Somebody else's account.
const OTHER: &str = "210987654321";

pub(crate) fn request(image: &ImageId, refresh: bool) -> ImageChangeRequested {
    let source = "group/web".parse().expect("a source");
    ImageChangeRequested {
        source,
        image: image.clone(),
        refresh,
        by: "alice".parse().expect("a name"),
        reason: "a patch".parse().ok(),
    }
}

impl Scene {
    pub(crate) fn give(&self, image: &ImageId, refresh: bool) {
        self.stack.invoke(Invocation::ImageChange(self.stack.world.time(), request(image, refresh)));
    }

    fn refused(&self, image: &ImageId, refresh: bool) -> String {
        let asked = Invocation::ImageChange(self.stack.world.time(), request(image, refresh));
        self.stack.invoke(asked).refused.pop().expect("it is refused")
    }

    /// The newest image that an operator gave.
    pub(crate) fn change(&self) -> Rollout {
        let given = self.stack.rollouts().into_iter().filter(|rollout| rollout.change.is_some());
        given.max_by_key(|rollout| rollout.since).expect("one was given")
    }

    pub(crate) fn on(&self, image: &ImageId) -> usize {
        let members = self.stack.world.group_view("web").expect("there").members;
        members.iter().filter(|member| member.image == *image).count()
    }
}

#[test]
fn an_image_is_given_in_one_step_and_backups_go_on_from_it() {
    let scene = numbered(4, STEPS);
    scene.back_up(60);
    let before = scene.stack.backups("group/web").remove(0);
    let theirs = scene.stack.world.base_image();
    scene.give(&theirs, true);
    assert_eq!(scene.change().state, State::InProgress, "its refresh begins at once");
    assert_eq!(scene.named(), VersionRef::Number(2), "the group is given it when that has succeeded");
    scene.stack.run(60);
    let change = scene.change();
    assert_eq!((change.state, verdicts(&change)), (State::Succeeded, vec![(50, Verdict::GoOn)]), "{}", change.reason);
    assert_eq!((scene.named(), scene.on(&theirs)), (VersionRef::Number(3), 4));
    let source = scene.stack.source("group/web");
    assert_eq!((source.change, source.rollout, source.turn, source.held), (None, None, None, None));
    let expected = source.expected.expect("known");
    assert_eq!((expected.image.as_deref(), expected.because), (Some(theirs.as_str()), Because::Adopted));
    assert_eq!(messages(&scene.stack, "Rollout Succeeded").len(), 2);
    // The next backup is of one of its instances, and is rolled out as always.
    scene.back_up(60);
    let after = scene.stack.backups("group/web").remove(0);
    assert_eq!((after.base.as_ref(), after.generation), (Some(&theirs), 1));
    assert!(matches!(after.publication, Publication::Published(_)), "{:?}", after.publication);
    assert_eq!(scene.stack.world.group_image("web"), after.image().cloned());
    assert_ne!(before.image(), after.image());
    assert_eq!(count(&scene.stack, "Publication Held"), 0, "nobody takes it for a change by hand");
}

#[test]
fn an_image_of_another_account_is_given_like_any_other_and_whose_it_is_is_reported() {
    for deprecated in [false, true] {
        let scene = numbered(4, STEPS);
        scene.back_up(60);
        let theirs = scene.stack.world.foreign_image(OTHER, Architecture::X86_64);
        scene.stack.world.change_image(&theirs, |image| image.deprecated = deprecated);
        scene.give(&theirs, true);
        scene.stack.run(60);
        let change = scene.change();
        assert_eq!((change.state, scene.on(&theirs)), (State::Succeeded, 4), "{}", change.reason);
        assert_eq!(change.change.and_then(|change| change.owner).as_deref(), Some(OTHER));
        let told = messages(&scene.stack, "Rollout Succeeded").pop().expect("told");
        let whose = format!("it belongs to account {OTHER}, and Lastgood's retention does not protect it");
        assert!(told.contains(&whose), "{told}");
        // Backups go on from it, and nothing of it is ever taken for ours.
        scene.back_up(60);
        let after = scene.stack.backups("group/web").remove(0);
        assert_eq!((after.base.as_ref(), after.generation), (Some(&theirs), 1));
        scene.stack.run(24 * 60);
        let theirs = scene.stack.world.image(&theirs).expect("there");
        assert!(theirs.deregistered_at.is_none() && theirs.tags.is_empty());
        assert_eq!(count(&scene.stack, "Artifact Unknown"), 0);
    }
}

#[test]
fn an_image_of_another_account_that_the_group_can_not_launch_changes_nothing() {
    let scene = numbered(2, STEPS);
    scene.stack.run(2);
    let (before, arm) = (scene.named(), scene.stack.world.foreign_image(OTHER, Architecture::Arm64));
    scene.give(&arm, true);
    assert_eq!(scene.change().state, State::Failed);
    assert!(
        scene.change().reason.starts_with("the image is for arm64, and the group launches m5.large too"),
        "{}",
        scene.change().reason
    );
    scene.stack.run(1);
    let x86 = scene.stack.world.foreign_image(OTHER, Architecture::X86_64);
    scene.stack.world.change_image(&x86, |image| image.boot_mode = Some("uefi-preferred".into()));
    scene.give(&x86, false);
    scene.stack.run(3);
    assert_eq!(scene.change().state, State::Succeeded, "{}", scene.change().reason);
    assert_ne!(scene.named(), before);
}

#[test]
fn one_that_is_rolled_back_leaves_all_as_it_was() {
    let scene = numbered(4, STEPS);
    scene.back_up(60);
    let (published, source) = (scene.stack.world.group_image("web"), scene.stack.source("group/web"));
    let theirs = scene.stack.world.base_image();
    scene.stack.world.make_sick(&theirs, Sickness::Impaired);
    scene.give(&theirs, true);
    scene.stack.run(60);
    let change = scene.change();
    assert_eq!(change.state, State::RolledBack, "{}", change.reason);
    assert!(change.reason.contains("fails its status checks"), "{}", change.reason);
    assert_eq!((scene.named(), scene.on(&theirs)), (VersionRef::Number(2), 0));
    assert_eq!(scene.stack.world.group_image("web"), published);
    let after = scene.stack.source("group/web");
    assert_eq!((after.expected, after.published, after.change), (source.expected, source.published, None));
    scene.back_up(60);
    let next = scene.stack.backups("group/web").remove(0);
    assert!(matches!(next.publication, Publication::Published(_)), "{:?}", next.publication);
}

#[test]
fn without_a_refresh_only_new_members_have_it() {
    for named in [VersionRef::Number(1), VersionRef::Default, VersionRef::Latest] {
        let scene = followed(2, named, STEPS);
        scene.stack.run(5);
        let theirs = scene.stack.world.base_image();
        scene.give(&theirs, false);
        scene.stack.run(3);
        let change = scene.change();
        assert_eq!((change.state, change.refresh), (State::Succeeded, None), "{named}: {}", change.reason);
        assert_eq!(scene.stack.world.group_image("web"), Some(theirs.clone()), "{named}");
        assert_eq!((scene.on(&theirs), scene.stack.world.refreshes("web").len()), (0, 0), "{named}");
        let named_now = if named == VersionRef::Number(1) { VersionRef::Number(2) } else { named };
        assert_eq!((scene.named(), count(&scene.stack, "Group Pinned")), (named_now, 0), "nobody pins it");
        // An image of a member of before would take the operator's back.
        scene.back_up(10);
        assert_eq!(scene.stack.backups("group/web")[0].publication, Publication::Superseded, "{named}");
        assert_eq!(scene.stack.world.group_image("web"), Some(theirs), "{named}");
    }
}

#[test]
fn a_group_that_follows_a_version_is_pinned_for_it_or_goes_back_by_a_second_refresh() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        for (how, statuses) in [
            ("pin", vec![RefreshStatus::RollbackSuccessful]),
            ("second-refresh", vec![RefreshStatus::Cancelled, RefreshStatus::Successful]),
        ] {
            let scene = followed(4, named, &format!("{STEPS}, followed: {how}"));
            scene.stack.run(5);
            let (before, theirs) = (scene.stack.world.group_image("web"), scene.stack.world.base_image());
            scene.stack.world.make_sick(&theirs, Sickness::Impaired);
            scene.give(&theirs, true);
            scene.stack.run(60);
            assert_eq!(scene.change().state, State::RolledBack, "{named}, {how}: {}", scene.change().reason);
            assert_eq!(scene.statuses(), statuses, "{named}, {how}");
            assert_eq!((scene.stack.world.group_image("web"), scene.on(&theirs)), (before, 0), "{named}, {how}");
            assert_eq!(count(&scene.stack, "Group Pinned"), usize::from(how == "pin"), "{named}");
        }
    }
}

#[test]
fn a_run_that_goes_on_when_all_of_it_is_over_leaves_nobody_waiting() {
    let begun = || {
        let scene = numbered(2, STEPS);
        scene.stack.run(2);
        let theirs = scene.stack.world.base_image();
        scene.stack.world.asked_for("web", &theirs);
        let asked = Invocation::ImageChange(scene.stack.world.time(), request(&theirs, false));
        (scene, theirs, asked)
    };
    let (scene, _, asked) = begun();
    let calls = during(&scene.stack, asked, usize::MAX, || {}).1;
    assert!(calls > 10, "{calls}");
    for call in 0..calls {
        let (scene, theirs, asked) = begun();
        during(&scene.stack, asked, call, || scene.stack.run(5));
        scene.stack.run(5);
        assert_eq!(scene.change().state, State::Succeeded, "{call}");
        assert_eq!(scene.stack.world.group_image("web"), Some(theirs), "{call}");
        let source = scene.stack.source("group/web");
        assert_eq!((source.change, source.rollout, source.turn), (None, None, None), "{call}");
    }
}

#[test]
fn what_is_being_rolled_out_comes_to_its_end_first_and_nothing_else_begins() {
    let scene = numbered(4, STEPS);
    scene.back_up(8);
    let first = scene.rollout();
    assert!(!first.state.is_at_rest());
    let theirs = scene.stack.world.base_image();
    scene.give(&theirs, true);
    scene.stack.run(2);
    let change = scene.change();
    assert_eq!((change.state, change.order.is_none()), (State::Preparing, true), "{}", change.reason);
    assert_eq!(change.trouble.as_deref(), Some("another image is being published or rolled out"));
    scene.stack.run(90);
    assert_eq!(scene.stack.rollout(first.id.as_str()).state, State::Succeeded);
    assert_eq!((scene.change().state, scene.on(&theirs)), (State::Succeeded, 4), "{}", scene.change().reason);
    assert_eq!(scene.statuses(), [RefreshStatus::Successful, RefreshStatus::Successful]);
}

#[test]
fn one_that_waits_can_be_withdrawn() {
    let scene = numbered(4, STEPS);
    scene.back_up(8);
    let theirs = scene.stack.world.base_image();
    scene.give(&theirs, true);
    scene.say(&scene.change(), Verdict::RollBack, Judge::Person, None);
    assert_eq!(scene.change().state, State::Failed, "{}", scene.change().reason);
    assert!(messages(&scene.stack, "Rollout Failed")[0].contains("withdrawn before it began"));
    scene.stack.run(60);
    assert_eq!((scene.on(&theirs), scene.stack.source("group/web").change), (0, None));
}

#[test]
fn the_same_request_twice_is_one_change() {
    let scene = numbered(4, STEPS);
    scene.stack.run(2);
    let (at, theirs) = (scene.stack.world.time(), scene.stack.world.base_image());
    for _ in 0..2 {
        scene.stack.invoke(Invocation::ImageChange(at, request(&theirs, true)));
        scene.stack.run(50);
    }
    assert_eq!((scene.statuses(), scene.named()), (vec![RefreshStatus::Successful], VersionRef::Number(2)));
}

#[test]
fn two_operators_come_one_after_the_other() {
    let scene = numbered(2, STEPS);
    scene.stack.run(2);
    let (one, other) = (scene.stack.world.base_image(), scene.stack.world.base_image());
    scene.give(&one, true);
    scene.stack.run(1);
    scene.give(&other, true);
    scene.stack.run(90);
    assert_eq!((scene.on(&other), scene.statuses().len()), (2, 2));
    assert_eq!(scene.stack.source("group/web").expected.and_then(|expected| expected.image), Some(other.to_string()));
}

#[test]
fn an_image_of_ours_that_is_given_again_stays_as_long_as_that_goes() {
    let scene = numbered(4, STEPS);
    for _ in 0..4 {
        scene.back_up(60);
    }
    // The oldest that is there, beyond what retention keeps soon.
    let oldest = scene.stack.our_images().into_iter().min_by_key(|image| image.created_at).expect("three are kept");
    scene.give(&oldest.id, true);
    scene.stack.request("group/web");
    scene.stack.run(120);
    assert_eq!((scene.change().state, scene.on(&oldest.id)), (State::Succeeded, 4), "{}", scene.change().reason);
    assert!(scene.stack.world.image(&oldest.id).is_some_and(|image| image.deregistered_at.is_none()));
}

/// A group, and an instance with two backups of which the older is about to be deleted, and its image.
fn about_to_lose() -> (Scene, ImageId) {
    let scene = numbered(2, STEPS);
    let instance = scene.stack.world.instance(&scene.stack.world.base_image());
    let web = format!("{{name: web, select: {{groups: [web]}}, schedule: daily, rollout: {{{STEPS}}}}}");
    let db = format!("{{name: db, select: {{instances: [{instance}]}}, schedule: daily, retain: {{last: 1}}}}");
    scene.stack.apply(&format!("plans: [{web}, {db}]")).expect("applied");
    let source = format!("instance/{instance}");
    for _ in 0..2 {
        scene.stack.request(&source);
        for _ in 0..60 {
            scene.stack.world.advance(60);
            scene.stack.invoke(Invocation::Poll);
        }
    }
    let backups = scene.stack.backups(&source);
    assert!(backups.len() == 2 && backups.iter().all(|backup| backup.state == Good), "{backups:?}");
    let image = backups[1].image().cloned().expect("made");
    (scene, image)
}

/// What came of an image that was given while it was about to be deleted: either it is there, and given, or it was not given.
fn given_or_gone(scene: &Scene, image: &ImageId, when: &str) -> bool {
    scene.stack.run(180);
    let is_there = scene.stack.world.image(image).is_some_and(|image| image.deregistered_at.is_none());
    let is_given = scene.stack.world.group_image("web").as_ref() == Some(image);
    assert_eq!(is_there, is_given, "{when}: {:?}", scene.stack.rollouts());
    is_given
}

#[test]
fn an_image_of_another_source_that_is_given_while_it_is_about_to_be_deleted_is_given_or_deleted_and_not_both() {
    let calls = {
        let (scene, image) = about_to_lose();
        let (_, calls) = during(&scene.stack, Invocation::Cleanup, usize::MAX, || {});
        assert!(scene.stack.world.image(&image).is_some_and(|image| image.deregistered_at.is_some()), "it goes");
        calls
    };
    let mut given = 0;
    for call in 0..calls {
        let (scene, image) = about_to_lose();
        during(&scene.stack, Invocation::Cleanup, call, || scene.give(&image, false));
        given += usize::from(given_or_gone(&scene, &image, &format!("before call {call} of the cleanup")));
    }
    assert!((2..calls).contains(&given), "{given} of {calls}");
    let calls = {
        let (scene, image) = about_to_lose();
        let asked = Invocation::ImageChange(scene.stack.world.time(), request(&image, false));
        let (_, calls) = during(&scene.stack, asked, usize::MAX, || {});
        assert!(given_or_gone(&scene, &image, "alone"));
        calls
    };
    let mut given = 0;
    for call in 0..calls {
        let (scene, image) = about_to_lose();
        let asked = Invocation::ImageChange(scene.stack.world.time(), request(&image, false));
        during(&scene.stack, asked, call, || {
            scene.stack.invoke(Invocation::Cleanup);
        });
        given += usize::from(given_or_gone(&scene, &image, &format!("before call {call} of the change")));
    }
    assert!((2..calls).contains(&given), "{given} of {calls}");
}

#[test]
fn what_can_not_be_given_is_refused_in_words() {
    let scene = numbered(2, STEPS);
    scene.stack.run(2);
    let why = scene.refused(&"ami-0123456789abcdef0".into(), true);
    let hint = "AWS tells no image ami-0123456789abcdef0: is its id right, is it in this region, and is it public or shared with this account?";
    assert!(why.contains(hint), "{why}");
    let why = scene.refused(&"ami-O123".into(), true);
    assert!(why.contains("InvalidAMIID.Malformed"), "{why}");
    let off = scene.stack.world.base_image();
    scene.stack.world.ec2().disable_image(off.as_str()).expect("disabled");
    let why = scene.refused(&off, true);
    assert!(why.contains("is disabled; enable it, and ask again"), "{why}");
    assert!(scene.stack.rollouts().iter().all(|rollout| rollout.change.is_none()), "nothing of it is on record");
    let there = scene.stack.world.group_image("web").expect("one");
    scene.stack.run(1);
    scene.give(&there, true);
    assert!(scene.change().reason.contains("launches from"), "{}", scene.change().reason);
    assert_eq!(scene.statuses(), [], "no refresh began");

    let theirs = scene.stack.world.base_image();
    let why = scene.refused(&theirs, true);
    assert!(why.contains("another image in the same second"), "{why}");
    scene.stack.run(1);
    scene.stack.apply("plans: [{name: web, select: {groups: [web]}, schedule: daily}]").expect("applied");
    let why = scene.refused(&theirs, true);
    assert!(why.contains("says nothing of rollouts") && why.contains("--no-refresh"), "{why}");
    scene.stack.world.put_parameter("/lastgood/web", there.as_str(), "aws:ec2:image");
    let to_parameter = "plans: [{name: web, select: {groups: [web]}, schedule: daily, publish: {ssm: /lastgood/web}}]";
    scene.stack.apply(to_parameter).expect("applied");
    let why = scene.refused(&theirs, false);
    assert_eq!(count(&scene.stack, "Request Refused"), 6, "each is told");
    assert!(why.contains("takes its image from the parameter /lastgood/web"), "{why}");
}
