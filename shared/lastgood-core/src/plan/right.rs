//! Right plan files of different users, as they are read: `tests/plans/right`, and `tests/plans/right.txt` for all.
//!
//! `UPDATE_EXPECT=1 cargo test -p lastgood-core --lib plan::` writes it anew, and the JSON Schema too.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;
use proptest::prelude::*;

use super::wrong::has_a_place_and_a_remedy;
use super::*;

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn right_files_are_read() {
    let folder = repository().join("tests/plans/right");
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let mut all = String::new();
    for path in paths {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a text");
        let file = read(&name, &text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        writeln!(all, "{name}").expect("a text takes more");
        for placed in &file.plans {
            let plan = serde_json::to_string_pretty(&placed.plan).expect("JSON");
            writeln!(all, "{plan}").expect("a text takes more");
        }
        for (gone, afterwards) in &file.removed {
            writeln!(all, "removed {gone}: {afterwards:?}").expect("a text takes more");
        }
        writeln!(all).expect("a text takes more");
    }
    expect_file![folder.with_extension("txt")].assert_eq(&all);
}

/// The schema that stands in the repository, for editors, is the one that files are held against.
#[test]
fn the_schema_in_the_repository_is_ours() {
    let text = serde_json::to_string_pretty(schema()).expect("JSON");
    expect_file![repository().join("infra/plans.schema.json")].assert_eq(&format!("{text}\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever slips into a right file, it is read or its mistakes are told, each in one line and with its place.
    #[test]
    fn a_slip_in_a_right_file_is_told(at in 0_usize..1000, gone in 0_usize..4, slip in "[-a:0 \t\n{}\\[\\]'\"*&!|~<,#]{0,3}") {
        let text = fs::read_to_string(repository().join("tests/plans/right/every-key.yaml")).expect("a text");
        let chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        let rest = &chars[(at + gone).min(chars.len())..];
        let text: String = chars[..at].iter().copied().chain(slip.chars()).chain(rest.iter().copied()).collect();
        for mistake in read("plans.yaml", &text).err().into_iter().flatten() {
            has_a_place_and_a_remedy(&mistake);
        }
    }
}
