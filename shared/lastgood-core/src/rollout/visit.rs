//! A visit at a checkpoint: who judges it, and what follows if nobody does in time. Each pause gets one verdict.
//!
//! A deadline is met by an answer, never by the clock alone: a visit of which nobody heard in time is looked at once more.

use super::life::{Alone, LOOK_SECONDS, State, VISIT_LOOK_SECONDS};
use super::moves::{enter, turn_back, wait};
use super::policy::{Judge, Otherwise, RolloutPolicy, verdict_seconds_max};
use super::record::{Given, Kept, Opinion, Rollout, Verdict, Visit};
use super::suspension::Suspension;
use super::verdict;
use crate::facts::Fitness;
use crate::id::SourceId;
use crate::incoming::VerdictAsked;
use crate::notice::{News, Notice};
use crate::outbox;
use crate::text::cut;
use crate::{Time, later, seconds_between, whole_second};

/// How long a visit is held at most before it is taken back.
pub const HOLD_SECONDS_MAX: i64 = 24 * 60 * 60;
/// How many pauses are kept on record: a group that scales out may come to the same one again and again.
const VISITS_MAX: usize = 30;
/// The longest reason of a verdict that is kept on record, in bytes.
const REASON_BYTES_MAX: usize = 1_000;
/// How many unfit members are named.
const UNFIT_TOLD_MAX: usize = 3;

/// A checkpoint is reached: by AWS's `event` of `at`, or as it was found.
pub(super) fn reached(
    record: &mut Rollout,
    percentage: u32,
    delay_seconds: i64,
    event: Option<String>,
    at: Time,
    now: Time,
) -> String {
    let Some(policy) = policy(record) else { return "nobody judges it".into() };
    let last = policy.checkpoints.last().copied().unwrap_or(100);
    let (at, goes_on_at) = (at.min(now), later(at.min(now), delay_seconds));
    let deadline = later(at, policy.verdict.within_seconds.min(verdict_seconds_max(delay_seconds)));
    if let Some(visit) = record.visits.last_mut() {
        // Found by looking before its event came.
        if visit.event.is_none() && visit.percentage == percentage && at <= visit.goes_on_at {
            visit.event = event;
            return "it is the pause that was found".into();
        }
        if at < visit.at {
            return format!("the pause at {percentage} percent is over");
        }
    }
    if percentage >= last {
        // It ends there, and pauses no more.
        return format!("{percentage} percent are replaced, the last of it");
    }
    // AWS went on from one pause to the next before the first was judged.
    if record.open_visit().is_some_and(|visit| visit.percentage < percentage) {
        let went_on = passed(record, now);
        if record.state != State::InProgress {
            return went_on;
        }
    }
    let occasion = event.clone();
    let open = record.visits.last_mut().filter(|visit| visit.verdict.is_none());
    let number = if let Some(visit) = open {
        // A scale-out brought it back while it waited: it waits anew.
        (visit.percentage, visit.event, visit.at) = (percentage, event, at);
        (visit.deadline, visit.goes_on_at, visit.opinions) = (deadline, goes_on_at, Vec::new());
        visit.number
    } else {
        let number = record.visits.last().map_or(1, |visit| visit.number + 1);
        if record.visits.len() == VISITS_MAX {
            record.visits.remove(0);
        }
        record.visits.push(Visit {
            number,
            percentage,
            event,
            at,
            deadline,
            goes_on_at,
            opinions: Vec::new(),
            verdict: None,
            backup: None,
            held_until: None,
            held_percentage: None,
        });
        number
    };
    let news = News::CheckpointReached {
        refresh: record.refresh.clone().unwrap_or_else(|| "".into()),
        percentage,
        delay_seconds: u64::try_from(delay_seconds).unwrap_or_default(),
        rollout: Some(record.id.clone()),
        visit: Some(number),
        deadline: Some(deadline),
    };
    match occasion {
        Some(event) => {
            let notice = Notice::new(&SourceId::Group(record.group.clone()), &event, now, news);
            outbox::put(&mut record.outbox, notice);
        }
        None => record.tell(&format!("visit-{number}"), now, news),
    }
    enter(record, State::AtCheckpoint, now, format!("it pauses at {percentage} percent"))
}

/// AWS says that the refresh goes on as before.
pub(super) fn goes_on(record: &mut Rollout, percentage: u32, now: Time, before: Time) -> String {
    record.percentage = percentage;
    match record.state {
        State::InProgress => {
            // It began to pause some time after the last look.
            if let Some((checkpoint, delay)) = found(record, percentage) {
                return reached(record, checkpoint, delay, None, before, now);
            }
            record.look_at = later(now, LOOK_SECONDS);
            format!("{percentage} percent are replaced")
        }
        State::AtCheckpoint => paused(record, percentage, now),
        State::Baking => {
            record.look_at = later(now, LOOK_SECONDS);
            "it bakes".into()
        }
        State::Preparing
        | State::Starting
        | State::TurningBack
        | State::Cancelling
        | State::StartingBack
        | State::RollingBack
        | State::Succeeded
        | State::RolledBack
        | State::RollbackFailed
        | State::Failed
        | State::Cancelled
        | State::Watched => wait(record, now, VISIT_LOOK_SECONDS, "AWS does not take it back yet"),
    }
}

/// The checkpoint at which it pauses by what AWS shows, if nobody told of it, and for how long.
fn found(record: &Rollout, percentage: u32) -> Option<(u32, i64)> {
    let policy = policy(record)?;
    let known = record.visits.iter().map(|visit| visit.percentage).max().unwrap_or(0);
    let last = policy.checkpoints.last().copied()?;
    let passed = policy.checkpoints.iter().rev().find(|checkpoint| **checkpoint <= percentage && **checkpoint < last);
    passed.filter(|checkpoint| **checkpoint > known).map(|checkpoint| (*checkpoint, policy.delay_seconds))
}

fn paused(record: &mut Rollout, percentage: u32, now: Time) -> String {
    let wants_alarms = wants(record, Judge::Alarms);
    let Some(visit) = open(record) else { return "it has its verdict".into() };
    if visit.held_until.is_some() {
        return held(record, percentage, now);
    }
    if wants_alarms {
        let reason = "AWS watches its alarms, and goes on".to_owned();
        visit.hear(Opinion { judge: Judge::Alarms, reason, at: now });
    }
    settle(record, VISIT_LOOK_SECONDS, now)
}

/// It is held. A guide of AWS says that a suspended refresh pauses and is not cancelled: it is looked at all the same.
fn held(record: &mut Rollout, percentage: u32, now: Time) -> String {
    let Some(visit) = open(record) else { return "it has its verdict".into() };
    let before = *visit.held_percentage.get_or_insert(percentage);
    if percentage > before {
        let reason = format!("it was held at {before} percent, and AWS went on to {percentage} all the same");
        return give(record, Verdict::RollBack, reason, now);
    }
    if visit.held_until.is_some_and(|until| until <= now) {
        let reason = format!("it was held for {} h, and nobody judged it", HOLD_SECONDS_MAX / 3600);
        return give(record, Verdict::RollBack, reason, now);
    }
    let until = visit.held_until.unwrap_or(now);
    record.look_at = later(now, LOOK_SECONDS).min(until.max(now));
    "it is held".into()
}

/// How the members on the new version are.
pub(super) fn fitness(record: &mut Rollout, fitness: &Fitness, now: Time) -> String {
    let unfit = unfit(fitness);
    let Some(visit) = open(record) else { return "it has its verdict".into() };
    visit.opinions.retain(|opinion| opinion.judge != Judge::Health);
    match unfit {
        None => {
            let reason = match fitness.on_version {
                1 => "1 member on the new version serves and is well".to_owned(),
                count => format!("{count} members on the new version serve and are well"),
            };
            visit.hear(Opinion { judge: Judge::Health, reason, at: now });
            record.trouble = None;
        }
        Some(why) => record.trouble = Some(why),
    }
    // AWS's own alarms are looked at next, at once.
    let at_once = missing(record) == [Judge::Alarms];
    settle(record, if at_once { 0 } else { VISIT_LOOK_SECONDS }, now)
}

/// Why they are not as they should be, if they are not.
fn unfit(fitness: &Fitness) -> Option<String> {
    if fitness.on_version == 0 {
        return Some("no member is on the new version".into());
    }
    if !fitness.unfit.is_empty() {
        let told = fitness.unfit.iter().take(UNFIT_TOLD_MAX).map(|(instance, why)| format!("{instance} {why}"));
        let told = told.collect::<Vec<_>>().join(", ");
        let more = fitness.unfit.len().saturating_sub(UNFIT_TOLD_MAX);
        return Some(if more == 0 { told } else { format!("{told}, and {more} more") });
    }
    let (serving, size) = (fitness.serving, fitness.size);
    (serving < size).then(|| format!("{serving} of {size} members serve"))
}

/// A program or a person says what they think of the visit.
pub(super) fn judged(record: &mut Rollout, asked: &VerdictAsked, at: Time, now: Time) -> String {
    if let Some(why) = verdict::unheard(record, asked, at) {
        return why;
    }
    let Some(visit) = open(record) else { return "it has its verdict".into() };
    // Whoever is asked or not: who sees that it is bad is heard. And it may be held for a person, who says so.
    if asked.verdict == Verdict::RollBack || visit.held_until.is_some() {
        return give(record, asked.verdict, asked.words(), now);
    }
    visit.hear(Opinion { judge: asked.judge, reason: asked.words(), at: now });
    // What was well a while ago is asked again.
    let is_old = |opinion: &Opinion| seconds_between(opinion.at, now) > VISIT_LOOK_SECONDS;
    visit.opinions.retain(|opinion| opinion.judge != Judge::Health || !is_old(opinion));
    let asks = missing(record).iter().any(|judge| matches!(judge, Judge::Health | Judge::Alarms));
    settle(record, if asks { 0 } else { VISIT_LOOK_SECONDS }, now)
}

/// The verdict, if all agree or its time is over; else the next question, after a pause.
fn settle(record: &mut Rollout, pause_seconds: i64, now: Time) -> String {
    let missing: Vec<Judge> = missing(record);
    let Some(visit) = record.open_visit() else { return "it has its verdict".into() };
    if missing.is_empty() {
        let reasons: Vec<_> = visit.opinions.iter().map(|opinion| opinion.reason.as_str()).collect();
        return give(record, Verdict::GoOn, reasons.join("; "), now);
    }
    if let Some(over) = due_by(record, now) {
        return over;
    }
    let Some(visit) = record.open_visit() else { return "it has its verdict".into() };
    record.look_at = later(now, pause_seconds).min(visit.deadline.max(now));
    let waits: Vec<String> = missing.iter().map(Judge::to_string).collect();
    match &record.trouble {
        Some(trouble) => format!("it waits for {}: {trouble}", waits.join(", ")),
        None => format!("it waits for {}", waits.join(", ")),
    }
}

/// What its plan says follows, if the time for a verdict is over.
pub(super) fn due_by(record: &mut Rollout, now: Time) -> Option<String> {
    let visit = record.open_visit().filter(|_| record.state == State::AtCheckpoint)?;
    if visit.held_until.is_some() || now < visit.deadline {
        return None;
    }
    let otherwise = policy(record)?.verdict.otherwise;
    let waits: Vec<String> = missing(record).iter().map(Judge::to_string).collect();
    let mut why = format!("no verdict by {} in time", waits.join(" and "));
    if let Some(trouble) = &record.trouble {
        why = format!("{why}: {trouble}");
    }
    Some(match otherwise {
        Otherwise::RollBack => give(record, Verdict::RollBack, why, now),
        Otherwise::Continue => give(record, Verdict::GoOn, format!("{why}; its plan says to go on"), now),
        Otherwise::Hold => hold(record, why, now),
    })
}

fn hold(record: &mut Rollout, why: String, now: Time) -> String {
    let (rollout, until) = (record.id.clone(), later(now, HOLD_SECONDS_MAX));
    let Some(visit) = open(record) else { return "it has its verdict".into() };
    (visit.held_until, visit.held_percentage) = (Some(until), None);
    let number = visit.number;
    record.tell(
        // It may be held again, which is told again.
        &format!("visit-{number}-until-{until}"),
        now,
        News::RolloutHeld { rollout, visit: number, until, reason: why.clone() },
    );
    record.suspension = record.suspension.wanted();
    record.look_at = now;
    record.reason.clone_from(&why);
    why
}

/// AWS went on though the visit has no verdict.
pub(super) fn passed(record: &mut Rollout, now: Time) -> String {
    let goes_on = policy(record).is_some_and(|policy| policy.verdict.otherwise == Otherwise::Continue);
    let verdict = if goes_on { Verdict::GoOn } else { Verdict::RollBack };
    give(record, verdict, "AWS went on before there was a verdict".into(), now)
}

pub(super) fn give(record: &mut Rollout, verdict: Verdict, reason: String, now: Time) -> String {
    if !note(record, verdict, &reason, now) {
        return "it has its verdict".into();
    }
    match verdict {
        Verdict::RollBack => turn_back(record, reason, now),
        Verdict::GoOn => {
            let reason = enter(record, State::InProgress, now, reason);
            if record.suspension != Suspension::Owed && backup(record).is_none() {
                record.look_at = later(now, LOOK_SECONDS);
            }
            reason
        }
    }
}

/// The refresh is being taken back already: its pause, if one is open, was judged by that.
pub(super) fn close(record: &mut Rollout, reason: &str, now: Time) {
    note(record, Verdict::RollBack, reason, now);
}

/// Notes and tells the verdict on the pause that is open, if one is.
fn note(record: &mut Rollout, verdict: Verdict, reason: &str, now: Time) -> bool {
    let rollout = record.id.clone();
    let keeps = policy(record).is_some_and(|policy| policy.backup) && verdict == Verdict::GoOn;
    let Some(visit) = open(record) else { return false };
    let reason = cut(reason.to_owned(), REASON_BYTES_MAX);
    visit.backup = keeps.then_some(Kept { slot: whole_second(now), begun: false });
    visit.verdict = Some(Given { verdict, reason: reason.clone(), at: now });
    let (visit, percentage) = (visit.number, visit.percentage);
    record.tell(&format!("visit-{visit}"), now, News::VerdictGiven { rollout, visit, percentage, verdict, reason });
    true
}

/// The backup of a pause is on record, or can't be made: what is rolled out goes on all the same.
pub(super) fn backed_up(record: &mut Rollout, told: Result<(), String>) -> String {
    if let Some(kept) = record.visits.last_mut().and_then(|visit| visit.backup.as_mut()) {
        kept.begun = true;
    }
    match told {
        Ok(()) => "the backup of its pause is on record".into(),
        Err(why) => format!("no backup is made of its pause: {why}"),
    }
}

/// The backup of the pause that was let go on last, if it is wanted and the rollout still goes on.
pub(super) fn backup(record: &Rollout) -> Option<Alone> {
    let kept = record.visits.last()?.backup.as_ref().filter(|kept| !kept.begun)?;
    matches!(record.state, State::InProgress | State::Baking).then_some(Alone::BackUp(kept.slot))
}

/// What a visit asks for.
pub(super) fn question(record: &Rollout) -> Option<Alone> {
    let visit = record.open_visit()?;
    let group = record.group.clone();
    let missing = missing(record);
    if missing.contains(&Judge::Health) && visit.held_until.is_none() {
        let order = record.order.as_ref()?;
        let (template, version) = (order.template().clone(), order.version);
        return Some(Alone::LookAtMembers { group, template, version });
    }
    Some(Alone::Look(group, record.refresh.clone()?))
}

/// The judges who have not agreed yet.
fn missing(record: &Rollout) -> Vec<Judge> {
    let Some((policy, visit)) = policy(record).zip(record.open_visit()) else { return Vec::new() };
    let agrees = |judge: &&Judge| visit.opinions.iter().any(|opinion| opinion.judge == **judge);
    policy.verdict.by.iter().filter(|judge| !agrees(judge)).copied().collect()
}

fn wants(record: &Rollout, judge: Judge) -> bool {
    missing(record).contains(&judge)
}

pub(super) fn policy(record: &Rollout) -> Option<&RolloutPolicy> {
    record.order.as_ref().map(|order| &order.policy)
}

fn open(record: &mut Rollout) -> Option<&mut Visit> {
    record.visits.last_mut().filter(|visit| visit.verdict.is_none())
}

impl Visit {
    /// Takes down what a judge says, in the place of what they said before.
    fn hear(&mut self, opinion: Opinion) {
        self.opinions.retain(|other| other.judge != opinion.judge);
        self.opinions.push(Opinion { reason: cut(opinion.reason, REASON_BYTES_MAX), ..opinion });
    }
}
