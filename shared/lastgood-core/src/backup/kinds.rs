//! Where one kind of source, or of artifact, differs from another: what each asks of AWS on the way. No other file of a
//! backup's life looks at the kind.

use super::image;
use super::life::{Alone, Effect, State, Together};
use super::reading;
use super::record::Backup;
use super::scale_in::{self, ScaleIn};
use crate::Time;
use crate::facts::Image;
use crate::id::{ArtifactId, GroupName, SourceId};
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
        SourceId::Group(group) => reading::due(record, group),
    }
}

/// A look at the artifact.
pub(super) fn look(artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) => Effect::Together(Together::LookAtImage(image.clone())),
    }
}

/// Its deletion.
pub(super) fn delete(artifact: &ArtifactId) -> Effect {
    match artifact {
        ArtifactId::Image(image) => Effect::Alone(Alone::Deregister(image.clone())),
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

/// Whether it can be used now, by what AWS tells of each kind.
#[must_use]
pub fn is_there(artifact: &ArtifactId, images: &[Image]) -> bool {
    match artifact {
        ArtifactId::Image(id) => image::is_there(id, images),
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
