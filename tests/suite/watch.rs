//! Lastgood looks after itself: a heartbeat once a day, what of its deployment is missing or off, and a notice on request.

use lastgood_core::incoming::NoticeTestRequested;
use lastgood_core::notice::News;
use lastgood_core::watch::Part;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{NOTICE_RULE, Weather};

fn told(stack: &Stack, kind: &str) -> Vec<String> {
    let of_kind = stack.told_in_all().into_iter().filter(|notice| notice.news.detail_type() == kind);
    of_kind.map(|notice| notice.message).collect()
}

/// So many hours, with a cleanup in each.
fn hours(stack: &Stack, count: usize) {
    for _ in 0..count {
        stack.world.advance(60 * 60);
        stack.invoke(Invocation::Cleanup);
    }
}

#[test]
fn a_heartbeat_comes_once_a_day_and_says_how_the_sources_are() {
    let stack = Stack::of_groups(3);
    hours(&stack, 1);
    let first = told(&stack, "Heartbeat");
    assert_eq!(first.len(), 1, "the first at once: a new deployment shows that it is heard");
    assert!(first[0].contains("3 sources") && first[0].contains("3 without a good backup yet"), "{first:?}");
    hours(&stack, 22);
    assert_eq!(told(&stack, "Heartbeat").len(), 1);
    hours(&stack, 1);
    let second = told(&stack, "Heartbeat");
    assert_eq!(second.len(), 2, "23 hours later: before the alarm of 25 hours");
    assert!(second[1].contains("3 overdue"), "no tick ran: {second:?}");
    hours(&stack, 3 * 23);
    assert_eq!(told(&stack, "Heartbeat").len(), 5);
}

#[test]
fn what_is_missing_is_told_once_and_so_is_that_it_is_back() {
    let stack = Stack::of_groups(1);
    hours(&stack, 1);
    stack.bus.breaks(&[Part::RuleDisabled("BackupTickRequested".into())]);
    hours(&stack, 3);
    let broken = told(&stack, "Deployment Broken");
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].contains("BackupTickRequested is disabled: enable it"), "{broken:?}");
    // One more part: both are told.
    stack.store.breaks(&[Part::PointInTimeRecovery("table".into())]);
    hours(&stack, 2);
    let broken = told(&stack, "Deployment Broken");
    assert!(
        broken.len() == 2 && broken[1].contains("point-in-time recovery") && broken[1].contains("Requested"),
        "{broken:?}"
    );
    // One less is no news until all are back.
    stack.bus.breaks(&[]);
    hours(&stack, 1);
    assert_eq!((told(&stack, "Deployment Broken").len(), told(&stack, "Deployment Mended").len()), (2, 0));
    stack.store.breaks(&[]);
    hours(&stack, 2);
    assert_eq!((told(&stack, "Deployment Broken").len(), told(&stack, "Deployment Mended").len()), (2, 1));
}

#[test]
fn one_look_that_fails_hides_nothing_that_another_finds_and_mends_nothing() {
    let stack = Stack::of_groups(1);
    hours(&stack, 1);
    // In the first hour the bus answers or does not; in the second all is well again.
    let two_hours = |unheard: u32, counts: (usize, usize)| {
        stack.bus.set_weather(1, Weather { unheard, ..Weather::default() });
        stack.world.advance(60 * 60);
        stack.try_invoke(Invocation::Cleanup).expect("what it can't look at is no failure of its other work");
        stack.bus.set_weather(1, Weather::default());
        hours(&stack, 1);
        assert_eq!((told(&stack, "Deployment Broken").len(), told(&stack, "Deployment Mended").len()), counts);
    };
    stack.bus.breaks(&[Part::RuleDisabled("BackupTickRequested".into())]);
    stack.store.breaks(&[Part::PointInTimeRecovery("table".into())]);
    two_hours(0, (1, 0));
    // What was told of the bus is not told anew, and what is new of the table is told.
    stack.store.breaks(&[Part::TimeToLive("table".into())]);
    two_hours(1_000, (2, 0));
    let last = told(&stack, "Deployment Broken").pop().expect("told");
    assert!(last.contains("BackupTickRequested") && last.contains("time to live"), "{last}");
    // That all of it works again shows when all of it is looked at.
    stack.bus.breaks(&[]);
    stack.store.breaks(&[]);
    stack.bus.set_weather(1, Weather { unheard: 1_000, ..Weather::default() });
    hours(&stack, 1);
    stack.bus.set_weather(1, Weather::default());
    assert_eq!(told(&stack, "Deployment Mended"), Vec::<String>::new());
    two_hours(0, (2, 1));
}

#[test]
fn the_cleanup_fails_when_notices_reach_nobody_and_has_done_its_work() {
    for part in
        [Part::Bus("lastgood".into()), Part::RuleMissing(NOTICE_RULE.into()), Part::RuleDisabled(NOTICE_RULE.into())]
    {
        let stack = Stack::of_groups(1);
        stack.run(3 * 60);
        let images = stack.our_images().len();
        stack.bus.breaks(std::slice::from_ref(&part));
        stack.world.advance(60 * 60);
        let failed =
            stack.try_invoke(Invocation::Cleanup).expect_err("it fails, which Lambda counts and an alarm sees");
        assert!(failed.starts_with("notices reach nobody: "), "{failed}");
        assert!(failed.contains("deploy the stack again"), "{failed}");
        assert!(stack.our_images().len() <= images, "what was to go has gone all the same");
        stack.bus.breaks(&[]);
        stack.invoke(Invocation::Cleanup);
    }
}

#[test]
fn an_operator_sees_whether_notices_arrive() {
    let stack = Stack::of_groups(1);
    let asked = NoticeTestRequested { by: "alice".parse().expect("a name") };
    stack.invoke(Invocation::NoticeTest("7bf73129".into(), asked.clone()));
    // The same event again is the same notice.
    stack.invoke(Invocation::NoticeTest("7bf73129".into(), asked));
    let notices = stack.told();
    let tests: Vec<_> = notices.iter().filter(|notice| matches!(notice.news, News::NoticeTest { .. })).collect();
    assert_eq!(tests.len(), 1);
    assert_eq!((tests[0].id.as_str(), &tests[0].source), ("lastgood/7bf73129/Notice Test", &None));
    assert_eq!(tests[0].message, "This is the test 7bf73129 that alice asked for: Lastgood's notices arrive here");
}
