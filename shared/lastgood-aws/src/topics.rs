//! SNS: whether anybody is subscribed to the topics of a deployment. The command asks; no function does.

use aws_config::SdkConfig;
use lastgood_engine::{Answer, CallFailed};

use crate::refusals::answer;

const ATTRIBUTES: &str = "sns:GetTopicAttributes";

/// Who gets what is published to a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// So many are confirmed: they get it.
    pub confirmed: u64,
    /// So many are not yet, and get nothing (AWS: GetTopicAttributes).
    pub pending: u64,
}

/// The topics of a deployment.
#[derive(Clone, Debug)]
pub struct Topics {
    config: SdkConfig,
    /// That of its notices, as an ARN.
    pub notices: String,
    /// That of its alarms.
    pub alarms: String,
}

impl Topics {
    pub(crate) fn new(config: &SdkConfig, notices: String, alarms: String) -> Self {
        Self { config: config.clone(), notices, alarms }
    }

    /// The subscriptions of a topic, by its ARN. An attribute that AWS does not tell counts as none.
    ///
    /// # Errors
    /// The call did not get through. A refusal is an answer.
    pub async fn subscriptions(&self, topic: &str) -> Result<Answer<Subscriptions>, CallFailed> {
        // The topic may be in another region than the stack: arn:aws:sns:REGION:ACCOUNT:NAME.
        let region = topic.split(':').nth(3).filter(|region| !region.is_empty()).map(str::to_owned);
        let mut settings = aws_sdk_sns::config::Builder::from(&self.config);
        if let Some(region) = region {
            settings = settings.region(aws_sdk_sns::config::Region::new(region));
        }
        let client = aws_sdk_sns::Client::from_conf(settings.build());
        let told = answer(ATTRIBUTES, client.get_topic_attributes().topic_arn(topic).send().await)?;
        Ok(told.map(|told| {
            let count = |name: &str| {
                let text = told.attributes().and_then(|all| all.get(name));
                text.and_then(|text| text.parse().ok()).unwrap_or_default()
            };
            Subscriptions { confirmed: count("SubscriptionsConfirmed"), pending: count("SubscriptionsPending") }
        }))
    }
}
