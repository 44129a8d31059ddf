//! The main job on a stage: five backups of one group, through the deployed rules and functions, told as it happens
//! and checked at the end.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::facts::TemplateRef;
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_world::{Image, by_number};
use serde_json::Value;

use crate::stage::{Stage, StageError};

/// How long one step may take: the longest waits for the next full minute.
const STEP_SECONDS_MAX: u64 = 100;
/// The group.
pub const GROUP: &str = "web-prod";

/// What was checked.
#[derive(Debug, Default)]
pub struct Checks {
    /// What held.
    pub passed: usize,
    /// What did not.
    pub failed: Vec<String>,
}

/// The group on the stage, and what stood there before Lastgood came.
#[derive(Debug)]
pub struct Tour<'a> {
    stage: &'a Stage,
    say: fn(&str),
    checks: Checks,
    notices: Vec<String>,
    template: TemplateId,
    base: Image,
    base_snapshots: Vec<lastgood_world::Snapshot>,
}

/// Runs the whole tour. `say` gets a line for each thing that happens.
pub fn five_backups(stage: &Stage, say: fn(&str)) -> Result<Checks, StageError> {
    let mut tour = Tour::begin(stage, say);
    tour.first_by_schedule()?;
    tour.four_on_request()?;
    tour.look_at_what_is_left()?;
    tour.lose_an_instance();
    tour.look_for_dead_letters()?;
    Ok(tour.checks)
}

impl<'a> Tour<'a> {
    fn begin(stage: &'a Stage, say: fn(&str)) -> Self {
        let id = stage.world.base_image();
        let template = stage.world.template("web", &id);
        let from: TemplateRef = by_number(&template, 1);
        stage.world.group(GROUP, &from, 3);
        let base = stage.world.image(&id).expect("it was just made");
        let base_snapshots = stage.world.snapshots();
        say(&format!("A group of three, {GROUP}, launches from {id}, an image that somebody made by hand."));
        let checks = Checks::default();
        Self { stage, say, checks, notices: Vec::new(), template, base, base_snapshots }
    }

    fn check(&mut self, what: &str, holds: bool) {
        (self.say)(&format!("  {} {what}", if holds { "ok  " } else { "FAIL" }));
        if holds {
            self.checks.passed += 1;
        } else {
            self.checks.failed.push(what.to_owned());
        }
    }

    fn lastgood(&mut self, args: &[&str]) -> Result<String, StageError> {
        (self.say)(&format!("\n$ lastgood {}", args.join(" ")));
        let output = self.stage.lastgood(args)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in text.lines().chain(String::from_utf8_lossy(&output.stderr).lines()) {
            (self.say)(&format!("  {line}"));
        }
        if !output.status.success() {
            self.check(&format!("lastgood {}", args.join(" ")), false);
        }
        Ok(text)
    }

    /// Applies a plan with this schedule.
    fn apply(&mut self, schedule: &str) -> Result<(), StageError> {
        let path = std::env::temp_dir().join(format!("{}-plans.yaml", self.stage.stack));
        let plan = format!(
            "plans:\n  - name: web\n    select: {{groups: [{GROUP}]}}\n    schedule: {schedule}\n    retain: {{last: 3}}\n"
        );
        fs::write(&path, plan).expect("the machine's folder for passing files can be written to");
        let path = path.to_string_lossy().into_owned();
        self.lastgood(&["apply", &path, "--yes"])?;
        let _ = fs::remove_file(path);
        Ok(())
    }

    fn first_by_schedule(&mut self) -> Result<(), StageError> {
        self.apply("'* * * * *'")?;
        (self.say)("\nThe next full minute is its slot. The deployed schedule finds it; nobody asks.");
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        while self.backups()?.is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(300));
        }
        (self.say)("\nIts slot is claimed. One a minute would be too many to watch: the plan is changed to one a day.");
        self.apply("daily")?;
        let came = self.wait_for(&["Image Published"], 1)?;
        self.check("the scheduled slot became a good backup, and the group launches from it", came);
        Ok(())
    }

    /// The backups as the command tells them, newest first.
    fn backups(&self) -> Result<Vec<Value>, StageError> {
        let told = self.stage.lastgood(&["backups", GROUP, "--json"])?;
        let backups: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
        Ok(backups.as_array().cloned().unwrap_or_default())
    }

    fn four_on_request(&mut self) -> Result<(), StageError> {
        for number in 2..=5 {
            self.lastgood(&["backup", GROUP, "--reason", "the tour", "--by", "demo"])?;
            let mut wanted = vec!["Image Published"];
            if number > 3 {
                wanted.push("Backups Deleted");
            }
            let came = self.wait_for(&wanted, number)?;
            self.check(&format!("backup {number} of 5 is good and published"), came);
        }
        Ok(())
    }

    /// Waits until the operator's queue has the notices that backup `number` brings. Each notice is said as it comes.
    fn wait_for(&mut self, kinds: &[&str], number: usize) -> Result<bool, StageError> {
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        let expected = |kind: &str| if kind == "Backups Deleted" { number - 3 } else { number };
        while Instant::now() < deadline {
            self.listen()?;
            if kinds.iter().all(|kind| self.count(kind) >= expected(kind)) {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(300));
        }
        Ok(false)
    }

    fn listen(&mut self) -> Result<(), StageError> {
        for notice in self.stage.notices()? {
            let mut lines = notice.lines().map(|line| line.trim_matches('"'));
            let (kind, message) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            (self.say)(&format!("  notice  {kind}\n          {message}"));
            self.notices.push(notice);
        }
        Ok(())
    }

    fn count(&self, kind: &str) -> usize {
        self.notices.iter().filter(|notice| notice.lines().next().is_some_and(|line| line.contains(kind))).count()
    }

    fn our_images(&self) -> Vec<Image> {
        let images = self.stage.world.images().into_iter();
        let there = images.filter(|image| image.deregistered_at.is_none());
        there.filter(|image| image.tags.get("lastgood:managed-by") == Some(&self.stage.stack)).collect()
    }

    fn look_at_what_is_left(&mut self) -> Result<(), StageError> {
        self.lastgood(&["status"])?;
        self.lastgood(&["backups", GROUP])?;
        let backups = self.backups()?;
        (self.say)("");
        let states: Vec<_> = backups.iter().filter_map(|backup| backup["state"].as_str()).collect();
        self.check("five backups: three good, two deleted", states == ["good", "good", "good", "deleted", "deleted"]);
        let images = self.our_images();
        self.check("exactly three images of ours", images.len() == 3);
        let newest: Option<ImageId> = backups.first().and_then(|backup| backup["artifact"].as_str()).map(ImageId::from);
        let in_use = self.stage.world.group_image(GROUP);
        self.check("the group launches from the newest", newest.is_some() && in_use == newest);
        let held: BTreeSet<_> = images.iter().flat_map(Image::snapshots).collect();
        let snapshots = self.stage.world.snapshots().into_iter().filter(|snapshot| {
            !snapshot.deleted && snapshot.tags.get("lastgood:managed-by") == Some(&self.stage.stack)
        });
        let left: BTreeSet<_> = snapshots.map(|snapshot| snapshot.id).collect();
        self.check("no snapshot of a deleted image is left", left == held && left.len() == 6);
        for (kind, count) in [("Backup Good", 5), ("Image Published", 5), ("Backups Deleted", 2)] {
            let told = self.count(kind);
            self.check(&format!("{count} notices '{kind}' behind the topic"), told == count);
        }
        self.check("no other notice", self.notices.len() == 12);
        let base = self.stage.world.image(&self.base.id);
        self.check("the image made by hand is as it was", base.as_ref() == Some(&self.base));
        let now = self.stage.world.snapshots();
        let untouched = self.base_snapshots.iter().all(|snapshot| now.contains(snapshot));
        self.check("so are its snapshots", untouched);
        let versions = self.stage.world.template_versions(&self.template);
        let first = versions.iter().find(|version| version.number == 1);
        let first = first.and_then(|version| version.data.image.clone());
        self.check("so is version 1 of the template", first.as_deref() == Some(self.base.id.as_str()));
        self.check("no instance was rebooted", self.stage.world.reboots().is_empty());
        let made = self.stage.world.calls().get("ec2:CreateImage").copied();
        self.check("CreateImage was called five times", made == Some(5));
        Ok(())
    }

    /// The proof that it was worth it: an instance is lost, and its successor comes from the newest backup.
    fn lose_an_instance(&mut self) {
        let members = |tour: &Self| tour.stage.world.group_view(GROUP).map(|group| group.members).unwrap_or_default();
        let before: BTreeSet<_> = members(self).into_iter().map(|member| member.instance).collect();
        let Some(lost) = before.iter().next().cloned() else { return self.check("the group has members", false) };
        (self.say)(&format!("\n{lost} dies. Auto Scaling replaces it from what the group launches from now."));
        self.stage.world.kill(&lost);
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        let mut successor = None;
        while successor.is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(300));
            successor = members(self).into_iter().map(|member| member.instance).find(|id| !before.contains(id));
        }
        let instances = self.stage.world.instances();
        let instance = instances.iter().find(|instance| Some(&instance.id) == successor.as_ref());
        let image = instance.map(|instance| instance.image.clone());
        self.check(
            "its successor launched from the newest backup",
            image.is_some() && image == self.stage.world.group_image(GROUP),
        );
    }

    fn look_for_dead_letters(&mut self) -> Result<(), StageError> {
        let letters =
            self.stage.messages_in("TargetDeadLettersUrl")? + self.stage.messages_in("FunctionDeadLettersUrl")?;
        self.check("no dead letters", letters == 0);
        Ok(())
    }
}
