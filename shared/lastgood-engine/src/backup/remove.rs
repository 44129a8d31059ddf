//! Removing what AWS holds of a backup: what is there and who needs it, and the deletions. Template versions that were made
//! for it go first: a template takes ten thousand (AWS: Launch template restrictions), and one that names an image which is
//! gone launches nothing.

use lastgood_core::backup::image::remains;
use lastgood_core::backup::inspection::{Inspection, made_for, successors, wants};
use lastgood_core::backup::kinds::{Artifacts, is_there};
use lastgood_core::backup::proof::{is_its_image, is_its_snapshot};
use lastgood_core::backup::removal::RemovalEvent;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::Snapshot;
use lastgood_core::id::{ArtifactId, GroupName, ImageId, SnapshotId, TemplateId};
use lastgood_core::name::{TAG_BACKUP, image_name, tag_value};
use lastgood_core::needed::{Leaving, needs, unused, words};
use lastgood_core::source::Source;

use crate::Engine;
use crate::call::ec2::{DeleteSnapshot, DeleteVersions, DeregisterImage, ImageNamed, ImagesById, SnapshotsTagged};
use crate::call::{Answers, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, Store};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// What AWS holds of a backup, and who needs it. What can't be read counts as needed.
    pub(super) async fn inspect(&self, record: &Backup, own: Option<&GroupName>) -> Carried<Backup> {
        let refused = |refusal| Ok(Event::Removal(RemovalEvent::Refused(refusal)));
        let (source, newer) = self.source_and_successors(record).await?;
        let began = self.clock.now();
        // By its id if that is on record: by its name another one might be found. Its successors are asked for beside it.
        let images = record.artifact_id.iter().chain(&newer).filter_map(ArtifactId::image).cloned();
        let asked = ImagesById(images.collect());
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
        let its = found.iter().find(|image| is_its_image(record, image)).map(|image| &image.id);
        let its = its.or_else(|| record.image()).cloned();
        // One that is only still told is gone.
        let image = found.filter(|image| !image.is_deregistered());
        let tagged = SnapshotsTagged { key: TAG_BACKUP.to_owned(), value: tag_value(&record.id.to_string()) };
        let snapshots = match self.cloud.call(&tagged).await? {
            Ok(snapshots) => snapshots,
            Err(refusal) => return refused(refusal),
        };
        let is_ours = image.as_ref().is_some_and(|image| self.is_ours(record, &image.tags));
        let is_its = |snapshot: &Snapshot| {
            self.is_ours(record, &snapshot.tags) && is_its_snapshot(record, its.as_ref(), snapshot)
        };
        let snapshots = snapshots.into_iter().filter(is_its).map(|snapshot| snapshot.id);
        let mut inspection = Inspection {
            at: began,
            ours: is_ours,
            snapshots: snapshots.collect(),
            versions: Vec::new(),
            needed_by: Vec::new(),
            artifact: image.as_ref().map(remains),
        };
        // Versions of ours may be left of an image that somebody else deregistered.
        let id = image.as_ref().map(|image| &image.id).or_else(|| record.image()).cloned();
        if let Some(id) = id {
            let reading = self.read_account(record, own, &id, image.as_ref(), source.as_ref()).await?;
            // What was read before the rest of it is as old as it is.
            inspection.at = reading.groups_at.map_or(began, |at| at.min(began));
            let ours = made_for(record, &reading.templates);
            let seen = Artifacts { images: seen, ..Artifacts::default() };
            let is_replaced = newer.iter().any(|newer| is_there(newer, &seen));
            let wants = wants(record, source.as_ref(), is_replaced, self.clock.now());
            let leaving = Leaving { image: &id, ours: &ours, wants };
            let needs = needs(&reading, &leaving);
            inspection.needed_by = words(&needs);
            inspection.versions = unused(&needs, &leaving);
        }
        Ok(Event::Removal(RemovalEvent::Inspected(inspection)))
    }

    /// The source of a backup, and what AWS holds of the good ones that are newer.
    pub(super) async fn source_and_successors(
        &self,
        record: &Backup,
    ) -> Result<(Option<Source>, Vec<ArtifactId>), CallFailed> {
        let source = self.store.load::<Source>(&record.id.source).await?.map(|source| source.record);
        Ok((source, successors(record, &self.backups_of(&record.id.source).await?)))
    }

    pub(super) async fn deregister(&self, image: ImageId) -> Carried<Backup> {
        let deregistered = self.cloud.call(&DeregisterImage(image)).await?;
        Ok(Event::Removal(RemovalEvent::ArtifactDeleted(deregistered)))
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
        let left = self.cloud.call(&DeleteVersions { template: template.clone(), versions }).await?;
        Ok(Event::Removal(RemovalEvent::VersionsDeleted(template, left)))
    }
}
