//! Where images are published, and what is found there.

use serde::{Deserialize, Serialize};

use crate::facts::TemplateRef;
use crate::id::TemplateId;
use crate::plan::PublishTo;

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
    /// If the version in use is ours, and the group follows the newest: one that somebody made between it and the version
    /// that it was made from.
    pub between: Option<u64>,
    /// Why our image can't be put into it, and what to do, if it can't.
    pub obstacle: Option<String>,
    /// What of the group our image is not for, in words.
    pub left_alone: Vec<String>,
}
