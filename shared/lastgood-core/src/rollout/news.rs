//! What AWS's events tell of a refresh: each is taken down and announced once, and what they say is looked up.

use super::life::State;
use super::record::{NEWS_COUNT_MAX, Rollout};
use super::visit;
use crate::Time;
use crate::id::SourceId;
use crate::incoming::{RefreshChange, RefreshNews};
use crate::notice::{News, Notice};
use crate::outbox;

/// AWS tells something of a refresh of the group.
pub(super) fn heard(record: &mut Rollout, news: RefreshNews, now: Time) -> String {
    if !record.has_begun(&news.refresh) {
        return "it is of another refresh".into();
    }
    if record.news.iter().any(|known| known.event == news.event) {
        return "it was heard before".into();
    }
    if record.news.len() == NEWS_COUNT_MAX {
        record.news.remove(0);
    }
    record.news.push(news.clone());
    let pauses = matches!(record.state, State::InProgress | State::AtCheckpoint);
    if let (true, RefreshChange::Checkpoint { percentage, delay_seconds }) = (pauses, &news.what) {
        let delay = i64::try_from(*delay_seconds).unwrap_or(i64::MAX);
        return visit::reached(record, *percentage, delay, Some(news.event), news.at, now);
    }
    if !record.state.is_at_rest() {
        record.look_at = now;
    }
    let notice = notice(&news, now);
    let reason = notice.message.clone();
    outbox::put(&mut record.outbox, notice);
    reason
}

fn notice(news: &RefreshNews, now: Time) -> Notice {
    let refresh = news.refresh.clone();
    let told = match &news.what {
        RefreshChange::Checkpoint { percentage, delay_seconds } => News::CheckpointReached {
            refresh,
            percentage: *percentage,
            delay_seconds: *delay_seconds,
            rollout: None,
            visit: None,
            deadline: None,
        },
        RefreshChange::Status(status) => News::RolloutChanged { refresh, status: status.clone() },
    };
    Notice::new(&SourceId::Group(news.group.clone()), &news.event, now, told)
}
