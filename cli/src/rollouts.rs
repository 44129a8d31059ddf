//! `rollouts`, `verdict`, `set-image`: how groups are given their images, what a person thinks of a pause, and an image that
//! they give themselves.

use lastgood_core::id::{ImageId, RolloutId};
use lastgood_core::incoming::{ImageChangeRequested, VerdictAsked};
use lastgood_core::rollout::{Judge, Rollout, State, Verdict};
use lastgood_core::source::operator;
use lastgood_engine::{Store, chain};
use serde_json::{Value, json};

use crate::Failure;
use crate::ask::{Asker, taken};
use crate::connect::Connection;
use crate::say::{Rows, cell, say, say_json, word};
use crate::show::brief;

/// Every rollout on record, and every refresh that was watched, the newest first.
pub(crate) async fn list(connection: &Connection, source: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let group = match source {
        Some(source) => Some(connection.source(source).await?.id.name().to_owned()),
        None => None,
    };
    let found = connection.all::<Rollout>(&()).await?;
    let is_asked_for = |rollout: &Rollout| group.as_ref().is_none_or(|group| rollout.group.as_str() == group);
    let mut rollouts: Vec<Rollout> = found.into_iter().filter(is_asked_for).collect();
    rollouts.sort_by(|one, other| (other.since, &other.id).cmp(&(one.since, &one.id)));
    if as_json {
        return say_json(&rollouts.iter().map(rollout_json).collect::<Vec<_>>());
    }
    if rollouts.is_empty() {
        return say("Nothing was rolled out yet. Write 'rollout:' into a plan, and apply it.");
    }
    say(rows(&rollouts))
}

fn rows(rollouts: &[Rollout]) -> Rows {
    let mut rows = Rows::new(&["ROLLOUT", "STATE", "IMAGE", "PERCENT", "PAUSES", "WHY"]);
    for rollout in rollouts {
        rows.add([
            cell(&rollout.id),
            cell(word(&rollout.state)),
            image(rollout).map_or_else(|| cell("-"), cell),
            cell(format_args!("{} %", rollout.percentage)),
            pauses(rollout),
            cell(rollout.trouble.as_ref().unwrap_or(&rollout.reason)),
        ]);
    }
    rows
}

/// The image that it gives, if it gives one.
fn image(rollout: &Rollout) -> Option<&ImageId> {
    rollout.order.as_ref().map(|order| &order.image).or(rollout.change.as_ref().map(|change| &change.image))
}

/// Each pause, and what was decided or by when.
fn pauses(rollout: &Rollout) -> Vec<String> {
    let pauses = rollout.visits.iter().map(|visit| {
        let judged = match (&visit.verdict, visit.held_until) {
            (Some(given), _) => given.verdict.words().to_owned(),
            (None, Some(until)) => format!("held until {}", brief(until)),
            (None, None) => format!("due by {}", brief(visit.deadline)),
        };
        format!("{} %: {judged}", visit.percentage)
    });
    let pauses: Vec<String> = pauses.collect();
    if pauses.is_empty() { cell("-") } else { pauses }
}

fn rollout_json(rollout: &Rollout) -> Value {
    let order = rollout.order.as_ref();
    json!({
        "rollout": rollout.id,
        "source": format!("group/{}", rollout.group),
        "refresh": rollout.refresh,
        "backup": order.and_then(|order| order.backup.as_ref()),
        "asked_by": rollout.change.as_ref().map(|change| &change.by),
        "image": image(rollout),
        "version": order.map(|order| order.version),
        "base": order.map(|order| order.base),
        "state": rollout.state,
        "since": rollout.since,
        "percentage": rollout.percentage,
        "visits": rollout.visits,
        "reason": rollout.reason,
        "trouble": rollout.trouble,
    })
}

/// Asks that a group is given an image.
pub(crate) async fn set_image(
    connection: &Connection,
    source: &str,
    image: &str,
    refresh: bool,
    asker: Asker,
    as_json: bool,
) -> Result<(), Failure> {
    let source = connection.source(source).await?;
    let image = ImageId::from(image);
    if !image.as_str().starts_with("ami-") {
        return Err(format!("{image} is no image; write its id, as in ami-0123456789abcdef0"));
    }
    let id = source.id.clone();
    let asked =
        ImageChangeRequested { source: id.clone(), image: image.clone(), refresh, by: asker.by, reason: asker.reason };
    operator::change(&source, &asked)?;
    taken(connection.lastgood.bus.change_image(&asked).await)?;
    if as_json {
        return say_json(&json!({"request": ImageChangeRequested::DETAIL_TYPE, "detail": asked}));
    }
    let waits = match (&source.rollout, source.turn) {
        (Some(rollout), _) => format!(" once {rollout} is over"),
        (None, Some(_)) => " once what is being published has come to its end".to_owned(),
        (None, None) => String::new(),
    };
    say(format_args!("Asked for. {id} is given {image}{waits}. Follow it with: lastgood rollouts {id}"))
}

/// Gives a verdict on the pause that is open. To roll back may be said at any time while the refresh goes.
pub(crate) async fn verdict(
    connection: &Connection,
    rollout: &str,
    verdict: Verdict,
    asker: Asker,
    as_json: bool,
) -> Result<(), Failure> {
    let id = RolloutId::from(rollout);
    let found = connection.lastgood.table.load::<Rollout>(&id).await.map_err(|error| chain(&error))?;
    let found = found.map(|found| found.record);
    let found = found.ok_or_else(|| format!("{id} is not on record; `lastgood rollouts` lists those that are"))?;
    let visit = found.open_visit();
    match (verdict, visit, &found.order) {
        (_, _, None) if found.change.is_none() => {
            return Err(format!("{id} was begun by somebody else, and is not judged here"));
        }
        (Verdict::GoOn, None, _) => {
            return Err(format!("{id} is {}, and waits for no verdict", word(&found.state)));
        }
        (Verdict::GoOn, Some(pause), Some(order))
            if pause.held_until.is_none() && !order.policy.verdict.by.contains(&Judge::Person) =>
        {
            let judges: Vec<String> = order.policy.verdict.by.iter().map(Judge::to_string).collect();
            return Err(format!(
                "its plan asks {} and no person whether it goes on, unless it is held; write 'person' into its verdict, or say roll-back",
                judges.join(" and ")
            ));
        }
        (Verdict::RollBack, None, _)
            if !matches!(found.state, State::Preparing | State::InProgress | State::Baking) =>
        {
            return Err(format!("{id} is {}, and can't be rolled back", word(&found.state)));
        }
        _ => {}
    }
    let visit = visit.map(|visit| visit.number);
    let asked = VerdictAsked { rollout: id, visit, verdict, judge: Judge::Person, by: asker.by, reason: asker.reason };
    taken(connection.lastgood.bus.verdict(&asked).await)?;
    if as_json {
        return say_json(&json!({"request": asked.detail_type(), "detail": asked}));
    }
    say(format_args!("Asked for: {}. Follow it with: lastgood rollouts", verdict.words()))
}

#[cfg(test)]
mod tests {
    use lastgood_core::stored;
    use lastgood_core::text::is_control;

    use super::*;

    #[test]
    fn what_is_on_record_of_a_rollout_does_nothing_to_a_terminal() {
        let text = include_str!("../../shared/lastgood-core/src/stored/rollout_8.json");
        let mut rollout: Rollout = stored::decode(text).expect("a sample");
        let wild = "a\u{1b}]52;c;x\u{7}b\rc\u{9b}31m\nforged";
        (rollout.id, rollout.trouble) = (wild.into(), Some(wild.to_owned()));
        let said = rows(&[rollout]).to_string();
        assert!(said.chars().all(|c| c == '\n' || !is_control(c)), "{said:?}");
        assert!(said.contains("\\u{1b}]52;c;x") && !said.lines().any(|line| line.starts_with("forged")), "{said}");
    }
}
