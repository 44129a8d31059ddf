//! `status`, `backups`: what is on record.

use lastgood_core::Time;
use lastgood_core::backup::{Backup, Publication, PublishedTo};
use lastgood_core::id::ArtifactId;
use lastgood_core::source::Source;
use lastgood_engine::Clock;
use serde_json::{Value, json};

use crate::connect::Connection;
use crate::say::{Rows, cell, say, say_json, warn, word};
use crate::{Failure, notices};

pub(crate) async fn status(connection: &Connection, as_json: bool) -> Result<(), Failure> {
    let now = connection.lastgood.clock.now();
    let sources = connection.sources().await?;
    for warning in notices::warnings(connection).await {
        warn(warning);
    }
    if as_json {
        return say_json(&sources.iter().map(|source| status_json(source, now)).collect::<Vec<_>>());
    }
    if sources.is_empty() {
        return say("Nothing is backed up yet. Write a plan file and apply it: lastgood apply plans.yaml");
    }
    say(status_rows(&sources, now))
}

fn status_rows(sources: &[Source], now: Time) -> Rows {
    let mut rows = Rows::new(&["SOURCE", "PLAN", "LAST GOOD", "ARTIFACT", "NEXT SLOT", "STATE"]);
    for source in sources {
        rows.add([
            cell(&source.id),
            cell(source.plan.as_deref().unwrap_or("(none)")),
            cell(source.last_good.as_ref().map_or("never".into(), |good| brief(good.slot))),
            cell(source.last_good.as_ref().map_or("-", |good| good.artifact.as_str())),
            cell(source.next_slot.map_or("-".into(), brief)),
            state(source, now),
        ]);
    }
    rows
}

/// The worst that can be said of a source, in words.
fn state(source: &Source, now: Time) -> Vec<String> {
    let mut words = Vec::new();
    if source.is_overdue(now) {
        words.push(format!("OVERDUE: a good backup was due by {}", source.due_by.map_or(String::new(), brief)));
    }
    if !source.contested_by.is_empty() {
        words.push(format!("CONTESTED: selected by plan {} too", source.contested_by.join(", ")));
    }
    if let Some(lost) = source.lost {
        let retired = source.retire_at.map_or(String::new(), |at| format!("; its backups go after {}", brief(at)));
        words.push(format!("LOST: deleted, seen {}{retired}", brief(lost)));
    }
    if let Some(hold) = &source.hold {
        words.push(format!("ON HOLD: {}", hold.words()));
    }
    if let Some(hold) = &source.held {
        words.push(format!("NOT PUBLISHED: {hold}"));
    }
    if let Some(failure) = &source.failure {
        words.push(format!("last failure ({}): {}", brief(failure.slot), failure.reason));
    }
    words.extend(source.warnings.iter().map(|warning| format!("WARNING: {warning}")));
    if let Some(rollout) = &source.rollout {
        words.push(format!("rolling out: {rollout}"));
    }
    if source.plan.is_none() {
        words.push(match source.retire_at {
            Some(_) => "in no plan: its backups are being deleted".into(),
            None => "in no plan: nothing is made or deleted".into(),
        });
    }
    if words.is_empty() { cell("ok") } else { words }
}

fn status_json(source: &Source, now: Time) -> Value {
    let good = source.last_good.as_ref();
    json!({
        "source": source.id,
        "plan": source.plan,
        "artifact": good.map(|good| good.artifact.as_str()),
        "last_good": good.map(|good| good.slot),
        "published": source.published,
        "next_slot": source.next_slot,
        "due_by": source.due_by,
        "overdue": source.is_overdue(now),
        "held": source.held,
        "hold": source.hold,
        "rollout": source.rollout,
        "expected": source.expected,
        "lost": source.lost,
        "retire_at": source.retire_at,
        "failure": source.failure,
        "warnings": source.warnings,
    })
}

pub(crate) async fn backups(connection: &Connection, source: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let sources = match source {
        Some(source) => vec![connection.source(source).await?],
        None => connection.sources().await?,
    };
    let mut backups = Vec::new();
    for source in &sources {
        backups.extend(connection.all::<Backup>(&source.id).await?);
    }
    if as_json {
        return say_json(&backups.iter().map(backup_json).collect::<Vec<_>>());
    }
    say(backup_rows(&backups))
}

fn backup_rows(backups: &[Backup]) -> Rows {
    let mut rows = Rows::new(&["SOURCE", "SLOT", "STATE", "ARTIFACT", "SNAPSHOTS", "DEEP", "PUBLISHED", "WHY"]);
    for backup in backups {
        rows.add([
            cell(&backup.id.source),
            cell(brief(backup.id.slot)),
            cell(state_of(backup)),
            cell(backup.artifact_id.as_ref().map_or("-", |artifact| artifact.as_str())),
            cell(backup.snapshots.len()),
            if backup.generation == 0 { cell("-") } else { cell(backup.generation) },
            cell(published(backup)),
            cell(backup.trouble.as_ref().unwrap_or(&backup.reason)),
        ]);
    }
    rows
}

fn state_of(backup: &Backup) -> String {
    let pinned = if backup.pinned.is_some() { " (pinned)" } else { "" };
    let consistency = backup.power.consistency.map_or(String::new(), |it| format!(" ({})", it.words()));
    format!("{}{consistency}{pinned}", word(&backup.state))
}

fn version(backup: &Backup) -> Option<u64> {
    match &backup.publication {
        Publication::Published(PublishedTo::Version { version, .. }) => Some(*version),
        _ => None,
    }
}

/// How far its publication is, in a word; and why it did not come about, if it did not.
fn publication(backup: &Backup) -> (&'static str, Option<&str>) {
    match &backup.publication {
        Publication::NotAsked => ("not-asked", None),
        Publication::Due
        | Publication::Reading { .. }
        | Publication::Making { .. }
        | Publication::Pointing { .. }
        | Publication::Pinning { .. }
        | Publication::Writing { .. } => ("due", None),
        Publication::Rolling { .. } => ("rolling-out", None),
        Publication::Published(_) => ("published", None),
        Publication::Superseded => ("superseded", Some(&backup.reason)),
        Publication::Adopted(_) => ("adopted", Some(&backup.reason)),
        Publication::Held(why) => ("held", Some(why)),
        Publication::RolledBack(why) => ("rolled-back", Some(why)),
    }
}

/// Where it is published, a template version or a parameter; else how far that is.
fn published(backup: &Backup) -> String {
    match &backup.publication {
        Publication::Published(PublishedTo::Parameter { parameter }) => parameter.clone(),
        Publication::Published(PublishedTo::Version { version, .. }) => version.to_string(),
        Publication::NotAsked => "-".into(),
        _ => publication(backup).0.replace('-', " "),
    }
}

fn backup_json(backup: &Backup) -> Value {
    json!({
        "id": backup.id,
        "source": backup.id.source,
        "slot": backup.id.slot,
        "state": backup.state,
        "artifact": backup.artifact_id.as_ref().map(ArtifactId::as_str),
        "snapshots": backup.snapshots,
        "requested_at": backup.requested_at,
        "good_at": backup.good_at,
        "publication": publication(backup).0,
        "not_published_because": publication(backup).1,
        "published_version": version(backup),
        "published": match &backup.publication { Publication::Published(to) => Some(to), _ => None },
        "instance": backup.instance,
        "cache": backup.id.source.cache().map(|_| &backup.cache),
        "copy": backup.id.source.instance().map(|_| &backup.copy),
        "expected_at": backup.id.source.instance().and_then(|_| backup.copy.expected_at()),
        "consistency": backup.power.consistency,
        "downtime_seconds": backup.power.downtime_seconds(),
        "power": backup.id.source.instance().map(|_| backup.power.state),
        "base": backup.base,
        "generation": backup.generation,
        "pinned": backup.pinned,
        "reason": backup.reason,
        "trouble": backup.trouble,
    })
}

/// `2026-01-15 10:30:00Z`
pub(crate) fn brief(time: Time) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use lastgood_core::source::{Failure, Hold};
    use lastgood_core::stored;
    use lastgood_core::text::is_control;

    use super::*;

    const WILD: &str = "a\u{1b}]52;c;x\u{7}b\rc\u{9b}31md\u{202e}e\nforged";

    fn is_tame(text: &str) -> bool {
        text.chars().all(|c| c == '\n' || !is_control(c))
    }

    #[test]
    fn what_is_on_record_of_a_source_does_nothing_to_a_terminal() {
        let text = include_str!("../../shared/lastgood-core/src/stored/source_8.json");
        let mut source: Source = stored::decode(text).expect("a sample");
        let slot = Time::UNIX_EPOCH;
        source.id = lastgood_core::id::SourceId::Group(WILD.into());
        source.plan = Some(WILD.to_owned());
        source.hold = Some(Hold { by: WILD.into(), reason: Some(WILD.into()), at: slot });
        (source.held, source.failure) = (Some(WILD.into()), Some(Failure { slot, reason: WILD.into() }));
        (source.warnings, source.contested_by) = (vec![WILD.into()], vec![WILD.into()]);
        let said = status_rows(&[source.clone()], Time::MAX).to_string();
        assert!(is_tame(&said) && said.contains("\\u{1b}]52;c;x"), "{said:?}");
        assert!(!said.lines().any(|line| line.trim_start().starts_with("forged")), "{said}");
    }

    #[test]
    fn what_is_on_record_of_a_backup_does_nothing_to_a_terminal() {
        let text = include_str!("../../shared/lastgood-core/src/stored/backup_8.json");
        let mut backup: Backup = stored::decode(text).expect("a sample");
        backup.id.source = lastgood_core::id::SourceId::Group(WILD.into());
        (backup.reason, backup.trouble) = (WILD.into(), Some(WILD.into()));
        backup.publication = Publication::Published(PublishedTo::Parameter { parameter: WILD.into() });
        let said = backup_rows(&[backup]).to_string();
        assert!(is_tame(&said) && said.contains("\\u{9b}31m"), "{said:?}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}
