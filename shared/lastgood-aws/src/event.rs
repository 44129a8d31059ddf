//! Events as Lambda hands them over, made into what the core reads.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sns::SnsEvent;
use lastgood_core::Time;
use lastgood_core::incoming::{Envelope, Incoming, Unreadable, of_sns};
use serde::de::Error as _;
use serde_json::Value;

/// An event that a function knows and does not handle: a rule sends it to the wrong place.
#[derive(Debug, thiserror::Error)]
#[error("{function} does not handle this event; is a rule changed? {event}")]
pub struct Unexpected {
    function: &'static str,
    event: String,
}

/// The error of an event that `function` does not handle.
pub fn unexpected(function: &'static str, event: &Incoming) -> Unexpected {
    Unexpected { function, event: format!("{event:?}") }
}

/// Ends the invocation for the event `id`: an error is logged here, once, with its whole chain of causes, and goes back to
/// Lambda, which tries again and at last puts the event among the dead letters.
pub fn finish<T>(
    id: String,
    handled: impl Future<Output = Result<T, BoxError>>,
) -> impl Future<Output = Result<T, BoxError>> {
    // Boxed: the SDK's futures nest deeper than the compiler lays out in one.
    let handled = Box::pin(handled);
    async move {
        handled.await.map_err(|error| {
            let what = lastgood_engine::chain(&*error);
            tracing::error!(event = id, what, "the event could not be handled");
            what.into()
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The id of an event, for the log.
pub fn event_id(payload: &Value) -> String {
    payload.get("id").and_then(Value::as_str).unwrap_or("(no id)").to_owned()
}

/// Reads one event, of EventBridge or of SNS. An error names the event's id.
pub fn read_event(payload: Value) -> Result<Incoming, Unreadable> {
    let id = event_id(&payload);
    let wrong = |source| Unreadable::Envelope { id: id.clone(), source };
    if payload.get("Records").is_some() {
        let event: SnsEvent = serde_json::from_value(payload).map_err(wrong)?;
        let messages: Vec<String> = event.records.into_iter().map(|record| record.sns.message).collect();
        return Ok(of_sns(&messages));
    }
    let event: EventBridgeEvent<Value> = serde_json::from_value(payload).map_err(wrong)?;
    let time = event.time.and_then(|time| Time::from_second(time.timestamp()).ok());
    let time = time.ok_or_else(|| wrong(serde_json::Error::custom("missing field `time`")))?;
    Incoming::of(Envelope {
        id: id.clone(),
        detail_type: event.detail_type,
        source: event.source,
        time,
        detail: event.detail,
    })
}
