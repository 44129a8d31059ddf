//! Caches in a day: what a seed sets up, what people do to them behind Lastgood's back, and what must be true of them in the
//! end.

use std::collections::BTreeSet;

use fastrand::Rng;
use lastgood_core::backup::{Artifact, Backup, State};
use lastgood_core::facts::Tags;
use lastgood_core::id::{CacheId, CacheSnapshotId, SourceId};
use lastgood_core::notice::{News, Notice};
use lastgood_world::{CacheOrigin, CacheShape, CacheSnapshotState, CreateCacheSnapshot, World};

use super::crew::Crew;
use super::hands;
use super::scene::{BEGIN, UNTIL};

/// The caches of a seed, and how their plan treats them.
#[derive(Clone, Debug, Default)]
pub(super) struct Caches {
    /// Which.
    pub(super) all: Vec<CacheId>,
    last: u32,
    schedule: &'static str,
    deletes: bool,
}

impl Caches {
    /// Those of a seed, drawn apart from everything else.
    pub(super) fn of(seed: u64, world: &World) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0xcac4e);
        world.change_settings(|pace| {
            pace.cache_snapshot_seconds = rng.i64(10..400);
            pace.cache_snapshot_visible_seconds = rng.i64(0..60);
        });
        let shapes = [
            CacheShape::Single,
            CacheShape::Replicated(2),
            CacheShape::Replicated(3),
            CacheShape::Sharded(2, 1),
            CacheShape::Serverless,
        ];
        let count = [0, 0, 0, 1][rng.usize(0..4)];
        let all = (0..count).map(|number| world.put_cache(&format!("c{number}-cache"), shapes[rng.usize(0..5)]));
        let all: Vec<CacheId> = all.collect();
        if seed.is_multiple_of(2) {
            for id in &all {
                world.encrypt_cache(id, "arn:aws:kms:us-east-1:123456789012:key/2");
            }
        }
        Self {
            all,
            last: rng.u32(1..=3),
            schedule: ["'*/5 * * * *'", "'*/10 * * * *'", "'3-59/7 * * * *'"][rng.usize(0..3)],
            deletes: rng.bool(),
        }
    }

    /// Their plan; nothing if there are none.
    pub(super) fn plan(&self) -> String {
        let named = |kind: &str| {
            let of_kind = self.all.iter().filter(|cache| cache.kind.word() == kind);
            of_kind.map(|cache| cache.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        if self.all.is_empty() {
            return String::new();
        }
        format!(
            "  - name: caches\n    select: {{cache_clusters: [{}], replication_groups: [{}], serverless_caches: [{}]}}\n    \
             schedule: {}\n    from: '{BEGIN}'\n    until: '{UNTIL}'\n    retain: {{last: {}}}\n    on_source_deleted: {}\n",
            named("cache-cluster"),
            named("replication-group"),
            named("serverless-cache"),
            self.schedule,
            self.last,
            if self.deletes { "delete" } else { "keep" },
        )
    }
}

/// What people did to caches.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Snapshots that somebody deleted.
    lost: BTreeSet<CacheSnapshotId>,
    /// Snapshots that somebody took, and must find again.
    theirs: BTreeSet<CacheSnapshotId>,
    /// Snapshots that somebody restores.
    restored: Vec<CacheSnapshotId>,
}

impl Memory {
    /// What somebody took.
    pub(super) fn theirs(&self) -> Vec<CacheSnapshotId> {
        self.theirs.iter().cloned().collect()
    }
}

/// Somebody does something to a cache.
pub(super) fn act(crew: &mut Crew<'_>) {
    let id = crew.scene.caches.all[crew.rng.usize(0..crew.scene.caches.all.len())].clone();
    match crew.rng.u32(0..12) {
        0..=1 => hands::ask_for_a_backup(crew, SourceId::Cache(id)),
        2..=3 => {
            crew.say(|| format!("{id} fails over"));
            crew.world().fail_over(&id);
        }
        4..=5 => {
            let seconds = crew.rng.i64(1..600);
            crew.say(|| format!("{id} is modified for {seconds} s"));
            crew.world().cache_changes(&id, "modifying", seconds);
        }
        6..=7 => take(crew, &id),
        8 => lose(crew),
        9..=10 => restore(crew),
        _ => delete(crew, &id),
    }
}

/// Somebody takes snapshots by hand: one, or as many as AWS lets them.
fn take(crew: &mut Crew<'_>, id: &CacheId) {
    let Some(cache) = crew.world().cache(id) else { return };
    let many = if crew.rng.u32(0..3) == 0 { 24 } else { 1 };
    let nodes: Vec<String> = cache.clusters().into_iter().flatten().collect();
    let of = match cache.shape {
        CacheShape::Serverless => CacheOrigin::Serverless(id.name.clone()),
        CacheShape::Sharded(..) => CacheOrigin::Group(id.name.clone()),
        CacheShape::Single | CacheShape::Replicated(_) => {
            CacheOrigin::Cluster(nodes[crew.rng.usize(0..nodes.len())].clone())
        }
    };
    crew.say(|| format!("takes up to {many} of {id} by hand"));
    let begun = crew.world().time().as_second();
    for number in 0..many {
        let request =
            CreateCacheSnapshot { name: format!("theirs-{begun}-{number}"), of: of.clone(), tags: Tags::new() };
        let Ok(made) = crew.world().elasticache().create_snapshot(&request) else { return };
        // Many at once are of another day's work: they are there.
        if many > 1 {
            crew.world().change_cache_snapshot(&made.id, |made| made.state = CacheSnapshotState::Available);
        }
        crew.hand.caches.theirs.insert(made.id);
    }
}

/// A snapshot of ours that is complete, if there is any.
fn one_of_ours(crew: &mut Crew<'_>) -> Option<CacheSnapshotId> {
    let mut ours = crew.scene.stack.our_cache_snapshots();
    ours.retain(|snapshot| {
        snapshot.state == CacheSnapshotState::Available && !crew.hand.tagged.contains(&snapshot.id.name)
    });
    (!ours.is_empty()).then(|| ours.swap_remove(crew.rng.usize(0..ours.len())).id)
}

fn lose(crew: &mut Crew<'_>) {
    let Some(id) = one_of_ours(crew) else { return };
    crew.say(|| format!("deletes {id}"));
    crew.world().lose_cache_snapshot(&id);
    crew.hand.caches.lost.insert(id);
}

fn restore(crew: &mut Crew<'_>) {
    let Some(id) = one_of_ours(crew) else { return };
    crew.say(|| format!("restores {id}"));
    crew.world().restore_cache_snapshot(&id, true);
    crew.hand.caches.restored.push(id);
}

fn delete(crew: &mut Crew<'_>, id: &CacheId) {
    if crew.rng.u32(0..3) > 0 {
        return;
    }
    crew.say(|| format!("deletes {id}"));
    crew.world().delete_cache(id);
    if crew.scene.caches.deletes {
        crew.world().may_retire(&id.to_string());
    }
}

/// What is restored comes to its end.
pub(super) fn mend(crew: &mut Crew<'_>) {
    for id in std::mem::take(&mut crew.hand.caches.restored) {
        crew.world().restore_cache_snapshot(&id, false);
    }
}

/// Whether somebody else deleted what AWS held of a backup.
pub(super) fn is_lost(crew: &Crew<'_>, backup: &Backup) -> bool {
    backup.cache_snapshot().is_some_and(|id| crew.hand.caches.lost.contains(id))
}

/// Whether what AWS holds of a backup of a cache is complete; `None` if it is not there.
pub(super) fn is_whole(crew: &Crew<'_>, backup: &Backup) -> Option<bool> {
    let snapshot = crew.world().cache_snapshot(backup.cache_snapshot()?)?;
    Some(snapshot.state == CacheSnapshotState::Available)
}

/// What must be true of snapshots in the end, whatever the records say.
pub(super) fn wrongs(crew: &Crew<'_>, backups: &[Backup], sent: &[Notice], wrongs: &mut Vec<String>) {
    for id in &crew.hand.caches.theirs {
        if crew.world().cache_snapshot(id).is_none() {
            wrongs.push(format!("{id} was somebody else's, and is gone"));
        }
    }
    let knows = |id: &CacheSnapshotId| {
        backups.iter().any(|backup| {
            let stays = backup.state == State::Good || backup.refused.is_some();
            backup.cache_snapshot() == Some(id) && stays && backup.artifact != Artifact::Gone
        })
    };
    for snapshot in crew.scene.stack.our_cache_snapshots() {
        let name = &snapshot.id.name;
        let is_told = |notice: &Notice| match &notice.news {
            News::ArtifactUnknown { cache_snapshots, .. } => cache_snapshots.contains(name),
            _ => false,
        };
        if !knows(&snapshot.id) && !sent.iter().any(is_told) {
            wrongs.push(format!("{} ({:?}) has no record", snapshot.id, snapshot.state));
        }
    }
}
