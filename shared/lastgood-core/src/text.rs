//! Text from outside: names of people, their reasons, and names of things. How long each may be, and what it may hold.
//!
//! What is refused is refused where it is read: a text that is too long would fill a record of the table later, and a control
//! character would move the cursor of whoever reads it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a person or a program that asks for something.
pub const BY_CHARS_MAX: usize = 128;
/// The longest reason.
pub const REASON_CHARS_MAX: usize = 1_000;
/// The longest name of a thing of AWS (AWS: CreateAutoScalingGroup, AutoScalingGroupName).
pub const NAME_CHARS_MAX: usize = 255;
/// The longest name in bytes: with what stands around it, it is a sort key of the table (AWS: DynamoDB, 1,024 bytes).
pub const NAME_BYTES_MAX: usize = 950;
/// The longest name with what stands around it: `replication-group/NAME@20260115T103000Z/set-image`.
const REFERENCE_CHARS_MAX: usize = NAME_CHARS_MAX + 45;
/// How much of a wrong text its refusal shows.
const SHOWN_CHARS_MAX: usize = 60;
/// What stands where a text was cut.
const CUT: &str = " … (cut)";

/// Whether a character does something else than stand in its line: it moves the cursor, ends the line, or turns the order of
/// what follows.
#[must_use]
pub fn is_control(c: char) -> bool {
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || ends_line || turns
}

/// The text with its control characters written out, as in `\u{1b}`: it stands on one line, and does nothing to a terminal.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// The text in at most so many bytes. One that is longer says that it was cut.
#[must_use]
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = bytes_max.saturating_sub(CUT.len());
        text.truncate((0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        text.push_str(CUT);
    }
    text
}

/// The beginning of a text, on one line.
#[must_use]
pub fn shown(text: &str) -> String {
    let begin: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let rest = if begin.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", escaped(&begin))
}

/// A text that is not taken: which, why, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(String);

fn line(what: &str, text: &str, chars_max: usize) -> Result<(), NotTaken> {
    if text.trim().is_empty() {
        return Err(NotTaken(format!("{what} is empty; write it, or leave it out")));
    }
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(NotTaken(format!("{what} '{}' has {chars} characters; write at most {chars_max}", shown(text))));
    }
    if let Some(at) = text.chars().position(is_control) {
        return Err(NotTaken(format!(
            "{what} '{}' has a control character at place {}; write one line without any",
            shown(text),
            at + 1
        )));
    }
    Ok(())
}

/// Whether a text can be the name of a thing: of a source, a backup, an image.
pub fn name(text: &str) -> Result<(), NotTaken> {
    line("the name", text, NAME_CHARS_MAX)?;
    if text.len() > NAME_BYTES_MAX {
        let (shown, bytes) = (shown(text), text.len());
        return Err(NotTaken(format!("the name '{shown}' has {bytes} bytes; write at most {NAME_BYTES_MAX}")));
    }
    Ok(())
}

/// What names a thing on the command line: its name, with its kind before it and its time behind.
pub fn reference(text: &str) -> Result<String, NotTaken> {
    line("the name", text, REFERENCE_CHARS_MAX)?;
    Ok(text.to_owned())
}

macro_rules! lines {
    ($($(#[$doc:meta])+ $name:ident, $what:literal, $max:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotTaken;

            fn from_str(text: &str) -> Result<Self, NotTaken> {
                line($what, text, $max)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotTaken;

            fn try_from(text: String) -> Result<Self, NotTaken> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

lines! {
    /// Who asks: the name of a person or a program, in one line of at most [`BY_CHARS_MAX`] characters.
    By, "the name of who asks ('by')", BY_CHARS_MAX;
    /// Why, in the words of who asks: one line of at most [`REASON_CHARS_MAX`] characters.
    Words, "the reason", REASON_CHARS_MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_is_taken_and_one_that_is_longer_is_not() {
        for (max, is_taken) in [(BY_CHARS_MAX, true), (BY_CHARS_MAX + 1, false)] {
            assert_eq!("ü".repeat(max).parse::<By>().is_ok(), is_taken, "{max}");
        }
        for (max, is_taken) in [(REASON_CHARS_MAX, true), (REASON_CHARS_MAX + 1, false)] {
            assert_eq!("ü".repeat(max).parse::<Words>().is_ok(), is_taken, "{max}");
        }
        for (text, is_taken) in [("n".repeat(255), true), ("n".repeat(256), false), ("𝄞".repeat(238), false)] {
            assert_eq!(name(&text).is_ok(), is_taken, "{}", text.len());
        }
        assert_eq!((BY_CHARS_MAX, REASON_CHARS_MAX, NAME_CHARS_MAX, NAME_BYTES_MAX), (128, 1_000, 255, 950));
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_to_write() {
        let wrong = |text: &str| text.parse::<Words>().expect_err("wrong").to_string();
        assert_eq!(wrong(" "), "the reason is empty; write it, or leave it out");
        let shown = "x".repeat(60);
        assert_eq!(wrong(&"x".repeat(1_001)), format!("the reason '{shown}…' has 1001 characters; write at most 1000"));
        let at = "has a control character at place 4; write one line without any";
        assert_eq!(wrong("oh \u{1b}]52;c;x\u{7}"), format!("the reason 'oh \\u{{1b}}]52;c;x\\u{{7}}' {at}"));
        let by = "".parse::<By>().expect_err("wrong").to_string();
        assert_eq!(by, "the name of who asks ('by') is empty; write it, or leave it out");
    }

    #[test]
    fn what_moves_the_cursor_or_turns_the_line_is_in_no_text_of_people() {
        for c in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{202e}'] {
            assert!(format!("a{c}b").parse::<Words>().is_err(), "{c:?}");
            assert!(format!("a{c}b").parse::<By>().is_err(), "{c:?}");
            assert!(name(&format!("a{c}b")).is_err(), "{c:?}");
            assert!(!escaped(&format!("a{c}b")).contains(c), "{c:?}");
        }
        for text in ["Łukasz O'Neil", "release 4.2: “ok”", "山田", "👩‍🚒 on call"] {
            assert_eq!(text.parse::<Words>().map(String::from).as_deref(), Ok(text));
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn what_is_cut_ends_at_a_whole_character_and_says_so() {
        assert_eq!(cut("short".into(), 5), "short");
        let long = cut("ü".repeat(100), 50);
        assert_eq!(long, format!("{} … (cut)", "ü".repeat(20)));
        assert!(long.len() <= 50);
        for max in 12..40 {
            assert!(cut("𝄞".repeat(100), max).len() <= max, "{max}");
        }
    }
}
