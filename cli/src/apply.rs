//! `apply`: shows what a plan file would change, asks, and writes it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use lastgood_core::plan::{self, OnManualChange, PlacedPlan, Plan};
use lastgood_core::source::Source;
use lastgood_engine::apply::{Absent, ApplyError, Change, PlanChange, compare, write};
use lastgood_engine::{Clock, chain};
use serde_json::json;

use crate::Failure;
use crate::connect::Connection;
use crate::show::print_json;

/// What was said on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    pub(crate) yes: bool,
    pub(crate) prune: bool,
    pub(crate) json: bool,
}

/// How often a change is written anew on what stands then, while ticks keep moving sources.
const TRIES_MAX: usize = 10;

/// The plans of a file, or every mistake in it, a line each.
pub(crate) fn read(file: &Path) -> Result<Vec<PlacedPlan>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    plan::read(&file.display().to_string(), &text).map_err(|mistakes| {
        let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        format!("{}\nNothing was written.", lines.join("\n"))
    })
}

pub(crate) async fn apply(
    connection: &Connection,
    file: &Path,
    plans: &[PlacedPlan],
    choices: &Choices,
) -> Result<(), Failure> {
    let (table, cloud) = (&connection.lastgood.table, &connection.lastgood.cloud);
    let absent = if choices.prune { Absent::Go } else { Absent::Stay };
    let name = file.display().to_string();
    let compared = || {
        let now = connection.lastgood.clock.now();
        compare(table, cloud, &name, plans, absent, now)
    };
    let mut change = compared().await.map_err(|error| told(&error))?;
    if choices.json {
        print_json(&change_json(&change))?;
    } else {
        print!("{}", change_text(&change));
    }
    if change.is_empty() {
        return Ok(());
    }
    if !choices.yes && !agreed()? {
        return Err("Nothing was written.".into());
    }
    let mut tries = 1;
    while let Err(error) = write(table, &change).await {
        // A tick moved a source meanwhile: the same is to be written, on what stands now.
        if !matches!(error, ApplyError::Outdated { .. }) || tries == TRIES_MAX {
            return Err(format!("{}\nSome of it may be written; run it again.", chain(&error)));
        }
        tries += 1;
        let now = compared().await.map_err(|error| told(&error))?;
        if now.plans != change.plans {
            return Err("Somebody else changed the plans meanwhile; run it again.".into());
        }
        change = now;
    }
    if !choices.json {
        println!("Written.");
    }
    Ok(())
}

fn told(error: &ApplyError) -> Failure {
    match error {
        ApplyError::Mistakes(mistakes) => {
            let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            format!("{}\nNothing was written.", lines.join("\n"))
        }
        ApplyError::Refused(_) | ApplyError::Call(_) => format!("{}\nNothing was written.", chain(error)),
        ApplyError::Outdated { .. } => chain(error),
    }
}

/// Asks a person. Without a terminal there is nobody to ask.
fn agreed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err("Nothing was written: say --yes to write without being asked.".into());
    }
    print!("Write this? (yes/no) ");
    std::io::stdout().flush().map_err(|error| error.to_string())?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim() == "yes")
}

fn change_text(change: &Change) -> String {
    let mut text = String::new();
    for (name, plan) in &change.plans {
        text += &match (&plan.before, &plan.after) {
            (None, Some(after)) => format!("+ plan {name}\n{}", lines("+", after)),
            (Some(_), None) => format!("- plan {name}; the backups of its sources stay\n"),
            (Some(before), Some(after)) => format!("~ plan {name}\n{}", differences(before, after)),
            (None, None) => String::new(),
        };
    }
    for source in change.sources.iter().map(|source| &source.record) {
        text += &source_line(source);
    }
    for name in &change.untouched {
        text += &format!("  plan {name} is not in this file and stays as it is (--prune removes it)\n");
    }
    if change.is_empty() {
        text += "Nothing to change.\n";
    }
    text
}

fn source_line(source: &Source) -> String {
    match (&source.plan, source.next_slot) {
        (Some(plan), Some(slot)) => {
            format!("  {}: by plan {plan}, next slot {slot}, good backup due by {}\n", source.id, due(source))
        }
        (Some(plan), None) => format!("  {}: by plan {plan}, no further slot\n", source.id),
        (None, _) => format!("  {}: in no plan any more; its backups stay, and none is made or deleted\n", source.id),
    }
}

fn due(source: &Source) -> String {
    source.due_by.map_or_else(|| "never".to_owned(), |due| due.to_string())
}

/// A plan as rows of name and value, in the words of the plan file.
fn rows(plan: &Plan) -> Vec<(&'static str, String)> {
    let groups: Vec<_> = plan.sources.iter().map(|source| source.name().to_owned()).collect();
    let on_manual_change = match plan.policy.on_manual_change {
        OnManualChange::Hold => "hold",
        OnManualChange::Overwrite => "overwrite",
    };
    vec![
        ("groups", groups.join(", ")),
        ("schedule", plan.policy.schedule.to_string()),
        ("retain", format!("last {}", plan.policy.retain.last)),
        ("on_manual_change", on_manual_change.to_owned()),
        ("on_overdue", format!("{} min", plan.policy.on_overdue_seconds / 60)),
    ]
}

fn lines(sign: &str, plan: &Plan) -> String {
    rows(plan).iter().map(|(name, value)| format!("{sign}   {name}: {value}\n")).collect()
}

fn differences(before: &Plan, after: &Plan) -> String {
    let pairs = rows(before).into_iter().zip(rows(after));
    let changed = pairs.filter(|((_, before), (_, after))| before != after);
    changed.map(|((name, before), (_, after))| format!("~   {name}: {before} -> {after}\n")).collect()
}

fn change_json(change: &Change) -> serde_json::Value {
    let plans = change
        .plans
        .iter()
        .map(|(name, PlanChange { before, after })| json!({"plan": name, "before": before, "after": after}));
    let sources = change.sources.iter().map(|source| {
        let source = &source.record;
        json!({"source": source.id, "plan": source.plan, "next_slot": source.next_slot, "due_by": source.due_by})
    });
    json!({"plans": plans.collect::<Vec<_>>(), "sources": sources.collect::<Vec<_>>(), "untouched": change.untouched})
}
