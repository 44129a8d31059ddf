//! What happens to a backup of a single instance: every event of its own and every one of its power, as tables; and how long
//! a copy may take.

use expect_test::expect_file;

use super::copy::{Copied, Copying, STILL_SECONDS_MIN, Took};
use super::fixtures::{came_to, now, refusal, start, was_good};
use super::instance::{FoundInstance, found};
use super::life::{Alone, Effect, Event, State, decide, due, queue, wake};
use super::life_table::lines;
use super::power::{Consistency, HEARD_SECONDS_MAX, OFF_SECONDS_MAX, Power, PowerEvent, PowerPart};
use super::record::Backup;
use super::shutdown::FORCING_SECONDS_MAX;
use super::sight::{Completeness, Sight};
use super::startup::{LEFT_SECONDS_MAX, START_RETRY_SECONDS};
use crate::facts::{Instance, InstanceState, Snapshot, SnapshotState, StopHazards, Tags};
use crate::id::{ArtifactId, InstanceId};
use crate::plan::Capture;
use crate::record::Queue;
use crate::refusal::Why;
use crate::{Time, later};

pub(super) fn id() -> InstanceId {
    "i-1".into()
}

pub(super) fn artifact() -> ArtifactId {
    ArtifactId::Image("ami-1".into())
}

/// A backup of an instance that is stopped for it, with its power as it is in that state by itself.
fn backup(state: State) -> Backup {
    let power = match state {
        State::Requested => Power::Untouched,
        State::Quiescing => Power::Stopping(Some(start())),
        State::Creating | State::Pending => Power::Stopped,
        State::Good | State::Expiring | State::Deleting | State::Deleted | State::Failed => Power::Running,
    };
    with(state, power)
}

pub(super) fn with(state: State, power: Power) -> Backup {
    let mut record = came_to(state, "instance/i-1@20260115T103000Z".parse().expect("a backup"), artifact());
    record.capture = Capture { stop: true, ..Capture::default() };
    record.power.state = power;
    if state != State::Requested {
        record.instance = Some(id());
        record.copy.volumes = vec!["vol-1".into(), "vol-2".into()];
        record.power.asked_at = Some(start());
    }
    if matches!(power, Power::Stopped) {
        record.power.consistency = Some(Consistency::Clean);
        record.power.off_at = Some(start());
    }
    if matches!(power, Power::Starting(_) | Power::Coming(_) | Power::Freeing(_) | Power::Watched(..)) {
        record.power.owed_at = Some(start());
    }
    if was_good(state) || state == State::Pending {
        record.copy.begun_at = Some(start());
    }
    if was_good(state) {
        record.good_at = Some(later(start(), 600));
    }
    record
}

/// It was seen on its way off when it was to be started.
fn hanging(record: Backup) -> Backup {
    let power = PowerPart { hangs_since: Some(start()), ..record.power.clone() };
    Backup { power, ..record }
}

pub(super) fn instance(state: InstanceState) -> Instance {
    let volumes = vec!["vol-1".into(), "vol-2".into()];
    Instance { image: Some("ami-base".into()), volumes, ..Instance::new(id(), state, start()) }
}

fn snapshot(volume: &str, percent: u32) -> Snapshot {
    Snapshot {
        id: format!("snap-{volume}").as_str().into(),
        state: SnapshotState::Pending,
        tags: Tags::new(),
        description: String::new(),
        started_at: Some(start()),
        volume: Some(volume.into()),
        gib: Some(50),
        percent: Some(percent),
    }
}

fn sight(completeness: Completeness) -> Sight {
    Sight::There { artifact: artifact(), snapshots: None, bytes: None, completeness }
}

pub(super) fn look(state: Option<InstanceState>, volumes: &[&str]) -> Event {
    Event::Copying(Box::new(Copying {
        instance: Some(state.map(instance)),
        sight: sight(Completeness::Incomplete("the image is pending".into())),
        snapshots: volumes.iter().map(|volume| snapshot(volume, 40)).collect(),
    }))
}

pub(super) fn found_instance(running: bool) -> Event {
    Event::InstanceFound(Box::new(FoundInstance {
        instance: id(),
        base: Some("ami-base".into()),
        running,
        stops: running,
        goes_on: None,
        volumes: vec!["vol-1".into(), "vol-2".into()],
        last: Some(Took { seconds: 600, gib: 100 }),
    }))
}

pub(super) fn events() -> Vec<(&'static str, Event, Time)> {
    let soon = now();
    let stopped = Some(InstanceState::Stopped);
    let with = |completeness| {
        Event::Copying(Box::new(Copying { instance: None, sight: sight(completeness), snapshots: Vec::new() }))
    };
    vec![
        ("found, and runs", found_instance(true), soon),
        ("found, and is off", found_instance(false), soon),
        ("busy", Event::InstanceBusy("i-1 is being started".into()), soon),
        ("not to be backed up", Event::NoOrigin("i-1 has stop protection on".into()), soon),
        ("image made", Event::Made(artifact()), soon),
        ("create refused: gone", Event::CreateRefused(refusal(Why::Missing)), soon),
        ("create refused: too soon", Event::CreateRefused(refusal(Why::TooSoon)), soon),
        ("one volume is copied", look(stopped, &["vol-1"]), soon),
        ("one volume is copied, late", look(stopped, &["vol-1"]), later(start(), OFF_SECONDS_MAX)),
        ("both volumes are copied", look(stopped, &["vol-1", "vol-2"]), soon),
        ("started by somebody", look(Some(InstanceState::Running), &["vol-1"]), soon),
        ("terminated", look(Some(InstanceState::Leaving), &["vol-1"]), soon),
        ("image broken", with(Completeness::Broken("AWS could not make the image: failed".into())), soon),
        ("all complete", with(Completeness::Complete("the image and 2 of 2 snapshots are complete".into())), soon),
        ("woken", Event::Woken, soon),
        ("it is off", Event::Power(PowerEvent::Seen(stopped)), soon),
        ("unanswered", Event::Unanswered("ec2:Call got no answer".into()), soon),
    ]
}

#[test]
fn every_state_of_an_instance_s_backup_and_every_event_of_its_own() {
    let mut table = String::new();
    for state in State::ALL {
        table += &format!("{state:?}\n");
        table += &lines(&backup(state), &events());
    }
    expect_file!["instance_table.txt"].assert_eq(&table);
}

fn power_events() -> Vec<(&'static str, Event, Time)> {
    let soon = now();
    let seen = |state| Event::Power(PowerEvent::Seen(Some(state)));
    let power = Event::Power;
    let (window, forced) = (later(start(), 60), later(start(), FORCING_SECONDS_MAX));
    let left = later(start(), LEFT_SECONDS_MAX);
    vec![
        ("stop heard", power(PowerEvent::StopHeard(Some(InstanceState::Running))), soon),
        ("stop heard: it was off", power(PowerEvent::StopHeard(Some(InstanceState::Stopped))), soon),
        ("stop refused: protected", power(PowerEvent::StopRefused(refusal(Why::Denied))), soon),
        ("stop refused: gone", power(PowerEvent::StopRefused(refusal(Why::Missing))), soon),
        ("stop refused: wrong state", power(PowerEvent::StopRefused(refusal(Why::WrongState))), soon),
        ("stop unanswered", power(PowerEvent::StopUnanswered("no answer".into())), soon),
        ("seen: stopping", seen(InstanceState::Stopping), soon),
        ("seen: stopping, past its time", seen(InstanceState::Stopping), window),
        ("seen: stopping, past all time", seen(InstanceState::Stopping), forced),
        ("seen: running", seen(InstanceState::Running), soon),
        ("seen: running, past its time", seen(InstanceState::Running), later(window, 60)),
        ("seen: running, much later", seen(InstanceState::Running), later(start(), HEARD_SECONDS_MAX)),
        ("seen: pending", seen(InstanceState::Pending), soon),
        ("seen: stopped", seen(InstanceState::Stopped), soon),
        ("seen: terminated", seen(InstanceState::Leaving), soon),
        ("not told", power(PowerEvent::Seen(None)), soon),
        ("start heard", power(PowerEvent::StartHeard), soon),
        ("start refused: no room", power(PowerEvent::StartRefused(refusal(Why::TooSoon))), soon),
        ("start refused, five minutes on", power(PowerEvent::StartRefused(refusal(Why::TooSoon))), left),
        ("start refused: still stopping", power(PowerEvent::StartRefused(refusal(Why::WrongState))), soon),
        ("start refused: gone", power(PowerEvent::StartRefused(refusal(Why::Missing))), soon),
        ("no answer", power(PowerEvent::Unanswered("no answer".into())), soon),
        ("news", power(PowerEvent::News), soon),
        ("woken", Event::Woken, soon),
    ]
}

#[test]
fn every_state_of_the_power_and_every_event_of_its_own() {
    let at = later(start(), 10);
    let until = later(start(), HEARD_SECONDS_MAX);
    let mut table = String::new();
    let states = vec![
        ("Untouched, Creating", with(State::Creating, Power::Untouched)),
        ("Stopping, not heard", with(State::Quiescing, Power::Stopping(None))),
        ("Stopping", with(State::Quiescing, Power::Stopping(Some(start())))),
        ("ForceStopping, not heard", with(State::Quiescing, Power::ForceStopping(None))),
        ("ForceStopping", with(State::Quiescing, Power::ForceStopping(Some(start())))),
        ("Stopped", with(State::Pending, Power::Stopped)),
        ("Starting, Pending", with(State::Pending, Power::Starting(at))),
        ("Starting, Failed", with(State::Failed, Power::Starting(at))),
        ("Coming", with(State::Pending, Power::Coming(at))),
        ("Coming, hanging", hanging(with(State::Pending, Power::Coming(at)))),
        ("Freeing", hanging(with(State::Good, Power::Freeing(at)))),
        ("Watched", with(State::Good, Power::Watched(at, until))),
        ("Running", with(State::Good, Power::Running)),
        ("Gone", with(State::Failed, Power::Gone)),
    ];
    for (name, record) in states {
        let asks = due(&record, Queue::Poll, now()).map_or("nothing".to_owned(), |effect| format!("{effect:?}"));
        table += &format!("{name}\n  asks for {asks}\n{}", lines(&record, &power_events()));
    }
    expect_file!["power_table.txt"].assert_eq(&table);
}

#[test]
fn what_is_to_be_started_goes_before_all_else_and_before_the_cleanup() {
    let mut failed = decide(&with(State::Creating, Power::Stopped), Event::NoOrigin("denied".into()), now()).record;
    assert_eq!((failed.state, failed.power.state, failed.source_told), (State::Failed, Power::Starting(now()), false));
    let start = Some(Effect::Alone(Alone::StartInstance(id())));
    for part in [Queue::Tick, Queue::Poll] {
        assert_eq!(due(&failed, part, now()), start, "before its source is told");
    }
    assert_eq!(due(&failed, Queue::Cleanup, now()), Some(Effect::Alone(Alone::TellSource)));
    failed.source_told = true;
    failed.outbox.clear();
    assert_eq!((queue(&failed), wake(&failed)), (Queue::Poll, Some(later(now(), 30))));
    let refused = Event::Power(PowerEvent::StartRefused(refusal(Why::TooSoon)));
    let refused = decide(&failed, refused, now()).record;
    assert_eq!(due(&refused, Queue::Poll, later(now(), START_RETRY_SECONDS - 1)), None);
    assert_eq!(due(&refused, Queue::Poll, later(now(), START_RETRY_SECONDS)), start);
}

#[test]
fn one_answer_without_an_instance_proves_nothing_and_a_quarter_of_an_hour_does() {
    let untold = |record: &Backup, at| decide(record, Event::Power(PowerEvent::Seen(None)), at).record;
    for power in [Power::Stopping(Some(start())), Power::ForceStopping(Some(start()))] {
        let once = untold(&with(State::Quiescing, power), now());
        assert_eq!((once.state, once.power.state), (State::Quiescing, power));
        let soon = untold(&once, later(now(), 899));
        assert_eq!(soon.state, State::Quiescing);
        let gone = untold(&soon, later(now(), 900));
        assert_eq!((gone.state, gone.power.state), (State::Failed, Power::Gone));
    }
    let coming = untold(&with(State::Good, Power::Coming(now())), now());
    assert_eq!(untold(&coming, later(now(), 900)).power.state, Power::Gone);
}

#[test]
fn whether_an_instance_can_be_backed_up_is_known_before_it_is_stopped() {
    let record = with(State::Requested, Power::Untouched);
    let why = |told: &[Instance], hazards, backups: &[Backup]| match found(&record, &id(), told, hazards, backups) {
        Event::NoOrigin(why) | Event::InstanceBusy(why) => why,
        Event::InstanceFound(found) => format!("found, running {}, last {:?}", found.running, found.last),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&[], None, &[]), "there is no instance i-1 any more");
    for (state, expected) in [
        (InstanceState::Running, "found, running true, last None"),
        (InstanceState::Stopped, "found, running false, last None"),
        (InstanceState::Pending, "i-1 is being started"),
        (InstanceState::Stopping, "i-1 is being stopped by somebody else"),
        (InstanceState::Leaving, "i-1 is terminated"),
    ] {
        assert_eq!(why(&[instance(state)], None, &[]), expected);
    }
    let protected = StopHazards { protected: true, ..StopHazards::default() };
    let running = [instance(InstanceState::Running)];
    assert!(why(&running, Some(protected.clone()), &[]).starts_with("i-1 has stop protection on"));
    assert_eq!(why(&[instance(InstanceState::Stopped)], Some(protected), &[]), "found, running false, last None");
    let mut other = with(State::Pending, Power::Stopped);
    other.id.slot = later(start(), -3600);
    assert_eq!(why(&running, None, &[other.clone()]), "the backup of 2026-01-15T09:30:00Z is being made");
    other.power.state = Power::Running;
    assert_eq!(why(&running, None, &[other.clone()]), "found, running true, last None");
    other.good_at = Some(later(start(), 1200));
    other.copy.copies = vec![Copied { volume: "vol-1".into(), snapshot: "snap-1".into(), gib: 50 }];
    let mut newer = with(State::Requested, Power::Untouched);
    newer.id.slot = later(start(), 3600);
    assert!(why(&running, None, &[newer.clone()]).starts_with("found"), "nobody is at it");
    let stopped = with(State::Pending, Power::Stopped);
    let stopped = Backup { id: other.id.clone(), ..stopped };
    let waits = "it waited, and the backup of 2026-01-15T11:30:00Z takes its place";
    assert_eq!(why(&running, None, &[stopped, newer.clone()]), waits);
    newer.state = State::Quiescing;
    let begun = "it waited until the backup of 2026-01-15T11:30:00Z was begun, which takes its place";
    assert_eq!(why(&running, None, &[newer]), begun);
    let last = "found, running true, last Some(Took { seconds: 1200, gib: 50 })";
    assert_eq!(why(&running, None, &[other]), last);
}

fn copying(percent: u32, gib: u32) -> Event {
    let snapshots = vec![Snapshot { gib: Some(gib), ..snapshot("vol-1", percent) }];
    let sight = sight(Completeness::Incomplete("the image is pending".into()));
    Event::Copying(Box::new(Copying { instance: None, sight, snapshots }))
}

#[test]
fn a_copy_is_expected_to_take_as_long_for_each_gib_as_the_last_one() {
    let times = |gib, last| {
        let mut record = with(State::Pending, Power::Running);
        record.copy.last = last;
        let record = decide(&record, copying(10, gib), now()).record;
        (record.copy.expected_seconds(), record.copy.poll_seconds(i64::MAX), record.copy.copying_seconds_max())
    };
    assert_eq!(times(50, None), (3_600, 360, 93_600), "an hour for 50 GiB, if nothing is known");
    assert_eq!(times(500, None), (36_000, 600, 360_000), "ten for 500");
    assert_eq!(times(500, Some(Took { seconds: 600, gib: 500 })), (600, 60, 93_600), "most of it is there already");
    assert_eq!(times(1_000, Some(Took { seconds: 600, gib: 500 })).0, 1_200);
    assert_eq!(times(1, None), (300, 30, 93_600));
    assert_eq!(times(16_000, None).2, 604_800, "a week at most");
    assert_eq!(times(50, Some(Took { seconds: 60, gib: 0 })).0, 3_600);
}

#[test]
fn slow_as_expected_is_told_from_stuck() {
    let mut record = decide(&with(State::Pending, Power::Running), copying(10, 50), now()).record;
    assert_eq!(record.trouble.as_deref(), Some("10 percent are copied; expected by 2026-01-15T11:30:00Z"));
    for (minutes, percent) in [(20, 20), (79, 20)] {
        record = decide(&record, copying(percent, 50), later(now(), minutes * 60)).record;
        assert!(record.outbox.is_empty(), "{minutes}");
    }
    assert_eq!(STILL_SECONDS_MIN, 3_600);
    record = decide(&record, copying(20, 50), later(now(), 80 * 60)).record;
    let told: Vec<&str> = record.outbox.iter().map(|notice| notice.message.as_str()).collect();
    let still = "instance/i-1: the copy for the backup of 2026-01-15T10:30:00Z stands still: 20 percent are copied, and no more since 2026-01-15T10:50:30Z";
    assert_eq!(told, [still]);
    record = decide(&record, copying(20, 50), later(now(), 90 * 60)).record;
    assert_eq!((record.outbox.len(), record.state), (1, State::Pending), "told once, and waited for");
    // Of ten times as much half of ten hours is no reason to worry; an empty list is no progress of none percent.
    let mut large = decide(&with(State::Pending, Power::Running), copying(10, 500), now()).record;
    large = decide(&large, copying(10, 500), later(now(), 5 * 3600 - 1)).record;
    assert!(large.outbox.is_empty());
    assert_eq!(decide(&large, copying(10, 500), later(now(), 5 * 3600)).record.outbox.len(), 1);
    let mut none = with(State::Pending, Power::Running);
    let Event::Copying(mut empty) = copying(10, 50) else { panic!("a look") };
    empty.snapshots.clear();
    none = decide(&none, Event::Copying(empty), now()).record;
    assert_eq!(none.copy.percent, None);
}
