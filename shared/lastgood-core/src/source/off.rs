//! Which backup may take an instance off: one of a source at a time, or one would start what the other has just stopped.

use super::record::{OffFor, Source};
use crate::backup::instance::holds_it;
use crate::backup::{Backup, State};
use crate::{Time, seconds_between};

/// How long a backup that may is waited for before it has begun: longer than any function lives that may be about to save that
/// (AWS: Lambda quotas, 15 minutes).
const BEGINS_SECONDS_MAX: i64 = 16 * 60;

/// Lets the backup of `slot` take the instance off; whether it may. `backups` are all of the source.
#[must_use]
pub fn ask_off(before: &Source, slot: Time, backups: &[Backup], now: Time) -> (Source, bool) {
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
            return (before.clone(), false);
        }
    }
    (Source { off_for: Some(OffFor { slot, since: now }), ..before.clone() }, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Origin;
    use crate::backup::fixtures::{now, policy};
    use crate::backup::power::Power;
    use crate::later;

    #[test]
    fn one_backup_at_a_time_may_and_the_next_one_once_nothing_is_owed_to_the_instance() {
        let text = "plans: [{name: db, select: {instances: [i-12345678]}, schedule: hourly}]";
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
        assert!(may);
        assert!(ask_off(&taken, slot(0), &[], now()).1, "it asks again");
        let may = |backups: &[Backup], minutes: i64| ask_off(&taken, slot(1), backups, later(now(), minutes * 60)).1;
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
}
