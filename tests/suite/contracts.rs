//! The events that we send, held to the samples in `events/`. Those that we read: `lastgood-core/src/incoming_rules.rs`.
//!
//! `UPDATE_EXPECT=1 cargo test` writes our own samples anew: a change there is a change of a public contract.

use std::fs;
use std::path::Path;

use expect_test::{ExpectFile, expect_file};
use lastgood_core::Time;
use lastgood_core::backup::PublishedTo;
use lastgood_core::id::{BackupId, ImageId, RolloutId, SourceId};
use lastgood_core::incoming::{Envelope, Incoming, RefreshChange, RefreshNews};
use lastgood_core::notice::{DeletedBackup, News, Notice};
use lastgood_core::plan::OnManualChange;
use lastgood_core::rollout::Verdict;
use lastgood_core::watch::{Part, Pulse};
use lastgood_tests::stack::{Invocation, STACK};
use lastgood_tests::template::{Template, everything};
use serde_json::{Value, json};

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a sample");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn incoming(path: &Path) -> Result<Incoming, String> {
    let envelope: Envelope = serde_json::from_value(read(path)).map_err(|error| error.to_string())?;
    Incoming::of(envelope).map_err(|error| error.to_string())
}

fn samples(folder: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(Path::new(EVENTS).join(folder)).expect("the folder of samples");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_sample_of_ours_is_a_request_or_a_notice() {
    let known: Vec<String> = notices().iter().map(file_name).collect();
    for path in samples("lastgood") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !known.contains(&name) {
            incoming(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn every_notice_matches_its_sample() {
    let files: Vec<(&str, ExpectFile)> = vec![
        ("backup-good.json", expect_file!["../../events/lastgood/backup-good.json"]),
        ("backup-failed.json", expect_file!["../../events/lastgood/backup-failed.json"]),
        ("backup-overdue.json", expect_file!["../../events/lastgood/backup-overdue.json"]),
        ("image-published.json", expect_file!["../../events/lastgood/image-published.json"]),
        ("image-published-parameter.json", expect_file!["../../events/lastgood/image-published-parameter.json"]),
        ("manual-change.json", expect_file!["../../events/lastgood/manual-change.json"]),
        ("lineage-deep.json", expect_file!["../../events/lastgood/lineage-deep.json"]),
        ("protection-left.json", expect_file!["../../events/lastgood/protection-left.json"]),
        ("publication-held.json", expect_file!["../../events/lastgood/publication-held.json"]),
        ("backups-deleted.json", expect_file!["../../events/lastgood/backups-deleted.json"]),
        ("deletion-refused.json", expect_file!["../../events/lastgood/deletion-refused.json"]),
        ("artifact-unknown.json", expect_file!["../../events/lastgood/artifact-unknown.json"]),
        ("backup-lost.json", expect_file!["../../events/lastgood/backup-lost.json"]),
        ("deletion-halted.json", expect_file!["../../events/lastgood/deletion-halted.json"]),
        ("source-found.json", expect_file!["../../events/lastgood/source-found.json"]),
        ("source-lost.json", expect_file!["../../events/lastgood/source-lost.json"]),
        ("source-contested.json", expect_file!["../../events/lastgood/source-contested.json"]),
        ("source-held.json", expect_file!["../../events/lastgood/source-held.json"]),
        ("source-released.json", expect_file!["../../events/lastgood/source-released.json"]),
        ("slot-skipped.json", expect_file!["../../events/lastgood/slot-skipped.json"]),
        ("backup-pinned.json", expect_file!["../../events/lastgood/backup-pinned.json"]),
        ("rollout-changed.json", expect_file!["../../events/lastgood/rollout-changed.json"]),
        ("checkpoint-reached.json", expect_file!["../../events/lastgood/checkpoint-reached.json"]),
        ("group-pinned.json", expect_file!["../../events/lastgood/group-pinned.json"]),
        ("verdict-given.json", expect_file!["../../events/lastgood/verdict-given.json"]),
        ("rollout-held.json", expect_file!["../../events/lastgood/rollout-held.json"]),
        ("rollout-succeeded.json", expect_file!["../../events/lastgood/rollout-succeeded.json"]),
        ("rollout-rolled-back.json", expect_file!["../../events/lastgood/rollout-rolled-back.json"]),
        ("rollout-failed.json", expect_file!["../../events/lastgood/rollout-failed.json"]),
        ("request-refused.json", expect_file!["../../events/lastgood/request-refused.json"]),
        ("notices-not-kept.json", expect_file!["../../events/lastgood/notices-not-kept.json"]),
        ("backup-good-cache.json", expect_file!["../../events/lastgood/backup-good-cache.json"]),
        ("backup-waits.json", expect_file!["../../events/lastgood/backup-waits.json"]),
        ("backup-stuck.json", expect_file!["../../events/lastgood/backup-stuck.json"]),
        ("instance-not-started.json", expect_file!["../../events/lastgood/instance-not-started.json"]),
        ("instance-left-stopped.json", expect_file!["../../events/lastgood/instance-left-stopped.json"]),
        ("heartbeat.json", expect_file!["../../events/lastgood/heartbeat.json"]),
        ("notice-test.json", expect_file!["../../events/lastgood/notice-test.json"]),
        ("deployment-broken.json", expect_file!["../../events/lastgood/deployment-broken.json"]),
        ("deployment-mended.json", expect_file!["../../events/lastgood/deployment-mended.json"]),
        ("table-replaced.json", expect_file!["../../events/lastgood/table-replaced.json"]),
    ];
    let notices = notices();
    assert_eq!(files.len(), notices.len());
    for ((name, file), notice) in files.iter().zip(notices) {
        assert_eq!(*name, file_name(&notice));
        assert!(!notice.message.contains(['"', '\n']), "{}", notice.message);
        let text = serde_json::to_string_pretty(&event(&notice)).expect("JSON");
        file.assert_eq(&format!("{text}\n"));
        let back: Notice = serde_json::from_value(serde_json::to_value(&notice).expect("JSON")).expect("reads back");
        assert_eq!(back, notice);
    }
}

#[test]
fn what_is_no_event_of_ours_says_so() {
    let error = |event: Value| {
        let envelope: Envelope = serde_json::from_value(event).expect("an envelope");
        Incoming::of(envelope).expect_err("wrong").to_string()
    };
    let with = |source: &str, kind: &str, detail: Value| json!({"id": "e-1", "source": source, "detail-type": kind, "time": "2026-01-15T10:30:00Z", "detail": detail});
    assert_eq!(
        error(with("aws.ec2", "EC2 AMI State Change", json!({"State": "available"}))),
        "event e-1: the detail of 'EC2 AMI State Change' can't be read"
    );
    assert_eq!(
        error(with("lastgood", "Backup Requested", json!({"source": "web", "by": "x"}))),
        "event e-1: the detail of 'Backup Requested' can't be read"
    );
    assert_eq!(
        error(with("aws.s3", "Object Created", json!({}))),
        "event e-1: nothing here reads 'Object Created' from 'aws.s3'"
    );
}

fn file_name(notice: &Notice) -> String {
    let kind = notice.news.detail_type().to_lowercase().replace(' ', "-");
    match &notice.news {
        News::ImagePublished { to: PublishedTo::Parameter { .. }, .. } => format!("{kind}-parameter.json"),
        News::BackupGood { cache_snapshot: Some(_), .. } => format!("{kind}-cache.json"),
        _ => format!("{kind}.json"),
    }
}

fn event(notice: &Notice) -> Value {
    json!({
        "version": "0",
        "id": "0a1b2c3d-0000-1111-2222-333344445555",
        "detail-type": notice.news.detail_type(),
        "source": "lastgood",
        "account": "123456789012",
        "time": notice.at,
        "region": "us-east-1",
        "resources": [],
        "detail": notice,
    })
}

/// One of each.
fn notices() -> Vec<Notice> {
    let source: SourceId = "group/web-prod".parse().expect("a source");
    let at: Time = "2026-01-15T10:41:12Z".parse().expect("a time");
    let slot: Time = "2026-01-15T10:30:00Z".parse().expect("a time");
    let backup = BackupId { source: source.clone(), slot };
    let image = || ImageId::from("ami-0abcdef1234567890");
    let news = [
        News::BackupGood {
            backup: backup.clone(),
            image: Some(image()),
            snapshots: vec!["snap-0a".into(), "snap-0b".into()],
            cache_snapshot: None,
        },
        News::BackupFailed { backup: backup.clone(), reason: "AWS could not make the image: failed".into() },
        News::BackupOverdue { due_by: slot, last_good: Some("2026-01-15T08:00:00Z".parse().expect("a time")) },
        News::ImagePublished {
            backup: backup.clone(),
            image: image(),
            to: PublishedTo::Version { template: "lt-0123456789abcdef0".into(), version: 7 },
            left_alone: vec!["m6g.large has a template of its own".into()],
        },
        News::ImagePublished {
            backup: backup.clone(),
            image: image(),
            to: PublishedTo::Parameter { parameter: "/images/web".into() },
            left_alone: Vec::new(),
        },
        News::ManualChange {
            backup: backup.clone(),
            found: "ami-0fedcba9876543210".into(),
            expected: "ami-0abcdef1234567890".into(),
            done: OnManualChange::Adopt,
        },
        News::LineageDeep { backup: backup.clone(), generation: 20 },
        News::ProtectionLeft {
            backup: backup.clone(),
            instance: "i-0123456789abcdef0".into(),
            reason: "autoscaling:SetInstanceProtection is not permitted: AccessDenied: no".into(),
        },
        News::PublicationHeld {
            backup: backup.clone(),
            image: image(),
            reason: "the group launches from ami-7, not from ami-6 that was published last".into(),
        },
        News::BackupsDeleted {
            backups: vec![DeletedBackup {
                shared: vec!["snap-0c".into()],
                backup: backup.clone(),
                image: Some(image()),
                cache_snapshot: None,
                snapshots: vec!["snap-0a".into()],
                reason: "older than the last 3 good ones".into(),
            }],
        },
        News::DeletionRefused {
            backup: backup.clone(),
            reason: "ami-0abcdef1234567890 is needed by group/web-prod".into(),
        },
        News::ArtifactUnknown {
            backup: backup.to_string(),
            images: vec![image()],
            snapshots: vec!["snap-0d".into()],
            cache_snapshots: Vec::new(),
        },
        News::BackupLost { backup: backup.clone(), image: Some(image()), cache_snapshot: None },
        News::DeletionHalted { backups: 2, failed: slot, reason: "AWS could not make the image: failed".into() },
        News::SourceFound { plan: "web".into(), obstacle: None },
        News::SourceLost { reason: "the group is deleted; its backups stay".into() },
        News::SourceContested { plan: "web".into(), other: "all".into() },
        News::SourceHeld { reason: "held by alice: release freeze".into() },
        News::SourceReleased { reason: "released by alice".into() },
        News::SlotSkipped {
            slot,
            next_slot: Some("2026-01-15T11:30:00Z".parse().expect("a time")),
            reason: "skipped by alice".into(),
        },
        News::BackupPinned {
            backup: backup.clone(),
            pinned: true,
            reason: "pinned by alice: before the migration".into(),
        },
        News::RolloutChanged { refresh: "ab00cf8f".into(), status: "Succeeded".into() },
    ];
    let news = news.into_iter().chain(of_rollouts(&backup));
    let of_caches =
        of_caches(slot).into_iter().map(|(source, news)| Notice::new(&source, "20260115T103000Z", at, news));
    let of_instances =
        of_instances(slot).into_iter().map(|(source, news)| Notice::new(&source, "20260115T103000Z", at, news));
    let of_groups = news.map(|news| Notice::new(&source, "20260115T103000Z", at, news));
    let of_itself = of_itself().into_iter().map(|news| Notice::of_deployment("1768473000", at, news));
    of_groups.chain(of_caches).chain(of_instances).chain(of_itself).collect()
}

fn of_itself() -> Vec<News> {
    let rule = "arn:aws:events:us-east-1:123456789012:rule/lastgood/lastgood-BackupTickRequested-1AB2C3";
    vec![
        News::Heartbeat { pulse: Pulse { sources: 42, overdue: 1, held: 2, never_good: 0 } },
        News::NoticeTest { by: "alice".into(), test: "7bf73129-1428-4cd3-a780-95db273d1602".into() },
        News::DeploymentBroken { parts: vec![Part::RuleDisabled(rule.into()).to_string()] },
        News::DeploymentMended {},
        News::TableReplaced {
            was: "lastgood-Table-1AB2C3".into(),
            table: "lastgood-restored".into(),
            until: "2026-01-16T10:41:12Z".parse().expect("a time"),
        },
    ]
}

fn of_caches(slot: Time) -> Vec<(SourceId, News)> {
    let source: SourceId = "replication-group/sessions".parse().expect("a source");
    let of_cache = BackupId { source: source.clone(), slot };
    let news = vec![
        News::BackupGood {
            backup: of_cache.clone(),
            image: None,
            snapshots: Vec::new(),
            cache_snapshot: Some("sess-2601151030056r3".into()),
        },
        News::BackupWaits {
            backup: of_cache,
            until: "2026-01-15T16:12:00Z".parse().expect("a time"),
            reason: "AWS takes 20 backups by hand of a node in 24 hours, and of replication-group/sessions that many were taken".into(),
        },
    ];
    news.into_iter().map(|news| (source.clone(), news)).collect()
}

fn of_instances(slot: Time) -> Vec<(SourceId, News)> {
    let source: SourceId = "instance/i-0123456789abcdef0".parse().expect("a source");
    let backup = BackupId { source: source.clone(), slot };
    let instance = || "i-0123456789abcdef0".into();
    let no_room = "ec2:StartInstances was asked to wait: InsufficientInstanceCapacity: no capacity";
    let news = vec![
        News::BackupStuck {
            backup: backup.clone(),
            percent: 40,
            since: slot,
            reason: "40 percent are copied, and no more since 2026-01-15T10:30:00Z".into(),
        },
        News::InstanceNotStarted { backup: backup.clone(), instance: instance(), reason: no_room.into() },
        News::InstanceLeftStopped { backup, instance: instance(), since: slot, reason: no_room.into() },
    ];
    news.into_iter().map(|news| (source.clone(), news)).collect()
}

fn of_rollouts(backup: &BackupId) -> Vec<News> {
    let rollout = RolloutId::of(&backup.source, backup.slot);
    vec![
        News::CheckpointReached {
            refresh: "ab00cf8f".into(),
            percentage: 50,
            delay_seconds: 300,
            rollout: Some(rollout.clone()),
            visit: Some(1),
            deadline: Some("2026-01-15T10:45:00Z".parse().expect("a time")),
        },
        News::GroupPinned {
            backup: Some(backup.clone()),
            rollout: None,
            template: "lt-0abcd1234".into(),
            version: 1,
            was: "$Latest".into(),
        },
        News::VerdictGiven {
            rollout: rollout.clone(),
            visit: 1,
            percentage: 50,
            verdict: Verdict::GoOn,
            reason: "2 members on the new version serve and are well".into(),
        },
        News::RolloutHeld {
            rollout: rollout.clone(),
            visit: 1,
            until: "2026-01-16T10:45:00Z".parse().expect("a time"),
            reason: "no verdict by person in time".into(),
        },
        News::RolloutSucceeded { rollout: rollout.clone(), image: "ami-0abcd1234".into(), owner: None, version: 2 },
        News::RolloutRolledBack {
            rollout: rollout.clone(),
            image: "ami-0abcd1234".into(),
            version: 1,
            reason: "no verdict by health in time: i-0abcd1234 fails its status checks".into(),
        },
        News::RolloutFailed { rollout, reason: "somebody cancelled the refresh".into() },
        News::RequestRefused {
            request: "Image Change Requested".into(),
            by: "alice".into(),
            reason: "the plan of group/web-prod publishes nothing".into(),
        },
        News::NoticesNotKept {
            since: "2026-01-15T08:00:00Z".parse().expect("a time"),
            kinds: [("Rollout Changed".to_owned(), 2), ("Source Held".to_owned(), 1)].into(),
        },
    ]
}

#[test]
fn the_readmes_plan_is_right() {
    let readme = fs::read_to_string(Path::new(EVENTS).join("../README.md")).expect("the README");
    let (_, after) = readme.split_once("```yaml\n").expect("a plan in it");
    let (plan, _) = after.split_once("```").expect("its end");
    let file = lastgood_core::plan::read("README.md", plan).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    assert_eq!((file.plans.len(), file.removed.len()), (1, 2));
}

#[test]
fn chaos_gives_each_function_the_time_that_the_template_gives_it() {
    let template = Template::deployed(STACK, &everything()).expect("the template");
    let news = RefreshNews {
        event: "e-1".into(),
        refresh: "r-1".into(),
        group: "web".into(),
        at: Time::UNIX_EPOCH,
        what: RefreshChange::Status("Started".into()),
    };
    for invocation in [Invocation::Tick, Invocation::Poll, Invocation::Cleanup, Invocation::Refresh(news)] {
        let (name, timeout_seconds) = invocation.function();
        assert_eq!(template.resources[name]["Properties"]["Timeout"], json!(timeout_seconds), "{name}");
    }
}
