//! What is looked up before anything of a backup is deleted.

use crate::Time;
use crate::facts::Image;
use crate::id::{ArtifactId, SnapshotId, TemplateId};

/// What AWS holds of a backup, looked up by its image's name and by its tag on snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// When it was begun to look: what was seen holds for a moment only.
    pub at: Time,
    /// The artifact, if it is there.
    pub artifact: Option<Remains>,
    /// It bears our stack's tag and this backup's.
    pub ours: bool,
    /// Snapshots that bear our stack's tag and this backup's, copies among them.
    pub snapshots: Vec<SnapshotId>,
    /// Versions of launch templates that we made with the image, and that nobody launches from.
    pub versions: Vec<(TemplateId, u64)>,
    /// Who launches from the image, in words; or what could not be read.
    pub needed_by: Vec<String>,
}

/// An artifact, as far as its removal must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Its id.
    pub id: ArtifactId,
    /// When it was begun, if AWS tells.
    pub made_at: Option<Time>,
    /// Why AWS lets nobody delete it, in words.
    pub locked: Option<&'static str>,
    /// The snapshots under it.
    pub snapshots: Vec<SnapshotId>,
}

impl Remains {
    /// An image.
    #[must_use]
    pub fn of_image(image: &Image) -> Self {
        Self {
            id: ArtifactId::Image(image.id.clone()),
            made_at: image.created_at,
            locked: image.protected.then_some("has deregistration protection"),
            snapshots: image.snapshots.clone(),
        }
    }
}
