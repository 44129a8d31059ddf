//! Instance refreshes: how they are begun, told, taken back and kept from going on; and the status checks of their members.

use lastgood_core::facts::{LaunchSource, RefreshStatus, RefreshView, StatusCheck, TemplateRef, VersionRef};
use lastgood_core::refusal::Why;
use lastgood_core::rollout::RolloutPolicy;
use lastgood_core::rollout::policy::{Protected, Standby};
use lastgood_engine::Answers;
use lastgood_engine::call::autoscaling::{
    ActiveRefresh, CancelRefresh, NewestRefreshes, RefreshById, ResumeRefresh, RollBackRefresh, StartRefresh,
    SuspendRefresh,
};
use lastgood_engine::call::ec2::StatusesOf;

use super::groups::{MIXED, XMLNS, describe, group};
use super::refusals::autoscaling_error;
use super::{Wire, assert_field};

/// An answer of DescribeInstanceRefreshes with one refresh.
fn refreshes(told: &str) -> String {
    format!(
        "<DescribeInstanceRefreshesResponse {XMLNS}><DescribeInstanceRefreshesResult><InstanceRefreshes><member><InstanceRefreshId>r-1</InstanceRefreshId>{told}</member></InstanceRefreshes></DescribeInstanceRefreshesResult></DescribeInstanceRefreshesResponse>"
    )
}

/// An answer of a call that tells which refresh it was about.
fn which(action: &str, id: &str) -> String {
    format!("<{action}Response {XMLNS}><{action}Result>{id}</{action}Result></{action}Response>")
}

const R_1: &str = "<InstanceRefreshId>r-1</InstanceRefreshId>";

/// What was sent, without what every call of Auto Scaling has.
fn fields(sent: &str) -> Vec<&str> {
    sent.split('&').filter(|field| !field.starts_with("Action=") && !field.starts_with("Version=")).collect()
}

fn start(policy: RolloutPolicy) -> StartRefresh {
    StartRefresh { group: "web".into(), template: "lt-1".into(), version: 8, is_mixed: false, policy }
}

#[tokio::test]
async fn a_refresh_is_begun_with_a_version_by_its_number_and_everything_said() {
    let policy = RolloutPolicy {
        checkpoints: vec![1, 20, 100],
        delay_seconds: 600,
        min_healthy: 80,
        max_healthy: 120,
        warmup_seconds: Some(400),
        alarms: vec!["web-errors".into()],
        bake_seconds: 300,
        protected: Protected::Refresh,
        standby: Standby::Terminate,
        ..RolloutPolicy::default()
    };
    let wire = Wire::answering(&[(200, &which("StartInstanceRefresh", R_1))]).await;
    let begun = wire.aws().call(&start(policy)).await.expect("judged");
    assert_eq!(begun, Ok("r-1".into()));
    let sent = wire.sent().remove(0);
    assert!(sent.starts_with("Action=StartInstanceRefresh&"), "{sent}");
    assert_eq!(
        fields(&sent),
        [
            "AutoScalingGroupName=web",
            "Strategy=Rolling",
            "DesiredConfiguration.LaunchTemplate.LaunchTemplateId=lt-1",
            "DesiredConfiguration.LaunchTemplate.Version=8",
            "Preferences.MinHealthyPercentage=80",
            "Preferences.InstanceWarmup=400",
            "Preferences.CheckpointPercentages.member.1=1",
            "Preferences.CheckpointPercentages.member.2=20",
            "Preferences.CheckpointPercentages.member.3=100",
            "Preferences.CheckpointDelay=600",
            "Preferences.SkipMatching=true",
            "Preferences.AutoRollback=true",
            "Preferences.ScaleInProtectedInstances=Refresh",
            "Preferences.StandbyInstances=Terminate",
            "Preferences.AlarmSpecification.Alarms.member.1=web-errors",
            "Preferences.MaxHealthyPercentage=120",
            "Preferences.BakeTime=300",
        ]
    );
}

#[tokio::test]
async fn what_is_not_said_is_not_sent_but_where_the_default_of_aws_would_wait_for_an_hour() {
    let policy = RolloutPolicy { checkpoints: Vec::new(), auto_rollback: false, ..RolloutPolicy::default() };
    let wire = Wire::answering(&[(200, &which("StartInstanceRefresh", R_1))]).await;
    wire.aws().call(&start(policy)).await.expect("judged").expect("begun");
    let sent = wire.sent().remove(0);
    // A delay without checkpoints, and an empty list of alarms, are refused (AWS: RefreshPreferences).
    for absent in ["Checkpoint", "AlarmSpecification", "InstanceWarmup"] {
        assert!(!sent.contains(absent), "{absent}: {sent}");
    }
    for part in ["ScaleInProtectedInstances=Ignore", "StandbyInstances=Ignore", "AutoRollback=false"] {
        assert_field(&sent, &format!("Preferences.{part}"));
    }
}

#[tokio::test]
async fn a_mixed_instances_policy_goes_whole_into_what_is_wanted() {
    let answers = [(200, describe(&group("web", MIXED))), (200, which("StartInstanceRefresh", R_1))];
    let wire = Wire::answering(&answers.each_ref().map(|(status, body)| (*status, body.as_str()))).await;
    let mixed = StartRefresh { is_mixed: true, ..start(RolloutPolicy::default()) };
    assert_eq!(wire.aws().call(&mixed).await.expect("judged"), Ok("r-1".into()));
    let sent = wire.sent().remove(1);
    let policy = "DesiredConfiguration.MixedInstancesPolicy";
    for (name, value) in [
        ("LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId", "lt-1"),
        ("LaunchTemplate.LaunchTemplateSpecification.Version", "8"),
        ("LaunchTemplate.Overrides.member.1.WeightedCapacity", "2"),
        ("LaunchTemplate.Overrides.member.2.LaunchTemplateSpecification.Version", "%24Latest"),
        ("LaunchTemplate.Overrides.member.3.ImageId", "ami-own"),
        ("InstancesDistribution.SpotAllocationStrategy", "capacity-optimized"),
    ] {
        assert_field(&sent, &format!("{policy}.{name}={value}"));
    }
    assert!(!sent.contains("DesiredConfiguration.LaunchTemplate."), "one of the two, not both: {sent}");

    // Somebody based it on another template meanwhile.
    let wire = Wire::answering(&[(200, &answers[0].1)]).await;
    let other = StartRefresh { template: "lt-9".into(), ..mixed };
    assert_eq!(wire.aws().call(&other).await.expect("judged").expect_err("another").why, Why::WrongState);
    assert_eq!(wire.sent().len(), 1, "nothing was begun");
}

#[tokio::test]
async fn why_a_refresh_is_not_begun() {
    for (code, message, expected) in [
        (
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            Why::Locked,
        ),
        ("LimitExceeded", "no", Why::Quota),
        ("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'web' not found", Why::Missing),
        (
            "ValidationError",
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty",
            Why::Invalid,
        ),
        ("AccessDenied", "You are not authorized to use launch template: lt-1", Why::Denied),
    ] {
        let wire = Wire::answering(&[(400, &autoscaling_error(code, message))]).await;
        let refusal = wire.aws().call(&start(RolloutPolicy::default())).await.expect("judged").expect_err(code);
        assert_eq!(refusal.why, expected, "{code}: {message}");
        assert!(refusal.to_string().contains(message), "{refusal}");
    }
}

#[tokio::test]
async fn taking_back_and_cancelling_name_the_group_and_hear_which_refresh_it_was() {
    let answers = [which("RollbackInstanceRefresh", R_1), which("CancelInstanceRefresh", R_1)];
    let wire = Wire::answering(&[(200, &answers[0]), (200, &answers[1])]).await;
    assert_eq!(wire.aws().call(&RollBackRefresh("web".into())).await.expect("judged"), Ok("r-1".into()));
    assert_eq!(wire.aws().call(&CancelRefresh("web".into())).await.expect("judged"), Ok("r-1".into()));
    let sent = wire.sent();
    assert!(sent[0].starts_with("Action=RollbackInstanceRefresh&"), "{}", sent[0]);
    assert_eq!(fields(&sent[0]), ["AutoScalingGroupName=web"]);
    assert!(sent[1].starts_with("Action=CancelInstanceRefresh&"), "{}", sent[1]);
    assert_eq!(fields(&sent[1]), ["AutoScalingGroupName=web", "WaitForTransitioningInstances=false"]);
    for (code, expected) in [
        ("ActiveInstanceRefreshNotFound", Why::Missing),
        ("IrreversibleInstanceRefresh", Why::WrongState),
        ("LimitExceeded", Why::Quota),
    ] {
        let body = autoscaling_error(code, "AWS's words");
        let wire = Wire::answering(&[(400, &body), (400, &body)]).await;
        let refusal = wire.aws().call(&RollBackRefresh("web".into())).await.expect("judged").expect_err(code);
        assert_eq!(refusal.why, expected, "{code}");
        let refusal = wire.aws().call(&CancelRefresh("web".into())).await.expect("judged").expect_err(code);
        assert_eq!(refusal.why, expected, "{code}");
    }
    // An answer that does not say which can't be taken for ours.
    let wire = Wire::answering(&[(200, &which("RollbackInstanceRefresh", ""))]).await;
    wire.aws().call(&RollBackRefresh("web".into())).await.expect_err("it does not say which");
}

#[tokio::test]
async fn one_process_is_suspended_and_resumed_never_all() {
    let done = |action: &str| format!("<{action}Response {XMLNS}/>");
    let wire = Wire::answering(&[(200, &done("SuspendProcesses")), (200, &done("ResumeProcesses"))]).await;
    wire.aws().call(&SuspendRefresh("web".into())).await.expect("judged").expect("done");
    wire.aws().call(&ResumeRefresh("web".into())).await.expect("judged").expect("done");
    let sent = wire.sent();
    for (sent, action) in sent.iter().zip(["SuspendProcesses", "ResumeProcesses"]) {
        assert!(sent.starts_with(&format!("Action={action}&")), "{sent}");
        // Without a name AWS means all of them (AWS: SuspendProcesses).
        assert_eq!(fields(sent), ["AutoScalingGroupName=web", "ScalingProcesses.member.1=InstanceRefresh"]);
    }
    let wire = Wire::answering(&[(400, &autoscaling_error("ResourceInUse", "no"))]).await;
    let refusal = wire.aws().call(&SuspendRefresh("web".into())).await.expect("judged").expect_err("in use");
    assert_eq!(refusal.why, Why::InUse);
}

#[tokio::test]
async fn a_refresh_is_active_until_its_status_is_an_end() {
    for (status, active) in [
        ("Pending", true),
        ("InProgress", true),
        ("Baking", true),
        ("Cancelling", true),
        ("RollbackInProgress", true),
        ("SomethingNew", true),
        ("Successful", false),
        ("Failed", false),
        ("Cancelled", false),
        ("RollbackFailed", false),
        ("RollbackSuccessful", false),
    ] {
        let wire = Wire::answering(&[(200, &refreshes(&format!("<Status>{status}</Status>")))]).await;
        let found = wire.aws().call(&ActiveRefresh("web".into())).await.expect("judged").expect("told");
        assert_eq!(found.is_some(), active, "{status}");
        assert!(wire.sent()[0].contains("MaxRecords=1"), "{}", wire.sent()[0]);
    }
}

#[tokio::test]
async fn a_refresh_is_read_as_aws_tells_it() {
    let told = "<AutoScalingGroupName>web</AutoScalingGroupName><Status>RollbackInProgress</Status><StatusReason>an alarm went off</StatusReason><StartTime>2026-01-15T10:30:00Z</StartTime><PercentageComplete>20</PercentageComplete><InstancesToUpdate>8</InstancesToUpdate><RollbackDetails><RollbackReason>an alarm went off</RollbackReason></RollbackDetails>";
    let wire = Wire::answering(&[(200, &refreshes(told)), (200, &refreshes(told)), (200, &refreshes(told))]).await;
    let aws = wire.aws();
    let by_id = |refresh: &str| RefreshById { group: "web".into(), refresh: refresh.into() };
    let expected = RefreshView {
        id: "r-1".into(),
        status: RefreshStatus::RollingBack,
        reason: Some("an alarm went off".into()),
        percentage: 20,
        desired: None,
        started_at: Some("2026-01-15T10:30:00Z".parse().expect("a time")),
    };
    assert_eq!(aws.call(&by_id("r-1")).await.expect("judged"), Ok(Some(expected.clone())));
    assert_eq!(aws.call(&by_id("r-2")).await.expect("judged"), Ok(None), "an answer about another is none");
    assert_eq!(aws.call(&NewestRefreshes("web".into())).await.expect("judged"), Ok(vec![expected]));
    let sent = wire.sent();
    assert_eq!(fields(&sent[0]), ["AutoScalingGroupName=web", "InstanceRefreshIds.member.1=r-1"]);
    assert_eq!(fields(&sent[2]), ["AutoScalingGroupName=web", "MaxRecords=20"]);
}

#[tokio::test]
async fn a_refresh_tells_what_it_goes_to() {
    let refresh = |desired: &str| refreshes(&format!("<Status>InProgress</Status>{desired}"));
    let template = "<DesiredConfiguration><LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>7</Version></LaunchTemplate></DesiredConfiguration>";
    let unreadable = "<DesiredConfiguration><LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>seven</Version></LaunchTemplate></DesiredConfiguration>";
    let wire = Wire::answering(&[(200, &refresh("")), (200, &refresh(template)), (200, &refresh(unreadable))]).await;
    let aws = wire.aws();
    let mut told = Vec::new();
    for _ in 0..3 {
        let found = aws.call(&ActiveRefresh("web".into())).await.expect("judged").expect("told").expect("active");
        assert_eq!(found.id, "r-1".into());
        told.push(found.desired);
    }
    assert_eq!(told[0], None);
    let named = TemplateRef { template: "lt-1".into(), version: VersionRef::Number(7) };
    assert_eq!(told[1], Some(LaunchSource::Template(named)));
    assert!(
        matches!(&told[2], Some(LaunchSource::Unreadable(why)) if why.contains("'seven' is no version")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_member_passes_if_both_of_its_checks_do() {
    let status = |id: &str, instance: &str, system: &str| {
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><code>16</code><name>running</name></instanceState><systemStatus><status>{system}</status></systemStatus><instanceStatus><status>{instance}</status></instanceStatus></item>"
        )
    };
    let page = |items: &str, token: &str| {
        format!(
            "<DescribeInstanceStatusResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId><instanceStatusSet>{items}</instanceStatusSet>{token}</DescribeInstanceStatusResponse>"
        )
    };
    let first = status("i-1", "ok", "ok") + &status("i-2", "impaired", "ok") + &status("i-3", "ok", "impaired");
    let second = status("i-4", "initializing", "ok") + &status("i-5", "ok", "insufficient-data");
    let pages = [page(&first, "<nextToken>more</nextToken>"), page(&second, "")];
    let wire = Wire::answering(&[(200, &pages[0]), (200, &pages[1])]).await;
    let ids = ["i-1", "i-2", "i-3", "i-4", "i-5", "i-6"].map(Into::into).to_vec();
    let told = wire.aws().call(&StatusesOf(ids)).await.expect("judged").expect("told");
    let told: Vec<_> = told.iter().map(|(id, check)| (id.as_str(), *check)).collect();
    let expected = [
        ("i-1", StatusCheck::Passed),
        ("i-2", StatusCheck::Failed),
        ("i-3", StatusCheck::Failed),
        ("i-4", StatusCheck::Unknown),
        ("i-5", StatusCheck::Unknown),
    ];
    assert_eq!(told, expected, "one that is not running is not told");
    let sent = wire.sent();
    assert!(sent[0].contains("InstanceId.1=i-1&") && sent[0].contains("InstanceId.6=i-6"), "{}", sent[0]);
    assert!(sent[1].contains("NextToken=more"), "{}", sent[1]);
}
