//! What must hold of where a refresh may go: to what was ordered, on a group that nobody changed, and once.

use expect_test::expect;

use super::goal::{Goal, begun, in_the_way, may_begin};
use super::life::State;
use super::life_table::{rollout, start};
use super::others;
use super::record::{Order, Rollout};
use crate::backup::fixtures;
use crate::facts::{Group, LaunchSource, MixedPolicy, RefreshStatus, RefreshView, TemplateRef, VersionRef};
use crate::later;
use crate::refusal::Why;

fn named(template: &str, version: VersionRef) -> TemplateRef {
    TemplateRef { template: template.into(), version }
}

fn plain(template: &str, version: VersionRef) -> LaunchSource {
    LaunchSource::Template(named(template, version))
}

fn mixed(template: &str, version: VersionRef) -> LaunchSource {
    LaunchSource::Mixed(MixedPolicy { base: named(template, version), overrides: Vec::new() })
}

fn group(launches_from: LaunchSource) -> Group {
    fixtures::group(launches_from, Vec::new())
}

/// From version 1 of lt-1 to version 3.
fn order(version: VersionRef) -> Order {
    let order = rollout(State::Starting).order.expect("it is ordered");
    Order { named: named("lt-1", version), base: 1, version: 3, ..order }
}

fn view(id: &str, status: RefreshStatus, desired: Option<LaunchSource>, seconds: i64) -> RefreshView {
    let started_at = Some(later(start(), seconds));
    RefreshView { id: id.into(), status, reason: None, percentage: 0, desired, started_at }
}

#[test]
fn a_group_that_was_changed_by_hand_is_left_alone() {
    use VersionRef::{Default, Latest, Number};
    let mut table = String::new();
    for ordered in [Number(1), Default, Latest] {
        for goal in [Goal::New, Goal::Back] {
            table += &format!("{goal:?}, ordered as {ordered}\n");
            for from in [
                plain("lt-1", Number(1)),
                mixed("lt-1", Number(1)),
                plain("lt-1", Number(2)),
                plain("lt-1", Number(3)),
                plain("lt-1", Default),
                plain("lt-1", Latest),
                plain("lt-2", Number(1)),
                LaunchSource::Configuration("old".into()),
            ] {
                let what = match (&from, from.template()) {
                    (LaunchSource::Mixed(_), Some(named)) => format!("mixed {} of {}", named.version, named.template),
                    (_, Some(named)) => format!("{} of {}", named.version, named.template),
                    (_, None) => "no template".into(),
                };
                let told = may_begin(&order(ordered), goal, Some(&group(from)), "autoscaling:Call");
                let told = told.map_or_else(
                    |refusal| format!("{:?}: {}", refusal.why, refusal.message),
                    |is_mixed| format!("may begin{}", if is_mixed { ", and is mixed" } else { "" }),
                );
                table += &format!("  {what:<16} {told}\n");
            }
        }
    }
    expect![[r#"
        New, ordered as 1
          1 of lt-1        may begin
          mixed 1 of lt-1  may begin, and is mixed
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        WrongState: web launches from version 3 of lt-1 now: it was changed by hand
          $Default of lt-1 WrongState: web launches from version $Default of lt-1 now: it was changed by hand
          $Latest of lt-1  WrongState: web launches from version $Latest of lt-1 now: it was changed by hand
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
        Back, ordered as 1
          1 of lt-1        may begin
          mixed 1 of lt-1  may begin, and is mixed
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        may begin
          $Default of lt-1 WrongState: web launches from version $Default of lt-1 now: it was changed by hand
          $Latest of lt-1  WrongState: web launches from version $Latest of lt-1 now: it was changed by hand
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
        New, ordered as $Default
          1 of lt-1        WrongState: web launches from version 1 of lt-1 now: it was changed by hand
          mixed 1 of lt-1  WrongState: web launches from version 1 of lt-1 now: it was changed by hand
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        WrongState: web launches from version 3 of lt-1 now: it was changed by hand
          $Default of lt-1 may begin
          $Latest of lt-1  WrongState: web launches from version $Latest of lt-1 now: it was changed by hand
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
        Back, ordered as $Default
          1 of lt-1        may begin
          mixed 1 of lt-1  may begin, and is mixed
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        may begin
          $Default of lt-1 may begin
          $Latest of lt-1  WrongState: web launches from version $Latest of lt-1 now: it was changed by hand
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
        New, ordered as $Latest
          1 of lt-1        WrongState: web launches from version 1 of lt-1 now: it was changed by hand
          mixed 1 of lt-1  WrongState: web launches from version 1 of lt-1 now: it was changed by hand
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        WrongState: web launches from version 3 of lt-1 now: it was changed by hand
          $Default of lt-1 WrongState: web launches from version $Default of lt-1 now: it was changed by hand
          $Latest of lt-1  may begin
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
        Back, ordered as $Latest
          1 of lt-1        may begin
          mixed 1 of lt-1  may begin, and is mixed
          2 of lt-1        WrongState: web launches from version 2 of lt-1 now: it was changed by hand
          3 of lt-1        may begin
          $Default of lt-1 WrongState: web launches from version $Default of lt-1 now: it was changed by hand
          $Latest of lt-1  may begin
          1 of lt-2        WrongState: web launches from version 1 of lt-2 now: it was changed by hand
          no template      WrongState: web has no launch template any more
    "#]]
    .assert_eq(&table);
    let gone = may_begin(&order(Number(1)), Goal::New, None, "autoscaling:Call").expect_err("there is no group");
    assert_eq!((gone.why, gone.action.as_str()), (Why::Missing, "autoscaling:Call"));
}

#[test]
fn a_refresh_that_an_earlier_call_began_is_found_again() {
    let record = Rollout { refresh: Some("r-1".into()), ..rollout(State::Starting) };
    let order = order(VersionRef::Number(1));
    let found = |goal: Goal, newest: &[RefreshView]| begun(&record, &order, goal, newest).map(|view| view.id.clone());
    let to = |id: &str, version: u64, seconds: i64| {
        view(id, RefreshStatus::InProgress, Some(plain("lt-1", VersionRef::Number(version))), seconds)
    };
    assert_eq!(found(Goal::New, &[to("r-9", 2, 0), to("r-1", 3, 0)]), Some("r-1".into()), "by its version");
    assert_eq!(found(Goal::New, &[to("r-1", 3, -60)]), Some("r-1".into()), "AWS's clock may be a minute behind");
    assert_eq!(found(Goal::New, &[to("r-1", 3, -61)]), None, "one before it was asked for");
    let undated = RefreshView { started_at: None, ..to("r-1", 3, 0) };
    assert_eq!(found(Goal::New, &[undated]), Some("r-1".into()), "AWS does not tell when");
    // The way back goes to the version that somebody may have gone to before, and is not the way there.
    assert_eq!(found(Goal::Back, &[to("r-1", 1, 0)]), None);
    assert_eq!(found(Goal::Back, &[to("r-1", 1, 0), to("r-2", 1, 5)]), Some("r-2".into()));
}

#[test]
fn a_refresh_that_is_under_way_is_in_the_way() {
    let ended = view("r-1", RefreshStatus::Successful, None, 0);
    assert_eq!(in_the_way(std::slice::from_ref(&ended), "autoscaling:Call"), None);
    let refusal = in_the_way(&[ended, view("r-2", RefreshStatus::RollingBack, None, 0)], "autoscaling:Call");
    let refusal = refusal.expect("one goes");
    assert_eq!((refusal.why, refusal.action.as_str()), (Why::Locked, "autoscaling:Call"));
    assert_eq!(refusal.message, "instance refresh r-2 is under way");
}

#[test]
fn somebody_elses_refresh_is_judged_where_aws_can_take_it_back() {
    use VersionRef::{Latest, Number};
    let group = group(plain("lt-1", Number(1)));
    let goal = |status: RefreshStatus, desired: Option<LaunchSource>, group: Option<&Group>| {
        others::goal(&view("r-1", status, desired, 0), group).map(|(named, version)| (named.version, version))
    };
    let there = Some(plain("lt-1", Number(3)));
    for status in [RefreshStatus::InProgress, RefreshStatus::Baking] {
        assert_eq!(goal(status, there.clone(), Some(&group)), Some((Number(1), 3)));
    }
    for status in [RefreshStatus::Successful, RefreshStatus::RollingBack, RefreshStatus::Cancelling] {
        assert_eq!(goal(status, there.clone(), Some(&group)), None);
    }
    assert_eq!(goal(RefreshStatus::InProgress, Some(plain("lt-1", Latest)), Some(&group)), None);
    assert_eq!(goal(RefreshStatus::InProgress, Some(plain("lt-2", Number(3))), Some(&group)), None);
    assert_eq!(goal(RefreshStatus::InProgress, None, Some(&group)), None);
    assert_eq!(goal(RefreshStatus::InProgress, there, None), None);
}
