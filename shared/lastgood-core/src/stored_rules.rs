//! What is stored of each kind of record, every field filled: a golden text each. The literals name every field, so that
//! whoever adds one must say here what becomes of it, and a renamed one is seen before an older record loses it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use expect_test::{ExpectFile, expect_file};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{decode, encode};
use crate::Time;
use crate::backup::cache::{CachePart, ChosenCache};
use crate::backup::copy::{Copied, CopyPart, Took};
use crate::backup::power::{Consistency, Power, PowerPart};
use crate::backup::reservation::Reservation;
use crate::backup::{Artifact, Backup, Origin, Pin, Publication, PublishedTo, ScaleIn, State};
use crate::cache::Full;
use crate::facts::{CacheAccess, CacheSetup, CacheShard, TemplateRef, VersionRef};
use crate::id::{ArtifactId, BackupId, RolloutId, SourceId};
use crate::incoming::{RefreshChange, RefreshNews};
use crate::notice::{News, Notice};
use crate::plan::{Afterwards, Capture, OnManualChange, Plan, Policy, Publish, PublishTo, Select};
use crate::retention::Retention;
use crate::rollout::change::Step;
use crate::rollout::policy::{Others, Protected};
use crate::rollout::{
    self, Change, Followed, Given, Judge, Kept, Opinion, Order, Otherwise, Rollout, RolloutPolicy, Suspension, Verdict,
    VerdictPolicy, Visit,
};
use crate::schedule::{Pattern, Schedule, Zone};
use crate::source::survey::Planned;
use crate::source::{Asked, Because, Changing, Expected, Failure, Good, Hold, OffFor, Published, Retry, Source};
use crate::sweep::Sweep;

fn at(minute: u32) -> Time {
    format!("2026-01-15T10:{minute:02}:00Z").parse().expect("a time")
}

fn source_id() -> SourceId {
    "group/web".parse().expect("a source")
}

fn image(id: &str) -> ArtifactId {
    ArtifactId::Image(id.into())
}

fn notice() -> Notice {
    Notice::new(&source_id(), "20260115T103000Z", at(30), News::SourceFound { plan: "web".into(), obstacle: None })
}

fn publish() -> Publish {
    Publish {
        to: PublishTo::Parameter("/images/web".into()),
        on_manual_change: OnManualChange::Adopt,
        max_generations: Some(20),
        rollout: Some(rollout_policy()),
    }
}

fn rollout_policy() -> RolloutPolicy {
    RolloutPolicy {
        checkpoints: vec![20, 100],
        delay_seconds: 900,
        min_healthy: 80,
        max_healthy: 110,
        warmup_seconds: Some(300),
        skip_matching: true,
        auto_rollback: true,
        alarms: vec!["errors".into()],
        bake_seconds: 60,
        protected: Protected::Refresh,
        standby: crate::rollout::policy::Standby::Terminate,
        verdict: VerdictPolicy {
            by: BTreeSet::from([Judge::Health, Judge::Alarms, Judge::Event, Judge::Person]),
            within_seconds: 600,
            otherwise: Otherwise::Hold,
        },
        followed: Followed::SecondRefresh,
        backup: true,
        others: Others::Judge,
    }
}

fn rollout() -> Rollout {
    let order = Order {
        backup: Some(BackupId { source: source_id(), slot: at(30) }),
        image: "ami-1".into(),
        at: at(30),
        named: TemplateRef { template: "lt-1".into(), version: VersionRef::Latest },
        base: 1,
        version: 2,
        policy: rollout_policy(),
    };
    let change = Change {
        image: "ami-1".into(),
        backup: Some(BackupId { source: source_id(), slot: at(30) }),
        owner: Some("210987654321".into()),
        by: "alice".into(),
        reason: Some("a patch".into()),
        refresh: true,
        policy: rollout_policy(),
        step: Step::Asked,
        follows: Some((1, at(30))),
    };
    let opinion = Opinion { judge: Judge::Health, reason: "well".into(), at: at(42) };
    let visit = Visit {
        number: 1,
        percentage: 20,
        event: Some("e-1".into()),
        at: at(41),
        deadline: at(50),
        goes_on_at: at(56),
        opinions: vec![opinion],
        verdict: Some(Given { verdict: Verdict::GoOn, reason: "well".into(), at: at(42) }),
        backup: Some(Kept { slot: at(42), begun: true }),
        held_until: Some(at(58)),
        held_percentage: Some(20),
    };
    let news = RefreshNews {
        event: "e-1".into(),
        refresh: "r-1".into(),
        group: "web".into(),
        at: at(41),
        what: RefreshChange::Checkpoint { percentage: 20, delay_seconds: 900 },
    };
    Rollout {
        id: RolloutId::of(&source_id(), at(30)),
        group: "web".into(),
        refresh: Some("r-1".into()),
        change: Some(change),
        order: Some(order),
        state: rollout::State::RollingBack,
        since: at(40),
        reason: "AWS takes it back".into(),
        look_at: at(43),
        trouble: Some("ec2:Call got no answer".into()),
        failures: 1,
        percentage: 20,
        seen_at: Some(at(42)),
        visits: vec![visit],
        back: Some("r-2".into()),
        back_because: Some("unhealthy".into()),
        suspension: Suspension::Suspended,
        told: true,
        news: vec![news],
        outbox: vec![notice()],
    }
}

fn policy() -> Policy {
    Policy {
        schedule: Schedule {
            pattern: Pattern::parse("30 2 * * *").expect("a pattern"),
            timezone: Zone::parse("Europe/Berlin").expect("a zone"),
            from: Some(at(0)),
            until: Some(at(59)),
        },
        spread_seconds: 600,
        retain: Retention {
            last: 3,
            within_seconds: 86_400,
            daily: 7,
            weekly: 4,
            monthly: 12,
            yearly: 2,
            consistent: 1,
            timezone: "Europe/Berlin".into(),
        },
        capture: Capture {
            asks_consent: true,
            protect_from_scale_in: true,
            during_refresh: true,
            stop: true,
            stop_within_seconds: 90,
            allow_address_change: true,
        },
        publish: publish(),
        keep_in_use: true,
        on_source_deleted: Afterwards::Delete,
        on_overdue_seconds: 7_200,
    }
}

fn cache_part() -> CachePart {
    CachePart {
        chosen: Some(ChosenCache {
            node: Some("sessions-002".into()),
            why: "sessions-002 is a replica".into(),
            setup: CacheSetup {
                engine: "valkey".into(),
                engine_version: Some("8.0".into()),
                node_type: Some("cache.r7g.large".into()),
                shards: vec![CacheShard { id: "0001".into(), slots: Some("0-16383".into()), replicas: 1 }],
                parameter_group: Some("default.valkey8".into()),
                subnets: vec!["cache-subnets".into()],
                created_at: Some(at(1)),
                port: Some(6379),
                security_groups: vec!["sg-1".into()],
                encrypted: true,
                kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/k-1".into()),
                tls: Some("required".into()),
                access: CacheAccess::UserGroups(vec!["users".into()]),
                multi_az: true,
                limits: Some("data at most 10 GB".into()),
                data_tiering: true,
            },
            warnings: vec!["no replica".into()],
            is_measured: true,
            expected_seconds: 600,
        }),
        chosen_at: Some(at(30)),
        begun_at: Some(at(31)),
        bytes: Some(1_000_000),
        full: vec![Full { of: "sessions-001".into(), until: at(50) }],
        quota_until: Some(at(51)),
        quota_told: true,
    }
}

fn backup() -> Backup {
    Backup {
        id: BackupId { source: source_id(), slot: at(30) },
        plan: "web".into(),
        origin: Origin::Request { by: "alice".into(), reason: Some("before the release".into()) },
        requested_at: at(30),
        state: State::Good,
        since: at(31),
        reason: "all is complete".into(),
        look_at: at(32),
        trouble: Some("ec2:Call got no answer".into()),
        failures: 2,
        lost_told: Some(at(33)),
        missing_since: Some(at(34)),
        artifact: Artifact::There,
        instance: Some("i-1".into()),
        base: Some("ami-base".into()),
        generation: 3,
        cache: cache_part(),
        capture: Capture { protect_from_scale_in: true, ..Capture::default() },
        copy: CopyPart {
            volumes: vec!["vol-1".into()],
            copies: vec![Copied { volume: "vol-1".into(), snapshot: "snap-1".into(), gib: 8 }],
            last: Some(Took { seconds: 600, gib: 8 }),
            begun_at: Some(at(36)),
            percent: Some(40),
            percent_at: Some(at(37)),
            stuck_told: true,
        },
        power: PowerPart {
            state: Power::Watched(at(38), at(58)),
            consistency: Some(Consistency::Clean),
            asked_at: Some(at(31)),
            off_at: Some(at(32)),
            owed_at: Some(at(33)),
            on_at: Some(at(34)),
            was_off: true,
            start_heard_at: Some(at(42)),
            doubt_at: Some(at(38)),
            hangs_since: Some(at(43)),
            untold_since: Some(at(41)),
            refusal_told: true,
            left_told: true,
        },
        scale_in: ScaleIn::Owed(at(35)),
        protection_told: Some("denied".into()),
        instance_lost: true,
        artifact_id: Some(image("ami-1")),
        snapshots: vec!["snap-1".into()],
        shared: vec!["snap-2".into()],
        versions: vec![("lt-1".into(), 2)],
        versions_tried: true,
        written_at: Some(at(36)),
        good_at: Some(at(37)),
        publication: Publication::Pointing {
            group: TemplateRef { template: "lt-1".into(), version: VersionRef::Number(1) },
            base: 1,
            version: 2,
        },
        publish_unheard_at: Some(at(38)),
        publish: publish(),
        follows: Some((1, at(38))),
        held_before: Some("changed".into()),
        left_alone: vec!["an override".into()],
        pin_asked_at: Some(at(39)),
        pinned: Some(Pin { by: "bob".into(), reason: Some("an audit".into()), at: at(39) }),
        reserved: Some(Reservation { by: "group/web@1".into(), until: at(40) }),
        refused: Some("in use".into()),
        source_told: true,
        outbox: vec![notice()],
    }
}

fn source() -> Source {
    Source {
        id: source_id(),
        plan: Some("web".into()),
        policy: policy(),
        next_slot: Some(at(30)),
        due_by: Some(at(31)),
        overdue_told: true,
        retry: Some(Retry { slot: at(32), of: at(30), lost: "i-1".into() }),
        retried: Some(at(30)),
        last_good: Some(Good { slot: at(29), at: at(30), artifact: image("ami-1"), only_kept: true }),
        published: Some(Published {
            slot: at(29),
            image: "ami-1".into(),
            to: PublishedTo::Version { template: "lt-1".into(), version: 2 },
        }),
        turn: Some(at(30)),
        off_for: Some(OffFor { slot: at(30), since: at(31) }),
        rollout: Some("group/web@20260115T102900Z".into()),
        change: Some(Changing { rollout: "group/web@20260115T102900Z/set-image".into(), image: "ami-1".into() }),
        expected: Some(Expected { image: Some("ami-1".into()), because: Because::Published }),
        hold: Some(Hold { by: "alice".into(), reason: Some("release freeze".into()), at: at(33) }),
        asked: Some(Asked::Hold(at(33))),
        held: Some("somebody changed it".into()),
        failure: Some(Failure { slot: at(30), reason: "no member is healthy".into() }),
        warnings: vec!["no replica".into()],
        halt_told: true,
        missing_since: Some(at(34)),
        lost: Some(at(35)),
        retire_at: Some(at(36)),
        contested_by: vec!["other".into()],
        outbox: vec![notice()],
    }
}

fn planned() -> Planned {
    let select = Select { sources: vec![source_id()], tags: [("lastgood".to_owned(), "web".to_owned())].into() };
    Planned { plan: Plan { name: "web".into(), select, policy: policy() }, survey_at: at(40) }
}

fn sweep() -> Sweep {
    Sweep { next_at: at(41), told: BTreeSet::from(["ami-9".to_owned()]), outbox: vec![notice()] }
}

/// Its text is the golden one, and comes back whole: nothing in it is left out, or filled in where it is missing.
fn holds<T: Serialize + DeserializeOwned + PartialEq + Debug>(record: &T, golden: &ExpectFile) {
    let text = encode(record);
    let stored: Value = serde_json::from_str(&text).expect("JSON");
    golden.assert_eq(&serde_json::to_string_pretty(&stored).expect("JSON"));
    assert_eq!(decode::<T>(&text).expect("reads back"), *record);
    let fields = stored["record"].as_object().expect("a record");
    assert!(fields.values().all(|value| !value.is_null()), "every field is filled: {fields:?}");
}

#[test]
fn every_field_of_every_record_is_stored_as_it_always_was() {
    holds(&backup(), &expect_file!["stored/backup_8.json"]);
    holds(&source(), &expect_file!["stored/source_8.json"]);
    holds(&planned(), &expect_file!["stored/plan_8.json"]);
    holds(&sweep(), &expect_file!["stored/sweep_8.json"]);
    holds(&rollout(), &expect_file!["stored/rollout_8.json"]);
}
