//! DynamoDB: the one table, as the engine's `Store`.
//!
//! What each question costs is in the names of the keys, see `item.rs`. Every write carries the version it read.

mod item;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, PointInTimeRecoveryStatus, Put, ReturnValuesOnConditionCheckFailure, TimeToLiveStatus,
    TransactWriteItem,
};
use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::id::{ArtifactId, BackupId};
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Place, Queue, Record};
use lastgood_core::source::Source;
use lastgood_core::source::survey::Planned;
use lastgood_core::watch::Part;
use lastgood_engine::port::Looked;
use lastgood_engine::{CallFailed, How, Listed, PlanWrite, Saved, Store, Unreadable, Versioned, Written};
use serde::de::DeserializeOwned;

use crate::refusals::failed;
use crate::settings::Settings;
use item::{Item, Keys};

type Attributes = HashMap<String, AttributeValue>;

/// The table.
#[derive(Debug)]
pub struct Table {
    client: Client,
    name: String,
    keys: Keys,
    writer: String,
    writes: AtomicU64,
}

/// Why a table can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The call did not get through, or there is no such table.
    #[error("table '{0}' can't be looked up")]
    Call(String, #[source] CallFailed),
    /// The answer lacks the table's ARN.
    #[error("table '{0}' tells no ARN")]
    NoArn(String),
}

/// A sharded question: a partition of the index for each shard.
pub(crate) const SHARDS: u64 = 4;

const GET: &str = "dynamodb:GetItem";
const QUERY: &str = "dynamodb:Query";
const PUT: &str = "dynamodb:PutItem";
const TRANSACT: &str = "dynamodb:TransactWriteItems";
const NEW: &str = "attribute_not_exists(pk)";
const SAME: &str = "v = :v";

impl Table {
    /// The table of a deployment.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            client: Client::new(config),
            name: settings.table.clone(),
            keys: Keys::new(&settings.account, &settings.region),
            writer: settings.writer.clone(),
            writes: AtomicU64::new(0),
        }
    }

    /// The settings that a table's name alone tells: its ARN has the account and the region.
    pub async fn settings(config: &SdkConfig, table: &str, bus: &str) -> Result<Settings, TableError> {
        let client = Client::new(config);
        let described = client.describe_table().table_name(table).send().await;
        let described =
            described.map_err(|error| TableError::Call(table.to_owned(), failed("dynamodb:DescribeTable", error)))?;
        let no_arn = || TableError::NoArn(table.to_owned());
        let arn = described.table().and_then(|table| table.table_arn()).ok_or_else(no_arn)?;
        Settings::of_operator(table.to_owned(), bus.to_owned(), String::new(), arn).ok_or_else(no_arn)
    }

    async fn broken_recovery(&self) -> Result<Option<Part>, CallFailed> {
        let asked = self.client.describe_continuous_backups().table_name(&self.name).send().await;
        let told = asked.map_err(|error| failed("dynamodb:DescribeContinuousBackups", error))?;
        let recovery = told.continuous_backups_description().and_then(|told| told.point_in_time_recovery_description());
        let status = recovery.and_then(|told| told.point_in_time_recovery_status());
        let is_on = status == Some(&PointInTimeRecoveryStatus::Enabled);
        Ok((!is_on).then(|| Part::PointInTimeRecovery(self.name.clone())))
    }

    async fn broken_time_to_live(&self) -> Result<Option<Part>, CallFailed> {
        let asked = self.client.describe_time_to_live().table_name(&self.name).send().await;
        let told = asked.map_err(|error| failed("dynamodb:DescribeTimeToLive", error))?;
        let status = told.time_to_live_description().and_then(|told| told.time_to_live_status());
        // What has just been switched on is on within the hour (AWS: UpdateTimeToLive).
        let is_on = matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        Ok((!is_on).then(|| Part::TimeToLive(self.name.clone())))
    }

    async fn get<T: DeserializeOwned>(&self, key: Attributes) -> Result<Option<Versioned<T>>, CallFailed> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        let output = request.send().await.map_err(|error| failed(GET, error))?;
        output.item().map(|item| item::read(item, GET)).transpose()
    }

    /// Every item of a partition, all pages.
    async fn all<R: Record>(&self, partition: &str, query: QueryFluentBuilder) -> Result<Listed<R>, CallFailed> {
        let mut pages = query.consistent_read(true).into_paginator().items().send();
        let mut listed = Listed { records: Vec::new(), unreadable: Vec::new() };
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| failed(QUERY, error))?;
            match item::read(&item, QUERY) {
                Ok(record) => listed.records.push(record),
                Err(source) => {
                    let place = Place { partition: partition.to_owned(), sort: item::sort(&item) };
                    listed.unreadable.push(Unreadable { place, source });
                }
            }
        }
        Ok(listed)
    }

    fn partition(&self, pk: String) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.name);
        query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", AttributeValue::S(pk))
    }

    /// A name for one write, so that its author knows it again if its answer is lost.
    fn mark(&self) -> String {
        format!("{} {}", self.writer, self.writes.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes an item on its version. A write that the SDK repeated after a lost answer finds its own mark: then it
    /// was won.
    async fn put(&self, item: Item) -> Result<Saved, CallFailed> {
        let version = item.version;
        let mark = self.mark();
        let mut request = self
            .client
            .put_item()
            .table_name(&self.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        request = match version {
            0 => request.condition_expression(NEW),
            _ => request.condition_expression(SAME).expression_attribute_values(":v", item::number(version)),
        };
        let result = request.set_item(Some(item.attributes(&mark))).send().await;
        let Err(error) = result else { return Ok(Saved::As(version + 1)) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let ours =
                    refused.item().and_then(|old| old.get("mark")).and_then(|old| old.as_s().ok()) == Some(&mark);
                Ok(if ours { Saved::As(version + 1) } else { Saved::Outdated })
            }
            // Somebody's transaction is on this item: they save it, not we.
            Some(PutItemError::TransactionConflictException(_)) => Ok(Saved::Outdated),
            _ => Err(failed(PUT, error)),
        }
    }

    fn transact_put(&self, item: Item, mark: &str) -> Result<TransactWriteItem, CallFailed> {
        let version = item.version;
        let mut put = Put::builder().table_name(&self.name).set_item(Some(item.attributes(mark)));
        put = match version {
            0 => put.condition_expression(NEW),
            _ => put.condition_expression(SAME).expression_attribute_values(":v", item::number(version)),
        };
        let put = put.build().map_err(|error| CallFailed::new(How::NotMade, TRANSACT, error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn transact_delete(&self, key: Attributes, version: u64) -> Result<TransactWriteItem, CallFailed> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression(SAME)
            .expression_attribute_values(":v", item::number(version));
        let delete = delete.build().map_err(|error| CallFailed::new(How::NotMade, TRANSACT, error))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// All of it or nothing. The SDK sends one token with every repetition, so a lost answer is no second write.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<bool, CallFailed> {
        let result = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = result else { return Ok(true) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let lost = |code: Option<&str>| matches!(code, Some("ConditionalCheckFailed" | "TransactionConflict"));
            if cancelled.cancellation_reasons().iter().any(|reason| lost(reason.code())) {
                return Ok(false);
            }
        }
        Err(failed(TRANSACT, error))
    }

    async fn due_in_shard(
        &self,
        queue: Queue,
        shard: u64,
        now: Time,
        limit: usize,
    ) -> Result<Vec<(i64, Key)>, CallFailed> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("due")
            .key_condition_expression("queue = :queue AND wake <= :now")
            .expression_attribute_values(":queue", AttributeValue::S(self.keys.queue(queue, shard)))
            .expression_attribute_values(":now", AttributeValue::N(now.as_second().to_string()));
        let mut items = query.into_paginator().items().send();
        let mut due = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| failed(QUERY, error))?;
            match self.keys.parse(&item) {
                Ok(key) => due.push((item::wake(&item), key)),
                // Another version's, perhaps: it must not stop everything else.
                Err(error) => tracing::warn!(error = lastgood_engine::chain(&error), "an item is passed over"),
            }
            if due.len() == limit {
                break;
            }
        }
        Ok(due)
    }
}

impl Store for Table {
    fn name(&self) -> &str {
        &self.name
    }

    async fn broken(&self) -> Looked {
        let mut looked = Looked::default();
        looked.take(self.broken_recovery().await);
        looked.take(self.broken_time_to_live().await);
        looked
    }

    async fn due(&self, queue: Queue, now: Time, limit: usize) -> Result<Vec<Key>, CallFailed> {
        let shards = (0..SHARDS).map(|shard| self.due_in_shard(queue, shard, now, limit));
        let mut due: Vec<_> = futures_util::future::try_join_all(shards).await?.into_iter().flatten().collect();
        due.sort();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, key)| key).collect())
    }

    async fn load<R: Record>(&self, id: &R::Id) -> Result<Option<Versioned<R>>, CallFailed> {
        self.get(self.keys.of(&R::place(id))).await
    }

    async fn read<R: Record>(&self, of: &R::Of) -> Result<Listed<R>, CallFailed> {
        let partition = R::partition(of);
        let query = self.partition(self.keys.partition(&partition)).scan_index_forward(!R::LAST_FIRST);
        self.all(&partition, query).await
    }

    async fn save<R: Record>(&self, record: &Versioned<R>) -> Result<Saved, CallFailed> {
        self.put(self.keys.item(record, PUT)?).await
    }

    async fn backup_of(&self, artifact: &ArtifactId) -> Result<Option<BackupId>, CallFailed> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("artifact")
            .key_condition_expression("artifact = :artifact")
            .expression_attribute_values(":artifact", AttributeValue::S(self.keys.artifact(artifact)));
        let output = query.send().await.map_err(|error| failed(QUERY, error))?;
        match output.items().first().map(|item| self.keys.parse(item)).transpose()? {
            Some(Key::Backup(id)) => Ok(Some(id)),
            Some(Key::Plan(_) | Key::Source(_) | Key::Rollout(_)) | None => Ok(None),
        }
    }

    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        let mark = self.mark();
        let items = vec![
            self.transact_put(self.keys.item(source, TRANSACT)?, &mark)?,
            self.transact_put(self.keys.item(&Versioned::new(backup.clone()), TRANSACT)?, &mark)?,
        ];
        Ok(if self.transact(items).await? { Saved::As(source.version + 1) } else { Saved::Outdated })
    }

    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        self.get(self.keys.bucket(action)).await
    }

    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        self.put(self.keys.bucket_item(action, bucket)).await
    }

    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        let mark = self.mark();
        let mut items = Vec::new();
        for write in plans {
            items.push(match write {
                PlanWrite::Put(plan) => self.transact_put(self.keys.item(plan, TRANSACT)?, &mark)?,
                PlanWrite::Remove { name, version } => {
                    self.transact_delete(self.keys.of(&Planned::place(name)), *version)?
                }
            });
        }
        for source in sources {
            items.push(self.transact_put(self.keys.item(source, TRANSACT)?, &mark)?);
        }
        Ok(if self.transact(items).await? { Written::Whole } else { Written::Outdated })
    }
}
