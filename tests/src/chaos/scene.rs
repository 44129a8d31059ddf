//! What a seed sets up: groups of every kind, plans, the pace of AWS and the weather.

use fastrand::Rng;
use lastgood_core::facts::{TemplateRef, VersionRef};
use lastgood_core::id::TemplateId;
use lastgood_core::{Time, later, seconds_between};
use lastgood_world::{ACCOUNT, Launches, MemoryStore, Override, Settings, TemplateData, Weather, World};

use super::caches::Caches;
use super::instances::Instances;
use crate::stack::Stack;

/// How a group is published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name.
    pub(super) name: String,
    /// Its template.
    pub(super) template: TemplateId,
    /// How it names the version.
    pub(super) version: VersionRef,
    /// It has a mixed instances policy.
    pub(super) mixed: bool,
    /// The parameter that it takes its image from.
    pub(super) parameter: Option<String>,
    /// The plan that it is in, by its number.
    pub(super) plan: usize,
}

/// A plan, as far as a seed varies it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the plan's own switches")]
pub(super) struct Wish {
    /// When backups are made.
    pub(super) schedule: &'static str,
    /// Each group begins up to four minutes later.
    pub(super) spread: bool,
    /// How many good backups stay, at least.
    pub(super) last: u32,
    /// What stays beside them.
    pub(super) beside: &'static str,
    /// `hold`, `overwrite`, `adopt`.
    pub(super) on_manual_change: &'static str,
    /// By tag, or by name.
    pub(super) by_tag: bool,
    /// `keep`, `delete`.
    pub(super) on_source_deleted: &'static str,
    /// Members are protected while they are imaged.
    pub(super) protect: bool,
    /// Images are made in refreshes too.
    pub(super) during_refresh: bool,
    /// Images stay as long as instances of them are there. Nobody edits this.
    pub(super) keep_in_use: bool,
    /// Nothing is published.
    pub(super) silent: bool,
    /// How images are rolled out, if they are.
    pub(super) rollout: Option<Rolls>,
}

/// What there is before the day begins.
#[derive(Debug)]
pub(super) struct Scene {
    /// The deployment.
    pub(super) stack: Stack,
    /// The seed.
    pub(super) seed: u64,
    /// The groups.
    pub(super) groups: Vec<Kind>,
    /// The caches.
    pub(super) caches: Caches,
    /// The single instances.
    pub(super) instances: Instances,
    /// The plans, before anybody edits them.
    pub(super) wishes: Vec<Wish>,
    /// AWS's weather in the storm.
    pub(super) weather: Weather,
    /// The table's weather in the storm.
    pub(super) table_weather: Weather,
    /// The bus's.
    pub(super) bus_weather: Weather,
    /// How often, in a thousand, an invocation comes to a bad end.
    pub(super) deaths: u32,
    /// How often, in a thousand, an image that is rolled out makes sick instances.
    pub(super) sick: u32,
    /// How often, in a thousand calls, others act in between.
    pub(super) yields: u32,
    /// How often, in a thousand, an event is lost, and doubled.
    pub(super) events_lost: u32,
    /// How often, in a thousand minutes, somebody does something by hand.
    pub(super) hands: u32,
}

/// When the day begins, and when its last slot has passed.
pub(super) const BEGIN: &str = "2026-01-15T10:58:00Z";
/// No slot from here on.
pub(super) const UNTIL: &str = "2026-01-15T11:35:00Z";

/// How a plan rolls out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolls {
    /// `roll-back`, `continue`, `hold`.
    pub(super) otherwise: &'static str,
    /// Who judges.
    by: &'static str,
    /// `pin`, `second-refresh`.
    followed: &'static str,
    /// In seconds.
    delay: u32,
    /// Percent that there may be at once.
    max_healthy: u32,
    bake: bool,
    /// Each pause is a point to come back to.
    backup: bool,
    /// `watch`, `judge`.
    others: &'static str,
}

impl Rolls {
    fn of(rng: &mut Rng) -> Self {
        Self {
            otherwise: ["roll-back", "roll-back", "hold", "continue"][rng.usize(0..4)],
            by: ["health", "health", "health", "health, person"][rng.usize(0..4)],
            followed: if rng.bool() { "pin" } else { "second-refresh" },
            delay: [240, 400, 900][rng.usize(0..3)],
            max_healthy: [100, 100, 150][rng.usize(0..3)],
            bake: rng.u32(0..4) == 0,
            backup: rng.u32(0..3) == 0,
            others: if rng.bool() { "watch" } else { "judge" },
        }
    }

    fn text(self) -> String {
        let Self { otherwise, by, followed, delay, max_healthy, bake, backup, others } = self;
        let bake = if bake { ", bake: 60s" } else { "" };
        format!(
            "    rollout: {{checkpoints: [50, 100], checkpoint_delay: {delay}s, min_healthy: 50, max_healthy: \
             {max_healthy}, warmup: 30s, followed: {followed}, backup: {backup}, others: {others}{bake}, verdict: {{by: \
             [{by}], within: 180s, otherwise: {otherwise}}}}}\n"
        )
    }
}

impl Wish {
    fn of(rng: &mut Rng) -> Self {
        Self {
            schedule: ["'*/10 * * * *'", "'*/10 * * * *'", "continuous", "'3-59/12 * * * *'", "cron(0/15 * * * ? *)"]
                [rng.usize(0..5)],
            spread: rng.u32(0..3) == 0,
            last: rng.u32(1..=3),
            beside: ["", "", ", within: 15m", ", daily: 2", ", weekly: 1, yearly: 1"][rng.usize(0..5)],
            on_manual_change: ["hold", "hold", "hold", "overwrite", "adopt"][rng.usize(0..5)],
            by_tag: rng.bool(),
            on_source_deleted: if rng.bool() { "keep" } else { "delete" },
            protect: rng.bool(),
            during_refresh: rng.bool(),
            keep_in_use: rng.u32(0..5) == 0,
            silent: rng.u32(0..8) == 0,
            rollout: (rng.u32(0..3) == 0).then(|| Rolls::of(rng)),
        }
    }

    /// Somebody edits it.
    pub(super) fn edited(&self, rng: &mut Rng) -> Self {
        let other = Self::of(rng);
        match rng.u32(0..5) {
            0 => Self { last: other.last, beside: other.beside, ..self.clone() },
            1 => Self { on_manual_change: other.on_manual_change, ..self.clone() },
            2 => Self { on_source_deleted: other.on_source_deleted, ..self.clone() },
            3 => Self { schedule: other.schedule, spread: other.spread, ..self.clone() },
            _ => Self { silent: other.silent, protect: other.protect, rollout: other.rollout, ..self.clone() },
        }
    }
}

/// The plan file: one plan for groups that take their image from their template, one for each parameter, and those of
/// caches and of instances.
pub(super) fn plan_file(groups: &[Kind], wishes: &[Wish], caches: &Caches, instances: &Instances) -> String {
    let mut text = "plans:\n".to_owned();
    for (number, wish) in wishes.iter().enumerate() {
        let members: Vec<&Kind> = groups.iter().filter(|group| group.plan == number).collect();
        let names: Vec<&str> = members.iter().map(|group| group.name.as_str()).collect();
        let select = if wish.by_tag || names.is_empty() {
            format!("tags: {{lastgood: p{number}}}")
        } else {
            format!("groups: [{}]", names.join(", "))
        };
        let parameter = members.iter().find_map(|group| group.parameter.as_ref());
        let publish = match parameter {
            _ if wish.silent => "none".to_owned(),
            Some(parameter) => format!("{{ssm: {parameter}, on_manual_change: {}}}", wish.on_manual_change),
            None => format!("{{on_manual_change: {}}}", wish.on_manual_change),
        };
        text += &format!(
            "  - name: p{number}\n    select: {{{select}}}\n    schedule: {}\n    until: '{UNTIL}'\n    \
             retain: {{last: {}{}}}\n    capture: {{protect_from_scale_in: {}, during_refresh: {}}}\n    publish: \
             {publish}\n    keep_in_use: {}\n    on_source_deleted: {}\n{}",
            wish.schedule,
            wish.last,
            wish.beside,
            wish.protect,
            wish.during_refresh,
            wish.keep_in_use,
            wish.on_source_deleted,
            if wish.spread { "    spread: 4m\n" } else { "" },
        );
        // Only a group is rolled out to.
        if let Some(rolls) = wish.rollout.filter(|_| publish.starts_with("{on_manual_change")) {
            text += &rolls.text();
        }
    }
    text + &caches.plan() + &instances.plan()
}

impl Scene {
    /// The scene of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rate = |rng: &mut Rng, most: u32| if rng.bool() { 0 } else { rng.u32(0..=most) };
        let pace = Settings {
            image_visible_seconds: rng.i64(0..90),
            snapshot_visible_seconds: rng.i64(0..30),
            version_visible_seconds: rate(&mut rng, 60).into(),
            deregistered_visible_seconds: rate(&mut rng, 600).into(),
            image_seconds: rng.i64(10..240),
            image_seconds_per_gib: rng.i64(0..6),
            snapshot_lag_seconds: rng.i64(-60..240),
            name_taken_seconds: rng.i64(0..600),
            page_items_max: [1, 2, 7, 100][rng.usize(0..4)],
            ..Settings::default()
        };
        let begin: Time = BEGIN.parse().expect("a time");
        // What is there when the day begins was made before it, and is told.
        let world = World::with(later(begin, -pace.version_visible_seconds), pace);
        if rng.u32(0..4) == 0 {
            world.enforce_throttling();
        }
        let wishes: Vec<Wish> = (0..rng.usize(1..=2)).map(|_| Wish::of(&mut rng)).collect();
        let mut groups: Vec<Kind> = Vec::new();
        for number in 0..[1, 1, 2][rng.usize(0..3)] {
            let plan = rng.usize(0..wishes.len());
            let alone = !groups.iter().any(|group| group.plan == plan);
            groups.push(group(&mut rng, &world, number, plan, alone, wishes[plan].keep_in_use));
        }
        let caches = Caches::of(seed, &world);
        let instances = Instances::of(seed, &world);
        world.advance(seconds_between(world.time(), begin));
        let stack = Stack::over(world, MemoryStore::plain());
        let bad = Weather {
            unheard: rate(&mut rng, 30),
            unanswered: rate(&mut rng, 30),
            throttled: rate(&mut rng, 30),
            images_failing: rate(&mut rng, 150),
            snapshots_failing: rate(&mut rng, 80),
            snapshots_left: rate(&mut rng, 300),
            starts_failing: [0, 0, 200, 600][usize::try_from(seed % 4).unwrap_or(0)],
            ..Weather::default()
        };
        let table_weather = Weather {
            unheard: rate(&mut rng, 15),
            unanswered: rate(&mut rng, 15),
            lagging: rate(&mut rng, 200),
            ..Weather::default()
        };
        let bus_weather =
            Weather { unanswered: rate(&mut rng, 60), entries_refused: rate(&mut rng, 200), ..Weather::default() };
        Self {
            stack,
            seed,
            groups,
            caches,
            instances,
            wishes,
            weather: bad,
            table_weather,
            bus_weather,
            sick: rate(&mut rng, 600),
            deaths: rate(&mut rng, 200),
            yields: rate(&mut rng, 300),
            events_lost: rate(&mut rng, 400),
            hands: rate(&mut rng, 400),
        }
    }
}

fn group(rng: &mut Rng, world: &World, number: usize, plan: usize, alone: bool, keep_in_use: bool) -> Kind {
    let name = format!("g{number}");
    let base = world.base_image();
    let desired = rng.usize(1..=3);
    let parameter = (alone && rng.u32(0..5) == 0).then(|| format!("/images/{name}"));
    let (template, version, mixed) = if let Some(parameter) = &parameter {
        world.put_parameter(parameter, base.as_str(), "aws:ec2:image");
        let data = TemplateData { image: Some(format!("resolve:ssm:{parameter}")), ..world.launched_from(&base) };
        (world.template_with(&name, &data), VersionRef::Number(1), false)
    } else {
        let version = [VersionRef::Number(1), VersionRef::Number(1), VersionRef::Default, VersionRef::Latest];
        (world.template(&name, &base), version[rng.usize(0..4)], rng.u32(0..4) == 0)
    };
    let role = format!("arn:aws:iam::{ACCOUNT}:role/web-{name}");
    world.template_launches(&template, Launches { role: Some(role), tags: true });
    let from = TemplateRef { template: template.clone(), version };
    if mixed {
        let own = [Override::of_type("m5.large"), Override::of_type("m5.xlarge")];
        world.mixed_group(&name, &from, own.into(), desired);
    } else {
        world.group(&name, &from, desired);
    }
    world.tag_group(&name, "lastgood", &format!("p{plan}"));
    if keep_in_use {
        world.keep_in_use(&format!("group/{name}"));
    }
    Kind { name, template, version, mixed, parameter, plan }
}
