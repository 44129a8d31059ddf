//! Putting an instance on again that was off for its image: on and on, until it runs.

use super::power::{POLL_SECONDS, Power, gone};
use super::record::Backup;
use crate::facts::InstanceState;
use crate::notice::News;
use crate::refusal::{Refusal, Why};
use crate::{Time, later, seconds_between};

/// Pause before StartInstances is tried again.
pub(super) const START_RETRY_SECONDS: i64 = 20;
/// How long it may be off against its operator's will before that is told a second time, as an alarm.
pub(super) const LEFT_SECONDS_MAX: i64 = 5 * 60;
/// Pause between two looks at one that may be stopped once more.
const WATCH_SECONDS: i64 = 60;

/// Why one is off again that AWS had begun to start, as far as is known here.
const FELL_BACK: &str = "AWS began to start it, and it is off again; its StateReason may say why (AWS: DescribeInstances), as does the key of its volumes";

/// AWS would not start it: there may be no room for it (AWS: Insufficient instance capacity). It is tried on and on.
pub(super) fn start_refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why == Why::Missing {
        return gone(record, now);
    }
    let at = later(now, START_RETRY_SECONDS);
    // It is on its way down, or out: which, a look says.
    record.power.state = if refusal.why == Why::WrongState { Power::Coming(at) } else { Power::Starting(at) };
    let reason = refusal.to_string();
    // One that is on its way down takes the call as soon as it is off.
    let is_news = refusal.why != Why::WrongState;
    if is_news {
        not_started(record, &reason, now);
    }
    left(record, now, &reason);
    reason
}

/// That it could not be started is told once.
fn not_started(record: &mut Backup, reason: &str, now: Time) {
    if let Some(instance) = record.instance.clone().filter(|_| !record.power.refusal_told) {
        record.power.refusal_told = true;
        let news = News::InstanceNotStarted { backup: record.id.clone(), instance, reason: reason.to_owned() };
        record.tell(&format!("/{}", now.as_second()), now, news);
    }
}

/// Whether it is off for so long that an operator is wanted.
pub(super) fn left(record: &mut Backup, now: Time, why: &str) {
    let Some(since) = record.power.owed_at.filter(|since| seconds_between(*since, now) >= LEFT_SECONDS_MAX) else {
        return;
    };
    if let Some(instance) = record.instance.clone().filter(|_| !record.power.left_told) {
        record.power.left_told = true;
        let news = News::InstanceLeftStopped { backup: record.id.clone(), instance, since, reason: why.to_owned() };
        record.tell("", now, news);
    }
}

/// AWS would not force it off: a look says where it is now.
pub(super) fn free_refused(record: &mut Backup, refusal: &Refusal, now: Time) -> String {
    if refusal.why == Why::Missing {
        return gone(record, now);
    }
    record.power.state = Power::Coming(later(now, START_RETRY_SECONDS));
    let reason = refusal.to_string();
    left(record, now, &reason);
    reason
}

/// On its way off it can't be started, and its system may not listen: it has the time that its plan gives it, and is forced
/// then. Whoever hangs with that call may take it off once more.
fn hangs(record: &mut Backup, now: Time) -> Option<String> {
    let since = *record.power.hangs_since.get_or_insert(now);
    if seconds_between(since, now) < record.capture.stop_within_seconds {
        return None;
    }
    record.power.hangs_since = Some(now);
    record.power.doubt_at = Some(now);
    record.power.state = Power::Freeing(now);
    let within = record.capture.stop_within_seconds;
    left(record, now, "it hangs on its way off");
    Some(format!("it hangs on its way off for {within} s, and is forced off so that it can be started"))
}

/// Whether it is there again.
pub(super) fn coming(record: &mut Backup, seen: Option<InstanceState>, now: Time) -> String {
    if seen == Some(InstanceState::Stopping) {
        if let Some(reason) = hangs(record, now) {
            return reason;
        }
    } else if seen.is_some() {
        record.power.hangs_since = None;
    }
    match seen {
        Some(InstanceState::Running) => {
            record.power.on_at = Some(now);
            record.failures = 0;
            record.power.state = match record.power.heard_until(now) {
                Some(until) => Power::Watched(later(now, WATCH_SECONDS), until),
                None => Power::Running,
            };
            match record.power.downtime_seconds() {
                Some(seconds) => format!("it runs again, after {seconds} s"),
                None => "it runs again".into(),
            }
        }
        Some(InstanceState::Leaving) => gone(record, now),
        Some(InstanceState::Pending) | None => {
            record.power.state = Power::Coming(later(now, POLL_SECONDS));
            left(record, now, "AWS starts it, and it does not run yet");
            "AWS starts it".into()
        }
        // The call was not heard, or somebody has stopped it again: it was on before, and is to be on.
        Some(InstanceState::Stopped | InstanceState::Stopping) => {
            record.power.state = Power::Starting(now);
            if record.power.start_heard_at.take().is_some() {
                not_started(record, FELL_BACK, now);
            }
            left(record, now, "it is off");
            "it is off, and is started again".into()
        }
    }
}

/// Whether it stays on. What stops it now may be a call of ours that somebody hung with; after that it is its operator's.
pub(super) fn watched(record: &mut Backup, until: Time, seen: Option<InstanceState>, now: Time) -> String {
    match seen {
        Some(InstanceState::Stopped | InstanceState::Stopping) => {
            record.power.state = Power::Starting(now);
            record.power.owed_at = Some(now);
            (record.power.refusal_told, record.power.left_told) = (false, false);
            "an earlier call has stopped it once more: it is started".into()
        }
        Some(InstanceState::Leaving) => gone(record, now),
        _ if now >= until => {
            record.power.state = Power::Running;
            "it runs".into()
        }
        Some(InstanceState::Running | InstanceState::Pending) | None => {
            record.power.state = Power::Watched(later(now, WATCH_SECONDS).min(until), until);
            "it runs".into()
        }
    }
}
