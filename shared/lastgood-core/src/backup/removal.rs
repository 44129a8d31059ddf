//! Removal: deleting what AWS holds of a backup that was let go, or of one that failed.
//!
//! ```text
//!  Asked | There ─▶ Condemned ─▶ SnapshotsLeft ─▶ Gone
//!     look by id     delete template versions    delete the rest
//!     or name, tag   of ours, then deregister
//! ```
//!
//! The ids are on record before the first delete: once an image is deregistered, AWS no longer tells which snapshots
//! it had. Nothing goes that does not bear our tags, that is not proved to be of its backup (see `proof.rs`), that is protected,
//! or that something still launches from; what can't be read counts as needed.

use super::inspection::Inspection;
use super::kinds;
use super::life::{Alone, Effect, State, again, enter, wait};
use super::proof::is_older;
use super::record::{Artifact, Backup};
use super::sight;
use crate::facts::SnapshotDeletion;
use crate::id::{ArtifactId, SnapshotId, TemplateId};
use crate::life::RETRY_SECONDS;
use crate::name::digest;
use crate::notice::{DeletedBackup, News};
use crate::refusal::{Refusal, Why};
use crate::{Time, later, seconds_between};

/// How long after a failed backup an image of its name may still appear: a function's longest life, and the time
/// until AWS shows a new image.
pub const LATE_IMAGE_SECONDS_MAX: i64 = 15 * 60;
/// How long a removal may take before an operator hears of it.
pub const REMOVAL_SECONDS_MAX: i64 = 24 * 60 * 60;
/// How long after it was seen that nothing needs an image it may be deleted, in seconds.
pub const CONDEMNED_SECONDS_MAX: i64 = 30;
/// Pause before a deletion that was refused is tried again.
pub const REFUSED_RETRY_SECONDS: i64 = 60 * 60;

/// How it is told that a removal takes longer than [`REMOVAL_SECONDS_MAX`].
const TOO_LONG: &str = "it is not deleted after 24 h";

/// An answer about the removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalEvent {
    /// What AWS holds of it, and who needs it.
    Inspected(Inspection),
    /// What became of the template versions of ours: those that are left, with AWS's reason.
    VersionsDeleted(TemplateId, Result<Vec<(u64, String)>, Refusal>),
    /// What became of the artifact, and of each snapshot under it that AWS spoke of.
    ArtifactDeleted(Result<Vec<(SnapshotId, SnapshotDeletion)>, Refusal>),
    /// What became of each snapshot.
    SnapshotsDeleted(Vec<(SnapshotId, Result<(), Refusal>)>),
    /// AWS refused to tell what there is.
    Refused(Refusal),
}

/// What `event` makes of a record whose artifact must go.
pub(super) fn step(record: &mut Backup, event: RemovalEvent, now: Time) -> String {
    match (record.artifact, event) {
        (Artifact::Asked | Artifact::There | Artifact::Condemned, RemovalEvent::Inspected(inspection)) => {
            inspected(record, inspection, now)
        }
        (Artifact::Condemned, RemovalEvent::VersionsDeleted(_, Err(refusal))) if refusal.why.passes() => {
            refused(record, &refusal, now)
        }
        (Artifact::Condemned, RemovalEvent::VersionsDeleted(template, result)) => {
            let of_it = record.versions.iter().filter(|(of, _)| *of == template);
            // Refused for good, all of them stay.
            let left =
                result.unwrap_or_else(|refusal| of_it.map(|(_, number)| (*number, refusal.to_string())).collect());
            versions_deleted(record, &template, &left, now)
        }
        (Artifact::Condemned, RemovalEvent::ArtifactDeleted(Ok(results))) => deregistered(record, &results, now),
        // Gone already, by an earlier call of ours or by hand.
        (Artifact::Condemned, RemovalEvent::ArtifactDeleted(Err(refusal))) if refusal.why == Why::Missing => {
            deregistered(record, &[], now)
        }
        (Artifact::Condemned, RemovalEvent::ArtifactDeleted(Err(refusal))) => refused(record, &refusal, now),
        (Artifact::SnapshotsLeft, RemovalEvent::SnapshotsDeleted(results)) => snapshots_deleted(record, &results, now),
        (Artifact::Asked | Artifact::There | Artifact::Condemned, RemovalEvent::Refused(refusal)) => {
            refused(record, &refusal, now)
        }
        (
            Artifact::None
            | Artifact::Asked
            | Artifact::There
            | Artifact::Condemned
            | Artifact::SnapshotsLeft
            | Artifact::Gone,
            RemovalEvent::Inspected(_)
            | RemovalEvent::VersionsDeleted(..)
            | RemovalEvent::ArtifactDeleted(_)
            | RemovalEvent::SnapshotsDeleted(_)
            | RemovalEvent::Refused(_),
        ) => "stale".into(),
    }
}

/// Somebody takes the record up: that nothing needs the image was seen some time ago, and is looked up again.
pub(super) fn woken(record: &mut Backup) -> String {
    match record.artifact {
        Artifact::Condemned => {
            record.artifact = Artifact::There;
            "whether something needs it is looked up again".into()
        }
        Artifact::None | Artifact::Asked | Artifact::There | Artifact::SnapshotsLeft | Artifact::Gone => {
            "nothing to do but what is due".into()
        }
    }
}

/// A removal that takes too long goes on, and is told.
pub(super) fn waits(record: &mut Backup, now: Time, why: &str) -> String {
    let is_told = record.refused.as_deref().is_some_and(|told| told.starts_with(TOO_LONG));
    let is_over = matches!(record.artifact, Artifact::None | Artifact::Gone);
    if seconds_between(record.since, now) >= REMOVAL_SECONDS_MAX && !is_told && !is_over {
        told(record, &format!("{TOO_LONG}; last: {why}"), now);
    }
    format!("later again: {why}")
}

fn inspected(record: &mut Backup, inspection: Inspection, now: Time) -> String {
    if seconds_between(inspection.at, now) > CONDEMNED_SECONDS_MAX {
        record.look_at = now;
        return waits(record, now, "what was seen is too old");
    }
    let at = inspection.at;
    let Some(found) = inspection.artifact.clone() else { return no_artifact(record, inspection, now) };
    let id = found.id.as_str();
    if !inspection.ours {
        return not_ours(record, id, now);
    }
    if record.state == State::Failed && found.made_at.is_some_and(|at| is_older(record, at)) {
        let whose = "the record of that time is lost, and it is yours to keep";
        return stays(record, format!("{id} was made before this backup was asked for: {whose}"), now);
    }
    if let Some(locked) = found.locked {
        return stays(record, format!("{id} {locked}"), now);
    }
    if !inspection.needed_by.is_empty() {
        return stays(record, format!("{id} is needed by {}", inspection.needed_by.join(", ")), now);
    }
    let reason = format!("nothing needs {id}");
    add(&mut record.snapshots, found.snapshots);
    if record.state == State::Failed {
        // A broken image may not tell its snapshots; AWS says that they were made for it.
        add(&mut record.snapshots, inspection.snapshots);
    }
    record.artifact_id = Some(found.id);
    record.versions = if record.versions_tried { Vec::new() } else { inspection.versions };
    record.artifact = Artifact::Condemned;
    let reason = condemned(record, reason, now);
    // It holds from when it was seen, not from now.
    record.look_at = at.min(now);
    reason
}

/// An image of our name without our tags: a stranger's, or one whose tags are not visible yet.
fn not_ours(record: &mut Backup, id: &str, now: Time) -> String {
    if record.state != State::Failed {
        return stays(record, format!("{id} does not bear our tags, so it is not ours to delete"), now);
    }
    if seconds_between(record.since, now) < LATE_IMAGE_SECONDS_MAX {
        record.look_at = later(record.since, LATE_IMAGE_SECONDS_MAX);
        return format!("{id} does not bear our tags yet");
    }
    record.artifact = Artifact::None;
    format!("{id} is a stranger's: there is nothing of ours")
}

/// There is no image: it was deregistered, by hand or by us, or never made, or is not visible yet.
fn no_artifact(record: &mut Backup, inspection: Inspection, now: Time) -> String {
    if record.artifact == Artifact::Asked && seconds_between(record.since, now) < LATE_IMAGE_SECONDS_MAX {
        record.look_at = later(record.since, LATE_IMAGE_SECONDS_MAX);
        return format!("{} may still appear", kinds::words(record).artifact);
    }
    // Of a backup that was good every snapshot is on record. One that bears our tag beside those is somebody's copy.
    if record.state == State::Failed {
        add(&mut record.snapshots, inspection.snapshots);
    }
    let versions = if record.versions_tried { Vec::new() } else { inspection.versions };
    record.artifact = if !versions.is_empty() && inspection.needed_by.is_empty() {
        record.versions = versions;
        Artifact::Condemned
    } else if record.snapshots.is_empty() {
        Artifact::Gone
    } else {
        Artifact::SnapshotsLeft
    };
    condemned(record, format!("{} is not there", kinds::words(record).artifact), now)
}

fn condemned(record: &mut Backup, reason: String, now: Time) -> String {
    record.look_at = now;
    if record.artifact == Artifact::Gone {
        return gone(record, reason, now);
    }
    if record.state == State::Expiring {
        // The reason for which it was let go stays on record.
        let why = record.reason.clone();
        return enter(record, State::Deleting, now, why);
    }
    reason
}

/// A version that stays may have become the default since the look: it is looked again, and then it keeps nothing else
/// back, for it is only one of ten thousand (AWS: Launch template restrictions).
fn versions_deleted(record: &mut Backup, template: &TemplateId, left: &[(u64, String)], now: Time) -> String {
    record.versions.retain(|(of, _)| of != template);
    match left {
        [] => format!("its versions of {template} are deleted"),
        left => {
            record.versions_tried = true;
            record.artifact = Artifact::There;
            let left: Vec<_> = left.iter().map(|(number, why)| format!("version {number} ({why})")).collect();
            let reason = format!("of {template} {} stays", left.join(", "));
            told(record, &reason, now);
            reason
        }
    }
}

fn deregistered(record: &mut Backup, results: &[(SnapshotId, SnapshotDeletion)], now: Time) -> String {
    record.look_at = now;
    // A snapshot that AWS did not speak of is tried by itself: to delete what is gone is no harm.
    let done = |id: &SnapshotId| {
        results.iter().any(|(other, result)| {
            other == id && matches!(result, SnapshotDeletion::Deleted | SnapshotDeletion::Shared)
        })
    };
    let shared =
        |id: &SnapshotId| results.iter().any(|(other, result)| other == id && *result == SnapshotDeletion::Shared);
    for id in record.snapshots.clone().into_iter().filter(|id| shared(id)) {
        stays_with_another(record, id);
    }
    record.artifact = if record.snapshots.iter().all(done) { Artifact::Gone } else { Artifact::SnapshotsLeft };
    if record.artifact == Artifact::Gone {
        return gone(record, kinds::words(record).deleted.into(), now);
    }
    "the image is deregistered; snapshots are left".into()
}

fn snapshots_deleted(record: &mut Backup, results: &[(SnapshotId, Result<(), Refusal>)], now: Time) -> String {
    record.look_at = now;
    let mut refusals = Vec::new();
    for (id, result) in results {
        match result {
            Ok(()) => {}
            Err(refusal) if refusal.why == Why::Missing => {}
            Err(refusal) if refusal.why == Why::InUse => {
                // AWS names the image that uses it. Ours: then it is there, whatever the last look said.
                if record.image().is_some_and(|image| refusal.message.contains(image.as_str())) {
                    record.artifact = Artifact::There;
                    return again(record, now, RETRY_SECONDS, &format!("the image is still there: {refusal}"));
                }
                // Another one: the snapshot is not ours alone, and stays with that image.
                stays_with_another(record, id.clone());
            }
            Err(refusal) => refusals.push(format!("{id}: {refusal}")),
        }
    }
    if refusals.is_empty() {
        record.artifact = Artifact::Gone;
        return gone(record, "its snapshots are deleted".into(), now);
    }
    let reason = format!("snapshots are left: {}", refusals.join("; "));
    told(record, &reason, now);
    again(record, now, REFUSED_RETRY_SECONDS, &reason)
}

/// A snapshot is under another image too: it is not ours alone, and is told of.
fn stays_with_another(record: &mut Backup, id: SnapshotId) {
    record.snapshots.retain(|other| *other != id);
    add(&mut record.shared, vec![id]);
}

fn gone(record: &mut Backup, reason: String, now: Time) -> String {
    let failed = record.state == State::Failed;
    let deleted = DeletedBackup {
        backup: record.id.clone(),
        image: record.image().cloned(),
        cache_snapshot: record.cache_snapshot().map(|id| id.name.clone()),
        snapshots: record.snapshots.clone(),
        shared: record.shared.clone(),
        reason: if failed { format!("it failed: {}", record.reason) } else { record.reason.clone() },
    };
    if failed {
        // It keeps the reason of its failure. Of most there was nothing but a name.
        if record.artifact_id.is_some() || !deleted.snapshots.is_empty() {
            let occasion = format!("/{}", now.as_second());
            record.tell(&occasion, now, News::BackupsDeleted { backups: vec![deleted] });
        }
        return reason;
    }
    record.tell("", now, News::BackupsDeleted { backups: vec![deleted] });
    let why = record.reason.clone();
    enter(record, State::Deleted, now, why)
}

/// Something forbids the deletion of an image that is there. One that was good is good again, also if it was condemned
/// before; leftovers are looked at again later.
fn stays(record: &mut Backup, reason: String, now: Time) -> String {
    told(record, &reason, now);
    // It was condemned, perhaps: whoever lets it go again looks again.
    if record.artifact == Artifact::Condemned {
        record.artifact = Artifact::There;
    }
    record.versions.clear();
    if matches!(record.state, State::Expiring | State::Deleting) {
        enter(record, State::Good, now, format!("it stays: {reason}"));
    }
    record.look_at = later(now, REFUSED_RETRY_SECONDS);
    reason
}

fn refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why.passes() {
        return wait(record, now, refusal);
    }
    let reason = refusal.to_string();
    told(record, &reason, now);
    again(record, now, REFUSED_RETRY_SECONDS, &reason)
}

/// Tells a refusal once: the same one again is no news.
fn told(record: &mut Backup, reason: &str, now: Time) {
    if record.refused.as_deref() == Some(reason) {
        return;
    }
    record.refused = Some(reason.to_owned());
    // Another reason within the same second is other news.
    let occasion = format!("/{}/{}", now.as_second(), digest(&[reason]));
    record.tell(&occasion, now, News::DeletionRefused { backup: record.id.clone(), reason: reason.to_owned() });
}

fn add(known: &mut Vec<SnapshotId>, more: Vec<SnapshotId>) {
    for id in more {
        if !known.contains(&id) {
            known.push(id);
        }
    }
}

/// The sweep found something of a failed backup of which nothing should be left: it is looked up, and goes, as anything
/// else.
pub(super) fn left_behind(
    record: &mut Backup,
    artifact: Option<ArtifactId>,
    snapshots: Vec<SnapshotId>,
    now: Time,
) -> String {
    if !matches!(record.artifact, Artifact::None | Artifact::Gone) {
        return "it is being cleaned".into();
    }
    let what: Vec<&str> =
        artifact.iter().map(ArtifactId::as_str).chain(snapshots.iter().map(SnapshotId::as_str)).collect();
    let reason = format!("left behind: {}", what.join(", "));
    record.versions_tried = false;
    record.refused = None;
    record.artifact = if artifact.is_some() { Artifact::There } else { Artifact::SnapshotsLeft };
    record.artifact_id = record.artifact_id.take().or(artifact);
    add(&mut record.snapshots, snapshots);
    record.look_at = now;
    reason
}

/// The sweep does not see the image of a good backup. One answer without it proves nothing (AWS: Eventual consistency).
pub(super) fn artifact_gone(record: &mut Backup, now: Time) -> String {
    if !sight::is_gone(record, now) || record.lost_told.is_some() {
        return format!("{} is not told", kinds::words(record).artifact);
    }
    record.lost_told = Some(now);
    record.tell(&format!("/{}", now.as_second()), now, kinds::lost_news(record));
    kinds::words(record).gone.into()
}

/// What the removal asks for next.
pub(super) fn due(record: &Backup, now: Time) -> Option<Effect> {
    match record.artifact {
        Artifact::Asked | Artifact::There => Some(Effect::Alone(Alone::Inspect)),
        // That nothing needs it was seen some time ago: an operator may have gone back to it since.
        Artifact::Condemned if seconds_between(record.look_at, now) > CONDEMNED_SECONDS_MAX => {
            Some(Effect::Alone(Alone::Inspect))
        }
        Artifact::Condemned => match record.versions.first() {
            Some((template, _)) => {
                let ours = record.versions.iter().filter(|(of, _)| of == template);
                Some(Effect::Alone(Alone::DeleteVersions(template.clone(), ours.map(|(_, number)| *number).collect())))
            }
            None => Some(match &record.artifact_id {
                Some(artifact) => kinds::delete(artifact),
                None => Effect::Alone(Alone::Inspect),
            }),
        },
        Artifact::SnapshotsLeft => Some(Effect::Alone(Alone::DeleteSnapshots(record.snapshots.clone()))),
        Artifact::None | Artifact::Gone => None,
    }
}
