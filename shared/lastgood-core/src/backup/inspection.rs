//! What is looked up before anything of a backup is deleted.

use super::life::State;
use super::record::Backup;
use crate::Time;
use crate::facts::TemplateVersion;
use crate::id::{ArtifactId, SnapshotId, TemplateId};
use crate::name::version_base;
use crate::needed::{self, Need, Rank, TemplateReading};
use crate::source::Source;

/// What AWS holds of a backup, looked up by its id, or its name as long as that is not known, and by its tag on snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// When it was begun to look: what was seen holds for a moment only.
    pub at: Time,
    /// The artifact, if it is there.
    pub artifact: Option<Remains>,
    /// It bears our stack's tag and this backup's.
    pub ours: bool,
    /// Snapshots without which there would be no image of it: they bear our stack's tag and this backup's, and AWS says that they
    /// were made for that image.
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

/// What AWS holds of the good backups of its source that are newer: while one of those is there, its source can do without
/// this one.
#[must_use]
pub fn successors(record: &Backup, backups: &[Backup]) -> Vec<ArtifactId> {
    let newer = backups.iter().filter(|other| other.state == State::Good && other.id.slot > record.id.slot);
    newer.filter_map(|other| other.artifact_id.clone()).collect()
}

/// Who of its own wants a backup kept, by whether a successor of it is there now: whoever pinned or reserved it, and its
/// source.
#[must_use]
pub fn wants(record: &Backup, source: Option<&Source>, is_replaced: bool, now: Time) -> Vec<Need> {
    let pinned = record.pinned.as_ref().map(|pin| pin.by.clone());
    let reserved = record.reserved_by(now).map(str::to_owned);
    needed::wants(pinned, reserved, rank(record, source, is_replaced, now))
}

/// Where it stands among those of its source.
fn rank(record: &Backup, source: Option<&Source>, is_replaced: bool, now: Time) -> Rank {
    let all_may_go = source.is_some_and(|source| source.retire_at.is_some_and(|at| at <= now));
    if record.good_at.is_none() || all_may_go {
        return Rank::Dispensable;
    }
    if is_replaced { Rank::Replaced } else { Rank::Last }
}

/// The versions of these templates that say of themselves that they were made for this backup.
#[must_use]
pub fn made_for(record: &Backup, templates: &[TemplateReading]) -> Vec<(TemplateId, u64)> {
    let is_ours = |version: &&TemplateVersion| version_base(&record.id, &version.description).is_some();
    let of = |found: &TemplateReading| -> Vec<(TemplateId, u64)> {
        found.naming.iter().filter(is_ours).map(|version| (found.template.clone(), version.number)).collect()
    };
    templates.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::fixtures::{artifact, backup, image, now};
    use crate::backup::kinds::{Artifacts, is_there};
    use crate::facts::{Image, ImageState};
    use crate::later;
    use crate::needed::Rank;

    #[test]
    fn a_source_can_do_without_a_backup_while_a_newer_good_one_is_there() {
        let record = backup(State::Expiring);
        let other = |state, seconds, name: &str| {
            let mut other = Backup { artifact_id: Some(artifact(name)), ..backup(state) };
            other.id.slot = later(record.id.slot, seconds);
            other
        };
        let (newer, older) = (other(State::Good, 60, "ami-2"), other(State::Good, -60, "ami-0"));
        let failed = other(State::Failed, 120, "ami-3");
        let newer = successors(&record, &[failed, newer, record.clone(), older]);
        assert_eq!(newer, [artifact("ami-2")]);
        let seen = |state| Image { id: "ami-2".into(), ..image(state) };
        let images = |images: Vec<Image>| Artifacts { images, ..Artifacts::default() };
        assert!(is_there(&newer[0], &images(vec![image(ImageState::Available), seen(ImageState::Available)])));
        assert!(!is_there(&newer[0], &images(vec![image(ImageState::Available), seen(ImageState::Disabled)])));
        assert!(!is_there(&newer[0], &images(vec![image(ImageState::Available)])));
    }

    #[test]
    fn a_backup_that_never_was_good_or_of_a_source_that_is_gone_is_needed_by_no_source() {
        let (good, failed) = (backup(State::Expiring), backup(State::Failed));
        assert_eq!(rank(&good, None, true, now()), Rank::Replaced);
        assert_eq!(rank(&good, None, false, now()), Rank::Last);
        assert_eq!(rank(&failed, None, false, now()), Rank::Dispensable);
        let plan = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
        let plan = crate::plan::read("plans.yaml", plan).expect("a plan").plans.remove(0).plan;
        let source = crate::source::apply(None, &good.id.source, &plan, now());
        let retires = |at| Source { retire_at: Some(at), ..source.clone() };
        assert_eq!(rank(&good, Some(&source), false, now()), Rank::Last);
        assert_eq!(rank(&good, Some(&retires(later(now(), 1))), false, now()), Rank::Last);
        assert_eq!(rank(&good, Some(&retires(now())), false, now()), Rank::Dispensable);
    }
}
