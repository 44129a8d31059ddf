//! What a change looks like to a person: `+` comes, `~` changes, `-` goes.

use lastgood_core::plan::{Afterwards, Capture, OnManualChange, Plan, Publish, PublishTo};
use lastgood_core::source::Source;
use lastgood_engine::apply::{Change, PlanChange, SourceChange};
use serde_json::json;

/// The change as text; `good` tells how many good backups a source has.
pub(crate) fn text(change: &Change, good: impl Fn(&Source) -> usize) -> String {
    let mut text = String::new();
    for (name, plan) in &change.plans {
        text += &match (&plan.before, &plan.after) {
            (None, Some(after)) => format!("+ plan {name}\n{}", rows_of(after)),
            (Some(before), None) => format!("- plan {name}\n{}", rows_of(before)),
            (Some(before), Some(after)) => format!("~ plan {name}\n{}", differences(before, after)),
            (None, None) => String::new(),
        };
    }
    for source in &change.sources {
        text += &source_lines(source, &good);
    }
    for name in &change.empty {
        text +=
            &format!("  plan {name}: its tags select no group now; groups that get them are found within 15 minutes\n");
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
    let count =
        |kind: fn(&(bool, bool)) -> bool, what: &[(bool, bool)]| what.iter().filter(|sides| kind(sides)).count();
    let line = |what: &[(bool, bool)]| {
        let comes = count(|(before, after)| !before && *after, what);
        let changes = count(|(before, after)| *before && *after, what);
        let goes = count(|(before, after)| *before && !after, what);
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

fn source_lines(change: &SourceChange, good: impl Fn(&Source) -> usize) -> String {
    let after = &change.after.record;
    let was = change.before.as_ref().and_then(|before| before.plan.as_deref());
    match (was, after.plan.as_deref()) {
        (Some(was), None) => {
            let count = good(after);
            let backups = if count == 1 { "its good backup".into() } else { format!("its {count} good backups") };
            let what = match after.retire_at {
                Some(_) => format!("{backups} and what is pending: deleted, but for pinned ones"),
                None => format!("{backups}: kept for ever, until somebody deletes them or it is planned again"),
            };
            format!("- {}: leaves plan {was}; {what}\n", after.id)
        }
        (None, Some(plan)) => format!("+ {}: plan {plan}, {}\n", after.id, dates(after)),
        (Some(was), Some(plan)) if was != plan => format!("~ {}: plan {was} -> {plan}, {}\n", after.id, dates(after)),
        (_, _) => format!("~ {}: {}\n", after.id, dates(after)),
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
    let groups: Vec<_> = plan.select.groups.iter().map(ToString::to_string).collect();
    let tags: Vec<_> = plan.select.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        ("groups", groups.join(", ")),
        ("tags", tags.join(", ")),
        ("schedule", policy.schedule.to_string()),
        ("spread", minutes(policy.spread_seconds)),
        ("retain", policy.retain.to_string()),
        ("capture", capture(policy.capture)),
        ("publish", publish(&policy.publish)),
        ("on_source_deleted", afterwards(policy.on_source_deleted).to_owned()),
        ("on_overdue", minutes(policy.on_overdue_seconds)),
    ]
}

fn minutes(seconds: i64) -> String {
    if seconds == 0 { "none".into() } else { format!("{} min", seconds / 60) }
}

fn capture(capture: Capture) -> String {
    let mut words = vec!["reboot never"];
    if capture.protect_from_scale_in {
        words.push("protect from scale-in");
    }
    if capture.during_refresh {
        words.push("during refreshes too");
    }
    words.join(", ")
}

fn publish(publish: &Publish) -> String {
    let to = match &publish.to {
        PublishTo::Nothing => return "none".into(),
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

pub(crate) fn afterwards(afterwards: Afterwards) -> &'static str {
    match afterwards {
        Afterwards::Keep => "keep",
        Afterwards::Delete => "delete",
    }
}

fn rows_of(plan: &Plan) -> String {
    let said = rows(plan).into_iter().filter(|(_, value)| !value.is_empty() && value != "none");
    said.map(|(name, value)| format!("    {name:<18} {value}\n")).collect()
}

fn differences(before: &Plan, after: &Plan) -> String {
    let pairs = rows(before).into_iter().zip(rows(after));
    let changed = pairs.filter(|((_, before), (_, after))| before != after);
    let word = |value: String| if value.is_empty() { "none".to_owned() } else { value };
    changed
        .map(|((name, before), (_, after))| format!("    {name:<18} {} -> {}\n", word(before), word(after)))
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
    })
}
