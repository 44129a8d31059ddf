//! What is asked of images that are there: DescribeImages, DeregisterImage, CreateTags, disabling, protecting.

use lastgood_core::facts::Tags;
use lastgood_core::id::{ImageId, SnapshotId};
use lastgood_core::later;

use crate::access::Need;
use crate::events;
use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::image::{Image, ImageState, Protection, check_text};
use crate::instance::{check_id, check_page};
use crate::instance_type::Architecture;
use crate::service::Ec2;
use crate::state::{ACCOUNT, Asked, State, check_tags, shared_arn};

/// AWS: Protect an AMI from deregistration: the cooldown.
const COOLDOWN_SECONDS: i64 = 24 * 60 * 60;

/// What DescribeImages is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeImages {
    /// By id: one unknown id fails the call; a deregistered one is left out.
    pub ids: Vec<String>,
    /// `self`, or account ids; none: everybody's.
    pub owners: Vec<String>,
    /// `image-id`, `name`, `state`, `block-device-mapping.snapshot-id`, `tag:…`, `tag-key`.
    pub filters: Vec<Filter>,
    /// Disabled images are hidden without this.
    pub include_disabled: bool,
    /// Deprecated images of other accounts are hidden without this, but from who names their id.
    pub include_deprecated: bool,
    /// Which page.
    pub paging: Paging,
}

/// What RegisterImage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterImage {
    /// The name.
    pub name: String,
    /// What it runs on.
    pub architecture: Architecture,
    /// The device of the root volume.
    pub root_device: String,
    /// Each device and its snapshot.
    pub devices: Vec<(String, SnapshotId)>,
}

/// What DeregisterImage says of one snapshot: its id, and AWS's return code (`success`, `skipped`, ..).
pub type DeletionResult = (SnapshotId, String);

impl Ec2<'_> {
    /// DescribeImages.
    pub fn describe_images(&self, asks: &DescribeImages) -> Result<Page<Image>, AwsError> {
        let about = format!("{:?} {:?}", asks.ids, asks.filters);
        self.0.serve(Asked::new("ec2:DescribeImages", "*", about), |state| state.describe_images(asks))
    }

    /// DeregisterImage, which leaves the snapshots.
    pub fn deregister_image(&self, id: &str) -> Result<(), AwsError> {
        self.0.serve(tagged_image_call("ec2:DeregisterImage", id), |state| state.deregister(id).map(|_| ()))
    }

    /// DeregisterImage with DeleteAssociatedSnapshots. The image goes whatever becomes of its snapshots.
    pub fn deregister_image_and_snapshots(&self, id: &str) -> Result<Vec<DeletionResult>, AwsError> {
        let mut asked = tagged_image_call("ec2:DeregisterImage", id);
        asked.about += " and snapshots";
        self.0.serve(asked, |state| {
            let snapshots = state.deregister(id)?;
            Ok(snapshots.into_iter().map(|snapshot| state.delete_associated(snapshot)).collect())
        })
    }

    /// RegisterImage, from snapshots that are there.
    pub fn register_image(&self, request: &RegisterImage) -> Result<ImageId, AwsError> {
        self.0.serve(image_call("ec2:RegisterImage", "*"), |state| {
            check_text(&request.name, "")?;
            state.check_name_free(&request.name)?;
            // AWS: RegisterImage: an image of EBS volumes has a snapshot for its root.
            if !request.devices.iter().any(|(device, _)| *device == request.root_device) {
                let message = format!("There is no snapshot for the root device {}", request.root_device);
                return Err(AwsError::new("InvalidBlockDeviceMapping", message));
            }
            state.register(request)
        })
    }

    /// DisableImage.
    pub fn disable_image(&self, id: &str) -> Result<(), AwsError> {
        self.0.serve(image_call("ec2:DisableImage", id), |state| {
            state.move_image(id, ImageState::Available, ImageState::Disabled, "disabled")
        })
    }

    /// EnableImage.
    pub fn enable_image(&self, id: &str) -> Result<(), AwsError> {
        self.0.serve(image_call("ec2:EnableImage", id), |state| {
            state.move_image(id, ImageState::Disabled, ImageState::Available, "available")
        })
    }

    /// EnableImageDeregistrationProtection: `protection` is one of the two kinds of it.
    pub fn protect_image(&self, id: &str, protection: Protection) -> Result<(), AwsError> {
        self.0.serve(image_call("ec2:EnableImageDeregistrationProtection", id), |state| {
            state.image_mut(id)?.protection = protection;
            Ok(())
        })
    }

    /// DisableImageDeregistrationProtection.
    pub fn unprotect_image(&self, id: &str) -> Result<(), AwsError> {
        self.0.serve(image_call("ec2:DisableImageDeregistrationProtection", id), |state| {
            let until = later(state.now, COOLDOWN_SECONDS);
            let image = state.image_mut(id)?;
            image.protection = match image.protection {
                Protection::OnWithCooldown => Protection::CoolingUntil(until),
                Protection::Off | Protection::On => Protection::Off,
                cooling @ Protection::CoolingUntil(_) => cooling,
            };
            Ok(())
        })
    }

    /// CreateTags, on images, snapshots and instances. One unknown id fails the call.
    pub fn create_tags(&self, ids: &[String], tags: &Tags) -> Result<(), AwsError> {
        let asked = Asked::new("ec2:CreateTags", "*", format!("{ids:?}"));
        self.0.serve(asked, |state| {
            check_tags(tags)?;
            for id in ids {
                state.tags_mut(id)?;
            }
            for id in ids {
                let held = state.tags_mut(id)?;
                held.extend(tags.clone());
            }
            Ok(())
        })
    }
}

/// A call that AWS judges by the tags of the image.
fn tagged_image_call(action: &'static str, id: &str) -> Asked {
    let image = ImageId::from(id);
    image_call(action, id).knowing_tags(move |state| Some(state.images.get(&image)?.tags.clone()))
}

/// Whether an image belongs to one of these accounts; none: to any that lets ours use it.
fn is_owned_by(image: &Image, owners: &[String]) -> bool {
    let is_it = |owner: &String| *owner == image.owner || (owner == "self" && image.owner == ACCOUNT);
    owners.is_empty() || owners.iter().any(is_it)
}

fn image_call(action: &'static str, id: &str) -> Asked {
    Asked::new(action, shared_arn("image", id), id)
}

fn not_found(id: &str) -> AwsError {
    AwsError::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
}

impl State {
    /// An image that is registered. AWS: DeregisterImage: unknown is NotFound, deregistered is Unavailable.
    pub(crate) fn image(&self, id: &str) -> Result<&Image, AwsError> {
        check_id(id, "ami-", "InvalidAMIID.Malformed", "id:")?;
        let image = self.images.get(&ImageId::from(id)).ok_or_else(|| not_found(id))?;
        if image.state == ImageState::Deregistered {
            let message = format!("The image ID '{id}' is no longer available");
            return Err(AwsError::new("InvalidAMIID.Unavailable", message));
        }
        Ok(image)
    }

    fn image_mut(&mut self, id: &str) -> Result<&mut Image, AwsError> {
        self.image(id)?;
        self.images.get_mut(&ImageId::from(id)).ok_or_else(|| not_found(id))
    }

    /// An image that instances can be launched from, or what Auto Scaling says (AWS: Troubleshoot Amazon EC2 Auto
    /// Scaling: AMI issues).
    pub(crate) fn launchable(&self, id: &str) -> Result<&Image, AwsError> {
        let image = self.images.get(&ImageId::from(id)).filter(|image| image.state != ImageState::Deregistered);
        let missing = || AwsError::new("InvalidAMIID.NotFound", format!("The AMI ID {id} does not exist"));
        let image = image.ok_or_else(missing)?;
        match image.state {
            ImageState::Available => Ok(image),
            other => {
                let message = format!("AMI {id} is {}, and cannot be run", other.name());
                Err(AwsError::new("InvalidAMIID.Unavailable", message))
            }
        }
    }

    /// Deregisters, and tells the snapshots that were under the image.
    fn deregister(&mut self, id: &str) -> Result<Vec<SnapshotId>, AwsError> {
        let now = self.now;
        let image = self.image_mut(id)?;
        if image.owner != ACCOUNT {
            return Err(AwsError::with_status(403, "AuthFailure", format!("Not authorized for image:{id}")));
        }
        let protected = match image.protection {
            Protection::Off => false,
            Protection::On | Protection::OnWithCooldown => true,
            Protection::CoolingUntil(until) => now < until,
        };
        if protected {
            // The code is not documented (AWS: Protect an AMI from deregistration).
            let message = format!("The image {id} has deregistration protection and can't be deregistered");
            return Err(AwsError::new("OperationNotPermitted", message));
        }
        self.witness_image_goes(&ImageId::from(id));
        let image = self.image_mut(id)?;
        image.state = ImageState::Deregistered;
        image.deregistered_at = Some(now);
        let (id, snapshots) = (image.id.clone(), image.snapshots());
        for mapping in &mut image.mappings {
            mapping.snapshot = None;
        }
        for snapshot in &snapshots {
            if let Some(snapshot) = self.snapshots.get_mut(snapshot) {
                snapshot.images.remove(&id);
            }
        }
        events::image_changed(self, &id, "deregistered", "");
        Ok(snapshots)
    }

    /// Whether the caller may delete a snapshot, which AWS asks for each of them.
    fn may_delete(&self, id: &SnapshotId) -> bool {
        let Some(snapshot) = self.snapshots.get(id) else { return true };
        let need = Need::new("ec2:DeleteSnapshot", shared_arn("snapshot", id)).bearing_tags(&snapshot.tags);
        self.witness.caller.is_none() || self.access.judge(&[need]).is_ok()
    }

    /// AWS: DeregisterImage, DeleteSnapshotResults.
    fn delete_associated(&mut self, id: SnapshotId) -> DeletionResult {
        let left = self.sky.weather.snapshots_left;
        let shared = self.snapshots.get(&id).is_some_and(|snapshot| !snapshot.images.is_empty());
        let code = if shared {
            "skipped".to_owned()
        } else if self.faults.is_denied("ec2:DeleteSnapshot", &shared_arn("snapshot", &id)) || !self.may_delete(&id) {
            "missing-permissions".to_owned()
        } else if let Some(code) = self.faults.deletions.pop_front() {
            code
        } else if self.witness.caller.is_some() && self.sky.strikes(left, "snapshots left behind") {
            "internal-error".to_owned()
        } else {
            self.witness_snapshot_goes(&id);
            self.drop_snapshot(&id);
            "success".to_owned()
        };
        (id, code)
    }

    fn move_image(&mut self, id: &str, from: ImageState, to: ImageState, told: &str) -> Result<(), AwsError> {
        let image = self.image_mut(id)?;
        if image.state == to {
            return Ok(());
        }
        if image.state != from {
            let message = format!("The image {id} is {} and can't become {}", image.state.name(), to.name());
            return Err(AwsError::new("IncorrectState", message));
        }
        image.state = to;
        let id = image.id.clone();
        events::image_changed(self, &id, told, "");
        Ok(())
    }

    fn tags_mut(&mut self, id: &str) -> Result<&mut Tags, AwsError> {
        let unknown = || AwsError::new("InvalidID", format!("The ID '{id}' is not valid"));
        match id.split_once('-').map(|(kind, _)| kind) {
            Some("ami") => Ok(&mut self.image_mut(id)?.tags),
            Some("snap") => self.snapshots.get_mut(&id.into()).map(|snapshot| &mut snapshot.tags).ok_or_else(|| {
                AwsError::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
            }),
            Some("i") => {
                self.instance(id)?;
                self.instances.get_mut(&id.into()).map(|instance| &mut instance.tags).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    fn describe_images(&self, asks: &DescribeImages) -> Result<Page<Image>, AwsError> {
        filter::check(&asks.filters, &["image-id", "name", "state", "block-device-mapping.snapshot-id"])?;
        check_page(&asks.paging, 1, 1000)?;
        for id in &asks.ids {
            check_id(id, "ami-", "InvalidAMIID.Malformed", "id:")?;
            // AWS: Eventual consistency: an image that was just created may be unknown yet.
            let image = self.images.get(&ImageId::from(id.as_str()));
            image.filter(|image| image.visible_at <= self.now).ok_or_else(|| not_found(id))?;
        }
        let found = self.images.values().filter(|image| {
            self.is_listed(image, asks)
                && filter::passes(&asks.filters, &image.tags, |name| match name {
                    "image-id" => vec![image.id.to_string()],
                    "name" => vec![image.name.clone()],
                    "state" => vec![image.state.name().to_owned()],
                    _ if image.state == ImageState::Pending => Vec::new(),
                    _ => image.snapshots().iter().map(SnapshotId::to_string).collect(),
                })
        });
        let keyed = found.map(|image| (image.id.to_string(), self.told(image)));
        filter::page(keyed, &asks.paging, self.settings.page_items_max)
    }

    fn told(&self, image: &Image) -> Image {
        let mut told = image.clone();
        // Seen at AWS: while an image is pending its mappings may lack the snapshots.
        if image.state == ImageState::Pending {
            told.mappings.iter_mut().for_each(|mapping| mapping.snapshot = None);
        }
        if matches!(image.protection, Protection::CoolingUntil(until) if until <= self.now) {
            told.protection = Protection::Off;
        }
        told
    }

    fn is_listed(&self, image: &Image, asks: &DescribeImages) -> bool {
        let gone =
            image.deregistered_at.is_some_and(|at| later(at, self.settings.deregistered_visible_seconds) <= self.now);
        image.visible_at <= self.now
            && !gone
            && (asks.include_disabled || image.state != ImageState::Disabled)
            && is_owned_by(image, &asks.owners)
            && (image.owner == ACCOUNT || !image.deprecated || asks.include_deprecated || !asks.ids.is_empty())
            && (asks.ids.is_empty() || asks.ids.iter().any(|id| id == image.id.as_str()))
    }
}
