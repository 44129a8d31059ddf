//! End to end, what goes wrong: who may not ask, what can't be read, what AWS refuses, and notices that reach nobody.

use lastgood_tests::python::is_left_out;
use lastgood_tests::stage::Stage;
use serde_json::{Value, json};

use super::{apply, backups, group, wait_until};

#[test]
fn what_goes_wrong_is_told_where_it_belongs() {
    if is_left_out("what_goes_wrong_is_told_where_it_belongs") {
        return;
    }
    let (stage, ()) = Stage::over("lastgood-wrong", |world| {
        group(world, "web");
        group(world, "api");
    })
    .expect("a stage");

    an_unreadable_event_is_logged_with_its_id_and_ends_among_the_dead_letters(&stage);
    a_wrong_plan_is_refused_with_its_place_and_nothing_is_written(&stage);
    the_stack_that_is_said_is_the_one_that_is_meant(&stage);
    a_denied_call_fails_one_backup_with_its_words_and_the_other_goes_on(&stage);
    a_refresh_is_announced(&stage);
    who_may_not_ask_is_refused_and_told(&stage);
    a_notice_that_can_not_be_delivered_raises_an_alarm_that_goes_another_way(&stage);
}

/// What somebody hears who puts an event on the bus.
fn put_as(stage: &Stage, who: &str, kind: &str, detail: &Value) -> String {
    let entry = json!({
        "Source": "lastgood",
        "DetailType": kind,
        "Detail": detail.to_string(),
        "EventBusName": stage.output("BusName"),
    });
    let put = stage.call_as(who, "events", "put_events", json!({"Entries": [entry]}));
    match put {
        Ok(put) => put["Entries"][0]["ErrorCode"].as_str().unwrap_or("taken").to_owned(),
        Err(error) => lastgood_engine::chain(&error),
    }
}

fn who_may_not_ask_is_refused_and_told(stage: &Stage) {
    let hold = json!({"source": "group/api", "by": "somebody"});
    // The stranger's own policy allows everything: the bus refuses, by its own policy.
    let refused = "NotAuthorizedForDetailTypeException";
    assert_eq!(put_as(stage, "stranger", "Hold Requested", &hold), refused);
    assert_eq!(put_as(stage, "stranger", "Backup Good", &hold), refused, "a forged notice");
    assert_eq!(put_as(stage, "stranger", "Checkpoint Verdict", &hold), refused);
    assert_eq!(put_as(stage, "judge", "Operator Verdict", &hold), refused, "a program is no person");
    // The command says who may, and what to do; the source is as it was.
    for who in ["stranger", "reader"] {
        let said = stage.lastgood_as(who, &["hold", "group/api"]).expect("the command");
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success(), "{told}");
        assert!(told.contains("OperatorArns"), "{told}");
    }
    let read = stage.lastgood_as("reader", &["status", "--json"]).expect("the command");
    assert!(read.status.success(), "who may look, looks: {}", String::from_utf8_lossy(&read.stderr));
    let sources: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    assert!(sources.as_array().expect("sources").iter().all(|source| source["hold"].is_null()), "{sources}");
    let held = stage.lastgood(&["hold", "group/api"]).expect("the command");
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
}

fn a_notice_that_can_not_be_delivered_raises_an_alarm_that_goes_another_way(stage: &Stage) {
    let tested = stage.lastgood(&["notices", "test"]).expect("the command");
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
    assert!(said.contains("0 not confirmed"), "{said}");
    let mut notices = Vec::new();
    wait_until("the test notice arrives", || {
        notices.extend(stage.notices().expect("a queue"));
        notices.iter().any(|notice| notice.contains("Notice Test") && notice.contains("notices arrive here"))
    });
    stage.alarms().expect("a queue");
    stage.call("sns", "delete_topic", json!({"TopicArn": stage.output("TopicArn")})).expect("deleted");
    let letters = stage.messages_in("TargetDeadLettersUrl").expect("a queue");
    let lost = stage.lastgood(&["notices", "test"]).expect("the command");
    assert!(!lost.status.success(), "a topic that is gone tells nobody");
    let mut alarms = Vec::new();
    wait_until("the alarm", || {
        alarms.extend(stage.alarms().expect("a queue"));
        alarms.iter().any(|alarm| alarm.contains("UndeliveredAlarm") && alarm.contains("ALARM"))
    });
    assert!(!alarms.iter().any(|alarm| alarm.contains("UnhandledAlarm")), "{alarms:#?}");
    assert!(stage.messages_in("TargetDeadLettersUrl").expect("a queue") > letters, "the notice is kept");
}

fn an_unreadable_event_is_logged_with_its_id_and_ends_among_the_dead_letters(stage: &Stage) {
    let detail = json!({"source": "no such kind/web", "by": "a test"}).to_string();
    let entry = json!({
        "Source": "lastgood",
        "DetailType": "Backup Requested",
        "Detail": detail,
        "EventBusName": stage.output("BusName"),
    });
    let put = stage.call_as("operator", "events", "put_events", json!({"Entries": [entry]})).expect("put");
    let id = put["Entries"][0]["EventId"].as_str().expect("an id").to_owned();
    wait_until("the dead letter", || stage.messages_in("FunctionDeadLettersUrl").expect("a queue") == 1);
    let groups = stage.call("logs", "describe_log_groups", json!({})).expect("log groups");
    let names = groups["logGroups"].as_array().into_iter().flatten().filter_map(|group| group["logGroupName"].as_str());
    let group = names
        .into_iter()
        .find(|name| name.contains("BackupTickLogs"))
        .expect("the log group of backup-tick")
        .to_owned();
    let logs = stage.call("logs", "filter_log_events", json!({"logGroupName": group})).expect("logs");
    let lines = logs["events"].as_array().expect("lines");
    let lines: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    let told =
        lines.iter().any(|line| line.contains(&id) && line.contains("the detail of 'Backup Requested' can't be read"));
    assert!(told, "no line names {id}: {lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{lines:#?}");
}

fn a_wrong_plan_is_refused_with_its_place_and_nothing_is_written(stage: &Stage) {
    let wrong = "plans:\n  - name: web\n    select: {groups: [web, wbe]}\n    schedule: hourly\n";
    let refused = apply(stage, "wrong", wrong);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("-wrong.yaml:3:28: there is no Auto Scaling group 'wbe'"), "{said}");
    assert!(said.contains("Nothing was written."), "{said}");
    let status = stage.lastgood(&["status", "--json"]).expect("status").stdout;
    assert_eq!(String::from_utf8_lossy(&status).trim(), "[]");
}

fn the_stack_that_is_said_is_the_one_that_is_meant(stage: &Stage) {
    let elsewhere = [("LASTGOOD_TABLE", "production"), ("LASTGOOD_BUS", "production")];
    let said = stage.lastgood_in(&elsewhere, &["--stack", &stage.stack, "status", "--json"]).expect("status");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let unsaid = stage.lastgood_in(&elsewhere, &["status"]).expect("status");
    assert!(String::from_utf8_lossy(&unsaid.stderr).contains("table 'production'"), "{unsaid:?}");
    let both = stage.lastgood(&["--stack", "one", "--table", "two", "status"]).expect("status");
    assert_eq!(both.status.code(), Some(2));
}

fn a_denied_call_fails_one_backup_with_its_words_and_the_other_goes_on(stage: &Stage) {
    let plan = "plans: [{name: all, select: {groups: [web, api]}, schedule: daily}]";
    assert!(apply(stage, "all", plan).status.success());
    for member in stage.world.group_view("web").expect("there").members {
        stage.world.deny("ec2:CreateImage", member.instance.as_str());
    }
    for source in ["web", "group/api"] {
        assert!(stage.lastgood(&["backup", source]).expect("asked").status.success());
    }
    wait_until("the other backup is good", || backups(stage, "api").iter().any(|backup| backup["state"] == "good"));
    let failed = backups(stage, "web");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["state"], "failed");
    let reason = failed[0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("ec2:CreateImage is not permitted: UnauthorizedOperation"), "{reason}");
    assert!(reason.contains(":instance/i-"), "{reason}");
    let mut notices = Vec::new();
    wait_until("the notice of the failure", || {
        notices.extend(stage.notices().expect("a queue"));
        notices.iter().any(|notice| notice.contains("Backup Failed") && notice.contains("is not permitted"))
    });
}

fn a_refresh_is_announced(stage: &Stage) {
    let sample: Value =
        serde_json::from_str(include_str!("../../../events/aws/instance-refresh-checkpoint-reached.json"))
            .expect("JSON");
    let entry = json!({
        "Source": sample["source"],
        "DetailType": sample["detail-type"],
        "Detail": sample["detail"].to_string(),
        "Resources": sample["resources"],
    });
    stage.call("events", "put_events", json!({"Entries": [entry]})).expect("put");
    let mut notices = Vec::new();
    wait_until("the checkpoint is announced", || {
        notices.extend(stage.notices().expect("a queue"));
        notices.iter().any(|notice| notice.contains("Checkpoint Reached") && notice.contains("pauses at 50 percent"))
    });
}
