//! Plans that are right, in full and in defaults. What is wrong with wrong ones is in `tests/plans/wrong`, a file each.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;

use super::*;

#[test]
fn a_whole_plan() {
    let text = "
plans:
  - name: web
    select: {groups: [web/prod], tags: {lastgood: web}}
    schedule: cron(30 2 ? * MON-FRI *)
    timezone: Europe/Berlin
    spread: 10m
    from: 2026-02-01
    until: '2027-01-01T00:00:00Z'
    retain: {last: 5, within: 30d, daily: 7, weekly: 4, monthly: 12, yearly: 2}
    capture: {reboot: never, protect_from_scale_in: true, during_refresh: true}
    publish: {on_manual_change: adopt, max_generations: 20}
    on_source_deleted: delete
    on_overdue: 90m
removed: {old: keep, group/web-old: delete}
";
    let file = read("plans.yaml", text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    let placed = &file.plans[0];
    assert_eq!(placed.place_of(&"group/web/prod".parse().expect("a source")), (4, 23));
    assert_eq!(placed.place_of(&"group/by-tag".parse().expect("a source")), (4, 40));
    assert_eq!(file.removed["group/web-old"], Afterwards::Delete);
    expect![[r#"
        {
          "name": "web",
          "select": {
            "sources": [
              "group/web/prod"
            ],
            "tags": {
              "lastgood": "web"
            }
          },
          "policy": {
            "schedule": {
              "pattern": "cron(30 2 ? * MON-FRI *)",
              "timezone": "Europe/Berlin",
              "from": "2026-01-31T23:00:00Z",
              "until": "2027-01-01T00:00:00Z"
            },
            "spread_seconds": 600,
            "retain": {
              "last": 5,
              "within_seconds": 2592000,
              "daily": 7,
              "weekly": 4,
              "monthly": 12,
              "yearly": 2,
              "timezone": "Europe/Berlin"
            },
            "capture": {
              "protect_from_scale_in": true,
              "during_refresh": true
            },
            "publish": {
              "to": "group",
              "on_manual_change": "adopt",
              "max_generations": 20
            },
            "on_source_deleted": "delete",
            "on_overdue_seconds": 5400
          }
        }
    "#]]
    .assert_eq(&format!("{}\n", serde_json::to_string_pretty(&placed.plan).expect("JSON")));
}

#[test]
fn a_plan_of_defaults() {
    let text = "plans: [{name: rest, select: {tags: {lastgood: rest}}, schedule: daily}]";
    let file = read("plans.yaml", text).expect("right");
    let policy = &file.plans[0].plan.policy;
    assert_eq!(policy.schedule.to_string(), "daily");
    assert_eq!(policy.retain, Retention::default());
    assert_eq!(policy.publish, Publish::default());
    assert_eq!((policy.spread_seconds, policy.on_overdue_seconds), (0, 7200));
    assert_eq!(policy.on_source_deleted, Afterwards::Keep);
    let none = "plans: [{name: rest, select: {groups: [a]}, schedule: daily, publish: none}]";
    assert_eq!(read("plans.yaml", none).expect("right").plans[0].plan.policy.publish.to, PublishTo::Nothing);
}

#[test]
fn a_date_begins_where_the_plan_lives() {
    let text = |zone: &str| {
        format!("plans: [{{name: a, select: {{groups: [a]}}, schedule: daily, from: 2026-07-01, timezone: {zone}}}]")
    };
    let from = |zone: &str| read("plans.yaml", &text(zone)).expect("right").plans[0].plan.policy.schedule.from;
    assert_eq!(from("Europe/Berlin"), "2026-06-30T22:00:00Z".parse().ok());
    assert_eq!(from("UTC"), "2026-07-01T00:00:00Z".parse().ok());
}

/// What holds files against the schema knows a part of JSON Schema: this one.
#[test]
fn the_schema_says_nothing_that_is_not_checked() {
    let known = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "examples",
        "format",
        "items",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "title",
        "type",
    ];
    let mut found = BTreeSet::new();
    keywords(schema(), &mut found);
    let unknown: Vec<_> = found.iter().filter(|word| !known.contains(&word.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                match key.as_str() {
                    // Their keys are names of ours.
                    "properties" | "$defs" => {
                        value.as_object().into_iter().flatten().for_each(|(_, value)| keywords(value, found));
                    }
                    "default" | "examples" => {}
                    _ => keywords(value, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keywords(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
