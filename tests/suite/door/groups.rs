//! Auto Scaling groups.

use lastgood_world::AwsError;
use serde_json::{Value, json};

use super::{Client, client, tags, text, texts};

fn group(client: &Client, name: &str) -> Value {
    client.ok("describe_auto_scaling_groups", json!({ "AutoScalingGroupNames": [name] }))["AutoScalingGroups"][0]
        .clone()
}

#[test]
fn a_group_is_made_of_each_kind_and_told() {
    let Some(client) = client("CreateAutoScalingGroup") else { return };
    let image = client.world.base_image();
    let id = client.world.template("web", &image);
    let create = |name: &str, more: Value| {
        let mut args = json!({ "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 3,
            "AvailabilityZones": ["us-east-1a"] });
        args.as_object_mut().expect("arguments").extend(more.as_object().expect("arguments").clone());
        client.call("create_auto_scaling_group", args)
    };
    let tag = json!([{ "Key": "of", "Value": "web", "PropagateAtLaunch": true }]);
    let by_number =
        json!({ "LaunchTemplate": { "LaunchTemplateId": id, "Version": "1" }, "DesiredCapacity": 2, "Tags": tag });
    create("by-number", by_number.clone()).expect("made");
    create("by-name", json!({ "LaunchTemplate": { "LaunchTemplateName": "web" } })).expect("made");
    let policy = json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": { "LaunchTemplateId": id, "Version": "$Latest" },
            "Overrides": [{ "InstanceType": "m5.large" }],
        },
        "InstancesDistribution": { "OnDemandBaseCapacity": 1 },
    });
    create("mixed", json!({ "MixedInstancesPolicy": policy })).expect("made");
    client.ok(
        "create_launch_configuration",
        json!({ "LaunchConfigurationName": "old", "ImageId": image, "InstanceType": "m5.large" }),
    );
    create("configured", json!({ "LaunchConfigurationName": "old" })).expect("made");

    let told = group(&client, "by-number");
    let template = |version: &str| json!({ "LaunchTemplateId": id, "LaunchTemplateName": "web", "Version": version });
    assert_eq!(told["LaunchTemplate"], template("1"));
    assert_eq!((&told["MinSize"], &told["MaxSize"], &told["DesiredCapacity"]), (&json!(0), &json!(3), &json!(2)));
    assert_eq!((text(&told["CreatedTime"]), &told["Instances"]), ("2026-01-15T10:30:00Z", &json!([])));
    assert_eq!((texts(&told["Tags"], "Key"), texts(&told["Tags"], "Value")), (vec!["of".into()], vec!["web".into()]));
    assert_eq!(group(&client, "by-name")["LaunchTemplate"], template("$Default"));
    let mixed = group(&client, "mixed");
    assert_eq!(mixed["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"], template("$Latest"));
    assert_eq!(mixed.get("LaunchTemplate"), None);
    assert_eq!(text(&group(&client, "configured")["LaunchConfigurationName"]), "old");

    client.world.advance(10);
    let told = group(&client, "by-number");
    assert_eq!(texts(&told["Instances"], "LifecycleState"), ["Pending", "Pending"]);
    client.world.advance(30);
    let told = group(&client, "by-number");
    assert_eq!(texts(&told["Instances"], "LifecycleState"), ["InService", "InService"]);
    assert_eq!(told["Instances"][0]["LaunchTemplate"], template("1"));
    let member = json!({ "InstanceIds": [told["Instances"][0]["InstanceId"]] });
    let member = client.ok("describe_instances", member)["Reservations"][0]["Instances"][0].clone();
    let marks = tags(&[
        ("aws:autoscaling:groupName", "by-number"),
        ("aws:ec2launchtemplate:id", id.as_str()),
        ("aws:ec2launchtemplate:version", "1"),
    ]);
    assert_eq!(member["Tags"], marks);

    let code = |result: Result<Value, (String, u64, String)>| result.expect_err("refused").0;
    assert_eq!(code(create("by-number", by_number)), "AlreadyExists");
    let version = json!({ "LaunchTemplate": { "LaunchTemplateId": id, "Version": "9" } });
    assert_eq!(code(create("x", version)), "ValidationError");
    assert_eq!(code(create("x", json!({ "LaunchConfigurationName": "none" }))), "ValidationError");
    assert_eq!(code(create("x", json!({}))), "ValidationError");
}

#[test]
fn groups_are_found_by_name_and_tag_in_pages() {
    let Some(client) = client("DescribeAutoScalingGroups") else { return };
    let id = client.world.template("web", &client.world.base_image());
    for number in 0..7 {
        let args = json!({ "AutoScalingGroupName": format!("g{number}"), "MinSize": 0, "MaxSize": 0,
            "LaunchTemplate": { "LaunchTemplateId": id, "Version": "1" }, "AvailabilityZones": ["us-east-1a"],
            "Tags": [{ "Key": "parity", "Value": if number % 2 == 0 { "even" } else { "odd" } }] });
        client.ok("create_auto_scaling_group", args);
    }
    let describe = "describe_auto_scaling_groups";
    let found = |args: Value| texts(&client.ok(describe, args)["AutoScalingGroups"], "AutoScalingGroupName");
    assert_eq!(found(json!({ "AutoScalingGroupNames": ["g1", "none", "g3"] })), ["g1", "g3"]);
    assert_eq!(found(json!({ "Filters": [{ "Name": "tag:parity", "Values": ["odd"] }] })), ["g1", "g3", "g5"]);
    assert_eq!(found(json!({ "Filters": [{ "Name": "tag-value", "Values": ["even"] }] })).len(), 4);
    let pages = client.pages(describe, &json!({ "MaxRecords": 3 }), "AutoScalingGroups");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let many: Vec<String> = (0..101).map(|number| format!("n{number}")).collect();
    assert_eq!(client.refused(describe, json!({ "AutoScalingGroupNames": many })), "ValidationError");
    assert_eq!(client.refused(describe, json!({ "MaxRecords": 101 })), "ValidationError");
    assert_eq!(client.refused(describe, json!({ "NextToken": "forged" })), "InvalidNextToken");
}

#[test]
fn a_group_is_changed_locked_and_deleted() {
    let Some(client) = client("UpdateAutoScalingGroup") else { return };
    let (old, new) = (client.world.base_image(), client.world.base_image());
    let id = client.world.template("web", &old);
    client.world.group("web", &lastgood_world::by_number(&id, 1), 2);
    let data = json!({ "ImageId": new });
    let version = json!({ "LaunchTemplateId": id, "SourceVersion": "1", "LaunchTemplateData": data });
    client.ok("create_launch_template_version", version);
    let to = |version: &str| json!({ "AutoScalingGroupName": "web", "LaunchTemplate": { "LaunchTemplateId": id, "Version": version } });
    let update = "update_auto_scaling_group";
    client.ok(update, to("2"));
    assert_eq!(text(&group(&client, "web")["LaunchTemplate"]["Version"]), "2");
    // Who is there stays as it is.
    assert_eq!(text(&group(&client, "web")["Instances"][0]["LaunchTemplate"]["Version"]), "1");

    client.world.lock_group("web");
    let (code, status, message) = client.refusal(update, to("1"));
    assert_eq!((code.as_str(), status), ("ValidationError", 400));
    assert!(message.starts_with("An active instance refresh with a desired configuration exists."), "{message}");
    client.ok(update, json!({ "AutoScalingGroupName": "web", "MaxSize": 4 }));
    client.world.unlock_group("web");
    client.world.fail_next("autoscaling:UpdateAutoScalingGroup", 1, &AwsError::resource_contention());
    let (code, status, _) = client.refusal(update, to("1"));
    assert_eq!((code.as_str(), status), ("ResourceContention", 500));
    assert_eq!(client.refused(update, to("9")), "ValidationError");
    let unknown = json!({ "AutoScalingGroupName": "none", "MaxSize": 4 });
    assert_eq!(client.refused(update, unknown), "ValidationError");

    let sick = group(&client, "web")["Instances"][0]["InstanceId"].clone();
    client.ok("set_instance_health", json!({ "InstanceId": sick, "HealthStatus": "Unhealthy" }));
    assert_eq!(texts(&group(&client, "web")["Instances"], "HealthStatus"), ["Healthy", "Unhealthy"]);
    let nobody = json!({ "InstanceId": "i-0123456789abcdef0", "HealthStatus": "Unhealthy" });
    assert_eq!(client.refused("set_instance_health", nobody), "ValidationError");
    client.world.advance(90);
    let told = group(&client, "web");
    assert_eq!(texts(&told["Instances"], "HealthStatus"), ["Healthy", "Healthy"]);
    assert_eq!(text(&told["Instances"][1]["LaunchTemplate"]["Version"]), "2");

    let size = |desired: u64| json!({ "AutoScalingGroupName": "web", "DesiredCapacity": desired });
    client.ok("set_desired_capacity", size(3));
    assert_eq!(client.refused("set_desired_capacity", size(5)), "ValidationError");
    client.world.advance(40);
    assert_eq!(group(&client, "web")["Instances"].as_array().map(Vec::len), Some(3));
    let delete = "delete_auto_scaling_group";
    assert_eq!(client.refused(delete, json!({ "AutoScalingGroupName": "web" })), "ResourceInUse");
    client.ok(delete, json!({ "AutoScalingGroupName": "web", "ForceDelete": true }));
    assert_eq!(client.refused(delete, json!({ "AutoScalingGroupName": "web" })), "ValidationError");
    let twice = json!({ "LaunchConfigurationName": "old", "ImageId": old, "InstanceType": "m5.large" });
    client.ok("create_launch_configuration", twice.clone());
    assert_eq!(client.refused("create_launch_configuration", twice), "AlreadyExists");
}
