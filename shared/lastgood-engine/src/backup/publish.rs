//! Carrying out publications: whose turn it is, what the group launches from, and pointing it at our version.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::publication::{PublicationEvent, TemplateUse, named_template, no_group, publishable};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{Group, Image, LaunchSource, TemplateRef, TemplateVersion, VersionRef};
use lastgood_core::group;
use lastgood_core::id::{GroupName, ImageId, SourceId, TemplateId};
use lastgood_core::name::{version_base, version_description, version_token};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::rollout::{Order, Rollout};
use lastgood_core::source::{self, Source, Turn};

use super::together::{AskFailed, together};
use crate::call::autoscaling::{ActiveRefresh, GroupsNamed, SetGroupVersion, SetMixedVersion};
use crate::call::ec2::{Architectures, CreateVersion, ImagesById, SetDefaultVersion, VersionOf, VersionsWith};
use crate::call::{Answers, Call, Called, Cloud};
use crate::drive::{Answered, Carried, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store, Versioned};
use crate::{CALLS_AT_ONCE_MAX, Engine};

fn told(event: PublicationEvent) -> Event {
    Event::Publication(event)
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(super) async fn ask_turn(&self, record: &Backup) -> Carried<Backup> {
        let slot = record.id.slot;
        let turn = self.change_source(&record.id.source, |source| source::ask_turn(source, slot)).await?;
        let Some(turn) = turn else {
            return Err(CallFailed::new(How::NotMade, "asking the source", "it is not on record"));
        };
        if turn == Turn::Taken {
            self.free_turn(&record.id.source).await?;
        }
        Ok(told(PublicationEvent::Turn(turn)))
    }

    /// Takes the turn from a backup that is not at it any more.
    async fn free_turn(&self, source: &SourceId) -> Result<(), CallFailed> {
        let Some(found) = self.store.load::<Source>(source).await? else { return Ok(()) };
        let Some(holder) = found.record.turn else { return Ok(()) };
        let backup = self.store.load::<Backup>(&found.record.backup_id(holder)).await?;
        if !source::is_at_it(backup.as_ref().map(|backup| &backup.record)) {
            self.change_source(source, |source| (source::free_turn(source, holder), ())).await?;
        }
        Ok(())
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

    /// What the group of each record launches from: one describe for all groups and one for all images, then each
    /// template for itself.
    pub(super) async fn read_templates(&self, wave: Wave<Backup, GroupName>) -> Answered<Backup> {
        let names = wave.iter().map(|(_, group)| group.clone());
        let groups = together(names, |names| async move { self.cloud.call(&GroupsNamed(names)).await }).await;
        let ids: Vec<ImageId> = wave.iter().filter_map(|(record, _)| record.record.image().cloned()).collect();
        let images = together(ids, |ids| async move { self.cloud.call(&ImagesById(ids)).await }).await;
        let found = groups.and_then(|groups| Ok((groups, images?)));
        let reads = stream::iter(wave).map(|(record, name)| {
            let found = &found;
            async move {
                let carried = match found {
                    Ok((groups, images)) => match publishable(&record.record, &name, groups, images) {
                        Ok((group, image)) => Box::pin(self.read_template(&record.record, group, image)).await,
                        Err(why) => Ok(told(why)),
                    },
                    Err(AskFailed::Refused(refusal)) => Ok(told(PublicationEvent::Refused(refusal.clone()))),
                    Err(failed @ AskFailed::Unanswered { .. }) => Err(failed.unanswered()),
                };
                (record, carried)
            }
        });
        reads.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    async fn read_template(&self, record: &Backup, group: &Group, image: &Image) -> Carried<Backup> {
        let refused = |refusal| Ok(told(PublicationEvent::Refused(refusal)));
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
        let made_from = version_base(&record.id, &version.description);
        let between = match made_from.filter(|_| named.version == VersionRef::Latest) {
            Some(base) => match self.between(&named, base, version.number).await? {
                Ok(between) => between,
                Err(refusal) => return refused(refusal),
            },
            None => None,
        };
        // An earlier call of ours may have made the version before its answer was lost. What it says of itself tells
        // it from a version that somebody else made with our image, and from one that was copied from another base.
        let says = version_description(&record.id, version.number);
        let ours = match record.image() {
            Some(image) => {
                match self.cloud.call(&VersionsWith { template: named.template.clone(), image: image.clone() }).await? {
                    Ok(versions) => {
                        let ours = versions.iter().filter(|version| version.description == says);
                        ours.map(|version| version.number).max()
                    }
                    Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
                }
            }
            None => None,
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
        Ok(told(PublicationEvent::TemplateRead(used)))
    }

    /// Refuses `action` while an instance refresh is under way: whatever it replaces with, another image now would come
    /// in between (AWS: Use an instance refresh with skip matching).
    pub(super) async fn no_refresh(&self, group: &GroupName, action: &str) -> Called<()> {
        Ok(match self.cloud.call(&ActiveRefresh(group.clone())).await? {
            Ok(None) => Ok(()),
            Ok(Some(refresh)) => {
                let message = format!("instance refresh {} is under way", refresh.id);
                Err(Refusal { why: Why::Locked, action: action.to_owned(), message })
            }
            Err(refusal) => Err(refusal),
        })
    }

    /// Why the image can't be put into the version, and what to do instead.
    async fn obstacle(&self, group: &Group, version: &TemplateVersion, image: &Image) -> Called<Option<String>> {
        let obstacle =
            group::unpublishable(group).or_else(|| group::resolves(version)).or_else(|| group::hides(version, image));
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
        let architectures = self.cloud.call(&Architectures(types.clone())).await?;
        Ok(architectures.map(|architectures| group::unable_type(&types, &architectures, image)))
    }

    pub(super) async fn make_version(
        &self,
        record: &Backup,
        template: TemplateId,
        base: u64,
        image: ImageId,
    ) -> Carried<Backup> {
        let token = version_token(&record.id, &template, base);
        let description = version_description(&record.id, base);
        let create = CreateVersion { template, base, image, token, description };
        match self.cloud.call(&create).await? {
            Ok(version) => Ok(told(PublicationEvent::VersionMade(version))),
            Err(refusal) => Ok(told(PublicationEvent::Refused(refusal))),
        }
    }

    /// Points the group at `version` if it is still as it was read. AWS has no lock for this, so it is read again right
    /// before the change; the wait for a call comes before both.
    pub(super) async fn point_group(
        &self,
        group: &GroupName,
        named: &TemplateRef,
        base: u64,
        version: u64,
    ) -> Carried<Backup> {
        let pointed = match named.version {
            VersionRef::Number(_) => self.point_by_number(group, named, base, version).await?,
            VersionRef::Default => self.point_by_default(group, named, base, version).await?,
            VersionRef::Latest => self.see_latest(group, named, base, version).await?,
        };
        Ok(told(match pointed {
            Ok(()) => PublicationEvent::Pointed,
            Err(event) => event,
        }))
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
    pub(super) async fn pin_group(&self, group: &GroupName, named: &TemplateRef, base: u64) -> Carried<Backup> {
        let (name, template) = (group.clone(), named.template.clone());
        let set = SetGroupVersion { group: name.clone(), template: template.clone(), version: base };
        self.cloud.ready(&set).await?;
        let (now, source) = match self.named_now(group, named, base).await? {
            Ok(found) => found,
            Err(event) => return Ok(told(event)),
        };
        if now == named.version {
            // What it follows may have been given another version since.
            let follows = VersionOf { template: template.clone(), version: now };
            match self.cloud.call(&follows).await? {
                Ok(version) if version.number == base => {}
                Ok(version) => return Ok(told(changed(named, base, &format!("version {}", version.number)))),
                Err(refusal) => return Ok(told(PublicationEvent::Refused(refusal))),
            }
        }
        let answer = match (now, source) {
            (VersionRef::Number(now), _) if now == base => Ok(()),
            (now, LaunchSource::Mixed(_)) if now == named.version => {
                self.cloud.call(&SetMixedVersion { group: name, template, named: now, version: base }).await?
            }
            (now, _) if now == named.version => self.cloud.call(&set).await?,
            (now, _) => return Ok(told(changed(named, base, &words(now)))),
        };
        Ok(told(answer.map_or_else(PublicationEvent::Refused, |()| PublicationEvent::Pinned)))
    }

    /// Puts the rollout on record, and says so at its source. The poll begins it.
    pub(super) async fn begin_rollout(&self, group: GroupName, order: Order) -> Carried<Backup> {
        let source = order.backup.source.clone();
        let rollout = Rollout::ordered(group, order, self.clock.now());
        let id = rollout.id.clone();
        // One that is there already was put there by an earlier call.
        self.store.save(&Versioned::new(rollout)).await?;
        self.change_source(&source, |source| (source::rolls(source, &id), ())).await?;
        Ok(told(PublicationEvent::RolloutBegun))
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
