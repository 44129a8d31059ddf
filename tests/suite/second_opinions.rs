//! Second opinions: what two simulations of AWS that others wrote answer to calls that Lastgood makes, beside what the
//! simulated world answers. Where the three differ, the table shows it, and AWS's reference says who is right.

use std::net::Ipv4Addr;
use std::sync::Arc;

use expect_test::expect;
use lastgood_tests::ministack::MiniStack;
use lastgood_tests::python::{Boto, environment, is_left_out, target_dir};
use lastgood_world::door::{self, Door, DoorTime};
use lastgood_world::{CacheShape, World, by_number};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What stands in the arguments of a call for an instance of each of the three, and for a member of a group of each.
const INSTANCE: &str = "$instance";
const MEMBER: &str = "$member";

/// A row of the table: what is asked, of which service, the call and its arguments, and what is compared of the answer.
type Row<'a> = (&'a str, &'a str, &'a str, Value, &'a [&'a str]);

/// The three that are asked.
struct Opinions {
    world: Arc<World>,
    boto: Boto,
    ministack: MiniStack,
    door: Door,
    /// The door is open as long as it runs.
    _runtime: Runtime,
}

/// The three, for one test, with what `fill` puts into the world; none if Python is left out.
fn opinions(test: &str, fill: impl FnOnce(&World)) -> Option<Opinions> {
    if is_left_out(test) {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a runtime");
    let world = Arc::new(World::new("2026-01-15T10:30:00Z".parse().expect("a time")));
    fill(&world);
    let opened = door::open(Arc::clone(&world), (Ipv4Addr::LOCALHOST, 0).into(), DoorTime::Moved);
    let door = runtime.block_on(opened).expect("a free port");
    let python = environment().unwrap_or_else(|error| panic!("{error}"));
    let log = target_dir().expect("a target directory").join(format!("stage/{}.log", test.replace(' ', "-")));
    let ministack = MiniStack::start(&python, 1, &door.url(), &log).expect("MiniStack");
    let mut boto = Boto::start().unwrap_or_else(|error| panic!("{error}"));
    assert!(ministack.wait_ready(&mut boto), "MiniStack did not start: {}", log.display());
    Some(Opinions { world, boto, ministack, door, _runtime: runtime })
}

impl Opinions {
    /// The world, moto, and MiniStack.
    fn endpoints(&self) -> [String; 3] {
        [self.door.url(), "moto".to_owned(), self.ministack.url()]
    }

    /// Does with each of the two others what `fill` did with the world.
    fn prepare(&mut self, prepare: impl Fn(&mut Boto, &str)) {
        let [_, others @ ..] = self.endpoints();
        for endpoint in others {
            prepare(&mut self.boto, &endpoint);
        }
    }

    /// What each answers to each call, one after the other. `ids` are what stands for [`INSTANCE`] and [`MEMBER`] in each.
    fn table(&mut self, ids: &[[String; 2]; 3], rows: Vec<Row<'_>>) -> String {
        let mut table = String::new();
        for (what, service, call, args, told) in rows {
            let mut answers = Vec::new();
            for (endpoint, [instance, member]) in self.endpoints().iter().zip(ids) {
                let args = args.to_string().replace(INSTANCE, instance).replace(MEMBER, member);
                let args = serde_json::from_str(&args).expect("as it was");
                answers.push(answer(&mut self.boto, service, endpoint, call, args, told));
            }
            table += &format!("{what:<14}|{:<38}|{:<38}|{}\n", answers[0], answers[1], answers[2]);
            // Only the world takes its time.
            self.world.advance(120);
        }
        table
    }
}

/// What one of them answers, as far as it is to be compared: the values of these fields, or the code of the refusal.
fn answer(boto: &mut Boto, service: &str, endpoint: &str, call: &str, args: Value, told: &[&str]) -> String {
    match boto.call(service, endpoint, call, args) {
        Ok(value) => {
            let fields = told.iter().map(|path| value.pointer(path).map_or("nothing".to_owned(), plain));
            fields.collect::<Vec<_>>().join(" ")
        }
        Err(error) => format!("{} {}", error.code, error.status.map_or("-".to_owned(), |status| status.to_string())),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("{} of them", items.len()),
        other => other.to_string(),
    }
}

#[test]
fn moto_and_ministack_answer_most_calls_about_caches_as_the_world_does() {
    let fill = |world: &World| {
        world.put_cache("queue", CacheShape::Single);
        world.put_cache("sessions", CacheShape::Replicated(2));
    };
    let Some(mut opinions) = opinions("second opinions on ElastiCache", fill) else { return };
    opinions.prepare(|boto, endpoint| {
        let cluster = json!({
            "CacheClusterId": "queue", "Engine": "redis", "CacheNodeType": "cache.t4g.small", "NumCacheNodes": 1,
        });
        boto.call("elasticache", endpoint, "create_cache_cluster", cluster).expect("a cluster");
        let group = json!({
            "ReplicationGroupId": "sessions", "ReplicationGroupDescription": "sessions", "Engine": "redis",
            "CacheNodeType": "cache.t4g.small", "NumCacheClusters": 2,
        });
        boto.call("elasticache", endpoint, "create_replication_group", group).expect("a group");
    });
    let snapshot = |name: &str| json!({ "SnapshotName": name });
    let of = |name: &str, cluster: &str| json!({ "SnapshotName": name, "CacheClusterId": cluster });
    let in_account = |what: &str| format!("arn:aws:elasticache:us-east-1:123456789012:{what}");
    let asked: Vec<(&str, &str, Value, &[&str])> = vec![
        ("clusters", "describe_cache_clusters", json!({}), &["/CacheClusters/0/CacheClusterStatus"]),
        ("groups", "describe_replication_groups", json!({}), &["/ReplicationGroups/0/Status"]),
        ("make", "create_snapshot", of("s-1", "queue"), &["/Snapshot/SnapshotSource"]),
        ("make it again", "create_snapshot", of("s-1", "queue"), &[]),
        ("of none", "create_snapshot", of("s-2", "none"), &[]),
        ("of nothing", "create_snapshot", snapshot("s-3"), &[]),
        (
            "look",
            "describe_snapshots",
            snapshot("s-1"),
            &["/Snapshots/0/SnapshotStatus", "/Snapshots/0/SnapshotSource"],
        ),
        ("by hand", "describe_snapshots", json!({ "SnapshotSource": "user" }), &["/Snapshots"]),
        ("none", "describe_snapshots", snapshot("s-9"), &["/Snapshots"]),
        ("tags", "list_tags_for_resource", json!({ "ResourceName": in_account("snapshot:s-1") }), &["/TagList"]),
        ("no tags", "list_tags_for_resource", json!({ "ResourceName": in_account("cluster:none") }), &[]),
        ("delete", "delete_snapshot", snapshot("s-1"), &[]),
        ("delete again", "delete_snapshot", snapshot("s-1"), &[]),
    ];
    let asked = asked.into_iter().map(|(what, call, args, told)| (what, "elasticache", call, args, told));
    let table = opinions.table(&Default::default(), asked.collect());
    expect![[r#"
        clusters      |available                             |available                             |available
        groups        |available                             |available                             |available
        make          |manual                                |manual                                |manual
        make it again |SnapshotAlreadyExistsFault 400        |SnapshotAlreadyExistsFault 400        |SnapshotAlreadyExistsFault 400
        of none       |CacheClusterNotFound 404              |CacheClusterNotFound 404              |
        of nothing    |InvalidParameterCombination 400       |InvalidParameterValue 400             |
        look          |available manual                      |available manual                      |available manual
        by hand       |1 of them                             |1 of them                             |3 of them
        none          |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404             |0 of them
        tags          |0 of them                             |0 of them                             |0 of them
        no tags       |CacheClusterNotFound 404              |                                      |CacheClusterNotFound 404
        delete        |                                      |                                      |
        delete again  |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404             |SnapshotNotFoundFault 404
    "#]].assert_eq(&table);
}

/// An instance and a member of a group of two, as this one has made them.
fn machines(boto: &mut Boto, endpoint: &str) -> [String; 2] {
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).expect(path).to_owned();
    let images = boto.call("ec2", endpoint, "describe_images", json!({})).expect("images");
    let image = text(&images, "/Images/0/ImageId");
    let run = json!({ "ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1 });
    let instances = boto.call("ec2", endpoint, "run_instances", run).expect("an instance");
    let template = json!({
        "LaunchTemplateName": "web", "LaunchTemplateData": { "ImageId": image, "InstanceType": "t3.micro" },
    });
    boto.call("ec2", endpoint, "create_launch_template", template).expect("a template");
    let group = json!({
        "AutoScalingGroupName": "web", "MinSize": 1, "MaxSize": 2, "DesiredCapacity": 2,
        "LaunchTemplate": { "LaunchTemplateName": "web", "Version": "1" }, "AvailabilityZones": ["us-east-1a"],
    });
    boto.call("autoscaling", endpoint, "create_auto_scaling_group", group).expect("a group");
    [text(&instances, "/Instances/0/InstanceId"), member(boto, endpoint)]
}

fn member(boto: &mut Boto, endpoint: &str) -> String {
    let groups = boto.call("autoscaling", endpoint, "describe_auto_scaling_groups", json!({})).expect("groups");
    let id = groups.pointer("/AutoScalingGroups/0/Instances/0/InstanceId").and_then(Value::as_str);
    id.expect("a member").to_owned()
}

#[test]
fn moto_and_ministack_answer_most_calls_about_power_and_standby_as_the_world_does() {
    let mut instance = String::new();
    let fill = |world: &World| {
        let base = world.base_image();
        instance = world.instance(&base).to_string();
        let template = world.template("web", &base);
        world.group("web", &by_number(&template, 1), 2);
        world.advance(600);
    };
    let Some(mut opinions) = opinions("second opinions on power", fill) else { return };
    let [door, moto, ministack] = opinions.endpoints();
    let boto = &mut opinions.boto;
    let ids = [[instance, member(boto, &door)], machines(boto, &moto), machines(boto, &ministack)];
    let it = json!({ "InstanceIds": [INSTANCE] });
    let of = |id: &str| json!({ "InstanceIds": [id] });
    let state = &["/Reservations/0/Instances/0/State/Name"][..];
    let stopping = &["/StoppingInstances/0/PreviousState/Name", "/StoppingInstances/0/CurrentState/Name"][..];
    let starting = &["/StartingInstances/0/PreviousState/Name", "/StartingInstances/0/CurrentState/Name"][..];
    let image = json!({ "InstanceId": INSTANCE, "Name": "lastgood-1", "NoReboot": true });
    let named = json!({ "Filters": [{ "Name": "name", "Values": ["lastgood-1"] }] });
    let standby =
        json!({ "InstanceIds": [MEMBER], "AutoScalingGroupName": "web", "ShouldDecrementDesiredCapacity": true });
    let back = json!({ "InstanceIds": [MEMBER], "AutoScalingGroupName": "web" });
    let groups = &["/AutoScalingGroups/0/DesiredCapacity", "/AutoScalingGroups/0/Instances/0/LifecycleState"][..];
    let rows: Vec<Row<'_>> = vec![
        ("runs", "ec2", "describe_instances", it.clone(), state),
        ("start it", "ec2", "start_instances", it.clone(), starting),
        ("stop it", "ec2", "stop_instances", it.clone(), stopping),
        ("is off", "ec2", "describe_instances", it.clone(), state),
        ("stop it again", "ec2", "stop_instances", it.clone(), stopping),
        ("image of it", "ec2", "create_image", image.clone(), &[]),
        ("the same again", "ec2", "create_image", image, &[]),
        ("look", "ec2", "describe_images", named, &["/Images", "/Images/0/State"]),
        ("start it", "ec2", "start_instances", it.clone(), starting),
        ("runs again", "ec2", "describe_instances", it.clone(), state),
        ("by force", "ec2", "stop_instances", json!({ "InstanceIds": [INSTANCE], "Force": true }), stopping),
        ("start it", "ec2", "start_instances", it.clone(), starting),
        ("stop none", "ec2", "stop_instances", of("i-0123456789abcdef0"), stopping),
        ("start none", "ec2", "start_instances", of("i-0123456789abcdef0"), starting),
        ("stop nonsense", "ec2", "stop_instances", of("web"), stopping),
        ("terminate it", "ec2", "terminate_instances", it.clone(), &["/TerminatingInstances/0/CurrentState/Name"]),
        ("start it", "ec2", "start_instances", it.clone(), starting),
        ("stop it", "ec2", "stop_instances", it, stopping),
        ("standby", "autoscaling", "enter_standby", standby.clone(), &["/Activities"]),
        ("the group", "autoscaling", "describe_auto_scaling_groups", json!({}), groups),
        ("once more", "autoscaling", "enter_standby", standby, &["/Activities"]),
        ("back", "autoscaling", "exit_standby", back.clone(), &["/Activities"]),
        ("the group", "autoscaling", "describe_auto_scaling_groups", json!({}), groups),
        ("once more", "autoscaling", "exit_standby", back, &["/Activities"]),
    ];
    expect![[r#"
        runs          |running                               |running                               |running
        start it      |running running                       |running pending                       |running running
        stop it       |running stopping                      |running stopping                      |running stopped
        is off        |stopped                               |stopped                               |stopped
        stop it again |stopped stopped                       |stopped stopping                      |stopped stopped
        image of it   |                                      |                                      |InvalidAction 400
        the same again|InvalidAMIName.Duplicate 400          |                                      |InvalidAction 400
        look          |1 of them available                   |2 of them available                   |0 of them nothing
        start it      |stopped pending                       |stopped pending                       |stopped running
        runs again    |running                               |running                               |running
        by force      |running stopping                      |running stopping                      |running stopped
        start it      |stopped pending                       |stopped pending                       |stopped running
        stop none     |InvalidInstanceID.NotFound 400        |InvalidInstanceID.NotFound 400        |InvalidInstanceID.NotFound 400
        start none    |InvalidInstanceID.NotFound 400        |InvalidInstanceID.NotFound 400        |InvalidInstanceID.NotFound 400
        stop nonsense |InvalidInstanceID.Malformed 400       |InvalidInstanceID.NotFound 400        |InvalidInstanceID.NotFound 400
        terminate it  |shutting-down                         |shutting-down                         |terminated
        start it      |IncorrectInstanceState 400            |terminated pending                    |terminated running
        stop it       |IncorrectInstanceState 400            |running stopping                      |running stopped
        standby       |1 of them                             |1 of them                             |InvalidAction 400
        the group     |1 Standby                             |1 Standby                             |2 InService
        once more     |ValidationError 400                   |1 of them                             |InvalidAction 400
        back          |1 of them                             |0 of them                             |InvalidAction 400
        the group     |2 InService                           |0 nothing                             |2 InService
        once more     |ValidationError 400                   |0 of them                             |InvalidAction 400
    "#]].assert_eq(&opinions.table(&ids, rows));
}
