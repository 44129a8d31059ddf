//! `status`, `backups`, `backup`: what is on record, and asking for more.

use comfy_table::{ContentArrangement, Table, presets};
use lastgood_core::Time;
use lastgood_core::backup::{Backup, Publication};
use lastgood_core::incoming::BackupRequested;
use lastgood_core::source::Source;
use lastgood_engine::port::Posted;
use lastgood_engine::{Clock, Store, chain};
use serde_json::{Value, json};

use crate::Failure;
use crate::connect::Connection;

pub(crate) async fn status(connection: &Connection, as_json: bool) -> Result<(), Failure> {
    let now = connection.lastgood.clock.now();
    let sources = connection.sources().await?;
    if as_json {
        return print_json(&sources.iter().map(|source| status_json(source, now)).collect::<Vec<_>>());
    }
    if sources.is_empty() {
        println!("Nothing is backed up yet. Write a plan file and apply it: lastgood apply plans.yaml");
        return Ok(());
    }
    let mut table = table(&["SOURCE", "PLAN", "LAST GOOD", "IMAGE", "NEXT SLOT", "STATE"]);
    for source in &sources {
        table.add_row([
            source.id.to_string(),
            source.plan.clone().unwrap_or_else(|| "(none)".into()),
            source.last_good.as_ref().map_or("never".into(), |good| brief(good.slot)),
            source.last_good.as_ref().map_or("-".into(), |good| good.image.to_string()),
            source.next_slot.map_or("-".into(), brief),
            state(source, now),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// The worst that can be said of a source, in words.
fn state(source: &Source, now: Time) -> String {
    let mut words = Vec::new();
    if source.is_overdue(now) {
        words.push(format!("OVERDUE: a good backup was due by {}", source.due_by.map_or(String::new(), brief)));
    }
    if let Some(hold) = &source.hold {
        words.push(format!("HELD: {hold}"));
    }
    if let Some(failure) = &source.failure {
        words.push(format!("last failure ({}): {}", brief(failure.slot), failure.reason));
    }
    if source.plan.is_none() {
        words.push("in no plan: nothing is made or deleted".into());
    }
    if words.is_empty() { "ok".into() } else { words.join("\n") }
}

fn status_json(source: &Source, now: Time) -> Value {
    let good = source.last_good.as_ref();
    json!({
        "source": source.id,
        "plan": source.plan,
        "image": good.map(|good| &good.image),
        "last_good": good.map(|good| good.slot),
        "published": source.published,
        "next_slot": source.next_slot,
        "due_by": source.due_by,
        "overdue": source.is_overdue(now),
        "hold": source.hold,
        "failure": source.failure,
    })
}

pub(crate) async fn backups(connection: &Connection, source: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let sources = match source {
        Some(source) => vec![connection.source(source).await?],
        None => connection.sources().await?,
    };
    let mut backups = Vec::new();
    for source in &sources {
        let of_source = connection.lastgood.table.backups(&source.id).await.map_err(|error| chain(&error))?;
        backups.extend(of_source.into_iter().map(|backup| backup.record));
    }
    if as_json {
        return print_json(&backups.iter().map(backup_json).collect::<Vec<_>>());
    }
    let mut table = table(&["SOURCE", "SLOT", "STATE", "IMAGE", "SNAPSHOTS", "VERSION", "WHY"]);
    for backup in &backups {
        table.add_row([
            backup.id.source.to_string(),
            brief(backup.id.slot),
            word(backup),
            backup.image.as_ref().map_or("-".into(), ToString::to_string),
            backup.snapshots.len().to_string(),
            version(backup).map_or("-".into(), |version| version.to_string()),
            backup.trouble.clone().unwrap_or_else(|| backup.reason.clone()),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn word(backup: &Backup) -> String {
    serde_json::to_value(backup.state).ok().and_then(|state| state.as_str().map(str::to_owned)).unwrap_or_default()
}

fn version(backup: &Backup) -> Option<u64> {
    match &backup.publication {
        Publication::Published { version, .. } => Some(*version),
        Publication::NotAsked
        | Publication::Due
        | Publication::Reading { .. }
        | Publication::Making { .. }
        | Publication::Pointing { .. }
        | Publication::Superseded
        | Publication::Held(_) => None,
    }
}

fn backup_json(backup: &Backup) -> Value {
    json!({
        "id": backup.id,
        "source": backup.id.source,
        "slot": backup.id.slot,
        "state": backup.state,
        "artifact": backup.image,
        "snapshots": backup.snapshots,
        "requested_at": backup.requested_at,
        "good_at": backup.good_at,
        "published_version": version(backup),
        "reason": backup.reason,
        "trouble": backup.trouble,
    })
}

/// Asks for a backup on the bus; backup-tick begins it.
pub(crate) async fn request(
    connection: &Connection,
    source: &str,
    by: String,
    reason: Option<String>,
    as_json: bool,
) -> Result<(), Failure> {
    let source = connection.source(source).await?;
    if source.plan.is_none() {
        return Err(format!("{} is in no plan, so it can't be backed up; name it in a plan and apply that", source.id));
    }
    let now = connection.lastgood.clock.now();
    let request = BackupRequested { source: source.id.clone(), by, reason };
    match connection.lastgood.bus.request(&request).await {
        Ok(Posted::Sent) if as_json => print_json(&json!({"source": source.id, "requested_at": now})),
        Ok(Posted::Sent) => {
            println!("Asked for a backup of {}. Follow it with: lastgood backups {}", source.id, source.id);
            Ok(())
        }
        Ok(Posted::NotSent(why)) => Err(format!("the bus did not take the request: {why}")),
        Err(error) => Err(chain(&error)),
    }
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

/// `2026-01-15 10:30:00Z`
fn brief(time: Time) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
