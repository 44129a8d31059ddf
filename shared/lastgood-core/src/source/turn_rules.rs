//! What must hold of turns where something is rolled out, and of what an operator gives.

use super::life_rules::{at, web};
use super::operator::change;
use super::record::{Because, Changing, Expected, Source};
use super::turn::{Turn, ask_to_roll, ask_turn, forget_rollout, rolls, rolls_no_more};
use crate::backup::fixtures::rollout_policy;
use crate::id::RolloutId;
use crate::incoming::ImageChangeRequested;
use crate::plan::PublishTo;
use crate::rollout::{Rollout, RolloutPolicy, State};
use crate::schedule::Pattern;

/// A source whose plan gives what is good to its group at once.
fn source() -> Source {
    web(Pattern::Hourly)
}

fn asked(refresh: bool) -> ImageChangeRequested {
    ImageChangeRequested {
        source: source().id,
        image: "ami-9".into(),
        refresh,
        by: "alice".parse().expect("a name"),
        reason: "a patch".parse().ok(),
    }
}

/// An operator's image that was asked for at this time.
fn theirs(time: &str) -> Rollout {
    let change = change(&source(), &asked(false)).expect("it can be given");
    Rollout::asked("web".into(), change, at(time), at(time))
}

fn waits_for(rollout: &Rollout) -> Changing {
    Changing { rollout: rollout.id.clone(), image: "ami-9".into() }
}

#[test]
fn an_image_can_be_given_without_a_refresh_where_the_plan_says_nothing_of_rollouts() {
    let given = change(&source(), &asked(false)).expect("it can be given");
    assert_eq!((given.refresh, given.policy), (false, RolloutPolicy::default()));
    let why = change(&source(), &asked(true)).expect_err("nobody says how");
    assert!(why.starts_with("the plan of group/web says nothing of rollouts"), "{why}");
    let mut rolls_out = source();
    rolls_out.policy.publish.rollout = Some(rollout_policy());
    for refresh in [true, false] {
        let given = change(&rolls_out, &asked(refresh)).expect("it can be given");
        assert_eq!((given.refresh, given.policy), (refresh, rollout_policy()));
    }
}

#[test]
fn an_image_cant_be_given_to_what_nobody_plans_or_what_takes_it_from_elsewhere() {
    let unplanned = change(&Source { plan: None, ..source() }, &asked(true)).expect_err("no plan");
    assert!(unplanned.starts_with("group/web is in no plan"), "{unplanned}");
    let gone = change(&Source { lost: Some(at("10:00:00")), ..source() }, &asked(true)).expect_err("no group");
    assert_eq!(gone, "group/web is deleted");
    let mut nowhere = source();
    nowhere.policy.publish.to = PublishTo::Nothing;
    for refresh in [true, false] {
        let why = change(&nowhere, &asked(refresh)).expect_err("its plan publishes nothing");
        assert!(why.starts_with("the plan of group/web publishes nothing") && why.contains("'publish: none'"), "{why}");
    }
    let mut elsewhere = source();
    elsewhere.policy.publish.to = PublishTo::Parameter("/images/web".into());
    let why = change(&elsewhere, &asked(true)).expect_err("it is not in the template");
    assert_eq!(why, "group/web takes its image from the parameter /images/web: write ami-9 there");
}

#[test]
fn no_backup_begins_to_publish_while_a_rollout_goes_or_an_operators_image_waits() {
    let theirs = theirs("10:30:00");
    let goes = rolls(&source(), &theirs.id);
    let waits = Source { change: Some(waits_for(&theirs)), ..source() };
    for held_up in [goes, waits] {
        assert_eq!(ask_turn(&held_up, at("11:00:00")).1, Turn::Taken);
        // Whoever had the turn before goes on.
        let own = Source { turn: Some(at("11:00:00")), ..held_up };
        assert!(matches!(ask_turn(&own, at("11:00:00")).1, Turn::Given { .. }));
    }
}

#[test]
fn an_operators_image_waits_for_what_goes_and_the_next_one_waits_for_it() {
    let (first, second) = (theirs("10:30:00"), theirs("10:40:00"));
    let (given, has_it) = ask_to_roll(&source(), &first);
    assert_eq!((has_it, &given.rollout, &given.change), (true, &Some(first.id.clone()), &Some(waits_for(&first))));
    assert_eq!(ask_to_roll(&given, &first), (given.clone(), true), "to ask again changes nothing");
    assert_eq!(ask_to_roll(&given, &second), (given.clone(), false));
    // A backup publishes: it waits, and is next.
    let busy = Source { turn: Some(at("10:00:00")), ..source() };
    let (waiting, has_it) = ask_to_roll(&busy, &first);
    assert_eq!((has_it, &waiting.rollout, &waiting.change), (false, &None, &Some(waits_for(&first))));
    let free = Source { turn: None, ..waiting };
    assert!(!ask_to_roll(&free, &second).1, "it is the first one's turn");
    assert!(ask_to_roll(&free, &first).1);
    // Another rollout goes.
    let rolling = rolls(&source(), &RolloutId::from("group/web@20260115T100000Z"));
    assert!(!ask_to_roll(&rolling, &first).1);
}

#[test]
fn a_rollout_of_which_nothing_is_known_is_not_waited_for() {
    let (ours, other) = (theirs("10:30:00"), theirs("10:40:00"));
    let (source, _) = ask_to_roll(&source(), &ours);
    assert_eq!(forget_rollout(&source, &other.id), source);
    let forgotten = forget_rollout(&source, &ours.id);
    assert_eq!((forgotten.rollout, forgotten.change), (None, None));
}

#[test]
fn backups_go_on_from_what_an_operator_gave_if_it_came_about() {
    let (ours, other) = (theirs("10:30:00"), theirs("10:40:00"));
    let before = Source { held: Some("somebody changed it".into()), ..source() };
    let (before, _) = ask_to_roll(&before, &ours);
    let ended = |rollout: &Rollout, state: State| {
        let ended = Rollout { state, ..rollout.clone() };
        rolls_no_more(&before, &ended)
    };
    let adopted = Expected { image: Some("ami-9".into()), because: Because::Adopted };
    let came = ended(&ours, State::Succeeded);
    assert_eq!((came.rollout, came.change, came.held, came.expected), (None, None, None, Some(adopted)));
    let taken_back = ended(&ours, State::RolledBack);
    assert_eq!((taken_back.rollout, taken_back.change), (None, None));
    assert_eq!((taken_back.held, taken_back.expected), (before.held.clone(), before.expected.clone()));
    assert_eq!(ended(&other, State::Succeeded), before, "it is another one");
}
