//! Notices: what we tell on our bus when something changed that a person or a program may care about.
//!
//! A public contract: there is a sample of each in `events/`, and a test holds them together. Notices are written
//! into the outbox of a record in the same save that changes its state, and are sent at least once; the id stays
//! the same each time. What each says in words is in `words.rs`.

mod bounds;
mod news;
mod words;

pub use news::News;
pub use words::DeletedBackup;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::id::SourceId;
use crate::text::{cut, is_control};

/// The source of every event of ours on the bus.
pub const EVENT_SOURCE: &str = "lastgood";

/// The longest message, in bytes: one that is longer is cut, and says so.
pub const MESSAGE_BYTES_MAX: usize = 8_000;
/// The longest list of a notice.
pub const LISTED_MAX: usize = 100;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A message as it may stand in a quoted line of EventBridge's template, and in a mail: without what would end the line or the
/// quotes, and not too long.
fn in_mail(message: &str, bytes_max: usize) -> String {
    let plain = message.chars().map(|c| match c {
        '"' => '\'',
        '\\' => '/',
        c if is_control(c) => ' ',
        c => c,
    });
    cut(plain.collect(), bytes_max)
}

/// One notice: the detail of the event that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same each time that this notice is sent.
    pub id: String,
    /// What it is about; nothing if it is about Lastgood itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// When it happened.
    pub at: Time,
    /// One sentence for a person, on one line and without double quotes and backslashes.
    pub message: String,
    /// How many entries of its lists are left out: each has [`LISTED_MAX`] at most.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out: usize,
    /// What happened.
    #[serde(flatten)]
    pub news: News,
}

impl Notice {
    /// A notice about `source`; `occasion` is what makes it different from every other one of its kind there.
    #[must_use]
    pub fn new(source: &SourceId, occasion: &str, at: Time, news: News) -> Self {
        Self::about(Some(source), occasion, at, news)
    }

    /// A notice about Lastgood itself.
    #[must_use]
    pub fn of_deployment(occasion: &str, at: Time, news: News) -> Self {
        Self::about(None, occasion, at, news)
    }

    /// A notice about a source, or about Lastgood itself.
    pub(crate) fn about(source: Option<&SourceId>, occasion: &str, at: Time, news: News) -> Self {
        let subject = source.map_or_else(|| "lastgood".to_owned(), ToString::to_string);
        let (news, left_out) = news.bounded();
        let more = if left_out == 0 { String::new() } else { format!("; and {left_out} more, which are not listed") };
        let message = in_mail(&news.message(&subject), MESSAGE_BYTES_MAX - more.len()) + &more;
        let id = format!("{subject}/{occasion}/{}", news.detail_type());
        Self { id, source: source.cloned(), at, message, left_out, news }
    }
}
