//! Backups of caches: what each is made of, making and looking at its snapshot, and what is there of one that is to go.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::Time;
use lastgood_core::backup::cache::{self, ChosenCache, chosen, remains};
use lastgood_core::backup::image::{given_up, gives_up, unlooked};
use lastgood_core::backup::inspection::{Inspection, wants};
use lastgood_core::backup::kinds::{Artifacts, is_there};
use lastgood_core::backup::proof::is_its_cache_snapshot;
use lastgood_core::backup::removal::RemovalEvent;
use lastgood_core::backup::{Backup, Event, State};
use lastgood_core::facts::{Cache, CacheSnapshot, CacheStrain};
use lastgood_core::id::{ArtifactId, CacheFamily, CacheId, CacheSnapshotId};
use lastgood_core::name::{cache_snapshot_id, tags};
use lastgood_core::needed::words;
use lastgood_core::refusal::Why;

use super::together::{AskFailed, together};
use crate::call::elasticache::{
    CacheSnapshotsById, CacheTags, CachesById, CreateCacheSnapshot, DeleteCacheSnapshot, ManualCacheSnapshots,
    ReplicaLag, ReservedMemory,
};
use crate::call::{Answers, Call, Called, Cloud};
use crate::drive::{Answered, Carried, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store};
use crate::{CALLS_AT_ONCE_MAX, Engine};

/// What AWS told of caches, and when it was asked for that.
struct Told {
    caches: Vec<Cache>,
    snapshots: Vec<CacheSnapshot>,
    at: Time,
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// For each record what of its cache a snapshot is made of: two looks for all of one family. What AWS refuses of the one
    /// says nothing of the other.
    pub(super) async fn choose_nodes(&self, wave: Wave<Backup, CacheId>) -> Answered<Backup> {
        let mut answered = Vec::new();
        let (nodes, serverless): (Wave<_, _>, Wave<_, _>) =
            wave.into_iter().partition(|(_, id)| id.kind.family() == CacheFamily::Nodes);
        for (family, wave) in [(CacheFamily::Nodes, nodes), (CacheFamily::Serverless, serverless)] {
            if wave.is_empty() {
                continue;
            }
            let found = self.caches(family, &wave).await;
            let choices = stream::iter(wave).map(|(record, id)| {
                let found = &found;
                async move {
                    let carried = match found {
                        Ok(told) => Box::pin(self.choose_node(&record.record, &id, told)).await,
                        Err(AskFailed::Refused(refusal)) => {
                            self.unless_made(&record.record, &id, Event::NoOrigin(refusal.to_string())).await
                        }
                        Err(failed @ AskFailed::Unanswered { .. }) => Err(failed.unanswered()),
                    };
                    (record, carried)
                }
            });
            answered.extend(choices.buffered(CALLS_AT_ONCE_MAX).collect::<Vec<_>>().await);
        }
        answered
    }

    async fn choose_node(
        &self,
        record: &Backup,
        id: &CacheId,
        Told { caches, snapshots, at }: &Told,
    ) -> Carried<Backup> {
        // An earlier call may have made it, and its answer was lost: then its cache is busy with it.
        let own = cache_snapshot_id(&record.id, id);
        if record.state == State::Creating
            && let Some(snapshot) = snapshots.iter().find(|snapshot| snapshot.id == own)
            && is_its_cache_snapshot(record, snapshot)
            && self.is_our_snapshot(record, snapshot).await?.map_err(CallFailed::refused(CacheTags::ACTION))?
        {
            return Ok(Event::Made(ArtifactId::CacheSnapshot(own)));
        }
        let backups = self.backups_of(&record.id.source).await?;
        Ok(chosen(record, id, caches, snapshots, &backups, *at))
    }

    /// What is measured of a cache, for warnings alone: looked up once its snapshot is being made, which waits for none of it.
    /// `None` if a call gets no answer now; what AWS refuses to tell is not known.
    async fn strain(&self, choice: &ChosenCache) -> Option<CacheStrain> {
        let mut strain = CacheStrain::default();
        if let Some(group) = &choice.setup.parameter_group {
            strain.reserved_memory_percent = self.cloud.call(&ReservedMemory(group.clone())).await.ok()?.ok().flatten();
        }
        if let Some(node) = &choice.node {
            let at = self.clock.now();
            strain.lag_seconds = self.cloud.call(&ReplicaLag { node: node.clone(), at }).await.ok()?.ok().flatten();
        }
        Some(strain)
    }

    /// Every snapshot by hand that there is of a family, and the caches of a wave, all of that: those last, for what they tell
    /// holds for a moment only.
    async fn caches(&self, family: CacheFamily, wave: &Wave<Backup, CacheId>) -> Result<Told, AskFailed> {
        let ids = wave.iter().map(|(_, id)| id.clone());
        let all = ManualCacheSnapshots(family);
        // Also of a cache that is gone: an earlier call may have made the snapshot, and then it is there still.
        let snapshots = together([()], |_| async move { self.cloud.call(&all).await }).await?;
        let at = self.clock.now();
        let caches = together(ids, |ids| async move { self.cloud.call(&CachesById(ids)).await }).await?;
        Ok(Told { caches, snapshots, at })
    }

    /// Whether the tags of a snapshot say that this backup is it.
    async fn is_our_snapshot(&self, record: &Backup, snapshot: &CacheSnapshot) -> Called<bool> {
        let tags = self.cloud.call(&CacheTags(snapshot.arn.clone())).await?;
        Ok(tags.map(|tags| self.is_ours(record, &tags)))
    }

    /// The snapshot of that name, if AWS tells one.
    async fn cache_snapshot(&self, id: &CacheSnapshotId) -> Called<Option<CacheSnapshot>> {
        let found = self.cloud.call(&CacheSnapshotsById(vec![id.clone()])).await?;
        Ok(found.map(|found| found.into_iter().find(|snapshot| snapshot.id == *id)))
    }

    pub(super) fn cache_snapshot_of(
        &self,
        record: &Backup,
        cache: CacheId,
        node: Option<String>,
    ) -> CreateCacheSnapshot {
        let tags = tags(self.running.stack, &record.id, &record.plan);
        CreateCacheSnapshot { id: cache_snapshot_id(&record.id, &cache), cache, node, tags }
    }

    /// Makes the snapshot. Before the backup is given up it is looked whether an earlier call made it and its answer was lost.
    pub(super) async fn create_cache_snapshot(
        &self,
        record: &Backup,
        cache: CacheId,
        node: Option<String>,
    ) -> Carried<Backup> {
        let create = self.cache_snapshot_of(record, cache.clone(), node);
        let id = create.id.clone();
        let event = match self.cloud.call(&create).await? {
            Ok(()) => Event::Made(ArtifactId::CacheSnapshot(id.clone())),
            Err(refusal) => Event::CreateRefused(refusal),
        };
        if gives_up(&event) { self.unless_made(record, &cache, event).await } else { Ok(event) }
    }

    /// `event` gives the backup up, unless an earlier call made the snapshot and its answer was lost.
    async fn unless_made(&self, record: &Backup, cache: &CacheId, event: Event) -> Carried<Backup> {
        if record.state != State::Creating {
            return Ok(event);
        }
        let id = cache_snapshot_id(&record.id, cache);
        let named = match self.cache_snapshot(&id).await? {
            Ok(None) => None,
            Ok(Some(snapshot)) => match self.is_our_snapshot(record, &snapshot).await? {
                Ok(bears_tags) => Some(cache::named(record, &snapshot, bears_tags)),
                Err(refusal) => return Ok(unlooked(event, refusal)),
            },
            Err(refusal) => return Ok(unlooked(event, refusal)),
        };
        given_up(event, named).ok_or_else(|| {
            let what = format!("{} is taken by a snapshot that is not told", id.name);
            CallFailed::new(How::NotYet, CacheSnapshotsById::ACTION, what)
        })
    }

    /// For each record its snapshot: one look for each.
    pub(super) async fn look_at_cache_snapshots(&self, wave: Wave<Backup, CacheSnapshotId>) -> Answered<Backup> {
        let ids = wave.iter().map(|(_, id)| id.clone());
        let found = together(ids, |ids| async move { self.cloud.call(&CacheSnapshotsById(ids)).await }).await;
        let looks = stream::iter(wave).map(|(record, id)| {
            let found = &found;
            async move {
                let carried = match found {
                    Ok(snapshots) => {
                        let sight = cache::sight(&id, snapshots);
                        let unmeasured = record.record.cache.chosen.as_ref().filter(|chosen| !chosen.is_measured);
                        let strain = match unmeasured {
                            Some(chosen) => self.strain(chosen).await,
                            None => None,
                        };
                        Ok(match strain {
                            Some(strain) => Event::CacheMeasured(strain, sight),
                            None => Event::Seen(sight),
                        })
                    }
                    Err(failed) => Err(failed.unanswered()),
                };
                (record, carried)
            }
        });
        looks.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    /// What AWS holds of a backup of a cache, and who needs it: a pin, or a source that has no newer one.
    pub(super) async fn inspect_cache(&self, record: &Backup, cache: &CacheId) -> Carried<Backup> {
        let refused = |refusal| Ok(Event::Removal(RemovalEvent::Refused(refusal)));
        let (source, newer) = self.source_and_successors(record).await?;
        let began = self.clock.now();
        let id = record.cache_snapshot().cloned().unwrap_or_else(|| cache_snapshot_id(&record.id, cache));
        let others = newer.iter().filter_map(ArtifactId::cache_snapshot).cloned();
        let ids = std::iter::once(id.clone()).chain(others).collect();
        let told = match self.cloud.call(&CacheSnapshotsById(ids)).await? {
            Ok(told) => told,
            Err(refusal) => return refused(refusal),
        };
        let found = told.iter().find(|snapshot| snapshot.id == id).cloned();
        let (found, ours) = match found {
            None => (None, false),
            Some(snapshot) => match self.is_our_snapshot(record, &snapshot).await? {
                Ok(ours) => (Some(snapshot), ours),
                // Somebody has deleted it meanwhile.
                Err(refusal) if refusal.why == Why::Missing => (None, false),
                Err(refusal) => return refused(refusal),
            },
        };
        let told = Artifacts { cache_snapshots: told, ..Artifacts::default() };
        let is_replaced = newer.iter().any(|newer| is_there(newer, &told));
        let wants = wants(record, source.as_ref(), is_replaced, self.clock.now());
        Ok(Event::Removal(RemovalEvent::Inspected(Inspection {
            at: began,
            artifact: found.as_ref().map(remains),
            ours,
            snapshots: Vec::new(),
            versions: Vec::new(),
            needed_by: words(&wants),
        })))
    }

    pub(super) async fn delete_cache_snapshot(&self, id: CacheSnapshotId) -> Carried<Backup> {
        let deleted = self.cloud.call(&DeleteCacheSnapshot(id)).await?;
        Ok(Event::Removal(RemovalEvent::ArtifactDeleted(deleted.map(|()| Vec::new()))))
    }
}
