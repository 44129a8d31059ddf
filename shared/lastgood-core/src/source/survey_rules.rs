//! What a survey makes of sources that appear, vanish, and change their tags.

use super::life::hear;
use super::life_rules::{at, plan, web};
use super::record::Source;
use super::survey::{LOST_SECONDS, RETIRE_SECONDS, SURVEY_SECONDS, survey};
use crate::facts::{Group, LaunchSource, Resource, Tags};
use crate::later;
use crate::plan::{Afterwards, Plan, Select};
use crate::schedule::Pattern;

fn tagged() -> Plan {
    let select = Select { sources: Vec::new(), tags: Tags::from([("lastgood".into(), "web".into())]) };
    Plan { select, ..plan(Pattern::Hourly) }
}

fn group(name: &str, tag: &str) -> Resource {
    Resource::Group(Group {
        name: name.into(),
        tags: Tags::from([("lastgood".into(), tag.into())]),
        launches_from: LaunchSource::Configuration("any".into()),
        members: Vec::new(),
        size: 1,
        refresh_suspended: false,
        warmup_seconds: 0,
        lifetime_seconds_max: None,
    })
}

fn told(source: &Source) -> Vec<&str> {
    source.outbox.iter().map(|notice| notice.message.as_str()).collect()
}

/// A source that the survey has found by its tag, with everything told.
fn found() -> Source {
    let mut found = survey(&tagged(), &[group("web", "web")], &[], at("10:30:00")).remove(0);
    found.outbox.clear();
    found
}

#[test]
fn a_group_that_appears_is_taken_in_and_told() {
    let changed = survey(&tagged(), &[group("web", "web"), group("other", "x")], &[], at("10:30:00"));
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].next_slot, Some(at("11:00:00")));
    assert_eq!(told(&changed[0]), ["group/web: backed up by plan web from now on"]);
    assert_eq!(survey(&tagged(), &[group("web", "web")], &changed, at("10:34:00")), []);
}

#[test]
fn a_group_that_loses_its_tag_keeps_its_backups_even_where_deletion_is_asked_for() {
    let mut plan = tagged();
    plan.policy.on_source_deleted = Afterwards::Delete;
    let changed = survey(&plan, &[group("web", "x")], &[found()], at("10:34:00"));
    assert_eq!((changed[0].plan.clone(), changed[0].next_slot, changed[0].retire_at), (None, None, None));
    assert_eq!(
        told(&changed[0]),
        ["group/web: not backed up any more: it does not bear the tags of plan web any more; its backups stay"]
    );
    let again = survey(&plan, &[group("web", "web")], &changed, at("10:38:00"));
    assert_eq!(again[0].plan.as_deref(), Some("web"));
}

#[test]
fn one_answer_without_a_group_proves_nothing() {
    let missing = survey(&tagged(), &[], &[found()], at("10:34:00")).remove(0);
    assert_eq!((missing.lost, missing.next_slot), (None, Some(at("11:00:00"))));
    let back = survey(&tagged(), &[group("web", "web")], &[missing], at("10:38:00")).remove(0);
    assert_eq!(back, found());
}

#[test]
fn a_deleted_group_is_told_in_time_and_its_backups_follow_the_plan() {
    const { assert!(LOST_SECONDS + 2 * SURVEY_SECONDS <= 15 * 60 + SURVEY_SECONDS, "noticed within 15 minutes") };
    for (afterwards, retire) in [(Afterwards::Keep, None), (Afterwards::Delete, Some(RETIRE_SECONDS))] {
        let mut plan = tagged();
        plan.policy.on_source_deleted = afterwards;
        let (mut source, mut now) = (found(), at("10:34:00"));
        let begun = now;
        while source.lost.is_none() {
            if let Some(changed) = survey(&plan, &[], &[source.clone()], now).pop() {
                source = changed;
            }
            now = later(now, SURVEY_SECONDS);
        }
        let noticed = source.lost.expect("lost");
        assert!(crate::seconds_between(begun, noticed) + SURVEY_SECONDS <= 15 * 60, "{noticed}");
        assert_eq!(source.retire_at, retire.map(|seconds| later(noticed, seconds)));
        assert_eq!(source.next_slot, None, "no slot fails for a group that is gone");
        assert_eq!(source.outbox.len(), 1, "told once");
        let still = survey(&plan, &[], &[source.clone()], later(now, 3600));
        assert_eq!(still, [], "and once only");
        let back = survey(&plan, &[group("web", "web")], &[source], later(now, 7200)).remove(0);
        assert_eq!((back.lost, back.retire_at, back.plan.as_deref()), (None, None, Some("web")));
    }
}

#[test]
fn a_group_that_two_plans_select_stays_where_it_is_and_is_told_once() {
    let other = Plan { name: "other".into(), ..tagged() };
    let contested = survey(&other, &[group("web", "web")], &[found()], at("10:40:00")).remove(0);
    assert_eq!(contested.plan.as_deref(), Some("web"));
    assert_eq!(
        told(&contested),
        ["group/web: the tags of plan other select it, and it stays in plan web; leave it in one"]
    );
    assert_eq!(survey(&other, &[group("web", "web")], &[contested], at("10:44:00")), []);
}

#[test]
fn what_is_named_needs_no_tag() {
    let source = web(Pattern::Hourly);
    assert_eq!(survey(&plan(Pattern::Hourly), &[group("web", "x")], std::slice::from_ref(&source), at("10:34:00")), []);
    let mut outcome = crate::source::Outcome::of(&crate::source::claim(&source, at("11:00:00")).expect("due").backup);
    outcome.failure = Some("it failed".into());
    assert!(hear(&source, &outcome).is_failing());
}

#[test]
fn a_plan_that_was_changed_while_its_group_was_not_told_counts_once_the_group_is_there() {
    let mut away = found();
    away.missing_since = Some(at("10:40:00"));
    let mut changed = tagged();
    changed.policy.retain.last = 9;
    let back = survey(&changed, &[group("web", "web")], std::slice::from_ref(&away), at("10:45:00")).remove(0);
    assert_eq!((back.policy.retain.last, back.missing_since), (9, None));
    // The same plan changes nothing else: what was overdue and told stays so.
    away.overdue_told = true;
    let back = survey(&tagged(), &[group("web", "web")], std::slice::from_ref(&away), at("10:45:00")).remove(0);
    assert_eq!(back, Source { missing_since: None, ..away });
}
