//! Carrying out publications: whose turn it is, what the group launches from, and pointing it at our version.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::publication::{PublicationEvent, TemplateUse};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{Group, LaunchSource, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId, TemplateId};
use lastgood_core::name::version_token;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::{self, Turn};

use crate::carry::{AskFailed, together};
use crate::drive::Carried;
use crate::port::{Answer, Bus, CallFailed, Clock, Cloud, Store, VersionRequest, Versioned};
use crate::{CALLS_AT_ONCE_MAX, Engine};

fn told(event: PublicationEvent) -> Event {
    Event::Publication(event)
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(crate) async fn ask_turn(&self, record: &Backup) -> Carried {
        let slot = record.id.slot;
        let turn = self.change_source(&record.id.source, |source| source::ask_turn(source, slot)).await?;
        match turn {
            Some(Turn::Given { last }) => Ok(told(PublicationEvent::TurnGiven { last })),
            Some(Turn::Taken) => Ok(told(PublicationEvent::TurnTaken)),
            Some(Turn::Newer) => Ok(told(PublicationEvent::Newer)),
            None => Err(CallFailed { action: "asking the source", source: "it is not on record".into() }),
        }
    }

    /// What the group of each record launches from: one describe for all groups, then each template for itself.
    pub(crate) async fn read_templates(
        &self,
        wave: Vec<(Versioned<Backup>, GroupName)>,
    ) -> Vec<(Versioned<Backup>, Carried)> {
        let names = wave.iter().map(|(_, group)| group.clone());
        let groups = together(names, |names| async move { self.cloud.groups(&names).await }).await;
        let reads = stream::iter(wave).map(|(record, name)| {
            let groups = &groups;
            async move {
                let carried = match groups {
                    Ok(groups) => match named_template(&name, groups) {
                        Ok(named) => Box::pin(self.read_template(&record.record, named)).await,
                        Err(refusal) => Ok(told(PublicationEvent::Refused(refusal))),
                    },
                    Err(AskFailed::Refused(refusal)) => Ok(told(PublicationEvent::Refused(refusal.clone()))),
                    Err(failed @ AskFailed::Unanswered { .. }) => Err(failed.unanswered()),
                };
                (record, carried)
            }
        });
        reads.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    async fn read_template(&self, record: &Backup, named: TemplateRef) -> Carried {
        let version = match self.cloud.template_version(&named.template, named.version).await? {
            Ok(version) => version,
            Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
        };
        // An earlier call of ours may have made the version before its answer was lost.
        let ours = match &record.image {
            Some(image) => match self.cloud.template_versions_with(&named.template, image).await? {
                Ok(versions) => versions.iter().map(|version| version.number).max(),
                Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
            },
            None => None,
        };
        let used = TemplateUse { group: named, version: version.number, image: version.image, ours };
        Ok(told(PublicationEvent::TemplateRead(used)))
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
            Ok(version) => Ok(told(PublicationEvent::VersionMade(version))),
            Err(refusal) => Ok(told(PublicationEvent::Refused(refusal))),
        }
    }

    /// Points the group at `version` if it is still as it was read. AWS has no lock for this, so it is read again right
    /// before the change.
    pub(crate) async fn point_group(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Carried {
        let groups = match self.cloud.groups(std::slice::from_ref(group)).await? {
            Ok(groups) => groups,
            Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
        };
        let now = match named_template(group, &groups) {
            Ok(now) => now,
            Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
        };
        let changed = |now: &str| {
            Ok(told(PublicationEvent::Changed(format!(
                "the group launched from version {base} of {} and now from {now}",
                named.template
            ))))
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
            Ok(()) => Ok(told(PublicationEvent::Pointed)),
            Err(refusal) => Ok(told(PublicationEvent::Refused(refusal))),
        }
    }
}

/// How a group names its launch template.
fn named_template(name: &GroupName, groups: &[Group]) -> Answer<TemplateRef> {
    let refused = |why, message: String| {
        let action = "autoscaling:DescribeAutoScalingGroups".to_owned();
        Err(Refusal { why, action, message })
    };
    match groups.iter().find(|group| group.name == *name).map(|group| &group.launches_from) {
        Some(LaunchSource::Template(named)) => Ok(named.clone()),
        Some(LaunchSource::MixedInstances) => {
            refused(Why::Invalid, format!("{name} launches from a mixed instances policy, which is not published to"))
        }
        Some(LaunchSource::LaunchConfiguration) => {
            refused(Why::Invalid, format!("{name} launches from a launch configuration; give it a launch template"))
        }
        None => refused(Why::Missing, format!("there is no group {name} any more")),
    }
}
