//! What is on record of a source. Plain data: what changes it is in `life.rs` and beside it.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::backup::PublishedTo;
use crate::id::{ArtifactId, BackupId, ImageId, InstanceId, RolloutId, SourceId};
use crate::name::jitter;
use crate::notice::{News, Notice};
use crate::outbox;
use crate::plan::{Plan, Policy};
use crate::retention::halted;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is.
    pub id: SourceId,
    /// The plan that it belongs to; `None` once it was taken out of its plan. Its backups stay then, all of them.
    pub plan: Option<String>,
    /// What the plan says.
    pub policy: Policy,
    /// The next point of the schedule.
    pub next_slot: Option<Time>,
    /// When the next good backup is due at the latest.
    pub due_by: Option<Time>,
    /// That it is overdue was told.
    #[serde(default)]
    pub overdue_told: bool,
    /// A second try for a backup that lost its instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The newest slot that had its second try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<Time>,
    /// Its newest good backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Good>,
    /// What the group launches from, as far as we published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The slot of the backup that may publish now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Time>,
    /// The backup that may take its instance off, and since when: one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_for: Option<OffFor>,
    /// The rollout that goes, if one of ours does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The image that an operator gives it, as long as that is under way: nothing else is published meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Changing>,
    /// The image that the group (or the parameter) should name when the next one is published; `None` if any may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// An operator wants nothing published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The hold or release that was heard last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Why the newest image was not published, if it was not: an operator is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Why the newest backup failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What made its last backup, or makes a restore, likelier to fail or to be felt, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// That nothing is deleted because the newest backup failed was told.
    #[serde(default)]
    pub halt_told: bool,
    /// Since when AWS does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Time>,
    /// Since when it counts as deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Time>,
    /// When all its backups may go, but for pinned ones: it was deleted, or taken out of its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<Time>,
    /// Other plans that select it by tag too; each was told once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contested_by: Vec<String>,
    /// Notices that are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
}

/// The backup that may take an instance off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffFor {
    /// Its slot.
    pub slot: Time,
    /// Since when.
    pub since: Time,
}

/// An image that an operator gives to a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changing {
    /// How far that is.
    pub rollout: RolloutId,
    /// The image. It stays, if it is one of ours.
    pub image: ImageId,
}

/// A second try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The slot that it will have: the second in which the first try failed.
    pub slot: Time,
    /// The slot of the first try.
    pub of: Time,
    /// The instance that was lost.
    pub lost: InstanceId,
}

/// An image that should be found where the next one is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its id; `None` if there was none.
    pub image: Option<String>,
    /// Why it is expected.
    pub because: Because,
}

/// The image that is found where a plan publishes, if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found(pub Option<String>);

/// Why an image is expected somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// We published it last.
    Published,
    /// It was there when the plan was applied, or the source was found.
    Applied,
    /// Somebody put it there by hand, and the plan follows that.
    Adopted,
}

impl Because {
    /// In a sentence, after the image's id.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Published => "that was published last",
            Self::Applied => "that was there when its plan was applied",
            Self::Adopted => "that was adopted last",
        }
    }
}

/// What an operator asked last, and when: requests come twice, late and in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// To hold the source.
    Hold(Time),
    /// To release it.
    Release(Time),
}

impl Asked {
    /// Whether `self` has been heard already, or was asked before `last` was. Of two within one second the one that is
    /// heard last counts.
    #[must_use]
    pub fn is_old(self, last: Option<Self>) -> bool {
        let at = |asked: Self| match asked {
            Self::Hold(at) | Self::Release(at) => at,
        };
        last.is_some_and(|last| self == last || at(self) < at(last))
    }
}

/// An operator's hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    pub at: Time,
}

impl Hold {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.reason {
            Some(reason) => format!("held by {}: {reason}", self.by),
            None => format!("held by {}", self.by),
        }
    }
}

/// A good backup, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Its slot.
    pub slot: Time,
    /// When it became good.
    pub at: Time,
    /// What AWS holds of it.
    pub artifact: ArtifactId,
    /// It is not for publishing: what was made before is not overtaken by it.
    #[serde(default)]
    pub only_kept: bool,
}

/// A published image, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The slot of its backup.
    pub slot: Time,
    /// The image.
    pub image: ImageId,
    /// Where.
    #[serde(flatten)]
    pub to: PublishedTo,
}

/// A failed backup, as its source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its slot.
    pub slot: Time,
    /// Why.
    pub reason: String,
}

impl Good {
    /// Its image, if an image is what AWS holds of it.
    #[must_use]
    pub fn image(&self) -> Option<&ImageId> {
        self.artifact.image()
    }
}

impl Source {
    /// Whether a plan waits for it to be there again.
    #[must_use]
    pub fn may_be_back(&self) -> bool {
        self.lost.is_some() && self.plan.is_some()
    }

    /// The rollouts that it waits for.
    pub fn rollouts(&self) -> impl Iterator<Item = &RolloutId> {
        self.rollout.iter().chain(self.change.iter().map(|change| &change.rollout))
    }

    /// The id of the backup of this source for `slot`.
    #[must_use]
    pub fn backup_id(&self, slot: Time) -> BackupId {
        BackupId { source: self.id.clone(), slot }
    }

    /// The time by which a good backup is due and was not seen to be.
    #[must_use]
    pub fn is_overdue(&self, now: Time) -> bool {
        self.plan.is_some() && self.due_by.is_some_and(|due_by| now > due_by)
    }

    /// By how much its backups begin after their slots, in seconds.
    #[must_use]
    pub fn spread(&self) -> i64 {
        jitter(&[&self.id.to_string()], self.policy.spread_seconds)
    }

    /// Whether its newest backup that came to an end failed: as long as that is so, nothing of it is deleted.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        halted(self.last_good.as_ref().map(|good| good.slot), self.failure.as_ref().map(|failure| failure.slot))
    }

    pub(super) fn new(id: &SourceId, plan: &Plan) -> Self {
        Self {
            id: id.clone(),
            plan: Some(plan.name.clone()),
            policy: plan.policy_of(id),
            next_slot: None,
            due_by: None,
            overdue_told: false,
            retry: None,
            retried: None,
            last_good: None,
            published: None,
            turn: None,
            off_for: None,
            rollout: None,
            change: None,
            expected: None,
            hold: None,
            asked: None,
            held: None,
            failure: None,
            warnings: Vec::new(),
            halt_told: false,
            missing_since: None,
            lost: None,
            retire_at: None,
            contested_by: Vec::new(),
            outbox: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, occasion: &str, now: Time, news: News) {
        outbox::put(&mut self.outbox, Notice::new(&self.id, occasion, now, news));
    }
}
