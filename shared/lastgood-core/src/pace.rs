//! Pacing: how fast calls may be made so that other tools of the account have room too.
//!
//! AWS gives each account and Region a token bucket for each action: so many calls at once, so many more each second
//! (AWS: Request throttling for the Amazon EC2 API). We keep the same buckets, made smaller by our share, and make no
//! call without a token. A bucket is a record like any other: all functions take from the same one.

use serde::{Deserialize, Serialize};

use crate::{Time, later, seconds_between};

/// The size of AWS's own bucket for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Calls at once.
    pub burst: u32,
    /// Calls that become possible again each second.
    pub per_second: u32,
}

/// The part of the account's buckets that is ours, in percent from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Default for Share {
    fn default() -> Self {
        Self(50)
    }
}

impl Share {
    /// `percent` of each bucket; `None` unless it is from 1 to 100.
    #[must_use]
    pub fn percent(percent: u32) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self(percent))
    }
}

/// The bucket of `action` (`ec2:CreateImage`), for an account whose limits nobody has raised.
///
/// AWS publishes those of EC2 alone. For Auto Scaling, ElastiCache, the Tagging API and the Parameter Store the numbers are
/// careful guesses.
#[must_use]
pub fn limit_of(action: &str) -> Limit {
    let (service, call) = action.split_once(':').unwrap_or(("", action));
    let reads = ["Describe", "Get", "List", "Search"].iter().any(|verb| call.starts_with(verb));
    let (burst, per_second) = match (service, call) {
        ("ec2", _) if reads => (100, 20),
        ("ec2", "CreateLaunchTemplateVersion" | "ModifyLaunchTemplate" | "DeregisterImage" | "DeleteSnapshot") => {
            (100, 5)
        }
        // No faster off than on again.
        ("ec2", "StartInstances" | "StopInstances") => (5, 2),
        // CreateImage among them.
        ("ec2", _) => (50, 5),
        (_, _) if reads => (50, 10),
        (_, _) => (20, 2),
    };
    Limit { burst, per_second }
}

/// How far the clocks of two functions may be apart.
const CLOCK_SECONDS_APART_MAX: i64 = 60;

/// Thousandths of a token.
const WHOLE: u64 = 1_000;

/// What is left of our share of one action's bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Thousandths of a call.
    tokens: u64,
    /// When that was so.
    at: Time,
}

/// What came of asking a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The bucket afterwards.
    pub bucket: Bucket,
    /// How many calls may be made; 0 if none.
    pub granted: u32,
    /// How long until one more may be made, in seconds; 0 if some were granted.
    pub wait_seconds: i64,
}

/// Takes up to `want` calls from a bucket; `None` is one that nobody has used yet, and is full.
#[must_use]
pub fn take(bucket: Option<&Bucket>, limit: Limit, share: Share, now: Time, want: u32) -> Taken {
    let capacity = u64::from(limit.burst) * WHOLE * u64::from(share.0) / 100;
    // However small the share, one call at a time must be possible.
    let capacity = capacity.max(WHOLE);
    let each_second = (u64::from(limit.per_second) * WHOLE * u64::from(share.0) / 100).max(1);
    let tokens = bucket.map_or(capacity, |bucket| {
        let passed = u64::try_from(seconds_between(bucket.at, now)).unwrap_or(0);
        bucket.tokens.saturating_add(passed.saturating_mul(each_second)).min(capacity)
    });
    let granted = u32::try_from(tokens / WHOLE).unwrap_or(u32::MAX).min(want);
    let left = tokens - u64::from(granted) * WHOLE;
    // A clock that stands a little behind the bucket's takes nothing from what the bucket earns later; one that is far
    // behind is right, and whoever wrote the bucket was wrong.
    let ahead = |bucket: &Bucket| seconds_between(now, bucket.at) <= CLOCK_SECONDS_APART_MAX;
    let at = bucket.filter(|bucket| ahead(bucket)).map_or(now, |bucket| bucket.at.max(now));
    let lacking = WHOLE.saturating_sub(left).div_ceil(each_second);
    let wait_seconds = if granted > 0 { 0 } else { i64::try_from(lacking).unwrap_or(i64::MAX).max(1) };
    Taken { bucket: Bucket { tokens: left, at }, granted, wait_seconds }
}

/// The bucket after AWS throttled a call all the same: somebody else uses the account. Nothing is left for now.
#[must_use]
pub fn drained(now: Time) -> Bucket {
    Bucket { tokens: 0, at: now }
}

/// The longest pause between two tries.
pub const BACKOFF_SECONDS_MAX: i64 = 15 * 60;

/// When a call that did not get through is made again: after `first_seconds`, then twice as long each time, and up to
/// half of that longer, so that records which failed together do not come back together. The same record always gets the
/// same pause: `salt` tells records apart.
#[must_use]
pub fn again_at(now: Time, first_seconds: i64, failures: u32, salt: &str) -> Time {
    let doubled = first_seconds.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_SECONDS_MAX);
    later(now, doubled + crate::name::jitter(&[salt, &failures.to_string()], doubled / 2))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn start() -> Time {
        "2026-01-15T10:30:00Z".parse().expect("a time")
    }

    /// Asks every second for as much as there is, for a minute: how many calls, and how many of them at once.
    fn minute(action: &str, percent: u32) -> String {
        let share = Share::percent(percent).expect("a share");
        let (mut bucket, mut total, mut first) = (None, 0, 0);
        for second in 0..60 {
            let taken = take(bucket.as_ref(), limit_of(action), share, later(start(), second), u32::MAX);
            first = if second == 0 { taken.granted } else { first };
            total += taken.granted;
            bucket = Some(taken.bucket);
        }
        format!("{action:<32} {percent:>3} %: {first:>3} at once, {total:>4} in the first minute\n")
    }

    #[test]
    fn a_share_of_each_bucket() {
        let mut table = String::new();
        for action in [
            "ec2:CreateImage",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeregisterImage",
            "ec2:DescribeImages",
            "autoscaling:UpdateAutoScalingGroup",
            "autoscaling:DescribeAutoScalingGroups",
            "ec2:StartInstances",
            "ec2:StopInstances",
        ] {
            table += &minute(action, 50);
            table += &minute(action, 100);
        }
        table += &minute("ec2:CreateImage", 1);
        expect![[r#"
            ec2:CreateImage                   50 %:  25 at once,  172 in the first minute
            ec2:CreateImage                  100 %:  50 at once,  345 in the first minute
            ec2:CreateLaunchTemplateVersion   50 %:  50 at once,  197 in the first minute
            ec2:CreateLaunchTemplateVersion  100 %: 100 at once,  395 in the first minute
            ec2:DeregisterImage               50 %:  50 at once,  197 in the first minute
            ec2:DeregisterImage              100 %: 100 at once,  395 in the first minute
            ec2:DescribeImages                50 %:  50 at once,  640 in the first minute
            ec2:DescribeImages               100 %: 100 at once, 1280 in the first minute
            autoscaling:UpdateAutoScalingGroup  50 %:  10 at once,   69 in the first minute
            autoscaling:UpdateAutoScalingGroup 100 %:  20 at once,  138 in the first minute
            autoscaling:DescribeAutoScalingGroups  50 %:  25 at once,  320 in the first minute
            autoscaling:DescribeAutoScalingGroups 100 %:  50 at once,  640 in the first minute
            ec2:StartInstances                50 %:   2 at once,   61 in the first minute
            ec2:StartInstances               100 %:   5 at once,  123 in the first minute
            ec2:StopInstances                 50 %:   2 at once,   61 in the first minute
            ec2:StopInstances                100 %:   5 at once,  123 in the first minute
            ec2:CreateImage                    1 %:   1 at once,    3 in the first minute
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn an_empty_bucket_says_how_long_to_wait_and_then_gives() {
        let (limit, share) = (limit_of("ec2:CreateImage"), Share::percent(1).expect("a share"));
        let first = take(None, limit, share, start(), 5);
        assert_eq!((first.granted, first.wait_seconds), (1, 0));
        let second = take(Some(&first.bucket), limit, share, start(), 5);
        assert_eq!((second.granted, second.wait_seconds), (0, 20), "a hundredth of 5 a second");
        let third = take(Some(&second.bucket), limit, share, later(start(), 20), 5);
        assert_eq!(third.granted, 1);
    }

    #[test]
    fn a_clock_that_goes_back_earns_nothing_twice() {
        let (limit, share) = (limit_of("ec2:CreateImage"), Share::default());
        let all = take(None, limit, share, start(), 25);
        let before = take(Some(&all.bucket), limit, share, later(start(), -60), 1);
        assert_eq!(before.granted, 0);
        let same = take(Some(&before.bucket), limit, share, start(), 1);
        assert_eq!(same.granted, 0);
    }

    #[test]
    fn pauses_grow_and_differ_between_records() {
        let pauses = |salt: &str| -> Vec<i64> {
            (1..=7).map(|failures| seconds_between(start(), again_at(start(), 60, failures, salt))).collect()
        };
        expect![[r#"
            [79, 122, 343, 573, 901, 1282, 975]
            [68, 157, 241, 687, 957, 912, 1190]
        "#]]
        .assert_eq(&format!("{:?}\n{:?}\n", pauses("group/web@1"), pauses("group/api@1")));
        assert!(pauses("x").iter().all(|pause| (60..=BACKOFF_SECONDS_MAX * 3 / 2).contains(pause)));
    }
}
