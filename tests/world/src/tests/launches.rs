//! What instances are launched from: policies, architectures, devices, parameters, configurations.

use std::collections::BTreeMap;

use lastgood_core::facts::{self, LaunchSource, VersionRef};
use lastgood_core::id::{ImageId, InstanceId, TemplateId};
use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::autoscaling::{GroupsNamed, LaunchConfigurations, SetMixedVersion};
use lastgood_engine::call::ec2::{self, ImagesById, InstancesById, TypesRun, VersionOf};
use lastgood_engine::call::ssm;

use super::{code, ready, version_of, world};
use crate::*;

/// Image, type and architecture of each member of `web`, as they were launched.
fn launched(world: &World) -> Vec<(ImageId, String, Architecture)> {
    let instances = world.instances();
    let members = world.group_view("web").expect("there").members;
    let found = members.iter().map(|member| {
        let instance = instances.iter().find(|instance| instance.id == member.instance).expect("launched");
        assert_eq!((&member.image, &member.instance_type), (&instance.image, &instance.instance_type));
        (instance.image.clone(), instance.instance_type.clone(), instance.architecture)
    });
    found.collect()
}

fn volumes(world: &World, id: &InstanceId) -> Vec<Volume> {
    let found = world.instances().into_iter().find(|instance| instance.id == *id);
    found.expect("launched").volumes
}

#[test]
fn a_policy_launches_its_overrides_in_turn() {
    let world = world();
    let (intel, arm, own) = (world.base_image(), world.base_image_of(Architecture::Arm64), world.base_image());
    let (base, graviton) = (by_number(&world.template("x86", &intel), 1), by_number(&world.template("arm", &arm), 1));
    let overrides = vec![
        Override::of_type("m6i.large"),
        Override::of_type("m7g.large").with_template(&graviton),
        Override::of_type("c5.large").with_image(&own),
    ];
    let group = world.mixed_group("web", &base, overrides, 4);
    let of = |image: &ImageId, name: &str, architecture| (image.clone(), name.to_owned(), architecture);
    let first = of(&intel, "m6i.large", Architecture::X86_64);
    let others = [of(&arm, "m7g.large", Architecture::Arm64), of(&own, "c5.large", Architecture::X86_64)];
    assert_eq!(launched(&world), [&[first.clone()][..], &others, &[first]].concat());
    let templates: Vec<_> = group.members.iter().map(|member| member.template.clone().expect("launched").0).collect();
    let (base, graviton) = (base.template, graviton.template);
    assert_eq!(templates, [base.clone(), graviton.clone(), base.clone(), base]);
    assert_eq!((world.group_image("web"), world.group_images("web")), (Some(intel.clone()), vec![intel, arm, own]));
    let fact = ready(world.call(&GroupsNamed(vec!["web".into()]))).expect("answered").expect("told").remove(0);
    assert_eq!(fact.members[1].template, Some((graviton, 1)));
    let LaunchSource::Mixed(facts::MixedPolicy { overrides, .. }) = fact.launches_from else { panic!("a policy") };
    let alone: Vec<bool> = overrides.iter().map(facts::Override::stands_alone).collect();
    assert_eq!(alone, [false, true, true]);
}

#[test]
fn a_type_of_another_architecture_can_not_be_launched() {
    let world = world();
    let image = world.base_image();
    let base = by_number(&world.template("web", &image), 1);
    let overrides = vec![Override::of_type("m5.large"), Override::of_type("m7g.large")];
    world.mixed_group("web", &base, overrides, 1);
    world.autoscaling().set_desired_capacity("web", 2).expect("set");
    world.advance(10);
    let failures = world.launch_failures();
    assert_eq!((failures.len(), failures[0].image.as_str()), (1, image.as_str()));
    let words = "The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64'";
    assert!(failures[0].message.starts_with(words), "{}", failures[0].message);
    assert!(failures[0].message.ends_with("of the instance type or AMI. Launching EC2 instance failed."));
    // The next try is the next one's turn.
    world.advance(60);
    assert_eq!((launched(&world).len(), world.launch_failures().len()), (2, 1));
    let launch =
        |name: &str| world.ec2().run_instance(Launch { instance_type: Some(name.to_owned()), ..Launch::of(&image) });
    assert_eq!(code(launch("t4g.nano")), "InvalidParameterValue");
    assert_eq!(code(launch("t1.none")), "InvalidParameterValue");
    assert_eq!(launch("t3.nano").expect("launched").architecture, Architecture::X86_64);
}

#[test]
fn requirements_are_met_by_what_fits_the_image() {
    let world = world();
    let base = by_number(&world.template("web", &world.base_image_of(Architecture::Arm64)), 1);
    let rest = Verbatim::from([("InstanceRequirements.VCpuCount.Min".to_owned(), "2".to_owned())]);
    world.mixed_group("web", &base, vec![Override { rest, ..Override::default() }], 1);
    assert_eq!(launched(&world)[0].1, "m7g.large");
    let neither = MixedPolicy { base, overrides: vec![Override::default()], distribution: Verbatim::new() };
    let request = CreateGroup::of("none", LaunchFromText::Mixed((&neither).into()), 0);
    assert_eq!(code(world.autoscaling().create_group(&request)), "ValidationError");
}

#[test]
fn a_policy_gets_another_version_and_keeps_all_else() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    let template = world.template("web", &old);
    let own = by_number(&world.template("own", &old), 1);
    let rest = Verbatim::from([("WeightedCapacity".to_owned(), "2".to_owned())]);
    let policy = MixedPolicy {
        base: by_number(&template, 1),
        overrides: vec![
            Override { rest, ..Override::of_type("m5.large") },
            Override::of_type("c5.large").with_template(&own),
        ],
        distribution: Verbatim::from([("OnDemandBaseCapacity".to_owned(), "1".to_owned())]),
    };
    let group = world.group_with(&CreateGroup::of("web", LaunchFromText::Mixed((&policy).into()), 2));
    version_of(&world, &template, &new);
    let set = |template: &TemplateId, base, version| {
        ready(world.call(&SetMixedVersion {
            group: group.name.clone(),
            template: template.clone(),
            named: VersionRef::Number(base),
            version,
        }))
        .expect("answered")
    };
    set(&template, 1, 2).expect("set");
    let expected = MixedPolicy { base: by_number(&template, 2), ..policy };
    assert_eq!(world.group_view("web").expect("there").from, LaunchFrom::Mixed(expected));
    assert_eq!(world.group_image("web"), Some(new));

    assert_eq!(set(&own.template, 2, 1).expect_err("not its base").why, Why::WrongState);
    assert_eq!(set(&template, 1, 3).expect_err("another version now").why, Why::WrongState);
    assert_eq!(set(&template, 2, 9).expect_err("no such version").why, Why::Invalid);
    world.lock_group("web");
    assert_eq!(set(&template, 2, 1).expect_err("held").why, Why::Locked);
    world.unlock_group("web");
    world.group("plain", &by_number(&template, 1), 0);
    let missing = |name: &str| {
        ready(world.call(&SetMixedVersion {
            group: name.into(),
            template: template.clone(),
            named: VersionRef::Number(1),
            version: 1,
        }))
        .expect("answered")
    };
    assert_eq!(missing("plain").expect_err("no policy").why, Why::WrongState);
    assert_eq!(missing("none").expect_err("no group").why, Why::Missing);
}

#[test]
fn a_template_maps_devices_over_those_of_the_image() {
    let world = world();
    let image = world.base_image();
    let [root, data] = world.image(&image).expect("there").snapshots().try_into().expect("two volumes");
    let theirs = world.old_snapshot(5);
    let devices = vec![
        Device::sized("/dev/xvda", 100),
        Device::sized("/dev/xvdb", 50),
        Device::of_snapshot("/dev/xvdc", &theirs),
    ];
    let template = world.template_with("web", &TemplateData { devices, ..world.launched_from(&image) });
    let group = world.group("web", &by_number(&template, 1), 1);
    let told = |id: &InstanceId| {
        let volumes = volumes(&world, id).into_iter();
        volumes.map(|volume| (volume.device_name, volume.from_snapshot, volume.gib)).collect::<Vec<_>>()
    };
    let volume = |name: &str, snapshot: Option<&_>, gib| (name.to_owned(), Option::<&_>::cloned(snapshot), gib);
    let expected =
        [volume("/dev/xvda", Some(&root), 100), volume("/dev/xvdb", None, 50), volume("/dev/xvdc", Some(&theirs), 5)];
    assert_eq!(told(&group.members[0].instance), expected);
    // Without a word of the template the image says all.
    assert_eq!(
        told(&world.instance(&image)),
        [volume("/dev/xvda", Some(&root), 8), volume("/dev/xvdb", Some(&data), 20)]
    );
    let omitted = world.instance_with(&image, vec![Device::omitted("/dev/xvdb")]);
    assert_eq!(told(&omitted), [volume("/dev/xvda", Some(&root), 8)]);
    let small = Launch { devices: vec![Device::sized("/dev/xvda", 7)], ..Launch::of(&image) };
    assert_eq!(code(world.ec2().run_instance(small)), "InvalidBlockDeviceMapping");

    // A version that is made of this one has its devices, but not their snapshots.
    let version = ready(world.call(&ec2::CreateVersion {
        template: template.clone(),
        base: 1,
        image: image.clone(),
        token: "t".to_owned(),
        description: String::new(),
    }));
    let version = VersionRef::Number(version.expect("answered").expect("made"));
    let found = ready(world.call(&VersionOf { template: template.clone(), version })).expect("answered").expect("told");
    let names: Vec<_> = found.devices.iter().map(|device| (device.name.as_str(), &device.snapshot)).collect();
    assert_eq!(names, [("/dev/xvda", &None), ("/dev/xvdb", &None), ("/dev/xvdc", &None)]);
    let first = ready(world.call(&VersionOf { template: template.clone(), version: VersionRef::Number(1) }))
        .expect("answered")
        .expect("told");
    assert_eq!(first.devices[2].snapshot, Some(theirs));
}

#[test]
fn an_image_keeps_architecture_root_and_devices_of_its_instance() {
    let world = world();
    let instance = world.instance(&world.base_image_of(Architecture::Arm64));
    let image = world.ec2().create_image(super::request(&instance, "web-1")).expect("made");
    world.advance(10);
    let told = || ready(world.call(&ImagesById(vec![image.clone()]))).expect("answered").expect("told").remove(0);
    assert_eq!(told().devices, []);
    world.advance(100);
    let told = told();
    assert_eq!((told.architecture.as_deref(), told.root_device.as_deref()), (Some("arm64"), Some("/dev/xvda")));
    let names: Vec<_> = told.devices.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/dev/xvda", "/dev/xvdb"]);
    let again = world.instance(&image);
    let from: Vec<_> = volumes(&world, &again).into_iter().filter_map(|volume| volume.from_snapshot).collect();
    assert_eq!(from, told.snapshots);
    let fact = ready(world.call(&InstancesById(vec![again]))).expect("answered").expect("told").remove(0);
    assert_eq!(fact.image, Some(image));
}

#[test]
fn types_are_told_with_their_architectures() {
    let world = world();
    let names = ["t3.micro", "c7g.large", "x9.huge"].map(str::to_owned);
    let found = ready(world.call(&TypesRun(names.into()))).expect("answered").expect("told");
    let runs = |architecture: &str, boot_modes: &[&str]| facts::Runs {
        architectures: vec![architecture.to_owned()],
        boot_modes: boot_modes.iter().map(|mode| (*mode).to_owned()).collect(),
    };
    let expected = [("t3.micro", runs("x86_64", &["legacy-bios", "uefi"])), ("c7g.large", runs("arm64", &["uefi"]))];
    assert_eq!(found, BTreeMap::from(expected.map(|(name, runs)| (name.to_owned(), runs))));
    let named = |names: &[&str]| DescribeInstanceTypes {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DescribeInstanceTypes::default()
    };
    let unknown = world.ec2().describe_instance_types(&named(&["m5.large", "x9.huge"])).expect_err("unknown");
    let words = "The following supplied instance types do not exist: [x9.huge]";
    assert_eq!((unknown.code.as_str(), unknown.message.as_str()), ("InvalidInstanceType", words));
    let arm = Filter::new("processor-info.supported-architecture", "arm64");
    let arm = DescribeInstanceTypes { filters: vec![arm], ..DescribeInstanceTypes::default() };
    assert_eq!(world.ec2().describe_instance_types(&arm).expect("told").items.len(), 50);
}

#[test]
fn an_image_may_be_named_by_a_parameter() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    world.put_parameter("/web/image", old.as_str(), "aws:ec2:image");
    let named = |text: &str| TemplateData { image: Some(text.to_owned()), ..world.launched_from(&old) };
    let (latest, first) = (named("resolve:ssm:/web/image"), named("resolve:ssm:/web/image:1"));
    let latest = world.template_with("latest", &latest);
    let first = world.template_with("first", &first);
    world.group("web", &by_number(&latest, 1), 1);
    world.group("fixed", &by_number(&first, 1), 1);
    let parameter = facts::Parameter { value: new.to_string(), data_type: "aws:ec2:image".to_owned() };
    ready(world.call(&ssm::PutParameter { name: "/web/image".to_owned(), parameter })).expect("answered").expect("set");
    assert_eq!((world.group_image("web"), world.group_image("fixed")), (Some(new.clone()), Some(old.clone())));
    world.autoscaling().set_desired_capacity("web", 2).expect("set");
    world.advance(10);
    let images: Vec<_> = launched(&world).into_iter().map(|(image, _, _)| image).collect();
    assert_eq!(images, [old, new.clone()]);
    let told = ready(world.call(&VersionOf { template: latest.clone(), version: VersionRef::Number(1) }))
        .expect("answered")
        .expect("told");
    assert_eq!(told.image.as_deref(), Some("resolve:ssm:/web/image"));
    let resolved = DescribeVersions {
        template: TemplateName::Id(latest.to_string()),
        versions: Vec::new(),
        min: None,
        max: None,
        filters: Vec::new(),
        resolve_alias: true,
        paging: Paging::default(),
    };
    let resolved = world.ec2().describe_template_versions(&resolved).expect("told").items.remove(0);
    assert_eq!(resolved.data.image, Some(new.to_string()));
    let none = Launch { image: "resolve:ssm:/none".to_owned(), ..Launch::of(&new) };
    assert_eq!(code(world.ec2().run_instance(none)), "InvalidParameterValue");
}

#[test]
fn a_launch_configuration_is_told_and_launched_from() {
    let world = world();
    let image = world.base_image();
    let from = world.launch_configuration("old", &image);
    let group = world.group_from("web", from, 1, facts::Tags::new());
    assert_eq!((launched(&world)[0].0.clone(), group.members[0].template.clone()), (image.clone(), None));
    let told = ready(world.call(&LaunchConfigurations)).expect("answered").expect("told");
    assert_eq!(told, [facts::Configuration { name: "old".to_owned(), image: image.to_string() }]);
    let fact = ready(world.call(&GroupsNamed(vec!["web".into()]))).expect("answered").expect("told").remove(0);
    assert_eq!(fact.launches_from, LaunchSource::Configuration("old".to_owned()));
}
