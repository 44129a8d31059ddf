//! EBS snapshots.

use std::collections::BTreeSet;

use lastgood_core::facts::Tags;
use lastgood_core::id::{ImageId, InstanceId, SnapshotId};
use lastgood_core::{Time, later, seconds_between};

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::instance::{Volume, check_id, check_page};
use crate::power::percent;
use crate::service::Ec2;
use crate::state::{ACCOUNT, Asked, Due, State, World, check_tags, ec2_arn, shared_arn};

/// AWS: EC2 error codes, SnapshotCreationPerVolumeRateExceeded: wait as long between snapshots of one volume.
const BETWEEN_SNAPSHOTS_SECONDS: i64 = 15;
/// AWS: Quotas for Amazon EBS, concurrent snapshots per volume.
const PENDING_PER_VOLUME_MAX: usize = 5;

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotState {
    /// Its data is being copied.
    Pending,
    /// All of it is there.
    Completed,
    /// It will never be.
    Error,
}

impl Snapshot {
    /// How much of it is copied by then, in percent.
    pub fn percent(&self, now: Time) -> u32 {
        match self.state {
            SnapshotState::Completed => 100,
            SnapshotState::Pending => percent(self.started_at, self.done_at, now),
            SnapshotState::Error => 0,
        }
    }
}

impl SnapshotState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: SnapshotId,
    /// The volume that it is of, `vol-…`.
    pub volume: String,
    /// The volume's size.
    pub gib: i64,
    /// Its state.
    pub state: SnapshotState,
    /// Why it is in `error`.
    pub message: String,
    /// `Created by CreateImage(i-…) for ami-…`, ..
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// When it was begun.
    pub started_at: Time,
    /// When it completed.
    pub completed_at: Option<Time>,
    /// The registered images that it is under.
    pub images: BTreeSet<ImageId>,
    /// It was deleted while pending: it goes when it completes.
    pub deleted: bool,
    pub(crate) visible_at: Time,
    pub(crate) done_at: Time,
    pub(crate) ends_badly: Option<String>,
}

/// What DescribeSnapshots is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeSnapshots {
    /// By id: one unknown id fails the call.
    pub ids: Vec<String>,
    /// `self`, or account ids; none: everybody's.
    pub owners: Vec<String>,
    /// `snapshot-id`, `status`, `volume-id`, `description`, `tag:…`, `tag-key`.
    pub filters: Vec<Filter>,
    /// Which page. Not together with ids.
    pub paging: Paging,
}

impl Ec2<'_> {
    /// CreateSnapshot of one volume.
    pub fn create_snapshot(&self, volume: &str, description: &str, tags: &Tags) -> Result<Snapshot, AwsError> {
        let asked = Asked::new("ec2:CreateSnapshot", ec2_arn("volume", volume), volume);
        self.0.serve(asked, |state| {
            check_tags(tags)?;
            let missing = || AwsError::new("InvalidVolume.NotFound", format!("The volume '{volume}' does not exist."));
            let mut instances = state.instances.values();
            let found = instances.find_map(|instance| {
                let volume = instance.volumes.iter().find(|held| held.id == volume)?;
                Some((instance.id.clone(), volume.clone()))
            });
            let (instance, volume) = found.ok_or_else(missing)?;
            state.snapshot_allowed(&volume)?;
            let seconds = state.settings.image_seconds + state.settings.image_seconds_per_gib * volume.gib;
            let id = state.begin_snapshot(&instance, &volume, description.to_owned(), tags, seconds);
            Ok(state.snapshots[&id].clone())
        })
    }

    /// CopySnapshot, within the region. The copy has an arbitrary volume, and is described as whoever copies it says (AWS:
    /// CopySnapshot).
    pub fn copy_snapshot(&self, id: &str, description: &str, tags: &Tags) -> Result<SnapshotId, AwsError> {
        let asked = Asked::new("ec2:CopySnapshot", shared_arn("snapshot", id), id);
        self.0.serve(asked, |state| {
            check_tags(tags)?;
            let from = state.snapshot(id)?.clone();
            if from.state != SnapshotState::Completed {
                return Err(AwsError::new("IncorrectState", format!("The snapshot '{id}' is not completed.")));
            }
            let copy = state.old_snapshot(from.gib);
            if let Some(copy) = state.snapshots.get_mut(&copy) {
                description.clone_into(&mut copy.description);
                copy.tags = tags.clone();
            }
            state.witness_makes(copy.to_string());
            Ok(copy)
        })
    }

    /// DescribeSnapshots.
    pub fn describe_snapshots(&self, asks: &DescribeSnapshots) -> Result<Page<Snapshot>, AwsError> {
        let about = format!("{:?} {:?}", asks.ids, asks.filters);
        self.0.serve(Asked::new("ec2:DescribeSnapshots", "*", about), |state| state.describe_snapshots(asks))
    }

    /// DeleteSnapshot.
    pub fn delete_snapshot(&self, id: &str) -> Result<(), AwsError> {
        let snapshot = SnapshotId::from(id);
        let asked = Asked::new("ec2:DeleteSnapshot", shared_arn("snapshot", id), id)
            .knowing_tags(move |state| Some(state.snapshots.get(&snapshot)?.tags.clone()));
        self.0.serve(asked, |state| {
            let snapshot = state.snapshot(id)?;
            // AWS: Delete an Amazon EBS snapshot: not the snapshot of a registered image, also if that is disabled.
            if let Some(image) = snapshot.images.first() {
                let message = format!("The snapshot {id} is currently in use by {image}");
                return Err(AwsError::new("InvalidSnapshot.InUse", message));
            }
            state.witness_snapshot_goes(&SnapshotId::from(id));
            state.drop_snapshot(&SnapshotId::from(id));
            Ok(())
        })
    }
}

impl World {
    /// Every snapshot, whether it can be seen yet or not.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.lock().snapshots.values().cloned().collect()
    }
}

impl State {
    fn snapshot(&self, id: &str) -> Result<&Snapshot, AwsError> {
        check_id(id, "snap-", "InvalidSnapshotID.Malformed", "snapshot ID")?;
        let missing = || AwsError::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."));
        self.snapshots.get(&SnapshotId::from(id)).ok_or_else(missing)
    }

    /// Whether another snapshot of a volume may begin now. Holds for CreateImage too.
    pub(crate) fn snapshot_allowed(&self, volume: &Volume) -> Result<(), AwsError> {
        if volume.last_snapshot_at.is_some_and(|at| seconds_between(at, self.now) < BETWEEN_SNAPSHOTS_SECONDS) {
            return Err(AwsError::new(
                "SnapshotCreationPerVolumeRateExceeded",
                "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable \
                 sleep interval between requests.",
            ));
        }
        let state_of = |id: &SnapshotId| self.snapshots.get(id).map(|snapshot| snapshot.state);
        let pending = volume.snapshots.iter().filter(|id| state_of(id) == Some(SnapshotState::Pending)).count();
        if pending >= PENDING_PER_VOLUME_MAX {
            return Err(AwsError::new(
                "ConcurrentSnapshotLimitExceeded",
                format!("Maximum allowed in-progress snapshots for a single volume exceeded: {}", volume.id),
            ));
        }
        Ok(())
    }

    fn snapshot_ends_badly(&mut self) -> Option<String> {
        let per_mille = self.sky.weather.snapshots_failing;
        let struck = self.sky.strikes(per_mille, "snapshots failed").then(|| "the weather was bad".to_owned());
        self.faults.snapshots.pop_front().or(struck)
    }

    /// Begins a snapshot that completes in `seconds`.
    pub(crate) fn begin_snapshot(
        &mut self,
        instance: &InstanceId,
        volume: &Volume,
        description: String,
        tags: &Tags,
        seconds: i64,
    ) -> SnapshotId {
        let id = SnapshotId(format!("snap-0{}", self.digits()));
        let now = self.now;
        let held = self.instances.get_mut(instance).into_iter().flat_map(|instance| &mut instance.volumes);
        if let Some(held) = held.into_iter().find(|held| held.id == volume.id) {
            held.last_snapshot_at = Some(now);
            held.snapshots.push(id.clone());
        }
        let snapshot = Snapshot {
            id: id.clone(),
            volume: volume.id.clone(),
            gib: volume.gib,
            state: SnapshotState::Pending,
            message: String::new(),
            description,
            tags: tags.clone(),
            started_at: now,
            completed_at: None,
            images: BTreeSet::new(),
            deleted: false,
            visible_at: later(now, self.settings.snapshot_visible_seconds),
            done_at: later(now, seconds),
            ends_badly: self.snapshot_ends_badly(),
        };
        self.snapshots.insert(id.clone(), snapshot);
        self.after(seconds, Due::SnapshotDone(id.clone()));
        id
    }

    pub(crate) fn snapshot_done(&mut self, id: &SnapshotId) {
        let now = self.now;
        let Some(snapshot) = self.snapshots.get_mut(id) else { return };
        if snapshot.deleted {
            self.snapshots.remove(id);
            return;
        }
        if let Some(message) = snapshot.ends_badly.take() {
            snapshot.state = SnapshotState::Error;
            snapshot.message = message;
        } else {
            snapshot.state = SnapshotState::Completed;
            snapshot.completed_at = Some(now);
        }
        self.witness_progress();
    }

    /// Deletes a snapshot. While it is pending that only takes effect when it completes, and it counts until then
    /// (AWS: Delete an Amazon EBS snapshot).
    pub(crate) fn drop_snapshot(&mut self, id: &SnapshotId) {
        match self.snapshots.get_mut(id) {
            Some(snapshot) if snapshot.state == SnapshotState::Pending => snapshot.deleted = true,
            Some(_) => {
                self.snapshots.remove(id);
            }
            None => {}
        }
    }

    fn describe_snapshots(&self, asks: &DescribeSnapshots) -> Result<Page<Snapshot>, AwsError> {
        filter::check(&asks.filters, &["snapshot-id", "status", "volume-id", "description"])?;
        check_page(&asks.paging, 5, 1000)?;
        if !asks.ids.is_empty() && asks.paging.max_results.is_some() {
            return Err(AwsError::new(
                "InvalidParameterCombination",
                "The parameter snapshotSet cannot be used with the parameter maxResults",
            ));
        }
        let visible = |snapshot: &Snapshot| snapshot.visible_at <= self.now;
        for id in &asks.ids {
            if !visible(self.snapshot(id)?) {
                let message = format!("The snapshot '{id}' does not exist.");
                return Err(AwsError::new("InvalidSnapshot.NotFound", message));
            }
        }
        let found = self.snapshots.values().filter(|snapshot| {
            visible(snapshot)
                && is_ours(&asks.owners)
                && (asks.ids.is_empty() || asks.ids.iter().any(|id| id == snapshot.id.as_str()))
                && filter::passes(&asks.filters, &snapshot.tags, |name| {
                    vec![match name {
                        "snapshot-id" => snapshot.id.to_string(),
                        "status" => snapshot.state.name().to_owned(),
                        "volume-id" => snapshot.volume.clone(),
                        _ => snapshot.description.clone(),
                    }]
                })
        });
        let keyed = found.map(|snapshot| (snapshot.id.to_string(), snapshot.clone()));
        filter::page(keyed, &asks.paging, self.settings.page_items_max)
    }
}

/// Whether what is in this account has one of these owners.
pub(crate) fn is_ours(owners: &[String]) -> bool {
    owners.is_empty() || owners.iter().any(|owner| owner == "self" || owner == ACCOUNT)
}
