//! Ports that die: at one call of an invocation everything stops, before the call is heard or after it, with its answer
//! lost. What a killed function leaves behind is exactly what the calls before left.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use lastgood_core::Time;
use lastgood_core::backup::Backup;
use lastgood_core::id::{ArtifactId, BackupId};
use lastgood_core::notice::Notice;
use lastgood_core::pace::Bucket;
use lastgood_core::record::{Key, Queue, Record};
use lastgood_core::source::Source;
use lastgood_engine::port::{Looked, Posted};
use lastgood_engine::{Answers, Bus, Call, CallFailed, Called, Listed, PlanWrite, Saved, Store, Versioned, Written};

/// Where an invocation dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the call of this number is heard, counted from 0.
    Before(usize),
    /// After it was done, with its answer lost.
    After(usize),
}

/// Counts the calls of all ports together, and stops at one of them.
#[derive(Debug)]
pub struct Knife {
    at: Option<At>,
    calls: AtomicUsize,
}

impl Knife {
    /// A knife that falls `at` a call, or never.
    #[must_use]
    pub fn new(at: Option<At>) -> Self {
        Self { at, calls: AtomicUsize::new(0) }
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// What every call of a port passes.
pub trait Gate: Sync {
    /// Lets a call through, now, later or never.
    fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send;
}

impl Gate for Knife {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.at == Some(At::Before(number)) {
            pending::<()>().await;
        }
        let answer = call.await;
        if self.at == Some(At::After(number)) {
            pending::<()>().await;
        }
        answer
    }
}

/// Lets something happen before a call is heard: the function hangs meanwhile.
///
/// Boxed: a gate of its own type for each closure would have the whole engine compiled once for each.
pub struct Meanwhile<'a> {
    calls: AtomicUsize,
    happens: Box<dyn Fn(usize) + Sync + 'a>,
}

impl<'a> Meanwhile<'a> {
    /// A gate at which `happens` is called before each call, with its number, counted from 0.
    pub fn new(happens: impl Fn(usize) + Sync + 'a) -> Self {
        Self { calls: AtomicUsize::new(0), happens: Box::new(happens) }
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Gate for Meanwhile<'_> {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        (self.happens)(self.calls.fetch_add(1, Ordering::Relaxed));
        call.await
    }
}

/// Holds an invocation at one call, before that is heard, until it is opened.
#[derive(Debug)]
pub struct Latch {
    at: usize,
    calls: AtomicUsize,
    open: AtomicBool,
}

impl Latch {
    /// A gate that holds the call of this number, counted from 0.
    #[must_use]
    pub fn new(at: usize) -> Self {
        Self { at, calls: AtomicUsize::new(0), open: AtomicBool::new(false) }
    }

    /// Lets the call through.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Gate for Latch {
    async fn pass<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            poll_fn(|context| {
                if self.open.load(Ordering::Relaxed) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        call.await
    }
}

/// A port behind a gate.
#[derive(Debug)]
pub struct Cut<'a, P, G = Knife> {
    /// The port.
    pub port: &'a P,
    /// The gate that all ports of an invocation share.
    pub gate: &'a G,
}

impl<A: Call, P: Answers<A>, G: Gate> Answers<A> for Cut<'_, P, G> {
    async fn call(&self, call: &A) -> Called<A::Told> {
        self.gate.pass(self.port.call(call)).await
    }
}

async fn look(gate: &impl Gate, looks: impl Future<Output = Looked> + Send) -> Looked {
    gate.pass(async { Ok(looks.await) })
        .await
        .unwrap_or_else(|error| Looked { failed: vec![error], ..Looked::default() })
}

impl<P: Store, G: Gate> Store for Cut<'_, P, G> {
    fn name(&self) -> &str {
        self.port.name()
    }
    async fn broken(&self) -> Looked {
        look(self.gate, self.port.broken()).await
    }
    async fn due(&self, queue: Queue, now: Time, limit: usize) -> Result<Vec<Key>, CallFailed> {
        self.gate.pass(self.port.due(queue, now, limit)).await
    }
    async fn load<R: Record>(&self, id: &R::Id) -> Result<Option<Versioned<R>>, CallFailed> {
        self.gate.pass(self.port.load(id)).await
    }
    async fn read<R: Record>(&self, of: &R::Of) -> Result<Listed<R>, CallFailed> {
        self.gate.pass(self.port.read(of)).await
    }
    async fn save<R: Record>(&self, record: &Versioned<R>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save(record)).await
    }
    async fn backup_of(&self, artifact: &ArtifactId) -> Result<Option<BackupId>, CallFailed> {
        self.gate.pass(self.port.backup_of(artifact)).await
    }
    async fn claim(&self, source: &Versioned<Source>, backup: &Backup) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.claim(source, backup)).await
    }
    async fn bucket(&self, action: &str) -> Result<Option<Versioned<Bucket>>, CallFailed> {
        self.gate.pass(self.port.bucket(action)).await
    }
    async fn save_bucket(&self, action: &str, bucket: &Versioned<Bucket>) -> Result<Saved, CallFailed> {
        self.gate.pass(self.port.save_bucket(action, bucket)).await
    }
    async fn write_plans(&self, plans: &[PlanWrite], sources: &[Versioned<Source>]) -> Result<Written, CallFailed> {
        self.gate.pass(self.port.write_plans(plans, sources)).await
    }
}

impl<P: Bus, G: Gate> Bus for Cut<'_, P, G> {
    async fn post(&self, notices: &[Notice]) -> Result<Vec<Posted>, CallFailed> {
        self.gate.pass(self.port.post(notices)).await
    }
    async fn broken(&self) -> Looked {
        look(self.gate, self.port.broken()).await
    }
    fn notice_rule(&self) -> Option<&str> {
        self.port.notice_rule()
    }
}
