//! The repository tests its own shape: who may depend on whom, and where the machine may be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// For each package of the workspace, which others it may name.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let function = || BTreeSet::from(["lastgood-aws", "lastgood-core"]);
    BTreeMap::from([
        ("lastgood-core", BTreeSet::new()),
        ("lastgood-engine", BTreeSet::from(["lastgood-core"])),
        ("lastgood-aws", BTreeSet::from(["lastgood-core", "lastgood-engine"])),
        ("lastgood", BTreeSet::from(["lastgood-aws", "lastgood-core", "lastgood-engine"])),
        ("backup-tick", function()),
        ("snapshot-poll", function()),
        ("checkpoint-reached", function()),
        ("retention-cleanup", function()),
        ("lastgood-world", BTreeSet::from(["lastgood-core", "lastgood-engine"])),
        ("lastgood-tests", BTreeSet::from(["lastgood-core", "lastgood-engine", "lastgood-world"])),
    ])
}

#[test]
fn every_package_names_only_those_below_it() {
    let metadata = MetadataCommand::new().current_dir(ROOT).no_deps().exec().expect("cargo metadata");
    let allowed = allowed();
    let ours: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    assert_eq!(ours, allowed.keys().map(ToString::to_string).collect(), "a package without a rule, or a rule too many");
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let package = package.name.as_str();
            if ours.contains(name) {
                assert!(allowed[package].contains(name), "{package} must not name {name}");
            }
            let sdk = name.starts_with("aws-sdk-") || name.starts_with("aws-smithy-") || name == "aws-config";
            assert!(
                !sdk || package == "lastgood-aws",
                "{package} must not name {name}: only lastgood-aws knows the SDKs"
            );
            let pure = package != "lastgood-core" || !matches!(name, "tokio" | "futures-util" | "tracing" | "rand");
            assert!(pure, "lastgood-core is pure: it must not name {name}");
        }
    }
}

#[test]
fn time_and_environment_come_in_at_two_files() {
    let mut excused = Vec::new();
    for path in sources(&["shared", "functions", "cli"]) {
        let text = fs::read_to_string(&path).expect("a source file");
        if text.contains("clippy::disallowed_methods") {
            excused.push(path.strip_prefix(Path::new(ROOT)).expect("below the root").display().to_string());
        }
    }
    assert_eq!(excused, ["shared/lastgood-aws/src/clock.rs", "shared/lastgood-aws/src/settings.rs"]);
}

#[test]
fn every_file_says_what_it_holds() {
    for path in sources(&["shared", "functions", "cli", "tests"]) {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(text.starts_with("//! "), "{} does not begin with what it holds", path.display());
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines: which idea can move out?", path.display());
    }
}

/// Longer files are hard to find one's way in.
const FILE_LINES_MAX: usize = 450;

fn sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| Path::new(ROOT).join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}
