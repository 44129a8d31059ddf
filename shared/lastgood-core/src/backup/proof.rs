//! What proves that AWS made a thing for a backup. Tags prove nothing: whoever may tag can put them on anything. So a thing
//! that is on no record is taken over or deleted only if it bears our tags *and* facts that nobody can put on it later: its
//! name, when it was begun, of which volume it is, and how AWS describes it.

use super::record::Backup;
use crate::Time;
use crate::facts::{CacheSnapshot, Image, Snapshot};
use crate::id::ImageId;
use crate::name::{cache_snapshot_id, image_name};
use crate::seconds_between;

/// How far AWS's clock and ours may be apart, in seconds.
const CLOCKS_SECONDS_APART_MAX: i64 = 60;

/// The volume that AWS tells of a copy, which is of none (AWS: CopySnapshot speaks of an arbitrary one).
const OF_COPIES: &str = "vol-ffffffff";

/// Whether something was made before the backup was asked for, and so not for it.
pub(super) fn is_older(record: &Backup, made_at: Time) -> bool {
    seconds_between(made_at, record.requested_at) > CLOCKS_SECONDS_APART_MAX
}

/// Whether an image is that of a backup: the one on record, or as long as none is, the one that has its name and was not made
/// before it was asked for.
#[must_use]
pub fn is_its_image(record: &Backup, image: &Image) -> bool {
    match record.image() {
        Some(known) => *known == image.id,
        None => image.name == image_name(&record.id) && image.created_at.is_some_and(|at| !is_older(record, at)),
    }
}

/// Whether a snapshot was begun by the CreateImage that made this image of a backup's instance: AWS describes it so, and nobody
/// can change that. A copy is described as whoever made it says, and is of no volume.
#[must_use]
pub fn is_its_snapshot(record: &Backup, image: Option<&ImageId>, snapshot: &Snapshot) -> bool {
    let (Some(instance), Some(image), Some(started_at)) = (&record.instance, image, snapshot.started_at) else {
        return false;
    };
    let made = format!("Created by CreateImage({instance}) for {image}");
    let rest = snapshot.description.strip_prefix(&made);
    let is_made = rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()));
    let volumes = &record.copy.volumes;
    let is_of_it = match &snapshot.volume {
        Some(volume) => volume.as_str() != OF_COPIES && (volumes.is_empty() || volumes.contains(volume)),
        None => volumes.is_empty(),
    };
    is_made && is_of_it && !is_older(record, started_at)
}

/// Whether the snapshot of a cache is that of a backup: by its name, and not made before it was asked for if AWS tells when.
#[must_use]
pub fn is_its_cache_snapshot(record: &Backup, snapshot: &CacheSnapshot) -> bool {
    if let Some(known) = record.cache_snapshot() {
        return *known == snapshot.id;
    }
    let named = record.id.source.cache().map(|cache| cache_snapshot_id(&record.id, cache));
    named.as_ref() == Some(&snapshot.id) && !snapshot.begun_at.is_some_and(|at| is_older(record, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::State;
    use crate::backup::fixtures::{artifact, backup, image, start};
    use crate::facts::{CacheSnapshotState, ImageState, SnapshotState, Tags};
    use crate::id::{ArtifactId, BackupId, CacheFamily, CacheId, CacheKind, CacheSnapshotId, SourceId};
    use crate::later;

    #[test]
    fn an_image_is_known_by_its_id_and_as_long_as_that_is_not_known_by_its_name_and_its_time() {
        let nameless = Backup { artifact_id: None, ..backup(State::Failed) };
        let found = Image { name: image_name(&nameless.id), created_at: Some(start()), ..image(ImageState::Available) };
        assert!(is_its_image(&nameless, &found));
        assert!(is_its_image(&nameless, &Image { created_at: Some(later(start(), -60)), ..found.clone() }));
        for other in [
            Image { name: "lastgood-web".into(), ..found.clone() },
            Image { created_at: Some(later(start(), -61)), ..found.clone() },
            Image { created_at: None, ..found.clone() },
        ] {
            assert!(!is_its_image(&nameless, &other), "{other:?}");
        }
        let known = backup(State::Failed);
        assert!(is_its_image(&known, &image(ImageState::Available)), "CreateImage told its id");
        assert!(!is_its_image(&known, &Image { id: "ami-2".into(), ..found }), "another that has its name now");
    }

    #[test]
    fn a_snapshot_is_known_by_what_aws_says_of_it_and_a_copy_says_otherwise() {
        let record = Backup { artifact_id: Some(artifact("ami-1")), ..backup(State::Failed) };
        let made = |description: &str| Snapshot {
            id: "snap-9".into(),
            state: SnapshotState::Completed,
            tags: Tags::new(),
            description: description.into(),
            started_at: Some(start()),
            volume: Some("vol-1".into()),
            gib: None,
            percent: None,
        };
        let ours = made("Created by CreateImage(i-1) for ami-1");
        let is_its = |record: &Backup, snapshot: &Snapshot| is_its_snapshot(record, record.image(), snapshot);
        assert!(is_its(&record, &ours));
        assert!(is_its(&record, &made("Created by CreateImage(i-1) for ami-1 from vol-1")), "as AWS wrote it once");
        for description in [
            "",
            "[Copied snap-1 from us-east-1] Created by CreateImage(i-1) for ami-1",
            "Created by CreateImage(i-2) for ami-1",
            "Created by CreateImage(i-1) for ami-12",
            "Created by CreateImage(i-1)",
        ] {
            assert!(!is_its(&record, &made(description)), "{description}");
        }
        let at = |seconds| Snapshot { started_at: Some(later(start(), seconds)), ..ours.clone() };
        assert!(is_its(&record, &at(-60)) && !is_its(&record, &at(-61)));
        assert!(!is_its(&record, &Snapshot { started_at: None, ..ours.clone() }));
        assert!(!is_its_snapshot(&record, None, &ours), "nobody knows for which image it was");
        let unasked = Backup { instance: None, ..record.clone() };
        assert!(!is_its(&unasked, &ours), "AWS was never asked for an image");
        let copy = Snapshot { volume: Some(OF_COPIES.into()), ..ours.clone() };
        assert!(!is_its(&record, &copy), "whatever whoever copied it wrote");
        let mut of_volumes = record;
        of_volumes.copy.volumes = vec!["vol-2".into()];
        assert!(!is_its(&of_volumes, &ours), "of a volume that its instance did not have");
        of_volumes.copy.volumes.push("vol-1".into());
        assert!(is_its(&of_volumes, &ours));
        assert!(!is_its(&of_volumes, &Snapshot { volume: None, ..ours }));
    }

    #[test]
    fn the_snapshot_of_a_cache_is_known_by_its_name() {
        let cache = CacheId { kind: CacheKind::ReplicationGroup, name: "sessions".into() };
        let id = BackupId { source: SourceId::Cache(cache.clone()), slot: start() };
        let record = Backup { id, artifact_id: None, ..backup(State::Failed) };
        let of = |name: String, begun_at| CacheSnapshot {
            id: CacheSnapshotId { family: CacheFamily::Nodes, name },
            arn: String::new(),
            tags: Tags::new(),
            of: Vec::new(),
            state: CacheSnapshotState::Available,
            manual: true,
            begun_at,
            bytes: None,
        };
        let name = || cache_snapshot_id(&record.id, &cache).name;
        assert!(is_its_cache_snapshot(&record, &of(name(), Some(start()))));
        assert!(is_its_cache_snapshot(&record, &of(name(), None)), "one that failed tells no time");
        assert!(!is_its_cache_snapshot(&record, &of(name(), Some(later(start(), -61)))));
        assert!(!is_its_cache_snapshot(&record, &of("theirs".into(), Some(start()))));
        let known = CacheSnapshotId { family: CacheFamily::Nodes, name: "known".into() };
        let known = Backup { artifact_id: Some(ArtifactId::CacheSnapshot(known)), ..record.clone() };
        assert!(is_its_cache_snapshot(&known, &of("known".into(), None)));
        assert!(!is_its_cache_snapshot(&known, &of(name(), Some(start()))));
    }
}
