//! CloudWatch: what it measures of a cache.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_smithy_types::DateTime;
use lastgood_core::later;
use lastgood_engine::call::elasticache::ReplicaLag;
use lastgood_engine::{Answers, Call, Called};

use crate::Aws;
use crate::refusals::answer;

/// How long ago the oldest value is that counts, in seconds. One comes each minute, a minute or two late (AWS: Monitoring use
/// with CloudWatch Metrics).
const WINDOW_SECONDS: i64 = 5 * 60;
const PERIOD_SECONDS: i32 = 60;

impl Answers<ReplicaLag> for Aws {
    async fn call(&self, ReplicaLag { node, at }: &ReplicaLag) -> Called<Option<u32>> {
        // AWS: Metrics for Valkey and Redis OSS, ReplicationLag: of a replica, in seconds.
        let metric = Metric::builder()
            .namespace("AWS/ElastiCache")
            .metric_name("ReplicationLag")
            .dimensions(Dimension::builder().name("CacheClusterId").value(node).build());
        let stat = MetricStat::builder().metric(metric.build()).period(PERIOD_SECONDS).stat("Maximum");
        let query = MetricDataQuery::builder().id("lag").metric_stat(stat.build());
        let result = self
            .metrics
            .get_metric_data()
            .metric_data_queries(query.build())
            .start_time(DateTime::from_secs(later(*at, -WINDOW_SECONDS).as_second()))
            .end_time(DateTime::from_secs(at.as_second()))
            .send()
            .await;
        Ok(answer(ReplicaLag::ACTION, result)?.map(|output| {
            let values = output.metric_data_results().iter().flat_map(MetricDataResult::values).copied();
            values.reduce(f64::max).map(whole_seconds)
        }))
    }
}

/// Rounded up; what is no number of seconds is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is within the bounds of u32 by then.
fn whole_seconds(seconds: f64) -> u32 {
    seconds.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}
