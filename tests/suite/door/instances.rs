//! Instances.

use serde_json::json;

use super::{client, tags, text, texts};

#[test]
fn an_instance_runs_is_found_and_goes() {
    let Some(client) = client("instances") else { return };
    let image = client.world.base_image();
    let launched = client.ok(
        "run_instances",
        json!({
            "ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "m7g.large",
            "BlockDeviceMappings": [{ "DeviceName": "/dev/xvdc", "Ebs": { "VolumeSize": 5 } }],
            "TagSpecifications": [{ "ResourceType": "instance", "Tags": tags(&[("of", "web")]) }],
        }),
    );
    let instance = launched["Instances"][0].clone();
    let id = text(&instance["InstanceId"]);
    assert_eq!(instance["State"], json!({ "Code": 0, "Name": "pending" }));
    assert_eq!(texts(&instance["BlockDeviceMappings"], "DeviceName"), ["/dev/xvda", "/dev/xvdb", "/dev/xvdc"]);
    let (code, _, _) = client.create_image(id, "early").expect_err("pending");
    assert_eq!(code, "InvalidParameterValue");

    client.world.advance(30);
    let by_tag = json!({ "Filters": [{ "Name": "tag:of", "Values": ["web"] }] });
    let told = client.ok("describe_instances", by_tag)["Reservations"][0]["Instances"][0].clone();
    assert_eq!((text(&told["InstanceId"]), text(&told["State"]["Name"])), (id, "running"));
    assert_eq!((text(&told["ImageId"]), text(&told["LaunchTime"])), (image.as_str(), "2026-01-15T10:30:00Z"));

    let gone = client.ok("terminate_instances", json!({ "InstanceIds": [id] }));
    let change = &gone["TerminatingInstances"][0];
    assert_eq!(text(&change["PreviousState"]["Name"]), "running");
    assert_eq!(text(&change["CurrentState"]["Name"]), "shutting-down");
    client.world.advance(30);
    let by_state = json!({ "Filters": [{ "Name": "instance-state-name", "Values": ["terminated"] }] });
    assert_eq!(client.ok("describe_instances", by_state)["Reservations"].as_array().map(Vec::len), Some(1));
    client.world.advance(3600);
    assert_eq!(client.refused("describe_instances", json!({ "InstanceIds": [id] })), "InvalidInstanceID.NotFound");
    assert_eq!(client.refused("terminate_instances", json!({ "InstanceIds": [id] })), "InvalidInstanceID.NotFound");
}

#[test]
fn instances_come_in_pages() {
    let Some(client) = client("pages of instances") else { return };
    let image = client.world.base_image();
    let ids: Vec<String> = (0..12).map(|_| client.world.instance(&image).to_string()).collect();
    let pages = client.pages("describe_instances", &json!({ "MaxResults": 5 }), "Reservations");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
    let by_id = json!({ "Filters": [{ "Name": "instance-id", "Values": [ids[3], "i-0123456789abcdef0"] }] });
    let told = client.ok("describe_instances", by_id);
    assert_eq!(texts(&told["Reservations"][0]["Instances"], "InstanceId"), [ids[3].clone()]);
    assert_eq!(client.refused("describe_instances", json!({ "MaxResults": 4 })), "InvalidParameterValue");
    let both = json!({ "MaxResults": 5, "InstanceIds": [ids[0]] });
    assert_eq!(client.refused("describe_instances", both), "InvalidParameterCombination");
    let gone = client.world.base_image();
    client.ok("deregister_image", json!({ "ImageId": gone }));
    let launch = json!({ "ImageId": gone, "MinCount": 1, "MaxCount": 1 });
    assert_eq!(client.refused("run_instances", launch), "InvalidAMIID.NotFound");
}
