//! What groups do by themselves: launch, notice what is lost, replace it, shrink.

use lastgood_core::id::{GroupName, InstanceId, TemplateId};

use crate::group::{Group, LaunchFailure, LaunchFrom, Lifecycle, Member};
use crate::instance::{InstanceState, Launch, member_tags};
use crate::state::{Due, State, World};
use crate::template::{TemplateName, version_text};

impl World {
    /// A refresh with a desired configuration begins: what the group launches from can't be changed.
    pub fn lock_group(&self, name: &str) {
        self.with_group(name, |group| group.locked = true);
    }

    /// That refresh ends.
    pub fn unlock_group(&self, name: &str) {
        self.with_group(name, |group| group.locked = false);
    }

    fn with_group(&self, name: &str, change: impl FnOnce(&mut Group)) {
        let mut state = self.lock();
        change(state.groups.get_mut(&GroupName::from(name)).expect("tests name groups that they have made"));
    }

    /// A group as it is, if there is one of this name.
    pub fn group_view(&self, name: &str) -> Option<Group> {
        self.lock().groups.get(&GroupName::from(name)).cloned()
    }

    /// Every launch of a group that failed. With Lastgood at work this must stay empty.
    pub fn launch_failures(&self) -> Vec<LaunchFailure> {
        self.lock().launch_failures.clone()
    }
}

impl State {
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
        if let Some(member) = member {
            member.lifecycle = Lifecycle::InService;
        }
    }

    fn group_of(&self, id: &InstanceId) -> Option<GroupName> {
        let name = self.instances.get(id)?.tags.get("aws:autoscaling:groupName")?;
        Some(GroupName::from(name.as_str()))
    }

    /// Replaces what is lost or unhealthy, and grows or shrinks to the size that is wanted.
    pub(crate) fn group_acts(&mut self, name: &GroupName) {
        let Some(group) = self.groups.get(name) else { return };
        // AWS: Health checks: any state but pending and running is an immediate failure.
        let is_lost = |member: &Member| {
            let state = self.instances.get(&member.instance).map(|instance| instance.state);
            !member.healthy || !matches!(state, Some(InstanceState::Pending | InstanceState::Running))
        };
        let lost: Vec<_> = group.members.iter().filter(|member| is_lost(member)).cloned().collect();
        let kept = group.members.len() - lost.len();
        // AWS: Termination policies: the default begins with the oldest.
        let age = |member: &&Member| self.instances.get(&member.instance).map(|instance| instance.launched_at);
        let mut staying: Vec<_> = group.members.iter().filter(|member| !lost.contains(member)).collect();
        staying.sort_by_key(age);
        let surplus = staying.into_iter().take(kept.saturating_sub(group.desired)).cloned();
        let leaving: Vec<InstanceId> = lost.iter().cloned().chain(surplus).map(|member| member.instance).collect();
        let wanted = group.desired.saturating_sub(kept);
        if let Some(group) = self.groups.get_mut(name) {
            group.members.retain(|member| !leaving.contains(&member.instance));
        }
        for instance in &leaving {
            self.terminate(instance);
        }
        for _ in 0..wanted {
            if let Err(failure) = self.launch_member(name) {
                self.launch_failures.push(failure);
                self.after(self.settings.launch_retry_seconds, Due::GroupActs(name.clone()));
                return;
            }
        }
    }

    /// Launches one member from what the group names, as that is resolved now.
    pub(crate) fn launch_member(&mut self, name: &GroupName) -> Result<InstanceId, LaunchFailure> {
        let at = self.now;
        let failed = |image: &str, why: String| LaunchFailure {
            at,
            group: name.clone(),
            image: image.to_owned(),
            message: format!("{why}. Launching EC2 instance failed."),
        };
        let (image, template) = self.image_of_group(name).map_err(|why| failed("", why))?;
        let tags = member_tags(name, template.as_ref());
        let launch = Launch { image: image.clone(), devices: Vec::new(), tags };
        let instance = self.launch(launch).map_err(|error| failed(&image, error.message))?;
        let member = Member { instance: instance.clone(), lifecycle: Lifecycle::Pending, healthy: true, template };
        if let Some(group) = self.groups.get_mut(name) {
            group.members.push(member);
        }
        Ok(instance)
    }

    pub(crate) fn image_of_group(&self, name: &GroupName) -> Result<(String, Option<(TemplateId, u64)>), String> {
        let group = self.groups.get(name).ok_or("There is no such group")?;
        match &group.from {
            LaunchFrom::Template(named) | LaunchFrom::Mixed(named) => {
                let template = TemplateName::Id(named.template.to_string());
                let version = self.version(&template, &version_text(named.version)).map_err(|error| error.message)?;
                let image = version.data.image.ok_or("The launch template names no image")?;
                Ok((image, Some((version.template, version.number))))
            }
            LaunchFrom::Configuration(name) => {
                let image = self.configurations.get(name).ok_or("There is no such launch configuration")?;
                Ok((image.to_string(), None))
            }
        }
    }
}
