//! Images, from their making to their end.

use lastgood_world::ImageState;
use serde_json::json;

use super::{client, tags, text, texts};

#[test]
fn an_image_is_made_seen_and_told_in_full() {
    let Some(client) = client("CreateImage") else { return };
    let base = client.world.base_image();
    let instance = client.world.instance(&base);
    let ours = tags(&[("lastgood:managed-by", "stack"), ("a&b", "<\"c\">")]);
    let asked = json!({
        "InstanceId": instance, "Name": "web-1", "Description": "of web", "NoReboot": true,
        "TagSpecifications": [
            { "ResourceType": "image", "Tags": ours }, { "ResourceType": "snapshot", "Tags": ours },
        ],
    });
    let made = client.ok("create_image", asked.clone());
    let id = text(&made["ImageId"]);
    let by_id = json!({ "ImageIds": [id], "Owners": ["self"] });
    assert_eq!(client.refused("describe_images", by_id.clone()), "InvalidAMIID.NotFound");
    let by_name = json!({ "Owners": ["self"], "Filters": [{ "Name": "name", "Values": ["web-1"] }] });
    assert_eq!(client.ok("describe_images", by_name.clone())["Images"], json!([]));
    let (code, _, message) = client.refusal("create_image", asked);
    assert_eq!(code, "InvalidAMIName.Duplicate");
    assert!(message.contains(id), "{message}");

    client.world.advance(5);
    let image = client.ok("describe_images", by_name.clone())["Images"][0].clone();
    assert_eq!((text(&image["ImageId"]), text(&image["State"])), (id, "pending"));
    assert_eq!((text(&image["Name"]), text(&image["Description"])), ("web-1", "of web"));
    assert_eq!(text(&image["SourceInstanceId"]), instance.as_str());
    assert_eq!(text(&image["CreationDate"]), "2026-01-15T10:30:00.000Z");
    assert_eq!(text(&image["DeregistrationProtection"]), "disabled");
    assert_eq!(texts(&image["Tags"], "Key"), ["a&b", "lastgood:managed-by"]);
    assert_eq!(texts(&image["Tags"], "Value"), ["<\"c\">", "stack"]);
    let mappings = image["BlockDeviceMappings"].as_array().expect("volumes");
    assert_eq!(texts(&image["BlockDeviceMappings"], "DeviceName"), ["/dev/xvda", "/dev/xvdb"]);
    assert!(mappings.iter().all(|mapping| mapping["Ebs"].get("SnapshotId").is_none()), "{mappings:?}");

    client.world.advance(83);
    let image = client.ok("describe_images", by_id)["Images"][0].clone();
    assert_eq!(text(&image["State"]), "available");
    assert_eq!((text(&image["Architecture"]), text(&image["RootDeviceName"])), ("x86_64", "/dev/xvda"));
    let root = &image["BlockDeviceMappings"][0]["Ebs"];
    assert!(text(&root["SnapshotId"]).starts_with("snap-0"));
    assert_eq!((&root["VolumeSize"], &root["DeleteOnTermination"]), (&json!(8), &json!(true)));
    assert_eq!(client.world.reboots(), []);
}

#[test]
fn images_are_found_by_what_they_are() {
    let Some(client) = client("DescribeImages") else { return };
    let images: Vec<String> = (0..5).map(|_| client.world.base_image().to_string()).collect();
    client.ok("create_tags", json!({ "Resources": [images[0], images[1]], "Tags": tags(&[("of", "web")]) }));
    client.ok("disable_image", json!({ "ImageId": images[1] }));
    let found = |args| texts(&client.ok("describe_images", args)["Images"], "ImageId");
    let sorted = |some: &[&String]| {
        let mut some: Vec<String> = some.iter().map(|id| (*id).clone()).collect();
        some.sort();
        some
    };
    let by = |name: &str, value: &str| json!([{ "Name": name, "Values": [value] }]);
    // A disabled one is hidden, until it is asked for.
    assert_eq!(found(json!({ "Owners": ["self"], "Filters": by("tag:of", "w*") })), [images[0].clone()]);
    let all = json!({ "Filters": by("tag-key", "of"), "IncludeDisabled": true });
    assert_eq!(found(all), sorted(&[&images[0], &images[1]]));
    assert_eq!(found(json!({ "Filters": by("state", "disabled"), "IncludeDisabled": true })), [images[1].clone()]);
    let by_ids = json!([{ "Name": "image-id", "Values": [images[2], images[3], "ami-0123456789abcdef0"] }]);
    assert_eq!(found(json!({ "Filters": by_ids })), sorted(&[&images[2], &images[3]]));
    assert_eq!(found(json!({ "Owners": ["999999999999"] })), [] as [String; 0]);

    let pages = client.pages("describe_images", &json!({ "MaxResults": 2, "IncludeDisabled": true }), "Images");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let mut told: Vec<String> = pages.concat().iter().map(|image| text(&image["ImageId"]).to_owned()).collect();
    told.sort();
    assert_eq!(told, sorted(&images.iter().collect::<Vec<_>>()));
    assert_eq!(client.refused("describe_images", json!({ "NextToken": "forged" })), "InvalidNextToken");
    assert_eq!(client.refused("describe_images", json!({ "ImageIds": ["ami-1"] })), "InvalidAMIID.Malformed");
    let unknown = json!({ "ImageIds": [images[0], "ami-0123456789abcdef0"] });
    assert_eq!(client.refused("describe_images", unknown), "InvalidAMIID.NotFound");
    let unknown = json!({ "Resources": [images[0], "ami-0123456789abcdef0"], "Tags": tags(&[("x", "y")]) });
    assert_eq!(client.refused("create_tags", unknown), "InvalidAMIID.NotFound");
    let reserved = json!({ "Resources": [images[0]], "Tags": tags(&[("aws:x", "y")]) });
    assert_eq!(client.refused("create_tags", reserved), "InvalidParameterValue");
    client.ok("enable_image", json!({ "ImageId": images[1] }));
    assert_eq!(found(json!({ "ImageIds": [images[1]] })), [images[1].clone()]);
    let told: Vec<String> =
        client.world.take_events().iter().map(|event| text(&event["detail"]["State"]).to_owned()).collect();
    assert_eq!(told, ["disabled", "available"]);
}

#[test]
fn an_image_goes_and_says_what_became_of_its_snapshots() {
    let Some(client) = client("DeregisterImage") else { return };
    let image = client.world.base_image();
    let ids: Vec<String> =
        client.world.image(&image).expect("there").snapshots().iter().map(ToString::to_string).collect();
    let mapping = |device: &str, id: &String| json!({ "DeviceName": device, "Ebs": { "SnapshotId": id } });
    let register = |name: &str| {
        json!({
            "Name": name, "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [mapping("/dev/xvda", &ids[0])],
        })
    };
    let mut other = register("other");
    other["Architecture"] = json!("arm64");
    other["RootDeviceName"] = json!("/dev/sda1");
    assert_eq!(client.refused("register_image", other.clone()), "InvalidBlockDeviceMapping");
    other["BlockDeviceMappings"] = json!([mapping("/dev/sdb", &ids[1]), mapping("/dev/sda1", &ids[0])]);
    let other = client.ok("register_image", other)["ImageId"].clone();
    let told = client.ok("describe_images", json!({ "ImageIds": [other] }))["Images"][0].clone();
    assert_eq!((text(&told["Architecture"]), text(&told["RootDeviceName"])), ("arm64", "/dev/sda1"));
    assert_eq!(texts(&told["BlockDeviceMappings"], "DeviceName"), ["/dev/sda1", "/dev/sdb"]);
    assert_eq!(told["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"], json!(ids[0]));
    client.ok("deregister_image", json!({ "ImageId": other }));
    let sharing = client.ok("register_image", register("sharing"))["ImageId"].clone();
    assert_eq!(client.refused("register_image", register("sharing")), "InvalidAMIName.Duplicate");

    client.ok("enable_image_deregistration_protection", json!({ "ImageId": image, "WithCooldown": false }));
    let protected = client.ok("describe_images", json!({ "ImageIds": [image] }));
    assert_eq!(text(&protected["Images"][0]["DeregistrationProtection"]), "enabled-without-cooldown");
    let with_snapshots = json!({ "ImageId": image, "DeleteAssociatedSnapshots": true });
    assert_eq!(client.refused("deregister_image", with_snapshots.clone()), "OperationNotPermitted");
    client.ok("disable_image_deregistration_protection", json!({ "ImageId": image }));

    client.world.fail_next_snapshot_deletion("internal-error");
    let told = client.ok("deregister_image", with_snapshots.clone());
    let result = |id: &String, code: &str| json!({ "SnapshotId": id, "ReturnCode": code });
    assert_eq!(told["Return"], json!(true));
    assert_eq!(told["DeleteSnapshotResults"], json!([result(&ids[0], "skipped"), result(&ids[1], "internal-error")]));
    assert_eq!(client.refused("deregister_image", with_snapshots), "InvalidAMIID.Unavailable");
    assert_eq!(client.ok("describe_images", json!({ "ImageIds": [image] }))["Images"], json!([]));
    let told = client.ok("deregister_image", json!({ "ImageId": sharing }));
    assert_eq!(told.get("DeleteSnapshotResults"), None);
    let unknown = json!({ "ImageId": "ami-0123456789abcdef0" });
    assert_eq!(client.refused("deregister_image", unknown), "InvalidAMIID.NotFound");
    client.ok("delete_snapshot", json!({ "SnapshotId": ids[0] }));

    let cooling = client.world.base_image();
    client.ok("enable_image_deregistration_protection", json!({ "ImageId": cooling, "WithCooldown": true }));
    client.ok("disable_image_deregistration_protection", json!({ "ImageId": cooling }));
    client.world.advance(24 * 3600 - 1);
    assert_eq!(client.refused("deregister_image", json!({ "ImageId": cooling })), "OperationNotPermitted");
    client.world.advance(1);
    client.ok("deregister_image", json!({ "ImageId": cooling }));
}

#[test]
fn an_image_that_can_not_be_made_says_why() {
    let Some(client) = client("CreateImage's refusals") else { return };
    let instance = client.world.instance(&client.world.base_image());
    let refused = |more: serde_json::Value| {
        let mut args = json!({ "InstanceId": instance, "Name": "web-1", "NoReboot": true });
        args.as_object_mut().expect("arguments").extend(more.as_object().expect("arguments").clone());
        client.refused("create_image", args)
    };
    assert_eq!(refused(json!({ "Name": "a:b" })), "InvalidAMIName.Malformed");
    assert_eq!(refused(json!({ "Name": "x".repeat(129) })), "InvalidAMIName.Malformed");
    assert_eq!(refused(json!({ "InstanceId": "i-0123456789abcdef0" })), "InvalidInstanceID.NotFound");
    assert_eq!(refused(json!({ "InstanceId": "i-x" })), "InvalidInstanceID.Malformed");
    let on_instance = json!([{ "ResourceType": "instance", "Tags": tags(&[("a", "b")]) }]);
    assert_eq!(refused(json!({ "TagSpecifications": on_instance })), "InvalidParameterValue");

    client.create_image(instance.as_str(), "web-1").expect("made");
    let (code, _, _) = client.create_image(instance.as_str(), "web-2").expect_err("15 seconds");
    assert_eq!(code, "SnapshotCreationPerVolumeRateExceeded");
    // Without one of the volumes; and with the reboot that nobody should forget to switch off.
    let other = client.world.instance(&client.world.base_image());
    let root_only = json!([{ "DeviceName": "/dev/xvdb", "NoDevice": "" }]);
    let args = json!({ "InstanceId": other, "Name": "root", "BlockDeviceMappings": root_only });
    let id = client.ok("create_image", args)["ImageId"].clone();
    assert_eq!(client.world.reboots(), [other]);
    client.world.fail_next_image("no such luck");
    client.world.advance(200);
    let image = client.ok("describe_images", json!({ "ImageIds": [id] }))["Images"][0].clone();
    assert_eq!(texts(&image["BlockDeviceMappings"], "DeviceName"), ["/dev/xvda"]);

    let failing = client.create_image(instance.as_str(), "web-3").expect("made")["ImageId"].clone();
    client.world.advance(200);
    let image = client.ok("describe_images", json!({ "ImageIds": [failing] }))["Images"][0].clone();
    assert_eq!(text(&image["State"]), ImageState::Failed.name());
    assert_eq!(image["StateReason"], json!({ "Code": "Server.InternalError", "Message": "no such luck" }));

    client.ok("terminate_instances", json!({ "InstanceIds": [instance] }));
    let (code, _, message) = client.create_image(instance.as_str(), "web-4").expect_err("it is gone");
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("is not in state 'running' or 'stopping' or 'stopped'"), "{message}");
}

#[test]
fn who_refers_to_an_image_is_told_as_far_as_aws_looks() {
    let Some(client) = client("DescribeImageReferences") else { return };
    let base = client.world.base_image();
    let template = client.world.template("web", &base);
    let other = client.world.base_image();
    for _ in 0..10 {
        let data = json!({ "ImageId": other });
        client
            .ok("create_launch_template_version", json!({ "LaunchTemplateId": template, "LaunchTemplateData": data }));
    }
    client.world.put_parameter("/images/web", base.as_str(), "aws:ec2:image");
    let instance = client.world.instance(&base);
    client.world.launch_configuration("old", &base);
    let arns = |depth: Option<&str>| {
        let templates = depth.map(|depth| {
            json!([{ "ResourceType": "ec2:LaunchTemplate",
                     "ResourceTypeOptions": [{ "OptionName": "version-depth", "OptionValues": [depth] }] }])
        });
        let asked = json!({ "ImageIds": [base], "IncludeAllResourceTypes": true,
                            "ResourceTypes": templates.unwrap_or_else(|| json!([])) });
        let told = client.ok("describe_image_references", asked)["ImageReferences"].clone();
        texts(&told, "Arn")
    };
    let parts = |arns: Vec<String>| {
        arns.into_iter().filter_map(|arn| arn.rsplit_once(':').map(|(_, part)| part.to_owned())).collect::<Vec<_>>()
    };
    let (instance, template) = (format!("instance/{instance}"), format!("launch-template/{template}"));
    // Ten newer versions hide it, and a launch configuration is nothing to it.
    assert_eq!(parts(arns(None)), [instance.clone(), "parameter/images/web".to_owned()]);
    assert_eq!(parts(arns(Some("10000"))), [instance, template, "parameter/images/web".to_owned()]);
}
