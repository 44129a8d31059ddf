//! The adapters against literal bodies: what they send, how they read answers and refusals, page by page.

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use lastgood_core::facts::{ImageState, LaunchSource, SnapshotDeletion, SnapshotState, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId};
use lastgood_core::notice::{News, Notice};
use lastgood_core::refusal::Why;
use lastgood_engine::port::{ImageRequest, Posted, VersionRequest};
use lastgood_engine::{Bus, CallFailed, Cloud, Saved, Store, Versioned, chain};

use crate::settings::Settings;
use crate::{Aws, EventBus, Table};

/// A server on loopback that gives prepared answers in their order, and keeps what it was sent.
struct Wire {
    config: SdkConfig,
    sent: Arc<Mutex<Vec<String>>>,
}

type Prepared = (Arc<Mutex<Vec<(u16, String)>>>, Arc<Mutex<Vec<String>>>);

impl Wire {
    async fn answering(answers: &[(u16, &str)]) -> Self {
        let left = answers.iter().rev().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let state: Prepared = (Arc::new(Mutex::new(left)), Arc::clone(&sent));
        let router = Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .http_client(Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(format!("http://{address}"))
            .build();
        Self { config, sent }
    }

    fn aws(&self) -> Aws {
        Aws::new(&self.config)
    }

    fn table(&self) -> Table {
        let settings = Settings {
            table: "lastgood".into(),
            bus: "lastgood".into(),
            stack: "lastgood".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            writer: "writer".into(),
        };
        Table::new(&self.config, &settings)
    }

    fn sent(&self) -> Vec<String> {
        self.sent.lock().expect("no test panics with this lock").clone()
    }
}

async fn answer(State((left, sent)): State<Prepared>, body: String) -> (StatusCode, String) {
    sent.lock().expect("no test panics with this lock").push(body);
    let next = left.lock().expect("no test panics with this lock").pop();
    let (status, body) = next.expect("as many answers are prepared as calls are made");
    (StatusCode::from_u16(status).expect("a status"), body)
}

fn ec2_error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
    )
}

fn autoscaling_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>ea966190-example</RequestId></ErrorResponse>"
    )
}

fn image_request() -> ImageRequest {
    ImageRequest {
        instance: "i-1234567890abcdef0".into(),
        name: "lastgood-web-20260115T103000Z".into(),
        description: "a backup".into(),
        tags: [("lastgood:managed-by".to_owned(), "lastgood".to_owned())].into(),
    }
}

/// What an answer that is no success means: a refusal, or nothing that was judged.
fn class<T>(called: Result<Result<T, lastgood_core::refusal::Refusal>, CallFailed>) -> Option<Why> {
    match called {
        Ok(Ok(_)) => panic!("a refusal was prepared"),
        Ok(Err(refusal)) => Some(refusal.why),
        Err(_) => None,
    }
}

#[tokio::test]
async fn every_refusal_of_create_image() {
    let again = None;
    for (status, code, message, expected) in [
        (
            400,
            "InvalidAMIName.Duplicate",
            "AMI name lastgood-web is already in use by AMI ami-335e0a5a",
            Some(Why::Taken),
        ),
        (400, "InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long", Some(Why::Invalid)),
        (400, "InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist", Some(Why::Missing)),
        (
            400,
            "InvalidParameterValue",
            "Invalid value 'i-1' for instanceId. Instance is not in state 'running' or 'stopping' or 'stopped' for instance i-1",
            Some(Why::Invalid),
        ),
        (400, "InvalidParameterCombination", "no", Some(Why::Invalid)),
        (400, "MissingParameter", "no", Some(Why::Invalid)),
        (403, "UnauthorizedOperation", "You are not authorized", Some(Why::Denied)),
        (401, "AuthFailure", "not validated", Some(Why::Denied)),
        (400, "OptInRequired", "no", Some(Why::Denied)),
        (400, "UnsupportedOperation", "instance store", Some(Why::Invalid)),
        (400, "OperationNotPermitted", "no", Some(Why::Invalid)),
        (400, "SnapshotCreationPerVolumeRateExceeded", "wait at least 15 seconds", Some(Why::TooSoon)),
        (400, "ConcurrentSnapshotLimitExceeded", "5 pending", Some(Why::TooSoon)),
        (400, "ConcurrentCreateImageNoRebootLimitExceeded", "too many", Some(Why::TooSoon)),
        (400, "PendingSnapshotLimitExceeded", "too many", Some(Why::TooSoon)),
        (400, "ConcurrentTagAccess", "no", Some(Why::TooSoon)),
        (400, "IncorrectState", "no", Some(Why::WrongState)),
        (400, "IncorrectInstanceState", "no", Some(Why::WrongState)),
        (400, "SnapshotLimitExceeded", "100,000", Some(Why::Quota)),
        (400, "ResourceLimitExceeded", "no", Some(Why::Quota)),
        (400, "TagLimitExceeded", "50", Some(Why::Quota)),
        (503, "RequestLimitExceeded", "Request limit exceeded.", again),
        (400, "Throttling", "Rate exceeded", again),
        (500, "InternalError", "An internal error has occurred", again),
        (500, "InternalFailure", "no", again),
        (503, "ServiceUnavailable", "no", again),
        (503, "Unavailable", "no", again),
        (400, "RequestExpired", "no", again),
        (400, "NobodyHasSeenThisYet", "no", Some(Why::Invalid)),
        (502, "NobodyHasSeenThisYet", "no", again),
    ] {
        let body = ec2_error(code, message);
        let wire = Wire::answering(&[(status, &body)]).await;
        assert_eq!(class(wire.aws().create_image(&image_request()).await), expected, "{code} {status}");
    }
}

#[tokio::test]
async fn every_refusal_of_the_other_calls() {
    let gone = "The image id '[ami-1]' is no longer available";
    let wire = |code: &'static str, message: &'static str| async move {
        let body = ec2_error(code, message);
        Wire::answering(&[(400, &body)]).await.aws()
    };
    let image = ImageId::from("ami-1");
    for (code, expected) in [
        ("InvalidAMIID.Unavailable", Why::Missing),
        ("InvalidAMIID.NotFound", Why::Missing),
        ("InvalidAMIID.Malformed", Why::Invalid),
        ("OperationNotPermitted", Why::Invalid),
        ("UnauthorizedOperation", Why::Denied),
    ] {
        assert_eq!(class(wire(code, gone).await.deregister_image(&image).await), Some(expected), "{code}");
    }
    for (code, expected) in [("InvalidSnapshot.InUse", Why::InUse), ("InvalidSnapshot.NotFound", Why::Missing)] {
        let message = "The snapshot snap-1 is currently in use by ami-1";
        assert_eq!(class(wire(code, message).await.delete_snapshot(&"snap-1".into()).await), Some(expected), "{code}");
    }
    let request = VersionRequest {
        template: "lt-1".into(),
        base: 1,
        image,
        token: "token".into(),
        description: "lastgood".into(),
    };
    for (code, expected) in [
        ("InvalidLaunchTemplateId.NotFound", Why::Missing),
        ("InvalidLaunchTemplateId.VersionNotFound", Why::Missing),
        ("InvalidLaunchTemplateId.Malformed", Why::Invalid),
        ("InvalidLaunchTemplateName.NotFoundException", Why::Missing),
        ("IdempotentParameterMismatch", Why::Taken),
        ("MaxTemplateVersionLimitExceeded", Why::Quota),
    ] {
        assert_eq!(class(wire(code, "no").await.create_template_version(&request).await), Some(expected), "{code}");
    }
}

#[tokio::test]
async fn every_refusal_of_auto_scaling() {
    let locked = "An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.";
    for (status, code, message, expected) in [
        (400, "ValidationError", locked, Some(Why::Locked)),
        (400, "ValidationError", "AutoScalingGroup name not found - null", Some(Why::Invalid)),
        (
            403,
            "AccessDenied",
            "User is not authorized to perform: autoscaling:UpdateAutoScalingGroup",
            Some(Why::Denied),
        ),
        (400, "ScalingActivityInProgress", "no", Some(Why::TooSoon)),
        (500, "ResourceContention", "You already have a pending update", None),
        (500, "ServiceLinkedRoleFailure", "no", None),
        (400, "Throttling", "Rate exceeded", None),
    ] {
        let body = autoscaling_error(code, message);
        let wire = Wire::answering(&[(status, &body)]).await;
        let called = wire.aws().set_group_version(&"web".into(), &"lt-1".into(), 2).await;
        assert_eq!(class(called), expected, "{code}: {message}");
    }
}

#[tokio::test]
async fn every_code_of_the_table_means_on_the_wire_what_the_table_says() {
    for (code, expected) in crate::refusals::known_codes() {
        let body = ec2_error(code, "AWS's words");
        let wire = Wire::answering(&[(400, &body)]).await;
        let found = match class(wire.aws().create_image(&image_request()).await) {
            Some(why) => crate::refusals::Class::Refused(why),
            None => crate::refusals::Class::Again,
        };
        assert_eq!(found, expected, "{code}");
    }
}

#[tokio::test]
async fn a_denial_names_the_action_and_the_resource_without_the_encoded_text() {
    let message = "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/tick is not authorized to perform: ec2:CreateImage on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-1 because no identity-based policy allows the ec2:CreateImage action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuMMCm";
    let body = ec2_error("UnauthorizedOperation", message);
    let wire = Wire::answering(&[(403, &body)]).await;
    let refusal = wire.aws().create_image(&image_request()).await.expect("judged").expect_err("denied");
    let text = refusal.to_string();
    assert!(
        text.starts_with("ec2:CreateImage is not permitted: UnauthorizedOperation: You are not authorized"),
        "{text}"
    );
    assert!(text.ends_with("allows the ec2:CreateImage action."), "{text}");
}

#[tokio::test]
async fn what_never_reached_aws_is_a_call_that_failed_and_says_why() {
    let wire = Wire::answering(&[(200, "<html>a proxy's page")]).await;
    let error = wire.aws().create_image(&image_request()).await.expect_err("not an answer");
    assert!(chain(&error).starts_with("ec2:CreateImage got no answer: "), "{}", chain(&error));
}

#[tokio::test]
async fn create_image_never_reboots_and_tags_in_the_call_itself() {
    let body = r#"<CreateImageResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imageId>ami-4fa54026</imageId></CreateImageResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let made = wire.aws().create_image(&image_request()).await.expect("judged").expect("made");
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
        assert!(sent.split('&').any(|field| field == part), "{part} is missing in {sent}");
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
    let images = wire.aws().images(&["ami-1".into(), "ami-2".into()]).await.expect("judged").expect("told");
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
    assert_eq!(wire.aws().images(&ids).await.expect("judged").expect("told"), []);
    let sent = wire.sent();
    assert!(sent[0].contains("Filter.1.Value.200=ami-199") && !sent[0].contains("Value.201"), "{}", sent[0]);
    assert!(sent[1].contains("Filter.1.Value.1=ami-200"), "{}", sent[1]);
}

#[tokio::test]
async fn a_name_with_wildcards_is_asked_for_literally() {
    let none = r#"<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><name>abc</name></item></imagesSet></DescribeImagesResponse>"#;
    let wire = Wire::answering(&[(200, none)]).await;
    assert_eq!(wire.aws().image_named("a*c").await.expect("judged").expect("told"), None);
    assert!(wire.sent()[0].contains("Filter.1.Value.1=a%5C%2Ac"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn what_became_of_each_snapshot_is_read() {
    let body = r#"<DeregisterImageResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><return>true</return><deleteSnapshotResultSet>
        <item><snapshotId>snap-1</snapshotId><returnCode>success</returnCode></item><item><snapshotId>snap-2</snapshotId><returnCode>skipped</returnCode></item><item><snapshotId>snap-3</snapshotId><returnCode>missing-permissions</returnCode></item>
        </deleteSnapshotResultSet></DeregisterImageResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let results = wire.aws().deregister_image(&"ami-1".into()).await.expect("judged").expect("done");
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
    let found = wire.aws().snapshots(&["snap-1".into()]).await.expect("judged").expect("told");
    let states: Vec<_> = found.into_iter().map(|snapshot| snapshot.state).collect();
    assert_eq!(
        states,
        [SnapshotState::Completed, SnapshotState::Pending, SnapshotState::Broken("error: no key".into())]
    );

    let instances = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet>
        <item><instancesSet><item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-01-15T10:00:00.000Z</launchTime></item></instancesSet></item>
        <item><instancesSet><item><instanceId>i-2</instanceId><instanceState><code>32</code><name>shutting-down</name></instanceState><launchTime>2026-01-15T10:05:00.000Z</launchTime></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
    let wire = Wire::answering(&[(200, instances)]).await;
    let found = wire.aws().instances(&["i-1".into(), "i-2".into()]).await.expect("judged").expect("told");
    assert_eq!(found.iter().map(|instance| instance.running).collect::<Vec<_>>(), [true, false]);
    assert_eq!(found[1].launched_at.to_string(), "2026-01-15T10:05:00Z");

    let versions = r#"<DescribeLaunchTemplateVersionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><launchTemplateVersionSet>
        <item><launchTemplateId>lt-1</launchTemplateId><versionNumber>7</versionNumber><defaultVersion>true</defaultVersion><launchTemplateData><imageId>ami-1</imageId></launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"#;
    let wire = Wire::answering(&[(200, versions)]).await;
    let found = wire.aws().template_version(&"lt-1".into(), VersionRef::Default).await.expect("judged").expect("told");
    assert_eq!((found.number, found.is_default, found.image.as_deref()), (7, true, Some("ami-1")));
    assert!(wire.sent()[0].contains("LaunchTemplateVersion.1=%24Default"), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn a_new_version_copies_a_numbered_one_with_its_own_token() {
    let body = r#"<CreateLaunchTemplateVersionResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><launchTemplateVersion><launchTemplateId>lt-1</launchTemplateId><versionNumber>8</versionNumber></launchTemplateVersion></CreateLaunchTemplateVersionResponse>"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let request = VersionRequest {
        template: "lt-1".into(),
        base: 7,
        image: "ami-1".into(),
        token: "t".into(),
        description: "d".into(),
    };
    assert_eq!(wire.aws().create_template_version(&request).await.expect("judged").expect("made"), 8);
    let sent = wire.sent().remove(0);
    for part in ["SourceVersion=7", "ClientToken=t", "LaunchTemplateData.ImageId=ami-1", "LaunchTemplateId=lt-1"] {
        assert!(sent.split('&').any(|field| field == part), "{part} is missing in {sent}");
    }
}

#[tokio::test]
async fn groups_are_classified_and_their_members_read() {
    let group = |name: &str, launches: &str| {
        format!(
            "<member><AutoScalingGroupName>{name}</AutoScalingGroupName>{launches}<Instances><member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState><HealthStatus>Healthy</HealthStatus></member><member><InstanceId>i-2</InstanceId><LifecycleState>Pending:Wait</LifecycleState><HealthStatus>Unhealthy</HealthStatus></member></Instances></member>"
        )
    };
    let template = |version: &str| {
        format!(
            "<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName>{version}</LaunchTemplate>"
        )
    };
    let members = [
        group("number", &template("<Version>3</Version>")),
        group("latest", &template("<Version>$Latest</Version>")),
        group("silent", &template("")),
        group("mixed", "<MixedInstancesPolicy><LaunchTemplate/></MixedInstancesPolicy>"),
        group("legacy", "<LaunchConfigurationName>old</LaunchConfigurationName>"),
    ]
    .concat();
    let body = format!(
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeAutoScalingGroupsResult><AutoScalingGroups>{members}</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    );
    let wire = Wire::answering(&[(200, &body)]).await;
    let groups = wire.aws().groups(&[GroupName::from("number")]).await.expect("judged").expect("told");
    let from: Vec<_> = groups.iter().map(|group| group.launches_from.clone()).collect();
    let named = |version| LaunchSource::Template(TemplateRef { template: "lt-1".into(), version });
    let expected = [
        named(VersionRef::Number(3)),
        named(VersionRef::Latest),
        named(VersionRef::Default),
        LaunchSource::MixedInstances,
        LaunchSource::LaunchConfiguration,
    ];
    assert_eq!(from, expected);
    let able: Vec<_> = groups[0].members.iter().map(|member| member.in_service && member.healthy).collect();
    assert_eq!(able, [true, false]);
}

#[tokio::test]
async fn put_events_is_read_entry_by_entry() {
    let notice = |occasion: &str| {
        let backup = "group/web@20260115T103000Z".parse().expect("a backup");
        let news = News::BackupFailed { backup, reason: "a reason".into() };
        Notice::new(
            &"group/web".parse().expect("a source"),
            occasion,
            "2026-01-15T10:30:00Z".parse().expect("a time"),
            news,
        )
    };
    let body = r#"{"FailedEntryCount":1,"Entries":[{"EventId":"e-1"},{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let bus = EventBus::new(&wire.config, "lastgood");
    let posted = bus.post(&[notice("a"), notice("b")]).await.expect("posted");
    assert_eq!(posted, [Posted::Sent, Posted::NotSent("ThrottlingException: slow down".into())]);
    let eleven: Vec<Notice> = (0..11).map(|number| notice(&number.to_string())).collect();
    let ten = format!("{{\"FailedEntryCount\":0,\"Entries\":[{}]}}", vec![r#"{"EventId":"e"}"#; 10].join(","));
    let wire = Wire::answering(&[(200, &ten), (200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#)]).await;
    let posted = EventBus::new(&wire.config, "lastgood").post(&eleven).await.expect("posted");
    assert_eq!(posted, vec![Posted::Sent; 11]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_knows_its_own_mark() {
    let refused = |mark: &str| {
        format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\",\"message\":\"The conditional request failed\",\"Item\":{{\"mark\":{{\"S\":\"{mark}\"}}}}}}"
        )
    };
    let (ours, others) = (refused("writer 0"), refused("somebody 7"));
    let rollout = Versioned {
        record: lastgood_core::rollout::Rollout {
            refresh: "r".into(),
            group: "web".into(),
            news: Vec::new(),
            outbox: Vec::new(),
        },
        version: 4,
    };
    let wire = Wire::answering(&[(400, &ours), (400, &others)]).await;
    let table = wire.table();
    assert_eq!(table.save_rollout(&rollout).await.expect("judged"), Saved::As(5));
    assert_eq!(table.save_rollout(&rollout).await.expect("judged"), Saved::Outdated);
    assert!(wire.sent()[0].contains(r#""ConditionExpression":"v = :v""#), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn a_lost_race_is_outdated_and_a_throttled_transaction_is_tried_again() {
    let cancelled = |codes: &str| {
        format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"Message\":\"Transaction cancelled\",\"CancellationReasons\":[{codes}]}}"
        )
    };
    let lost = cancelled(r#"{"Code":"None"},{"Code":"ConditionalCheckFailed"}"#);
    let conflict = cancelled(r#"{"Code":"TransactionConflict"},{"Code":"None"}"#);
    let throttled = cancelled(r#"{"Code":"ThrottlingError"},{"Code":"None"}"#);
    let wire = Wire::answering(&[(400, &lost), (400, &conflict), (400, &throttled)]).await;
    let table = wire.table();
    let plans = [("web".to_owned(), None)].into();
    assert_eq!(table.write_plans(&plans, &[]).await.expect("judged"), Saved::Outdated);
    assert_eq!(table.write_plans(&plans, &[]).await.expect("judged"), Saved::Outdated);
    let error = table.write_plans(&plans, &[]).await.expect_err("not judged");
    assert!(chain(&error).contains("TransactionCanceledException"), "{}", chain(&error));
}
