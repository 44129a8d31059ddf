//! What is printed, all of it. Texts from the table and from AWS reach the terminal through here alone, and with their control
//! characters written out: they would move the cursor, or fill the clipboard. Whoever closes standard output, as `head` does, has
//! read enough: that is no failure.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use lastgood_core::text::{escaped, is_control};
use serde::Serialize;

use crate::Failure;

/// Prints a text and the end of its line.
pub(crate) fn say(text: impl Display) -> Result<(), Failure> {
    print(&lines(&text.to_string()))
}

/// Prints a value as JSON.
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&json(value)?)
}

/// Prints a text on standard error: a warning, or why a command failed. There is no other place to say that this fails.
pub(crate) fn warn(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", lines(&text.to_string()));
}

/// What clap has to say: help, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        warn(text.trim_end());
    } else if let Err(failure) = say(text.trim_end()) {
        warn(failure);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Asks a person. Without a terminal there is nobody to ask.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err("Nothing was written: say --yes to write without being asked.".into());
    }
    // Beside what is printed, which may go to another program.
    let mut prompt = io::stderr().lock();
    write!(prompt, "{}", lines(question)).and_then(|()| prompt.flush()).map_err(|error| error.to_string())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim().to_owned())
}

fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A text of one or more lines as a terminal gets it.
fn lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// The same of JSON, which stays JSON: in it such characters stand in strings alone, and serde writes out the first few of them.
fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_control(c) {
            safe.push(c);
        } else {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    Ok(safe)
}

/// A table for the terminal.
#[derive(Debug)]
pub(crate) struct Rows(Table);

impl Rows {
    /// One with this header.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        Self(table)
    }

    /// Adds a row. What a cell says on several lines is several texts: a line break within one is written out.
    pub(crate) fn add<const N: usize>(&mut self, cells: [Vec<String>; N]) {
        let cell = |lines: Vec<String>| lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n");
        self.0.add_row(cells.map(cell));
    }
}

impl Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A cell of one line.
pub(crate) fn cell(text: impl Display) -> Vec<String> {
    vec![text.to_string()]
}

/// The word for a value that is one of several, as plan files and JSON write it.
pub(crate) fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Sets the clipboard, clears the screen, goes back over its line, begins a sequence in one byte, turns the line.
    const WILD: &str = "a\u{1b}]52;c;x\u{7}\u{1b}[2Jb\rc\u{9b}31md\u{202e}e\u{2028}f\u{7f}\0";

    #[test]
    fn a_text_reaches_the_terminal_with_its_control_characters_written_out() {
        let said = lines(&format!("one {WILD}\ntwo"));
        assert!(said.chars().all(|c| c == '\n' || !is_control(c)), "{said:?}");
        assert_eq!(said.lines().count(), 2);
        assert!(said.contains("a\\u{1b}]52;c;x\\u{7}\\u{1b}[2Jb\\rc\\u{9b}31md\\u{202e}e"), "{said}");
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let value = json!({"reason": format!("{WILD}\n\"quoted\""), "by": "山田"});
        let said = json(&value).expect("JSON");
        assert!(said.chars().all(|c| c == '\n' || !is_control(c)), "{said:?}");
        assert_eq!(serde_json::from_str::<Value>(&said).expect("it is JSON"), value);
    }

    #[test]
    fn a_cell_has_the_lines_that_it_is_given_and_no_others() {
        let mut rows = Rows::new(&["SOURCE", "STATE"]);
        rows.add([cell("group/web"), vec![format!("x{WILD}\nforged"), "ok".into()]]);
        let said = rows.to_string();
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(said.chars().all(|c| c == '\n' || !is_control(c)), "{said:?}");
        assert!(said.contains("\\nforged"), "{said}");
    }
}
