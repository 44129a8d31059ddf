//! The look at our own deployment: the bus and its policy, rules, the table's protection, and who is subscribed to a topic.

use std::collections::BTreeSet;

use lastgood_core::refusal::Why;
use lastgood_core::watch::Part;
use lastgood_engine::port::Posted;
use lastgood_engine::{Bus, Store};

use super::Wire;
use crate::settings::Settings;
use crate::{EventBus, Subscriptions, Topics};

const HERE: &str = "arn:aws:events:us-east-1:123456789012:rule/tick";
const ON_BUS: &str = "arn:aws:events:us-east-1:123456789012:rule/lastgood/notices";
const MISSING: &str = r#"{"__type":"ResourceNotFoundException","message":"it does not exist"}"#;

fn settings() -> Settings {
    let get = |name: &str| {
        Some(match name {
            "LASTGOOD_RULES" => format!("{HERE},{ON_BUS}"),
            "LASTGOOD_NOTICE_RULE" => ON_BUS.to_owned(),
            "LASTGOOD_CALL_SHARE" => "50".to_owned(),
            _ => "lastgood".to_owned(),
        })
    };
    Settings::from_lookup(get).expect("all is there")
}

fn bus_with(sids: &[&str]) -> String {
    let statements = sids.iter().map(|sid| format!(r#"{{\"Sid\":\"{sid}\",\"Effect\":\"Deny\"}}"#));
    let statements: Vec<String> = statements.collect();
    format!(r#"{{"Name":"lastgood","Policy":"{{\"Statement\":[{}]}}"}}"#, statements.join(","))
}

async fn broken(answers: &[(u16, &str)]) -> BTreeSet<Part> {
    let wire = Wire::answering(answers).await;
    let bus = EventBus::new(&wire.config, "lastgood").with_rules(&settings());
    let looked = bus.broken().await;
    let asked = wire.sent().join("\n");
    assert!(
        asked.contains(r#""Name":"notices","EventBusName":"lastgood""#)
            || asked.contains(r#""EventBusName":"lastgood","Name":"notices""#),
        "{asked}"
    );
    assert!(looked.failed.is_empty(), "{looked:?}");
    looked.broken
}

#[tokio::test]
async fn what_is_missing_of_the_bus_and_its_rules_is_told() {
    let whole = bus_with(&["OnlyOperatorsAsk", "OnlyJudgesGiveVerdicts", "OnlyLastgoodReports"]);
    let on = r#"{"Name":"x","State":"ENABLED"}"#;
    let off = r#"{"Name":"x","State":"DISABLED"}"#;
    assert_eq!(broken(&[(200, &whole), (200, on), (200, on)]).await, BTreeSet::new());
    let all = broken(&[(400, MISSING), (200, off), (400, MISSING)]).await;
    let parts = [Part::Bus("lastgood".into()), Part::RuleDisabled(HERE.into()), Part::RuleMissing(ON_BUS.into())];
    assert_eq!(all, parts.into());
    let carries: Vec<bool> = all.iter().map(|part| part.carries_notices(Some(ON_BUS))).collect();
    assert_eq!(carries.iter().filter(|carries| **carries).count(), 2, "the bus, and the rule of the notices");
    let open = broken(&[(200, &bus_with(&["OnlyOperatorsAsk", "OnlyLastgoodReports"])), (200, on), (200, on)]).await;
    assert_eq!(open, [Part::BusOpen("OnlyJudgesGiveVerdicts".into())].into());
    let bare = broken(&[(200, r#"{"Name":"lastgood"}"#), (200, on), (200, on)]).await;
    assert_eq!(bare.len(), 3, "{bare:?}");
}

#[tokio::test]
async fn a_look_that_is_refused_is_no_answer() {
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let on = r#"{"Name":"x","State":"ENABLED"}"#;
    let wire = Wire::answering(&[(400, denied), (400, denied), (200, on)]).await;
    let looked = EventBus::new(&wire.config, "lastgood").with_rules(&settings()).broken().await;
    assert_eq!((looked.broken.len(), looked.failed.len()), (0, 2), "{looked:?}");
    // Nor does it keep back what another one finds.
    let off = r#"{"Name":"x","State":"DISABLED"}"#;
    let wire = Wire::answering(&[(400, denied), (400, denied), (200, off)]).await;
    let looked = EventBus::new(&wire.config, "lastgood").with_rules(&settings()).broken().await;
    assert_eq!(looked.broken, [Part::RuleDisabled(ON_BUS.into())].into());
    assert_eq!(looked.failed.len(), 2, "{looked:?}");
    let living = r#"{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}"#;
    let wire = Wire::answering(&[(400, denied), (200, living)]).await;
    let looked = wire.table().broken().await;
    assert_eq!(looked.broken, [Part::TimeToLive("lastgood".into())].into());
    assert_eq!(looked.failed.len(), 1, "{looked:?}");
}

#[tokio::test]
async fn what_is_off_of_the_table_s_protection_is_told() {
    let recovery = |status: &str| {
        format!(
            r#"{{"ContinuousBackupsDescription":{{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{{"PointInTimeRecoveryStatus":"{status}"}}}}}}"#
        )
    };
    let living = |status: &str| format!(r#"{{"TimeToLiveDescription":{{"TimeToLiveStatus":"{status}"}}}}"#);
    let (pitr, ttl) = (Part::PointInTimeRecovery("lastgood".into()), Part::TimeToLive("lastgood".into()));
    for (one, other, broken) in [
        ("ENABLED", "ENABLED", vec![]),
        ("ENABLED", "ENABLING", vec![]),
        ("DISABLED", "ENABLED", vec![pitr.clone()]),
        ("ENABLED", "DISABLED", vec![ttl.clone()]),
        ("DISABLED", "DISABLING", vec![pitr, ttl]),
    ] {
        let wire = Wire::answering(&[(200, &recovery(one)), (200, &living(other))]).await;
        let looked = wire.table().broken().await;
        assert!(looked.failed.is_empty(), "{looked:?}");
        assert_eq!(looked.broken, broken.into_iter().collect(), "{one} {other}");
    }
}

#[tokio::test]
async fn an_entry_that_its_sender_may_not_send_is_told_as_that() {
    let body = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"NotAuthorizedForDetailTypeException","ErrorMessage":"not yours"}]}"#;
    let wire = Wire::answering(&[(200, body)]).await;
    let asked = lastgood_core::incoming::NoticeTestRequested { by: "somebody".parse().expect("a name") };
    let posted = EventBus::new(&wire.config, "lastgood").test_notices(&asked).await.expect("answered");
    assert_eq!(posted, Posted::Forbidden("NotAuthorizedForDetailTypeException: not yours".into()));
}

#[tokio::test]
async fn confirmed_subscriptions_are_told_from_those_that_wait() {
    let entry = |key: &str, value: &str| format!("<entry><key>{key}</key><value>{value}</value></entry>");
    let body = format!(
        "<GetTopicAttributesResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><GetTopicAttributesResult><Attributes>{}{}</Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>",
        entry("SubscriptionsConfirmed", "2"),
        entry("SubscriptionsPending", "1")
    );
    let topic = "arn:aws:sns:eu-west-1:123456789012:notices";
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>";
    let gone =
        "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>no</Message></Error></ErrorResponse>";
    let wire = Wire::answering(&[(200, &body), (403, denied), (404, gone)]).await;
    let topics = Topics::new(&wire.config, topic.into(), topic.into());
    let told = topics.subscriptions(topic).await.expect("answered").expect("told");
    assert_eq!(told, Subscriptions { confirmed: 2, pending: 1 });
    assert_eq!(topics.subscriptions(topic).await.expect("answered").expect_err("denied").why, Why::Denied);
    assert_eq!(topics.subscriptions(topic).await.expect("answered").expect_err("gone").why, Why::Missing);
}
