//! Who needs an image: asked right before it is deleted. What can't be read counts as needed.

use std::collections::BTreeMap;

use lastgood_core::backup::{Backup, Publication, PublishedTo};
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{SourceId, TemplateId};
use lastgood_core::plan::PublishTo;
use lastgood_core::refusal::{Refusal, Why};

use crate::Engine;
use crate::port::{Bus, CallFailed, Clock, Cloud, Store};

/// Parameters of AWS's own: they name AWS's images, never one of ours (AWS: Discover public parameters).
const PUBLIC: &str = "/aws/";

/// Who needs an image, in words; and, by the way, in which versions of which templates it stands.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) by: Vec<String>,
    pub(crate) versions: BTreeMap<TemplateId, Vec<TemplateVersion>>,
}

impl Needs {
    fn unread(&mut self, refusal: &Refusal) {
        self.by.push(format!("who can say, for {refusal}"));
    }
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Whether any group launches from the image in any way that shows, or a parameter of the source's plan names it.
    pub(crate) async fn needed_by(&self, record: &Backup, image: &Image) -> Result<Needs, CallFailed> {
        let mut needs = Needs::default();
        let SourceId::Group(name) = &record.id.source;
        let source = self.store.source(&record.id.source).await?.map(|source| source.record);
        let plans = [Some(&record.publish.to), source.as_ref().map(|source| &source.policy.publish.to)];
        let mut parameters: Vec<&str> = plans
            .into_iter()
            .flatten()
            .filter_map(|to| match to {
                PublishTo::Parameter(name) => Some(name.as_str()),
                PublishTo::Group | PublishTo::Nothing => None,
            })
            .collect();
        parameters.dedup();
        for parameter in parameters {
            self.named_by_parameter(parameter, image, parameter, &mut needs).await?;
        }
        let every = match self.every_group().await? {
            Ok(every) => every,
            Err(refusal) => {
                needs.unread(&refusal);
                return Ok(needs);
            }
        };
        let own = self.cloud.groups(std::slice::from_ref(name)).await?;
        let own = match &own {
            Ok(groups) => group::named(groups, name),
            Err(refusal) => {
                needs.unread(refusal);
                None
            }
        };
        // One answer without the group proves nothing, as long as nobody else has found it gone.
        let gone = source.as_ref().is_none_or(|source| source.lost.is_some() || source.plan.is_none());
        match own {
            Some(own) => self.launched_by(own, image, &mut needs).await?,
            None if gone && group::named(&every, name).is_none() => {}
            None => needs.by.push(format!("who can say, for AWS does not tell {}", record.id.source)),
        }
        self.in_templates(record, own, &every, image, &mut needs).await?;
        Ok(needs)
    }

    /// What the group needs beside its templates.
    async fn launched_by(&self, own: &Group, image: &Image, needs: &mut Needs) -> Result<(), CallFailed> {
        let who = format!("group/{}", own.name);
        // What a refresh goes to, or back to, is nobody's to delete (AWS: Undo changes with a rollback).
        match self.cloud.active_refresh(&own.name).await? {
            Ok(None) => {}
            // Without its id: the next refresh is no news.
            Ok(Some(_)) => needs.by.push("the instance refresh that is under way, perhaps".to_owned()),
            Err(refusal) => needs.unread(&refusal),
        }
        match &own.launches_from {
            LaunchSource::Configuration(configuration) => match self.cloud.configuration_image(configuration).await? {
                Ok(named) if named.as_deref() == Some(image.id.as_str()) => {
                    needs.by.push(format!("{who} (launch configuration {configuration})"));
                }
                Ok(_) => {}
                Err(refusal) => needs.unread(&refusal),
            },
            LaunchSource::Unreadable(what) => needs.by.push(format!("who can say, for {what}")),
            LaunchSource::Template(_) | LaunchSource::Mixed(_) => {
                for named in group::templates(own) {
                    self.resolved(named, image, &who, needs).await?;
                }
            }
        }
        Ok(())
    }

    /// A version that takes its image from a parameter may take this one.
    async fn resolved(
        &self,
        named: &lastgood_core::facts::TemplateRef,
        image: &Image,
        who: &str,
        needs: &mut Needs,
    ) -> Result<(), CallFailed> {
        let version = match self.cloud.template_version(&named.template, named.version).await? {
            Ok(version) => version,
            Err(refusal) => {
                needs.unread(&refusal);
                return Ok(());
            }
        };
        let parameter = version.image.as_deref().and_then(|image| image.strip_prefix(group::RESOLVE));
        if let Some(parameter) = parameter.filter(|name| !name.starts_with(PUBLIC)) {
            let words = format!("{who} (version {} of {})", version.number, named.template);
            self.named_by_parameter(parameter, image, &words, needs).await?;
        }
        Ok(())
    }

    /// Every group, planned or not, that launches from a version with the image, of the templates of this group and of
    /// the one that the image was published to; and their defaults, from which whoever names no version launches.
    async fn in_templates(
        &self,
        record: &Backup,
        own: Option<&Group>,
        every: &[Group],
        image: &Image,
        needs: &mut Needs,
    ) -> Result<(), CallFailed> {
        for group in every {
            if let LaunchSource::Mixed(policy) = &group.launches_from
                && policy.overrides.iter().any(|other| other.image.as_deref() == Some(image.id.as_str()))
            {
                needs.by.push(format!("group/{} (an override's own image)", group.name));
            }
        }
        let mut templates: Vec<TemplateId> =
            own.map(group::templates).unwrap_or_default().into_iter().map(|named| named.template.clone()).collect();
        if let Publication::Published(PublishedTo::Version { template, .. }) = &record.publication {
            templates.push(template.clone());
        }
        templates.sort();
        templates.dedup();
        for template in templates {
            let naming = match self.cloud.template_versions_with(&template, &image.id).await? {
                Ok(naming) => naming,
                // A template that is gone launches nothing.
                Err(refusal) if refusal.why == Why::Missing => continue,
                Err(refusal) => {
                    needs.unread(&refusal);
                    continue;
                }
            };
            if naming.is_empty() {
                continue;
            }
            let mut users: Vec<(String, VersionRef)> = vec![("its default".into(), VersionRef::Default)];
            for group in every.iter().chain(own) {
                let of_this = group::templates(group).into_iter().filter(|named| named.template == template);
                users.extend(of_this.map(|named| (format!("group/{}", group.name), named.version)));
            }
            users.sort_by_key(|(who, _)| who.clone());
            users.dedup();
            self.by_users(&template, users, &naming, needs).await?;
            needs.versions.insert(template, naming);
        }
        Ok(())
    }

    /// Which of the users of a template launch from one of the versions with the image. Its default and its latest are
    /// asked for once, however many follow them.
    async fn by_users(
        &self,
        template: &TemplateId,
        users: Vec<(String, VersionRef)>,
        naming: &[TemplateVersion],
        needs: &mut Needs,
    ) -> Result<(), CallFailed> {
        let mut followed = Vec::new();
        for version in [VersionRef::Default, VersionRef::Latest] {
            if !users.iter().any(|(_, used)| *used == version) {
                continue;
            }
            match self.cloud.template_version(template, version).await? {
                Ok(found) => followed.push((version, found.number)),
                Err(refusal) => needs.unread(&refusal),
            }
        }
        for (who, version) in users {
            let number = match version {
                VersionRef::Number(number) => Some(number),
                VersionRef::Default | VersionRef::Latest => {
                    followed.iter().find(|(other, _)| *other == version).map(|(_, number)| *number)
                }
            };
            if let Some(number) = number.filter(|number| naming.iter().any(|version| version.number == *number)) {
                needs.by.push(format!("{who} (version {number} of {template})"));
            }
        }
        Ok(())
    }

    async fn named_by_parameter(
        &self,
        parameter: &str,
        image: &Image,
        who: &str,
        needs: &mut Needs,
    ) -> Result<(), CallFailed> {
        match self.cloud.parameter(parameter).await? {
            Ok(Some(found)) if found.value == image.id.as_str() => needs.by.push(who.to_owned()),
            Ok(_) => {}
            Err(refusal) => needs.unread(&refusal),
        }
        Ok(())
    }
}
