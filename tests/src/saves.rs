//! What must be true of every save of a backup, in chaos and in stories. The arrows of its life are written a second time
//! here, on purpose: from the drawing, not from the code. Those of rollouts are in `rollout_saves.rs`.

use lastgood_core::backup::{Artifact, Backup, Publication, State};
use lastgood_core::id::ArtifactId;
use lastgood_world::{MemoryStore, World};

use crate::rollout_saves;

/// A backup as it was saved before, and as it is saved now.
pub(crate) type Save = (Option<Backup>, Backup);

/// The saves since this was last asked, and what is wrong with them. The world hears which images count as good.
pub(crate) fn judged(world: &World, store: &MemoryStore) -> (Vec<Save>, Vec<String>) {
    let saves = store.take_saved();
    let mut wrongs = Vec::new();
    for (before, after) in &saves {
        if let (Some(_), Some(image)) = (after.good_at, after.image()) {
            world.told_good(image);
        }
        wrongs.extend(wrong_move(before.as_ref(), after));
        wrongs.extend(untrue(world, before.as_ref(), after));
    }
    for (before, after) in store.take_saved_rollouts() {
        wrongs.extend(rollout_saves::wrong(before.as_ref(), &after));
    }
    (saves, wrongs)
}

/// Whether a backup may be saved so after it was saved so.
fn wrong_move(before: Option<&Backup>, after: &Backup) -> Option<String> {
    let Some(before) = before else {
        return (after.state != State::Requested).then(|| format!("{} begins as {:?}", after.id, after.state));
    };
    if before.id != after.id {
        return Some(format!("{} becomes {}", before.id, after.id));
    }
    if before.state != after.state && !may_go(before.state, after.state) {
        return Some(format!("{} goes from {:?} to {:?}", after.id, before.state, after.state));
    }
    let deletes = |state: State| matches!(state, State::Expiring | State::Deleting);
    if before.pinned.is_some() && after.pinned.is_some() && before.state != after.state && deletes(after.state) {
        return Some(format!("{} is pinned and goes from {:?} to {:?}", after.id, before.state, after.state));
    }
    if before.artifact_id.is_some() && after.artifact_id != before.artifact_id {
        return Some(format!("{} had {:?} and has {:?}", after.id, before.artifact_id, after.artifact_id));
    }
    if let Some(lost) = before.snapshots.iter().find(|id| !after.snapshots.contains(id))
        && !after.shared.contains(lost)
    {
        return Some(format!("{} forgets {lost}", after.id));
    }
    let deletes = |backup: &Backup| matches!(backup.artifact, Artifact::SnapshotsLeft | Artifact::Gone);
    if deletes(after) && !deletes(before) && before.state == State::Good {
        return Some(format!("{} is gone while it is good", after.id));
    }
    let left = |publication: &Publication| matches!(publication, Publication::Published(_));
    (left(&before.publication) && !left(&after.publication))
        .then(|| format!("{} was published and is {:?}", after.id, after.publication))
}

#[expect(clippy::unnested_or_patterns, reason = "one line for each arrow")]
fn may_go(from: State, to: State) -> bool {
    use State::{Creating, Deleted, Deleting, Expiring, Failed, Good, Pending, Quiescing, Requested};
    matches!(
        (from, to),
        (Requested, Quiescing | Creating)
            | (Quiescing, Creating)
            | (Creating, Pending)
            | (Pending, Good)
            | (Requested | Quiescing | Creating | Pending, Failed)
            | (Good, Expiring)
            | (Expiring | Deleting, Good)
            | (Expiring, Deleting | Deleted)
            | (Deleting, Deleted)
    )
}

/// What a save says that is not so.
fn untrue(world: &World, before: Option<&Backup>, after: &Backup) -> Option<String> {
    let became = |state: State| after.state == state && before.is_none_or(|before| before.state != state);
    let artifact = after.artifact_id.as_ref();
    let (proven, is_there) = match artifact {
        Some(ArtifactId::Image(id)) => {
            (world.was_proven(id), world.image(id).is_some_and(|image| image.deregistered_at.is_none()))
        }
        Some(ArtifactId::CacheSnapshot(id)) => (world.snapshot_was_proven(id), world.cache_snapshot(id).is_some()),
        None => (false, false),
    };
    if became(State::Good) && before.is_some_and(|before| before.state == State::Pending) && !proven {
        return Some(format!("{} counts as good, and {artifact:?} was never complete", after.id));
    }
    let published = |backup: &Backup| matches!(backup.publication, Publication::Published(_));
    if published(after) && before.is_none_or(|before| !published(before)) && after.good_at.is_none() {
        return Some(format!("{} is published, and was never good", after.id));
    }
    (became(State::Deleted) && is_there).then(|| format!("{} counts as deleted, and {artifact:?} is there", after.id))
}

#[cfg(test)]
mod tests {
    use lastgood_core::backup::Origin;
    use lastgood_core::backup::Pin;
    use lastgood_core::plan;

    use super::*;

    fn backup(state: State) -> Backup {
        let text = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
        let policy = plan::read("plans.yaml", text).expect("a plan").plans.remove(0).plan.policy;
        let at = "2026-01-15T10:30:00Z".parse().expect("a time");
        let id = "group/web@20260115T103000Z".parse().expect("a backup");
        Backup { state, ..Backup::requested(id, "web", Origin::Schedule, &policy, at) }
    }

    #[test]
    fn a_state_moves_along_an_arrow_of_the_drawing_and_no_other_way() {
        use State::{Creating, Deleted, Deleting, Expiring, Failed, Good, Pending, Quiescing, Requested};
        let all = [Requested, Quiescing, Creating, Pending, Good, Failed, Expiring, Deleting, Deleted];
        let mut moves = String::new();
        for from in all {
            let may = |to: &State| wrong_move(Some(&backup(from)), &backup(*to)).is_none();
            let to: Vec<String> =
                all.into_iter().filter(|to| *to != from).filter(may).map(|to| format!("{to:?}")).collect();
            let to = if to.is_empty() { "nothing".to_owned() } else { to.join(", ") };
            moves += &format!("{from:?}: {to}\n");
        }
        expect_test::expect![[r#"
            Requested: Quiescing, Creating, Failed
            Quiescing: Creating, Failed
            Creating: Pending, Failed
            Pending: Good, Failed
            Good: Expiring
            Failed: nothing
            Expiring: Good, Deleting, Deleted
            Deleting: Good, Deleted
            Deleted: nothing
        "#]]
        .assert_eq(&moves);
        assert_eq!(wrong_move(None, &backup(Requested)), None);
        assert!(wrong_move(None, &backup(Good)).is_some(), "a backup begins as requested");
    }

    #[test]
    fn each_wrong_save_is_told() {
        let told = |before: &Backup, after: &Backup| wrong_move(Some(before), after).unwrap_or_default();
        let good = Backup {
            artifact_id: Some(ArtifactId::Image("ami-1".into())),
            snapshots: vec!["snap-1".into()],
            ..backup(State::Good)
        };
        let other = Backup { artifact_id: Some(ArtifactId::Image("ami-2".into())), ..good.clone() };
        assert!(told(&good, &other).contains("had Some"), "{}", told(&good, &other));
        let forgets = Backup { snapshots: Vec::new(), ..good.clone() };
        assert!(told(&good, &forgets).ends_with("forgets snap-1"), "{}", told(&good, &forgets));
        let shared = Backup { shared: good.snapshots.clone(), ..forgets };
        assert_eq!(told(&good, &shared), "");
        let gone = Backup { artifact: Artifact::Gone, ..good.clone() };
        assert!(told(&good, &gone).ends_with("is gone while it is good"), "{}", told(&good, &gone));
        let to = lastgood_core::backup::PublishedTo::Version { template: "lt-1".into(), version: 2 };
        let published = Backup { publication: Publication::Published(to), ..good.clone() };
        assert!(told(&published, &good).contains("was published and is"), "{}", told(&published, &good));
        let pin = Pin { by: "alice".into(), reason: None, at: good.since };
        let pinned = Backup { pinned: Some(pin), ..good.clone() };
        let expires = Backup { state: State::Expiring, ..pinned.clone() };
        assert!(told(&pinned, &expires).contains("is pinned and goes from Good to Expiring"));
        assert_eq!(told(&good, &expires), "", "it was pinned while it was let go");
    }
}
