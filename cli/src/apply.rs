//! `apply`: shows what a plan file would change, asks, and writes it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use lastgood_core::backup::{Backup, State};
use lastgood_core::id::SourceId;
use lastgood_core::plan::{self, Afterwards, Mistake, PlanFile};
use lastgood_core::source::Source;
use lastgood_engine::apply::{Absent, ApplyError, Change, SourceChange, compare, write};
use lastgood_engine::{Clock, chain};

use crate::connect::Connection;
use crate::say::{ask, say, say_json, warn};
use crate::{Failure, diff};

/// What was said on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    pub(crate) yes: bool,
    pub(crate) absent: Absent,
    pub(crate) dry_run: bool,
    pub(crate) json: bool,
}

/// How often a change is written anew on what stands then, while ticks keep moving sources.
const TRIES_MAX: usize = 10;

/// The plans of a file, or every mistake in it, a line each.
pub(crate) fn read(file: &Path) -> Result<PlanFile, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    plan::read(&file.display().to_string(), &text).map_err(|mistakes| mistaken(&mistakes))
}

fn mistaken(mistakes: &[Mistake]) -> Failure {
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    format!("{}\nNothing was written.", lines.join("\n"))
}

pub(crate) async fn apply(connection: &Connection, mut file: PlanFile, choices: Choices) -> Result<(), Failure> {
    if let Some(may) = connection.may {
        let refused: Vec<String> = file.plans.iter().flat_map(|plan| may.refuses(&plan.plan)).collect();
        if !refused.is_empty() {
            return Err(format!("{}\nNothing was written.", refused.join("\n")));
        }
    }
    let mut change = compared(connection, &file, choices).await?;
    // JSON is one document: that of what is written in the end.
    if !choices.json || change.unsaid.is_empty() || choices.dry_run {
        show(connection, &change, choices).await?;
    }
    if choices.dry_run {
        return if change.unsaid.is_empty() { Ok(()) } else { Err(not_said(&change.unsaid)) };
    }
    if !change.unsaid.is_empty() {
        let said = ask_what_becomes(&change.unsaid, choices)?;
        file.removed.extend(said);
        change = compared(connection, &file, choices).await?;
        show(connection, &change, choices).await?;
    }
    if change.is_empty() {
        return Ok(());
    }
    if !choices.yes && ask("Write this? (yes/no) ")? != "yes" {
        return Err("Nothing was written.".into());
    }
    write_on_what_stands(connection, &file, choices, change).await?;
    if !choices.json {
        say("Written.")?;
    }
    Ok(())
}

async fn show(connection: &Connection, change: &Change, choices: Choices) -> Result<(), Failure> {
    if choices.json {
        return say_json(&diff::json(change));
    }
    let good = count_good(connection, change).await?;
    let text = diff::text(change, |source| good.get(&source.id).copied().unwrap_or_default());
    say(text.trim_end_matches('\n'))
}

async fn compared(connection: &Connection, file: &PlanFile, choices: Choices) -> Result<Change, Failure> {
    let (table, cloud, now) = (&connection.lastgood.table, &connection.lastgood.cloud, connection.lastgood.clock.now());
    compare(table, cloud, file, choices.absent, now).await.map_err(|error| told(&error))
}

async fn write_on_what_stands(
    connection: &Connection,
    file: &PlanFile,
    choices: Choices,
    mut change: Change,
) -> Result<(), Failure> {
    let mut tries = 1;
    while let Err(error) = write(&connection.lastgood.table, &change, connection.lastgood.clock.now()).await {
        // A tick moved a source meanwhile: the same is to be written, on what stands now.
        if !matches!(error, ApplyError::Outdated { .. }) || tries == TRIES_MAX {
            return Err(format!("{}\nSome of it may be written; run it again.", chain(&error)));
        }
        tries += 1;
        let now = compared(connection, file, choices).await?;
        let plans = |change: &Change| -> BTreeMap<_, _> {
            change.plans.iter().map(|(name, plan)| (name.clone(), (plan.before.clone(), plan.after.clone()))).collect()
        };
        let sources = |change: &Change| -> BTreeMap<SourceId, (Option<String>, bool)> {
            let of = |source: &SourceChange| {
                let after = &source.after.record;
                (after.id.clone(), (after.plan.clone(), after.retire_at.is_some()))
            };
            change.sources.iter().map(of).collect()
        };
        // What is left to write must be part of what was shown.
        let shown = sources(&change);
        let as_shown = sources(&now).iter().all(|(id, becomes)| shown.get(id) == Some(becomes));
        if plans(&now) != plans(&change) || !as_shown || !now.unsaid.is_empty() {
            return Err("Somebody else changed plans or sources meanwhile; run it again.".into());
        }
        change = now;
    }
    Ok(())
}

/// How many good backups each source has that leaves its plan.
async fn count_good(connection: &Connection, change: &Change) -> Result<BTreeMap<SourceId, usize>, Failure> {
    let mut good = BTreeMap::new();
    let told = |source: &&Source| source.plan.is_none() || source.retire_at.is_some();
    for source in change.sources.iter().map(|source| &source.after.record).filter(told) {
        let backups = connection.all::<Backup>(&source.id).await?;
        let count = backups.iter().filter(|backup| backup.state == State::Good).count();
        good.insert(source.id.clone(), count);
    }
    Ok(good)
}

/// What becomes of the backups of sources that leave their plan: nobody but a person, or the file, can say. Asked by
/// plan.
fn ask_what_becomes(
    unsaid: &BTreeMap<SourceId, String>,
    choices: Choices,
) -> Result<Vec<(String, Afterwards)>, Failure> {
    if choices.yes || !std::io::stdin().is_terminal() {
        return Err(not_said(unsaid));
    }
    let mut by_plan: BTreeMap<&str, Vec<&SourceId>> = BTreeMap::new();
    for (id, plan) in unsaid {
        by_plan.entry(plan).or_default().push(id);
    }
    let mut said = Vec::new();
    for (plan, ids) in by_plan {
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let afterwards = keep_or_delete(&format!("{} leave plan {plan}", names.join(", ")))?;
        said.extend(names.into_iter().map(|name| (name, afterwards)));
    }
    Ok(said)
}

fn not_said(unsaid: &BTreeMap<SourceId, String>) -> Failure {
    let leave: Vec<_> = unsaid.iter().map(|(id, plan)| format!("{id} (plan {plan})")).collect();
    let lines: Vec<_> = unsaid.keys().map(|id| format!("  {id}: keep    # or delete")).collect();
    format!(
        "what becomes of the backups of {}? Say it in the plan file, by source or by plan:\nremoved:\n{}\nNothing was written.",
        leave.join(", "),
        lines.join("\n")
    )
}

fn keep_or_delete(what: &str) -> Result<Afterwards, Failure> {
    loop {
        match ask(&format!("{what}. Their backups: keep or delete? "))?.as_str() {
            "keep" => return Ok(Afterwards::Keep),
            "delete" => return Ok(Afterwards::Delete),
            "" => return Err("Nothing was written.".into()),
            _ => warn("Say keep or delete; nothing at all to leave it."),
        }
    }
}

fn told(error: &ApplyError) -> Failure {
    match error {
        ApplyError::Mistakes(mistakes) => mistaken(mistakes),
        ApplyError::Refused(_) | ApplyError::Call(_) | ApplyError::TooLarge { .. } => {
            format!("{}\nNothing was written.", chain(error))
        }
        ApplyError::Outdated { .. } => chain(error),
    }
}
