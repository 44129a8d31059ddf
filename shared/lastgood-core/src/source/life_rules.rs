//! What must hold of every source: slots, turns, silence.

use super::life::*;
use crate::id::{ImageId, SourceId};
use crate::plan::{OnManualChange, Plan, Policy};
use crate::retention::Retention;
use crate::schedule::Schedule;
use crate::{Time, later};

const GIVEN: Turn = Turn::Given { last: None, on_manual_change: OnManualChange::Hold };

fn at(text: &str) -> Time {
    format!("2026-01-15T{text}Z").parse().expect("a time")
}

fn web(schedule: Schedule) -> Source {
    let id: SourceId = "group/web".parse().expect("a source");
    let policy = Policy {
        schedule,
        retain: Retention::default(),
        on_manual_change: OnManualChange::Hold,
        on_overdue_seconds: 7200,
    };
    let plan = Plan { name: "web".into(), sources: vec![id.clone()], policy };
    apply(None, &id, &plan, at("10:20:00"))
}

fn good(slot: &str) -> Outcome {
    let slot = at(slot);
    let good = Good { slot, at: later(slot, 300), image: ImageId(format!("ami-{}", slot.as_second())) };
    Outcome { slot, good: Some(good), published: None, at_rest: true, hold: None, failure: None }
}

#[test]
fn a_slot_is_claimed_once_and_the_next_one_waits_its_time() {
    let source = web(Schedule::Hourly);
    assert_eq!(source.next_slot, Some(at("11:00:00")));
    assert_eq!(claim(&source, at("10:59:59")), None);
    let claimed = claim(&source, at("11:00:07")).expect("due");
    assert_eq!(claimed.backup.id.slot, at("11:00:00"));
    assert_eq!(claimed.source.next_slot, Some(at("12:00:00")));
    assert_eq!(claim(&claimed.source, at("11:00:07")), None);
}

#[test]
fn five_hours_of_missed_slots_become_one_backup() {
    let claimed = claim(&web(Schedule::Hourly), at("16:12:00")).expect("due");
    assert_eq!(claimed.backup.id.slot, at("16:00:00"));
    assert_eq!(claimed.source.next_slot, Some(at("17:00:00")));
}

#[test]
fn silence_is_told_once_and_ends_with_a_good_backup() {
    let source = web(Schedule::Hourly);
    assert_eq!(source.due_by, Some(at("13:00:00")));
    assert_eq!(overdue(&source, at("13:00:00")), None);
    let told = overdue(&source, at("13:00:01")).expect("overdue");
    assert_eq!(told.outbox.len(), 1);
    assert_eq!(overdue(&told, at("13:01:00")), None);
    assert_eq!(wake(&told), Some(Time::UNIX_EPOCH));
    let heard = hear(&sent(&told, &[told.outbox[0].id.clone()]), &good("13:00:00"));
    assert!(!heard.overdue_told);
    assert_eq!(heard.due_by, Some(at("16:00:00")));
    assert!(!heard.is_overdue(at("13:10:00")));
}

#[test]
fn outcomes_in_any_order_leave_the_newest() {
    let source = web(Schedule::Hourly);
    let (early, late) = (good("11:00:00"), good("12:00:00"));
    let one = hear(&hear(&source, &early), &late);
    let other = hear(&hear(&hear(&source, &late), &early), &late);
    assert_eq!(one, other);
    assert_eq!(one.last_good.expect("good").slot, at("12:00:00"));
}

#[test]
fn one_backup_publishes_at_a_time_and_never_an_older_one_after_a_newer() {
    let (source, turn) = ask_turn(&web(Schedule::Hourly), at("11:00:00"));
    assert_eq!(turn, GIVEN);
    let (source, turn) = ask_turn(&source, at("12:00:00"));
    assert_eq!(turn, Turn::Taken);
    // The newer one is good meanwhile: the older one gives up its turn when it asks again.
    let source = hear(&source, &Outcome { at_rest: false, ..good("12:00:00") });
    let (source, turn) = ask_turn(&source, at("11:00:00"));
    assert_eq!(turn, Turn::Newer);
    let (_, turn) = ask_turn(&source, at("12:00:00"));
    assert_eq!(turn, GIVEN);
}

#[test]
fn a_new_schedule_does_not_excuse_what_is_overdue() {
    let told = overdue(&web(Schedule::Hourly), at("13:00:01")).expect("overdue");
    let policy = Policy { schedule: Schedule::Daily, ..told.policy.clone() };
    let plan = Plan { name: "web".into(), sources: vec![told.id.clone()], policy };
    let changed = apply(Some(&told), &told.id, &plan, at("13:10:00"));
    assert_eq!(changed.next_slot, Some("2026-01-16T00:00:00Z".parse().expect("a time")));
    assert!(changed.is_overdue(at("13:10:00")) && changed.overdue_told);
}

#[test]
fn a_source_without_a_plan_is_never_due() {
    let source = release(&web(Schedule::Hourly));
    assert_eq!(ask_turn(&source, at("11:00:00")).1, Turn::Unplanned);
    assert_eq!(wake(&source), None);
    assert_eq!(claim(&source, at("16:00:00")), None);
    assert_eq!(overdue(&source, at("16:00:00")), None);
}
