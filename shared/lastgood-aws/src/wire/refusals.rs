//! Every refusal with its code on the wire, and what it means.

use lastgood_core::refusal::Why;
use lastgood_engine::call::autoscaling::SetGroupVersion;
use lastgood_engine::call::ec2::{CreateVersion, DeleteSnapshot, DeregisterImage};
use lastgood_engine::{Answers, CallFailed, How, chain};

use super::{Wire, create_image};
use crate::refusals::Class;

pub(super) fn ec2_error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
    )
}

pub(super) fn autoscaling_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>ea966190-example</RequestId></ErrorResponse>"
    )
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
            Some(Why::WrongState),
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
        assert_eq!(class(wire.aws().call(&create_image()).await), expected, "{code} {status}");
    }
}

#[tokio::test]
async fn every_refusal_of_the_other_calls() {
    let gone = "The image id '[ami-1]' is no longer available";
    let wire = |code: &'static str, message: &'static str| async move {
        let body = ec2_error(code, message);
        Wire::answering(&[(400, &body)]).await.aws()
    };
    let deregister = DeregisterImage("ami-1".into());
    for (code, expected) in [
        ("InvalidAMIID.Unavailable", Why::Missing),
        ("InvalidAMIID.NotFound", Why::Missing),
        ("InvalidAMIID.Malformed", Why::Invalid),
        ("OperationNotPermitted", Why::Invalid),
        ("UnauthorizedOperation", Why::Denied),
    ] {
        assert_eq!(class(wire(code, gone).await.call(&deregister).await), Some(expected), "{code}");
    }
    for (code, expected) in [("InvalidSnapshot.InUse", Why::InUse), ("InvalidSnapshot.NotFound", Why::Missing)] {
        let message = "The snapshot snap-1 is currently in use by ami-1";
        assert_eq!(
            class(wire(code, message).await.call(&DeleteSnapshot("snap-1".into())).await),
            Some(expected),
            "{code}"
        );
    }
    let create = CreateVersion {
        template: "lt-1".into(),
        base: 1,
        image: "ami-1".into(),
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
        assert_eq!(class(wire(code, "no").await.call(&create).await), Some(expected), "{code}");
    }
}

#[tokio::test]
async fn every_refusal_of_auto_scaling() {
    let locked = "An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.";
    for (status, code, message, expected) in [
        (400, "ValidationError", locked, Some(Why::Locked)),
        (400, "ValidationError", "AutoScalingGroup name not found - null", Some(Why::Missing)),
        (400, "ValidationError", "You must use a valid fully-formed launch template.", Some(Why::Invalid)),
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
        let set = SetGroupVersion { group: "web".into(), template: "lt-1".into(), version: 2 };
        let called = wire.aws().call(&set).await;
        assert_eq!(class(called), expected, "{code}: {message}");
    }
}

#[tokio::test]
async fn every_code_of_the_table_means_on_the_wire_what_the_table_says() {
    for (code, expected) in crate::refusals::known_codes() {
        let body = ec2_error(code, "AWS's words");
        let wire = Wire::answering(&[(400, &body)]).await;
        let found = match wire.aws().call(&create_image()).await {
            Ok(Ok(_)) => panic!("a refusal was prepared"),
            Ok(Err(refusal)) => Class::Refused(refusal.why),
            Err(failed) if failed.how == How::Throttled => Class::Throttled,
            Err(failed) => {
                assert_eq!(failed.how, How::Unanswered, "{code}");
                Class::Again
            }
        };
        assert_eq!(found, expected, "{code}");
    }
}

#[tokio::test]
async fn a_denial_names_the_action_and_the_resource_without_the_encoded_text() {
    let message = "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/tick is not authorized to perform: ec2:CreateImage on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-1 because no identity-based policy allows the ec2:CreateImage action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuMMCm";
    let body = ec2_error("UnauthorizedOperation", message);
    let wire = Wire::answering(&[(403, &body)]).await;
    let refusal = wire.aws().call(&create_image()).await.expect("judged").expect_err("denied");
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
    let error = wire.aws().call(&create_image()).await.expect_err("not an answer");
    assert!(chain(&error).starts_with("ec2:CreateImage got no answer: "), "{}", chain(&error));
}
