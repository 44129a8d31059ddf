//! What is on record of an instance refresh: the events that AWS sent about it, each once.
//!
//! The same percentage may be visited twice after a scale-out, so a visit is known by its event, not its percentage.

use serde::{Deserialize, Serialize};

use crate::id::{GroupName, RefreshId, SourceId};
use crate::incoming::{RefreshChange, RefreshNews};
use crate::notice::{News, Notice};
use crate::record::{EXPIRES_SECONDS, Place, Queue, ROLLOUTS, Record, Tells};
use crate::{Time, later};

/// How many events of one refresh are kept; later ones are still announced. A refresh lives 14 days at most, and has
/// a checkpoint visit for each percentage and scale-out.
pub const NEWS_COUNT_MAX: usize = 500;

/// One instance refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The refresh.
    pub refresh: RefreshId,
    /// The group.
    pub group: GroupName,
    /// What AWS told, in the order in which it came.
    pub news: Vec<RefreshNews>,
    /// Notices that are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
}

/// The record after `news`. News that was heard before changes nothing.
#[must_use]
pub fn decide(before: Option<&Rollout>, news: &RefreshNews, now: Time) -> Rollout {
    let mut rollout = before.cloned().unwrap_or_else(|| Rollout {
        refresh: news.refresh.clone(),
        group: news.group.clone(),
        news: Vec::new(),
        outbox: Vec::new(),
    });
    if rollout.news.iter().any(|known| known.event == news.event) {
        return rollout;
    }
    if rollout.news.len() == NEWS_COUNT_MAX {
        rollout.news.remove(0);
    }
    rollout.news.push(news.clone());
    let refresh = news.refresh.clone();
    let told = match &news.what {
        RefreshChange::Checkpoint { percentage, delay_seconds } => {
            News::CheckpointReached { refresh, percentage: *percentage, delay_seconds: *delay_seconds }
        }
        RefreshChange::Status(status) => News::RolloutChanged { refresh, status: status.clone() },
    };
    let source = SourceId::Group(news.group.clone());
    rollout.outbox.push(Notice::new(&source, &news.event, now, told));
    rollout
}

/// When snapshot-poll must send what checkpoint-reached did not come to send.
#[must_use]
pub fn wake(rollout: &Rollout) -> Option<Time> {
    (!rollout.outbox.is_empty()).then_some(Time::UNIX_EPOCH)
}

impl Record for Rollout {
    type Id = RefreshId;
    type Of = ();

    fn id(&self) -> RefreshId {
        self.refresh.clone()
    }

    fn place(id: &RefreshId) -> Place {
        Place { partition: Self::partition(&()), sort: id.to_string() }
    }

    fn partition((): &()) -> String {
        ROLLOUTS.to_owned()
    }

    fn waits(&self) -> Option<(Queue, Time)> {
        wake(self).map(|wake| (Queue::Poll, wake))
    }

    fn expires(&self) -> Option<Time> {
        let newest = self.news.iter().map(|news| news.at).max();
        newest.map(|newest| later(newest, EXPIRES_SECONDS))
    }
}

impl Tells for Rollout {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_percentage_is_two_visits_but_the_same_event_is_one() {
        let visit = |event: &str| RefreshNews {
            event: event.to_owned(),
            refresh: "r-1".into(),
            group: "web".into(),
            at: Time::UNIX_EPOCH,
            what: RefreshChange::Checkpoint { percentage: 50, delay_seconds: 300 },
        };
        let one = decide(None, &visit("e-1"), Time::UNIX_EPOCH);
        let again = decide(Some(&one), &visit("e-1"), Time::UNIX_EPOCH);
        assert_eq!(one, again);
        let two = decide(Some(&again), &visit("e-2"), Time::UNIX_EPOCH);
        assert_eq!((two.news.len(), two.outbox.len()), (2, 2));
        assert_ne!(two.outbox[0].id, two.outbox[1].id);
        assert!(wake(&two).is_some(), "the poll sends what is left");
        let none = two.sent(&two.outbox.iter().map(|notice| notice.id.clone()).collect::<Vec<_>>());
        assert_eq!(wake(&none), None);
    }
}
