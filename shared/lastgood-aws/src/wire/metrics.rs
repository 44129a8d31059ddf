//! CloudWatch's GetMetricData, in the bytes of Smithy RPC v2 CBOR.

use lastgood_core::refusal::Why;
use lastgood_engine::Answers;
use lastgood_engine::call::elasticache::ReplicaLag;

use super::Wire;

fn lag() -> ReplicaLag {
    ReplicaLag { node: "sessions-002".into(), at: "2026-01-15T10:30:00Z".parse().expect("a time") }
}

#[tokio::test]
async fn the_lag_of_a_replica_is_the_most_of_the_last_minutes() {
    let values = b"\xa1qMetricDataResults\x81\xa4bIdclageLabelnReplicationLagjStatusCodehCompletefValues\x83\xfb?\xd9\x99\x99\x99\x99\x99\x9a\xfb@D\x99\x99\x99\x99\x99\x9a\xfb@\x08\x00\x00\x00\x00\x00\x00";
    let none = b"\xa1qMetricDataResults\x80";
    let wire = Wire::answering_bytes(&[(200, values), (200, none)]).await;
    let aws = wire.aws();
    assert_eq!(aws.call(&lag()).await.expect("judged"), Ok(Some(42)), "41.2, rounded up");
    assert_eq!(aws.call(&lag()).await.expect("judged"), Ok(None), "CloudWatch tells none");
    for asked in ["AWS/ElastiCache", "ReplicationLag", "CacheClusterId", "sessions-002", "Maximum"] {
        assert!(wire.sent()[0].contains(asked), "{asked} is missing in {}", wire.sent()[0]);
    }
}

#[tokio::test]
async fn a_role_that_may_not_read_metrics_is_told_so() {
    let denied = b"\xa2f__typeuAccessDeniedExceptiongmessageknot for you";
    let wire = Wire::answering_bytes(&[(403, denied)]).await;
    let refusal = wire.aws().call(&lag()).await.expect("judged").expect_err("refused");
    assert_eq!((refusal.why, refusal.action.as_str()), (Why::Denied, "cloudwatch:GetMetricData"));
}
