//! What a test begins with. None of these counts as a call.

#![expect(clippy::missing_panics_doc, reason = "a test that begins with what can't be is to fail at once")]

use lastgood_core::facts::{Tags, TemplateRef, VersionRef};
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};

use crate::fault::AwsError;
use crate::group::{CreateGroup, Group, LaunchFromText};
use crate::image::{Image, ImageState, Mapping, Protection};
use crate::instance::{Device, Launch};
use crate::snapshot::{Snapshot, SnapshotState};
use crate::state::{State, World};
use crate::template::{TemplateData, TemplateName, version_text};

/// Size of the volumes of a base image, in GiB.
const ROOT_GIB: i64 = 8;
const DATA_GIB: i64 = 20;

impl World {
    /// An available image that somebody else in the account has made: a root and a data volume, no tags of ours.
    pub fn base_image(&self) -> ImageId {
        let state = &mut *self.lock();
        let snapshots = [ROOT_GIB, DATA_GIB].map(|gib| state.old_snapshot(gib));
        let name = format!("base-{}", state.digits());
        state.register(&name, &snapshots).expect("its snapshots are there")
    }

    /// A second image over the same snapshots as `image`: deregistering either must leave them.
    pub fn image_sharing(&self, image: &ImageId, name: &str) -> ImageId {
        let state = &mut *self.lock();
        let snapshots = state.images.get(image).map(Image::snapshots).unwrap_or_default();
        state.register(name, &snapshots).expect("its snapshots are there")
    }

    /// A launch template, whose only version names `image`.
    pub fn template(&self, name: &str, image: &ImageId) -> TemplateId {
        let data = TemplateData {
            image: Some(image.to_string()),
            instance_type: Some("m7g.large".to_owned()),
            ..TemplateData::default()
        };
        let mut state = self.lock();
        state.new_template(name, &data, &Tags::new()).expect("tests name each template once")
    }

    /// A launch configuration that names `image`.
    pub fn launch_configuration(&self, name: &str, image: &ImageId) -> LaunchFromText {
        self.lock().configurations.insert(name.to_owned(), image.clone());
        LaunchFromText::Configuration(name.to_owned())
    }

    /// A group that launches from a version of a template, with its members in service.
    pub fn group(&self, name: &str, from: &TemplateRef, desired: usize) -> Group {
        self.group_from(name, named(from), desired, Tags::new())
    }

    /// A group that launches from a mixed instances policy, with its members in service.
    pub fn mixed_group(&self, name: &str, from: &TemplateRef, desired: usize) -> Group {
        let LaunchFromText::Template(template, version) = named(from) else { unreachable!("it is a template") };
        self.group_from(name, LaunchFromText::Mixed(template, version), desired, Tags::new())
    }

    /// A group with its members in service.
    pub fn group_from(&self, name: &str, from: LaunchFromText, desired: usize, tags: Tags) -> Group {
        let mut state = self.lock();
        let max = desired.max(10);
        let request = CreateGroup { name: name.to_owned(), from, min: 0, max, desired: Some(desired), tags };
        state.create_group(&request).expect("tests make groups that can be made");
        let name = GroupName::from(name);
        for _ in 0..desired {
            let instance = state.launch_member(&name).expect("tests launch from images that are there");
            state.instance_runs(&instance);
        }
        state.groups[&name].clone()
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

    /// The image that a group would launch from now.
    pub fn group_image(&self, name: &str) -> Option<ImageId> {
        let state = self.lock();
        let (image, _) = state.image_of_group(&GroupName::from(name)).ok()?;
        Some(ImageId(image))
    }
}

/// By number: the usual way.
pub fn by_number(template: &TemplateId, number: u64) -> TemplateRef {
    TemplateRef { template: template.clone(), version: VersionRef::Number(number) }
}

fn named(from: &TemplateRef) -> LaunchFromText {
    LaunchFromText::Template(TemplateName::Id(from.template.to_string()), Some(version_text(from.version)))
}

impl State {
    /// A snapshot that was complete before the world began.
    fn old_snapshot(&mut self, gib: i64) -> SnapshotId {
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
            ends_badly: None,
        };
        self.snapshots.insert(id.clone(), snapshot);
        id
    }

    /// Makes an available image of snapshots: the first is the root, and goes with its instance.
    pub(crate) fn register(&mut self, name: &str, snapshots: &[SnapshotId]) -> Result<ImageId, AwsError> {
        let id = ImageId(format!("ami-0{}", self.digits()));
        let mut mappings = Vec::new();
        for (snapshot_id, letter) in snapshots.iter().zip('a'..='z') {
            let missing = format!("The snapshot '{snapshot_id}' does not exist.");
            let snapshot = self.snapshots.get_mut(snapshot_id);
            let snapshot = snapshot.ok_or_else(|| AwsError::new("InvalidSnapshot.NotFound", missing))?;
            snapshot.images.insert(id.clone());
            mappings.push(Mapping {
                device_name: format!("/dev/xvd{letter}"),
                snapshot: Some(snapshot_id.clone()),
                gib: snapshot.gib,
                delete_on_termination: letter == 'a',
            });
        }
        self.add_image(Image {
            id: id.clone(),
            name: name.to_owned(),
            description: String::new(),
            state: ImageState::Available,
            reason: None,
            source: None,
            created_at: self.now,
            tags: Tags::new(),
            mappings,
            protection: Protection::Off,
            visible_at: self.now,
            deregistered_at: None,
            ends_badly: None,
        });
        Ok(id)
    }
}
