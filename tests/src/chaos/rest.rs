//! What must be true of the whole once it is at rest: judged by what the world holds.

use std::collections::BTreeSet;

use lastgood_core::backup::scale_in::ScaleIn;
use lastgood_core::backup::{Artifact, Backup, Publication, State};
use lastgood_core::id::{BackupId, ImageId};
use lastgood_core::later;
use lastgood_core::notice::{News, Notice};
use lastgood_core::record::Queue;
use lastgood_core::rollout::{Given, Otherwise, State as Rolled, Suspension};
use lastgood_world::{ImageState, Snapshot};

use super::crew::Crew;
use super::{caches, instances, tags};

/// What is wrong at the end of a day.
pub(super) fn wrongs(crew: &Crew<'_>) -> Vec<String> {
    let backups = crew.scene.stack.store.all_backups();
    let sent = crew.scene.stack.bus.sent();
    let mut wrongs = Vec::new();
    for backup in &backups {
        of_backup(crew, backup, &sent, &mut wrongs);
    }
    images_without_records(crew, &backups, &sent, &mut wrongs);
    caches::wrongs(crew, &backups, &sent, &mut wrongs);
    instances::wrongs(crew, &mut wrongs);
    tags::wrongs(crew, &sent, &mut wrongs);
    of_groups(crew, &mut wrongs);
    of_sources(crew, &backups, &sent, &mut wrongs);
    of_rollouts(crew, &sent, &mut wrongs);
    for (template, number, image) in crew.world().our_versions() {
        let image = image.map(|image| ImageId::from(image.as_str()));
        let gone = image.as_ref().and_then(|image| crew.world().image(image));
        let gone = gone.is_some_and(|image| image.deregistered_at.is_some());
        let excused = image.as_ref().is_none_or(|image| crew.world().is_broken_by_hand(image));
        if gone && !excused {
            wrongs.push(format!("version {number} of {template} is ours, and its image is gone"));
        }
    }
    wrongs
}

fn told<'a>(sent: &'a [Notice], backup: &'a BackupId) -> impl Iterator<Item = &'a News> {
    sent.iter().map(|notice| &notice.news).filter(move |news| match news {
        News::BackupGood { backup: of, .. }
        | News::BackupFailed { backup: of, .. }
        | News::ImagePublished { backup: of, .. }
        | News::PublicationHeld { backup: of, .. }
        | News::BackupLost { backup: of, .. }
        | News::DeletionRefused { backup: of, .. } => of == backup,
        News::BackupsDeleted { backups } => backups.iter().any(|deleted| deleted.backup == *backup),
        _ => false,
    })
}

/// Whether somebody else took away, or apart, what AWS held of a backup.
fn is_broken(crew: &Crew<'_>, backup: &Backup) -> bool {
    backup.image().is_some_and(|image| crew.world().is_broken_by_hand(image)) || caches::is_lost(crew, backup)
}

fn of_backup(crew: &Crew<'_>, backup: &Backup, sent: &[Notice], wrongs: &mut Vec<String>) {
    let mut wrong = |what: String| wrongs.push(format!("{}: {what}", backup.id));
    let was_told = |is_it: fn(&News) -> bool| told(sent, &backup.id).any(is_it);
    if !backup.outbox.is_empty() || !backup.source_told {
        wrong(format!("it has still to tell {:?}", backup.outbox));
    }
    if !matches!(backup.scale_in, ScaleIn::Untouched | ScaleIn::GivenBack) {
        wrong(format!("the protection of {:?} is {:?}", backup.instance, backup.scale_in));
    }
    if !instances::is_settled(backup) {
        wrong(format!("its instance is {:?}", backup.power.state));
    }
    if backup.good_at.is_some() && !was_told(|news| matches!(news, News::BackupGood { .. })) {
        wrong("it was good, and nobody was told".into());
    }
    let refused = was_told(|news| matches!(news, News::DeletionRefused { .. }));
    if backup.refused.is_some() && !refused {
        wrong(format!("its deletion is refused, and nobody was told: {:?}", backup.refused));
    }
    let image = backup.image().and_then(|image| crew.world().image(image));
    let by_hand = is_broken(crew, backup);
    let of_cache = backup.cache_snapshot().is_some();
    let there =
        caches::is_whole(crew, backup).is_some() || image.as_ref().is_some_and(|image| image.deregistered_at.is_none());
    match backup.state {
        State::Good => {
            if !backup.publication.is_at_rest() {
                wrong(format!("its publication is {:?}", backup.publication));
            }
            let whole = caches::is_whole(crew, backup).unwrap_or(false)
                || image.as_ref().is_some_and(|image| image.state == ImageState::Available);
            if !whole && !by_hand {
                wrong(format!("it counts as good, and its image is {:?}", image.as_ref().map(|image| image.state)));
            }
            if matches!(backup.publication, Publication::Published(_))
                && !was_told(|news| matches!(news, News::ImagePublished { .. }))
            {
                wrong("it was published, and nobody was told".into());
            }
            if (image.is_some() || of_cache) && !there && !was_told(|news| matches!(news, News::BackupLost { .. })) {
                wrong("its image is gone, and nobody was told".into());
            }
            // The reason that was told of the backup before is no news, nor is that somebody holds the source.
            let held = |notice: &Notice| match &notice.news {
                News::PublicationHeld { backup: of, .. } => of.source == backup.id.source,
                News::SourceHeld { .. } => notice.source.as_ref() == Some(&backup.id.source),
                _ => false,
            };
            // What was told to a row that somebody lost, and not to the bus yet, is lost with it.
            let lost = crew.hand.lost_rows.iter().flat_map(|lost| &lost.outbox);
            if matches!(backup.publication, Publication::Held(_)) && !sent.iter().chain(lost).any(held) {
                wrong(format!("it was not published, and nobody was told: {:?}", backup.publication));
            }
        }
        State::Deleted => {
            if !was_told(|news| matches!(news, News::BackupsDeleted { .. })) {
                wrong("it was deleted, and nobody was told".into());
            }
            // A call for it that was heard after the deletion makes it anew; so does whoever restores it.
            let is_told = |notice: &Notice| matches!(&notice.news, News::ArtifactUnknown { backup: of, .. } if *of == backup.id.to_string());
            if there && !sent.iter().any(is_told) {
                wrong("it counts as deleted, and its image is there, and nobody was told".into());
            }
        }
        State::Failed => {
            if !was_told(|news| matches!(news, News::BackupFailed { .. })) {
                wrong("it failed, and nobody was told".into());
            }
            if !matches!(backup.artifact, Artifact::None | Artifact::Gone) && !refused {
                wrong(format!("it failed, and its artifact is {:?}", backup.artifact));
            }
            if there && !refused {
                wrong("it failed, and its image is there".into());
            }
        }
        State::Requested | State::Quiescing | State::Creating | State::Pending | State::Expiring | State::Deleting => {
            wrong(format!("it is not at rest: {:?}, {}", backup.state, backup.reason));
        }
    }
}

/// Nothing of ours is there without a record that knows of it.
fn images_without_records(crew: &Crew<'_>, backups: &[Backup], sent: &[Notice], wrongs: &mut Vec<String>) {
    let known: BTreeSet<&ImageId> = backups.iter().filter_map(|backup| backup.image()).collect();
    let lost = |image: &ImageId| crew.hand.lost_rows.iter().any(|lost| lost.image() == Some(image));
    let mut over: BTreeSet<String> = BTreeSet::new();
    for image in crew.world().images() {
        if image.deregistered_at.is_none() {
            over.extend(image.snapshots().iter().map(ToString::to_string));
        }
    }
    // What a call made that came after its caller was gone has no record, and somebody hears of it.
    let late = |id: &str| {
        let names = |news: &News| match news {
            News::ArtifactUnknown { images, snapshots, .. } => {
                images.iter().any(|image| image.as_str() == id) || snapshots.iter().any(|other| other.as_str() == id)
            }
            _ => false,
        };
        crew.world().was_made_late(id) && sent.iter().any(|notice| names(&notice.news))
    };
    for image in crew.scene.stack.our_images() {
        let is_theirs = crew.hand.tagged.contains(image.id.as_str());
        if !is_theirs && !known.contains(&image.id) && !lost(&image.id) && !late(image.id.as_str()) {
            wrongs.push(format!("{} ({}) has no record", image.id, image.name));
        }
    }
    for lost in &crew.hand.lost_rows {
        let (id, image) = (&lost.id, lost.image());
        let there = image.and_then(|image| crew.world().image(image));
        let there = there.is_some_and(|image| image.deregistered_at.is_none());
        let is_it = |news: &News| match news {
            News::ArtifactUnknown { images, .. } => image.is_some_and(|image| images.contains(image)),
            _ => false,
        };
        // A backup that is asked for again in its own minute finds its image, and is on record again.
        let on_record = image.is_some_and(|image| known.contains(image));
        if there && !on_record && !sent.iter().any(|notice| is_it(&notice.news)) {
            wrongs.push(format!("{image:?} of {id} has no record any more, and nobody was told"));
        }
    }
    let of_good = |snapshot: &Snapshot| {
        backups.iter().any(|backup| backup.state == State::Good && backup.snapshots.contains(&snapshot.id))
    };
    let refused = |snapshot: &Snapshot| {
        backups.iter().any(|backup| {
            backup.state == State::Failed && backup.refused.is_some() && backup.snapshots.contains(&snapshot.id)
        })
    };
    let row_lost = |snapshot: &Snapshot| {
        let tag = snapshot.tags.get("lastgood:backup");
        crew.hand.lost_rows.iter().any(|lost| tag == Some(&lost.id.to_string()))
    };
    for snapshot in crew.scene.stack.our_snapshots() {
        let held = over.contains(snapshot.id.as_str());
        let late = late(snapshot.id.as_str());
        let is_theirs = crew.hand.tagged.contains(snapshot.id.as_str());
        if !is_theirs && !held && !of_good(&snapshot) && !refused(&snapshot) && !row_lost(&snapshot) && !late {
            wrongs.push(format!("{} of {:?} is left", snapshot.id, snapshot.tags.get("lastgood:backup")));
        }
    }
}

fn of_groups(crew: &Crew<'_>, wrongs: &mut Vec<String>) {
    let world = crew.world();
    for group in &crew.scene.groups {
        let Some(held) = world.group_view(&group.name) else { continue };
        let images = world.group_images(&group.name);
        if images.is_empty() && !world.was_cut_off(&group.name) {
            wrongs.push(format!("{} launches nothing: what it names is not there", group.name));
        }
        for image in images {
            let launchable = world.image(&image).is_some_and(|image| image.state == ImageState::Available);
            if !launchable && !world.is_broken_by_hand(&image) {
                wrongs.push(format!("{} can't launch {image}", group.name));
            }
        }
        for member in held.members.iter().filter(|member| member.protected) {
            // Of a backup whose row was lost nobody knows what it protected.
            let lost = crew.hand.lost_rows.iter().any(|lost| {
                lost.instance.as_ref() == Some(&member.instance)
                    && !matches!(lost.scale_in, ScaleIn::Untouched | ScaleIn::GivenBack)
            });
            if !lost && !world.was_protected_late(&member.instance) {
                wrongs.push(format!("{} of {} is still protected", member.instance, group.name));
            }
        }
    }
    for failure in world.launch_failures() {
        let by_hand = world.is_broken_by_hand(&ImageId::from(failure.image.as_str()))
            || failure.image.is_empty() && world.was_cut_off(failure.group.as_str());
        // A template that takes its image from a parameter tells the parameter.
        if !by_hand && !failure.image.starts_with("resolve:") {
            wrongs.push(format!("{} could not launch {}: {}", failure.group, failure.image, failure.message));
        }
    }
    if !world.reboots().is_empty() {
        wrongs.push(format!("rebooted: {:?}", world.reboots()));
    }
}

fn of_sources(crew: &Crew<'_>, backups: &[Backup], sent: &[Notice], wrongs: &mut Vec<String>) {
    for source in crew.scene.stack.store.all_sources() {
        if !source.outbox.is_empty() {
            wrongs.push(format!("{} has still to tell {:?}", source.id, source.outbox));
        }
        let is_lost = |notice: &Notice| {
            notice.source.as_ref() == Some(&source.id) && matches!(notice.news, News::SourceLost { .. })
        };
        if source.lost.is_some() && !sent.iter().any(is_lost) {
            wrongs.push(format!("{} is lost, and nobody was told", source.id));
        }
        // A run that came late may have asked for the turn of one that had published meanwhile: whoever asks next gets it.
        let holder = backups.iter().find(|backup| Some(backup.id.slot) == source.turn && backup.id.source == source.id);
        if let Some(holder) = holder.filter(|holder| !holder.publication.is_at_rest()) {
            wrongs.push(format!("{}: {} still has the turn to publish", source.id, holder.id));
        }
        // Whoever wanted them all gone is rid of them, or knows why not.
        let now = crew.world().time();
        let stays = |backup: &&Backup| {
            backup.id.source == source.id
                && backup.state == State::Good
                && backup.pinned.is_none()
                && backup.refused.is_none()
        };
        if source.retire_at.is_some_and(|at| at < now)
            && let Some(stays) = backups.iter().find(stays)
        {
            wrongs.push(format!("{} should have gone with its source", stays.id));
        }
        // What its plan lets go is gone, too.
        let unkept = |backup: &&Backup| {
            stays(backup)
                && !matches!(backup.publication, Publication::Published(_))
                && backup.artifact_id.is_some()
                && !is_broken(crew, backup)
        };
        let retain = &source.policy.retain;
        let kept: Vec<&Backup> = backups.iter().filter(unkept).collect();
        let there = |backup: &&Backup| {
            let gone = backup.artifact_id.is_none() || is_broken(crew, backup);
            backup.id.source == source.id && backup.state == State::Good && !gone
        };
        let newest = backups.iter().filter(there).map(|backup| backup.id.slot).max();
        let young = newest.map(|newest| later(newest, -retain.within_seconds));
        let young = kept.iter().filter(|backup| young.is_some_and(|young| backup.id.slot >= young)).count();
        // All is of one day: its newest is among the last ones, and the oldest stands for a day before it.
        let most = young.max(usize::try_from(retain.last).unwrap_or(0)) + usize::from(retain.daily > 1);
        let judged = source.plan.is_some() && source.lost.is_none() && !source.is_failing();
        if judged && kept.len() > most {
            wrongs.push(format!(
                "{} has {} good backups that nothing keeps, and its plan says {most}",
                source.id,
                kept.len()
            ));
        }
        let of_source = backups.iter().filter(|backup| backup.id.source == source.id);
        let newest = of_source.filter(|backup| backup.good_at.is_some()).map(|backup| backup.id.slot).max();
        if source.last_good.as_ref().map(|good| good.slot) < newest {
            wrongs.push(format!("{} does not know of its good backup of {newest:?}", source.id));
        }
    }
    let waiting = crew.scene.stack.store.waiting(Queue::Poll);
    if !waiting.is_empty() {
        wrongs.push(format!("the poll still waits for {waiting:?}"));
    }
}

/// Every rollout is over and was told; nothing is left suspended, and what made sick instances is nobody's configuration.
fn of_rollouts(crew: &Crew<'_>, sent: &[Notice], wrongs: &mut Vec<String>) {
    let world = crew.world();
    for rollout in crew.scene.stack.store.all_rollouts() {
        let mut wrong = |what: String| wrongs.push(format!("rollout {}: {what}", rollout.id));
        if !rollout.state.is_at_rest() || !rollout.outbox.is_empty() {
            wrong(format!("it is {:?}, for {}", rollout.state, rollout.reason));
        }
        if rollout.order.is_none() && rollout.change.is_none() {
            continue;
        }
        if !rollout.told {
            wrong("its backup does not know how it ended".into());
        }
        if !matches!(rollout.suspension, Suspension::Untouched | Suspension::GivenBack) {
            wrong(format!("the group's refresh is {:?}", rollout.suspension));
        }
        let is_end = |news: &News| match (rollout.state, news) {
            (Rolled::Succeeded, News::RolloutSucceeded { rollout: of, .. })
            | (Rolled::RolledBack, News::RolloutRolledBack { rollout: of, .. })
            | (Rolled::RollbackFailed | Rolled::Failed | Rolled::Cancelled, News::RolloutFailed { rollout: of, .. }) => {
                *of == rollout.id
            }
            _ => false,
        };
        if !sent.iter().any(|notice| is_end(&notice.news)) {
            wrong(format!("it is {:?}, and nobody was told", rollout.state));
        }
        let judged = |is: fn(&Given) -> bool| rollout.visits.iter().any(|visit| visit.verdict.as_ref().is_some_and(is));
        let Some(order) = &rollout.order else { continue };
        let excused = order.policy.verdict.otherwise == Otherwise::Continue
            || judged(|given: &Given| given.reason.contains("somebody"))
            // A group that is replaced at once has no pause: AWS tells none at 100 percent.
            || rollout.visits.is_empty();
        let by_hand = world
            .refreshes(rollout.group.as_str())
            .iter()
            .any(|refresh| Some(&refresh.id) == rollout.refresh.as_ref() && refresh.run_was_ended_by_hand());
        if rollout.state == Rolled::Succeeded && crew.hand.sick.contains(&order.image) && !excused && !by_hand {
            wrong(format!("it gave the group {}, whose instances are sick", order.image));
        }
    }
    for group in &crew.scene.groups {
        let Some(held) = world.group_view(&group.name) else { continue };
        if !held.suspended.is_empty() {
            wrongs.push(format!("{}: {:?} is suspended", group.name, held.suspended));
        }
        let newest = world.refreshes(&group.name).pop().filter(|refresh| refresh.is_ours && refresh.status.is_active());
        if let Some(refresh) = newest {
            wrongs.push(format!("{}: our refresh {} goes on for ever", group.name, refresh.id));
        }
    }
    for source in crew.scene.stack.store.all_sources() {
        for id in source.rollouts() {
            wrongs.push(format!("{} says that {id} goes", source.id));
        }
    }
}
