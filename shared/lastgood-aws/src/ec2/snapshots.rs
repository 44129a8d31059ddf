//! DescribeSnapshots, DeleteSnapshot.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{self, Filter};
use lastgood_core::Time;
use lastgood_core::facts::{Snapshot, SnapshotState};
use lastgood_core::id::{SnapshotId, VolumeId};
use lastgood_engine::call::ec2::{DeleteSnapshot, FILTER_VALUES_MAX, SnapshotsById, SnapshotsTagged};
use lastgood_engine::{Answers, Call, Called};

use super::{PAGE_ITEMS, filter, literal, tags};
use crate::refusals::{answer, told};
use crate::{Aws, pages};

const DESCRIBE: &str = SnapshotsById::ACTION;

impl Answers<SnapshotsById> for Aws {
    async fn call(&self, SnapshotsById(ids): &SnapshotsById) -> Called<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            match described(&self.ec2, filter("snapshot-id", ids.iter().map(ToString::to_string))).await? {
                Ok(more) => snapshots.extend(more),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(snapshots))
    }
}

impl Answers<SnapshotsTagged> for Aws {
    async fn call(&self, SnapshotsTagged { key, value }: &SnapshotsTagged) -> Called<Vec<Snapshot>> {
        described(&self.ec2, filter(format!("tag:{key}"), [literal(value)])).await
    }
}

async fn described(client: &Client, filter: Filter) -> Called<Vec<Snapshot>> {
    let request = client.describe_snapshots().owner_ids("self").filters(filter);
    let pages = request.into_paginator().page_size(PAGE_ITEMS).send();
    let read = |found: &types::Snapshot| told(DESCRIBE, snapshot(found), "a snapshot's id");
    pages::all(DESCRIBE, pages, |page| page.snapshots().iter().map(read).collect()).await
}

fn snapshot(snapshot: &types::Snapshot) -> Option<Snapshot> {
    let state = match snapshot.state() {
        Some(types::SnapshotState::Completed) => SnapshotState::Completed,
        Some(types::SnapshotState::Pending | types::SnapshotState::Recovering) | None => SnapshotState::Pending,
        Some(other) => {
            let message = snapshot.state_message().unwrap_or("no reason given");
            SnapshotState::Broken(format!("{}: {message}", other.as_str()))
        }
    };
    let started_at = snapshot.start_time().and_then(|at| Time::from_second(at.secs()).ok());
    Some(Snapshot {
        id: SnapshotId::from(snapshot.snapshot_id()?),
        state,
        tags: tags(snapshot.tags()),
        description: snapshot.description().unwrap_or_default().to_owned(),
        started_at,
        volume: snapshot.volume_id().map(VolumeId::from),
        gib: snapshot.volume_size().and_then(|gib| u32::try_from(gib).ok()),
        // AWS tells it as text, `80%` (AWS: Snapshot, Progress).
        percent: snapshot.progress().and_then(|text| text.trim().trim_end_matches('%').parse().ok()),
    })
}

impl Answers<DeleteSnapshot> for Aws {
    async fn call(&self, DeleteSnapshot(id): &DeleteSnapshot) -> Called<()> {
        let result = self.ec2.delete_snapshot().snapshot_id(id.as_str()).send().await;
        Ok(answer(DeleteSnapshot::ACTION, result)?.map(|_| ()))
    }
}
