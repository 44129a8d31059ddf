//! What AWS said no to, as the decisions need to know it.
//!
//! A refusal is an answer: the call got through and was judged. A call that did not get through is an error of the
//! port that was asked, and is made again. Which of AWS's codes is which refusal stands in one table in lastgood-aws.

use std::fmt;

use serde::{Deserialize, Serialize};

/// AWS heard the call and did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of no it is.
    pub why: Why,
    /// The call, as the field knows it: `ec2:CreateImage`.
    pub action: String,
    /// AWS's own words, on one line.
    pub message: String,
}

/// The kinds of no, by what follows from each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The role lacks a permission. Final until an operator mends it.
    Denied,
    /// The thing that the call is about does not exist (any more).
    Missing,
    /// The name or token is taken already: look whose it is.
    Taken,
    /// A thing is in a state that the call does not suit; it may change.
    WrongState,
    /// Something else still uses the thing.
    InUse,
    /// An active instance refresh holds the group's configuration.
    Locked,
    /// AWS wants a pause before the next call of this kind on this thing.
    TooSoon,
    /// A quota of the account is full. Final until an operator mends it.
    Quota,
    /// The call is wrong, or AWS does not do this at all. Final.
    Invalid,
}

impl Why {
    /// Whether the same call may be accepted later without anybody mending anything.
    pub fn passes(self) -> bool {
        match self {
            Self::Locked | Self::TooSoon => true,
            Self::Denied
            | Self::Missing
            | Self::Taken
            | Self::WrongState
            | Self::InUse
            | Self::Quota
            | Self::Invalid => false,
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            Why::Denied => "is not permitted",
            Why::Missing => "found nothing there",
            Why::Taken => "found the name taken",
            Why::WrongState => "found it in a state that does not suit",
            Why::InUse => "found it in use",
            Why::Locked => "found the group locked by an instance refresh",
            Why::TooSoon => "was asked to wait",
            Why::Quota => "met a full quota",
            Why::Invalid => "was refused",
        };
        write!(f, "{} {what}: {}", self.action, self.message)
    }
}
