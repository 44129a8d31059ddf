//! What groups do by themselves: launch, notice what is lost, replace it, shrink.

use lastgood_core::Time;
use lastgood_core::facts::TemplateRef;
use lastgood_core::id::{GroupName, ImageId, InstanceId, TemplateId};

use crate::group::Group;
use crate::instance::InstanceState;
use crate::launch::{Device, Launch, member_tags};
use crate::member::{Lifecycle, Member};
use crate::policy::{LaunchFrom, MixedPolicy};
use crate::refresh::{Refresh, RefreshStatus};
use crate::state::{Due, State, World};
use crate::template::{TemplateName, TemplateVersion, version_text};

/// A launch that did not succeed, as the group's activity tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFailure {
    /// When.
    pub at: Time,
    /// The group.
    pub group: GroupName,
    /// The image, as the template names it.
    pub image: String,
    /// AWS's words.
    pub message: String,
}

/// What one member is launched from.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    image: String,
    instance_type: Option<String>,
    devices: Vec<Device>,
    template: Option<(TemplateId, u64)>,
}

impl World {
    /// A group as it is, if there is one of this name.
    pub fn group_view(&self, name: &str) -> Option<Group> {
        self.lock().groups.get(&GroupName::from(name)).cloned()
    }

    /// Every launch of a group that failed. With Lastgood at work this must stay empty.
    pub fn launch_failures(&self) -> Vec<LaunchFailure> {
        self.lock().launch_failures.clone()
    }

    /// The image that a group would launch from now: its template's, the base's of its policy, or its launch
    /// configuration's.
    pub fn group_image(&self, name: &str) -> Option<ImageId> {
        let state = self.lock();
        let group = state.groups.get(&GroupName::from(name))?;
        state.image_of(state.launches_from(group))
    }

    /// Every image that a group may launch from now, in the order of the overrides of its policy. Whatever can't be told
    /// is left out.
    pub fn group_images(&self, name: &str) -> Vec<ImageId> {
        let state = self.lock();
        let Some(group) = state.groups.get(&GroupName::from(name)) else { return Vec::new() };
        let from = state.launches_from(group);
        let turns = match from {
            LaunchFrom::Mixed(policy) => policy.overrides.len().max(1),
            LaunchFrom::Template(_) | LaunchFrom::Configuration(_) => 1,
        };
        let images = (0..turns).filter_map(|turn| state.resolve_image(&state.recipe(from, turn).ok()?.image).ok());
        images.map(ImageId).collect()
    }
}

impl State {
    /// The image that a launch from this begins with: a template's, the base's of a policy, a launch configuration's.
    pub(crate) fn image_of(&self, from: &LaunchFrom) -> Option<ImageId> {
        let recipe = match from {
            LaunchFrom::Mixed(policy) => self.recipe(&LaunchFrom::Template(policy.base.clone()), 0),
            other => self.recipe(other, 0),
        };
        self.resolve_image(&recipe.ok()?.image).ok().map(ImageId)
    }

    /// Replaces what is lost or unhealthy, and grows or shrinks to the size that is wanted.
    pub(crate) fn group_acts(&mut self, name: &GroupName) {
        let Some(group) = self.groups.get(name) else { return };
        // AWS: Health checks: any state but pending and running is an immediate failure. In standby there are none.
        let is_lost = |member: &Member| {
            let state = self.instances.get(&member.instance).map(|instance| instance.state);
            !member.healthy || !matches!(state, Some(InstanceState::Pending | InstanceState::Running))
        };
        let (lost, kept): (Vec<_>, Vec<_>) =
            group.members.iter().filter(|member| member.counts()).partition(|member| is_lost(member));
        // AWS: Termination policies: the default begins with the oldest. Scale-in protection: passed over.
        let age = |member: &&Member| self.instances.get(&member.instance).map(|instance| instance.launched_at);
        let mut spare: Vec<_> = kept.iter().copied().filter(|member| !member.protected).collect();
        spare.sort_by_key(age);
        // A refresh that launches before it terminates has more members for a while.
        let size = group.desired.max(if self.refreshes_first(name) { kept.len() } else { 0 });
        let surplus = spare.into_iter().take(kept.len().saturating_sub(size));
        let wanted = group.desired.saturating_sub(kept.len());
        let leaving: Vec<InstanceId> = lost.into_iter().chain(surplus).map(|member| member.instance.clone()).collect();
        for instance in &leaving {
            self.dismiss(name, instance);
        }
        for _ in 0..wanted {
            if let Err(failure) = self.launch_member(name) {
                self.launch_failures.push(failure);
                self.after(self.settings.launch_retry_seconds, Due::GroupActs(name.clone()));
                return;
            }
        }
    }

    /// A member is told to go. It is a member until its instance is gone, which one that was lost may be already.
    pub(crate) fn dismiss(&mut self, group: &GroupName, id: &InstanceId) {
        let members = self.groups.get_mut(group).into_iter().flat_map(|group| &mut group.members);
        for member in members.filter(|member| member.instance == *id) {
            member.lifecycle = Lifecycle::Terminating;
        }
        if self.instances.get(id).is_none_or(|instance| instance.state == InstanceState::Terminated) {
            self.member_gone(id);
        }
        self.terminate(id);
    }

    /// Launches one member from what the group names, as that is resolved now.
    pub(crate) fn launch_member(&mut self, name: &GroupName) -> Result<InstanceId, LaunchFailure> {
        let at = self.now;
        let failed = |image: &str, why: String| LaunchFailure {
            at,
            group: name.clone(),
            image: image.to_owned(),
            message: format!("{}. Launching EC2 instance failed.", why.trim_end_matches('.')),
        };
        let recipe = match self.groups.get_mut(name) {
            Some(group) => {
                let turn = group.launches;
                group.launches += 1;
                let group = &self.groups[name];
                self.recipe(self.launches_from(group), turn)
            }
            None => Err("There is no such group".to_owned()),
        };
        let Recipe { image, instance_type, devices, template } = recipe.map_err(|why| failed("", why))?;
        let tags = member_tags(name, template.as_ref());
        let launch = Launch { image: image.clone(), instance_type, devices, tags };
        let id = self.launch(launch).map_err(|error| failed(&image, error.message))?;
        let instance = &self.instances[&id];
        let member = Member {
            instance: id.clone(),
            lifecycle: Lifecycle::Pending,
            healthy: true,
            protected: false,
            template,
            instance_type: instance.instance_type.clone(),
            image: instance.image.clone(),
        };
        if let Some(group) = self.groups.get_mut(name) {
            group.members.push(member);
        }
        Ok(id)
    }

    /// What a group launches from now. While a refresh desires something else, that counts (AWS: Instance refresh
    /// overview).
    fn launches_from<'a>(&'a self, group: &'a Group) -> &'a LaunchFrom {
        let goes_on = |refresh: &&Refresh| refresh.status != RefreshStatus::RollbackInProgress;
        let active = self.active_refresh(&group.name).filter(goes_on);
        active.and_then(|refresh| refresh.desired.as_ref()).unwrap_or(&group.from)
    }

    /// What the member is launched from whose turn it is.
    fn recipe(&self, from: &LaunchFrom, turn: usize) -> Result<Recipe, String> {
        match from {
            LaunchFrom::Template(named) => of_version(self.named_version(named)?, None, None),
            LaunchFrom::Mixed(MixedPolicy { base, overrides, .. }) => {
                let Some(told) = turn.checked_rem(overrides.len()).and_then(|at| overrides.get(at)) else {
                    return of_version(self.named_version(base)?, None, None);
                };
                let version = self.named_version(told.template.as_ref().unwrap_or(base))?;
                let recipe = of_version(version, told.image.clone(), told.instance_type.clone())?;
                // Requirements are met by whatever fits the image.
                let instance_type = recipe.instance_type.filter(|_| told.instance_type.is_some());
                Ok(Recipe { instance_type, ..recipe })
            }
            LaunchFrom::Configuration(name) => {
                let held = self.configurations.get(name).ok_or("There is no such launch configuration")?;
                Ok(Recipe {
                    image: held.image.to_string(),
                    instance_type: held.instance_type.clone(),
                    devices: Vec::new(),
                    template: None,
                })
            }
        }
    }

    fn named_version(&self, named: &TemplateRef) -> Result<TemplateVersion, String> {
        let template = TemplateName::Id(named.template.to_string());
        self.version(&template, &version_text(named.version)).map_err(|error| error.message)
    }
}

/// A version, with another image and another type if the override names them.
fn of_version(
    version: TemplateVersion,
    image: Option<String>,
    instance_type: Option<String>,
) -> Result<Recipe, String> {
    let data = version.data;
    Ok(Recipe {
        image: image.or(data.image).ok_or("The launch template names no image")?,
        instance_type: instance_type.or(data.instance_type),
        devices: data.devices,
        template: Some((version.template, version.number)),
    })
}
