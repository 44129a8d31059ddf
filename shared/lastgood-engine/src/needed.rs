//! Who needs an image: asked right before it is deleted. What can't be read counts as needed.

use lastgood_core::backup::Backup;
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateRef, VersionRef};
use lastgood_core::group;
use lastgood_core::id::SourceId;
use lastgood_core::plan::PublishTo;
use lastgood_core::refusal::Refusal;

use crate::Engine;
use crate::port::{Bus, CallFailed, Clock, Cloud, Store};

/// How a version says that its image stands in a parameter (AWS: Use AWS Systems Manager parameters instead of AMI IDs).
const RESOLVE: &str = "resolve:ssm:";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Whether the group launches from the image in any way, or the parameter of its plan names it, in words.
    pub(crate) async fn needed_by(&self, record: &Backup, image: &Image) -> Result<Vec<String>, CallFailed> {
        let SourceId::Group(name) = &record.id.source;
        let mut needed_by = Vec::new();
        if let PublishTo::Parameter(parameter) = &record.publish.to {
            self.named_by_parameter(parameter, image, parameter, &mut needed_by).await?;
        }
        let groups = match self.cloud.groups(std::slice::from_ref(name)).await? {
            Ok(groups) => groups,
            Err(refusal) => {
                needed_by.push(unread(&refusal));
                return Ok(needed_by);
            }
        };
        // The group is gone: it launches nothing.
        let Some(found) = group::named(&groups, name) else { return Ok(needed_by) };
        self.launched_by(found, image, &mut needed_by).await?;
        Ok(needed_by)
    }

    async fn launched_by(&self, found: &Group, image: &Image, needed_by: &mut Vec<String>) -> Result<(), CallFailed> {
        let who = format!("group/{}", found.name);
        match &found.launches_from {
            LaunchSource::Configuration(configuration) => {
                match self.cloud.configuration_image(configuration).await? {
                    Ok(named) if named.as_deref() == Some(image.id.as_str()) => {
                        needed_by.push(format!("{who} (launch configuration {configuration})"));
                    }
                    Ok(_) => {}
                    Err(refusal) => needed_by.push(unread(&refusal)),
                }
                return Ok(());
            }
            LaunchSource::Mixed(policy) => {
                let own = policy.overrides.iter().any(|other| other.image.as_deref() == Some(image.id.as_str()));
                if own {
                    needed_by.push(format!("{who} (an override's own image)"));
                }
            }
            LaunchSource::Template(_) => {}
        }
        for named in group::templates(found) {
            self.in_version(named, image, &who, needed_by).await?;
            // Somebody who names no version launches from the default.
            if named.version != VersionRef::Default {
                let default = TemplateRef { template: named.template.clone(), version: VersionRef::Default };
                self.in_version(&default, image, "its default", needed_by).await?;
            }
        }
        Ok(())
    }

    async fn in_version(
        &self,
        named: &TemplateRef,
        image: &Image,
        who: &str,
        needed_by: &mut Vec<String>,
    ) -> Result<(), CallFailed> {
        let version = match self.cloud.template_version(&named.template, named.version).await? {
            Ok(version) => version,
            Err(refusal) => {
                needed_by.push(unread(&refusal));
                return Ok(());
            }
        };
        let Some(names) = version.image.as_deref() else { return Ok(()) };
        let words = format!("{who} (version {} of {})", version.number, named.template);
        if names == image.id.as_str() {
            needed_by.push(words);
        } else if let Some(parameter) = names.strip_prefix(RESOLVE) {
            self.named_by_parameter(parameter, image, &words, needed_by).await?;
        }
        Ok(())
    }

    async fn named_by_parameter(
        &self,
        parameter: &str,
        image: &Image,
        who: &str,
        needed_by: &mut Vec<String>,
    ) -> Result<(), CallFailed> {
        match self.cloud.parameter(parameter).await? {
            Ok(Some(found)) if found.value == image.id.as_str() => needed_by.push(who.to_owned()),
            Ok(_) => {}
            Err(refusal) => needed_by.push(unread(&refusal)),
        }
        Ok(())
    }
}

fn unread(refusal: &Refusal) -> String {
    format!("who can say, for {refusal}")
}
