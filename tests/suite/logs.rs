//! What a function logs: each step of a record with its reason, what did not get through, and nothing of an idle run.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use lastgood_core::incoming::{RefreshChange, RefreshNews};
use lastgood_engine::{CallFailed, How, Report, chain};
use lastgood_tests::stack::Invocation;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

use crate::transcript::{DAILY, newest, web};

/// Writes each event down as a line: its level and its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("lastgood")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("no test panics with this lock").push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What is logged while `does` runs.
fn logged(does: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    subscriber::with_default(lines.clone(), does);
    let lines = lines.0.lock().expect("no test panics with this lock");
    lines.clone()
}

#[test]
fn each_step_is_logged_once_with_its_state_and_its_reason() {
    let (stack, template) = web(DAILY);
    let lines = logged(|| {
        stack.run(45);
        stack.run(24 * 60);
    });
    let mut text = lines.join("\n");
    for (number, backup) in stack.backups("group/web").into_iter().rev().enumerate() {
        text = text.replace(backup.image().cloned().expect("made").as_str(), &format!("ami-{}", number + 1));
        text = text.replace(backup.instance.expect("chosen").as_str(), "i-1");
    }
    text = text.replace(template.as_str(), "lt-1");
    expect![[r#"
        INFO backup=group/web@20260115T110000Z state=Creating publication=NotAsked reason="i-1 is its newest member that can be imaged"
        INFO backup=group/web@20260115T110000Z state=Pending publication=NotAsked artifact="ami-1" reason="AWS makes ami-1"
        INFO backup=group/web@20260115T110000Z state=Pending publication=NotAsked artifact="ami-1" reason="later again: the image is not visible"
        INFO backup=group/web@20260115T110000Z state=Pending publication=NotAsked artifact="ami-1" reason="later again: the image is pending"
        INFO backup=group/web@20260115T110000Z state=Good publication=Due artifact="ami-1" reason="the image and 2 of 2 snapshots are complete"
        INFO backup=group/web@20260115T110000Z state=Good publication=Reading { expected: Some(Expected { image: Some("ami-0f88bb8a8724c81ec"), because: Applied }) } artifact="ami-1" reason="it is its turn"
        INFO backup=group/web@20260115T110000Z state=Good publication=Making { group: TemplateRef { template: TemplateId("lt-1"), version: Number(1) }, base: 1 } artifact="ami-1" reason="version 1 of lt-1 is copied"
        INFO backup=group/web@20260115T110000Z state=Good publication=Pointing { group: TemplateRef { template: TemplateId("lt-1"), version: Number(1) }, base: 1, version: 2 } artifact="ami-1" reason="version 2 of lt-1 has the image"
        INFO backup=group/web@20260115T110000Z state=Good publication=Published(Version { template: TemplateId("lt-1"), version: 2 }) artifact="ami-1" reason="the group launches from version 2 of lt-1"
        INFO backup=group/web@20260116T110000Z state=Creating publication=NotAsked reason="i-1 is its newest member that can be imaged"
        INFO backup=group/web@20260116T110000Z state=Pending publication=NotAsked artifact="ami-2" reason="AWS makes ami-2"
        INFO backup=group/web@20260116T110000Z state=Pending publication=NotAsked artifact="ami-2" reason="later again: the image is not visible"
        INFO backup=group/web@20260116T110000Z state=Pending publication=NotAsked artifact="ami-2" reason="later again: the image is pending"
        INFO backup=group/web@20260116T110000Z state=Good publication=Due artifact="ami-2" reason="the image and 2 of 2 snapshots are complete"
        INFO backup=group/web@20260116T110000Z state=Good publication=Reading { expected: Some(Expected { image: Some("ami-1"), because: Published }) } artifact="ami-2" reason="it is its turn"
        INFO backup=group/web@20260116T110000Z state=Good publication=Making { group: TemplateRef { template: TemplateId("lt-1"), version: Number(2) }, base: 2 } artifact="ami-2" reason="version 2 of lt-1 is copied"
        INFO backup=group/web@20260116T110000Z state=Good publication=Pointing { group: TemplateRef { template: TemplateId("lt-1"), version: Number(2) }, base: 2, version: 3 } artifact="ami-2" reason="version 3 of lt-1 has the image"
        INFO backup=group/web@20260116T110000Z state=Good publication=Published(Version { template: TemplateId("lt-1"), version: 3 }) artifact="ami-2" reason="the group launches from version 3 of lt-1"
        INFO backup=group/web@20260115T110000Z state=Expiring publication=Published(Version { template: TemplateId("lt-1"), version: 2 }) artifact="ami-1" reason="older than the last 1 good ones"
        INFO backup=group/web@20260115T110000Z state=Deleting publication=Published(Version { template: TemplateId("lt-1"), version: 2 }) artifact="ami-1" reason="older than the last 1 good ones"
        INFO backup=group/web@20260115T110000Z state=Deleting publication=Published(Version { template: TemplateId("lt-1"), version: 2 }) artifact="ami-1" reason="its versions of lt-1 are deleted"
        INFO backup=group/web@20260115T110000Z state=Deleted publication=Published(Version { template: TemplateId("lt-1"), version: 2 }) artifact="ami-1" reason="older than the last 1 good ones""#]].assert_eq(&text);
}

#[test]
fn an_idle_run_is_silent_and_each_thing_that_a_run_did_is_one_line() {
    let (stack, _) = web(DAILY);
    let idle = logged(|| {
        for run in [Invocation::Tick, Invocation::Poll, Invocation::Cleanup] {
            stack.invoke(run).log();
        }
    });
    assert_eq!(idle, [] as [&str; 0]);
    stack.run(45);
    let id = stack.backups("group/web").remove(0).id;
    let runs = [
        (Report { records: 2, ..Report::default() }, "records=2"),
        (Report { claimed: vec![id], ..Report::default() }, "group/web@20260115T110000Z"),
        (Report { out_of_time: true, ..Report::default() }, "out_of_time=true"),
        (Report { throttled: 3, ..Report::default() }, "throttled=3"),
    ];
    for (report, says) in runs {
        let lines = logged(|| report.log());
        assert!(lines.len() == 1 && lines[0].starts_with("INFO") && lines[0].contains(says), "{lines:?}");
    }
    // What did not get through is a line of its own, and no work.
    let mut report = Report::default();
    let error = CallFailed::new(How::Unanswered, "ec2:CreateImage", "the network is down");
    report.trouble(&newest(&stack), &error);
    report.trouble(&"plan web", &error);
    let lines = logged(|| report.log());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("WARN") && line.contains(&chain(&error))), "{lines:?}");
}

#[test]
fn reports_add_up() {
    let mut all = Report { records: 2, lost: 1, throttled: 3, ..Report::default() };
    all.add(Report { records: 3, lost: 1, throttled: 2, out_of_time: true, ..Report::default() });
    assert_eq!((all.records, all.lost, all.throttled, all.out_of_time), (5, 2, 3, true));
    all.add(Report::default());
    assert!(all.out_of_time, "once its time was up");
}

#[test]
fn a_call_that_failed_says_how_in_words() {
    let words = |how| CallFailed::new(how, "ec2:CreateImage", "why").to_string();
    let all = [How::Unanswered, How::Throttled, How::NotMade, How::Refused, How::NotYet, How::Unreadable].map(words);
    expect![[r#"
        ec2:CreateImage got no answer
        ec2:CreateImage was throttled
        ec2:CreateImage was not done
        ec2:CreateImage was refused
        ec2:CreateImage does not tell it yet
        ec2:CreateImage gave an answer that can't be read"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn what_the_bus_does_not_take_is_logged() {
    let (stack, _) = web(DAILY);
    stack.run(29);
    stack.bus.refuse_next(1);
    stack.world.advance(4 * 60);
    let lines = logged(|| {
        for invocation in [Invocation::Tick, Invocation::Poll, Invocation::Poll] {
            stack.world.advance(60);
            stack.invoke(invocation);
        }
    });
    assert_eq!(lines.iter().filter(|line| line.contains("not on the bus")).count(), 1, "{lines:#?}");
}

#[test]
fn what_aws_tells_of_a_refresh_is_a_line_and_the_same_again_is_none() {
    let (stack, _) = web(DAILY);
    let news = RefreshNews {
        event: "e-1".into(),
        refresh: "r-1".into(),
        group: "web".into(),
        at: stack.world.time(),
        what: RefreshChange::Checkpoint { percentage: 50, delay_seconds: 300 },
    };
    let lines = logged(|| {
        for _ in 0..2 {
            stack.invoke(Invocation::Refresh(news.clone()));
        }
    });
    expect![[r#"INFO rollout=r-1 group=web state=Watched percentage=0 reason="group/web: refresh r-1 pauses at 50 percent; it goes on by itself after 300 s""#]]
    .assert_eq(&lines.join("\n"));
}
