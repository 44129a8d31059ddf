//! What an image is of: an instance that had shut down, was forced off, or ran.

use serde::{Deserialize, Serialize};

/// What an image is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Of an instance that had shut down in an orderly way.
    Clean,
    /// Of one that was forced off.
    Forced,
    /// Of one that ran: it may hold half a write.
    CrashConsistent,
}

impl Consistency {
    /// As people read it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Forced => "forced",
            Self::CrashConsistent => "crash-consistent",
        }
    }
}
