//! What is asked on our bus and can't be done: each refusal is told, with who asked what and why, and nothing else happens.

use lastgood_core::id::{RolloutId, SourceId};
use lastgood_core::incoming::{
    AboutBackup, AboutSource, BackupRequested, ImageChangeRequested, Request, SkipRequested, VerdictAsked,
};
use lastgood_core::later;
use lastgood_core::notice::News;
use lastgood_core::rollout::{Judge, Verdict};
use lastgood_tests::stack::{Invocation, Stack};

use crate::rollouts::{STEPS, numbered};
use crate::transcript::messages;

const PLAN: &str = "plans: [{name: web, select: {groups: [web]}, schedule: daily, publish: none}]";

fn stack() -> Stack {
    let scene = numbered(2, STEPS);
    scene.stack.apply(PLAN).expect("applied");
    scene.stack.run(2);
    scene.stack
}

fn about(source: &str) -> AboutSource {
    AboutSource { source: source.parse().expect("a source"), by: "mallory".parse().expect("a name"), reason: None }
}

/// Each with what it is told by.
fn cannot_be_done(stack: &Stack) -> Vec<(Invocation, &'static str, &'static str)> {
    let now = stack.world.time();
    let (web, by) = (about("group/web").source, || "mallory".parse().expect("a name"));
    let asked = |request| Invocation::Asked(now, request);
    let backup = |source: &str, seconds| {
        let request = BackupRequested { source: about(source).source, by: by(), reason: None };
        Invocation::Request(later(now, seconds), request)
    };
    let image = |source: SourceId| {
        let request = ImageChangeRequested { source, image: "ami-1".into(), refresh: false, by: by(), reason: None };
        Invocation::ImageChange(now, request)
    };
    let pin = AboutBackup { backup: web_backup(), by: by(), reason: None };
    let skip = SkipRequested { source: web.clone(), slot: later(now, 864_000), by: by(), reason: None };
    let verdict = |rollout: &str| {
        let (rollout, verdict) = (RolloutId::from(rollout), Verdict::GoOn);
        let (visit, judge) = (None, Judge::Event);
        Invocation::Verdict(now, VerdictAsked { rollout, visit, verdict, judge, by: by(), reason: None })
    };
    vec![
        (asked(Request::Hold(about("group/db"))), "group/db: 'Hold Requested'", "there is no source group/db"),
        (asked(Request::Release(about("group/db"))), "group/db: 'Release Requested'", "there is no source group/db"),
        (asked(Request::Pin(pin.clone())), "group/web: 'Pin Requested'", "it is not on record"),
        (asked(Request::Unpin(pin)), "group/web: 'Unpin Requested'", "it is not on record"),
        (asked(Request::Skip(skip)), "group/web: 'Skip Requested'", "is not the next slot of group/web; that is"),
        (backup("group/db", 0), "group/db: 'Backup Requested'", "is in no plan"),
        (backup("group/web", 301), "group/web: 'Backup Requested'", "whose clock is wrong?"),
        (backup("group/web", -3 * 3600 - 1), "group/web: 'Backup Requested'", "more than 3 h later; ask again"),
        (image(about("group/db").source), "group/db: 'Image Change Requested'", "there is no source group/db"),
        (image(web), "group/web: 'Image Change Requested'", "the plan of group/web publishes nothing"),
        (verdict("group/web@20260115T103000Z"), "group/web: 'Checkpoint Verdict'", "there is no rollout"),
        (verdict("group/web@20260115T103000Z/set-image"), "group/web: 'Checkpoint Verdict'", "there is no rollout"),
    ]
}

fn web_backup() -> lastgood_core::id::BackupId {
    "group/web@20200115T103000Z".parse().expect("a backup")
}

#[test]
fn each_request_that_can_not_be_done_is_told_once_with_who_asked_and_why() {
    let stack = stack();
    let before = stack.store.dump();
    for (invocation, what, why) in cannot_be_done(&stack) {
        let told = || {
            let told = stack.told().into_iter();
            told.filter(|notice| matches!(notice.news, News::RequestRefused { .. })).count()
        };
        let count = told();
        // The event comes twice.
        for _ in 0..2 {
            let report = stack.invoke(invocation.clone());
            assert_eq!(report.refused.len(), 1, "{what}");
        }
        assert_eq!(told(), count + 1, "{what}");
        let message = messages(&stack, "Request Refused").pop().expect("it is told");
        assert!(message.starts_with(&format!("{what} by mallory is refused: ")), "{message}");
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(stack.store.dump(), before, "nothing is on record of it");
}

#[test]
fn a_refusal_that_the_bus_does_not_take_is_tried_again() {
    let stack = stack();
    stack.bus.refuse(Some("Request Refused"));
    let (invocation, _, _) = cannot_be_done(&stack).remove(0);
    let why = stack.try_invoke(invocation.clone()).expect_err("it is told nowhere");
    assert!(why.contains("what was asked for could not be taken down"), "{why}");
    stack.bus.refuse(None);
    stack.invoke(invocation);
    assert_eq!(messages(&stack, "Request Refused").len(), 1);
}

#[test]
fn a_verdict_on_what_nobody_knows_ends_among_the_dead_letters() {
    let stack = stack();
    let (rollout, verdict, by) = ("r-1".into(), Verdict::GoOn, "mallory".parse().expect("a name"));
    let asked = VerdictAsked { rollout, visit: None, verdict, judge: Judge::Event, by, reason: None };
    let why = stack.try_invoke(Invocation::Verdict(stack.world.time(), asked)).expect_err("no source has it");
    assert!(why.contains("there is no rollout r-1 that could be judged"), "{why}");
}

#[test]
fn a_program_that_judges_where_a_person_is_asked_hears_that() {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m}}"));
    scene.back_up(2);
    scene.until_it_pauses();
    scene.judge(Verdict::GoOn, Judge::Event, None);
    let told = scene.told("Request Refused");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("'Checkpoint Verdict' by a test is refused"), "{told:?}");
    assert!(told[0].contains("its plan does not ask for a verdict by event"), "{told:?}");
    // That of a person is heard, and what comes twice is no news.
    for _ in 0..2 {
        scene.judge(Verdict::GoOn, Judge::Person, Some(1));
    }
    assert_eq!((scene.told("Request Refused").len(), scene.told("Verdict Given").len()), (1, 1));
}
