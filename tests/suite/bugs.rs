//! The planted bugs of `tests/bugs` still fit the code, and the table beside them names each of them with tests that there
//! are. That those tests catch them is shown by `tests/bugs/plant.py`, which builds each bug: too long for every run.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn patches() -> Vec<PathBuf> {
    let folder = Path::new(ROOT).join("tests/bugs");
    let files = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("readable").path());
    let mut patches: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    patches.sort();
    patches
}

/// What each hunk of a patch finds in its file: the file, and the lines.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            name.clone_into(&mut file);
        } else if line.starts_with("@@") {
            found.push((file.clone(), String::new()));
        } else if let (Some((_, text)), Some(was)) =
            (found.last_mut(), line.strip_prefix(' ').or_else(|| line.strip_prefix('-')))
            && !line.starts_with("---")
        {
            *text += &format!("{was}\n");
        }
    }
    found
}

#[test]
fn every_planted_bug_still_has_its_place() {
    let patches = patches();
    assert!(patches.len() >= 8, "{patches:?}");
    for path in patches {
        let hunks = hunks(&fs::read_to_string(&path).expect("readable"));
        assert!(!hunks.is_empty(), "{}", path.display());
        for (file, lines) in hunks {
            let text = fs::read_to_string(Path::new(ROOT).join(&file)).expect(&file);
            assert!(text.contains(&lines), "{} does not fit {file} any more:\n{lines}", path.display());
        }
    }
}

#[test]
fn every_planted_bug_is_named_with_the_tests_that_catch_it() {
    let table = fs::read_to_string(Path::new(ROOT).join("tests/bugs/README.md")).expect("the table");
    for path in patches() {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let row = table.lines().find(|line| line.contains(&format!("]({name})"))).expect(&name);
        let caught = row.split('|').nth(3).expect("three columns");
        let tests: Vec<&str> = caught.split('`').filter(|part| part.starts_with("lastgood-")).collect();
        assert!(!tests.is_empty(), "{name}: {row}");
        for test in tests {
            let (package, test) = test.split_once(' ').expect("a package and a test");
            let folder = match package {
                "lastgood-tests" => "tests/suite".to_owned(),
                _ => format!("shared/{package}/src"),
            };
            assert!(is_there(&Path::new(ROOT).join(folder), test), "{name}: there is no test {test} in {package}");
        }
    }
}

fn is_there(folder: &Path, test: &str) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return is_there(&path, test);
        }
        let is_source = path.extension().is_some_and(|end| end == "rs");
        is_source && fs::read_to_string(&path).expect("readable").contains(&format!("fn {test}("))
    })
}
