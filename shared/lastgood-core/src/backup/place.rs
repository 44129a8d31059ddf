//! Where images are published, and what is found there.

use serde::{Deserialize, Serialize};

use super::publication::PublicationEvent;
use crate::facts::{Group, Image, ImageState, TemplateRef};
use crate::group;
use crate::id::{GroupName, ImageId, TemplateId};
use crate::plan::PublishTo;
use crate::refusal::{Refusal, Why};

/// Where an image is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PublishedTo {
    /// In a version of a launch template that the group launches from.
    Version {
        /// The template.
        template: TemplateId,
        /// Its version with the image.
        version: u64,
    },
    /// In a parameter of the Parameter Store.
    Parameter {
        /// Its name.
        parameter: String,
    },
}

impl PublishedTo {
    /// Whether it is where a plan publishes.
    #[must_use]
    pub fn is_at(&self, to: &PublishTo) -> bool {
        match (self, to) {
            (Self::Version { .. }, PublishTo::Group) => true,
            (Self::Parameter { parameter }, PublishTo::Parameter(name)) => parameter == name,
            (Self::Version { .. } | Self::Parameter { .. }, _) => false,
        }
    }
}

/// What a group launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateUse {
    /// How the group names it.
    pub group: TemplateRef,
    /// The version in use, by number.
    pub version: u64,
    /// The image that it names.
    pub image: Option<String>,
    /// The version that an earlier call of ours made from the version in use, if there is one.
    pub ours: Option<u64>,
    /// If the version in use is ours: the version that it was made from.
    pub made_from: Option<u64>,
    /// If the version in use is ours, and the group follows the newest: one that somebody made between it and the version
    /// that it was made from.
    pub between: Option<u64>,
    /// Why our image can't be put into it, and what to do, if it can't.
    pub obstacle: Option<String>,
    /// What of the group our image is not for, in words.
    pub left_alone: Vec<String>,
}

/// How a group names its launch template, or the base of its mixed instances policy.
pub fn named_template(group: &Group) -> Result<TemplateRef, Refusal> {
    group.launches_from.template().cloned().ok_or_else(|| Refusal {
        why: Why::Invalid,
        action: DESCRIBE_GROUPS.to_owned(),
        message: group::unpublishable(group).unwrap_or_else(|| format!("{} has no launch template", group.name)),
    })
}

/// That there is no such group any more.
#[must_use]
pub fn no_group(name: &GroupName) -> Refusal {
    let message = format!("there is no group {name} any more");
    Refusal { why: Why::Missing, action: DESCRIBE_GROUPS.to_owned(), message }
}

const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";

/// The group and the image, if that can be launched now: a template takes any image, also one that was
/// deregistered or disabled (AWS: CreateLaunchTemplateVersion).
#[expect(clippy::result_large_err, reason = "it is the event itself, and lives for one decision")]
pub fn publishable<'a>(
    wanted: Option<&ImageId>,
    name: &GroupName,
    groups: &'a [Group],
    images: &'a [Image],
) -> Result<(&'a Group, &'a Image), PublicationEvent> {
    let image = images.iter().find(|image| Some(&image.id) == wanted);
    let what = match image.map(|image| (image, &image.state)) {
        Some((image, ImageState::Available)) => {
            let found = group::named(groups, name).map(|group| (group, image));
            return found.ok_or_else(|| PublicationEvent::Refused(no_group(name)));
        }
        Some((_, ImageState::Disabled)) => "somebody disabled the image",
        Some((_, ImageState::Pending | ImageState::Broken(_))) => "the image can't be launched any more",
        // One answer without the image proves nothing: it is asked for again, until it is there or a newer one is good.
        None => return Err(PublicationEvent::ImageUnseen),
    };
    let (action, message) = ("ec2:DescribeImages".to_owned(), what.to_owned());
    Err(PublicationEvent::Refused(Refusal { why: Why::Missing, action, message }))
}
