//! Time zones by their IANA name, from the database that is built in: the machine's own is not read.

use std::fmt;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::ScheduleError;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A text is near a name from this likeness on; 1 is the same.
const LIKENESS_MIN: f64 = 0.8;

/// A time zone, spelled as the IANA database does. The default is UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Zone(String);

impl Zone {
    /// Reads a name of the IANA database, in any case.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let zone = find(text)?;
        Ok(Self(zone.iana_name().unwrap_or(text).to_owned()))
    }

    /// The name, as in `Europe/Berlin`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The zone itself. An error only for a name that came in unread.
    pub(crate) fn time_zone(&self) -> Result<TimeZone, ScheduleError> {
        find(&self.0)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0
    }
}

impl TryFrom<String> for Zone {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        Self::parse(&text)
    }
}

fn find(text: &str) -> Result<TimeZone, ScheduleError> {
    if let Ok(zone) = DATABASE.get(text)
        && !zone.is_unknown()
    {
        return Ok(zone);
    }
    let remedy = if looks_like_an_offset(text) {
        "an offset knows no changes of the clock; write a place, as in 'Europe/Berlin', or 'UTC'".to_owned()
    } else {
        nearest(text).map_or_else(
            || "write a name of the IANA time zone database, as in 'Europe/Berlin', or 'UTC'".to_owned(),
            |name| format!("the nearest name that is one is '{name}'"),
        )
    };
    Err(ScheduleError::NotAZone { text: text.to_owned(), remedy })
}

fn looks_like_an_offset(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let offset = upper.strip_prefix("UTC").or_else(|| upper.strip_prefix("GMT")).unwrap_or(&upper).trim_start();
    offset.starts_with(['+', '-', '−'])
        || (!offset.is_empty() && offset.chars().all(|c| c.is_ascii_digit() || c == ':'))
}

/// The name that is nearest to the text, as a whole or by its last part: a city is often written without its
/// continent.
fn nearest(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase().replace(' ', "_");
    let likeness = |name: &str| {
        let name = name.to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name);
        strsim::normalized_damerau_levenshtein(&text, &name).max(strsim::normalized_damerau_levenshtein(&text, city))
    };
    let near = DATABASE.available().map(|name| (likeness(name.as_str()), name.to_string()));
    let near = near.filter(|(likeness, name)| *likeness >= LIKENESS_MIN && name.contains('/'));
    // Of equally near names the first in the alphabet.
    near.max_by(|(a, a_name), (b, b_name)| a.total_cmp(b).then_with(|| b_name.cmp(a_name))).map(|(_, name)| name)
}
