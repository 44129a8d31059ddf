//! The stored form of records: JSON with the number of its form in front.
//!
//! A newer form is refused, not guessed at: an old function that runs beside a new one during a deployment must not
//! drop fields that it does not know.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The form that is written.
pub const FORM: u32 = 1;

/// A stored text that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// A newer Lastgood wrote it.
    #[error("written in form {0} by a newer version; this one reads form {FORM}")]
    Newer(u32),
    /// It is not what was written.
    #[error("not a stored record")]
    Unreadable(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    form: u32,
    record: T,
}

/// The stored form of a record.
pub fn encode<T: Serialize>(record: &T) -> String {
    serde_json::to_string(&Stored { form: FORM, record }).expect("records have text keys and no number that JSON lacks")
}

/// The record of a stored form.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, StoredError> {
    let Form { form } = serde_json::from_str(text).map_err(StoredError::Unreadable)?;
    if form > FORM {
        return Err(StoredError::Newer(form));
    }
    let stored: Stored<T> = serde_json::from_str(text).map_err(StoredError::Unreadable)?;
    Ok(stored.record)
}
