//! The stored form of records: JSON with the number of its form in front.
//!
//! A newer form is refused, not guessed at: an old function that runs beside a new one during a deployment must not
//! drop fields that it does not know. Older forms are read for ever.

use std::cmp::Ordering;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::record::{Place, Record};

/// The form that is written.
pub const FORM: u32 = 8;

/// The longest stored form, in bytes: the table takes 400 KB of one record with its key and its attributes (AWS: DynamoDB,
/// quotas).
pub const BYTES_MAX: usize = 400 * 1024 - 8 * 1024;

/// A record that the table would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record {record} has {bytes} bytes, and the table takes {BYTES_MAX} of one")]
pub struct TooLarge {
    /// Which: its partition and its name.
    pub record: String,
    /// How long its stored form is.
    pub bytes: usize,
}

/// The stored form of a record, unless the table would not take it.
pub fn encode_within<R: Record>(record: &R) -> Result<String, TooLarge> {
    let body = encode(record);
    if body.len() > BYTES_MAX {
        let Place { partition, sort } = R::place(&record.id());
        return Err(TooLarge { record: format!("{partition}/{sort}"), bytes: body.len() });
    }
    Ok(body)
}

/// A stored text that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// A newer Lastgood wrote it.
    #[error("written in form {0} by a newer version; this one reads form {FORM}")]
    Newer(u32),
    /// It is not what was written.
    #[error("not a stored record")]
    Unreadable(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    form: u32,
    record: T,
}

/// The stored form of a record.
pub fn encode<T: Serialize>(record: &T) -> String {
    serde_json::to_string(&Stored { form: FORM, record }).expect("records have text keys and no number that JSON lacks")
}

/// The record of a stored form.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, StoredError> {
    let Form { form } = serde_json::from_str(text).map_err(StoredError::Unreadable)?;
    match form.cmp(&FORM) {
        Ordering::Greater => Err(StoredError::Newer(form)),
        Ordering::Less => {
            let mut stored: Stored<Value> = serde_json::from_str(text).map_err(StoredError::Unreadable)?;
            if form < 2 {
                upgrade_from_1(&mut stored.record);
            }
            if form < 3 {
                upgrade_from_2(&mut stored.record);
            }
            // Form 4 knew no image of an operator's and no backup of a pause, form 5 no cache, form 6 no instance, form 7 less of both; what they say means the same.
            if form < 4 {
                upgrade_from_3(&mut stored.record);
            }
            serde_json::from_value(stored.record).map_err(StoredError::Unreadable)
        }
        Ordering::Equal => {
            let stored: Stored<T> = serde_json::from_str(text).map_err(StoredError::Unreadable)?;
            Ok(stored.record)
        }
    }
}

/// Form 1 knew one way to publish and schedules without a time zone; plans had only names of sources.
fn upgrade_from_1(record: &mut Value) {
    let Some(record) = record.as_object_mut() else { return };
    let publish = |on_manual_change: Value| json!({"to": "group", "on_manual_change": on_manual_change});
    if let Some(policy) = record.get_mut("policy").and_then(Value::as_object_mut) {
        if let Some(pattern) = policy.get("schedule").filter(|schedule| schedule.is_string()).cloned() {
            policy.insert("schedule".into(), json!({"pattern": pattern}));
        }
        if let Some(policy_of_change) = policy.remove("on_manual_change") {
            policy.insert("publish".into(), publish(policy_of_change));
        }
    }
    if let Some(sources) = record.remove("sources") {
        let names = sources.as_array().into_iter().flatten().filter_map(Value::as_str);
        let groups: Vec<&str> = names.filter_map(|name| name.strip_prefix("group/")).collect();
        let plan = json!({"name": record["name"], "select": {"groups": groups}, "policy": record["policy"]});
        // Its sources are looked for at once.
        record.insert("plan".into(), plan);
        record.insert("survey_at".into(), json!("1970-01-01T00:00:00Z"));
    }
    if let Some(policy_of_change) = record.remove("on_manual_change") {
        record.insert("publish".into(), publish(policy_of_change));
    }
    // Whoever was reading the group reads it again.
    if record.get("publication").is_some_and(|publication| publication.get("reading").is_some()) {
        record.insert("publication".into(), json!("due"));
    }
    if let Some(image) = record.get("published").and_then(|published| published.get("image")).cloned() {
        record.insert("expected".into(), json!({"image": image, "because": "published"}));
    }
}

/// Form 2 knew no other artifact than an image, and no other source than a group.
fn upgrade_from_2(record: &mut Value) {
    let Some(record) = record.as_object_mut() else { return };
    let artifact = |image: Value| json!(format!("image/{}", image.as_str().unwrap_or_default()));
    if let Some(image) = record.remove("image") {
        record.insert("artifact_id".into(), artifact(image));
    }
    if let Some(select) = record.get_mut("plan").and_then(|plan| plan.get_mut("select")).and_then(Value::as_object_mut)
        && let Some(groups) = select.remove("groups")
    {
        let names = groups.as_array().into_iter().flatten().filter_map(Value::as_str);
        select.insert("sources".into(), names.map(|name| json!(format!("group/{name}"))).collect());
    }
    if let Some(good) = record.get_mut("last_good").and_then(Value::as_object_mut)
        && let Some(image) = good.remove("image")
    {
        good.insert("artifact".into(), artifact(image));
    }
}

/// Form 3 said of four things that they are held: an artifact, an instance's protection, a publication and its source.
fn upgrade_from_3(record: &mut Value) {
    let Some(record) = record.as_object_mut() else { return };
    for (key, now) in [("artifact", "there"), ("scale_in", "protected")] {
        if let Some(value) = record.get_mut(key).filter(|value| **value == "held") {
            *value = json!(now);
        }
    }
    for (before, now) in [("hold", "held"), ("on_hold", "hold")] {
        if let Some(value) = record.remove(before) {
            record.insert(now.into(), value);
        }
    }
}

#[cfg(test)]
#[path = "stored_rules.rs"]
mod rules;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{Artifact, Backup, Publication, ScaleIn};
    use crate::id::{ArtifactId, SourceId};
    use crate::source::survey::Planned;
    use crate::source::{Because, Source};

    const POLICY: &str =
        r#"{"schedule":"30 2 * * *","retain":{"last":4},"on_manual_change":"overwrite","on_overdue_seconds":60}"#;

    #[test]
    fn a_source_and_a_plan_of_the_first_form_are_read() {
        let text = format!(
            r#"{{"form":1,"record":{{"id":"group/web","plan":"web","policy":{POLICY},"next_slot":null,"due_by":null,"published":{{"slot":"2026-01-15T10:30:00Z","image":"ami-1","template":"lt-1","version":2}}}}}}"#
        );
        let source: Source = decode(&text).expect("read");
        assert_eq!(source.policy.schedule.to_string(), "30 2 * * *");
        assert_eq!(source.policy.retain.last, 4);
        let expected = source.expected.expect("published");
        assert_eq!((expected.image.as_deref(), expected.because), (Some("ami-1"), Because::Published));
        let text =
            format!(r#"{{"form":1,"record":{{"name":"web","sources":["group/web","group/a/b"],"policy":{POLICY}}}}}"#);
        let planned: Planned = decode(&text).expect("read");
        let sources: Vec<String> = planned.plan.select.sources.iter().map(ToString::to_string).collect();
        assert_eq!(sources, ["group/web", "group/a/b"]);
        assert_eq!(planned.plan.policy.publish.on_manual_change, crate::plan::OnManualChange::Overwrite);
    }

    fn source_id(text: &str) -> SourceId {
        text.parse().expect("a source")
    }

    #[test]
    fn the_second_form_knew_images_and_groups_alone() {
        let (slot, image) = ("2026-01-15T10:30:00Z", ArtifactId::Image("ami-1".into()));
        let policy = r#"{"schedule":{"pattern":"hourly"},"retain":{"last":4},"on_overdue_seconds":60}"#;
        let text = format!(
            r#"{{"form":2,"record":{{"id":"group/web","plan":"web","policy":{policy},"next_slot":null,"due_by":null,"last_good":{{"slot":"{slot}","at":"{slot}","image":"ami-1"}},"published":{{"slot":"{slot}","image":"ami-1","template":"lt-1","version":2}}}}}}"#
        );
        let source: Source = decode(&text).expect("read");
        assert_eq!(source.last_good.expect("good").artifact, image);
        assert_eq!(source.published.expect("published").image, "ami-1".into());
        assert!(source.expected.is_none(), "form 2 says itself what is expected");
        let text = format!(
            r#"{{"form":2,"record":{{"id":"group/web@20260115T103000Z","plan":"web","origin":"schedule","requested_at":"{slot}","state":"good","since":"{slot}","reason":"","look_at":"{slot}","artifact":"held","image":"ami-1","snapshots":["snap-1"],"publication":"due","source_told":true}}}}"#
        );
        let backup: Backup = decode(&text).expect("read");
        let planned = |select: &str| -> Vec<SourceId> {
            let text = format!(
                r#"{{"form":2,"record":{{"plan":{{"name":"web","select":{select},"policy":{policy}}},"survey_at":"{slot}"}}}}"#
            );
            let planned: Planned = decode(&text).expect("read");
            assert_eq!(planned.plan.select.tags.len(), 1, "{select}");
            planned.plan.select.sources
        };
        assert_eq!(planned(r#"{"groups":["web","a/b"],"tags":{"a":"b"}}"#), ["group/web", "group/a/b"].map(source_id));
        assert_eq!(planned(r#"{"groups":[],"tags":{"a":"b"}}"#), []);
        assert_eq!(backup.artifact_id, Some(image));
        assert_eq!(decode::<Backup>(&encode(&backup)).expect("read back"), backup);
    }

    #[test]
    fn the_third_form_said_of_four_things_that_they_are_held() {
        let slot = "2026-01-15T10:30:00Z";
        let policy = r#"{"schedule":{"pattern":"hourly"},"retain":{"last":4},"on_overdue_seconds":60}"#;
        let text = format!(
            r#"{{"form":3,"record":{{"id":"group/web","plan":"web","policy":{policy},"next_slot":null,"due_by":null,"on_hold":{{"by":"alice","at":"{slot}"}},"hold":"somebody changed it"}}}}"#
        );
        let source: Source = decode(&text).expect("read");
        assert_eq!(source.hold.as_ref().expect("on hold").by, "alice");
        assert_eq!(source.held.as_deref(), Some("somebody changed it"));
        let scale_in = |was: &str| {
            let text = format!(
                r#"{{"form":3,"record":{{"id":"group/web@20260115T103000Z","plan":"web","origin":"schedule","requested_at":"{slot}","state":"pending","since":"{slot}","reason":"","look_at":"{slot}","artifact":"held","scale_in":{was},"artifact_id":"image/ami-1","publication":{{"held":"stateful"}},"source_told":true}}}}"#
            );
            let backup: Backup = decode(&text).expect("read");
            assert_eq!((backup.artifact, backup.publication), (Artifact::There, Publication::Held("stateful".into())));
            backup.scale_in
        };
        assert_eq!(scale_in("\"held\""), ScaleIn::Protected);
        assert_eq!(scale_in("\"given-back\""), ScaleIn::GivenBack);
    }
}
