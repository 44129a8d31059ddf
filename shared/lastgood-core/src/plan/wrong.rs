//! What is said of wrong plan files: `tests/plans/wrong` holds a file for each mistake, and beside it what is said.
//!
//! `UPDATE_EXPECT=1 cargo test -p lastgood-core --lib plan::` writes the texts anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;

use super::*;

/// So many mistakes are known at least. A folder that was moved must not pass for one without mistakes.
const FILES_MIN: usize = 100;

/// A mistake tells what to do by one of these.
const REMEDIES: [&str; 9] =
    ["write ", "did you mean ", "leave ", "give ", "close it", "indent ", "put ", "name it once", "the nearest name"];

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_write() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/plans/wrong"));
    let (mut files, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("a file").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => files.insert(stem),
            Some("txt") => texts.insert(stem),
            _ => panic!("{} is neither .yaml nor .txt", path.display()),
        };
    }
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    for stem in &files {
        let text = fs::read_to_string(folder.join(format!("{stem}.yaml"))).expect(stem);
        let Err(mistakes) = read("plans.yaml", &text) else { panic!("nothing is wrong with {stem}.yaml") };
        for mistake in &mistakes {
            has_a_place_and_a_remedy(mistake);
        }
        assert!(mistakes.is_sorted_by_key(|mistake| (mistake.line, mistake.column)), "{stem} in the order of lines");
        let said: String = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
        expect_file![folder.join(format!("{stem}.txt"))].assert_eq(&said);
        texts.remove(stem);
    }
    assert!(texts.is_empty(), "without their .yaml: {texts:?}");
}

/// After what is wrong comes, set off by ';' or ':', what to do; or the question that says it.
pub(super) fn has_a_place_and_a_remedy(mistake: &Mistake) {
    assert!(mistake.line > 0 && mistake.column > 0, "no place: {mistake}");
    assert!(!mistake.what.contains('\n'), "more than a line: {mistake}");
    let said = mistake.what.match_indices([';', ':']).any(|(at, _)| {
        let rest = mistake.what[at + 1..].trim_start();
        REMEDIES.iter().any(|remedy| rest.starts_with(remedy))
    });
    assert!(said, "no remedy: {mistake}");
}
