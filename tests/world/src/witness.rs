//! The witness: the world's own judgement of what Lastgood does to it, from its own truth and not from anybody's records.
//!
//! It must know who calls: [`World::act_as`] says so. What an invocation of Lastgood's makes is ours; what it deletes must
//! be ours, needed by nobody and not the last good one; what it changes must not have been changed by hand since it
//! looked. What is wrong is kept in words, see [`World::wrongs`].

use std::collections::{BTreeMap, BTreeSet};

use lastgood_core::id::{CacheId, CacheSnapshotId, GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::name::{TAG_BACKUP, TAG_SOURCE};
use lastgood_core::{Time, seconds_between};

use crate::by_hand::ByHand;
use crate::image::{Image, ImageState};
use crate::member::ScaleIn;
use crate::snapshot::SnapshotState;
use crate::state::{State, World};

/// How long before an image goes somebody may have looked at what stands in for it, in seconds: no call of AWS deletes
/// only if nothing has changed since.
const LOOK_SECONDS_MAX: i64 = 30;

/// How a call comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// Soon after it was made.
    #[default]
    InTime,
    /// It was on its way for a while: nothing can call it back, whatever happened meanwhile. Its caller hears of it.
    Late,
    /// So too, and its caller is gone.
    AfterItsCaller,
}

/// What the world remembers to judge by.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The invocation of Lastgood that calls; nobody's: tests and operators.
    pub(crate) caller: Option<u64>,
    /// How its call comes.
    arrival: Arrival,
    wrongs: Vec<String>,
    /// Images and snapshots, and versions as `lt-… 3`, that Lastgood made.
    pub(crate) ours: BTreeSet<String>,
    /// Images that were complete at some time, with every snapshot.
    pub(crate) proven: BTreeSet<ImageId>,
    /// Caches of which somebody deleted a snapshot, and when last.
    pub(crate) lost_snapshots: BTreeMap<CacheId, Time>,
    /// Snapshots of caches that were complete at some time.
    pub(crate) proven_snapshots: BTreeSet<CacheSnapshotId>,
    /// Images that Lastgood has told to be good.
    told_good: BTreeSet<ImageId>,
    /// Images that people deregistered, disabled or took apart, and when.
    broken_by_hand: BTreeMap<ImageId, Time>,
    /// Images that people began to use when nobody did, and when.
    begun_by_hand: BTreeMap<ImageId, Time>,
    /// Groups that people gave a version when nobody could know it any more.
    cut_off: BTreeSet<GroupName>,
    /// Versions, images and snapshots that a call made which came late.
    made_late: BTreeSet<String>,
    /// Members that were protected by a call that came late: whoever made it could not know of it any more.
    protected_late: BTreeSet<InstanceId>,
    /// Sources whose backups may all go.
    retired: BTreeSet<String>,
    /// How many good images of each source must be left, whatever goes.
    kept: BTreeMap<String, usize>,
    /// Sources whose images stay as long as an instance of them is there.
    pub(crate) kept_in_use: BTreeSet<String>,
    /// What people gave to groups.
    pub(crate) by_hand: ByHand,
    /// Images that people had Lastgood give to groups.
    asked_for: BTreeSet<(GroupName, ImageId)>,
}

impl World {
    /// Who calls from now on: an invocation of Lastgood's, or nobody's. Returns who called before.
    pub fn act_as(&self, caller: Option<u64>) -> Option<u64> {
        let witness = &mut self.lock().witness;
        witness.arrival = Arrival::InTime;
        std::mem::replace(&mut witness.caller, caller)
    }

    /// How the calls come that come now.
    pub fn comes(&self, arrival: Arrival) {
        self.lock().witness.arrival = arrival;
    }

    /// What Lastgood did that it must not do.
    pub fn wrongs(&self) -> Vec<String> {
        self.lock().witness.wrongs.clone()
    }

    /// All backups of this source may go: its plan says so.
    pub fn may_retire(&self, source: &str) {
        self.lock().witness.retired.insert(source.to_owned());
    }

    /// At least so many good images of this source stay, as long as nobody else takes some away.
    pub fn keep_at_least(&self, source: &str, images: usize) {
        let kept = &mut self.lock().witness.kept;
        let least = kept.get(source).map_or(images, |known| images.min(*known));
        kept.insert(source.to_owned(), least);
    }

    /// Images of this source stay as long as instances of them are there.
    pub fn keep_in_use(&self, source: &str) {
        self.lock().witness.kept_in_use.insert(source.to_owned());
    }

    /// Somebody took this image apart by hand: what follows from that is not Lastgood's.
    pub fn broken_by_hand(&self, image: &ImageId) {
        let mut state = self.lock();
        let now = state.now;
        state.witness.broken_by_hand.insert(image.clone(), now);
    }

    /// Somebody asks Lastgood to give the group this image, whatever is there.
    pub fn asked_for(&self, group: &str, image: &ImageId) {
        self.lock().witness.asked_for.insert((group.into(), image.clone()));
    }

    /// Whether people gave this group a version that was just being deleted.
    pub fn was_cut_off(&self, group: &str) -> bool {
        self.lock().witness.cut_off.contains(&GroupName::from(group))
    }

    /// The images of ours that anything refers to.
    pub fn images_in_use(&self) -> BTreeSet<ImageId> {
        let state = self.lock();
        let ours = state.images.keys().filter(|id| state.witness.ours.contains(id.as_str()));
        ours.filter(|id| !state.referrers(id).is_empty()).cloned().collect()
    }

    /// People have just begun to use an image that nobody used.
    pub fn begun_by_hand(&self, image: ImageId) {
        let state = &mut *self.lock();
        state.witness.begun_by_hand.insert(image, state.now);
    }

    /// Whether somebody did.
    pub fn is_broken_by_hand(&self, image: &ImageId) -> bool {
        self.lock().witness.broken_by_hand.contains_key(image)
    }

    /// Lastgood counts this image as good.
    pub fn told_good(&self, image: &ImageId) {
        self.lock().witness.told_good.insert(image.clone());
    }

    /// Whether an image was complete with all of its snapshots at some time.
    pub fn was_proven(&self, image: &ImageId) -> bool {
        self.lock().witness.proven.contains(image)
    }

    /// Whether a snapshot of a cache was complete at some time.
    pub fn snapshot_was_proven(&self, id: &CacheSnapshotId) -> bool {
        self.lock().witness.proven_snapshots.contains(id)
    }

    /// Whether an image or a snapshot was made by a call that came after its caller was gone.
    pub fn was_made_late(&self, id: &str) -> bool {
        self.lock().witness.made_late.contains(id)
    }

    /// Whether a member was protected by a call that came after its caller was gone.
    pub fn was_protected_late(&self, instance: &InstanceId) -> bool {
        self.lock().witness.protected_late.contains(instance)
    }

    /// Versions that Lastgood made and that are still there, each with the image that it names; but for those that a call
    /// made which came after its caller was gone.
    pub fn our_versions(&self) -> Vec<(TemplateId, u64, Option<String>)> {
        let state = self.lock();
        let all = state.templates.values().flat_map(|template| template.versions.values());
        let ours = all.filter(|version| {
            let key = version_key(&version.template, version.number);
            state.witness.ours.contains(&key) && !state.witness.made_late.contains(&key)
        });
        ours.map(|version| (version.template.clone(), version.number, version.data.image.clone())).collect()
    }
}

pub(crate) fn version_key(template: &TemplateId, number: u64) -> String {
    format!("{template} {number}")
}

impl State {
    pub(crate) fn wrong(&mut self, what: &str) {
        let at = self.now;
        self.witness.wrongs.push(format!("{at} {what}"));
    }

    /// The invocation of Lastgood that can be blamed for the call that comes now.
    pub(crate) fn blamed(&self) -> Option<u64> {
        self.witness.caller.filter(|_| self.witness.arrival == Arrival::InTime)
    }

    /// The protection of members from scale-in is set.
    pub(crate) fn witness_protects(&mut self, instances: &[InstanceId], scale_in: ScaleIn) {
        for instance in instances {
            if self.witness.arrival == Arrival::AfterItsCaller && scale_in == ScaleIn::Forbidden {
                self.witness.protected_late.insert(instance.clone());
            } else {
                self.witness.protected_late.remove(instance);
            }
        }
    }

    /// Whether all backups of a source may go.
    pub(crate) fn may_all_go(&self, source: &str) -> bool {
        self.witness.retired.contains(source)
    }

    /// Something is made: if Lastgood makes it, it is ours.
    pub(crate) fn witness_makes(&mut self, id: String) {
        if self.witness.caller.is_none() {
            return;
        }
        if self.witness.arrival == Arrival::AfterItsCaller {
            self.witness.made_late.insert(id.clone());
        }
        self.witness.ours.insert(id);
    }

    pub(crate) fn witness_makes_version(&mut self, template: &TemplateId, number: u64) {
        self.witness_makes(version_key(template, number));
    }

    /// An image was made: there must be none yet for its backup.
    pub(crate) fn witness_image(&mut self, id: &ImageId) {
        let Some(image) = self.images.get(id).cloned() else { return };
        self.witness_makes(id.to_string());
        for snapshot in image.snapshots() {
            self.witness_makes(snapshot.to_string());
        }
        let backup = image.tags.get(TAG_BACKUP).cloned();
        let same = |other: &&Image| other.deregistered_at.is_none() && other.tags.get(TAG_BACKUP) == backup.as_ref();
        if self.witness.caller.is_some()
            && let Some(backup) = &backup
            && self.images.values().filter(same).count() > 1
        {
            self.wrong(&format!("{backup} has two images"));
        }
    }

    /// Whether an image is complete with every snapshot, now.
    fn is_complete(&self, image: &Image) -> bool {
        let completed =
            |id: &SnapshotId| self.snapshots.get(id).is_some_and(|snapshot| snapshot.state == SnapshotState::Completed);
        image.state == ImageState::Available && image.snapshots().iter().all(completed)
    }

    /// An image or a snapshot of one came along.
    pub(crate) fn witness_progress(&mut self) {
        let proven: Vec<ImageId> = self
            .images
            .values()
            .filter(|image| !self.witness.proven.contains(&image.id) && self.is_complete(image))
            .map(|image| image.id.clone())
            .collect();
        self.witness.proven.extend(proven);
    }

    /// Whether people have begun to use an image that nobody used, so lately that whoever deletes it may not know.
    fn was_just_begun(&self, id: &ImageId) -> bool {
        let begun = self.witness.begun_by_hand.get(id);
        begun.is_some_and(|at| seconds_between(*at, self.now) <= LOOK_SECONDS_MAX)
    }

    /// An invocation deregisters an image.
    pub(crate) fn witness_image_goes(&mut self, id: &ImageId) {
        if self.blamed().is_none() {
            return;
        }
        if !self.witness.ours.contains(id.as_str()) {
            self.wrong(&format!("{id} is deleted, and Lastgood did not make it"));
        }
        if self.was_just_begun(id) {
            // Nobody can have known it any more, and who uses it finds it gone.
            self.witness.broken_by_hand.insert(id.clone(), self.now);
        } else {
            for who in self.referrers(id) {
                self.wrong(&format!("{id} is deleted, and {who} refers to it"));
            }
        }
        let Some(image) = self.images.get(id) else { return };
        let Some(source) = image.tags.get(TAG_SOURCE).cloned() else { return };
        let of_source = |other: &&Image| {
            other.id != *id
                && other.tags.get(TAG_SOURCE) == Some(&source)
                && self.witness.ours.contains(other.id.as_str())
                && self.is_complete(other)
        };
        let slot = |image: &Image| image.tags.get(TAG_BACKUP).and_then(|tag| tag.rsplit('@').next()).map(str::to_owned);
        let just_broken = |other: &&Image| {
            let broken = self.witness.broken_by_hand.get(&other.id);
            other.tags.get(TAG_SOURCE) == Some(&source)
                && self.witness.told_good.contains(&other.id)
                && broken.is_some_and(|at| seconds_between(*at, self.now) <= LOOK_SECONDS_MAX)
        };
        let stand_ins = self.images.values().filter(|other| of_source(other) || just_broken(other));
        let newer = stand_ins.filter(|other| other.id != *id).any(|other| slot(other) >= slot(image));
        let left = self.images.values().filter(of_source).filter(|other| self.witness.told_good.contains(&other.id));
        let (left, least) = (left.count(), self.witness.kept.get(&source).copied().unwrap_or(0));
        let by_hand = |image: &Image| {
            image.tags.get(TAG_SOURCE) == Some(&source) && self.witness.broken_by_hand.contains_key(&image.id)
        };
        let was_good = self.witness.told_good.contains(id) && !self.witness.retired.contains(&source);
        let few = was_good && left < least && !self.images.values().any(by_hand);
        let last = was_good && !newer;
        if few {
            self.wrong(&format!("{id} is deleted, and only {left} good images of {source} are left, not {least}"));
        }
        if last {
            self.wrong(&format!("{id} is deleted, and it is the newest good image of {source}"));
        }
    }

    /// Whether people asked for the group to be given this image.
    pub(crate) fn was_asked_for(&self, group: &GroupName, image: &ImageId) -> bool {
        self.witness.asked_for.contains(&(group.clone(), image.clone()))
    }

    /// What each group launches, as far as that can be told: what it is, and what whoever asks now is told.
    pub(crate) fn launched(&self) -> BTreeMap<GroupName, BTreeSet<ImageId>> {
        let of = |group: &GroupName| [self.own_image(group), self.told_image(group)].into_iter().flatten().collect();
        self.groups.keys().map(|group| (group.clone(), of(group))).collect()
    }

    /// An invocation has changed what groups launch: from images of ours alone that were complete at some time. What a
    /// group was told to launch it may go on with: no call of AWS compares with a version that is not told yet. Whether what
    /// was `given` to it by hand may be undone by that is judged by itself: then it has what it had before, whoever made that.
    pub(crate) fn witness_launches(&mut self, before: &BTreeMap<GroupName, BTreeSet<ImageId>>, given: &[GroupName]) {
        let groups: Vec<GroupName> = self.groups.keys().cloned().collect();
        for group in groups {
            let Some(image) = self.own_image(&group) else { continue };
            if before.get(&group).is_some_and(|images| images.contains(&image)) {
                continue;
            }
            if self.was_asked_for(&group, &image) {
                continue;
            }
            if !self.witness.ours.contains(image.as_str()) {
                if given.contains(&group) {
                    continue;
                }
                self.wrong(&format!("group {group} is given {image}, and Lastgood did not make it"));
            } else if !self.witness.proven.contains(&image) {
                self.wrong(&format!("group {group} is given {image}, and it was never complete"));
            }
        }
    }

    /// An invocation deletes a snapshot.
    pub(crate) fn witness_snapshot_goes(&mut self, id: &SnapshotId) {
        if self.witness.caller.is_some() && !self.witness.ours.contains(id.as_str()) {
            self.wrong(&format!("{id} is deleted, and Lastgood did not make it"));
        }
    }

    /// An invocation deletes a version.
    pub(crate) fn witness_version_goes(&mut self, template: &TemplateId, number: u64) {
        if self.blamed().is_none() {
            return;
        }
        if !self.witness.ours.contains(&version_key(template, number)) {
            self.wrong(&format!("version {number} of {template} is deleted, and Lastgood did not make it"));
        }
        let image =
            self.templates.get(template).and_then(|template| template.versions.get(&number)?.data.image.clone());
        let just_begun = image.is_some_and(|image| self.was_just_begun(&ImageId::from(image.as_str())));
        let users: Vec<GroupName> = self
            .groups
            .values()
            .filter(|group| self.versions_of(group).contains(&(template.clone(), number)))
            .map(|group| group.name.clone())
            .collect();
        for user in users {
            if just_begun {
                self.witness.cut_off.insert(user);
                continue;
            }
            self.wrong(&format!("version {number} of {template} is deleted, and group {user} launches from it"));
        }
    }
}
