//! What `sam package` does: archives of the functions, and a template that points at them.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;

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
