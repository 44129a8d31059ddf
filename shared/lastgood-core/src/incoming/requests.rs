//! What people and programs ask on our bus: the details of those events. A sample of each is in `events/`.

use serde::{Deserialize, Serialize};

use super::Detail;
use crate::Time;
use crate::id::{BackupId, ImageId, RolloutId, SourceId};
use crate::rollout::{Judge, Verdict};
use crate::text::{By, Words};

/// The detail of `Backup Requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRequested {
    /// What to back up.
    pub source: SourceId,
    /// Who asks.
    pub by: By,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

/// The detail of `Notice Test Requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTestRequested {
    /// Who asks.
    pub by: By,
}

impl NoticeTestRequested {
    /// The detail-type of the request.
    pub const DETAIL_TYPE: &'static str = "Notice Test Requested";
}

/// What only operators may ask, by detail-type: the bus refuses everybody else (infra/template.yaml, OnlyOperatorsAsk).
pub const OPERATOR_REQUESTS: [&str; 9] = [
    BackupRequested::DETAIL_TYPE,
    "Hold Requested",
    "Release Requested",
    "Skip Requested",
    "Pin Requested",
    "Unpin Requested",
    ImageChangeRequested::DETAIL_TYPE,
    VerdictAsked::BY_A_PERSON,
    NoticeTestRequested::DETAIL_TYPE,
];

/// What programs may send, and nothing else.
pub const PROGRAM_REQUESTS: [&str; 1] = [VerdictAsked::BY_A_PROGRAM];

impl BackupRequested {
    /// The detail-type of the request.
    pub const DETAIL_TYPE: &'static str = "Backup Requested";
}

/// The detail of `Checkpoint Verdict`, and of `Operator Verdict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictAsked {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Which of its pauses, as Checkpoint Reached told it; the one that is open if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<u32>,
    /// What.
    pub verdict: Verdict,
    /// Whose verdict it is: a program's (`event`), or a person's. The detail-type alone says, for the bus checks who sends which;
    /// what an event claims in its text is refused.
    #[serde(skip, default = "program")]
    pub judge: Judge,
    /// Who, in words.
    pub by: By,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

fn program() -> Judge {
    Judge::Event
}

impl VerdictAsked {
    /// The detail-type of a program's.
    pub const BY_A_PROGRAM: &'static str = "Checkpoint Verdict";
    /// The detail-type of a person's: the policy of the bus lets operators alone send it.
    pub const BY_A_PERSON: &'static str = "Operator Verdict";

    /// The detail-type of the event.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match self.judge {
            Judge::Person => Self::BY_A_PERSON,
            Judge::Event | Judge::Health | Judge::Alarms => Self::BY_A_PROGRAM,
        }
    }

    /// Who says it, and why.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.by),
            None => format!("{} says so", self.by),
        }
    }
}

/// The detail of `Image Change Requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageChangeRequested {
    /// Whose.
    pub source: SourceId,
    /// The image, whoever made it.
    pub image: ImageId,
    /// Whether the members are replaced, too; else only what is launched from then on has the image.
    #[serde(default = "yes")]
    pub refresh: bool,
    /// Who asks.
    pub by: By,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

fn yes() -> bool {
    true
}

impl ImageChangeRequested {
    /// The detail-type of the request.
    pub const DETAIL_TYPE: &'static str = "Image Change Requested";
}

/// What people and programs may ask on our bus, beside a backup. The detail of each has the fields of its variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// `Hold Requested`: nothing of the source is published until it is released.
    Hold(AboutSource),
    /// `Release Requested`: publishing goes on, over whatever image is there now.
    Release(AboutSource),
    /// `Skip Requested`: the source's next slot is passed over.
    Skip(SkipRequested),
    /// `Pin Requested`: the backup stays, whatever its plan says.
    Pin(AboutBackup),
    /// `Unpin Requested`: it is kept as its plan says again.
    Unpin(AboutBackup),
}

/// A request about a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutSource {
    /// Which.
    pub source: SourceId,
    /// Who asks.
    pub by: By,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

/// A request about a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutBackup {
    /// Which.
    pub backup: BackupId,
    /// Who asks.
    pub by: By,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

/// The detail of `Skip Requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipRequested {
    /// Whose.
    pub source: SourceId,
    /// The slot that is next, as the asker saw it: so that the same request twice passes one slot over.
    pub slot: Time,
    /// Who asks.
    pub by: By,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

impl Request {
    /// The detail-types of all of them.
    pub const DETAIL_TYPES: [&'static str; 5] =
        ["Hold Requested", "Release Requested", "Skip Requested", "Pin Requested", "Unpin Requested"];

    /// What it is about, or whose backup.
    #[must_use]
    pub fn source(&self) -> &SourceId {
        match self {
            Self::Hold(about) | Self::Release(about) => &about.source,
            Self::Skip(about) => &about.source,
            Self::Pin(about) | Self::Unpin(about) => &about.backup.source,
        }
    }

    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &By {
        match self {
            Self::Hold(about) | Self::Release(about) => &about.by,
            Self::Skip(about) => &about.by,
            Self::Pin(about) | Self::Unpin(about) => &about.by,
        }
    }

    /// Why, in the asker's words.
    #[must_use]
    pub fn reason(&self) -> Option<&Words> {
        match self {
            Self::Hold(about) | Self::Release(about) => about.reason.as_ref(),
            Self::Skip(about) => about.reason.as_ref(),
            Self::Pin(about) | Self::Unpin(about) => about.reason.as_ref(),
        }
    }

    /// The detail-type of the request.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::Hold(_) => "Hold Requested",
            Self::Release(_) => "Release Requested",
            Self::Skip(_) => "Skip Requested",
            Self::Pin(_) => "Pin Requested",
            Self::Unpin(_) => "Unpin Requested",
        }
    }
}

impl Detail for BackupRequested {
    fn names(&self) -> Vec<&str> {
        vec![self.source.name()]
    }
}

impl Detail for VerdictAsked {
    fn names(&self) -> Vec<&str> {
        vec![self.rollout.name()]
    }
}

impl Detail for ImageChangeRequested {
    fn names(&self) -> Vec<&str> {
        vec![self.source.name(), self.image.as_str()]
    }
}

impl Detail for AboutSource {
    fn names(&self) -> Vec<&str> {
        vec![self.source.name()]
    }
}

impl Detail for AboutBackup {
    fn names(&self) -> Vec<&str> {
        vec![self.backup.source.name()]
    }
}

impl Detail for NoticeTestRequested {
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Detail for SkipRequested {
    fn names(&self) -> Vec<&str> {
        vec![self.source.name()]
    }
}
