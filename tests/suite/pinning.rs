//! What somebody does between any two calls of the poll that gives a group the number of the version that it follows.

use std::sync::Mutex;

use lastgood_core::facts::VersionRef;
use lastgood_core::id::ImageId;
use lastgood_core::rollout::State;
use lastgood_tests::stack::Invocation;
use lastgood_world::{LaunchFrom, LaunchFromText, Sickness, TemplateName, UpdateGroup, by_number};

use crate::rollouts::{STEPS, Scene, followed, mixed};
use crate::transcript::{count, during};

/// A group that follows a version for three minutes now, and is to be given an operator's image.
fn about_to_pin(scene: Scene) -> Scene {
    scene.stack.run(5);
    scene.give(&scene.stack.world.base_image(), true);
    scene.stack.run(2);
    scene.stack.world.advance(60);
    // In the gap the group is given back what it launched from: each test says how often that may be.
    let base = scene.stack.world.group_image("web").expect("it launches from one");
    scene.stack.world.asked_for("web", &base);
    scene
}

impl Scene {
    /// Another version with another image, which the group follows.
    fn follows_theirs(&self, named: VersionRef) {
        let (_, made) = self.version_by_hand();
        if named == VersionRef::Default {
            let template = TemplateName::Id(self.template.to_string());
            self.stack.world.ec2().set_default_version(&template, &made.to_string()).expect("set");
        }
    }

    /// The group names this version by hand.
    fn names(&self, version: u64) {
        let from = Some(match self.stack.world.group_view("web").expect("there").from {
            LaunchFrom::Mixed(mut policy) => {
                policy.base.version = VersionRef::Number(version);
                LaunchFromText::Mixed((&policy).into())
            }
            _ => LaunchFromText::from(&by_number(&self.template, version)),
        });
        let asked = UpdateGroup { name: "web".into(), from, ..UpdateGroup::default() };
        self.stack.world.autoscaling().update_group(&asked).expect("updated");
    }
}

/// Before each call of the poll while the group is not pinned yet, in a scene of its own, somebody `does` something; `is_lost`
/// says afterwards whether that is gone. At how many calls it is: AWS compares nothing before it changes a group.
fn gaps(
    begun: impl Fn() -> Scene,
    does: impl Fn(&Scene) + Sync,
    is_lost: impl Fn(&Scene, Option<ImageId>) -> bool,
) -> usize {
    let calls = during(&about_to_pin(begun()).stack, Invocation::Poll, usize::MAX, || {}).1;
    let is_one = |call: &usize| {
        let scene = about_to_pin(begun());
        let named = scene.named();
        let given = Mutex::new(None);
        during(&scene.stack, Invocation::Poll, *call, || {
            if scene.named() == named {
                does(&scene);
                *given.lock().expect("nobody panicked") = Some(scene.stack.world.group_image("web"));
            }
        });
        given.into_inner().expect("nobody panicked").is_some_and(|given| is_lost(&scene, given))
    };
    (0..calls).filter(is_one).count()
}

#[test]
fn a_version_that_somebody_gives_it_meanwhile_is_followed_but_in_the_one_gap_that_aws_leaves() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        let begun = || followed(4, named, STEPS);
        let follows = |scene: &Scene| scene.follows_theirs(named);
        assert_eq!(gaps(begun, follows, |scene, theirs| scene.stack.world.group_image("web") != theirs), 1, "{named}");
    }
}

#[test]
fn a_number_that_somebody_gives_it_meanwhile_stays_but_in_that_gap() {
    let names = |scene: &Scene| {
        scene.follows_theirs(VersionRef::Latest);
        scene.names(2);
    };
    let is_lost = |scene: &Scene, _| {
        let is_lost = scene.named() != VersionRef::Number(2);
        assert!(is_lost || count(&scene.stack, "Group Pinned") == 0, "nobody pinned it but they");
        is_lost
    };
    assert_eq!(gaps(|| followed(4, VersionRef::Latest, STEPS), names, is_lost), 1);
    // A mixed instances policy is read once more, to be sent back whole, and what it names by then is seen: that leaves a gap
    // within the call, which the world plays as one.
    assert_eq!(gaps(|| mixed(4, VersionRef::Latest, STEPS), names, is_lost), 0);
}

#[test]
fn somebody_who_pins_it_to_the_same_meanwhile_is_no_obstacle() {
    let stops = |scene: &Scene, _| {
        scene.stack.run(60);
        scene.change().state != State::Succeeded || count(&scene.stack, "Group Pinned") > 1
    };
    assert_eq!(gaps(|| followed(4, VersionRef::Latest, STEPS), |scene| scene.names(1), stops), 0);
}

#[test]
fn a_mixed_instances_policy_keeps_all_but_the_version_of_its_base() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        let scene = mixed(4, named, STEPS);
        scene.back_up(6);
        let LaunchFrom::Mixed(policy) = scene.stack.world.group_view("web").expect("there").from else {
            panic!("its policy is gone")
        };
        let types: Vec<_> = policy.overrides.iter().map(|other| other.instance_type.clone()).collect();
        assert_eq!(types, [Some("m5.large".to_owned()), Some("c5.large".to_owned())]);
        assert_eq!((policy.base.version, count(&scene.stack, "Group Pinned")), (VersionRef::Number(1), 1), "{named}");
        scene.sicken(Sickness::Impaired);
        scene.stack.run(40);
        assert_eq!(scene.rollout().state, State::RolledBack, "{}", scene.rollout().reason);
        assert_eq!(scene.named(), VersionRef::Number(1));
    }
}
