//! Snapshots of caches. There are two families of calls, for caches of nodes and for serverless ones.

use aws_sdk_elasticache::operation::describe_serverless_cache_snapshots::DescribeServerlessCacheSnapshotsOutput;
use aws_sdk_elasticache::operation::describe_snapshots::DescribeSnapshotsOutput;
use aws_sdk_elasticache::types::{ServerlessCacheSnapshot, Snapshot, Tag};
use lastgood_core::facts::{CacheSnapshot, CacheSnapshotState, Tags};
use lastgood_core::id::{CacheFamily, CacheKind, CacheSnapshotId};
use lastgood_core::refusal::Why;
use lastgood_core::{Time, whole_second};
use lastgood_engine::call::elasticache::{
    CacheSnapshotsById, CreateCacheSnapshot, DeleteCacheSnapshot, ManualCacheSnapshots,
};
use lastgood_engine::{Answers, Call, CallFailed, Called};

use crate::Aws;
use crate::pages;
use crate::refusals::{answer, told};

/// The most that one page tells (AWS: DescribeSnapshots, MaxRecords).
const PAGE_MAX: i32 = 50;
/// What the filter calls those by hand; the answer says `manual` (AWS: DescribeSnapshots, SnapshotSource).
const BY_HAND: &str = "user";

const DESCRIBE_SERVERLESS: &str = "elasticache:DescribeServerlessCacheSnapshots";

impl Answers<ManualCacheSnapshots> for Aws {
    async fn call(&self, ManualCacheSnapshots(family): &ManualCacheSnapshots) -> Called<Vec<CacheSnapshot>> {
        let found = match family {
            CacheFamily::Nodes => {
                let request = self.cache.describe_snapshots().snapshot_source(BY_HAND).max_records(PAGE_MAX);
                let read = |page: DescribeSnapshotsOutput| page.snapshots().iter().map(of_nodes).collect();
                pages::all(ManualCacheSnapshots::ACTION, request.into_paginator().send(), read).await?
            }
            CacheFamily::Serverless => {
                let request = self.cache.describe_serverless_cache_snapshots().max_results(PAGE_MAX);
                let read = |page: DescribeServerlessCacheSnapshotsOutput| {
                    page.serverless_cache_snapshots().iter().map(of_serverless).collect()
                };
                pages::all(DESCRIBE_SERVERLESS, request.into_paginator().send(), read).await?
            }
        };
        // Whatever the filter lets through.
        Ok(found.map(|found| found.into_iter().filter(|snapshot: &CacheSnapshot| snapshot.manual).collect()))
    }
}

impl Answers<CacheSnapshotsById> for Aws {
    async fn call(&self, CacheSnapshotsById(ids): &CacheSnapshotsById) -> Called<Vec<CacheSnapshot>> {
        let mut found = Vec::new();
        for id in ids {
            let told = match id.family {
                CacheFamily::Nodes => {
                    let result = self.cache.describe_snapshots().snapshot_name(&id.name).send().await;
                    let told = answer(CacheSnapshotsById::ACTION, result)?;
                    told.map(|output| output.snapshots().iter().map(of_nodes).collect::<Result<Vec<_>, _>>())
                }
                CacheFamily::Serverless => {
                    let request = self.cache.describe_serverless_cache_snapshots();
                    let result = request.serverless_cache_snapshot_name(&id.name).send().await;
                    let told = answer(DESCRIBE_SERVERLESS, result)?;
                    told.map(|output| output.serverless_cache_snapshots().iter().map(of_serverless).collect())
                }
            };
            match told {
                Ok(snapshots) => found.extend(snapshots?),
                // One that is not there is told of by an error.
                Err(refusal) if refusal.why == Why::Missing => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        found.retain(|snapshot: &CacheSnapshot| ids.contains(&snapshot.id));
        Ok(Ok(found))
    }
}

impl Answers<CreateCacheSnapshot> for Aws {
    async fn call(&self, CreateCacheSnapshot { cache, node, id, tags }: &CreateCacheSnapshot) -> Called<()> {
        let tags = Some(written(tags));
        let action = CreateCacheSnapshot::ACTION;
        match cache.kind {
            CacheKind::Serverless => {
                let request = self.cache.create_serverless_cache_snapshot().set_tags(tags);
                let request = request.serverless_cache_snapshot_name(&id.name).serverless_cache_name(&cache.name);
                Ok(answer("elasticache:CreateServerlessCacheSnapshot", request.send().await)?.map(|_| ()))
            }
            CacheKind::Cluster | CacheKind::ReplicationGroup => {
                let request = self.cache.create_snapshot().snapshot_name(&id.name).set_tags(tags);
                // Of a group with cluster mode disabled one of its nodes is named (AWS: Taking manual backups).
                let request = match (cache.kind, node) {
                    (_, Some(node)) => request.cache_cluster_id(node),
                    (CacheKind::ReplicationGroup, None) => request.replication_group_id(&cache.name),
                    (_, None) => request.cache_cluster_id(&cache.name),
                };
                Ok(answer(action, request.send().await)?.map(|_| ()))
            }
        }
    }
}

impl Answers<DeleteCacheSnapshot> for Aws {
    async fn call(&self, DeleteCacheSnapshot(id): &DeleteCacheSnapshot) -> Called<()> {
        match id.family {
            CacheFamily::Nodes => {
                let result = self.cache.delete_snapshot().snapshot_name(&id.name).send().await;
                Ok(answer(DeleteCacheSnapshot::ACTION, result)?.map(|_| ()))
            }
            CacheFamily::Serverless => {
                let request = self.cache.delete_serverless_cache_snapshot().serverless_cache_snapshot_name(&id.name);
                Ok(answer("elasticache:DeleteServerlessCacheSnapshot", request.send().await)?.map(|_| ()))
            }
        }
    }
}

fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn of_nodes(found: &Snapshot) -> Result<CacheSnapshot, CallFailed> {
    let action = ManualCacheSnapshots::ACTION;
    let name = told(action, found.snapshot_name(), "a snapshot's name")?.to_ascii_lowercase();
    let nodes = found.node_snapshots();
    let begun = nodes.iter().filter_map(|node| time(node.snapshot_create_time()?));
    let sizes: Vec<u64> = nodes.iter().filter_map(|node| bytes(node.cache_size()?)).collect();
    let of = [found.cache_cluster_id(), found.replication_group_id()].into_iter().flatten();
    let mut of: Vec<String> =
        of.chain(nodes.iter().filter_map(|node| node.cache_cluster_id())).map(str::to_owned).collect();
    of.sort();
    of.dedup();
    Ok(CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Nodes, name },
        arn: told(action, found.arn(), "a snapshot's ARN")?.to_owned(),
        tags: Tags::new(),
        of,
        state: state(told(action, found.snapshot_status(), "a snapshot's status")?),
        manual: found.snapshot_source() == Some("manual"),
        begun_at: begun.min(),
        bytes: (!sizes.is_empty()).then(|| sizes.iter().sum()),
    })
}

fn of_serverless(found: &ServerlessCacheSnapshot) -> Result<CacheSnapshot, CallFailed> {
    let name = told(DESCRIBE_SERVERLESS, found.serverless_cache_snapshot_name(), "a snapshot's name")?;
    let of = found.serverless_cache_configuration().and_then(|cache| cache.serverless_cache_name());
    Ok(CacheSnapshot {
        id: CacheSnapshotId { family: CacheFamily::Serverless, name: name.to_ascii_lowercase() },
        arn: told(DESCRIBE_SERVERLESS, found.arn(), "a snapshot's ARN")?.to_owned(),
        tags: Tags::new(),
        of: of.map(str::to_owned).into_iter().collect(),
        state: state(told(DESCRIBE_SERVERLESS, found.status(), "a snapshot's status")?),
        // No page lists the words: what is not AWS's own daily one counts.
        manual: found.snapshot_type().is_none_or(|kind| {
            let kind = kind.to_ascii_lowercase();
            !kind.starts_with("auto") && kind != "system"
        }),
        begun_at: found.create_time().and_then(time),
        bytes: found.bytes_used_for_cache().and_then(bytes),
    })
}

/// One that is being copied or restored is there, all of it.
fn state(word: &str) -> CacheSnapshotState {
    match word.to_ascii_lowercase().as_str() {
        "creating" => CacheSnapshotState::Creating,
        "available" | "restoring" | "copying" => CacheSnapshotState::Available,
        "deleting" => CacheSnapshotState::Deleting,
        "failed" | "create-failed" => CacheSnapshotState::Failed,
        _ => CacheSnapshotState::Other(word.to_owned()),
    }
}

pub(super) fn time(told: &aws_smithy_types::DateTime) -> Option<Time> {
    Time::from_second(told.secs()).ok().map(whole_second)
}

/// `5 MB`, `1.5 GB`, or a number of bytes; nothing while it is being made (AWS: NodeSnapshot, CacheSize).
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(' ').unwrap_or((text.trim(), "B"));
    let unit: u64 = match unit.trim().to_ascii_uppercase().as_str() {
        "B" | "BYTES" => 1,
        "KB" | "KIB" => 1 << 10,
        "MB" | "MIB" => 1 << 20,
        "GB" | "GIB" => 1 << 30,
        "TB" | "TIB" => 1 << 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let tenths = part.chars().next().map_or(Some(0), |digit| digit.to_digit(10))?;
    whole.checked_mul(unit)?.checked_add(u64::from(tenths) * unit / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_every_unit_and_an_empty_one_is_none() {
        for (text, expected) in [
            ("5 MB", Some(5 << 20)),
            ("1.5 GB", Some((1 << 30) + (1 << 29))),
            ("123456", Some(123_456)),
            ("", None),
            ("many", None),
            ("5 MEGA", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
