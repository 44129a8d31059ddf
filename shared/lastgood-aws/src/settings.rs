//! Settings from the environment: one of the two files that may ask the machine for anything.
//!
//! Read once; what is missing is told all together, so that one deployment mends it.

use std::fmt;

/// What a function must know of its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The table's name: `LASTGOOD_TABLE`.
    pub table: String,
    /// The bus's name: `LASTGOOD_BUS`.
    pub bus: String,
    /// The stack's name, the value of our tags: `LASTGOOD_STACK`.
    pub stack: String,
    /// The account, part of every key: `LASTGOOD_ACCOUNT`.
    pub account: String,
    /// The region, part of every key: `AWS_REGION`.
    pub region: String,
    /// Who writes, to know one's own writes again: `AWS_LAMBDA_LOG_STREAM_NAME`, which differs for each environment
    /// of a function; else the process.
    pub writer: String,
}

/// Settings that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub Vec<&'static str>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "missing in the environment: {}; the template sets them for every function", self.0.join(", "))
    }
}

impl std::error::Error for Missing {}

impl Settings {
    /// The settings of this process.
    pub fn from_environment() -> Result<Self, Missing> {
        Self::from_lookup(lookup)
    }

    /// The settings that `get` knows.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let mut missing = Vec::new();
        let mut want = |name: &'static str| {
            get(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let settings = Self {
            table: want("LASTGOOD_TABLE"),
            bus: want("LASTGOOD_BUS"),
            stack: want("LASTGOOD_STACK"),
            account: want("LASTGOOD_ACCOUNT"),
            region: want("AWS_REGION"),
            writer: get("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_else(writer_of_this_process),
        };
        if missing.is_empty() { Ok(settings) } else { Err(Missing(missing)) }
    }
}

/// Tells one process from another: good enough to know one's own lost answer again.
pub(crate) fn writer_of_this_process() -> String {
    format!("process {}", std::process::id())
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment comes in")]
fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let some = |name: &str| (name == "LASTGOOD_BUS").then(|| "bus".to_owned());
        let missing = Settings::from_lookup(some).expect_err("most of it is missing");
        assert_eq!(missing.0, ["LASTGOOD_TABLE", "LASTGOOD_STACK", "LASTGOOD_ACCOUNT", "AWS_REGION"]);
        let empty = |_: &str| Some(String::new());
        assert_eq!(Settings::from_lookup(empty).expect_err("empty is missing").0.len(), 5);
    }
}
