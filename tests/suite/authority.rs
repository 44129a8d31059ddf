//! Who may put what on the bus, judged by the template's own bus policy and by the policies that it hands out.

use std::collections::BTreeSet;

use lastgood_core::incoming::{OPERATOR_REQUESTS, PROGRAM_REQUESTS};
use lastgood_tests::stack::STACK;
use lastgood_tests::template::{ACCOUNT, FUNCTIONS, REGION, Template, everything, parameters};
use lastgood_world::access::{Judged, Need, Policy};
use serde_json::{Value, json};

fn template(given: &[(&str, Value)]) -> Template {
    let mut all = everything();
    all.extend(parameters(given));
    Template::deployed(STACK, &all).expect("the template")
}

/// What an event of that kind needs of the bus, sent by that role.
fn event(kind: &str, role: &str) -> Need {
    Need::new("events:PutEvents", format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{STACK}"))
        .knowing("events:detail-type", kind)
        .knowing("aws:PrincipalArn", format!("arn:aws:iam::{ACCOUNT}:role/{role}"))
}

/// Which statement of the bus refuses it. A principal of the account whose own policy allows everything needs no more.
fn refused_by(bus: &Policy, need: &Need) -> Option<String> {
    match bus.judge(need) {
        Judged::Denied(sid) => Some(sid),
        Judged::Allowed | Judged::NotAllowed => None,
    }
}

const NOTICES: [&str; 4] = ["Backup Good", "Image Published", "Heartbeat", "A Notice Of Tomorrow"];

#[test]
fn each_may_send_what_is_theirs_and_nothing_else() {
    let template = template(&[]);
    let bus = template.bus_policy().expect("it can be judged");
    let functions = FUNCTIONS.map(|function| format!("{STACK}-{function}Role"));
    let stranger = "an-application-with-events-put-events";
    let all: Vec<&str> = OPERATOR_REQUESTS.iter().chain(&PROGRAM_REQUESTS).chain(&NOTICES).copied().collect();
    let mut senders = vec!["operators", "judge", stranger];
    senders.extend(functions.iter().map(String::as_str));
    for sender in senders {
        let sent: BTreeSet<&str> =
            all.iter().copied().filter(|kind| refused_by(&bus, &event(kind, sender)).is_none()).collect();
        let theirs: BTreeSet<&str> = match sender {
            "operators" => OPERATOR_REQUESTS.into(),
            "judge" => PROGRAM_REQUESTS.into(),
            sender if sender == stranger => BTreeSet::new(),
            _ => NOTICES.into(),
        };
        assert_eq!(sent, theirs, "{sender}");
    }
    let why = |kind, role| refused_by(&bus, &event(kind, role));
    assert_eq!(why("Image Change Requested", stranger).as_deref(), Some("OnlyOperatorsAsk"));
    assert_eq!(why("Checkpoint Verdict", "operators").as_deref(), Some("OnlyJudgesGiveVerdicts"));
    assert_eq!(why("Operator Verdict", "judge").as_deref(), Some("OnlyOperatorsAsk"));
    assert_eq!(why("Backup Good", "operators").as_deref(), Some("OnlyLastgoodReports"));
    // A caller of whom AWS tells no principal is nobody that may send.
    let mut nobody = event("Hold Requested", stranger);
    nobody.context.remove("aws:PrincipalArn");
    assert_eq!(refused_by(&bus, &nobody).as_deref(), Some("OnlyOperatorsAsk"));
}

#[test]
fn a_batch_with_one_request_in_it_is_refused_as_a_whole() {
    let bus = template(&[]).bus_policy().expect("it can be judged");
    let batch = event("Backup Good", "an-application").knowing("events:detail-type", "Release Requested");
    assert_ne!(refused_by(&bus, &batch), None);
    let role = format!("{STACK}-BackupTickRole");
    let ours = event("Backup Good", &role).knowing("events:detail-type", "Release Requested");
    assert_eq!(refused_by(&bus, &ours).as_deref(), Some("OnlyOperatorsAsk"));
}

#[test]
fn without_programs_nobody_gives_verdicts_as_one() {
    let bus = template(&[("VerdictArns", json!([""]))]).bus_policy().expect("it can be judged");
    for role in ["judge", "operators", "anybody"] {
        assert_eq!(refused_by(&bus, &event("Checkpoint Verdict", role)).as_deref(), Some("OnlyJudgesGiveVerdicts"));
    }
    assert_eq!(refused_by(&bus, &event("Operator Verdict", "operators")), None);
}

#[test]
fn operators_may_be_those_of_a_permission_set() {
    let pattern = format!("arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Ops_*");
    let bus = template(&[("OperatorArns", json!([pattern]))]).bus_policy().expect("it can be judged");
    // Of an Identity Center that is hosted in us-east-1 the ARN has no region (AWS: Referencing permission sets).
    for region in ["eu-west-1/", ""] {
        let role = format!("aws-reserved/sso.amazonaws.com/{region}AWSReservedSSO_Ops_0123456789abcdef");
        assert_eq!(refused_by(&bus, &event("Hold Requested", &role)), None, "{role}");
    }
    let other = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123456789abcdef";
    assert_eq!(refused_by(&bus, &event("Hold Requested", other)).as_deref(), Some("OnlyOperatorsAsk"));
}

#[test]
fn the_policies_that_are_handed_out_allow_what_the_bus_lets_through() {
    let template = template(&[]);
    for (policy, kinds) in
        [("OperatorPolicy", &OPERATOR_REQUESTS[..]), ("JudgePolicy", &PROGRAM_REQUESTS[..]), ("ReaderPolicy", &[])]
    {
        let policy = template.managed_policy(policy).expect("it can be judged");
        for kind in OPERATOR_REQUESTS.iter().chain(&PROGRAM_REQUESTS).chain(&NOTICES) {
            assert_eq!(policy.judge(&event(kind, "x")).is_allowed(), kinds.contains(kind), "{kind}");
        }
    }
    let reader = template.managed_policy("ReaderPolicy").expect("it can be judged");
    let writes = reader.statements.iter().flat_map(|statement| &statement.actions).find(|action| {
        let verb = action.split(':').nth(1).unwrap_or_default();
        !["Decrypt", "Describe", "Get", "Query", "List"].iter().any(|read| verb.starts_with(read))
    });
    assert_eq!(writes, None, "who only looks changes nothing");
}

#[test]
fn the_lists_of_the_template_are_those_of_the_code() {
    let template = template(&[]);
    let requests = &template.mappings["DetailTypes"]["Requests"];
    assert_eq!(requests["Operators"], json!(OPERATOR_REQUESTS));
    assert_eq!(requests["Programs"], json!(PROGRAM_REQUESTS));
    let all: Vec<&str> = OPERATOR_REQUESTS.iter().chain(&PROGRAM_REQUESTS).copied().collect();
    assert_eq!(requests["All"], json!(all));
    let of = |rule: &str| {
        let rule = &template.resources[rule]["Properties"]["EventPattern"]["detail-type"];
        rule.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let woken: BTreeSet<String> = of("BackupTickRequested").into_iter().chain(of("CheckpointReachedAsked")).collect();
    assert_eq!(woken, all.iter().map(|kind| (*kind).to_owned()).collect(), "each request wakes a function");
    assert_eq!(of("BackupTickRequested").intersection(&of("CheckpointReachedAsked")).count(), 0, "and one alone");
}

#[test]
fn what_is_not_wanted_brings_no_permission() {
    let actions = |given: &[(&str, Value)]| -> BTreeSet<String> {
        let roles = template(given).roles().expect("they can be judged");
        roles.values().flat_map(|policy| &policy.statements).flat_map(|statement| statement.actions.clone()).collect()
    };
    let off = json!("false");
    let all = actions(&[]);
    let least = actions(&[
        ("MayPublish", off.clone()),
        ("MayRollOut", off.clone()),
        ("MayStop", off.clone()),
        ("MayBackUpCaches", off.clone()),
    ]);
    let forbidden = [
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:StartInstanceRefresh",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:ModifyLaunchTemplate",
        "ec2:RunInstances",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "elasticache:CreateSnapshot",
        "elasticache:DeleteSnapshot",
        "iam:PassRole",
        "kms:CreateGrant",
        "ssm:PutParameter",
    ];
    for action in forbidden {
        assert!(all.contains(action), "{action} is granted where it is wanted");
        assert!(!least.contains(action), "{action} is granted where nothing is wanted but images");
    }
    assert!(!actions(&[("MayRollOut", off.clone())]).contains("autoscaling:StartInstanceRefresh"));
    assert!(!actions(&[("MayStop", off.clone())]).contains("ec2:StopInstances"));
    assert!(
        !actions(&[("InstanceRoleArns", json!([""]))]).contains("iam:PassRole"),
        "no role is passed unless it is named"
    );
    let passed = template(&[]).roles().expect("they can be judged");
    let roles = passed
        .values()
        .flat_map(|policy| &policy.statements)
        .filter(|one| one.actions.contains(&"iam:PassRole".to_owned()));
    for statement in roles {
        assert!(statement.resources.iter().all(|arn| arn.contains(":role/web-")), "{statement:?}");
    }
}
