//! An image that an operator gives to a group: taken down, and made ready for its refresh.

use lastgood_core::Time;
use lastgood_core::backup::publication::{PublicationEvent, publishable};
use lastgood_core::backup::{self, Backup};
use lastgood_core::facts::{ForeignImage, Image};
use lastgood_core::id::{ArtifactId, BackupId, GroupName, ImageId, SourceId};
use lastgood_core::incoming::ImageChangeRequested;
use lastgood_core::name::backup_told;
use lastgood_core::record::Queue;
use lastgood_core::rollout::change::{Change, Preparing, offered};
use lastgood_core::rollout::{Event, Rollout};
use lastgood_core::source::{self, Source, operator};

use crate::Engine;
use crate::call::autoscaling::GroupsNamed;
use crate::call::ec2::{ForeignImageById, ImagesById};
use crate::call::{Answers, Called, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, Store};
use crate::refuse::{AskError, Asked};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes down the image that an operator gives to a group, asked for `at` that time.
    pub async fn change_image(&self, at: Time, asked: ImageChangeRequested) -> Result<Report, AskError> {
        let request = Asked::of(ImageChangeRequested::DETAIL_TYPE, &asked.source, &asked.by, at, &asked);
        self.answer(request, self.give_image(at, asked)).await
    }

    async fn give_image(&self, at: Time, asked: ImageChangeRequested) -> Result<Report, AskError> {
        let (id, now) = (asked.source.clone(), self.clock.now());
        let source = self.store.load::<Source>(&id).await?;
        let source = source.ok_or_else(|| AskError::NoSource(id.clone()))?.record;
        let unfit = || AskError::Unable(format!("{id} launches from no image; name a group"));
        let group = id.group().ok_or_else(unfit)?;
        // The same request again is on its way already, whatever its source is now.
        let known = Rollout::change_id(group, at);
        if let Some(known) = self.store.load::<Rollout>(&known).await? {
            let is_same = known.record.change.is_some_and(|change| change.image == asked.image);
            let other = || AskError::Unable(format!("{id} was given another image in the same second; ask again"));
            return is_same.then(Report::default).ok_or_else(other);
        }
        let change = operator::change(&source, &asked).map_err(AskError::Unable)?;
        let found = Box::pin(self.image_to_give(&asked.image)).await?;
        let found = found.map_err(|refusal| AskError::Unable(refusal.to_string()))?;
        let backup = match &found {
            Some((image, None)) => self.backup_with(image).await?,
            Some((_, Some(_))) | None => None,
        };
        let change = Change { backup, ..offered(change, found).map_err(AskError::Unable)? };
        let rollout = Rollout::asked(group.clone(), change, at, now);
        self.reserve(&rollout).await?.map_err(AskError::Unable)?;
        tracing::info!(rollout = %rollout.id, image = %asked.image, by = %asked.by, "an image is to be given");
        let told = self.tell(Queue::Checkpoint, &known, Some(rollout), &Event::Woken).await?;
        Ok(told.map(|(_, report)| report).unwrap_or_default())
    }

    /// The backup that the image is of, if it is one of ours: as its tags say, or as is on record.
    async fn backup_with(&self, image: &Image) -> Result<Option<BackupId>, CallFailed> {
        match backup_told(self.running.stack, &image.tags) {
            Some(backup) => Ok(Some(backup)),
            None => self.store.backup_of(&ArtifactId::Image(image.id.clone())).await,
        }
    }

    /// Reserves the backup whose image is given. Why nothing can launch from it any more, if so.
    async fn reserve(&self, rollout: &Rollout) -> Result<Result<(), String>, CallFailed> {
        let Some(backup) = rollout.change.as_ref().and_then(|change| change.backup.as_ref()) else { return Ok(Ok(())) };
        let (by, now) = (rollout.id.to_string(), self.clock.now());
        let reserve = |record: Option<&Backup>| {
            let record = backup::decide(record?, backup::Event::Reserved(by.clone()), now).record;
            let no = record.cannot_be_reserved();
            Some((record, no))
        };
        let refused = self.change(backup, reserve).await?.flatten();
        Ok(refused.map_or(Ok(()), Err))
    }

    /// The image of this id: ours, or one that another account lets us use, with its owner.
    async fn image_to_give(&self, id: &ImageId) -> Called<Option<(Image, Option<String>)>> {
        let own = match self.cloud.call(&ImagesById(vec![id.clone()])).await? {
            Ok(images) => images.into_iter().find(|image| image.id == *id),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(own) = own {
            return Ok(Ok(Some((own, None))));
        }
        let foreign = self.cloud.call(&ForeignImageById(id.clone())).await?;
        Ok(foreign.map(|found| found.map(|ForeignImage { image, owner }| (image, Some(owner)))))
    }

    pub(crate) async fn prepare(&self, record: &Rollout, asked: Preparing) -> Carried<Rollout> {
        let told = match asked {
            Preparing::AskTurn => return self.ask_to_roll(record).await,
            Preparing::ReadTemplate(group, image) => self.read_for(record, group, image).await?,
            Preparing::PinGroup { group, named, base } => self.pin_group(&group, &named, base).await?,
            Preparing::MakeVersion { template, base, image } => {
                self.make_version(&record.id, template, base, image).await?
            }
            Preparing::PointGroup { group, named, base, version } => {
                self.point_group(&group, &named, base, version).await?
            }
        };
        Ok(Event::Publication(told))
    }

    async fn ask_to_roll(&self, record: &Rollout) -> Carried<Rollout> {
        // As long as it waits; whether that is too late is told when it is its turn.
        let _ = self.reserve(record).await?;
        let source = SourceId::Group(record.group.clone());
        let given = self.change_source(&source, |source| source::ask_to_roll(source, record)).await?;
        // Whoever is in its way may be over; and so may be this one by now, carried on by somebody else.
        self.free_turn(&source).await?;
        Ok(Event::Turn(given.unwrap_or_default()))
    }

    async fn read_for(
        &self,
        record: &Rollout,
        name: GroupName,
        image: ImageId,
    ) -> Result<PublicationEvent, CallFailed> {
        let reserved = self.reserve(record).await?;
        let groups = match self.cloud.call(&GroupsNamed(vec![name.clone()])).await? {
            Ok(groups) => groups,
            Err(refusal) => return Ok(PublicationEvent::Refused(refusal)),
        };
        let images: Vec<Image> = match self.image_to_give(&image).await? {
            Ok(found) => found.into_iter().map(|(image, _)| image).collect(),
            Err(refusal) => return Ok(PublicationEvent::Refused(refusal)),
        };
        match publishable(Some(&image), &name, &groups, &images) {
            Ok((group, image)) => {
                let mut told = self.read_template(&record.id, group, image).await?;
                if let (PublicationEvent::TemplateRead(used), Err(why)) = (&mut told, reserved) {
                    used.obstacle = Some(why);
                }
                Ok(told)
            }
            Err(why) => Ok(why),
        }
    }
}
