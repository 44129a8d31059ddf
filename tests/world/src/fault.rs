//! AWS's noes, and those that a test orders: denials, throttling, answers that are lost.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::access::Need;
use crate::filter::wildcard;
use crate::state::{ACCOUNT, World};

/// An error as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// The code, `InvalidAMIID.NotFound`.
    pub code: String,
    /// The text.
    pub message: String,
    /// The status of the HTTP answer.
    pub http_status: u16,
}

impl AwsError {
    /// An error with status 400, as most have.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), http_status: 400 }
    }

    /// An error with another status.
    pub fn with_status(http_status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { http_status, ..Self::new(code, message) }
    }

    /// AWS: UpdateAutoScalingGroup, ResourceContentionFault: another update is pending.
    pub fn resource_contention() -> Self {
        Self::with_status(500, "ResourceContention", "You already have a pending update to this resource.")
    }

    /// AWS: EC2 error codes, RequestLimitExceeded; Auto Scaling: common errors, Throttling; Systems Manager: common
    /// errors, ThrottlingException.
    pub(crate) fn throttled(service: &str) -> Self {
        match service {
            "ec2" => Self::with_status(503, "RequestLimitExceeded", "Request limit exceeded."),
            "ssm" => Self::new("ThrottlingException", "Rate exceeded"),
            _ => Self::new("Throttling", "Rate exceeded"),
        }
    }

    pub(crate) fn denied(action: &str, resource: &str) -> Self {
        let who = format!("arn:aws:sts::{ACCOUNT}:assumed-role/lastgood/world");
        let told = format!(
            "User: {who} is not authorized to perform: {action} on resource: {resource} because no identity-based \
             policy allows the {action} action"
        );
        // AWS: EC2 error codes, UnauthorizedOperation; Auto Scaling: common errors, AccessDenied.
        match service_of(action) {
            "ec2" => Self::with_status(
                403,
                "UnauthorizedOperation",
                format!("You are not authorized to perform this operation. {told}"),
            ),
            _ => Self::with_status(403, "AccessDenied", told),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.http_status, self.message)
    }
}

impl std::error::Error for AwsError {}

pub(crate) fn service_of(action: &str) -> &str {
    action.split_once(':').map_or(action, |(service, _)| service)
}

/// What a scripted call comes to.
#[derive(Clone, Debug)]
enum Scripted {
    Refused(AwsError),
    AnswerLost,
}

/// Whether the answer of a call that was carried out reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Yes,
    Lost,
}

/// What tests have ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    denied: Vec<(String, String)>,
    scripted: BTreeMap<String, VecDeque<Scripted>>,
    pub(crate) images: VecDeque<String>,
    pub(crate) snapshots: VecDeque<String>,
    pub(crate) deletions: VecDeque<String>,
    pub(crate) cache_snapshots: usize,
    pub(crate) no_room: bool,
}

impl Faults {
    /// Whether a call gets through.
    pub(crate) fn judge(&mut self, action: &str, needs: &[Need]) -> Result<Answered, AwsError> {
        let scripted = self.scripted.get_mut(action).and_then(VecDeque::pop_front);
        if let Some(Scripted::Refused(error)) = scripted {
            return Err(error);
        }
        if let Some(need) = needs.iter().find(|need| self.is_denied(&need.action, &need.resource)) {
            return Err(AwsError::denied(&need.action, &need.resource));
        }
        Ok(if scripted.is_some() { Answered::Lost } else { Answered::Yes })
    }

    /// Whether a permission is missing.
    pub(crate) fn is_denied(&self, action: &str, resource: &str) -> bool {
        let id = resource.rsplit('/').next().unwrap_or(resource);
        self.denied
            .iter()
            .any(|(denied, pattern)| wildcard(denied, action) && (wildcard(pattern, resource) || wildcard(pattern, id)))
    }
}

impl World {
    /// Takes the permission for `action` away, for resources whose ARN, or id alone, is like `resource`. Both may hold
    /// wildcards.
    pub fn deny(&self, action: &str, resource: &str) {
        self.lock().faults.denied.push((action.to_owned(), resource.to_owned()));
    }

    /// Gives all permissions back that were taken away with this very `action`.
    pub fn allow(&self, action: &str) {
        self.lock().faults.denied.retain(|(denied, _)| denied != action);
    }

    /// The next `times` calls of `action` are throttled: they are not carried out.
    pub fn throttle_next(&self, action: &str, times: usize) {
        self.fail_next(action, times, &AwsError::throttled(service_of(action)));
    }

    /// The next `times` calls of `action` get this error: they are not carried out.
    pub fn fail_next(&self, action: &str, times: usize, error: &AwsError) {
        self.script(action, times, &Scripted::Refused(error.clone()));
    }

    /// The next `times` calls of `action` are carried out, but the caller only gets a 500: the answer is lost.
    pub fn lose_next(&self, action: &str, times: usize) {
        self.script(action, times, &Scripted::AnswerLost);
    }

    fn script(&self, action: &str, times: usize, scripted: &Scripted) {
        let mut state = self.lock();
        let scripts = state.faults.scripted.entry(action.to_owned()).or_default();
        scripts.extend(std::iter::repeat_n(scripted.clone(), times));
    }

    /// The next image that is created ends `failed`, with this reason, when it would have become available.
    pub fn fail_next_image(&self, reason: &str) {
        self.lock().faults.images.push_back(reason.to_owned());
    }

    /// The next snapshot that is begun ends in `error`, with this message, whatever becomes of its image.
    pub fn fail_next_snapshot(&self, reason: &str) {
        self.lock().faults.snapshots.push_back(reason.to_owned());
    }

    /// The next snapshot that DeregisterImage would delete stays, with this return code (`internal-error`, ..).
    pub fn fail_next_snapshot_deletion(&self, return_code: &str) {
        self.lock().faults.deletions.push_back(return_code.to_owned());
    }
}
