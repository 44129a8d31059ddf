//! Python for the tests that let others' code judge ours: a virtual environment, prepared once, and boto3 in it.
//!
//! The environment lies in the target directory, under `stage/venv`. It is made anew when `tests/stage/requirements.txt`
//! changes. Tests that need it are left out with `LASTGOOD_NO_E2E=1`; nothing else needs Python.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The files of the stage.
const STAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/stage");
/// The switch that leaves out every test that needs Python.
pub const LEAVE_OUT: &str = "LASTGOOD_NO_E2E";

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// There is no Python.
    #[error("python3 does not start; install Python 3.10 or newer with venv, or set {LEAVE_OUT}=1")]
    NoPython(#[source] io::Error),
    /// A command of the preparation failed.
    #[error("{command} failed: {said}")]
    Failed {
        /// What was run.
        command: String,
        /// Its last error, or the last line that it wrote.
        said: String,
    },
    /// A file could not be read or written.
    #[error("{path} can't be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The test does not run from a target directory.
    #[error("{0} is not in a target directory of cargo")]
    NoTarget(PathBuf),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> PythonError {
    let path = path.to_owned();
    move |source| PythonError::File { path, source }
}

/// Whether the tests that need Python are left out. Says so, that nobody takes it for a success.
pub fn is_left_out(test: &str) -> bool {
    let left_out = std::env::var_os(LEAVE_OUT).is_some_and(|value| value == "1");
    if left_out {
        println!("{test} is left out: {LEAVE_OUT}=1");
    }
    left_out
}

/// The directory that cargo builds into. This binary lies in it as `PROFILE/NAME` or `PROFILE/deps/NAME`.
pub fn target_dir() -> Result<PathBuf, PythonError> {
    let binary = std::env::current_exe().map_err(file(Path::new("the binary of this test")))?;
    let folder = binary.parent().filter(|folder| !folder.ends_with("deps")).or_else(|| binary.parent()?.parent());
    let target = folder.and_then(Path::parent).map(Path::to_owned);
    target.ok_or(PythonError::NoTarget(binary))
}

/// The environment's `python`, prepared if it is not there yet. Two processes at once prepare it once.
pub fn environment() -> Result<PathBuf, PythonError> {
    let stage = target_dir()?.join("stage");
    fs::create_dir_all(&stage).map_err(file(&stage))?;
    let lock_path = stage.join("venv.lock");
    let lock = File::create(&lock_path).map_err(file(&lock_path))?;
    // The operating system lets go of it when the file is closed, even if this process is killed.
    lock.lock().map_err(file(&lock_path))?;
    let requirements = Path::new(STAGE).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements).map_err(file(&requirements))?;
    let venv = stage.join("venv");
    let python = venv.join("bin/python");
    let stamp = venv.join("prepared-from.txt");
    if fs::read_to_string(&stamp).is_ok_and(|prepared| prepared == wanted) {
        return Ok(python);
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(file(&venv))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    // Wheels alone, and those whose hashes stand in the file. It is complete (infra/pin), so nothing is left to resolve.
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"];
    let pinned = ["--require-hashes", "--only-binary", ":all:", "-r"];
    run(Command::new(&python).args(install).args(pinned).arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(file(&stamp))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), PythonError> {
    let output = command.stdin(Stdio::null()).output().map_err(PythonError::NoPython)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
    Err(PythonError::Failed { command: format!("{command:?}"), said: said(&text).to_owned() })
}

/// The line that says why: of a wrong hash, pip's last lines are only the two hashes.
fn said(written: &[String]) -> &str {
    let lines = || written.iter().flat_map(|text| text.lines().rev().map(str::trim));
    let error = lines().find(|line| line.starts_with("ERROR:"));
    error.or_else(|| lines().find(|line| !line.is_empty())).unwrap_or("nothing was said")
}

/// What boto3 made of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({status:?}): {message}")]
pub struct ClientError {
    /// The service's code; `ClientSide` if the call never reached it or its answer can't be read.
    pub code: String,
    /// The service's words.
    pub message: String,
    /// The status of the HTTP answer.
    pub status: Option<u64>,
}

impl ClientError {
    fn here(message: String) -> Self {
        Self { code: "ClientSide".to_owned(), message, status: None }
    }
}

/// boto3, in a process of its own that ends with this value.
#[derive(Debug)]
pub struct Boto {
    process: Child,
    asks: ChildStdin,
    tells: BufReader<ChildStdout>,
}

impl Boto {
    /// Starts it.
    pub fn start() -> Result<Self, PythonError> {
        let python = environment()?;
        let bridge = Path::new(STAGE).join("boto.py");
        let mut process = Command::new(&python)
            .arg(&bridge)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(PythonError::NoPython)?;
        let unpiped = || PythonError::NoPython(io::Error::other("its input and output are not piped"));
        let asks = process.stdin.take().ok_or_else(unpiped)?;
        let tells = BufReader::new(process.stdout.take().ok_or_else(unpiped)?);
        Ok(Self { process, asks, tells })
    }

    /// One call, by boto3's names: `("ec2", url, "describe_images", {"Owners": ["self"]})`.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the arguments in place")]
    pub fn call(&mut self, service: &str, endpoint: &str, call: &str, args: Value) -> Result<Value, ClientError> {
        self.ask(&json!({ "service": service, "endpoint": endpoint, "call": call, "args": args }))
    }

    /// The same with somebody's access key and its secret.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    pub fn call_as(
        &mut self,
        key: &(String, String),
        service: &str,
        endpoint: &str,
        call: &str,
        args: Value,
    ) -> Result<Value, ClientError> {
        self.ask(&json!({ "service": service, "endpoint": endpoint, "call": call, "args": args, "as": key }))
    }

    fn ask(&mut self, ask: &Value) -> Result<Value, ClientError> {
        writeln!(self.asks, "{ask}").map_err(|error| ClientError::here(error.to_string()))?;
        let mut line = String::new();
        self.tells.read_line(&mut line).map_err(|error| ClientError::here(error.to_string()))?;
        let mut told: Value = serde_json::from_str(&line).map_err(|error| {
            ClientError::here(format!("boto.py answered '{}', which is no JSON: {error}", line.trim()))
        })?;
        let error = &told["error"];
        if error.is_null() {
            return Ok(told["ok"].take());
        }
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(ClientError { code: text("code"), message: text("message"), status: error["status"].as_u64() })
    }
}

impl Drop for Boto {
    fn drop(&mut self) {
        // It holds nothing that could be lost, and a test that fails must not wait for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn the_reason_is_the_line_that_says_error_or_else_the_last_one() {
        let texts = |error: &str, output: &str| [error.to_owned(), output.to_owned()];
        let hash =
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n    six from x:\n        Expected a\n             Got b\n";
        assert_eq!(said(&texts(hash, "")), "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES");
        assert_eq!(said(&texts("", "one\ntwo\n\n")), "two");
        assert_eq!(said(&texts("\n", "")), "nothing was said");
    }
}
