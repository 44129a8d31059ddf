//! One question for many records.

use lastgood_core::backup::{Backup, Event};
use lastgood_core::refusal::Refusal;

use crate::call::Called;
use crate::drive::Carried;
use crate::port::{CallFailed, How};
use crate::report::chain;

/// Asks for `items` together, each once.
pub(super) async fn together<I: Clone + Ord, T, F>(
    items: impl IntoIterator<Item = I>,
    ask: impl FnOnce(Vec<I>) -> F,
) -> Result<Vec<T>, AskFailed>
where
    F: Future<Output = Called<Vec<T>>>,
{
    let mut items: Vec<I> = items.into_iter().collect();
    items.sort();
    items.dedup();
    if items.is_empty() {
        return Ok(Vec::new());
    }
    match ask(items).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(refusal)) => Err(AskFailed::Refused(refusal)),
        Err(error) => Err(AskFailed::Unanswered { action: error.action, how: error.how, why: chain(&*error.source) }),
    }
}

/// Why a question asked for many records has no answer: each of them hears of it.
#[derive(Clone, Debug)]
pub(super) enum AskFailed {
    Refused(Refusal),
    Unanswered { action: &'static str, how: How, why: String },
}

impl AskFailed {
    /// The same of a question what a backup can be made of.
    pub(super) fn no_origin(&self) -> Carried<Backup> {
        match self {
            Self::Refused(refusal) => Ok(Event::NoOrigin(refusal.to_string())),
            Self::Unanswered { .. } => Err(self.unanswered()),
        }
    }

    pub(super) fn unanswered(&self) -> CallFailed {
        match self {
            Self::Refused(refusal) => CallFailed::new(How::Refused, "a look", refusal.clone()),
            Self::Unanswered { action, how, why } => CallFailed::new(*how, action, why.clone()),
        }
    }
}
