//! What somebody does between any two calls of the function that publishes. AWS compares nothing before it changes a group,
//! so one gap stays: between the last look and the change.

use std::sync::Mutex;

use lastgood_core::backup::Publication;
use lastgood_core::facts::VersionRef;
use lastgood_core::id::ImageId;
use lastgood_tests::stack::Invocation;
use lastgood_world::{LaunchFrom, LaunchFromText, TemplateName};

use crate::transcript::during;
use crate::ways::{Group, WAYS, Way};

/// A group whose first image is good and not published yet.
fn about_to_publish(way: Way) -> Group {
    let group = Group::of(way, "hold");
    group.stack.run(30);
    group.stack.world.advance(10 * 60);
    group
}

/// The poll that publishes; before its call of this number somebody `does` something. Returns how many calls it made.
fn publish(group: &Group, at: usize, does: impl Fn() + Sync) -> usize {
    let (_, calls) = during(&group.stack, Invocation::Poll, at, does);
    group.stack.run(5);
    calls
}

/// Why the newest backup is not published, if it is held.
fn held(group: &Group) -> Option<String> {
    match group.stack.backups("group/web").remove(0).publication {
        Publication::Held(why) => Some(why),
        _ => None,
    }
}

#[test]
fn an_image_that_somebody_gives_the_group_meanwhile_stays_but_in_the_one_gap_that_aws_leaves() {
    for way in WAYS {
        // Whoever makes a version of a template whose latest counts is told in `ways.rs`: ours may come after it.
        if matches!(way, Way::Template(VersionRef::Latest) | Way::Mixed(VersionRef::Latest)) {
            continue;
        }
        let calls = publish(&about_to_publish(way), usize::MAX, || {});
        let (mut overwritten, mut while_publishing) = (Vec::new(), 0);
        for call in 0..calls {
            let group = about_to_publish(way);
            let theirs: Mutex<Option<ImageId>> = Mutex::new(None);
            publish(&group, call, || *theirs.lock().expect("nobody panicked") = Some(group.change_by_hand()));
            let theirs = theirs.into_inner().expect("nobody panicked").expect("changed");
            if group.image() != Some(theirs.clone()) {
                overwritten.push(call);
                continue;
            }
            if let Some(why) = held(&group) {
                let told = [theirs.as_str(), "while", "in a state that does not suit"];
                assert!(told.iter().any(|word| why.contains(word)), "{way:?} at {call}: {why}");
                while_publishing += usize::from(why.contains("while"));
            }
        }
        // A policy is read once more in the call that changes it.
        let gaps = usize::from(way != Way::Mixed(VersionRef::Number(1)));
        assert_eq!(overwritten.len(), gaps, "{way:?}: at the calls {overwritten:?} of {calls}");
        assert!(while_publishing > 0, "{way:?}: it was never seen by the last look");
    }
}

#[test]
fn a_group_that_names_its_template_in_another_way_meanwhile_is_left_as_it_is() {
    let words = [
        (VersionRef::Number(1), "$Latest", "and now from $Latest"),
        (VersionRef::Number(1), "$Default", "and now from $Default"),
        (VersionRef::Default, "1", "and now from version 1"),
        (VersionRef::Latest, "1", "and now from version 1"),
    ];
    for (version, now, told) in words {
        let way = Way::Template(version);
        let calls = publish(&about_to_publish(way), usize::MAX, || {});
        let mut seen = 0;
        for call in 0..calls {
            let group = about_to_publish(way);
            let named = TemplateName::Id(group.template.to_string());
            publish(&group, call, || group.update(LaunchFromText::Template(named.clone(), Some(now.to_owned()))));
            let from = group.stack.world.group_view("web").expect("there").from;
            let LaunchFrom::Template(named) = from else { panic!("a template") };
            let is_so = named.version.to_string() == now;
            if held(&group).is_some_and(|why| why.contains(told)) {
                assert!(is_so, "{version:?} at {call}: {:?}", named.version);
                seen += 1;
            }
        }
        assert!(seen > 0, "{version:?} to {now}: the last look never told it");
    }
}

/// The ways in which the newest version of the template counts.
const BY_LATEST: [Way; 2] = [Way::Template(VersionRef::Latest), Way::Mixed(VersionRef::Latest)];

#[test]
fn a_version_that_somebody_makes_after_ours_is_the_one_that_counts_and_that_is_told() {
    for way in BY_LATEST {
        let calls = publish(&about_to_publish(way), usize::MAX, || {});
        let (mut after_ours, mut done) = (0, false);
        for call in 0..calls {
            let group = about_to_publish(way);
            let theirs = Mutex::new(None);
            publish(&group, call, || *theirs.lock().expect("no test panics with it") = Some(group.change_by_hand()));
            let theirs = theirs.into_inner().expect("no test panics with it");
            if group.image() != theirs {
                continue;
            }
            // Theirs is the newest: before ours it holds that, after ours it is told unless nobody looks any more.
            let ours = group.stack.world.template_versions(&group.template).len() > 2;
            if let Some(why) = held(&group) {
                assert_eq!(why.contains("the latest"), ours, "{way:?} at {call}: {why}");
                assert!(!done, "{way:?} at {call}: it was told once no look came after it");
                after_ours += usize::from(ours);
            } else {
                assert!(ours, "{way:?} at {call}: {:?}", group.stack.backups("group/web")[0].publication);
                done = true;
            }
        }
        assert!(after_ours > 0, "{way:?}: it was never seen by the last look");
    }
}

#[test]
fn a_version_that_is_not_told_yet_is_waited_for() {
    for way in BY_LATEST {
        let group = about_to_publish(way);
        group.stack.world.change_settings(|settings| settings.version_visible_seconds = 90);
        let report = group.stack.invoke(Invocation::Poll);
        assert!(
            report.troubles.iter().any(|trouble| trouble.what.contains("version 2 is not visible yet")),
            "{report:?}"
        );
        let publication = group.stack.backups("group/web").remove(0).publication;
        assert!(matches!(publication, Publication::Pointing { .. }), "{way:?}: {publication:?}");
        group.stack.run(5);
        let publication = group.stack.backups("group/web").remove(0).publication;
        assert!(matches!(publication, Publication::Published(_)), "{way:?}: {publication:?}");
        assert_eq!(group.stack.world.template_versions(&group.template).len(), 2, "{way:?}: none was made twice");
    }
}

#[test]
fn a_version_of_somebodys_that_is_not_told_yet_is_told_of_once_it_is() {
    for way in BY_LATEST {
        let group = about_to_publish(way);
        group.stack.world.change_settings(|settings| settings.version_visible_seconds = 90);
        group.change_by_hand();
        group.stack.invoke(Invocation::Poll);
        // Ours comes to be the latest, for theirs is not to be seen: but its number is missing.
        assert_eq!(group.stack.world.template_versions(&group.template).len(), 3);
        assert_eq!(held(&group), None, "{way:?}");
        group.stack.run(5);
        let why = held(&group).unwrap_or_default();
        assert!(why.starts_with("version 2, made meanwhile, was the newest before ours"), "{way:?}: {why}");
    }
}

#[test]
fn a_version_that_somebody_made_and_deleted_again_leaves_a_gap_and_nothing_else() {
    for way in BY_LATEST {
        let group = about_to_publish(way);
        group.change_by_hand();
        let template = TemplateName::Id(group.template.to_string());
        group.stack.world.ec2().delete_template_versions(&template, &[2]).expect("deleted");
        group.stack.run(5);
        let publication = group.stack.backups("group/web").remove(0).publication;
        assert!(matches!(publication, Publication::Published(_)), "{way:?}: {publication:?}");
        let numbers: Vec<u64> =
            group.stack.world.template_versions(&group.template).into_iter().map(|version| version.number).collect();
        assert_eq!(numbers, [1, 3], "{way:?}");
    }
}
