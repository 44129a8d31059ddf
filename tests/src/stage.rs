//! A deployment of real binaries on one machine: MiniStack plays Lambda, EventBridge, DynamoDB, SNS and CloudFormation,
//! the world's door plays EC2, Auto Scaling and ElastiCache, and the deployed template is the one of `infra/`.
//!
//! Everything listens on 127.0.0.1. MiniStack ends when its standard input does, so it cannot outlive this process.

mod built;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lastgood_core::Time;
use lastgood_world::door::{self, Door, DoorTime};
use lastgood_world::{Settings, World};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub use self::built::StageError;
use self::built::archives;
use crate::clock::FastClock;
use crate::ministack::MiniStack;
use crate::package::point_at_package;
use crate::python::{self, Boto};
use crate::template::ACCOUNT;

/// The functions: name in the template, binary.
pub const FUNCTIONS: [(&str, &str); 4] = [
    ("BackupTick", "backup-tick"),
    ("SnapshotPoll", "snapshot-poll"),
    ("CheckpointReached", "checkpoint-reached"),
    ("RetentionCleanup", "retention-cleanup"),
];
/// How much faster the deployed `rate()` schedules go than a watch.
const SCHEDULE_SPEED: i64 = 20;
/// How much faster the world's clock goes than a watch. The functions read a watch.
pub const WORLD_SPEED: i64 = 20;
/// How long the stack may take to be created.
const DEPLOY_SECONDS_MAX: u64 = 60;
/// Who there is beside the account's root: who may ask, who may look, who may judge, and one whose own policy allows
/// everything and of whom the stack knows nothing.
const PEOPLE: [&str; 4] = ["operator", "reader", "judge", "stranger"];
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A running deployment.
#[derive(Debug)]
pub struct Stage {
    /// EC2 and Auto Scaling.
    pub world: Arc<World>,
    /// The name of the deployed stack.
    pub stack: String,
    /// Where MiniStack listens.
    pub endpoint: String,
    /// The queue behind the topic.
    pub queue: String,
    boto: Arc<Mutex<Boto>>,
    outputs: Value,
    /// The access keys of those who are not the account's root: [`PEOPLE`].
    keys: BTreeMap<&'static str, (String, String)>,
    /// The queue behind the topic of alarms.
    alarms: String,
    door: Option<Door>,
    runtime: Option<Runtime>,
    ministack: Mutex<MiniStack>,
    pump: Option<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
}

impl Stage {
    /// Builds the binaries (those of the functions only if `LASTGOOD_ARCHIVES` names no archives), starts both servers and
    /// deploys the template. `name` is the stack's. The world is prepared first: its clock stands still until everything is
    /// deployed.
    pub fn over<T>(name: &str, prepare: impl FnOnce(&World) -> T) -> Result<(Self, T), StageError> {
        let target = python::target_dir()?;
        let python = python::environment()?;
        let archives = archives(&target)?;
        let folder = target.join("stage").join(name);
        fs::create_dir_all(&folder).map_err(machine("the stage's folder"))?;

        let world = Arc::new(World::with(Time::now(), pace()));
        let prepared = prepare(&world);
        let clock = Arc::new(FastClock::at(world.time(), WORLD_SPEED));
        let runtime = Runtime::new().map_err(machine("the runtime of the world's door"))?;
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let followed = Arc::clone(&clock);
        let time = DoorTime::Follows(Arc::new(move || followed.now()));
        let door =
            runtime.block_on(door::open(Arc::clone(&world), address, time)).map_err(machine("the world's door"))?;

        let log = folder.join("ministack.log");
        let ministack = MiniStack::start(&python, SCHEDULE_SPEED, &door.url(), &log).map_err(machine("MiniStack"))?;
        let mut boto = Boto::start()?;
        if !ministack.wait_ready(&mut boto) {
            return Err(StageError::NotReady(log));
        }
        let mut stage = Self {
            world,
            stack: name.to_owned(),
            endpoint: ministack.url(),
            queue: String::new(),
            boto: Arc::new(Mutex::new(boto)),
            outputs: Value::Null,
            keys: BTreeMap::new(),
            alarms: String::new(),
            door: Some(door),
            runtime: Some(runtime),
            ministack: Mutex::new(ministack),
            pump: None,
            stopped: Arc::new(AtomicBool::new(false)),
        };
        stage.deploy(&archives)?;
        stage.queue = stage.subscribe("operator", "TopicArn")?;
        stage.alarms = stage.subscribe("on-call", "AlarmTopicArn")?;
        clock.begin();
        stage.pump = Some(stage.pump_events(clock));
        Ok((stage, prepared))
    }

    /// One call to MiniStack, by boto3's names.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the arguments in place")]
    pub fn call(&self, service: &str, call: &str, args: Value) -> Result<Value, StageError> {
        self.call_at(&self.endpoint, service, call, args.clone())
    }

    /// The same as somebody: [`PEOPLE`].
    #[expect(clippy::needless_pass_by_value, reason = "callers write the arguments in place")]
    pub fn call_as(&self, who: &str, service: &str, call: &str, args: Value) -> Result<Value, StageError> {
        let mut boto = self.boto.lock().unwrap_or_else(PoisonError::into_inner);
        boto.call_as(&self.keys[who], service, &self.endpoint, call, args.clone())
            .map_err(|source| StageError::Call { call: format!("{service} {call}"), source })
    }

    /// One call to the world's door, by boto3's names.
    pub fn call_world(&self, service: &str, call: &str, args: Value) -> Result<Value, StageError> {
        self.call_at(&self.door_url(), service, call, args)
    }

    fn call_at(&self, endpoint: &str, service: &str, call: &str, args: Value) -> Result<Value, StageError> {
        let mut boto = self.boto.lock().unwrap_or_else(PoisonError::into_inner);
        boto.call(service, endpoint, call, args)
            .map_err(|source| StageError::Call { call: format!("{service} {call}"), source })
    }

    /// Where EC2 and Auto Scaling listen.
    pub fn door_url(&self) -> String {
        self.door.as_ref().map(Door::url).unwrap_or_default()
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> String {
        let outputs = self.outputs.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = outputs.iter().find(|output| output["OutputKey"] == name);
        found.and_then(|output| output["OutputValue"].as_str()).unwrap_or_default().to_owned()
    }

    /// Runs the operator's command against the stack.
    pub fn lastgood(&self, args: &[&str]) -> Result<Output, StageError> {
        self.lastgood_in(&[], args)
    }

    /// The same, in a shell that has these variables too.
    pub fn lastgood_in(&self, variables: &[(&str, &str)], args: &[&str]) -> Result<Output, StageError> {
        let binary = python::target_dir()?.join("debug/lastgood");
        let mut command = Command::new(binary);
        command.args(args).env_clear().envs(self.operator_environment()).envs(variables.iter().copied());
        command.stdin(Stdio::null());
        command.output().map_err(machine("the lastgood command"))
    }

    /// Runs the command as somebody: [`PEOPLE`].
    pub fn lastgood_as(&self, who: &str, args: &[&str]) -> Result<Output, StageError> {
        let (key, secret) = &self.keys[who];
        self.lastgood_in(&[("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)], args)
    }

    /// What an operator's shell needs to speak to this stage.
    pub fn operator_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ENDPOINT_URL_EC2", self.door_url()),
            ("AWS_ENDPOINT_URL_AUTO_SCALING", self.door_url()),
            ("AWS_ENDPOINT_URL_ELASTICACHE", self.door_url()),
            ("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", self.door_url()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.keys["operator"].0.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.keys["operator"].1.clone()),
            ("LASTGOOD_STACK", self.stack.clone()),
        ]
    }

    /// The notices that reached the queue since the last time: what a person would read.
    pub fn notices(&self) -> Result<Vec<String>, StageError> {
        self.received(&self.queue)
    }

    /// The alarms that reached their own queue since the last time.
    pub fn alarms(&self) -> Result<Vec<String>, StageError> {
        self.received(&self.alarms)
    }

    fn received(&self, queue: &str) -> Result<Vec<String>, StageError> {
        let mut notices = Vec::new();
        loop {
            let args = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
            let told = self.call("sqs", "receive_message", args)?;
            let Some(messages) = told["Messages"].as_array().filter(|messages| !messages.is_empty()) else {
                return Ok(notices);
            };
            for message in messages {
                notices.push(message["Body"].as_str().unwrap_or_default().to_owned());
                let args = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
                self.call("sqs", "delete_message", args)?;
            }
        }
    }

    /// How many messages lie in a queue of the stack, by the name of the output that has its address.
    pub fn messages_in(&self, output: &str) -> Result<u64, StageError> {
        let args = json!({"QueueUrl": self.output(output), "AttributeNames": ["ApproximateNumberOfMessages"]});
        let told = self.call("sqs", "get_queue_attributes", args)?;
        let count = told["Attributes"]["ApproximateNumberOfMessages"].as_str().and_then(|count| count.parse().ok());
        Ok(count.unwrap_or_default())
    }

    /// Stops MiniStack and what it started, now: whoever still waits for an answer gets an error.
    pub fn stop_servers(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.ministack.lock().unwrap_or_else(PoisonError::into_inner).stop();
    }

    /// Uploads the functions as `sam package` does, and creates the stack.
    fn deploy(&mut self, archives: &[PathBuf]) -> Result<(), StageError> {
        let path = Path::new(ROOT).join("infra/template.yaml");
        let mut template = fs::read_to_string(&path).map_err(machine("infra/template.yaml"))?;
        self.call("s3", "create_bucket", json!({"Bucket": "code"}))?;
        for ((logical, binary), archive) in FUNCTIONS.iter().zip(archives) {
            let body = json!({"$file": archive});
            let key = format!("{binary}.zip");
            self.call("s3", "put_object", json!({"Bucket": "code", "Key": key, "Body": body}))?;
            template = point_at_package(&template, logical, &key);
        }
        assert!(!template.contains("CodeUri: ..\n"), "a function of the template that is not packaged");
        // From a bucket, as `sam deploy` does: in the call itself a template may have 51,200 bytes (AWS: CreateStack).
        let body = json!({"Bucket": "code", "Key": "template.yaml", "Body": template});
        self.call("s3", "put_object", body)?;
        for who in PEOPLE {
            self.call("iam", "create_user", json!({"UserName": who}))?;
            let key = self.call("iam", "create_access_key", json!({"UserName": who}))?["AccessKey"].clone();
            let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
            self.keys.insert(who, (text("AccessKeyId"), text("SecretAccessKey")));
        }
        let user = |who: &str| format!("arn:aws:iam::{ACCOUNT}:user/{who}");
        let parameters = [
            ("Architecture", "x86_64".to_owned()),
            ("NoticeEmail", "operators@example.com".to_owned()),
            ("OperatorArns", user("operator")),
            ("VerdictArns", user("judge")),
            ("MayRollOut", "true".to_owned()),
            ("MayStop", "true".to_owned()),
        ];
        let parameter = |(name, value)| json!({"ParameterKey": name, "ParameterValue": value});
        let create = json!({
            "StackName": self.stack,
            "TemplateURL": format!("{}/code/template.yaml", self.endpoint),
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": parameters.map(parameter),
        });
        self.call("cloudformation", "create_stack", create)?;
        let deadline = Instant::now() + Duration::from_secs(DEPLOY_SECONDS_MAX);
        loop {
            let told = self.call("cloudformation", "describe_stacks", json!({"StackName": self.stack}))?;
            let stack = &told["Stacks"][0];
            let status = stack["StackStatus"].as_str().unwrap_or_default();
            if status == "CREATE_COMPLETE" {
                self.outputs = stack["Outputs"].clone();
                return self.attach_policies();
            }
            if !status.ends_with("IN_PROGRESS") || Instant::now() > deadline {
                let reason = stack["StackStatusReason"].as_str().unwrap_or("no reason given").to_owned();
                return Err(StageError::Stack { status: status.to_owned(), reason });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The stack's own policies, for those that they are made for; and somebody whose application may do anything.
    fn attach_policies(&self) -> Result<(), StageError> {
        for (who, policy) in [
            ("operator", "OperatorPolicyArn"),
            ("operator", "ReaderPolicyArn"),
            ("reader", "ReaderPolicyArn"),
            ("judge", "JudgePolicyArn"),
        ] {
            let attach = json!({"UserName": who, "PolicyArn": self.output(policy)});
            self.call("iam", "attach_user_policy", attach)?;
        }
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let put = json!({"UserName": "stranger", "PolicyName": "all", "PolicyDocument": all.to_string()});
        self.call("iam", "put_user_policy", put).map(|_| ())
    }

    /// A queue behind a topic, as a person's mailbox would be; its address.
    fn subscribe(&self, name: &str, topic: &str) -> Result<String, StageError> {
        let queue = self.open_queue(&format!("{}-{name}", self.stack))?;
        let args = json!({"QueueUrl": queue, "AttributeNames": ["QueueArn"]});
        let arn = self.call("sqs", "get_queue_attributes", args)?["Attributes"]["QueueArn"].clone();
        let subscribe = json!({
            "TopicArn": self.output(topic),
            "Protocol": "sqs",
            "Endpoint": arn,
            "Attributes": {"RawMessageDelivery": "true"},
        });
        self.call("sns", "subscribe", subscribe)?;
        Ok(queue)
    }

    /// A queue that topics and rules may send to; its address.
    pub fn open_queue(&self, name: &str) -> Result<String, StageError> {
        let may = json!({
            "Effect": "Allow",
            "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [may]}).to_string();
        let create = json!({"QueueName": name, "Attributes": {"Policy": policy}});
        let queue = self.call("sqs", "create_queue", create)?;
        Ok(queue["QueueUrl"].as_str().unwrap_or_default().to_owned())
    }

    /// Puts what happens in the world on the default bus, as EC2 does.
    fn pump_events(&self, clock: Arc<FastClock>) -> JoinHandle<()> {
        let (world, boto) = (Arc::clone(&self.world), Arc::clone(&self.boto));
        let (stopped, endpoint) = (Arc::clone(&self.stopped), self.endpoint.clone());
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                world.advance_to(clock.now());
                let entries: Vec<Value> = world.take_events().iter().map(entry).collect();
                for entries in entries.chunks(10) {
                    let mut boto = boto.lock().unwrap_or_else(PoisonError::into_inner);
                    // An event that is lost is no harm: that is what the polls are for.
                    let _ = boto.call("events", &endpoint, "put_events", json!({"Entries": entries}));
                }
                thread::sleep(Duration::from_millis(200));
            }
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The end of its standard input ends MiniStack and every function that it started.
        self.stop_servers();
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
        drop(self.door.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn machine(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> StageError {
    let what = format!("{what} can't be used");
    move |error| StageError::Machine(what, error)
}

/// Seconds of the world, of which WORLD_SPEED pass in one. Snapshots complete before their image, so that the event of the
/// image finds everything complete: a poll that finds less comes again after a minute by the watch, which is long here.
fn pace() -> Settings {
    Settings { image_seconds: 60, image_seconds_per_gib: 0, snapshot_lag_seconds: -10, ..Settings::default() }
}

/// An event of the world as an entry of PutEvents.
fn entry(event: &Value) -> Value {
    json!({
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": event["detail"].to_string(),
        "Resources": event["resources"],
    })
}
