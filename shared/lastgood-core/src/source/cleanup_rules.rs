//! What is asked before anything of a source goes, in which order, and what each answer leads to.

use super::cleanup::{Cleanup, Known, cleanup};
use super::life_rules::{at, web};
use super::record::{Changing, Failure, Published, Source};
use crate::backup::fixtures::artifact;
use crate::backup::{Backup, Origin, Pin, Publication, PublishedTo, State};
use crate::id::BackupId;
use crate::schedule::Pattern;
use crate::{Time, later};

fn now() -> Time {
    at("20:00:00")
}

/// Five good backups, an hour apart, the newest first, and the source that has them. Its plan keeps three.
fn five() -> (Source, Vec<Backup>) {
    let source = web(Pattern::Hourly);
    let backup = |hour: i64| {
        let id = source.backup_id(later(at("18:00:00"), -hour * 3600));
        let artifact_id = Some(artifact(&format!("ami-{hour}")));
        let requested = Backup::requested(id, "web", Origin::Schedule, &source.policy, at("10:00:00"));
        Backup { state: State::Good, artifact_id, ..requested }
    };
    let backups = (0..5).map(backup).collect();
    (source, backups)
}

fn there(backups: &[Backup]) -> Known {
    Known { there: Some(backups.iter().map(|backup| backup.id.clone()).collect()), ..Known::default() }
}

fn slots(next: &Cleanup) -> Vec<BackupId> {
    match next {
        Cleanup::LetGo(ids) => ids.iter().map(|(id, _)| id.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn ids(backups: &[Backup]) -> Vec<BackupId> {
    backups.iter().map(|backup| backup.id.clone()).collect()
}

#[test]
fn before_retention_lets_anything_go_it_is_asked_what_is_there() {
    let (source, backups) = five();
    let all: Vec<_> =
        backups.iter().map(|backup| (backup.id.clone(), backup.artifact_id.clone().expect("made"))).collect();
    assert_eq!(cleanup(&source, &backups, &Known::default(), now()), Cleanup::AskThere(all));
    assert_eq!(slots(&cleanup(&source, &backups, &there(&backups), now())), ids(&backups[3..]));
    // The newest is gone: three others stay in its place.
    assert_eq!(slots(&cleanup(&source, &backups, &there(&backups[1..]), now())), ids(&backups[4..]));
    assert_eq!(cleanup(&source, &backups[..3], &Known::default(), now()), Cleanup::Rest, "nothing to ask for");
}

#[test]
fn what_the_group_launches_from_stays_whoever_knows_it() {
    let (source, backups) = five();
    let version = || PublishedTo::Version { template: "lt-1".into(), version: 2 };
    let goes = |source: &Source, backups: &[Backup]| slots(&cleanup(source, backups, &there(backups), now()));
    let mut by_itself = backups.clone();
    by_itself[3].publication = Publication::Published(version());
    assert_eq!(goes(&source, &by_itself), ids(&backups[4..]));
    let published = Published { slot: backups[4].id.slot, image: "ami-4".into(), to: version() };
    let by_source = Source { published: Some(published), ..source };
    assert_eq!(goes(&by_source, &backups), ids(&backups[3..4]));
}

#[test]
fn an_image_of_ours_that_an_operator_is_giving_again_stays() {
    let (source, backups) = five();
    let change = Some(Changing { rollout: "group/web@20260115T195900Z/set-image".into(), image: "ami-4".into() });
    let given = Source { change, ..source };
    assert_eq!(slots(&cleanup(&given, &backups, &there(&backups), now())), ids(&backups[3..4]));
}

#[test]
fn nothing_goes_while_the_newest_failed_or_without_a_plan() {
    let (source, backups) = five();
    let failing = Source { failure: Some(Failure { slot: at("19:00:00"), reason: "denied".into() }), ..source.clone() };
    assert_eq!(cleanup(&failing, &backups, &Known::default(), now()), Cleanup::Halt(2));
    let unplanned = Source { plan: None, ..failing.clone() };
    assert_eq!(cleanup(&unplanned, &backups, &Known::default(), now()), Cleanup::Rest);
    let lost = Source { lost: Some(at("12:00:00")), ..source };
    assert_eq!(cleanup(&lost, &backups, &Known::default(), now()), Cleanup::Rest);
}

#[test]
fn of_a_deleted_source_all_but_pinned_ones_go_once_it_is_surely_gone() {
    let (source, mut backups) = five();
    backups[1].pinned = Some(Pin { by: "alice".into(), reason: None, at: at("10:00:00") });
    let lost = Source { lost: Some(at("12:00:00")), retire_at: Some(now()), ..source.clone() };
    let asked = |is_back| Known { is_back, ..Known::default() };
    assert_eq!(cleanup(&lost, &backups, &asked(None), later(now(), -1)), Cleanup::Rest, "not yet");
    assert_eq!(cleanup(&lost, &backups, &asked(None), now()), Cleanup::AskBack);
    assert_eq!(cleanup(&lost, &backups, &asked(Some(true)), now()), Cleanup::Rest);
    let goes = slots(&cleanup(&lost, &backups, &asked(Some(false)), now()));
    assert_eq!(goes, [ids(&backups[..1]), ids(&backups[2..])].concat());
    // One that was taken out of its plan is waited for by nobody; that its newest backup failed matters no more.
    let failure = Some(Failure { slot: at("19:00:00"), reason: "denied".into() });
    let unplanned = Source { plan: None, retire_at: Some(now()), failure, ..source };
    assert_eq!(slots(&cleanup(&unplanned, &backups, &asked(None), now())).len(), 4);
    assert_eq!(cleanup(&unplanned, &[], &asked(None), now()), Cleanup::Rest);
}
