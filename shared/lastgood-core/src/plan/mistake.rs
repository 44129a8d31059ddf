//! The mistakes of one file, as they are found.

use super::Mistake;
use super::tree::Place;
use crate::text::escaped;

/// The mistakes that were found in a file so far.
pub(super) struct Mistakes<'a> {
    file: &'a str,
    found: Vec<Mistake>,
}

impl<'a> Mistakes<'a> {
    pub(super) fn of(file: &'a str) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Notes a mistake: what is wrong, and what to write instead. It is told in one line, whatever it quotes.
    pub(super) fn add(&mut self, place: Place, what: impl AsRef<str>) {
        let (file, what) = (self.file.to_owned(), escaped(what.as_ref()));
        self.found.push(Mistake { file, line: place.0, column: place.1, what });
    }

    /// The value, or `None` after its mistake was noted.
    pub(super) fn take<T>(&mut self, place: Place, read: Result<T, impl AsRef<str>>) -> Option<T> {
        read.map_err(|what| self.add(place, what)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of lines.
    pub(super) fn in_order(mut self) -> Vec<Mistake> {
        self.found.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.found
    }
}
