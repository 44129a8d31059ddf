//! What the command prints goes wherever its reader lets it.

use std::io::pipe;
use std::process::{Command, Stdio};

fn schema(out: impl Into<Stdio>) -> (bool, String) {
    let lastgood =
        Command::new(env!("CARGO_BIN_EXE_lastgood")).arg("schema").stdout(out).stderr(Stdio::piped()).spawn();
    let done = lastgood.expect("it starts").wait_with_output().expect("it ends");
    (done.status.success(), String::from_utf8(done.stderr).expect("text"))
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    assert_eq!(schema(writer), (true, String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_is_one_and_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let (well, told) = schema(full);
    assert!(!well && told.starts_with("standard output: "), "{told}");
}
