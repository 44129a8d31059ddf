//! What stands where a plan publishes: the version that a group launches from, or a parameter.

use super::record::Found;
use crate::facts::TemplateVersion;

/// What was read of the place where a plan publishes a source's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is published, or nothing can be told.
    Nothing,
    /// The version in use.
    Version(TemplateVersion),
    /// What stands in the parameter.
    Parameter(Option<String>),
    /// AWS does not tell, in words.
    Refused(String),
}

impl Standing {
    /// The image that stands there: `None` if that can't be told, and then any image is taken as it is found.
    #[must_use]
    pub fn image(&self) -> Option<Found> {
        match self {
            Self::Version(version) => Some(Found(version.image.clone())),
            Self::Parameter(value) => Some(Found(value.clone())),
            Self::Nothing | Self::Refused(_) => None,
        }
    }
}
