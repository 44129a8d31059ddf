//! Publication: making the group launch from a good image, one saved step at a time.
//!
//! ```text
//!                                 ┌─▶ Making ─▶ Pointing ─┐
//!                                 │        └──▶ Rolling ──┤ (its rollout) ─▶ RolledBack
//!  NotAsked ─▶ Due ─▶ Reading ────┤                       ├─▶ Published
//!               │▲       │▲       └─▶ Writing ────────────┘
//!               ││       │└── Pinning (the group names $Latest or $Default)
//!               ││       ├─▶ Adopted (somebody gave the group another image, and the plan follows that)
//!               ││       └─▶ Held (reason), as from every later step ─▶ Due (released)
//!               │└── the group is locked: asked again later
//!               └─▶ Superseded (a newer backup of the source is good)
//! ```
//!
//! One backup of a source at a time has its turn (the source gives it), so that an older image never lands on top of
//! a newer one. The version in use is copied with only the image changed. What an operator changed by hand is seen
//! twice: when the template is read, and again right before the group is pointed. Whoever takes up a publication that
//! another left begins with reading the group again. A parameter is treated as a group is, with one step less.

use serde::{Deserialize, Serialize};

use super::life::{again, wait};
pub use super::place::{PublishedTo, TemplateUse, named_template, no_group, publishable};
use super::reading::{changed, made, template_read};
use super::record::Backup;
use super::{kinds, parameter, rolling, sight};
use crate::facts::{Parameter, TemplateRef};
use crate::life::{LEASE_SECONDS, RETRY_SECONDS};
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::rollout::Outcome;
use crate::source::{Expected, Turn};
use crate::{Time, later, seconds_between};

/// How long a publication may take. An instance refresh may lock the group's configuration for 14 days (AWS: Use an
/// instance refresh).
pub const PUBLISHING_SECONDS_MAX: i64 = 15 * 24 * 60 * 60;
/// Pause before a group that is locked is asked again.
pub const LOCKED_POLL_SECONDS: i64 = 5 * 60;

/// Whether the group launches from the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publication {
    /// The image is not good, or nobody wants it published.
    NotAsked,
    /// It wants its turn.
    Due,
    /// It has its turn; the group, or the parameter, is being read.
    Reading {
        /// What should be found there; `None` if anything may.
        expected: Option<Expected>,
    },
    /// AWS may or may not have heard CreateLaunchTemplateVersion.
    Making {
        /// How the group named its template.
        group: TemplateRef,
        /// The version that is copied.
        base: u64,
    },
    /// The version is made. The group may or may not be pointed at it.
    Pointing {
        /// How the group named its template.
        group: TemplateRef,
        /// The version that was copied.
        base: u64,
        /// Ours.
        version: u64,
    },
    /// The group names `$Latest` or `$Default`, and is given the number of the version that it launches from, so that AWS can
    /// go back to it. It may or may not be.
    Pinning {
        /// How the group named its template.
        group: TemplateRef,
        /// The version that it launches from.
        base: u64,
    },
    /// The version is made, and its rollout goes, or is to begin.
    Rolling {
        /// How the group named its template.
        group: TemplateRef,
        /// The version that was copied.
        base: u64,
        /// Ours.
        version: u64,
        /// When the rollout was asked for: that names it.
        at: Time,
        /// The rollout is on record.
        begun: bool,
    },
    /// AWS may or may not have heard PutParameter.
    Writing {
        /// The parameter.
        name: String,
        /// What stood there.
        was: Option<Parameter>,
    },
    /// The group launches from the image, or the parameter names it.
    Published(PublishedTo),
    /// A newer backup of the source is good, or nobody wants this one published any more.
    Superseded,
    /// Somebody gave the group this image by hand, and what follows is based on that.
    Adopted(String),
    /// The group was left as it is, and why.
    Held(String),
    /// Its rollout was rolled back, and why: it is never published again.
    RolledBack(String),
}

/// An answer about the publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationEvent {
    /// Whether it is its turn, as its source says.
    Turn(Turn),
    /// What the group launches from.
    TemplateRead(TemplateUse),
    /// The version is made, or was made when an earlier call went unanswered.
    VersionMade(u64),
    /// The group launches from our version.
    Pointed,
    /// The group names its version by number now.
    Pinned,
    /// The rollout is on record.
    RolloutBegun,
    /// How the rollout ended.
    RolloutEnded(Outcome),
    /// What stands in the parameter.
    ParameterRead(Option<Parameter>),
    /// AWS took our image for the parameter. Whether it stands there shows only when it is read.
    Written,
    /// AWS does not show the image.
    ImageUnseen,
    /// AWS refused a call, or the group can't be published to.
    Refused(Refusal),
    /// The group, its template or the parameter is no longer what was read.
    Changed(String),
}

impl Publication {
    /// Nothing is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self {
            Self::NotAsked
            | Self::Published(_)
            | Self::Superseded
            | Self::Adopted(_)
            | Self::Held(_)
            | Self::RolledBack(_) => true,
            Self::Due
            | Self::Reading { .. }
            | Self::Making { .. }
            | Self::Pointing { .. }
            | Self::Pinning { .. }
            | Self::Rolling { .. }
            | Self::Writing { .. } => false,
        }
    }
}

/// What `event` makes of a good backup's publication.
pub(super) fn step(record: &mut Backup, event: PublicationEvent, now: Time) -> String {
    use Publication::{Due, Making, Pinning, Pointing, Reading, Rolling, Writing};
    use PublicationEvent::{
        Changed, ImageUnseen, ParameterRead, Pinned, Pointed, Refused, RolloutBegun, RolloutEnded, TemplateRead,
        VersionMade, Written,
    };
    if record.publication.is_at_rest() {
        return "stale".into();
    }
    match (record.publication.clone(), event) {
        (Due, PublicationEvent::Turn(turn)) => asked(record, turn, now),
        (Reading { expected }, TemplateRead(used)) => template_read(record, expected.as_ref(), used, now),
        (Reading { expected }, ParameterRead(found)) => parameter::read(record, expected.as_ref(), found, now),
        (Making { group, base }, VersionMade(version)) => made(record, group, base, version, now),
        (Pointing { group, version, .. }, Pointed) => {
            published(record, PublishedTo::Version { template: group.template, version }, now)
        }
        (Pinning { group, base }, Pinned) => rolling::pinned(record, &group, base, now),
        (Rolling { group, base, version, at, .. }, RolloutBegun) => {
            record.publication = Rolling { group, base, version, at, begun: true };
            "its rollout is on record".into()
        }
        (Rolling { .. }, RolloutEnded(outcome)) => rolling::ended(record, outcome, now),
        // AWS checks the image some time after it took the call: only what is read there counts (AWS: PutParameter).
        (Writing { name, .. }, Written) => {
            record.publication = Due;
            record.written_at.get_or_insert(now);
            again(record, now, RETRY_SECONDS, &format!("{name} is written, and read again"))
        }
        (Reading { .. }, ImageUnseen) => unseen(record, now),
        (Reading { .. } | Making { .. } | Pointing { .. } | Pinning { .. } | Writing { .. }, Refused(refusal)) => {
            refused(record, &refusal, now)
        }
        (Reading { .. } | Making { .. } | Pointing { .. } | Pinning { .. } | Writing { .. }, Changed(what)) => {
            changed(record, &what, now)
        }
        (
            Publication::NotAsked
            | Due
            | Reading { .. }
            | Making { .. }
            | Pointing { .. }
            | Pinning { .. }
            | Rolling { .. }
            | Writing { .. }
            | Publication::Published(_)
            | Publication::Superseded
            | Publication::Adopted(_)
            | Publication::Held(_)
            | Publication::RolledBack(_),
            PublicationEvent::Turn(_)
            | TemplateRead(_)
            | VersionMade(_)
            | Pointed
            | Pinned
            | RolloutBegun
            | RolloutEnded(_)
            | ParameterRead(_)
            | Written
            | ImageUnseen
            | Refused(_)
            | Changed(_),
        ) => "stale".into(),
    }
}

/// What its source says.
fn asked(record: &mut Backup, turn: Turn, now: Time) -> String {
    match turn {
        Turn::Given { expected, publish, held } => {
            record.publish = publish;
            record.held_before = held;
            go(record, now, Publication::Reading { expected }, "it is its turn".into())
        }
        Turn::Taken => again(record, now, RETRY_SECONDS, "another backup of the source is being published"),
        Turn::Newer => rest(record, now, Publication::Superseded, "a newer backup of the source is good".into()),
        Turn::Unwanted(why) => rest(record, now, Publication::Superseded, why),
        Turn::OnHold(why, held) => {
            record.held_before = held;
            hold(record, now, why)
        }
    }
}

/// Somebody takes the record up: what was read of the group before is old by now, and is read again.
pub(super) fn woken(record: &mut Backup) -> String {
    match record.publication {
        Publication::Reading { .. }
        | Publication::Making { .. }
        | Publication::Pointing { .. }
        | Publication::Pinning { .. }
        | Publication::Writing { .. } => {
            record.publication = Publication::Due;
            "the group is read again".into()
        }
        // What was made is the rollout's now.
        Publication::Rolling { .. }
        | Publication::NotAsked
        | Publication::Due
        | Publication::RolledBack(_)
        | Publication::Published(_)
        | Publication::Superseded
        | Publication::Adopted(_)
        | Publication::Held(_) => "nothing to do but what is due".into(),
    }
}

/// An operator wants it published after all. It asks for its turn, and gets it if it is still the newest.
pub(super) fn released(record: &mut Backup, now: Time) -> String {
    match record.publication {
        Publication::Held(_) => {
            let reason = go(record, now, Publication::Due, "it is released".into());
            // Nobody is at it: the next poll takes it up, without a lease to wait for.
            record.look_at = later(now, -LEASE_SECONDS);
            record.written_at = None;
            reason
        }
        Publication::NotAsked
        | Publication::Due
        | Publication::Reading { .. }
        | Publication::Making { .. }
        | Publication::Pointing { .. }
        | Publication::Pinning { .. }
        | Publication::Rolling { .. }
        | Publication::Writing { .. }
        | Publication::Published(_)
        | Publication::Superseded
        | Publication::Adopted(_)
        | Publication::RolledBack(_) => "stale".into(),
    }
}

/// A publication that takes too long is held, whatever stands in its way.
pub(super) fn waits(record: &mut Backup, now: Time, why: &str) -> String {
    let since = record.good_at.unwrap_or(record.since);
    if record.publication.is_at_rest() || seconds_between(since, now) < PUBLISHING_SECONDS_MAX {
        return format!("later again: {why}");
    }
    hold(record, now, format!("it could not be published within 15 days; last: {why}"))
}

fn refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why == Why::Locked {
        // It asks for its turn again: should a newer backup be good by then, that one is published instead.
        record.publication = Publication::Due;
        return again(record, now, LOCKED_POLL_SECONDS, &refusal.to_string());
    }
    if refusal.why.passes() {
        return wait(record, now, refusal);
    }
    hold(record, now, refusal.to_string())
}

/// One answer without the image proves nothing (AWS: Eventual consistency). It loses its turn meanwhile, for nobody knows
/// whether it comes back.
fn unseen(record: &mut Backup, now: Time) -> String {
    if sight::is_gone(record, now) {
        return hold(record, now, kinds::words(record).gone.into());
    }
    record.publication = Publication::Due;
    again(record, now, RETRY_SECONDS, "the image is not visible")
}

pub(super) fn published(record: &mut Backup, to: PublishedTo, now: Time) -> String {
    if let Some(image) = record.image().cloned() {
        let (backup, left_alone) = (record.id.clone(), record.left_alone.clone());
        record.tell("", now, News::ImagePublished { backup, image, to: to.clone(), left_alone });
        if record.publish.max_generations == Some(record.generation) {
            let (backup, generation) = (record.id.clone(), record.generation);
            record.tell("", now, News::LineageDeep { backup, generation });
        }
    }
    let reason = match &to {
        PublishedTo::Version { template, version } => {
            format!("the group launches from version {version} of {template}")
        }
        PublishedTo::Parameter { parameter } => format!("{parameter} names the image"),
    };
    rest(record, now, Publication::Published(to), reason)
}

/// A hold for the reason for which the backup before was held is no news; after a release it is.
pub(super) fn hold(record: &mut Backup, now: Time, reason: String) -> String {
    let known = record.held_before.as_ref() == Some(&reason);
    if let Some(image) = record.image().cloned().filter(|_| !known) {
        let occasion = format!("/{}", now.as_second());
        record.tell(&occasion, now, News::PublicationHeld { backup: record.id.clone(), image, reason: reason.clone() });
    }
    rest(record, now, Publication::Held(reason.clone()), reason)
}

pub(super) fn rest(record: &mut Backup, now: Time, publication: Publication, reason: String) -> String {
    record.source_told = false;
    go(record, now, publication, reason)
}

pub(super) fn go(record: &mut Backup, now: Time, publication: Publication, reason: String) -> String {
    record.publication = publication;
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}
