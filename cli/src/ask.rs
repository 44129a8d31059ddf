//! `backup`, `hold`, `release`, `skip`, `pin`, `unpin`: what is asked for on the bus. backup-tick does it.

use lastgood_core::backup::Backup;
use lastgood_core::id::BackupId;
use lastgood_core::incoming::{AboutBackup, AboutSource, BackupRequested, Request, SkipRequested};
use lastgood_core::source::operator;
use lastgood_core::text::{By, Words};
use lastgood_engine::port::Posted;
use lastgood_engine::{CallFailed, Clock, How, Store, chain};
use serde_json::json;

use crate::Failure;
use crate::connect::Connection;
use crate::say::{say, say_json};

/// Who asks, and why.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Asker {
    /// Why, for the record: one line of at most 1,000 characters.
    #[arg(long)]
    pub(crate) reason: Option<Words>,
    /// Who asks, for the record: one line of at most 128 characters.
    #[arg(long, env = "USER", default_value = "an operator")]
    pub(crate) by: By,
}

/// Asks for a backup.
pub(crate) async fn backup(connection: &Connection, source: &str, asker: Asker, json: bool) -> Result<(), Failure> {
    let source = connection.source(source).await?;
    if source.plan.is_none() {
        return Err(format!(
            "{} is in no plan, so it can't be backed up; select it in a plan and apply that",
            source.id
        ));
    }
    if source.lost.is_some() {
        return Err(format!("{} is deleted, so it can't be backed up", source.id));
    }
    let now = connection.lastgood.clock.now();
    let request = BackupRequested { source: source.id.clone(), by: asker.by, reason: asker.reason };
    taken(connection.lastgood.bus.request(&request).await)?;
    if json {
        return say_json(&json!({"source": source.id, "requested_at": now}));
    }
    say(format_args!("Asked for a backup of {}. Follow it with: lastgood backups {}", source.id, source.id))
}

/// Which of the requests about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Hold,
    Release,
    Skip,
}

pub(crate) async fn about_source(
    connection: &Connection,
    wish: Wish,
    source: &str,
    asker: Asker,
    json: bool,
) -> Result<(), Failure> {
    let source = connection.source(source).await?;
    let about = AboutSource { source: source.id.clone(), by: asker.by.clone(), reason: asker.reason.clone() };
    let (request, done) = match (wish, source.next_slot) {
        (Wish::Hold, _) => {
            (Request::Hold(about), format!("nothing of {} is published until it is released", source.id))
        }
        (Wish::Release, _) if !operator::waits(&source) => {
            return Err(format!("nothing of {} is held; `lastgood status` tells what is", source.id));
        }
        (Wish::Release, _) => {
            (Request::Release(about), format!("the newest good image of {} replaces what is there now", source.id))
        }
        (Wish::Skip, Some(slot)) => {
            let skip = SkipRequested { source: source.id.clone(), slot, by: asker.by, reason: asker.reason };
            (Request::Skip(skip), format!("no backup of {} is made for {slot}", source.id))
        }
        (Wish::Skip, None) => return Err(format!("{} has no next slot that could be skipped", source.id)),
    };
    send(connection, &request, &done, json).await
}

/// Asks that a backup stays.
pub(crate) async fn pin(connection: &Connection, backup: &str, asker: Asker, json: bool) -> Result<(), Failure> {
    let known = known(connection, backup).await?;
    if let Some(why) = known.cannot_be_pinned() {
        return Err(format!("{} can't be kept any more: {why}", known.id));
    }
    let done = format!("{} stays, whatever its plan says", known.id);
    let about = AboutBackup { backup: known.id, by: asker.by, reason: asker.reason };
    send(connection, &Request::Pin(about), &done, json).await
}

/// Asks that it is kept as its plan says.
pub(crate) async fn unpin(connection: &Connection, backup: &str, asker: Asker, json: bool) -> Result<(), Failure> {
    let known = known(connection, backup).await?;
    if known.pinned.is_none() {
        return Err(format!("{} is not pinned", known.id));
    }
    let done = format!("{} is kept as its plan says", known.id);
    let about = AboutBackup { backup: known.id, by: asker.by, reason: asker.reason };
    send(connection, &Request::Unpin(about), &done, json).await
}

async fn known(connection: &Connection, backup: &str) -> Result<Backup, Failure> {
    let id: BackupId = backup.parse().map_err(|error| format!("{error}"))?;
    let known = connection.lastgood.table.load::<Backup>(&id).await.map_err(|error| chain(&error))?;
    let missing = || format!("{id} is not on record; `lastgood backups {}` lists those that are", id.source);
    known.map(|known| known.record).ok_or_else(missing)
}

async fn send(connection: &Connection, request: &Request, done: &str, json: bool) -> Result<(), Failure> {
    taken(connection.lastgood.bus.ask(request).await)?;
    if json {
        return say_json(&json!({"request": request.detail_type(), "detail": request}));
    }
    say(format_args!("Asked for. In a moment, {done}."))
}

/// What is told who may not ask, with both things that it takes.
const MAY_NOT_ASK: &str = "You may not ask this of Lastgood: nothing was asked. Who may is said by the stack's parameter \
    OperatorArns, which must name your role or user, and that needs the policy of the stack's output OperatorPolicyArn.";

/// What became of a request.
pub(crate) fn taken(posted: Result<Posted, CallFailed>) -> Result<(), Failure> {
    match posted {
        Ok(Posted::Sent) => Ok(()),
        Ok(Posted::NotSent(why)) => Err(format!("the bus did not take the request: {why}")),
        Ok(Posted::Forbidden(why)) => Err(format!("{MAY_NOT_ASK}\n{why}")),
        Err(error) if error.how == How::Refused => Err(format!("{MAY_NOT_ASK}\n{}", chain(&error))),
        Err(error) => Err(chain(&error)),
    }
}
