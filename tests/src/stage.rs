//! A deployment of real binaries on one machine: MiniStack plays Lambda, EventBridge, DynamoDB, SNS and CloudFormation,
//! the world's door plays EC2, Auto Scaling and ElastiCache, and the deployed template is the one of `infra/`.
//!
//! Everything listens on 127.0.0.1. MiniStack ends when its standard input does, so it cannot outlive this process.

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

use crate::clock::FastClock;
use crate::ministack::MiniStack;
use crate::package::{self, ArchiveError, package, point_at_package};
use crate::python::{self, Boto, ClientError, PythonError};

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
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Why there is no stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Python is missing or did not do its part.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// Cargo did not build the binaries.
    #[error("cargo build failed")]
    Build,
    /// There are no functions to deploy where the environment says.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A process could not be started, or a file not be used.
    #[error("{0}")]
    Machine(String, #[source] io::Error),
    /// MiniStack did not answer.
    #[error("MiniStack did not start; its last words are in {0}")]
    NotReady(PathBuf),
    /// A call to MiniStack failed.
    #[error("{call} failed")]
    Call {
        /// Which.
        call: String,
        /// Why.
        source: ClientError,
    },
    /// The stack was not created.
    #[error("the stack ended in {status}: {reason}")]
    Stack {
        /// What CloudFormation says.
        status: String,
        /// Why, as far as it says.
        reason: String,
    },
}

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
        let archives = archives_of_functions()?;
        let target = python::target_dir()?;
        let python = python::environment()?;
        build(if archives.is_some() { &FUNCTIONS } else { &[] })?;
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
            door: Some(door),
            runtime: Some(runtime),
            ministack: Mutex::new(ministack),
            pump: None,
            stopped: Arc::new(AtomicBool::new(false)),
        };
        let archives = match archives {
            Some(archives) => archives,
            None => package_functions(&target, &folder)?,
        };
        stage.deploy(&archives)?;
        stage.subscribe()?;
        clock.begin();
        stage.pump = Some(stage.pump_events(clock));
        Ok((stage, prepared))
    }

    /// One call to MiniStack, by boto3's names.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the arguments in place")]
    pub fn call(&self, service: &str, call: &str, args: Value) -> Result<Value, StageError> {
        self.call_at(&self.endpoint, service, call, args.clone())
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
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("LASTGOOD_STACK", self.stack.clone()),
        ]
    }

    /// The notices that reached the queue since the last time: what a person would read.
    pub fn notices(&self) -> Result<Vec<String>, StageError> {
        let mut notices = Vec::new();
        loop {
            let args = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
            let told = self.call("sqs", "receive_message", args)?;
            let Some(messages) = told["Messages"].as_array().filter(|messages| !messages.is_empty()) else {
                return Ok(notices);
            };
            for message in messages {
                notices.push(message["Body"].as_str().unwrap_or_default().to_owned());
                let args = json!({"QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"]});
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
        let create = json!({
            "StackName": self.stack,
            "TemplateBody": template,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": "Architecture", "ParameterValue": "x86_64"}],
        });
        self.call("cloudformation", "create_stack", create)?;
        let deadline = Instant::now() + Duration::from_secs(DEPLOY_SECONDS_MAX);
        loop {
            let told = self.call("cloudformation", "describe_stacks", json!({"StackName": self.stack}))?;
            let stack = &told["Stacks"][0];
            let status = stack["StackStatus"].as_str().unwrap_or_default();
            if status == "CREATE_COMPLETE" {
                self.outputs = stack["Outputs"].clone();
                return Ok(());
            }
            if !status.ends_with("IN_PROGRESS") || Instant::now() > deadline {
                let reason = stack["StackStatusReason"].as_str().unwrap_or("no reason given").to_owned();
                return Err(StageError::Stack { status: status.to_owned(), reason });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A queue behind the topic, as a person's mailbox would be.
    fn subscribe(&mut self) -> Result<(), StageError> {
        let queue = self.call("sqs", "create_queue", json!({"QueueName": format!("{}-operator", self.stack)}))?;
        queue["QueueUrl"].as_str().unwrap_or_default().clone_into(&mut self.queue);
        let args = json!({"QueueUrl": self.queue, "AttributeNames": ["QueueArn"]});
        let arn = self.call("sqs", "get_queue_attributes", args)?["Attributes"]["QueueArn"].clone();
        let subscribe = json!({
            "TopicArn": self.output("TopicArn"),
            "Protocol": "sqs",
            "Endpoint": arn,
            "Attributes": {"RawMessageDelivery": "true"},
        });
        self.call("sns", "subscribe", subscribe).map(|_| ())
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

/// The archives that the environment names, in the order of `FUNCTIONS`.
fn archives_of_functions() -> Result<Option<Vec<PathBuf>>, StageError> {
    let Some(folder) = package::archives() else { return Ok(None) };
    let archives = FUNCTIONS.iter().map(|(_, binary)| package::archive_in(&folder, binary));
    Ok(Some(archives.collect::<Result<_, _>>()?))
}

/// Archives of the functions that were built here.
fn package_functions(target: &Path, folder: &Path) -> Result<Vec<PathBuf>, StageError> {
    let archives = FUNCTIONS.iter().map(|(_, binary)| {
        let archive = folder.join(format!("{binary}.zip"));
        package(&target.join("debug").join(binary), &archive).map_err(machine(archive.display()))?;
        Ok(archive)
    });
    archives.collect()
}

/// Builds all binaries but these in one go: with the same features for all, nothing is compiled twice.
fn build(but: &[(&str, &str)]) -> Result<(), StageError> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bins", "--locked"])
        .args(but.iter().flat_map(|(_, binary)| ["--exclude", *binary]))
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .status()
        .map_err(machine("cargo"))?;
    if status.success() { Ok(()) } else { Err(StageError::Build) }
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
