//! The launch template of a group: what the group launches from, copied with another image, and pointed at. For a backup's
//! publication, and for an image that an operator gives.

use std::fmt::Display;

use lastgood_core::backup::publication::{PublicationEvent, TemplateUse, named_template, no_group};
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateRef, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{GroupName, ImageId, TemplateId};
use lastgood_core::name::{version_base, version_description, version_token};
use lastgood_core::refusal::Why;

use crate::Engine;
use crate::call::autoscaling::{ActiveRefresh, GroupsNamed, SetGroupVersion, SetMixedVersion};
use crate::call::ec2::{CreateVersion, SetDefaultVersion, TypesRun, VersionOf, VersionsWith};
use crate::call::{Answers, Call, Called, Cloud};
use crate::port::{Bus, CallFailed, Clock, How, Store};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// What the group launches from, for an image that `whose` gives it: a backup or a rollout, by its id.
    pub(crate) async fn read_template(&self, whose: &(impl Display + Sync), group: &Group, image: &Image) -> Read {
        let refused = |refusal| Ok(PublicationEvent::Refused(refusal));
        let named = match named_template(group) {
            Ok(named) => named,
            Err(refusal) => return refused(refusal),
        };
        if let Err(refusal) = self.no_refresh(&group.name, ActiveRefresh::ACTION).await? {
            return refused(refusal);
        }
        let version = match self.cloud.call(&VersionOf::named(&named)).await? {
            Ok(version) => version,
            Err(refusal) => return refused(refusal),
        };
        let obstacle = match self.obstacle(group, &version, image).await? {
            Ok(obstacle) => obstacle,
            Err(refusal) => return refused(refusal),
        };
        let made_from = version_base(whose, &version.description);
        let between = match made_from.filter(|_| named.version == VersionRef::Latest) {
            Some(base) => match self.between(&named, base, version.number).await? {
                Ok(between) => between,
                Err(refusal) => return refused(refusal),
            },
            None => None,
        };
        // An earlier call of ours may have made the version before its answer was lost. What it says of itself tells
        // it from a version that somebody else made with our image, and from one that was copied from another base.
        let says = version_description(whose, version.number);
        let with_image = VersionsWith { template: named.template.clone(), image: image.id.clone() };
        let ours = match self.cloud.call(&with_image).await? {
            Ok(versions) => {
                let ours = versions.iter().filter(|version| version.description == says);
                ours.map(|version| version.number).max()
            }
            Err(refusal) => return refused(refusal),
        };
        let left_alone = group::left_alone(group);
        let used = TemplateUse {
            group: named,
            version: version.number,
            image: version.image,
            ours,
            made_from,
            between,
            obstacle,
            left_alone,
        };
        Ok(PublicationEvent::TemplateRead(used))
    }

    /// A version that somebody made after `base` and before ours.
    async fn between(&self, named: &TemplateRef, base: u64, ours: u64) -> Called<Option<u64>> {
        for number in base + 1..ours {
            match self
                .cloud
                .call(&VersionOf { template: named.template.clone(), version: VersionRef::Number(number) })
                .await?
            {
                Ok(_) => return Ok(Ok(Some(number))),
                Err(refusal) if refusal.why == Why::Missing => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(None))
    }

    /// Why the image can't be put into the version, and what to do instead.
    async fn obstacle(&self, group: &Group, version: &TemplateVersion, image: &Image) -> Called<Option<String>> {
        let obstacle =
            group::unpublishable(group).or_else(|| group::resolves(version)).or_else(|| group::hides(version, image));
        let obstacle = obstacle.or_else(|| group::too_small(version, image));
        if obstacle.is_some() {
            return Ok(Ok(obstacle));
        }
        let every = match self.every_group().await? {
            Ok((_, every)) => every,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(undone) = group::undone_by(group, &every) {
            return Ok(Ok(Some(undone)));
        }
        let types = group::types_of_base(group, version);
        if types.is_empty() {
            return Ok(Ok(None));
        }
        let known = self.cloud.call(&TypesRun(types.clone())).await?;
        Ok(known.map(|known| group::unable_type(&types, &known, image)))
    }

    /// Copies version `base` with only the image changed.
    pub(crate) async fn make_version(
        &self,
        whose: &(impl Display + Sync),
        template: TemplateId,
        base: u64,
        image: ImageId,
    ) -> Read {
        let token = version_token(whose, &template, base);
        let description = version_description(whose, base);
        let create = CreateVersion { template, base, image, token, description };
        match self.cloud.call(&create).await? {
            Ok(version) => Ok(PublicationEvent::VersionMade(version)),
            Err(refusal) => Ok(PublicationEvent::Refused(refusal)),
        }
    }

    /// Points the group at `version` if it is still as it was read. AWS has no lock for this, so it is read again right
    /// before the change; the wait for a call comes before both.
    pub(crate) async fn point_group(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Read {
        let pointed = match named.version {
            VersionRef::Number(_) => self.point_by_number(group, named, base, version).await?,
            VersionRef::Default => self.point_by_default(group, named, base, version).await?,
            VersionRef::Latest => self.see_latest(group, named, base, version).await?,
        };
        Ok(match pointed {
            Ok(()) => PublicationEvent::Pointed,
            Err(event) => event,
        })
    }

    async fn point_by_number(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Pointed {
        let (group, template) = (group.clone(), named.template.clone());
        let set = SetGroupVersion { group: group.clone(), template: template.clone(), version };
        self.cloud.ready(&set).await?;
        let (now, source) = match self.named_now(&group, named, base).await? {
            Ok(found) => found,
            Err(event) => return Ok(Err(event)),
        };
        let answer = match (now, source) {
            (VersionRef::Number(now), _) if now == version => Ok(()),
            (VersionRef::Number(now), LaunchSource::Mixed(_)) if now == base => {
                let named = VersionRef::Number(base);
                self.cloud.call(&SetMixedVersion { group, template, named, version }).await?
            }
            (VersionRef::Number(now), _) if now == base => self.cloud.call(&set).await?,
            (now, _) => return Ok(Err(changed(named, base, &words(now)))),
        };
        Ok(answer.map_err(PublicationEvent::Refused))
    }

    /// Lets the group name version `base` by its number, if it still names it as it was read.
    pub(crate) async fn pin_group(&self, group: &GroupName, named: &TemplateRef, base: u64) -> Read {
        let (name, template) = (group.clone(), named.template.clone());
        let set = SetGroupVersion { group: name.clone(), template: template.clone(), version: base };
        self.cloud.ready(&set).await?;
        let (now, source) = match self.named_now(group, named, base).await? {
            Ok(found) => found,
            Err(event) => return Ok(event),
        };
        if now == named.version {
            // What it follows may have been given another version since.
            let follows = VersionOf { template: template.clone(), version: now };
            match self.cloud.call(&follows).await? {
                Ok(version) if version.number == base => {}
                Ok(version) => return Ok(changed(named, base, &format!("version {}", version.number))),
                Err(refusal) => return Ok(PublicationEvent::Refused(refusal)),
            }
        }
        let answer = match (now, source) {
            (VersionRef::Number(now), _) if now == base => Ok(()),
            (now, LaunchSource::Mixed(_)) if now == named.version => {
                self.cloud.call(&SetMixedVersion { group: name, template, named: now, version: base }).await?
            }
            (now, _) if now == named.version => self.cloud.call(&set).await?,
            (now, _) => return Ok(changed(named, base, &words(now))),
        };
        Ok(answer.map_or_else(PublicationEvent::Refused, |()| PublicationEvent::Pinned))
    }

    async fn point_by_default(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Pointed {
        let set = SetDefaultVersion { template: named.template.clone(), version };
        self.cloud.ready(&set).await?;
        if let Err(event) = self.still_named(group, named, base).await? {
            return Ok(Err(event));
        }
        let answer =
            match self.cloud.call(&VersionOf { template: named.template.clone(), version: VersionRef::Default }).await?
            {
                Ok(default) if default.number == version => Ok(()),
                Ok(default) if default.number == base => self.cloud.call(&set).await?,
                Ok(default) => return Ok(Err(changed(named, base, &format!("default version {}", default.number)))),
                Err(refusal) => Err(refusal),
            };
        Ok(answer.map_err(PublicationEvent::Refused))
    }

    /// To make the version was to publish it. What is left is to see that nobody else made one meanwhile.
    async fn see_latest(&self, group: &GroupName, named: &TemplateRef, base: u64, version: u64) -> Pointed {
        if let Err(event) = self.still_named(group, named, base).await? {
            return Ok(Err(event));
        }
        let answer = match self
            .cloud
            .call(&VersionOf { template: named.template.clone(), version: VersionRef::Latest })
            .await?
        {
            Ok(latest) if latest.number == version => match self.between(named, base, version).await? {
                Ok(None) => Ok(()),
                Ok(Some(between)) => {
                    return Ok(Err(changed(named, base, &format!("version {between}, made meanwhile"))));
                }
                Err(refusal) => Err(refusal),
            },
            // Ours is not visible yet (AWS: Eventual consistency).
            Ok(latest) if latest.number < version => {
                let source = format!("version {version} is not visible yet");
                return Err(CallFailed::new(How::NotYet, VersionOf::ACTION, source));
            }
            Ok(latest) => return Ok(Err(changed(named, base, &format!("version {}, the latest", latest.number)))),
            Err(refusal) => Err(refusal),
        };
        Ok(answer.map_err(PublicationEvent::Refused))
    }

    /// Which version of the template the group names now, and how it says so; an error if it names another template.
    async fn named_now(
        &self,
        group: &GroupName,
        named: &TemplateRef,
        base: u64,
    ) -> Result<Result<(VersionRef, LaunchSource), PublicationEvent>, CallFailed> {
        let groups = match self.cloud.call(&GroupsNamed(vec![group.clone()])).await? {
            Ok(groups) => groups,
            Err(refusal) => return Ok(Err(PublicationEvent::Refused(refusal))),
        };
        let Some(found) = group::named(&groups, group) else {
            return Ok(Err(PublicationEvent::Refused(no_group(group))));
        };
        let now = match named_template(found) {
            Ok(now) => now,
            Err(refusal) => return Ok(Err(PublicationEvent::Refused(refusal))),
        };
        if now.template != named.template {
            return Ok(Err(changed(named, base, now.template.as_str())));
        }
        Ok(Ok((now.version, found.launches_from.clone())))
    }

    /// Whether the group still names `$Default` or `$Latest` of the template, as it did.
    async fn still_named(&self, group: &GroupName, named: &TemplateRef, base: u64) -> Pointed {
        match self.named_now(group, named, base).await? {
            Ok((now, _)) if now == named.version => Ok(Ok(())),
            Ok((now, _)) => Ok(Err(changed(named, base, &words(now)))),
            Err(event) => Ok(Err(event)),
        }
    }
}

/// What was read, or done.
type Read = Result<PublicationEvent, CallFailed>;

/// Whether the group launches from our version; an event that says why not.
type Pointed = Result<Result<(), PublicationEvent>, CallFailed>;

fn changed(named: &TemplateRef, base: u64, now: &str) -> PublicationEvent {
    PublicationEvent::Changed(format!(
        "the group launched from version {base} of {} and now from {now}",
        named.template
    ))
}

fn words(version: VersionRef) -> String {
    match version {
        VersionRef::Number(number) => format!("version {number}"),
        VersionRef::Default | VersionRef::Latest => version.to_string(),
    }
}
