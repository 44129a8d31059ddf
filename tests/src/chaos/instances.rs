//! Single instances in a day: what a seed sets up, what people do to them behind Lastgood's back, and what must be true of them
//! in the end.

use fastrand::Rng;
use lastgood_core::backup::Backup;
use lastgood_core::backup::power::Power;
use lastgood_core::id::{InstanceId, SourceId};
use lastgood_world::World;

use super::crew::Crew;
use super::hands;
use super::scene::{BEGIN, UNTIL};

/// The instances of a seed, and how their plans treat them.
#[derive(Clone, Debug, Default)]
pub(super) struct Instances {
    /// Which.
    pub(super) all: Vec<InstanceId>,
    last: u32,
    stop: bool,
    stop_within: u32,
    schedule: &'static str,
    deletes: bool,
}

impl Instances {
    /// Those of a seed, drawn apart from everything else.
    pub(super) fn of(seed: u64, world: &World) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0001_2757_a9ce);
        world.change_settings(|pace| pace.shutdown_seconds = rng.i64(1..80));
        let count = [0, 0, 0, 1][rng.usize(0..4)];
        let mut all = Vec::new();
        for _ in 0..count {
            let id = world.instance(&world.base_image());
            let deaf = rng.u32(0..4) == 0;
            world.change_nature(&id, |nature| nature.ignores_shutdown = deaf);
            if seed.is_multiple_of(3) {
                world.change_nature(&id, |nature| nature.spot = Some(false));
            }
            if seed.is_multiple_of(2) {
                world.encrypt_instance(&id, "arn:aws:kms:us-east-1:222222222222:key/1");
                world.license_instance(
                    &id,
                    "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-1",
                );
            }
            all.push(id);
        }
        Self {
            all,
            last: rng.u32(1..=2),
            stop: rng.u32(0..4) > 0,
            stop_within: rng.u32(5..90),
            schedule: ["'*/15 * * * *'", "'3-59/11 * * * *'", "'*/20 * * * *'"][rng.usize(0..3)],
            deletes: rng.bool(),
        }
    }

    /// Their plans; nothing if there are none.
    pub(super) fn plan(&self) -> String {
        if self.all.is_empty() {
            return String::new();
        }
        let ids: Vec<&str> = self.all.iter().map(InstanceId::as_str).collect();
        let stop = format!("reboot: stop, stop_within: {}s", self.stop_within);
        format!(
            "  - name: instances\n    select: {{instances: [{}]}}\n    schedule: {}\n    from: '{BEGIN}'\n    until: \
             '{UNTIL}'\n    retain: {{last: {}}}\n    capture: {{{}}}\n    on_source_deleted: {}\n",
            ids.join(", "),
            self.schedule,
            self.last,
            if self.stop { &stop } else { "reboot: never" },
            if self.deletes { "delete" } else { "keep" },
        )
    }
}

/// Somebody does something to an instance.
pub(super) fn act(crew: &mut Crew<'_>) {
    let id = crew.scene.instances.all[crew.rng.usize(0..crew.scene.instances.all.len())].clone();
    match crew.rng.u32(0..12) {
        0..=3 => hands::ask_for_a_backup(crew, SourceId::Instance(id)),
        4..=5 => {
            crew.say(|| format!("stops {id}"));
            crew.world().stop(&id);
        }
        6..=7 => {
            crew.say(|| format!("starts {id}"));
            crew.world().start(&id);
        }
        8..=9 => {
            let full = crew.rng.bool();
            crew.say(|| format!("there is {} room for instances", if full { "no" } else { "again" }));
            crew.world().no_room(full);
        }
        10 => {
            let deaf = crew.rng.bool();
            crew.world().change_nature(&id, |nature| nature.ignores_shutdown = deaf);
        }
        _ if crew.rng.u32(0..4) == 0 => {
            crew.say(|| format!("terminates {id}"));
            crew.world().kill(&id);
            if crew.scene.instances.deletes {
                crew.world().may_retire(&SourceId::Instance(id).to_string());
            }
        }
        _ => {}
    }
}

/// There is room again.
pub(super) fn mend(crew: &mut Crew<'_>) {
    crew.world().no_room(false);
}

/// Nothing is owed to its instance.
pub(super) fn is_settled(backup: &Backup) -> bool {
    matches!(backup.power.state, Power::Untouched | Power::Running | Power::Gone)
}

/// What must be true of instances in the end, whatever the records say.
pub(super) fn wrongs(crew: &Crew<'_>, wrongs: &mut Vec<String>) {
    // Whoever loses the row of a backup whose instance is off loses what says so.
    let lost = crew.hand.lost_rows.iter().filter(|lost| !is_settled(lost));
    let lost: Vec<&InstanceId> = lost.filter_map(|lost| lost.instance.as_ref()).collect();
    for id in crew.world().off_by_us().iter().filter(|id| !lost.contains(id)) {
        wrongs.push(format!("{id} is off, and it was Lastgood that stopped it"));
    }
}
