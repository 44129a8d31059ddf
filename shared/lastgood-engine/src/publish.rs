//! Carrying out publications: whose turn it is, what the group launches from, and pointing it at our version.

use lastgood_core::backup::publication::{PublicationEvent, TemplateUse};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{LaunchSource, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId, TemplateId};
use lastgood_core::name::version_token;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::{self, Turn};

use crate::Engine;
use crate::drive::Carried;
use crate::port::{Answer, Bus, CallFailed, Clock, Cloud, Store, VersionRequest};

fn told(event: PublicationEvent) -> Carried {
    Ok(Event::Publication(event))
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(crate) async fn ask_turn(&self, record: &Backup) -> Carried {
        let slot = record.id.slot;
        let turn = self.change_source(&record.id.source, |source| source::ask_turn(source, slot)).await?;
        match turn {
            Some(Turn::Given { last }) => told(PublicationEvent::TurnGiven { last }),
            Some(Turn::Taken) => told(PublicationEvent::TurnTaken),
            Some(Turn::Newer) => told(PublicationEvent::Newer),
            None => Err(CallFailed { action: "asking the source", source: "it is not on record".into() }),
        }
    }

    pub(crate) async fn read_template(&self, record: &Backup, group: &GroupName) -> Carried {
        let named = match self.named_template(group).await? {
            Ok(named) => named,
            Err(refusal) => return told(PublicationEvent::Refused(refusal)),
        };
        let version = match self.cloud.template_version(&named.template, named.version).await? {
            Ok(version) => version,
            Err(refusal) => return told(PublicationEvent::Refused(refusal)),
        };
        // An earlier call of ours may have made the version before its answer was lost.
        let ours = match &record.image {
            Some(image) => match self.cloud.template_versions_with(&named.template, image).await? {
                Ok(versions) => versions.iter().map(|version| version.number).max(),
                Err(refusal) => return told(PublicationEvent::Refused(refusal)),
            },
            None => None,
        };
        let used = TemplateUse { group: named, version: version.number, image: version.image, ours };
        told(PublicationEvent::TemplateRead(used))
    }

    /// How the group names its launch template.
    async fn named_template(&self, name: &GroupName) -> Result<Answer<TemplateRef>, CallFailed> {
        let groups = match self.cloud.groups(std::slice::from_ref(name)).await? {
            Ok(groups) => groups,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let refused = |why, message: String| {
            let action = "autoscaling:DescribeAutoScalingGroups".to_owned();
            Ok(Err(Refusal { why, action, message }))
        };
        match groups.into_iter().next().map(|group| group.launches_from) {
            Some(LaunchSource::Template(named)) => Ok(Ok(named)),
            Some(LaunchSource::MixedInstances) => refused(
                Why::Invalid,
                format!("{name} launches from a mixed instances policy, which is not published to"),
            ),
            Some(LaunchSource::LaunchConfiguration) => {
                refused(Why::Invalid, format!("{name} launches from a launch configuration; give it a launch template"))
            }
            None => refused(Why::Missing, format!("there is no group {name} any more")),
        }
    }

    pub(crate) async fn make_version(
        &self,
        record: &Backup,
        template: TemplateId,
        base: u64,
        image: ImageId,
    ) -> Carried {
        let token = version_token(&record.id, &template, base);
        let description: String = format!("lastgood {}", record.id).chars().filter(char::is_ascii).take(255).collect();
        let request = VersionRequest { template, base, image, token, description };
        match self.cloud.create_template_version(&request).await? {
            Ok(version) => told(PublicationEvent::VersionMade(version)),
            Err(refusal) => told(PublicationEvent::Refused(refusal)),
        }
    }

    /// Points the group at `version` if it is still as it was read. AWS has no lock for this, so it is read again right
    /// before the change.
    pub(crate) async fn point_group(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Carried {
        let now = match self.named_template(group).await? {
            Ok(now) => now,
            Err(refusal) => return told(PublicationEvent::Refused(refusal)),
        };
        let changed = |now: &str| {
            told(PublicationEvent::Changed(format!(
                "the group launched from version {base} of {} and now from {now}",
                named.template
            )))
        };
        if now.template != named.template {
            return changed(now.template.as_str());
        }
        let answer = match (named.version, now.version) {
            (VersionRef::Number(_), VersionRef::Number(number)) if number == version => Ok(()),
            (VersionRef::Number(_), VersionRef::Number(number)) if number == base => {
                self.cloud.set_group_version(group, &named.template, version).await?
            }
            (VersionRef::Default, VersionRef::Default) => {
                match self.cloud.template_version(&named.template, VersionRef::Default).await? {
                    Ok(default) if default.number == version => Ok(()),
                    Ok(default) if default.number == base => {
                        self.cloud.set_default_version(&named.template, version).await?
                    }
                    Ok(default) => return changed(&format!("default version {}", default.number)),
                    Err(refusal) => Err(refusal),
                }
            }
            (VersionRef::Number(_) | VersionRef::Default | VersionRef::Latest, VersionRef::Number(number)) => {
                return changed(&format!("version {number}"));
            }
            (_, VersionRef::Latest) => return changed("$Latest"),
            (_, VersionRef::Default) => return changed("$Default"),
        };
        match answer {
            Ok(()) => told(PublicationEvent::Pointed),
            Err(refusal) => told(PublicationEvent::Refused(refusal)),
        }
    }
}
