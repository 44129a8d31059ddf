//! What others save while a function is at it: nothing of it is lost, nothing is done twice, and who asked is answered.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_util::FutureExt;
use lastgood_core::backup::{Artifact, Backup, Publication, State};
use lastgood_core::id::ArtifactId;
use lastgood_core::incoming::{AboutBackup, AboutSource, Request};
use lastgood_core::source::Source;
use lastgood_core::{later, pace};
use lastgood_engine::{Store, Versioned};
use lastgood_tests::cut::{At, Knife, Meanwhile};
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{AwsError, Weather};

use crate::transcript::{HOURLY, count, during, web};

fn pin(stack: &Stack, by: &str) -> Request {
    let backup = stack.backups("group/web").remove(0).id;
    Request::Pin(AboutBackup { backup, by: by.parse().expect("a name"), reason: None })
}

fn about(by: &str) -> AboutSource {
    AboutSource { source: "group/web".parse().expect("a source"), by: by.parse().expect("a name"), reason: None }
}

/// A backup whose image is complete, which nobody has seen yet, and AWS's news of it.
fn about_to_be_good() -> (Stack, Invocation) {
    let (stack, _) = web(HOURLY);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(10 * 60);
    let image = stack.backups("group/web").remove(0).image().cloned().expect("made");
    (stack, Invocation::News(ArtifactId::Image(image)))
}

#[test]
fn a_wish_that_could_not_be_saved_is_no_success_and_comes_again() {
    for call in 0..5 {
        let (stack, news) = about_to_be_good();
        stack.invoke(news);
        let wish = Invocation::Asked(stack.world.time(), pin(&stack, "alice"));
        let down = |number| Weather { unheard: if number == call { 1_000 } else { 0 }, ..Weather::default() };
        let gate = Meanwhile::new(|number| stack.store.set_weather(1, down(number)));
        let ended = stack.try_behind(&gate, wish.clone()).expect("it ends");
        stack.store.set_weather(1, Weather::default());
        // It is read for whether it can be kept, read, saved, told, and saved as told.
        assert_eq!(ended.is_err(), call < 3, "call {call}: {ended:?}");
        let is_pinned = |stack: &Stack| stack.backups("group/web").remove(0).pinned.is_some();
        assert_eq!(is_pinned(&stack), call >= 3, "call {call}");
        stack.invoke(wish);
        stack.invoke(Invocation::Poll);
        assert!(is_pinned(&stack), "call {call}");
        assert_eq!(count(&stack, "Backup Pinned"), 1, "call {call}");
    }
}

#[test]
fn a_hint_that_meets_somebody_elses_save_is_given_again_and_looks_once_more_at_most() {
    let looks = |stack: &Stack| stack.world.calls().get("ec2:DescribeSnapshots").copied().unwrap_or_default();
    let (stack, news) = about_to_be_good();
    let (report, calls) = during(&stack, news, usize::MAX, || {});
    assert_eq!((report.lost, looks(&stack)), (0, 1), "where nobody is in between one look is enough");
    let (early, _) = web(HOURLY);
    early.world.advance(30 * 60);
    early.invoke(Invocation::Tick);
    let image = early.backups("group/web").remove(0).artifact_id.expect("asked for");
    let asked = |stack: &Stack| stack.world.calls().get("ec2:DescribeImages").copied().unwrap_or_default();
    let before = asked(&early);
    early.invoke(Invocation::News(image));
    assert_eq!(asked(&early), before + 1, "also if the image is pending still");
    // Which backup it is, its record, and the save of the hint: until then nothing was looked at.
    let before_the_look = 3;
    let mut twice = 0;
    for call in 0..calls {
        let (stack, news) = about_to_be_good();
        let (report, _) = during(&stack, news, call, || stack.ask(pin(&stack, "alice")));
        let backup = stack.backups("group/web").remove(0);
        assert_eq!(backup.state, State::Good, "before call {call}: {}", backup.reason);
        assert!(backup.pinned.is_some(), "before call {call}");
        // What was not saved is not carried on with: its look is not made in vain.
        let most = if call < before_the_look { 1 } else { 2 };
        assert!(looks(&stack) <= most, "before call {call}: {} looks", looks(&stack));
        twice += usize::from(looks(&stack) == 2);
        assert!(report.lost <= 1 && report.troubles.is_empty(), "before call {call}: {report:?}");
    }
    assert!(twice > 0, "the two never met");
}

#[test]
fn a_pin_that_meets_somebody_elses_save_holds() {
    let held = || {
        let (stack, _) = web(HOURLY);
        stack.ask(Request::Hold(about("bob")));
        stack.run(45);
        assert!(matches!(stack.backups("group/web")[0].publication, Publication::Held(_)));
        stack
    };
    let stack = held();
    let asked = |stack: &Stack| Invocation::Asked(stack.world.time(), pin(stack, "alice"));
    let (_, calls) = during(&stack, asked(&stack), usize::MAX, || {});
    let mut lost = Vec::new();
    for call in 0..calls {
        let stack = held();
        let (report, _) = during(&stack, asked(&stack), call, || stack.ask(Request::Release(about("bob"))));
        lost.push(report.lost);
        let backup = stack.backups("group/web").remove(0);
        assert_eq!(backup.pinned.map(|pin| pin.by).as_deref(), Some("alice"), "before call {call}");
        stack.run(5);
        let publication = stack.backups("group/web").remove(0).publication;
        assert!(matches!(publication, Publication::Published(_)), "before call {call}: {publication:?}");
    }
    assert_eq!(lost, [0, 0, 1, 1, 1], "they meet at the saves: of the wish, and of what was told of it");
}

#[test]
fn a_survey_that_meets_somebody_elses_save_leaves_it_to_the_next() {
    let away = || {
        let (stack, _) = web(HOURLY);
        stack.world.delete_group("web");
        stack.world.advance(5 * 60);
        stack
    };
    let (_, calls) = during(&away(), Invocation::Tick, usize::MAX, || {});
    let mut lost = 0;
    for call in 0..calls {
        let stack = away();
        let (report, _) = during(&stack, Invocation::Tick, call, || stack.ask(Request::Hold(about("bob"))));
        lost += report.lost;
        assert!(report.troubles.is_empty(), "before call {call}: {report:?}");
        let source = stack.source("group/web");
        assert!(source.hold.is_some(), "before call {call}");
        assert_eq!(source.missing_since.is_none(), report.lost == 1, "before call {call}");
        stack.world.advance(5 * 60);
        stack.invoke(Invocation::Tick);
        assert!(stack.source("group/web").missing_since.is_some(), "before call {call}");
    }
    assert!(lost > 0, "the two never met");
}

#[test]
fn whoever_takes_calls_from_a_bucket_while_another_does_only_takes_again() {
    let due = || {
        let stack = Stack::of_groups(1);
        stack.world.advance(30 * 60);
        stack
    };
    let (_, undisturbed) = during(&due(), Invocation::Tick, usize::MAX, || {});
    for action in ["ec2:CreateImage", "autoscaling:DescribeAutoScalingGroups"] {
        let mut again = 0;
        for call in 0..undisturbed {
            let stack = due();
            let (report, calls) = during(&stack, Invocation::Tick, call, || {
                let known = stack.store.bucket(action).now_or_never().expect("ready").expect("read");
                let version = known.map_or(0, |known| known.version);
                let taken = Versioned { record: pace::drained(later(stack.world.time(), -60)), version };
                stack.store.save_bucket(action, &taken).now_or_never().expect("ready").expect("saved");
            });
            assert!(report.troubles.is_empty(), "{action} before call {call}: {report:?}");
            assert_eq!(stack.our_images().len(), 1, "{action} before call {call}");
            again += usize::from(calls > undisturbed);
        }
        assert!(again > 0, "{action}: the two never met");
    }
}

#[test]
fn what_is_decided_by_an_older_list_of_all_groups_is_as_old_as_that_list() {
    // Eight are deleted together; the ninth is looked at when they are done, by the list that was read for them.
    let stack = Stack::of_groups(9);
    for _ in 0..2 {
        stack.invoke(Invocation::Cleanup);
        stack.world.advance(60 * 60);
        stack.back_up_only(5);
    }
    stack.drain("ec2:DeregisterImage", 10);
    let seen = Mutex::new(BTreeSet::new());
    let gate = Meanwhile::new(|_| {
        let condemned = |backup: &Backup| backup.artifact == Artifact::Condemned;
        let backups = stack.store.all_backups().into_iter().filter(condemned);
        seen.lock().expect("no test panics with it").extend(backups.map(|backup| (backup.id, backup.look_at)));
    });
    let begun = stack.world.time();
    stack.invoke_behind(&gate, Invocation::Cleanup).expect("it ends");
    assert!(stack.world.time() >= later(begun, 10), "they had to wait");
    assert_eq!(stack.our_images().len(), 9);
    let log = stack.world.log();
    let lists =
        log.iter().filter(|call| call.action == "autoscaling:DescribeAutoScalingGroups" && call.about == "[] []");
    assert_eq!(lists.filter(|call| call.at >= begun).count(), 1, "one list for all nine");
    let seen = seen.lock().expect("no test panics with it");
    assert_eq!(seen.len(), 9);
    assert!(seen.iter().all(|(_, at)| *at == begun), "{seen:?}");
}

/// The source whose turn it is to publish, as it is on record.
fn source(stack: &Stack) -> Versioned<Source> {
    let id = "group/web".parse().expect("a source");
    stack.store.load::<Source>(&id).now_or_never().expect("ready").expect("read").expect("on record")
}

/// A backup that has the turn to publish, and one after it that is about to be good, with AWS's news of it.
fn turn(first: impl Fn(&Stack)) -> (Stack, Invocation) {
    let (stack, _) = web(HOURLY);
    stack.world.advance(30 * 60);
    stack.invoke(Invocation::Tick);
    stack.world.advance(10 * 60);
    first(&stack);
    stack.request("group/web");
    stack.world.advance(10 * 60);
    let image = stack.backups("group/web").remove(0).image().cloned().expect("made");
    (stack, Invocation::News(ArtifactId::Image(image)))
}

#[test]
fn the_turn_of_one_that_publishes_is_not_taken_from_it() {
    let error = AwsError::with_status(500, "InternalError", "An internal error has occurred");
    let (stack, news) = turn(|stack| {
        stack.world.fail_next("ec2:CreateLaunchTemplateVersion", 1, &error);
        stack.invoke(Invocation::Poll);
    });
    let [second, first] = stack.backups("group/web").try_into().expect("two");
    assert!(matches!(first.publication, Publication::Making { .. }), "{:?}", first.publication);
    stack.invoke(news);
    assert_eq!(source(&stack).record.turn, Some(first.id.slot), "it is at it");
    assert_eq!(stack.backups("group/web")[0].id, second.id);
    assert_eq!(stack.backups("group/web")[0].publication, Publication::Due, "the other waits");
}

#[test]
fn the_turn_of_one_that_is_done_is_taken_once_its_source_knows() {
    // It is published, and dies before its source is told.
    let published = |stack: &Stack| {
        let backup = stack.backups("group/web").pop().expect("the first");
        matches!(backup.publication, Publication::Published(_)) && !backup.source_told
    };
    let mut found = false;
    for call in 0..200 {
        let (stack, news) = turn(|stack| {
            let knife = Knife::new(Some(At::Before(call)));
            let _ = stack.invoke_behind(&knife, Invocation::Poll);
        });
        if !published(&stack) || source(&stack).record.turn.is_none() {
            continue;
        }
        found = true;
        let first = stack.backups("group/web").pop().expect("the first");
        stack.invoke(news);
        assert_eq!(source(&stack).record.turn, Some(first.id.slot), "what it came to is not known yet");
        stack.run(5);
        let newest = stack.backups("group/web").remove(0);
        assert!(matches!(newest.publication, Publication::Published(_)), "{:?}", newest.publication);
    }
    assert!(found, "the first was never done without its source knowing");
    // However it kept the turn: it is at rest, and its source knows.
    let (stack, news) = turn(|stack| {
        stack.invoke(Invocation::Poll);
        let mut kept = source(stack);
        kept.record.turn = Some(stack.backups("group/web")[0].id.slot);
        stack.store.save(&kept).now_or_never().expect("ready").expect("saved");
    });
    let first = stack.backups("group/web").pop().expect("the first");
    assert!(first.publication.is_at_rest() && first.source_told);
    assert_eq!(source(&stack).record.turn, Some(first.id.slot));
    stack.invoke(news);
    assert_ne!(source(&stack).record.turn, Some(first.id.slot), "it is free");
    stack.run(5);
    let newest = stack.backups("group/web").remove(0);
    assert!(matches!(newest.publication, Publication::Published(_)), "{:?}", newest.publication);
}
