//! Two thousand days of faults, each from its own number; `cargo chaos` runs more of them, and tells one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use lastgood_tests::chaos::{Day, Story, day, tell_seeds_of_panics};

const SEEDS: u64 = 2_000;

/// The days of these seeds, by seed. Two tests look at them.
pub(crate) fn days() -> &'static [(u64, Day)] {
    static DAYS: OnceLock<Vec<(u64, Day)>> = OnceLock::new();
    DAYS.get_or_init(run)
}

fn run() -> Vec<(u64, Day)> {
    tell_seeds_of_panics();
    let next = AtomicU64::new(0);
    let days: Mutex<Vec<(u64, Day)>> = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < SEEDS) {
                    let day = day(seed, Story::Silent);
                    days.lock().unwrap_or_else(PoisonError::into_inner).push((seed, day));
                }
            });
        }
    });
    let mut days = days.into_inner().unwrap_or_else(PoisonError::into_inner);
    days.sort_by_key(|(seed, _)| *seed);
    days
}

#[test]
fn two_thousand_days_of_faults_end_well() {
    let days = days();
    if let Some((seed, _)) = days.iter().find(|(_, day)| !day.wrongs.is_empty()) {
        let told = day(*seed, Story::Told);
        panic!("{}\nseed {seed}: {:#?}\ncargo chaos --seed {seed} tells it again", told.story.join("\n"), told.wrongs);
    }
    assert_eq!(days.len(), usize::try_from(SEEDS).unwrap_or(0));
    // A storm in which little happens shows little.
    let mut faults: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, day) in days {
        for (what, count) in &day.faults {
            *faults.entry(what).or_default() += count;
        }
    }
    let effects: usize = days.iter().map(|(_, day)| day.effects).sum();
    let backups: usize = days.iter().map(|(_, day)| day.backups).sum();
    assert!(backups > 3 * days.len(), "only {backups} backups");
    assert!(effects > 20_000, "only {effects} effects");
    assert!(faults.values().all(|count| *count > 100), "{faults:?}");
    assert_eq!(faults.len(), 15, "each kind of fault comes: {faults:?}");
}

#[test]
fn the_same_seed_makes_the_same_day() {
    let (one, other) = (day(7, Story::Told), day(7, Story::Told));
    assert_eq!(one.story, other.story);
    assert_ne!(one.story, day(8, Story::Told).story);
}
