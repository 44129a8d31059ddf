//! Where one kind of source, or of artifact, differs from another: what each asks of AWS on the way. No other file of a
//! backup's life looks at the kind.

use super::cache;
use super::image;
use super::life::{Alone, Effect, PENDING_SECONDS_MAX, State, Together, fail, lost, wait};
use super::power;
use super::reading;
use super::record::Backup;
use super::scale_in::{self, ScaleIn};
use super::shutdown;
use super::sight::PENDING_POLL_SECONDS;
use crate::facts::{CacheSnapshot, Image};
use crate::id::{ArtifactId, CacheId, GroupName, InstanceId, SourceId};
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::{Time, seconds_between};

/// What is asked so that AWS makes the artifact.
pub(super) fn make(record: &Backup, now: Time) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => make_image(record, group),
        SourceId::Cache(cache) => Some(make_snapshot(record, cache, now)),
        SourceId::Instance(instance) => make_instance_image(record, instance),
    }
}

/// AWS refused to make it, and not for a while.
pub(super) fn refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    match (&record.id.source, refusal.why) {
        (SourceId::Cache(_), _) => cache::refused(record, refusal, now),
        (SourceId::Group(_) | SourceId::Instance(_), why) if why.passes() => wait(record, now, refusal),
        (SourceId::Group(_), Why::Missing | Why::WrongState) => lost(record, now, &refusal.to_string()),
        (SourceId::Group(_) | SourceId::Instance(_), _) => fail(record, now, refusal.to_string()),
    }
}

/// Pause between two looks at an artifact that is being made.
pub(super) fn poll_seconds(record: &Backup, now: Time) -> i64 {
    match &record.id.source {
        SourceId::Group(_) => PENDING_POLL_SECONDS,
        SourceId::Cache(_) => record.cache.poll_seconds(seconds_between(record.since, now)),
        SourceId::Instance(_) => record.copy.poll_seconds(seconds_between(record.since, now)),
    }
}

/// How long it may be in the making.
pub(super) fn pending_seconds_max(record: &Backup) -> i64 {
    match &record.id.source {
        SourceId::Group(_) => PENDING_SECONDS_MAX,
        SourceId::Cache(_) => record.cache.making_seconds_max(),
        SourceId::Instance(_) => record.copy.copying_seconds_max(),
    }
}

/// What people call an artifact, and what can become of it.
pub(super) struct Words {
    /// `the image`.
    pub(super) artifact: &'static str,
    /// What could not be looked for.
    pub(super) unfound: &'static str,
    /// What did not come about.
    pub(super) unmade: &'static str,
    /// That it is gone, by somebody else.
    pub(super) gone: &'static str,
    /// That it is deleted, by us.
    pub(super) deleted: &'static str,
}

const OF_IMAGES: Words = Words {
    artifact: "the image",
    unfound: "no instance could be looked for",
    unmade: "CreateImage did not come about",
    gone: "the image is gone: somebody deregistered it",
    deleted: "the image and its snapshots are deleted",
};

/// Those of a backup.
pub(super) fn words(record: &Backup) -> &'static Words {
    match &record.id.source {
        SourceId::Group(_) => &OF_IMAGES,
        SourceId::Instance(_) => &Words { unfound: "the instance could not be backed up", ..OF_IMAGES },
        SourceId::Cache(_) => &Words {
            artifact: "the snapshot",
            unfound: "the cache could not be backed up",
            unmade: "the snapshot did not come about",
            gone: "the snapshot is gone: somebody deleted it",
            deleted: "the snapshot is deleted",
        },
    }
}

/// What is owed back of what was done so that it could be made.
pub(super) fn give_back(record: &Backup, now: Time) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => scale_in::due(record, group, now),
        SourceId::Instance(instance) => power::due(record, instance, now),
        SourceId::Cache(_) => None,
    }
}

/// What the publication of a good one asks.
pub(super) fn publish(record: &Backup) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => reading::due(record, group),
        SourceId::Cache(_) | SourceId::Instance(_) => None,
    }
}

/// A look at the artifact.
pub(super) fn look(record: &Backup, artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) if record.id.source.instance().is_some() => {
            Effect::Alone(Alone::LookAtCopy(image.clone()))
        }
        ArtifactId::Image(image) => Effect::Together(Together::LookAtImage(image.clone())),
        ArtifactId::CacheSnapshot(id) => Effect::Together(Together::LookAtCacheSnapshot(id.clone())),
    }
}

/// Its deletion.
pub(super) fn delete(artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) => Effect::Alone(Alone::Deregister(image.clone())),
        ArtifactId::CacheSnapshot(id) => Effect::Alone(Alone::DeleteCacheSnapshot(id.clone())),
    }
}

/// That it is good.
pub(super) fn good(record: &Backup, artifact: &ArtifactId) -> News {
    News::BackupGood {
        backup: record.id.clone(),
        image: artifact.image().cloned(),
        snapshots: record.snapshots.clone(),
        cache_snapshot: artifact.cache_snapshot().map(|id| id.name.clone()),
    }
}

/// That it is gone, and Lastgood did not delete it.
pub(super) fn lost_news(record: &Backup) -> News {
    News::BackupLost {
        backup: record.id.clone(),
        image: record.image().cloned(),
        cache_snapshot: record.cache_snapshot().map(|id| id.name.clone()),
    }
}

/// What AWS tells of artifacts of every kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Images.
    pub images: Vec<Image>,
    /// Snapshots of caches.
    pub cache_snapshots: Vec<CacheSnapshot>,
}

/// Whether it can be used now, by what AWS tells of each kind.
#[must_use]
pub fn is_there(artifact: &ArtifactId, told: &Artifacts) -> bool {
    match artifact {
        ArtifactId::Image(id) => image::is_there(id, &told.images),
        ArtifactId::CacheSnapshot(id) => cache::is_there(id, &told.cache_snapshots),
    }
}

/// A snapshot is made of a node, or of all of a cache, as it is right before the call.
fn make_snapshot(record: &Backup, cache: &CacheId, now: Time) -> Effect {
    match &record.cache.chosen {
        Some(chosen) if record.state == State::Creating && record.cache.is_fresh(now) => {
            Effect::Alone(Alone::CreateCacheSnapshot(cache.clone(), chosen.node.clone()))
        }
        _ => Effect::Together(Together::ChooseNode(cache.clone())),
    }
}

/// AWS makes it, from now on.
pub(super) fn begun(record: &mut Backup, now: Time) {
    match &record.id.source {
        SourceId::Group(_) => {}
        SourceId::Cache(_) => record.cache.begun_at = Some(now),
        SourceId::Instance(_) => record.copy.begun_at = Some(now),
    }
}

/// An image is made of the instance as it is, once it is off if its plan says so.
fn make_instance_image(record: &Backup, instance: &InstanceId) -> Option<Effect> {
    match record.state {
        State::Requested => Some(Effect::Together(Together::FindInstance(instance.clone()))),
        State::Quiescing => shutdown::quiesce(record, instance),
        _ => Some(Effect::Alone(Alone::CreateInstanceImage(instance.clone()))),
    }
}

/// An image is made of the group's newest member, which is protected from scale-in first, if its plan says so.
fn make_image(record: &Backup, group: &GroupName) -> Option<Effect> {
    if record.state == State::Requested {
        return Some(Effect::Together(Together::ChooseInstance(group.clone())));
    }
    let (group, instance) = (group.clone(), record.instance.clone()?);
    Some(match record.scale_in {
        ScaleIn::Asked => Effect::Alone(Alone::Protect(group, instance)),
        ScaleIn::Untouched | ScaleIn::Protected | ScaleIn::Owed(_) | ScaleIn::GivenBack => {
            Effect::Alone(Alone::CreateImage(group, instance))
        }
    })
}
