//! Launching one instance: from which image, of which type, and with which volumes.

use lastgood_core::facts::Tags;
use lastgood_core::id::{GroupName, ImageId, InstanceId, SnapshotId, TemplateId};

use crate::fault::AwsError;
use crate::image::{Image, Mapping};
use crate::instance::{Instance, InstanceState, Volume};
use crate::instance_type::check_fits;
use crate::power::Nature;
use crate::state::{Due, State};

/// A block device as a launch or a launch template maps it: an EBS volume, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `/dev/xvda`, ..
    pub name: String,
    /// What the volume begins with.
    pub snapshot: Option<SnapshotId>,
    /// Its size; without one, that of its snapshot.
    pub gib: Option<i64>,
    /// Whether it goes with the instance. Without a word: true for root, false for data (AWS: Block device mappings).
    pub delete_on_termination: Option<bool>,
    /// `NoDevice`: the image's volume of this name is left out.
    pub omitted: bool,
}

impl Device {
    /// A volume of this size that begins empty. On the root device: the image's, in another size.
    pub fn sized(name: &str, gib: i64) -> Self {
        Self { name: name.to_owned(), snapshot: None, gib: Some(gib), delete_on_termination: None, omitted: false }
    }

    /// A volume that begins with a snapshot.
    pub fn of_snapshot(name: &str, snapshot: &SnapshotId) -> Self {
        Self { snapshot: Some(snapshot.clone()), gib: None, ..Self::sized(name, 0) }
    }

    /// No volume, though the image has one.
    pub fn omitted(name: &str) -> Self {
        Self { gib: None, omitted: true, ..Self::sized(name, 0) }
    }
}

/// What RunInstances is asked for, for one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The image, or `resolve:ssm:…`.
    pub image: String,
    /// The instance type; without one, the usual type of the image's architecture.
    pub instance_type: Option<String>,
    /// Devices that are mapped otherwise than the image maps them, or that it has not.
    pub devices: Vec<Device>,
    /// Tags of the instance.
    pub tags: Tags,
}

impl Launch {
    /// One instance of `image`.
    pub fn of(image: &ImageId) -> Self {
        Self { image: image.to_string(), instance_type: None, devices: Vec::new(), tags: Tags::new() }
    }
}

/// A volume that is about to be.
struct Planned {
    name: String,
    snapshot: Option<SnapshotId>,
    gib: i64,
    delete_on_termination: bool,
}

impl State {
    /// Launches one instance, if its image can be.
    pub(crate) fn launch(&mut self, launch: Launch) -> Result<InstanceId, AwsError> {
        let image = self.launchable(&self.resolve_image(&launch.image)?)?.clone();
        let usual = || image.architecture.usual_type().to_owned();
        let instance_type = launch.instance_type.unwrap_or_else(usual);
        check_fits(&instance_type, image.architecture)?;
        let planned = self.plan_volumes(&image, &launch.devices)?;
        let volumes = planned.into_iter().map(|planned| Volume {
            id: format!("vol-0{}", self.digits()),
            device_name: planned.name,
            gib: planned.gib,
            from_snapshot: planned.snapshot,
            delete_on_termination: planned.delete_on_termination,
            last_snapshot_at: None,
            snapshots: Vec::new(),
        });
        let volumes = volumes.collect();
        let id = InstanceId(format!("i-0{}", self.digits()));
        let instance = Instance {
            id: id.clone(),
            image: image.id,
            instance_type,
            architecture: image.architecture,
            root_device: image.root_device,
            state: InstanceState::Pending,
            launched_at: self.now,
            terminated_at: None,
            volumes,
            tags: launch.tags,
            nature: Nature::default(),
            off_by: None,
            turns: 0,
        };
        self.instances.insert(id.clone(), instance);
        self.after(self.settings.instance_pending_seconds, Due::InstanceRuns(id.clone()));
        Ok(id)
    }

    /// The volumes of an instance, root first, then by name. What is asked for at launch overrides the image's mapping
    /// of that device, so that a data device which is mapped without a snapshot begins empty (AWS: Block device mappings
    /// for volumes on Amazon EC2 instances).
    fn plan_volumes(&self, image: &Image, devices: &[Device]) -> Result<Vec<Planned>, AwsError> {
        let asked = |name: &str| devices.iter().find(|device| device.name == name);
        let mut planned = Vec::new();
        for mapping in image.mappings.iter().filter(|mapping| asked(&mapping.device_name).is_none()) {
            planned.push(Planned {
                name: mapping.device_name.clone(),
                snapshot: mapping.snapshot.clone(),
                gib: mapping.gib,
                delete_on_termination: mapping.delete_on_termination,
            });
        }
        for device in devices.iter().filter(|device| !device.omitted) {
            let is_root = device.name == image.root_device;
            let of_image = image.mappings.iter().find(|mapping| mapping.device_name == device.name);
            planned.push(self.plan_volume(device, of_image.filter(|_| is_root))?);
        }
        planned.sort_by_key(|planned| (planned.name != image.root_device, planned.name.clone()));
        Ok(planned)
    }

    /// `root` is the image's mapping of this device, if the device is the root: its snapshot stays without a word.
    fn plan_volume(&self, device: &Device, root: Option<&Mapping>) -> Result<Planned, AwsError> {
        let snapshot = device.snapshot.clone().or_else(|| root?.snapshot.clone());
        let least = match &snapshot {
            Some(id) => {
                let missing =
                    || AwsError::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."));
                Some(self.snapshots.get(id).ok_or_else(missing)?.gib)
            }
            None => None,
        };
        // AWS: RunInstances, EbsBlockDevice, VolumeSize: a size or a snapshot, and no less than the snapshot.
        let gib = device.gib.or(least).ok_or_else(|| {
            AwsError::new("MissingParameter", "The request must contain the parameter size or snapshotId")
        })?;
        if let (Some(id), Some(least)) = (&snapshot, least)
            && gib < least
        {
            let message = format!("Volume of size {gib}GB is smaller than snapshot '{id}', expect size >= {least}GB");
            return Err(AwsError::new("InvalidBlockDeviceMapping", message));
        }
        let delete_on_termination =
            device.delete_on_termination.unwrap_or_else(|| root.is_some_and(|root| root.delete_on_termination));
        Ok(Planned { name: device.name.clone(), snapshot, gib, delete_on_termination })
    }
}

/// The tags that Auto Scaling gives to what it launches (AWS: Tag Auto Scaling groups and instances).
pub(crate) fn member_tags(group: &GroupName, template: Option<&(TemplateId, u64)>) -> Tags {
    let mut tags = Tags::from([("aws:autoscaling:groupName".to_owned(), group.to_string())]);
    if let Some((id, version)) = template {
        tags.insert("aws:ec2launchtemplate:id".to_owned(), id.to_string());
        tags.insert("aws:ec2launchtemplate:version".to_owned(), version.to_string());
    }
    tags
}
