//! What must hold of the judgement who needs an image.

use expect_test::expect;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::facts::{MixedPolicy, Override, Tags, TemplateRef};

const IMAGE: &str = "ami-1";

fn template() -> TemplateId {
    "lt-1".into()
}

fn named(version: VersionRef) -> TemplateRef {
    TemplateRef { template: template(), version }
}

fn version(number: u64) -> TemplateVersion {
    let description = String::new();
    TemplateVersion { number, description, image: Some(IMAGE.into()), instance_type: None, devices: Vec::new() }
}

fn group(name: &str, launches_from: LaunchSource) -> Group {
    Group {
        name: name.into(),
        tags: Tags::new(),
        launches_from,
        members: Vec::new(),
        size: 1,
        refresh_suspended: false,
        warmup_seconds: 0,
        lifetime_seconds_max: None,
    }
}

fn mixed(base: VersionRef, overrides: Vec<Override>) -> LaunchSource {
    LaunchSource::Mixed(MixedPolicy { base: named(base), overrides })
}

/// The image stands in version 2, which is ours; the default is version 1 and the latest version 3.
fn reading() -> Reading {
    let templates =
        vec![TemplateReading { template: template(), default: Some(1), latest: Some(3), naming: vec![version(2)] }];
    Reading { templates, ..Reading::default() }
}

fn judged(reading: &Reading, rank: Rank) -> Vec<String> {
    let image = IMAGE.into();
    let leaving = Leaving { image: &image, ours: &[(template(), 2)], wants: wants(None, None, rank) };
    needs(reading, &leaving).iter().map(ToString::to_string).collect()
}

fn with(group: Group) -> Reading {
    Reading { groups: vec![group], ..reading() }
}

#[test]
fn an_image_that_only_our_unused_version_names_may_go_and_the_version_with_it() {
    assert_eq!(judged(&reading(), Rank::Replaced), Vec::<String>::new());
    assert_eq!(judged(&reading(), Rank::Dispensable), Vec::<String>::new());
    let image = IMAGE.into();
    let ours = [(template(), 2)];
    let leaving = Leaving { image: &image, ours: &ours, wants: wants(None, None, Rank::Last) };
    assert_eq!(unused(&needs(&reading(), &leaving), &leaving), ours);
}

#[test]
fn a_refusal_is_told_in_one_order_and_does_not_grow_with_the_fleet() {
    let instances = |numbers: &[usize]| {
        numbers.iter().map(|number| Need::Instance(format!("i-{number}").as_str().into())).collect::<Vec<_>>()
    };
    let image = IMAGE.into();
    let leaving = Leaving { image: &image, ours: &[], wants: wants(None, None, Rank::Replaced) };
    let told = |numbers: &[usize]| {
        let instances = numbers.iter().map(|number| format!("i-{number}").as_str().into());
        words(&needs(&Reading { instances: instances.collect(), ..Reading::default() }, &leaving))
    };
    assert_eq!(told(&[2, 1, 1]), told(&[1, 2]));
    assert_eq!(told(&[2, 1]).len(), 2);
    assert_eq!(told(&[3, 2, 1]).len(), 3, "these are all");
    let many = words(&instances(&[9, 4, 3, 2, 1]));
    assert_eq!((many.len(), many[3].as_str()), (4, "more instances"));
    let mut scaled = instances(&[1, 2, 3, 4, 5, 6, 7]);
    scaled.push(Need::LastGood);
    assert_eq!(words(&scaled).len(), 5);
}

#[test]
fn of_versions_in_two_templates_only_the_one_in_use_stays() {
    let image = IMAGE.into();
    let mut reading = with(group("web", LaunchSource::Template(named(VersionRef::Number(2)))));
    let other = TemplateReading { template: "lt-2".into(), ..reading.templates[0].clone() };
    reading.templates.push(other);
    let ours = [(template(), 2), ("lt-2".into(), 2), (template(), 5)];
    let leaving = Leaving { image: &image, ours: &ours, wants: wants(None, None, Rank::Last) };
    assert_eq!(unused(&needs(&reading, &leaving), &leaving), [("lt-2".into(), 2), (template(), 5)]);
}

#[test]
fn each_need_is_told_in_words() {
    let image: ImageId = IMAGE.into();
    let launches = |version| LaunchSource::Template(named(version));
    let own_image = Override { instance_type: None, template: None, image: Some(IMAGE.into()) };
    let own_template =
        |version| Override { instance_type: None, template: Some(named(version)), image: Some("ami-9".into()) };
    let refresh = |desired| Refresh { id: "r-1".into(), desired: Some(desired) };
    let goes = |desired| Reading { refreshes: vec![("web".into(), refresh(desired))], ..reading() };
    let mut theirs = reading();
    theirs.templates[0].naming.push(version(7));
    let mut default = reading();
    default.templates[0].default = Some(2);
    let mut followed = with(group("web", launches(VersionRef::Default)));
    followed.templates[0].default = Some(2);
    let mut latest = with(group("web", launches(VersionRef::Latest)));
    latest.templates[0].latest = Some(2);
    let configuration = |image: &str| vec![crate::facts::Configuration { name: "old".into(), image: image.to_owned() }];
    let cases = [
        ("by number", with(group("web", launches(VersionRef::Number(2))))),
        ("by another number", with(group("web", launches(VersionRef::Number(3))))),
        ("by default", followed),
        ("by default, another", with(group("web", launches(VersionRef::Default)))),
        ("by latest", latest),
        ("by latest, another", with(group("web", launches(VersionRef::Latest)))),
        ("the base", with(group("web", mixed(VersionRef::Number(2), Vec::new())))),
        ("an override", with(group("web", mixed(VersionRef::Number(1), vec![own_template(VersionRef::Number(2))])))),
        ("an image", with(group("web", mixed(VersionRef::Number(1), vec![own_image.clone()])))),
        ("another", with(group("web", mixed(VersionRef::Number(1), vec![own_template(VersionRef::Number(1))])))),
        ("unreadable", with(group("web", LaunchSource::Unreadable("no id".into())))),
        ("configured", with(group("web", LaunchSource::Configuration("old".into())))),
        ("a refresh", goes(launches(VersionRef::Number(2)))),
        ("a refresh to another", goes(launches(VersionRef::Number(1)))),
        ("a refresh to a policy", goes(mixed(VersionRef::Number(1), vec![own_image]))),
        ("a refresh to who knows what", goes(LaunchSource::Unreadable("no id".into()))),
        ("its default", default),
        ("a version of theirs", theirs),
        ("configuration", Reading { configurations: configuration(IMAGE), ..reading() }),
        ("another configuration", Reading { configurations: configuration("ami-2"), ..reading() }),
        ("parameter", Reading { parameters: vec![("/web".into(), IMAGE.into())], ..reading() }),
        ("another parameter", Reading { parameters: vec![("/web".into(), "ami-2".into())], ..reading() }),
        ("instance", Reading { instances: vec!["i-1".into()], ..reading() }),
        ("recipe", Reading { others: vec!["arn:aws:imagebuilder:::image-recipe/web".into()], ..reading() }),
        ("unread", Reading { unread: vec!["ec2:Call is not permitted".into()], ..reading() }),
    ];
    let mut told = String::new();
    for (name, reading) in &cases {
        let leaving = Leaving { image: &image, ours: &[(template(), 2)], wants: wants(None, None, Rank::Replaced) };
        let goes = if unused(&needs(reading, &leaving), &leaving).is_empty() { "; version 2 stays" } else { "" };
        told += &format!("{name}: {}{goes}\n", judged(reading, Rank::Replaced).join(" + "));
    }
    told += &format!("the last: {}\n", judged(&reading(), Rank::Last).join(" + "));
    let pinned = Leaving {
        image: &image,
        ours: &[],
        wants: wants(Some("alice".into()), Some("group/web@1".into()), Rank::Replaced),
    };
    let words: Vec<_> = needs(&Reading::default(), &pinned).iter().map(ToString::to_string).collect();
    told += &format!("pinned and reserved: {}\n", words.join(" + "));
    expect![[r#"
        by number: group/web (version 2 of lt-1); version 2 stays
        by another number: 
        by default: group/web (version 2 of lt-1) + lt-1, whose default is version 2; version 2 stays
        by default, another: 
        by latest: group/web (version 2 of lt-1); version 2 stays
        by latest, another: 
        the base: group/web (version 2 of lt-1); version 2 stays
        an override: group/web (version 2 of lt-1); version 2 stays
        an image: group/web (an override's own image)
        another: 
        unreadable: who can say, for no id; version 2 stays
        configured: 
        a refresh: instance refresh r-1 of group/web, which goes to it; version 2 stays
        a refresh to another: 
        a refresh to a policy: instance refresh r-1 of group/web, which goes to it; version 2 stays
        a refresh to who knows what: who can say, for no id; version 2 stays
        its default: lt-1, whose default is version 2; version 2 stays
        a version of theirs: version 7 of lt-1, which somebody else made
        configuration: launch configuration old
        another configuration: 
        parameter: parameter /web
        another parameter: 
        instance: i-1, for its plan keeps what instances use
        recipe: arn:aws:imagebuilder:::image-recipe/web
        unread: who can say, for ec2:Call is not permitted; version 2 stays
        the last: its source, for no newer good backup of it is there
        pinned and reserved: a pin: alice + group/web@1, which is about to launch from it
    "#]]
    .assert_eq(&told);
}

/// A version of one of two templates.
fn references() -> impl Strategy<Value = TemplateRef> {
    let versions =
        prop_oneof![(1_u64..7).prop_map(VersionRef::Number), Just(VersionRef::Default), Just(VersionRef::Latest)];
    (prop_oneof![Just("lt-1"), Just("lt-2")], versions)
        .prop_map(|(template, version)| TemplateRef { template: template.into(), version })
}

/// The image, or another one.
fn images() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(IMAGE), Just("ami-2")]
}

fn sources() -> impl Strategy<Value = LaunchSource> {
    let overrides = prop::collection::vec(
        (prop::option::of(references()), prop::option::of(images())).prop_map(|(template, image)| Override {
            instance_type: None,
            template,
            image: image.map(str::to_owned),
        }),
        0..3,
    );
    prop_oneof![
        4 => references().prop_map(LaunchSource::Template),
        4 => (references(), overrides)
            .prop_map(|(base, overrides)| LaunchSource::Mixed(MixedPolicy { base, overrides })),
        2 => Just(LaunchSource::Configuration("old".into())),
        1 => Just(LaunchSource::Unreadable("a group of another kind".into())),
    ]
}

fn templates() -> impl Strategy<Value = Vec<TemplateReading>> {
    let one = |template: &'static str| {
        let naming = prop::collection::btree_set(1_u64..7, 0..3);
        (naming, 1_u64..7, 1_u64..7).prop_map(move |(naming, default, latest)| TemplateReading {
            template: template.into(),
            default: Some(default),
            latest: Some(latest),
            naming: naming.into_iter().map(version).collect(),
        })
    };
    // In a template that is read the image stands.
    (one("lt-1"), one("lt-2"))
        .prop_map(|(one, other)| [one, other].into_iter().filter(|found| !found.naming.is_empty()).collect())
}

/// Most things refer to it seldom: else hardly one reading would let the image go.
fn readings() -> impl Strategy<Value = Reading> {
    let groups = prop::collection::vec(sources(), 0..3).prop_map(|sources| {
        let named = sources.into_iter().enumerate();
        named.map(|(number, source)| group(&format!("g{number}"), source)).collect::<Vec<_>>()
    });
    let refreshes = prop::collection::vec(prop::option::of(sources()), 0..2).prop_map(|desired| {
        let refresh = |desired| ("g0".into(), Refresh { id: "r-1".into(), desired });
        desired.into_iter().map(refresh).collect::<Vec<_>>()
    });
    let words = |word: &'static str| prop::option::weighted(0.05, Just(word.to_owned()));
    let named = |name: &'static str| prop::option::weighted(0.2, images().prop_map(move |image| (name, image)));
    let beside = (named("old"), named("/image"), words("i-1"), words("arn:aws:imagebuilder"), words("nobody knows"));
    (groups, refreshes, templates(), beside).prop_map(|(groups, refreshes, templates, beside)| {
        let (configuration, parameter, instance, other, unread) = beside;
        let configuration =
            configuration.map(|(name, image)| Configuration { name: name.into(), image: image.to_owned() });
        Reading {
            groups_at: None,
            groups,
            refreshes,
            templates,
            configurations: configuration.into_iter().collect(),
            parameters: parameter.map(|(name, image)| (name.to_owned(), image.to_owned())).into_iter().collect(),
            instances: instance.as_deref().map(InstanceId::from).into_iter().collect(),
            others: other.into_iter().collect(),
            unread: unread.into_iter().collect(),
        }
    })
}

/// The versions that are ours, who pinned the backup, and its rank.
fn claims() -> impl Strategy<Value = (Vec<(TemplateId, u64)>, [Option<String>; 2], Rank)> {
    let every: Vec<(TemplateId, u64)> =
        (1..7).flat_map(|number| [("lt-1".into(), number), ("lt-2".into(), number)]).collect();
    let ours = prop::sample::subsequence(every, 8..=12);
    let somebody = || prop::option::weighted(0.1, Just("somebody".to_owned()));
    (
        ours,
        [somebody(), somebody()],
        prop_oneof![5 => Just(Rank::Replaced), 4 => Just(Rank::Dispensable), 1 => Just(Rank::Last)],
    )
}

/// The version that is meant, if its template was read.
fn number_of(named: &TemplateRef, reading: &Reading) -> Option<u64> {
    let found = reading.templates.iter().find(|found| found.template == named.template)?;
    match named.version {
        VersionRef::Number(number) => Some(number),
        VersionRef::Default => found.default,
        VersionRef::Latest => found.latest,
    }
}

/// Whether a launch source would launch from the image, or can't be read: found by going through it by hand.
fn launches(source: &LaunchSource, reading: &Reading) -> bool {
    let stands_in = |named: &TemplateRef| {
        let Some(found) = reading.templates.iter().find(|found| found.template == named.template) else { return false };
        found.naming.iter().any(|version| Some(version.number) == number_of(named, reading))
    };
    match source {
        LaunchSource::Template(named) => stands_in(named),
        LaunchSource::Mixed(policy) => {
            let own = |other: &Override| {
                other.image.as_deref() == Some(IMAGE) || other.template.as_ref().is_some_and(stands_in)
            };
            stands_in(&policy.base) || policy.overrides.iter().any(own)
        }
        LaunchSource::Configuration(_) => false,
        LaunchSource::Unreadable(_) => true,
    }
}

/// Everything that a reading says to be launched from: by groups now, and by refreshes.
fn launched(reading: &Reading) -> impl Iterator<Item = &LaunchSource> {
    let goals = reading.refreshes.iter().filter_map(|(_, refresh)| refresh.desired.as_ref());
    reading.groups.iter().map(|group| &group.launches_from).chain(goals)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Each way in which something refers to an image, found a second time and by hand, keeps it; nothing else does.
    #[test]
    fn an_image_goes_only_if_nothing_refers_to_it((ours, [pinned, reserved], rank) in claims(), reading in readings()) {
        let image = IMAGE.into();
        let leaving = Leaving { image: &image, ours: &ours, wants: wants(pinned.clone(), reserved.clone(), rank) };
        let of_others = reading.templates.iter().any(|found| {
            found.naming.iter().any(|version| {
                found.default == Some(version.number) || !ours.contains(&(found.template.clone(), version.number))
            })
        });
        let needed = launched(&reading).any(|source| launches(source, &reading))
            || of_others
            || reading.configurations.iter().any(|found| found.image == IMAGE)
            || reading.parameters.iter().any(|(_, value)| value == IMAGE)
            || !reading.instances.is_empty()
            || !reading.others.is_empty()
            || !reading.unread.is_empty()
            || pinned.is_some()
            || reserved.is_some()
            || rank == Rank::Last;
        prop_assert_eq!(!needs(&reading, &leaving).is_empty(), needed);
    }

    #[test]
    fn more_that_is_read_never_frees_an_image(
        (ours, [pinned, reserved], rank) in claims(), one in readings(), more in sources(), other in readings()
    ) {
        let image = IMAGE.into();
        let leaving = Leaving { image: &image, ours: &ours, wants: wants(pinned, reserved, rank) };
        let before = needs(&one, &leaving);
        let mut both = one.clone();
        both.groups.push(group("more", more));
        both.refreshes.extend(other.refreshes);
        both.configurations.extend(other.configurations);
        both.parameters.extend(other.parameters);
        both.instances.extend(other.instances);
        both.others.extend(other.others);
        both.unread.extend(other.unread);
        let after = needs(&both, &leaving);
        prop_assert!(before.iter().all(|need| after.contains(need)));
        prop_assert!(unused(&after, &leaving).iter().all(|version| unused(&before, &leaving).contains(version)));
    }

    #[test]
    fn a_version_that_somebody_launches_from_is_never_unused((ours, [pinned, reserved], rank) in claims(), reading in readings()) {
        let image = IMAGE.into();
        let leaving = Leaving { image: &image, ours: &ours, wants: wants(pinned, reserved, rank) };
        let unused = unused(&needs(&reading, &leaving), &leaving);
        prop_assert!(unused.iter().all(|version| ours.contains(version)));
        for named in launched(&reading).flat_map(LaunchSource::templates) {
            let Some(number) = number_of(named, &reading) else { continue };
            let with_image = reading.templates.iter().any(|found| {
                found.template == named.template && found.naming.iter().any(|version| version.number == number)
            });
            prop_assert!(!with_image || !unused.contains(&(named.template.clone(), number)), "{named:?}");
        }
        for found in &reading.templates {
            let default = found.default.filter(|number| found.naming.iter().any(|version| version.number == *number));
            prop_assert!(default.is_none_or(|number| !unused.contains(&(found.template.clone(), number))));
        }
    }
}

/// What the properties draw is of both kinds often enough to show anything.
#[test]
fn about_as_many_drawn_images_may_go_as_must_stay() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let image = IMAGE.into();
    let mut go = 0;
    for _ in 0..1000 {
        let drawn = (claims(), readings()).new_tree(&mut runner).expect("drawn").current();
        let ((ours, [pinned, reserved], rank), reading) = drawn;
        go += usize::from(
            needs(&reading, &Leaving { image: &image, ours: &ours, wants: wants(pinned, reserved, rank) }).is_empty(),
        );
    }
    assert!((100..900).contains(&go), "{go} of 1000 may go");
}
