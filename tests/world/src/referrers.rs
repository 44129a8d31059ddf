//! Who refers to an image: the world's own answer, by which the witness judges.

use std::collections::BTreeSet;

use lastgood_core::facts::VersionRef;
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_core::name::TAG_SOURCE;

use crate::group::Group;
use crate::policy::LaunchFrom;
use crate::state::State;
use crate::witness::version_key;

impl State {
    /// Every version that a group may launch from: by its own configuration, and by what a refresh of it goes to.
    pub(crate) fn versions_of(&self, group: &Group) -> BTreeSet<(TemplateId, u64)> {
        let desired = self.active_refresh(&group.name).and_then(|refresh| refresh.desired.as_ref());
        let mut named = Vec::new();
        for from in desired.into_iter().chain([&group.from]) {
            match from {
                LaunchFrom::Template(one) => named.push(one.clone()),
                LaunchFrom::Mixed(policy) => {
                    named.push(policy.base.clone());
                    named.extend(policy.overrides.iter().filter_map(|other| other.template.clone()));
                }
                LaunchFrom::Configuration(_) => {}
            }
        }
        let number = |one: &lastgood_core::facts::TemplateRef| {
            let template = self.templates.get(&one.template)?;
            let number = match one.version {
                VersionRef::Number(number) => number,
                VersionRef::Default => template.default,
                VersionRef::Latest => template.versions.keys().next_back().copied()?,
            };
            Some((one.template.clone(), number))
        };
        named.iter().filter_map(number).collect()
    }

    /// Who refers to an image: everything from which something may be launched again, now or later.
    pub(crate) fn referrers(&self, id: &ImageId) -> Vec<String> {
        let mut found = Vec::new();
        let is_it = |text: &str| self.resolve_image(text).is_ok_and(|image| image == id.as_str());
        for group in self.groups.values() {
            let versions = self.versions_of(group);
            let mut images = versions.iter().filter_map(|(template, number)| {
                self.templates.get(template)?.versions.get(number)?.data.image.as_deref()
            });
            if images.any(is_it) {
                found.push(format!("group {} (its template)", group.name));
            }
            let desired = self.active_refresh(&group.name).and_then(|refresh| refresh.desired.as_ref());
            for from in desired.into_iter().chain([&group.from]) {
                if let LaunchFrom::Mixed(policy) = from
                    && policy.overrides.iter().any(|other| other.image.as_deref().is_some_and(is_it))
                {
                    found.push(format!("group {} (an override)", group.name));
                }
            }
        }
        for template in self.templates.values() {
            for version in template.versions.values() {
                let theirs = !self.witness.ours.contains(&version_key(&template.id, version.number));
                if version.data.image.as_deref().is_some_and(is_it) && (theirs || version.number == template.default) {
                    found.push(format!("version {} of {}", version.number, template.id));
                }
            }
        }
        found.extend(
            self.configurations
                .iter()
                .filter(|(_, held)| held.image == *id)
                .map(|(name, _)| format!("launch configuration {name}")),
        );
        for (name, versions) in &self.parameters {
            if versions.values().next_back().is_some_and(|latest| latest.value == id.as_str()) {
                found.push(format!("parameter {name}"));
            }
        }
        let source = self.images.get(id).and_then(|image| image.tags.get(TAG_SOURCE));
        if source.is_some_and(|source| self.witness.kept_in_use.contains(source)) {
            let there = self.instances.values().filter(|other| other.image == *id && other.terminated_at.is_none());
            found.extend(there.map(|instance| format!("instance {}", instance.id)));
        }
        found
    }
}
