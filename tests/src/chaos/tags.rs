//! Somebody puts the tags of a failed backup on what Lastgood did not make. Nothing of that may go, which the world's witness
//! judges, and somebody hears of it.

use std::collections::BTreeSet;

use lastgood_core::backup::{Backup, State};
use lastgood_core::facts::Tags;
use lastgood_core::id::SnapshotId;
use lastgood_core::name;
use lastgood_core::notice::{News, Notice};
use lastgood_world::CreateImage;

use super::crew::Crew;
use super::hands;
use crate::stack::STACK;

/// Puts such tags on something.
pub(super) fn act(crew: &mut Crew<'_>) {
    let mut failed = crew.scene.stack.store.all_backups();
    failed.retain(|backup| backup.state == State::Failed);
    if failed.is_empty() {
        return;
    }
    let backup = failed.swap_remove(crew.rng.usize(0..failed.len()));
    let tags = name::tags(STACK, &backup.id, &backup.plan);
    let tagged = match crew.rng.u32(0..4) {
        _ if backup.id.source.cache().is_some() => of_cache(crew, &tags),
        0 => an_image(crew, &tags),
        1..=2 => a_copy(crew, &backup, &tags),
        _ => an_image_of_the_same(crew, &backup, &tags),
    };
    if !tagged.is_empty() {
        crew.say(|| format!("puts the tags of {} on {}", backup.id, tagged.join(", ")));
        crew.hand.tagged.extend(tagged);
    }
}

/// An image that has nothing to do with it, and its snapshots.
fn an_image(crew: &Crew<'_>, tags: &Tags) -> Vec<String> {
    let world = crew.world();
    let image = world.base_image();
    tag(crew, image.to_string(), &world.image(&image).map(|image| image.snapshots()).unwrap_or_default(), tags)
}

fn tag(crew: &Crew<'_>, image: String, snapshots: &[SnapshotId], tags: &Tags) -> Vec<String> {
    let ids: Vec<String> = std::iter::once(image).chain(snapshots.iter().map(ToString::to_string)).collect();
    if crew.world().ec2().create_tags(&ids, tags).is_ok() { ids } else { Vec::new() }
}

/// A copy of one of its snapshots that has its tags, and perhaps its description.
fn a_copy(crew: &mut Crew<'_>, backup: &Backup, tags: &Tags) -> Vec<String> {
    let tag = tags.get(name::TAG_BACKUP);
    let mut own = crew.scene.stack.our_snapshots();
    own.retain(|snapshot| {
        snapshot.tags.get(name::TAG_BACKUP) == tag && !crew.hand.tagged.contains(snapshot.id.as_str())
    });
    let image = backup.image().map(ToString::to_string).unwrap_or_default();
    let Some(of) = own.first() else { return Vec::new() };
    let forged = backup.instance.as_ref().map(|instance| format!("Created by CreateImage({instance}) for {image}"));
    let described = match forged {
        Some(forged) if crew.rng.bool() => forged,
        _ => format!("[Copied {} from us-east-1] {}", of.id, of.description),
    };
    let copied = crew.world().ec2().copy_snapshot(of.id.as_str(), &described, tags);
    copied.map(|copy| vec![copy.to_string()]).unwrap_or_default()
}

/// Somebody's own image of the same instance, of which the snapshots alone are left perhaps.
fn an_image_of_the_same(crew: &mut Crew<'_>, backup: &Backup, tags: &Tags) -> Vec<String> {
    let Some(instance) = &backup.instance else { return Vec::new() };
    let request = CreateImage {
        instance: instance.to_string(),
        name: hands::next_name(crew),
        description: "by hand".into(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags: Vec::new(),
    };
    let Ok(image) = crew.world().ec2().create_image(request) else { return Vec::new() };
    let snapshots = crew.world().image(&image).map(|image| image.snapshots()).unwrap_or_default();
    let mut tagged = tag(crew, image.to_string(), &snapshots, tags);
    if crew.rng.bool() && crew.world().ec2().deregister_image(image.as_str()).is_ok() {
        tagged.retain(|id| *id != image.as_str());
    }
    tagged
}

/// A snapshot of a cache that somebody has taken.
fn of_cache(crew: &mut Crew<'_>, tags: &Tags) -> Vec<String> {
    let theirs = crew.hand.caches.theirs();
    let Some(id) = theirs.into_iter().find(|id| crew.world().cache_snapshot(id).is_some()) else { return Vec::new() };
    crew.world().change_cache_snapshot(&id, |snapshot| snapshot.tags.extend(tags.clone()));
    vec![id.name]
}

/// What must be true of it in the end: it is there, and somebody has heard of it.
pub(super) fn wrongs(crew: &Crew<'_>, sent: &[Notice], wrongs: &mut Vec<String>) {
    let world = crew.world();
    let mut heard: BTreeSet<&str> = BTreeSet::new();
    for notice in sent {
        if let News::ArtifactUnknown { images, snapshots, cache_snapshots, .. } = &notice.news {
            heard.extend(images.iter().map(lastgood_core::id::ImageId::as_str));
            heard.extend(snapshots.iter().map(lastgood_core::id::SnapshotId::as_str));
            heard.extend(cache_snapshots.iter().map(String::as_str));
        }
    }
    let images: Vec<_> = world.images().into_iter().filter(|image| image.deregistered_at.is_none()).collect();
    let snapshots = world.snapshots();
    for id in &crew.hand.tagged {
        let is_image = images.iter().any(|image| image.id.as_str() == id);
        let is_snapshot = snapshots.iter().any(|snapshot| snapshot.id.as_str() == id);
        let is_of_cache = world.cache_snapshots().iter().any(|snapshot| snapshot.id.name == *id);
        if !is_image && !is_snapshot && !is_of_cache {
            wrongs.push(format!("{id} was somebody else's, whatever its tags say, and is gone"));
        }
        // What is under an image is told by that.
        let is_under = images.iter().any(|image| image.snapshots().iter().any(|under| under.as_str() == id));
        if !is_under && !heard.contains(id.as_str()) {
            wrongs.push(format!("{id} bears our tags and is not ours, and nobody was told"));
        }
    }
}
