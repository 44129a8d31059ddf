//! What a group's own state says: which member an image may be made from, and whether an image may be published to it.
//!
//! Pure rules over the facts of [`crate::facts`]; the lives in `backup/` decide what follows from them.

use std::collections::BTreeMap;

use crate::facts::{
    Group, Image, Instance, InstanceState, LaunchSource, Lifecycle, Member, Runs, TemplateRef, TemplateVersion,
    VersionRef,
};
use crate::id::{GroupName, ImageId, InstanceId, RefreshId, TemplateId};
use crate::{Time, later, seconds_between};

/// Tag on a group whose instances keep state that must not be replaced: its instances can be backed up one by one, but
/// no image of one of them may become all of them.
pub const TAG_STATEFUL: &str = "lastgood:stateful";
/// How a version says that its image stands in a parameter (AWS: Use AWS Systems Manager parameters instead of AMI IDs).
pub const RESOLVE: &str = "resolve:ssm:";
/// A member that reaches the group's maximum instance lifetime within this time is about to be replaced: AWS does that
/// gradually, ahead of time (AWS: Replace instances based on maximum instance lifetime).
pub const LIFETIME_LEFT_SECONDS_MIN: i64 = 60 * 60;

/// The member that an image is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The instance.
    pub instance: Instance,
    /// Somebody has protected it from scale-in already.
    pub protected_from_scale_in: bool,
}

/// Which member is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// The newest that is able.
    Any,
    /// The newest but this one, which was lost under an image before.
    Not(&'a InstanceId),
    /// The newest that launched from this version of a template. A pause of its rollout comes after its warm-up.
    On(&'a TemplateId, u64),
}

impl Wish<'_> {
    fn is_for(self, member: &Member) -> bool {
        match self {
            Self::Any => true,
            Self::Not(lost) => member.instance != *lost,
            Self::On(template, version) => {
                member.template.as_ref().is_some_and(|(of, number)| of == template && *number == version)
            }
        }
    }
}

/// Why a member is passed over. In the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unable {
    ComingUp,
    Standby,
    Leaving,
    Unhealthy,
    NotRunning,
    NotWarm,
    TooOld,
    OtherTemplate,
}

impl Unable {
    fn words(self) -> &'static str {
        match self {
            Self::ComingUp => "not in service yet",
            Self::Standby => "in standby",
            Self::Leaving => "being terminated",
            Self::Unhealthy => "unhealthy, so about to be replaced",
            Self::NotRunning => "not running",
            Self::NotWarm => "not warmed up yet",
            Self::TooOld => "at the end of its lifetime, so about to be replaced",
            Self::OtherTemplate => "launched from an override's own template or image",
        }
    }
}

/// Why no image is made of a member of this group now: a refresh that is under way replaces them.
pub fn refreshing(name: &GroupName, refresh: &RefreshId) -> String {
    format!("instance refresh {refresh} of {name} is under way, and its plan does not say 'during_refresh: true'")
}

/// The newest member that is able, or why none is. Of two that started in the same second the one with the greater id:
/// always the same one.
pub fn choose(group: &Group, instances: &[Instance], wish: Wish<'_>, now: Time) -> Result<Choice, String> {
    let mut able: Vec<(&Member, &Instance)> = Vec::new();
    let mut unable: BTreeMap<Unable, usize> = BTreeMap::new();
    for member in group.members.iter().filter(|member| wish.is_for(member)) {
        let instance = instances.iter().find(|instance| instance.id == member.instance);
        match judge(group, member, instance, wish, now) {
            Ok(instance) => able.push((member, instance)),
            Err(why) => *unable.entry(why).or_default() += 1,
        }
    }
    let newest = able.iter().max_by_key(|(_, instance)| (instance.launched_at, &instance.id));
    if let Some((member, instance)) = newest {
        return Ok(Choice { instance: (*instance).clone(), protected_from_scale_in: member.protected_from_scale_in });
    }
    let (other, on) = match wish {
        Wish::Any => ("", String::new()),
        Wish::Not(_) => ("other ", String::new()),
        Wish::On(template, version) => ("", format!(" on version {version} of {template}")),
    };
    Err(match unable.values().sum::<usize>() {
        0 => format!("{} has no {other}member{on}", group.name),
        count => {
            let why: Vec<_> = unable.iter().map(|(why, count)| format!("{count} {}", why.words())).collect();
            format!("none of the {count} {other}members{on} of {} can be imaged: {}", group.name, why.join(", "))
        }
    })
}

fn judge<'a>(
    group: &Group,
    member: &Member,
    instance: Option<&'a Instance>,
    wish: Wish<'_>,
    now: Time,
) -> Result<&'a Instance, Unable> {
    match member.lifecycle {
        Lifecycle::InService => {}
        Lifecycle::Standby => return Err(Unable::Standby),
        Lifecycle::Leaving => return Err(Unable::Leaving),
        Lifecycle::Pending | Lifecycle::Other => return Err(Unable::ComingUp),
    }
    if !member.healthy {
        return Err(Unable::Unhealthy);
    }
    let Some(instance) = instance.filter(|instance| instance.state == InstanceState::Running) else {
        return Err(Unable::NotRunning);
    };
    let is_warm = matches!(wish, Wish::On(..)) || later(instance.launched_at, group.warmup_seconds) <= now;
    if !is_warm {
        return Err(Unable::NotWarm);
    }
    let left = group.lifetime_seconds_max.map(|max| max - seconds_between(instance.launched_at, now));
    if left.is_some_and(|left| left < LIFETIME_LEFT_SECONDS_MIN) {
        return Err(Unable::TooOld);
    }
    // An image of what an override launched from its own template may be of another architecture, and is never given to
    // the base.
    if let LaunchSource::Mixed(policy) = &group.launches_from {
        let own_template = member.template.as_ref().is_some_and(|(template, version)| {
            let mut alone = policy.overrides.iter().filter_map(|other| other.template.as_ref());
            alone.any(|own| {
                own.template == *template
                    && match own.version {
                        VersionRef::Number(number) => number == *version,
                        // What it followed then nobody knows; the base's own template is not followed by an override.
                        VersionRef::Default | VersionRef::Latest => own.template != policy.base.template,
                    }
            })
        });
        let image = instance.image.as_ref().map(ImageId::as_str);
        let own_image = image.is_some() && policy.overrides.iter().any(|other| other.image.as_deref() == image);
        if own_template || own_image {
            return Err(Unable::OtherTemplate);
        }
    }
    Ok(instance)
}

/// Why nothing of this group may be published anywhere, and what to do instead.
pub fn stateful(group: &Group) -> Option<String> {
    group.tags.contains_key(TAG_STATEFUL).then(|| {
        format!(
            "{} bears the tag {TAG_STATEFUL}: an image of one instance must not replace the state of the others; write 'publish: none' for it, or take the tag off",
            group.name
        )
    })
}

/// Why no image can ever be published to this group as it is, and what to do instead.
pub fn unpublishable(group: &Group) -> Option<String> {
    let name = &group.name;
    if let Some(stateful) = stateful(group) {
        return Some(stateful);
    }
    match &group.launches_from {
        LaunchSource::Template(_) => None,
        LaunchSource::Mixed(policy) => {
            let follows = |own: &&TemplateRef| {
                own.template == policy.base.template
                    && (own.version == VersionRef::Latest
                        || (own.version == VersionRef::Default && policy.base.version == VersionRef::Default))
            };
            let own = policy.overrides.iter().filter_map(|other| other.template.as_ref()).find(follows)?;
            Some(format!(
                "an override of {name} follows the newest version of {}, the template of the base, and would get the base's image; let it name its version by number, or give it a template of its own",
                own.template
            ))
        }
        LaunchSource::Configuration(configuration) => Some(format!(
            "{name} launches from launch configuration {configuration}, which can't be given another image; give the group a launch template, or write 'publish: none'"
        )),
        LaunchSource::Unreadable(what) => {
            Some(format!("what {name} launches from can't be read: {what}; write 'publish: none' for it"))
        }
    }
}

/// Why no image can be put into this version of the group's template, and what to do instead.
pub fn resolves(version: &TemplateVersion) -> Option<String> {
    let alias = version.image.as_deref().filter(|image| image.starts_with("resolve:"))?;
    let parameter = alias.trim_start_matches(RESOLVE);
    Some(format!(
        "version {} of the template takes its image from {alias}; write an image id into the template, or 'publish: {{ssm: {parameter}}}'",
        version.number
    ))
}

/// Why instances of this version would lack data of any image, as far as that shows without one. `/dev/sda1` and
/// `/dev/xvda` are the root devices of every image (AWS: Device names for volumes on Amazon EC2 instances).
pub fn maps(version: &TemplateVersion) -> Option<String> {
    let is_root = |name: &str| matches!(name, "/dev/sda1" | "/dev/xvda");
    let hides = version.devices.iter().find(|device| !is_root(&device.name) || device.snapshot.is_some());
    hides.map(|device| hidden(version.number, &device.name))
}

/// Why the image does not go onto a volume that a version of a template gives a size, if it does not (AWS: RunInstances,
/// EbsBlockDevice: no less than the snapshot's).
#[must_use]
pub fn too_small(version: &TemplateVersion, image: &Image) -> Option<String> {
    version.devices.iter().find_map(|device| {
        let has = device.gib?;
        let (_, needs) = image.sizes.iter().find(|(name, needs)| *name == device.name && has < *needs)?;
        Some(format!(
            "version {} of the template gives {} {has} GiB, and the image needs {needs} there; make it at least as large, or leave the size out",
            version.number, device.name
        ))
    })
}

/// Why instances of this version would lack data of this image: a device that both map, and that the template's mapping
/// would begin without the image's data (AWS: Block device mappings for volumes on Amazon EC2 instances).
pub fn hides(version: &TemplateVersion, image: &Image) -> Option<String> {
    let is_root = |name: &str| image.root_device.as_deref() == Some(name);
    let hides = version.devices.iter().find(|device| {
        let ours = image.devices.iter().find(|(name, _)| *name == device.name).map(|(_, snapshot)| snapshot);
        let other = device.snapshot.is_some() && device.snapshot.as_ref() != ours;
        // The root device keeps the image's data unless another snapshot is named for it.
        ours.is_some() && (other || (device.snapshot.is_none() && !is_root(&device.name)))
    });
    hides.map(|device| hidden(version.number, &device.name))
}

fn hidden(version: u64, device: &str) -> String {
    format!(
        "version {version} of the template maps {device} itself, so that instances would begin without the image's data there; take that mapping out of the template, or write 'publish: none'"
    )
}

/// Why another group would get this one's image, and what to do instead: a version for one group is the version of every
/// group that follows `$Latest` or `$Default` of the same template, in its base or in an override.
pub fn undone_by(found: &Group, all: &[Group]) -> Option<String> {
    let named = found.launches_from.template()?;
    let other = all.iter().filter(|group| group.name != found.name).find(|group| {
        let theirs = group.launches_from.templates().into_iter().filter(|other| other.template == named.template);
        theirs.into_iter().any(|other| named.version.follows() || other.version.follows())
    })?;
    Some(format!(
        "it shares launch template {} with group/{}, and one of them follows $Latest or $Default: each would get the other's image; give each group a template of its own, or let both name their version by number",
        named.template, other.name
    ))
}

/// The overrides of a mixed instances policy that a new image leaves alone, in words.
pub fn left_alone(group: &Group) -> Vec<String> {
    let LaunchSource::Mixed(policy) = &group.launches_from else { return Vec::new() };
    let alone = policy.overrides.iter().filter(|other| other.stands_alone());
    alone
        .map(|other| {
            let own = if other.template.is_some() { "a template of its own" } else { "an image of its own" };
            format!("{} has {own}", other.instance_type.as_deref().unwrap_or("an override"))
        })
        .collect()
}

/// The instance types that the image would be launched on: the version's own, and those of overrides that take the base's
/// image.
pub fn types_of_base(group: &Group, version: &TemplateVersion) -> Vec<String> {
    let mut types: Vec<String> = version.instance_type.iter().cloned().collect();
    if let LaunchSource::Mixed(policy) = &group.launches_from {
        let with_base = policy.overrides.iter().filter(|other| !other.stands_alone());
        types.extend(with_base.filter_map(|other| other.instance_type.clone()));
    }
    types.sort();
    types.dedup();
    types
}

/// The instance type that can't run the image, if one of the policy's can't.
pub fn unable_type(types: &[String], known: &BTreeMap<String, Runs>, image: &Image) -> Option<String> {
    let unable =
        |runs: &dyn Fn(&Runs) -> bool| types.iter().find(|name| known.get(*name).is_some_and(|known| !runs(known)));
    if let Some(ours) = &image.architecture
        && let Some(unable) = unable(&|runs| runs.architectures.contains(ours))
    {
        return Some(format!(
            "the image is for {ours}, and the group launches {unable} too, which can't run that; give that type a launch template of its own"
        ));
    }
    // One that prefers UEFI boots without it, too (AWS: Instance launch behavior with Amazon EC2 boot modes).
    let ours = image.boot_mode.as_ref().filter(|mode| *mode != "uefi-preferred")?;
    let unable = unable(&|runs| runs.boot_modes.is_empty() || runs.boot_modes.contains(ours))?;
    Some(format!(
        "the image boots by {ours}, and the group launches {unable} too, which can't; give that type a launch template of its own"
    ))
}

/// The group of this name among those that were found.
pub fn named<'a>(groups: &'a [Group], name: &GroupName) -> Option<&'a Group> {
    groups.iter().find(|group| group.name == *name)
}

#[cfg(test)]
#[path = "group_rules.rs"]
mod rules;
