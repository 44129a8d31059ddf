//! Three caches beside the groups, one of each kind that AWS asks another parameter for: each is backed up past its retention,
//! and what somebody else took stays.

use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::facts::Tags;
use lastgood_world::{CacheOrigin, CacheShape, CacheSnapshot, CacheSnapshotState, CreateCacheSnapshot, World};

use super::{STEP_SECONDS_MAX, Tour};
use crate::stage::StageError;

/// The caches, how each is built, and what the snapshots of each are asked of.
const CACHES: [(&str, CacheShape, &str); 3] = [
    ("replication-group/sessions", CacheShape::Replicated(2), "sessions-002"),
    ("replication-group/carts", CacheShape::Sharded(2, 1), "carts"),
    ("serverless-cache/catalog", CacheShape::Serverless, "catalog"),
];
/// How many backups of each are made.
const ROUNDS: usize = 3;
/// How many are kept.
const KEPT: usize = 2;

/// What stood there before Lastgood came: a snapshot that somebody else took, and one that AWS takes each day.
#[derive(Debug)]
pub(super) struct Before {
    theirs: Vec<CacheSnapshot>,
}

/// The caches, and what others took of them.
pub(super) fn lay(world: &World) -> Before {
    for (id, shape, _) in CACHES {
        let name = id.rsplit('/').next().unwrap_or(id);
        let cache = world.put_cache(name, shape);
        if name == "sessions" {
            let (of, tags) = (CacheOrigin::Cluster("sessions-001".into()), Tags::new());
            let theirs = CreateCacheSnapshot { name: "before-the-migration".into(), of, tags };
            world.elasticache().create_snapshot(&theirs).expect("the cache is available");
        } else {
            world.automatic_cache_snapshot(&cache);
        }
    }
    // Long ago, by the time that Lastgood comes.
    for theirs in world.cache_snapshots() {
        world.change_cache_snapshot(&theirs.id, |snapshot| snapshot.state = CacheSnapshotState::Available);
    }
    Before { theirs: world.cache_snapshots() }
}

/// The whole of it.
pub(super) fn tell(tour: &mut Tour<'_>, before: &Before) -> Result<(), StageError> {
    tour.say("\nThree caches: one with a replica, one of two shards, one serverless. Of one somebody has a snapshot already.");
    let told = tour.apply(&format!(
        "plans:\n  - name: caches\n    select:\n      replication_groups: [sessions, carts]\n      serverless_caches: [catalog]\n    schedule: daily\n    retain: {{last: {KEPT}}}\n"
    ))?;
    let named = told.contains("replication_groups carts, sessions\n") && told.contains("serverless_caches  catalog\n");
    tour.check("apply shows each cache as its plan names it", named);
    for round in 1..=ROUNDS {
        for (id, _, _) in CACHES {
            tour.lastgood(&["backup", id, "--reason", "the tour", "--by", "demo"])?;
        }
        let came = tour.caches_have(round)?;
        tour.check(&format!("backup {round} of {ROUNDS} of each cache is good"), came);
    }
    tour.look_at_caches(before)
}

impl Tour<'_> {
    /// Waits until each cache has had so many good backups, and those past retention are deleted.
    fn caches_have(&mut self, round: usize) -> Result<bool, StageError> {
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        while Instant::now() < deadline {
            self.listen()?;
            let mut done = 0;
            for (id, _, _) in CACHES {
                let backups = self.backups_of(id)?;
                let count = |state: &str| backups.iter().filter(|backup| backup["state"] == state).count();
                if count("good") == round.min(KEPT) && count("deleted") == round.saturating_sub(KEPT) {
                    done += 1;
                }
            }
            if done == CACHES.len() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(500));
        }
        Ok(false)
    }

    fn look_at_caches(&mut self, before: &Before) -> Result<(), StageError> {
        self.lastgood(&["status"])?;
        let now = self.stage.world.cache_snapshots();
        let ours: Vec<&CacheSnapshot> =
            now.iter().filter(|snapshot| snapshot.tags.get("lastgood:managed-by") == Some(&self.stage.stack)).collect();
        self.say("");
        self.check("two snapshots of each cache, and no more", ours.len() == KEPT * CACHES.len());
        let complete = ours.iter().all(|snapshot| snapshot.state == CacheSnapshotState::Available);
        self.check("each of them is complete", complete);
        for (id, _, origin) in CACHES {
            let of_it =
                ours.iter().filter(|snapshot| snapshot.of.as_ref().is_some_and(|cache| cache.to_string() == id));
            let of = |snapshot: &CacheSnapshot| {
                let whole = snapshot.of.as_ref().map(|cache| cache.name.clone());
                snapshot.cluster.clone().or(whole)
            };
            let fits = of_it.filter(|snapshot| of(snapshot).as_deref() == Some(origin)).count() == KEPT;
            self.check(&format!("those of {id} were asked of {origin}"), fits);
        }
        let stays = before.theirs.iter().all(|theirs| {
            now.iter().any(|found| found.id == theirs.id && found.tags == theirs.tags && found.of == theirs.of)
        });
        self.check("what somebody else took, and AWS's own, are left alone", stays && before.theirs.len() == 3);
        let names = ours.iter().all(|snapshot| snapshot.id.name.len() <= 20);
        self.check("no name of ours is longer than 20 characters", names);
        Ok(())
    }
}
