//! The only crate that knows the AWS SDKs: one file for each service, one table of refusals.
//!
//! [`Lastgood`] puts the ports together for one deployment. Nothing here chooses anything: calls go out as the engine
//! asks for them, answers come back as facts or refusals.

mod autoscaling;
mod bus;
mod clock;
mod cloud;
mod ec2;
mod elasticache;
mod event;
mod metrics;
mod pages;
mod refresh;
pub mod refusals;
mod sdk;
pub mod settings;
mod ssm;
mod stack;
mod table;
mod tagging;
mod topics;

#[cfg(test)]
mod wire;

pub use bus::EventBus;
pub use clock::SystemClock;
pub use cloud::Aws;
pub use event::{Unexpected, event_id, finish, read_event, unexpected};
pub use sdk::{load_for_function, load_for_operator};
pub use settings::{Settings, SettingsError};
pub use stack::{Deployed, StackError, deployed};
pub use table::{Table, TableError};
pub use topics::{Subscriptions, Topics};

use aws_config::SdkConfig;
use lastgood_core::pace::Share;
use lastgood_engine::{Clock, Engine, Running, STOP_BEFORE_DEADLINE_SECONDS};

/// The ports of one deployment: built once, used by every invocation.
#[derive(Debug)]
pub struct Lastgood {
    /// The table.
    pub table: Table,
    /// EC2, Auto Scaling, ElastiCache and the Parameter Store.
    pub cloud: Aws,
    /// Our bus.
    pub bus: EventBus,
    /// The system's clock.
    pub clock: SystemClock,
    stack: String,
    share: Share,
}

/// An engine on the ports of a deployment.
pub type DeployedEngine<'a> = Engine<'a, Table, Aws, EventBus, SystemClock>;

impl Lastgood {
    /// The ports for `settings`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            table: Table::new(config, settings),
            cloud: Aws::new(config, settings.caches),
            bus: EventBus::new(config, &settings.bus).with_rules(settings),
            clock: SystemClock,
            stack: settings.stack.clone(),
            share: settings.share,
        }
    }

    /// A function's ports, from its environment. An error names every setting that is missing, or one that can't be read.
    pub async fn of_function() -> Result<Self, SettingsError> {
        let settings = Settings::from_environment()?;
        Ok(Self::new(&load_for_function().await, &settings))
    }

    /// An engine that begins nothing new shortly before `deadline_ms`, in milliseconds since 1970.
    pub fn engine(&self, deadline_ms: u64) -> DeployedEngine<'_> {
        let deadline =
            i64::try_from(deadline_ms / 1000).ok().and_then(|second| lastgood_core::Time::from_second(second).ok());
        let stop_at = match deadline {
            Some(deadline) => lastgood_core::later(deadline, -STOP_BEFORE_DEADLINE_SECONDS),
            None => self.clock.now(),
        };
        let running = Running { stack: &self.stack, stop_at, share: self.share };
        Engine::new(&self.table, &self.cloud, &self.bus, &self.clock, running)
    }
}
