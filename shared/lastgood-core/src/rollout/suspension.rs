//! Whether we keep a group's refresh from going on: the `InstanceRefresh` process of the group is suspended.
//!
//! ```text
//!  Untouched ─▶ Asked ─▶ Suspended ─▶ Owed ─▶ GivenBack
//!                 └────────────────────┘ ▲
//!   however it ends, and whoever died ───┘
//! ```
//!
//! What somebody else has suspended already is left as it is: it is theirs to resume.

use serde::{Deserialize, Serialize};

/// Whether the process is suspended by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspension {
    /// Not asked for, or somebody else's.
    #[default]
    Untouched,
    /// AWS may or may not have heard SuspendProcesses.
    Asked,
    /// It is suspended.
    Suspended,
    /// It is to be resumed.
    Owed,
    /// It is resumed.
    GivenBack,
}

/// What came of asking for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspending {
    /// It is suspended now, by us.
    Done,
    /// Somebody had suspended it already.
    Theirs,
    /// AWS refused, in words.
    Refused(String),
}

impl Suspension {
    /// It is to be given back, if it may be ours.
    #[must_use]
    pub fn owed(self) -> Self {
        match self {
            Self::Asked | Self::Suspended | Self::Owed => Self::Owed,
            Self::Untouched | Self::GivenBack => self,
        }
    }
}
