//! What a test begins with. None of these counts as a call.

#![expect(clippy::missing_panics_doc, reason = "a test that begins with what can't be is to fail at once")]

use lastgood_core::facts::{Tags, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};

use crate::fault::AwsError;
use crate::group::{CreateGroup, Group};
use crate::image::{Image, ImageState, Mapping, Protection};
use crate::image_calls::RegisterImage;
use crate::instance_type::Architecture;
use crate::launch::{Device, Launch};
use crate::member::Capacity;
use crate::policy::{LaunchFromText, MixedPolicy, Override, Verbatim};
use crate::snapshot::{Snapshot, SnapshotState};
use crate::state::{ACCOUNT, State, World};
use crate::template::TemplateData;

/// Size of the volumes of a base image, in GiB.
const ROOT_GIB: i64 = 8;
const DATA_GIB: i64 = 20;

impl World {
    /// An available image that somebody else in the account has made: a root and a data volume, no tags of ours, for
    /// x86_64.
    pub fn base_image(&self) -> ImageId {
        self.base_image_of(Architecture::X86_64)
    }

    /// The same for another architecture.
    pub fn base_image_of(&self, architecture: Architecture) -> ImageId {
        let state = &mut *self.lock();
        let devices = [("/dev/xvda", ROOT_GIB), ("/dev/xvdb", DATA_GIB)];
        let devices = devices.map(|(device, gib)| (device.to_owned(), state.old_snapshot(gib))).into();
        let name = format!("base-{}", state.digits());
        let request = RegisterImage { name, architecture, root_device: "/dev/xvda".to_owned(), devices };
        state.register(&request).expect("its snapshots are there")
    }

    /// An available image that another account lets ours launch.
    pub fn foreign_image(&self, owner: &str, architecture: Architecture) -> ImageId {
        let image = self.base_image_of(architecture);
        self.change_image(&image, |image| owner.clone_into(&mut image.owner));
        image
    }

    /// Changes an image, if it is there. Not a call.
    pub fn change_image(&self, id: &ImageId, change: impl FnOnce(&mut Image)) {
        if let Some(image) = self.lock().images.get_mut(id) {
            change(image);
        }
    }

    /// A snapshot of this size that was complete before the world began, and belongs to no image.
    pub fn old_snapshot(&self, gib: i64) -> SnapshotId {
        self.lock().old_snapshot(gib)
    }

    /// A second image over the same snapshots as `image`: deregistering either must leave them.
    pub fn image_sharing(&self, image: &ImageId, name: &str) -> ImageId {
        let state = &mut *self.lock();
        let image = state.images.get(image).expect("tests share images that are there");
        let devices = image.mappings.iter();
        let devices = devices.filter_map(|mapping| Some((mapping.device_name.clone(), mapping.snapshot.clone()?)));
        let request = RegisterImage {
            name: name.to_owned(),
            architecture: image.architecture,
            root_device: image.root_device.clone(),
            devices: devices.collect(),
        };
        state.register(&request).expect("its snapshots are there")
    }

    /// A launch template, whose only version names `image`, and the usual type of its architecture.
    pub fn template(&self, name: &str, image: &ImageId) -> TemplateId {
        self.template_with(name, &self.launched_from(image))
    }

    /// A launch template, whose only version says this.
    pub fn template_with(&self, name: &str, data: &TemplateData) -> TemplateId {
        self.lock().new_template(name, data, &Tags::new()).expect("tests name each template once")
    }

    /// What a version says that names `image`, and the usual type of its architecture.
    pub fn launched_from(&self, image: &ImageId) -> TemplateData {
        let architecture = self.image(image).map(|image| image.architecture).unwrap_or_default();
        let instance_type = Some(architecture.usual_type().to_owned());
        TemplateData { image: Some(image.to_string()), instance_type, ..TemplateData::default() }
    }

    /// Somebody deletes a template with all its versions.
    pub fn delete_template(&self, template: &TemplateId) {
        self.lock().templates.remove(template);
    }

    /// A group that launches from a version of a template, with its members in service.
    pub fn group(&self, name: &str, from: &TemplateRef, desired: usize) -> Group {
        self.group_with(&CreateGroup::of(name, from.into(), desired))
    }

    /// A group that launches from a mixed instances policy, with its members in service: the overrides in turn.
    pub fn mixed_group(&self, name: &str, base: &TemplateRef, overrides: Vec<Override>, desired: usize) -> Group {
        let policy = MixedPolicy { base: base.clone(), overrides, distribution: Verbatim::new() };
        self.group_with(&CreateGroup::of(name, LaunchFromText::Mixed((&policy).into()), desired))
    }

    /// A group that launches from anything, with its members in service.
    pub fn group_from(&self, name: &str, from: LaunchFromText, desired: usize, tags: Tags) -> Group {
        self.group_with(&CreateGroup { tags, ..CreateGroup::of(name, from, desired) })
    }

    /// Any group, with its members in service.
    pub fn group_with(&self, request: &CreateGroup) -> Group {
        let mut state = self.lock();
        state.create_group(request).expect("tests make groups that can be made");
        let name = GroupName::from(request.name.as_str());
        for _ in 0..state.groups[&name].desired {
            let instance = state.launch_member(&name).expect("tests launch from images that are there");
            state.instance_runs(&instance);
        }
        state.groups[&name].clone()
    }

    /// A group gets a tag, or another value of it.
    pub fn tag_group(&self, name: &str, key: &str, value: &str) {
        let mut state = self.lock();
        let group = state.group_mut(name).expect("tests name groups that they have made");
        group.tags.insert(key.to_owned(), value.to_owned());
    }

    /// A group loses a tag.
    pub fn untag_group(&self, name: &str, key: &str) {
        self.lock().group_mut(name).expect("tests name groups that they have made").tags.remove(key);
    }

    /// A group goes, and its members with it.
    pub fn delete_group(&self, name: &str) {
        self.lock().remove_group(&GroupName::from(name));
    }

    /// Somebody takes a tag off an image.
    pub fn untag_image(&self, image: &ImageId, key: &str) {
        self.lock().images.get_mut(image).expect("tests untag images that are there").tags.remove(key);
    }

    /// Members go into standby, and the group wants as many less.
    pub fn enter_standby(&self, group: &str, ids: &[InstanceId]) {
        let mut state = self.lock();
        state.enter_standby(group, ids, Capacity::Decrement).expect("tests send members that serve");
    }

    /// One running instance that is in no group, with a root and a data volume.
    pub fn instance(&self, image: &ImageId) -> InstanceId {
        let mut state = self.lock();
        let id = state.launch(Launch::of(image)).expect("tests launch images that are there");
        state.instance_runs(&id);
        id
    }

    /// One running instance with these volumes too.
    pub fn instance_with(&self, image: &ImageId, devices: Vec<Device>) -> InstanceId {
        let mut state = self.lock();
        let launch = Launch { devices, ..Launch::of(image) };
        let id = state.launch(launch).expect("tests launch images that are there");
        state.instance_runs(&id);
        id
    }

    /// One image as it is, gone or not.
    pub fn image(&self, id: &ImageId) -> Option<Image> {
        self.lock().images.get(id).cloned()
    }
}

/// By number: the usual way.
pub fn by_number(template: &TemplateId, number: u64) -> TemplateRef {
    TemplateRef { template: template.clone(), version: VersionRef::Number(number) }
}

impl State {
    /// A snapshot that was complete before the world began.
    pub(crate) fn old_snapshot(&mut self, gib: i64) -> SnapshotId {
        let id = SnapshotId(format!("snap-0{}", self.digits()));
        let snapshot = Snapshot {
            id: id.clone(),
            volume: "vol-ffffffff".to_owned(),
            gib,
            state: SnapshotState::Completed,
            message: String::new(),
            description: String::new(),
            tags: Tags::new(),
            started_at: self.now,
            completed_at: Some(self.now),
            images: std::collections::BTreeSet::default(),
            deleted: false,
            visible_at: self.now,
            done_at: self.now,
            ends_badly: None,
        };
        self.snapshots.insert(id.clone(), snapshot);
        id
    }

    /// Makes an available image of snapshots. Only its root goes with its instance.
    pub(crate) fn register(&mut self, request: &RegisterImage) -> Result<ImageId, AwsError> {
        let RegisterImage { name, architecture, root_device, devices } = request;
        let id = ImageId(format!("ami-0{}", self.digits()));
        let mut mappings = Vec::new();
        for (device_name, snapshot_id) in devices {
            let missing = format!("The snapshot '{snapshot_id}' does not exist.");
            let snapshot = self.snapshots.get_mut(snapshot_id);
            let snapshot = snapshot.ok_or_else(|| AwsError::new("InvalidSnapshot.NotFound", missing))?;
            mappings.push(Mapping {
                device_name: device_name.clone(),
                snapshot: Some(snapshot_id.clone()),
                gib: snapshot.gib,
                delete_on_termination: device_name == root_device,
            });
        }
        for (_, snapshot_id) in devices {
            if let Some(snapshot) = self.snapshots.get_mut(snapshot_id) {
                snapshot.images.insert(id.clone());
            }
        }
        mappings.sort_by_key(|mapping| (mapping.device_name != *root_device, mapping.device_name.clone()));
        self.add_image(Image {
            id: id.clone(),
            owner: ACCOUNT.to_owned(),
            deprecated: false,
            name: name.clone(),
            description: String::new(),
            state: ImageState::Available,
            reason: None,
            source: None,
            created_at: self.now,
            tags: Tags::new(),
            architecture: *architecture,
            boot_mode: None,
            root_device: root_device.clone(),
            mappings,
            protection: Protection::Off,
            visible_at: self.now,
            deregistered_at: None,
            ends_badly: None,
            sickness: None,
        });
        Ok(id)
    }
}
