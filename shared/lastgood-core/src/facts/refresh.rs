//! What AWS says of an instance refresh, and of the members that it launched.

use super::{LaunchSource, TemplateRef, VersionRef};
use crate::Time;
use crate::id::{InstanceId, RefreshId, TemplateId};

/// How far an instance refresh is, as DescribeInstanceRefreshes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshView {
    /// Its id.
    pub id: RefreshId,
    /// Its status.
    pub status: RefreshStatus,
    /// AWS's reason, if it tells one.
    pub reason: Option<String>,
    /// Percent of the group that is replaced and warmed up. It falls while the refresh is taken back.
    pub percentage: u32,
    /// What the group is to launch from when it succeeds.
    pub desired: Option<LaunchSource>,
    /// When it began, if AWS tells.
    pub started_at: Option<Time>,
}

impl RefreshView {
    /// Whether it goes to this version of a template, by its number.
    #[must_use]
    pub fn goes_to(&self, template: &TemplateId, version: u64) -> bool {
        let goal = TemplateRef { template: template.clone(), version: VersionRef::Number(version) };
        self.desired.as_ref().and_then(LaunchSource::template) == Some(&goal)
    }
}

impl RefreshStatus {
    /// Whether it can be rolled back or cancelled (AWS: RollbackInstanceRefresh, CancelInstanceRefresh).
    #[must_use]
    pub fn may_be_changed(&self) -> bool {
        match self {
            Self::InProgress | Self::Baking | Self::Unknown(_) => true,
            Self::Cancelling
            | Self::RollingBack
            | Self::Successful
            | Self::Failed
            | Self::Cancelled
            | Self::RolledBack
            | Self::RollbackFailed => false,
        }
    }

    /// Whether it goes on. A word that nobody knows may say so.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self {
            Self::InProgress | Self::Baking | Self::Cancelling | Self::RollingBack | Self::Unknown(_) => true,
            Self::Successful | Self::Failed | Self::Cancelled | Self::RolledBack | Self::RollbackFailed => false,
        }
    }
}

/// The status of an instance refresh (AWS: InstanceRefresh).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefreshStatus {
    /// It was asked for, or it replaces.
    InProgress,
    /// All is replaced, and AWS waits whether that holds.
    Baking,
    /// Its group launches from what it desired.
    Successful,
    /// It failed, and what it replaced stays replaced.
    Failed,
    /// It is being cancelled.
    Cancelling,
    /// It was cancelled, and what it replaced stays replaced.
    Cancelled,
    /// It is being taken back.
    RollingBack,
    /// It was taken back.
    RolledBack,
    /// It could not be taken back.
    RollbackFailed,
    /// A word of AWS that nobody knows yet.
    Unknown(String),
}

/// What the status checks of a running instance say, of the instance and its host together (AWS: Status checks for Amazon EC2
/// instances).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCheck {
    /// Both passed.
    Passed,
    /// They are not done yet, or can't be told now.
    Unknown,
    /// One of them failed.
    Failed,
}

/// How the members of a group are that launched from one version, with their status checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// How many members the group wants.
    pub size: usize,
    /// Members that serve, on whatever version.
    pub serving: usize,
    /// Members on the version.
    pub on_version: usize,
    /// Of those, which do not serve, are unhealthy or do not pass their status checks, each with why.
    pub unfit: Vec<(InstanceId, String)>,
}
