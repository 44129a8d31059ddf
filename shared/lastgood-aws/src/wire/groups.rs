//! What Auto Scaling is sent, and how its answers are read.

use lastgood_core::facts::{Configuration, LaunchSource, Lifecycle, MixedPolicy, Override, TemplateRef, VersionRef};
use lastgood_core::id::GroupName;
use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::autoscaling::{
    GroupsNamed, GroupsTagged, LaunchConfigurations, ScaleInProtection, SetMixedVersion, SetScaleInProtection,
};

use super::refusals::autoscaling_error;
use super::{Wire, assert_field};

pub(super) const XMLNS: &str = r#"xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/""#;

fn set_mixed(template: &str, base: u64) -> SetMixedVersion {
    let named = VersionRef::Number(base);
    SetMixedVersion { group: "web".into(), template: template.into(), named, version: 8 }
}

pub(super) fn describe(members: &str) -> String {
    format!(
        "<DescribeAutoScalingGroupsResponse {XMLNS}><DescribeAutoScalingGroupsResult><AutoScalingGroups>{members}</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    )
}

pub(super) fn group(name: &str, launches: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName>{launches}<Instances><member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState><HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>true</ProtectedFromScaleIn><LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>3</Version></LaunchTemplate></member><member><InstanceId>i-2</InstanceId><LifecycleState>Pending:Wait</LifecycleState><HealthStatus>Unhealthy</HealthStatus></member></Instances></member>"
    )
}

fn template(version: &str) -> String {
    format!(
        "<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName>{version}</LaunchTemplate>"
    )
}

/// A policy with everything that must come back as it was.
pub(super) const MIXED: &str = "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification><LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName><Version>3</Version></LaunchTemplateSpecification><Overrides><member><InstanceType>m5.large</InstanceType><WeightedCapacity>2</WeightedCapacity></member><member><InstanceType>m6g.large</InstanceType><LaunchTemplateSpecification><LaunchTemplateId>lt-2</LaunchTemplateId><LaunchTemplateName>arm</LaunchTemplateName><Version>$Latest</Version></LaunchTemplateSpecification></member><member><InstanceRequirements><VCpuCount><Min>2</Min></VCpuCount><MemoryMiB><Min>1024</Min></MemoryMiB></InstanceRequirements><ImageId>ami-own</ImageId></member></Overrides></LaunchTemplate><InstancesDistribution><OnDemandBaseCapacity>1</OnDemandBaseCapacity><SpotAllocationStrategy>capacity-optimized</SpotAllocationStrategy></InstancesDistribution></MixedInstancesPolicy>";

fn named(template: &str, version: VersionRef) -> TemplateRef {
    TemplateRef { template: template.into(), version }
}

#[tokio::test]
async fn groups_are_classified_and_their_members_read() {
    let members = [
        group("number", &template("<Version>3</Version>")),
        group("latest", &template("<Version>$Latest</Version>")),
        group("silent", &template("")),
        group("mixed", MIXED),
        group("legacy", "<LaunchConfigurationName>old</LaunchConfigurationName>"),
        group("odd", "<MixedInstancesPolicy><LaunchTemplate/></MixedInstancesPolicy>"),
    ];
    let wire = Wire::answering(&[(200, &describe(&members.concat()))]).await;
    let groups = wire.aws().call(&GroupsNamed(vec![GroupName::from("number")])).await.expect("judged").expect("told");
    let from: Vec<_> = groups.iter().map(|group| group.launches_from.clone()).collect();
    let other = |instance_type: Option<&str>, template, image: Option<&str>| Override {
        instance_type: instance_type.map(Into::into),
        template,
        image: image.map(Into::into),
    };
    let overrides = vec![
        other(Some("m5.large"), None, None),
        other(Some("m6g.large"), Some(named("lt-2", VersionRef::Latest)), None),
        other(None, None, Some("ami-own")),
    ];
    let expected = [
        LaunchSource::Template(named("lt-1", VersionRef::Number(3))),
        LaunchSource::Template(named("lt-1", VersionRef::Latest)),
        LaunchSource::Template(named("lt-1", VersionRef::Default)),
        LaunchSource::Mixed(MixedPolicy { base: named("lt-1", VersionRef::Number(3)), overrides }),
        LaunchSource::Configuration("old".into()),
        LaunchSource::Unreadable("a mixed instances policy without a launch template".into()),
    ];
    assert_eq!(from, expected);
    let [one, other] = &groups[0].members[..] else { panic!("two members") };
    assert_eq!((one.lifecycle, one.healthy, one.protected_from_scale_in), (Lifecycle::InService, true, true));
    assert_eq!(one.template, Some(("lt-1".into(), 3)));
    assert_eq!((other.lifecycle, other.healthy, other.template.clone()), (Lifecycle::Pending, false, None));
}

#[tokio::test]
async fn a_group_is_warm_after_its_warm_up_or_else_its_grace() {
    let times = |warmup: &str| {
        let times = format!(
            "{warmup}<HealthCheckGracePeriod>300</HealthCheckGracePeriod><MaxInstanceLifetime>604800</MaxInstanceLifetime><Tags><member><Key>lastgood</Key><Value>web</Value></member></Tags>"
        );
        group("web", &(template("") + &times))
    };
    let members = [
        times("<DefaultInstanceWarmup>120</DefaultInstanceWarmup>"),
        times("<DefaultInstanceWarmup>-1</DefaultInstanceWarmup>"),
        times(""),
        times("<DefaultInstanceWarmup>0</DefaultInstanceWarmup>"),
    ];
    let wire = Wire::answering(&[(200, &describe(&members.concat()))]).await;
    let tags = [("lastgood".to_owned(), "web".to_owned()), ("stage".to_owned(), "prod".to_owned())].into();
    let groups = wire.aws().call(&GroupsTagged(tags)).await.expect("judged").expect("told");
    let warmups: Vec<_> = groups.iter().map(|group| group.warmup_seconds).collect();
    assert_eq!(warmups, [120, 300, 300, 0]);
    assert_eq!(groups[0].lifetime_seconds_max, Some(604_800));
    assert_eq!(groups[0].tags["lastgood"], "web");
    let sent = wire.sent().remove(0);
    for part in [
        "Filters.member.1.Name=tag%3Alastgood",
        "Filters.member.1.Values.member.1=web",
        "Filters.member.2.Name=tag%3Astage",
        "Filters.member.2.Values.member.1=prod",
        "MaxRecords=100",
    ] {
        assert_field(&sent, part);
    }
}

#[tokio::test]
async fn a_mixed_instances_policy_is_sent_back_whole_with_the_new_version_alone_changed() {
    let updated = format!("<UpdateAutoScalingGroupResponse {XMLNS}/>");
    let wire = Wire::answering(&[(200, &describe(&group("web", MIXED))), (200, &updated)]).await;
    wire.aws().call(&set_mixed("lt-1", 3)).await.expect("judged").expect("done");
    let sent = wire.sent().remove(1);
    let policy = "MixedInstancesPolicy.LaunchTemplate";
    for (name, value) in [
        ("LaunchTemplateSpecification.LaunchTemplateId", "lt-1"),
        ("LaunchTemplateSpecification.Version", "8"),
        ("Overrides.member.1.InstanceType", "m5.large"),
        ("Overrides.member.1.WeightedCapacity", "2"),
        ("Overrides.member.2.LaunchTemplateSpecification.LaunchTemplateId", "lt-2"),
        ("Overrides.member.2.LaunchTemplateSpecification.Version", "%24Latest"),
        ("Overrides.member.3.InstanceRequirements.VCpuCount.Min", "2"),
        ("Overrides.member.3.ImageId", "ami-own"),
    ] {
        assert_field(&sent, &format!("{policy}.{name}={value}"));
    }
    assert!(sent.contains("MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity=1"), "{sent}");
    assert!(!sent.contains("LaunchTemplateName"), "AWS takes an id or a name, not both: {sent}");
}

#[tokio::test]
async fn a_policy_that_somebody_based_on_another_template_is_left_alone() {
    for (template, base) in [("lt-9", 3), ("lt-1", 2)] {
        let wire = Wire::answering(&[(200, &describe(&group("web", MIXED)))]).await;
        let refusal = wire.aws().call(&set_mixed(template, base)).await.expect("judged");
        assert_eq!(refusal.expect_err("changed").why, Why::WrongState);
        assert_eq!(wire.sent().len(), 1, "nothing was updated");
    }
}

#[tokio::test]
async fn protection_is_set_and_taken_away_for_one_member() {
    let done = format!(
        "<SetInstanceProtectionResponse {XMLNS}><SetInstanceProtectionResult/></SetInstanceProtectionResponse>"
    );
    let gone = autoscaling_error("ValidationError", "The instance i-1 is not part of Auto Scaling group web.");
    let wire = Wire::answering(&[(200, &done), (200, &done), (400, &gone)]).await;
    let aws = wire.aws();
    let set = |protection| SetScaleInProtection { group: "web".into(), instance: "i-1".into(), protection };
    aws.call(&set(ScaleInProtection::On)).await.expect("judged").expect("done");
    aws.call(&set(ScaleInProtection::Off)).await.expect("judged").expect("done");
    assert!(
        wire.sent()[0].contains("ProtectedFromScaleIn=true") && wire.sent()[0].contains("InstanceIds.member.1=i-1")
    );
    assert!(wire.sent()[1].contains("ProtectedFromScaleIn=false"));
    let refusal = aws.call(&set(ScaleInProtection::Off)).await.expect("judged");
    assert_eq!(refusal.expect_err("gone").why, Why::Missing);
}

#[tokio::test]
async fn a_launch_configuration_tells_its_image() {
    let body = format!(
        "<DescribeLaunchConfigurationsResponse {XMLNS}><DescribeLaunchConfigurationsResult><LaunchConfigurations><member><LaunchConfigurationName>old</LaunchConfigurationName><ImageId>ami-1</ImageId></member></LaunchConfigurations></DescribeLaunchConfigurationsResult></DescribeLaunchConfigurationsResponse>"
    );
    let wire = Wire::answering(&[(200, &body)]).await;
    let found = vec![Configuration { name: "old".into(), image: "ami-1".into() }];
    assert_eq!(wire.aws().call(&LaunchConfigurations).await.expect("judged"), Ok(found));
}

#[tokio::test]
async fn every_lifecycle_state_of_a_member_is_read() {
    let states = [
        ("Pending", Lifecycle::Pending),
        ("Pending:Wait", Lifecycle::Pending),
        ("Quarantined", Lifecycle::Pending),
        ("InService", Lifecycle::InService),
        ("EnteringStandby", Lifecycle::Other),
        ("Standby", Lifecycle::Standby),
        ("ReplacingRootVolume", Lifecycle::Other),
        ("Terminating:Wait", Lifecycle::Leaving),
        ("Detached", Lifecycle::Leaving),
        ("Warmed:Stopped", Lifecycle::Other),
        ("Warmed:Pending:Wait", Lifecycle::Other),
        ("Warmed:Frozen", Lifecycle::Other),
        ("Resting", Lifecycle::Other),
    ];
    let member = |(state, _): &(&str, Lifecycle)| {
        format!(
            "<member><InstanceId>i-1</InstanceId><LifecycleState>{state}</LifecycleState><HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
        )
    };
    let members: String = states.iter().map(member).collect();
    let web = group("web", &template("<Version>3</Version>"));
    let (before, after) = (web.find("<Instances>").expect("members"), web.find("</Instances>").expect("members"));
    let web = format!("{}<Instances>{members}{}", &web[..before], &web[after..]);
    let wire = Wire::answering(&[(200, &describe(&web))]).await;
    let groups = wire.aws().call(&GroupsNamed(vec![GroupName::from("web")])).await.expect("judged").expect("told");
    let told: Vec<Lifecycle> = groups[0].members.iter().map(|member| member.lifecycle).collect();
    assert_eq!(told, states.map(|(_, lifecycle)| lifecycle));
}
