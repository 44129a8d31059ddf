//! Publication: making the group launch from a good image, one saved step at a time.
//!
//! ```text
//!  NotAsked ─▶ Due ─▶ Reading ─▶ Making ─▶ Pointing ─▶ Published
//!               │▲       │          │          │
//!               ││       └──────────┴──────────┴─▶ Held (reason)
//!               │└── the group is locked: asked again later
//!               └─▶ Superseded (a newer backup of the source is good)
//! ```
//!
//! One backup of a source at a time has its turn (the source gives it), so that an older image never lands on top of
//! a newer one. The version in use is copied with only the image changed. What an operator changed by hand is seen
//! twice: when the template is read, and again right before the group is pointed. Whoever takes up a publication that
//! another left begins with reading the group again.

use serde::{Deserialize, Serialize};

use super::life::{Effect, RETRY_SECONDS, again, wait};
use super::record::Backup;
use crate::facts::TemplateRef;
use crate::id::{GroupName, ImageId, TemplateId};
use crate::notice::News;
use crate::plan::OnManualChange;
use crate::refusal::{Refusal, Why};
use crate::{Time, seconds_between};

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
    /// It has its turn; the group is being read.
    Reading {
        /// The image that was published last, if any.
        last: Option<ImageId>,
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
    /// The group launches from the image.
    Published {
        /// The template.
        template: TemplateId,
        /// Its version with the image.
        version: u64,
    },
    /// A newer backup of the source is good: this one is not needed in the group.
    Superseded,
    /// The group was left as it is, and why.
    Held(String),
}

/// An answer about the publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationEvent {
    /// The source gave the turn.
    TurnGiven {
        /// The image that was published last, if any.
        last: Option<ImageId>,
        /// What the plan says now.
        on_manual_change: OnManualChange,
    },
    /// Another backup has the turn.
    TurnTaken,
    /// A newer backup is good or published.
    Newer,
    /// The source is in no plan any more.
    Unplanned,
    /// What the group launches from.
    TemplateRead(TemplateUse),
    /// The version is made, or was made when an earlier call went unanswered.
    VersionMade(u64),
    /// The group launches from our version.
    Pointed,
    /// AWS refused a call, or the group can't be published to.
    Refused(Refusal),
    /// The group or its template is no longer what was read.
    Changed(String),
}

/// What a group launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateUse {
    /// How the group names it.
    pub group: TemplateRef,
    /// The version in use, by number.
    pub version: u64,
    /// The image that it names.
    pub image: Option<String>,
    /// The version that an earlier call of ours made from the version in use, if there is one.
    pub ours: Option<u64>,
}

impl Publication {
    /// Nothing is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self {
            Self::NotAsked | Self::Published { .. } | Self::Superseded | Self::Held(_) => true,
            Self::Due | Self::Reading { .. } | Self::Making { .. } | Self::Pointing { .. } => false,
        }
    }
}

/// What `event` makes of a good backup's publication.
pub(super) fn step(record: &mut Backup, event: PublicationEvent, now: Time) -> String {
    use Publication::{Due, Making, Pointing, Reading};
    use PublicationEvent::{
        Changed, Newer, Pointed, Refused, TemplateRead, TurnGiven, TurnTaken, Unplanned, VersionMade,
    };
    if record.publication.is_at_rest() {
        return "stale".into();
    }
    match (record.publication.clone(), event) {
        (Due, TurnGiven { last, on_manual_change }) => {
            record.on_manual_change = on_manual_change;
            go(record, now, Reading { last }, "it is its turn".into())
        }
        (Due, TurnTaken) => again(record, now, RETRY_SECONDS, "another backup of the source is being published"),
        (Due, Unplanned) => rest(record, now, Publication::Superseded, "its source is in no plan any more".into()),
        (Due, Newer) => rest(record, now, Publication::Superseded, "a newer backup of the source is good".into()),
        (Reading { last }, TemplateRead(used)) => template_read(record, last.as_ref(), used, now),
        (Making { group, base }, VersionMade(version)) => made(record, group, base, version, now),
        (Pointing { group, version, .. }, Pointed) => published(record, group.template, version, now),
        (Reading { .. } | Making { .. } | Pointing { .. }, Refused(refusal)) => refused(record, &refusal, now),
        (Reading { .. } | Making { .. } | Pointing { .. }, Changed(what)) => {
            let reason = format!("{what}; it was changed by hand while the image was being published");
            hold(record, now, reason)
        }
        (
            Publication::NotAsked
            | Due
            | Reading { .. }
            | Making { .. }
            | Pointing { .. }
            | Publication::Published { .. }
            | Publication::Superseded
            | Publication::Held(_),
            TurnGiven { .. }
            | TurnTaken
            | Newer
            | Unplanned
            | TemplateRead(_)
            | VersionMade(_)
            | Pointed
            | Refused(_)
            | Changed(_),
        ) => "stale".into(),
    }
}

/// Somebody takes the record up: what was read of the group before is old by now, and is read again.
pub(super) fn woken(record: &mut Backup) -> String {
    match record.publication {
        Publication::Reading { .. } | Publication::Making { .. } | Publication::Pointing { .. } => {
            record.publication = Publication::Due;
            "the group is read again".into()
        }
        Publication::NotAsked
        | Publication::Due
        | Publication::Published { .. }
        | Publication::Superseded
        | Publication::Held(_) => "nothing to do but what is due".into(),
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

fn template_read(record: &mut Backup, last: Option<&ImageId>, used: TemplateUse, now: Time) -> String {
    let Some(ours) = record.image.clone() else { return "there is no image".into() };
    let in_use = used.image.as_deref();
    if in_use == Some(ours.as_str()) {
        return published(record, used.group.template, used.version, now);
    }
    if let Some(alias) = in_use.filter(|image| image.starts_with("resolve:")) {
        let reason = format!("the template takes its image from {alias}; write an image id into the template");
        return hold(record, now, reason);
    }
    if let Some(last) = last
        && in_use != Some(last.as_str())
        && record.on_manual_change == OnManualChange::Hold
    {
        let found = in_use.unwrap_or("no image");
        let reason = format!(
            "the group launches from {found}, not from {last} that was published last: somebody changed it; give it back {last} or set on_manual_change: overwrite"
        );
        return hold(record, now, reason);
    }
    if let Some(version) = used.ours {
        made(record, used.group, used.version, version, now)
    } else {
        let reason = format!("version {} of {} is copied", used.version, used.group.template);
        go(record, now, Publication::Making { group: used.group, base: used.version }, reason)
    }
}

fn made(record: &mut Backup, group: TemplateRef, base: u64, version: u64, now: Time) -> String {
    let reason = format!("version {version} of {} has the image", group.template);
    go(record, now, Publication::Pointing { group, base, version }, reason)
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

fn published(record: &mut Backup, template: TemplateId, version: u64, now: Time) -> String {
    if let Some(image) = record.image.clone() {
        let backup = record.id.clone();
        record.tell("", now, News::ImagePublished { backup, image, template: template.clone(), version });
    }
    let reason = format!("the group launches from version {version} of {template}");
    rest(record, now, Publication::Published { template, version }, reason)
}

fn hold(record: &mut Backup, now: Time, reason: String) -> String {
    if let Some(image) = record.image.clone() {
        record.tell("", now, News::PublicationHeld { backup: record.id.clone(), image, reason: reason.clone() });
    }
    rest(record, now, Publication::Held(reason.clone()), reason)
}

fn rest(record: &mut Backup, now: Time, publication: Publication, reason: String) -> String {
    record.source_told = false;
    go(record, now, publication, reason)
}

fn go(record: &mut Backup, now: Time, publication: Publication, reason: String) -> String {
    record.publication = publication;
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}

/// What the publication asks for next.
pub(super) fn due(record: &Backup, group: &GroupName) -> Option<Effect> {
    match &record.publication {
        Publication::Due => Some(Effect::AskTurn),
        Publication::Reading { .. } => Some(Effect::ReadTemplate(group.clone())),
        Publication::Making { group, base } => {
            Some(Effect::MakeVersion { template: group.template.clone(), base: *base, image: record.image.clone()? })
        }
        Publication::Pointing { group: named, base, version } => {
            Some(Effect::PointGroup { group: group.clone(), named: named.clone(), base: *base, version: *version })
        }
        Publication::NotAsked | Publication::Published { .. } | Publication::Superseded | Publication::Held(_) => None,
    }
}
