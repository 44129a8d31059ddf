//! Five backups of one group, the first by schedule, and what is left of them.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::id::{ImageId, TemplateId};
use lastgood_world::{Image, Snapshot, World, by_number};

use super::{GROUP, STEP_SECONDS_MAX, Tour};
use crate::stage::StageError;

/// The group, and what stood there before Lastgood came.
#[derive(Debug)]
pub(super) struct Before {
    template: TemplateId,
    base: Image,
    snapshots: Vec<Snapshot>,
}

/// A group of three, launched from an image that somebody made by hand.
pub(super) fn lay(world: &World) -> Before {
    let id = world.base_image();
    let template = world.template("web", &id);
    world.group(GROUP, &by_number(&template, 1), 3);
    Before { template, base: world.image(&id).expect("it was just made"), snapshots: world.snapshots() }
}

/// The whole of it.
pub(super) fn tell(tour: &mut Tour<'_>, before: &Before) -> Result<(), StageError> {
    tour.say(&format!(
        "A group of three, {GROUP}, launches from {}, an image that somebody made by hand.",
        before.base.id
    ));
    tour.first_by_schedule()?;
    tour.four_on_request()?;
    tour.look_at_what_is_left(before)?;
    tour.lose_an_instance();
    Ok(())
}

impl Tour<'_> {
    /// Applies a plan with this schedule.
    fn schedule(&mut self, schedule: &str) -> Result<(), StageError> {
        self.apply(&format!(
            "plans:\n  - name: web\n    select: {{groups: [{GROUP}]}}\n    schedule: {schedule}\n    retain: {{last: 3}}\n"
        ))?;
        Ok(())
    }

    fn first_by_schedule(&mut self) -> Result<(), StageError> {
        self.schedule("'* * * * *'")?;
        self.say("\nThe next full minute is its slot. The deployed schedule finds it; nobody asks.");
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        while self.backups_of(GROUP)?.is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(300));
        }
        self.say("\nIts slot is claimed. One a minute would be too many to watch: the plan is changed to one a day.");
        self.schedule("daily")?;
        let came = self.wait_for(&["Image Published"], 1)?;
        self.check("the scheduled slot became a good backup, and the group launches from it", came);
        Ok(())
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

    fn our_images(&self) -> Vec<Image> {
        let images = self.stage.world.images().into_iter();
        let there = images.filter(|image| image.deregistered_at.is_none());
        there.filter(|image| image.tags.get("lastgood:managed-by") == Some(&self.stage.stack)).collect()
    }

    fn look_at_what_is_left(&mut self, before: &Before) -> Result<(), StageError> {
        self.lastgood(&["status"])?;
        self.lastgood(&["backups", GROUP])?;
        let backups = self.backups_of(GROUP)?;
        self.say("");
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
        let base = self.stage.world.image(&before.base.id);
        self.check("the image made by hand is as it was", base.as_ref() == Some(&before.base));
        let now = self.stage.world.snapshots();
        let untouched = before.snapshots.iter().all(|snapshot| now.contains(snapshot));
        self.check("so are its snapshots", untouched);
        let versions = self.stage.world.template_versions(&before.template);
        let first = versions.iter().find(|version| version.number == 1);
        let first = first.and_then(|version| version.data.image.clone());
        self.check("so is version 1 of the template", first.as_deref() == Some(before.base.id.as_str()));
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
        self.say(&format!("\n{lost} dies. Auto Scaling replaces it from what the group launches from now."));
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
}
