//! Names that are long, or not plain, and things of others that bear names of ours.

use futures_util::FutureExt;
use lastgood_core::backup::{Publication, State};
use lastgood_core::facts::Tags;
use lastgood_core::id::ImageId;
use lastgood_core::name::{TAG_BACKUP, TAG_MANAGED_BY};
use lastgood_core::pace;
use lastgood_engine::Store;
use lastgood_tests::stack::{Invocation, STACK, Stack};
use lastgood_world::{AwsError, CreateImage, World, by_number};

fn world() -> World {
    World::new("2026-01-15T10:30:00Z".parse().expect("a time"))
}

/// A group of this name under an hourly plan, at 10:30.
fn group(name: &str) -> Stack {
    let world = world();
    let template = world.template("web", &world.base_image());
    world.group(name, &by_number(&template, 1), 1);
    let stack = Stack::new(world);
    let plan = format!("plans: [{{name: web, select: {{groups: ['{name}']}}, schedule: hourly}}]");
    stack.apply(&plan).expect("applied");
    stack
}

#[test]
fn a_group_whose_name_is_long_or_not_plain_is_backed_up_published_and_found_again() {
    for name in ["web".to_owned(), "grüße an alle".to_owned(), "w".repeat(255)] {
        let stack = group(&name);
        stack.run(45);
        let backup = stack.backups(&format!("group/{name}")).remove(0);
        assert!(matches!(backup.publication, Publication::Published(_)), "{name}: {:?}", backup.publication);
        let template = stack.world.group_view(&name).expect("there").from;
        let lastgood_world::LaunchFrom::Template(named) = template else { panic!("a template") };
        let made = stack.world.template_versions(&named.template).pop().expect("made");
        assert_eq!(made.data.image, backup.image().map(ToString::to_string));
        // AWS takes 255 characters, and we write those of ASCII (AWS: CreateLaunchTemplateVersion).
        let says = &made.description;
        assert!(says.is_ascii() && says.len() <= 255 && says.ends_with(" from version 1"), "{says}");
        let in_words = says.contains("group/");
        assert_eq!(in_words, name == "web", "a digest stands for what can't be written: {says}");
        // What it says of itself is how it is found when the image goes: with it goes the version.
        stack.run(60);
        let left = stack.world.template_versions(&named.template).len();
        assert_eq!(left, 3, "{name}: the first, and those of two backups");
        assert_eq!(stack.backups(&format!("group/{name}"))[0].state, State::Good);
    }
}

/// Somebody makes an image of the name that the next backup wants.
fn image_of_our_name(stack: &Stack, tags: Vec<(String, Tags)>) -> ImageId {
    let instance = stack.world.group_view("web").expect("there").members[0].instance.clone();
    let made = stack.world.ec2().create_image(CreateImage {
        instance: instance.to_string(),
        name: "lastgood-web-20260115T110000Z".to_owned(),
        description: String::new(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags,
    });
    made.expect("made")
}

#[test]
fn an_image_of_our_name_that_another_stack_made_is_not_taken_over() {
    // Tags alone prove nothing: this one bears ours, and was made before its backup was asked for.
    for (managed_by, why) in
        [("another-stack", "does not bear our tags"), (STACK, "was made before this backup was asked for")]
    {
        let stack = group("web");
        let tags = Tags::from([
            (TAG_MANAGED_BY.to_owned(), managed_by.to_owned()),
            (TAG_BACKUP.to_owned(), "group/web@20260115T110000Z".to_owned()),
        ]);
        let tags = vec![("image".to_owned(), tags.clone()), ("snapshot".to_owned(), tags)];
        let theirs = image_of_our_name(&stack, tags);
        stack.run(45);
        let backup = stack.backups("group/web").remove(0);
        assert_ne!(backup.image(), Some(&theirs), "{managed_by}: {}", backup.reason);
        assert_eq!(backup.state, State::Failed);
        assert!(backup.reason.contains(why), "{}", backup.reason);
    }
}

/// AWS makes the image and its answer is lost; then something happens.
fn answer_lost(then: impl Fn(&Stack)) -> Stack {
    let stack = group("web");
    stack.world.advance(30 * 60);
    stack.world.lose_next("ec2:CreateImage", 1);
    stack.invoke(Invocation::Tick);
    assert_eq!(stack.our_images().len(), 1, "AWS has made it");
    assert_eq!(stack.backups("group/web")[0].image(), None, "and nobody knows");
    then(&stack);
    stack.run(15);
    stack
}

#[test]
fn an_image_whose_answer_was_lost_is_found_by_its_name_before_its_backup_is_given_up() {
    let denied = answer_lost(|stack| stack.world.deny("ec2:CreateImage", "*"));
    let backup = denied.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.image()), (State::Good, Some(&denied.our_images()[0].id)), "{}", backup.reason);
    assert_eq!(denied.our_images().len(), 1);
    // One that somebody deregistered meanwhile is not taken for it, though AWS tells it for an hour yet.
    let deregister = |stack: &Stack| {
        stack.world.change_settings(|settings| settings.deregistered_visible_seconds = 3600);
        let image = stack.our_images().remove(0).id;
        stack.world.ec2().deregister_image(image.as_str()).expect("it is there");
    };
    let gone = answer_lost(|stack| {
        deregister(stack);
        stack.world.deny("ec2:CreateImage", "*");
    });
    let backup = gone.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.image()), (State::Failed, None), "{}", backup.reason);
    // Its name is free again after a while: then another one is made.
    let again = answer_lost(deregister);
    let backup = again.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.image()), (State::Good, Some(&again.our_images()[0].id)), "{}", backup.reason);
}

#[test]
fn a_name_that_is_taken_by_an_image_that_can_not_be_looked_up_is_told_as_that() {
    let stack = answer_lost(|stack| stack.world.deny("ec2:DescribeImages", "*"));
    let backup = stack.backups("group/web").remove(0);
    assert_eq!(backup.state, State::Failed);
    assert!(backup.reason.contains("ec2:DescribeImages"), "what is missing is the permission: {}", backup.reason);
}

#[test]
fn why_no_image_was_made_is_told_though_another_has_its_name() {
    let stack = group("web");
    image_of_our_name(&stack, Vec::new());
    stack.world.deny("ec2:CreateImage", "*");
    stack.run(45);
    let backup = stack.backups("group/web").remove(0);
    assert_eq!((backup.state, backup.image()), (State::Failed, None));
    let why = backup.reason;
    assert!(why.contains("ec2:CreateImage") && !why.contains("does not bear our tags"), "{why}");
}

#[test]
fn what_passes_is_waited_for_without_a_look() {
    let stack = group("web");
    stack.world.advance(30 * 60);
    let error = AwsError::new("SnapshotCreationPerVolumeRateExceeded", "one snapshot of a volume each 15 seconds");
    stack.world.fail_next("ec2:CreateImage", 1, &error);
    stack.invoke(Invocation::Tick);
    assert_eq!(stack.world.calls().get("ec2:DescribeImages"), None);
    stack.run(15);
    assert_eq!(stack.backups("group/web")[0].state, State::Good);
}

#[test]
fn a_throttled_call_is_counted_and_drains_our_share_and_another_failure_does_not() {
    let stack = Stack::of_groups(1);
    stack.world.advance(30 * 60);
    stack.world.throttle_next("ec2:CreateImage", 1);
    let report = stack.invoke(Invocation::Tick);
    assert_eq!(report.throttled, 1);
    let bucket = |stack: &Stack| {
        let bucket = stack.store.bucket("ec2:CreateImage").now_or_never().expect("ready").expect("read");
        bucket.expect("used").record
    };
    assert_eq!(bucket(&stack), pace::drained(stack.world.time()));
    let stack = Stack::of_groups(1);
    stack.world.advance(30 * 60);
    stack.world.deny("ec2:CreateImage", "*");
    let report = stack.invoke(Invocation::Tick);
    assert_eq!(report.throttled, 0);
    assert_ne!(bucket(&stack), pace::drained(stack.world.time()));
}
