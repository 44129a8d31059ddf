//! The repository tests its own shape: who may depend on whom, and where the machine may be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What lastgood-core may name: none of it knows a clock, an environment, randomness or another thread.
const PURE: [&str; 9] =
    ["croner", "jiff", "schemars", "serde", "serde-saphyr", "serde_json", "sha2", "strsim", "thiserror"];

/// For each package of the workspace, which others it may name.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let function = || BTreeSet::from(["lastgood-aws", "lastgood-core"]);
    BTreeMap::from([
        ("lastgood-core", BTreeSet::new()),
        ("lastgood-engine", BTreeSet::from(["lastgood-core"])),
        // The world for its tests alone: they hold that both take AWS's codes for the same.
        ("lastgood-aws", BTreeSet::from(["lastgood-core", "lastgood-engine", "lastgood-world"])),
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
    let allowed = allowed();
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(package, "name")).collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "a package without a rule, or a rule too many");
    for package in &packages {
        let name = text(package, "name");
        for dependency in package["dependencies"].as_array().expect("a list") {
            let (kind, dependency) = (dependency["kind"].as_str(), text(dependency, "name"));
            if ours.contains(dependency) {
                assert!(allowed[name].contains(dependency), "{name} must not name {dependency}");
            }
            let sdk = ["aws-sdk-", "aws-smithy-", "aws-config"].iter().any(|prefix| dependency.starts_with(prefix));
            assert!(
                !sdk || name == "lastgood-aws",
                "{name} must not name {dependency}: only lastgood-aws knows the SDKs"
            );
            let is_pure = kind == Some("dev") || PURE.contains(&dependency);
            assert!(is_pure || name != "lastgood-core", "lastgood-core is pure: it must not name {dependency}");
            let is_of_tests = ["lastgood-world", "lastgood-tests"].contains(&name) || kind == Some("dev");
            assert!(is_of_tests || dependency != "lastgood-world", "{name} must not name the world but for its tests");
        }
    }
}

/// What `cargo metadata` says of each package of the workspace.
fn packages() -> Vec<Value> {
    let args = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let output = Command::new(env!("CARGO")).args(args).current_dir(ROOT).output().expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

#[test]
fn the_command_prints_in_one_file() {
    let prints = ["print!(", "println!(", "stdout()", "stderr()", ".exit()", "dbg!(", "comfy_table"];
    for path in sources(&["cli"]).into_iter().filter(|path| !path.ends_with("say.rs")) {
        let text = fs::read_to_string(&path).expect("a source file");
        let found: Vec<_> = prints.iter().filter(|what| text.contains(**what)).collect();
        assert!(found.is_empty(), "{}: {found:?}; say.rs writes out what would move the cursor", path.display());
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

#[test]
fn every_path_that_the_readme_names_is_there() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the README");
    let quoted = readme.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|text| text.contains('/') && !text.contains([' ', '*', ':', '~']));
    let mut seen = 0;
    for path in paths.filter(|path| !path.starts_with("target/")) {
        assert!(Path::new(ROOT).join(path).exists(), "README names {path}, which is not there");
        seen += 1;
    }
    assert!(seen > 15, "only {seen} paths found: does the README still have its map?");
}

/// Longer files are hard to find one's way in.
const FILE_LINES_MAX: usize = 400;

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
