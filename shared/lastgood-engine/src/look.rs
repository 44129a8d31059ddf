//! Looks that are asked for many records at once: which instance to image, and how images come along.

use lastgood_core::backup::sight::Sight;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::{Group, Image, ImageState, Instance, Snapshot};
use lastgood_core::id::{GroupName, ImageId, InstanceId};

use crate::Engine;
use crate::carry::{AskFailed, together};
use crate::drive::Carried;
use crate::port::{Bus, Clock, Cloud, Store, Versioned};

type Wave<T> = Vec<(Versioned<Backup>, T)>;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// For each record the newest healthy instance of its group: two describes for all of them.
    pub(crate) async fn choose_instances(&self, wave: Wave<GroupName>) -> Vec<(Versioned<Backup>, Carried)> {
        let found = self.members(&wave).await;
        wave.into_iter()
            .map(|(record, group)| {
                let carried = match &found {
                    Ok((groups, instances)) => Ok(choose(&group, groups, instances)),
                    Err(AskFailed::Refused(refusal)) => Ok(Event::NoInstance(refusal.to_string())),
                    Err(failed @ AskFailed::Unanswered { .. }) => Err(failed.unanswered()),
                };
                (record, carried)
            })
            .collect()
    }

    async fn members(&self, wave: &Wave<GroupName>) -> Result<(Vec<Group>, Vec<Instance>), AskFailed> {
        let names = wave.iter().map(|(_, group)| group.clone());
        let groups = together(names, |names| async move { self.cloud.groups(&names).await }).await?;
        let ids = groups.iter().flat_map(able).collect::<Vec<_>>();
        let instances = together(ids, |ids| async move { self.cloud.instances(&ids).await }).await?;
        Ok((groups, instances))
    }

    /// For each record its image with all snapshots: two describes for all of them.
    pub(crate) async fn look_at_images(&self, wave: Wave<ImageId>) -> Vec<(Versioned<Backup>, Carried)> {
        let found = self.artifacts(&wave).await;
        wave.into_iter()
            .map(|(record, id)| {
                let carried = match &found {
                    Ok((images, snapshots)) => Ok(Event::ImageSeen(sight(&id, images, snapshots))),
                    Err(failed) => Err(failed.unanswered()),
                };
                (record, carried)
            })
            .collect()
    }

    async fn artifacts(&self, wave: &Wave<ImageId>) -> Result<(Vec<Image>, Vec<Snapshot>), AskFailed> {
        let ids = wave.iter().map(|(_, image)| image.clone());
        let images = together(ids, |ids| async move { self.cloud.images(&ids).await }).await?;
        // A pending image may not tell all its snapshots, so they are asked for once it is available.
        let available = images.iter().filter(|image| image.state == ImageState::Available);
        let ids = available.flat_map(|image| image.snapshots.clone()).collect::<Vec<_>>();
        let snapshots = together(ids, |ids| async move { self.cloud.snapshots(&ids).await }).await?;
        Ok((images, snapshots))
    }
}

fn able(group: &Group) -> Vec<InstanceId> {
    let able = group.members.iter().filter(|member| member.in_service && member.healthy);
    able.map(|member| member.instance.clone()).collect()
}

/// The newest by launch time, and of two that started in the same second the greater id: always the same one.
fn choose(name: &GroupName, groups: &[Group], instances: &[Instance]) -> Event {
    let Some(group) = groups.iter().find(|group| group.name == *name) else {
        return Event::NoInstance(format!("there is no group {name} any more"));
    };
    let able = able(group);
    let newest = instances
        .iter()
        .filter(|instance| instance.running && able.contains(&instance.id))
        .max_by(|a, b| (a.launched_at, &a.id).cmp(&(b.launched_at, &b.id)));
    match newest {
        Some(instance) => Event::InstanceChosen(instance.id.clone()),
        None => Event::NoInstance(format!(
            "none of the {} members of {name} is in service, healthy and running",
            group.members.len()
        )),
    }
}

fn sight(id: &ImageId, images: &[Image], snapshots: &[Snapshot]) -> Sight {
    let Some(image) = images.iter().find(|image| image.id == *id) else { return Sight::Missing };
    let states = image.snapshots.iter().map(|id| {
        let state = snapshots.iter().find(|snapshot| snapshot.id == *id).map(|snapshot| snapshot.state.clone());
        (id.clone(), state)
    });
    Sight::Seen(image.clone(), states.collect())
}
