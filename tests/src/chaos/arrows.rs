//! The arrows of a backup's life, written a second time and on purpose: from the drawing, not from the code.

use lastgood_core::backup::{Artifact, Backup, Publication, State};

/// Whether a backup may be saved so after it was saved so.
pub(super) fn wrong_move(before: Option<&Backup>, after: &Backup) -> Option<String> {
    let Some(before) = before else {
        return (after.state != State::Requested).then(|| format!("{} begins as {:?}", after.id, after.state));
    };
    if before.id != after.id {
        return Some(format!("{} becomes {}", before.id, after.id));
    }
    if before.state != after.state && !may_go(before.state, after.state) {
        return Some(format!("{} goes from {:?} to {:?}", after.id, before.state, after.state));
    }
    if before.image.is_some() && after.image != before.image {
        return Some(format!("{} had {:?} and has {:?}", after.id, before.image, after.image));
    }
    if let Some(lost) = before.snapshots.iter().find(|id| !after.snapshots.contains(id))
        && !after.shared.contains(lost)
    {
        return Some(format!("{} forgets {lost}", after.id));
    }
    let deletes = |backup: &Backup| matches!(backup.artifact, Artifact::SnapshotsLeft | Artifact::Gone);
    if deletes(after) && !deletes(before) && before.state == State::Good {
        return Some(format!("{} is gone while it is good", after.id));
    }
    let left = |publication: &Publication| matches!(publication, Publication::Published(_));
    (left(&before.publication) && !left(&after.publication))
        .then(|| format!("{} was published and is {:?}", after.id, after.publication))
}

#[expect(clippy::unnested_or_patterns, reason = "one line for each arrow")]
fn may_go(from: State, to: State) -> bool {
    use State::{Creating, Deleted, Deleting, Expiring, Failed, Good, Pending, Requested};
    matches!(
        (from, to),
        (Requested, Creating)
            | (Creating, Pending)
            | (Pending, Good)
            | (Requested | Creating | Pending, Failed)
            | (Good, Expiring)
            | (Expiring | Deleting, Good)
            | (Expiring, Deleting | Deleted)
            | (Deleting, Deleted)
    )
}
