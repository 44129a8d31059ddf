//! Which backup may take an instance off: one of a source at a time, or one would start what the other has just stopped; and
//! none that nobody wants off any more, or not at this hour.

use super::record::{OffFor, Source};
use crate::backup::instance::holds_it;
use crate::backup::{Backup, State};
use crate::{Time, later, seconds_between};

/// How long a backup that may is waited for before it has begun: longer than any function lives that may be about to save that
/// (AWS: Lambda quotas, 15 minutes).
const BEGINS_SECONDS_MAX: i64 = 16 * 60;
/// How long after its time a slot may still take its instance off: a plan says at which hour that does least harm.
pub(super) const LATE_SECONDS_MAX: i64 = 60 * 60;

/// Whether a backup may take its instance off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayTakeOff {
    /// It may.
    Yes,
    /// Another one may, for now.
    NotYet,
    /// Its plan does not want it off, and why, in words.
    Never(String),
    /// It is too late for that, and why, in words: the backup is made of the instance as it runs.
    TooLate(String),
}

/// Lets the backup of `slot` take the instance off, if it may. `backups` are all of the source.
#[must_use]
pub fn ask_off(before: &Source, slot: Time, backups: &[Backup], now: Time) -> (Source, MayTakeOff) {
    let never = |why: &str| (before.clone(), MayTakeOff::Never(why.to_owned()));
    if before.plan.is_none() || before.lost.is_some() {
        return never("it is in no plan any more: nothing is taken off");
    }
    if !before.policy.capture.stop {
        return never("its plan does not take it off any more; the next backup is made as the plan says now");
    }
    let late_seconds = seconds_between(later(slot, before.spread()), now);
    if late_seconds > LATE_SECONDS_MAX {
        let why = format!(
            "it goes on running: its time was {} min ago, and later than {} min after that nothing is taken off",
            late_seconds / 60,
            LATE_SECONDS_MAX / 60
        );
        return (before.clone(), MayTakeOff::TooLate(why));
    }
    if let Some(OffFor { slot: other, since }) = &before.off_for
        && *other != slot
    {
        let is_fresh = seconds_between(*since, now) < BEGINS_SECONDS_MAX;
        let is_at_it = match backups.iter().find(|backup| backup.id.slot == *other) {
            Some(backup) if backup.state == State::Requested => is_fresh,
            Some(backup) => holds_it(backup),
            // It came after the others were read, or its row is lost.
            None => is_fresh,
        };
        if is_at_it {
            return (before.clone(), MayTakeOff::NotYet);
        }
    }
    (Source { off_for: Some(OffFor { slot, since: now }), ..before.clone() }, MayTakeOff::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Origin;
    use crate::backup::fixtures::{now, policy};
    use crate::backup::power::Power;

    #[test]
    fn one_backup_at_a_time_may_and_the_next_one_once_nothing_is_owed_to_the_instance() {
        let text = "plans: [{name: db, select: {instances: [i-12345678]}, schedule: hourly, capture: {reboot: stop}}]";
        let plan = crate::plan::read("plans.yaml", text).expect("a plan").plans.remove(0).plan;
        let source = crate::source::apply(None, &plan.select.sources[0].clone(), &plan, now());
        let slot = |hours: i64| later(now(), hours * 3600);
        let backup = |hours, state, power| {
            let id = crate::id::BackupId { source: source.id.clone(), slot: slot(hours) };
            let mut backup = Backup::requested(id, "db", Origin::Schedule, &policy(), now());
            (backup.state, backup.power.state) = (state, power);
            backup
        };
        let (taken, may) = ask_off(&source, slot(0), &[], now());
        assert_eq!(may, MayTakeOff::Yes);
        assert_eq!(ask_off(&taken, slot(0), &[], now()).1, MayTakeOff::Yes, "it asks again");
        let may = |backups: &[Backup], minutes: i64| {
            ask_off(&taken, slot(1), backups, later(now(), minutes * 60)).1 == MayTakeOff::Yes
        };
        for (state, power, early, late) in [
            (State::Requested, Power::Untouched, false, true),
            (State::Quiescing, Power::Stopping(None), false, false),
            (State::Pending, Power::Stopped, false, false),
            (State::Failed, Power::Starting(now()), false, false),
            (State::Good, Power::Watched(now(), now()), false, false),
            (State::Pending, Power::Running, true, true),
            (State::Failed, Power::Gone, true, true),
        ] {
            let backups = [backup(0, state, power)];
            assert_eq!((may(&backups, 15), may(&backups, 16)), (early, late), "{state:?}, {power:?}");
        }
        assert_eq!((may(&[], 15), may(&[], 16)), (false, true), "it is not told, or its row is lost");
        assert_eq!(ask_off(&taken, slot(1), &[], later(now(), 960)).0.off_for.map(|off| off.slot), Some(slot(1)));
    }

    #[test]
    fn what_its_plan_does_not_want_off_any_more_or_not_so_late_stays_on() {
        let text = "plans: [{name: db, select: {instances: [i-12345678]}, schedule: hourly, spread: 30m, capture: {reboot: stop}}]";
        let plan = crate::plan::read("plans.yaml", text).expect("a plan").plans.remove(0).plan;
        let source = crate::source::apply(None, &plan.select.sources[0].clone(), &plan, now());
        assert_eq!(source.policy.spread_seconds, 1800);
        let ask = |source: &Source, seconds| ask_off(source, now(), &[], later(now(), seconds));
        let last = source.spread() + LATE_SECONDS_MAX;
        assert_eq!(ask(&source, last).1, MayTakeOff::Yes);
        let (after, late) = ask(&source, last + 1);
        assert!(
            matches!(late, MayTakeOff::TooLate(why) if why.contains("its time was 60 min ago")),
            "an hour after it"
        );
        assert_eq!(after.off_for, None, "it takes nobody's turn");
        let mut running = source.clone();
        running.policy.capture.stop = false;
        for unwanted in [Source { plan: None, ..source.clone() }, Source { lost: Some(now()), ..source }, running] {
            let (after, answer) = ask(&unwanted, 0);
            assert!(matches!(answer, MayTakeOff::Never(_)), "{answer:?}");
            assert_eq!(after.off_for, None);
        }
    }
}
