//! The members of groups: standby, protection from a scale-in, health.

use lastgood_core::id::{GroupName, ImageId, InstanceId, TemplateId};

use crate::fault::AwsError;
use crate::group::{group_call, invalid};
use crate::image::Sickness;
use crate::service::AutoScaling;
use crate::state::{Asked, Due, State};

/// AWS: Quotas for Auto Scaling: instances in one call of EnterStandby and ExitStandby, of SetInstanceProtection.
const STANDBY_MAX: usize = 20;
const PROTECTION_MAX: usize = 50;

/// Where a member is in its life in the group (AWS: LifecycleState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// It is being launched, or comes back from standby.
    Pending,
    /// It serves.
    InService,
    /// Somebody took it out of service.
    Standby,
    /// It was told to go, and its instance is not gone yet.
    Terminating,
}

impl Lifecycle {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Standby => "Standby",
            Self::Terminating => "Terminating",
        }
    }
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Whether it passes for healthy. A lost instance does until the group notices.
    pub healthy: bool,
    /// It may not be terminated by a scale-in.
    pub protected: bool,
    /// The template version that it was launched from.
    pub template: Option<(TemplateId, u64)>,
    /// Its instance type.
    pub instance_type: String,
    /// The image that it was launched from.
    pub image: ImageId,
}

impl Member {
    /// Whether it counts towards the size that the group wants.
    pub(crate) fn counts(&self) -> bool {
        match self.lifecycle {
            Lifecycle::Pending | Lifecycle::InService => true,
            Lifecycle::Standby | Lifecycle::Terminating => false,
        }
    }
}

/// Whether the group wants one member less for each that goes into standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// It does.
    Decrement,
    /// It does not: it launches another for each.
    Keep,
}

/// Whether a scale-in may terminate a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleIn {
    /// It may.
    Allowed,
    /// It passes the member over.
    Forbidden,
}

impl AutoScaling<'_> {
    /// SetInstanceHealth: Unhealthy. The group replaces the instance when it comes to it.
    pub fn set_unhealthy(&self, id: &InstanceId) -> Result<(), AwsError> {
        self.0.serve(Asked::new("autoscaling:SetInstanceHealth", "*", id.as_str()), |state| {
            let mut members = state.groups.values_mut().flat_map(|group| &mut group.members);
            let found = members.find(|member| member.instance == *id);
            let message = format!("Instance Id not found - {id}");
            found.ok_or_else(|| AwsError::new("ValidationError", message))?.healthy = false;
            state.member_changed(id);
            Ok(())
        })
    }

    /// SetInstanceProtection. All of the instances, or none.
    pub fn set_protection(&self, group: &str, ids: &[InstanceId], scale_in: ScaleIn) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:SetInstanceProtection", group);
        asked.about = format!("{group} {ids:?} {scale_in:?}");
        self.0.serve(asked, |state| {
            // Seen at AWS: a member that is coming up or on its way out is refused.
            state.check_members(group, ids, PROTECTION_MAX, &["InService", "EnteringStandby", "Standby"])?;
            state.witness_protects(ids, scale_in);
            for member in state.members_mut(group, ids) {
                member.protected = scale_in == ScaleIn::Forbidden;
            }
            Ok(())
        })
    }

    /// EnterStandby (AWS: Temporarily remove instances from your Auto Scaling group). There is no load balancer to drain,
    /// so they are there at once.
    pub fn enter_standby(&self, group: &str, ids: &[InstanceId], capacity: Capacity) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:EnterStandby", group);
        asked.about = format!("{group} {ids:?} {capacity:?}");
        self.0.serve(asked, |state| state.enter_standby(group, ids, capacity))
    }

    /// ExitStandby: each is wanted again, and serves after a while as if it had been launched.
    pub fn exit_standby(&self, group: &str, ids: &[InstanceId]) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:ExitStandby", group);
        asked.about = format!("{group} {ids:?}");
        self.0.serve(asked, |state| {
            state.check_members(group, ids, STANDBY_MAX, &["Standby"])?;
            let held = state.group_mut(group)?;
            let desired = held.desired + ids.len();
            if desired > held.max {
                // The words are a guess.
                return Err(invalid(format!(
                    "AutoScalingGroup {group} has max-size={}: it can't take {} instance(s) back.",
                    held.max,
                    ids.len()
                )));
            }
            held.desired = desired;
            for member in state.members_mut(group, ids) {
                member.lifecycle = Lifecycle::Pending;
            }
            for id in ids {
                state.after(state.settings.instance_pending_seconds, Due::MemberServes(id.clone()));
                // What was lost meanwhile is noticed only now.
                state.member_changed(id);
            }
            Ok(())
        })
    }
}

impl State {
    /// Refuses instances that are no members of the group, or are not in one of `states`. Both wordings were seen at AWS.
    fn check_members(&self, group: &str, ids: &[InstanceId], most: usize, states: &[&str]) -> Result<(), AwsError> {
        let held = self.group(group)?;
        if ids.len() > most {
            return Err(invalid(format!("The number of instance ids that may be passed in is limited to {most}")));
        }
        for id in ids {
            let member = held.members.iter().find(|member| member.instance == *id);
            let member = member
                .ok_or_else(|| invalid(format!("The instance {id} is not part of Auto Scaling group {group}.")))?;
            if !states.contains(&member.lifecycle.name()) {
                return Err(invalid(format!("The instance {id} is not in {}.", states.join(" or "))));
            }
        }
        Ok(())
    }

    pub(crate) fn enter_standby(
        &mut self,
        group: &str,
        ids: &[InstanceId],
        capacity: Capacity,
    ) -> Result<(), AwsError> {
        self.check_members(group, ids, STANDBY_MAX, &["InService"])?;
        let held = self.group_mut(group)?;
        if capacity == Capacity::Decrement {
            let left = held.desired.checked_sub(ids.len()).filter(|left| *left >= held.min);
            // The words are a guess.
            let refused = format!(
                "AutoScalingGroup {group} has min-size={}, and desired-size={}. To place into standby {} instance(s), \
                 please update the AutoScalingGroup sizes appropriately.",
                held.min,
                held.desired,
                ids.len()
            );
            held.desired = left.ok_or_else(|| invalid(refused))?;
        }
        for member in self.members_mut(group, ids) {
            member.lifecycle = Lifecycle::Standby;
        }
        self.act_on_size(&GroupName::from(group));
        Ok(())
    }

    fn members_mut(&mut self, group: &str, ids: &[InstanceId]) -> impl Iterator<Item = &mut Member> {
        let members = self.groups.get_mut(&GroupName::from(group)).into_iter().flat_map(|group| &mut group.members);
        members.filter(|member| ids.contains(&member.instance))
    }

    /// An instance is not as it was: its group, if it has one, will notice.
    pub(crate) fn member_changed(&mut self, id: &InstanceId) {
        let seconds = self.settings.replace_seconds;
        if let Some(name) = self.group_of(id) {
            self.after(seconds, Due::GroupActs(name));
        }
    }

    /// A member's instance runs: it serves from now on.
    pub(crate) fn member_runs(&mut self, id: &InstanceId) {
        let Some(group) = self.group_of(id).and_then(|name| self.groups.get_mut(&name)) else { return };
        let member = group.members.iter_mut().find(|member| member.instance == *id);
        if let Some(member) = member.filter(|member| member.lifecycle == Lifecycle::Pending) {
            member.lifecycle = Lifecycle::InService;
            let image = member.image.clone();
            if self.images.get(&image).is_some_and(|image| image.sickness == Some(Sickness::Unhealthy)) {
                self.after(self.settings.sick_seconds, Due::Sickens(id.clone()));
            }
        }
    }

    /// Its health check fails.
    pub(crate) fn member_sickens(&mut self, id: &InstanceId) {
        let mut members = self.groups.values_mut().flat_map(|group| &mut group.members);
        if let Some(member) = members.find(|member| member.instance == *id) {
            member.healthy = false;
            self.member_changed(id);
        }
    }

    /// An instance is gone: one that was told to go is no member any more. Of any other the group has yet to notice.
    pub(crate) fn member_gone(&mut self, id: &InstanceId) {
        if let Some(group) = self.group_of(id).and_then(|name| self.groups.get_mut(&name)) {
            let gone = |member: &Member| member.instance == *id && member.lifecycle == Lifecycle::Terminating;
            group.members.retain(|member| !gone(member));
        }
    }

    fn group_of(&self, id: &InstanceId) -> Option<GroupName> {
        let name = self.instances.get(id)?.tags.get("aws:autoscaling:groupName")?;
        Some(GroupName::from(name.as_str()))
    }
}
