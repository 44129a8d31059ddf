//! What each step must say that a table of states alone does not show: counts, guards, and who does what.

use super::fixtures::{artifact, backup, chosen, image, inspection, now, refusal, start};
use super::late::PUBLISH_HEARD_SECONDS_MAX;
use super::life::{Alone, Chosen, Effect, Event, State, decide, due, queue, wake};
use super::publication::{Publication, PublicationEvent};
use super::record::{Artifact, Backup, Pin};
use super::removal::{LATE_IMAGE_SECONDS_MAX, REFUSED_RETRY_SECONDS, REMOVAL_SECONDS_MAX, RemovalEvent};
use super::scale_in::{ScaleIn, ScaleInEvent};
use super::sight::VISIBLE_SECONDS_MAX;
use crate::facts::{ImageState, Parameter, SnapshotDeletion, TemplateRef, VersionRef};
use crate::life::{LEASE_SECONDS, RETRY_SECONDS};
use crate::notice::News;
use crate::plan::{OnManualChange, Publish, PublishTo};
use crate::record::{Queue, Tells};
use crate::refusal::Why;
use crate::source::{Because, Expected, Turn};
use crate::{Time, later};

fn pin() -> Pin {
    Pin { by: "alice".into(), reason: None, at: start() }
}

fn removal(event: RemovalEvent) -> Event {
    Event::Removal(event)
}

#[test]
fn an_answer_ends_a_row_of_failures_and_nothing_else_does() {
    let failing = |state| Backup { failures: 3, ..backup(state) };
    let after = |record: &Backup, event| decide(record, event, now()).record.failures;
    let creating = failing(State::Creating);
    assert_eq!(after(&creating, Event::Made(artifact("ami-1"))), 0);
    assert_eq!(after(&creating, Event::CreateRefused(refusal(Why::TooSoon))), 0);
    assert_eq!(after(&creating, Event::Woken), 3);
    assert_eq!(creating.sent(&[]).failures, 3);
    assert_eq!(after(&creating, Event::SourceTold), 3);
    assert_eq!(after(&failing(State::Pending), Event::ArtifactNews), 3);
    assert_eq!(after(&creating, Event::Unanswered("no answer".into())), 4);
    // Nor do people's wishes, and what is stale is no answer to what was asked.
    assert_eq!(after(&failing(State::Good), Event::Pinned(pin())), 3);
    assert_eq!(after(&failing(State::Good), Event::LetGo("older".into())), 0, "something else is tried now");
    assert_eq!(after(&creating, Event::LetGo("older".into())), 3);
    let owed = Backup { scale_in: ScaleIn::Owed(start()), ..failing(State::Good) };
    assert_eq!(after(&owed, Event::ScaleIn(ScaleInEvent::OffUnanswered("no answer".into()))), 4);
}

#[test]
fn an_image_is_one_deeper_than_what_its_instance_was_launched_from() {
    for (of, is) in [(0, 1), (1, 2), (4, 5)] {
        let event = Event::InstanceChosen(Chosen { generation: of, ..chosen() });
        assert_eq!(decide(&backup(State::Requested), event, now()).record.generation, is);
    }
}

#[test]
fn a_member_is_protected_if_the_plan_says_so_and_nobody_has_done_it() {
    for (asked, by_others, is) in [
        (true, false, ScaleIn::Asked),
        (true, true, ScaleIn::Untouched),
        (false, false, ScaleIn::Untouched),
        (false, true, ScaleIn::Untouched),
    ] {
        let mut record = backup(State::Requested);
        record.capture.protect_from_scale_in = asked;
        let event = Event::InstanceChosen(Chosen { protected_from_scale_in: by_others, ..chosen() });
        let next = decide(&record, event, now()).record;
        assert_eq!(next.scale_in, is);
        let first = due(&next, Queue::Tick, now()).expect("it goes on");
        assert_eq!(
            matches!(first, Effect::Alone(Alone::Protect(..))),
            is == ScaleIn::Asked,
            "before the image, not after it"
        );
    }
}

#[test]
fn protection_that_came_too_late_is_owed_again() {
    // A failed one waits for the cleanup, but not with this.
    for (state, event) in [
        (State::Good, ScaleInEvent::On),
        (State::Failed, ScaleInEvent::On),
        (State::Failed, ScaleInEvent::OnUnanswered("no answer".into())),
    ] {
        let over = Backup { scale_in: ScaleIn::GivenBack, ..backup(state) };
        let late = decide(&over, Event::ScaleIn(event), now()).record;
        assert!(matches!(late.scale_in, ScaleIn::Owed(at) if at <= now()), "{:?}", late.scale_in);
        assert_eq!(queue(&late), Queue::Poll);
        assert!(matches!(due(&late, Queue::Poll, now()), Some(Effect::Alone(Alone::Unprotect(..)))));
    }
    // Whoever is taking it away right now must not save that it is away.
    for at in [start(), now(), later(now(), 90)] {
        let owed = Backup { scale_in: ScaleIn::Owed(at), ..backup(State::Good) };
        let late = decide(&owed, Event::ScaleIn(ScaleInEvent::On), now()).record;
        assert!(matches!(late.scale_in, ScaleIn::Owed(again) if again < now() && again != at), "{:?}", late.scale_in);
    }
}

#[test]
fn what_is_pinned_or_being_published_is_not_let_go() {
    let let_go = |record: &Backup| decide(record, Event::LetGo("older".into()), now()).record.state;
    assert_eq!(let_go(&backup(State::Good)), State::Expiring);
    assert_eq!(let_go(&Backup { pinned: Some(pin()), ..backup(State::Good) }), State::Good);
    assert_eq!(let_go(&Backup { publication: Publication::Due, ..backup(State::Good) }), State::Good);
}

#[test]
fn an_image_stays_as_long_as_a_call_that_publishes_it_may_still_be_heard() {
    let template = TemplateRef { template: "lt-1".into(), version: VersionRef::Latest };
    let making = Publication::Making { group: template, base: 1 };
    let making = Backup { publication: making, ..backup(State::Good) };
    let let_go = |record: &Backup, at: Time| decide(record, Event::LetGo("older".into()), at).record.state;
    let taken_up = decide(&making, Event::Woken, now()).record;
    let replaced = decide(&taken_up, Event::Publication(PublicationEvent::Turn(Turn::Newer)), later(now(), 5)).record;
    let failed = decide(&making, Event::Unanswered("no answer".into()), now()).record;
    let denied = || Event::Publication(PublicationEvent::Refused(refusal(Why::Denied)));
    let held = decide(&failed, denied(), later(now(), 60)).record;
    for over in [replaced, held] {
        assert!(over.publication.is_at_rest(), "{:?}", over.publication);
        assert_eq!(let_go(&over, later(now(), PUBLISH_HEARD_SECONDS_MAX - 1)), State::Good);
        assert_eq!(let_go(&over, later(now(), PUBLISH_HEARD_SECONDS_MAX)), State::Expiring);
    }
    // A call that was answered is not on its way.
    assert_eq!(let_go(&decide(&making, denied(), now()).record, now()), State::Expiring);
    let pointing = decide(&making, Event::Publication(PublicationEvent::VersionMade(2)), now()).record;
    let pointed = decide(&pointing, Event::Publication(PublicationEvent::Pointed), now()).record;
    assert!(matches!(pointed.publication, Publication::Published(_)));
    assert_eq!(let_go(&pointed, now()), State::Expiring);
    // Before anything was asked nothing is on its way.
    let due = decide(
        &Backup { publication: Publication::Due, ..making },
        Event::Publication(PublicationEvent::Turn(Turn::Newer)),
        now(),
    );
    assert_eq!(let_go(&due.record, now()), State::Expiring);
}

#[test]
fn the_cleanup_leaves_protection_to_the_poll_and_its_own_work_waits_for_its_time() {
    let owed = Backup { scale_in: ScaleIn::Owed(start()), ..backup(State::Failed) };
    assert!(matches!(due(&owed, Queue::Poll, now()), Some(Effect::Alone(Alone::Unprotect(..)))));
    assert_eq!(due(&owed, Queue::Cleanup, now()), Some(Effect::Alone(Alone::Inspect)));
    let waiting = Backup { look_at: later(now(), 1), ..backup(State::Expiring) };
    assert_eq!(due(&waiting, Queue::Cleanup, now()), None);
    assert_eq!(due(&owed, Queue::Checkpoint, now()), None, "its role may not");
    assert_eq!(due(&waiting, Queue::Cleanup, later(now(), 1)), Some(Effect::Alone(Alone::Inspect)));
    assert_eq!(due(&waiting, Queue::Poll, later(now(), 1)), None, "it may not delete");
}

#[test]
fn whoever_has_something_to_tell_is_woken_a_lease_later() {
    let at = Some(later(start(), LEASE_SECONDS));
    let quiet = Backup { look_at: start(), since: start(), ..backup(State::Deleted) };
    assert_eq!(wake(&quiet), None);
    assert_eq!(wake(&Backup { source_told: false, ..quiet.clone() }), at);
    let mut speaks = quiet;
    let news = News::BackupFailed { backup: speaks.id.clone(), reason: "no".into() };
    speaks.outbox.push(crate::notice::Notice::new(&speaks.id.source, "x", start(), news));
    assert_eq!(wake(&speaks), at);
}

#[test]
fn a_late_image_of_our_name_is_waited_for_a_quarter_of_an_hour() {
    let asked = Backup { artifact: Artifact::Asked, artifact_id: None, since: start(), ..backup(State::Failed) };
    let nothing = || removal(RemovalEvent::Inspected(inspection(None)));
    let young = decide(&asked, nothing(), later(start(), LATE_IMAGE_SECONDS_MAX - 1)).record;
    assert_eq!((young.artifact, young.look_at), (Artifact::Asked, later(start(), LATE_IMAGE_SECONDS_MAX)));
    assert_eq!(decide(&asked, nothing(), later(start(), LATE_IMAGE_SECONDS_MAX)).record.artifact, Artifact::Gone);
    // One without our tags is a stranger's, once they had time to appear.
    let theirs = || {
        let mut theirs = inspection(Some(&image(ImageState::Available)));
        theirs.ours = false;
        removal(RemovalEvent::Inspected(theirs))
    };
    let young = decide(&asked, theirs(), later(start(), LATE_IMAGE_SECONDS_MAX - 1)).record;
    assert_eq!((young.artifact, young.look_at), (Artifact::Asked, later(start(), LATE_IMAGE_SECONDS_MAX)));
    assert_eq!(decide(&asked, theirs(), later(start(), LATE_IMAGE_SECONDS_MAX)).record.artifact, Artifact::None);
}

#[test]
fn snapshots_that_another_image_is_over_stay_and_are_told() {
    let mut condemned = backup(State::Deleting);
    condemned.artifact = Artifact::Condemned;
    let results = vec![("snap-1".into(), SnapshotDeletion::Deleted), ("snap-2".into(), SnapshotDeletion::Shared)];
    let gone = decide(&condemned, removal(RemovalEvent::ArtifactDeleted(Ok(results))), now()).record;
    assert_eq!((gone.state, gone.artifact), (State::Deleted, Artifact::Gone));
    assert_eq!((gone.snapshots, gone.shared), (vec!["snap-1".into()], vec!["snap-2".into()]));
    assert!(gone.outbox[0].message.contains("1 snapshot; snap-2 stay, for another image is over them"), "told");
    // The same, if AWS says so only when it is deleted by itself.
    let mut left = backup(State::Deleting);
    left.artifact = Artifact::SnapshotsLeft;
    let in_use = crate::refusal::Refusal { message: "in use by ami-theirs".into(), ..refusal(Why::InUse) };
    let results = vec![("snap-1".into(), Ok(())), ("snap-2".into(), Err(in_use))];
    let gone = decide(&left, removal(RemovalEvent::SnapshotsDeleted(results)), now()).record;
    assert_eq!((gone.state, gone.shared), (State::Deleted, vec!["snap-2".into()]));
    // In use by our own image: that is there after all.
    let ours = crate::refusal::Refusal { message: "in use by ami-1".into(), ..refusal(Why::InUse) };
    let back = decide(&left, removal(RemovalEvent::SnapshotsDeleted(vec![("snap-1".into(), Err(ours))])), now()).record;
    assert_eq!((back.state, back.artifact), (State::Deleting, Artifact::There));
    assert_eq!(back.look_at, later(now(), RETRY_SECONDS));
}

#[test]
fn snapshots_that_can_t_be_deleted_are_told_and_tried_again() {
    let mut left = backup(State::Deleting);
    left.artifact = Artifact::SnapshotsLeft;
    let results = || vec![("snap-1".into(), Err(refusal(Why::Denied))), ("snap-2".into(), Err(refusal(Why::Missing)))];
    let again = decide(&left, removal(RemovalEvent::SnapshotsDeleted(results())), now()).record;
    assert_eq!((again.state, again.artifact), (State::Deleting, Artifact::SnapshotsLeft));
    assert_eq!((again.look_at, again.outbox.len()), (later(now(), REFUSED_RETRY_SECONDS), 1));
    assert!(again.outbox[0].message.contains("snap-1: ") && !again.outbox[0].message.contains("snap-2"));
    let told = decide(&again, removal(RemovalEvent::SnapshotsDeleted(results())), later(now(), 3600)).record;
    assert_eq!(told.outbox.len(), 1, "the same again is no news");
}

#[test]
fn versions_that_aws_left_are_tried_again_once_retention_lets_the_backup_go_anew() {
    let stayed = Backup { versions_tried: true, ..backup(State::Good) };
    let goes = decide(&stayed, Event::LetGo("no rule keeps it".into()), now()).record;
    assert_eq!((goes.state, goes.versions_tried), (State::Expiring, false));
}

#[test]
fn versions_that_aws_left_are_not_tried_twice() {
    let mut condemned = backup(State::Deleting);
    condemned.artifact = Artifact::Condemned;
    condemned.versions = vec![("lt-1".into(), 2), ("lt-2".into(), 5), ("lt-1".into(), 3)];
    let first = due(&condemned, Queue::Cleanup, now()).expect("due");
    assert_eq!(first, Effect::Alone(Alone::DeleteVersions("lt-1".into(), vec![2, 3])));
    let done = decide(&condemned, removal(RemovalEvent::VersionsDeleted("lt-1".into(), Ok(Vec::new()))), now()).record;
    assert_eq!((done.versions.as_slice(), done.artifact), ([("lt-2".into(), 5)].as_slice(), Artifact::Condemned));
    let left = vec![(5, "it is the default".to_owned())];
    let left = decide(&done, removal(RemovalEvent::VersionsDeleted("lt-2".into(), Ok(left))), now()).record;
    assert_eq!((left.artifact, left.versions_tried), (Artifact::There, true));
    let seen = removal(RemovalEvent::Inspected(inspection(Some(&image(ImageState::Available)))));
    let seen = decide(&left, seen, now()).record;
    assert_eq!((seen.artifact, seen.versions.len()), (Artifact::Condemned, 0));
    assert_eq!(due(&seen, Queue::Cleanup, now()), Some(Effect::Alone(Alone::Deregister("ami-1".into()))));
}

#[test]
fn versions_of_an_image_that_is_gone_go_unless_something_needs_them() {
    let seen = |needed: bool| {
        let mut seen = inspection(None);
        seen.versions = vec![("lt-1".into(), 2)];
        seen.needed_by = needed.then(|| "group/web".to_owned()).into_iter().collect();
        decide(&backup(State::Expiring), removal(RemovalEvent::Inspected(seen)), now()).record
    };
    assert_eq!((seen(false).state, seen(false).artifact), (State::Deleting, Artifact::Condemned));
    assert_eq!(
        due(&seen(false), Queue::Cleanup, now()),
        Some(Effect::Alone(Alone::DeleteVersions("lt-1".into(), vec![2])))
    );
    assert_eq!((seen(true).artifact, seen(true).versions.len()), (Artifact::SnapshotsLeft, 0));
}

#[test]
fn a_removal_that_takes_a_day_is_told_once() {
    let begun = Backup { since: start(), ..backup(State::Deleting) };
    let late = later(start(), REMOVAL_SECONDS_MAX);
    let told = |record: &Backup, at| decide(record, Event::Unanswered("no answer".into()), at).record;
    assert_eq!(told(&begun, later(late, -1)).outbox.len(), 0);
    let first = told(&begun, late);
    assert_eq!(first.outbox.len(), 1);
    assert_eq!(told(&first, later(late, 3600)).outbox.len(), 1);
}

#[test]
fn a_good_image_that_is_gone_is_told_once_and_a_quarter_of_an_hour_late() {
    let gone = |record: &Backup, at| decide(record, Event::ArtifactGone, at).record;
    let first = gone(&backup(State::Good), start());
    assert_eq!((first.missing_since, first.outbox.len()), (Some(start()), 0));
    assert_eq!(gone(&first, later(start(), VISIBLE_SECONDS_MAX - 1)).outbox.len(), 0);
    let told = gone(&first, later(start(), VISIBLE_SECONDS_MAX));
    assert!(told.outbox[0].message.contains("can't be restored any more: somebody deregistered ami-1"));
    assert_eq!(gone(&told, later(start(), 99_999)).outbox.len(), 1);
    let back = decide(&told, Event::ArtifactBack, later(start(), 99_999)).record;
    assert_eq!((back.missing_since, back.lost_told), (None, None));
}

#[test]
fn an_image_that_is_not_shown_is_not_published_and_held_in_the_end() {
    let reading = Backup { publication: Publication::Reading { expected: None }, ..backup(State::Good) };
    let unseen = |record: &Backup, at| {
        let record = Backup { publication: Publication::Reading { expected: None }, ..record.clone() };
        decide(&record, Event::Publication(PublicationEvent::ImageUnseen), at).record
    };
    let first = unseen(&reading, start());
    assert_eq!((first.publication.clone(), first.look_at), (Publication::Due, later(start(), RETRY_SECONDS)));
    assert_eq!(unseen(&first, later(start(), VISIBLE_SECONDS_MAX - 1)).publication, Publication::Due);
    let held = unseen(&first, later(start(), VISIBLE_SECONDS_MAX)).publication;
    assert_eq!(held, Publication::Held("the image is gone: somebody deregistered it".into()));
}

#[test]
fn what_is_left_behind_is_taken_up_with_all_that_is_known_of_it() {
    let failed = Backup { artifact: Artifact::None, artifact_id: None, ..backup(State::Failed) };
    let left = Event::LeftBehind { artifact: Some(artifact("ami-9")), snapshots: vec!["snap-9".into()] };
    let found = decide(&failed, left.clone(), now()).record;
    assert_eq!(
        (found.state, found.artifact, found.artifact_id),
        (State::Failed, Artifact::There, Some(artifact("ami-9")))
    );
    assert_eq!(found.snapshots, ["snap-9".into()]);
    let known = Backup { artifact: Artifact::Gone, versions_tried: true, ..backup(State::Failed) };
    let found = decide(&known, left.clone(), now()).record;
    assert_eq!((found.artifact, found.versions_tried), (Artifact::There, false));
    assert_eq!(found.artifact_id, Some(artifact("ami-1")), "what is on record stays");
    assert_eq!(decide(&backup(State::Deleted), left, now()).reason, "stale", "somebody has restored it");
}

#[test]
fn what_failed_is_told_by_the_poll_and_cleaned_by_the_cleanup() {
    let failed = backup(State::Failed);
    assert_eq!(queue(&failed), Queue::Cleanup);
    assert_eq!(queue(&Backup { source_told: false, ..failed.clone() }), Queue::Poll);
    let mut told = failed;
    told.pin(pin(), now());
    assert_eq!((told.outbox.len(), queue(&told)), (1, Queue::Poll));
}

#[test]
fn what_is_not_there_any_more_cannot_be_pinned() {
    for (state, why) in [
        (State::Requested, None),
        (State::Creating, None),
        (State::Pending, None),
        (State::Good, None),
        (State::Expiring, Some("it is being deleted")),
        (State::Deleting, Some("it is being deleted")),
        (State::Deleted, Some("it is deleted")),
        (State::Failed, Some("it failed")),
    ] {
        assert_eq!(backup(state).cannot_be_pinned(), why);
    }
}

#[test]
fn of_a_pin_and_its_end_in_one_second_the_one_that_is_heard_last_counts() {
    let pinned = decide(&backup(State::Good), Event::Pinned(pin()), now()).record;
    let unpinned = decide(&pinned, Event::Unpinned(pin()), now()).record;
    assert!(pinned.pinned.is_some() && unpinned.pinned.is_none());
    let before = Pin { at: later(start(), -1), ..pin() };
    assert!(decide(&unpinned, Event::Pinned(before), now()).record.pinned.is_none(), "it was asked for before");
}

#[test]
fn a_snapshot_under_another_image_leaves_the_record_of_this_one_and_no_other_does() {
    let condemned = Backup { artifact: Artifact::Condemned, ..backup(State::Deleting) };
    let results = vec![("snap-1".into(), SnapshotDeletion::Shared), ("snap-2".into(), SnapshotDeletion::Deleted)];
    let gone = decide(&condemned, removal(RemovalEvent::ArtifactDeleted(Ok(results))), now()).record;
    assert_eq!((gone.shared, gone.snapshots), (vec!["snap-1".into()], vec!["snap-2".into()]));
    assert_eq!((gone.state, gone.artifact), (State::Deleted, Artifact::Gone));
}

/// What becomes of the publication of a backup that follows changes by hand, when this is found in place of `ami-0`.
fn follows(base: &str, found: Option<&str>) -> Publication {
    let because = Because::Published;
    let expected = Some(Expected { image: Some("ami-0".into()), because });
    let to = PublishTo::Parameter("/images/web".into());
    let record = Backup {
        base: Some(base.into()),
        publication: Publication::Reading { expected },
        publish: Publish { to, on_manual_change: OnManualChange::Adopt, ..Publish::default() },
        ..backup(State::Good)
    };
    let found = found.map(|value| Parameter { value: value.into(), data_type: "aws:ec2:image".into() });
    decide(&record, Event::Publication(PublicationEvent::ParameterRead(found)), now()).record.publication
}

#[test]
fn a_change_by_hand_is_followed_unless_the_image_carries_it_on_or_there_is_nothing_to_follow() {
    assert_eq!(follows("ami-base", Some("ami-theirs")), Publication::Adopted("ami-theirs".into()));
    assert!(matches!(follows("ami-theirs", Some("ami-theirs")), Publication::Writing { .. }));
    assert!(matches!(follows("ami-base", None), Publication::Writing { was: None, .. }));
}

#[test]
fn an_image_that_aws_does_not_keep_in_the_parameter_is_held_after_a_quarter_of_an_hour() {
    let to = PublishTo::Parameter("/images/web".into());
    let expected = Some(Expected { image: Some("ami-0".into()), because: Because::Published });
    let written = Backup {
        written_at: Some(start()),
        publication: Publication::Reading { expected },
        publish: Publish { to, ..Publish::default() },
        ..backup(State::Good)
    };
    let read = || {
        let found = Parameter { value: "ami-0".into(), data_type: "aws:ec2:image".into() };
        Event::Publication(PublicationEvent::ParameterRead(Some(found)))
    };
    let publication = |seconds: i64| decide(&written, read(), later(start(), seconds)).record.publication;
    assert_eq!(publication(15 * 60 - 1), Publication::Due, "it is read again");
    let Publication::Held(why) = publication(15 * 60) else { panic!("not held") };
    assert!(why.starts_with("AWS took the image for /images/web and did not keep it"), "{why}");
}
