//! Looks that are asked for many records at once: which instance to image, and how images come along.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::image;
use lastgood_core::backup::life::Chosen;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{Group, Image, ImageState, Instance, Lifecycle, Snapshot};
use lastgood_core::group;
use lastgood_core::id::{ArtifactId, GroupName, ImageId, InstanceId};

use super::together::{AskFailed, together};
use crate::call::autoscaling::GroupsNamed;
use crate::call::ec2::{ImagesById, InstancesById, SnapshotsById};
use crate::call::{Answers, Cloud};
use crate::drive::{Answered, Carried, Wave};
use crate::port::{Bus, CallFailed, Clock, Store};
use crate::{CALLS_AT_ONCE_MAX, Engine};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// For each record the newest member of its group that can be imaged: two describes for all of them.
    pub(super) async fn choose_instances(&self, wave: Wave<Backup, GroupName>) -> Answered<Backup> {
        let found = self.members(&wave).await;
        let choices = stream::iter(wave).map(|(record, name)| {
            let found = &found;
            async move {
                let carried = match found {
                    // Boxed, as in drive.
                    Ok((groups, instances)) => Box::pin(self.choose(&record.record, &name, groups, instances)).await,
                    Err(failed) => failed.no_origin(),
                };
                (record, carried)
            }
        });
        choices.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    async fn choose(
        &self,
        record: &Backup,
        name: &GroupName,
        groups: &[Group],
        instances: &[Instance],
    ) -> Carried<Backup> {
        let Some(found) = group::named(groups, name) else {
            return Ok(Event::NoOrigin(format!("there is no group {name} any more")));
        };
        let choice = group::choose(found, instances, record.wish(), self.clock.now());
        let choice = match choice {
            Ok(choice) => choice,
            Err(why) => return Ok(Event::NoOrigin(why)),
        };
        let generation = match &choice.instance.image {
            Some(image) => self.generation(image).await?,
            None => 0,
        };
        Ok(Event::InstanceChosen(Chosen {
            instance: choice.instance.id,
            base: choice.instance.image,
            generation,
            protected_from_scale_in: choice.protected_from_scale_in,
        }))
    }

    /// How many images deep an image is; 0 for one that is not ours.
    async fn generation(&self, image: &ImageId) -> Result<u32, CallFailed> {
        let Some(id) = self.store.backup_of(&ArtifactId::Image(image.clone())).await? else { return Ok(0) };
        Ok(self.store.load::<Backup>(&id).await?.map_or(0, |backup| backup.record.generation.max(1)))
    }

    async fn members(&self, wave: &Wave<Backup, GroupName>) -> Result<(Vec<Group>, Vec<Instance>), AskFailed> {
        let names = wave.iter().map(|(_, group)| group.clone());
        let groups = together(names, |names| async move { self.cloud.call(&GroupsNamed(names)).await }).await?;
        let ids = groups.iter().flat_map(in_service).collect::<Vec<_>>();
        let instances = together(ids, |ids| async move { self.cloud.call(&InstancesById(ids)).await }).await?;
        Ok((groups, instances))
    }

    /// For each record its image with all snapshots: two describes for all of them.
    pub(super) async fn look_at_images(&self, wave: Wave<Backup, ImageId>) -> Answered<Backup> {
        let found = self.artifacts(&wave).await;
        wave.into_iter()
            .map(|(record, id)| {
                let carried = match &found {
                    Ok((images, snapshots)) => Ok(Event::Seen(image::sight(&id, images, snapshots))),
                    Err(failed) => Err(failed.unanswered()),
                };
                (record, carried)
            })
            .collect()
    }

    async fn artifacts(&self, wave: &Wave<Backup, ImageId>) -> Result<(Vec<Image>, Vec<Snapshot>), AskFailed> {
        let ids = wave.iter().map(|(_, image)| image.clone());
        let images = together(ids, |ids| async move { self.cloud.call(&ImagesById(ids)).await }).await?;
        // A pending image may not tell all its snapshots, so they are asked for once it is available.
        let available = images.iter().filter(|image| image.state == ImageState::Available);
        let ids = available.flat_map(|image| image.snapshots.clone()).collect::<Vec<_>>();
        let snapshots = together(ids, |ids| async move { self.cloud.call(&SnapshotsById(ids)).await }).await?;
        Ok((images, snapshots))
    }
}

/// The members of which more is asked: only those that serve can be imaged at all.
fn in_service(group: &Group) -> Vec<InstanceId> {
    let serving = group.members.iter().filter(|member| member.lifecycle == Lifecycle::InService);
    serving.map(|member| member.instance.clone()).collect()
}
