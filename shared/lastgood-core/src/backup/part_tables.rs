//! What each event of a part makes of each of its states: publication, removal, protection from scale-in; and what each
//! state asks for.

use expect_test::{expect, expect_file};

use super::fixtures::{backup, image, inspection, now, refusal, start, version_2};
use super::inspection::Inspection;
use super::life::{Event, State, due, queue, wake};
use super::life_table::{events, lines};
use super::publication::{PUBLISHING_SECONDS_MAX, Publication, PublicationEvent, TemplateUse};
use super::record::{Artifact, Backup};
use super::removal::{CONDEMNED_SECONDS_MAX, LATE_IMAGE_SECONDS_MAX, REMOVAL_SECONDS_MAX, RemovalEvent};
use super::scale_in::{ScaleIn, ScaleInEvent};
use crate::facts::{Image, ImageState, Parameter, SnapshotDeletion, TemplateRef, VersionRef};
use crate::plan::{Publish, PublishTo};
use crate::record::Queue;
use crate::refusal::{Refusal, Why};
use crate::rollout::Outcome;
use crate::source::{Because, Expected, Turn};
use crate::{Time, later, seconds_between};

type Named = (&'static str, Event, Time);

fn named(version: VersionRef) -> TemplateRef {
    TemplateRef { template: "lt-1".into(), version }
}

fn expected() -> Expected {
    Expected { image: Some("ami-0".into()), because: Because::Published }
}

fn parameter(value: &str) -> Parameter {
    Parameter { value: value.into(), data_type: "aws:ec2:image".into() }
}

fn publications() -> Vec<(&'static str, Publication)> {
    vec![
        ("NotAsked", Publication::NotAsked),
        ("Due", Publication::Due),
        ("Reading", Publication::Reading { expected: Some(expected()) }),
        ("Making, by number", Publication::Making { group: named(VersionRef::Number(1)), base: 1 }),
        ("Making, $Latest", Publication::Making { group: named(VersionRef::Latest), base: 1 }),
        ("Pointing", Publication::Pointing { group: named(VersionRef::Default), base: 1, version: 2 }),
        ("Writing", Publication::Writing { name: "/images/web".into(), was: None }),
        ("Pinning", Publication::Pinning { group: named(VersionRef::Latest), base: 1 }),
        (
            "Rolling, not begun",
            Publication::Rolling {
                group: named(VersionRef::Number(1)),
                base: 1,
                version: 2,
                at: start(),
                begun: false,
            },
        ),
        (
            "Rolling",
            Publication::Rolling { group: named(VersionRef::Number(1)), base: 1, version: 2, at: start(), begun: true },
        ),
        ("Published", Publication::Published(version_2())),
        ("Superseded", Publication::Superseded),
        ("Adopted", Publication::Adopted("ami-7".into())),
        ("Held", Publication::Held("a reason".into())),
        ("RolledBack", Publication::RolledBack("one fails its status checks".into())),
    ]
}

fn publication_events() -> Vec<Named> {
    let used = |version, image: &str, ours| TemplateUse {
        made_from: None,
        group: named(version),
        version: 1,
        image: Some(image.into()),
        ours,
        between: None,
        obstacle: None,
        left_alone: Vec::new(),
    };
    let read = |used| PublicationEvent::TemplateRead(used);
    let one = VersionRef::Number(1);
    let events = [
        (
            "turn given",
            PublicationEvent::Turn(Turn::Given { expected: Some(expected()), publish: Publish::default(), held: None }),
        ),
        ("unwanted", PublicationEvent::Turn(Turn::Unwanted("its source is in no plan any more".into()))),
        ("on hold", PublicationEvent::Turn(Turn::OnHold("held by alice".into(), None))),
        ("turn taken", PublicationEvent::Turn(Turn::Taken)),
        ("newer", PublicationEvent::Turn(Turn::Newer)),
        ("read: as published last", read(used(one, "ami-0", None))),
        ("read: ours in use", read(used(one, "ami-1", Some(1)))),
        ("read: ours in use, after another", read(TemplateUse { between: Some(2), ..used(one, "ami-1", Some(3)) })),
        ("read: version made", read(used(one, "ami-0", Some(2)))),
        ("read: changed by hand", read(used(one, "ami-7", None))),
        ("read: with an obstacle", read(TemplateUse { obstacle: Some("why".into()), ..used(one, "ami-0", None) })),
        ("parameter read: none", PublicationEvent::ParameterRead(None)),
        ("parameter read: as before", PublicationEvent::ParameterRead(Some(parameter("ami-0")))),
        ("parameter read: ours", PublicationEvent::ParameterRead(Some(parameter("ami-1")))),
        ("parameter read: by hand", PublicationEvent::ParameterRead(Some(parameter("ami-7")))),
        ("written", PublicationEvent::Written),
        ("version made", PublicationEvent::VersionMade(2)),
        ("pointed", PublicationEvent::Pointed),
        ("image unseen", PublicationEvent::ImageUnseen),
        ("refused: locked", PublicationEvent::Refused(refusal(Why::Locked))),
        ("refused: too soon", PublicationEvent::Refused(refusal(Why::TooSoon))),
        ("refused: denied", PublicationEvent::Refused(refusal(Why::Denied))),
        ("pinned", PublicationEvent::Pinned),
        ("rollout begun", PublicationEvent::RolloutBegun),
        ("rolled out", PublicationEvent::RolloutEnded(Outcome::Succeeded("lt-1".into(), 2))),
        ("rolled back", PublicationEvent::RolloutEnded(Outcome::RolledBack("one fails its status checks".into()))),
        ("not rolled out", PublicationEvent::RolloutEnded(Outcome::NotDone("somebody cancelled it".into()))),
        ("changed", PublicationEvent::Changed("the group launched from version 1 and now from version 9".into())),
    ];
    let mut all: Vec<Named> =
        events.into_iter().map(|(name, event)| (name, Event::Publication(event), now())).collect();
    let late = later(start(), PUBLISHING_SECONDS_MAX);
    all.push(("woken", Event::Woken, now()));
    all.push(("released", Event::Released, now()));
    all.push(("unanswered after 15 days", Event::Unanswered("no answer".into()), late));
    all
}

#[test]
fn every_publication_and_every_event() {
    let mut table = String::new();
    for (name, publication) in publications() {
        let record = Backup { publication, ..backup(State::Good) };
        table += &format!("{name}\n{}", lines(&record, &publication_events()));
    }
    let publish = Publish { to: PublishTo::Parameter("/images/web".into()), ..Publish::default() };
    let reading = Publication::Reading { expected: Some(expected()) };
    let record = Backup { publication: reading, publish, ..backup(State::Good) };
    table += &format!("Reading, to a parameter\n{}", lines(&record, &publication_events()));
    let rollout = Some(super::fixtures::rollout_policy());
    let publish = Publish { rollout, ..Publish::default() };
    for (name, publication) in [
        ("Reading, to be rolled out", Publication::Reading { expected: Some(expected()) }),
        ("Making, to be rolled out", Publication::Making { group: named(VersionRef::Number(1)), base: 1 }),
    ] {
        let record = Backup { publication, publish: publish.clone(), ..backup(State::Good) };
        table += &format!("{name}\n{}", lines(&record, &publication_events()));
    }
    expect_file!["publication_table.txt"].assert_eq(&table);
}

fn removals() -> Vec<(&'static str, Backup)> {
    let failed = |artifact| Backup { artifact, snapshots: Vec::new(), ..backup(State::Failed) };
    let deleting = |artifact| Backup { artifact, look_at: now(), ..backup(State::Deleting) };
    vec![
        ("Expiring", backup(State::Expiring)),
        ("Deleting, Condemned", deleting(Artifact::Condemned)),
        (
            "Deleting, Condemned, with a version",
            Backup { versions: vec![("lt-1".into(), 2)], ..deleting(Artifact::Condemned) },
        ),
        ("Deleting, versions tried", Backup { versions_tried: true, ..deleting(Artifact::There) }),
        ("Deleting, SnapshotsLeft", deleting(Artifact::SnapshotsLeft)),
        ("Failed, None", failed(Artifact::None)),
        ("Failed, Asked", Backup { artifact_id: None, ..failed(Artifact::Asked) }),
        ("Failed, There", failed(Artifact::There)),
        ("Failed, Condemned", Backup { look_at: now(), ..failed(Artifact::Condemned) }),
        ("Failed, SnapshotsLeft", Backup { snapshots: vec!["snap-1".into()], ..failed(Artifact::SnapshotsLeft) }),
        ("Expiring, whose snapshots nobody knows", Backup { snapshots: Vec::new(), ..backup(State::Expiring) }),
        ("Failed, Gone", failed(Artifact::Gone)),
    ]
}

fn removal_events() -> Vec<Named> {
    let here = || inspection(Some(&image(ImageState::Available)));
    let inspected = |inspection| RemovalEvent::Inspected(inspection);
    let deregistered = |two: Option<SnapshotDeletion>| {
        let one = [("snap-1".into(), SnapshotDeletion::Deleted)];
        RemovalEvent::ArtifactDeleted(Ok(one.into_iter().chain(two.map(|two| ("snap-2".into(), two))).collect()))
    };
    let snapshots = |two: Result<(), Refusal>| {
        RemovalEvent::SnapshotsDeleted(vec![("snap-1".into(), Ok(())), ("snap-2".into(), two)])
    };
    let in_use = |message: &str| Refusal { message: message.into(), ..refusal(Why::InUse) };
    let (old, late) = (later(start(), LATE_IMAGE_SECONDS_MAX), later(start(), REMOVAL_SECONDS_MAX));
    let events = [
        ("may go", inspected(here()), now()),
        ("needed", inspected(Inspection { needed_by: vec!["group/web".into()], ..here() }), now()),
        ("not ours", inspected(Inspection { ours: false, ..here() }), now()),
        ("not ours, old", inspected(Inspection { ours: false, ..here() }), old),
        ("protected", inspected(inspection(Some(&Image { protected: true, ..image(ImageState::Available) }))), now()),
        (
            "seen at the last moment",
            inspected(Inspection { at: later(now(), -CONDEMNED_SECONDS_MAX), ..here() }),
            now(),
        ),
        ("seen too long ago", inspected(Inspection { at: later(now(), -CONDEMNED_SECONDS_MAX - 1), ..here() }), now()),
        ("nothing, young", inspected(inspection(None)), later(old, -1)),
        ("nothing, old", inspected(inspection(None)), old),
        ("snapshots only", inspected(Inspection { snapshots: vec!["snap-9".into()], ..inspection(None) }), now()),
        ("a version only", inspected(Inspection { versions: vec![("lt-1".into(), 2)], ..inspection(None) }), now()),
        ("versions deleted", RemovalEvent::VersionsDeleted("lt-1".into(), Ok(Vec::new())), now()),
        ("a version left", RemovalEvent::VersionsDeleted("lt-1".into(), Ok(vec![(2, "why".into())])), now()),
        ("versions deleted: denied", RemovalEvent::VersionsDeleted("lt-1".into(), Err(refusal(Why::Denied))), now()),
        ("versions deleted: too soon", RemovalEvent::VersionsDeleted("lt-1".into(), Err(refusal(Why::TooSoon))), now()),
        ("deregistered, all deleted", deregistered(Some(SnapshotDeletion::Deleted)), now()),
        ("deregistered, one shared", deregistered(Some(SnapshotDeletion::Shared)), now()),
        ("deregistered, one left", deregistered(Some(SnapshotDeletion::NotDeleted("why".into()))), now()),
        ("deregistered, one untold", deregistered(None), now()),
        ("deregistered, silent", RemovalEvent::ArtifactDeleted(Ok(Vec::new())), now()),
        ("deregistered: gone before", RemovalEvent::ArtifactDeleted(Err(refusal(Why::Missing))), now()),
        ("deregistered: denied", RemovalEvent::ArtifactDeleted(Err(refusal(Why::Denied))), now()),
        ("deregistered: too soon", RemovalEvent::ArtifactDeleted(Err(refusal(Why::TooSoon))), now()),
        ("snapshots deleted", snapshots(Ok(())), now()),
        ("snapshots: one gone before", snapshots(Err(refusal(Why::Missing))), now()),
        ("snapshots: one of another's", snapshots(Err(in_use("in use by ami-9"))), now()),
        ("snapshots: one of its own", snapshots(Err(in_use("in use by ami-1"))), now()),
        ("snapshots: one denied", snapshots(Err(refusal(Why::Denied))), now()),
        ("refused: denied", RemovalEvent::Refused(refusal(Why::Denied)), now()),
        ("refused: locked", RemovalEvent::Refused(refusal(Why::Locked)), now()),
        ("refused: missing", RemovalEvent::Refused(refusal(Why::Missing)), now()),
        ("refused: too soon", RemovalEvent::Refused(refusal(Why::TooSoon)), now()),
        ("refused: too soon, late", RemovalEvent::Refused(refusal(Why::TooSoon)), late),
    ];
    let mut all: Vec<Named> = events.into_iter().map(|(name, event, at)| (name, Event::Removal(event), at)).collect();
    all.push(("woken", Event::Woken, now()));
    all.push(("unanswered", Event::Unanswered("no answer".into()), now()));
    all.push(("unanswered, late", Event::Unanswered("no answer".into()), late));
    all
}

#[test]
fn every_artifact_and_every_event_of_its_removal() {
    let mut table = String::new();
    for (name, record) in removals() {
        table += &format!("{name}\n{}", lines(&record, &removal_events()));
    }
    expect_file!["removal_table.txt"].assert_eq(&table);
}

#[test]
fn every_arrow_of_the_tables_is_drawn() {
    let mut arrows = std::collections::BTreeSet::new();
    let records = State::ALL.into_iter().map(backup).chain(removals().into_iter().map(|(_, record)| record));
    for record in records {
        for (_, event, at) in events().into_iter().chain(publication_events()).chain(removal_events()) {
            let after = super::life::decide(&record, event, at).record;
            if after.state != record.state {
                arrows.insert(format!("{:?} ─▶ {:?}", record.state, after.state));
            }
        }
    }
    let arrows: Vec<String> = arrows.into_iter().collect();
    // As the drawing in life.rs has them, and tests/src/saves.rs.
    expect![[r#"
        Creating ─▶ Failed
        Creating ─▶ Pending
        Deleting ─▶ Deleted
        Deleting ─▶ Good
        Expiring ─▶ Deleted
        Expiring ─▶ Deleting
        Expiring ─▶ Good
        Good ─▶ Expiring
        Pending ─▶ Failed
        Pending ─▶ Good
        Quiescing ─▶ Failed
        Requested ─▶ Creating
        Requested ─▶ Failed"#]]
    .assert_eq(&arrows.join("\n"));
}

#[test]
fn every_protection_and_every_event() {
    let events: Vec<Named> = [
        ("on", ScaleInEvent::On),
        ("on refused: denied", ScaleInEvent::OnRefused(refusal(Why::Denied))),
        ("on refused: missing", ScaleInEvent::OnRefused(refusal(Why::Missing))),
        ("on refused: wrong state", ScaleInEvent::OnRefused(refusal(Why::WrongState))),
        ("on refused: too soon", ScaleInEvent::OnRefused(refusal(Why::TooSoon))),
        ("on unanswered", ScaleInEvent::OnUnanswered("no answer".into())),
        ("off", ScaleInEvent::Off),
        ("off refused: denied", ScaleInEvent::OffRefused(refusal(Why::Denied))),
        ("off refused: missing", ScaleInEvent::OffRefused(refusal(Why::Missing))),
        ("off refused: wrong state", ScaleInEvent::OffRefused(refusal(Why::WrongState))),
        ("off unanswered", ScaleInEvent::OffUnanswered("no answer".into())),
    ]
    .into_iter()
    .map(|(name, event)| (name, Event::ScaleIn(event), now()))
    .collect();
    let mut table = String::new();
    for state in [State::Creating, State::Good] {
        let all = [ScaleIn::Untouched, ScaleIn::Asked, ScaleIn::Protected, ScaleIn::Owed(start()), ScaleIn::GivenBack];
        for scale_in in all {
            let record = Backup { scale_in, ..backup(state) };
            table += &format!("{state:?}, {scale_in:?}\n{}", lines(&record, &events));
        }
    }
    let told = Backup {
        scale_in: ScaleIn::Owed(start()),
        protection_told: Some(refusal(Why::Denied).to_string()),
        ..backup(State::Good)
    };
    table += &format!("Good, Owed, and that was told\n{}", lines(&told, &events));
    expect_file!["scale_in_table.txt"].assert_eq(&table);
}

/// What a record asks for of the function that it waits for, and when it is looked at by itself.
fn asks(name: &str, record: &Backup) -> String {
    let part = queue(record);
    let effect = due(record, part, now()).map_or("nothing".to_owned(), |effect| format!("{effect:?}"));
    let wake = wake(record)
        .map_or("at rest".to_owned(), |wake| format!("wakes {} s after it came there", seconds_between(start(), wake)));
    let others =
        [Queue::Tick, Queue::Poll, Queue::Cleanup, Queue::Checkpoint].into_iter().filter(|other| *other != part);
    let others: Vec<String> = others
        .filter_map(|other| due(record, other, now()).map(|effect| format!("; {other:?} may do {effect:?}")))
        .collect();
    format!("{name:<38} {part:?}: {effect}; {wake}{}\n", others.concat())
}

#[test]
fn what_each_state_asks_for_and_when() {
    let mut table = String::new();
    for state in State::ALL {
        table += &asks(&format!("{state:?}"), &backup(state));
    }
    for (name, publication) in publications() {
        table += &asks(&format!("Good, {name}"), &Backup { publication, ..backup(State::Good) });
    }
    let publish = Publish { to: PublishTo::Parameter("/images/web".into()), ..Publish::default() };
    let publication = Publication::Reading { expected: Some(expected()) };
    table += &asks("Good, Reading, to a parameter", &Backup { publication, publish, ..backup(State::Good) });
    for (name, record) in removals() {
        table += &asks(name, &record);
    }
    for state in State::ALL {
        table += &asks(
            &format!("{state:?}, protection owed"),
            &Backup { scale_in: ScaleIn::Owed(start()), ..backup(state) },
        );
    }
    table += &asks("Creating, protection asked", &Backup { scale_in: ScaleIn::Asked, ..backup(State::Creating) });
    table += &asks("Good, its source has not heard", &Backup { source_told: false, ..backup(State::Good) });
    expect_file!["due_table.txt"].assert_eq(&table);
}
