//! The reading of the account before a deletion, while things come and go under it: what can't be read keeps the image, what
//! is gone does not, and no help of AWS's is taken for the judge.

use std::collections::BTreeSet;

use lastgood_core::backup::State;
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{
    AwsError, LaunchFrom, LaunchFromText, RefreshStatus, StartRefresh, TemplateData, World, by_number,
};

use crate::transcript::{count, during, give, is_there, messages};

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly, retain: {last: 1}}]";

/// Two good backups of a group `web`, of which the older may go: its image. Beside it launches a group `green` from the
/// first version of the same template.
fn about_to_delete(prepare: impl Fn(&World), plan: &str) -> (Stack, ImageId) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 2);
    world.group("green", &by_number(&template, 1), 1);
    prepare(&world);
    let stack = Stack::new(world);
    stack.apply(plan).expect("applied");
    for _ in 0..2 {
        // The first has nothing to delete, and sweeps.
        stack.invoke(Invocation::Cleanup);
        stack.world.advance(3600);
        stack.back_up_only(5);
    }
    let [newer, older] = stack.backups("group/web").try_into().expect("two backups");
    assert_eq!((newer.state, older.state), (State::Good, State::Good));
    (stack, older.image().cloned().expect("good"))
}

/// DescribeImageReferences misses every template.
fn blind(world: &World) {
    world.change_settings(|settings| settings.references_find_templates = false);
}

/// A cleanup in which something happens before the call of this number. Returns how many calls it made.
fn cleanup(stack: &Stack, at: usize, happens: impl Fn() + Sync) -> usize {
    during(stack, Invocation::Cleanup, at, happens).1
}

/// The template that a group names.
fn template_of(stack: &Stack, group: &str) -> TemplateId {
    match stack.world.group_view(group).expect("there").from {
        LaunchFrom::Template(named) => named.template,
        other => panic!("{other:?} is no template"),
    }
}

/// The version of it that has the image.
fn version_with(stack: &Stack, template: &TemplateId, image: &ImageId) -> u64 {
    let versions = stack.world.template_versions(template).into_iter();
    let mut found = versions.filter(|version| version.data.image.as_deref() == Some(image.as_str()));
    found.next().expect("made").number
}

/// Somebody has a group refreshed to a version.
fn refresh(stack: &Stack, group: &str, template: &TemplateId, version: u64) {
    let desired = Some(LaunchFromText::from(&by_number(template, version)));
    let refresh = StartRefresh { group: group.into(), desired, ..StartRefresh::default() };
    stack.world.autoscaling().start_refresh(&refresh).expect("begun");
}

/// The calls that AWS refused: action, and what they were about.
fn refused(stack: &Stack) -> Vec<(String, String)> {
    let log = stack.world.log().into_iter().filter(|call| call.outcome != "ok");
    log.map(|call| (call.action, call.about)).collect()
}

#[test]
fn an_image_stays_if_any_single_look_before_its_deletion_is_refused() {
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    let before = stack.world.log().len();
    let calls = cleanup(&stack, usize::MAX, || {});
    assert!(!is_there(&stack, &image), "it may go");
    let log = stack.world.log();
    let deregistered =
        before + log[before..].iter().position(|call| call.action == "ec2:DeregisterImage").expect("it goes");
    let asked = log[before..deregistered].iter().map(|call| call.action.as_str());
    let asked: Vec<&str> = asked.filter(|action| !action.contains(":Delete")).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    let mut seen = BTreeSet::new();
    for call in 0..calls {
        for action in asked.iter().copied().collect::<BTreeSet<_>>() {
            let (stack, image) = about_to_delete(|_| {}, PLAN);
            let error = AwsError::new("UnauthorizedOperation", "not permitted");
            cleanup(&stack, call, || stack.world.fail_next(action, 1, &error));
            let Some(which) = refused(&stack).pop() else { continue };
            assert!(is_there(&stack, &image), "{which:?} was refused");
            seen.insert(which);
        }
    }
    let actions: BTreeSet<&str> = seen.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, asked.into_iter().collect(), "each kind of look was refused once");
}

#[test]
fn another_group_that_goes_while_it_is_read_keeps_nothing() {
    let (stack, _) = about_to_delete(|_| {}, PLAN);
    let mut seen = 0;
    for call in 0..cleanup(&stack, usize::MAX, || {}) {
        let (stack, image) = about_to_delete(|_| {}, PLAN);
        cleanup(&stack, call, || stack.world.delete_group("green"));
        assert!(!is_there(&stack, &image), "before call {call}: {:?}", refused(&stack));
        seen += usize::from(!refused(&stack).is_empty());
    }
    assert!(seen > 0, "it was never gone just when its refresh was asked for");
}

#[test]
fn its_own_group_that_goes_while_it_is_read_keeps_it() {
    let (stack, _) = about_to_delete(|_| {}, PLAN);
    let mut seen = 0;
    for call in 0..cleanup(&stack, usize::MAX, || {}) {
        let (stack, image) = about_to_delete(|_| {}, PLAN);
        cleanup(&stack, call, || stack.world.delete_group("web"));
        if refused(&stack).iter().any(|(action, _)| action == "autoscaling:DescribeInstanceRefreshes") {
            assert!(is_there(&stack, &image), "before call {call}");
            seen += 1;
        }
    }
    assert!(seen > 0, "it was never gone just when its refresh was asked for");
}

/// A template in which somebody's version names the image.
fn another_template(stack: &Stack, image: &ImageId) -> TemplateId {
    let data = TemplateData { image: Some(image.to_string()), ..stack.world.launched_from(image) };
    stack.world.template_with("theirs", &data)
}

#[test]
fn a_template_that_goes_while_it_is_read_keeps_nothing() {
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    another_template(&stack, &image);
    let (mut seen, calls) = (0, cleanup(&stack, usize::MAX, || {}));
    assert!(is_there(&stack, &image), "it stands there");
    for call in 0..calls {
        let (stack, image) = about_to_delete(|_| {}, PLAN);
        let theirs = another_template(&stack, &image);
        cleanup(&stack, call, || stack.world.delete_template(&theirs));
        let read = refused(&stack).iter().any(|(_, about)| about.contains(theirs.as_str()));
        seen += usize::from(read && !is_there(&stack, &image));
        stack.invoke(Invocation::Cleanup);
        assert!(!is_there(&stack, &image), "before call {call}");
    }
    assert!(seen > 0, "it was never gone just when its versions were asked for");
}

#[test]
fn a_template_that_is_not_told_yet_is_needed_as_soon_as_it_is_told_to_refer_to_the_image() {
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    let template = template_of(&stack, "green");
    stack.world.advance(600);
    stack.world.change_settings(|settings| settings.version_visible_seconds = 600);
    let other = another_template(&stack, &image);
    give(&stack, "green", &other, 1);
    cleanup(&stack, usize::MAX, || {});
    assert!(is_there(&stack, &image));
    let why =
        format!("ec2:DescribeImageReferences tells a version of {other}, and ec2:DescribeLaunchTemplateVersions none");
    assert!(messages(&stack, "Deletion Refused")[0].contains(&why), "{:?}", messages(&stack, "Deletion Refused"));
    // Once it is told it is what needs the image, and once it is gone nothing does.
    stack.world.advance(3600);
    cleanup(&stack, usize::MAX, || {});
    assert!(stack.backups("group/web")[1].reason.contains(&format!("version 1 of {other}")));
    give(&stack, "green", &template, 1);
    stack.world.delete_template(&other);
    stack.world.advance(3600);
    cleanup(&stack, usize::MAX, || {});
    assert!(!is_there(&stack, &image));
}

/// Somebody makes a version of a template with the image, which AWS does not tell for ten minutes. All else it tells.
fn untold_version(stack: &Stack, template: &TemplateId, image: &ImageId) -> u64 {
    stack.world.advance(600);
    stack.world.change_settings(|settings| settings.version_visible_seconds = 600);
    stack.world.version_by_hand(template, 1, image)
}

#[test]
fn a_version_that_is_not_told_yet_is_needed_as_soon_as_its_template_is() {
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    let other = another_template(&stack, &stack.world.base_image());
    untold_version(&stack, &other, &image);
    cleanup(&stack, usize::MAX, || {});
    assert!(is_there(&stack, &image));
    let why = messages(&stack, "Deletion Refused").remove(0);
    let words =
        format!("DescribeImageReferences tells a version of {other}, and ec2:DescribeLaunchTemplateVersions none");
    assert!(why.contains(&words), "{why}");
}

#[test]
fn a_version_that_is_not_told_yet_is_needed_as_soon_as_a_group_names_it_beside_told_ones_of_ours() {
    for refreshed in [false, true] {
        let (stack, image) = about_to_delete(|_| {}, PLAN);
        let template = template_of(&stack, "green");
        let number = untold_version(&stack, &template, &image);
        if refreshed {
            refresh(&stack, "green", &template, number);
        } else {
            give(&stack, "green", &template, number);
        }
        cleanup(&stack, usize::MAX, || {});
        assert!(is_there(&stack, &image), "refreshed: {refreshed}");
        let why = messages(&stack, "Deletion Refused").remove(0);
        assert!(why.contains(&format!("Could not find the specified version {number}")), "{why}");
    }
}

#[test]
fn what_a_refresh_that_ends_while_the_account_is_read_went_to_is_needed() {
    for group in ["web", "green"] {
        let begin = || {
            let (stack, image) = about_to_delete(|_| {}, PLAN);
            let template = template_of(&stack, group);
            refresh(&stack, group, &template, version_with(&stack, &template, &image));
            (stack, image)
        };
        let calls = cleanup(&begin().0, usize::MAX, || {});
        assert!(calls > 10, "{calls}");
        for call in 0..calls {
            let (stack, image) = begin();
            cleanup(&stack, call, || stack.world.set_refresh(group, RefreshStatus::Successful));
            assert_eq!(stack.world.group_image(group), Some(image.clone()));
            assert!(is_there(&stack, &image), "{group} goes to it, and is there before call {call}");
        }
    }
}

#[test]
fn aws_may_not_know_the_references_of_an_image_that_is_gone_but_of_one_that_is_there_it_must() {
    let missing = AwsError::new("InvalidAMIID.NotFound", "it does not exist");
    let denied = AwsError::new("UnauthorizedOperation", "not permitted");
    let cases = [
        (true, &missing, State::Deleted, 0),
        // What can't be read counts as needed: the version stays, and nothing else is left.
        (true, &denied, State::Deleted, 1),
        (false, &missing, State::Good, 1),
    ];
    for (is_gone, error, state, left) in cases {
        let (stack, image) = about_to_delete(|_| {}, PLAN);
        let template = template_of(&stack, "web");
        if is_gone {
            stack.world.broken_by_hand(&image);
            stack.world.ec2().deregister_image(image.as_str()).expect("it is there");
        }
        stack.world.fail_next("ec2:DescribeImageReferences", 1, error);
        stack.invoke(Invocation::Cleanup);
        let older = stack.backups("group/web").remove(1);
        assert_eq!(older.state, state, "gone: {is_gone}, {error:?}: {}", older.reason);
        let versions = stack.world.template_versions(&template).into_iter();
        let with_image = versions.filter(|version| version.data.image.as_deref() == Some(image.as_str())).count();
        assert_eq!(with_image, left, "gone: {is_gone}, {error:?}");
        assert_eq!(count(&stack, "Deletion Refused"), usize::from(!is_gone), "gone: {is_gone}, {error:?}");
    }
}

#[test]
fn what_another_group_is_being_refreshed_to_is_needed() {
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    let template = template_of(&stack, "green");
    refresh(&stack, "green", &template, version_with(&stack, &template, &image));
    stack.invoke(Invocation::Cleanup);
    assert!(is_there(&stack, &image), "green goes to it");
    stack.world.set_refresh("green", RefreshStatus::Cancelled);
    stack.invoke(Invocation::Cleanup);
    assert!(!is_there(&stack, &image));
}

#[test]
fn what_its_group_is_being_refreshed_to_is_needed_though_aws_tells_no_reference() {
    let (stack, image) = about_to_delete(blind, &PLAN.replace("hourly", "hourly, capture: {during_refresh: true}"));
    refresh(&stack, "web", &another_template(&stack, &image), 1);
    stack.invoke(Invocation::Cleanup);
    assert!(is_there(&stack, &image), "web goes to it");
}

#[test]
fn the_templates_of_its_own_group_are_read_though_aws_tells_no_reference() {
    let (stack, image) = about_to_delete(blind, PLAN);
    let template = template_of(&stack, "web");
    give(&stack, "green", &template, version_with(&stack, &template, &image));
    stack.invoke(Invocation::Cleanup);
    assert!(is_there(&stack, &image), "green launches from it, by a version of that template");
}

#[test]
fn a_parameter_that_no_plan_writes_is_needed_and_one_of_aws_is_not_asked_for() {
    let (stack, image) = about_to_delete(|_| {}, &PLAN.replace("hourly", "hourly, publish: {ssm: /images/web}"));
    stack.world.put_parameter("/images/other", image.as_str(), "aws:ec2:image");
    stack.invoke(Invocation::Cleanup);
    let refused = messages(&stack, "Deletion Refused");
    assert!(is_there(&stack, &image) && refused[0].contains("parameter/images/other"), "{refused:?}");

    // Somebody has the group take its image from a version of a parameter that says another one by now.
    let (stack, image) = about_to_delete(blind, &PLAN.replace("hourly", "hourly, publish: none"));
    stack.world.put_parameter("/images/web", image.as_str(), "aws:ec2:image");
    stack.world.put_parameter("/images/web", stack.world.base_image().as_str(), "aws:ec2:image");
    let data = TemplateData { image: Some("resolve:ssm:/images/web:1".into()), ..stack.world.launched_from(&image) };
    give(&stack, "web", &stack.world.template_with("pinned", &data), 1);
    stack.invoke(Invocation::Cleanup);
    assert!(is_there(&stack, &image), "web launches from it");

    // Somebody has the group take its image from a parameter of AWS's.
    let (stack, image) = about_to_delete(|_| {}, PLAN);
    let amazons = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    stack.world.put_parameter(amazons, stack.world.base_image().as_str(), "aws:ec2:image");
    let template = template_of(&stack, "web");
    let made = stack.world.version_by_hand(&template, 1, format!("resolve:ssm:{amazons}"));
    give(&stack, "web", &template, made);
    stack.invoke(Invocation::Cleanup);
    assert_eq!(stack.world.calls().get("ssm:GetParameter"), None, "no image of ours stands there");
    assert!(!is_there(&stack, &image));
}
