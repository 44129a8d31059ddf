//! Reading the account for the judgement who needs an image. Here nothing is judged: see [`lastgood_core::needed`].
//!
//! Where an image stands is asked of DescribeImageReferences, and looked up besides wherever it must be expected: in the
//! templates of its group, and where it was published.

use std::collections::BTreeSet;

use lastgood_core::backup::{Backup, Publication, PublishedTo};
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateRef, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{GroupName, ImageId, TemplateId};
use lastgood_core::needed::{Reading, TemplateReading, changed_meanwhile, others, templates_told};
use lastgood_core::plan::PublishTo;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::Source;

use crate::Engine;
use crate::call::autoscaling::{ActiveRefresh, GroupsNamed, LaunchConfigurations};
use crate::call::ec2::{ImageReferences, InstancesOf, VersionOf, VersionsWith};
use crate::call::ssm::GetParameter;
use crate::call::{Answers, Call, Called, Cloud};
use crate::port::{Bus, CallFailed, Clock, Store};

/// Parameters of AWS's own: they name AWS's images, never one of ours (AWS: Discover public parameters).
const PUBLIC: &str = "/aws/";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Reads all that may say that the image of `record`, made of the group `own` if it is one of a group's, is needed: `there`, if AWS tells it. `source`
    /// is what is on record of its source.
    pub(super) async fn read_account(
        &self,
        record: &Backup,
        own: Option<&GroupName>,
        image: &ImageId,
        there: Option<&Image>,
        source: Option<&Source>,
    ) -> Result<Reading, CallFailed> {
        let mut reading = Reading::default();
        let mut templates = self.groups_into(&mut reading, own).await?;
        if let Publication::Published(PublishedTo::Version { template, .. }) = &record.publication {
            templates.insert(template.clone());
        }
        let references = self.references(image, there).await?;
        let references = read(&mut reading, references).unwrap_or_default();
        let told = templates_told(&references);
        templates.extend(told.iter().cloned());
        self.parameters_into(&mut reading, record, own, source).await?;
        reading.others = others(references, &reading);
        let configurations = read(&mut reading, self.cloud.call(&LaunchConfigurations).await?);
        reading.configurations = configurations.unwrap_or_default();
        if source.is_some_and(|source| source.policy.keep_in_use) {
            let instances = read(&mut reading, self.cloud.call(&InstancesOf(image.clone())).await?);
            reading.instances = instances.unwrap_or_default();
        }
        let mut without = BTreeSet::new();
        for template in templates {
            if !self.template_into(&mut reading, image, template.clone()).await? {
                without.insert(template);
            }
        }
        if !without.is_disjoint(&told) {
            // It is gone since, or not told yet though AWS knows of it: that counts (AWS: Eventual consistency).
            let again = self.references(image, there).await?;
            let again = templates_told(&read(&mut reading, again).unwrap_or_default());
            let (told_by, looked_up) = (ImageReferences::ACTION, VersionsWith::ACTION);
            let doubt =
                |template: &TemplateId| format!("{told_by} tells a version of {template}, and {looked_up} none");
            reading.unread.extend(again.intersection(&without).map(doubt));
        }
        let asked = self.refreshes_into(&mut reading, own, image).await?;
        self.followed_into(&mut reading, own).await?;
        self.groups_again(&mut reading, own, asked, source).await?;
        Ok(reading)
    }

    /// What refers to the image, as far as AWS looks: ARNs. `there` is the image, if AWS tells it.
    async fn references(&self, image: &ImageId, there: Option<&Image>) -> Called<Vec<String>> {
        Ok(match self.cloud.call(&ImageReferences(image.clone())).await? {
            // Whether AWS answers for an image that is gone is documented nowhere.
            Err(refusal) if refusal.why == Why::Missing && there.is_none() => Ok(Vec::new()),
            answer => answer,
        })
    }

    /// Every group. Returns the templates that its own group names.
    async fn groups_into(
        &self,
        reading: &mut Reading,
        own: Option<&GroupName>,
    ) -> Result<BTreeSet<TemplateId>, CallFailed> {
        if let Some((at, groups)) = read(reading, self.every_group().await?) {
            (reading.groups, reading.groups_at) = (groups, Some(at));
        }
        Ok(named_by(reading, own).into_iter().map(|named| named.template.clone()).collect())
    }

    /// Looks again at its own group and at those whose refreshes were asked for, when all else is read: one that ended
    /// meanwhile has become what its group launches from, which was read before.
    async fn groups_again(
        &self,
        reading: &mut Reading,
        own: Option<&GroupName>,
        mut names: Vec<GroupName>,
        source: Option<&Source>,
    ) -> Result<(), CallFailed> {
        if let Some(own) = own.filter(|own| !names.contains(own)) {
            names.push(own.clone());
        }
        if names.is_empty() {
            return Ok(());
        }
        let Some(now) = read(reading, self.cloud.call(&GroupsNamed(names.clone())).await?) else { return Ok(()) };
        let doubts = names.iter().filter_map(|name| {
            let source = (Some(name) == own).then_some(source);
            changed_meanwhile(name, group::named(&reading.groups, name), group::named(&now, name), source)
        });
        let doubts: Vec<String> = doubts.collect();
        reading.unread.extend(doubts);
        Ok(())
    }

    /// The parameters of the plans of then and of now, and those that versions of its group take their image from.
    async fn parameters_into(
        &self,
        reading: &mut Reading,
        record: &Backup,
        own: Option<&GroupName>,
        source: Option<&Source>,
    ) -> Result<(), CallFailed> {
        let plans = [Some(&record.publish.to), source.map(|source| &source.policy.publish.to)];
        let mut names: BTreeSet<String> = plans
            .into_iter()
            .flatten()
            .filter_map(|to| match to {
                PublishTo::Parameter(name) => Some(name.clone()),
                PublishTo::Group | PublishTo::Nothing => None,
            })
            .collect();
        let named: Vec<TemplateRef> = named_by(reading, own).into_iter().cloned().collect();
        for named in named {
            let version = read(reading, self.cloud.call(&VersionOf::named(&named)).await?);
            let alias = version.and_then(|version| version.image);
            let alias = alias.as_deref().and_then(|image| image.strip_prefix(group::RESOLVE));
            names.extend(alias.filter(|name| !name.starts_with(PUBLIC)).map(str::to_owned));
        }
        for name in names {
            if let Some(found) = read(reading, self.cloud.call(&GetParameter(name.clone())).await?) {
                reading.parameters.push((name, found.map(|found| found.value).unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// The refreshes of its own group, and of any that names one of the templates that were read: they may go to another
    /// version, or to another template, which is read too. Returns whose were asked for.
    async fn refreshes_into(
        &self,
        reading: &mut Reading,
        own: Option<&GroupName>,
        image: &ImageId,
    ) -> Result<Vec<GroupName>, CallFailed> {
        let with_image = |group: &Group| {
            let named = group.launches_from.templates();
            named.iter().any(|named| reading.templates.iter().any(|found| found.template == named.template))
        };
        let asked = reading.groups.iter().filter(|group| Some(&group.name) == own || with_image(group));
        let asked: Vec<GroupName> = asked.map(|group| group.name.clone()).collect();
        for name in &asked {
            let refresh = match self.cloud.call(&ActiveRefresh(name.clone())).await? {
                Ok(refresh) => refresh,
                // A group that is gone launches nothing.
                Err(refusal) if refusal.why == Why::Missing && Some(name) != own => None,
                Err(refusal) => {
                    reading.unread.push(refusal.to_string());
                    None
                }
            };
            let Some(refresh) = refresh else { continue };
            for named in refresh.desired.iter().flat_map(LaunchSource::templates) {
                if !reading.templates.iter().any(|found| found.template == named.template) {
                    self.template_into(reading, image, named.template.clone()).await?;
                }
            }
            reading.refreshes.push((name.clone(), refresh));
        }
        Ok(asked)
    }

    /// The versions of a template with the image. Returns false if AWS tells none.
    async fn template_into(
        &self,
        reading: &mut Reading,
        image: &ImageId,
        template: TemplateId,
    ) -> Result<bool, CallFailed> {
        let naming = match self.cloud.call(&VersionsWith { template: template.clone(), image: image.clone() }).await? {
            Ok(naming) if naming.is_empty() => return Ok(false),
            Ok(naming) => naming,
            // A template that is gone launches nothing; one that was made a moment ago may not be told yet.
            Err(refusal) if refusal.why == Why::Missing => return Ok(false),
            Err(refusal) => {
                reading.unread.push(refusal.to_string());
                return Ok(true);
            }
        };
        reading.templates.push(TemplateReading { template, default: None, latest: None, naming });
        Ok(true)
    }

    /// Which version is the default of each template, and which the latest if anybody follows that. Each is asked for once.
    /// And whether the others that somebody names by number are told: one that is not may have the image.
    async fn followed_into(&self, reading: &mut Reading, own: Option<&GroupName>) -> Result<(), CallFailed> {
        let mut named: BTreeSet<(TemplateId, VersionRef)> = BTreeSet::new();
        let desired = reading.refreshes.iter().filter_map(|(_, refresh)| refresh.desired.as_ref());
        // Those of its own group are read for what they take their image from.
        let others = reading.groups.iter().filter(|group| Some(&group.name) != own).map(|group| &group.launches_from);
        for source in others.chain(desired) {
            named.extend(source.templates().into_iter().map(|named| (named.template.clone(), named.version)));
        }
        let own = named_by(reading, own);
        let follows = |named: &TemplateRef| named.version == VersionRef::Latest;
        named.extend(own.into_iter().filter(|one| follows(one)).map(|one| (one.template.clone(), one.version)));
        let mut templates = std::mem::take(&mut reading.templates);
        for found in &mut templates {
            let of_it = |version| VersionOf { template: found.template.clone(), version };
            let number = |version: TemplateVersion| version.number;
            found.default = read(reading, self.cloud.call(&of_it(VersionRef::Default)).await?).map(number);
            for (_, version) in named.iter().filter(|(template, _)| *template == found.template) {
                match version {
                    VersionRef::Default => {}
                    VersionRef::Latest => {
                        found.latest = read(reading, self.cloud.call(&of_it(*version)).await?).map(number);
                    }
                    VersionRef::Number(number) if found.naming.iter().any(|naming| naming.number == *number) => {}
                    VersionRef::Number(_) => {
                        read(reading, self.cloud.call(&of_it(*version)).await?);
                    }
                }
            }
        }
        reading.templates = templates;
        Ok(())
    }
}

/// The answer; or a note that it could not be read.
fn read<T>(reading: &mut Reading, answer: Result<T, Refusal>) -> Option<T> {
    match answer {
        Ok(found) => Some(found),
        Err(refusal) => {
            reading.unread.push(refusal.to_string());
            None
        }
    }
}

/// The versions of templates that a group names, as it was read.
fn named_by<'a>(reading: &'a Reading, group: Option<&GroupName>) -> Vec<&'a TemplateRef> {
    group
        .and_then(|group| group::named(&reading.groups, group))
        .map(|group| group.launches_from.templates())
        .unwrap_or_default()
}
