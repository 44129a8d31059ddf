//! What AWS would put on the default event bus.

use lastgood_core::id::ImageId;
use serde_json::{Value, json};

use crate::state::{ACCOUNT, REGION, State, World};

/// AWS: Monitor AMI events: available, failed, deregistered, disabled; there is none for pending. The ARN of an image
/// has no account.
pub(crate) fn image_changed(state: &mut State, image: &ImageId, told: &str, error: &str) {
    let event = json!({
        "version": "0",
        "id": state.uuid(),
        "detail-type": "EC2 AMI State Change",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": state.now.to_string(),
        "region": REGION,
        "resources": [format!("arn:aws:ec2:{REGION}::image/{image}")],
        "detail": { "RequestId": state.uuid(), "ImageId": image, "State": told, "ErrorMessage": error },
    });
    state.events.push(event);
}

impl World {
    /// The events since the last time that this was asked, in their order, as EventBridge delivers them.
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.lock().events)
    }
}
