//! `cargo chaos --seeds N [--from N]`: so many days, each from its own number. `cargo chaos --seed N`: one of them, told.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use lastgood_tests::chaos::{Story, day, tell_seeds_of_panics};

/// How many violations are told in full; of the rest only the seeds.
const TOLD_MAX: usize = 40;

const USAGE: &str = "cargo chaos --seeds N [--from N]    days of N seeds, from 0 or from another one on\n\
                     cargo chaos --seed N                one of them, with its story";

#[derive(Debug, Default)]
struct Sum {
    faults: BTreeMap<&'static str, usize>,
    effects: usize,
    backups: usize,
    wrong: Vec<(u64, String)>,
}

fn main() -> ExitCode {
    tell_seeds_of_panics();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.replace('_', "").parse::<u64>().ok();
    let asked = match args.as_slice() {
        ["--seed", seed] => number(seed).map(told),
        ["--seeds", seeds] => number(seeds).map(|seeds| many(0, seeds)),
        ["--seeds", seeds, "--from", from] => number(seeds).zip(number(from)).map(|(seeds, from)| many(from, seeds)),
        _ => None,
    };
    asked.unwrap_or_else(|| {
        eprintln!("{USAGE}");
        ExitCode::from(2)
    })
}

fn told(seed: u64) -> ExitCode {
    let day = day(seed, Story::Told);
    for line in &day.story {
        println!("{line}");
    }
    println!("seed {seed}: {} wrong", day.wrongs.len());
    for wrong in &day.wrongs {
        println!("  {wrong}");
    }
    if day.wrongs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Sum::default());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Sum::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        break;
                    }
                    let day = day(seed, Story::Silent);
                    // A long run tells at once what it found.
                    for wrong in &day.wrongs {
                        eprintln!("seed {seed}: {wrong}");
                    }
                    mine.take_in(seed, day);
                }
                sum.lock().unwrap_or_else(PoisonError::into_inner).add(mine);
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.wrong.sort();
    println!("seeds {seeds}, backups {}, effects {}, faults:", sum.backups, sum.effects);
    for (what, count) in &sum.faults {
        println!("  {count:>9} {what}");
    }
    let seeds: BTreeSet<u64> = sum.wrong.iter().map(|(seed, _)| *seed).collect();
    println!("violations: {} in {} seeds", sum.wrong.len(), seeds.len());
    for (seed, wrong) in sum.wrong.iter().take(TOLD_MAX) {
        println!("  seed {seed}: {wrong}");
    }
    let rest: BTreeSet<String> = sum.wrong.iter().skip(TOLD_MAX).map(|(seed, _)| seed.to_string()).collect();
    if !rest.is_empty() {
        println!("  and of seeds {}", rest.into_iter().collect::<Vec<String>>().join(", "));
    }
    if let Some((seed, _)) = sum.wrong.first() {
        println!("its story: cargo chaos --seed {seed}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

impl Sum {
    fn take_in(&mut self, seed: u64, day: lastgood_tests::chaos::Day) {
        for (what, count) in day.faults {
            *self.faults.entry(what).or_default() += count;
        }
        self.effects += day.effects;
        self.backups += day.backups;
        self.wrong.extend(day.wrongs.into_iter().map(|wrong| (seed, wrong)));
    }

    fn add(&mut self, other: Self) {
        for (what, count) in other.faults {
            *self.faults.entry(what).or_default() += count;
        }
        self.effects += other.effects;
        self.backups += other.backups;
        self.wrong.extend(other.wrong);
    }
}
