//! MiniStack as a process. It ends when its standard input does, so it cannot outlive this process.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::python::Boto;

/// How long it may take to answer.
const READY_MAX: Duration = Duration::from_mins(1);

/// A running MiniStack, on 127.0.0.1.
#[derive(Debug)]
pub struct MiniStack {
    process: Child,
    port: u16,
}

impl MiniStack {
    /// Starts it, by this Python. `speed` divides the interval of its schedules; what functions ask of EC2, Auto Scaling and
    /// ElastiCache goes to `door`; what it says goes into `log`.
    pub fn start(python: &Path, speed: i64, door: &str, log: &Path) -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let output = File::create(log)?;
        let process = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stage/ministack.py"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GATEWAY_PORT", port.to_string())
            .env("STAGE_SPEED", speed.to_string())
            .env("AWS_ENDPOINT_URL_EC2", door)
            .env("AWS_ENDPOINT_URL_AUTO_SCALING", door)
            .env("AWS_ENDPOINT_URL_ELASTICACHE", door)
            .env("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", door)
            .stdin(Stdio::piped())
            .stderr(output.try_clone()?)
            .stdout(output)
            .spawn()?;
        Ok(Self { process, port })
    }

    /// Its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until it answers; whether it does within a minute.
    pub fn wait_ready(&self, boto: &mut Boto) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && boto.call("sts", &self.url(), "get_caller_identity", json!({})).is_ok()
            {
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// Ends it, and every function that it started.
    pub fn stop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        self.stop();
    }
}
