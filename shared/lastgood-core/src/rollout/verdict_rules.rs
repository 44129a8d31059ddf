//! What must hold of verdicts that are refused: who sent one hears why, and what comes twice is no news.

use std::fmt::Write as _;

use super::life::{Event, State, decide};
use super::life_table::{now, rollout, verdict};
use super::policy::Judge;
use super::record::Verdict;
use super::verdict::refused;
use crate::incoming::VerdictAsked;

use expect_test::expect_file;

fn asked(what: Verdict, judge: Judge, visit: Option<u32>) -> VerdictAsked {
    let Event::Verdict(asked, _) = verdict(what, judge, visit) else { panic!("a verdict") };
    asked
}

#[test]
fn which_verdict_is_refused_in_which_state() {
    let mut table = String::new();
    for state in State::ALL {
        let record = rollout(state);
        for what in [Verdict::GoOn, Verdict::RollBack] {
            for (judge, visit) in [(Judge::Person, None), (Judge::Event, None), (Judge::Person, Some(7))] {
                let asked = asked(what, judge, visit);
                let said = refused(&record, &asked, now()).unwrap_or_else(|| "-".into());
                let visit = visit.map_or(String::new(), |visit| format!(" at pause {visit}"));
                writeln!(table, "{state:?}: {} by {judge}{visit}: {said}", what.words()).expect("a text takes more");
            }
        }
    }
    expect_file!["verdict_table.txt"].assert_eq(&table);
}

#[test]
fn what_is_refused_changes_nothing_and_what_is_given_comes_twice() {
    for state in State::ALL {
        let record = rollout(state);
        for what in [Verdict::GoOn, Verdict::RollBack] {
            for judge in [Judge::Person, Judge::Event] {
                let asked = asked(what, judge, None);
                let after = decide(&record, Event::Verdict(asked.clone(), now()), now()).record;
                if refused(&record, &asked, now()).is_some() {
                    assert_eq!(after, record, "{state:?} {what:?} {judge:?}");
                }
                if after.visits != record.visits && after.state != record.state {
                    assert_eq!(refused(&after, &asked, now()), None, "{state:?} {what:?} {judge:?}, once more");
                }
            }
        }
    }
}
