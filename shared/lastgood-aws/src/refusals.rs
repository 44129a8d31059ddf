//! The one table of AWS's refusals: which code means what, for EC2, Auto Scaling, ElastiCache and the Parameter Store.
//!
//! EC2 models no errors, so the code is all there is (AWS: Error codes for the Amazon EC2 API). A code that stands
//! nowhere here is a final refusal, told in AWS's own words: to try it again blindly would hide it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::text::cut;
use lastgood_engine::{Answer, CallFailed, How};

/// What follows from an answer that is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// AWS judged the call: this is the kind of its no.
    Refused(Why),
    /// Too many calls came in: it was not judged, and may be made again.
    Throttled,
    /// It was not judged for another reason, and may be made again.
    Again,
}

/// Every code that the calls of ours are known to meet.
const TABLE: &[(&str, Class)] = &[
    // Throttling, and servers that did not get to it (AWS: Request throttling for the Amazon EC2 API).
    ("RequestLimitExceeded", Class::Throttled),
    ("Throttling", Class::Throttled),
    ("ThrottlingException", Class::Throttled),
    ("EC2ThrottledException", Class::Throttled),
    ("TooManyUpdates", Class::Again),
    ("InternalError", Class::Again),
    ("InternalFailure", Class::Again),
    ("ServiceUnavailable", Class::Again),
    ("Unavailable", Class::Again),
    ("ResourceContention", Class::Again),
    ("ServiceLinkedRoleFailure", Class::Again),
    ("RequestExpired", Class::Again),
    ("ExpiredToken", Class::Again),
    ("ExpiredTokenException", Class::Again),
    ("InternalServiceException", Class::Again),
    ("PaginationTokenExpiredException", Class::Again),
    ("ThrottledException", Class::Throttled),
    // Permissions.
    ("UnauthorizedOperation", Class::Refused(Why::Denied)),
    ("AuthFailure", Class::Refused(Why::Denied)),
    ("AccessDenied", Class::Refused(Why::Denied)),
    ("AccessDeniedException", Class::Refused(Why::Denied)),
    ("OptInRequired", Class::Refused(Why::Denied)),
    // What is not there, or not any more (AWS: DeregisterImage a second time gives Unavailable).
    ("InvalidAMIID.NotFound", Class::Refused(Why::Missing)),
    ("InvalidAMIID.Unavailable", Class::Refused(Why::Missing)),
    ("InvalidSnapshot.NotFound", Class::Refused(Why::Missing)),
    ("InvalidInstanceID.NotFound", Class::Refused(Why::Missing)),
    ("InvalidLaunchTemplateId.NotFound", Class::Refused(Why::Missing)),
    ("InvalidLaunchTemplateId.VersionNotFound", Class::Refused(Why::Missing)),
    ("InvalidLaunchTemplateName.NotFoundException", Class::Refused(Why::Missing)),
    ("ResourceNotFoundException", Class::Refused(Why::Missing)),
    // AWS: SNS, GetTopicAttributes, errors.
    ("AuthorizationError", Class::Refused(Why::Denied)),
    ("NotFound", Class::Refused(Why::Missing)),
    ("ParameterNotFound", Class::Refused(Why::Missing)),
    ("ParameterVersionNotFound", Class::Refused(Why::Missing)),
    ("InvalidVolume.NotFound", Class::Refused(Why::Missing)),
    ("ActiveInstanceRefreshNotFound", Class::Refused(Why::Missing)),
    // ElastiCache writes some of its codes with "Fault" at the end and some without (AWS: CreateSnapshot, Errors).
    ("CacheClusterNotFound", Class::Refused(Why::Missing)),
    ("ReplicationGroupNotFoundFault", Class::Refused(Why::Missing)),
    ("ServerlessCacheNotFoundFault", Class::Refused(Why::Missing)),
    ("SnapshotNotFoundFault", Class::Refused(Why::Missing)),
    ("ServerlessCacheSnapshotNotFoundFault", Class::Refused(Why::Missing)),
    ("CacheParameterGroupNotFound", Class::Refused(Why::Missing)),
    ("SnapshotAlreadyExistsFault", Class::Refused(Why::Taken)),
    ("ServerlessCacheSnapshotAlreadyExistsFault", Class::Refused(Why::Taken)),
    ("InvalidCacheClusterState", Class::Refused(Why::TooSoon)),
    ("InvalidReplicationGroupState", Class::Refused(Why::TooSoon)),
    ("InvalidServerlessCacheStateFault", Class::Refused(Why::TooSoon)),
    ("InvalidSnapshotState", Class::Refused(Why::TooSoon)),
    ("InvalidServerlessCacheSnapshotStateFault", Class::Refused(Why::TooSoon)),
    ("SnapshotQuotaExceededFault", Class::Refused(Why::Quota)),
    ("ServerlessCacheSnapshotQuotaExceededFault", Class::Refused(Why::Quota)),
    ("SnapshotFeatureNotSupportedFault", Class::Refused(Why::Invalid)),
    ("TagQuotaPerResourceExceeded", Class::Refused(Why::Invalid)),
    ("ServiceLinkedRoleNotFoundFault", Class::Refused(Why::Denied)),
    ("InvalidARN", Class::Refused(Why::Invalid)),
    ("InvalidParameterException", Class::Refused(Why::Invalid)),
    ("ConstraintViolationException", Class::Refused(Why::Invalid)),
    // Names and tokens.
    ("InvalidAMIName.Duplicate", Class::Refused(Why::Taken)),
    ("IdempotentParameterMismatch", Class::Refused(Why::Taken)),
    ("AlreadyExists", Class::Refused(Why::Taken)),
    ("InvalidLaunchTemplateName.AlreadyExistsException", Class::Refused(Why::Taken)),
    ("ParameterAlreadyExists", Class::Refused(Why::Taken)),
    // Use and state.
    ("InvalidSnapshot.InUse", Class::Refused(Why::InUse)),
    ("ResourceInUse", Class::Refused(Why::InUse)),
    // AWS: RollbackInstanceRefresh: a refresh that can't be rolled back.
    ("IrreversibleInstanceRefresh", Class::Refused(Why::WrongState)),
    // AWS: StartInstanceRefresh: another one is under way.
    ("InstanceRefreshInProgress", Class::Refused(Why::Locked)),
    ("IncorrectState", Class::Refused(Why::WrongState)),
    ("IncorrectInstanceState", Class::Refused(Why::WrongState)),
    // No room for an instance: it may come any minute (AWS: Error codes, server errors).
    ("InsufficientInstanceCapacity", Class::Refused(Why::TooSoon)),
    ("InsufficientHostCapacity", Class::Refused(Why::TooSoon)),
    ("InsufficientReservedInstanceCapacity", Class::Refused(Why::TooSoon)),
    ("InstanceLimitExceeded", Class::Refused(Why::Quota)),
    ("VcpuLimitExceeded", Class::Refused(Why::Quota)),
    // AWS wants a pause (AWS: Error codes; SnapshotCreationPerVolumeRateExceeded: 15 seconds or more).
    ("SnapshotCreationPerVolumeRateExceeded", Class::Refused(Why::TooSoon)),
    ("ConcurrentSnapshotLimitExceeded", Class::Refused(Why::TooSoon)),
    ("ConcurrentCreateImageNoRebootLimitExceeded", Class::Refused(Why::TooSoon)),
    ("PendingSnapshotLimitExceeded", Class::Refused(Why::TooSoon)),
    ("ConcurrentTagAccess", Class::Refused(Why::TooSoon)),
    ("ScalingActivityInProgress", Class::Refused(Why::TooSoon)),
    // Quotas of the account.
    ("SnapshotLimitExceeded", Class::Refused(Why::Quota)),
    ("ResourceLimitExceeded", Class::Refused(Why::Quota)),
    ("TagLimitExceeded", Class::Refused(Why::Quota)),
    ("MaxTemplateVersionLimitExceeded", Class::Refused(Why::Quota)),
    // Calls that are wrong, or that AWS does not do.
    ("InvalidAMIName.Malformed", Class::Refused(Why::Invalid)),
    ("InvalidAMIID.Malformed", Class::Refused(Why::Invalid)),
    ("InvalidLaunchTemplateId.Malformed", Class::Refused(Why::Invalid)),
    ("InvalidParameterValue", Class::Refused(Why::Invalid)),
    ("InvalidParameterCombination", Class::Refused(Why::Invalid)),
    ("MissingParameter", Class::Refused(Why::Invalid)),
    ("UnsupportedOperation", Class::Refused(Why::Invalid)),
    ("OperationNotPermitted", Class::Refused(Why::Invalid)),
    ("ValidationError", Class::Refused(Why::Invalid)),
    ("InvalidInstanceType", Class::Refused(Why::Invalid)),
    ("FilterLimitExceeded", Class::Refused(Why::Invalid)),
    ("LimitExceeded", Class::Refused(Why::Quota)),
    ("ParameterLimitExceeded", Class::Refused(Why::Quota)),
    ("ParameterMaxVersionLimitExceeded", Class::Refused(Why::Quota)),
    ("ParameterPatternMismatchException", Class::Refused(Why::Invalid)),
    ("HierarchyTypeMismatch", Class::Refused(Why::Invalid)),
    ("UnsupportedParameterType", Class::Refused(Why::Invalid)),
    ("ValidationException", Class::Refused(Why::Invalid)),
];

/// The code of a trial run that AWS would have carried out. It stands in no table: who asks in earnest is never told it.
const WOULD_BE_DONE: &str = "DryRunOperation";

/// Codes that mean several things: which one, only the words tell. (AWS: How an instance refresh works; the other
/// texts are seen in the wild and documented nowhere.)
const WORDS: &[(&str, &str, Why)] = &[
    ("ValidationError", "active instance refresh", Why::Locked),
    ("ValidationError", "name not found", Why::Missing),
    ("ValidationError", "is not part of Auto Scaling group", Why::Missing),
    ("ValidationError", "is not in InService", Why::WrongState),
    ("InvalidParameterValue", "Instance is not in state", Why::WrongState),
];

/// What follows from `code` with `message`, answered with `status`.
#[must_use]
pub fn classify(code: &str, message: &str, status: u16) -> Class {
    if let Some((_, _, why)) = WORDS.iter().find(|(known, words, _)| *known == code && message.contains(words)) {
        return Class::Refused(*why);
    }
    match TABLE.iter().find(|(known, _)| *known == code) {
        Some((_, class)) => *class,
        None if status >= 500 => Class::Again,
        None => Class::Refused(Why::Invalid),
    }
}

/// Every code of the table, for tests.
pub fn known_codes() -> impl Iterator<Item = (&'static str, Class)> {
    TABLE.iter().copied()
}

/// Sorts what the SDK returned into an answer or a call that failed.
pub(crate) fn answer<T, E>(
    action: &'static str,
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Answer<T>, CallFailed>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = match result {
        Ok(output) => return Ok(Ok(output)),
        Err(error) => error,
    };
    if let SdkError::ServiceError(service) = &error
        && let Some(code) = service.err().code()
    {
        let message = service.err().message().unwrap_or("no message");
        if let Class::Refused(why) = classify(code, message, service.raw().status().as_u16()) {
            let message = format!("{code}: {}", one_line(message));
            return Ok(Err(Refusal { why, action: action.to_owned(), message }));
        }
    }
    Err(failed(action, error))
}

/// The same of a trial run, whose yes is an error, too (AWS: Error codes, DryRunOperation).
pub(crate) fn trial<T, E>(
    action: &'static str,
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Answer<()>, CallFailed>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if let Err(SdkError::ServiceError(service)) = &result
        && service.err().code() == Some(WOULD_BE_DONE)
    {
        return Ok(Ok(()));
    }
    Ok(answer(action, result)?.map(|_| ()))
}

/// What AWS always tells. An answer without it can't be read: that is not an answer that tells of nothing.
pub(crate) fn told<T>(action: &'static str, found: Option<T>, what: &str) -> Result<T, CallFailed> {
    found.ok_or_else(|| CallFailed::new(How::Unreadable, action, format!("it is without {what}")))
}

/// The longest message of AWS that is kept, in bytes: it stands in records and notices.
const MESSAGE_BYTES_MAX: usize = 1_500;

/// EC2 appends an encoded text of a kilobyte that only another API call makes readable.
fn one_line(message: &str) -> String {
    let plain = message.split("Encoded authorization failure message").next().unwrap_or(message);
    cut(plain.split_whitespace().collect::<Vec<_>>().join(" "), MESSAGE_BYTES_MAX)
}

/// An error of the SDK, told in words that say what it was: its own `Display` is only "service error".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unwrapped(String);

impl Unwrapped {
    fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(service) = error
            && let Some(code) = service.err().code()
        {
            return Self(format!("{code}: {}", one_line(service.err().message().unwrap_or("no message"))));
        }
        Self(lastgood_engine::chain(error))
    }
}

/// Sorts the SDK's error of a call that knows no refusal.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err, which gives the error away")]
pub(crate) fn failed<E>(action: &'static str, error: SdkError<E, HttpResponse>) -> CallFailed
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let how = match &error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            match service.err().code().map(|code| classify(code, service.err().message().unwrap_or_default(), status)) {
                Some(Class::Throttled) => How::Throttled,
                Some(Class::Refused(_)) => How::Refused,
                Some(Class::Again) | None => How::Unanswered,
            }
        }
        _ => How::Unanswered,
    };
    CallFailed::new(how, action, Unwrapped::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_twice() {
        for (index, (code, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[index + 1..].iter().all(|(other, _)| other != code), "{code}");
        }
    }

    /// What the simulated world takes a code for.
    fn of_the_world(code: &str, message: &str) -> Option<Why> {
        lastgood_world::AwsError::new(code, message).why()
    }

    #[test]
    fn the_world_takes_every_refusal_for_the_same() {
        for (code, class) in TABLE {
            let Class::Refused(why) = class else { continue };
            assert_eq!(of_the_world(code, "AWS's words"), Some(*why), "{code}");
        }
        for (code, words, why) in WORDS {
            assert_eq!(of_the_world(code, words), Some(*why), "{code}: {words}");
        }
    }

    #[test]
    fn no_code_of_the_world_means_something_else_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/world/src");
        let mut found = std::collections::BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("the world") {
            let Ok(text) = std::fs::read_to_string(entry.expect("an entry").path()) else { continue };
            let made = text.split("AwsError::new(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(made.filter_map(|rest| rest.split_once('"')).map(|(code, _)| code.to_owned()));
        }
        assert!(found.len() > 20, "{found:?}");
        for code in found {
            let here = match classify(&code, "AWS's words", 400) {
                Class::Refused(why) => Some(why),
                Class::Throttled | Class::Again => None,
            };
            assert_eq!(of_the_world(&code, "AWS's words"), here, "{code}");
        }
    }

    #[test]
    fn an_unknown_code_is_final_unless_the_server_broke() {
        assert_eq!(classify("SomethingNew", "", 400), Class::Refused(Why::Invalid));
        assert_eq!(classify("SomethingNew", "", 503), Class::Again);
    }
}
