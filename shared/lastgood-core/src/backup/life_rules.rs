//! What must hold of every life, whatever the tables say in detail.

use std::collections::BTreeSet;

use expect_test::{expect, expect_file};

use super::fixtures::{backup, complete, image, inspection, now, refusal, seen, start};
use super::inspection::Inspection;
use super::life::{
    Alone, CREATING_SECONDS_MAX, Effect, Event, PENDING_SECONDS_MAX, REQUESTED_SECONDS_MAX, State, decide, due,
    is_work_of, queue, wake,
};
use super::publication::{PUBLISHING_SECONDS_MAX, Publication, PublicationEvent};
use super::record::{Artifact, Backup, Pin};
use super::removal::{REMOVAL_SECONDS_MAX, RemovalEvent};
use super::scale_in::{ScaleIn, ScaleInEvent};
use super::sight::{Sight, VISIBLE_SECONDS_MAX};
use crate::facts::{Image, ImageState, Parameter, SnapshotDeletion, SnapshotState, TemplateRef, VersionRef};
use crate::later;
use crate::plan::{Publish, PublishTo};
use crate::record::{Queue, Tells};
use crate::refusal::{Refusal, Why};
use crate::source::Turn;

#[test]
fn no_wait_is_without_end() {
    let unanswered = || Event::Unanswered("ec2:Call got no answer".into());
    for (state, seconds_max) in [
        (State::Requested, REQUESTED_SECONDS_MAX),
        (State::Creating, CREATING_SECONDS_MAX),
        (State::Pending, PENDING_SECONDS_MAX),
    ] {
        let before = backup(state);
        assert_eq!(decide(&before, unanswered(), later(start(), seconds_max - 1)).record.state, state);
        let after = decide(&before, unanswered(), later(start(), seconds_max)).record;
        assert_eq!(after.state, State::Failed, "{state:?}");
        assert!(after.reason.ends_with("last: ec2:Call got no answer"), "{}", after.reason);
    }
    let waits = Backup { publication: Publication::Due, ..backup(State::Good) };
    let after = decide(&waits, unanswered(), later(start(), PUBLISHING_SECONDS_MAX)).record;
    assert!(matches!(after.publication, Publication::Held(_)));
    for state in [State::Expiring, State::Deleting, State::Failed] {
        let told = decide(&backup(state), unanswered(), later(start(), REMOVAL_SECONDS_MAX)).record;
        assert_eq!(told.outbox[0].news.detail_type(), "Deletion Refused", "{state:?}");
    }
}

#[test]
fn an_image_that_is_complete_after_its_deadline_is_good_all_the_same() {
    let late = later(start(), PENDING_SECONDS_MAX + 3600);
    let woken = decide(&backup(State::Pending), Event::Woken, late).record;
    let complete = complete([Some(SnapshotState::Completed), Some(SnapshotState::Completed)]);
    assert_eq!(decide(&woken, complete, late).record.state, State::Good);
}

#[test]
fn one_answer_without_the_image_proves_nothing() {
    let missing = || Event::Seen(Sight::Missing);
    let seen = || seen(image(ImageState::Pending));
    let once = decide(&backup(State::Pending), missing(), later(start(), 3600)).record;
    assert_eq!(once.state, State::Pending);
    let again = decide(&once, seen(), later(start(), 3660)).record;
    let late = decide(&again, missing(), later(start(), 3600 + VISIBLE_SECONDS_MAX)).record;
    assert_eq!(late.state, State::Pending, "it was seen in between");
    let gone = decide(&late, missing(), later(start(), 3600 + 2 * VISIBLE_SECONDS_MAX)).record;
    assert_eq!(gone.state, State::Failed);
}

#[test]
fn what_was_condemned_some_time_ago_is_looked_up_again_before_it_is_deleted() {
    let woken = decide(&backup(State::Deleting), Event::Woken, later(now(), 3600)).record;
    assert_eq!(due(&woken, Queue::Cleanup, later(now(), 3600)), Some(Effect::Alone(Alone::Inspect)));
    let needed = Inspection { needed_by: vec!["group/web".into()], ..inspection(Some(&image(ImageState::Available))) };
    let stays = decide(&woken, Event::Removal(RemovalEvent::Inspected(needed)), later(now(), 3600)).record;
    assert_eq!(stays.state, State::Good);
}

#[test]
fn a_publication_that_another_left_begins_with_reading_the_group_again() {
    let group = TemplateRef { template: "lt-1".into(), version: VersionRef::Number(1) };
    let left = Backup { publication: Publication::Pointing { group, base: 1, version: 2 }, ..backup(State::Good) };
    assert_eq!(decide(&left, Event::Woken, now()).record.publication, Publication::Due);
}

#[test]
fn each_function_does_its_own_part_alone() {
    let mut table = String::new();
    for state in State::ALL {
        let parts: Vec<_> = [Queue::Tick, Queue::Poll, Queue::Cleanup, Queue::Checkpoint]
            .into_iter()
            .filter(|part| is_work_of(*part, state))
            .collect();
        table += &format!("{state:?}: {parts:?}\n");
        assert!(work_is_reached(state), "{state:?} waits in a queue whose function does not do its work");
    }
    expect![[r#"
        Requested: [Tick, Poll]
        Quiescing: [Tick, Poll]
        Creating: [Tick, Poll]
        Pending: [Poll]
        Good: [Poll]
        Expiring: [Cleanup]
        Deleting: [Cleanup]
        Deleted: []
        Failed: [Cleanup]
    "#]]
    .assert_eq(&table);
}

/// The function that finds a record in its queue, once everything is told, is one that does its work.
fn work_is_reached(state: State) -> bool {
    state == State::Deleted || is_work_of(queue(&backup(state)), state)
}

#[test]
fn a_backup_is_good_only_when_all_of_it_is_complete() {
    let states =
        [None, Some(SnapshotState::Pending), Some(SnapshotState::Completed), Some(SnapshotState::Broken("x".into()))];
    for one in &states {
        for other in &states {
            let event = complete([one.clone(), other.clone()]);
            let good = decide(&backup(State::Pending), event, now()).record.state == State::Good;
            let complete = [one, other].iter().all(|state| **state == Some(SnapshotState::Completed));
            assert_eq!(good, complete, "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_refusal_to_delete_is_told_once() {
    let needed = || {
        let needed =
            Inspection { needed_by: vec!["group/web".into()], ..inspection(Some(&image(ImageState::Available))) };
        Event::Removal(RemovalEvent::Inspected(needed))
    };
    let stays = decide(&backup(State::Expiring), needed(), now()).record;
    assert_eq!((stays.state, stays.outbox.len()), (State::Good, 1));
    let told = stays.sent(&[stays.outbox[0].id.clone()]);
    let again = decide(&told, Event::LetGo("older".into()), later(now(), 3600)).record;
    let again = decide(&again, needed(), later(now(), 3600)).record;
    assert_eq!((again.state, again.outbox.len()), (State::Good, 0));
}

#[test]
fn the_stored_form_is_read_back_and_a_newer_one_refused() {
    let record = backup(State::Good);
    let text = crate::stored::encode(&record);
    assert_eq!(crate::stored::decode::<Backup>(&text).expect("reads back"), record);
    let newer = text.replacen("\"form\":8", "\"form\":9", 1);
    let error = crate::stored::decode::<Backup>(&newer).expect_err("newer");
    assert_eq!(error.to_string(), "written in form 9 by a newer version; this one reads form 8");
    // Every form is read for ever. A change of this file needs form 9, but for an addition that an older function may drop
    // when it saves.
    expect_file!["stored_form_8.json"].assert_eq(&text);
    let older = [
        include_str!("stored_form_1.json"),
        include_str!("stored_form_2.json"),
        include_str!("stored_form_3.json"),
        include_str!("stored_form_4.json"),
        include_str!("stored_form_5.json"),
        include_str!("stored_form_6.json"),
        include_str!("stored_form_7.json"),
    ];
    for form in older.into_iter().chain([text.as_str()]) {
        assert_eq!(crate::stored::decode::<Backup>(form).expect("reads back"), record);
    }
}

#[test]
fn a_member_is_freed_though_nothing_else_is_left_to_do() {
    let freed_later = |state, artifact| {
        let owed = ScaleIn::Owed(later(now(), 90));
        Backup { scale_in: owed, artifact, outbox: Vec::new(), source_told: true, ..backup(state) }
    };
    // What is left of it can be cleaned before its protection can be taken away.
    assert_eq!(queue(&freed_later(State::Failed, Artifact::There)), Queue::Cleanup);
    for (state, artifact) in [(State::Failed, Artifact::Gone), (State::Deleted, Artifact::Gone)] {
        let record = freed_later(state, artifact);
        assert_eq!(queue(&record), Queue::Poll);
        let at = wake(&record).expect("it is owed");
        assert!(matches!(due(&record, Queue::Poll, at), Some(Effect::Alone(Alone::Unprotect(..)))));
    }
}

#[test]
fn an_image_that_stays_is_looked_at_anew_before_it_is_deleted() {
    let inspected = |needed_by: Vec<String>| {
        let inspection = Inspection { needed_by, ..inspection(Some(&image(ImageState::Available))) };
        Event::Removal(RemovalEvent::Inspected(inspection))
    };
    let condemned = decide(&backup(State::Expiring), inspected(Vec::new()), now()).record;
    assert!(matches!(due(&condemned, Queue::Cleanup, now()), Some(Effect::Alone(Alone::DeleteVersions(..)))));
    // Half a minute later it is looked at again, and an operator has gone back to it.
    let late = later(now(), 31);
    assert_eq!(due(&condemned, Queue::Cleanup, late), Some(Effect::Alone(Alone::Inspect)));
    let stays = decide(&condemned, inspected(vec!["group/web".into()]), late).record;
    assert_eq!((stays.state, stays.versions.len()), (State::Good, 0));
    let mut told = stays.clone();
    told.outbox.clear();
    let again = decide(&told, Event::LetGo("older".into()), later(late, 3600)).record;
    assert_eq!(due(&again, Queue::Cleanup, later(late, 3600)), Some(Effect::Alone(Alone::Inspect)));
}

#[test]
fn an_image_that_aws_took_for_a_parameter_and_did_not_keep_is_told() {
    let parameter = |value: &str| Parameter { value: value.into(), data_type: "aws:ec2:image".into() };
    let publish = Publish { to: PublishTo::Parameter("/images/web".into()), ..Publish::default() };
    let mut record = Backup { publication: Publication::Due, publish: publish.clone(), ..backup(State::Good) };
    let mut time = now();
    let mut writes = 0;
    while !record.publication.is_at_rest() {
        let event = match due(&record, Queue::Poll, time) {
            Some(Effect::Alone(Alone::AskTurn)) => {
                PublicationEvent::Turn(Turn::Given { expected: None, publish: publish.clone(), held: None })
            }
            Some(Effect::Alone(Alone::ReadParameter(..))) => PublicationEvent::ParameterRead(Some(parameter("ami-0"))),
            Some(Effect::Alone(Alone::WriteParameter { .. })) => {
                writes += 1;
                PublicationEvent::Written
            }
            other => {
                assert_eq!(other, None);
                time = later(time, 60);
                continue;
            }
        };
        record = decide(&record, Event::Publication(event), time).record;
    }
    assert_eq!(writes, 1, "written once, then looked at");
    assert!(matches!(&record.publication, Publication::Held(why) if why.contains("did not keep it")));
}

#[test]
fn the_newest_request_about_a_pin_holds_whatever_the_order() {
    let at = |seconds| later(start(), seconds);
    let pin = |seconds| Pin { by: "alice".into(), reason: None, at: at(seconds) };
    let pinned = decide(&backup(State::Good), Event::Pinned(pin(1)), now()).record;
    let again = decide(&pinned, Event::Pinned(pin(3)), now()).record;
    let late = decide(&again, Event::Unpinned(pin(2)), now()).record;
    assert!(late.pinned.is_some(), "the pin was asked for after that");
    assert!(decide(&late, Event::Unpinned(pin(4)), now()).record.pinned.is_none());
}

#[test]
fn an_image_that_was_made_before_its_failed_backup_was_asked_for_is_that_of_a_lost_record_and_stays() {
    let failed = Backup { requested_at: now(), artifact: Artifact::There, ..backup(State::Failed) };
    let made = |seconds_before: i64| {
        let created_at = Some(later(now(), -seconds_before));
        let found = Image { created_at, ..image(ImageState::Available) };
        decide(&failed, Event::Removal(RemovalEvent::Inspected(inspection(Some(&found)))), now()).record
    };
    // Clocks are not the same.
    assert_eq!((made(60).artifact, made(60).refused), (Artifact::Condemned, None));
    let stays = made(61);
    assert_eq!(stays.artifact, Artifact::There);
    assert_eq!(
        stays.refused.as_deref(),
        Some(
            "ami-1 was made before this backup was asked for: the record of that time is lost, and it is yours to keep"
        )
    );
}

#[test]
fn what_got_no_answer_is_told_as_what_it_was() {
    use crate::life::Life;
    let trouble = || "no answer".to_owned();
    let unanswered = |record: &Backup| record.unanswered(trouble());
    let protection = Event::ScaleIn(ScaleInEvent::OnUnanswered(trouble()));
    let asked = |state| Backup { scale_in: ScaleIn::Asked, ..backup(state) };
    assert_eq!(unanswered(&asked(State::Creating)), protection);
    assert_eq!(unanswered(&backup(State::Creating)), Event::Unanswered(trouble()));
    assert_eq!(unanswered(&asked(State::Failed)), Event::Unanswered(trouble()));
    assert!(Backup::holds_whoever_saved(&protection));
    assert!(Backup::holds_whoever_saved(&Event::ScaleIn(ScaleInEvent::On)));
    assert!(!Backup::holds_whoever_saved(&Event::Unanswered(trouble())));
}

#[test]
fn a_snapshot_that_was_not_deleted_with_its_image_is_left_whatever_became_of_the_others() {
    let condemned = backup(State::Deleting);
    let after = |results: &[(&str, SnapshotDeletion)]| {
        let results = results.iter().map(|(id, result)| ((*id).into(), result.clone())).collect();
        decide(&condemned, Event::Removal(RemovalEvent::ArtifactDeleted(Ok(results))), now()).record
    };
    let deleted = || SnapshotDeletion::Deleted;
    let left = || SnapshotDeletion::NotDeleted("internal-error".into());
    assert_eq!(after(&[("snap-1", deleted()), ("snap-2", deleted())]).state, State::Deleted);
    for results in [
        vec![("snap-1", deleted()), ("snap-2", left())],
        vec![("snap-2", deleted())],
        // One that is not of this image says nothing of those that are.
        vec![("snap-9", deleted()), ("snap-8", deleted())],
        vec![],
    ] {
        let record = after(&results);
        assert_eq!((record.state, record.artifact), (State::Deleting, Artifact::SnapshotsLeft), "{results:?}");
    }
}

/// The ids of all that a record has to tell.
fn ids(record: &Backup) -> BTreeSet<&str> {
    record.outbox.iter().map(|notice| notice.id.as_str()).collect()
}

#[test]
fn two_things_that_happen_in_one_second_are_both_told() {
    let removal = |event| Event::Removal(event);
    let condemned = Backup { versions: vec![("lt-1".into(), 2)], ..backup(State::Deleting) };
    let left = removal(RemovalEvent::VersionsDeleted("lt-1".into(), Ok(vec![(2, "it is the default".into())])));
    let left = decide(&condemned, left, now()).record;
    let needed = Inspection { needed_by: vec!["lt-1".into()], ..inspection(Some(&image(ImageState::Available))) };
    let stays = decide(&left, removal(RemovalEvent::Inspected(needed)), now()).record;
    assert_eq!((stays.state, stays.outbox.len(), ids(&stays).len()), (State::Good, 2, 2), "{:?}", stays.outbox);
    let pin = |by: &str| Pin { by: by.into(), reason: None, at: now() };
    let pinned = decide(&backup(State::Good), Event::Pinned(pin("alice")), now()).record;
    let unpinned = decide(&pinned, Event::Unpinned(pin("bob")), now()).record;
    assert_eq!((unpinned.pinned.is_some(), ids(&unpinned).len()), (false, 2));
}

#[test]
fn what_happens_again_is_told_as_another_thing() {
    let gone = |record: &Backup, at| decide(record, Event::ArtifactGone, at).record;
    let lost = |record: &Backup, at| gone(&gone(record, at), later(at, VISIBLE_SECONDS_MAX));
    let once = lost(&backup(State::Good), now());
    let back = decide(&once, Event::ArtifactBack, later(now(), 9_000)).record;
    let twice = lost(&back, later(now(), 10_000));
    assert_eq!(ids(&twice).len(), 2, "{:?}", twice.outbox);
    let owed = Backup { scale_in: ScaleIn::Owed(start()), ..backup(State::Good) };
    let refused = |record: &Backup, message: &str, at| {
        let refusal = Refusal { message: message.into(), ..refusal(Why::Denied) };
        decide(record, Event::ScaleIn(ScaleInEvent::OffRefused(refusal)), at).record
    };
    let once = refused(&owed, "no", now());
    let twice = refused(&once, "not at all", later(now(), 600));
    assert_eq!(ids(&twice).len(), 2, "{:?}", twice.outbox);
}
