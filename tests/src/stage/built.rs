//! What a stage is built of: the functions' archives, the binaries; and why there is no stage.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// The archives that the environment names, in the order of `FUNCTIONS`.
pub(super) fn archives_of_functions() -> Result<Option<Vec<PathBuf>>, StageError> {
    let Some(folder) = package::archives() else { return Ok(None) };
    let archives = FUNCTIONS.iter().map(|(_, binary)| package::archive_in(&folder, binary));
    Ok(Some(archives.collect::<Result<_, _>>()?))
}

/// Archives of the functions that were built here.
pub(super) fn package_functions(target: &Path, folder: &Path) -> Result<Vec<PathBuf>, StageError> {
    let archives = FUNCTIONS.iter().map(|(_, binary)| {
        let archive = folder.join(format!("{binary}.zip"));
        package(&target.join("debug").join(binary), &archive).map_err(machine(archive.display()))?;
        Ok(archive)
    });
    archives.collect()
}

/// Builds all binaries but these in one go: with the same features for all, nothing is compiled twice.
pub(super) fn build(but: &[(&str, &str)]) -> Result<(), StageError> {
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
