//! Token buckets: too many calls of one action in too short a time are not carried out.

use std::collections::BTreeMap;

use lastgood_core::{Time, seconds_between};

use crate::fault::{AwsError, service_of};
use crate::state::World;

/// What a bucket holds at most, and what flows into it each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    most: i64,
    each_second: i64,
}

const fn size(most: i64, each_second: i64) -> Size {
    Size { most, each_second }
}

/// AWS: Request throttling for the Amazon EC2 API, Systems Manager quotas. Auto Scaling, ElastiCache and
/// the Tagging API publish no numbers: their two sizes are a guess. The smaller bucket of calls without filters and without pages is left out.
fn size_of(action: &str) -> Size {
    let (service, call) = action.split_once(':').unwrap_or(("", action));
    let reads = ["Describe", "List", "Get", "Search"].iter().any(|verb| call.starts_with(verb));
    match (service, call) {
        ("ssm", _) if reads => size(40, 40),
        ("ssm", _) => size(3, 3),
        ("autoscaling" | "elasticache" | "tag", _) if reads => size(50, 10),
        ("autoscaling" | "elasticache" | "tag", _) => size(20, 2),
        (_, _) if reads => size(100, 20),
        (_, "RunInstances" | "StartInstances") => size(5, 2),
        (_, "CreateTags" | "DeleteTags") => size(100, 10),
        (
            _,
            "CreateLaunchTemplateVersion"
            | "ModifyLaunchTemplate"
            | "DeregisterImage"
            | "DeleteSnapshot"
            | "CreateSnapshot"
            | "TerminateInstances",
        ) => size(100, 5),
        _ => size(50, 5),
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: i64,
    filled_at: Time,
}

/// The buckets of the account, one for each action. Each is full before its first call.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    enforced: bool,
    by_action: BTreeMap<String, Bucket>,
    refused: usize,
}

impl Buckets {
    /// Takes a token for a call, if there is one.
    pub(crate) fn take(&mut self, action: &str, now: Time) -> Result<(), AwsError> {
        if !self.enforced {
            return Ok(());
        }
        let Size { most, each_second } = size_of(action);
        let bucket = self.by_action.entry(action.to_owned()).or_insert(Bucket { tokens: most, filled_at: now });
        let flown_in = seconds_between(bucket.filled_at, now).saturating_mul(each_second);
        *bucket = Bucket { tokens: bucket.tokens.saturating_add(flown_in).min(most), filled_at: now };
        if bucket.tokens == 0 {
            self.refused += 1;
            return Err(AwsError::throttled(service_of(action)));
        }
        bucket.tokens -= 1;
        Ok(())
    }
}

impl World {
    /// From now on the account has AWS's token buckets, all of them full.
    pub fn enforce_throttling(&self) {
        let mut state = self.lock();
        state.buckets = Buckets { enforced: true, refused: state.buckets.refused, ..Buckets::default() };
    }

    /// How many calls found their bucket empty. Those that a test has ordered to be throttled are not among them.
    pub fn throttled(&self) -> usize {
        self.lock().buckets.refused
    }
}
