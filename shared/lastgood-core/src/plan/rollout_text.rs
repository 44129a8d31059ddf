//! What a plan file may say of rollouts, as types, and what that means.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::mistake::Mistakes;
use super::text::WORD_CHARS_MAX;
use super::tree::Node;
use super::value;
use crate::rollout::policy::{ALARMS_MAX, DELAY_SECONDS_DEFAULT, DELAY_SECONDS_MAX, MIN_HEALTHY_DEFAULT};
use crate::rollout::policy::{Protected, Standby, verdict_seconds_max};
use crate::rollout::{Followed, Judge, Others, Otherwise, RolloutPolicy, VerdictPolicy};

/// How the group's members are replaced with a good image: an instance refresh, whose pauses are judged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolloutText {
    /// Percentages of the group at which the refresh pauses, ascending. It ends at the last; there is no pause at 100.
    #[schemars(inner(range(min = 1, max = 100)), example = json!([20, 50, 100]))]
    pub(super) checkpoints: Option<Vec<u32>>,
    /// How long it pauses at each: '15m'. An hour if left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"15m")]
    pub(super) checkpoint_delay: Option<String>,
    /// Percent of the group that stay healthy. 90 if left out.
    #[schemars(range(min = 0, max = 100), example = 90)]
    pub(super) min_healthy: Option<u32>,
    /// Percent of the group that there may be at once. 100 if left out.
    #[schemars(range(min = 100, max = 200), example = 110)]
    pub(super) max_healthy: Option<u32>,
    /// How long a new member takes until it counts: '300s'. As the group says if left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"300s")]
    pub(super) warmup: Option<String>,
    /// Members that launched from the same version already are passed over. true if left out.
    pub(super) skip_matching: Option<bool>,
    /// AWS turns back by itself if the refresh fails. true if left out.
    pub(super) auto_rollback: Option<bool>,
    /// CloudWatch alarms that AWS watches meanwhile, at most ten.
    #[schemars(inner(length(min = 1, max = 255)), example = json!(["web-errors"]))]
    pub(super) alarms: Option<Vec<String>>,
    /// How long AWS waits at the end whether all holds: '10m'.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"10m")]
    pub(super) bake: Option<String>,
    /// What becomes of members that are protected from scale-in. They stay as they are if left out.
    pub(super) protected: Option<Protected>,
    /// What becomes of members in standby. They stay as they are if left out.
    pub(super) standby: Option<Standby>,
    /// Who judges a pause, by when, and what follows if nobody does.
    #[schemars(example = json!({"by": ["health"], "within": "10m", "otherwise": "roll-back"}))]
    pub(super) verdict: Option<VerdictText>,
    /// Whether each pause that goes on is backed up, from a member on the new version and of the caches that the plan names: a
    /// point to come back to.
    pub(super) backup: Option<bool>,
    /// What is done with refreshes that somebody else begins. They are only watched if left out.
    pub(super) others: Option<Others>,
    /// What is done with a group that names $Latest or $Default, which AWS can't roll back. It is pinned if left out.
    pub(super) followed: Option<Followed>,
}

/// Who judges a pause.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictText {
    /// All of them must agree. health if left out.
    #[schemars(length(min = 1), example = json!(["health"]))]
    pub(super) by: Option<Vec<Judge>>,
    /// How long after the pause began the verdict is due: '10m'. It must come three minutes before AWS goes on (of a pause
    /// under twelve minutes, a quarter of that): the earlier of the two if left out.
    #[schemars(length(max = WORD_CHARS_MAX), example = &"10m")]
    pub(super) within: Option<String>,
    /// What follows if they have not agreed by then. roll-back if left out.
    pub(super) otherwise: Option<Otherwise>,
}

/// What the file says, or `None` after a mistake. `node` is the plan.
pub(super) fn rollout(text: &RolloutText, node: &Node, mistakes: &mut Mistakes<'_>) -> Option<RolloutPolicy> {
    let place = |key: &str| node.place_of(&["rollout", key]);
    let mut seconds = |key: &str, text: Option<&String>, default: i64, most: i64| match text {
        None => Some(default),
        Some(text) => {
            let read = value::seconds(text).and_then(|seconds| {
                let wrong = || format!("'{text}' is more than the {} h that AWS takes; write less", most / 3600);
                if seconds <= most { Ok(seconds) } else { Err(wrong()) }
            });
            mistakes.take(place(key), read)
        }
    };
    let delay = seconds("checkpoint_delay", text.checkpoint_delay.as_ref(), DELAY_SECONDS_DEFAULT, DELAY_SECONDS_MAX);
    let warmup = seconds("warmup", text.warmup.as_ref(), -1, DELAY_SECONDS_MAX);
    let bake = seconds("bake", text.bake.as_ref(), 0, DELAY_SECONDS_MAX);
    let checkpoints = text.checkpoints.clone().unwrap_or_else(|| vec![100]);
    let alarms = text.alarms.clone().unwrap_or_default();
    let (min_healthy, max_healthy) = (text.min_healthy.unwrap_or(MIN_HEALTHY_DEFAULT), text.max_healthy.unwrap_or(100));
    let mut wrong = |key: &str, what: String| mistakes.add(place(key), what);
    if checkpoints.is_empty() {
        wrong("checkpoints", "there is none; write them, as in [20, 50, 100], or leave them out".into());
    }
    if checkpoints.windows(2).any(|pair| pair[0] >= pair[1]) {
        wrong(
            "checkpoints",
            "the percentages do not ascend; write each once, the smaller ones first, as in [20, 50, 100]".into(),
        );
    }
    if text.checkpoint_delay.is_some() && text.checkpoints.is_none() {
        wrong("checkpoint_delay", "there is no pause without checkpoints; write them, as in [20, 50, 100]".into());
    }
    if text.backup == Some(true) && checkpoints == [100] {
        wrong("backup", "there is no pause to back up without checkpoints; write them, as in [20, 50, 100]".into());
    }
    if max_healthy.saturating_sub(min_healthy) > 100 {
        let what = format!("{max_healthy} is more than 100 above min_healthy, which AWS does not take; write less");
        wrong("max_healthy", what);
    }
    if alarms.len() > ALARMS_MAX {
        wrong("alarms", format!("there are {} alarms, and AWS takes {ALARMS_MAX}; write fewer", alarms.len()));
    }
    let verdict = verdict(text, &alarms, delay, node, mistakes);
    Some(RolloutPolicy {
        checkpoints,
        delay_seconds: delay?,
        min_healthy,
        max_healthy,
        warmup_seconds: Some(warmup?).filter(|seconds| *seconds >= 0),
        skip_matching: text.skip_matching.unwrap_or(true),
        auto_rollback: text.auto_rollback.unwrap_or(true),
        alarms,
        bake_seconds: bake?,
        protected: text.protected.unwrap_or_default(),
        standby: text.standby.unwrap_or_default(),
        verdict: verdict?,
        followed: text.followed.unwrap_or_default(),
        backup: text.backup.unwrap_or_default(),
        others: text.others.unwrap_or_default(),
    })
}

fn verdict(
    text: &RolloutText,
    alarms: &[String],
    delay: Option<i64>,
    node: &Node,
    mistakes: &mut Mistakes<'_>,
) -> Option<VerdictPolicy> {
    let default = VerdictPolicy::default();
    let delay = delay.unwrap_or(DELAY_SECONDS_DEFAULT);
    let most = verdict_seconds_max(delay);
    let Some(text) = &text.verdict else {
        return Some(VerdictPolicy { within_seconds: default.within_seconds.min(most), ..default });
    };
    let place = |key: &str| node.place_of(&["rollout", "verdict", key]);
    let by = text.by.as_ref().map_or(default.by, |by| by.iter().copied().collect());
    if by.contains(&Judge::Alarms) && alarms.is_empty() {
        mistakes.add(
            place("by"),
            "there are no alarms to judge by; write them under rollout, as in 'alarms: [web-errors]'",
        );
    }
    let within_seconds = match &text.within {
        None => default.within_seconds.min(most),
        Some(text) => {
            let seconds = mistakes.take(place("within"), value::seconds(text))?;
            if seconds > most {
                let what = format!(
                    "AWS goes on after {delay} s, and a verdict is due {} s before that: '{text}' is too late; write at most '{most}s', or a longer checkpoint_delay",
                    delay - most
                );
                mistakes.add(place("within"), what);
            }
            seconds
        }
    };
    Some(VerdictPolicy { by, within_seconds, otherwise: text.otherwise.unwrap_or_default() })
}
