//! `notices test`, and what `status` says of who is told: notices that reach nobody are none.

use lastgood_aws::{Subscriptions, Topics};
use lastgood_core::incoming::NoticeTestRequested;
use lastgood_core::text::By;
use lastgood_engine::chain;
use serde_json::json;

use crate::Failure;
use crate::ask::taken;
use crate::connect::Connection;
use crate::say::{say, say_json};

/// Who gets a topic's messages, or why that can't be told.
type Told = Result<Subscriptions, String>;

/// Asks for a notice, and says who is subscribed to get it.
pub(crate) async fn test(connection: &Connection, by: By, json: bool) -> Result<(), Failure> {
    let Some(topics) = &connection.topics else {
        return Err("which topic? say --stack NAME: its outputs tell the topics of notices and of alarms".into());
    };
    let (notices, alarms) = told(topics).await;
    taken(connection.lastgood.bus.test_notices(&NoticeTestRequested { by }).await)?;
    if json {
        say_json(&json!({
            "notices": {"topic": topics.notices, "subscriptions": count(&notices)},
            "alarms": {"topic": topics.alarms, "subscriptions": count(&alarms)},
        }))?;
    } else {
        say(
            "Asked for a notice named 'Notice Test'. Within a minute or two it is where your notices arrive, or they do not.",
        )?;
        say(sentence("notices", &topics.notices, &notices))?;
        say(sentence("alarms", &topics.alarms, &alarms))?;
    }
    let lost: Vec<String> = warnings_of((&topics.notices, &notices), (&topics.alarms, &alarms));
    if lost.is_empty() { Ok(()) } else { Err(lost.join("\n")) }
}

/// What is to be said of a deployment whose notices or alarms reach nobody.
pub(crate) async fn warnings(connection: &Connection) -> Vec<String> {
    let Some(topics) = &connection.topics else { return Vec::new() };
    let (notices, alarms) = told(topics).await;
    warnings_of((&topics.notices, &notices), (&topics.alarms, &alarms))
}

/// Who gets the notices, and who the alarms.
async fn told(topics: &Topics) -> (Told, Told) {
    (who(topics, &topics.notices).await, who(topics, &topics.alarms).await)
}

async fn who(topics: &Topics, topic: &str) -> Told {
    match topics.subscriptions(topic).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(refusal)) => Err(refusal.to_string()),
        Err(error) => Err(chain(&error)),
    }
}

fn warnings_of(notices: (&str, &Told), alarms: (&str, &Told)) -> Vec<String> {
    let of = [("notices", notices), ("alarms", alarms)];
    of.into_iter().filter_map(|(what, (topic, told))| warning(what, topic, told)).collect()
}

fn warning(what: &str, topic: &str, told: &Told) -> Option<String> {
    match told {
        Ok(told) if told.confirmed > 0 => None,
        Ok(Subscriptions { pending: 0, .. }) => Some(format!(
            "WARNING: the {what} reach nobody: {topic} has no subscription. Subscribe: aws sns subscribe --topic-arn {topic} \
             --protocol email --notification-endpoint ADDRESS"
        )),
        Ok(Subscriptions { pending, .. }) => Some(format!(
            "WARNING: the {what} reach nobody: {topic} has no confirmed subscription, and {pending} that wait for it. Follow \
             the link in the mail that AWS sent, or subscribe again"
        )),
        Err(why) => Some(format!("WARNING: who gets the {what} can't be told: {topic}: {why}")),
    }
}

fn sentence(what: &str, topic: &str, told: &Told) -> String {
    match told {
        Ok(told) => format!("{what}: {topic}: {} confirmed, {} not confirmed", told.confirmed, told.pending),
        Err(_) => format!("{what}: {topic}"),
    }
}

fn count(told: &Told) -> serde_json::Value {
    match told {
        Ok(told) => json!({"confirmed": told.confirmed, "pending": told.pending}),
        Err(why) => json!({"unknown": why}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_without_a_confirmed_subscription_is_warned_of_with_what_to_do() {
        let of = |notices: &Told, alarms: &Told| warnings_of(("arn:notices", notices), ("arn:alarms", alarms));
        let some = Ok(Subscriptions { confirmed: 1, pending: 3 });
        let none = Ok(Subscriptions::default());
        let pending = Ok(Subscriptions { confirmed: 0, pending: 2 });
        let unknown = Err("denied".to_owned());
        assert_eq!(of(&some, &some), Vec::<String>::new());
        let told = of(&none, &pending);
        assert!(told[0].contains("notices reach nobody") && told[0].contains("aws sns subscribe"), "{told:?}");
        assert!(told[1].contains("alarms reach nobody") && told[1].contains("2 that wait"), "{told:?}");
        let told = of(&unknown, &some);
        assert!(told[0].contains("can't be told") && told[0].contains("denied"), "{told:?}");
    }
}
