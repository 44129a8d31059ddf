//! End to end: the real binaries behind the real template. Slow, and in every `cargo test`: each test has a stage of
//! its own. `LASTGOOD_NO_E2E=1` leaves them out, and says so.

mod wrong;

use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::facts::VersionRef;
use lastgood_tests::python::is_left_out;
use lastgood_tests::stage::{Stage, StageError};
use lastgood_tests::tour;
use lastgood_world::{LaunchFrom, LaunchFromText, Override, UpdateGroup, World, by_number};
use serde_json::{Value, json};

/// How long anything on a stage may take: what waits for the next minute's poll is carried on by it.
const SECONDS_MAX: u64 = 100;

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {SECONDS_MAX} s");
        thread::sleep(Duration::from_millis(200));
    }
}

fn backups(stage: &Stage, source: &str) -> Vec<Value> {
    let output = stage.lastgood(&["backups", source, "--json"]).expect("the command starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    told.as_array().expect("an array").clone()
}

fn apply(stage: &Stage, name: &str, plan: &str) -> std::process::Output {
    let path = std::env::temp_dir().join(format!("{}-{name}.yaml", stage.stack));
    std::fs::write(&path, plan).expect("a temporary file");
    let output = stage.lastgood(&["apply", &path.to_string_lossy(), "--yes"]).expect("the command starts");
    std::fs::remove_file(&path).expect("it was written");
    output
}

/// A schedule of the stack, by what is in its rule's name, stopped: the test is the only one that ticks.
fn stop_schedules(stage: &Stage) {
    let rules = stage.call("events", "list_rules", json!({})).expect("rules");
    let rules = rules["Rules"].as_array().expect("a list");
    let scheduled: Vec<_> = rules.iter().filter(|rule| !rule["ScheduleExpression"].is_null()).collect();
    assert_eq!(scheduled.len(), 3, "tick, poll and cleanup");
    for rule in scheduled {
        stage.call("events", "disable_rule", json!({"Name": rule["Name"]})).expect("disabled");
    }
    // What was under way is over by then.
    thread::sleep(Duration::from_secs(3));
}

/// A group of two. It is there before the clock goes: to a function, which reads a watch, what comes later is not warm yet.
fn group(world: &World, name: &str) {
    let base = world.base_image();
    let template = world.template(name, &base);
    world.group(name, &by_number(&template, 1), 2);
}

/// A part of the tour.
type Part = fn(&Stage, &tour::Ground, fn(&str)) -> Result<tour::Checks, StageError>;

/// One part, on a stage of its own: all of its checks hold, and there are so many.
fn toured(test: &str, stack: &str, part: Part, checks: usize) {
    if is_left_out(test) {
        return;
    }
    let (stage, ground) = Stage::over(stack, tour::ground).expect("a stage");
    let told = part(&stage, &ground, |line| println!("{line}")).expect("the stage answers");
    assert_eq!(told.failed, Vec::<String>::new());
    assert_eq!(told.passed, checks);
}

#[test]
fn five_backups_through_the_deployed_stack() {
    toured("five_backups_through_the_deployed_stack", "lastgood-tour", tour::five_backups, 20);
}

#[test]
fn three_caches_through_the_deployed_stack() {
    toured("three_caches_through_the_deployed_stack", "lastgood-caches", tour::three_caches, 12);
}

#[test]
fn an_instance_that_ignores_its_shutdown_through_the_deployed_stack() {
    let test = "an_instance_that_ignores_its_shutdown_through_the_deployed_stack";
    toured(test, "lastgood-instance", tour::one_instance, 10);
}

#[test]
fn six_rollouts_through_the_deployed_stack() {
    toured("six_rollouts_through_the_deployed_stack", "lastgood-rollouts", tour::six_rollouts, 28);
}

#[test]
fn the_same_tick_five_times_two_of_them_at_once_makes_one_image() {
    if is_left_out("the_same_tick_five_times_two_of_them_at_once_makes_one_image") {
        return;
    }
    let (stage, ()) = Stage::over("lastgood-ticks", |world| group(world, "web")).expect("a stage");
    stop_schedules(&stage);
    let applied = apply(&stage, "plans", "plans: [{name: web, select: {groups: [web]}, schedule: '* * * * *'}]");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let status: Value =
        serde_json::from_slice(&stage.lastgood(&["status", "--json"]).expect("status").stdout).expect("JSON");
    let slot: lastgood_core::Time = status[0]["next_slot"].as_str().expect("a slot").parse().expect("a time");
    wait_until("the slot comes", || lastgood_core::Time::now() > slot);

    let sample = include_str!("../../events/aws/schedule-rule.json");
    let function = stage.output("BackupTickFunction");
    let tick = |kind: &str| {
        let args = json!({"FunctionName": function, "InvocationType": kind, "Payload": sample});
        stage.call("lambda", "invoke", args).expect("invoked")
    };
    // Two that nobody waits for run side by side, then three one after another.
    tick("Event");
    tick("Event");
    for _ in 0..3 {
        let answer = tick("RequestResponse");
        assert_eq!(answer["FunctionError"], Value::Null, "{answer}");
    }
    wait_until("the image is asked for", || backups(&stage, "web").iter().any(|backup| backup["state"] == "pending"));
    thread::sleep(Duration::from_secs(3));
    let made = backups(&stage, "web");
    assert_eq!(made.iter().filter(|backup| backup["slot"] == json!(slot)).count(), 1);
    assert_eq!(stage.world.calls()["ec2:CreateImage"], made.len(), "one call for each slot: {made:?}");
    let ours = stage.world.images().into_iter().filter(|image| image.name.starts_with("lastgood-web-"));
    assert_eq!(ours.count(), made.len());
}

/// A backup that is asked for, until it has come to rest: published, or held.
fn backup(stage: &Stage, source: &str, number: usize) -> Value {
    let asked = stage.lastgood(&["backup", source]).expect("the command starts");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    wait_until(&format!("backup {number} of {source} is good"), || {
        let made = backups(stage, source);
        made.len() == number && made[0]["state"] == "good"
    });
    backups(stage, source)[0].clone()
}

fn said(stage: &Stage, args: &[&str]) -> String {
    let output = stage.lastgood(args).expect("the command starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn source(stage: &Stage, id: &str) -> Value {
    let told: Value = serde_json::from_str(&said(stage, &["status", "--json"])).expect("JSON");
    let sources = told.as_array().expect("an array");
    sources.iter().find(|source| source["source"] == id).cloned().unwrap_or_default()
}

#[test]
fn operators_are_heard_whatever_the_group_launches_from() {
    if is_left_out("operators_are_heard_whatever_the_group_launches_from") {
        return;
    }
    let (stage, base) = Stage::over("lastgood-operators", |world| {
        let base = world.base_image();
        let template = world.template("web", &base);
        let overrides = vec![Override::of_type("m5.large"), Override::of_type("c5.large")];
        world.mixed_group("web", &by_number(&template, 1), overrides, 2);
        world.tag_group("web", "lastgood", "web");
        group(world, "terraformed");
        base
    })
    .expect("a stage");
    let world = &stage.world;
    let plans = "
plans:
  - {name: web, select: {tags: {lastgood: web}}, schedule: daily, capture: {protect_from_scale_in: true}}
  - {name: images, select: {groups: [terraformed]}, schedule: daily, publish: {ssm: /lastgood/terraformed}}
";
    let applied = apply(&stage, "plans", plans);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));

    // A mixed instances policy, by tag: published, and the rest of the policy is as it was.
    let first = backup(&stage, "web", 1);
    let in_use = || world.group_image("web").map(|image| json!(image));
    wait_until("it is published", || in_use() == Some(first["artifact"].clone()));
    let LaunchFrom::Mixed(policy) = world.group_view("web").expect("there").from else { panic!("a policy") };
    assert_eq!(policy.overrides.len(), 2);
    wait_until("no member is left protected", || {
        world.group_view("web").expect("there").members.iter().all(|member| !member.protected)
    });

    // Somebody takes the group back to version 1: held, until it is released.
    let mut by_hand = policy;
    by_hand.base.version = VersionRef::Number(1);
    let from = Some(LaunchFromText::Mixed((&by_hand).into()));
    let update = UpdateGroup { name: "web".into(), from, ..UpdateGroup::default() };
    world.autoscaling().update_group(&update).expect("version 1 is there");
    let second = backup(&stage, "web", 2);
    wait_until("it is held", || !source(&stage, "group/web")["held"].is_null());
    assert_eq!(in_use(), Some(json!(base)));
    said(&stage, &["release", "web", "--by", "alice"]);
    wait_until("it is published after all", || in_use() == Some(second["artifact"].clone()));

    // What else operators ask.
    let id = second["id"].as_str().expect("an id").to_owned();
    said(&stage, &["pin", &id, "--by", "alice", "--reason", "before 4.2"]);
    wait_until("it is pinned", || backups(&stage, "web")[0]["pinned"]["by"] == "alice");
    said(&stage, &["hold", "web", "--by", "alice", "--reason", "release freeze"]);
    wait_until("it is on hold", || source(&stage, "group/web")["hold"]["reason"] == "release freeze");
    let slot = source(&stage, "group/web")["next_slot"].clone();
    said(&stage, &["skip", "web"]);
    wait_until("the slot is skipped", || source(&stage, "group/web")["next_slot"] != slot);

    // A parameter, for templates that belong to somebody else.
    let made = backup(&stage, "terraformed", 1);
    let value = || {
        let read = stage.call("ssm", "get_parameter", json!({"Name": "/lastgood/terraformed"}));
        read.map(|answer| answer["Parameter"]["Value"].clone()).unwrap_or_default()
    };
    wait_until("the parameter names it", || value() == made["artifact"]);
    assert_ne!(world.group_image("terraformed").map(|image| json!(image)), Some(made["artifact"].clone()));

    // A source that leaves its plan: nobody but the file can say what becomes of its backups.
    let fewer = "plans: [{name: web, select: {tags: {lastgood: web}}, schedule: daily}]";
    let path = std::env::temp_dir().join(format!("{}-fewer.yaml", stage.stack));
    let pruned = |text: &str| {
        std::fs::write(&path, text).expect("a temporary file");
        stage.lastgood(&["apply", &path.to_string_lossy(), "--yes", "--prune"]).expect("the command starts")
    };
    let refused = pruned(fewer);
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("what becomes of the backups of group/terraformed (plan images)?"), "{why}");
    assert!(why.contains("removed:\n  group/terraformed: keep"), "{why}");
    let told = pruned(&format!("{fewer}\nremoved: {{images: delete}}\n"));
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let shown = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(shown.contains("- plan images\n") && shown.contains("- group/terraformed: leaves plan images"), "{shown}");
    std::fs::remove_file(&path).expect("it was written");
}
