//! Every (state, event) pair, and what the life makes of it, as tables that a reviewer sees change.

use expect_test::expect_file;

use super::life::{Chosen, Event, PENDING_SECONDS_MAX, State, decide, due, queue, wake};
use super::publication::{PUBLISHING_SECONDS_MAX, Publication, PublicationEvent, PublishedTo, TemplateUse};
use super::record::{Artifact, Backup, Origin, Pin};
use super::removal::{Inspection, LATE_IMAGE_SECONDS_MAX, RemovalEvent};
use super::scale_in::ScaleInEvent;
use super::sight::Sight;
use crate::facts::{Image, ImageState, SnapshotDeletion, SnapshotState, Tags, TemplateRef, VersionRef};
use crate::id::SnapshotId;
use crate::plan::{Afterwards, Capture, Policy, Publish};
use crate::refusal::{Refusal, Why};
use crate::retention::Retention;
use crate::schedule::{Pattern, Schedule, Zone};
use crate::source::{Because, Expected};
use crate::{Time, later, seconds_between};

pub(super) fn start() -> Time {
    "2026-01-15T10:30:00Z".parse().expect("a time")
}

pub(super) fn now() -> Time {
    later(start(), 30)
}

/// A policy that publishes to the group and says nothing else.
pub(super) fn policy() -> Policy {
    Policy {
        schedule: Schedule::new(Pattern::Hourly, Zone::default()),
        spread_seconds: 0,
        retain: Retention::default(),
        capture: Capture::default(),
        publish: Publish::default(),
        keep_in_use: false,
        on_source_deleted: Afterwards::Keep,
        on_overdue_seconds: 7200,
    }
}

fn version_2() -> PublishedTo {
    PublishedTo::Version { template: "lt-1".into(), version: 2 }
}

pub(super) fn chosen() -> Chosen {
    Chosen { instance: "i-1".into(), base: Some("ami-base".into()), generation: 0, protected_from_scale_in: false }
}

/// A backup that came to `state` by itself, told everything and has nothing in its outbox.
pub(super) fn backup(state: State) -> Backup {
    let id = "group/web@20260115T103000Z".parse().expect("a backup");
    let mut record = Backup::requested(id, "web", Origin::Schedule, &policy(), start());
    record.state = state;
    if state != State::Requested {
        record.instance = Some("i-1".into());
        record.artifact = Artifact::Asked;
    }
    if !matches!(state, State::Requested | State::Creating) {
        record.image = Some("ami-1".into());
        record.artifact = Artifact::Held;
    }
    if matches!(state, State::Good | State::Expiring | State::Deleting | State::Deleted) {
        record.snapshots = vec!["snap-1".into(), "snap-2".into()];
        record.good_at = Some(start());
        record.publication = Publication::Published(version_2());
    }
    if matches!(state, State::Expiring | State::Deleting | State::Deleted) {
        record.reason = "older than the last 3 good ones".into();
    }
    match state {
        State::Deleting => record.artifact = Artifact::Condemned,
        State::Deleted => record.artifact = Artifact::Gone,
        _ => {}
    }
    record
}

pub(super) fn refusal(why: Why) -> Refusal {
    Refusal { why, action: "ec2:Call".into(), message: "AWS's words".into() }
}

pub(super) fn image(state: ImageState) -> Image {
    Image {
        id: "ami-1".into(),
        name: "lastgood-web".into(),
        state,
        tags: Tags::new(),
        snapshots: vec!["snap-1".into(), "snap-2".into()],
        root_device: Some("/dev/xvda".into()),
        devices: vec![("/dev/xvda".into(), "snap-1".into()), ("/dev/xvdf".into(), "snap-2".into())],
        architecture: Some("x86_64".into()),
        protected: false,
        created_at: None,
    }
}

pub(super) fn sight(states: [Option<SnapshotState>; 2]) -> Sight {
    let ids = ["snap-1", "snap-2"].map(SnapshotId::from);
    Sight::Seen(image(ImageState::Available), ids.into_iter().zip(states).collect())
}

pub(super) fn inspection(image: Option<Image>) -> Inspection {
    let snapshots = vec!["snap-1".into(), "snap-2".into()];
    // Never too old, whenever it is heard.
    let at = Time::MAX;
    Inspection { at, image, ours: true, snapshots, versions: vec![("lt-1".into(), 2)], needed_by: Vec::new() }
}

fn line(before: &Backup, name: &str, event: Event, now: Time) -> String {
    let step = decide(before, event, now);
    let after = &step.record;
    if after == before {
        return format!("  {name:<28} unchanged: {}\n", step.reason);
    }
    let mut parts = Vec::new();
    if after.state != before.state {
        parts.push(format!("-> {:?}", after.state));
    }
    if after.artifact != before.artifact {
        parts.push(format!("artifact {:?}", after.artifact));
    }
    if after.publication != before.publication {
        parts.push(format!("publication {}", short(&after.publication)));
    }
    if !after.source_told && before.source_told {
        parts.push("tells its source".into());
    }
    for notice in &after.outbox {
        parts.push(format!("notice {}", notice.news.detail_type()));
    }
    if after.look_at > now {
        parts.push(format!("next look in {} s", seconds_between(now, after.look_at)));
    }
    format!("  {name:<28} {}: {}\n", parts.join(", "), step.reason)
}

/// What each event makes of a record; those that find it past their time stand together at the end.
fn lines(before: &Backup, events: Vec<(&'static str, Event, Time)>) -> String {
    let (mut table, mut stale) = (String::new(), Vec::new());
    for (name, event, now) in events {
        let step = decide(before, event.clone(), now);
        if step.record == *before && step.reason == "stale" {
            stale.push(name);
        } else {
            table += &line(before, name, event, now);
        }
    }
    format!("{table}  stale: {}\n\n", stale.join("; "))
}

fn short(publication: &Publication) -> String {
    let text = format!("{publication:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[expect(clippy::too_many_lines, reason = "one line for each event")]
fn events() -> Vec<(&'static str, Event, Time)> {
    let soon = now();
    let complete = || sight([Some(SnapshotState::Completed), Some(SnapshotState::Completed)]);
    vec![
        ("woken", Event::Woken, soon),
        ("artifact news", Event::ArtifactNews, soon),
        ("instance chosen", Event::InstanceChosen(chosen()), soon),
        ("no instance", Event::NoInstance("no member is healthy".into()), soon),
        ("image made", Event::ImageMade("ami-1".into()), soon),
        ("create refused: denied", Event::CreateRefused(refusal(Why::Denied)), soon),
        ("create refused: too soon", Event::CreateRefused(refusal(Why::TooSoon)), soon),
        ("create refused: name taken", Event::CreateRefused(refusal(Why::Taken)), soon),
        ("image missing", Event::ImageSeen(Sight::Missing), soon),
        ("image pending", Event::ImageSeen(Sight::Seen(image(ImageState::Pending), Vec::new())), soon),
        ("image disabled", Event::ImageSeen(Sight::Seen(image(ImageState::Disabled), Vec::new())), soon),
        ("image broken", Event::ImageSeen(Sight::Seen(image(ImageState::Broken("failed".into())), Vec::new())), soon),
        (
            "another image seen",
            Event::ImageSeen(Sight::Seen(Image { id: "ami-2".into(), ..image(ImageState::Available) }, Vec::new())),
            soon,
        ),
        (
            "no snapshots told",
            Event::ImageSeen(Sight::Seen(Image { snapshots: Vec::new(), ..image(ImageState::Available) }, Vec::new())),
            soon,
        ),
        (
            "one snapshot pending",
            Event::ImageSeen(sight([Some(SnapshotState::Completed), Some(SnapshotState::Pending)])),
            soon,
        ),
        ("one snapshot unknown", Event::ImageSeen(sight([Some(SnapshotState::Completed), None])), soon),
        (
            "one snapshot broken",
            Event::ImageSeen(sight([Some(SnapshotState::Completed), Some(SnapshotState::Broken("error".into()))])),
            soon,
        ),
        ("all complete", Event::ImageSeen(complete()), soon),
        ("create refused: no instance", Event::CreateRefused(refusal(Why::Missing)), soon),
        ("scale-in: on", Event::ScaleIn(ScaleInEvent::On), soon),
        ("pinned", Event::Pinned(Pin { by: "alice".into(), reason: None, at: soon }), soon),
        ("released", Event::Released, soon),
        ("image gone", Event::ImageGone, soon),
        ("image back", Event::ImageBack, soon),
        (
            "left behind: image",
            Event::LeftBehind { image: Some("ami-1".into()), snapshots: vec!["snap-3".into()] },
            soon,
        ),
        ("left behind: snapshot", Event::LeftBehind { image: None, snapshots: vec!["snap-1".into()] }, soon),
        (
            "image broken: instance lost",
            Event::ImageSeen(Sight::Seen(
                image(ImageState::Broken("failed: Client.InstanceTerminated: gone".into())),
                Vec::new(),
            )),
            soon,
        ),
        ("publication: pointed", Event::Publication(PublicationEvent::Pointed), soon),
        ("let go", Event::LetGo("older than the last 3 good ones".into()), soon),
        (
            "inspected: may go",
            Event::Removal(RemovalEvent::Inspected(inspection(Some(image(ImageState::Available))))),
            soon,
        ),
        (
            "inspected: needed",
            Event::Removal(RemovalEvent::Inspected(Inspection {
                needed_by: vec!["group/web".into()],
                ..inspection(Some(image(ImageState::Available)))
            })),
            soon,
        ),
        (
            "inspected: not ours",
            Event::Removal(RemovalEvent::Inspected(Inspection {
                ours: false,
                ..inspection(Some(image(ImageState::Available)))
            })),
            soon,
        ),
        (
            "inspected: protected",
            Event::Removal(RemovalEvent::Inspected(inspection(Some(Image {
                protected: true,
                ..image(ImageState::Available)
            })))),
            soon,
        ),
        ("inspected: snapshots only", Event::Removal(RemovalEvent::Inspected(inspection(None))), soon),
        (
            "inspected: nothing, young",
            Event::Removal(RemovalEvent::Inspected(Inspection { snapshots: Vec::new(), ..inspection(None) })),
            soon,
        ),
        (
            "inspected: nothing, old",
            Event::Removal(RemovalEvent::Inspected(Inspection { snapshots: Vec::new(), ..inspection(None) })),
            later(start(), LATE_IMAGE_SECONDS_MAX),
        ),
        (
            "deregistered, all deleted",
            Event::Removal(RemovalEvent::Deregistered(vec![
                ("snap-1".into(), SnapshotDeletion::Deleted),
                ("snap-2".into(), SnapshotDeletion::Deleted),
            ])),
            soon,
        ),
        (
            "deregistered, one shared",
            Event::Removal(RemovalEvent::Deregistered(vec![
                ("snap-1".into(), SnapshotDeletion::Deleted),
                ("snap-2".into(), SnapshotDeletion::Shared),
            ])),
            soon,
        ),
        (
            "deregistered, one left",
            Event::Removal(RemovalEvent::Deregistered(vec![
                ("snap-1".into(), SnapshotDeletion::Deleted),
                ("snap-2".into(), SnapshotDeletion::NotDeleted("internal-error".into())),
            ])),
            soon,
        ),
        (
            "inspected: long ago",
            Event::Removal(RemovalEvent::Inspected(Inspection {
                at: later(soon, -31),
                ..inspection(Some(image(ImageState::Available)))
            })),
            soon,
        ),
        ("deregistered, silent", Event::Removal(RemovalEvent::Deregistered(Vec::new())), soon),
        ("versions deleted", Event::Removal(RemovalEvent::VersionsDeleted("lt-1".into(), Vec::new())), soon),
        ("removal refused: denied", Event::Removal(RemovalEvent::Refused(refusal(Why::Denied))), soon),
        (
            "snapshots deleted",
            Event::Removal(RemovalEvent::SnapshotsDeleted(vec![
                ("snap-1".into(), Ok(())),
                ("snap-2".into(), Err(refusal(Why::Missing))),
            ])),
            soon,
        ),
        (
            "unanswered, past the deadline",
            Event::Unanswered("ec2:Call got no answer".into()),
            later(start(), PENDING_SECONDS_MAX),
        ),
        ("unanswered", Event::Unanswered("ec2:Call got no answer".into()), soon),
        ("source told", Event::SourceTold, soon),
        ("sent", Event::Sent(vec!["another notice".into()]), soon),
    ]
}

#[test]
fn every_state_and_every_event() {
    let mut table = String::new();
    for state in State::ALL {
        table += &format!("{state:?}\n");
        table += &lines(&backup(state), events());
    }
    expect_file!["life_table.txt"].assert_eq(&table);
}

#[test]
fn every_publication_and_every_event() {
    let named = |version| TemplateRef { template: "lt-1".into(), version };
    let used = |version, image: &str, ours| TemplateUse {
        group: named(version),
        version: 1,
        image: Some(image.into()),
        ours,
        obstacle: None,
        left_alone: Vec::new(),
    };
    let expected = || Some(Expected { image: Some("ami-0".into()), because: Because::Published });
    let states = [
        Publication::NotAsked,
        Publication::Due,
        Publication::Reading { expected: expected() },
        Publication::Making { group: named(VersionRef::Number(1)), base: 1 },
        Publication::Making { group: named(VersionRef::Latest), base: 1 },
        Publication::Pointing { group: named(VersionRef::Default), base: 1, version: 2 },
        Publication::Published(version_2()),
        Publication::Writing { name: "/images/web".into(), was: None },
        Publication::Superseded,
        Publication::Adopted("ami-7".into()),
        Publication::Held("a reason".into()),
    ];
    let read = |used| PublicationEvent::TemplateRead(used);
    let events = [
        ("turn given", PublicationEvent::TurnGiven { expected: expected(), publish: Publish::default(), held: None }),
        ("unwanted", PublicationEvent::Unwanted("its source is in no plan any more".into())),
        ("on hold", PublicationEvent::OnHold("held by alice".into(), None)),
        ("turn taken", PublicationEvent::TurnTaken),
        ("newer", PublicationEvent::Newer),
        ("read: as published last", read(used(VersionRef::Number(1), "ami-0", None))),
        ("read: ours in use", read(used(VersionRef::Number(1), "ami-1", Some(1)))),
        ("read: version made", read(used(VersionRef::Number(1), "ami-0", Some(2)))),
        ("read: changed by hand", read(used(VersionRef::Number(1), "ami-7", None))),
        (
            "read: with an obstacle",
            read(TemplateUse { obstacle: Some("an obstacle".into()), ..used(VersionRef::Number(1), "ami-0", None) }),
        ),
        ("parameter read", PublicationEvent::ParameterRead(None)),
        ("written", PublicationEvent::Written),
        ("version made", PublicationEvent::VersionMade(2)),
        ("pointed", PublicationEvent::Pointed),
        ("image unseen", PublicationEvent::ImageUnseen),
        ("refused: locked", PublicationEvent::Refused(refusal(Why::Locked))),
        ("refused: too soon", PublicationEvent::Refused(refusal(Why::TooSoon))),
        ("refused: denied", PublicationEvent::Refused(refusal(Why::Denied))),
        ("changed", PublicationEvent::Changed("the group launched from version 1 and now from version 9".into())),
    ];
    let mut table = String::new();
    for state in states {
        table += &format!("{state:?}\n");
        let before = Backup { publication: state, ..backup(State::Good) };
        let mut all: Vec<_> =
            events.iter().map(|(name, event)| (*name, Event::Publication(event.clone()), now())).collect();
        all.push(("woken", Event::Woken, now()));
        all.push(("released", Event::Released, now()));
        let late = later(start(), PUBLISHING_SECONDS_MAX);
        all.push(("unanswered after 15 days", Event::Unanswered("no answer".into()), late));
        table += &lines(&before, all);
    }
    expect_file!["publication_table.txt"].assert_eq(&table);
}

#[test]
fn what_each_state_asks_for_and_when() {
    let mut table = String::new();
    for state in State::ALL {
        let record = backup(state);
        let effect = due(&record, queue(&record), now()).map_or("nothing".to_owned(), |effect| format!("{effect:?}"));
        let wake = wake(&record).map_or("at rest".to_owned(), |wake| {
            format!("wakes {} s after it came there", seconds_between(start(), wake))
        });
        table += &format!("{state:<10?} {effect}; {wake}; {:?}\n", queue(&record));
    }
    expect_file!["due_table.txt"].assert_eq(&table);
}
