//! The Parameter Store, and what of EC2 matters to where an image is published.

use lastgood_core::facts::{InstanceState, Parameter, TemplateDevice, VersionRef};
use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::ec2::{ForeignImageById, ImagesById, InstancesById, TypesRun, VersionOf};
use lastgood_engine::call::ssm::{GetParameter, PutParameter};

use super::refusals::ec2_error;
use super::{Wire, assert_field};

#[tokio::test]
async fn a_parameter_is_read_written_over_and_missing() {
    let found = r#"{"Parameter":{"Name":"/images/web","Type":"String","Value":"ami-1","Version":3,"DataType":"aws:ec2:image"}}"#;
    let missing = r#"{"__type":"ParameterNotFound"}"#;
    let wire = Wire::answering(&[(200, found), (400, missing), (200, r#"{"Version":4}"#)]).await;
    let aws = wire.aws();
    let parameter = Parameter { value: "ami-1".into(), data_type: "aws:ec2:image".into() };
    assert_eq!(aws.call(&GetParameter("/images/web".into())).await.expect("judged"), Ok(Some(parameter.clone())));
    assert_eq!(aws.call(&GetParameter("/images/none".into())).await.expect("judged"), Ok(None));
    aws.call(&PutParameter { name: "/images/web".into(), parameter: parameter.clone() })
        .await
        .expect("judged")
        .expect("written");
    let sent = wire.sent().remove(2);
    for part in [r#""Overwrite":true"#, r#""DataType":"aws:ec2:image""#, r#""Type":"String""#, r#""Value":"ami-1""#] {
        assert!(sent.contains(part), "{part} is missing in {sent}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_no_plain_text_is_refused() {
    let secret = r#"{"Parameter":{"Name":"/images/web","Type":"SecureString","Value":"AQICAH","Version":1}}"#;
    let wire = Wire::answering(&[(200, secret)]).await;
    let refusal = wire.aws().call(&GetParameter("/images/web".into())).await.expect("judged").expect_err("no text");
    assert_eq!(refusal.message, "/images/web is a SecureString; name a parameter of type String");
}

#[tokio::test]
async fn a_denied_and_a_throttled_parameter_are_told_apart() {
    let denied = r#"{"__type":"AccessDeniedException","Message":"not authorized to perform: ssm:PutParameter"}"#;
    let throttled = r#"{"__type":"ThrottlingException","Message":"Rate exceeded"}"#;
    let wire = Wire::answering(&[(400, denied), (400, throttled)]).await;
    let parameter = Parameter { value: "ami-1".into(), data_type: "text".into() };
    let refusal = wire
        .aws()
        .call(&PutParameter { name: "/images/web".into(), parameter: parameter.clone() })
        .await
        .expect("judged")
        .expect_err("denied");
    assert_eq!((refusal.why, refusal.action.as_str()), (Why::Denied, "ssm:PutParameter"));
    let failed = wire
        .aws()
        .call(&PutParameter { name: "/images/web".into(), parameter: parameter.clone() })
        .await
        .expect_err("not judged");
    assert_eq!(failed.how, lastgood_engine::How::Throttled);
}

#[tokio::test]
async fn a_version_tells_the_devices_that_it_maps_itself() {
    let body = r#"<DescribeLaunchTemplateVersionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><launchTemplateVersionSet><item><launchTemplateId>lt-1</launchTemplateId><versionNumber>3</versionNumber><launchTemplateData><imageId>ami-1</imageId><blockDeviceMappingSet><item><deviceName>/dev/xvdf</deviceName><ebs><volumeSize>100</volumeSize></ebs></item><item><deviceName>/dev/xvdg</deviceName><ebs><snapshotId>snap-9</snapshotId></ebs></item><item><deviceName>/dev/xvdh</deviceName><noDevice/></item></blockDeviceMappingSet></launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let version = wire
        .aws()
        .call(&VersionOf { template: "lt-1".into(), version: VersionRef::Number(3) })
        .await
        .expect("judged")
        .expect("told");
    let device = |name: &str, snapshot: Option<&str>, gib| {
        let snapshot = snapshot.map(Into::into);
        TemplateDevice { name: name.into(), snapshot, gib }
    };
    let expected = [
        device("/dev/xvdf", None, Some(100)),
        device("/dev/xvdg", Some("snap-9"), None),
        device("/dev/xvdh", None, None),
    ];
    assert_eq!(version.devices, expected);
}

#[tokio::test]
async fn instance_types_tell_what_they_run() {
    let body = r#"<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><instanceTypeSet><item><instanceType>m6g.large</instanceType><processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo><supportedBootModes><item>uefi</item></supportedBootModes></item><item><instanceType>t2.micro</instanceType><processorInfo><supportedArchitectures><item>i386</item><item>x86_64</item></supportedArchitectures></processorInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let types = ["m6g.large".to_owned(), "t2.micro".to_owned()];
    let known = wire.aws().call(&TypesRun(types.into())).await.expect("judged").expect("told");
    assert_eq!(
        (&known["m6g.large"].architectures[..], &known["m6g.large"].boot_modes[..]),
        (&["arm64".into()][..], &["uefi".into()][..])
    );
    assert_eq!(known["t2.micro"].architectures, ["i386", "x86_64"]);
    assert!(known["t2.micro"].boot_modes.is_empty(), "AWS does not tell");
    assert!(wire.sent()[0].contains("InstanceType.1=m6g.large&InstanceType.2=t2.micro"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn an_image_of_another_account_is_asked_for_by_its_id_whoever_owns_it() {
    let found = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><imageOwnerId>210987654321</imageOwnerId><imageState>available</imageState><isPublic>true</isPublic><architecture>arm64</architecture><bootMode>uefi</bootMode><deprecationTime>2025-01-15T10:30:00.000Z</deprecationTime><rootDeviceName>/dev/xvda</rootDeviceName></item></imagesSet></DescribeImagesResponse>"#;
    let none = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet/></DescribeImagesResponse>"#;
    let missing = ec2_error("InvalidAMIID.NotFound", "The image id '[ami-2]' does not exist");
    let malformed = ec2_error("InvalidAMIID.Malformed", "Invalid id: \"ami-x\"");
    let ownerless = found.replace("<imageOwnerId>210987654321</imageOwnerId>", "");
    let bodies = [(200, found), (400, &missing), (200, none), (400, &malformed), (200, &ownerless)];
    let wire = Wire::answering(&bodies).await;
    let ask = async || wire.aws().call(&ForeignImageById("ami-1".into())).await;
    let foreign = ask().await.expect("judged").expect("told").expect("there");
    assert_eq!((foreign.owner.as_str(), foreign.image.boot_mode.as_deref()), ("210987654321", Some("uefi")));
    for _ in 0..2 {
        assert_eq!(ask().await.expect("judged"), Ok(None));
    }
    assert_eq!(ask().await.expect("judged").expect_err("refused").why, Why::Invalid);
    assert!(ask().await.is_err(), "an image without an owner can't be judged");
    let sent = &wire.sent()[0];
    for field in ["Action=DescribeImages", "ImageId.1=ami-1", "IncludeDeprecated=true", "IncludeDisabled=true"] {
        assert_field(sent, field);
    }
    assert!(!sent.contains("Owner."), "{sent}");
}

#[tokio::test]
async fn images_and_instances_tell_what_they_come_from() {
    let image = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState><architecture>arm64</architecture><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item></blockDeviceMapping></item></imagesSet></DescribeImagesResponse>"#;
    let instance = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-01-15T10:30:00.000Z</launchTime></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
    let wire = Wire::answering(&[(200, image), (200, instance)]).await;
    let images = wire.aws().call(&ImagesById(vec!["ami-1".into()])).await.expect("judged").expect("told");
    assert_eq!(images[0].root_device.as_deref(), Some("/dev/xvda"));
    assert_eq!(images[0].architecture.as_deref(), Some("arm64"));
    assert_eq!(images[0].devices, [("/dev/xvda".to_owned(), "snap-1".into())]);
    let instances = wire.aws().call(&InstancesById(vec!["i-1".into()])).await.expect("judged").expect("told");
    assert_eq!(instances[0].image, Some("ami-1".into()));
    assert_eq!(instances[0].state, InstanceState::Running);
}
