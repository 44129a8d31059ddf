//! What people changed by hand in what a group launches from: nothing of Lastgood may undo it once it could have seen it.
//!
//! A change stands as long as the group's own configuration launches the image that was put there. What an instance
//! refresh desires is not the group's yet.

use std::collections::BTreeMap;
use std::fmt;

use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId, TemplateId};
use lastgood_core::{Time, later, seconds_between};

use crate::group::Group;
use crate::policy::LaunchFrom;
use crate::state::{State, World};
use crate::template::{CreateVersion, TemplateData, TemplateName, version_text};

/// How long before a call whoever makes it may have looked last.
const BLIND_SECONDS_MAX: i64 = 60;

/// Where it stands what a group launches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In the group itself, which names a version by number.
    Group(GroupName),
    /// In a template: its default or its latest version.
    Template(TemplateId),
    /// In a parameter that the template takes its image from.
    Parameter(String),
}

/// The changes that stand, and who has seen them.
#[derive(Debug, Default)]
pub(crate) struct ByHand {
    changes: BTreeMap<GroupName, Change>,
    /// When each invocation last read each place: in the count of all that happens, and by the clock.
    read: BTreeMap<(u64, Place), (u64, Time)>,
    count: u64,
}

#[derive(Clone, Debug)]
struct Change {
    image: ImageId,
    place: Place,
    /// When, in the count.
    count: u64,
    /// From when on whoever reads the place is told of it.
    told_from: Time,
}

impl World {
    /// Somebody makes a version of a template that is `from` with this image: its number. A call, as people's are.
    pub fn version_by_hand(&self, template: &TemplateId, from: u64, image: impl fmt::Display) -> u64 {
        let asked = CreateVersion {
            template: TemplateName::Id(template.to_string()),
            source: Some(from.to_string()),
            data: TemplateData { image: Some(image.to_string()), ..TemplateData::default() },
            description: "by hand".to_owned(),
            token: None,
        };
        self.ec2().create_template_version(asked).expect("tests copy versions that are there").number
    }

    /// The image that a group's own configuration launches, whatever an instance refresh desires.
    pub fn own_image(&self, group: &str) -> Option<ImageId> {
        self.lock().own_image(&GroupName::from(group))
    }

    /// What this group launches from has just been changed by hand. Nothing of Lastgood may undo that until
    /// [`World::released`], once it has read it.
    pub fn changed_by_hand(&self, group: &str) {
        let state = &mut *self.lock();
        let name = GroupName::from(group);
        let place = state.groups.get(&name).and_then(|group| state.place(group));
        let (Some(place), Some(image)) = (place, state.own_image(&name)) else { return };
        let told_from = state.groups.get(&name).map_or(state.now, |group| state.told_from(group));
        let by_hand = &mut state.witness.by_hand;
        by_hand.count += 1;
        by_hand.changes.insert(name, Change { image, place, count: by_hand.count, told_from });
    }

    /// What was changed by hand may be replaced again.
    pub fn released(&self, group: &str) {
        self.lock().witness.by_hand.changes.remove(&GroupName::from(group));
    }

    /// What was changed by hand and this invocation has read since may be replaced again.
    pub fn released_as_read(&self, group: &str, caller: u64) {
        let by_hand = &mut self.lock().witness.by_hand;
        let (group, read) = (GroupName::from(group), &by_hand.read);
        let is_read =
            |change: &Change| read.get(&(caller, change.place.clone())).is_some_and(|(at, _)| *at > change.count);
        if by_hand.changes.get(&group).is_some_and(is_read) {
            by_hand.changes.remove(&group);
        }
    }
}

/// The version that the group's own configuration names.
fn named(group: &Group) -> Option<&TemplateRef> {
    match &group.from {
        LaunchFrom::Template(named) => Some(named),
        LaunchFrom::Mixed(policy) => Some(&policy.base),
        LaunchFrom::Configuration(_) => None,
    }
}

impl State {
    pub(crate) fn own_image(&self, group: &GroupName) -> Option<ImageId> {
        self.image_of(&self.groups.get(group)?.from)
    }

    /// The image that whoever asks now is told: a version that was made a moment ago is left out, as if it were not there.
    pub(crate) fn told_image(&self, group: &GroupName) -> Option<ImageId> {
        let named = named(self.groups.get(group)?)?;
        let told_by = later(self.now, -self.settings.version_visible_seconds);
        let version = self.templates.get(&named.template)?.version(&version_text(named.version), told_by).ok()?;
        self.resolve_image(version.data.image.as_ref()?).ok().map(ImageId)
    }

    /// From when on a change that is made now to what the group launches from is told. A version that is the latest is left
    /// out for a while, as if it were not there; one that is named by its number, or as the default, is missed.
    fn told_from(&self, group: &Group) -> Time {
        let latest = named(group).is_some_and(|named| named.version == VersionRef::Latest);
        later(self.now, if latest { self.settings.version_visible_seconds } else { 0 })
    }

    fn place(&self, group: &Group) -> Option<Place> {
        let Some(named) = named(group) else { return Some(Place::Group(group.name.clone())) };
        let VersionRef::Number(number) = named.version else { return Some(Place::Template(named.template.clone())) };
        let template = TemplateName::Id(named.template.to_string());
        let image = self.version(&template, &number.to_string()).ok()?.data.image?;
        let parameter = image.strip_prefix("resolve:ssm:").map(str::to_owned);
        Some(parameter.map_or_else(|| Place::Group(group.name.clone()), Place::Parameter))
    }

    /// An invocation reads these places.
    pub(crate) fn witness_reads(&mut self, caller: u64, places: Vec<Place>) {
        let by_hand = &mut self.witness.by_hand;
        for place in places {
            by_hand.count += 1;
            by_hand.read.insert((caller, place), (by_hand.count, self.now));
        }
    }

    /// The groups that launch now what was given to them by hand.
    pub(crate) fn given_by_hand(&self) -> Vec<GroupName> {
        let stands = |group: &GroupName, change: &Change| self.own_image(group).as_ref() == Some(&change.image);
        let changes = self.witness.by_hand.changes.iter();
        changes.filter(|(group, change)| stands(group, change)).map(|(group, _)| group.clone()).collect()
    }

    /// An invocation has called while these groups launched what was given to them by hand. They must do so still.
    pub(crate) fn witness_undone(&mut self, caller: u64, given: &[GroupName]) {
        let still = self.given_by_hand();
        for group in given.iter().filter(|group| !still.contains(group)) {
            let Some(change) = self.witness.by_hand.changes.get(group).cloned() else { continue };
            // Whoever asked Lastgood for that very image wants backups to go on from it.
            let is_asked_for = |image: &ImageId| self.was_asked_for(group, image);
            if is_asked_for(&change.image) || self.own_image(group).as_ref().is_some_and(is_asked_for) {
                continue;
            }
            // A change between the last look and the call is overwritten: no call of AWS compares. But that is a moment.
            let read = self.witness.by_hand.read.get(&(caller, change.place.clone()));
            let seen = read.is_some_and(|(count, at)| *count > change.count && *at >= change.told_from);
            if seen || seconds_between(change.told_from, self.now) > BLIND_SECONDS_MAX {
                self.wrong(&format!("{} was given to group {group} by hand, and that was undone", change.image));
            }
        }
    }
}
