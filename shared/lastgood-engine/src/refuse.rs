//! What is asked on our bus and can't be done. Each refusal is a notice: who asked hears of it, and nobody waits for what will
//! not come. A request that could not be looked at is an error: the function is tried again, and at last it is a dead letter.

use std::fmt::Debug;
use std::future::Future;

use lastgood_core::Time;
use lastgood_core::id::{BackupId, RolloutId, SourceId};
use lastgood_core::incoming::{Misdated, dated};
use lastgood_core::name::digest;
use lastgood_core::notice::{News, Notice};
use lastgood_core::text::By;

use crate::Engine;
use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, Store};
use crate::report::{Report, chain};

/// Why something that was asked for is not done.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such source.
    #[error("there is no source {0}; `lastgood status` lists those on record")]
    NoSource(SourceId),
    /// No plan has the source.
    #[error("{0} is in no plan, so it can't be backed up; select it in a plan and apply that")]
    NotPlanned(SourceId),
    /// The source was deleted.
    #[error("{0} is deleted, so it can't be backed up")]
    Lost(SourceId),
    /// There is no such backup, or it is not one that can be kept.
    #[error("{0} is no backup that could be pinned: {1}")]
    NoBackup(BackupId, String),
    /// There is no such rollout.
    #[error("there is no rollout {0} that could be judged; `lastgood rollouts` lists those on record")]
    NoRollout(RolloutId),
    /// It can't be done as things are, in words.
    #[error("{0}")]
    Unable(String),
    /// What is there can't be read, so that nobody could tell a change after this from it.
    #[error("what {0} launches from can't be read, so nothing is released: {1}")]
    Unread(SourceId, String),
    /// The request's time can't be right, or is long over.
    #[error(transparent)]
    Misdated(#[from] Misdated),
    /// What is there could not be looked up.
    #[error("what {0} launches from could not be looked up, so nothing is released")]
    Look(SourceId, #[source] CallFailed),
    /// The table, or the bus, could not be asked.
    #[error("what was asked for could not be taken down")]
    Failed(#[from] CallFailed),
}

impl AskError {
    /// Whether it would be refused again: all but what did not get through.
    fn is_refusal(&self) -> bool {
        match self {
            Self::NoSource(_)
            | Self::NotPlanned(_)
            | Self::Lost(_)
            | Self::NoBackup(..)
            | Self::NoRollout(_)
            | Self::Unable(_)
            | Self::Unread(..)
            | Self::Misdated(_) => true,
            Self::Look(..) | Self::Failed(_) => false,
        }
    }
}

/// A request on our bus: who asked what of which source, and when.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its detail-type.
    pub(crate) request: &'static str,
    /// What it is about.
    pub(crate) source: SourceId,
    /// Who asks.
    pub(crate) by: By,
    /// When, by the sender's clock.
    pub(crate) at: Time,
    /// All of it: two requests of one second are told apart by it.
    pub(crate) text: String,
}

impl Asked {
    /// The request of this detail-type; `all` of it is what its refusal is known by.
    pub(crate) fn of(request: &'static str, source: &SourceId, by: &By, at: Time, all: &impl Debug) -> Self {
        Self { request, source: source.clone(), by: by.clone(), at, text: format!("{all:?}") }
    }
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Does what was asked, and reports a refusal on the bus: with the same id if the same request comes twice. A refusal that
    /// the bus does not take is an error, so that it is not lost.
    pub(crate) async fn answer(
        &self,
        asked: Asked,
        done: impl Future<Output = Result<Report, AskError>> + Send,
    ) -> Result<Report, AskError> {
        let now = self.clock.now();
        let done = match dated(asked.at, now) {
            Ok(()) => done.await,
            Err(misdated) => Err(misdated.into()),
        };
        match done {
            Err(refusal) if refusal.is_refusal() => {
                let reason = chain(&refusal);
                let Asked { request, source, by, at, text } = asked;
                let occasion = format!("{}/{request}/{}", at.as_second(), digest(&[&text]));
                let news = News::RequestRefused { request: request.to_owned(), by: by.into(), reason: reason.clone() };
                self.post(&[Notice::new(&source, &occasion, now, news)]).await?;
                Ok(Report { refused: vec![format!("{request} of {source}: {reason}")], ..Report::default() })
            }
            done => done,
        }
    }
}
