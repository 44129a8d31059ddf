//! EC2, Auto Scaling and the Parameter Store as the engine's `Cloud`. The calls are in the files of their services.

use aws_config::SdkConfig;

/// The clients of EC2, Auto Scaling and the Parameter Store.
#[derive(Clone, Debug)]
pub struct Aws {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
}

impl Aws {
    /// Clients for one account and region.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
        }
    }
}
