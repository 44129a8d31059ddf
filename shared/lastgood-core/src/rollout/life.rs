//! The life of a rollout: so far, what is on record of an instance refresh, the events that AWS sent about it, each once.
//!
//! The same percentage may be visited twice after a scale-out, so a visit is known by its event, not its percentage.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::id::{GroupName, RefreshId, SourceId};
use crate::incoming::{RefreshChange, RefreshNews};
use crate::life::{Effect, Life, Step};
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

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Woken,
    /// AWS tells something of the refresh.
    News(RefreshNews),
}

impl Rollout {
    /// A refresh of which nothing is on record yet.
    #[must_use]
    pub fn new(refresh: RefreshId, group: GroupName) -> Self {
        Self { refresh, group, news: Vec::new(), outbox: Vec::new() }
    }

    /// Whether what an event told is not on our bus yet.
    #[must_use]
    pub fn has_to_tell(&self, event: &str) -> bool {
        let told = |news: &RefreshNews| notice(news, news.at).id;
        let ids: Vec<String> = self.news.iter().filter(|news| news.event == event).map(told).collect();
        self.outbox.iter().any(|notice| ids.contains(&notice.id))
    }
}

/// What `event` makes of `record`. News that was heard before changes nothing.
#[must_use]
pub fn decide(record: &Rollout, event: Event, now: Time) -> Step<Rollout> {
    let mut next = record.clone();
    let reason = match event {
        Event::Woken => "nothing to do but what is due".into(),
        Event::News(news) if record.news.iter().any(|known| known.event == news.event) => "it was heard before".into(),
        Event::News(news) => heard(&mut next, news, now),
    };
    Step { record: next, reason }
}

fn heard(record: &mut Rollout, news: RefreshNews, now: Time) -> String {
    let notice = notice(&news, now);
    let reason = notice.message.clone();
    record.outbox.push(notice);
    if record.news.len() == NEWS_COUNT_MAX {
        record.news.remove(0);
    }
    record.news.push(news);
    reason
}

fn notice(news: &RefreshNews, now: Time) -> Notice {
    let refresh = news.refresh.clone();
    let told = match &news.what {
        RefreshChange::Checkpoint { percentage, delay_seconds } => {
            News::CheckpointReached { refresh, percentage: *percentage, delay_seconds: *delay_seconds }
        }
        RefreshChange::Status(status) => News::RolloutChanged { refresh, status: status.clone() },
    };
    Notice::new(&SourceId::Group(news.group.clone()), &news.event, now, told)
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

impl Life for Rollout {
    type Event = Event;
    /// Nothing: it is watched.
    type Together = Infallible;
    /// Nor by itself.
    type Alone = Infallible;

    fn decide(&self, event: Event, now: Time) -> Step<Self> {
        decide(self, event, now)
    }

    fn due(&self, _: Queue, _: Time) -> Option<Effect<Infallible, Infallible>> {
        None
    }

    fn woken() -> Event {
        Event::Woken
    }

    /// It asks for nothing.
    fn unanswered(&self, _: String) -> Event {
        Event::Woken
    }

    fn holds_whoever_saved(_: &Event) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_percentage_is_two_visits_but_the_same_event_is_one() {
        let visit = |event: &str| {
            Event::News(RefreshNews {
                event: event.to_owned(),
                refresh: "r-1".into(),
                group: "web".into(),
                at: Time::UNIX_EPOCH,
                what: RefreshChange::Checkpoint { percentage: 50, delay_seconds: 300 },
            })
        };
        let none = Rollout::new("r-1".into(), "web".into());
        let one = decide(&none, visit("e-1"), Time::UNIX_EPOCH).record;
        let again = decide(&one, visit("e-1"), Time::UNIX_EPOCH).record;
        assert_eq!(one, again);
        let two = decide(&again, visit("e-2"), Time::UNIX_EPOCH).record;
        assert_eq!((two.news.len(), two.outbox.len()), (2, 2));
        assert_ne!(two.outbox[0].id, two.outbox[1].id);
        assert!(wake(&two).is_some(), "the poll sends what is left");
        let none = two.sent(&two.outbox.iter().map(|notice| notice.id.clone()).collect::<Vec<_>>());
        assert_eq!(wake(&none), None);
    }

    #[test]
    fn only_the_newest_events_are_kept() {
        let mut rollout = Rollout::new("r-1".into(), "web".into());
        for number in 0..=NEWS_COUNT_MAX {
            let news = RefreshNews {
                event: format!("e-{number}"),
                refresh: "r-1".into(),
                group: "web".into(),
                at: Time::UNIX_EPOCH,
                what: RefreshChange::Status("Started".into()),
            };
            rollout = decide(&rollout, Event::News(news), Time::UNIX_EPOCH).record;
        }
        assert_eq!(rollout.news.len(), NEWS_COUNT_MAX);
        assert_eq!(rollout.news[0].event, "e-1");
        assert_eq!(rollout.outbox.len(), NEWS_COUNT_MAX + 1, "each is told");
    }
}
