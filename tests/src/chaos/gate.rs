//! What every call of an invocation passes: it may be let through, pause, die or come late, and others act meanwhile.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use fastrand::Rng;
use lastgood_core::{Time, later};
use lastgood_engine::Clock;
use lastgood_world::{Arrival, World};

use crate::cut::{At, Gate};

/// What becomes of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It comes to its end, in its own time.
    Lives,
    /// It is killed at one of its calls.
    Dies(At),
    /// It hangs at a call, before that is heard, for so many seconds; Lambda kills it if that is too long.
    Stalls(usize, i64),
    /// It is killed while a call is on its way, which is heard so many seconds later.
    Leaves(usize, i64),
}

/// The gate of one invocation.
#[derive(Debug)]
pub(super) struct ChaosGate<'a> {
    world: &'a World,
    fate: Fate,
    /// How often, in a thousand calls, others act before it or after it.
    yields: u32,
    calls: AtomicUsize,
    dead: AtomicBool,
    leaving: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    waits: Option<Time>,
    /// How often it hung so far.
    hung: u32,
}

impl<'a> ChaosGate<'a> {
    /// A gate for one invocation.
    pub(super) fn new(world: &'a World, fate: Fate, yields: u32, seed: u64) -> Self {
        let state = Mutex::new(State { rng: Rng::with_seed(seed), waits: None, hung: 0 });
        let (dead, leaving) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { world, fate, yields, calls: AtomicUsize::new(0), dead, leaving, state }
    }

    /// It is over with it.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Its last call is on its way: nothing can stop that.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// How many calls it made.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Until when it waits, if that is later than now.
    pub(super) fn waits(&self) -> Option<Time> {
        self.lock().waits.filter(|until| *until > self.world.time())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the world's clock shows `time`.
    pub(super) async fn until(&self, time: Time) {
        self.lock().waits = Some(time);
        poll_fn(|context| {
            if self.world.time() >= time {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.lock().waits = None;
    }

    /// The whole invocation hangs, before the call is heard.
    async fn hang(&self, seconds: i64) {
        self.lock().hung += 1;
        self.until(later(self.world.time(), seconds)).await;
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        pending::<()>().await;
    }

    /// Lets others act, perhaps.
    async fn turn(&self) {
        let others = self.yields > 0 && self.lock().rng.u32(0..1000) < self.yields;
        let mut turned = !others;
        poll_fn(|context| {
            if turned {
                return Poll::Ready(());
            }
            turned = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Gate for ChaosGate<'_> {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_dead() || self.is_leaving() || self.fate == Fate::Dies(At::Before(number)) {
            self.die().await;
        }
        let hung = self.lock().hung;
        self.turn().await;
        match self.fate {
            Fate::Stalls(at, seconds) if at == number => self.hang(seconds).await,
            Fate::Leaves(at, seconds) if at == number => {
                self.leaving.store(true, Ordering::Relaxed);
                self.hang(seconds).await;
            }
            Fate::Lives | Fate::Dies(_) | Fate::Stalls(..) | Fate::Leaves(..) => {}
        }
        // While one call hangs, those beside it do, too.
        self.world.comes(match (self.lock().hung > hung, self.is_leaving()) {
            (false, _) => Arrival::InTime,
            (true, false) => Arrival::Late,
            (true, true) => Arrival::AfterItsCaller,
        });
        let answer = call.await;
        self.world.comes(Arrival::InTime);
        if self.is_leaving() || self.fate == Fate::Dies(At::After(number)) {
            self.die().await;
        }
        self.turn().await;
        answer
    }
}

/// The world's clock, as an invocation sees it that others do not wait for.
#[derive(Debug)]
pub(super) struct ChaosClock<'a> {
    /// The gate of the invocation.
    pub(super) gate: &'a ChaosGate<'a>,
}

impl Clock for ChaosClock<'_> {
    fn now(&self) -> Time {
        self.gate.world.time()
    }

    async fn pause(&self, seconds: i64) {
        self.gate.until(later(self.gate.world.time(), seconds)).await;
    }
}
