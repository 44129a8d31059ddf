//! The rules that are easiest to get wrong. What the door tells of the others is in `tests/suite/door.rs`.

mod groups;
mod launches;
mod limits;
mod refreshes;
mod table;
mod witness;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lastgood_core::facts::Tags;
use lastgood_core::id::{ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::ec2::{self, ImagesById, SnapshotsById, VersionsWith};

use crate::*;

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

/// Polls once: the ports of the world are never pending.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a port of the world was pending"),
    }
}

fn request(instance: &InstanceId, name: &str) -> CreateImage {
    CreateImage {
        instance: instance.to_string(),
        name: name.to_owned(),
        description: String::new(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags: vec![("snapshot".to_owned(), Tags::from([("of".to_owned(), name.to_owned())]))],
    }
}

/// A copy of the template's first version with another image. Returns its number.
fn version_of(world: &World, template: &TemplateId, image: &ImageId) -> u64 {
    let data = TemplateData { image: Some(image.to_string()), ..TemplateData::default() };
    let asked = CreateVersion {
        template: TemplateName::Id(template.to_string()),
        source: Some("1".into()),
        data,
        description: String::new(),
        token: None,
    };
    world.ec2().create_template_version(asked).expect("made").number
}

fn code<T: std::fmt::Debug>(result: Result<T, AwsError>) -> String {
    result.expect_err("AWS refuses this").code
}

fn described(world: &World, id: &ImageId) -> Result<Vec<Image>, AwsError> {
    let asks = DescribeImages { ids: vec![id.to_string()], ..DescribeImages::default() };
    world.ec2().describe_images(&asks).map(|page| page.items)
}

fn states(world: &World, image: &ImageId) -> Vec<SnapshotState> {
    let ids = world.image(image).expect("there").snapshots();
    let all = world.snapshots();
    ids.iter().filter_map(|id| all.iter().find(|snapshot| snapshot.id == *id)).map(|found| found.state).collect()
}

#[test]
fn a_name_is_taken_at_once_and_for_a_minute_after_its_image_is_gone() {
    let world = world();
    let instance = world.instance(&world.base_image());
    let first = world.ec2().create_image(request(&instance, "web-1")).expect("made");
    // Nobody can see it yet, and its name is taken all the same.
    assert_eq!(code(described(&world, &first)), "InvalidAMIID.NotFound");
    let error = world.ec2().create_image(request(&instance, "web-1")).expect_err("taken");
    assert_eq!(error.code, "InvalidAMIName.Duplicate");
    assert!(error.message.contains(first.as_str()), "{}", error.message);
    world.advance(200);
    world.ec2().deregister_image(first.as_str()).expect("deregistered");
    world.advance(59);
    assert_eq!(code(world.ec2().create_image(request(&instance, "web-1"))), "InvalidAMIName.Duplicate");
    world.advance(1);
    world.ec2().create_image(request(&instance, "web-1")).expect("free again");
    assert_eq!(world.calls()["ec2:CreateImage"], 4);
    assert_eq!(world.reboots(), []);
}

#[test]
fn an_image_may_be_available_before_its_snapshots_complete_or_after() {
    for (lag, when_available) in [(30, SnapshotState::Pending), (-10, SnapshotState::Completed)] {
        let world = world();
        world.change_settings(|settings| settings.snapshot_lag_seconds = lag);
        let instance = world.instance(&world.base_image());
        let image = world.ec2().create_image(request(&instance, "web-1")).expect("made");
        // 60 s, and 1 s for each of 8 and 20 GiB.
        world.advance(87);
        let pending = &described(&world, &image).expect("visible")[0];
        assert_eq!((pending.state, pending.snapshots()), (ImageState::Pending, vec![]));
        assert!(world.take_events().is_empty());
        world.advance(1);
        let available = &described(&world, &image).expect("visible")[0];
        assert_eq!((available.state, available.snapshots().len()), (ImageState::Available, 2));
        assert_eq!(states(&world, &image), [when_available; 2]);
        let events = world.take_events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["detail"]["State"], "available");
        assert_eq!(events[0]["resources"][0], format!("arn:aws:ec2:us-east-1::image/{image}"));
        world.advance(30);
        assert_eq!(states(&world, &image), [SnapshotState::Completed; 2]);
    }
}

#[test]
fn an_instance_lost_meanwhile_fails_its_image_and_orphans_the_snapshots() {
    let world = world();
    let instance = world.instance(&world.base_image());
    let image = world.ec2().create_image(request(&instance, "web-1")).expect("made");
    let ids = world.image(&image).expect("there").snapshots();
    world.advance(10);
    world.kill(&instance);
    let failed = &described(&world, &image).expect("visible")[0];
    assert_eq!(failed.state, ImageState::Failed);
    assert_eq!(failed.reason.as_ref().expect("a reason").code, "Client.InstanceTerminated");
    assert_eq!(world.take_events()[0]["detail"]["State"], "failed");
    world.advance(200);
    let asks = DescribeSnapshots { filters: vec![Filter::new("tag:of", "web-1")], ..DescribeSnapshots::default() };
    let orphans = world.ec2().describe_snapshots(&asks).expect("told").items;
    assert_eq!(orphans.iter().map(|snapshot| snapshot.state).collect::<Vec<_>>(), [SnapshotState::Completed; 2]);
    assert_eq!(world.ec2().deregister_image_and_snapshots(image.as_str()).expect("gone"), []);
    for id in &ids {
        world.ec2().delete_snapshot(id.as_str()).expect("nobody's");
    }
}

#[test]
fn a_shared_snapshot_stays_until_its_last_image_goes() {
    let world = world();
    let one = world.base_image();
    let other = world.image_sharing(&one, "another");
    let ids = world.image(&one).expect("there").snapshots();
    let told = world.ec2().deregister_image_and_snapshots(one.as_str()).expect("deregistered");
    assert_eq!(told, ids.iter().map(|id| (id.clone(), "skipped".to_owned())).collect::<Vec<_>>());
    let error = world.ec2().delete_snapshot(ids[0].as_str()).expect_err("in use");
    assert_eq!(error.code, "InvalidSnapshot.InUse");
    assert!(error.message.contains(other.as_str()), "{}", error.message);
    // A disabled image uses them too.
    world.ec2().disable_image(other.as_str()).expect("disabled");
    assert_eq!(code(world.ec2().delete_snapshot(ids[0].as_str())), "InvalidSnapshot.InUse");
    let told = world.ec2().deregister_image_and_snapshots(other.as_str()).expect("deregistered");
    assert!(told.iter().all(|(_, code)| code == "success"), "{told:?}");
    assert_eq!(code(world.ec2().delete_snapshot(ids[0].as_str())), "InvalidSnapshot.NotFound");
    assert_eq!(code(world.ec2().deregister_image(one.as_str())), "InvalidAMIID.Unavailable");
    assert_eq!(described(&world, &one).expect("no error"), []);
}

#[test]
fn a_snapshot_that_is_deleted_while_pending_goes_when_it_completes() {
    let world = world();
    let instance = world.instance(&world.base_image());
    let image = world.ec2().create_image(request(&instance, "web-1")).expect("made");
    let before = world.snapshots().len();
    world.ec2().deregister_image_and_snapshots(image.as_str()).expect("deregistered");
    assert_eq!(world.snapshots().len(), before);
    world.advance(200);
    assert_eq!(world.snapshots().len(), before - 2);
}

#[test]
fn a_volume_is_snapshot_every_15_seconds_at_most_and_5_times_at_once() {
    let world = world();
    world.change_settings(|settings| settings.image_seconds = 3600);
    let instance = world.instance(&world.base_image());
    for number in 1..=5 {
        world.ec2().create_image(request(&instance, &format!("web-{number}"))).expect("made");
        world.advance(14);
        let early = world.ec2().create_image(request(&instance, "early"));
        assert_eq!(code(early), "SnapshotCreationPerVolumeRateExceeded");
        world.advance(1);
    }
    assert_eq!(code(world.ec2().create_image(request(&instance, "sixth"))), "ConcurrentSnapshotLimitExceeded");
    world.advance(3600);
    world.ec2().create_image(request(&instance, "sixth")).expect("made");
}

#[test]
fn a_token_makes_one_version_and_never_two() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    let id = world.template("web", &old);
    let template = TemplateName::Id(id.to_string());
    let asks = |image: &ImageId| CreateVersion {
        template: template.clone(),
        source: Some("1".to_owned()),
        data: TemplateData { image: Some(image.to_string()), ..TemplateData::default() },
        description: "new".to_owned(),
        token: Some("t-1".to_owned()),
    };
    world.lose_next("ec2:CreateLaunchTemplateVersion", 1);
    assert_eq!(code(world.ec2().create_template_version(asks(&new))), "InternalError");
    let made = world.ec2().create_template_version(asks(&new)).expect("the same one");
    assert_eq!((made.number, made.data.image), (2, Some(new.to_string())));
    // What was not given is inherited.
    assert_eq!(made.data.instance_type.as_deref(), Some("m5.large"));
    assert_eq!(code(world.ec2().create_template_version(asks(&old))), "IdempotentParameterMismatch");
    assert_eq!(world.template_versions(&id).len(), 2);
    let bare = CreateVersion { source: None, token: None, ..asks(&new) };
    assert_eq!(world.ec2().create_template_version(bare).expect("made").data.instance_type, None);
}

#[test]
fn a_template_is_full_at_10_000_versions_and_told_in_pages_newest_first() {
    let world = world();
    let id = world.template("web", &world.base_image());
    let template = TemplateName::Id(id.to_string());
    let asks = || CreateVersion {
        template: template.clone(),
        source: Some("1".to_owned()),
        data: TemplateData::default(),
        description: String::new(),
        token: None,
    };
    for _ in 1..10_000 {
        world.ec2().create_template_version(asks()).expect("room");
    }
    assert_eq!(code(world.ec2().create_template_version(asks())), "MaxTemplateVersionLimitExceeded");
    let image = world.template_versions(&id)[0].data.image.clone().expect("an image");
    let found =
        ready(world.call(&VersionsWith { template: id, image: ImageId(image) })).expect("answered").expect("told");
    assert_eq!(found.len(), 10_000);
    assert!(found.windows(2).all(|pair| pair[0].number == pair[1].number + 1));
    assert_eq!(world.calls()["ec2:DescribeLaunchTemplateVersions"], 50);
    let results = world.ec2().delete_template_versions(&template, &[1, 2, 20_000]).expect("answered");
    let expected = [(1, Err("unexpectedError")), (2, Ok(())), (20_000, Err("launchTemplateVersionDoesNotExist"))];
    assert_eq!(results, expected);
    assert_eq!(world.ec2().create_template_version(asks()).expect("room again").number, 10_001);
}

#[test]
fn pages_are_read_to_the_end_however_short_they_are() {
    let world = world();
    world.change_settings(|settings| settings.page_items_max = 2);
    let images: Vec<ImageId> = (0..7).map(|_| world.base_image()).collect();
    let found = ready(world.call(&ImagesById(images))).expect("answered").expect("told");
    assert_eq!(found.len(), 7);
    assert_eq!(world.calls()["ec2:DescribeImages"], 4);
    let snapshots: Vec<SnapshotId> = found.iter().flat_map(|image| image.snapshots.clone()).collect();
    assert_eq!(ready(world.call(&SnapshotsById(snapshots))).expect("answered").expect("told").len(), 14);
}

#[test]
fn faults_hit_the_calls_that_they_are_for() {
    let world = world();
    let image = world.base_image();
    let instance = world.instance(&image);
    let asks = ec2::CreateImage {
        instance: instance.clone(),
        name: "web-1".to_owned(),
        description: String::new(),
        tags: Tags::from([("a".to_owned(), "b".to_owned())]),
    };
    world.deny("ec2:CreateTags", "*");
    let refusal = ready(world.call(&asks)).expect("answered").expect_err("denied");
    assert_eq!(refusal.why, Why::Denied);
    assert!(refusal.message.contains("ec2:CreateTags on resource: arn:aws:ec2:us-east-1::image/*"), "{refusal}");
    world.allow("ec2:CreateTags");
    world.throttle_next("ec2:CreateImage", 1);
    ready(world.call(&asks)).expect_err("throttled");
    world.lose_next("ec2:CreateImage", 1);
    ready(world.call(&asks)).expect_err("lost");
    let refusal = ready(world.call(&asks)).expect("answered").expect_err("it was made");
    assert_eq!(refusal.why, Why::Taken);
    let outcomes: Vec<String> = world.log().into_iter().map(|call| call.outcome).collect();
    assert_eq!(
        outcomes,
        ["UnauthorizedOperation", "RequestLimitExceeded", "ok, answer lost", "InvalidAMIName.Duplicate"]
    );
    // Without the permission for one snapshot the image goes and the snapshot stays.
    let kept = world.image(&image).expect("there").snapshots()[0].clone();
    world.deny("ec2:DeleteSnapshot", kept.as_str());
    let told = world.ec2().deregister_image_and_snapshots(image.as_str()).expect("deregistered");
    assert_eq!(told.iter().map(|(_, code)| code.as_str()).collect::<Vec<_>>(), ["missing-permissions", "success"]);
}

#[test]
fn the_same_calls_make_the_same_world() {
    let run = || {
        let world = world();
        let instance = world.instance(&world.base_image());
        world.ec2().create_image(request(&instance, "web-1")).expect("made");
        world.advance(100_000);
        (world.images(), world.snapshots(), world.take_events())
    };
    assert_eq!(run(), run());
}
