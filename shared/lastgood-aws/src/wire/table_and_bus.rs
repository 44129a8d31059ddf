//! DynamoDB and EventBridge: lost races, lost answers, entries that failed.

use lastgood_core::notice::{News, Notice};
use lastgood_engine::port::Posted;
use lastgood_engine::{Bus, PlanWrite, Saved, Store, Versioned, Written, chain};

use super::Wire;
use crate::EventBus;

fn notice(occasion: &str) -> Notice {
    let backup = "group/web@20260115T103000Z".parse().expect("a backup");
    let news = News::BackupFailed { backup, reason: "a reason".into() };
    let at = "2026-01-15T10:30:00Z".parse().expect("a time");
    Notice::new(&"group/web".parse().expect("a source"), occasion, at, news)
}

#[tokio::test]
async fn a_batch_that_is_refused_keeps_no_other_back_and_a_bus_that_does_not_answer_is_asked_once() {
    let eleven: Vec<Notice> = (0..11).map(|number| notice(&number.to_string())).collect();
    let refusal = r#"{"__type":"InternalException","message":"too much"}"#;
    let wire = Wire::answering(&[(400, refusal), (200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#)]).await;
    let posted = EventBus::new(&wire.config, "lastgood").post(&eleven).await.expect("posted");
    assert!(matches!(&posted[0], Posted::NotSent(why) if why.contains("too much")), "{posted:?}");
    assert_eq!(posted[10], Posted::Sent);
    // Nobody listens there.
    let nowhere = wire.config.to_builder().endpoint_url("http://127.0.0.1:1").build();
    let posted = EventBus::new(&nowhere, "lastgood").post(&eleven).await.expect("told notice by notice");
    assert!(matches!(&posted[9], Posted::NotSent(why) if why.contains("events:PutEvents")), "{posted:?}");
    assert_eq!(posted[10], Posted::NotSent("the bus does not answer".into()));
}

#[tokio::test]
async fn put_events_is_read_entry_by_entry() {
    let body = r#"{"FailedEntryCount":1,"Entries":[{"EventId":"e-1"},{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let bus = EventBus::new(&wire.config, "lastgood");
    let posted = bus.post(&[notice("a"), notice("b")]).await.expect("posted");
    assert_eq!(posted, [Posted::Sent, Posted::NotSent("ThrottlingException: slow down".into())]);
    let eleven: Vec<Notice> = (0..11).map(|number| notice(&number.to_string())).collect();
    let ten = format!("{{\"FailedEntryCount\":0,\"Entries\":[{}]}}", [r#"{"EventId":"e"}"#; 10].join(","));
    let wire = Wire::answering(&[(200, &ten), (200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#)]).await;
    let posted = EventBus::new(&wire.config, "lastgood").post(&eleven).await.expect("posted");
    assert_eq!(posted, vec![Posted::Sent; 11]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_knows_its_own_mark() {
    let refused = |mark: &str| {
        format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\",\"message\":\"The conditional request failed\",\"Item\":{{\"mark\":{{\"S\":\"{mark}\"}}}}}}"
        )
    };
    let (ours, others) = (refused("writer 0"), refused("somebody 7"));
    let rollout = Versioned {
        record: lastgood_core::rollout::Rollout::watched("r".into(), "web".into(), lastgood_core::Time::UNIX_EPOCH),
        version: 4,
    };
    let wire = Wire::answering(&[(400, &ours), (400, &others)]).await;
    let table = wire.table();
    assert_eq!(table.save(&rollout).await.expect("judged"), Saved::As(5));
    assert_eq!(table.save(&rollout).await.expect("judged"), Saved::Outdated);
    assert!(wire.sent()[0].contains(r#""ConditionExpression":"v = :v""#), "{}", wire.sent()[0]);
}

#[tokio::test]
async fn a_lost_race_is_outdated_and_a_throttled_transaction_is_tried_again() {
    let cancelled = |codes: &str| {
        format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"Message\":\"Transaction cancelled\",\"CancellationReasons\":[{codes}]}}"
        )
    };
    let lost = cancelled(r#"{"Code":"None"},{"Code":"ConditionalCheckFailed"}"#);
    let conflict = cancelled(r#"{"Code":"TransactionConflict"},{"Code":"None"}"#);
    let throttled = cancelled(r#"{"Code":"ThrottlingError"},{"Code":"None"}"#);
    let wire = Wire::answering(&[(400, &lost), (400, &conflict), (400, &throttled)]).await;
    let table = wire.table();
    let plans = [PlanWrite::Remove { name: "web".into(), version: 3 }];
    assert_eq!(table.write_plans(&plans, &[]).await.expect("judged"), Written::Outdated);
    assert_eq!(table.write_plans(&plans, &[]).await.expect("judged"), Written::Outdated);
    let error = table.write_plans(&plans, &[]).await.expect_err("not judged");
    assert!(wire.sent()[0].contains(r#""ConditionExpression":"v = :v""#), "{}", wire.sent()[0]);
    assert!(chain(&error).contains("TransactionCanceledException"), "{}", chain(&error));
}
