//! What a backup may cost, call by call (README: Budgets).

use expect_test::expect;
use lastgood_core::backup::State;
use lastgood_core::incoming::{AboutBackup, Request};
use lastgood_tests::cut::Knife;
use lastgood_tests::stack::{Invocation, Stack};

fn calls(stack: &Stack) -> String {
    stack.world.calls().iter().map(|(call, count)| format!("{call} {count}\n")).collect()
}

#[test]
fn each_aws_call_of_a_whole_backup_is_counted() {
    let stack = Stack::of_groups(1);
    // The first backup, good and published; then the second, and the first is let go. Beside that a survey of the plan
    // every four minutes: 30.
    stack.run(2 * 60);
    expect![[r#"
        autoscaling:DescribeAutoScalingGroups 42
        autoscaling:DescribeInstanceRefreshes 5
        autoscaling:DescribeLaunchConfigurations 1
        autoscaling:UpdateAutoScalingGroup 2
        ec2:CreateImage 2
        ec2:CreateLaunchTemplateVersion 2
        ec2:DeleteLaunchTemplateVersions 1
        ec2:DeregisterImage 1
        ec2:DescribeImageReferences 1
        ec2:DescribeImages 11
        ec2:DescribeInstanceTypes 2
        ec2:DescribeInstances 2
        ec2:DescribeLaunchTemplateVersions 8
        ec2:DescribeSnapshots 4
        tag:GetResources 1
    "#]]
    .assert_eq(&calls(&stack));
}

#[test]
fn describes_are_asked_for_many_groups_at_once() {
    let stack = Stack::of_groups(250);
    let before = stack.world.calls();
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    let after = stack.world.calls();
    let grown = |call: &str| after.get(call).unwrap_or(&0) - before.get(call).unwrap_or(&0);
    assert_eq!(grown("autoscaling:DescribeAutoScalingGroups"), 3 + 3, "100 groups a call, and as many for the survey");
    assert_eq!(grown("autoscaling:DescribeInstanceRefreshes"), 250, "one group a call, right before its image");
    assert_eq!(grown("ec2:DescribeInstances"), 2, "200 instances a call");
    assert_eq!(grown("ec2:CreateImage"), 250);
    stack.world.advance(10 * 60);
    stack.invoke(Invocation::Poll);
    let polled = stack.world.calls();
    let grown = |call: &str| polled.get(call).unwrap_or(&0) - after.get(call).unwrap_or(&0);
    assert_eq!(
        grown("ec2:DescribeImages"),
        2 + 2,
        "200 images a call: are they complete, and, before publishing, still there?"
    );
    assert_eq!(grown("ec2:DescribeSnapshots"), 3, "200 snapshots a call, two an image");
    // To read what the groups launch from: 3. Right before each is changed it is read again by itself.
    // Beside that every group of the account, for those who share a template: again after twenty seconds.
    assert_eq!(grown("autoscaling:DescribeAutoScalingGroups"), 3 + 250 + 3 * 3);
}

#[test]
fn an_idle_tick_asks_the_table_once_and_nothing_else() {
    let stack = Stack::of_groups(50);
    let knife = Knife::new(None);
    stack.invoke_behind(&knife, Invocation::Tick).expect("it ends");
    assert_eq!(knife.calls(), 1);
}

#[test]
fn a_source_of_which_nothing_may_go_and_a_pin_that_must_be_refused_cost_two_calls() {
    let stack = Stack::of_groups(1);
    stack.run(45);
    let source = stack.source("group/g000").id;
    let failed = {
        stack.world.deny("ec2:CreateImage", "*");
        stack.request("group/g000");
        stack.backups("group/g000").remove(0)
    };
    assert_eq!(failed.state, State::Failed);
    let calls = |invocation: Invocation, well: bool| {
        let knife = Knife::new(None);
        let ended = stack.try_behind(&knife, invocation).expect("it ends");
        assert_eq!(ended.is_ok(), well, "{ended:?}");
        knife.calls()
    };
    let pin = AboutBackup { backup: failed.id, by: "alice".parse().expect("a name"), reason: None };
    assert_eq!(calls(Invocation::Asked(stack.world.time(), Request::Pin(pin)), true), 2, "and one call that tells it");
    stack
        .apply("plans: [{name: all, select: {tags: {a: b}}, schedule: hourly}]\nremoved: {group/g000: keep}")
        .expect("applied");
    assert_eq!(stack.source("group/g000").plan, None);
    assert_eq!(calls(Invocation::CleanupSource(source), true), 2, "whether anything may go at all, and the source");
}
