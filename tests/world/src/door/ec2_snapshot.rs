//! EC2's calls about snapshots.

use lastgood_core::Time;

use super::query::Query;
use super::xml::Xml;
use super::{Action, returned, tag_set};
use crate::fault::AwsError;
use crate::snapshot::{DescribeSnapshots, Snapshot};
use crate::state::{ACCOUNT, World};

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateSnapshot" => create_snapshot,
        "DeleteSnapshot" => delete_snapshot,
        "DescribeSnapshots" => describe_snapshots,
        _ => return None,
    })
}

fn create_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let volume = query.need("VolumeId")?;
    let description = query.take("Description").unwrap_or_default();
    let tags = query.tags_of("snapshot")?;
    query.done()?;
    let made = world.ec2().create_snapshot(&volume, &description, &tags)?;
    let mut xml = Xml::default();
    snapshot(&mut xml, &made, world.time());
    Ok(xml)
}

fn delete_snapshot(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let id = query.need("SnapshotId")?;
    query.done()?;
    world.ec2().delete_snapshot(&id)?;
    Ok(returned())
}

fn describe_snapshots(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeSnapshots {
        ids: query.texts("SnapshotId"),
        owners: query.texts("Owner"),
        filters: query.filters()?,
        paging: query.paging()?,
    };
    query.done()?;
    let page = world.ec2().describe_snapshots(&asks)?;
    let mut xml = Xml::default();
    let now = world.time();
    xml.list("snapshotSet", "item", &page.items, |item, told| snapshot(item, told, now))
        .maybe("nextToken", page.next_token);
    Ok(xml)
}

fn snapshot(xml: &mut Xml, snapshot: &Snapshot, now: Time) {
    let progress = format!("{}%", snapshot.percent(now));
    xml.leaf("snapshotId", &snapshot.id)
        .leaf("volumeId", &snapshot.volume)
        .leaf("status", snapshot.state.name())
        .leaf("startTime", format!("{:.3}", snapshot.started_at))
        .maybe("completionTime", snapshot.completed_at.map(|at| format!("{at:.3}")))
        .leaf("progress", progress)
        .leaf("ownerId", ACCOUNT)
        .leaf("volumeSize", snapshot.gib)
        .leaf("description", &snapshot.description)
        .leaf("encrypted", false)
        .leaf("storageTier", "standard");
    if !snapshot.message.is_empty() {
        xml.leaf("statusMessage", &snapshot.message);
    }
    tag_set(xml, &snapshot.tags);
}
