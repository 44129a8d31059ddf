//! The moves that every part of a life makes: into a state, into failure, the same again later, and out of a newer one's way.

use super::life::{CREATING_SECONDS_MAX, Event, REQUESTED_SECONDS_MAX, State};
use super::record::Backup;
use super::startup::START_RETRY_SECONDS;
use super::{kinds, power, publication, removal, scale_in, shutdown};
use crate::life::RETRY_SECONDS;
use crate::notice::News;
use crate::refusal::Refusal;
use crate::{Time, later, pace, seconds_between};

pub(super) fn enter(record: &mut Backup, state: State, now: Time, reason: String) -> String {
    record.state = state;
    record.since = now;
    record.look_at = now;
    record.trouble = None;
    record.reason.clone_from(&reason);
    reason
}

/// The instance went away under its image: another member is tried, once.
pub(super) fn lost(record: &mut Backup, now: Time, reason: &str) -> String {
    // A single instance has no other member.
    if record.id.source.group().is_none() {
        return fail(record, now, reason.to_owned());
    }
    record.instance_lost = true;
    let next = if record.retries().is_none() { "; another member is tried" } else { "" };
    fail(record, now, format!("{reason}{next}"))
}

pub(super) fn fail(record: &mut Backup, now: Time, reason: String) -> String {
    record.source_told = false;
    scale_in::owe(record, now);
    power::owe(record, now);
    record.tell("", now, News::BackupFailed { backup: record.id.clone(), reason: reason.clone() });
    enter(record, State::Failed, now, reason)
}

/// The same again after a pause, for this reason; or the end of the wait, if its time is over.
pub(super) fn again(record: &mut Backup, now: Time, pause_seconds: i64, why: &str) -> String {
    record.look_at = later(now, pause_seconds);
    record.trouble = Some(why.to_owned());
    // A wait for room in a quota has an end of its own.
    let quota = record.cache.quota_until.filter(|_| matches!(record.state, State::Requested | State::Creating));
    let since = match record.state {
        State::Quiescing => record.power.asked_at.unwrap_or(record.since),
        _ => quota.map_or(record.since, |until| until.max(record.since)),
    };
    let waited = seconds_between(since, now);
    let words = kinds::words(record);
    let over = |seconds_max: i64, what: &str| {
        let length =
            if seconds_max < 3600 { format!("{} min", seconds_max / 60) } else { format!("{} h", seconds_max / 3600) };
        (waited >= seconds_max).then(|| format!("{what} within {length}; last: {why}"))
    };
    let reason = match record.state {
        State::Requested => over(REQUESTED_SECONDS_MAX, words.unfound),
        State::Quiescing => over(shutdown::seconds_max(record), "the instance did not shut down"),
        State::Creating => over(CREATING_SECONDS_MAX, words.unmade),
        State::Pending => {
            let what = format!("{} did not become complete", words.artifact);
            over(kinds::pending_seconds_max(record), &what)
        }
        State::Good => return publication::waits(record, now, why),
        State::Expiring | State::Deleting | State::Failed => return removal::waits(record, now, why),
        State::Deleted => None,
    };
    match reason {
        Some(reason) => fail(record, now, reason),
        None => format!("later again: {why}"),
    }
}

/// A call did not get through: the same again after a pause that grows, but not for an instance that is off meanwhile.
pub(super) fn unanswered(record: &mut Backup, why: &str, now: Time) -> String {
    record.failures += 1;
    let (pause, failures) = if record.power.is_off() {
        (START_RETRY_SECONDS, record.failures.min(2))
    } else {
        (RETRY_SECONDS, record.failures)
    };
    let pause = pace::again_at(now, pause, failures, &record.id.to_string());
    again(record, now, seconds_between(now, pause), why)
}

/// AWS wants a pause: the same call again, later.
pub(super) fn wait(record: &mut Backup, now: Time, refusal: &Refusal) -> String {
    again(record, now, RETRY_SECONDS, &refusal.to_string())
}

/// A backup of an earlier slot that is made later would be kept for older than it is: it gives way.
pub(super) fn overtaken(record: &Backup, backups: &[Backup]) -> Option<Event> {
    let is_begun =
        |other: &Backup| matches!(other.state, State::Quiescing | State::Creating | State::Pending | State::Good);
    let slot = newer(record, backups, is_begun)?;
    Some(Event::NoOrigin(format!("it waited until the backup of {slot} was begun, which takes its place")))
}

/// The slot of the newest backup after this one that is so.
pub(super) fn newer(record: &Backup, backups: &[Backup], is_so: impl Fn(&Backup) -> bool) -> Option<Time> {
    let later = backups.iter().filter(|other| other.id.slot > record.id.slot && is_so(other));
    later.map(|other| other.id.slot).max()
}
