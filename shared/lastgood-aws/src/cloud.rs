//! EC2, Auto Scaling, ElastiCache, CloudWatch and the Parameter Store as the engine's `Cloud`. The calls are in the files of their services.

use aws_config::SdkConfig;

/// The clients of the services that the engine calls.
#[derive(Clone, Debug)]
pub struct Aws {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) cache: aws_sdk_elasticache::Client,
    pub(crate) tagging: aws_sdk_resourcegroupstagging::Client,
    pub(crate) metrics: aws_sdk_cloudwatch::Client,
    /// Whether the deployment may back up caches. If not, none is looked for: the question would be refused.
    pub(crate) caches: bool,
}

impl Aws {
    /// Clients for one account and region, of a deployment that backs up caches if `caches` is true.
    pub fn new(config: &SdkConfig, caches: bool) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            cache: aws_sdk_elasticache::Client::new(config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            metrics: aws_sdk_cloudwatch::Client::new(config),
            caches,
        }
    }
}
