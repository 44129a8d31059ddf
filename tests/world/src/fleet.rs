//! The members of a group as an instance refresh sees them: which are to be replaced, and which count as well.

use std::collections::BTreeSet;

use lastgood_core::id::{GroupName, InstanceId};
use lastgood_core::seconds_between;

use crate::group::Group;
use crate::instance::InstanceState;
use crate::member::{Lifecycle, Member};
use crate::policy::LaunchFrom;
use crate::preferences::Passing;
use crate::refresh::Refresh;
use crate::state::State;
use crate::template::{TemplateName, version_text};

/// The members that a refresh has to do with.
pub(crate) struct Fleet {
    /// Those that are to be replaced, oldest first.
    pub(crate) old: Vec<InstanceId>,
    /// Of those, not touched as long as they are protected or in standby.
    pub(crate) waited_for: usize,
    /// Members that serve, or come up, and are not to be replaced.
    pub(crate) new: usize,
    /// Of those, warmed up.
    pub(crate) warm: usize,
    /// Members that serve and are healthy, and warm if they are new.
    pub(crate) healthy: usize,
    /// How many members the group has, and how many it wants.
    pub(crate) counted: usize,
    pub(crate) size: usize,
}

impl State {
    pub(crate) fn warmup_seconds(&self, name: &GroupName) -> i64 {
        let of_group = self.groups.get(name).map_or(0, |group| group.times.warmup_seconds());
        self.active_refresh(name).and_then(|refresh| refresh.wants.warmup_seconds).unwrap_or(of_group)
    }

    pub(crate) fn fleet(&self, group: &Group, refresh: &Refresh) -> Fleet {
        let wants = &refresh.wants;
        let warmup = self.warmup_seconds(&group.name);
        let warms = self.settings.instance_pending_seconds + warmup;
        let mut fleet =
            Fleet { old: Vec::new(), waited_for: 0, new: 0, warm: 0, healthy: 0, counted: 0, size: group.desired };
        let mut old = Vec::new();
        for member in &group.members {
            let Some(instance) = self.instances.get(&member.instance) else { continue };
            let serves =
                member.lifecycle == Lifecycle::InService && member.healthy && instance.state == InstanceState::Running;
            if refresh.run.old.contains(&member.instance) {
                let passing = match member.lifecycle {
                    Lifecycle::Standby => wants.standby,
                    Lifecycle::Terminating => continue,
                    Lifecycle::Pending | Lifecycle::InService if member.protected => wants.protected,
                    Lifecycle::Pending | Lifecycle::InService => Passing::Replace,
                };
                match passing {
                    Passing::Replace => old.push((instance.launched_at, member.instance.clone())),
                    Passing::Ignore => {}
                    Passing::Wait => fleet.waited_for += 1,
                }
                fleet.healthy += usize::from(serves);
                fleet.counted += usize::from(member.counts());
            } else if member.counts() {
                let is_older = refresh.run.begun_at.is_some_and(|begun| instance.launched_at < begun);
                let is_warm = serves && (is_older || seconds_between(instance.launched_at, self.now) >= warms);
                fleet.new += 1;
                fleet.warm += usize::from(is_warm);
                fleet.healthy += usize::from(is_warm);
                fleet.counted += 1;
            }
        }
        old.sort();
        fleet.old = old.into_iter().map(|(_, id)| id).collect();
        fleet
    }

    /// The members that a refresh which begins now has to replace.
    pub(crate) fn members_to_replace(
        &self,
        group: &Group,
        desired: Option<&LaunchFrom>,
        skip: bool,
    ) -> BTreeSet<InstanceId> {
        let goal = match desired.unwrap_or(&group.from) {
            LaunchFrom::Template(named) => Some(named),
            LaunchFrom::Mixed(policy) => Some(&policy.base),
            LaunchFrom::Configuration(_) => None,
        };
        let goal = goal.and_then(|named| {
            let template = TemplateName::Id(named.template.to_string());
            let found = self.version(&template, &version_text(named.version)).ok()?;
            Some((found.template, found.number))
        });
        let matches = |member: &&Member| skip && goal.is_some() && member.template == goal;
        let members = group.members.iter().filter(|member| member.lifecycle != Lifecycle::Terminating);
        members.filter(|member| !matches(member)).map(|member| member.instance.clone()).collect()
    }
}
