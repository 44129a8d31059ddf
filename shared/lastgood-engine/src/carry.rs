//! Carrying out effects. Nothing here chooses: each effect is its calls, each answer an event.

use std::future::Future;

use lastgood_core::backup::life::Effect;
use lastgood_core::backup::removal::{Inspection, RemovalEvent};
use lastgood_core::backup::scale_in::ScaleInEvent;
use lastgood_core::backup::{Backup, Event, State};
use lastgood_core::facts::{Image, ImageState, Tags};
use lastgood_core::group;
use lastgood_core::id::{ImageId, InstanceId, SnapshotId, SourceId};
use lastgood_core::name::{TAG_BACKUP, TAG_MANAGED_BY, TAG_PLAN, TAG_SOURCE, image_name, tag_value};
use lastgood_core::needed::{Leaving, Rank, needs, unused, words};
use lastgood_core::notice::Notice;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::{self, Outcome, Source};

use crate::Engine;
use crate::call::autoscaling::{ActiveRefresh, ScaleInProtection, SetScaleInProtection};
use crate::call::ec2::{CreateImage, DeleteSnapshot, DeregisterImage, ImageNamed, ImagesById, SnapshotsTagged};
use crate::call::{Answers, Call, Called, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, How, Store, Versioned};
use crate::report::chain;
use crate::versions::ours;

type Wave = Vec<(Versioned<Backup>, Effect)>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// What came of the effects that are asked for many records at once.
    pub(crate) async fn carry_together(&self, wave: Wave) -> Vec<(Versioned<Backup>, Carried)> {
        let (mut choose, mut look, mut read, mut send) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (record, effect) in wave {
            match effect {
                Effect::ChooseInstance(group) => choose.push((record, group)),
                Effect::LookAtImage(image) => look.push((record, image)),
                Effect::ReadTemplate(group) => read.push((record, group)),
                Effect::Send(notices) => send.push((record, notices)),
                _ => unreachable!("what stands by itself goes to carry, see drive"),
            }
        }
        let mut carried = self.choose_instances(choose).await;
        carried.extend(self.look_at_images(look).await);
        carried.extend(self.read_templates(read).await);
        carried.extend(self.send_all(send).await);
        carried
    }

    /// Carries out one effect that stands by itself.
    pub(crate) async fn carry(&self, record: &Backup, effect: Effect) -> Carried {
        match effect {
            Effect::TellSource => self.tell_source(record).await,
            Effect::Protect(instance) => self.protect(record, &instance).await,
            Effect::Unprotect(instance) => self.unprotect(record, &instance).await,
            Effect::CreateImage(instance) => self.create_image(record, instance).await,
            Effect::AskTurn => self.ask_turn(record).await,
            Effect::MakeVersion { template, base, image } => self.make_version(record, template, base, image).await,
            Effect::PointGroup { group, named, base, version } => self.point_group(&group, &named, base, version).await,
            Effect::ReadParameter(name) => self.read_parameter(record, &name).await,
            Effect::WriteParameter { name, image, was } => self.write_parameter(&name, image, was).await,
            Effect::Inspect => self.inspect(record).await,
            Effect::DeleteVersions(template, versions) => self.delete_versions(template, versions).await,
            Effect::Deregister(image) => self.deregister(image).await,
            Effect::DeleteSnapshots(ids) => self.delete_snapshots(ids).await,
            Effect::ChooseInstance(_) | Effect::LookAtImage(_) | Effect::ReadTemplate(_) | Effect::Send(_) => {
                unreachable!("these are asked together, see drive")
            }
        }
    }

    async fn send_all(&self, wave: Vec<(Versioned<Backup>, Vec<Notice>)>) -> Vec<(Versioned<Backup>, Carried)> {
        let all: Vec<Notice> = wave.iter().flat_map(|(_, notices)| notices.clone()).collect();
        // What is not sent stays in its outbox and wakes its record again: it must not delay the record's work.
        let sent = self.post(&all).await.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "no notice got through");
            Vec::new()
        });
        let ours = |notices: &[Notice]| {
            let known = |id: &&String| notices.iter().any(|notice| notice.id == **id);
            sent.iter().filter(known).cloned().collect()
        };
        wave.into_iter().map(|(record, notices)| (record, Ok(Event::Sent(ours(&notices))))).collect()
    }

    async fn tell_source(&self, record: &Backup) -> Carried {
        let outcome = Outcome::of(record);
        self.change_source(&record.id.source, |source| (source::hear(source, &outcome), ())).await?;
        Ok(Event::SourceTold)
    }

    fn tags(&self, record: &Backup) -> Tags {
        [
            (TAG_MANAGED_BY, self.running.stack.to_owned()),
            (TAG_SOURCE, record.id.source.to_string()),
            (TAG_BACKUP, record.id.to_string()),
            (TAG_PLAN, record.plan.clone()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), tag_value(&value)))
        .collect()
    }

    /// The tags prove whose a thing is: our stack's, and this backup's.
    fn is_ours(&self, record: &Backup, tags: &Tags) -> bool {
        let wanted = self.tags(record);
        [TAG_MANAGED_BY, TAG_BACKUP].iter().all(|key| tags.get(*key).is_some() && tags.get(*key) == wanted.get(*key))
    }

    async fn set_protection(
        &self,
        record: &Backup,
        instance: &InstanceId,
        protection: ScaleInProtection,
    ) -> Called<()> {
        let SourceId::Group(group) = record.id.source.clone();
        self.cloud.call(&SetScaleInProtection { group, instance: instance.clone(), protection }).await
    }

    async fn protect(&self, record: &Backup, instance: &InstanceId) -> Carried {
        Ok(Event::ScaleIn(match self.set_protection(record, instance, ScaleInProtection::On).await? {
            Ok(()) => ScaleInEvent::On,
            Err(refusal) => ScaleInEvent::OnRefused(refusal),
        }))
    }

    async fn unprotect(&self, record: &Backup, instance: &InstanceId) -> Carried {
        let answer = self.set_protection(record, instance, ScaleInProtection::Off).await;
        Ok(Event::ScaleIn(match answer {
            Ok(Ok(())) => ScaleInEvent::Off,
            Ok(Err(refusal)) => ScaleInEvent::OffRefused(refusal),
            // The record's own wait, for its image or its turn, has nothing to do with this.
            Err(error) => ScaleInEvent::OffUnanswered(chain(&error)),
        }))
    }

    /// Makes the image. Before the backup is given up it is looked whether an earlier call made it and its answer was lost.
    async fn create_image(&self, record: &Backup, instance: InstanceId) -> Carried {
        let given_up = match self.ask_for_image(record, instance).await? {
            Event::CreateRefused(refusal) if refusal.why.passes() => return Ok(Event::CreateRefused(refusal)),
            given_up @ (Event::NoInstance(_) | Event::CreateRefused(_)) => given_up,
            event => return Ok(event),
        };
        let taken = matches!(&given_up, Event::CreateRefused(refusal) if refusal.why == Why::Taken);
        let name = image_name(&record.id);
        let found = match self.cloud.call(&ImageNamed(name.clone())).await? {
            // One that is only still told is gone.
            Ok(found) => found.filter(|image| !image.is_deregistered()),
            Err(refusal) => return Ok(if taken { Event::CreateRefused(refusal) } else { given_up }),
        };
        match (found, given_up) {
            (Some(image), _) if self.is_ours(record, &image.tags) => Ok(Event::ImageMade(image.id)),
            (Some(image), Event::CreateRefused(refusal)) if taken => {
                let message = format!("{} has the name {name} and does not bear our tags", image.id);
                Ok(Event::CreateRefused(Refusal { message, ..refusal }))
            }
            // By one that is not visible yet, or that is gone and still has its name.
            (None, _) if taken => {
                let source = format!("{name} is taken by an image that is not told");
                Err(CallFailed::new(How::NotYet, ImageNamed::ACTION, source))
            }
            (_, given_up) => Ok(given_up),
        }
    }

    async fn ask_for_image(&self, record: &Backup, instance: InstanceId) -> Carried {
        if !record.capture.during_refresh {
            let SourceId::Group(name) = &record.id.source;
            let refresh = match self.cloud.call(&ActiveRefresh(name.clone())).await? {
                Ok(refresh) => refresh,
                Err(refusal) => return Ok(Event::NoInstance(refusal.to_string())),
            };
            if let Some(refresh) = refresh {
                return Ok(Event::NoInstance(group::refreshing(name, &refresh.id)));
            }
        }
        let description = format!("Lastgood backup {} of {instance}", record.id);
        let create = CreateImage {
            instance,
            name: image_name(&record.id),
            description: description.chars().filter(char::is_ascii).take(255).collect(),
            tags: self.tags(record),
        };
        Ok(match self.cloud.call(&create).await? {
            Ok(image) => Event::ImageMade(image),
            Err(refusal) => Event::CreateRefused(refusal),
        })
    }

    /// What AWS holds of a backup, and who needs it. What can't be read counts as needed.
    async fn inspect(&self, record: &Backup) -> Carried {
        let refused = |refusal| Ok(Event::Removal(RemovalEvent::Refused(refusal)));
        let source = self.store.load::<Source>(&record.id.source).await?.map(|source| source.record);
        let newer = self.newer_good(record).await?;
        let began = self.clock.now();
        // By its id if that is on record: by its name another one might be found. Its successors are asked for beside it.
        let asked = ImagesById(record.image.iter().chain(&newer).cloned().collect());
        let seen = match self.cloud.call(&asked).await? {
            Ok(seen) => seen,
            Err(refusal) => return refused(refusal),
        };
        let found = match &record.image {
            Some(id) => seen.iter().find(|image| image.id == *id).cloned(),
            None => match self.cloud.call(&ImageNamed(image_name(&record.id))).await? {
                Ok(found) => found,
                Err(refusal) => return refused(refusal),
            },
        };
        // One that is only still told is gone.
        let image = found.filter(|image| !image.is_deregistered());
        let tagged = SnapshotsTagged { key: TAG_BACKUP.to_owned(), value: tag_value(&record.id.to_string()) };
        let snapshots = match self.cloud.call(&tagged).await? {
            Ok(snapshots) => snapshots,
            Err(refusal) => return refused(refusal),
        };
        let is_ours = image.as_ref().is_some_and(|image| self.is_ours(record, &image.tags));
        let snapshots =
            snapshots.into_iter().filter(|snapshot| self.is_ours(record, &snapshot.tags)).map(|snapshot| snapshot.id);
        let mut inspection = Inspection {
            at: began,
            ours: is_ours,
            snapshots: snapshots.collect(),
            versions: Vec::new(),
            needed_by: Vec::new(),
            image,
        };
        // Versions of ours may be left of an image that somebody else deregistered.
        let id = inspection.image.as_ref().map(|image| image.id.clone()).or_else(|| record.image.clone());
        if let Some(id) = id {
            let is_there = inspection.image.as_ref();
            let reading = self.read_account(record, &id, is_there, source.as_ref()).await?;
            // What was read before the rest of it is as old as it is.
            inspection.at = reading.groups_at.map_or(began, |at| at.min(began));
            let ours = ours(record, &reading.templates);
            let rank = self.rank(record, source.as_ref(), &newer, &seen);
            let pinned = record.pinned.as_ref().map(|pin| pin.by.clone());
            let leaving = Leaving { image: &id, ours: &ours, pinned, rank };
            let needs = needs(&reading, &leaving);
            inspection.needed_by = words(&needs);
            inspection.versions = unused(&needs, &leaving);
        }
        Ok(Event::Removal(RemovalEvent::Inspected(inspection)))
    }

    /// The images of the good backups of its source that are newer.
    async fn newer_good(&self, record: &Backup) -> Result<Vec<ImageId>, CallFailed> {
        let backups = self.store.list::<Backup>(&record.id.source).await?;
        let newer = backups.into_iter().map(|backup| backup.record).filter(|other| other.id.slot > record.id.slot);
        Ok(newer.filter(|other| other.state == State::Good).filter_map(|other| other.image).collect())
    }

    /// Where the backup stands among those of its source, by what AWS tells of their images now.
    fn rank(&self, record: &Backup, source: Option<&Source>, newer: &[ImageId], seen: &[Image]) -> Rank {
        let now = self.clock.now();
        if record.good_at.is_none() || source.is_some_and(|source| source.retire_at.is_some_and(|at| at <= now)) {
            return Rank::Dispensable;
        }
        let is_there = |image: &Image| newer.contains(&image.id) && image.state == ImageState::Available;
        if seen.iter().any(is_there) { Rank::Replaced } else { Rank::Last }
    }

    async fn deregister(&self, image: ImageId) -> Carried {
        let event = match self.cloud.call(&DeregisterImage(image)).await? {
            Ok(results) => RemovalEvent::Deregistered(results),
            // Gone already, by an earlier call of ours or by hand.
            Err(refusal) if refusal.why == Why::Missing => RemovalEvent::Deregistered(Vec::new()),
            Err(refusal) => RemovalEvent::Refused(refusal),
        };
        Ok(Event::Removal(event))
    }

    async fn delete_snapshots(&self, ids: Vec<SnapshotId>) -> Carried {
        let mut results = Vec::new();
        for id in ids {
            let result = self.cloud.call(&DeleteSnapshot(id.clone())).await?;
            results.push((id, result));
        }
        Ok(Event::Removal(RemovalEvent::SnapshotsDeleted(results)))
    }
}

/// Asks for `items` together, each once.
pub(crate) async fn together<I: Clone + Ord, T, F>(
    items: impl IntoIterator<Item = I>,
    ask: impl FnOnce(Vec<I>) -> F,
) -> Result<Vec<T>, AskFailed>
where
    F: Future<Output = Result<Result<Vec<T>, Refusal>, CallFailed>>,
{
    let mut items: Vec<I> = items.into_iter().collect();
    items.sort();
    items.dedup();
    if items.is_empty() {
        return Ok(Vec::new());
    }
    match ask(items).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(refusal)) => Err(AskFailed::Refused(refusal)),
        Err(error) => Err(AskFailed::Unanswered { action: error.action, how: error.how, why: chain(&*error.source) }),
    }
}

/// Why a question asked for many records has no answer: each of them hears of it.
#[derive(Clone, Debug)]
pub(crate) enum AskFailed {
    Refused(Refusal),
    Unanswered { action: &'static str, how: How, why: String },
}

impl AskFailed {
    pub(crate) fn unanswered(&self) -> CallFailed {
        match self {
            Self::Refused(refusal) => CallFailed::new(How::Refused, "a look", refusal.clone()),
            Self::Unanswered { action, how, why } => CallFailed::new(*how, action, why.clone()),
        }
    }
}
