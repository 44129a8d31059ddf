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
//! something is due (index `due`), `artifact` once AWS has told the artifact's id (index `artifact`), `expires` once the record is
//! no longer needed (TTL, in seconds since 1970).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use lastgood_core::id::ArtifactId;
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Place, Queue, Record};
use lastgood_core::{Time, name, stored};
use lastgood_engine::{CallFailed, How, Versioned};
use serde::de::DeserializeOwned;

use super::{Attributes, SHARDS};

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

    pub(crate) fn partition(&self, partition: &str) -> String {
        format!("{}#{partition}", self.scope)
    }

    /// Where a record stands.
    pub(crate) fn of(&self, place: &Place) -> Attributes {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.partition(&place.partition))),
            ("sk".to_owned(), AttributeValue::S(place.sort.clone())),
        ])
    }

    pub(crate) fn artifact(&self, artifact: &ArtifactId) -> String {
        format!("{}#{}", self.scope, artifact.as_str())
    }

    pub(crate) fn queue(&self, queue: Queue, shard: u64) -> String {
        let name = match queue {
            Queue::Tick => "tick",
            Queue::Poll => "poll",
            Queue::Cleanup => "cleanup",
            Queue::Checkpoint => "checkpoint",
        };
        format!("{}#{name}#{shard}", self.scope)
    }

    /// A record as it is written.
    /// One that the table would not take is refused before the call, by its name.
    pub(crate) fn item<R: Record>(&self, versioned: &Versioned<R>, action: &'static str) -> Result<Item, CallFailed> {
        let record = &versioned.record;
        let place = R::place(&record.id());
        let body = stored::encode_within(record);
        Ok(Item {
            key: self.of(&place),
            body: body.map_err(|error| CallFailed::new(How::NotMade, action, error))?,
            version: versioned.version,
            due: record.waits().map(|(queue, wake)| (self.queue(queue, shard(&place)), wake)),
            artifact: record.artifact().map(|artifact| self.artifact(artifact)),
            expires: record.expires(),
        })
    }

    pub(crate) fn bucket(&self, action: &str) -> Attributes {
        self.of(&Place { partition: "buckets".to_owned(), sort: action.to_owned() })
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

    /// Which record an item of an index is.
    pub(crate) fn parse(&self, item: &Attributes) -> Result<Key, CallFailed> {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        let (pk, sk) = (text("pk").unwrap_or_default(), text("sk").unwrap_or_default());
        let partition = pk.strip_prefix(&self.scope).and_then(|rest| rest.strip_prefix('#')).unwrap_or_default();
        let place = Place { partition: partition.to_owned(), sort: sk.to_owned() };
        let unknown = || unreadable("dynamodb:Query", format!("the item '{pk}', '{sk}' is none of ours"));
        Key::at(&place).ok_or_else(unknown)
    }
}

/// Where a record waits: the same shard for the same record, spread evenly.
fn shard(place: &Place) -> u64 {
    let digest = name::digest(&[&place.partition, &place.sort]);
    u64::from_str_radix(&digest[..8], 16).unwrap_or(0) % SHARDS
}

pub(crate) fn wake(item: &Attributes) -> i64 {
    let wake = item.get("wake").and_then(|wake| wake.as_n().ok());
    wake.and_then(|wake| wake.parse().ok()).unwrap_or_default()
}

/// The sort key of an item.
pub(crate) fn sort(item: &Attributes) -> String {
    item.get("sk").and_then(|sort| sort.as_s().ok()).cloned().unwrap_or_default()
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
