//! Events that we read, as EventBridge hands them over: AWS's news, schedules, and requests on our own bus.
//!
//! Events are hints: reading one tells what to look at, never what is so.

mod dated;
mod requests;

use std::collections::BTreeMap;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ArtifactId, CacheFamily, CacheSnapshotId, GroupName, ImageId, InstanceId, RefreshId, SourceId};
use crate::notice::EVENT_SOURCE;
use crate::rollout::Judge;
use crate::text::{self, NotTaken};
use crate::{Time, whole_second};

pub use dated::{Misdated, REQUEST_SECONDS_OLD_MAX, dated};
pub use requests::{
    AboutBackup, AboutSource, BackupRequested, ImageChangeRequested, NoticeTestRequested, OPERATOR_REQUESTS,
    PROGRAM_REQUESTS, Request, SkipRequested, VerdictAsked,
};

/// The part of EventBridge's envelope that decisions use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Envelope {
    /// The event's id: the same when it is delivered twice.
    pub id: String,
    /// What kind of event it is.
    pub detail_type: String,
    /// Who says it.
    pub source: String,
    /// When it happened.
    pub time: Time,
    /// The rest. The default notification of EventBridge Scheduler has a *string* here.
    #[serde(default)]
    pub detail: Value,
}

/// An event that we understand.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A schedule fired.
    Scheduled,
    /// Somebody asks for a backup outside the schedule. The second of the request is its slot.
    BackupRequested {
        /// The slot that it will have.
        slot: Time,
        /// What is asked.
        request: BackupRequested,
    },
    /// Somebody asks something else of a source or a backup.
    Asked {
        /// When.
        at: Time,
        /// What is asked.
        request: Request,
    },
    /// An artifact changed its state: anybody's, not only one of ours.
    ArtifactChanged {
        /// Which.
        artifact: ArtifactId,
    },
    /// Snapshots of node-based caches are complete, or failed.
    CacheChanged {
        /// The clusters that they were taken of: which snapshots AWS does not say.
        clusters: Vec<String>,
    },
    /// An instance came on or went off: anybody's, not only one that is backed up.
    InstanceChanged {
        /// Which.
        instance: InstanceId,
    },
    /// One of our backups became good.
    BackupGood {
        /// Of which source.
        source: SourceId,
    },
    /// An instance refresh began, paused, ended or turned back.
    Refresh(RefreshNews),
    /// An operator wants to see whether notices arrive.
    NoticeTest {
        /// The event's id.
        event: String,
        /// What is asked.
        asked: NoticeTestRequested,
    },
    /// An operator gives a group an image.
    ImageChange {
        /// When.
        at: Time,
        /// What is asked.
        asked: ImageChangeRequested,
    },
    /// A program or a person has judged a pause of a rollout.
    Verdict {
        /// When.
        at: Time,
        /// What was judged.
        asked: VerdictAsked,
    },
}

/// What an instance refresh event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshNews {
    /// The event's id.
    pub event: String,
    /// The refresh.
    pub refresh: RefreshId,
    /// The group.
    pub group: GroupName,
    /// When.
    pub at: Time,
    /// What happened.
    pub what: RefreshChange,
}

/// The two sorts of refresh events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshChange {
    /// It pauses at a checkpoint. There is no event for the one at 100 percent (AWS: Add checkpoints to an instance
    /// refresh).
    Checkpoint {
        /// Percent of the group that is replaced.
        percentage: u32,
        /// How long AWS waits, in seconds.
        delay_seconds: u64,
    },
    /// Its status changed: the end of the event's detail-type, `Started`, `Rollback Succeeded`, ….
    Status(String),
}

/// An event that can't be read, or that no rule of ours should have sent.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No envelope of EventBridge.
    #[error("event {id}: not an event of EventBridge")]
    Envelope {
        /// Its id, or `(no id)`.
        id: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The envelope is right, the detail is not.
    #[error("event {id}: the detail of '{detail_type}' can't be read")]
    Detail {
        /// Its id.
        id: String,
        /// Its kind.
        detail_type: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The detail is right, but for a name in it.
    #[error("event {id}: a name in the detail of '{detail_type}' is none")]
    Name {
        /// Its id.
        id: String,
        /// Its kind.
        detail_type: String,
        /// What is wrong.
        source: NotTaken,
    },
    /// An event that we know nothing of.
    #[error("event {id}: nothing here reads '{detail_type}' from '{source_name}'")]
    Unknown {
        /// Its id.
        id: String,
        /// Its kind.
        detail_type: String,
        /// Who sent it.
        source_name: String,
    },
}

/// What EventBridge tells of the snapshots of serverless caches.
const CACHE_EVENTS: [&str; 2] = ["Snapshot Created", "Snapshot Creation Failed"];

const REFRESH_PREFIX: &str = "EC2 Auto Scaling Instance Refresh ";

/// The detail of an event, with the names in it that somebody else chose: none may be longer than a key of the table, or move the
/// cursor of whoever reads it. Names of groups in AWS's own events are AWS's to bound.
trait Detail: de::DeserializeOwned {
    /// Each name.
    fn names(&self) -> Vec<&str>;
}

impl Detail for ImageDetail {
    fn names(&self) -> Vec<&str> {
        vec![self.image.as_str()]
    }
}

impl Detail for InstanceDetail {
    fn names(&self) -> Vec<&str> {
        vec![self.instance_id.as_str()]
    }
}

impl Detail for CacheDetail {
    fn names(&self) -> Vec<&str> {
        vec![&self.snapshot]
    }
}

impl Detail for GoodDetail {
    fn names(&self) -> Vec<&str> {
        vec![self.source.name()]
    }
}

impl Detail for RefreshDetail {
    fn names(&self) -> Vec<&str> {
        vec![self.instance_refresh_id.as_str()]
    }
}

#[derive(Deserialize)]
struct ImageDetail {
    #[serde(rename = "ImageId")]
    image: ImageId,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct InstanceDetail {
    instance_id: InstanceId,
}

#[derive(Deserialize)]
struct CacheDetail {
    #[serde(rename = "SourceIdentifier")]
    snapshot: String,
}

#[derive(Deserialize)]
struct GoodDetail {
    source: SourceId,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RefreshDetail {
    instance_refresh_id: RefreshId,
    auto_scaling_group_name: GroupName,
    #[serde(default, deserialize_with = "number_or_text")]
    checkpoint_percentage: Option<u64>,
    #[serde(default, deserialize_with = "number_or_text")]
    checkpoint_delay: Option<u64>,
}

/// The documented example writes the two numbers as strings; nobody promises that they stay strings.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => {
            number.as_u64().map(Some).ok_or_else(|| de::Error::custom(format!("{number} is no whole number")))
        }
        Value::String(text) => {
            text.trim().parse().map(Some).map_err(|_| de::Error::custom(format!("'{text}' is no whole number")))
        }
        other => Err(de::Error::custom(format!("{other} is no number"))),
    }
}

impl Incoming {
    /// What an event means to us.
    pub fn of(envelope: Envelope) -> Result<Self, Unreadable> {
        match (envelope.source.as_str(), envelope.detail_type.as_str()) {
            ("aws.events" | "aws.scheduler", "Scheduled Event") => Ok(Self::Scheduled),
            ("aws.ec2", "EC2 AMI State Change") => {
                let detail: ImageDetail = envelope.read_detail()?;
                Ok(Self::ArtifactChanged { artifact: ArtifactId::Image(detail.image) })
            }
            ("aws.ec2", "EC2 Instance State-change Notification") => {
                let detail: InstanceDetail = envelope.read_detail()?;
                Ok(Self::InstanceChanged { instance: detail.instance_id })
            }
            // The two pages of AWS that tell of it write it with a large and with a small letter (AWS: ElastiCache events).
            ("aws.elasticache", kind) if CACHE_EVENTS.iter().any(|known| kind.eq_ignore_ascii_case(known)) => {
                let detail: CacheDetail = envelope.read_detail()?;
                let id =
                    CacheSnapshotId { family: CacheFamily::Serverless, name: detail.snapshot.to_ascii_lowercase() };
                Ok(Self::ArtifactChanged { artifact: ArtifactId::CacheSnapshot(id) })
            }
            ("aws.autoscaling", kind) if kind.starts_with(REFRESH_PREFIX) => envelope.refresh(),
            (EVENT_SOURCE, BackupRequested::DETAIL_TYPE) => {
                let request = envelope.read_detail()?;
                Ok(Self::BackupRequested { slot: whole_second(envelope.time), request })
            }
            (EVENT_SOURCE, "Backup Good") => {
                let detail: GoodDetail = envelope.read_detail()?;
                Ok(Self::BackupGood { source: detail.source })
            }
            (EVENT_SOURCE, NoticeTestRequested::DETAIL_TYPE) => {
                Ok(Self::NoticeTest { event: envelope.id.clone(), asked: envelope.read_detail()? })
            }
            (EVENT_SOURCE, ImageChangeRequested::DETAIL_TYPE) => {
                Ok(Self::ImageChange { at: whole_second(envelope.time), asked: envelope.read_detail()? })
            }
            (EVENT_SOURCE, kind @ (VerdictAsked::BY_A_PROGRAM | VerdictAsked::BY_A_PERSON)) => {
                let judge = if kind == VerdictAsked::BY_A_PERSON { Judge::Person } else { Judge::Event };
                let asked = VerdictAsked { judge, ..envelope.read_detail()? };
                Ok(Self::Verdict { at: whole_second(envelope.time), asked })
            }
            (EVENT_SOURCE, kind) => match envelope.request(kind)? {
                Some(request) => Ok(Self::Asked { at: whole_second(envelope.time), request }),
                None => Err(envelope.unknown()),
            },
            _ => Err(envelope.unknown()),
        }
    }
}

/// What ElastiCache says of node-based caches, in messages of SNS: each is the name of what happened, and the cluster (AWS:
/// Amazon SNS events). Whoever owns the topic may hear more there: what is of no snapshot means nothing to us.
#[must_use]
pub fn of_sns(messages: &[String]) -> Incoming {
    let cluster = |message: &String| {
        let told: BTreeMap<String, Value> = serde_json::from_str(message).ok()?;
        let of_snapshot = told.into_iter().find(|(what, _)| what.starts_with("ElastiCache:Snapshot"));
        of_snapshot.and_then(|(_, cluster)| cluster.as_str().map(str::to_ascii_lowercase))
    };
    Incoming::CacheChanged { clusters: messages.iter().filter_map(cluster).collect() }
}

impl Envelope {
    fn read_detail<T: Detail>(&self) -> Result<T, Unreadable> {
        let (id, detail_type) = (self.id.clone(), self.detail_type.clone());
        let detail: T = serde_json::from_value(self.detail.clone()).map_err(|source| Unreadable::Detail {
            id: id.clone(),
            detail_type: detail_type.clone(),
            source,
        })?;
        match detail.names().into_iter().try_for_each(text::name) {
            Ok(()) => Ok(detail),
            Err(source) => Err(Unreadable::Name { id, detail_type, source }),
        }
    }

    fn unknown(self) -> Unreadable {
        Unreadable::Unknown { id: self.id, detail_type: self.detail_type, source_name: self.source }
    }

    /// `None` if no request is called so.
    fn request(&self, kind: &str) -> Result<Option<Request>, Unreadable> {
        Ok(Some(match kind {
            "Hold Requested" => Request::Hold(self.read_detail()?),
            "Release Requested" => Request::Release(self.read_detail()?),
            "Skip Requested" => Request::Skip(self.read_detail()?),
            "Pin Requested" => Request::Pin(self.read_detail()?),
            "Unpin Requested" => Request::Unpin(self.read_detail()?),
            _ => return Ok(None),
        }))
    }

    fn refresh(&self) -> Result<Incoming, Unreadable> {
        let detail: RefreshDetail = self.read_detail()?;
        let what = match self.detail_type.trim_start_matches(REFRESH_PREFIX) {
            "Checkpoint Reached" => {
                let lacking = |what: &str| Unreadable::Detail {
                    id: self.id.clone(),
                    detail_type: self.detail_type.clone(),
                    source: de::Error::custom(format!("{what} is missing")),
                };
                let percentage = detail.checkpoint_percentage.ok_or_else(|| lacking("CheckpointPercentage"))?;
                RefreshChange::Checkpoint {
                    percentage: u32::try_from(percentage).unwrap_or(u32::MAX),
                    delay_seconds: detail.checkpoint_delay.ok_or_else(|| lacking("CheckpointDelay"))?,
                }
            }
            status => RefreshChange::Status(status.to_owned()),
        };
        Ok(Incoming::Refresh(RefreshNews {
            event: self.id.clone(),
            refresh: detail.instance_refresh_id,
            group: detail.auto_scaling_group_name,
            at: whole_second(self.time),
            what,
        }))
    }
}

#[cfg(test)]
#[path = "incoming_rules.rs"]
mod rules;
