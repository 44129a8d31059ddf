//! A single instance whose system does not shut down when it is asked to: it is forced off after its window, imaged, and on
//! again before its image is complete.

use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::Time;
use lastgood_core::id::InstanceId;
use lastgood_core::seconds_between;
use lastgood_world::{InstanceState, Settings, World};
use serde_json::Value;

use super::{STEP_SECONDS_MAX, Tour};
use crate::stage::{StageError, WORLD_SPEED};

/// How long its system has, by the functions' watch.
const STOP_WITHIN_SECONDS: i64 = 20;
/// How long AWS copies its volumes, by AWS's clock: longer than it takes to have it on again, and to see that.
const IMAGE_SECONDS: i64 = 80 * WORLD_SPEED;

/// The instance.
#[derive(Debug)]
pub(super) struct Before {
    instance: InstanceId,
}

/// One that runs, and is deaf to its shutdown.
pub(super) fn lay(world: &World) -> Before {
    let instance = world.instance(&world.base_image());
    world.change_nature(&instance, |nature| nature.ignores_shutdown = true);
    Before { instance }
}

/// The whole of it.
pub(super) fn tell(tour: &mut Tour<'_>, before: &Before) -> Result<(), StageError> {
    let id = &before.instance;
    tour.say(&format!(
        "\nA database on {id}, which is shut down for its backups, and whose system does not listen to that."
    ));
    let mut usual = Settings::default();
    tour.stage.world.change_settings(|pace| {
        usual = pace.clone();
        pace.image_seconds = IMAGE_SECONDS;
    });
    let told = tour.apply(&format!(
        "plans:\n  - name: databases\n    select: {{instances: [{id}]}}\n    schedule: daily\n    capture: {{reboot: stop, stop_within: {STOP_WITHIN_SECONDS}s}}\n    retain: {{last: 2, consistent: 1}}\n"
    ))?;
    tour.check("apply shows the instance as its plan names it", told.contains(&format!("instances          {id}\n")));
    tour.lastgood(&["backup", &format!("instance/{id}"), "--reason", "the tour", "--by", "demo"])?;
    let on = tour.instance_has(id, |backup| backup["power"] == "running")?;
    let is_on = tour.stage.world.machine(id).is_some_and(|machine| machine.state == InstanceState::Running);
    tour.lastgood(&["backups", &format!("instance/{id}")])?;
    let before_it = on.as_ref().is_some_and(|backup| backup["state"] == "pending");
    tour.check("it runs again before its image is complete", before_it && is_on);
    tour.stage.world.change_settings(|pace| *pace = usual);
    let good = tour.instance_has(id, |backup| backup["state"] == "good")?;
    tour.check("its backup is good", good.is_some());
    tour.look_at_instance(id, &good.unwrap_or_default())
}

impl Tour<'_> {
    /// Waits until its newest backup is so, and returns that as the command tells it.
    fn instance_has(&mut self, id: &InstanceId, is_so: impl Fn(&Value) -> bool) -> Result<Option<Value>, StageError> {
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        while Instant::now() < deadline {
            self.listen()?;
            let newest = self.backups_of(&format!("instance/{id}"))?.into_iter().next();
            if let Some(backup) = newest.filter(&is_so) {
                return Ok(Some(backup));
            }
            thread::sleep(Duration::from_millis(500));
        }
        Ok(None)
    }

    fn look_at_instance(&mut self, id: &InstanceId, backup: &Value) -> Result<(), StageError> {
        self.lastgood(&["backups", &format!("instance/{id}")])?;
        self.say("");
        let log = self.stage.world.log();
        let called = |action: &str, about: &str| -> Vec<Time> {
            log.iter().filter(|call| call.action == action && call.about == about).map(|call| call.at).collect()
        };
        let asked = called("ec2:StopInstances", id.as_str());
        let forced = called("ec2:StopInstances", &format!("{id} forced"));
        // The functions' watch shows whole seconds: by it, one that began late in its first ends up to one earlier.
        let window = (STOP_WITHIN_SECONDS - 1) * WORLD_SPEED;
        let waited =
            matches!((&asked[..], &forced[..]), ([asked], [forced]) if seconds_between(*asked, *forced) >= window);
        self.check(&format!("its system was asked once, and forced once, after {STOP_WITHIN_SECONDS} s"), waited);
        self.check("it was started once", called("ec2:StartInstances", id.as_str()).len() == 1);
        self.check("that its image is of a forced stop is on record", backup["consistency"] == "forced");
        let downtime = backup["downtime_seconds"].as_i64();
        match downtime {
            Some(seconds) => self.say(&format!("  it was away for {seconds} s by the functions' watch")),
            None => self.say("  how long it was away is not on record"),
        }
        // It was asked, had its window, and was seen to run again.
        let within = STOP_WITHIN_SECONDS..=STEP_SECONDS_MAX.cast_signed();
        self.check("how long it was away is on record", downtime.is_some_and(|seconds| within.contains(&seconds)));
        let copies = backup["copy"]["copies"].as_array().cloned().unwrap_or_default();
        let mut sizes: Vec<_> = copies.iter().filter_map(|copy| copy["gib"].as_u64()).collect();
        sizes.sort_unstable();
        self.check("both of its volumes are copied, and how large they are is on record", sizes == [8, 20]);
        self.check("it was never rebooted", self.stage.world.reboots().is_empty());
        Ok(())
    }
}
