//! Whether a group may be rolled out to, or back, as it was ordered: nobody may have given it something else meanwhile.

use super::record::{Order, Rollout};
use crate::facts::{Group, LaunchSource, RefreshView, VersionRef};
use crate::refusal::{Refusal, Why};
use crate::seconds_between;

/// How far AWS's clock and ours may be apart.
const CLOCK_SECONDS_APART_MAX: i64 = 60;

/// Where a refresh goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To the new version.
    New,
    /// Back to the version that the group launched from.
    Back,
}

impl Goal {
    /// The version.
    #[must_use]
    pub fn version(self, order: &Order) -> u64 {
        match self {
            Self::New => order.version,
            Self::Back => order.base,
        }
    }
}

/// Whether the group has a mixed instances policy; a refusal if it is not as it was ordered for.
pub fn may_begin(order: &Order, goal: Goal, group: Option<&Group>, action: &str) -> Result<bool, Refusal> {
    let no = |why: Why, message: String| Refusal { why, action: action.to_owned(), message };
    let Some(group) = group else {
        return Err(no(Why::Missing, "the group is not told".into()));
    };
    let named = group.launches_from.template();
    let ours = |version: VersionRef| match goal {
        Goal::New => version == order.named.version,
        // It may have been pinned, or given the new version before it was taken back.
        Goal::Back => {
            version == order.named.version
                || [order.base, order.version].into_iter().any(|number| version == VersionRef::Number(number))
        }
    };
    match named {
        Some(named) if named.template == *order.template() && ours(named.version) => {
            Ok(matches!(group.launches_from, LaunchSource::Mixed(_)))
        }
        Some(named) => {
            let now = format!("version {} of {}", named.version, named.template);
            let message = format!("{} launches from {now} now: it was changed by hand", group.name);
            Err(no(Why::WrongState, message))
        }
        None => Err(no(Why::WrongState, format!("{} has no launch template any more", group.name))),
    }
}

/// The refresh among the newest of a group that an earlier call of ours began.
#[must_use]
pub fn begun<'a>(record: &Rollout, order: &Order, goal: Goal, newest: &'a [RefreshView]) -> Option<&'a RefreshView> {
    let version = goal.version(order);
    let is_young = |view: &&RefreshView| {
        view.started_at.is_none_or(|at| seconds_between(record.since, at) >= -CLOCK_SECONDS_APART_MAX)
    };
    // Nobody else knows a version that was made for this backup; to the old one somebody may have gone before, and to the new
    // one a rollout of ours that did not come to its end.
    let mut ours = newest.iter().filter(|view| view.goes_to(order.template(), version)).filter(is_young);
    match goal {
        Goal::New => ours.next(),
        Goal::Back => ours.find(|view| record.refresh.as_ref() != Some(&view.id)),
    }
}

/// That another refresh is under way, if one is.
#[must_use]
pub fn in_the_way(newest: &[RefreshView], action: &str) -> Option<Refusal> {
    let active = newest.iter().find(|view| view.status.is_active())?;
    let message = format!("instance refresh {} is under way", active.id);
    Some(Refusal { why: Why::Locked, action: action.to_owned(), message })
}
