//! The names of things. AWS's ids are opaque text of their own types, so that an image cannot stand where a
//! snapshot is meant; a source and a backup are named by what they are.

mod cache;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Time;

pub use cache::{CacheFamily, CacheId, CacheKind, CacheSnapshotId};

macro_rules! text_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

text_id! {
    /// The name of an Auto Scaling group, at most 255 characters.
    GroupName,
    /// An image (AMI), `ami-…`.
    ImageId,
    /// An EBS snapshot, `snap-…`.
    SnapshotId,
    /// An EC2 instance, `i-…`.
    InstanceId,
    /// An EBS volume, `vol-…`.
    VolumeId,
    /// A launch template, `lt-…`.
    TemplateId,
    /// An instance refresh.
    RefreshId,
    /// A rollout: its source and when it was asked for, `group/web-prod@20260115T103000Z`; or somebody else's refresh.
    RolloutId,
}

/// One protected thing: its kind, then its name. Written `group/web-prod`, `replication-group/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum SourceId {
    /// An Auto Scaling group.
    Group(GroupName),
    /// A cache of ElastiCache.
    Cache(CacheId),
    /// A single EC2 instance.
    Instance(InstanceId),
}

impl SourceId {
    /// The word before the slash.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Cache(cache) => cache.kind.word(),
            Self::Instance(_) => INSTANCE,
        }
    }

    /// The name that AWS knows it by.
    pub fn name(&self) -> &str {
        match self {
            Self::Group(name) => name.as_str(),
            Self::Cache(cache) => &cache.name,
            Self::Instance(id) => id.as_str(),
        }
    }

    /// The group, if it is one.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Group(name) => Some(name),
            Self::Cache(_) | Self::Instance(_) => None,
        }
    }

    /// The cache, if it is one.
    pub fn cache(&self) -> Option<&CacheId> {
        match self {
            Self::Group(_) | Self::Instance(_) => None,
            Self::Cache(cache) => Some(cache),
        }
    }

    /// The instance, if it is one.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Group(_) | Self::Cache(_) => None,
            Self::Instance(id) => Some(id),
        }
    }
}

const A_SOURCE: &str =
    "a source (write group/NAME, instance/ID, replication-group/NAME, cache-cluster/NAME or serverless-cache/NAME)";
/// The word of an instance.
const INSTANCE: &str = "instance";

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

/// A text that names no source or backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct NotAnId {
    text: String,
    expected: &'static str,
}

impl FromStr for SourceId {
    type Err = NotAnId;

    /// Reads `group/web-prod`. Everything after the first slash is the name, which may hold slashes itself.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId { text: text.to_owned(), expected: A_SOURCE };
        let (kind, name) = text.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
        if kind == "group" {
            return Ok(Self::Group(GroupName::from(name)));
        }
        if kind == INSTANCE {
            return Ok(Self::Instance(InstanceId::from(name)));
        }
        let kind = CacheKind::of_word(kind).ok_or_else(wrong)?;
        Ok(Self::Cache(CacheId { kind, name: name.to_owned() }))
    }
}

impl From<SourceId> for String {
    fn from(id: SourceId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SourceId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

/// What AWS holds of a backup: the kind of thing, then its id there. Written `image/ami-0123`, `cache-snapshot/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ArtifactId {
    /// An image with its snapshots.
    Image(ImageId),
    /// A snapshot of a cache.
    CacheSnapshot(CacheSnapshotId),
}

impl ArtifactId {
    /// The id as AWS writes it, without the kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Image(id) => id.as_str(),
            Self::CacheSnapshot(id) => &id.name,
        }
    }

    /// The image, if it is one.
    pub fn image(&self) -> Option<&ImageId> {
        match self {
            Self::Image(id) => Some(id),
            Self::CacheSnapshot(_) => None,
        }
    }

    /// The snapshot of a cache, if it is one.
    pub fn cache_snapshot(&self) -> Option<&CacheSnapshotId> {
        match self {
            Self::Image(_) => None,
            Self::CacheSnapshot(id) => Some(id),
        }
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(id) => write!(f, "image/{id}"),
            Self::CacheSnapshot(id) => id.fmt(f),
        }
    }
}

impl FromStr for ArtifactId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let expected = "an artifact (write image/AMI, cache-snapshot/NAME or serverless-snapshot/NAME)";
        let wrong = || NotAnId { text: text.to_owned(), expected };
        let (kind, id) = text.split_once('/').filter(|(_, id)| !id.is_empty()).ok_or_else(wrong)?;
        if kind == "image" {
            return Ok(Self::Image(ImageId::from(id)));
        }
        let family = CacheFamily::ALL.into_iter().find(|family| family.word() == kind).ok_or_else(wrong)?;
        Ok(Self::CacheSnapshot(CacheSnapshotId { family, name: id.to_owned() }))
    }
}

impl From<ArtifactId> for String {
    fn from(id: ArtifactId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ArtifactId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

/// One backup of one source: there is at most one for each slot. Written `group/web-prod@20260115T103000Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BackupId {
    /// What is backed up.
    pub source: SourceId,
    /// The point of the schedule, or the second of the request, that it was made for.
    pub slot: Time,
}

impl BackupId {
    /// The slot as it stands in names: `20260115T103000Z`, 16 characters, in the order of time.
    pub fn slot_text(&self) -> String {
        self.slot.strftime(SLOT_FORMAT).to_string()
    }
}

impl RolloutId {
    /// The rollout that was asked for `at` that time: one of a source at a time has its turn.
    #[must_use]
    pub fn of(source: &SourceId, at: Time) -> Self {
        Self(BackupId { source: source.clone(), slot: at }.to_string())
    }

    /// That of an image that an operator asked for `at` that time.
    #[must_use]
    pub fn of_change(source: &SourceId, at: Time) -> Self {
        Self(format!("{}{SET_IMAGE}", BackupId { source: source.clone(), slot: at }))
    }

    /// The name in it that somebody chose: that of its source if it is one of ours, else all of it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.source() {
            Some(source) => {
                let begin = source.kind().len() + 1;
                self.0.get(begin..begin + source.name().len()).unwrap_or(&self.0)
            }
            None => &self.0,
        }
    }

    /// The source that it names, if it is one of ours.
    #[must_use]
    pub fn source(&self) -> Option<SourceId> {
        let backup = self.0.strip_suffix(SET_IMAGE).unwrap_or(&self.0);
        backup.parse::<BackupId>().ok().map(|backup| backup.source)
    }
}

/// The end of the name of a rollout that an operator asked for.
const SET_IMAGE: &str = "/set-image";
/// A slot in names and keys.
const SLOT_FORMAT: &str = "%Y%m%dT%H%M%SZ";

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.source, self.slot_text())
    }
}

impl FromStr for BackupId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId { text: text.to_owned(), expected: "a backup (write group/NAME@20260115T103000Z)" };
        // Group names may hold an '@'; a slot never does.
        let (source, slot) = text.rsplit_once('@').ok_or_else(wrong)?;
        let slot = jiff::civil::DateTime::strptime(SLOT_FORMAT, slot).map_err(|_| wrong())?;
        let slot = slot.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp();
        let id = Self { source: source.parse()?, slot };
        // A year before zero, or a sixtieth second, would be another slot when it is written.
        if id.to_string() == text { Ok(id) } else { Err(wrong()) }
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for BackupId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_written_and_read_back_whatever_its_group_is_called() {
        for name in ["web-prod", "team/a@b/web", "x", "@", "ünï"] {
            let id = BackupId {
                source: SourceId::Group(GroupName::from(name)),
                slot: "2026-01-15T10:30:00Z".parse().expect("a time"),
            };
            assert_eq!(id.to_string(), format!("group/{name}@20260115T103000Z"));
            assert_eq!(id.to_string().parse::<BackupId>().expect("reads back"), id);
        }
    }

    #[test]
    fn a_slot_that_would_be_written_otherwise_is_none() {
        for text in ["group/web@-00050101T000000Z", "group/web@20260115T103060Z", "group/web@2026115T103000Z"] {
            text.parse::<BackupId>().expect_err(text);
        }
    }

    #[test]
    fn an_artifact_is_written_with_its_kind_and_read_back() {
        let image = ArtifactId::Image(ImageId::from("ami-1"));
        assert_eq!((image.to_string().as_str(), image.as_str()), ("image/ami-1", "ami-1"));
        assert_eq!("image/ami-1".parse(), Ok(image));
        for text in ["cache-snapshot/sess-2601151030abcde", "serverless-snapshot/sess-2601151030abcde"] {
            let snapshot: ArtifactId = text.parse().expect("an artifact");
            assert_eq!((snapshot.to_string().as_str(), snapshot.as_str()), (text, "sess-2601151030abcde"));
            assert_eq!((snapshot.image(), snapshot.cache_snapshot().is_some()), (None, true));
        }
        for text in ["ami-1", "image/", "tape/7"] {
            let error = text.parse::<ArtifactId>().expect_err(text);
            let expected = "an artifact (write image/AMI, cache-snapshot/NAME or serverless-snapshot/NAME)";
            assert_eq!(error.to_string(), format!("'{text}' is not {expected}"));
        }
    }

    #[test]
    fn what_is_no_source_says_what_to_write() {
        let error = "web-prod".parse::<SourceId>().expect_err("no kind");
        assert_eq!(error.to_string(), format!("'web-prod' is not {A_SOURCE}"));
        for text in ["cache-cluster/", "tape/web", "cache-cluster"] {
            text.parse::<SourceId>().expect_err(text);
        }
    }

    #[test]
    fn each_kind_of_cache_is_written_and_read_back() {
        for kind in CacheKind::ALL {
            let text = format!("{}/sessions@20260115T103000Z", kind.word());
            let backup: BackupId = text.parse().expect("a backup");
            let cache = backup.source.cache().expect("a cache");
            assert_eq!((cache.kind, cache.name.as_str(), backup.to_string()), (kind, "sessions", text.clone()));
            assert_eq!((backup.source.group(), backup.source.kind()), (None, kind.word()));
        }
    }
}
