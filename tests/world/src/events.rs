//! What AWS would put on the default event bus.

use lastgood_core::id::{CacheFamily, GroupName, ImageId, InstanceId, RefreshId};
use serde_json::{Value, json};

use crate::cache_snapshot::{CacheSnapshot, CacheSnapshotState};
use crate::group::group_arn;
use crate::state::{ACCOUNT, REGION, State, World, ec2_arn};

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

/// AWS: Monitor instance state changes. The other states are told, too, and nobody here listens.
pub(crate) fn instance_stopped(state: &mut State, instance: &InstanceId) {
    let event = json!({
        "version": "0",
        "id": state.uuid(),
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": state.now.to_string(),
        "region": REGION,
        "resources": [ec2_arn("instance", instance)],
        "detail": { "instance-id": instance, "state": "stopped" },
    });
    state.events.push(event);
}

/// AWS: Create EventBridge rules for instance refresh events. `checkpoint`: its percentage, and how long it waits; both are
/// texts in AWS's example.
pub(crate) fn refresh_changed(
    state: &mut State,
    group: &GroupName,
    refresh: &RefreshId,
    told: &str,
    checkpoint: Option<(u32, i64)>,
) {
    let mut detail = json!({ "InstanceRefreshId": refresh, "AutoScalingGroupName": group });
    if let Some((percentage, delay)) = checkpoint {
        detail["CheckpointPercentage"] = json!(percentage.to_string());
        detail["CheckpointDelay"] = json!(delay.to_string());
    }
    let event = json!({
        "version": "0",
        "id": state.uuid(),
        "detail-type": format!("EC2 Auto Scaling Instance Refresh {told}"),
        "source": "aws.autoscaling",
        "account": ACCOUNT,
        "time": state.now.to_string(),
        "region": REGION,
        "resources": [group_arn(group.as_str())],
        "detail": detail,
    });
    state.events.push(event);
}

/// AWS: ElastiCache events: serverless caches tell EventBridge of their snapshots; caches of nodes tell nobody there.
pub(crate) fn cache_snapshot_changed(state: &mut State, snapshot: &CacheSnapshot) {
    if snapshot.id.family != CacheFamily::Serverless {
        return;
    }
    let failed = snapshot.state == CacheSnapshotState::Failed;
    let event = json!({
        "version": "0",
        "id": state.uuid(),
        "detail-type": if failed { "Snapshot creation failed" } else { "Snapshot created" },
        "source": "aws.elasticache",
        "account": ACCOUNT,
        "time": state.now.to_string(),
        "region": REGION,
        "resources": [snapshot.arn()],
        "detail": {
            "EventCategories": ["creation"],
            "EventID": "ELASTICACHE-EVENT-0000",
            "Message": format!("Snapshot {} {}", snapshot.id.name, if failed { "creation failed" } else { "created" }),
            "SourceArn": snapshot.arn(),
            "SourceIdentifier": snapshot.id.name,
            "SourceType": "serverless-cache-snapshot",
        },
    });
    state.events.push(event);
}

impl World {
    /// The events since the last time that this was asked, in their order, as EventBridge delivers them.
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.lock().events)
    }
}
