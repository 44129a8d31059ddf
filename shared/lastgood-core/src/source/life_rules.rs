//! What must hold of every source: slots, turns, silence.

use super::life::*;
use super::operator::{hold, release, released, skip};
use super::record::{Because, Expected, Found, Good, Published, Retry, Source};
use super::turn::{Turn, ask_turn};
use crate::backup::fixtures::{artifact, policy};
use crate::backup::{Backup, Origin, Publication, PublishedTo, State};
use crate::id::SourceId;
use crate::plan::{Afterwards, Plan, Policy, Publish, PublishTo, Select};
use crate::record::Tells;
use crate::schedule::{Pattern, Schedule, Zone};
use crate::{Time, later};

fn given() -> Turn {
    Turn::Given { expected: None, publish: Publish::default(), held: None }
}

pub(super) fn at(text: &str) -> Time {
    format!("2026-01-15T{text}Z").parse().expect("a time")
}

pub(super) fn plan(pattern: Pattern) -> Plan {
    let policy = Policy { schedule: Schedule::new(pattern, Zone::default()), ..policy() };
    Plan {
        name: "web".into(),
        select: Select { sources: vec!["group/web".parse().expect("a source")], ..Select::default() },
        policy,
    }
}

fn id() -> SourceId {
    "group/web".parse().expect("a source")
}

pub(super) fn web(pattern: Pattern) -> Source {
    apply(None, &id(), &plan(pattern), at("10:20:00"))
}

/// A backup that has nothing to tell yet.
fn nothing(slot: Time) -> Outcome {
    Outcome {
        slot,
        good: None,
        published: None,
        at_rest: true,
        held: None,
        adopted: None,
        failure: None,
        warnings: None,
        retry: None,
    }
}

fn good(slot: &str) -> Outcome {
    let slot = at(slot);
    let good =
        Good { slot, at: later(slot, 300), artifact: artifact(&format!("ami-{}", slot.as_second())), only_kept: false };
    Outcome { good: Some(good), ..nothing(slot) }
}

#[test]
fn a_slot_is_claimed_once_and_the_next_one_waits_its_time() {
    let source = web(Pattern::Hourly);
    assert_eq!(source.next_slot, Some(at("11:00:00")));
    assert_eq!(claim(&source, at("10:59:59")), None);
    let claimed = claim(&source, at("11:00:07")).expect("due");
    assert_eq!(claimed.backup.id.slot, at("11:00:00"));
    assert_eq!(claimed.source.next_slot, Some(at("12:00:00")));
    assert_eq!(claim(&claimed.source, at("11:00:07")), None);
}

#[test]
fn five_hours_of_missed_slots_become_one_backup() {
    let claimed = claim(&web(Pattern::Hourly), at("16:12:00")).expect("due");
    assert_eq!(claimed.backup.id.slot, at("16:00:00"));
    assert_eq!(claimed.source.next_slot, Some(at("17:00:00")));
}

#[test]
fn silence_is_told_once_and_ends_with_a_good_backup() {
    let source = web(Pattern::Hourly);
    assert_eq!(source.due_by, Some(at("13:00:00")));
    assert_eq!(overdue(&source, at("13:00:00")), None);
    let told = overdue(&source, at("13:00:01")).expect("overdue");
    assert_eq!(told.outbox.len(), 1);
    assert_eq!(overdue(&told, at("13:01:00")), None);
    assert_eq!(wake(&told), Some(Time::UNIX_EPOCH));
    let heard = hear(&told.sent(&[told.outbox[0].id.clone()]), &good("13:00:00"));
    assert!(!heard.overdue_told);
    assert_eq!(heard.due_by, Some(at("16:00:00")));
    assert!(!heard.is_overdue(at("13:10:00")));
}

#[test]
fn outcomes_in_any_order_leave_the_newest() {
    let source = web(Pattern::Hourly);
    let (early, late) = (good("11:00:00"), good("12:00:00"));
    let one = hear(&hear(&source, &early), &late);
    let other = hear(&hear(&hear(&source, &late), &early), &late);
    assert_eq!(one, other);
    assert_eq!(one.last_good.expect("good").slot, at("12:00:00"));
}

#[test]
fn one_backup_publishes_at_a_time_and_never_an_older_one_after_a_newer() {
    let (source, turn) = ask_turn(&web(Pattern::Hourly), at("11:00:00"));
    assert_eq!(turn, given());
    let (source, turn) = ask_turn(&source, at("12:00:00"));
    assert_eq!(turn, Turn::Taken);
    // The newer one is good meanwhile: the older one gives up its turn when it asks again.
    let source = hear(&source, &Outcome { at_rest: false, ..good("12:00:00") });
    let (source, turn) = ask_turn(&source, at("11:00:00"));
    assert_eq!(turn, Turn::Newer);
    let (_, turn) = ask_turn(&source, at("12:00:00"));
    assert_eq!(turn, given());
}

#[test]
fn a_new_schedule_does_not_excuse_what_is_overdue() {
    let told = overdue(&web(Pattern::Hourly), at("13:00:01")).expect("overdue");
    let plan = plan(Pattern::Daily);
    let changed = apply(Some(&told), &told.id, &plan, at("13:10:00"));
    assert_eq!(changed.next_slot, Some("2026-01-16T00:00:00Z".parse().expect("a time")));
    assert!(changed.is_overdue(at("13:10:00")) && changed.overdue_told);
}

#[test]
fn a_source_without_a_plan_is_never_due() {
    let source = unplan(&web(Pattern::Hourly), Afterwards::Keep, at("10:30:00"));
    let unwanted = Turn::Unwanted("its source is in no plan any more".into());
    assert_eq!(ask_turn(&source, at("11:00:00")).1, unwanted);
    assert_eq!(source.retire_at, None);
    assert_eq!(wake(&source), None);
    assert_eq!(claim(&source, at("16:00:00")), None);
    assert_eq!(overdue(&source, at("16:00:00")), None);
}

#[test]
fn a_spread_delays_each_source_by_its_own_time_and_moves_no_slot() {
    let mut plan = plan(Pattern::Hourly);
    plan.policy.spread_seconds = 600;
    let delays: Vec<i64> = ["group/web", "group/api", "group/batch"]
        .iter()
        .map(|id| {
            let id: SourceId = id.parse().expect("a source");
            let source = apply(None, &id, &plan, at("10:20:00"));
            assert_eq!(source.next_slot, Some(at("11:00:00")));
            let begins = wake(&source).expect("waits");
            assert_eq!(claim(&source, later(begins, -1)), None);
            let claimed = claim(&source, begins).expect("due");
            assert_eq!(claimed.backup.id.slot, at("11:00:00"));
            assert_eq!(claimed.source.next_slot, Some(at("12:00:00")), "the delay is no reason to miss a slot");
            crate::seconds_between(at("11:00:00"), begins)
        })
        .collect();
    assert!(delays.iter().all(|delay| (0..600).contains(delay)), "{delays:?}");
    assert!(delays[0] != delays[1] && delays[1] != delays[2], "{delays:?}");
}

#[test]
fn a_lost_instance_has_one_second_try() {
    let source = claim(&web(Pattern::Hourly), at("11:00:00")).expect("due").source;
    let lost = Outcome {
        failure: Some("it went away".into()),
        retry: Some(Retry { slot: at("11:07:30"), of: at("11:00:00"), lost: "i-1".into() }),
        ..nothing(at("11:00:00"))
    };
    let source = hear(&source, &lost);
    assert_eq!(wake(&source), Some(at("11:07:30")));
    let claimed = claim(&source, at("11:08:00")).expect("a second try");
    assert_eq!(claimed.backup.id.slot, at("11:07:30"));
    assert_eq!(claimed.backup.origin, Origin::Retry { of: at("11:00:00"), lost: "i-1".into() });
    assert_eq!(claimed.source.next_slot, Some(at("12:00:00")));
    // The first one tells its end again: nothing more comes of it.
    let again = hear(&claimed.source, &lost);
    assert_eq!(claim(&again, at("11:09:00")), None);
    // Should the next slot come first, that is the second try.
    let late = claim(&source, at("12:00:00")).expect("due");
    assert_eq!(late.backup.origin, Origin::Schedule);
    assert_eq!(late.source.retry, None);
}

#[test]
fn nothing_is_published_while_an_operator_holds_it() {
    let source = web(Pattern::Hourly);
    let held = hold(&source, "alice", Some("release freeze"), at("10:30:00"));
    assert_eq!(hold(&held, "alice", Some("release freeze"), at("10:30:00")), held, "the same request again");
    let (_, turn) = ask_turn(&held, at("11:00:00"));
    assert_eq!(turn, Turn::OnHold("held by alice: release freeze".into(), None));
    assert!(claim(&held, at("11:00:00")).is_some(), "backups are made all the same");
    let old = release(&held, "bob", None, None, at("10:29:00"));
    assert_eq!(old, held, "a release that is older than the hold is about another one");
    let released = release(&held, "bob", None, None, at("10:31:00"));
    let nothing_waits = release(&source, "bob", None, None, at("10:31:00"));
    assert!(nothing_waits.outbox.is_empty());
    assert_eq!(hold(&nothing_waits, "alice", None, at("10:30:00")).hold, None, "it was asked before the release");
    assert_eq!(ask_turn(&released, at("11:00:00")).1, given());
    let told: Vec<_> = released.outbox.iter().map(|notice| notice.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "group/web: nothing is published: held by alice: release freeze",
            "group/web: publishing goes on: released by bob"
        ]
    );
}

#[test]
fn a_source_begins_anew_under_a_plan_or_in_another_place_and_not_while_it_is_away() {
    let source = web(Pattern::Hourly);
    assert!(begins_anew(None, &source));
    assert!(!begins_anew(Some(&source), &source));
    let mut elsewhere = source.clone();
    elsewhere.policy.publish.to = PublishTo::Parameter("/images/web".into());
    assert!(begins_anew(Some(&source), &elsewhere));
    let unplanned = unplan(&source, Afterwards::Keep, at("10:30:00"));
    assert!(begins_anew(Some(&unplanned), &source));
    assert!(!begins_anew(Some(&source), &unplanned));
    let lost = Source { lost: Some(at("10:30:00")), ..source.clone() };
    assert!(begins_anew(Some(&lost), &source), "it is back");
    // Another plan selects it too, and it waits for its own to find it.
    let contested = Source { contested_by: vec!["other".into()], ..lost.clone() };
    assert!(!begins_anew(Some(&lost), &contested));
}

#[test]
fn a_release_lets_the_newest_good_one_ask_again_if_it_was_held_and_nothing_waits() {
    let source = web(Pattern::Hourly);
    let good = |hour: &str, publication| {
        let id = source.backup_id(at(hour));
        let requested = Backup::requested(id, "web", Origin::Schedule, &source.policy, at("10:00:00"));
        Backup { state: State::Good, publication, ..requested }
    };
    let held = || Publication::Held("somebody changed it".into());
    let (older, newest) = (good("11:00:00", held()), good("12:00:00", held()));
    let failed = Backup { state: State::Failed, ..good("13:00:00", held()) };
    let all = [failed, newest.clone(), older.clone()];
    assert_eq!(released(Some(&source), &all), Some(&newest.id));
    assert_eq!(released(None, &all), None);
    let waits = hold(&source, "alice", None, at("10:30:00"));
    assert_eq!(released(Some(&waits), &all), None, "it was asked too late");
    let rests = good("12:00:00", Publication::Superseded);
    assert_eq!(released(Some(&source), &[rests, older]), None, "only the newest is published");
    assert_eq!(released(Some(&source), &[]), None);
}

#[test]
fn what_is_expected_follows_what_was_applied_published_and_adopted() {
    let source = expect(web(Pattern::Hourly), Some("ami-base".into()));
    let expected = |source: &Source| source.expected.clone().map(|expected| (expected.image, expected.because));
    assert_eq!(expected(&source), Some((Some("ami-base".into()), Because::Applied)));
    let to = PublishedTo::Version { template: "lt-1".into(), version: 2 };
    let published = Published { slot: at("11:00:00"), image: "ami-1".into(), to };
    let source = hear(&source, &Outcome { published: Some(published), ..nothing(at("11:00:00")) });
    assert_eq!(expected(&source), Some((Some("ami-1".into()), Because::Published)));
    assert_eq!(expect(source.clone(), Some("ami-1".into())), source, "applied again: it is still what we published");
    let source = hear(&source, &Outcome { adopted: Some("ami-9".into()), ..nothing(at("12:00:00")) });
    assert_eq!(expected(&source), Some((Some("ami-9".into()), Because::Adopted)));
    let source = hear(&source, &Outcome { held: Some("changed".into()), ..nothing(at("13:00:00")) });
    let kept = release(&source, "alice", None, Some(&Found(Some("ami-9".into()))), at("13:30:00"));
    assert_eq!(expected(&kept), Some((Some("ami-9".into()), Because::Adopted)), "what was adopted stays adopted");
    let accepted = release(&source, "alice", None, Some(&Found(Some("ami-7".into()))), at("13:30:00"));
    assert_eq!(expected(&accepted), Some((Some("ami-7".into()), Because::Applied)), "this change, and no later one");
    assert_eq!(release(&source, "alice", None, None, at("13:30:00")).expected, None::<Expected>);
}

#[test]
fn a_skipped_slot_is_passed_over_once_and_nobody_waits_for_it() {
    let source = web(Pattern::Hourly);
    let skipped = skip(&source, at("11:00:00"), "alice", None, at("10:30:00"));
    assert_eq!((skipped.next_slot, skipped.due_by), (Some(at("12:00:00")), Some(at("14:00:00"))));
    assert_eq!(skip(&skipped, at("11:00:00"), "alice", None, at("10:30:00")), skipped, "the same request again");
    assert_eq!(claim(&skipped, at("11:30:00")), None);
}

#[test]
fn a_plan_that_publishes_nothing_gives_no_turn() {
    let mut source = web(Pattern::Hourly);
    source.policy.publish.to = PublishTo::Nothing;
    let (_, turn) = ask_turn(&source, at("11:00:00"));
    assert_eq!(turn, Turn::Unwanted("its plan publishes nothing any more".into()));
}

#[test]
fn what_is_halted_is_told_once_and_again_after_it_was_well() {
    let failed = Outcome { failure: Some("the disk was busy".into()), ..nothing(at("12:00:00")) };
    let source = hear(&hear(&web(Pattern::Hourly), &good("11:00:00")), &failed);
    assert!(source.is_failing());
    let told = halt(&source, 2, at("12:30:00")).expect("told");
    assert_eq!(
        told.outbox[0].message,
        "group/web: 2 backups would be deleted and stay until a backup is good again; that of 2026-01-15T12:00:00Z failed: the disk was busy"
    );
    assert_eq!(halt(&told, 2, at("13:30:00")), None);
    let well = hear(&told, &good("13:00:00"));
    assert!(!well.is_failing() && !well.halt_told);
}

#[test]
fn of_two_requests_in_one_second_the_one_that_is_heard_last_counts() {
    let source = web(Pattern::Hourly);
    let second = at("10:40:00");
    let held = hold(&source, "alice", None, second);
    let released = release(&held, "bob", None, None, second);
    assert!(held.hold.is_some() && released.hold.is_none());
    assert!(hold(&released, "carol", None, second).hold.is_some());
    let late = hold(&release(&held, "bob", None, None, later(second, 1)), "alice", None, second);
    assert_eq!(late.hold, None, "it was asked for before the release");
}

#[test]
fn what_is_to_be_warned_of_is_what_the_newest_look_found() {
    let source = web(Pattern::Hourly);
    let found = |text: &str| Some(vec![text.to_owned()]);
    let first = hear(&source, &Outcome { warnings: found("no replica"), ..good("11:00:00") });
    assert_eq!(first.warnings, ["no replica"]);
    let late = hear(&first, &Outcome { warnings: found("an older look"), ..nothing(at("10:00:00")) });
    assert_eq!(late.warnings, ["no replica"]);
    assert_eq!(hear(&first, &nothing(at("12:00:00"))).warnings, ["no replica"], "who was not looked at says nothing");
    let mended = hear(&first, &Outcome { warnings: Some(Vec::new()), ..nothing(at("12:00:00")) });
    assert!(mended.warnings.is_empty());
}
