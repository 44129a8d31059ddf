//! What a backup asks for: of AWS, of its source, of the table.

use crate::facts::{Parameter, TemplateRef};
use crate::id::{CacheId, CacheSnapshotId, GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use crate::rollout::Order;

/// What a backup asks for.
pub type Effect = crate::life::Effect<Together, Alone>;

/// What backups ask of AWS together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Together {
    /// Find the newest member of the group that an image can be made from.
    ChooseInstance(GroupName),
    /// Find what of the cache a snapshot can be made of, and whether AWS takes one more.
    ChooseNode(CacheId),
    /// Look whether the instance can be backed up, and what a stop of it would meet.
    FindInstance(InstanceId),
    /// Look whether the instance is on.
    LookAtInstance(InstanceId),
    /// Look at the image and its snapshots.
    LookAtImage(ImageId),
    /// Look at the snapshot of a cache.
    LookAtCacheSnapshot(CacheSnapshotId),
    /// Read which template version the group launches from.
    ReadTemplate(GroupName),
}

/// What each asks for by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Tell the source how this backup came out.
    TellSource,
    /// Protect the group's instance from scale-in.
    Protect(GroupName, InstanceId),
    /// Take that protection away.
    Unprotect(GroupName, InstanceId),
    /// Shut the instance down, or force it off.
    StopInstance {
        /// Which.
        instance: InstanceId,
        /// Its system had its time.
        force: bool,
    },
    /// Start the instance again.
    StartInstance(InstanceId),
    /// Look at the image of an instance, how its copy comes along, and whether the instance is on.
    LookAtCopy(ImageId),
    /// Make an image of a single instance, as it is.
    CreateInstanceImage(InstanceId),
    /// Make an image of the group's instance, without a reboot, with tags on it and its snapshots.
    CreateImage(GroupName, InstanceId),
    /// Make a snapshot of this node of the cache, or of all of it, with tags.
    CreateCacheSnapshot(CacheId, Option<String>),
    /// Ask the source whether this backup may be published now.
    AskTurn,
    /// Make a version that is `base` with our image.
    MakeVersion {
        /// The launch template.
        template: TemplateId,
        /// The version to copy.
        base: u64,
        /// The image to put into it.
        image: ImageId,
    },
    /// Let the group launch from our version, if it still launches from `base`.
    PointGroup {
        /// The group.
        group: GroupName,
        /// How the group named its template when it was read.
        named: TemplateRef,
        /// The version that it launched from then.
        base: u64,
        /// Ours.
        version: u64,
    },
    /// Let the group name version `base` by its number, if it still names it as it was read.
    PinGroup {
        /// The group.
        group: GroupName,
        /// How the group named its template when it was read.
        named: TemplateRef,
        /// The version that it launched from then.
        base: u64,
    },
    /// Put the rollout of our version to the group on record.
    BeginRollout(GroupName, Box<Order>),
    /// Read what stands in the parameter, and whether the group may be given another image now.
    ReadParameter(GroupName, String),
    /// Write the image's id into the parameter, if what stands there is still what was read.
    WriteParameter {
        /// Its name.
        name: String,
        /// The image.
        image: ImageId,
        /// What stood there when it was read.
        was: Option<Parameter>,
    },
    /// Look what AWS holds of it, by name and by tag, and who needs it.
    Inspect,
    /// Delete these versions of a launch template: we made them, and nothing launches from them.
    DeleteVersions(TemplateId, Vec<u64>),
    /// Deregister the image with its snapshots.
    Deregister(ImageId),
    /// Delete the snapshot of a cache.
    DeleteCacheSnapshot(CacheSnapshotId),
    /// Delete what is left of its snapshots.
    DeleteSnapshots(Vec<SnapshotId>),
}
