//! Instances.

use lastgood_world::Architecture;
use serde_json::{Value, json};

use super::{client, tags, text, texts};

#[test]
fn an_instance_runs_is_found_and_goes() {
    let Some(client) = client("instances") else { return };
    let image = client.world.base_image();
    let launched = client.ok(
        "run_instances",
        json!({
            "ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "m5.large",
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
    assert_eq!((text(&told["Architecture"]), text(&told["InstanceType"])), ("x86_64", "m5.large"));
    assert_eq!(text(&told["RootDeviceName"]), "/dev/xvda");

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

#[test]
fn an_instance_has_the_architecture_of_its_image_and_type() {
    let Some(client) = client("architectures") else { return };
    let image = client.world.base_image_of(Architecture::Arm64);
    let launch = |more: Value| {
        let mut args = json!({ "ImageId": image, "MinCount": 1, "MaxCount": 1 });
        args.as_object_mut().expect("arguments").extend(more.as_object().expect("arguments").clone());
        client.call("run_instances", args)
    };
    let device = |name: &str, ebs: Value| json!({ "DeviceName": name, "Ebs": ebs });
    let snapshot = client.world.old_snapshot(7);
    let devices = json!([
        device("/dev/xvda", json!({ "VolumeSize": 30 })),
        json!({ "DeviceName": "/dev/xvdb", "NoDevice": "" }),
        device("/dev/xvdf", json!({ "SnapshotId": snapshot, "DeleteOnTermination": true })),
    ]);
    let made = launch(json!({ "InstanceType": "t4g.small", "BlockDeviceMappings": devices })).expect("launched");
    let told = &made["Instances"][0];
    assert_eq!((text(&told["Architecture"]), text(&told["InstanceType"])), ("arm64", "t4g.small"));
    let held = client.world.instances()[0].volumes.clone();
    let held: Vec<_> = held.iter().map(|volume| (volume.device_name.as_str(), volume.gib)).collect();
    assert_eq!(held, [("/dev/xvda", 30), ("/dev/xvdf", 7)]);
    let refused = |more: Value| launch(more).expect_err("refused");
    let (code, status, message) = refused(json!({ "InstanceType": "m5.large" }));
    assert_eq!((code.as_str(), status), ("InvalidParameterValue", 400));
    assert!(
        message.starts_with("The architecture 'x86_64' of the specified instance type does not match"),
        "{message}"
    );
    assert_eq!(refused(json!({ "InstanceType": "x9.huge" })).0, "InvalidParameterValue");
    let small = json!({ "BlockDeviceMappings": [device("/dev/xvda", json!({ "VolumeSize": 7 }))] });
    assert_eq!(refused(small).0, "InvalidBlockDeviceMapping");
    let nothing = json!({ "BlockDeviceMappings": [device("/dev/xvdg", json!({ "DeleteOnTermination": true }))] });
    assert_eq!(refused(nothing).0, "MissingParameter");
}

#[test]
fn types_are_told_with_their_processors() {
    let Some(client) = client("DescribeInstanceTypes") else { return };
    let describe = "describe_instance_types";
    let runs = |args: Value| {
        let told = client.ok(describe, args)["InstanceTypes"].as_array().expect("types").clone();
        let runs = |told: &Value| {
            (text(&told["InstanceType"]).to_owned(), told["ProcessorInfo"]["SupportedArchitectures"].clone())
        };
        told.iter().map(runs).collect::<Vec<_>>()
    };
    let of = |name: &str, runs: &str| (name.to_owned(), json!([runs]));
    let expected = [of("c7g.xlarge", "arm64"), of("t3.nano", "x86_64")];
    assert_eq!(runs(json!({ "InstanceTypes": ["t3.nano", "c7g.xlarge"] })), expected);
    let (code, _, message) = client.refusal(describe, json!({ "InstanceTypes": ["t3.nano", "x9.huge"] }));
    let words = "The following supplied instance types do not exist: [x9.huge]";
    assert_eq!((code.as_str(), message.as_str()), ("InvalidInstanceType", words));
    let by_name = json!([{ "Name": "instance-type", "Values": ["m6g.large", "x9.huge"] }]);
    assert_eq!(runs(json!({ "Filters": by_name })), [of("m6g.large", "arm64")]);
    let arm = json!([{ "Name": "processor-info.supported-architecture", "Values": ["arm64"] }]);
    let pages = client.pages(describe, &json!({ "Filters": arm, "MaxResults": 20 }), "InstanceTypes");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 10]);
}
