//! Reading the account for the judgement who needs an image. Here nothing is judged: see [`lastgood_core::needed`].
//!
//! Where an image stands is asked of DescribeImageReferences, and looked up besides wherever it must be expected: in the
//! templates of its group, and where it was published.

use std::collections::BTreeSet;

use lastgood_core::backup::{Backup, Publication, PublishedTo};
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateRef, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{ImageId, SourceId, TemplateId};
use lastgood_core::needed::{Reading, TemplateReading};
use lastgood_core::plan::PublishTo;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::Source;

use crate::Engine;
use crate::call::autoscaling::{ActiveRefresh, GroupsNamed, LaunchConfigurations};
use crate::call::ec2::{ImageReferences, InstancesOf, VersionOf, VersionsWith};
use crate::call::ssm::GetParameter;
use crate::call::{Answers, Call, Cloud};
use crate::port::{Bus, CallFailed, Clock, Store};

/// Parameters of AWS's own: they name AWS's images, never one of ours (AWS: Discover public parameters).
const PUBLIC: &str = "/aws/";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Reads all that may say that the image of `record` is needed: `there`, if AWS tells it. `source` is what is on record
    /// of its source.
    pub(crate) async fn read_account(
        &self,
        record: &Backup,
        image: &ImageId,
        there: Option<&Image>,
        source: Option<&Source>,
    ) -> Result<Reading, CallFailed> {
        let mut reading = Reading::default();
        let mut templates = self.groups_into(&mut reading, record, source).await?;
        if let Publication::Published(PublishedTo::Version { template, .. }) = &record.publication {
            templates.insert(template.clone());
        }
        let references = self.references(image, there).await?;
        let references = read(&mut reading, references).unwrap_or_default();
        let told = templates_of(&references);
        templates.extend(told.iter().cloned());
        self.parameters_into(&mut reading, record, source).await?;
        reading.others = references.into_iter().filter(|arn| is_something_else(arn, &reading)).collect();
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
            // Its version is gone since, or not told yet though its template is: that counts (AWS: Eventual consistency).
            let again = self.references(image, there).await?;
            let again = templates_of(&read(&mut reading, again).unwrap_or_default());
            let (told_by, looked_up) = (ImageReferences::ACTION, VersionsWith::ACTION);
            let doubt =
                |template: &TemplateId| format!("{told_by} tells a version of {template}, and {looked_up} none");
            reading.unread.extend(again.intersection(&without).map(doubt));
        }
        self.refreshes_into(&mut reading, record, image).await?;
        self.followed_into(&mut reading).await?;
        Ok(reading)
    }

    /// What refers to the image, as far as AWS looks: ARNs. `there` is the image, if AWS tells it.
    async fn references(
        &self,
        image: &ImageId,
        there: Option<&Image>,
    ) -> Result<Result<Vec<String>, Refusal>, CallFailed> {
        Ok(match self.cloud.call(&ImageReferences(image.clone())).await? {
            // Whether AWS answers for an image that is gone is documented nowhere.
            Err(refusal) if refusal.why == Why::Missing && there.is_none() => Ok(Vec::new()),
            answer => answer,
        })
    }

    /// Every group, its own as it is right now. Returns the templates that its own group names.
    async fn groups_into(
        &self,
        reading: &mut Reading,
        record: &Backup,
        source: Option<&Source>,
    ) -> Result<BTreeSet<TemplateId>, CallFailed> {
        let SourceId::Group(name) = &record.id.source;
        reading.groups = read(reading, self.every_group().await?).unwrap_or_default();
        let own = read(reading, self.cloud.call(&GroupsNamed(vec![name.clone()])).await?);
        let own = own.and_then(|groups| group::named(&groups, name).cloned());
        // One answer without the group proves nothing, as long as nobody else has found it gone.
        let gone = source.is_none_or(|source| source.lost.is_some() || source.plan.is_none());
        let listed = group::named(&reading.groups, name).is_some();
        let Some(own) = own else {
            if listed || !gone {
                reading.unread.push(format!("AWS does not tell {}", record.id.source));
            }
            return Ok(BTreeSet::new());
        };
        reading.groups.retain(|group| group.name != own.name);
        let templates = own.launches_from.templates().into_iter().map(|named| named.template.clone()).collect();
        reading.groups.push(own);
        Ok(templates)
    }

    /// The parameters of the plans of then and of now, and those that versions of its group take their image from.
    async fn parameters_into(
        &self,
        reading: &mut Reading,
        record: &Backup,
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
        let SourceId::Group(own) = &record.id.source;
        let named: Vec<TemplateRef> = group::named(&reading.groups, own)
            .map(|own| own.launches_from.templates())
            .unwrap_or_default()
            .into_iter()
            .cloned()
            .collect();
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
    /// version, or to another template, which is read too.
    async fn refreshes_into(&self, reading: &mut Reading, record: &Backup, image: &ImageId) -> Result<(), CallFailed> {
        let SourceId::Group(own) = &record.id.source;
        let with_image = |group: &Group| {
            let named = group.launches_from.templates();
            named.iter().any(|named| reading.templates.iter().any(|found| found.template == named.template))
        };
        let asked: Vec<_> =
            reading.groups.iter().filter(|group| group.name == *own || with_image(group)).cloned().collect();
        for group in asked {
            let refresh = match self.cloud.call(&ActiveRefresh(group.name.clone())).await? {
                Ok(refresh) => refresh,
                // A group that is gone launches nothing.
                Err(refusal) if refusal.why == Why::Missing && group.name != *own => None,
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
            reading.refreshes.push((group.name, refresh));
        }
        Ok(())
    }

    /// The versions of a template with the image. Returns false if it was read, and there are none.
    async fn template_into(
        &self,
        reading: &mut Reading,
        image: &ImageId,
        template: TemplateId,
    ) -> Result<bool, CallFailed> {
        let naming = match self.cloud.call(&VersionsWith { template: template.clone(), image: image.clone() }).await? {
            Ok(naming) if naming.is_empty() => return Ok(false),
            Ok(naming) => naming,
            // A template that is gone launches nothing.
            Err(refusal) if refusal.why == Why::Missing => return Ok(true),
            Err(refusal) => {
                reading.unread.push(refusal.to_string());
                return Ok(true);
            }
        };
        reading.templates.push(TemplateReading { template, default: None, latest: None, naming });
        Ok(true)
    }

    /// Which version is the default of each, and which the latest if anybody follows that. Each is asked for once.
    async fn followed_into(&self, reading: &mut Reading) -> Result<(), CallFailed> {
        let desired = reading.refreshes.iter().filter_map(|(_, refresh)| refresh.desired.as_ref());
        let sources = reading.groups.iter().map(|group| &group.launches_from).chain(desired);
        let latest: BTreeSet<TemplateId> = sources
            .flat_map(LaunchSource::templates)
            .filter(|named| named.version == VersionRef::Latest)
            .map(|named| named.template.clone())
            .collect();
        let mut templates = std::mem::take(&mut reading.templates);
        for found in &mut templates {
            let number = |version: TemplateVersion| version.number;
            let default =
                self.cloud.call(&VersionOf { template: found.template.clone(), version: VersionRef::Default }).await?;
            found.default = read(reading, default).map(number);
            if latest.contains(&found.template) {
                let latest = self
                    .cloud
                    .call(&VersionOf { template: found.template.clone(), version: VersionRef::Latest })
                    .await?;
                found.latest = read(reading, latest).map(number);
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

/// The templates among these ARNs.
fn templates_of(references: &[String]) -> BTreeSet<TemplateId> {
    references.iter().filter_map(|arn| part_after(arn, ":launch-template/")).map(TemplateId::from).collect()
}

/// What AWS says refers to an image and is not read by itself: templates are; parameters of ours are; an instance needs
/// its image only if a plan says so.
fn is_something_else(arn: &str, reading: &Reading) -> bool {
    if arn.contains(":launch-template/") || arn.contains(":instance/") {
        return false;
    }
    let is_read = |name: &str| reading.parameters.iter().any(|(read, _)| read.trim_start_matches('/') == name);
    !part_after(arn, ":parameter/").is_some_and(is_read)
}

fn part_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, part)| part)
}
