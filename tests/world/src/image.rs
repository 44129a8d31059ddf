//! Images: what they are, CreateImage, and how one becomes available or fails. The other calls are in `image_calls.rs`.

use lastgood_core::facts::Tags;
use lastgood_core::id::{ImageId, InstanceId, SnapshotId};
use lastgood_core::{Time, later};

use crate::access::Need;
use crate::events;
use crate::fault::AwsError;
use crate::instance::{Instance, InstanceState, Volume};
use crate::instance_type::Architecture;
use crate::service::Ec2;
use crate::state::{ACCOUNT, Asked, Due, State, World, check_tags, ec2_arn, shared_arn};

/// The state of an image (AWS: `ImageState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageState {
    /// It is being made.
    Pending,
    /// It can be launched.
    Available,
    /// It will never be available.
    Failed,
    /// It can't be launched until somebody enables it again.
    Disabled,
    /// It is gone.
    Deregistered,
}

impl ImageState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Deregistered => "deregistered",
        }
    }
}

/// Why an image failed (AWS: `StateReason`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateReason {
    /// `Client.InstanceTerminated`, `Server.InternalError`, ..
    pub code: String,
    /// In words.
    pub message: String,
}

/// One EBS volume of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `/dev/xvda`, ..
    pub device_name: String,
    /// Its snapshot. DescribeImages does not tell it while the image is pending.
    pub snapshot: Option<SnapshotId>,
    /// Its size.
    pub gib: i64,
    /// Inherited from the instance.
    pub delete_on_termination: bool,
}

/// Whether an image may be deregistered (AWS: Protect an AMI from deregistration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It may.
    Off,
    /// It may not.
    On,
    /// It may not, nor in the 24 hours after the protection is turned off.
    OnWithCooldown,
    /// Turned off: it may from then on.
    CoolingUntil(Time),
}

/// What is wrong with the instances of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sickness {
    /// Their group's health check fails, after a while.
    Unhealthy,
    /// Their status checks fail; their group does not notice.
    Impaired,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`.
    pub id: ImageId,
    /// The account that owns it.
    pub owner: String,
    /// It is deprecated: others are told it only if they ask for that, or by its id.
    pub deprecated: bool,
    /// Its name, unique among the registered images of the account.
    pub name: String,
    /// In words.
    pub description: String,
    /// Its state.
    pub state: ImageState,
    /// Why it failed.
    pub reason: Option<StateReason>,
    /// The instance that it was made from.
    pub source: Option<InstanceId>,
    /// When it was begun.
    pub created_at: Time,
    /// Its tags.
    pub tags: Tags,
    /// What it runs on.
    pub architecture: Architecture,
    /// `uefi`, `legacy-bios`, `uefi-preferred`, if whoever made it said.
    pub boot_mode: Option<String>,
    /// The device of its root volume, `/dev/xvda`.
    pub root_device: String,
    /// Its volumes.
    pub mappings: Vec<Mapping>,
    /// Deregistration protection.
    pub protection: Protection,
    pub(crate) visible_at: Time,
    /// When it was deregistered.
    pub deregistered_at: Option<Time>,
    pub(crate) ends_badly: Option<String>,
    pub(crate) sickness: Option<Sickness>,
}

impl Image {
    /// Its snapshots.
    pub fn snapshots(&self) -> Vec<SnapshotId> {
        self.mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect()
    }
}

/// What CreateImage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateImage {
    /// The instance.
    pub instance: String,
    /// The name.
    pub name: String,
    /// In words.
    pub description: String,
    /// Without this the instance is rebooted.
    pub no_reboot: bool,
    /// Devices that are left out (`NoDevice`).
    pub omitted_devices: Vec<String>,
    /// Tags by what gets them: `image`, `snapshot`.
    pub tags: Vec<(String, Tags)>,
}

impl Ec2<'_> {
    /// CreateImage. It has no token: the name is all that tells two calls apart.
    pub fn create_image(&self, request: CreateImage) -> Result<ImageId, AwsError> {
        let about = format!("{} {}", request.name, request.instance);
        // AWS: Actions, resources, and condition keys for Amazon EC2, CreateImage: the tags of the request are known of the
        // image and the snapshots, not of the instance.
        let mut asked = Asked::new("ec2:CreateImage", ec2_arn("instance", &request.instance), about);
        for kind in ["image", "snapshot"] {
            let given = request.tags.iter().filter(|(tagged, _)| tagged == kind).flat_map(|(_, tags)| tags);
            asked = asked.and(Need::new("ec2:CreateImage", shared_arn(kind, "*")).giving_tags(given));
        }
        for (kind, tags) in &request.tags {
            let need = Need::new("ec2:CreateTags", shared_arn(kind, "*")).giving_tags(tags);
            asked = asked.and(need.knowing("ec2:CreateAction", "CreateImage"));
        }
        self.0.serve(asked, |state| state.create_image(request))
    }
}

impl World {
    /// Every image that ever was, whether it can be seen yet or not.
    pub fn images(&self) -> Vec<Image> {
        self.lock().images.values().cloned().collect()
    }
}

impl State {
    fn create_image(&mut self, request: CreateImage) -> Result<ImageId, AwsError> {
        let (image_tags, snapshot_tags) = split_tags(&request.tags)?;
        check_text(&request.name, &request.description)?;
        let instance = self.imageable(&request.instance)?.clone();
        self.check_name_free(&request.name)?;
        let mapped = |volume: &&Volume| !request.omitted_devices.contains(&volume.device_name);
        let volumes: Vec<Volume> = instance.volumes.iter().filter(mapped).cloned().collect();
        for volume in &volumes {
            self.snapshot_allowed(volume)?;
        }
        // AWS: CreateImage, NoReboot: without it the instance is shut down and rebooted.
        if !request.no_reboot && instance.state == InstanceState::Running {
            self.reboots.push(instance.id.clone());
        }
        let id = ImageId(format!("ami-0{}", self.digits()));
        let gib: i64 = volumes.iter().map(|volume| volume.gib).sum();
        let seconds = self.settings.image_seconds + self.settings.image_seconds_per_gib * gib;
        let mappings = self.begin_mappings(&id, &instance.id, &volumes, &snapshot_tags, seconds);
        let image = Image {
            id: id.clone(),
            owner: ACCOUNT.to_owned(),
            deprecated: false,
            name: request.name,
            description: request.description,
            state: ImageState::Pending,
            reason: None,
            source: Some(instance.id),
            architecture: instance.architecture,
            boot_mode: None,
            root_device: instance.root_device,
            created_at: self.now,
            tags: image_tags,
            mappings,
            protection: Protection::Off,
            visible_at: later(self.now, self.settings.image_visible_seconds),
            deregistered_at: None,
            ends_badly: self.image_ends_badly(),
            sickness: None,
        };
        self.add_image(image);
        self.witness_image(&id);
        self.after(seconds, Due::ImageDone(id.clone()));
        Ok(id)
    }

    fn image_ends_badly(&mut self) -> Option<String> {
        let per_mille = self.sky.weather.images_failing;
        let struck = self.sky.strikes(per_mille, "images failed").then(|| "the weather was bad".to_owned());
        self.faults.images.pop_front().or(struck)
    }

    /// AWS: CreateImage: of what is running or stopped; its words admit `stopping`.
    fn imageable(&self, id: &str) -> Result<&Instance, AwsError> {
        let instance = self.instance(id)?;
        match instance.state {
            InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped => Ok(instance),
            InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated => Err(AwsError::new(
                "InvalidParameterValue",
                format!(
                    "Invalid value '{id}' for instanceId. Instance is not in state 'running' or 'stopping' or \
                     'stopped' for instance {id}"
                ),
            )),
        }
    }

    /// One snapshot for each volume.
    fn begin_mappings(
        &mut self,
        image: &ImageId,
        instance: &InstanceId,
        volumes: &[Volume],
        tags: &Tags,
        seconds: i64,
    ) -> Vec<Mapping> {
        let seconds = seconds + self.settings.snapshot_lag_seconds;
        let mapping = |volume: &Volume| {
            let description = format!("Created by CreateImage({instance}) for {image}");
            let snapshot = self.begin_snapshot(instance, volume, description, tags, seconds);
            if let Some(snapshot) = self.snapshots.get_mut(&snapshot) {
                snapshot.images.insert(image.clone());
            }
            Mapping {
                device_name: volume.device_name.clone(),
                snapshot: Some(snapshot),
                gib: volume.gib,
                delete_on_termination: volume.delete_on_termination,
            }
        };
        volumes.iter().map(mapping).collect()
    }

    pub(crate) fn add_image(&mut self, image: Image) {
        self.names.insert(image.name.clone(), image.id.clone());
        self.images.insert(image.id.clone(), image);
    }

    /// AWS: EC2 error codes, InvalidAMIName.Duplicate: taken until some time after the image was deregistered.
    pub(crate) fn check_name_free(&self, name: &str) -> Result<(), AwsError> {
        let Some(image) = self.names.get(name).and_then(|id| self.images.get(id)) else { return Ok(()) };
        if image.deregistered_at.is_some_and(|at| later(at, self.settings.name_taken_seconds) <= self.now) {
            return Ok(());
        }
        let message = format!("AMI name {name} is already in use by AMI {}", image.id);
        Err(AwsError::new("InvalidAMIName.Duplicate", message))
    }

    pub(crate) fn image_done(&mut self, id: &ImageId) {
        let Some(image) = self.images.get_mut(id).filter(|image| image.state == ImageState::Pending) else { return };
        if let Some(message) = image.ends_badly.take() {
            self.fail_image(id, StateReason { code: "Server.InternalError".to_owned(), message });
        } else {
            image.state = ImageState::Available;
            self.witness_progress();
            events::image_changed(self, id, "available", "");
        }
    }

    /// AWS: `StateReason`, Client.InstanceTerminated: what is lost while its images are pending fails them.
    pub(crate) fn break_images_of(&mut self, instance: &InstanceId) {
        let pending = self
            .images
            .values()
            .filter(|image| image.state == ImageState::Pending && image.source.as_ref() == Some(instance));
        for id in pending.map(|image| image.id.clone()).collect::<Vec<_>>() {
            let message = "The instance was terminated or rebooted during AMI creation".to_owned();
            self.fail_image(&id, StateReason { code: "Client.InstanceTerminated".to_owned(), message });
        }
    }

    /// A failed image keeps its name and tells no snapshots: those complete all the same and are nobody's.
    fn fail_image(&mut self, id: &ImageId, reason: StateReason) {
        let Some(image) = self.images.get_mut(id) else { return };
        let message = format!("{}: {}", reason.code, reason.message);
        image.state = ImageState::Failed;
        image.reason = Some(reason);
        let snapshots = image.snapshots();
        for mapping in &mut image.mappings {
            mapping.snapshot = None;
        }
        for snapshot in snapshots {
            if let Some(snapshot) = self.snapshots.get_mut(&snapshot) {
                snapshot.images.remove(id);
            }
        }
        events::image_changed(self, id, "failed", &message);
    }
}

/// Tags of the image and tags of its snapshots (AWS: CreateImage, TagSpecifications).
fn split_tags(specified: &[(String, Tags)]) -> Result<(Tags, Tags), AwsError> {
    let (mut image, mut snapshots) = (Tags::new(), Tags::new());
    for (kind, tags) in specified {
        check_tags(tags)?;
        match kind.as_str() {
            "image" => image.extend(tags.clone()),
            "snapshot" => snapshots.extend(tags.clone()),
            other => {
                let message = format!("'{other}' is not a valid taggable resource type for this operation.");
                return Err(AwsError::new("InvalidParameterValue", message));
            }
        }
    }
    Ok((image, snapshots))
}

/// AWS: EC2 error codes, InvalidAMIName.Malformed. The reference of CreateImage allows more characters; the narrower
/// of the two pages is held to, so that a name which only one of them allows is noticed.
pub(crate) fn check_text(name: &str, description: &str) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '(' | ')');
    if !(3..=128).contains(&name.chars().count()) || !name.chars().all(plain) {
        return Err(AwsError::new(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', \
             '-', '/' and '_'",
        ));
    }
    if description.chars().count() > 255 {
        let message = "Character sets beyond 255 characters are not supported for description";
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    Ok(())
}
