//! Launch templates.

use serde_json::{Value, json};

use super::{client, tags, text};

fn numbers(versions: &[Value]) -> Vec<u64> {
    versions.iter().map(|version| version["VersionNumber"].as_u64().expect("a number")).collect()
}

#[test]
fn a_template_gets_versions_that_inherit_and_a_default() {
    let Some(client) = client("launch templates") else { return };
    let data = json!({ "ImageId": "ami-0aaaaaaaaaaaaaaaa", "InstanceType": "m7g.large", "KeyName": "ops",
        "UserData": "aGk=", "SecurityGroupIds": ["sg-1", "sg-2"] });
    let specification = json!([{ "ResourceType": "launch-template", "Tags": tags(&[("of", "web")]) }]);
    let asked = json!({ "LaunchTemplateName": "web", "LaunchTemplateData": data, "TagSpecifications": specification,
        "ClientToken": "t-0" });
    let made = client.ok("create_launch_template", asked.clone())["LaunchTemplate"].clone();
    let id = text(&made["LaunchTemplateId"]);
    assert_eq!((&made["DefaultVersionNumber"], &made["LatestVersionNumber"]), (&json!(1), &json!(1)));
    assert_eq!(client.ok("create_launch_template", asked.clone())["LaunchTemplate"]["LaunchTemplateId"], id);
    let mut again = asked;
    again["ClientToken"] = json!("t-x");
    assert_eq!(client.refused("create_launch_template", again), "InvalidLaunchTemplateName.AlreadyExistsException");

    let asked = json!({ "LaunchTemplateId": id, "SourceVersion": "1", "ClientToken": "t-1",
        "VersionDescription": "lastgood", "LaunchTemplateData": { "ImageId": "ami-0bbbbbbbbbbbbbbbb" } });
    let version = client.ok("create_launch_template_version", asked.clone())["LaunchTemplateVersion"].clone();
    assert_eq!((&version["VersionNumber"], &version["DefaultVersion"]), (&json!(2), &json!(false)));
    assert_eq!(text(&version["VersionDescription"]), "lastgood");
    let mut inherited = data.clone();
    inherited["ImageId"] = json!("ami-0bbbbbbbbbbbbbbbb");
    assert_eq!(version["LaunchTemplateData"], inherited);
    let repeated = client.ok("create_launch_template_version", asked.clone());
    assert_eq!(repeated["LaunchTemplateVersion"]["VersionNumber"], 2);
    let mut other = asked;
    other["LaunchTemplateData"]["ImageId"] = json!("ami-0cccccccccccccccc");
    assert_eq!(client.refused("create_launch_template_version", other), "IdempotentParameterMismatch");
    let bare = json!({ "LaunchTemplateName": "web", "LaunchTemplateData": { "KeyName": "dev" } });
    let version = client.ok("create_launch_template_version", bare)["LaunchTemplateVersion"].clone();
    assert_eq!(version["LaunchTemplateData"], json!({ "KeyName": "dev" }));

    let modified = client.ok("modify_launch_template", json!({ "LaunchTemplateId": id, "DefaultVersion": "2" }));
    assert_eq!(modified["LaunchTemplate"]["DefaultVersionNumber"], 2);
    let told = client.ok("describe_launch_templates", json!({ "LaunchTemplateNames": ["web"] }));
    let template = &told["LaunchTemplates"][0];
    assert_eq!((&template["DefaultVersionNumber"], &template["LatestVersionNumber"]), (&json!(2), &json!(3)));
    assert_eq!(template["Tags"], tags(&[("of", "web")]));
    let named = client.ok(
        "describe_launch_template_versions",
        json!({ "LaunchTemplateId": id, "Versions": ["$Default", "$Latest"] }),
    );
    assert_eq!(numbers(named["LaunchTemplateVersions"].as_array().expect("a list")), [3, 2]);
    assert_eq!(named["LaunchTemplateVersions"][1]["DefaultVersion"], true);

    let deleted =
        client.ok("delete_launch_template_versions", json!({ "LaunchTemplateId": id, "Versions": ["1", "2", "9"] }));
    assert_eq!(numbers(deleted["SuccessfullyDeletedLaunchTemplateVersions"].as_array().expect("a list")), [1]);
    let kept = &deleted["UnsuccessfullyDeletedLaunchTemplateVersions"];
    assert_eq!(numbers(kept.as_array().expect("a list")), [2, 9]);
    assert_eq!(text(&kept[1]["ResponseError"]["Code"]), "launchTemplateVersionDoesNotExist");
}

#[test]
fn a_version_maps_devices_and_its_heirs_forget_the_snapshots() {
    let Some(client) = client("block devices of templates") else { return };
    let devices = |snapshot: Option<&str>| {
        let mut ebs = json!({ "VolumeSize": 20, "DeleteOnTermination": true });
        if let Some(snapshot) = snapshot {
            ebs["SnapshotId"] = json!(snapshot);
        }
        json!([{ "DeviceName": "/dev/xvdb", "Ebs": ebs }, { "DeviceName": "/dev/xvdc", "NoDevice": "" }])
    };
    let data = json!({ "ImageId": "resolve:ssm:/web", "BlockDeviceMappings": devices(Some("snap-0123456789abcdef0")) });
    let made = client.ok("create_launch_template", json!({ "LaunchTemplateName": "web", "LaunchTemplateData": data }));
    let id = text(&made["LaunchTemplate"]["LaunchTemplateId"]);
    let told = |more: Value| {
        let mut args = json!({ "LaunchTemplateId": id });
        args.as_object_mut().expect("arguments").extend(more.as_object().expect("arguments").clone());
        client.call("describe_launch_template_versions", args)
    };
    let first = told(json!({ "Versions": ["1"] })).expect("told");
    assert_eq!(first["LaunchTemplateVersions"][0]["LaunchTemplateData"], data);
    let next = |data: Value| {
        let asked = json!({ "LaunchTemplateId": id, "SourceVersion": "1", "LaunchTemplateData": data });
        client.ok("create_launch_template_version", asked)["LaunchTemplateVersion"]["LaunchTemplateData"].clone()
    };
    let heir = next(json!({ "ImageId": "ami-0123456789abcdef0" }));
    assert_eq!(heir, json!({ "ImageId": "ami-0123456789abcdef0", "BlockDeviceMappings": devices(None) }));
    let own = json!([{ "DeviceName": "/dev/xvdd", "Ebs": { "VolumeSize": 1 } }]);
    assert_eq!(next(json!({ "BlockDeviceMappings": own }))["BlockDeviceMappings"], own);

    let resolved = json!({ "Versions": ["1"], "ResolveAlias": true });
    assert_eq!(told(resolved.clone()).expect_err("no such parameter").0, "InvalidParameterValue");
    client.world.put_parameter("/web", "ami-0aaaaaaaaaaaaaaaa", "aws:ec2:image");
    let told = told(resolved).expect("told");
    assert_eq!(text(&told["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]), "ami-0aaaaaaaaaaaaaaaa");
}

#[test]
fn versions_are_told_in_pages_newest_first() {
    let Some(client) = client("pages of versions") else { return };
    let (old, new) = (client.world.base_image(), client.world.base_image());
    let id = client.world.template("web", &old);
    for number in 0..6 {
        let image = if number % 2 == 0 { &new } else { &old };
        let asked = json!({ "LaunchTemplateId": id, "LaunchTemplateData": { "ImageId": image } });
        client.ok("create_launch_template_version", asked);
    }
    let versions = |more: Value| {
        let mut args = json!({ "LaunchTemplateId": id });
        args.as_object_mut().expect("arguments").extend(more.as_object().expect("arguments").clone());
        let pages = client.pages("describe_launch_template_versions", &args, "LaunchTemplateVersions");
        pages.iter().map(|page| numbers(page)).collect::<Vec<_>>()
    };
    assert_eq!(versions(json!({})), [[7, 6, 5, 4, 3, 2, 1]]);
    assert_eq!(versions(json!({ "MaxResults": 3 })), [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    assert_eq!(versions(json!({ "MinVersion": "3", "MaxVersion": "5" })), [[5, 4, 3]]);
    let by_image = json!([{ "Name": "image-id", "Values": [new] }]);
    assert_eq!(versions(json!({ "Filters": by_image, "MaxResults": 2 })), [vec![6, 4], vec![2]]);

    let refused = |call: &str, args: Value| client.refused(call, args);
    let describe = "describe_launch_template_versions";
    assert_eq!(
        refused(describe, json!({ "LaunchTemplateId": id, "Versions": ["99"] })),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
    assert_eq!(
        refused(describe, json!({ "LaunchTemplateId": "lt-0123456789abcdef0" })),
        "InvalidLaunchTemplateId.NotFound"
    );
    assert_eq!(refused(describe, json!({ "LaunchTemplateId": "lt-1" })), "InvalidLaunchTemplateId.Malformed");
    assert_eq!(
        refused(describe, json!({ "LaunchTemplateName": "none" })),
        "InvalidLaunchTemplateName.NotFoundException"
    );
    assert_eq!(refused(describe, json!({ "LaunchTemplateId": id, "MaxResults": 201 })), "InvalidParameterValue");
    assert_eq!(refused(describe, json!({})), "MissingParameter");
    assert_eq!(
        refused("modify_launch_template", json!({ "LaunchTemplateId": id, "DefaultVersion": "99" })),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
    let source = json!({ "LaunchTemplateId": id, "SourceVersion": "99", "LaunchTemplateData": { "KeyName": "x" } });
    assert_eq!(refused("create_launch_template_version", source), "InvalidLaunchTemplateId.VersionNotFound");
    assert_eq!(
        refused("describe_launch_templates", json!({ "LaunchTemplateIds": ["lt-0123456789abcdef0"] })),
        "InvalidLaunchTemplateId.NotFound"
    );
    client.world.template("two", &old);
    client.world.template("three", &old);
    let pages = client.pages("describe_launch_templates", &json!({ "MaxResults": 2 }), "LaunchTemplates");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
}
