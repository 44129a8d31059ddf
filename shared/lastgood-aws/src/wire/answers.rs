//! What EC2 is sent, and how its answers are read, page by page.

use lastgood_core::facts::{ImageState, InstanceState, SnapshotDeletion, SnapshotState, VersionRef};
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_engine::call::autoscaling::{ActiveRefresh, GroupsTagged, LaunchConfigurations};
use lastgood_engine::call::ec2::{
    CreateVersion, DeregisterImage, ImageNamed, ImageReferences, ImagesById, ImagesTagged, InstancesById, InstancesOf,
    SnapshotsById, VersionOf, VersionsWith,
};
use lastgood_engine::call::ssm::GetParameter;
use lastgood_engine::{Answers, chain};

use super::{Wire, assert_field, create_image};

#[tokio::test]
async fn create_image_never_reboots_and_tags_in_the_call_itself() {
    let body = r#"<CreateImageResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imageId>ami-4fa54026</imageId></CreateImageResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let made = wire.aws().call(&create_image()).await.expect("judged").expect("made");
    assert_eq!(made, "ami-4fa54026".into());
    let sent = wire.sent().remove(0);
    for part in [
        "Action=CreateImage",
        "InstanceId=i-1234567890abcdef0",
        "Name=lastgood-web-20260115T103000Z",
        "NoReboot=true",
        "TagSpecification.1.ResourceType=image",
        "TagSpecification.1.Tag.1.Key=lastgood%3Amanaged-by",
        "TagSpecification.2.ResourceType=snapshot",
        "TagSpecification.2.Tag.1.Value=lastgood",
    ] {
        assert_field(&sent, part);
    }
}

#[tokio::test]
async fn images_are_read_to_the_last_page_with_state_reason_tags_and_protection() {
    let first = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item>
        <imageId>ami-1</imageId><imageState>available</imageState><name>one</name>
        <deregistrationProtection>enabled-with-cooldown</deregistrationProtection>
        <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item></blockDeviceMapping>
        <tagSet><item><key>lastgood:backup</key><value>group/web@20260115T103000Z</value></item></tagSet>
        </item></imagesSet><nextToken>more</nextToken></DescribeImagesResponse>"#;
    let second = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet>
        <item><imageId>ami-2</imageId><imageState>failed</imageState><name>two</name><stateReason><code>Client.InstanceTerminated</code><message>The instance was terminated</message></stateReason></item>
        <item><imageId>ami-3</imageId><imageState>pending</imageState></item><item><imageId>ami-4</imageId><imageState>disabled</imageState></item>
        </imagesSet></DescribeImagesResponse>"#;
    let wire = Wire::answering(&[(200, first), (200, second)]).await;
    let images =
        wire.aws().call(&ImagesById(vec!["ami-1".into(), "ami-2".into()])).await.expect("judged").expect("told");
    let states: Vec<_> = images.iter().map(|image| image.state.clone()).collect();
    let broken = "failed: Client.InstanceTerminated: The instance was terminated";
    assert_eq!(
        states,
        [ImageState::Available, ImageState::Broken(broken.into()), ImageState::Pending, ImageState::Disabled]
    );
    assert_eq!(images[0].snapshots, ["snap-1".into()]);
    assert_eq!(images[0].tags["lastgood:backup"], "group/web@20260115T103000Z");
    assert!(images[0].protected && !images[1].protected);
    let sent = wire.sent();
    assert!(sent[0].contains("Owner.1=self") && sent[0].contains("IncludeDisabled=true"), "{}", sent[0]);
    assert!(sent[0].contains("Filter.1.Name=image-id&Filter.1.Value.1=ami-1&Filter.1.Value.2=ami-2"), "{}", sent[0]);
    assert!(sent[1].contains("NextToken=more"), "{}", sent[1]);
}

#[tokio::test]
async fn two_hundred_and_one_images_are_two_calls() {
    let none = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet/></DescribeImagesResponse>"#;
    let wire = Wire::answering(&[(200, none), (200, none)]).await;
    let ids: Vec<ImageId> = (0..201).map(|number| ImageId(format!("ami-{number}"))).collect();
    assert_eq!(wire.aws().call(&ImagesById(ids)).await.expect("judged").expect("told"), []);
    let sent = wire.sent();
    assert!(sent[0].contains("Filter.1.Value.200=ami-199") && !sent[0].contains("Value.201"), "{}", sent[0]);
    assert!(sent[1].contains("Filter.1.Value.1=ami-200"), "{}", sent[1]);
}

#[tokio::test]
async fn a_name_with_wildcards_is_asked_for_literally() {
    let none = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><name>abc</name></item></imagesSet></DescribeImagesResponse>"#;
    let wire = Wire::answering(&[(200, none)]).await;
    assert_eq!(wire.aws().call(&ImageNamed("a*c".to_owned())).await.expect("judged").expect("told"), None);
    assert!(wire.sent()[0].contains("Filter.1.Value.1=a%5C%2Ac"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn what_became_of_each_snapshot_is_read() {
    let body = r#"<DeregisterImageResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><return>true</return><deleteSnapshotResultSet>
        <item><snapshotId>snap-1</snapshotId><returnCode>success</returnCode></item><item><snapshotId>snap-2</snapshotId><returnCode>skipped</returnCode></item><item><snapshotId>snap-3</snapshotId><returnCode>missing-permissions</returnCode></item>
        </deleteSnapshotResultSet></DeregisterImageResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let results = wire.aws().call(&DeregisterImage("ami-1".into())).await.expect("judged").expect("done");
    let expected = [
        ("snap-1".into(), SnapshotDeletion::Deleted),
        ("snap-2".into(), SnapshotDeletion::Shared),
        ("snap-3".into(), SnapshotDeletion::NotDeleted("missing-permissions".into())),
    ];
    assert_eq!(results, expected);
    assert!(wire.sent()[0].contains("DeleteAssociatedSnapshots=true"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn snapshots_instances_and_versions_are_read() {
    let snapshots = r#"<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><snapshotSet>
        <item><snapshotId>snap-1</snapshotId><status>completed</status></item><item><snapshotId>snap-2</snapshotId><status>pending</status><progress>80%</progress></item><item><snapshotId>snap-3</snapshotId><status>error</status><statusMessage>no key</statusMessage></item></snapshotSet></DescribeSnapshotsResponse>"#;
    let wire = Wire::answering(&[(200, snapshots)]).await;
    let found = wire.aws().call(&SnapshotsById(vec!["snap-1".into()])).await.expect("judged").expect("told");
    let states: Vec<_> = found.into_iter().map(|snapshot| snapshot.state).collect();
    assert_eq!(
        states,
        [SnapshotState::Completed, SnapshotState::Pending, SnapshotState::Broken("error: no key".into())]
    );

    let instances = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet>
        <item><instancesSet><item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-01-15T10:00:00.000Z</launchTime></item></instancesSet></item>
        <item><instancesSet><item><instanceId>i-2</instanceId><instanceState><code>32</code><name>shutting-down</name></instanceState><launchTime>2026-01-15T10:05:00.000Z</launchTime></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
    let wire = Wire::answering(&[(200, instances)]).await;
    let found = wire.aws().call(&InstancesById(vec!["i-1".into(), "i-2".into()])).await.expect("judged").expect("told");
    assert_eq!(
        found.iter().map(|instance| instance.state).collect::<Vec<_>>(),
        [InstanceState::Running, InstanceState::Leaving]
    );
    assert_eq!(found[1].launched_at.to_string(), "2026-01-15T10:05:00Z");

    let versions = r#"<DescribeLaunchTemplateVersionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><launchTemplateVersionSet>
        <item><launchTemplateId>lt-1</launchTemplateId><versionNumber>7</versionNumber><versionDescription>by hand</versionDescription><defaultVersion>true</defaultVersion><launchTemplateData><imageId>ami-1</imageId></launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"#;
    let wire = Wire::answering(&[(200, versions)]).await;
    let found = wire
        .aws()
        .call(&VersionOf { template: "lt-1".into(), version: VersionRef::Default })
        .await
        .expect("judged")
        .expect("told");
    assert_eq!((found.number, found.description.as_str(), found.image.as_deref()), (7, "by hand", Some("ami-1")));
    assert!(wire.sent()[0].contains("LaunchTemplateVersion.1=%24Default"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn a_new_version_copies_a_numbered_one_with_its_own_token() {
    let body = r#"<CreateLaunchTemplateVersionResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><launchTemplateVersion><launchTemplateId>lt-1</launchTemplateId><versionNumber>8</versionNumber></launchTemplateVersion></CreateLaunchTemplateVersionResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let create = CreateVersion {
        template: "lt-1".into(),
        base: 7,
        image: "ami-1".into(),
        token: "t".into(),
        description: "d".into(),
    };
    assert_eq!(wire.aws().call(&create).await.expect("judged").expect("made"), 8);
    let sent = wire.sent().remove(0);
    for part in ["SourceVersion=7", "ClientToken=t", "LaunchTemplateData.ImageId=ami-1", "LaunchTemplateId=lt-1"] {
        assert_field(&sent, part);
    }
}

#[tokio::test]
async fn every_reference_is_asked_for_in_all_versions_of_templates() {
    let page = |arn: &str, more: &str| {
        format!(
            r#"<DescribeImageReferencesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imageReferenceSet><item><imageId>ami-1</imageId><resourceType>ec2:LaunchTemplate</resourceType><arn>{arn}</arn></item></imageReferenceSet>{more}</DescribeImageReferencesResponse>"#
        )
    };
    let first = page("arn:aws:ec2:us-east-1:1:launch-template/lt-1", "<nextToken>more</nextToken>");
    let second = page("arn:aws:ssm:us-east-1:1:parameter/web", "");
    let wire = Wire::answering(&[(200, &first), (200, &second)]).await;
    let found = wire.aws().call(&ImageReferences("ami-1".into())).await.expect("judged").expect("told");
    assert_eq!(found, ["arn:aws:ec2:us-east-1:1:launch-template/lt-1", "arn:aws:ssm:us-east-1:1:parameter/web"]);
    for part in [
        "Action=DescribeImageReferences",
        "ImageId.1=ami-1",
        "IncludeAllResourceTypes=true",
        "ResourceType.1.ResourceType=ec2%3ALaunchTemplate",
        "ResourceType.1.ResourceTypeOption.1.OptionName=version-depth",
        "ResourceType.1.ResourceTypeOption.1.OptionValue.1=10000",
    ] {
        assert_field(&wire.sent()[0], part);
    }
    assert!(wire.sent()[1].contains("NextToken=more"));
}

#[tokio::test]
async fn instances_of_an_image_are_those_that_are_not_terminated() {
    let body = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let found = wire.aws().call(&InstancesOf("ami-1".into())).await.expect("judged").expect("told");
    assert_eq!(found, ["i-1".into()]);
    let sent = wire.sent().remove(0);
    assert!(sent.contains("Filter.1.Name=image-id") && sent.contains("Filter.1.Value.1=ami-1"), "{sent}");
    assert!(sent.contains("Filter.2.Name=instance-state-name") && sent.contains("stopped"), "{sent}");
    assert!(!sent.contains("terminated"), "{sent}");
}

#[tokio::test]
async fn what_bears_our_tag_is_told_with_its_age() {
    let body = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState><creationDate>2026-01-15T10:30:00.123Z</creationDate></item><item><imageId>ami-2</imageId><imageState>available</imageState></item></imagesSet></DescribeImagesResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let found = wire
        .aws()
        .call(&ImagesTagged { key: "lastgood:managed-by".into(), value: "a*b".into() })
        .await
        .expect("judged")
        .expect("told");
    let ages: Vec<_> = found.iter().map(|image| image.created_at.map(|at| at.to_string())).collect();
    assert_eq!(ages, [Some("2026-01-15T10:30:00Z".to_owned()), None]);
    let sent = wire.sent().remove(0);
    assert!(sent.contains("Filter.1.Name=tag%3Alastgood%3Amanaged-by"), "{sent}");
    // A wildcard in the stack's name is none.
    assert!(sent.contains("Filter.1.Value.1=a%5C%2Ab") && sent.contains("IncludeDisabled=true"), "{sent}");
}

/// What an answer leaves out, in the words of the error.
async fn left_out<T>(
    body: String,
    call: impl AsyncFnOnce(crate::Aws) -> Result<T, lastgood_engine::CallFailed>,
) -> String {
    let wire = Wire::answering(&[(200, &body)]).await;
    let Err(failed) = call(wire.aws()).await else { return "it was read".to_owned() };
    chain(&failed)
}

#[tokio::test]
async fn an_answer_that_leaves_out_what_decides_is_none() {
    const EC2: &str = r#"xmlns="http://ec2.amazonaws.com/doc/2016-11-15/""#;
    const SCALING: &str = r#"xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/""#;
    let ec2 =
        |call: &str, inside: &str| format!("<{call}Response {EC2}><requestId>r</requestId>{inside}</{call}Response>");
    let scaling = |call: &str, inside: &str| {
        format!("<{call}Response {SCALING}><{call}Result>{inside}</{call}Result></{call}Response>")
    };
    let (image, template) = (ImageId::from("ami-1"), TemplateId::from("lt-1"));
    let refreshes = |inside: &str| {
        let one = format!("<InstanceRefreshes><member>{inside}</member></InstanceRefreshes>");
        scaling("DescribeInstanceRefreshes", &one)
    };
    let refresh = async |aws: crate::Aws| aws.call(&ActiveRefresh("web".into())).await;
    let mut told = vec![
        left_out(refreshes("<InstanceRefreshId>r-1</InstanceRefreshId>"), refresh).await,
        left_out(refreshes("<Status>InProgress</Status>"), refresh).await,
    ];
    let groups = scaling("DescribeAutoScalingGroups", "<AutoScalingGroups><member/></AutoScalingGroups>");
    told.push(left_out(groups, async |aws| aws.call(&GroupsTagged(lastgood_core::facts::Tags::new())).await).await);
    for inside in ["<ImageId>ami-1</ImageId>", "<LaunchConfigurationName>old</LaunchConfigurationName>"] {
        let one = format!("<LaunchConfigurations><member>{inside}</member></LaunchConfigurations>");
        let body = scaling("DescribeLaunchConfigurations", &one);
        told.push(left_out(body, async |aws| aws.call(&LaunchConfigurations).await).await);
    }
    let references = ec2("DescribeImageReferences", "<imageReferenceSet><item/></imageReferenceSet>");
    told.push(left_out(references, async |aws| aws.call(&ImageReferences(image.clone())).await).await);
    let instances = "<reservationSet><item><instancesSet><item/></instancesSet></item></reservationSet>";
    told.push(
        left_out(ec2("DescribeInstances", instances), async |aws| aws.call(&InstancesOf(image.clone())).await).await,
    );
    let versions =
        ec2("DescribeLaunchTemplateVersions", "<launchTemplateVersionSet><item/></launchTemplateVersionSet>");
    told.push(
        left_out(versions.clone(), async |aws| {
            aws.call(&VersionsWith { template: template.clone(), image: image.clone() }).await
        })
        .await,
    );
    told.push(
        left_out(versions, async |aws| {
            aws.call(&VersionOf { template: template.clone(), version: VersionRef::Latest }).await
        })
        .await,
    );
    let images = ec2("DescribeImages", "<imagesSet><item/></imagesSet>");
    told.push(left_out(images, async |aws| aws.call(&ImagesById(vec![image.clone()])).await).await);
    let snapshots = ec2("DescribeSnapshots", "<snapshotSet><item/></snapshotSet>");
    told.push(left_out(snapshots, async |aws| aws.call(&SnapshotsById(vec!["snap-1".into()])).await).await);
    for body in ["{}", r#"{"Parameter":{"Name":"/images/web","Type":"String"}}"#] {
        told.push(left_out(body.to_owned(), async |aws| aws.call(&GetParameter("/images/web".to_owned())).await).await);
    }
    assert_eq!(
        told,
        [
            "autoscaling:DescribeInstanceRefreshes gave an answer that can't be read: it is without a status",
            "autoscaling:DescribeInstanceRefreshes gave an answer that can't be read: it is without a refresh's id",
            "autoscaling:DescribeAutoScalingGroups gave an answer that can't be read: it is without a group's name",
            "autoscaling:DescribeLaunchConfigurations gave an answer that can't be read: it is without a launch configuration's name",
            "autoscaling:DescribeLaunchConfigurations gave an answer that can't be read: it is without a launch configuration's image",
            "ec2:DescribeImageReferences gave an answer that can't be read: it is without a reference's ARN",
            "ec2:DescribeInstances gave an answer that can't be read: it is without an instance's id",
            "ec2:DescribeLaunchTemplateVersions gave an answer that can't be read: it is without a version's number",
            "ec2:DescribeLaunchTemplateVersions gave an answer that can't be read: it is without a version's number",
            "ec2:DescribeImages gave an answer that can't be read: it is without an image's id",
            "ec2:DescribeSnapshots gave an answer that can't be read: it is without a snapshot's id",
            "ssm:GetParameter gave an answer that can't be read: it is without a parameter",
            "ssm:GetParameter gave an answer that can't be read: it is without a parameter's value",
        ]
    );
}
