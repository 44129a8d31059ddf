//! What somebody does between any two calls of the poll that gives a group the number of the version that it follows.

use std::sync::Mutex;

use lastgood_core::facts::VersionRef;
use lastgood_core::rollout::{Rollout, State};
use lastgood_tests::stack::Invocation;
use lastgood_world::{CreateVersion, LaunchFromText, TemplateData, TemplateName, UpdateGroup, by_number};

use crate::rollouts::{STEPS, Scene, followed};
use crate::transcript::{count, during};

/// A group that follows a version for three minutes now, and is to be given an operator's image.
fn about_to_pin(named: VersionRef) -> Scene {
    let scene = followed(4, named, STEPS);
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
    fn given(&self) -> Rollout {
        let given = self.stack.rollouts().into_iter().filter(|rollout| rollout.change.is_some());
        given.max_by_key(|rollout| rollout.since).expect("one was given")
    }

    /// Another version with another image, which the group follows.
    fn follows_theirs(&self, named: VersionRef) {
        let caller = self.stack.world.act_as(None);
        let template = TemplateName::Id(self.template.to_string());
        let data = TemplateData { image: Some(self.stack.world.base_image().to_string()), ..TemplateData::default() };
        let (source, description) = (Some("1".into()), "by hand".into());
        let asked = CreateVersion { template: template.clone(), source, data, description, token: None };
        let made = self.stack.world.ec2().create_template_version(asked).expect("made").number;
        if named == VersionRef::Default {
            self.stack.world.ec2().set_default_version(&template, &made.to_string()).expect("set");
        }
        self.stack.world.act_as(caller);
    }

    /// The group names this version by hand.
    fn names(&self, version: u64) {
        let caller = self.stack.world.act_as(None);
        let from = Some(LaunchFromText::from(&by_number(&self.template, version)));
        let asked = UpdateGroup { name: "web".into(), from, ..UpdateGroup::default() };
        self.stack.world.autoscaling().update_group(&asked).expect("updated");
        self.stack.world.act_as(caller);
    }
}

#[test]
fn a_version_that_somebody_gives_it_meanwhile_is_followed_but_in_the_one_gap_that_aws_leaves() {
    for named in [VersionRef::Latest, VersionRef::Default] {
        let calls = during(&about_to_pin(named).stack, Invocation::Poll, usize::MAX, || {}).1;
        let mut overwritten = Vec::new();
        for call in 0..calls {
            let scene = about_to_pin(named);
            let theirs = Mutex::new(None);
            during(&scene.stack, Invocation::Poll, call, || {
                let follows = scene.named() == named;
                scene.follows_theirs(named);
                *theirs.lock().expect("nobody panicked") = follows.then(|| scene.stack.world.group_image("web"));
            });
            // Later it is pinned, and what its template's other versions are is nothing to it.
            let Some(theirs) = theirs.into_inner().expect("nobody panicked") else { continue };
            if scene.stack.world.group_image("web") != theirs {
                overwritten.push(call);
            }
        }
        assert_eq!(overwritten.len(), 1, "{named}: at the calls {overwritten:?} of {calls}");
    }
}

#[test]
fn a_number_that_somebody_gives_it_meanwhile_stays() {
    let named = VersionRef::Latest;
    let calls = during(&about_to_pin(named).stack, Invocation::Poll, usize::MAX, || {}).1;
    let mut overwritten = Vec::new();
    for call in 0..calls {
        let scene = about_to_pin(named);
        let followed = Mutex::new(false);
        during(&scene.stack, Invocation::Poll, call, || {
            let follows = scene.named() == named;
            *followed.lock().expect("nobody panicked") = follows;
            if follows {
                scene.follows_theirs(named);
                scene.names(2);
            }
        });
        if !*followed.lock().expect("nobody panicked") {
            continue;
        }
        if scene.named() == VersionRef::Number(2) {
            assert_eq!(count(&scene.stack, "Group Pinned"), 0, "at call {call}: nobody pinned it but they");
        } else {
            overwritten.push(call);
        }
    }
    assert_eq!(overwritten.len(), 1, "right before it is changed: {overwritten:?} of {calls}");
}

#[test]
fn somebody_who_pins_it_to_the_same_meanwhile_is_no_obstacle() {
    let named = VersionRef::Latest;
    let calls = during(&about_to_pin(named).stack, Invocation::Poll, usize::MAX, || {}).1;
    for call in 0..calls {
        let scene = about_to_pin(named);
        during(&scene.stack, Invocation::Poll, call, || {
            if scene.named() == named {
                scene.names(1);
            }
        });
        scene.stack.run(60);
        assert_eq!(scene.given().state, State::Succeeded, "at call {call}: {}", scene.given().reason);
        assert!(count(&scene.stack, "Group Pinned") <= 1);
    }
}
