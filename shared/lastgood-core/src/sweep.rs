//! The sweep: what AWS holds under our tag is laid beside the records, every few hours.
//!
//! A CreateImage that stalled until after its backup was given up leaves an image that nobody waits for: it is found here and
//! goes the way of every removal. What bears our tag and is on no record, or on that of a backup that was deleted, or not
//! proved to be of the backup that its tag names, is told once and left alone: our tag, our record and AWS's word, all three, or
//! nothing is deleted; and what is back after its deletion somebody has restored. And a good backup whose image somebody deregistered is told, for then its source is not as restorable as
//! it seems.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::backup::proof::{is_its_cache_snapshot, is_its_image, is_its_snapshot};
use crate::backup::{Artifact, Backup, Event, State};
use crate::facts::{CacheSnapshot, CacheSnapshotState, Image, Snapshot};
use crate::id::{ArtifactId, BackupId, ImageId, SnapshotId, SourceId};
use crate::name::TAG_BACKUP;
use crate::notice::{News, Notice};
use crate::outbox;
use crate::record::{Place, Queue, Record, SWEEPS, Tells};
use crate::{Time, later, seconds_between};

/// Pause between two sweeps.
pub const SWEEP_SECONDS: i64 = 6 * 60 * 60;
/// Pause before the next one if the image of a good backup was not told: one answer without it proves nothing.
pub const LOOK_AGAIN_SECONDS: i64 = 60 * 60;
/// How old something must be before it counts as left behind: four times as old as a function can live (AWS: Lambda
/// quotas, 15 minutes).
pub const ORPHAN_SECONDS_MIN: i64 = 60 * 60;
/// How many things without a record are remembered as told. Those that come after are told again each time.
pub const TOLD_MAX: usize = 1_000;
/// How many notices one sweep writes at most: the rest is told by the next ones. All stand in one item of the table (AWS:
/// DynamoDB, 400 KB).
pub const NOTICES_MAX: usize = 100;

/// What is on record of the sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When it is done next.
    pub next_at: Time,
    /// Images and snapshots without a record that were told.
    #[serde(default)]
    pub told: BTreeSet<String>,
    /// Notices that are not sent yet.
    #[serde(default)]
    pub outbox: Vec<Notice>,
}

impl Record for Sweep {
    type Id = ();
    type Of = ();

    fn id(&self) {}

    fn place((): &()) -> Place {
        Place { partition: Self::partition(&()), sort: "sweep".to_owned() }
    }

    fn partition((): &()) -> String {
        SWEEPS.to_owned()
    }

    /// Every cleanup looks at it.
    fn waits(&self) -> Option<(Queue, Time)> {
        None
    }
}

impl Tells for Sweep {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}

/// What AWS holds under our tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Images.
    pub images: Vec<Image>,
    /// Snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Snapshots of caches.
    pub cache_snapshots: Vec<CacheSnapshot>,
}

impl Sweep {
    /// The record before the first sweep.
    #[must_use]
    pub fn first() -> Self {
        Self { next_at: Time::UNIX_EPOCH, told: BTreeSet::new(), outbox: Vec::new() }
    }

    /// Whether it is time.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        now >= self.next_at
    }

    /// The record after a sweep that found these things without a record, and told these events.
    #[must_use]
    pub fn done<'a>(&self, unknown: &[Unknown], told: impl IntoIterator<Item = &'a Event>, now: Time) -> Self {
        let again = told.into_iter().any(|event| *event == Event::ArtifactGone);
        let pause = if again { LOOK_AGAIN_SECONDS } else { SWEEP_SECONDS };
        let mut next = Self { next_at: later(now, pause), told: BTreeSet::new(), outbox: self.outbox.clone() };
        for Unknown { source, backup, images, snapshots, cache_snapshots } in unknown {
            let ids = images.iter().map(ImageId::as_str).chain(snapshots.iter().map(SnapshotId::as_str));
            let ids: Vec<String> = ids.map(str::to_owned).chain(cache_snapshots.iter().cloned()).collect();
            if ids.iter().any(|id| !self.told.contains(id)) {
                let news = News::ArtifactUnknown {
                    backup: backup.clone(),
                    images: images.clone(),
                    snapshots: snapshots.clone(),
                    cache_snapshots: cache_snapshots.clone(),
                };
                let notice = Notice::new(source, &format!("{backup}/{}", now.as_second()), now, news);
                if next.outbox.len() >= NOTICES_MAX || outbox::is_full(&next.outbox, &notice) {
                    next.next_at = next.next_at.min(later(now, LOOK_AGAIN_SECONDS));
                    continue;
                }
                next.outbox.push(notice);
            }
            // What is gone by the next sweep is forgotten.
            next.told.extend(ids);
        }
        while next.told.len() > TOLD_MAX {
            next.told.pop_last();
        }
        next
    }
}

/// Things of one backup of which no record says that they should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The source that their tag names.
    pub source: SourceId,
    /// The backup that their tag names, as it stands there.
    pub backup: String,
    /// Images.
    pub images: Vec<ImageId>,
    /// Snapshots.
    pub snapshots: Vec<SnapshotId>,
    /// Snapshots of caches, by their names.
    pub cache_snapshots: Vec<String>,
}

fn is_old(begun: Option<Time>, now: Time) -> bool {
    begun.is_some_and(|begun| seconds_between(begun, now) >= ORPHAN_SECONDS_MIN)
}

/// The same of the snapshot of a cache. One that failed and tells no time becomes nothing any more; one that is on its way out
/// is told for a while.
fn is_old_snapshot(snapshot: &CacheSnapshot, now: Time) -> bool {
    if snapshot.state == CacheSnapshotState::Deleting {
        return false;
    }
    let is_over = snapshot.begun_at.is_none() && snapshot.state == CacheSnapshotState::Failed;
    is_over || is_old(snapshot.begun_at, now)
}

/// What the sweep tells a backup, if anything. `account` is all that bears our tag; what bears this backup's is taken of it.
#[must_use]
pub fn of_backup(record: &Backup, account: &Account, now: Time) -> Option<Event> {
    let tag = crate::name::tag_value(&record.id.to_string());
    let is_its = |tags: &crate::facts::Tags| tags.get(TAG_BACKUP) == Some(&tag);
    let there = |image: &&Image| !image.is_deregistered();
    match record.state {
        State::Good => {
            let is_there = match record.artifact_id.as_ref()? {
                ArtifactId::Image(id) => account.images.iter().filter(there).any(|image| image.id == *id),
                ArtifactId::CacheSnapshot(id) => account.cache_snapshots.iter().any(|snapshot| snapshot.id == *id),
            };
            match (is_there, record.missing_since) {
                (true, None) => None,
                (true, Some(_)) => Some(Event::ArtifactBack),
                (false, _) if record.lost_told.is_some() => None,
                (false, _) => Some(Event::ArtifactGone),
            }
        }
        State::Failed if matches!(record.artifact, Artifact::None | Artifact::Gone) => {
            let image = account
                .images
                .iter()
                .filter(there)
                .find(|image| is_its(&image.tags) && is_old(image.created_at, now) && is_its_image(record, image));
            let made = record.image().or(image.map(|image| &image.id));
            let under: BTreeSet<&SnapshotId> = account.images.iter().flat_map(|image| &image.snapshots).collect();
            let left = account.snapshots.iter().filter(|snapshot| {
                is_its(&snapshot.tags)
                    && is_old(snapshot.started_at, now)
                    && is_its_snapshot(record, made, snapshot)
                    && !under.contains(&snapshot.id)
                    && !record.shared.contains(&snapshot.id)
            });
            let of_cache = account.cache_snapshots.iter().find(|snapshot| {
                is_its(&snapshot.tags) && is_old_snapshot(snapshot, now) && is_its_cache_snapshot(record, snapshot)
            });
            let of_cache = of_cache.map(|snapshot| ArtifactId::CacheSnapshot(snapshot.id.clone()));
            let artifact = image.map(|image| ArtifactId::Image(image.id.clone())).or(of_cache);
            let snapshots: Vec<SnapshotId> = left.map(|left| left.id.clone()).collect();
            (artifact.is_some() || !snapshots.is_empty()).then_some(Event::LeftBehind { artifact, snapshots })
        }
        State::Failed
        | State::Deleted
        | State::Requested
        | State::Quiescing
        | State::Creating
        | State::Pending
        | State::Expiring
        | State::Deleting => None,
    }
}

/// What bears our tag and belongs to no record, by backup. `records` are those of all sources that the tags name.
#[must_use]
pub fn unknown(records: &[&Backup], account: &Account, now: Time) -> Vec<Unknown> {
    let by_tag: BTreeMap<String, &Backup> =
        records.iter().map(|record| (crate::name::tag_value(&record.id.to_string()), *record)).collect();
    let mut found: BTreeMap<String, Unknown> = BTreeMap::new();
    for image in account.images.iter().filter(|image| !image.is_deregistered() && is_old(image.created_at, now)) {
        let Some((tag, source)) = tagged(&image.tags) else { continue };
        // Of a backup that was deleted nothing should be there: somebody has restored it, perhaps, and wants it.
        let known = by_tag.get(tag).is_some_and(|record| record.state != State::Deleted && is_its_image(record, image));
        if !known {
            entry(&mut found, tag, source).images.push(image.id.clone());
        }
    }
    let under: BTreeSet<&SnapshotId> = account.images.iter().flat_map(|image| &image.snapshots).collect();
    for snapshot in account.snapshots.iter().filter(|snapshot| is_old(snapshot.started_at, now)) {
        let Some((tag, source)) = tagged(&snapshot.tags) else { continue };
        let known = by_tag.get(tag).is_some_and(|record| match record.state {
            State::Good | State::Expiring | State::Deleting => {
                record.snapshots.contains(&snapshot.id) || record.shared.contains(&snapshot.id)
            }
            State::Deleted => record.shared.contains(&snapshot.id),
            State::Failed => {
                record.snapshots.contains(&snapshot.id)
                    || record.shared.contains(&snapshot.id)
                    || is_its_snapshot(record, record.image(), snapshot)
            }
            State::Requested | State::Quiescing | State::Creating | State::Pending => true,
        });
        if !known && !under.contains(&snapshot.id) {
            entry(&mut found, tag, source).snapshots.push(snapshot.id.clone());
        }
    }
    for snapshot in account.cache_snapshots.iter().filter(|snapshot| is_old_snapshot(snapshot, now)) {
        let Some((tag, source)) = tagged(&snapshot.tags) else { continue };
        let known = by_tag
            .get(tag)
            .is_some_and(|record| record.state != State::Deleted && is_its_cache_snapshot(record, snapshot));
        if !known {
            entry(&mut found, tag, source).cache_snapshots.push(snapshot.id.name.clone());
        }
    }
    found.into_values().collect()
}

fn entry<'a>(found: &'a mut BTreeMap<String, Unknown>, tag: &str, source: SourceId) -> &'a mut Unknown {
    let new = || Unknown {
        source,
        backup: tag.to_owned(),
        images: Vec::new(),
        snapshots: Vec::new(),
        cache_snapshots: Vec::new(),
    };
    found.entry(tag.to_owned()).or_insert_with(new)
}

/// The backup that tags name, and its source.
fn tagged(tags: &crate::facts::Tags) -> Option<(&str, SourceId)> {
    let tag = tags.get(TAG_BACKUP)?;
    Some((tag, source_of(tag)?))
}

fn source_of(tag: &str) -> Option<SourceId> {
    match tag.parse::<BackupId>() {
        Ok(id) => Some(id.source),
        // A long name is cut in its tag: what is left of it names the source well enough for a person.
        Err(_) => tag.split('@').next()?.parse().ok(),
    }
}

#[cfg(test)]
#[path = "sweep_rules.rs"]
mod rules;
