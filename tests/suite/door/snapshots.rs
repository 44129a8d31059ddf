//! Snapshots.

use serde_json::json;

use super::{client, tags, text, texts};

#[test]
fn a_snapshot_completes_is_found_and_goes() {
    let Some(client) = client("snapshots") else { return };
    let image = client.world.base_image();
    client.world.instance(&image);
    let volume = client.world.instances()[0].volumes[1].id.clone();
    let asked = json!({
        "VolumeId": volume, "Description": "by hand",
        "TagSpecifications": [{ "ResourceType": "snapshot", "Tags": tags(&[("of", "web")]) }],
    });
    let made = client.ok("create_snapshot", asked.clone());
    let id = text(&made["SnapshotId"]);
    assert_eq!((text(&made["State"]), &made["VolumeSize"]), ("pending", &json!(20)));
    assert_eq!(client.refused("create_snapshot", asked), "SnapshotCreationPerVolumeRateExceeded");
    assert_eq!(client.refused("describe_snapshots", json!({ "SnapshotIds": [id] })), "InvalidSnapshot.NotFound");

    client.world.advance(5);
    let by =
        |name: &str, value: &str| json!({ "OwnerIds": ["self"], "Filters": [{ "Name": name, "Values": [value] }] });
    assert_eq!(texts(&client.ok("describe_snapshots", by("status", "pending"))["Snapshots"], "SnapshotId"), [id]);
    client.world.advance(75);
    for (name, value) in [("tag:of", "web"), ("snapshot-id", id), ("volume-id", volume.as_str())] {
        let told = client.ok("describe_snapshots", by(name, value))["Snapshots"][0].clone();
        assert_eq!((text(&told["SnapshotId"]), text(&told["State"])), (id, "completed"), "{name}");
        assert_eq!((text(&told["Progress"]), text(&told["Description"])), ("100%", "by hand"));
        assert_eq!(text(&told["StartTime"]), "2026-01-15T10:30:00Z");
        assert_eq!(text(&told["CompletionTime"]), "2026-01-15T10:31:20Z");
        assert_eq!(told["Tags"], tags(&[("of", "web")]));
    }
    client.ok("delete_snapshot", json!({ "SnapshotId": id }));
    assert_eq!(client.refused("delete_snapshot", json!({ "SnapshotId": id })), "InvalidSnapshot.NotFound");
    assert_eq!(client.refused("delete_snapshot", json!({ "SnapshotId": "snap-1" })), "InvalidSnapshotID.Malformed");
    let unknown = json!({ "VolumeId": "vol-0123456789abcdef0" });
    assert_eq!(client.refused("create_snapshot", unknown), "InvalidVolume.NotFound");

    let used = client.world.image(&image).expect("there").snapshots()[0].clone();
    let (code, _, message) = client.refusal("delete_snapshot", json!({ "SnapshotId": used }));
    assert_eq!(code, "InvalidSnapshot.InUse");
    assert!(message.contains(image.as_str()), "{message}");
    assert_eq!(client.ok("describe_snapshots", json!({ "OwnerIds": ["999999999999"] }))["Snapshots"], json!([]));
}

#[test]
fn snapshots_of_an_image_bear_its_tags_and_may_end_badly() {
    let Some(client) = client("snapshots of images") else { return };
    let instance = client.world.instance(&client.world.base_image());
    client.world.fail_next_snapshot("the volume is gone");
    let specification = json!([{ "ResourceType": "snapshot", "Tags": tags(&[("of", "web")]) }]);
    let asked =
        json!({ "InstanceId": instance, "Name": "web-1", "NoReboot": true, "TagSpecifications": specification });
    let image = client.ok("create_image", asked)["ImageId"].clone();
    client.world.advance(200);
    let by_tag = json!({ "Filters": [{ "Name": "tag:of", "Values": ["web"] }] });
    let told = client.ok("describe_snapshots", by_tag)["Snapshots"].clone();
    assert_eq!(texts(&told, "State"), ["completed", "error"]);
    let description = format!("Created by CreateImage({instance}) for {}", text(&image));
    assert_eq!(texts(&told, "Description"), [description.clone(), description]);
    let broken = told.as_array().expect("a list").iter().find(|snapshot| snapshot["State"] == "error");
    assert_eq!(text(&broken.expect("one")["StateMessage"]), "the volume is gone");
    let image = client.ok("describe_images", json!({ "ImageIds": [image] }))["Images"][0].clone();
    assert_eq!((text(&image["State"]), image.get("Tags")), ("available", Some(&json!([]))));
}

#[test]
fn snapshots_come_in_pages() {
    let Some(client) = client("pages of snapshots") else { return };
    for _ in 0..6 {
        client.world.base_image();
    }
    let pages = client.pages("describe_snapshots", &json!({ "MaxResults": 5 }), "Snapshots");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
    assert_eq!(client.refused("describe_snapshots", json!({ "MaxResults": 4 })), "InvalidParameterValue");
    let both = json!({ "MaxResults": 5, "SnapshotIds": [pages[0][0]["SnapshotId"]] });
    assert_eq!(client.refused("describe_snapshots", both), "InvalidParameterCombination");
}
