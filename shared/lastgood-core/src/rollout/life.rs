//! The life of a rollout.
//!
//! ```text
//!  Preparing (an operator's image) ─▶ Starting, or Succeeded without a refresh
//!  Starting ─▶ InProgress ⇄ AtCheckpoint ─▶ Baking ─▶ Succeeded
//!      │            └──────────┴──────────────┤ verdict "roll back", none in time, or AWS failed
//!      └─▶ Failed                             ├─▶ TurningBack ───────────────────┐
//!                                             └─▶ Cancelling ─▶ StartingBack ─▶ RollingBack ─▶ RolledBack
//!                  AWS can't roll it back: a second refresh                        └─▶ RollbackFailed
//!
//!  Cancelled: somebody else cancelled it. Watched: somebody else began it, and nothing is judged.
//!  beside it:  suspension   Untouched | Wanted | Asked | Suspended | Owed | GivenBack
//! ```
//!
//! The refresh names the new version by its number, and the group is not given it before: so AWS has something to go back
//! to, and the group's own configuration changes only when the refresh succeeds (AWS: Undo changes with a rollback). A pause
//! goes on by itself when its time is over (AWS: Add checkpoints to an instance refresh): the verdict is due before. What
//! events tell is looked up, and what they do not tell is found by looking.

use serde::{Deserialize, Serialize};

use super::change::{self, Preparing};
use super::looks::{seen, seen_back};
use super::moves::{enter, fail, rollback_failed, rolling, turn_back, unanswered, wait};
use super::news::heard;
use super::record::{Rollout, Verdict};
use super::{suspension, visit};
use crate::backup::publication::PublicationEvent;
use crate::facts::{Fitness, RefreshView};
use crate::id::{GroupName, RefreshId, TemplateId};
use crate::incoming::{RefreshNews, VerdictAsked};
use crate::life::{LEASE_SECONDS, RETRY_SECONDS, Step};
use crate::refusal::{Refusal, Why};
use crate::{Time, later, seconds_between};

/// Pause between two looks at a refresh that goes on.
pub const LOOK_SECONDS: i64 = 2 * 60;
/// Pause between two looks at a pause that waits for its verdict.
pub const VISIT_LOOK_SECONDS: i64 = 60;
/// Pause before a group that another refresh holds is asked again.
pub const LOCKED_SECONDS: i64 = 5 * 60;
/// How long a start is tried. A refresh of somebody else may hold the group for 14 days (AWS: Use an instance refresh).
pub const STARTING_SECONDS_MAX: i64 = 14 * 24 * 60 * 60;
/// How long AWS may tell nothing of a refresh before it counts as gone, as with its group.
pub const UNSEEN_SECONDS_MAX: i64 = 60 * 60;

/// Where a rollout is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// An operator's image: its template version is made, and the group pinned.
    Preparing,
    /// AWS may or may not have heard StartInstanceRefresh.
    Starting,
    /// It replaces members, or waits after a verdict until AWS goes on.
    InProgress,
    /// It pauses, and wants a verdict.
    AtCheckpoint,
    /// All is replaced, and AWS waits whether that holds.
    Baking,
    /// It is to be taken back. AWS may or may not have heard RollbackInstanceRefresh.
    TurningBack,
    /// It is to be taken back, and AWS can't. CancelInstanceRefresh may or may not have been heard.
    Cancelling,
    /// A second refresh is to go back. AWS may or may not have heard StartInstanceRefresh.
    StartingBack,
    /// It goes back.
    RollingBack,
    /// The group launches from the new version, and its members do.
    Succeeded,
    /// The group is as it was.
    RolledBack,
    /// It could not be taken back: an operator is wanted.
    RollbackFailed,
    /// It never began, and the group is as it was; or the group is gone.
    Failed,
    /// Somebody cancelled it: the group is as they left it.
    Cancelled,
    /// Somebody else began it. It is recorded and announced.
    Watched,
}

impl State {
    /// Every state, in the order of life.
    pub const ALL: [Self; 15] = [
        Self::Preparing,
        Self::Starting,
        Self::InProgress,
        Self::AtCheckpoint,
        Self::Baking,
        Self::TurningBack,
        Self::Cancelling,
        Self::StartingBack,
        Self::RollingBack,
        Self::Succeeded,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::Failed,
        Self::Cancelled,
        Self::Watched,
    ];

    /// Nothing is under way that is ours.
    #[must_use]
    pub fn is_at_rest(self) -> bool {
        match self {
            Self::Succeeded
            | Self::RolledBack
            | Self::RollbackFailed
            | Self::Failed
            | Self::Cancelled
            | Self::Watched => true,
            Self::Preparing
            | Self::Starting
            | Self::InProgress
            | Self::AtCheckpoint
            | Self::Baking
            | Self::TurningBack
            | Self::Cancelling
            | Self::StartingBack
            | Self::RollingBack => false,
        }
    }
}

/// Something that happened, or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Woken,
    /// AWS tells something of a refresh of its group.
    News(RefreshNews),
    /// Our refresh goes: begun now, or by an earlier call whose answer was lost.
    Started(RefreshId),
    /// AWS refused to begin it.
    StartRefused(Refusal),
    /// How far the refresh is; `None` if AWS does not tell of it.
    Seen(Option<RefreshView>),
    /// How the members on the new version are.
    FitnessSeen(Fitness),
    /// A program or a person has judged.
    Verdict(VerdictAsked, Time),
    /// AWS takes our refresh back.
    RollbackBegun(RefreshId),
    /// AWS refused to.
    RollbackRefused(Refusal),
    /// AWS cancels our refresh.
    CancelBegun(RefreshId),
    /// AWS refused to.
    CancelRefused(Refusal),
    /// The second refresh goes.
    BackStarted(RefreshId),
    /// AWS refused to begin it.
    BackRefused(Refusal),
    /// Whether somebody keeps the group's refreshes from going on.
    SuspensionSeen(bool),
    /// We keep them from going on.
    Suspended,
    /// AWS refused to.
    SuspendRefused(Refusal),
    /// They may go on.
    Resumed,
    /// AWS refused to resume them.
    ResumeRefused(Refusal),
    /// Whether it is an operator's image's turn.
    Turn(bool),
    /// What of an operator's image was read, or done, before its refresh begins.
    Publication(PublicationEvent),
    /// The backup of a pause is on record, or can't be made, and why.
    BackedUp(Result<(), String>),
    /// A call did not get through, and what was tried.
    Unanswered(String),
    /// Its backup and its source know how it ended.
    Told,
}

/// What a rollout asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Begin the refresh to the new version, unless ours goes already.
    Start,
    /// Look how far this refresh of the group is.
    Look(GroupName, RefreshId),
    /// Look how the group's members on the new version are.
    LookAtMembers {
        /// The group.
        group: GroupName,
        /// The launch template.
        template: TemplateId,
        /// The version.
        version: u64,
    },
    /// Take this refresh of the group back, if it is the one that goes.
    RollBack(GroupName, RefreshId),
    /// Cancel this refresh of the group, if it is the one that goes.
    Cancel(GroupName, RefreshId),
    /// Begin a second refresh, to the version that the group launched from, unless it goes already.
    StartBack,
    /// Look whether somebody keeps the group's refreshes from going on.
    LookAtSuspension(GroupName),
    /// Keep them from going on.
    Suspend(GroupName),
    /// Let them go on.
    Resume(GroupName),
    /// What an operator's image needs before its refresh begins.
    Prepare(Preparing),
    /// Begin the backup of this slot, of a member on the new version.
    BackUp(Time),
    /// Tell its backup and its source how it ended.
    Tell,
}

/// What `event` makes of `record` at `now`. An event that is late, doubled or about another refresh leaves the record as it
/// is: that is no error.
#[must_use]
pub fn decide(record: &Rollout, event: Event, now: Time) -> Step<Rollout> {
    let mut next = record.clone();
    let failed = matches!(event, Event::Unanswered(_) | Event::Woken | Event::News(_) | Event::Verdict(..));
    let reason = step(&mut next, event, now);
    if !failed && next != *record {
        next.failures = 0;
    }
    Step { record: next, reason }
}

fn step(record: &mut Rollout, event: Event, now: Time) -> String {
    use State::{
        AtCheckpoint, Baking, Cancelled, Cancelling, Failed, InProgress, Preparing, RollbackFailed, RolledBack,
        RollingBack, Starting, StartingBack, Succeeded, TurningBack, Watched,
    };
    match (record.state, event) {
        (Preparing, Event::Woken) => change::woken(record),
        (_, Event::Woken) => "nothing to do but what is due".into(),
        (_, Event::News(news)) => heard(record, news, now),
        (_, Event::Unanswered(trouble)) => unanswered(record, &trouble, now),
        (
            _,
            asked @ (Event::SuspensionSeen(_)
            | Event::Suspended
            | Event::SuspendRefused(_)
            | Event::Resumed
            | Event::ResumeRefused(_)),
        ) => suspension::answered(record, asked, now),
        (Succeeded | RolledBack | RollbackFailed | Failed | Cancelled, Event::Told) => {
            record.told = true;
            "its backup and its source know".into()
        }

        (_, Event::BackedUp(told)) => visit::backed_up(record, told),
        (Preparing, Event::Turn(given)) => change::turn(record, given, now),
        (Preparing, Event::Publication(event)) => change::answered(record, event, now),
        (Preparing, Event::Verdict(asked, _)) if asked.verdict == Verdict::RollBack => {
            change::withdrawn(record, &asked.words(), now)
        }

        (Starting, Event::Started(refresh)) => {
            let reason = format!("instance refresh {refresh} goes");
            record.refresh = Some(refresh);
            enter(record, InProgress, now, reason)
        }
        (Starting, Event::StartRefused(refusal)) => start_refused(record, &refusal, now),

        (InProgress | AtCheckpoint | Baking | TurningBack | Cancelling, Event::Seen(view)) => seen(record, view, now),
        (RollingBack, Event::Seen(view)) => seen_back(record, view, now),
        (AtCheckpoint, Event::FitnessSeen(fitness)) => visit::fitness(record, &fitness, now),
        (AtCheckpoint, Event::Verdict(asked, at)) => visit::judged(record, &asked, at, now),
        // Nobody waits for it, but an operator may change their mind.
        (InProgress | Baking, Event::Verdict(asked, _)) if asked.verdict == Verdict::RollBack => {
            turn_back(record, asked.words(), now)
        }

        (TurningBack, Event::RollbackBegun(refresh)) => rolling(record, &refresh, now),
        (TurningBack, Event::RollbackRefused(refusal)) => match refusal.why {
            // It ended meanwhile, or another call is under way: it is looked at again.
            Why::Missing | Why::Locked | Why::TooSoon | Why::Denied | Why::Quota => {
                wait(record, now, RETRY_SECONDS, &refusal.to_string())
            }
            // AWS can't take it back (AWS: RollbackInstanceRefresh, IrreversibleInstanceRefresh).
            Why::Invalid | Why::WrongState | Why::Taken | Why::InUse => {
                enter(record, Cancelling, now, refusal.to_string())
            }
        },
        (Cancelling, Event::CancelBegun(_)) => enter(record, StartingBack, now, "it is cancelled".into()),
        (Cancelling, Event::CancelRefused(refusal)) => wait(record, now, RETRY_SECONDS, &refusal.to_string()),
        (StartingBack, Event::BackStarted(refresh)) => {
            let reason = format!("instance refresh {refresh} goes back to version {}", base(record));
            record.back = Some(refresh);
            enter(record, RollingBack, now, reason)
        }
        (StartingBack, Event::BackRefused(refusal)) => back_refused(record, &refusal, now),

        (
            Starting | InProgress | AtCheckpoint | Baking | TurningBack | Cancelling | StartingBack | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::Turn(_) | Event::Publication(_),
        )
        | (
            Preparing | InProgress | AtCheckpoint | Baking | TurningBack | Cancelling | StartingBack | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::Started(_) | Event::StartRefused(_),
        )
        | (
            Preparing | Starting | StartingBack | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled
            | Watched,
            Event::Seen(_),
        )
        | (
            Preparing | Starting | InProgress | Baking | TurningBack | Cancelling | StartingBack | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::FitnessSeen(_) | Event::Verdict(..),
        )
        | (
            Preparing | Starting | InProgress | AtCheckpoint | Baking | Cancelling | StartingBack | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::RollbackBegun(_) | Event::RollbackRefused(_),
        )
        | (
            Preparing | Starting | InProgress | AtCheckpoint | Baking | TurningBack | StartingBack | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::CancelBegun(_) | Event::CancelRefused(_),
        )
        | (
            Preparing | Starting | InProgress | AtCheckpoint | Baking | TurningBack | Cancelling | RollingBack
            | Succeeded | RolledBack | RollbackFailed | Failed | Cancelled | Watched,
            Event::BackStarted(_) | Event::BackRefused(_),
        )
        | (
            Preparing | Starting | InProgress | AtCheckpoint | Baking | TurningBack | Cancelling | StartingBack
            | RollingBack | Watched,
            Event::Told,
        ) => "stale".into(),
    }
}

fn start_refused(record: &mut Rollout, refusal: &Refusal, now: Time) -> String {
    if refusal.why.passes() {
        if seconds_between(record.since, now) < STARTING_SECONDS_MAX {
            return wait(record, now, LOCKED_SECONDS, &refusal.to_string());
        }
        return fail(record, format!("it could not begin within 14 days; last: {refusal}"), now);
    }
    fail(record, refusal.to_string(), now)
}

fn base(record: &Rollout) -> u64 {
    record.order.as_ref().map_or(0, |order| order.base)
}

fn back_refused(record: &mut Rollout, refusal: &Refusal, now: Time) -> String {
    if refusal.why.passes() {
        return wait(record, now, RETRY_SECONDS, &refusal.to_string());
    }
    rollback_failed(record, &refusal.to_string(), now)
}

/// The one thing that the record asks for at `now`.
#[must_use]
pub fn due(record: &Rollout, now: Time) -> Option<Alone> {
    if now < record.look_at {
        return None;
    }
    if let Some(first) = suspension::question(record).or_else(|| visit::backup(record)) {
        return Some(first);
    }
    let group = record.group.clone();
    let ours = record.refresh.clone();
    match record.state {
        State::Preparing => change::question(record).map(Alone::Prepare),
        State::Starting => Some(Alone::Start),
        State::InProgress | State::Baking => Some(Alone::Look(group, ours?)),
        State::AtCheckpoint => visit::question(record),
        State::TurningBack => Some(Alone::RollBack(group, ours?)),
        State::Cancelling => Some(Alone::Cancel(group, ours?)),
        State::StartingBack => Some(Alone::StartBack),
        State::RollingBack => Some(Alone::Look(group, record.back.clone().or(ours)?)),
        State::Succeeded | State::RolledBack | State::RollbackFailed | State::Failed | State::Cancelled => {
            (!record.told).then_some(Alone::Tell)
        }
        State::Watched => None,
    }
}

/// When others must look at the record; `None` when it is at rest. Who moves a record goes on with it at once; others come
/// a lease later, in case that it died.
#[must_use]
pub fn wake(record: &Rollout) -> Option<Time> {
    if record.state == State::Watched {
        return (!record.outbox.is_empty()).then_some(Time::UNIX_EPOCH);
    }
    if !record.outbox.is_empty() {
        return Some(later(record.since.min(record.look_at), LEASE_SECONDS));
    }
    let waits = match record.state {
        // It was looked at, and is looked at again then.
        State::InProgress | State::AtCheckpoint | State::Baking | State::RollingBack if record.seen_at.is_some() => 0,
        _ => LEASE_SECONDS,
    };
    due(record, record.look_at).map(|_| later(record.look_at, waits))
}
