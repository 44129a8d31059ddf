//! The members of groups: protection from a scale-in, standby; and the tags and times of groups.

use lastgood_world::by_number;
use serde_json::{Value, json};

use super::{Client, client, text, texts};

fn web(client: &Client) -> Value {
    client.ok("describe_auto_scaling_groups", json!({ "AutoScalingGroupNames": ["web"] }))["AutoScalingGroups"][0]
        .clone()
}

/// A group of so many members: their ids.
fn make_web(client: &Client, desired: usize) -> Vec<String> {
    let template = client.world.template("web", &client.world.base_image());
    let group = client.world.group("web", &by_number(&template, 1), desired);
    group.members.iter().map(|member| member.instance.to_string()).collect()
}

#[test]
fn a_member_is_protected_until_it_is_not() {
    let Some(client) = client("SetInstanceProtection") else { return };
    let ids = make_web(&client, 2);
    let protection = |ids: &[&str], protected: bool| json!({ "AutoScalingGroupName": "web", "InstanceIds": ids, "ProtectedFromScaleIn": protected });
    let set = "set_instance_protection";
    client.ok(set, protection(&[&ids[0]], true));
    let told = |client: &Client| {
        let members = web(client)["Instances"].as_array().expect("members").clone();
        members.iter().map(|member| member["ProtectedFromScaleIn"] == true).collect::<Vec<_>>()
    };
    assert_eq!(told(&client), [true, false]);
    let (code, status, message) = client.refusal(set, protection(&[&ids[1], "i-0123456789abcdef0"], true));
    assert_eq!((code.as_str(), status), ("ValidationError", 400));
    assert_eq!(message, "The instance i-0123456789abcdef0 is not part of Auto Scaling group web.");
    // All of them or none.
    assert_eq!(told(&client), [true, false]);
    client.ok("set_desired_capacity", json!({ "AutoScalingGroupName": "web", "DesiredCapacity": 0 }));
    client.world.advance(10);
    assert_eq!(texts(&web(&client)["Instances"], "LifecycleState"), ["InService", "Terminating"]);
    let (_, _, message) = client.refusal(set, protection(&[&ids[1]], true));
    assert_eq!(message, format!("The instance {} is not in InService or EnteringStandby or Standby.", ids[1]));
    client.ok(set, protection(&[&ids[0]], false));
    assert_eq!(told(&client), [false, false]);
    client.world.advance(30);
    assert_eq!(texts(&web(&client)["Instances"], "InstanceId"), [ids[0].clone()]);
}

#[test]
fn a_member_goes_into_standby_and_comes_back() {
    let Some(client) = client("EnterStandby") else { return };
    let ids = make_web(&client, 2);
    let one = |decrement: bool| json!({ "AutoScalingGroupName": "web", "InstanceIds": [ids[0]], "ShouldDecrementDesiredCapacity": decrement });
    let activity = client.ok("enter_standby", one(true))["Activities"][0].clone();
    assert_eq!(text(&activity["Description"]), format!("Moving EC2 instance to Standby: {}", ids[0]));
    assert_eq!((text(&activity["AutoScalingGroupName"]), text(&activity["StatusCode"])), ("web", "InProgress"));
    let told = web(&client);
    assert_eq!(
        (&told["DesiredCapacity"], texts(&told["Instances"], "LifecycleState")),
        (&json!(1), vec!["InService".to_owned(), "Standby".to_owned()])
    );
    let (code, _, message) = client.refusal("enter_standby", one(false));
    assert_eq!((code.as_str(), message), ("ValidationError", format!("The instance {} is not in InService.", ids[0])));
    let back = json!({ "AutoScalingGroupName": "web", "InstanceIds": [ids[0]] });
    client.ok("exit_standby", back.clone());
    assert_eq!(texts(&web(&client)["Instances"], "LifecycleState"), ["InService", "Pending"]);
    assert_eq!(client.refused("exit_standby", back), "ValidationError");
    client.world.advance(30);
    let told = web(&client);
    assert_eq!(texts(&told["Instances"], "LifecycleState"), ["InService", "InService"]);
    assert_eq!(told["DesiredCapacity"], 2);
    client.ok("update_auto_scaling_group", json!({ "AutoScalingGroupName": "web", "MinSize": 2 }));
    assert_eq!(client.refused("enter_standby", one(true)), "ValidationError");
    client.ok("enter_standby", one(false));
    client.world.advance(40);
    assert_eq!(texts(&web(&client)["Instances"], "LifecycleState"), ["InService", "InService", "Standby"]);
}

#[test]
fn a_group_gets_tags_and_loses_them() {
    let Some(client) = client("CreateOrUpdateTags") else { return };
    make_web(&client, 0);
    let tag = |group: &str, key: &str, value: &str| {
        json!({ "ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key, "Value": value,
            "PropagateAtLaunch": false })
    };
    client.ok("create_or_update_tags", json!({ "Tags": [tag("web", "a", "1"), tag("web", "b", "2")] }));
    client.ok("create_or_update_tags", json!({ "Tags": [tag("web", "a", "3")] }));
    assert_eq!(web(&client)["Tags"], json!([tag("web", "a", "3"), tag("web", "b", "2")]));
    let found = |filters: Value| {
        let told = client.ok("describe_auto_scaling_groups", json!({ "Filters": filters }));
        texts(&told["AutoScalingGroups"], "AutoScalingGroupName")
    };
    let by = |name: &str, value: &str| json!({ "Name": name, "Values": [value] });
    assert_eq!(found(json!([by("tag:a", "3"), by("tag:b", "2")])), ["web"]);
    assert_eq!(found(json!([by("tag:a", "3"), by("tag:b", "3")])), [] as [String; 0]);
    assert_eq!(found(json!([by("tag-key", "b"), by("tag-value", "3")])), ["web"]);
    client.ok("delete_tags", json!({ "Tags": [tag("web", "a", "whatever"), tag("web", "c", "")] }));
    assert_eq!(web(&client)["Tags"], json!([tag("web", "b", "2")]));
    let refused = |tag: Value| client.refused("create_or_update_tags", json!({ "Tags": [tag] }));
    assert_eq!(refused(tag("none", "a", "1")), "ValidationError");
    assert_eq!(refused(tag("web", "aws:a", "1")), "ValidationError");
    assert_eq!(refused(tag("web", &"k".repeat(129), "1")), "ValidationError");
}

#[test]
fn a_group_has_times() {
    let Some(client) = client("DefaultInstanceWarmup") else { return };
    let id = client.world.template("web", &client.world.base_image());
    let args = json!({ "AutoScalingGroupName": "web", "MinSize": 0, "MaxSize": 0, "AvailabilityZones": ["us-east-1a"],
        "LaunchTemplate": { "LaunchTemplateId": id }, "HealthCheckGracePeriod": 300, "DefaultInstanceWarmup": 0,
        "MaxInstanceLifetime": 86400 });
    client.ok("create_auto_scaling_group", args);
    let times = || {
        let told = web(&client);
        ["HealthCheckGracePeriod", "DefaultInstanceWarmup", "MaxInstanceLifetime"].map(|name| told.get(name).cloned())
    };
    assert_eq!(times(), [Some(json!(300)), Some(json!(0)), Some(json!(86400))]);
    let update = |name: &str, value: i64| {
        client.call("update_auto_scaling_group", json!({ "AutoScalingGroupName": "web", name: value }))
    };
    update("DefaultInstanceWarmup", -1).expect("taken away");
    update("MaxInstanceLifetime", 0).expect("taken away");
    update("HealthCheckGracePeriod", 60).expect("changed");
    assert_eq!(times(), [Some(json!(60)), None, None]);
    assert_eq!(update("MaxInstanceLifetime", 60).expect_err("too short").0, "ValidationError");
}
