//! What must hold of events: every sample in `events/` is read, and nothing else is taken for one.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use serde_json::{Value, json};

use super::*;

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");

fn sample(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a sample");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn of(sample: Value) -> Result<Incoming, String> {
    let envelope: Envelope = serde_json::from_value(sample).map_err(|error| error.to_string())?;
    Incoming::of(envelope).map_err(|error| error.to_string())
}

fn samples(folder: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(Path::new(EVENTS).join(folder)).expect("the folder of samples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut named: Vec<_> =
        paths.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path)).collect();
    named.sort();
    named
}

fn is_request(sample: &str) -> bool {
    sample.ends_with("-requested") || sample.ends_with("-verdict")
}

#[test]
fn every_sample_that_wakes_a_function_is_read() {
    let mut table = String::new();
    let ours = samples("lastgood").into_iter().filter(|(name, _)| is_request(name) || name == "backup-good");
    for (name, path) in samples("aws").into_iter().chain(ours) {
        let read = of(sample(&path)).unwrap_or_else(|error| panic!("{name}: {error}"));
        table += &format!("{name}\n  {read:?}\n");
    }
    expect_file!["incoming.txt"].assert_eq(&table);
}

#[test]
fn messages_of_a_topic_tell_the_clusters_whose_snapshots_ended() {
    let sample = sample(&Path::new(EVENTS).join("sns/cache-snapshot-complete.json"));
    let message = |record: &Value| record["Sns"]["Message"].as_str().expect("a message").to_owned();
    let mut messages: Vec<String> = sample["Records"].as_array().expect("records").iter().map(message).collect();
    messages.push(json!({"ElastiCache:SnapshotFailed": "Carts-0001-002"}).to_string());
    // Whoever owns the topic may hear more there.
    messages.push(json!({"ElastiCache:FailoverComplete": "sessions-001"}).to_string());
    messages.push("Hello".into());
    let clusters = vec!["sessions-002".to_owned(), "carts-0001-002".to_owned()];
    assert_eq!(of_sns(&messages), Incoming::CacheChanged { clusters });
    let id = |text: &str| text.parse::<SourceId>().expect("a source").cache().cloned().expect("a cache");
    for (cache, cluster, is_its) in [
        ("replication-group/sessions", "sessions-002", true),
        ("replication-group/sessions", "sessions-0001-002", true),
        ("replication-group/sessions", "sessions-eu-001", false),
        ("replication-group/sessions", "sessions", false),
        ("cache-cluster/sessions", "sessions", true),
        ("cache-cluster/sessions", "sessions-001", false),
        ("serverless-cache/sessions", "sessions", false),
    ] {
        assert_eq!(id(cache).has_node(cluster), is_its, "{cache} {cluster}");
    }
}

#[test]
fn numbers_are_read_whether_they_come_as_text_or_not() {
    let read = |name: &str| of(sample(&Path::new(EVENTS).join("aws").join(name))).expect("read");
    let as_text = read("instance-refresh-checkpoint-reached.json");
    assert_eq!(as_text, read("instance-refresh-checkpoint-reached-numbers.json"));
    let mut wrong = sample(&Path::new(EVENTS).join("aws/instance-refresh-checkpoint-reached.json"));
    for (percentage, said) in [
        (json!("half"), "'half' is no whole number"),
        (json!(null), "is missing"),
        (json!([50]), "[50] is no number"),
        (json!(1.5), "1.5 is no whole number"),
    ] {
        wrong["detail"]["CheckpointPercentage"] = percentage;
        let why = of(wrong.clone()).expect_err("no number");
        assert!(why.contains("Checkpoint Reached"), "{why}");
        let envelope: Envelope = serde_json::from_value(wrong.clone()).expect("an envelope");
        let error = Incoming::of(envelope).expect_err("no number");
        let cause = std::error::Error::source(&error).expect("it says why").to_string();
        assert!(cause.contains(said), "{cause}");
    }
}

#[test]
fn each_request_is_read_as_what_it_is_called() {
    for (name, path) in samples("lastgood").into_iter().filter(|(name, _)| name.ends_with("-requested")) {
        let sample = sample(&path);
        let kind = sample["detail-type"].as_str().expect("text").to_owned();
        match of(sample).expect(&name) {
            Incoming::Asked { request, .. } => {
                assert_eq!(request.detail_type(), kind);
                assert!(Request::DETAIL_TYPES.contains(&kind.as_str()), "{kind}");
            }
            Incoming::ImageChange { asked, .. } => {
                assert_eq!((kind.as_str(), asked.refresh), ("Image Change Requested", true));
            }
            Incoming::NoticeTest { event, asked } => {
                assert_eq!((kind.as_str(), asked.by.as_str()), (NoticeTestRequested::DETAIL_TYPE, "alice"));
                assert_eq!(event, "7bf73129-1428-4cd3-a780-95db273d1607");
            }
            other => assert!(matches!(other, Incoming::BackupRequested { .. }) && kind == "Backup Requested", "{name}"),
        }
    }
    let read = samples("lastgood").into_iter().filter(|(name, _)| name.ends_with("-requested")).count();
    assert_eq!(read, Request::DETAIL_TYPES.len() + 3, "a sample of each");
}

#[test]
fn whose_verdict_it_is_the_detail_type_says_and_nothing_else() {
    let event = |kind: &str, detail: Value| json!({"id": "e-1", "source": "lastgood", "detail-type": kind, "time": "2026-01-15T10:30:00Z", "detail": detail});
    for (kind, judge) in [("Checkpoint Verdict", Judge::Event), ("Operator Verdict", Judge::Person)] {
        let detail = json!({"rollout": "r-1", "verdict": "go-on", "by": "alice"});
        match of(event(kind, detail.clone())).expect(kind) {
            Incoming::Verdict { asked, .. } => {
                assert_eq!((asked.judge, asked.detail_type()), (judge, kind));
                assert_eq!(serde_json::to_value(&asked).expect("JSON"), detail, "what is sent claims nothing");
            }
            other => panic!("{other:?}"),
        }
        for claim in ["person", "event", "health"] {
            let mut claims = detail.clone();
            claims["judge"] = json!(claim);
            let envelope = serde_json::from_value(event(kind, claims)).expect("an envelope");
            let error = Incoming::of(envelope).expect_err("it claims to be somebody");
            assert_eq!(error.to_string(), format!("event e-1: the detail of '{kind}' can't be read"));
            let why = std::error::Error::source(&error).expect("it says why").to_string();
            assert!(why.contains("unknown field `judge`"), "{why}");
        }
    }
}

#[test]
fn a_name_that_is_no_key_of_the_table_is_refused_with_the_event_that_has_it() {
    let ours = |name: &str| {
        let (group, by) = (format!("group/{name}"), "alice");
        let backup = format!("{group}@20260115T103000Z");
        [
            ("Backup Requested", json!({"source": group, "by": by})),
            ("Hold Requested", json!({"source": group, "by": by})),
            ("Release Requested", json!({"source": group, "by": by})),
            ("Skip Requested", json!({"source": group, "slot": "2026-01-15T10:30:00Z", "by": by})),
            ("Pin Requested", json!({"backup": backup, "by": by})),
            ("Unpin Requested", json!({"backup": backup, "by": by})),
            ("Image Change Requested", json!({"source": group, "image": "ami-1", "by": by})),
            ("Image Change Requested", json!({"source": "group/web", "image": name, "by": by})),
            ("Checkpoint Verdict", json!({"rollout": backup, "verdict": "go-on", "by": by})),
            ("Operator Verdict", json!({"rollout": format!("{backup}/set-image"), "verdict": "go-on", "by": by})),
            ("Operator Verdict", json!({"rollout": name, "verdict": "go-on", "by": by})),
            ("Backup Good", json!({"source": group})),
        ]
    };
    let read = |kind: &str, detail: &Value| {
        let event = json!({"id": "e-1", "source": "lastgood", "detail-type": kind, "time": "2026-01-15T10:30:00Z", "detail": detail});
        Incoming::of(serde_json::from_value(event).expect("an envelope"))
    };
    for (kind, detail) in ours(&"n".repeat(255)) {
        read(kind, &detail).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    for (name, why) in [
        ("n".repeat(256), "has 256 characters; write at most 255"),
        ("n".repeat(2_000_000), "has 2000000 characters; write at most 255"),
        ("web\u{1b}[2J".to_owned(), "has a control character at place 4"),
        ("web\u{9b}".to_owned(), "has a control character at place 4"),
    ] {
        for (kind, detail) in ours(&name) {
            let error = read(kind, &detail).expect_err(kind);
            assert_eq!(error.to_string(), format!("event e-1: a name in the detail of '{kind}' is none"));
            let cause = std::error::Error::source(&error).expect("it says why").to_string();
            assert!(cause.contains(why), "{kind}: {cause}");
        }
    }
}

#[test]
fn what_people_write_is_bounded_in_every_request() {
    for kind in Request::DETAIL_TYPES.into_iter().chain(["Backup Requested", "Image Change Requested"]) {
        let path = Path::new(EVENTS).join(format!("lastgood/{}.json", kind.to_lowercase().replace(' ', "-")));
        for (key, longest) in [("by", 128), ("reason", 1_000)] {
            let mut event = sample(&path);
            event["detail"][key] = json!("x".repeat(longest));
            of(event.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"));
            for wrong in ["x".repeat(longest + 1), "a\nb".into(), "\u{1b}]52;c;x".into(), String::new()] {
                event["detail"][key] = json!(wrong);
                let why = of(event.clone()).expect_err(kind);
                assert!(why.ends_with(&format!("the detail of '{kind}' can't be read")), "{why}");
            }
        }
    }
}

#[test]
fn an_image_is_rolled_out_unless_the_request_says_otherwise() {
    for (detail, refresh) in [
        (json!({"source": "group/web", "image": "ami-1", "by": "alice"}), true),
        (json!({"source": "group/web", "image": "ami-1", "by": "alice", "refresh": false}), false),
    ] {
        let (kind, time) = ("Image Change Requested", "2026-01-15T10:30:00Z");
        let event = json!({"id": "e-1", "source": "lastgood", "detail-type": kind, "time": time, "detail": detail});
        match of(event) {
            Ok(Incoming::ImageChange { asked, .. }) => assert_eq!(asked.refresh, refresh),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_nobody_knows_is_told_with_its_name() {
    let event = |source: &str, kind: &str| json!({"id": "e-1", "source": source, "detail-type": kind, "time": "2026-01-15T10:30:00Z", "detail": {}});
    for (source, kind) in [
        ("lastgood", "Verdict Requested"),
        ("aws.ec2", "Scheduled Event"),
        ("aws.autoscaling", "EC2 Instance Launch Successful"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("somebody", "Hold Requested"),
        ("somebody", "Backup Requested"),
        ("somebody", "Backup Good"),
    ] {
        let why = of(event(source, kind)).expect_err("nobody knows it");
        assert!(why.contains(source) && why.contains(kind) && why.contains("e-1"), "{why}");
    }
    for source in ["aws.events", "aws.scheduler"] {
        assert_eq!(of(event(source, "Scheduled Event")), Ok(Incoming::Scheduled));
    }
}
