//! The preferences of an instance refresh, as AWS takes them (AWS: RefreshPreferences, and Default values for an instance
//! refresh). The words of refusals are a guess, but for those of `AutoRollback`.

use crate::fault::AwsError;
use crate::group::invalid;
use crate::policy::Verbatim;

/// The longest that a refresh waits at a checkpoint, and bakes.
const SECONDS_MAX: i64 = 172_800;
const DELAY_SECONDS_DEFAULT: i64 = 3_600;
const MIN_HEALTHY_DEFAULT: u32 = 90;
const ALARMS_MAX: usize = 10;

/// What becomes of members that a refresh may not simply replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Passing {
    /// They are replaced like all others: `Refresh`, `Terminate`.
    Replace,
    /// They stay as they are.
    Ignore,
    /// The refresh waits for them, one hour, and fails.
    #[default]
    Wait,
}

/// What a refresh was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub(crate) min_healthy: u32,
    pub(crate) max_healthy: u32,
    pub(crate) warmup_seconds: Option<i64>,
    pub(crate) checkpoints: Vec<u32>,
    pub(crate) delay_seconds: i64,
    pub(crate) skip_matching: bool,
    pub(crate) auto_rollback: bool,
    pub(crate) protected: Passing,
    pub(crate) standby: Passing,
    pub(crate) alarms: Vec<String>,
    pub(crate) bake_seconds: i64,
}

impl Preferences {
    /// What the texts of a call mean.
    pub(crate) fn read(text: &Verbatim) -> Result<Self, AwsError> {
        let min_healthy: Option<u32> = number(text, "MinHealthyPercentage")?;
        let max_healthy: Option<u32> = number(text, "MaxHealthyPercentage")?;
        if max_healthy.is_some() && min_healthy.is_none() {
            return Err(invalid("MaxHealthyPercentage requires MinHealthyPercentage"));
        }
        let (min, max) = (min_healthy.unwrap_or(MIN_HEALTHY_DEFAULT), max_healthy.unwrap_or(100));
        if min > 100 || !(100..=200).contains(&max) || max - min > 100 {
            return Err(invalid(format!("MinHealthyPercentage {min} and MaxHealthyPercentage {max} are out of range")));
        }
        let checkpoints = checkpoints(text)?;
        let delay = number(text, "CheckpointDelay")?;
        if delay.is_some() && checkpoints.is_empty() {
            return Err(invalid("CheckpointDelay requires CheckpointPercentages"));
        }
        let delay_seconds = delay.unwrap_or(DELAY_SECONDS_DEFAULT);
        let bake_seconds = number(text, "BakeTime")?.unwrap_or(0);
        for (name, seconds) in [("CheckpointDelay", delay_seconds), ("BakeTime", bake_seconds)] {
            if !(0..=SECONDS_MAX).contains(&seconds) {
                return Err(invalid(format!("{name} must be from 0 to {SECONDS_MAX}")));
            }
        }
        let alarms: Vec<String> = list(text, "AlarmSpecification.Alarms.member.");
        if alarms.len() > ALARMS_MAX {
            return Err(invalid(format!("A refresh takes at most {ALARMS_MAX} alarms")));
        }
        Ok(Self {
            min_healthy: min,
            max_healthy: max,
            warmup_seconds: number(text, "InstanceWarmup")?,
            checkpoints,
            delay_seconds,
            skip_matching: flag(text, "SkipMatching")?,
            auto_rollback: flag(text, "AutoRollback")?,
            protected: passing(text, "ScaleInProtectedInstances", "Refresh")?,
            standby: passing(text, "StandbyInstances", "Terminate")?,
            alarms,
            bake_seconds,
        })
    }

    /// Percent of the group at which the refresh ends.
    pub(crate) fn last(&self) -> u32 {
        self.checkpoints.last().copied().unwrap_or(100)
    }
}

fn number<T: std::str::FromStr>(text: &Verbatim, name: &str) -> Result<Option<T>, AwsError> {
    let read = |value: &String| value.parse().map_err(|_| invalid(format!("{name} is no number: {value}")));
    text.get(name).map(read).transpose()
}

fn flag(text: &Verbatim, name: &str) -> Result<bool, AwsError> {
    Ok(match text.get(name).map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(invalid(format!("{name} is neither true nor false: {other}"))),
    })
}

fn passing(text: &Verbatim, name: &str, replace: &str) -> Result<Passing, AwsError> {
    Ok(match text.get(name).map(String::as_str) {
        None | Some("Wait") => Passing::Wait,
        Some("Ignore") => Passing::Ignore,
        Some(other) if other == replace => Passing::Replace,
        Some(other) => return Err(invalid(format!("{name} can't be {other}"))),
    })
}

fn list(text: &Verbatim, prefix: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = text
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.parse().ok()?, value.clone())))
        .collect();
    found.sort();
    found.into_iter().map(|(_, value)| value).collect()
}

fn checkpoints(text: &Verbatim) -> Result<Vec<u32>, AwsError> {
    let read = |value: String| value.parse().map_err(|_| invalid(format!("{value} is no percentage")));
    let found = list(text, "CheckpointPercentages.member.").into_iter().map(read).collect::<Result<Vec<u32>, _>>()?;
    let ascends = found.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascends || found.iter().any(|percent| !(1..=100).contains(percent)) {
        return Err(invalid("CheckpointPercentages must be from 1 to 100, each once, in ascending order"));
    }
    Ok(found)
}
