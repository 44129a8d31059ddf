//! Instances, what a stop of one would meet, and their power, in EC2's words.

use lastgood_core::facts::InstanceState;
use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::ec2::{InstancesById, SnapshotsById};
use lastgood_engine::call::power::{
    InstancesTagged, MayStart, OneTimeSpot, StartInstance, StopInstance, StopProtected, TypesInStore,
};

use super::refusals::ec2_error;
use super::{Wire, assert_field};

fn answer(action: &str, body: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>{body}</{action}Response>"
    )
}

const INSTANCE: &str = r"<reservationSet><item><instancesSet><item>
    <instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>80</code><name>stopped</name></instanceState>
    <instanceType>m5d.large</instanceType><launchTime>2026-01-15T10:30:00.000Z</launchTime><rootDeviceType>ebs</rootDeviceType>
    <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-1</volumeId></ebs></item><item><deviceName>/dev/xvdf</deviceName><ebs><volumeId>vol-2</volumeId></ebs></item></blockDeviceMapping>
    <instanceLifecycle>spot</instanceLifecycle><hibernationOptions><configured>true</configured></hibernationOptions>
    <networkInterfaceSet><item><association><publicIp>203.0.113.7</publicIp><ipOwnerId>amazon</ipOwnerId></association></item></networkInterfaceSet>
    <tagSet><item><key>aws:autoscaling:groupName</key><value>web</value></item></tagSet>
    </item></instancesSet></item></reservationSet>";

#[tokio::test]
async fn an_instance_is_read_with_all_that_matters_to_a_stop() {
    let own = INSTANCE.replace("<ipOwnerId>amazon", "<ipOwnerId>123456789012").replace(
        "<hibernationOptions><configured>true</configured></hibernationOptions>",
        "<hibernationOptions><configured>false</configured></hibernationOptions>",
    );
    let own =
        own.replace("<instanceLifecycle>spot</instanceLifecycle>", "").replace(">ebs</root", ">instance-store</root");
    let (one, other) = (answer("DescribeInstances", INSTANCE), answer("DescribeInstances", &own));
    let wire = Wire::answering(&[(200, &one), (200, &other)]).await;
    let aws = wire.aws();
    let found = aws.call(&InstancesById(vec!["i-1".into()])).await.expect("judged").expect("told").remove(0);
    assert_eq!((found.state, found.spot, found.hibernates), (InstanceState::Stopped, true, true));
    assert_eq!(found.volumes, ["vol-1".into(), "vol-2".into()]);
    assert_eq!((found.group(), found.root_in_store), (Some("web".into()), false));
    assert_eq!(
        (found.passing_address.as_deref(), found.instance_type.as_deref()),
        (Some("203.0.113.7"), Some("m5d.large"))
    );
    let tags = [("lastgood".to_owned(), "db*".to_owned())].into();
    let found = aws.call(&InstancesTagged(tags)).await.expect("judged").expect("told").remove(0);
    assert_eq!((found.spot, found.hibernates, found.passing_address, found.root_in_store), (false, false, None, true));
    assert_field(&wire.sent()[1], "Filter.1.Name=tag%3Alastgood");
    assert_field(&wire.sent()[1], "Filter.1.Value.1=db%5C%2A");
    assert_field(&wire.sent()[1], "Filter.2.Name=instance-state-name");
}

#[tokio::test]
async fn an_instance_is_asked_to_shut_down_and_never_to_skip_that() {
    let changed = answer(
        "StopInstances",
        "<instancesSet><item><instanceId>i-1</instanceId><currentState><code>64</code><name>stopping</name></currentState><previousState><code>16</code><name>running</name></previousState></item></instancesSet>",
    );
    let wire = Wire::answering(&[(200, &changed), (200, &changed), (200, &changed.replace("Stop", "Start"))]).await;
    let aws = wire.aws();
    for force in [false, true] {
        let stop = StopInstance { instance: "i-1".into(), force };
        assert_eq!(aws.call(&stop).await.expect("judged"), Ok(Some(InstanceState::Running)), "what it was before");
    }
    assert_eq!(aws.call(&StartInstance("i-1".into())).await.expect("judged"), Ok(()));
    let sent = wire.sent();
    for (sent, force) in sent.iter().zip(["Force=false", "Force=true"]) {
        assert_field(sent, "Action=StopInstances");
        assert_field(sent, "InstanceId.1=i-1");
        assert_field(sent, force);
        assert!(!sent.contains("SkipOsShutdown") && !sent.contains("Hibernate"), "{sent}");
    }
    assert_field(&sent[2], "Action=StartInstances");
}

#[tokio::test]
async fn a_trial_run_of_a_start_says_yes_with_an_error_and_starts_nothing() {
    let yes = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>DryRunOperation</Code><Message>Request would have succeeded, but DryRun flag is set.</Message></Error></Errors><RequestID>r</RequestID></Response>";
    let no = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/tick/f is not authorized to perform: ec2:StartInstances on resource: arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-1 because no identity-based policy allows the ec2:StartInstances action. Encoded authorization failure message: abc</Message></Error></Errors><RequestID>r</RequestID></Response>";
    let state =
        ec2_error("IncorrectInstanceState", "The instance 'i-1' is not in a state from which it can be started.");
    let (slow, trouble) = (ec2_error("RequestLimitExceeded", "slow down"), ec2_error("InternalError", "again"));
    let wire = Wire::answering(&[(412, yes), (403, no), (400, &state), (503, &slow), (500, &trouble)]).await;
    let aws = wire.aws();
    let ask = MayStart("i-1".into());
    assert_eq!(aws.call(&ask).await.expect("judged"), Ok(()));
    let denied = aws.call(&ask).await.expect("judged").expect_err("refused");
    assert_eq!((denied.why, denied.action.as_str()), (Why::Denied, "ec2:StartInstances"));
    assert!(denied.message.contains("license-configuration:lic-1") && !denied.message.contains("Encoded"), "{denied}");
    assert_eq!(aws.call(&ask).await.expect("judged").expect_err("refused").why, Why::WrongState);
    for _ in 0..2 {
        assert!(aws.call(&ask).await.is_err(), "nobody judged it");
    }
    for sent in wire.sent() {
        assert_field(&sent, "Action=StartInstances");
        assert_field(&sent, "InstanceId.1=i-1");
        assert_field(&sent, "DryRun=true");
    }
}

#[tokio::test]
async fn a_stop_is_asked_for_once_and_what_got_no_answer_is_for_the_record_to_try_again() {
    let (trouble, started) = (ec2_error("Unavailable", "try again"), answer("StartInstances", "<instancesSet/>"));
    let wire = Wire::answering(&[(503, &trouble), (503, &trouble), (200, &started)]).await;
    let aws = wire.aws_that_retries();
    let stop = StopInstance { instance: "i-1".into(), force: false };
    assert!(aws.call(&stop).await.is_err());
    assert_eq!(wire.sent().len(), 1, "a second one would be told that it is stopping, and not by whom");
    assert_eq!(aws.call(&StartInstance("i-1".into())).await.expect("judged"), Ok(()));
    assert_eq!(wire.sent().len(), 3, "any other is tried again");
}

#[tokio::test]
async fn what_a_stop_would_meet_is_read_with_care() {
    let attribute = |body: &str| answer("DescribeInstanceAttribute", &format!("<instanceId>i-1</instanceId>{body}"));
    let bodies = [
        attribute("<disableApiStop><value>true</value></disableApiStop>"),
        attribute("<disableApiStop><value>false</value></disableApiStop>"),
        attribute(""),
    ];
    let wire = Wire::answering(&bodies.iter().map(|body| (200, body.as_str())).collect::<Vec<_>>()).await;
    for expected in [true, false, true] {
        assert_eq!(wire.aws().call(&StopProtected("i-1".into())).await.expect("judged"), Ok(expected));
    }
    assert_field(&wire.sent()[0], "Attribute=disableApiStop");

    let request = |kind: &str| {
        answer("DescribeSpotInstanceRequests", &format!("<spotInstanceRequestSet>{kind}</spotInstanceRequestSet>"))
    };
    let bodies =
        [request("<item><type>one-time</type></item>"), request("<item><type>persistent</type></item>"), request("")];
    let wire = Wire::answering(&bodies.iter().map(|body| (200, body.as_str())).collect::<Vec<_>>()).await;
    for expected in [true, false, true] {
        assert_eq!(wire.aws().call(&OneTimeSpot("i-1".into())).await.expect("judged"), Ok(expected));
    }
    assert_field(&wire.sent()[0], "Filter.1.Name=instance-id");

    let types = answer(
        "DescribeInstanceTypes",
        "<instanceTypeSet><item><instanceType>m5d.large</instanceType><instanceStorageSupported>true</instanceStorageSupported></item><item><instanceType>m5.large</instanceType><instanceStorageSupported>false</instanceStorageSupported></item></instanceTypeSet>",
    );
    let wire = Wire::answering(&[(200, &types)]).await;
    let asked = TypesInStore(vec!["m5d.large".into(), "m5.large".into()]);
    assert_eq!(wire.aws().call(&asked).await.expect("judged"), Ok(["m5d.large".to_owned()].into()));
}

#[tokio::test]
async fn every_refusal_of_a_stop_and_of_a_start() {
    for (status, code, expected) in [
        (400, "IncorrectInstanceState", Some(Why::WrongState)),
        (400, "UnsupportedOperation", Some(Why::Invalid)),
        (400, "OperationNotPermitted", Some(Why::Invalid)),
        (400, "InvalidInstanceID.NotFound", Some(Why::Missing)),
        (403, "UnauthorizedOperation", Some(Why::Denied)),
        (500, "InsufficientInstanceCapacity", Some(Why::TooSoon)),
        (500, "InsufficientHostCapacity", Some(Why::TooSoon)),
        (400, "InstanceLimitExceeded", Some(Why::Quota)),
        (400, "VcpuLimitExceeded", Some(Why::Quota)),
        (503, "RequestLimitExceeded", None),
    ] {
        let body = ec2_error(code, "AWS's words");
        let wire = Wire::answering(&[(status, &body), (status, &body)]).await;
        let stop = StopInstance { instance: "i-1".into(), force: false };
        let why = wire.aws().call(&stop).await.ok().map(|told| told.expect_err("refused").why);
        assert_eq!(why, expected, "{code}");
        let why = wire.aws().call(&StartInstance("i-1".into())).await.ok().map(|told| told.expect_err("refused").why);
        assert_eq!(why, expected, "{code}");
    }
}

#[tokio::test]
async fn a_snapshot_tells_its_volume_its_size_how_it_is_described_and_how_much_is_copied() {
    let told = answer(
        "DescribeSnapshots",
        "<snapshotSet><item><snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><description>Created by CreateImage(i-1) for ami-1</description><startTime>2026-01-15T10:30:00.000Z</startTime><status>pending</status><progress>80%</progress><volumeSize>500</volumeSize></item><item><snapshotId>snap-2</snapshotId><status>pending</status><progress/></item></snapshotSet>",
    );
    let wire = Wire::answering(&[(200, &told)]).await;
    let found = wire.aws().call(&SnapshotsById(vec!["snap-1".into(), "snap-2".into()])).await.expect("judged");
    let found = found.expect("told");
    assert_eq!((found[0].volume.clone(), found[0].gib, found[0].percent), (Some("vol-1".into()), Some(500), Some(80)));
    assert_eq!((found[1].volume.clone(), found[1].gib, found[1].percent), (None, None, None));
    let begun = "2026-01-15T10:30:00Z".parse().expect("a time");
    assert_eq!(
        (found[0].description.as_str(), found[0].started_at),
        ("Created by CreateImage(i-1) for ami-1", Some(begun))
    );
    assert_eq!((found[1].description.as_str(), found[1].started_at), ("", None));
}
