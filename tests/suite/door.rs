//! The door of the simulated world, judged by a client that nobody here wrote: boto3 walks through every answer of it.
//! What boto3 can read, and finds in it what the world holds, an SDK can be tested against.

mod caches;
mod groups;
mod images;
mod instances;
mod members;
mod policies;
mod snapshots;
mod templates;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use lastgood_core::Time;
use lastgood_tests::python::{Boto, is_left_out};
use lastgood_world::World;
use lastgood_world::door::{self, Door, DoorTime};
use serde_json::{Value, json};

/// Of Auto Scaling's calls, what those of EC2 have not in their names. EC2's own DeleteTags is not simulated.
const AUTOSCALING: [&str; 9] = [
    "auto_scaling_group",
    "delete_tags",
    "desired_capacity",
    "instance_health",
    "instance_protection",
    "instance_refresh",
    "launch_configuration",
    "standby",
    "update_tags",
];

/// boto3 in front of the door of a new world.
struct Client {
    world: Arc<World>,
    boto: Mutex<Boto>,
    door: Door,
    runtime: tokio::runtime::Runtime,
}

/// A client for one test, or none if Python is left out.
fn client(test: &str) -> Option<Client> {
    if is_left_out(test) {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a runtime");
    let world = Arc::new(World::new("2026-01-15T10:30:00Z".parse().expect("a time")));
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let door = runtime.block_on(door::open(Arc::clone(&world), address, DoorTime::Moved)).expect("a free port");
    let boto = Mutex::new(Boto::start().unwrap_or_else(|error| panic!("{error}")));
    Some(Client { world, boto, door, runtime })
}

impl Client {
    fn call(&self, call: &str, args: Value) -> Result<Value, (String, u64, String)> {
        let service = if AUTOSCALING.iter().any(|word| call.contains(word)) { "autoscaling" } else { "ec2" };
        self.call_of(service, call, args)
    }

    fn call_of(&self, service: &str, call: &str, args: Value) -> Result<Value, (String, u64, String)> {
        let mut boto = self.boto.lock().expect("a test that failed here is over");
        let answer = boto.call(service, &self.door.url(), call, args);
        answer.map_err(|error| (error.code, error.status.unwrap_or_default(), error.message))
    }

    /// The answer to a call that is accepted.
    fn ok(&self, call: &str, args: Value) -> Value {
        self.call(call, args).unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }

    /// The code of a call that is refused with status 400.
    fn refused(&self, call: &str, args: Value) -> String {
        let (code, status, message) = self.call(call, args).expect_err(call);
        assert_eq!(status, 400, "{call}: {code}: {message}");
        code
    }

    /// The whole refusal: code, status, message.
    fn refusal(&self, call: &str, args: Value) -> (String, u64, String) {
        self.call(call, args).expect_err(call)
    }

    /// What is under `list`, page by page.
    fn pages(&self, call: &str, args: &Value, list: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut args = args.clone();
        loop {
            let page = self.ok(call, args.clone());
            pages.push(page[list].as_array().expect("a list").clone());
            match page.get("NextToken") {
                Some(token) => args["NextToken"] = token.clone(),
                None => return pages,
            }
        }
    }

    fn create_image(&self, instance: &str, name: &str) -> Result<Value, (String, u64, String)> {
        self.call("create_image", json!({ "InstanceId": instance, "Name": name, "NoReboot": true }))
    }
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// The texts under `name` in each of `items`, sorted.
fn texts(items: &Value, name: &str) -> Vec<String> {
    let mut texts: Vec<String> =
        items.as_array().expect("a list").iter().map(|item| text(&item[name]).to_owned()).collect();
    texts.sort();
    texts
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn what_is_not_simulated_is_refused_as_aws_refuses_the_unknown() {
    let Some(client) = client("the door's own refusals") else { return };
    assert_eq!(client.refused("describe_vpcs", json!({})), "InvalidAction");
    assert_eq!(
        client.refused("delete_launch_configuration", json!({ "LaunchConfigurationName": "x" })),
        "InvalidAction"
    );
    // A parameter that the world would ignore.
    assert_eq!(client.refused("describe_images", json!({ "ExecutableUsers": ["all"] })), "UnknownParameter");
    let filters = json!([{ "Name": "hypervisor", "Values": ["xen"] }]);
    assert_eq!(client.refused("describe_images", json!({ "Filters": filters })), "InvalidParameterValue");
}

#[test]
fn scripted_faults_come_as_aws_words_them() {
    let Some(client) = client("scripted faults") else { return };
    client.world.throttle_next("ec2:DescribeImages", 1);
    let (code, status, _) = client.refusal("describe_images", json!({}));
    assert_eq!((code.as_str(), status), ("RequestLimitExceeded", 503));
    client.world.throttle_next("autoscaling:DescribeAutoScalingGroups", 1);
    let (code, status, message) = client.refusal("describe_auto_scaling_groups", json!({}));
    assert_eq!((code.as_str(), status, message.as_str()), ("Throttling", 400, "Rate exceeded"));
    client.world.deny("ec2:DescribeImages", "*");
    let (code, status, message) = client.refusal("describe_images", json!({}));
    assert_eq!((code.as_str(), status), ("UnauthorizedOperation", 403));
    assert!(message.contains("is not authorized to perform: ec2:DescribeImages on resource: *"), "{message}");
    client.world.deny("autoscaling:*", "*");
    let (code, status, _) = client.refusal("describe_auto_scaling_groups", json!({}));
    assert_eq!((code.as_str(), status), ("AccessDenied", 403));
    client.world.lose_next("ec2:DescribeSnapshots", 1);
    let (code, status, _) = client.refusal("describe_snapshots", json!({}));
    assert_eq!((code.as_str(), status), ("InternalError", 500));
    assert_eq!(client.world.calls()["ec2:DescribeImages"], 2);
}

#[test]
fn the_clock_follows_what_the_door_was_told() {
    let Some(mut client) = client("the door's clock") else { return };
    let image = client.world.base_image();
    let instance = client.world.instance(&image);
    let later: Time = "2026-01-15T12:00:00Z".parse().expect("a time");
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let time = DoorTime::Follows(Arc::new(move || later));
    let opened = door::open(Arc::clone(&client.world), address, time);
    client.door = client.runtime.block_on(opened).expect("a free port");
    client.create_image(instance.as_str(), "web-1").expect("made");
    assert_eq!(client.world.time(), later);
}
