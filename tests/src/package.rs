//! What `sam package` does: archives of the functions, and a template that points at them. Those of a release build
//! (`infra/build`) can be taken instead.

use std::env;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;

/// The variable that says where archives are, so that none are made: a folder with `backup-tick/bootstrap.zip` and so on.
pub const ARCHIVES: &str = "LASTGOOD_ARCHIVES";
/// The workspace, from which a relative folder counts.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Which machine an ELF file is for: the number that stands for it there.
const MACHINE: (&str, u16) = if cfg!(target_arch = "aarch64") { ("arm64", 183) } else { ("x86_64", 62) };

/// Why an archive can't be deployed.
#[derive(Debug, thiserror::Error)]
#[error("{ARCHIVES}: {archive} {why}; 'infra/build {}' makes it", MACHINE.0)]
pub struct ArchiveError {
    archive: PathBuf,
    why: String,
}

/// The folder of archives that the environment names; `None` if the functions are to be built.
pub fn archives() -> Option<PathBuf> {
    env::var_os(ARCHIVES).filter(|folder| !folder.is_empty()).map(|folder| Path::new(ROOT).join(folder))
}

/// A function's archive in such a folder, looked at: one that Lambda could not start says so here, and not in a log.
pub fn archive_in(folder: &Path, binary: &str) -> Result<PathBuf, ArchiveError> {
    let archive = folder.join(binary).join("bootstrap.zip");
    match look_at(&archive) {
        Ok(()) => Ok(archive),
        Err(why) => Err(ArchiveError { archive, why }),
    }
}

fn look_at(archive: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|error| format!("can't be read ({error})"))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| format!("is no archive ({error})"))?;
    let mut bootstrap = zip.by_name("bootstrap").map_err(|_| "holds no file 'bootstrap'".to_owned())?;
    if bootstrap.unix_mode().is_none_or(|mode| mode & 0o111 == 0) {
        return Err("holds a 'bootstrap' that is not executable".to_owned());
    }
    let mut head = [0; 20];
    bootstrap.read_exact(&mut head).map_err(|_| "holds a 'bootstrap' that is no program".to_owned())?;
    if !head.starts_with(b"\x7fELF") {
        return Err("holds a 'bootstrap' that is no program".to_owned());
    }
    let (name, number) = MACHINE;
    if u16::from_le_bytes([head[18], head[19]]) != number {
        return Err(format!("holds a 'bootstrap' that is not for this machine ({name})"));
    }
    Ok(())
}

/// A function's archive: one file named `bootstrap`.
pub fn package(binary: &Path, archive: &Path) -> io::Result<()> {
    let bytes = fs::read(binary)?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_level(Some(1)).unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes)?;
    let written = zip.finish()?;
    fs::write(archive, written.into_inner())
}

/// What `sam package` does to one function of the template.
pub fn point_at_package(template: &str, logical: &str, key: &str) -> String {
    let (before, function) =
        template.split_once(&format!("\n  {logical}:\n")).unwrap_or_else(|| panic!("no {logical}"));
    let function = function.replacen("CodeUri: ..\n", &format!("CodeUri: {{Bucket: code, Key: {key}}}\n"), 1);
    format!("{before}\n  {logical}:\n{function}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{MACHINE, ROOT, archive_in, fs, package};

    /// What is said of an archive with this for its program; none, if it is right.
    fn said_of(name: &str, program: &[u8]) -> Option<String> {
        let folder = Path::new(ROOT).join("target/archives").join(name);
        fs::create_dir_all(folder.join("tick")).expect("a folder in target");
        let binary = folder.join("program");
        fs::write(&binary, program).expect("a file in target");
        package(&binary, &folder.join("tick/bootstrap.zip")).expect("an archive in target");
        archive_in(&folder, "tick").err().map(|error| error.to_string())
    }

    fn elf(machine: u16) -> Vec<u8> {
        let mut program = b"\x7fELF".to_vec();
        program.resize(18, 0);
        program.extend(machine.to_le_bytes());
        program
    }

    fn ends(said: Option<String>, why: &str) {
        let said = said.expect("an error");
        let wanted = format!("tick/bootstrap.zip {why}; 'infra/build {}' makes it", MACHINE.0);
        assert!(said.starts_with("LASTGOOD_ARCHIVES: ") && said.ends_with(&wanted), "{said}");
    }

    #[test]
    fn an_archive_of_a_program_for_this_machine_is_taken_and_no_other() {
        assert_eq!(said_of("right", &elf(MACHINE.1)), None);
        ends(said_of("machine", &elf(8)), &format!("holds a 'bootstrap' that is not for this machine ({})", MACHINE.0));
        ends(said_of("text", b"#!/bin/sh\nexec something\n"), "holds a 'bootstrap' that is no program");
        ends(said_of("short", b"\x7fELF"), "holds a 'bootstrap' that is no program");
    }

    #[test]
    fn a_wrong_folder_is_refused_with_the_command_that_makes_the_right_one() {
        let nowhere = archive_in(Path::new("/nowhere"), "tick").expect_err("there is nothing");
        ends(Some(nowhere.to_string()), "can't be read (No such file or directory (os error 2))");
    }
}
