//! Mixed instances policies and launch configurations: what else than one template a group may launch from.

use lastgood_world::{Architecture, Override, by_number};
use serde_json::{Value, json};

use super::{client, text, texts};

#[test]
fn a_policy_is_told_as_it_came() {
    let Some(client) = client("mixed instances policies") else { return };
    let (intel, arm) = (client.world.base_image(), client.world.base_image_of(Architecture::Arm64));
    let (base, own) = (client.world.template("base", &intel), client.world.template("own", &arm));
    let template = |id: &str, name: &str, version: &str| json!({ "LaunchTemplateId": id, "LaunchTemplateName": name, "Version": version });
    let requirements = json!({
        "VCpuCount": { "Min": 2, "Max": 4 }, "MemoryMiB": { "Min": 1024 },
        "CpuManufacturers": ["intel", "amd"], "BurstablePerformance": "excluded",
    });
    let distribution = json!({ "OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 50,
        "SpotAllocationStrategy": "price-capacity-optimized", "SpotMaxPrice": "0.5" });
    let policy = json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": template(base.as_str(), "base", "1"),
            "Overrides": [
                { "InstanceType": "m5.large", "WeightedCapacity": "1" },
                { "InstanceType": "m7g.large", "LaunchTemplateSpecification": template(own.as_str(), "own", "$Latest") },
                { "InstanceType": "c5.large", "ImageId": intel },
                { "InstanceRequirements": requirements },
            ],
        },
        "InstancesDistribution": distribution,
    });
    // By id or by name, never by both.
    let mut asked = policy.clone();
    let overrides = &mut asked["LaunchTemplate"]["Overrides"];
    overrides[1]["LaunchTemplateSpecification"] = json!({ "LaunchTemplateName": "own", "Version": "$Latest" });
    asked["LaunchTemplate"]["LaunchTemplateSpecification"] = json!({ "LaunchTemplateId": base, "Version": "1" });
    let args = json!({ "AutoScalingGroupName": "web", "MinSize": 0, "MaxSize": 9, "DesiredCapacity": 4,
        "AvailabilityZones": ["us-east-1a"], "MixedInstancesPolicy": asked });
    client.ok("create_auto_scaling_group", args);
    let told = || {
        let told = client.ok("describe_auto_scaling_groups", json!({ "AutoScalingGroupNames": ["web"] }));
        told["AutoScalingGroups"][0].clone()
    };
    assert_eq!(told()["MixedInstancesPolicy"], policy);
    client.world.advance(40);
    let members = told()["Instances"].clone();
    assert_eq!(texts(&members, "LifecycleState"), ["InService"; 4]);
    assert_eq!(texts(&members, "InstanceType"), ["c5.large", "m5.large", "m5.large", "m7g.large"]);
    let graviton = members.as_array().expect("members").iter().find(|member| member["InstanceType"] == "m7g.large");
    let graviton = graviton.expect("launched");
    assert_eq!(
        (&graviton["LaunchTemplate"], text(&graviton["ImageId"])),
        (&template(own.as_str(), "own", "1"), arm.as_str())
    );
}

#[test]
fn a_policy_is_replaced_whole_or_refused() {
    let Some(client) = client("changes of mixed instances policies") else { return };
    let image = client.world.base_image();
    let base = client.world.template("base", &image);
    let overrides = vec![Override::of_type("m5.large"), Override::of_type("c5.large").with_image(&image)];
    client.world.mixed_group("web", &by_number(&base, 1), overrides, 2);
    let asked = json!({ "LaunchTemplate": {
        "LaunchTemplateSpecification": { "LaunchTemplateId": base, "Version": "$Latest" },
        "Overrides": [{ "InstanceType": "m6i.large" }],
    } });
    let update = json!({ "AutoScalingGroupName": "web", "MixedInstancesPolicy": asked });
    client.ok("update_auto_scaling_group", update.clone());
    let told = client.ok("describe_auto_scaling_groups", json!({ "AutoScalingGroupNames": ["web"] }));
    let mut expected = asked.clone();
    expected["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"] = json!("base");
    assert_eq!(told["AutoScalingGroups"][0]["MixedInstancesPolicy"], expected);
    client.world.lock_group("web");
    let (code, _, message) = client.refusal("update_auto_scaling_group", update);
    assert_eq!(code, "ValidationError");
    assert!(message.starts_with("An active instance refresh with a desired configuration exists."), "{message}");

    let refused = |policy: Value| {
        let args = json!({ "AutoScalingGroupName": "x", "MinSize": 0, "MaxSize": 9,
            "AvailabilityZones": ["us-east-1a"], "MixedInstancesPolicy": policy });
        client.refused("create_auto_scaling_group", args)
    };
    assert_eq!(refused(json!({ "InstancesDistribution": { "OnDemandBaseCapacity": 1 } })), "ValidationError");
    let mut both = asked.clone();
    let requirements = json!({ "VCpuCount": { "Min": 2 }, "MemoryMiB": { "Min": 1024 } });
    both["LaunchTemplate"]["Overrides"][0]["InstanceRequirements"] = requirements;
    assert_eq!(refused(both), "ValidationError");
    let mut unknown = asked;
    unknown["LaunchTemplate"]["Overrides"][0]["LaunchTemplateSpecification"] = json!({ "LaunchTemplateName": "none" });
    assert_eq!(refused(unknown), "ValidationError");
}

#[test]
fn launch_configurations_are_told_in_pages() {
    let Some(client) = client("DescribeLaunchConfigurations") else { return };
    let image = client.world.base_image();
    for number in 0..5 {
        let name = format!("c{number}");
        let args = json!({ "LaunchConfigurationName": name, "ImageId": image, "InstanceType": "m5.large" });
        client.ok("create_launch_configuration", args);
    }
    let describe = "describe_launch_configurations";
    let named = client.ok(describe, json!({ "LaunchConfigurationNames": ["c1", "none"] }));
    let told = &named["LaunchConfigurations"];
    assert_eq!(texts(told, "LaunchConfigurationName"), ["c1"]);
    assert_eq!((text(&told[0]["ImageId"]), text(&told[0]["InstanceType"])), (image.as_str(), "m5.large"));
    assert_eq!(text(&told[0]["CreatedTime"]), "2026-01-15T10:30:00Z");
    let pages = client.pages(describe, &json!({ "MaxRecords": 2 }), "LaunchConfigurations");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(client.refused(describe, json!({ "MaxRecords": 101 })), "ValidationError");
}

#[test]
fn a_refresh_is_begun_told_and_cancelled() {
    let Some(client) = client("instance refreshes") else { return };
    let (old, new) = (client.world.template("web", &client.world.base_image()), client.world.base_image());
    client.world.group("web", &by_number(&old, 1), 1);
    let desired = client.world.template("desired", &new);
    let group = json!({ "AutoScalingGroupName": "web" });
    let preferences = json!({ "MinHealthyPercentage": 50, "InstanceWarmup": 300, "SkipMatching": true, "CheckpointPercentages": [20, 100] });
    let named = json!({ "LaunchTemplateId": desired, "Version": "1" });
    let asked = json!({ "AutoScalingGroupName": "web", "Strategy": "Rolling", "Preferences": preferences,
        "DesiredConfiguration": { "LaunchTemplate": named } });
    let id = client.ok("start_instance_refresh", asked.clone())["InstanceRefreshId"].clone();
    assert_eq!(client.refused("start_instance_refresh", asked), "InstanceRefreshInProgress");
    client.world.advance(60);
    let told = || client.ok("describe_instance_refreshes", group.clone())["InstanceRefreshes"].clone();
    let refresh = told()[0].clone();
    assert_eq!((&refresh["InstanceRefreshId"], text(&refresh["Status"])), (&id, "InProgress"));
    assert_eq!((text(&refresh["StartTime"]), refresh.get("EndTime")), ("2026-01-15T10:30:00Z", None));
    assert_eq!(refresh["Preferences"], preferences);
    let template = json!({ "LaunchTemplateId": desired, "LaunchTemplateName": "desired", "Version": "1" });
    assert_eq!(refresh["DesiredConfiguration"], json!({ "LaunchTemplate": template }));

    assert_eq!(client.ok("cancel_instance_refresh", group.clone())["InstanceRefreshId"], id);
    assert_eq!(client.refused("cancel_instance_refresh", group.clone()), "ActiveInstanceRefreshNotFound");
    assert_eq!((text(&told()[0]["Status"]), text(&told()[0]["EndTime"])), ("Cancelled", "2026-01-15T10:31:00Z"));
    let second = client.ok("start_instance_refresh", group.clone())["InstanceRefreshId"].clone();
    assert_eq!((&told()[0]["InstanceRefreshId"], &told()[1]["InstanceRefreshId"]), (&second, &id));
    assert_eq!(told()[0].get("DesiredConfiguration"), None);
    let one = json!({ "AutoScalingGroupName": "web", "InstanceRefreshIds": [id] });
    assert_eq!(client.ok("describe_instance_refreshes", one)["InstanceRefreshes"].as_array().map(Vec::len), Some(1));
    let pages = client.pages(
        "describe_instance_refreshes",
        &json!({ "AutoScalingGroupName": "web", "MaxRecords": 1 }),
        "InstanceRefreshes",
    );
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let none = json!({ "AutoScalingGroupName": "none" });
    assert_eq!(client.refused("describe_instance_refreshes", none), "ValidationError");
}
