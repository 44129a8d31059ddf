//! Each way in which a group can name its image: published to, with a restart in the middle, again, and after a change by
//! hand under each of the three policies.

use futures_util::FutureExt;
use lastgood_core::backup::{Publication, State};
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_engine::Answers;
use lastgood_engine::call::ec2::VersionOf;
use lastgood_tests::cut::{At, Knife, Meanwhile};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{LaunchFrom, LaunchFromText, Override, TemplateData, TemplateName, UpdateGroup, World};

use crate::transcript::messages;

/// How a group names its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Template(VersionRef),
    Mixed(VersionRef),
    Parameter,
}

const PARAMETER: &str = "/images/web";

pub(crate) const WAYS: [Way; 7] = [
    Way::Template(VersionRef::Number(1)),
    Way::Template(VersionRef::Default),
    Way::Template(VersionRef::Latest),
    Way::Mixed(VersionRef::Number(1)),
    Way::Mixed(VersionRef::Default),
    Way::Mixed(VersionRef::Latest),
    Way::Parameter,
];

/// A group `web` of two that names its image in one of the ways, under an hourly plan, at 10:30.
pub(crate) struct Group {
    way: Way,
    pub(crate) stack: Stack,
    pub(crate) template: TemplateId,
}

impl Group {
    pub(crate) fn of(way: Way, on_manual_change: &str) -> Self {
        let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
        let base = world.base_image();
        let template = match way {
            Way::Template(_) | Way::Mixed(_) => world.template("web", &base),
            Way::Parameter => {
                world.put_parameter(PARAMETER, base.as_str(), "aws:ec2:image");
                let image = Some(format!("resolve:ssm:{PARAMETER}"));
                world.template_with("web", &TemplateData { image, ..world.launched_from(&base) })
            }
        };
        let named = |version| TemplateRef { template: template.clone(), version };
        match way {
            Way::Template(version) => world.group("web", &named(version), 2),
            Way::Mixed(version) => {
                let overrides = vec![Override::of_type("m5.large"), Override::of_type("c5.large")];
                world.mixed_group("web", &named(version), overrides, 2)
            }
            Way::Parameter => world.group("web", &named(VersionRef::Number(1)), 2),
        };
        let group = Self { way, stack: Stack::new(world), template };
        group.plan(on_manual_change);
        group
    }

    fn plan(&self, on_manual_change: &str) {
        self.plan_with(on_manual_change, "");
    }

    fn plan_with(&self, on_manual_change: &str, more: &str) {
        let to = if self.way == Way::Parameter { format!("ssm: {PARAMETER}, ") } else { String::new() };
        let plan = format!(
            "plans: [{{name: web, select: {{groups: [web]}}, schedule: hourly, publish: {{{to}on_manual_change: {on_manual_change}}}{more}}}]"
        );
        self.stack.apply(&plan).unwrap_or_else(|error| panic!("{:?}: {error:?}", self.way));
    }

    pub(crate) fn image(&self) -> Option<ImageId> {
        self.stack.world.group_image("web")
    }

    fn newest(&self) -> ImageId {
        self.stack.source("group/web").last_good.expect("good").image().cloned().expect("an image")
    }

    /// An operator gives the group another image, in the way in which it names its image.
    pub(crate) fn change_by_hand(&self) -> ImageId {
        let caller = self.stack.world.act_as(None);
        let theirs = self.changed_by_hand();
        self.stack.world.act_as(caller);
        theirs
    }

    fn changed_by_hand(&self) -> ImageId {
        let world = &self.stack.world;
        let theirs = world.base_image();
        if self.way == Way::Parameter {
            world.put_parameter(PARAMETER, theirs.as_str(), "aws:ec2:image");
            return theirs;
        }
        let template = TemplateName::Id(self.template.to_string());
        let version = world.version_by_hand(&self.template, 1, &theirs).to_string();
        match self.way {
            Way::Template(VersionRef::Number(_)) => self.update(LaunchFromText::Template(template, Some(version))),
            Way::Mixed(VersionRef::Number(_)) => {
                let group = world.group_view("web").expect("there");
                let LaunchFrom::Mixed(mut policy) = group.from else { panic!("a policy") };
                policy.base.version = VersionRef::Number(version.parse().expect("a number"));
                self.update(LaunchFromText::Mixed((&policy).into()));
            }
            Way::Template(VersionRef::Default) | Way::Mixed(VersionRef::Default) => {
                world.ec2().set_default_version(&template, &version).expect("made");
            }
            Way::Template(VersionRef::Latest) | Way::Mixed(VersionRef::Latest) | Way::Parameter => {}
        }
        theirs
    }

    pub(crate) fn update(&self, from: LaunchFromText) {
        let update = UpdateGroup { name: "web".into(), from: Some(from), ..UpdateGroup::default() };
        self.stack.world.autoscaling().update_group(&update).expect("the version is there");
    }

    /// The group replaces its members one after the other, until all are of the image that it names.
    fn replace_members(&self) {
        for member in self.stack.world.group_view("web").expect("there").members {
            self.stack.world.kill(&member.instance);
        }
    }

    fn told(&self, kind: &str) -> Vec<String> {
        messages(&self.stack, kind)
    }
}

#[test]
fn each_is_published_to_and_published_to_again() {
    for way in WAYS {
        let group = Group::of(way, "hold");
        for backups in 1..=2 {
            group.stack.run(60);
            assert_eq!(group.image(), Some(group.newest()), "{way:?}");
            assert_eq!(group.told("Image Published").len(), backups, "{way:?}");
        }
        assert!(group.stack.world.launch_failures().is_empty(), "{way:?}");
        group.replace_members();
        group.stack.run(10);
        assert!(group.stack.world.launch_failures().is_empty(), "{way:?}: new members come up from the image");
        if let LaunchFrom::Mixed(policy) = group.stack.world.group_view("web").expect("there").from {
            let types: Vec<_> = policy.overrides.into_iter().filter_map(|other| other.instance_type).collect();
            assert_eq!(types, ["m5.large", "c5.large"], "{way:?}: the rest of the policy is as it was");
        }
    }
}

/// The poll that publishes is cut `at` one of its calls, and run again. Returns how many calls it made.
fn publish_cut(way: Way, at: Option<At>) -> usize {
    let group = Group::of(way, "hold");
    let (stack, context) = (&group.stack, format!("{way:?} cut {at:?}"));
    stack.run(30);
    stack.world.advance(10 * 60);
    let knife = Knife::new(at);
    let ended = stack.invoke_behind(&knife, Invocation::Poll);
    assert_eq!(ended.is_none(), at.is_some(), "{context}");
    stack.run(4);
    let backup = &stack.backups("group/web")[0];
    assert_eq!(backup.state, State::Good, "{context}");
    assert!(matches!(backup.publication, Publication::Published(_)), "{context}: {:?}", backup.publication);
    assert_eq!(group.image(), backup.image().cloned(), "{context}");
    let versions = stack.world.template_versions(&group.template);
    let ours = versions.iter().filter(|version| version.data.image == backup.image().map(ToString::to_string));
    assert_eq!(ours.count(), usize::from(way != Way::Parameter), "{context}: one version was made, or none");
    assert_eq!(group.told("Image Published").len(), 1, "{context}");
    assert_eq!(group.told("Publication Held"), [] as [String; 0], "{context}: nobody changed anything");
    knife.calls()
}

#[test]
fn each_is_published_to_once_though_the_function_dies_anywhere_in_the_middle() {
    for way in WAYS {
        let calls = publish_cut(way, None);
        assert!(calls > 10, "{way:?}: only {calls} calls");
        for call in 0..calls {
            publish_cut(way, Some(At::Before(call)));
            publish_cut(way, Some(At::After(call)));
        }
    }
}

/// How the poll can't read versions from some call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Denied,
    Unanswered,
}

/// Before the call `changed` of the poll that publishes somebody makes a version, and from the call `unread` on the poll
/// can't read versions any more. Returns how many calls there were, and whether somebody's version came before ours.
fn changed_and_unread(changed: usize, unread: usize, how: Unread) -> (usize, bool) {
    const READ: &str = "ec2:DescribeLaunchTemplateVersions";
    let group = Group::of(Way::Template(VersionRef::Latest), "hold");
    let stack = &group.stack;
    stack.run(30);
    stack.world.advance(10 * 60);
    let meanwhile = Meanwhile::new(|number| {
        if number == changed {
            group.change_by_hand();
        }
        if number == unread {
            match how {
                Unread::Denied => stack.world.deny(READ, "*"),
                Unread::Unanswered => stack.world.throttle_next(READ, 1),
            }
        }
    });
    stack.invoke_behind(&meanwhile, Invocation::Poll);
    stack.world.allow(READ);
    // If nobody has met the failure, it is met here.
    let latest = VersionOf { template: group.template.clone(), version: VersionRef::Latest };
    let _ = stack.world.call(&latest).now_or_never();
    stack.run(5);
    let backup = &stack.backups("group/web")[0];
    let versions = stack.world.template_versions(&group.template);
    let by_hand = versions.iter().find(|version| version.description == "by hand").map(|version| version.number);
    let ours = backup.image().map(ToString::to_string);
    let ours = versions.iter().find(|version| version.data.image == ours).map(|version| version.number);
    let is_before = by_hand.is_some_and(|by_hand| ours.is_some_and(|ours| by_hand < ours));
    if is_before {
        let context = format!("changed at {changed}, {how:?} at {unread}: {:?}", backup.publication);
        let Publication::Held(why) = &backup.publication else { panic!("{context}") };
        assert!(how == Unread::Denied || why.contains("made meanwhile"), "{context}");
        // Whoever has heard of it may release it.
        stack.ask(release());
        stack.run(5);
        let backup = &stack.backups("group/web")[0];
        assert!(matches!(backup.publication, Publication::Published(_)), "{context}: {:?}", backup.publication);
    }
    (meanwhile.calls(), is_before)
}

#[test]
fn a_version_that_somebody_made_just_before_ours_is_told_even_if_it_cannot_be_read_at_first() {
    let (calls, _) = changed_and_unread(usize::MAX, usize::MAX, Unread::Denied);
    assert!(calls > 10, "only {calls} calls");
    for how in [Unread::Denied, Unread::Unanswered] {
        let ways = (0..calls).flat_map(|changed| (changed..=calls).map(move |unread| (changed, unread)));
        let before = ways.filter(|(changed, unread)| changed_and_unread(*changed, *unread, how).1).count();
        assert!(before > 10, "{how:?}: it came before ours {before} times");
    }
}

#[test]
fn each_is_held_after_a_change_by_hand_until_it_is_released() {
    for way in WAYS {
        let group = Group::of(way, "hold");
        group.stack.run(60);
        let ours = group.newest();
        let theirs = group.change_by_hand();
        group.stack.run(60);
        assert_eq!(group.image(), Some(theirs.clone()), "{way:?}");
        let held = group.told("Publication Held");
        assert_eq!(held.len(), 1, "{way:?}");
        assert!(held[0].contains(theirs.as_str()) && held[0].contains(ours.as_str()), "{}", held[0]);
        assert!(group.stack.source("group/web").held.is_some(), "{way:?}");
        // Released, the newest takes its place; the change is not met again.
        group.stack.ask(release());
        group.stack.run(5);
        assert_eq!(group.image(), Some(group.newest()), "{way:?}");
        group.stack.run(60);
        assert_eq!(group.image(), Some(group.newest()), "{way:?}");
        assert_eq!(group.told("Publication Held").len(), 1, "{way:?}");
    }
}

fn release() -> lastgood_core::incoming::Request {
    lastgood_core::incoming::Request::Release(lastgood_core::incoming::AboutSource {
        source: "group/web".parse().expect("a source"),
        by: "alice".parse().expect("a name"),
        reason: None,
    })
}

#[test]
fn each_is_overwritten_where_the_plan_says_so_and_both_images_are_told() {
    for way in WAYS {
        let group = Group::of(way, "overwrite");
        group.stack.run(60);
        let ours = group.newest();
        let theirs = group.change_by_hand();
        group.stack.run(60);
        assert_eq!(group.image(), Some(group.newest()), "{way:?}");
        let told = group.told("Manual Change");
        let expected =
            format!("group/web: somebody changed {ours} to {theirs} by hand; its plan says to overwrite that");
        assert_eq!(told, [expected], "{way:?}");
    }
}

#[test]
fn each_follows_the_image_that_somebody_gave_it_where_the_plan_says_adopt() {
    for way in WAYS {
        let group = Group::of(way, "adopt");
        group.stack.run(60);
        let ours = group.newest();
        let theirs = group.change_by_hand();
        group.stack.run(60);
        assert_eq!(
            group.image(),
            Some(theirs.clone()),
            "{way:?}: what was made from an older instance is not published"
        );
        let told = group.told("Manual Change");
        let expected =
            format!("group/web: somebody changed {ours} to {theirs} by hand; what follows is based on {theirs}");
        assert_eq!(told, [expected], "{way:?}");
        // As long as no member is of the new image, nothing is published over it.
        group.stack.run(60);
        assert_eq!(group.image(), Some(theirs.clone()), "{way:?}");
        assert!(group.stack.backups("group/web")[0].reason.contains("from before"), "{way:?}");
        group.replace_members();
        group.stack.run(60);
        let newest = group.stack.backups("group/web").remove(0);
        assert_eq!(newest.base, Some(theirs), "{way:?}");
        assert_eq!(newest.generation, 1, "{way:?}: a lineage of its own begins");
        assert_eq!(group.image(), newest.image().cloned(), "{way:?}");
        assert_eq!(group.told("Manual Change").len(), 1, "{way:?}");
    }
}

#[test]
fn a_change_before_anything_was_published_is_noticed_too() {
    for way in WAYS {
        let group = Group::of(way, "hold");
        let theirs = group.change_by_hand();
        group.stack.run(60);
        assert_eq!(group.image(), Some(theirs), "{way:?}");
        let held = group.told("Publication Held");
        assert!(held.len() == 1 && held[0].contains("that was there when its plan was applied"), "{way:?}: {held:?}");
    }
}

#[test]
fn of_a_deleted_group_nothing_is_left_once_what_it_launched_from_names_another_image() {
    for way in WAYS {
        let group = Group::of(way, "hold");
        group.plan_with("hold", ", on_source_deleted: delete");
        let world = &group.stack.world;
        group.stack.run(2 * 60);
        let newest = group.newest();
        world.delete_group("web");
        world.may_retire("group/web");
        group.stack.run(26 * 60);
        let left: Vec<ImageId> = group.stack.our_images().into_iter().map(|image| image.id).collect();
        // What is nobody's but the group's goes with it. A default and a parameter outlive it: others may launch from them.
        let needed_by = match way {
            Way::Template(VersionRef::Default) | Way::Mixed(VersionRef::Default) => {
                let ours = world.template_versions(&group.template).pop().expect("there").number;
                Some(format!("{newest} is needed by {}, whose default is version {ours}", group.template))
            }
            Way::Parameter => Some(format!("{newest} is needed by parameter {PARAMETER}")),
            Way::Template(_) | Way::Mixed(_) => None,
        };
        let refused = group.told("Deletion Refused");
        match &needed_by {
            Some(who) => {
                assert_eq!(left, [newest], "{way:?}");
                assert!(refused.len() == 1 && refused[0].contains(who), "{way:?}: {refused:?}");
            }
            None => assert_eq!((left.len(), refused.len()), (0, 0), "{way:?}: {refused:?}"),
        }
        // The operator, who was told, gives it another image.
        if way == Way::Parameter {
            world.put_parameter(PARAMETER, world.base_image().as_str(), "aws:ec2:image");
        } else {
            world.ec2().set_default_version(&TemplateName::Id(group.template.to_string()), "1").expect("there");
        }
        group.stack.run(2 * 60);
        assert_eq!((group.stack.our_images().len(), group.stack.our_snapshots().len()), (0, 0), "{way:?}");
        let versions = world.template_versions(&group.template).len();
        assert_eq!(versions, 1, "{way:?}: nor a version of ours");
    }
}
