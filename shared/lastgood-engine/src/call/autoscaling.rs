//! Auto Scaling: groups, instance refreshes, launch configurations.

use lastgood_core::facts::{Configuration, Group, Refresh, Tags};
use lastgood_core::id::{GroupName, InstanceId, TemplateId};

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
/// policy whole, so it is read and sent back; `WrongState` if its base is not version `base` of `template` any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMixedVersion {
    /// The group.
    pub group: GroupName,
    /// The launch template of the policy's base.
    pub template: TemplateId,
    /// The version that the base must still name.
    pub base: u64,
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
