//! Every state and every event, and what the life makes of it, as a table that a reviewer sees change. The events of its
//! parts, one for each part here, have tables of their own in `part_tables.rs`.

use std::fmt::Debug;

use expect_test::expect_file;
use serde_json::Value;

use super::fixtures::{artifact, backup, chosen, complete, image, inspection, now, refusal, seen, start};
use super::life::{Event, PENDING_SECONDS_MAX, State, decide};
use super::publication::PublicationEvent;
use super::record::{Backup, Pin};
use super::removal::RemovalEvent;
use super::scale_in::ScaleInEvent;
use super::sight::Sight;
use crate::facts::{Image, ImageState, SnapshotState};
use crate::refusal::Why;
use crate::{Time, changed, later, seconds_between};

/// What an event makes of a record: every field that it changes, and the reason.
fn line(before: &Backup, name: &str, event: Event, now: Time) -> String {
    let step = decide(before, event, now);
    let mut changes = changes(before, &step.record, now);
    // Why it waits stands in the reason.
    changes.retain(|change| !(change.starts_with("trouble") && step.reason.starts_with("later again")));
    let changes = if changes.is_empty() { "unchanged".to_owned() } else { changes.join(", ") };
    format!("  {name:<28} {changes}: {}\n", step.reason)
}

fn changes(before: &Backup, after: &Backup, now: Time) -> Vec<String> {
    let changed = changed::fields(before, after).into_iter();
    let mut parts: Vec<String> =
        changed.filter_map(|(name, value)| change(&name, value.as_ref(), before, after, now)).collect();
    // The state first.
    parts.sort_by_key(|part| !part.starts_with("->"));
    parts
}

fn change(name: &str, value: Option<&Value>, before: &Backup, after: &Backup, now: Time) -> Option<String> {
    Some(match name {
        "state" => format!("-> {:?}", after.state),
        // What the line tells anyway.
        "since" | "reason" => return None,
        "look_at" if after.look_at <= now => return None,
        "publication" => format!("publication {}", short(&after.publication)),
        "scale_in" => format!("scale-in {}", short(&after.scale_in)),
        "source_told" if after.source_told => "its source knows".into(),
        "source_told" => "tells its source".into(),
        "outbox" => {
            let told = after.outbox.iter().filter(|notice| !before.outbox.contains(notice));
            told.map(|notice| format!("notice {}", notice.news.detail_type())).collect::<Vec<_>>().join(", ")
        }
        "look_at" => format!("next look in {} s", seconds_between(now, after.look_at)),
        _ => match value {
            None | Some(Value::Null) => format!("no {name}"),
            Some(value) if value.to_string().len() > 60 => format!("{name} …"),
            Some(value) => format!("{name} {value}"),
        },
    })
}

/// What each event makes of a record; those that find it past their time stand together at the end.
pub(super) fn lines(before: &Backup, events: &[(&'static str, Event, Time)]) -> String {
    let (mut table, mut stale) = (String::new(), Vec::new());
    for (name, event, now) in events {
        let step = decide(before, event.clone(), *now);
        if step.record == *before && step.reason == "stale" {
            stale.push(*name);
        } else {
            table += &line(before, name, event.clone(), *now);
        }
    }
    format!("{table}  stale: {}\n\n", stale.join("; "))
}

pub(super) fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn may_go() -> Event {
    Event::Removal(RemovalEvent::Inspected(inspection(Some(&image(ImageState::Available)))))
}

pub(super) fn events() -> Vec<(&'static str, Event, Time)> {
    let soon = now();
    vec![
        ("woken", Event::Woken, soon),
        ("artifact news", Event::ArtifactNews, soon),
        ("instance chosen", Event::InstanceChosen(chosen()), soon),
        ("no instance", Event::NoOrigin("no member is healthy".into()), soon),
        ("image made", Event::Made(artifact("ami-1")), soon),
        ("create refused: denied", Event::CreateRefused(refusal(Why::Denied)), soon),
        ("create refused: too soon", Event::CreateRefused(refusal(Why::TooSoon)), soon),
        ("create refused: name taken", Event::CreateRefused(refusal(Why::Taken)), soon),
        ("image missing", Event::Seen(Sight::Missing), soon),
        ("image pending", seen(image(ImageState::Pending)), soon),
        ("image disabled", seen(image(ImageState::Disabled)), soon),
        ("image broken", seen(image(ImageState::Broken("failed".into()))), soon),
        ("another image seen", seen(Image { id: "ami-2".into(), ..image(ImageState::Available) }), soon),
        ("no snapshots told", seen(Image { snapshots: Vec::new(), ..image(ImageState::Available) }), soon),
        ("one snapshot pending", complete([Some(SnapshotState::Completed), Some(SnapshotState::Pending)]), soon),
        ("one snapshot unknown", complete([Some(SnapshotState::Completed), None]), soon),
        (
            "one snapshot broken",
            complete([Some(SnapshotState::Completed), Some(SnapshotState::Broken("error".into()))]),
            soon,
        ),
        ("all complete", complete([Some(SnapshotState::Completed), Some(SnapshotState::Completed)]), soon),
        ("create refused: no instance", Event::CreateRefused(refusal(Why::Missing)), soon),
        ("create refused: wrong state", Event::CreateRefused(refusal(Why::WrongState)), soon),
        ("scale-in: on", Event::ScaleIn(ScaleInEvent::On), soon),
        ("pinned", Event::Pinned(Pin { by: "alice".into(), reason: None, at: soon }), soon),
        ("unpinned", Event::Unpinned(Pin { by: "alice".into(), reason: None, at: soon }), soon),
        ("reserved", Event::Reserved("group/api".into()), soon),
        ("released", Event::Released, soon),
        ("image gone", Event::ArtifactGone, soon),
        ("image back", Event::ArtifactBack, soon),
        (
            "left behind: image",
            Event::LeftBehind { artifact: Some(artifact("ami-1")), snapshots: vec!["snap-3".into()] },
            soon,
        ),
        ("left behind: snapshot", Event::LeftBehind { artifact: None, snapshots: vec!["snap-1".into()] }, soon),
        (
            "image broken: instance lost",
            seen(image(ImageState::Broken("failed: Client.InstanceTerminated: gone".into()))),
            soon,
        ),
        ("publication: pointed", Event::Publication(PublicationEvent::Pointed), soon),
        ("let go", Event::LetGo("older than the last 3 good ones".into()), soon),
        ("inspected: may go", may_go(), soon),
        (
            "unanswered, past the deadline",
            Event::Unanswered("ec2:Call got no answer".into()),
            later(start(), PENDING_SECONDS_MAX),
        ),
        ("unanswered", Event::Unanswered("ec2:Call got no answer".into()), soon),
        ("source told", Event::SourceTold, soon),
    ]
}

/// Which kind of event it is. The compiler names whoever adds one: it belongs into `events` too.
fn kind(event: &Event) -> usize {
    match event {
        Event::Woken => 0,
        Event::ArtifactNews => 1,
        Event::InstanceChosen(_) => 2,
        Event::NoOrigin(_) => 3,
        Event::Made(_) => 4,
        Event::CreateRefused(_) => 5,
        Event::Seen(_) => 6,
        Event::ScaleIn(_) => 7,
        Event::Publication(_) => 8,
        Event::Released => 9,
        Event::Pinned(_) => 10,
        Event::Unpinned(_) => 11,
        Event::LetGo(_) => 12,
        Event::LeftBehind { .. } => 13,
        Event::ArtifactGone => 14,
        Event::ArtifactBack => 15,
        Event::Removal(_) => 16,
        Event::Unanswered(_) => 17,
        Event::SourceTold => 18,
        Event::CacheChosen(..) => 19,
        Event::CacheBusy(_) => 20,
        Event::CacheFull { .. } => 21,
        Event::InstanceFound(_) => 22,
        Event::InstanceBusy(_) => 23,
        Event::Copying(_) => 24,
        Event::Power(_) => 25,
        Event::CacheMeasured(..) => 26,
        Event::Reserved(_) => 27,
    }
}

#[test]
fn every_kind_of_event_is_in_the_table() {
    let all = events().into_iter().chain(super::cache_rules::events()).chain(super::instance_rules::events());
    let kinds: std::collections::BTreeSet<usize> = all.map(|(_, event, _)| kind(&event)).collect();
    assert_eq!(kinds, (0..28).collect());
    for (at, state) in State::ALL.into_iter().enumerate() {
        // The compiler names whoever adds a state.
        let place = match state {
            State::Requested => 0,
            State::Quiescing => 1,
            State::Creating => 2,
            State::Pending => 3,
            State::Good => 4,
            State::Expiring => 5,
            State::Deleting => 6,
            State::Deleted => 7,
            State::Failed => 8,
        };
        assert_eq!(place, at, "{state:?}");
    }
}

#[test]
fn every_state_and_every_event() {
    let mut table = String::new();
    for state in State::ALL {
        table += &format!("{state:?}\n");
        table += &lines(&backup(state), &events());
    }
    expect_file!["life_table.txt"].assert_eq(&table);
}
