//! Settings from the environment: one of the two files that may ask the machine for anything.
//!
//! Read once; what is missing is told all together, so that one deployment mends it.

use lastgood_core::pace::Share;

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
    /// Which part of the account's API calls is ours, in percent from 1 to 100; half of them if it is not said:
    /// `LASTGOOD_CALL_SHARE`.
    pub share: Share,
    /// Whether the deployment may back up caches: `LASTGOOD_MAY_BACK_UP_CACHES`, true if it is not said.
    pub caches: bool,
    /// The rules of the deployment that are looked after, as ARNs: `LASTGOOD_RULES`, parted by commas.
    pub rules: Vec<String>,
    /// The one that hands notices to people: `LASTGOOD_NOTICE_RULE`.
    pub notice_rule: Option<String>,
    /// Who writes, to know one's own writes again: `AWS_LAMBDA_LOG_STREAM_NAME`, which differs for each environment
    /// of a function; else the process.
    pub writer: String,
}

/// Settings that a function can't run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// They are missing.
    #[error("missing in the environment: {}; the template sets them for every function", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// One can't be read.
    #[error(
        "LASTGOOD_CALL_SHARE is '{0}'; write a whole number from 1 to 100, the percentage of the account's API calls"
    )]
    Share(String),
}

impl Settings {
    /// The settings of this process.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from_lookup(lookup)
    }

    /// The settings that `get` knows.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut missing = Vec::new();
        let mut want = |name: &'static str| {
            get(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let settings = Self {
            share: Share::default(),
            table: want("LASTGOOD_TABLE"),
            bus: want("LASTGOOD_BUS"),
            stack: want("LASTGOOD_STACK"),
            account: want("LASTGOOD_ACCOUNT"),
            region: want("AWS_REGION"),
            caches: get("LASTGOOD_MAY_BACK_UP_CACHES").is_none_or(|text| text != "false"),
            rules: list(get("LASTGOOD_RULES")),
            notice_rule: get("LASTGOOD_NOTICE_RULE").filter(|rule| !rule.is_empty()),
            writer: get("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_else(writer_of_this_process),
        };
        if !missing.is_empty() {
            return Err(SettingsError::Missing(missing));
        }
        let share = match get("LASTGOOD_CALL_SHARE").filter(|text| !text.is_empty()) {
            None => Share::default(),
            Some(text) => match text.trim().parse().ok().and_then(Share::percent) {
                Some(share) => share,
                None => return Err(SettingsError::Share(text)),
            },
        };
        Ok(Self { share, ..settings })
    }

    /// Those of a command beside the deployment: account and region are those of an ARN of its own. `None`: it is no ARN.
    pub(crate) fn of_operator(table: String, bus: String, stack: String, arn: &str) -> Option<Self> {
        // arn:PARTITION:SERVICE:REGION:ACCOUNT:…
        let mut parts = arn.split(':').skip(3).map(str::to_owned);
        Some(Self {
            region: parts.next()?,
            account: parts.next()?,
            table,
            bus,
            stack,
            share: Share::default(),
            caches: true,
            rules: Vec::new(),
            notice_rule: None,
            writer: writer_of_this_process(),
        })
    }
}

fn list(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Tells one process from another: good enough to know one's own lost answer again.
fn writer_of_this_process() -> String {
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
        let names = vec!["LASTGOOD_TABLE", "LASTGOOD_STACK", "LASTGOOD_ACCOUNT", "AWS_REGION"];
        assert_eq!(missing, SettingsError::Missing(names));
        let empty = |_: &str| Some(String::new());
        let SettingsError::Missing(all) = Settings::from_lookup(empty).expect_err("empty is missing") else {
            panic!("a share that is not said is the default")
        };
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn rules_and_caches_are_read() {
        let get = |name: &str| match name {
            "LASTGOOD_RULES" => Some("arn:1, arn:2,".to_owned()),
            "LASTGOOD_NOTICE_RULE" => Some("arn:2".to_owned()),
            "LASTGOOD_MAY_BACK_UP_CACHES" => Some("false".to_owned()),
            _ => Some("50".to_owned()),
        };
        let settings = Settings::from_lookup(get).expect("all is there");
        assert_eq!(settings.rules, ["arn:1", "arn:2"]);
        assert_eq!((settings.notice_rule.as_deref(), settings.caches), (Some("arn:2"), false));
        let plain = |name: &str| {
            (!name.starts_with("LASTGOOD_RULES") && name != "LASTGOOD_MAY_BACK_UP_CACHES").then(|| "50".to_owned())
        };
        let settings = Settings::from_lookup(plain).expect("the rest may be missing");
        assert!(settings.caches && settings.rules.is_empty());
    }

    #[test]
    fn the_share_is_half_unless_it_is_said() {
        let with = |share: Option<&str>| {
            let get =
                |name: &str| if name == "LASTGOOD_CALL_SHARE" { share.map(str::to_owned) } else { Some("x".into()) };
            Settings::from_lookup(get).map(|settings| settings.share)
        };
        assert_eq!(with(None), Ok(Share::default()));
        assert_eq!(with(Some("80")), Ok(Share::percent(80).expect("a share")));
        for wrong in ["0", "101", "half", "-5", "50 %"] {
            let error = with(Some(wrong)).expect_err(wrong).to_string();
            assert!(error.contains(&format!("'{wrong}'")) && error.contains("from 1 to 100"), "{error}");
        }
    }
}
