//! Where one kind of source, or of artifact, differs from another: what each asks of AWS on the way. The rest of the life asks
//! for no kind.

use super::image;
use super::life::Effect;
use super::life::State;
use super::publication;
use super::record::Backup;
use super::scale_in::{self, ScaleIn};
use crate::Time;
use crate::facts::Image;
use crate::id::{ArtifactId, GroupName, ImageId, SourceId};
use crate::notice::News;

/// What is asked so that AWS makes the artifact.
pub(super) fn make(record: &Backup) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => make_image(record, group),
    }
}

/// What is owed back of what was done so that it could be made.
pub(super) fn give_back(record: &Backup, now: Time) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => scale_in::due(record, group, now),
    }
}

/// What the publication of a good one asks.
pub(super) fn publish(record: &Backup) -> Option<Effect> {
    match &record.id.source {
        SourceId::Group(group) => publication::due(record, group),
    }
}

/// A look at the artifact.
pub(super) fn look(artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) => Effect::LookAtImage(image.clone()),
    }
}

/// Its deletion.
pub(super) fn delete(artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) => Effect::Deregister(image.clone()),
    }
}

/// That it is good.
pub(super) fn good(record: &Backup, artifact: ArtifactId) -> News {
    match artifact {
        ArtifactId::Image(image) => {
            News::BackupGood { backup: record.id.clone(), image, snapshots: record.snapshots.clone() }
        }
    }
}

/// Whether one of these can be used now, by what AWS tells of each kind.
#[must_use]
pub fn is_any_there(artifacts: &[ArtifactId], images: &[Image]) -> bool {
    let is_there = |artifact: &ArtifactId| match artifact {
        ArtifactId::Image(id) => image::is_there(id, images),
    };
    artifacts.iter().any(is_there)
}

impl ArtifactId {
    /// The image, if it is one.
    #[must_use]
    pub fn image(&self) -> Option<&ImageId> {
        match self {
            Self::Image(image) => Some(image),
        }
    }
}

/// An image is made of the group's newest member, which is protected from scale-in first, if its plan says so.
fn make_image(record: &Backup, group: &GroupName) -> Option<Effect> {
    if record.state == State::Requested {
        return Some(Effect::ChooseInstance(group.clone()));
    }
    let (group, instance) = (group.clone(), record.instance.clone()?);
    Some(match record.scale_in {
        ScaleIn::Asked => Effect::Protect(group, instance),
        ScaleIn::Untouched | ScaleIn::Held | ScaleIn::Owed(_) | ScaleIn::GivenBack => {
            Effect::CreateImage(group, instance)
        }
    })
}
