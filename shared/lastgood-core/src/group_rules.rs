//! What must hold of the rules about groups: who is imaged, and what can be published to.

use expect_test::expect;

use super::*;
use crate::backup::fixtures::group;
use crate::facts::{ImageState, InstanceState, MixedPolicy, Override, Tags, TemplateDevice};

const DAY: i64 = 24 * 60 * 60;

fn now() -> Time {
    "2026-01-15T12:00:00Z".parse().expect("a time")
}

fn member(instance: &str) -> Member {
    Member {
        instance: instance.into(),
        lifecycle: Lifecycle::InService,
        healthy: true,
        protected_from_scale_in: false,
        template: Some(("lt-1".into(), 1)),
    }
}

fn instance(id: &str, hours_ago: i64) -> Instance {
    let launched_at = later(now(), -hours_ago * 3600);
    Instance { image: Some("ami-base".into()), ..Instance::new(id.into(), InstanceState::Running, launched_at) }
}

fn named(template: &str, version: VersionRef) -> TemplateRef {
    TemplateRef { template: template.into(), version }
}

fn plain(members: Vec<Member>) -> Group {
    group(LaunchSource::Template(named("lt-1", VersionRef::Number(1))), members)
}

fn mixed(base: VersionRef, overrides: Vec<Override>) -> LaunchSource {
    LaunchSource::Mixed(MixedPolicy { base: named("lt-1", base), overrides })
}

fn of_type(instance_type: &str) -> Override {
    Override { instance_type: Some(instance_type.into()), template: None, image: None }
}

fn with_template(template: &str, version: VersionRef) -> Override {
    Override { template: Some(named(template, version)), ..of_type("m6g.large") }
}

fn with_image(image: &str) -> Override {
    Override { image: Some(image.into()), ..of_type("m6g.large") }
}

fn version(devices: Vec<TemplateDevice>) -> TemplateVersion {
    let (image, instance_type) = (Some("ami-base".into()), Some("m5.large".into()));
    TemplateVersion { number: 4, description: String::new(), image, instance_type, devices }
}

fn device(name: &str, snapshot: Option<&str>) -> TemplateDevice {
    TemplateDevice { name: name.into(), snapshot: snapshot.map(Into::into), gib: None }
}

fn image() -> Image {
    Image {
        id: "ami-1".into(),
        name: "one".into(),
        state: ImageState::Available,
        tags: Tags::new(),
        snapshots: vec!["snap-root".into(), "snap-data".into()],
        root_device: Some("/dev/xvda".into()),
        devices: vec![("/dev/xvda".into(), "snap-root".into()), ("/dev/xvdf".into(), "snap-data".into())],
        sizes: vec![("/dev/xvda".into(), 8), ("/dev/xvdf".into(), 20)],
        architecture: Some("x86_64".into()),
        boot_mode: None,
        protected: false,
        created_at: None,
    }
}

/// The instance that is chosen, or why none is.
fn chosen(group: &Group, instances: &[Instance], except: Option<&str>) -> Result<String, String> {
    let except = except.map(InstanceId::from);
    choose(group, instances, except.as_ref().map_or(Wish::Any, Wish::Not), now())
        .map(|choice| choice.instance.id.to_string())
}

#[test]
fn at_a_pause_the_newest_member_on_that_version_of_that_template_is_chosen() {
    let on =
        |id: &str, template: &str, version: u64| Member { template: Some((template.into(), version)), ..member(id) };
    let unknown = Member { template: None, ..member("i-4") };
    let web = plain(vec![on("i-1", "lt-1", 2), on("i-2", "lt-1", 1), on("i-3", "lt-2", 2), unknown]);
    let instances = [instance("i-1", 4), instance("i-2", 3), instance("i-3", 2), instance("i-4", 1)];
    let choice = choose(&web, &instances, Wish::On(&"lt-1".into(), 2), now()).expect("one is on it");
    assert_eq!(choice.instance.id.to_string(), "i-1");
    choose(&web, &instances, Wish::On(&"lt-1".into(), 3), now()).expect_err("none is on it");
}

#[test]
fn the_newest_member_that_is_able_is_chosen_and_of_two_as_new_the_greater_id() {
    let web = plain(vec![member("i-1"), member("i-2"), member("i-3")]);
    let instances = [instance("i-1", 3), instance("i-2", 1), instance("i-3", 2), instance("i-9", 0)];
    assert_eq!(chosen(&web, &instances, None), Ok("i-2".into()));
    assert_eq!(chosen(&web, &instances, Some("i-2")), Ok("i-3".into()));
    let alike = [instance("i-1", 1), instance("i-3", 1), instance("i-2", 1)];
    assert_eq!(chosen(&web, &alike, None), Ok("i-3".into()));
}

#[test]
fn whether_somebody_protected_the_one_that_is_chosen_is_told() {
    for protected in [true, false] {
        let web = plain(vec![Member { protected_from_scale_in: protected, ..member("i-1") }]);
        let choice = choose(&web, &[instance("i-1", 1)], Wish::Any, now()).expect("it is able");
        assert_eq!(choice.protected_from_scale_in, protected);
    }
}

#[test]
fn why_nobody_can_be_imaged_is_counted_reason_by_reason() {
    let of = |lifecycle: Lifecycle, id: &str| Member { lifecycle, ..member(id) };
    let members = vec![
        of(Lifecycle::Pending, "i-1"),
        of(Lifecycle::Other, "i-2"),
        of(Lifecycle::Standby, "i-3"),
        of(Lifecycle::Leaving, "i-4"),
        Member { healthy: false, ..member("i-5") },
        member("i-6"),
        member("i-7"),
        member("i-8"),
        Member { template: Some(("lt-own".into(), 1)), ..member("i-9") },
        member("i-10"),
    ];
    let overrides = vec![with_template("lt-own", VersionRef::Number(1))];
    let mut web = group(mixed(VersionRef::Default, overrides), members);
    web.lifetime_seconds_max = Some(7 * DAY);
    let mut instances: Vec<Instance> = (1..=9).map(|number| instance(&format!("i-{number}"), 1)).collect();
    instances[5].state = InstanceState::Stopped;
    instances[6].launched_at = now();
    instances[7].launched_at = later(now(), -7 * DAY);
    expect![[
        r#"none of the 10 members of web can be imaged: 2 not in service yet, 1 in standby, 1 being terminated, 1 unhealthy, so about to be replaced, 2 not running, 1 not warmed up yet, 1 at the end of its lifetime, so about to be replaced, 1 launched from an override's own template or image"#
    ]]
    .assert_eq(&chosen(&web, &instances, None).expect_err("nobody is able"));
}

#[test]
fn a_group_without_another_member_says_so() {
    assert_eq!(chosen(&plain(Vec::new()), &[], None), Err("web has no member".into()));
    let one = plain(vec![member("i-1")]);
    assert_eq!(chosen(&one, &[instance("i-1", 1)], Some("i-1")), Err("web has no other member".into()));
    let two = plain(vec![member("i-1"), Member { lifecycle: Lifecycle::Standby, ..member("i-2") }]);
    let none = "none of the 1 other members of web can be imaged: 1 in standby";
    assert_eq!(chosen(&two, &[instance("i-1", 1)], Some("i-1")), Err(none.into()));
}

#[test]
fn a_member_is_warm_at_the_end_of_the_warmup_and_old_an_hour_before_the_end_of_its_lifetime() {
    let mut web = plain(vec![member("i-1")]);
    web.lifetime_seconds_max = Some(DAY);
    let able = |seconds_ago: i64| {
        let instance = Instance { launched_at: later(now(), -seconds_ago), ..instance("i-1", 0) };
        chosen(&web, &[instance], None).is_ok()
    };
    assert_eq!((able(299), able(300)), (false, true));
    assert_eq!((able(DAY - 3600), able(DAY - 3599)), (true, false));
}

#[test]
fn what_an_override_launched_from_its_own_template_or_image_is_not_imaged() {
    use VersionRef::{Default, Latest, Number};
    let able = |overrides: &[Override], of: (&str, u64), image: &str| {
        let member = Member { template: Some((of.0.into(), of.1)), ..member("i-1") };
        let instance = Instance { image: Some(image.into()), ..instance("i-1", 1) };
        chosen(&group(mixed(Default, overrides.to_vec()), vec![member]), &[instance], None).is_ok()
    };
    let one = |other: Override| [other];
    // Another template, by number and as it moves on.
    assert!(!able(&one(with_template("lt-own", Number(3))), ("lt-own", 3), "ami-base"));
    assert!(able(&one(with_template("lt-own", Number(3))), ("lt-own", 2), "ami-base"));
    assert!(able(&one(with_template("lt-own", Number(3))), ("lt-1", 3), "ami-base"));
    for follows in [Default, Latest] {
        assert!(!able(&one(with_template("lt-own", follows)), ("lt-own", 2), "ami-base"));
        assert!(able(&one(with_template("lt-own", follows)), ("lt-1", 2), "ami-base"));
        // The base's own template: nobody can say which of the two it was launched from.
        assert!(able(&one(with_template("lt-1", follows)), ("lt-1", 2), "ami-base"));
    }
    assert!(!able(&one(with_template("lt-1", Number(2))), ("lt-1", 2), "ami-base"), "the base's template, by number");
    // An image of its own.
    assert!(!able(&one(with_image("ami-own")), ("lt-1", 1), "ami-own"));
    assert!(able(&one(with_image("ami-own")), ("lt-1", 1), "ami-base"));
    // Of whom no image is told, an override without one is no reason.
    let web = group(mixed(Default, vec![of_type("m5.large")]), vec![member("i-1")]);
    assert!(chosen(&web, &[Instance { image: None, ..instance("i-1", 1) }], None).is_ok());
    // A group without a policy asks nothing of the kind.
    assert!(chosen(&plain(vec![member("i-1")]), &[instance("i-1", 1)], None).is_ok());
}

#[test]
fn what_can_never_be_published_to_is_refused_with_what_to_do() {
    use VersionRef::{Default, Latest, Number};
    let mut stateful = plain(Vec::new());
    stateful.tags.insert(TAG_STATEFUL.into(), String::new());
    let of = |launches_from: LaunchSource| group(launches_from, Vec::new());
    let follows = |base: VersionRef, own: VersionRef| of(mixed(base, vec![with_template("lt-1", own)]));
    let refused: Vec<String> = [
        ("a template", plain(Vec::new())),
        ("its tag", stateful),
        ("a policy", of(mixed(Latest, vec![of_type("m5.large"), with_image("ami-own")]))),
        ("another template", of(mixed(Number(1), vec![with_template("lt-own", Latest)]))),
        ("its latest", follows(Number(1), Latest)),
        ("its default beside a number", follows(Number(1), Default)),
        ("its default beside its latest", follows(Latest, Default)),
        ("its default beside its default", follows(Default, Default)),
        ("a number of it", follows(Default, Number(1))),
        ("a configuration", of(LaunchSource::Configuration("old".into()))),
        ("who knows", of(LaunchSource::Unreadable("two of them".into()))),
    ]
    .iter()
    .map(|(name, group)| format!("{name}: {}\n", unpublishable(group).unwrap_or_else(|| "-".into())))
    .collect();
    expect![[r#"
        a template: -
        its tag: web bears the tag lastgood:stateful: an image of one instance must not replace the state of the others; write 'publish: none' for it, or take the tag off
        a policy: -
        another template: -
        its latest: an override of web follows the newest version of lt-1, the template of the base, and would get the base's image; let it name its version by number, or give it a template of its own
        its default beside a number: -
        its default beside its latest: -
        its default beside its default: an override of web follows the newest version of lt-1, the template of the base, and would get the base's image; let it name its version by number, or give it a template of its own
        a number of it: -
        a configuration: web launches from launch configuration old, which can't be given another image; give the group a launch template, or write 'publish: none'
        who knows: what web launches from can't be read: two of them; write 'publish: none' for it
    "#]].assert_eq(&refused.concat());
    expect!["instance refresh r-1 of web is under way, and its plan does not say 'during_refresh: true'"]
        .assert_eq(&refreshing(&"web".into(), &"r-1".into()));
}

#[test]
fn a_version_that_takes_its_image_from_a_parameter_is_refused_with_the_parameter() {
    let of = |image: Option<&str>| resolves(&TemplateVersion { image: image.map(Into::into), ..version(Vec::new()) });
    assert_eq!((of(None), of(Some("ami-1"))), (None, None));
    expect!["version 4 of the template takes its image from resolve:ssm:/images/web; write an image id into the template, or 'publish: {ssm: /images/web}'"].assert_eq(&of(Some("resolve:ssm:/images/web")).expect("refused"));
}

#[test]
fn an_image_does_not_go_into_a_version_whose_root_volume_is_smaller() {
    let of = |gib| version(vec![TemplateDevice { gib, ..device("/dev/xvda", None) }]);
    let small = |gib| too_small(&of(gib), &image());
    assert_eq!([None, Some(8), Some(100)].map(small), [None, None, None]);
    expect!["version 4 of the template gives /dev/xvda 7 GiB, and the image needs 8 there; make it at least as large, or leave the size out"].assert_eq(&small(Some(7)).expect("too small"));
}

#[test]
fn a_version_that_maps_data_itself_hides_that_of_the_image() {
    let maps = |device: TemplateDevice| maps(&version(vec![device])).is_some();
    assert_eq!((maps(device("/dev/sda1", None)), maps(device("/dev/xvda", None))), (false, false));
    assert_eq!((maps(device("/dev/xvda", Some("snap-x"))), maps(device("/dev/xvdf", None))), (true, true));

    let hides = |device: TemplateDevice| hides(&version(vec![device]), &image());
    let is_hidden = |name: &str, snapshot: Option<&str>| hides(device(name, snapshot)).is_some();
    assert!(!is_hidden("/dev/xvda", None), "the root's size, say");
    assert!(!is_hidden("/dev/xvda", Some("snap-root")) && !is_hidden("/dev/xvdf", Some("snap-data")));
    assert!(is_hidden("/dev/xvda", Some("snap-other")) && is_hidden("/dev/xvdf", Some("snap-other")));
    assert!(is_hidden("/dev/xvdf", None), "it would begin empty");
    assert!(!is_hidden("/dev/xvdz", None) && !is_hidden("/dev/xvdz", Some("snap-x")), "no device of the image's");
    expect!["version 4 of the template maps /dev/xvdf itself, so that instances would begin without the image's data there; take that mapping out of the template, or write 'publish: none'"].assert_eq(&hides(device("/dev/xvdf", None)).expect("hidden"));
}

#[test]
fn a_template_that_two_groups_share_is_refused_if_one_of_them_follows_it() {
    use VersionRef::{Default, Latest, Number};
    let of = |name: &str, from: LaunchSource| Group { name: name.into(), ..group(from, Vec::new()) };
    let web = |version: VersionRef| of("web", LaunchSource::Template(named("lt-1", version)));
    let undone = |found: &Group, other: Group| undone_by(found, &[found.clone(), other]).is_some();
    for (ours, theirs, is) in [
        (Number(1), Number(1), false),
        (Number(1), Default, true),
        (Number(1), Latest, true),
        (Default, Number(1), true),
        (Latest, Number(1), true),
    ] {
        let template = LaunchSource::Template(named("lt-1", theirs));
        assert_eq!(undone(&web(ours), of("api", template)), is, "{ours:?} {theirs:?}");
        let in_override = mixed_with("lt-2", vec![with_template("lt-1", theirs)]);
        assert_eq!(undone(&web(ours), of("api", in_override)), is, "in an override: {ours:?} {theirs:?}");
    }
    assert!(!undone(&web(Latest), of("api", LaunchSource::Template(named("lt-2", Latest)))), "another template");
    assert!(!undone(&web(Latest), of("api", LaunchSource::Configuration("old".into()))));
    assert!(undone_by(&web(Latest), &[web(Latest)]).is_none(), "itself");
    let old = of("web", LaunchSource::Configuration("old".into()));
    assert!(!undone(&old, web(Latest)), "it has no template");
    let both = [web(Latest), of("api", LaunchSource::Template(named("lt-1", Number(1))))];
    expect!["it shares launch template lt-1 with group/api, and one of them follows $Latest or $Default: each would get the other's image; give each group a template of its own, or let both name their version by number"].assert_eq(&undone_by(&both[0], &both).expect("refused"));
}

fn mixed_with(template: &str, overrides: Vec<Override>) -> LaunchSource {
    LaunchSource::Mixed(MixedPolicy { base: named(template, VersionRef::Number(1)), overrides })
}

#[test]
fn overrides_that_stand_alone_are_left_alone_and_their_types_do_not_count() {
    let requirements = Override { instance_type: None, ..with_image("ami-own") };
    let overrides = vec![
        of_type("m5.large"),
        of_type("c5.large"),
        with_template("lt-own", VersionRef::Number(1)),
        with_image("ami-own"),
        requirements,
    ];
    let web = group(mixed(VersionRef::Default, overrides), Vec::new());
    assert_eq!(
        left_alone(&web),
        [
            "m6g.large has a template of its own",
            "m6g.large has an image of its own",
            "an override has an image of its own"
        ]
    );
    assert_eq!(types_of_base(&web, &version(Vec::new())), ["c5.large", "m5.large"], "each once, in order");
    assert_eq!(left_alone(&plain(Vec::new())), Vec::<String>::new());
    assert_eq!(types_of_base(&plain(Vec::new()), &version(Vec::new())), ["m5.large"]);
}

#[test]
fn a_type_that_cannot_run_the_image_is_named() {
    let types = ["m5.large".to_owned(), "m6g.large".to_owned(), "z9.large".to_owned()];
    let all = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let runs = |name: &str, architectures: &[&str], modes: &[&str]| {
        (name.to_owned(), Runs { architectures: all(architectures), boot_modes: all(modes) })
    };
    let known: BTreeMap<String, Runs> =
        [runs("m5.large", &["i386", "x86_64"], &["legacy-bios"]), runs("m6g.large", &["arm64"], &[])].into();
    expect!["the image is for x86_64, and the group launches m6g.large too, which can't run that; give that type a launch template of its own"].assert_eq(&unable_type(&types, &known, &image()).expect("one can't"));
    assert_eq!(unable_type(&types[..1], &known, &image()), None);
    assert_eq!(unable_type(&types[2..], &known, &image()), None, "nobody knows what it runs");
    assert_eq!(unable_type(&types, &known, &Image { architecture: None, ..image() }), None);
    let boots = |mode: &str| Image { architecture: None, boot_mode: Some(mode.into()), ..image() };
    expect!["the image boots by uefi, and the group launches m5.large too, which can't; give that type a launch template of its own"].assert_eq(&unable_type(&types, &known, &boots("uefi")).expect("one can't"));
    for mode in ["legacy-bios", "uefi-preferred"] {
        assert_eq!(unable_type(&types, &known, &boots(mode)), None, "{mode}");
    }
    assert_eq!(unable_type(&types[1..], &known, &boots("uefi")), None, "AWS does not tell how it boots");
}

#[test]
fn a_group_is_found_by_its_name_alone() {
    let groups = [Group { name: "web-2".into(), ..plain(Vec::new()) }, plain(Vec::new())];
    assert_eq!(named_group(&groups, "web").as_deref(), Some("web"));
    assert_eq!(named_group(&groups, "we"), None);
}

fn named_group(groups: &[Group], name: &str) -> Option<String> {
    super::named(groups, &name.into()).map(|group| group.name.to_string())
}
