//! Who does the work of a day: invocations of the functions, several at once and none of them in a hurry; the mail that
//! wakes them; and the clock that moves when nobody can.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use lastgood_core::backup::{Backup, Publication};
use lastgood_core::id::ImageId;
use lastgood_core::pace::Share;
use lastgood_core::{Time, later};
use lastgood_engine::apply::ApplyError;
use lastgood_engine::{Engine, Running, STOP_BEFORE_DEADLINE_SECONDS};
use lastgood_world::{RecordingBus, Sickness, World};

use super::gate::{ChaosClock, ChaosGate, Fate};
use super::scene::Scene;
use super::{Day, Story, hands, is_effect, release, rest};
use crate::cut::At;
use crate::saves;
use crate::stack::{Invocation, STACK, handle};

/// How often Lambda tries an event again that a function failed on, and when (AWS: Error handling for asynchronous
/// invocation).
const TRIES_MAX: u32 = 2;
/// How long after it was signed a call is still heard (AWS: Common error types, RequestExpired).
pub(super) const HEARD_SECONDS_MAX: i64 = 15 * 60;

/// An invocation that is under way.
struct Live<'a> {
    caller: u64,
    invocation: Invocation,
    tries: u32,
    deadline: Time,
    gate: Arc<ChaosGate<'a>>,
    future: Pin<Box<dyn Future<Output = bool> + 'a>>,
}

/// An invocation that is to come.
#[derive(Clone, Debug)]
struct Letter {
    invocation: Invocation,
    tries: u32,
}

/// A day under way.
pub(super) struct Crew<'a> {
    pub(super) scene: &'a Scene,
    pub(super) rng: Rng,
    live: Vec<Live<'a>>,
    mail: BTreeMap<(Time, u64), Letter>,
    letters: u64,
    pub(super) storm: bool,
    pub(super) day: Day,
    tells: bool,
    pub(super) hand: hands::Memory,
    told: usize,
    wrongs: usize,
}

impl<'a> Crew<'a> {
    pub(super) fn new(scene: &'a Scene, story: Story) -> Self {
        let hand = hands::Memory::of(scene);
        let mut crew = Self {
            scene,
            rng: Rng::with_seed(scene.seed ^ 0x5eed),
            live: Vec::new(),
            mail: BTreeMap::new(),
            letters: 0,
            storm: true,
            day: Day::default(),
            tells: story == Story::Told,
            hand,
            told: 0,
            wrongs: 0,
        };
        crew.say(|| format!("{scene:#?}"));
        let _ = crew.apply();
        crew
    }

    pub(super) fn world(&self) -> &'a World {
        &self.scene.stack.world
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        if self.tells {
            let at = self.world().time();
            self.day.story.push(format!("{} {}", at.strftime("%d %H:%M:%S"), what()));
        }
    }

    /// Something happened that does not happen on a good day.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.day.faults.entry(what).or_default() += 1;
    }

    pub(super) fn wrong(&mut self, what: String) {
        self.say(|| format!("WRONG: {what}"));
        self.day.wrongs.push(what);
    }

    /// Applies the plans as they are wished now, again until the table is in reach. Whether they can be applied.
    pub(super) fn apply(&mut self) -> bool {
        let text =
            super::scene::plan_file(&self.scene.groups, &self.hand.wishes, &self.scene.caches, &self.scene.instances);
        let mut done = self.scene.stack.apply(&text);
        while let Err(ApplyError::Call(_) | ApplyError::Outdated { .. }) = done {
            done = self.scene.stack.apply(&text);
        }
        for group in &self.scene.groups {
            // Whatever the plan says now, less may have been said before.
            let least = self.hand.wishes[group.plan].last;
            let source = format!("group/{}", group.name);
            self.world().keep_at_least(&source, usize::try_from(least).unwrap_or(1));
        }
        self.say(|| format!("apply: {done:?}\n{text}"));
        self.see_saves();
        done.is_ok()
    }

    /// An invocation is to come.
    pub(super) fn post(&mut self, invocation: Invocation, tries: u32, after_seconds: i64) {
        self.letters += 1;
        let at = later(self.world().time(), after_seconds);
        self.mail.insert((at, self.letters), Letter { invocation, tries });
    }

    /// Events are best effort: lost, doubled, late, in any order.
    fn collect(&mut self) {
        for invocation in self.scene.stack.deliveries() {
            if !self.storm {
                self.post(invocation, 0, 0);
                continue;
            }
            let fate = self.rng.u32(0..1000);
            if fate >= self.scene.events_lost {
                let after = self.rng.i64(0..90);
                self.post(invocation.clone(), 0, after);
            } else {
                self.count("events lost");
            }
            if fate % 1000 > 1000 - self.scene.events_lost / 3 {
                self.count("events doubled");
                let after = self.rng.i64(0..300);
                self.post(invocation, 0, after);
            }
        }
    }

    /// Lets everything happen until `end`.
    pub(super) fn pass_until(&mut self, end: Time) {
        loop {
            self.collect();
            self.deliver();
            self.bury();
            let ready: Vec<usize> =
                (0..self.live.len()).filter(|index| self.live[*index].gate.waits().is_none()).collect();
            if !ready.is_empty() {
                let index = ready[self.rng.usize(0..ready.len())];
                self.step(index);
                continue;
            }
            let now = self.world().time();
            if now >= end {
                return;
            }
            let waits = self.live.iter().filter_map(|live| live.gate.waits());
            let deadlines = self.live.iter().filter(|live| !live.gate.is_leaving()).map(|live| live.deadline);
            let letters = self.mail.keys().next().map(|(at, _)| *at);
            let next = waits.chain(deadlines).chain(letters).chain([end]).min().unwrap_or(end);
            self.world().advance_to(next.max(later(now, 1)).min(end));
        }
    }

    fn deliver(&mut self) {
        let now = self.world().time();
        while let Some(entry) = self.mail.first_entry()
            && entry.key().0 <= now
        {
            let letter = entry.remove();
            self.begin(letter);
        }
    }

    fn begin(&mut self, letter: Letter) {
        let scene = self.scene;
        let fate = self.fate();
        let seed = self.rng.u64(..);
        let yields = if self.storm { scene.yields } else { 0 };
        let gate = Arc::new(ChaosGate::new(&scene.stack.world, fate, yields, seed));
        let (_, timeout_seconds) = letter.invocation.function();
        let deadline = later(self.world().time(), timeout_seconds);
        self.letters += 1;
        let caller = self.letters;
        self.say(|| format!("#{caller} {:?} {fate:?}", letter.invocation));
        release::heard(scene, &letter.invocation);
        let future = Box::pin(invocation(scene, Arc::clone(&gate), letter.invocation.clone(), deadline));
        self.live.push(Live { caller, invocation: letter.invocation, tries: letter.tries, deadline, gate, future });
    }

    fn fate(&mut self) -> Fate {
        if !self.storm || self.rng.u32(0..1000) >= self.scene.deaths {
            return Fate::Lives;
        }
        let call = self.rng.usize(0..80);
        match self.rng.u32(0..8) {
            0..=1 => Fate::Dies(At::Before(call)),
            2..=4 => Fate::Dies(At::After(call)),
            5..=6 => Fate::Stalls(call, self.rng.i64(1..400)),
            _ => Fate::Leaves(call, self.rng.i64(1..HEARD_SECONDS_MAX)),
        }
    }

    /// One invocation goes on until it lets others act.
    fn step(&mut self, index: usize) {
        let live = &mut self.live[index];
        let (caller, world) = (live.caller, &self.scene.stack.world);
        let access = world.access();
        world.act_as(Some(caller));
        access.act_in(Some(live.invocation.function().0));
        let poll = live.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        world.act_as(None);
        access.act_in(None);
        let dead = live.gate.is_dead();
        release::goes_on(self.scene, &live.invocation, caller);
        match poll {
            Poll::Ready(well) => self.over(index, well),
            Poll::Pending if dead => {
                self.count("functions killed");
                self.over(index, false);
            }
            Poll::Pending => {}
        }
        self.see_saves();
        self.see_notices();
        if self.storm && self.rng.u32(0..8) == 0 {
            self.world().advance(1);
        }
        // People do not wait until a function has ended.
        if self.storm && self.rng.u32(0..10_000) < self.scene.hands {
            hands::act(self);
        }
    }

    /// An invocation has ended, well or not. Lambda tries again what it was given if it did not.
    fn over(&mut self, index: usize, well: bool) {
        let Live { caller, invocation, tries, gate, .. } = self.live.swap_remove(index);
        self.say(|| {
            format!("#{caller} {} after {} calls", if well { "ends" } else { "is dead or failed" }, gate.calls())
        });
        if !well && tries < TRIES_MAX {
            self.post(invocation, tries + 1, 60 * i64::from(tries + 1));
        }
    }

    /// Lambda kills what takes too long. A call that is on its way is not called back.
    fn bury(&mut self) {
        let now = self.world().time();
        while let Some(index) =
            self.live.iter().position(|live| live.deadline <= now && !live.gate.is_leaving() || live.gate.is_dead())
        {
            self.count("functions out of time");
            self.over(index, false);
        }
    }

    /// Every save is judged.
    pub(super) fn see_saves(&mut self) {
        let (saves, wrongs) = saves::judged(self.world(), &self.scene.stack.store);
        for wrong in wrongs {
            self.wrong(wrong);
        }
        for (before, after) in saves {
            self.sicken(before.as_ref(), &after);
            self.say(|| {
                format!(
                    "  {} {:?} {:?} {:?}: {}",
                    after.id.slot_text(),
                    after.state,
                    after.artifact,
                    after.publication,
                    after.trouble.as_ref().unwrap_or(&after.reason)
                )
            });
        }
        for refused in self.world().access().take_refused() {
            self.wrong(refused);
        }
        let wrongs = self.world().wrongs();
        for wrong in wrongs.into_iter().skip(self.wrongs) {
            self.wrongs += 1;
            self.wrong(wrong);
        }
    }

    /// Some images that are about to be rolled out make sick instances.
    fn sicken(&mut self, before: Option<&Backup>, after: &Backup) {
        let rolls = |backup: &Backup| matches!(backup.publication, Publication::Rolling { .. });
        if let Some(image) = after.image().filter(|_| rolls(after) && !before.is_some_and(rolls)) {
            self.sicken_some(image);
        }
    }

    /// Instances of this image are sick, if it comes to that.
    pub(super) fn sicken_some(&mut self, image: &ImageId) {
        if !self.storm || self.rng.u32(0..1000) >= self.scene.sick {
            return;
        }
        let sickness = if self.rng.bool() { Sickness::Impaired } else { Sickness::Unhealthy };
        self.world().make_sick(image, sickness);
        self.count("sick images");
        self.say(|| format!("instances of {image} are {sickness:?}"));
        self.hand.sick.insert(image.clone());
    }

    fn see_notices(&mut self) {
        if !self.tells {
            return;
        }
        let sent = self.scene.stack.bus.sent_after(self.told);
        self.told += sent.len();
        for notice in sent {
            self.say(|| format!("  NOTICE {}", notice.message));
        }
    }

    /// What the day came to.
    pub(super) fn end(mut self) -> Day {
        for wrong in rest::wrongs(&self) {
            self.wrong(wrong);
        }
        let stack = &self.scene.stack;
        let bus: &RecordingBus = &stack.bus;
        for faults in [self.world().faults(), stack.store.faults(), bus.faults()] {
            for (what, count) in faults {
                *self.day.faults.entry(what).or_default() += count;
            }
        }
        let calls = self.world().calls();
        self.day.effects = calls.iter().filter(|(action, _)| is_effect(action)).map(|(_, count)| count).sum();
        self.day.backups = stack.store.all_backups().len();
        self.day.used = self.world().access().used();
        self.day
    }
}

/// One invocation, over ports behind its own gate.
async fn invocation(scene: &Scene, gate: Arc<ChaosGate<'_>>, invocation: Invocation, deadline: Time) -> bool {
    let gate: &ChaosGate<'_> = &gate;
    let (store, cloud, bus) = scene.stack.behind(gate);
    let clock = ChaosClock { gate };
    let running =
        Running { stack: STACK, stop_at: later(deadline, -STOP_BEFORE_DEADLINE_SECONDS), share: Share::default() };
    let engine = Engine::new(&store, &cloud, &bus, &clock, running);
    Box::pin(handle(&engine, invocation)).await.is_ok()
}
