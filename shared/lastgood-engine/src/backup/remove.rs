//! Removing what AWS holds of a backup: what is there and who needs it, and the deletions. Template versions that were made
//! for it go first: a template takes ten thousand (AWS: Launch template restrictions), and one that names an image which is
//! gone launches nothing.

use lastgood_core::backup::removal::{Inspection, Remains, RemovalEvent};
use lastgood_core::backup::{Backup, Event, State};
use lastgood_core::facts::{Image, ImageState, TemplateVersion};
use lastgood_core::id::{ImageId, SnapshotId, TemplateId};
use lastgood_core::name::{TAG_BACKUP, image_name, tag_value};
use lastgood_core::needed::{Leaving, Rank, TemplateReading, needs, unused, words};
use lastgood_core::refusal::Why;
use lastgood_core::source::Source;

use super::publish::base_of;
use crate::Engine;
use crate::call::ec2::{DeleteSnapshot, DeleteVersions, DeregisterImage, ImageNamed, ImagesById, SnapshotsTagged};
use crate::call::{Answers, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, Store};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// What AWS holds of a backup, and who needs it. What can't be read counts as needed.
    pub(super) async fn inspect(&self, record: &Backup) -> Carried<Backup> {
        let refused = |refusal| Ok(Event::Removal(RemovalEvent::Refused(refusal)));
        let source = self.store.load::<Source>(&record.id.source).await?.map(|source| source.record);
        let newer = self.newer_good(record).await?;
        let began = self.clock.now();
        // By its id if that is on record: by its name another one might be found. Its successors are asked for beside it.
        let asked = ImagesById(record.image().into_iter().chain(&newer).cloned().collect());
        let seen = match self.cloud.call(&asked).await? {
            Ok(seen) => seen,
            Err(refusal) => return refused(refusal),
        };
        let found = match record.image() {
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
            artifact: image.as_ref().map(Remains::of_image),
        };
        // Versions of ours may be left of an image that somebody else deregistered.
        let id = image.as_ref().map(|image| &image.id).or_else(|| record.image()).cloned();
        if let Some(id) = id {
            let reading = self.read_account(record, &id, image.as_ref(), source.as_ref()).await?;
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
        Ok(newer.filter(|other| other.state == State::Good).filter_map(|other| other.image().cloned()).collect())
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

    pub(super) async fn deregister(&self, image: ImageId) -> Carried<Backup> {
        let event = match self.cloud.call(&DeregisterImage(image)).await? {
            Ok(results) => RemovalEvent::Deregistered(results),
            // Gone already, by an earlier call of ours or by hand.
            Err(refusal) if refusal.why == Why::Missing => RemovalEvent::Deregistered(Vec::new()),
            Err(refusal) => RemovalEvent::Refused(refusal),
        };
        Ok(Event::Removal(event))
    }

    pub(super) async fn delete_snapshots(&self, ids: Vec<SnapshotId>) -> Carried<Backup> {
        let mut results = Vec::new();
        for id in ids {
            let result = self.cloud.call(&DeleteSnapshot(id.clone())).await?;
            results.push((id, result));
        }
        Ok(Event::Removal(RemovalEvent::SnapshotsDeleted(results)))
    }

    pub(super) async fn delete_versions(&self, template: TemplateId, versions: Vec<u64>) -> Carried<Backup> {
        let delete = DeleteVersions { template: template.clone(), versions };
        let event = match self.cloud.call(&delete).await? {
            Ok(left) => RemovalEvent::VersionsDeleted(template, left),
            Err(refusal) if refusal.why.passes() => RemovalEvent::Refused(refusal),
            Err(refusal) => {
                let left = delete.versions.iter().map(|number| (*number, refusal.to_string())).collect();
                RemovalEvent::VersionsDeleted(template, left)
            }
        };
        Ok(Event::Removal(event))
    }
}

/// The versions that say of themselves that they were made for this backup.
fn ours(record: &Backup, templates: &[TemplateReading]) -> Vec<(TemplateId, u64)> {
    let is_ours = |version: &&TemplateVersion| base_of(record, version).is_some();
    let of = |found: &TemplateReading| -> Vec<(TemplateId, u64)> {
        found.naming.iter().filter(is_ours).map(|version| (found.template.clone(), version.number)).collect()
    };
    templates.iter().flat_map(of).collect()
}
