//! The main job on a stage, through the deployed rules and functions, told as it happens and checked at the end.

mod backups;
mod caches;
mod instance;
mod judge;
mod rollouts;

use std::fs;

use lastgood_world::World;
use serde_json::Value;

use crate::stage::{Stage, StageError};

/// How long one step may take: the longest waits for the next full minute.
const STEP_SECONDS_MAX: u64 = 100;
/// The group that is backed up five times.
pub const GROUP: &str = "web-prod";

/// What was checked.
#[derive(Debug, Default)]
pub struct Checks {
    /// What held.
    pub passed: usize,
    /// What did not.
    pub failed: Vec<String>,
}

/// What there is before Lastgood comes.
#[derive(Debug)]
pub struct Ground {
    backups: backups::Before,
    rollouts: rollouts::Before,
    caches: caches::Before,
    instance: instance::Before,
}

/// Lays it, in a world whose clock stands still yet.
pub fn ground(world: &World) -> Ground {
    Ground {
        backups: backups::lay(world),
        rollouts: rollouts::lay(world),
        caches: caches::lay(world),
        instance: instance::lay(world),
    }
}

/// The whole tour. `say` gets a line for each thing that happens.
pub fn whole(stage: &Stage, ground: &Ground, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::new(stage, say);
    backups::tell(&mut tour, &ground.backups)?;
    instance::tell(&mut tour, &ground.instance)?;
    caches::tell(&mut tour, &ground.caches)?;
    rollouts::tell(&mut tour, &ground.rollouts)?;
    tour.end()
}

/// Three caches, each past its retention.
pub fn three_caches(stage: &Stage, ground: &Ground, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::new(stage, say);
    caches::tell(&mut tour, &ground.caches)?;
    tour.end()
}

/// One instance that ignores its shutdown.
pub fn one_instance(stage: &Stage, ground: &Ground, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::new(stage, say);
    instance::tell(&mut tour, &ground.instance)?;
    tour.end()
}

/// Five backups of one group.
pub fn five_backups(stage: &Stage, ground: &Ground, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::new(stage, say);
    backups::tell(&mut tour, &ground.backups)?;
    tour.end()
}

/// Six groups whose members are replaced.
pub fn six_rollouts(stage: &Stage, ground: &Ground, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::new(stage, say);
    rollouts::tell(&mut tour, &ground.rollouts)?;
    tour.end()
}

/// A tour under way.
struct Tour<'a> {
    stage: &'a Stage,
    say: fn(&str),
    checks: Checks,
    /// What reached the operator.
    notices: Vec<String>,
}

impl<'a> Tour<'a> {
    fn new(stage: &'a Stage, say: fn(&str)) -> Self {
        Self { stage, say, checks: Checks::default(), notices: Vec::new() }
    }

    fn say(&self, line: &str) {
        (self.say)(line);
    }

    fn check(&mut self, what: &str, holds: bool) {
        self.say(&format!("  {} {what}", if holds { "ok  " } else { "FAIL" }));
        if holds {
            self.checks.passed += 1;
        } else {
            self.checks.failed.push(what.to_owned());
        }
    }

    fn lastgood(&mut self, args: &[&str]) -> Result<String, StageError> {
        self.say(&format!("\n$ lastgood {}", args.join(" ")));
        let output = self.stage.lastgood(args)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in text.lines().chain(String::from_utf8_lossy(&output.stderr).lines()) {
            self.say(&format!("  {line}"));
        }
        if !output.status.success() {
            self.check(&format!("lastgood {}", args.join(" ")), false);
        }
        Ok(text)
    }

    /// Applies a file. What is told of it.
    fn apply(&mut self, plans: &str) -> Result<String, StageError> {
        let path = std::env::temp_dir().join(format!("{}-plans.yaml", self.stage.stack));
        fs::write(&path, plans).expect("the machine's folder for passing files can be written to");
        let path = path.to_string_lossy().into_owned();
        let told = self.lastgood(&["apply", &path, "--yes"])?;
        let _ = fs::remove_file(path);
        Ok(told)
    }

    /// What the command tells as JSON, without a word about it; nothing, if it can't be read.
    fn told(&self, args: &[&str]) -> Result<Vec<Value>, StageError> {
        let told = self.stage.lastgood(args)?;
        let told: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
        Ok(told.as_array().cloned().unwrap_or_default())
    }

    /// The backups as the command tells them, newest first.
    fn backups_of(&self, group: &str) -> Result<Vec<Value>, StageError> {
        self.told(&["backups", group, "--json"])
    }

    /// Tells what reached the operator since the last time.
    fn listen(&mut self) -> Result<(), StageError> {
        for notice in self.stage.notices()? {
            let mut lines = notice.lines().map(|line| line.trim_matches('"'));
            let (kind, message) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            self.say(&format!("  notice  {kind}\n          {message}"));
            self.notices.push(notice);
        }
        Ok(())
    }

    /// How many notices of a kind came.
    fn count(&self, kind: &str) -> usize {
        self.notices.iter().filter(|notice| notice.lines().next().is_some_and(|line| line.contains(kind))).count()
    }

    fn end(mut self) -> Result<Checks, StageError> {
        let letters =
            self.stage.messages_in("TargetDeadLettersUrl")? + self.stage.messages_in("FunctionDeadLettersUrl")?;
        self.check("no dead letters", letters == 0);
        Ok(self.checks)
    }
}
