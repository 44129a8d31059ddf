//! What each function may, judged both ways against what it needs: nothing lacks, nothing is too much, and no condition is
//! wider than it must be.
//!
//! What is needed comes from days of chaos, in which the world judges every call by the role's own statements; what AWS
//! asks for that no call of ours shows is written down here. A twin of a need is the same need with one fact changed
//! (another stack's tag, another account, a request instead of a notice): whatever allows a twin is too wide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use lastgood_core::facts::VersionRef;
use lastgood_core::incoming::{ImageChangeRequested, OPERATOR_REQUESTS, PROGRAM_REQUESTS};
use lastgood_core::rollout::{Judge, Verdict};
use lastgood_tests::stack::{Invocation, STACK, Stack};
use lastgood_tests::template::{ACCOUNT, FUNCTIONS, REGION, roles};
use lastgood_world::access::{Condition, Effect, Need, Policy, Statement};
use lastgood_world::{CacheShape, World};

use crate::chaos::days;
use crate::rollouts::{STEPS, followed, numbered};

type Uses = BTreeSet<(&'static str, Need)>;

/// What AWS asks of the functions' roles without a call of ours, and where that is said.
fn beside(function: &str) -> Vec<Need> {
    let stream = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{STACK}-{function}Logs:*");
    let key = |action: &str, service: &str| {
        let need = Need::new(action, format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/own"));
        need.knowing("kms:ViaService", format!("{service}.{REGION}.amazonaws.com"))
    };
    let mut needs = vec![
        // AWS: Sending Lambda function logs to CloudWatch Logs. The group is there.
        Need::new("logs:CreateLogStream", &stream),
        Need::new("logs:PutLogEvents", &stream),
        // AWS: Capturing records of Lambda asynchronous invocations.
        Need::new("sqs:SendMessage", format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-FunctionDeadLetters")),
        // AWS: Lambda, environment variables under a key of one's own.
        key("kms:Decrypt", "lambda"),
    ];
    // AWS: DynamoDB encryption at rest, using IAM and a customer managed key.
    let of_table = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];
    needs.extend(of_table.map(|action| key(action, "dynamodb")));
    // AWS: Encrypting EventBridge event buses with a customer managed key.
    needs.extend(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"].map(|action| key(action, "events")));
    // AWS: Giving Lambda functions access to resources in a VPC; and tracing with X-Ray.
    needs.extend(LAMBDA_IN_SUBNETS.map(|action| Need::new(action, "*")));
    needs.extend(["xray:PutTelemetryRecords", "xray:PutTraceSegments"].map(|action| Need::new(action, "*")));
    needs
}

/// What Lambda does in a function's name to run it in subnets.
const LAMBDA_IN_SUBNETS: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

/// Grants that no day shows, with the reason. One that is not there, or that a day shows, is wrong.
const NOT_SHOWN: [(&str, &str, &str); 11] = [
    ("CouldLaunch", "placement-group", "AWS asks for it of templates that name one; the world's name none"),
    ("CouldLaunch", "capacity-reservation", "so too"),
    ("CouldLaunch", "resource-groups", "so too, of groups of reservations and of hosts"),
    ("CouldLaunch", "license-manager", "so too"),
    ("CouldLaunchImages", "snapshot/", "AWS asks for it of templates that map a device with a snapshot"),
    (
        "CouldResolveItsImage",
        "parameter/images/",
        "AWS asks for it of overrides with a template that takes a parameter",
    ),
    ("CouldTagWhatItLaunches", "spot-instances-request", "AWS asks for it of templates that tag their Spot requests"),
    ("StartAgain", "resource-groups", "AWS asks for it of instances in a resource group; the world has none"),
    ("CouldResolveItsImage", "parameter/aws/", "AWS asks for it of templates that take a public parameter"),
    ("CouldLaunch", "security-group", "AWS asks for it of templates that name one; those of chaos name none"),
    ("CouldLaunch", "key-pair", "so too"),
];

/// The changes that the test below does not see: the same action is needed on the same resources under other conditions,
/// and of KMS nothing but keys can be described.
const NOT_SEEN: [&str; 10] = [
    "BackupTick, ImageFromInstance: with ec2:StartInstances",
    "BackupTick, SnapshotKeyIsDescribed: on * instead of arn:aws:kms:us-east-1:*:key/*",
    "BackupTick, Stop: with ec2:StartInstances",
    "CheckpointReached, PublishToTemplate: with ec2:RunInstances",
    "SnapshotPoll, ImageFromInstance: with ec2:RunInstances",
    "SnapshotPoll, ImageFromInstance: with ec2:StartInstances",
    "SnapshotPoll, SnapshotKeyIsDescribed: on * instead of arn:aws:kms:us-east-1:*:key/*",
    "SnapshotPoll, Stop: with ec2:RunInstances",
    "SnapshotPoll, Stop: with ec2:StartInstances",
    "SnapshotPoll, PublishToTemplate: with ec2:RunInstances",
];

fn not_shown(sid: &str, resource: &str) -> bool {
    NOT_SHOWN.iter().any(|(of, part, _)| *of == sid && resource.contains(part))
}

/// What is needed: of days, and beside them.
fn uses() -> &'static Uses {
    static USES: OnceLock<Uses> = OnceLock::new();
    USES.get_or_init(|| {
        let mut all: Uses = days().iter().flat_map(|(_, day)| day.used.iter().cloned()).collect();
        all.extend(told_of_alarms());
        all.extend(lost_serverless_cache());
        all.extend(held_and_judged());
        for function in FUNCTIONS {
            all.extend(beside(function).into_iter().map(|need| (function, need)));
        }
        // One need of each shape is enough: of what is alike but for ids the first stands for all.
        let mut shapes = BTreeSet::new();
        all.into_iter().filter(|(role, need)| shapes.insert((*role, shape(need)))).collect()
    })
}

/// Refreshes that AWS watches alarms for, begun by the poll for a backup and by checkpoint-reached for an operator: days of
/// chaos have none.
fn told_of_alarms() -> Uses {
    let scene = followed(2, VersionRef::Number(1), &format!("{STEPS}, alarms: [web-errors]"));
    let stack = &scene.stack;
    stack.request("group/web");
    stack.run(90);
    let asked = ImageChangeRequested {
        source: "group/web".parse().expect("a source"),
        image: stack.world.base_image(),
        refresh: true,
        by: "an operator".parse().expect("a name"),
        reason: None,
    };
    stack.invoke(Invocation::ImageChange(stack.world.time(), asked));
    stack.run(30);
    stack.world.access().used()
}

/// A serverless cache that is deleted, whose backups go: whether it is back is looked at before.
fn lost_serverless_cache() -> Uses {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let id = world.put_cache("catalog", CacheShape::Serverless);
    world.may_retire("serverless-cache/catalog");
    let stack = Stack::new(world);
    let plan = "plans: [{name: c, select: {serverless_caches: [catalog]}, schedule: daily, on_source_deleted: delete}]";
    stack.apply(plan).expect("applied");
    stack.request("serverless-cache/catalog");
    stack.run(60);
    stack.world.delete_cache(&id);
    stack.run(26 * 60);
    stack.world.access().used()
}

/// A rollout that is held by the poll, and goes on when a person says so, which wakes checkpoint-reached.
fn held_and_judged() -> Uses {
    let scene = numbered(4, &format!("{STEPS}, verdict: {{by: [person], within: 5m, otherwise: hold}}"));
    scene.back_up(15);
    scene.judge(Verdict::GoOn, Judge::Person, None);
    scene.stack.world.access().used()
}

/// A need without the ids in it.
fn shape(need: &Need) -> (String, String, Vec<(String, String)>) {
    let kind = match need.resource.rsplit_once(['/', ':']) {
        Some((kind, _)) => kind.to_owned(),
        None => need.resource.clone(),
    };
    let keys = need.context.iter().filter(|(key, _)| is_judged(key));
    let said = |key: &str, values: &[String]| if key == "kms:ViaService" { values.join(" ") } else { String::new() };
    let keys = keys.map(|(key, values)| (key.clone(), said(key, values))).collect();
    (need.action.clone(), kind, keys)
}

/// Tags of other names steer nothing.
fn is_judged(key: &str) -> bool {
    !key.starts_with("aws:RequestTag/") && !key.starts_with("aws:ResourceTag/") || key.ends_with("lastgood:managed-by")
}

/// The needs that must be refused because this one is allowed.
fn twins(need: &Need) -> Vec<Need> {
    let mut twins = Vec::new();
    let mut with = |key: &str, values: Option<Vec<String>>| {
        let mut twin = need.clone();
        match values {
            Some(values) => twin.context.insert(key.to_owned(), values),
            None => twin.context.remove(key),
        };
        twins.push(twin);
    };
    for key in need.context.keys().filter(|key| is_judged(key)) {
        match key.as_str() {
            "events:detail-type" => {
                let requests = OPERATOR_REQUESTS.iter().chain(&PROGRAM_REQUESTS);
                requests.for_each(|request| with(key, Some(vec![(*request).to_owned()])));
            }
            "events:source" => {}
            "kms:ViaService" => {
                with(key, None);
                with(key, Some(vec![format!("s3.{REGION}.amazonaws.com")]));
            }
            _ => {
                with(key, None);
                with(key, Some(vec!["something-else".to_owned()]));
            }
        }
    }
    if LAMBDA_IN_SUBNETS.contains(&need.action.as_str()) {
        // The code of a function, not Lambda.
        with("lambda:SourceFunctionArn", Some(vec![format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:any")]));
    }
    // Reads that AWS knows no resource of are of everything.
    let verb = need.action.split_once(':').map_or("", |(_, verb)| verb);
    let has_resource = ["dynamodb:", "events:"].iter().any(|service| need.action.starts_with(service));
    let is_read = !has_resource && ["Describe", "List"].iter().any(|read| verb.starts_with(read));
    if !is_read
        && !matches!(need.action.as_str(), "tag:GetResources" | "cloudwatch:GetMetricData")
        && need.resource != "*"
    {
        let mut elsewhere = |from: &str, to: &str| {
            if need.resource.contains(from) {
                twins.push(Need { resource: need.resource.replace(from, to), ..need.clone() });
            }
        };
        elsewhere(&format!(":{REGION}:"), ":eu-west-1:");
        // A parameter and a key may be another account's, and images and snapshots have none.
        if !matches!(need.action.as_str(), "ssm:GetParameter" | "kms:CreateGrant" | "kms:DescribeKey") {
            elsewhere(&format!(":{ACCOUNT}:"), ":999999999999:");
        }
        elsewhere(":role/web-", ":role/admin-");
        elsewhere(&format!("{STACK}-"), "another-");
        elsewhere(&format!("event-bus/{STACK}"), "event-bus/default");
        if need.action == "ssm:PutParameter" || need.action == "ssm:GetParameters" {
            elsewhere("parameter/images/", "parameter/secrets/");
        }
    }
    twins
}

/// What is wrong with the roles, measured by what is needed.
fn findings(roles: &BTreeMap<&'static str, Policy>, uses: &Uses) -> Vec<String> {
    let mut findings = Vec::new();
    for (role, need) in uses {
        if !roles[role].judge(need).is_allowed() {
            findings.push(format!("{role} lacks: {need}"));
            continue;
        }
        let too_wide = twins(need).into_iter().filter(|twin| roles[role].judge(twin).is_allowed());
        findings.extend(too_wide.map(|twin| format!("{role} is too wide: {twin}")));
    }
    for (role, policy) in roles {
        let needs: Vec<&Need> = uses.iter().filter(|(of, _)| of == role).map(|(_, need)| need).collect();
        for statement in &policy.statements {
            findings.extend(not_needed(role, statement, &needs));
        }
    }
    for (sid, part, _) in &NOT_SHOWN {
        let is_there = |statement: &Statement| {
            statement.sid == *sid && statement.resources.iter().any(|resource| resource.contains(part))
        };
        if !roles.values().flat_map(|policy| &policy.statements).any(is_there) {
            findings.push(format!("{sid} has no {part} any more: take it out of the list"));
        }
    }
    findings
}

/// What a statement allows that nothing needs: each action, on each resource.
fn not_needed(role: &str, statement: &Statement, needs: &[&Need]) -> Vec<String> {
    if statement.effect == Effect::Deny {
        return Vec::new();
    }
    let mut found = Vec::new();
    for action in &statement.actions {
        if action.contains('*') {
            found.push(format!("{role}: {action} names no action ({})", statement.sid));
        }
        for resource in &statement.resources {
            let one =
                Statement { actions: vec![action.clone()], resources: vec![resource.clone()], ..statement.clone() };
            let one = Policy { statements: vec![one] };
            let is_needed = needs.iter().any(|need| one.judge(need).is_allowed());
            if !is_needed && !not_shown(&statement.sid, resource) {
                found.push(format!("{role}: nothing needs {action} on {resource} ({})", statement.sid));
            }
        }
    }
    found
}

#[test]
fn each_role_has_what_its_function_needs_and_nothing_else() {
    let findings = findings(&roles(), uses());
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Every way in which one statement may be made narrower or wider by a word.
fn changed(policy: &Policy, statement: &Statement, actions: &BTreeSet<String>) -> Vec<(String, Statement)> {
    let mut all = Vec::new();
    let mut change = |what: String, statement: Statement| all.push((what, statement));
    for (index, action) in statement.actions.iter().enumerate() {
        let mut less = statement.clone();
        less.actions.remove(index);
        change(format!("without {action}"), less);
    }
    for action in actions.iter().filter(|action| !has_already(policy, statement, action)) {
        let mut more = statement.clone();
        more.actions.push(action.clone());
        change(format!("with {action}"), more);
    }
    let service = |action: &String| format!("{}:*", action.split(':').next().unwrap_or_default());
    let mut whole = statement.clone();
    whole.actions = statement.actions.iter().map(service).collect();
    change("with all actions of its services".to_owned(), whole);
    for index in 0..statement.resources.len() {
        if statement.resources[index] != "*" {
            let mut wider = statement.clone();
            "*".clone_into(&mut wider.resources[index]);
            change(format!("on * instead of {}", statement.resources[index]), wider);
        }
    }
    for (index, condition) in statement.conditions.iter().enumerate() {
        let mut without = statement.clone();
        without.conditions.remove(index);
        change(format!("without its condition on {}", condition.key), without);
        let mut wider = statement.clone();
        let is_negated = condition.operator.contains("Not");
        let values = if is_negated { vec!["nothing".to_owned()] } else { vec!["*".to_owned()] };
        let operator = condition.operator.replace("StringEquals", "StringLike");
        wider.conditions[index] = Condition { operator, values, ..condition.clone() };
        change(format!("with any {}", condition.key), wider);
    }
    all
}

/// Whether the policy allows an action already on whatever a statement is for, so that to add it there changes nothing.
fn has_already(policy: &Policy, statement: &Statement, action: &String) -> bool {
    let covers = |other: &&Statement| {
        other.effect == Effect::Allow
            && other.actions.contains(action)
            && (other.resources == statement.resources || other.resources == ["*"])
            && (other.conditions == statement.conditions || other.conditions.is_empty())
    };
    statement.actions.contains(action) || policy.statements.iter().any(|other| covers(&other))
}

#[test]
fn no_action_can_be_taken_away_or_added_and_no_condition_widened_unseen() {
    let (roles, uses) = (roles(), uses());
    let used = uses.iter().map(|(_, need)| need.action.clone());
    let dangerous = ["ec2:TerminateInstances", "iam:CreateRole", "s3:GetObject", "dynamodb:DeleteItem"];
    let actions: BTreeSet<String> = used.chain(dangerous.map(str::to_owned)).collect();
    let mut unseen = Vec::new();
    let mut seen = 0;
    for (role, policy) in roles.iter() {
        let own: Uses = uses.iter().filter(|(of, _)| of == role).cloned().collect();
        for (index, statement) in policy.statements.iter().enumerate() {
            let deny = statement.effect == Effect::Deny;
            // What the world never asks for shows nothing: see NOT_SHOWN.
            let never = statement.resources.iter().all(|resource| not_shown(&statement.sid, resource));
            let changes = if deny || never { Vec::new() } else { changed(policy, statement, &actions) };
            for (what, changed) in changes {
                let mut one: Policy = policy.clone();
                one.statements[index] = changed;
                let alone: BTreeMap<&'static str, Policy> = BTreeMap::from([(*role, one)]);
                let found = findings(&alone, &own).into_iter().any(|found| !found.contains("any more"));
                if found {
                    seen += 1;
                } else {
                    unseen.push(format!("{role}, {}: {what}", statement.sid));
                }
            }
        }
    }
    assert_eq!(unseen, NOT_SEEN);
    assert!(seen > 1_000, "only {seen} changes were tried");
}

#[test]
fn secrets_stay_encrypted() {
    for (role, policy) in roles().iter() {
        let need = Need::new("kms:Decrypt", format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1"));
        let need = need.knowing("kms:ViaService", format!("ssm.{REGION}.amazonaws.com"));
        let denied = lastgood_world::access::Judged::Denied("NoSecrets".to_owned());
        assert_eq!(policy.judge(&need), denied, "{role}");
    }
}
