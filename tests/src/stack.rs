//! A whole deployment in one process: the engine's use cases over a simulated world, called as the rules would call them.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use lastgood_core::backup::Backup;
use lastgood_core::id::{ArtifactId, InstanceId, SourceId};
use lastgood_core::incoming::{
    BackupRequested, Envelope, ImageChangeRequested, Incoming, NoticeTestRequested, RefreshNews, Request, VerdictAsked,
};
use lastgood_core::notice::{News, Notice};
use lastgood_core::pace::{self, Share};
use lastgood_core::rollout::Rollout;
use lastgood_core::source::Source;
use lastgood_core::{Time, later, plan};
use lastgood_engine::apply::{self, Absent, ApplyError};
use lastgood_engine::{Bus, Clock, Cloud, Engine, NoticesLost, Report, Running, Saved, Store, Versioned, chain};
use lastgood_world::{MemoryStore, RecordingBus, World, by_number};

use crate::cut::{Cut, Gate};
use crate::saves;
use crate::template::{ACCOUNT, REGION, Roles, roles};

/// The stack's name, the value of our tags.
pub const STACK: &str = "lastgood-test";

/// One deployment: the world, the table and the bus.
#[derive(Debug)]
pub struct Stack {
    /// AWS, and the clock.
    pub world: World,
    /// The table.
    pub store: MemoryStore,
    /// The bus.
    pub bus: RecordingBus,
    /// How many notices were looked at, for those that wake retention-cleanup.
    heard: std::sync::Mutex<usize>,
    /// How many invocations there were.
    invocations: AtomicU64,
}

/// One invocation of one function.
#[derive(Clone, Debug)]
pub enum Invocation {
    /// backup-tick, by its schedule.
    Tick,
    /// backup-tick, on a request.
    Request(Time, BackupRequested),
    /// backup-tick, on another request.
    Asked(Time, Request),
    /// snapshot-poll, by its schedule.
    Poll,
    /// snapshot-poll, on AWS's news.
    News(ArtifactId),
    /// snapshot-poll, on what ElastiCache tells a topic of these clusters.
    CacheNews(Vec<String>),
    /// snapshot-poll, on AWS's news of an instance.
    InstanceNews(InstanceId),
    /// retention-cleanup, by its schedule.
    Cleanup,
    /// retention-cleanup, on a good backup.
    CleanupSource(SourceId),
    /// backup-tick, on a test of notices: the event's id.
    NoticeTest(String, NoticeTestRequested),
    /// checkpoint-reached, on AWS's news.
    Refresh(RefreshNews),
    /// checkpoint-reached, on a verdict.
    Verdict(Time, VerdictAsked),
    /// checkpoint-reached, on an operator's image.
    ImageChange(Time, ImageChangeRequested),
}

impl Invocation {
    /// Its function, and its Timeout in seconds (infra/template.yaml; a test holds that it is so).
    #[must_use]
    pub fn function(&self) -> (&'static str, i64) {
        match self {
            Self::Tick | Self::Request(..) | Self::Asked(..) | Self::NoticeTest(..) => ("BackupTick", 60),
            Self::Poll | Self::News(_) | Self::CacheNews(_) | Self::InstanceNews(_) => ("SnapshotPoll", 120),
            Self::Cleanup | Self::CleanupSource(_) => ("RetentionCleanup", 300),
            Self::Refresh(_) | Self::Verdict(..) | Self::ImageChange(..) => ("CheckpointReached", 60),
        }
    }
}

impl Stack {
    /// A deployment in an empty world.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self::over(world, MemoryStore::new())
    }

    /// A deployment over any table.
    #[must_use]
    pub fn over(world: World, store: MemoryStore) -> Self {
        store.watch();
        let (heard, invocations) = (std::sync::Mutex::new(0), AtomicU64::new(0));
        let stack = Self { world, store, bus: RecordingBus::new(), heard, invocations };
        stack.enforce(roles());
        stack
    }

    /// From now on each function may what these roles may, and nothing else.
    pub fn enforce(&self, roles: Roles) {
        let access = self.world.access();
        access.enforce(roles);
        self.store.guard(access.clone(), &format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-Table"));
        self.bus.guard(access, &format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{STACK}"));
    }

    /// A deployment over `count` groups of one, `g000` and on, with an hourly plan that keeps one backup, at 10:30.
    #[must_use]
    pub fn of_groups(count: usize) -> Self {
        let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
        let base = world.base_image();
        let names: Vec<String> = (0..count).map(|number| format!("g{number:03}")).collect();
        for name in &names {
            let template = world.template(name, &base);
            world.group(name, &by_number(&template, 1), 1);
        }
        let stack = Self::new(world);
        let plan = format!(
            "plans: [{{name: all, select: {{groups: [{}]}}, schedule: hourly, retain: {{last: 1}}}}]",
            names.join(", ")
        );
        stack.apply(&plan).expect("applied");
        stack
    }

    /// Applies a plan file.
    pub fn apply(&self, text: &str) -> Result<(), ApplyError> {
        let file = plan::read("plans.yaml", text).map_err(ApplyError::Mistakes)?;
        now(async {
            let time = self.world.time();
            let change = apply::compare(&self.store, &self.world, &file, Absent::Stay, time).await?;
            apply::write(&self.store, &change, time).await
        })
    }

    /// One invocation, to its end, which must be a good one.
    pub fn invoke(&self, invocation: Invocation) -> Report {
        self.try_invoke(invocation).expect("the function does not fail")
    }

    /// One invocation, to its end; or why the function failed.
    pub fn try_invoke(&self, invocation: Invocation) -> Result<Report, String> {
        self.run_on(&self.store, &self.world, &self.bus, Time::MAX, invocation)
            .expect("nothing in a world is ever pending")
    }

    /// One invocation that begins nothing new after so many seconds.
    pub fn invoke_within(&self, seconds: i64, invocation: Invocation) -> Report {
        self.try_within(seconds, invocation).expect("the function does not fail")
    }

    /// The same, which may fail.
    pub fn try_within(&self, seconds: i64, invocation: Invocation) -> Result<Report, String> {
        let stop_at = later(self.world.time(), seconds);
        self.run_on(&self.store, &self.world, &self.bus, stop_at, invocation)
            .expect("nothing in a world is ever pending")
    }

    /// So many rounds of ticks and polls, three minutes apart, in which nobody cleans up.
    pub fn back_up_only(&self, rounds: usize) {
        for _ in 0..rounds {
            self.invoke(Invocation::Tick);
            self.invoke(Invocation::Poll);
            self.world.advance(3 * 60);
        }
    }

    /// This deployment's ports behind a gate.
    pub fn behind<'a, G: Gate>(
        &'a self,
        gate: &'a G,
    ) -> (Cut<'a, MemoryStore, G>, Cut<'a, World, G>, Cut<'a, RecordingBus, G>) {
        (Cut { port: &self.store, gate }, Cut { port: &self.world, gate }, Cut { port: &self.bus, gate })
    }

    /// One invocation behind a gate. `None` if it never ended: it was killed.
    pub fn invoke_behind<G: Gate>(&self, gate: &G, invocation: Invocation) -> Option<Report> {
        self.try_behind(gate, invocation).map(|ended| ended.expect("the function does not fail"))
    }

    /// One invocation behind a gate, which may fail. `None` if it never ended: it was killed.
    pub fn try_behind<G: Gate>(&self, gate: &G, invocation: Invocation) -> Option<Result<Report, String>> {
        let (store, cloud, bus) = self.behind(gate);
        self.run_on(&store, &cloud, &bus, Time::MAX, invocation)
    }

    /// What it does is judged as chaos judges it.
    fn run_on<S: Store, C: Cloud, B: Bus>(
        &self,
        store: &S,
        cloud: &C,
        bus: &B,
        stop_at: Time,
        invocation: Invocation,
    ) -> Option<Result<Report, String>> {
        let running = Running { stack: STACK, stop_at, share: Share::default() };
        let engine = Engine::new(store, cloud, bus, &self.world, running);
        // Everything in a world is ready at once: what does not end when it is polled once has been cut.
        if let Invocation::ImageChange(_, asked) = &invocation {
            self.world.asked_for(asked.source.name(), &asked.image);
        }
        let access = self.world.access();
        let (function, _) = invocation.function();
        let before = self.world.act_as(Some(self.invocations.fetch_add(1, Ordering::Relaxed)));
        let role = access.act_in(Some(function));
        let ended = handle(&engine, invocation).now_or_never();
        self.world.act_as(before);
        access.act_in(role);
        let (_, mut wrongs) = saves::judged(&self.world, &self.store);
        wrongs.extend(self.world.wrongs());
        wrongs.extend(access.take_refused());
        assert!(wrongs.is_empty(), "{wrongs:#?}");
        ended
    }

    /// What the deployed rules would deliver now: AWS's events about images and refreshes, and our own about good backups.
    pub fn deliveries(&self) -> Vec<Invocation> {
        let mut deliveries = Vec::new();
        for event in self.world.take_events() {
            let envelope: Envelope = serde_json::from_value(event).expect("the world writes EventBridge's envelope");
            match Incoming::of(envelope) {
                Ok(Incoming::ArtifactChanged { artifact }) => deliveries.push(Invocation::News(artifact)),
                Ok(Incoming::InstanceChanged { instance }) => deliveries.push(Invocation::InstanceNews(instance)),
                Ok(Incoming::Refresh(news)) => deliveries.push(Invocation::Refresh(news)),
                _ => {}
            }
        }
        let mut heard = self.heard.lock().expect("no test panics with this lock");
        let sent = self.bus.sent_after(*heard);
        for notice in &sent {
            if let News::BackupGood { .. } = notice.news {
                deliveries.extend(notice.source.clone().map(Invocation::CleanupSource));
            }
        }
        *heard += sent.len();
        deliveries
    }

    /// Lets `minutes` pass as the deployed schedules do: a tick and a poll each, events as they come, and a cleanup on
    /// the hour.
    pub fn run(&self, minutes: i64) {
        for _ in 0..minutes {
            self.world.advance(60);
            self.minute();
        }
    }

    /// What happens in one minute, without moving the clock.
    pub fn minute(&self) {
        self.deliver();
        self.invoke(Invocation::Tick);
        self.invoke(Invocation::Poll);
        self.deliver();
        if self.world.time().as_second() % 3600 == 0 {
            self.invoke(Invocation::Cleanup);
        }
    }

    fn deliver(&self) {
        loop {
            let deliveries = self.deliveries();
            if deliveries.is_empty() {
                return;
            }
            for delivery in deliveries {
                self.invoke(delivery);
            }
        }
    }

    /// Others use up our share of an action's calls, for so many seconds. Nothing was taken from it before.
    pub fn drain(&self, action: &'static str, seconds: i64) {
        let bucket = Versioned::new(pace::drained(later(self.world.time(), seconds)));
        assert!(matches!(now(self.store.save_bucket(action, &bucket)), Ok(Saved::As(_))), "{action} was used before");
    }

    /// Asks for a backup, as the CLI does.
    pub fn request(&self, source: &str) -> Report {
        let request = BackupRequested {
            source: source.parse().expect("a source"),
            by: "a test".parse().expect("a name"),
            reason: None,
        };
        self.invoke(Invocation::Request(self.world.time(), request))
    }

    /// Asks for something else, as the CLI does.
    pub fn ask(&self, request: Request) {
        self.invoke(Invocation::Asked(self.world.time(), request));
    }

    /// The backups of a source, newest first.
    pub fn backups(&self, source: &str) -> Vec<lastgood_core::backup::Backup> {
        let id: SourceId = source.parse().expect("a source");
        let backups = now(self.store.list::<Backup>(&id)).expect("in memory");
        backups.into_iter().map(|backup| backup.record).collect()
    }

    /// A source as it stands.
    pub fn source(&self, source: &str) -> lastgood_core::source::Source {
        let id: SourceId = source.parse().expect("a source");
        now(self.store.load::<Source>(&id)).expect("in memory").expect("it is on record").record
    }

    /// A rollout as it stands.
    pub fn rollout(&self, id: &str) -> Rollout {
        now(self.store.load::<Rollout>(&id.into())).expect("in memory").expect("it is on record").record
    }

    /// Every rollout, and every refresh that was watched.
    pub fn rollouts(&self) -> Vec<Rollout> {
        let all = now(self.store.list::<Rollout>(&())).expect("in memory");
        all.into_iter().map(|rollout| rollout.record).collect()
    }

    /// Gives a verdict, as the CLI does.
    pub fn judge(&self, asked: VerdictAsked) {
        self.invoke(Invocation::Verdict(self.world.time(), asked));
    }

    /// The notices on the bus, each id once, but for the daily heartbeat.
    pub fn told(&self) -> Vec<Notice> {
        let mut told = self.told_in_all();
        told.retain(|notice| !matches!(notice.news, News::Heartbeat { .. }));
        told
    }

    /// The notices on the bus: each id once.
    pub fn told_in_all(&self) -> Vec<Notice> {
        let mut told: Vec<Notice> = Vec::new();
        for notice in self.bus.sent() {
            if !told.iter().any(|other| other.id == notice.id) {
                told.push(notice);
            }
        }
        told
    }

    /// The images that bear our stack's tag and are still there.
    pub fn our_images(&self) -> Vec<lastgood_world::Image> {
        let ours = |image: &lastgood_world::Image| {
            image.deregistered_at.is_none() && image.tags.get("lastgood:managed-by").is_some_and(|tag| tag == STACK)
        };
        self.world.images().into_iter().filter(ours).collect()
    }

    /// The snapshots of caches that bear our stack's tag and are still there.
    pub fn our_cache_snapshots(&self) -> Vec<lastgood_world::CacheSnapshot> {
        let ours = |snapshot: &lastgood_world::CacheSnapshot| {
            snapshot.tags.get("lastgood:managed-by").is_some_and(|tag| tag == STACK)
        };
        self.world.cache_snapshots().into_iter().filter(ours).collect()
    }

    /// The snapshots that bear our stack's tag and are still there.
    pub fn our_snapshots(&self) -> Vec<lastgood_world::Snapshot> {
        let ours = |snapshot: &lastgood_world::Snapshot| {
            snapshot.tags.get("lastgood:managed-by").is_some_and(|tag| tag == STACK)
        };
        self.world.snapshots().into_iter().filter(ours).collect()
    }
}

/// What the functions do: the invocation's use case.
pub async fn handle<S: Store, C: Cloud, B: Bus, K: Clock>(
    engine: &Engine<'_, S, C, B, K>,
    invocation: Invocation,
) -> Result<Report, String> {
    match invocation {
        Invocation::Tick => engine.tick().await.map_err(|error| chain(&error)),
        Invocation::Request(slot, request) => engine.request(slot, request).await.map_err(|error| chain(&error)),
        Invocation::Asked(at, request) => engine.asked(at, request).await.map_err(|error| chain(&error)),
        Invocation::Poll => engine.poll().await.map_err(|error| chain(&error)),
        Invocation::News(artifact) => engine.artifact_news(&artifact).await.map_err(|error| chain(&error)),
        Invocation::CacheNews(clusters) => engine.cache_news(&clusters).await.map_err(|error| chain(&error)),
        Invocation::InstanceNews(instance) => engine.instance_news(&instance).await.map_err(|error| chain(&error)),
        // The function fails when notices reach nobody: that is what is heard then.
        Invocation::Cleanup => match engine.cleanup().await {
            Ok(Report { notices_lost: Some(what), .. }) => Err(NoticesLost(what).to_string()),
            Ok(report) => Ok(report),
            Err(error) => Err(chain(&error)),
        },
        Invocation::CleanupSource(id) => engine.cleanup_source(&id).await.map_err(|error| chain(&error)),
        Invocation::NoticeTest(event, asked) => {
            engine.test_notices(&asked, &event).await.map_err(|error| chain(&error))
        }
        Invocation::Refresh(news) => engine.refresh(news).await.map_err(|error| chain(&error)),
        Invocation::Verdict(at, asked) => engine.verdict(at, asked).await.map_err(|error| chain(&error)),
        Invocation::ImageChange(at, asked) => engine.change_image(at, asked).await.map_err(|error| chain(&error)),
    }
}

/// A future over ports in memory is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing in memory is ever pending")
}
