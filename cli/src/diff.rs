//! What a change looks like to a person: `+` comes, `~` changes, `-` goes.

use std::collections::BTreeMap;

use lastgood_core::id::SourceId;
use lastgood_core::plan::{Afterwards, Capture, OnManualChange, Plan, Publish, PublishTo};
use lastgood_core::rollout::RolloutPolicy;
use lastgood_core::source::Source;
use lastgood_engine::apply::{Change, PlanChange, SourceChange};
use serde_json::json;

use crate::say::word;

/// The change as text; `good` tells how many good backups a source has.
pub(crate) fn text(change: &Change, good: impl Fn(&Source) -> usize) -> String {
    let mut text = String::new();
    for (name, plan) in &change.plans {
        text += &match (&plan.before, &plan.after) {
            (None, Some(after)) => format!("+ plan {name}\n{}", rows_of(after)),
            (Some(before), None) => format!("- plan {name}\n{}", rows_of(before)),
            (Some(before), Some(after)) if before == after => {
                format!("~ plan {name}\n    its sources are looked for again\n")
            }
            (Some(before), Some(after)) => format!("~ plan {name}\n{}", differences(before, after)),
            (None, None) => String::new(),
        };
    }
    let (told, follow): (Vec<_>, Vec<_>) = change.sources.iter().partition(|source| is_told(source));
    for source in told {
        text += &source_lines(source, &change.unsaid, &good);
    }
    if !follow.is_empty() {
        text += &format!("  {} of these plans: nothing else changes for them\n", count(follow.len(), "source"));
    }
    for name in &change.empty {
        text +=
            &format!("  plan {name}: its tags select no group now; groups that get them are found within minutes\n");
    }
    for name in &change.untouched {
        text += &format!("  plan {name} is not in this file and stays as it is (--prune removes it)\n");
    }
    text + &summary(change)
}

fn summary(change: &Change) -> String {
    if change.is_empty() {
        return "Nothing to change.\n".into();
    }
    let how_many =
        |kind: fn(&(bool, bool)) -> bool, what: &[(bool, bool)]| what.iter().filter(|sides| kind(sides)).count();
    let line = |what: &[(bool, bool)]| {
        let comes = how_many(|(before, after)| !before && *after, what);
        let changes = how_many(|(before, after)| *before && *after, what);
        let goes = how_many(|(before, after)| *before && !after, what);
        format!("{comes} to add, {changes} to change, {goes} to remove")
    };
    let plans: Vec<_> = change.plans.values().map(|plan| (plan.before.is_some(), plan.after.is_some())).collect();
    let planned = |source: Option<&Source>| source.is_some_and(|source| source.plan.is_some());
    let sources: Vec<_> = change
        .sources
        .iter()
        .map(|source| (planned(source.before.as_ref()), planned(Some(&source.after.record))))
        .collect();
    format!("Plans: {}. Sources: {}.\n", line(&plans), line(&sources))
}

/// Whether more changes of a source than what its plan says of it.
fn is_told(change: &SourceChange) -> bool {
    let after = &change.after.record;
    change.before.as_ref().is_none_or(|before| {
        (&before.plan, before.next_slot, before.due_by, before.retire_at)
            != (&after.plan, after.next_slot, after.due_by, after.retire_at)
    })
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn source_lines(change: &SourceChange, unsaid: &BTreeMap<SourceId, String>, good: impl Fn(&Source) -> usize) -> String {
    let after = &change.after.record;
    let was = change.before.as_ref().and_then(|before| before.plan.as_deref());
    match (was, after.plan.as_deref()) {
        (Some(was), None) => {
            let backups = count(good(after), "good backup");
            let what = if unsaid.contains_key(&after.id) {
                "keep or delete them? that is not said".to_owned()
            } else {
                match after.retire_at {
                    Some(_) => "deleted, but for pinned ones and what the group still launches from".to_owned(),
                    None => "kept, until the source is planned again or 'removed' says delete".to_owned(),
                }
            };
            format!("- {}: leaves plan {was}; its {backups}: {what}\n", after.id)
        }
        (None, None) => match after.retire_at {
            Some(_) => format!("- {}: in no plan; its {}: deleted\n", after.id, count(good(after), "good backup")),
            None => format!("~ {}: in no plan; its {}: kept\n", after.id, count(good(after), "good backup")),
        },
        (None, Some(plan)) => format!("+ {}: plan {plan}, {}\n", after.id, dates(after)),
        (Some(was), Some(plan)) if was != plan => format!("~ {}: plan {was} -> {plan}, {}\n", after.id, dates(after)),
        (_, _) => match after.retire_at {
            Some(at) => {
                let backups = count(good(after), "good backup");
                format!("- {}: it was deleted; its {backups}: deleted after {at}, but for pinned ones\n", after.id)
            }
            None => format!("~ {}: {}\n", after.id, dates(after)),
        },
    }
}

fn dates(source: &Source) -> String {
    let due = source.due_by.map_or_else(|| "never".to_owned(), |due| due.to_string());
    match source.next_slot {
        Some(slot) => format!("next slot {slot}, good backup due by {due}"),
        None => "no further slot".into(),
    }
}

/// A plan as rows of name and value, in the words of the plan file.
fn rows(plan: &Plan) -> Vec<(&'static str, String)> {
    let policy = &plan.policy;
    let named = |kind: &str| {
        let names = plan.select.sources.iter().filter(|id| id.kind() == kind).map(SourceId::name);
        names.collect::<Vec<_>>().join(", ")
    };
    let tags: Vec<_> = plan.select.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        ("groups", named("group")),
        ("instances", named("instance")),
        ("replication_groups", named("replication-group")),
        ("cache_clusters", named("cache-cluster")),
        ("serverless_caches", named("serverless-cache")),
        ("tags", tags.join(", ")),
        ("schedule", policy.schedule.to_string()),
        ("spread", if policy.spread_seconds == 0 { String::new() } else { length(policy.spread_seconds) }),
        ("retain", policy.retain.to_string()),
        ("capture", capture(policy.capture)),
        ("publish", publish(&policy.publish)),
        ("rollout", policy.publish.rollout.as_ref().map(rollout).unwrap_or_default()),
        ("refresh", policy.publish.rollout.as_ref().map(refresh).unwrap_or_default()),
        ("verdict", policy.publish.rollout.as_ref().map(verdict).unwrap_or_default()),
        ("keep_in_use", policy.keep_in_use.to_string()),
        ("on_source_deleted", afterwards(policy.on_source_deleted).to_owned()),
        ("on_overdue", length(policy.on_overdue_seconds)),
    ]
}

/// As a plan file writes it: `2h`, `1d 12h`, `90s`.
fn length(seconds: i64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let said = parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}"));
    said.collect::<Vec<_>>().join(" ")
}

fn capture(capture: Capture) -> String {
    let mut words = if capture.stop {
        vec![format!("instances stopped within {}", length(capture.stop_within_seconds))]
    } else {
        vec!["reboot never".to_owned()]
    };
    for (holds, what) in [
        (capture.protect_from_scale_in, "protect from scale-in"),
        (capture.during_refresh, "during refreshes too"),
        (capture.allow_address_change, "may change their address"),
    ] {
        words.extend(holds.then(|| what.to_owned()));
    }
    words.join(", ")
}

fn publish(publish: &Publish) -> String {
    let to = match &publish.to {
        PublishTo::Nothing => return "nothing, images only".into(),
        PublishTo::Group => "to the group".to_owned(),
        PublishTo::Parameter(name) => {
            format!("to parameter {name} (whoever reads it decides; AWS can't roll such a group back)")
        }
    };
    let on_manual_change = match publish.on_manual_change {
        OnManualChange::Hold => "hold",
        OnManualChange::Overwrite => "overwrite",
        OnManualChange::Adopt => "adopt",
    };
    let deep = publish.max_generations.map_or_else(String::new, |max| format!(", at most {max} images deep"));
    format!("{to}, on manual change {on_manual_change}{deep}")
}

/// How members are replaced. With [`refresh`] and [`verdict`] all that a plan says of it, so that each change shows.
fn rollout(policy: &RolloutPolicy) -> String {
    let checkpoints: Vec<_> = policy.checkpoints.iter().map(ToString::to_string).collect();
    let warmup = policy.warmup_seconds.map_or_else(|| "as the group says".to_owned(), length);
    let backup = if policy.backup { ", each pause is backed up" } else { "" };
    format!(
        "to {} percent, {} at each pause, {} to {} percent healthy, warmup {warmup}{backup}",
        checkpoints.join(", "),
        length(policy.delay_seconds),
        policy.min_healthy,
        policy.max_healthy
    )
}

/// What AWS is told of the instance refresh beside that.
fn refresh(policy: &RolloutPolicy) -> String {
    let mut words = vec![
        if policy.skip_matching { "skips what matches" } else { "replaces what matches, too" }.to_owned(),
        if policy.auto_rollback { "AWS rolls back what fails" } else { "AWS leaves what fails" }.to_owned(),
        format!("protected {}", word(&policy.protected)),
        format!("standby {}", word(&policy.standby)),
        format!("followed {}", word(&policy.followed)),
    ];
    if !policy.alarms.is_empty() {
        words.push(format!("alarms {}", policy.alarms.join(", ")));
    }
    if policy.bake_seconds > 0 {
        words.push(format!("bakes {}", length(policy.bake_seconds)));
    }
    words.join(", ")
}

/// Who judges its pauses.
fn verdict(policy: &RolloutPolicy) -> String {
    let by: Vec<_> = policy.verdict.by.iter().map(ToString::to_string).collect();
    let (within, otherwise) = (length(policy.verdict.within_seconds), word(&policy.verdict.otherwise));
    format!("by {} within {within}, otherwise {otherwise}; others {}", by.join(" and "), word(&policy.others))
}

fn afterwards(afterwards: Afterwards) -> &'static str {
    match afterwards {
        Afterwards::Keep => "keep",
        Afterwards::Delete => "delete",
    }
}

fn rows_of(plan: &Plan) -> String {
    let said = rows(plan).into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| format!("    {name:<18} {value}\n")).collect()
}

fn differences(before: &Plan, after: &Plan) -> String {
    let pairs = rows(before).into_iter().zip(rows(after));
    let changed = pairs.filter(|((_, before), (_, after))| before != after);
    let said = |value: String| if value.is_empty() { "none".to_owned() } else { value };
    changed
        .map(|((name, before), (_, after))| format!("    {name:<18} {} -> {}\n", said(before), said(after)))
        .collect()
}

pub(crate) fn json(change: &Change) -> serde_json::Value {
    let plans = change
        .plans
        .iter()
        .map(|(name, PlanChange { before, after, .. })| json!({"plan": name, "before": before, "after": after}));
    let sources = change.sources.iter().map(|source| {
        let after = &source.after.record;
        let was = source.before.as_ref().and_then(|before| before.plan.as_ref());
        json!({
            "source": after.id, "plan": after.plan, "plan_before": was, "next_slot": after.next_slot,
            "due_by": after.due_by, "backups_deleted": after.retire_at.is_some(),
        })
    });
    json!({
        "plans": plans.collect::<Vec<_>>(),
        "sources": sources.collect::<Vec<_>>(),
        "untouched": change.untouched,
        "selects_nothing": change.empty,
        "unsaid": change.unsaid.keys().collect::<Vec<_>>(),
    })
}
