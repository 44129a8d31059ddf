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

#[tokio::test]
async fn a_record_that_the_table_would_not_take_is_refused_by_its_name_before_the_call() {
    let mut record =
        lastgood_core::rollout::Rollout::watched("r".into(), "web".into(), lastgood_core::Time::UNIX_EPOCH);
    record.reason = "x".repeat(402_000);
    let wire = Wire::answering(&[(200, "{}")]).await;
    let error = wire.table().save(&Versioned::new(record.clone())).await.expect_err("it is too large");
    let why = chain(&error);
    assert!(why.starts_with("dynamodb:PutItem was not done: the record rollouts/r has 402"), "{why}");
    assert!(why.ends_with("and the table takes 401408 of one"), "{why}");
    assert!(wire.sent().is_empty(), "no call is made");
    record.reason = "x".repeat(400_000);
    assert_eq!(wire.table().save(&Versioned::new(record)).await.expect("judged"), Saved::As(1));
}

#[tokio::test]
async fn an_item_that_can_not_be_read_keeps_no_other_back_and_is_named() {
    let record = lastgood_core::rollout::Rollout::watched("r-1".into(), "web".into(), lastgood_core::Time::UNIX_EPOCH);
    let body = serde_json::to_string(&lastgood_core::stored::encode(&record)).expect("JSON");
    let newer = r#""{\"form\":4000000,\"record\":{}}""#;
    let item = |id: &str, body: &str| {
        format!(
            "{{\"pk\":{{\"S\":\"1/r#rollouts\"}},\"sk\":{{\"S\":\"{id}\"}},\"v\":{{\"N\":\"1\"}},\"body\":{{\"S\":{body}}}}}"
        )
    };
    let items = [item("r-0", newer), item("r-1", &body), item("r-2", r#""nonsense""#)].join(",");
    let answer = format!("{{\"Count\":3,\"ScannedCount\":3,\"Items\":[{items}]}}");
    let wire = Wire::answering(&[(200, &answer), (200, &answer)]).await;
    let listed = wire.table().read::<lastgood_core::rollout::Rollout>(&()).await.expect("told");
    let read: Vec<_> = listed.records.iter().map(|one| one.record.id.as_str()).collect();
    let unread: Vec<String> = listed.unreadable.iter().map(|one| chain(one)).collect();
    assert_eq!(read, ["r-1"]);
    let named = |id: &str| format!("the item '{id}' in 'rollouts' of the table can't be read, and is passed over");
    assert!(unread[0].starts_with(&named("r-0")) && unread[0].contains("by a newer version"), "{unread:?}");
    assert!(unread[1].starts_with(&named("r-2")) && unread[1].contains("not a stored record"), "{unread:?}");
    let error = wire.table().list::<lastgood_core::rollout::Rollout>(&()).await.expect_err("all of it or nothing");
    assert!(chain(&error).contains("in 'rollouts' of the table can't be read"), "{}", chain(&error));
}
