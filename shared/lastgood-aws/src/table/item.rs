//! How records stand in the table: keys, indexed attributes, stored form.
//!
//! | Item | pk | sk |
//! |---|---|---|
//! | plan | `ACCOUNT/REGION#plans` | its name |
//! | source | `ACCOUNT/REGION#sources` | `group/NAME` |
//! | backup | `ACCOUNT/REGION#backups#group/NAME` | its slot, so that they stand in the order of time |
//! | rollout | `ACCOUNT/REGION#rollouts` | the refresh's id |
//! | sweep | `ACCOUNT/REGION#sweeps` | `sweep` |
//! | bucket | `ACCOUNT/REGION#buckets` | the action that it paces, `ec2:CreateImage` |
//!
//! `v` is the version, `body` the stored form, `mark` the write's author. `queue` and `wake` are there only while
//! something is due (index `due`), `artifact` once there is an image (index `artifact`), `expires` once the record is
//! no longer needed (TTL, in seconds since 1970).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use lastgood_core::backup::life::Queue;
use lastgood_core::backup::{Artifact, Backup, State};
use lastgood_core::id::{BackupId, ImageId, RefreshId, SourceId};
use lastgood_core::pace::Bucket;
use lastgood_core::rollout::Rollout;
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::sweep::Sweep;
use lastgood_core::{Time, backup, later, name, rollout, source, stored};
use lastgood_engine::{CallFailed, How, Key, Versioned};
use serde::de::DeserializeOwned;

use super::{Attributes, SHARDS};

/// How long a record is kept that nothing is left of at AWS: long enough to look into what happened.
const EXPIRES_SECONDS: i64 = 90 * 24 * 60 * 60;

/// The names of keys, for one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    scope: String,
}

/// A record as it is written.
#[derive(Debug)]
pub(crate) struct Item {
    key: Attributes,
    body: String,
    /// The version under which it was read.
    pub(crate) version: u64,
    due: Option<(String, Time)>,
    artifact: Option<String>,
    expires: Option<Time>,
}

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

impl Item {
    pub(crate) fn attributes(self, mark: &str) -> Attributes {
        let mut attributes = self.key;
        attributes.insert("v".into(), number(self.version + 1));
        attributes.insert("body".into(), AttributeValue::S(self.body));
        attributes.insert("mark".into(), AttributeValue::S(mark.to_owned()));
        if let Some((queue, wake)) = self.due {
            attributes.insert("queue".into(), AttributeValue::S(queue));
            attributes.insert("wake".into(), AttributeValue::N(wake.as_second().to_string()));
        }
        if let Some(artifact) = self.artifact {
            attributes.insert("artifact".into(), AttributeValue::S(artifact));
        }
        if let Some(expires) = self.expires {
            attributes.insert("expires".into(), AttributeValue::N(expires.as_second().to_string()));
        }
        attributes
    }
}

impl Keys {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { scope: format!("{account}/{region}") }
    }

    fn key(&self, kind: &str, sk: &str) -> Attributes {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(format!("{}#{kind}", self.scope))),
            ("sk".to_owned(), AttributeValue::S(sk.to_owned())),
        ])
    }

    pub(crate) fn plans(&self) -> String {
        format!("{}#plans", self.scope)
    }

    pub(crate) fn plan(&self, name: &str) -> Attributes {
        self.key("plans", name)
    }

    pub(crate) fn sources(&self) -> String {
        format!("{}#sources", self.scope)
    }

    pub(crate) fn source(&self, id: &SourceId) -> Attributes {
        self.key("sources", &id.to_string())
    }

    pub(crate) fn backups(&self, source: &SourceId) -> String {
        format!("{}#backups#{source}", self.scope)
    }

    pub(crate) fn backup(&self, id: &BackupId) -> Attributes {
        self.key(&format!("backups#{}", id.source), &id.slot_text())
    }

    pub(crate) fn rollout(&self, id: &RefreshId) -> Attributes {
        self.key("rollouts", id.as_str())
    }

    pub(crate) fn artifact(&self, image: &ImageId) -> String {
        format!("{}#{image}", self.scope)
    }

    pub(crate) fn queue(&self, queue: Queue, shard: u64) -> String {
        let name = match queue {
            Queue::Tick => "tick",
            Queue::Poll => "poll",
            Queue::Cleanup => "cleanup",
        };
        format!("{}#{name}#{shard}", self.scope)
    }

    /// Where a record waits: the same shard for the same record, spread evenly.
    fn due(&self, queue: Queue, record: &str, wake: Option<Time>) -> Option<(String, Time)> {
        let digest = name::digest(&[record]);
        let shard = u64::from_str_radix(&digest[..8], 16).unwrap_or(0) % SHARDS;
        wake.map(|wake| (self.queue(queue, shard), wake))
    }

    pub(crate) fn sweep(&self) -> Attributes {
        self.key("sweeps", "sweep")
    }

    pub(crate) fn sweep_item(&self, sweep: &Versioned<Sweep>) -> Item {
        Item {
            key: self.sweep(),
            body: stored::encode(&sweep.record),
            version: sweep.version,
            due: None,
            artifact: None,
            expires: None,
        }
    }

    pub(crate) fn bucket(&self, action: &str) -> Attributes {
        self.key("buckets", action)
    }

    pub(crate) fn bucket_item(&self, action: &str, bucket: &Versioned<Bucket>) -> Item {
        Item {
            key: self.bucket(action),
            body: stored::encode(&bucket.record),
            version: bucket.version,
            due: None,
            artifact: None,
            expires: None,
        }
    }

    pub(crate) fn plan_item(&self, planned: &Versioned<Planned>) -> Item {
        let (record, name) = (&planned.record, &planned.record.plan.name);
        Item {
            key: self.plan(name),
            body: stored::encode(record),
            version: planned.version,
            due: self.due(Queue::Tick, &format!("plan/{name}"), Some(record.survey_at)),
            artifact: None,
            expires: None,
        }
    }

    pub(crate) fn source_item(&self, source: &Versioned<Source>) -> Item {
        let record = &source.record;
        Item {
            key: self.source(&record.id),
            body: stored::encode(record),
            version: source.version,
            due: self.due(Queue::Tick, &record.id.to_string(), source::wake(record)),
            artifact: None,
            expires: None,
        }
    }

    pub(crate) fn backup_item(&self, backup: &Versioned<Backup>) -> Item {
        let record = &backup.record;
        let wake = backup::wake(record);
        let over = match record.state {
            State::Deleted => true,
            State::Failed => matches!(record.artifact, Artifact::None | Artifact::Gone),
            State::Requested | State::Creating | State::Pending | State::Good | State::Expiring | State::Deleting => {
                false
            }
        };
        Item {
            key: self.backup(&record.id),
            body: stored::encode(record),
            version: backup.version,
            due: self.due(backup::queue(record), &record.id.to_string(), wake),
            artifact: record.image.as_ref().map(|image| self.artifact(image)),
            expires: (over && wake.is_none()).then(|| later(record.since, EXPIRES_SECONDS)),
        }
    }

    pub(crate) fn rollout_item(&self, rollout: &Versioned<Rollout>) -> Item {
        let record = &rollout.record;
        let newest = record.news.iter().map(|news| news.at).max();
        Item {
            key: self.rollout(&record.refresh),
            body: stored::encode(record),
            version: rollout.version,
            due: self.due(Queue::Poll, record.refresh.as_str(), rollout::wake(record)),
            artifact: None,
            expires: newest.map(|newest| later(newest, EXPIRES_SECONDS)),
        }
    }

    /// Which record an item of an index is.
    pub(crate) fn parse(&self, item: &Attributes) -> Result<Key, CallFailed> {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        let (pk, sk) = (text("pk").unwrap_or_default(), text("sk").unwrap_or_default());
        let unknown = || unreadable("dynamodb:Query", format!("the item '{pk}', '{sk}' is none of ours"));
        let kind = pk.strip_prefix(&self.scope).and_then(|rest| rest.strip_prefix('#')).ok_or_else(unknown)?;
        match kind {
            "sources" => sk.parse().map(Key::Source).map_err(|_| unknown()),
            "plans" => Ok(Key::Plan(sk.to_owned())),
            "rollouts" => Ok(Key::Rollout(RefreshId::from(sk))),
            _ => {
                let source = kind.strip_prefix("backups#").ok_or_else(unknown)?;
                format!("{source}@{sk}").parse().map(Key::Backup).map_err(|_| unknown())
            }
        }
    }
}

pub(crate) fn wake(item: &Attributes) -> i64 {
    let wake = item.get("wake").and_then(|wake| wake.as_n().ok());
    wake.and_then(|wake| wake.parse().ok()).unwrap_or_default()
}

/// A record and its version.
pub(crate) fn read<T: DeserializeOwned>(item: &Attributes, action: &'static str) -> Result<Versioned<T>, CallFailed> {
    let body = item.get("body").and_then(|body| body.as_s().ok());
    let version = item.get("v").and_then(|version| version.as_n().ok()).and_then(|version| version.parse().ok());
    let (Some(body), Some(version)) = (body, version) else {
        return Err(unreadable(action, format!("an item without body or version: {:?}", item.get("sk"))));
    };
    let record = stored::decode(body).map_err(|error| CallFailed::new(How::Unreadable, action, error))?;
    Ok(Versioned { record, version })
}

fn unreadable(action: &'static str, what: String) -> CallFailed {
    CallFailed::new(How::Unreadable, action, what)
}
