//! What a stage is built of: the functions' archives, the binaries; and why there is no stage.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::{FUNCTIONS, ROOT, machine};
use crate::package::{self, ArchiveError, package};
use crate::python::{ClientError, PythonError};

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

/// Builds what a stage starts, and returns the functions' archives, in the order of `FUNCTIONS`: those that the environment
/// names, or those of what was built. Of the stages of one process the first one does it for all.
pub(super) fn archives(target: &Path) -> Result<Vec<PathBuf>, StageError> {
    static MADE: Mutex<Option<Vec<PathBuf>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(archives) = &*made {
        return Ok(archives.clone());
    }
    let archives: Vec<PathBuf> = if let Some(folder) = package::archives() {
        let named = FUNCTIONS.iter().map(|(_, binary)| package::archive_in(&folder, binary));
        let named = named.collect::<Result<_, _>>()?;
        build(&FUNCTIONS)?;
        named
    } else {
        build(&[])?;
        FUNCTIONS.iter().map(|(_, binary)| packaged(target, binary)).collect::<Result<_, _>>()?
    };
    *made = Some(archives.clone());
    Ok(archives)
}

/// The archive of a function that was built here; made anew only if that is newer.
fn packaged(target: &Path, binary: &str) -> Result<PathBuf, StageError> {
    let archive = target.join("stage").join(format!("{binary}.zip"));
    let built = target.join("debug").join(binary);
    let made_at = |path: &Path| path.metadata().and_then(|file| file.modified());
    let built_at = made_at(&built).map_err(machine(built.display()))?;
    if made_at(&archive).is_ok_and(|made_at| made_at > built_at) {
        return Ok(archive);
    }
    // Another process may be reading the one that is there.
    let fresh = archive.with_extension(std::process::id().to_string());
    package(&built, &fresh).and_then(|()| fs::rename(&fresh, &archive)).map_err(machine(archive.display()))?;
    Ok(archive)
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
