//! Changing records that others may be saving, and sending what they have to tell.

use lastgood_core::backup::Backup;
use lastgood_core::id::SourceId;
use lastgood_core::notice::Notice;
use lastgood_core::record::{Record, Tells};
use lastgood_core::source::Source;

use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, How, Posted, Saved, Store, Versioned};
use crate::{Engine, SAVES_MAX};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Saves what `change` makes of a record, which may not be there yet; again from the start if somebody else saved it
    /// meanwhile. `None` if nothing is to be made of it.
    pub(crate) async fn change<R: Record, T>(
        &self,
        id: &R::Id,
        change: impl Fn(Option<&R>) -> Option<(R, T)> + Sync,
    ) -> Result<Option<T>, CallFailed> {
        for _ in 0..SAVES_MAX {
            let before = self.store.load::<R>(id).await?;
            let Some((record, result)) = change(before.as_ref().map(|before| &before.record)) else { return Ok(None) };
            if before.as_ref().is_some_and(|before| before.record == record) {
                return Ok(Some(result));
            }
            let changed = Versioned { record, version: before.map_or(0, |before| before.version) };
            if let Saved::As(_) = self.store.save(&changed).await? {
                return Ok(Some(result));
            }
        }
        Err(CallFailed::new(How::NotMade, "saving a record", "others kept saving it"))
    }

    /// As [`Self::change`], of a source that is on record: `None` if it is not.
    pub(crate) async fn change_source<T>(
        &self,
        id: &SourceId,
        change: impl Fn(&Source) -> (Source, T) + Sync,
    ) -> Result<Option<T>, CallFailed> {
        self.change(id, |source: Option<&Source>| source.map(&change)).await
    }

    /// The backups of a source, newest first, for whoever saves none of them.
    pub(crate) async fn backups_of(&self, source: &SourceId) -> Result<Vec<Backup>, CallFailed> {
        let backups = self.store.list::<Backup>(source).await?;
        Ok(backups.into_iter().map(|backup| backup.record).collect())
    }

    /// Sends what a record has to tell.
    pub(crate) async fn send_from<R: Tells>(&self, id: &R::Id) -> Result<(), CallFailed> {
        let Some(record) = self.store.load::<R>(id).await? else { return Ok(()) };
        if record.record.outbox().is_empty() {
            return Ok(());
        }
        let sent = self.post(record.record.outbox()).await?;
        self.change(id, |record: Option<&R>| record.map(|record| (record.sent(&sent), ()))).await?;
        Ok(())
    }

    /// Posts notices and returns the ids of those that are on the bus; an error if there are some and none got there.
    pub(crate) async fn post(&self, notices: &[Notice]) -> Result<Vec<String>, CallFailed> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let posted = self.bus.post(notices).await?;
        let mut sent = Vec::new();
        for (notice, posted) in notices.iter().zip(posted) {
            match posted {
                Posted::Sent => sent.push(notice.id.clone()),
                Posted::NotSent(why) | Posted::Forbidden(why) => {
                    tracing::warn!(notice = notice.id, why, "not on the bus");
                }
            }
        }
        if sent.is_empty() {
            return Err(CallFailed::new(How::Refused, "events:PutEvents", "the bus refused every notice"));
        }
        Ok(sent)
    }
}
