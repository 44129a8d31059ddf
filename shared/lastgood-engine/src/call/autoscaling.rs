//! Auto Scaling: groups, instance refreshes, launch configurations.

use lastgood_core::facts::{Configuration, Group, Refresh, RefreshView, Tags, VersionRef};
use lastgood_core::id::{GroupName, InstanceId, RefreshId, TemplateId};
use lastgood_core::rollout::RolloutPolicy;

use super::Call;

/// How many groups one call tells (AWS: DescribeAutoScalingGroups).
pub const GROUPS_A_CALL_MAX: usize = 100;
const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";

/// The groups of these names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsNamed(pub Vec<GroupName>);

impl Call for GroupsNamed {
    type Told = Vec<Group>;
    const ACTION: &'static str = DESCRIBE_GROUPS;

    fn times(&self) -> usize {
        self.0.len().div_ceil(GROUPS_A_CALL_MAX)
    }
}

/// The groups that bear every one of these tags with its value, and so every group if there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsTagged(pub Tags);

impl Call for GroupsTagged {
    type Told = Vec<Group>;
    const ACTION: &'static str = DESCRIBE_GROUPS;
}

/// The instance refresh of a group, or its rollback, that is under way, if one is. `Missing` if there is no such group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRefresh(pub GroupName);

impl Call for ActiveRefresh {
    type Told = Option<Refresh>;
    const ACTION: &'static str = "autoscaling:DescribeInstanceRefreshes";
}

/// Every launch configuration of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchConfigurations;

impl Call for LaunchConfigurations {
    type Told = Vec<Configuration>;
    const ACTION: &'static str = "autoscaling:DescribeLaunchConfigurations";
}

/// Whether a member may be terminated by a scale-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleInProtection {
    /// It may not.
    On,
    /// It may.
    Off,
}

/// Protect a member from scale-in, or do so no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetScaleInProtection {
    /// The group.
    pub group: GroupName,
    /// The member.
    pub instance: InstanceId,
    /// Which.
    pub protection: ScaleInProtection,
}

impl Call for SetScaleInProtection {
    type Told = ();
    const ACTION: &'static str = "autoscaling:SetInstanceProtection";
}

/// Give a group this version, by its number, and change nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetGroupVersion {
    /// The group.
    pub group: GroupName,
    /// The launch template.
    pub template: TemplateId,
    /// The version that it is to launch from.
    pub version: u64,
}

impl Call for SetGroupVersion {
    type Told = ();
    const ACTION: &'static str = "autoscaling:UpdateAutoScalingGroup";

    fn changes(&self) -> Option<&str> {
        Some(self.group.as_str())
    }
}

/// Give the base of a group's mixed instances policy this version, by its number, and change nothing else. AWS takes the
/// policy whole, so it is read and sent back; `WrongState` if its base does not name `template` by `named` any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMixedVersion {
    /// The group.
    pub group: GroupName,
    /// The launch template of the policy's base.
    pub template: TemplateId,
    /// How the base must still name its version.
    pub named: VersionRef,
    /// The version that it is to name.
    pub version: u64,
}

impl Call for SetMixedVersion {
    type Told = ();
    const ACTION: &'static str = "autoscaling:UpdateAutoScalingGroup";
    const FIRST: Option<&'static str> = Some(DESCRIBE_GROUPS);

    fn changes(&self) -> Option<&str> {
        Some(self.group.as_str())
    }
}

/// The newest instance refreshes of a group, the newest first, as many as one page tells. `Missing` if there is no such group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestRefreshes(pub GroupName);

impl Call for NewestRefreshes {
    type Told = Vec<RefreshView>;
    const ACTION: &'static str = ActiveRefresh::ACTION;
}

/// One instance refresh of a group. `Missing` if there is no such group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshById {
    /// The group.
    pub group: GroupName,
    /// The refresh.
    pub refresh: RefreshId,
}

impl Call for RefreshById {
    type Told = Option<RefreshView>;
    const ACTION: &'static str = ActiveRefresh::ACTION;
}

/// Begin an instance refresh of a group to a version, by its number. A mixed instances policy is taken whole, so it is read
/// and sent with its base changed; `WrongState` if its base names another template. `Locked` while another refresh is under
/// way: the call has no token (AWS: StartInstanceRefresh).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRefresh {
    /// The group.
    pub group: GroupName,
    /// The launch template.
    pub template: TemplateId,
    /// The version.
    pub version: u64,
    /// The group has a mixed instances policy.
    pub is_mixed: bool,
    /// How it replaces, and where it pauses.
    pub policy: RolloutPolicy,
}

impl Call for StartRefresh {
    type Told = RefreshId;
    const ACTION: &'static str = "autoscaling:StartInstanceRefresh";

    fn changes(&self) -> Option<&str> {
        Some(self.group.as_str())
    }
}

/// Take back the refresh of a group that is under way: the call names the group alone, and answers which it was. `Missing` if
/// none is, `WrongState` if it can't be (AWS: RollbackInstanceRefresh).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollBackRefresh(pub GroupName);

impl Call for RollBackRefresh {
    type Told = RefreshId;
    const ACTION: &'static str = "autoscaling:RollbackInstanceRefresh";

    fn changes(&self) -> Option<&str> {
        Some(self.0.as_str())
    }
}

/// Cancel the refresh of a group that is under way, at once: what is coming up or going is not waited for. It answers which it
/// was; `Missing` if none is (AWS: CancelInstanceRefresh).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRefresh(pub GroupName);

impl Call for CancelRefresh {
    type Told = RefreshId;
    const ACTION: &'static str = "autoscaling:CancelInstanceRefresh";

    fn changes(&self) -> Option<&str> {
        Some(self.0.as_str())
    }
}

/// Keep the refreshes of a group from going on, or let them: the process `InstanceRefresh` (AWS: Suspend and resume
/// processes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspendRefresh(pub GroupName);

impl Call for SuspendRefresh {
    type Told = ();
    const ACTION: &'static str = "autoscaling:SuspendProcesses";
}

/// Let the refreshes of a group go on again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeRefresh(pub GroupName);

impl Call for ResumeRefresh {
    type Told = ();
    const ACTION: &'static str = "autoscaling:ResumeProcesses";
}
