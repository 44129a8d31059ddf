//! An image that an operator gives to a group in one step: what is done before its refresh begins, or in its place.
//!
//! ```text
//!  Asked ─▶ Reading ─▶ Making ─▶ (Starting)                with a refresh
//!             ▲│          └────▶ Pointing ─▶ (Succeeded)   without one
//!             │▼
//!           Pinning (the group names $Latest or $Default)
//! ```
//!
//! It waits for its turn: what is being published or rolled out comes to its end first, and nothing else of the source is
//! published until the change has come to its own. Whatever the group launches from is replaced, for an operator says so. If
//! it comes about, backups go on from the new image; if it does not, all is as before.

use serde::{Deserialize, Serialize};

use super::life::{LOCKED_SECONDS, STARTING_SECONDS_MAX, State};
use super::moves::{enter, fail, succeed, wait};
use super::policy::{Followed, RolloutPolicy};
use super::record::{Order, Rollout};
use crate::backup::publication::{PublicationEvent, TemplateUse};
use crate::backup::rolling::{FOLLOWS_SECONDS_MIN, has_followed};
use crate::backup::sight::VISIBLE_SECONDS_MAX;
use crate::facts::{Image, ImageState, TemplateRef};
use crate::id::{BackupId, GroupName, ImageId, TemplateId};
use crate::life::RETRY_SECONDS;
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::{Time, seconds_between};

/// What an operator asked for, and how far that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The image, whoever made it.
    pub image: ImageId,
    /// The backup that it is of, if it is one of ours: it is reserved until the image is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// The account that owns it, if that is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who asks.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the members are replaced, too; else only what is launched from then on has the image.
    pub refresh: bool,
    /// How they are replaced.
    pub policy: RolloutPolicy,
    /// What is being done.
    pub step: Step,
    /// The version that the group was seen to follow, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<(u64, Time)>,
}

/// What is being done before the refresh begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It wants its turn.
    Asked,
    /// It has its turn; the group is being read.
    Reading,
    /// The group is given the number of the version that it follows, so that AWS can go back to it. It may or may not be.
    Pinning {
        /// How the group named its template.
        group: TemplateRef,
        /// The version that it launches from.
        base: u64,
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
        /// The new one.
        version: u64,
    },
}

/// What it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparing {
    /// Ask the source whether it is its turn.
    AskTurn,
    /// Read what the group launches from, for this image.
    ReadTemplate(GroupName, ImageId),
    /// Let the group name version `base` by its number.
    PinGroup {
        /// The group.
        group: GroupName,
        /// How it named its template.
        named: TemplateRef,
        /// The version that it launches from.
        base: u64,
    },
    /// Copy version `base` of the template with only the image changed.
    MakeVersion {
        /// The template.
        template: TemplateId,
        /// The version.
        base: u64,
        /// The image.
        image: ImageId,
    },
    /// Point the group at the version.
    PointGroup {
        /// The group.
        group: GroupName,
        /// How it named its template.
        named: TemplateRef,
        /// The version that was copied.
        base: u64,
        /// The new one.
        version: u64,
    },
}

impl Change {
    /// Who asks for it, and why.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.reason {
            Some(reason) => format!("asked for by {}: {reason}", self.by),
            None => format!("asked for by {}", self.by),
        }
    }
}

/// The image that an operator names, as AWS tells it now, with its owner if that is another account. Why it can't be given, if
/// so: what is mistyped is told at once.
pub fn offered(change: Change, found: Option<(Image, Option<String>)>) -> Result<Change, String> {
    let id = &change.image;
    let Some((image, owner)) = found else {
        return Err(format!(
            "AWS tells no image {id}: is its id right, is it in this region, and is it public or shared with this account?"
        ));
    };
    match &image.state {
        ImageState::Available => {}
        ImageState::Pending => return Err(format!("{id} is still being made; ask again once it is available")),
        ImageState::Disabled => return Err(format!("{id} is disabled; enable it, and ask again")),
        ImageState::Broken(why) => return Err(format!("{id} can't be launched: {why}; name another image")),
    }
    Ok(Change { owner, ..change })
}

/// Somebody takes it up: what was read of the group before is old by now, and is read again.
pub(super) fn woken(record: &mut Rollout) -> String {
    if let Some(change) = record.change.as_mut().filter(|change| change.step != Step::Asked) {
        change.step = Step::Reading;
    }
    "the group is read again".into()
}

/// An operator does not want it any more. Once AWS was asked for something it has to come to its end.
pub(super) fn withdrawn(record: &mut Rollout, words: &str, now: Time) -> String {
    match record.change.as_ref().map(|change| &change.step) {
        Some(Step::Asked | Step::Reading) => fail(record, format!("it is withdrawn before it began: {words}"), now),
        _ => "stale".into(),
    }
}

/// Whether it is its turn.
pub(super) fn turn(record: &mut Rollout, given: bool, now: Time) -> String {
    let what = "another image is being published or rolled out";
    if !given && seconds_between(record.since, now) < STARTING_SECONDS_MAX {
        return wait(record, now, RETRY_SECONDS, what);
    }
    if !given {
        return fail(record, format!("it could not begin within 14 days; last: {what}"), now);
    }
    record.since = now;
    step(record, Step::Reading, now, "it is its turn".into())
}

/// An answer about the group, its template or its image.
pub(super) fn answered(record: &mut Rollout, event: PublicationEvent, now: Time) -> String {
    let Some(change) = record.change.clone() else { return "nobody asked for it".into() };
    match (change.step.clone(), event) {
        (Step::Reading, PublicationEvent::TemplateRead(used)) => read(record, &change, used, now),
        (Step::Pinning { group, base }, PublicationEvent::Pinned) => {
            let (rollout, template, was) = (record.id.clone(), group.template, group.version.to_string());
            let news = News::GroupPinned { backup: None, rollout: Some(rollout), template, version: base, was };
            record.tell("", now, news);
            step(record, Step::Reading, now, format!("the group names version {base} by its number"))
        }
        (Step::Making { group, base }, PublicationEvent::VersionMade(version)) => {
            made(record, &change, group, base, version, now)
        }
        (Step::Pointing { .. }, PublicationEvent::Pointed) => succeed(record, now),
        // One answer without the image proves nothing (AWS: Eventual consistency).
        (Step::Reading, PublicationEvent::ImageUnseen) => {
            if seconds_between(record.since, now) < VISIBLE_SECONDS_MAX {
                return wait(record, now, RETRY_SECONDS, &format!("AWS does not tell {}", change.image));
            }
            fail(
                record,
                format!("AWS does not tell {} any more, or lets this account use it no longer", change.image),
                now,
            )
        }
        (Step::Asked, _) => "stale".into(),
        (_, PublicationEvent::Refused(refusal)) => refused(record, &refusal, now),
        (_, PublicationEvent::Changed(what)) => {
            fail(record, format!("{what}: somebody else changed it meanwhile, and it is left as it is"), now)
        }
        (_, _) => "stale".into(),
    }
}

fn read(record: &mut Rollout, change: &Change, used: TemplateUse, now: Time) -> String {
    if used.image.as_deref() == Some(change.image.as_str()) {
        return match used.made_from {
            // To make it was to give it to a group that follows the newest.
            Some(base) => made(record, change, used.group, base, used.version, now),
            None if change.refresh => {
                let image = &change.image;
                let reason = format!(
                    "{} launches from {image} already, so there would be nothing to go back to; to replace its members \
                     all the same begin an instance refresh of it by hand",
                    record.group
                );
                fail(record, reason, now)
            }
            None => made(record, change, used.group, used.version, used.version, now),
        };
    }
    if let Some(obstacle) = used.obstacle {
        return fail(record, obstacle, now);
    }
    if change.refresh && change.policy.followed == Followed::Pin && used.group.version.follows() {
        return pin(record, used.group, used.version, now);
    }
    if let Some(version) = used.ours {
        return made(record, change, used.group, used.version, version, now);
    }
    let reason = format!("version {} of {} is copied", used.version, used.group.template);
    step(record, Step::Making { group: used.group, base: used.version }, now, reason)
}

/// It is pinned once it was seen to follow this version for a while: see `backup/rolling.rs`.
fn pin(record: &mut Rollout, group: TemplateRef, base: u64, now: Time) -> String {
    let Some(change) = record.change.as_mut() else { return "nobody asked for it".into() };
    if let Err(why) = has_followed(&mut change.follows, base, now) {
        return wait(record, now, FOLLOWS_SECONDS_MIN, &why);
    }
    let reason = format!("the group follows version {base} of {} by {}", group.template, group.version);
    step(record, Step::Pinning { group, base }, now, reason)
}

fn made(record: &mut Rollout, change: &Change, group: TemplateRef, base: u64, version: u64, now: Time) -> String {
    let reason = format!("version {version} of {} has the image", group.template);
    let policy = change.policy.over(&group);
    let (named, image) = (group.clone(), change.image.clone());
    record.order = Some(Order { backup: None, image, at: now, named, base, version, policy });
    if change.refresh {
        return enter(record, State::Starting, now, reason);
    }
    step(record, Step::Pointing { group, base, version }, now, reason)
}

fn refused(record: &mut Rollout, refusal: &Refusal, now: Time) -> String {
    if !refusal.why.passes() {
        return fail(record, refusal.to_string(), now);
    }
    if seconds_between(record.since, now) >= STARTING_SECONDS_MAX {
        return fail(record, format!("it could not begin within 14 days; last: {refusal}"), now);
    }
    if let Some(change) = record.change.as_mut() {
        change.step = Step::Reading;
    }
    let pause = if refusal.why == Why::Locked { LOCKED_SECONDS } else { RETRY_SECONDS };
    wait(record, now, pause, &refusal.to_string())
}

fn step(record: &mut Rollout, step: Step, now: Time, reason: String) -> String {
    if let Some(change) = record.change.as_mut() {
        change.step = step;
    }
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}

/// What it asks for next.
pub(super) fn question(record: &Rollout) -> Option<Preparing> {
    let change = record.change.as_ref()?;
    let (group, image) = (record.group.clone(), change.image.clone());
    Some(match &change.step {
        Step::Asked => Preparing::AskTurn,
        Step::Reading => Preparing::ReadTemplate(group, image),
        Step::Pinning { group: named, base } => Preparing::PinGroup { group, named: named.clone(), base: *base },
        Step::Making { group: named, base } => {
            Preparing::MakeVersion { template: named.template.clone(), base: *base, image }
        }
        Step::Pointing { group: named, base, version } => {
            Preparing::PointGroup { group, named: named.clone(), base: *base, version: *version }
        }
    })
}
