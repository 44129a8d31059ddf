//! Making the image of a backup.

use lastgood_core::backup::image::{given_up, gives_up, named, unlooked};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::group;
use lastgood_core::id::{ArtifactId, GroupName, InstanceId};
use lastgood_core::name::{DESCRIPTION_CHARS_MAX, image_name, tags};

use crate::Engine;
use crate::call::autoscaling::ActiveRefresh;
use crate::call::ec2::{CreateImage, ImageNamed};
use crate::call::{Answers, Call, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, How, Store};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Makes the image. Before the backup is given up it is looked whether an earlier call made it and its answer was lost.
    pub(super) async fn create_image(
        &self,
        record: &Backup,
        group: &GroupName,
        instance: InstanceId,
    ) -> Carried<Backup> {
        let event = self.ask_for_image(record, group, instance).await?;
        self.unless_image_made(record, event).await
    }

    /// What came of asking for the image, unless that gives the backup up and an earlier call made it.
    pub(super) async fn unless_image_made(&self, record: &Backup, event: Event) -> Carried<Backup> {
        if !gives_up(&event) {
            return Ok(event);
        }
        let name = image_name(&record.id);
        let found = match self.cloud.call(&ImageNamed(name.clone())).await? {
            // One that is only still told is gone.
            Ok(found) => found.filter(|image| !image.is_deregistered()),
            Err(refusal) => return Ok(unlooked(event, refusal)),
        };
        let named = found.as_ref().map(|image| named(record, image, self.is_ours(record, &image.tags)));
        given_up(event, named).ok_or_else(|| {
            CallFailed::new(How::NotYet, ImageNamed::ACTION, format!("{name} is taken by an image that is not told"))
        })
    }

    async fn ask_for_image(&self, record: &Backup, name: &GroupName, instance: InstanceId) -> Carried<Backup> {
        if !record.capture.during_refresh {
            let refresh = match self.cloud.call(&ActiveRefresh(name.clone())).await? {
                Ok(refresh) => refresh,
                Err(refusal) => return Ok(Event::NoOrigin(refusal.to_string())),
            };
            if let Some(refresh) = refresh {
                return Ok(Event::NoOrigin(group::refreshing(name, &refresh.id)));
            }
        }
        let description = format!("Lastgood backup {} of {instance}", record.id);
        self.image_of(record, instance, &description).await
    }

    /// Asks for an image of the instance, as it is, that says and bears what it is for.
    pub(super) async fn image_of(&self, record: &Backup, instance: InstanceId, description: &str) -> Carried<Backup> {
        let create = CreateImage {
            instance,
            name: image_name(&record.id),
            description: description.chars().filter(char::is_ascii).take(DESCRIPTION_CHARS_MAX).collect(),
            tags: tags(self.running.stack, &record.id, &record.plan),
        };
        Ok(match self.cloud.call(&create).await? {
            Ok(image) => Event::Made(ArtifactId::Image(image)),
            Err(refusal) => Event::CreateRefused(refusal),
        })
    }
}
