//! An image as the artifact of a backup: what AWS says of it and of its snapshots.

use super::inspection::Remains;
use super::life::Event;
use super::proof::is_its_image;
use super::record::Backup;
use super::sight::{Completeness, Sight};
use crate::Time;
use crate::facts::{Image, ImageState, Snapshot, SnapshotState};
use crate::id::{ArtifactId, ImageId, SnapshotId};
use crate::refusal::{Refusal, Why};

/// AWS's code for an image whose instance was terminated or rebooted meanwhile (AWS: StateReason).
const INSTANCE_LOST: &str = "Client.InstanceTerminated";

/// An image with its snapshots, looked at together: good means that AWS told all of it to be complete.
#[must_use]
pub fn sight(id: &ImageId, images: &[Image], snapshots: &[Snapshot]) -> Sight {
    let Some(image) = images.iter().find(|image| image.id == *id) else { return Sight::Missing };
    let there = |snapshots, completeness| Sight::There {
        artifact: ArtifactId::Image(id.clone()),
        snapshots,
        bytes: None,
        completeness,
    };
    match &image.state {
        ImageState::Pending => return there(None, Completeness::Incomplete("the image is pending".into())),
        ImageState::Broken(why) if why.contains(INSTANCE_LOST) => {
            let why = format!("the instance went away while its image was made: {why}");
            return there(None, Completeness::OriginLost(why));
        }
        ImageState::Broken(why) => {
            return there(None, Completeness::Broken(format!("AWS could not make the image: {why}")));
        }
        ImageState::Disabled => {
            return there(None, Completeness::Broken("somebody disabled the image before it was complete".into()));
        }
        ImageState::Available => {}
    }
    there(Some(image.snapshots.clone()), of_snapshots(&image.snapshots, snapshots))
}

/// The snapshots of an image that is available: good means that AWS told each of them to be complete.
fn of_snapshots(all: &[SnapshotId], told: &[Snapshot]) -> Completeness {
    if all.is_empty() {
        return Completeness::Incomplete("the image is available, and tells no snapshots yet".into());
    }
    let mut complete = 0;
    for id in all {
        match told.iter().find(|snapshot| snapshot.id == *id).map(|snapshot| &snapshot.state) {
            Some(SnapshotState::Completed) => complete += 1,
            Some(SnapshotState::Broken(why)) => return Completeness::Broken(format!("{id} can't be completed: {why}")),
            Some(SnapshotState::Pending) | None => {}
        }
    }
    let all = all.len();
    if complete < all {
        return Completeness::Incomplete(format!("{complete} of {all} snapshots are complete"));
    }
    Completeness::Complete(format!("the image and {all} of {all} snapshots are complete"))
}

/// What bears the name that a backup's artifact has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub artifact: ArtifactId,
    /// Its name.
    pub name: String,
    /// Why it is not that of the backup, if so.
    pub foreign: Option<&'static str>,
}

/// Why what has a backup's name is not that of the backup, by its tags and by what proves that it is.
#[must_use]
pub(super) fn foreign(bears_tags: bool, is_proved: bool) -> Option<&'static str> {
    match (bears_tags, is_proved) {
        (false, _) => Some("does not bear our tags"),
        (true, false) => Some("was made before this backup was asked for"),
        (true, true) => None,
    }
}

/// An image that has a backup's name, and whether it bears our tags.
#[must_use]
pub fn named(record: &Backup, image: &Image, bears_tags: bool) -> Named {
    Named {
        artifact: ArtifactId::Image(image.id.clone()),
        name: image.name.clone(),
        foreign: foreign(bears_tags, is_its_image(record, image)),
    }
}

/// What came of asking for an artifact that AWS refused for good or that nothing could be made from: an earlier call may have
/// made it, and its answer was lost. `named` is what bears its name; `None` if nothing of that is to be said yet.
#[must_use]
pub fn given_up(event: Event, named: Option<Named>) -> Option<Event> {
    let refusal = match &event {
        Event::CreateRefused(refusal) if refusal.why == Why::Taken => refusal.clone(),
        _ => {
            let ours = named.filter(|named| named.foreign.is_none());
            return Some(ours.map_or(event, |named| Event::Made(named.artifact)));
        }
    };
    match named {
        Some(Named { artifact, foreign: None, .. }) => Some(Event::Made(artifact)),
        Some(Named { artifact, name, foreign: Some(why) }) => {
            let message = format!("{} has the name {name} and {why}", artifact.as_str());
            Some(Event::CreateRefused(Refusal { message, ..refusal }))
        }
        // By one that is not visible yet, or that is gone and still has its name.
        None => None,
    }
}

/// The same if AWS refuses to tell which image bears the name: the one of that refusal that says more.
#[must_use]
pub fn unlooked(event: Event, refusal: Refusal) -> Event {
    match event {
        Event::CreateRefused(taken) if taken.why == Why::Taken => Event::CreateRefused(refusal),
        event => event,
    }
}

/// Whether it is to be looked whether an earlier call made the image.
#[must_use]
pub fn gives_up(event: &Event) -> bool {
    match event {
        Event::CreateRefused(refusal) => !refusal.why.passes(),
        event => matches!(event, Event::NoOrigin(_)),
    }
}

/// Whether an image can be launched.
#[must_use]
pub fn is_there(id: &ImageId, images: &[Image]) -> bool {
    images.iter().any(|image| image.id == *id && image.state == ImageState::Available)
}

/// An image whose backup is to go.
#[must_use]
pub fn remains(image: &Image) -> Remains {
    Remains {
        id: ArtifactId::Image(image.id.clone()),
        // Where AWS does not tell, nothing proves that it was made for its backup.
        made_at: Some(image.created_at.unwrap_or(Time::MIN)),
        locked: image.protected.then_some("has deregistration protection"),
        snapshots: image.snapshots.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_will_not_tell_of_the_name_counts_only_where_the_name_was_taken() {
        let refusal = |why| Refusal { why, action: "ec2:CreateImage".into(), message: "AWS's words".into() };
        let denied = Refusal { why: Why::Denied, action: "ec2:DescribeImages".into(), message: "no".into() };
        let heard = |event| unlooked(event, denied.clone());
        assert_eq!(heard(Event::CreateRefused(refusal(Why::Taken))), Event::CreateRefused(denied.clone()));
        for event in [Event::CreateRefused(refusal(Why::Invalid)), Event::NoOrigin("none is there".into())] {
            assert_eq!(heard(event.clone()), event, "what is known of it already says more");
        }
    }
}
