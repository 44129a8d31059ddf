//! The sweep, as part of the hourly cleanup: reads what AWS holds under our tag and lays it beside the records. What is found
//! is judged in [`lastgood_core::sweep`].

use std::collections::BTreeSet;

use lastgood_core::backup::{Backup, State};
use lastgood_core::id::{CacheSnapshotId, ImageId, SourceId};
use lastgood_core::name::{TAG_MANAGED_BY, tag_value};
use lastgood_core::record::{Key, Queue};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::source::Source;
use lastgood_core::sweep::{self, Account, Sweep};

use crate::Engine;
use crate::call::ec2::{ImagesById, ImagesTagged, SnapshotsTagged};
use crate::call::elasticache::{CacheSnapshotsById, CacheSnapshotsTagged};
use crate::call::{Answers, Call, Cloud};
use crate::port::{Bus, CallFailed, Clock, Saved, Store, Versioned};
use crate::report::Report;

/// The source of a record.
fn source_of(key: &Key) -> Option<SourceId> {
    match key {
        Key::Source(id) => Some(id.clone()),
        Key::Backup(id) => Some(id.source.clone()),
        Key::Plan(_) | Key::Rollout(_) => None,
    }
}

/// The tag by which what AWS holds names a backup.
fn tag_of(key: &Key) -> Option<String> {
    match key {
        Key::Backup(id) => Some(tag_value(&id.to_string())),
        Key::Source(_) | Key::Plan(_) | Key::Rollout(_) => None,
    }
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Sweeps, if it is time; and tells what an earlier sweep could not.
    pub(crate) async fn sweep(&self) -> Result<Report, CallFailed> {
        let known = self.store.load::<Sweep>(&()).await?;
        let mut record = known.unwrap_or_else(|| Versioned::new(Sweep::first()));
        let mut report = Report::default();
        if record.record.is_due(self.clock.now()) {
            // AWS first: whatever it tells then has its record by the time that the table is asked.
            let mut account = self.account().await?;
            let now = self.clock.now();
            let listed = self.store.read::<Source>(&()).await?;
            let mut unread: Vec<Key> = listed.unread().collect();
            let listed = report.readable(listed).into_iter().map(|source| source.record.id);
            let mut sources: Vec<SourceId> = listed.chain(unread.iter().filter_map(source_of)).collect();
            sources.sort();
            let mut records = Vec::new();
            for source in &sources {
                if self.out_of_time() {
                    report.out_of_time = true;
                    return Ok(report);
                }
                let listed = self.store.read::<Backup>(source).await?;
                unread.extend(listed.unread());
                records.extend(report.readable(listed));
            }
            // What can't be read is on record all the same, and nothing that is of its source goes.
            let kept: BTreeSet<SourceId> = unread.iter().filter_map(source_of).collect();
            let tags: Vec<String> = unread.iter().filter_map(tag_of).collect();
            let refused = self.untagged(&records, &mut account).await?;
            if let Some(refusal) = &refused {
                report.trouble(&"the sweep of caches", refusal);
                records.retain(|record| record.record.cache_snapshot().is_none());
            }
            let plain: Vec<_> = records.iter().map(|record| &record.record).collect();
            let mut unknown = sweep::unknown(&plain, &account, now);
            unknown.retain(|unknown| !tags.contains(&unknown.backup));
            let records = records.into_iter().filter(|record| !kept.contains(&record.record.id.source));
            let found = records.filter_map(|record| {
                let event = sweep::of_backup(&record.record, &account, now)?;
                Some((record, event))
            });
            let found: Vec<_> = found.collect();
            let next = record.record.done(&unknown, found.iter().map(|(_, event)| event), now);
            report.add(self.drive(Queue::Cleanup, found).await);
            let saved = Versioned { record: next, version: record.version };
            match self.store.save(&saved).await? {
                Saved::As(_) => record = saved,
                // Somebody else swept.
                Saved::Outdated => return Ok(report),
            }
        }
        if !record.record.outbox.is_empty() {
            self.send_from::<Sweep>(&()).await?;
        }
        Ok(report)
    }

    /// What is of good backups and does not bear our tag any more: it is there all the same. A refusal says that caches can't be looked at.
    async fn untagged(
        &self,
        records: &[Versioned<Backup>],
        account: &mut Account,
    ) -> Result<Option<Refusal>, CallFailed> {
        let mut refused = None;
        let good = records.iter().map(|record| &record.record).filter(|record| record.state == State::Good);
        let ids = good.clone().filter_map(|record| record.cache_snapshot().cloned());
        let known = |id: &CacheSnapshotId| account.cache_snapshots.iter().any(|snapshot| snapshot.id == *id);
        let ids: Vec<CacheSnapshotId> = ids.filter(|id| !known(id)).collect();
        if !ids.is_empty() {
            match self.cloud.call(&CacheSnapshotsById(ids)).await? {
                Ok(found) => account.cache_snapshots.extend(found),
                // The deployment may not look at caches (any more): the images are swept all the same.
                Err(refusal) if refusal.why == Why::Denied => refused = Some(refusal),
                Err(refusal) => return Err(CallFailed::refused(CacheSnapshotsById::ACTION)(refusal)),
            }
        }
        let ids = good.filter_map(|record| record.image().cloned());
        let ids: Vec<ImageId> = ids.filter(|id| !account.images.iter().any(|image| image.id == *id)).collect();
        if !ids.is_empty() {
            let found = self.cloud.call(&ImagesById(ids)).await?;
            account.images.extend(found.map_err(CallFailed::refused(ImagesById::ACTION))?);
        }
        Ok(refused)
    }

    /// What bears our stack's tag.
    async fn account(&self) -> Result<Account, CallFailed> {
        let (key, value) = (TAG_MANAGED_BY.to_owned(), tag_value(self.running.stack));
        let images = self.cloud.call(&ImagesTagged { key: key.clone(), value: value.clone() }).await?;
        let snapshots = self.cloud.call(&SnapshotsTagged { key: key.clone(), value: value.clone() }).await?;
        let cache_snapshots = self.cloud.call(&CacheSnapshotsTagged { key, value }).await?;
        Ok(Account {
            images: images.map_err(CallFailed::refused(ImagesTagged::ACTION))?,
            snapshots: snapshots.map_err(CallFailed::refused(SnapshotsTagged::ACTION))?,
            cache_snapshots: cache_snapshots.map_err(CallFailed::refused(CacheSnapshotsTagged::ACTION))?,
        })
    }
}
