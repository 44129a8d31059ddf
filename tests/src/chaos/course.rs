//! The course of a day: a storm in which everything may go wrong, and a calm in which all of it must come to rest.

use lastgood_core::record::Queue;
use lastgood_core::{Time, later, seconds_between};
use lastgood_world::{MemoryStore, Weather};

use super::crew::{Crew, HEARD_SECONDS_MAX};
use super::hands;
use crate::stack::Invocation;

/// How long the storm takes.
const STORM_MINUTES: i64 = 40;

impl Crew<'_> {
    /// Everything that may go wrong does.
    pub(super) fn storm(&mut self) {
        let scene = self.scene;
        self.world().set_weather(scene.seed, scene.weather);
        scene.stack.store.set_weather(scene.seed + 1, scene.table_weather);
        scene.stack.bus.set_weather(scene.seed + 2, scene.bus_weather);
        for minute in 0..STORM_MINUTES {
            let begin = self.world().time();
            for invocation in [Invocation::Tick, Invocation::Poll] {
                self.schedule(invocation);
            }
            if minute % 12 == 7 {
                self.schedule(Invocation::Cleanup);
            }
            if self.rng.u32(0..1000) < scene.hands {
                hands::act(self);
            }
            self.pass_until(later(begin, 60));
        }
    }

    /// A schedule fires: mostly once, within the minute (AWS: Creating a rule that runs on a schedule).
    fn schedule(&mut self, invocation: Invocation) {
        let fate = self.rng.u32(0..1000);
        if fate < self.scene.events_lost / 4 {
            return;
        }
        let after = self.rng.i64(0..20);
        self.post(invocation.clone(), 0, after);
        if fate > 990 {
            self.post(invocation, 0, after + 1);
        }
    }

    /// The faults stop, and all of it must come to rest.
    pub(super) fn calm(&mut self) {
        let none = Weather::default();
        self.storm = false;
        self.say(|| "the storm is over".to_owned());
        self.world().set_weather(0, none);
        self.scene.stack.store.set_weather(0, none);
        self.scene.stack.bus.set_weather(0, none);
        hands::mend(self);
        // What was begun in the storm ends: what is on its way arrives.
        let arrived = later(self.world().time(), HEARD_SECONDS_MAX);
        self.minutes_until(arrived);
        // A rollout that is held waits for a day, and the next one after it.
        let goes = |crew: &Self| {
            let rollouts = crew.scene.stack.store.all_rollouts();
            rollouts.iter().any(|rollout| !rollout.state.is_at_rest() || !rollout.outbox.is_empty())
        };
        for _ in 0..240 {
            if !goes(self) {
                break;
            }
            let hour = later(self.world().time(), 3600);
            self.minutes_until(hour);
        }
        // An image may be pending for a day; backups of what is deleted wait for a day. What the sweep found then is
        // acted on an hour later.
        for hours in [1, 1, 25, 25, 1] {
            let begin = self.world().time();
            self.pass_until(later(begin, hours * 3600 - 600));
            self.post(Invocation::Cleanup, 0, 0);
            self.minutes_until(later(begin, hours * 3600));
        }
    }

    /// The schedules fire every minute in which they find anything to do: the others cost nothing and change nothing.
    fn minutes_until(&mut self, end: Time) {
        while self.world().time() < end {
            let now = self.world().time();
            let store: &MemoryStore = &self.scene.stack.store;
            let due = |queue: Queue| store.next_due(queue).is_some_and(|at| at <= now);
            let (tick, poll) = (due(Queue::Tick), due(Queue::Poll) || due(Queue::Tick));
            if tick {
                self.post(Invocation::Tick, 0, 0);
            }
            if poll {
                self.post(Invocation::Poll, 0, 0);
            }
            if seconds_between(Time::UNIX_EPOCH, now) % 3600 < 60 {
                self.post(Invocation::Cleanup, 0, 0);
            }
            self.pass_until(later(now, 60));
        }
    }
}
