//! An outside judge: a program that hears our `Checkpoint Reached` on the bus, and answers with a `Checkpoint Verdict`.

use serde_json::{Value, json};

use crate::stage::{Stage, StageError};

/// What the judge says of itself.
pub(super) const NAME: &str = "smoke-tests";

/// The judge, behind a rule and a queue of its own.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    stage: &'a Stage,
    group: String,
    queue: Value,
    /// How many pauses it let go on.
    pub(super) answered: usize,
}

impl<'a> Judge<'a> {
    /// One for this group.
    pub(super) fn of(stage: &'a Stage, group: &str) -> Result<Self, StageError> {
        let name = format!("{}-judge", stage.stack);
        let queue = Value::from(stage.open_queue(&name)?);
        let args = json!({"QueueUrl": queue, "AttributeNames": ["QueueArn"]});
        let arn = stage.call("sqs", "get_queue_attributes", args)?["Attributes"]["QueueArn"].clone();
        let pattern = json!({
            "source": ["lastgood"],
            "detail-type": ["Checkpoint Reached"],
            "detail": {"source": [format!("group/{group}")]},
        });
        let bus = stage.output("BusName");
        let rule = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string()});
        stage.call("events", "put_rule", rule)?;
        let targets = json!({"Rule": name, "EventBusName": bus, "Targets": [{"Id": "queue", "Arn": arn}]});
        stage.call("events", "put_targets", targets)?;
        Ok(Self { stage, group: group.to_owned(), queue, answered: 0 })
    }

    /// Answers each pause that it heard of since the last time. What it says, for whoever watches.
    pub(super) fn answer(&mut self) -> Result<Vec<String>, StageError> {
        let args = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
        let told = self.stage.call("sqs", "receive_message", args)?;
        let mut said = Vec::new();
        for message in told["Messages"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let event: Value = serde_json::from_str(message["Body"].as_str().unwrap_or_default()).unwrap_or_default();
            let (rollout, visit) = (&event["detail"]["rollout"], &event["detail"]["visit"]);
            let reason = format!("all checks pass on the new members of {}", self.group);
            let detail = json!({
                "rollout": rollout, "visit": visit, "verdict": "go-on", "by": NAME, "reason": reason,
            });
            let entry = json!({
                "Source": "lastgood",
                "DetailType": "Checkpoint Verdict",
                "Detail": detail.to_string(),
                "EventBusName": self.stage.output("BusName"),
            });
            self.stage.call_as("judge", "events", "put_events", json!({"Entries": [entry]}))?;
            let receipt = json!({"QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"]});
            self.stage.call("sqs", "delete_message", receipt)?;
            self.answered += 1;
            said.push(format!("{NAME} answers pause {visit} of {rollout} with an event: go on"));
        }
        Ok(said)
    }
}
