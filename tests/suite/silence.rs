//! Silence is a failure: each part of the deployed template is taken away, a day passes as AWS would measure it, and it is
//! shown which alarm or notice says so, by a way that does not lead through the missing part.
//!
//! What AWS measures is written down here once ([`Day::passes`]), from its pages: EventBridge counts the invocations of a
//! rule and those that failed, Lambda those of a function and the events that it dropped, SNS what it delivered. The
//! alarms are the template's own.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use lastgood_tests::stack::STACK;
use lastgood_tests::template::{ACCOUNT, REGION, Template, everything, parameters};
use serde_json::{Value, json};

/// A metric: namespace, name, and its dimensions.
type Metric = (String, String, BTreeMap<String, String>);

/// A deployment without some of its parts.
struct Day<'a> {
    template: &'a Template,
    missing: BTreeSet<&'a str>,
    /// What AWS counted, by hour.
    counted: BTreeMap<Metric, [u64; HOURS]>,
    /// Notices beside the heartbeat that reached somebody.
    notices: BTreeSet<&'static str>,
}

/// How many hours are looked at. The longest alarm needs 25.
const HOURS: usize = 48;

impl<'a> Day<'a> {
    fn without(template: &'a Template, missing: &[&'a str]) -> Self {
        let missing = missing.iter().copied().collect();
        let mut day = Self { template, missing, counted: BTreeMap::new(), notices: BTreeSet::new() };
        (0..HOURS).for_each(|hour| day.passes(hour));
        day
    }

    fn has(&self, part: &str) -> bool {
        self.template.resources.contains_key(part) && !self.missing.contains(part)
    }

    fn count(&mut self, hour: usize, namespace: &str, name: &str, dimensions: &[(&str, &str)], times: u64) {
        let dimensions = dimensions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.counted.entry((namespace.to_owned(), name.to_owned(), dimensions)).or_insert([0; HOURS])[hour] += times;
    }

    /// EventBridge counts by the rule's name, of a bus of one's own by the bus as well (AWS: Monitoring Amazon EventBridge).
    fn count_rule(&mut self, hour: usize, rule: &str, name: &str, times: u64) {
        let (own, bus) =
            (format!("{STACK}-{rule}"), self.template.resources[rule]["Properties"]["EventBusName"].clone());
        let mut dimensions = vec![("RuleName", own.as_str())];
        dimensions.extend(bus.as_str().map(|bus| ("EventBusName", bus)));
        self.count(hour, "AWS/Events", name, &dimensions, times);
    }

    /// One hour: schedules fire, one event comes for every other rule, and Lastgood looks after itself.
    fn passes(&mut self, hour: usize) {
        let rules: Vec<(String, Value)> =
            self.template.of_type("AWS::Events::Rule").map(|(name, rule)| (name.clone(), rule.clone())).collect();
        for (rule, properties) in rules.iter().filter(|(rule, _)| rule != "NoticeRule") {
            let times = match properties["ScheduleExpression"].as_str() {
                Some("rate(1 minute)") => 60,
                Some(_) | None => 1,
            };
            let comes = properties["EventBusName"].is_null() || self.has("Bus");
            if self.has(rule) && comes {
                self.delivers(hour, rule, properties, times);
            }
        }
        if self.runs("RetentionCleanup") && self.has("RetentionCleanupEveryHour") {
            self.watches(hour, &rules);
        }
    }

    /// Whether a function does anything when it is invoked: it, its role, the rights that all have and the table are there.
    fn runs(&self, function: &str) -> bool {
        let parts = [format!("{function}Role"), "RunFunctions".to_owned(), "Table".to_owned()];
        self.has(function) && parts.iter().all(|part| self.has(part))
    }

    fn delivers(&mut self, hour: usize, rule: &str, properties: &Value, times: u64) {
        self.count_rule(hour, rule, "Invocations", times);
        let arn = properties["Targets"][0]["Arn"].as_str().unwrap_or_default();
        let function = arn.rsplit('-').next().unwrap_or_default().to_owned();
        let name = format!("{STACK}-{function}");
        if !self.has(&function) {
            self.keeps_letter(hour, rule, times);
            return;
        }
        self.count(hour, "AWS/Lambda", "Invocations", &[("FunctionName", &name)], times);
        if !self.runs(&function) {
            self.drops(hour, &function, times);
        }
    }

    /// What a rule can't deliver goes to its queue; what can't go there either is counted as that (AWS: Using dead-letter queues
    /// to process undelivered events).
    fn keeps_letter(&mut self, hour: usize, rule: &str, times: u64) {
        if self.has("TargetDeadLetters") && self.has("TargetDeadLettersPolicy") {
            let queue = format!("{STACK}-TargetDeadLetters");
            self.count(hour, "AWS/SQS", "NumberOfMessagesSent", &[("QueueName", &queue)], times);
        } else {
            self.count_rule(hour, rule, "InvocationsFailedToBeSentToDlq", times);
        }
    }

    /// Lambda gives an event up after three tries, and hands it to the queue (AWS: Types of metrics for Lambda functions).
    fn drops(&mut self, hour: usize, function: &str, times: u64) {
        let name = format!("{STACK}-{function}");
        self.count(hour, "AWS/Lambda", "AsyncEventsDropped", &[("FunctionName", &name)], times);
        if !self.has("FunctionDeadLetters") {
            self.count(hour, "AWS/Lambda", "DestinationDeliveryFailures", &[("FunctionName", &name)], times);
        }
    }

    /// `Engine::watch`: what is missing is reported, and fails the function if nobody would hear of it; once a day a heartbeat.
    fn watches(&mut self, hour: usize, rules: &[(String, Value)]) {
        let function = &self.template.resources["RetentionCleanup"]["Properties"]["Environment"]["Variables"];
        let watched = function["LASTGOOD_RULES"].as_str().unwrap_or_default().to_owned();
        let arn = |rule: &str, properties: &Value| match properties["EventBusName"].as_str() {
            Some(bus) => format!("rule/{bus}/{STACK}-{rule}"),
            None => format!("rule/{STACK}-{rule}"),
        };
        let is_watched =
            |rule: &str, properties: &Value| watched.split(',').any(|known| known.ends_with(&arn(rule, properties)));
        let lost = rules.iter().any(|(rule, properties)| !self.has(rule) && is_watched(rule, properties));
        let policies = ["OnlyOperatorsAsk", "OnlyJudgesGiveVerdicts", "OnlyLastgoodReports"];
        let open = policies.iter().any(|policy| !self.has(policy));
        let carries_notices = !self.has("Bus") || (!self.has("NoticeRule") && watched.contains("NoticeRule"));
        if carries_notices {
            self.drops(hour, "RetentionCleanup", 1);
        }
        if (lost || open) && hour == 0 {
            self.notice(hour, Some("the notice Deployment Broken"));
        }
        if hour.is_multiple_of(23) {
            self.notice(hour, None);
        }
    }

    /// A notice goes from the bus by the rule to the topic, and from there to who is subscribed.
    fn notice(&mut self, hour: usize, named: Option<&'static str>) {
        if !self.has("Bus") || !self.has("NoticeRule") {
            return;
        }
        self.count_rule(hour, "NoticeRule", "Invocations", 1);
        if !self.has("Notices") || !self.has("NoticesPolicy") {
            self.keeps_letter(hour, "NoticeRule", 1);
            return;
        }
        if self.has("NoticeEmailSubscription") {
            let topic = format!("{STACK}-Notices");
            self.count(hour, "AWS/SNS", "NumberOfNotificationsDelivered", &[("TopicName", &topic)], 1);
            self.notices.extend(named);
        }
    }

    /// The alarms that go off and reach somebody.
    fn alarms(&self) -> BTreeSet<String> {
        let reach = self.has("Alarms") && self.has("AlarmsPolicy") && self.has("AlarmEmailSubscription");
        let alarms = self.template.of_type("AWS::CloudWatch::Alarm").filter(|(name, _)| reach && self.has(name));
        alarms.filter(|(_, alarm)| self.goes_off(alarm)).map(|(name, _)| name.clone()).collect()
    }

    /// AWS: Using Amazon CloudWatch alarms: every period of the window must breach; what is missing is treated as it says.
    fn goes_off(&self, alarm: &Value) -> bool {
        let metrics = if let Some(many) = alarm["Metrics"].as_array() {
            many.iter()
                .filter(|one| !one["MetricStat"].is_null())
                .map(|one| {
                    assert_eq!(one["MetricStat"]["Stat"], "Sum");
                    (one["MetricStat"]["Metric"].clone(), one["MetricStat"]["Period"].clone())
                })
                .collect()
        } else {
            assert_eq!(alarm["Statistic"], "Sum");
            vec![(alarm.clone(), alarm["Period"].clone())]
        };
        let period = metrics[0].1.as_u64().unwrap_or_default();
        let per_hour = 3600 / period.min(3600);
        let windows = usize::try_from(alarm["EvaluationPeriods"].as_u64().unwrap_or(1)).unwrap_or(1);
        let hours: Vec<Option<u64>> = (0..HOURS)
            .map(|hour| {
                let told = metrics.iter().filter_map(|(metric, _)| self.counted.get(&metric_of(metric)));
                let mut some = None;
                told.for_each(|counted| some = Some(some.unwrap_or(0) + counted[hour]));
                some.filter(|sum| *sum > 0)
            })
            .collect();
        let threshold = alarm["Threshold"].as_u64().unwrap_or_default();
        let breaches = |sum: Option<u64>| match (alarm["ComparisonOperator"].as_str(), sum) {
            (Some("LessThanThreshold"), sum) => {
                sum.map_or(alarm["TreatMissingData"] == "breaching", |sum| sum / per_hour < threshold)
            }
            (Some("GreaterThanThreshold"), sum) => sum.is_some_and(|sum| sum > threshold),
            (Some("GreaterThanOrEqualToThreshold"), sum) => sum.is_some_and(|sum| sum >= threshold),
            (other, _) => panic!("no test judges {other:?}"),
        };
        hours.windows(windows.max(1)).any(|window| window.iter().all(|sum| breaches(*sum)))
    }
}

fn metric_of(metric: &Value) -> Metric {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    let dimensions = dimensions.map(|one| (text(&one["Name"]), text(&one["Value"]))).collect();
    (text(&metric["Namespace"]), text(&metric["MetricName"]), dimensions)
}

/// Parts whose loss is heard only when they would be needed: with which other part missing, too.
const NEEDED_WHEN: [(&str, &str); 3] = [
    ("TargetDeadLetters", "BackupTick"),
    ("TargetDeadLettersPolicy", "BackupTick"),
    ("FunctionDeadLetters", "BackupTickRole"),
];

/// Parts whose loss nothing reports by itself, and why that is so.
fn why_silent(part: &str, kind: &str) -> Option<&'static str> {
    Some(match (part, kind) {
        (_, "AWS::CloudWatch::Alarm") => {
            "an alarm that is gone alarms nobody; CloudFormation's drift detection shows it"
        }
        (_, "AWS::Logs::LogGroup") => "nothing depends on a log group but who reads it; Lambda makes one",
        (_, "AWS::Logs::MetricFilter") => "TroublesAlarm hears less; the failures themselves are heard by the others",
        ("Alarms" | "AlarmsPolicy" | "AlarmEmailSubscription", _) => {
            "`lastgood status` and `lastgood notices test` look at the subscriptions of both topics; notices go on"
        }
        ("RetentionCleanupBackupGood", _) => "the cleanup of the next hour does what it would have done",
        ("OperatorPolicy" | "ReaderPolicy" | "JudgePolicy", _) => "a person is refused, and told so by the command",
        (_, "AWS::IAM::ManagedPolicy") => {
            "its calls are refused: each record says so, with the missing permission, and troubles are counted"
        }
        _ => return None,
    })
}

#[test]
fn what_is_taken_away_is_missed() {
    let template = Template::deployed(STACK, &everything()).expect("the template");
    let whole = Day::without(&template, &[]);
    assert_eq!(whole.alarms(), BTreeSet::new(), "nothing goes off while nothing is missing");
    let delivered = whole.counted.keys().filter(|(_, name, _)| name == "NumberOfNotificationsDelivered").count();
    assert_eq!(delivered, 1, "the heartbeat arrives");
    let mut table = String::new();
    let mut silent = Vec::new();
    for (part, resource) in &template.resources {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let beside = NEEDED_WHEN.iter().find(|(needed, _)| needed == part).map(|(_, beside)| *beside);
        let missing: Vec<&str> = [part.as_str()].into_iter().chain(beside).collect();
        let day = Day::without(&template, &missing);
        let mut answers: BTreeSet<String> = day.alarms();
        answers.extend(day.notices.iter().map(ToString::to_string));
        // What the other part's loss alone raises is no answer to this one's.
        if let Some(beside) = beside {
            let alone = Day::without(&template, &[beside]).alarms();
            answers.retain(|answer| !alone.contains(answer));
        }
        let answers: Vec<String> = answers.into_iter().collect();
        let heard = match (answers.is_empty(), why_silent(part, kind)) {
            (false, _) => answers.join(", "),
            (true, Some(why)) => format!("({why})"),
            (true, None) => {
                silent.push(part.clone());
                "NOTHING".to_owned()
            }
        };
        let when = beside.map_or(String::new(), |beside| format!(" and {beside}"));
        table.push_str(&format!("{part}{when}: {heard}\n"));
    }
    assert!(silent.is_empty(), "nobody hears of the loss of {silent:#?}");
    expect_file!["silence.txt"].assert_eq(&table);
}

#[test]
fn alarms_go_another_way_than_notices() {
    let template = Template::deployed(STACK, &everything()).expect("the template");
    let notices = template.outputs["TopicArn"].clone();
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], json!([template.outputs["AlarmTopicArn"]]), "{name}");
        assert_ne!(alarm["AlarmActions"][0], notices, "{name}");
    }
    let policy = &template.resources["AlarmsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    let may: BTreeSet<&str> = policy["Condition"]["ArnEquals"]["aws:SourceArn"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let all: Vec<String> = template
        .of_type("AWS::CloudWatch::Alarm")
        .map(|(name, _)| format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{STACK}-{name}"))
        .collect();
    assert_eq!(may, all.iter().map(String::as_str).collect(), "the topic takes each alarm of the stack, and no other");
}

#[test]
fn a_stack_that_would_tell_nobody_is_refused() {
    let refused = |given: &[(&str, Value)]| {
        let mut all = everything();
        all.remove("NoticeEmail");
        all.extend(parameters(given));
        let mut refused = Template::deployed(STACK, &all).expect("the template").refused;
        refused.sort();
        refused
    };
    let topic = "arn:aws:sns:us-east-1:123456789012:ours";
    assert_eq!(refused(&[("NoticeEmail", json!("a@example.com"))]), Vec::<String>::new());
    let nobody = refused(&[]);
    assert_eq!(nobody.len(), 2, "{nobody:?}");
    assert!(
        nobody[0].contains("give NoticeEmail or NoticeTopicArn") && nobody[1].contains("give AlarmEmail"),
        "{nobody:?}"
    );
    let no_alarm = refused(&[("NoticeTopicArn", json!(topic))]);
    assert!(matches!(no_alarm.as_slice(), [one] if one.contains("give AlarmEmail or AlarmTopicArn")), "{no_alarm:?}");
    let same = refused(&[("NoticeTopicArn", json!(topic)), ("AlarmTopicArn", json!(topic))]);
    assert!(matches!(same.as_slice(), [one] if one.contains("is the topic of the notices")), "{same:?}");
    let both = refused(&[("NoticeTopicArn", json!(topic)), ("NoticeEmail", json!("a@example.com"))]);
    assert!(matches!(both.as_slice(), [one] if one.contains("not both")), "{both:?}");
    let rollout = refused(&[("NoticeEmail", json!("a@example.com")), ("MayPublish", json!("false"))]);
    assert!(matches!(rollout.as_slice(), [one] if one.contains("MayRollOut needs MayPublish")), "{rollout:?}");
}
