//! Backups of single instances: whether one can be made, its shutdown, its image, how the copy comes along, and its start.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::copy::{Copying, asks_instance};
use lastgood_core::backup::image;
use lastgood_core::backup::instance::{asks_hazards, found};
use lastgood_core::backup::power::PowerEvent;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{Instance, StopHazards};
use lastgood_core::id::{ImageId, InstanceId};
use lastgood_core::instance::no_start;
use lastgood_core::name::{TAG_BACKUP, tag_value};
use lastgood_core::source::{MayTakeOff, Source, ask_off};

use super::together::{AskFailed, together};
use crate::call::ec2::{ImagesById, InstancesById, SnapshotsTagged};
use crate::call::power::{MayStart, OneTimeSpot, StartInstance, StopInstance, StopProtected, TypesInStore};
use crate::call::{Answers, Call, Called, Cloud};
use crate::drive::{Answered, Carried, Wave};
use crate::port::{Bus, CallFailed, Clock, Store};
use crate::report::chain;
use crate::{CALLS_AT_ONCE_MAX, Engine};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    async fn instances(&self, wave: &Wave<Backup, InstanceId>) -> Result<Vec<Instance>, AskFailed> {
        let ids: Vec<InstanceId> = wave.iter().map(|(_, id)| id.clone()).collect();
        together(ids, |ids| async move { self.cloud.call(&InstancesById(ids)).await }).await
    }

    /// For each record whether its instance can be backed up: one describe for all of them, and for each that is to be stopped
    /// what that would meet.
    pub(super) async fn find_instances(&self, wave: Wave<Backup, InstanceId>) -> Answered<Backup> {
        let told = self.instances(&wave).await;
        let found = stream::iter(wave).map(|(record, id)| {
            let told = &told;
            async move {
                let carried = match told {
                    Ok(told) => Box::pin(self.find_instance(&record.record, &id, told)).await,
                    Err(failed) => failed.no_origin(),
                };
                (record, carried)
            }
        });
        found.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    async fn find_instance(&self, record: &Backup, id: &InstanceId, told: &[Instance]) -> Carried<Backup> {
        let mut hazards = None;
        let instance = told.iter().find(|instance| instance.id == *id);
        if let Some(instance) = instance.filter(|_| asks_hazards(record, told)) {
            hazards = match self.stop_hazards(instance).await? {
                Ok(hazards) => Some(hazards),
                // What can't be known is not risked.
                Err(refusal) => return Ok(Event::NoOrigin(refusal.to_string())),
            };
        }
        let backups = self.backups_of(&record.id.source).await?;
        let event = found(record, id, told, hazards, &backups);
        let Event::InstanceFound(mut found) = event else { return Ok(event) };
        if !found.stops {
            return Ok(Event::InstanceFound(found));
        }
        let ask = |source: &Source| ask_off(source, record.id.slot, &backups, self.clock.now());
        Ok(match self.change_source(&record.id.source, ask).await? {
            Some(MayTakeOff::Yes) => Event::InstanceFound(found),
            Some(MayTakeOff::NotYet) | None => Event::InstanceBusy("another backup of it may take it off".into()),
            Some(MayTakeOff::Never(why)) => Event::NoOrigin(why),
            Some(MayTakeOff::TooLate(why)) => {
                (found.stops, found.goes_on) = (false, Some(why));
                Event::InstanceFound(found)
            }
        })
    }

    async fn stop_hazards(&self, instance: &Instance) -> Called<StopHazards> {
        let mut hazards = StopHazards::default();
        match self.cloud.call(&StopProtected(instance.id.clone())).await? {
            Ok(protected) => hazards.protected = protected,
            Err(refusal) => return Ok(Err(refusal)),
        }
        if let Some(kind) = &instance.instance_type {
            match self.cloud.call(&TypesInStore(vec![kind.clone()])).await? {
                Ok(in_store) => hazards.in_store = in_store.contains(kind),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        if instance.spot {
            match self.cloud.call(&OneTimeSpot(instance.id.clone())).await? {
                Ok(one_time) => hazards.one_time_spot = one_time,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        hazards.no_start = self.cloud.call(&MayStart(instance.id.clone())).await?.err().and_then(no_start);
        Ok(Ok(hazards))
    }

    /// For each record whether its instance is on: one describe for all of them. What they wait for besides has nothing to do
    /// with this.
    pub(super) async fn look_at_instances(&self, wave: Wave<Backup, InstanceId>) -> Answered<Backup> {
        let told = self.instances(&wave).await;
        let seen = wave.into_iter().map(|(record, id)| {
            let event = match &told {
                Ok(told) => {
                    let instance = told.iter().find(|instance| instance.id == id);
                    PowerEvent::Seen(instance.map(|instance| instance.state))
                }
                Err(failed) => PowerEvent::Unanswered(chain(&failed.unanswered())),
            };
            (record, Ok(Event::Power(event)))
        });
        seen.collect()
    }

    pub(super) async fn stop_instance(&self, instance: InstanceId, force: bool) -> Carried<Backup> {
        Ok(Event::Power(match self.cloud.call(&StopInstance { instance, force }).await? {
            Ok(was) => PowerEvent::StopHeard(was),
            Err(refusal) => PowerEvent::StopRefused(refusal),
        }))
    }

    pub(super) async fn start_instance(&self, instance: InstanceId) -> Carried<Backup> {
        Ok(Event::Power(match self.cloud.call(&StartInstance(instance)).await {
            Ok(Ok(())) => PowerEvent::StartHeard,
            Ok(Err(refusal)) => PowerEvent::StartRefused(refusal),
            // The record's own wait, for its image, has nothing to do with this.
            Err(error) => PowerEvent::Unanswered(chain(&error)),
        }))
    }

    /// The image of a single instance, as it is.
    pub(super) async fn create_instance_image(&self, record: &Backup, instance: InstanceId) -> Carried<Backup> {
        let event = self.image_of(record, instance, &format!("Lastgood backup {}", record.id)).await?;
        self.unless_image_made(record, event).await
    }

    /// The image of an instance, the snapshots that bear its backup's tag, and the instance if that is off for it.
    pub(super) async fn look_at_copy(&self, record: &Backup, id: ImageId) -> Carried<Backup> {
        let mut instance = None;
        if let Some(of) = record.instance.as_ref().filter(|_| asks_instance(record)) {
            let told = self
                .cloud
                .call(&InstancesById(vec![of.clone()]))
                .await?
                .map_err(CallFailed::refused(InstancesById::ACTION))?;
            instance = Some(told.into_iter().find(|told| told.id == *of));
        }
        let tagged = SnapshotsTagged { key: TAG_BACKUP.to_owned(), value: tag_value(&record.id.to_string()) };
        let mut snapshots = self.cloud.call(&tagged).await?.map_err(CallFailed::refused(SnapshotsTagged::ACTION))?;
        snapshots.retain(|snapshot| self.is_ours(record, &snapshot.tags));
        let images =
            self.cloud.call(&ImagesById(vec![id.clone()])).await?.map_err(CallFailed::refused(ImagesById::ACTION))?;
        let sight = image::sight(&id, &images, &snapshots);
        Ok(Event::Copying(Box::new(Copying { instance, sight, snapshots })))
    }
}
