//! The operator wins: what a publication makes of an image that somebody put in its place by hand, and of a lineage that
//! has become too deep.

use super::publication::Publication;
use super::record::Backup;
use crate::Time;
use crate::id::ImageId;
use crate::notice::News;
use crate::plan::OnManualChange;
use crate::source::{Because, Expected};

/// What is found where the image is to be published.
pub(super) enum Manual {
    /// What was expected, or nothing that matters.
    Fine,
    /// Nothing is changed until an operator says so; why.
    Held(String),
    /// There is nothing to publish, and why.
    Rests(Publication, String),
}

/// Judges `found` (an image id, or nothing). `place` says where it was found: "the group launches from".
pub(super) fn judge(
    record: &mut Backup,
    expected: Option<&Expected>,
    found: Option<&str>,
    place: &str,
    now: Time,
) -> Manual {
    if let Some(max) = record.publish.max_generations.filter(|max| record.generation > *max) {
        return Manual::Held(format!(
            "it is {} images deep, and its plan says max_generations: {max}; build a clean image and give it to the group: what is made from its instances is published again",
            record.generation
        ));
    }
    let Some(expected) = expected else { return Manual::Fine };
    if expected.image.as_deref() == found {
        return match (expected.because, record.base.as_ref()) {
            // An image of an instance from before would take the operator's change back.
            (Because::Adopted, base) if base.map(ImageId::as_str) != found => Manual::Rests(
                Publication::Superseded,
                format!(
                    "it was made from an instance of {}, from before {} was adopted",
                    base.map_or("an image that AWS does not tell", ImageId::as_str),
                    found.unwrap_or("no image")
                ),
            ),
            (Because::Published | Because::Applied | Because::Adopted, _) => Manual::Fine,
        };
    }
    let now_there = found.unwrap_or("no image");
    let before = expected.image.as_deref().unwrap_or("no image");
    let (backup, source) = (record.id.clone(), record.id.source.clone());
    // Another change, met by the same backup, is other news.
    let occasion = format!("/{now_there}");
    let change = |done: OnManualChange| News::ManualChange {
        backup,
        found: now_there.to_owned(),
        expected: before.to_owned(),
        done,
    };
    match record.publish.on_manual_change {
        OnManualChange::Hold => Manual::Held(format!(
            "{place} {now_there}, not {before} {}: somebody changed it; give it back {before}, or let this one replace it: lastgood release {source}",
            expected.because.words()
        )),
        OnManualChange::Overwrite => {
            record.tell(&occasion, now, change(OnManualChange::Overwrite));
            Manual::Fine
        }
        // There is no image to follow.
        OnManualChange::Adopt if found.is_none() => Manual::Fine,
        // What was made from an instance of the new image carries its change on.
        OnManualChange::Adopt if record.base.as_ref().map(ImageId::as_str) == found => {
            record.tell(&occasion, now, change(OnManualChange::Adopt));
            Manual::Fine
        }
        OnManualChange::Adopt => {
            record.tell(&occasion, now, change(OnManualChange::Adopt));
            let reason = format!("somebody gave {now_there} in place of {before}; what follows is based on that");
            Manual::Rests(Publication::Adopted(now_there.to_owned()), reason)
        }
    }
}
