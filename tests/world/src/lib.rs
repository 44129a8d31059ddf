//! A simulated AWS: one account in one Region, with a clock that tests move.
//!
//! One [`World`] holds what there is. Its operations are AWS's own calls ([`World::ec2`], [`World::autoscaling`],
//! [`World::elasticache`], [`World::parameter_store`]), each rule of theirs in one place with the AWS page that it comes from ("AWS:
//! CreateImage"). Two faces stand on them: the engine's ports, in process, with futures that are ready at once; and
//! [`door`], an HTTP server that speaks AWS's query protocols to any SDK. [`MemoryStore`] and [`RecordingBus`] are the
//! other ports.
//!
//! Nothing here reads a clock, the environment or randomness: the same calls make the same world.

pub mod access;
mod bus;
mod by_hand;
mod cache;
mod cache_calls;
mod cache_snapshot;
mod configuration;
pub mod door;
mod events;
mod fault;
mod filter;
mod fleet;
mod group;
mod group_calls;
mod image;
mod image_calls;
mod instance;
mod instance_type;
mod launch;
mod member;
mod parameter;
mod policy;
mod port;
mod power;
mod preferences;
mod processes;
mod reference;
mod referrers;
mod refresh;
mod refreshing;
mod scaling;
mod secured;
mod service;
mod settings;
mod setup;
mod snapshot;
mod state;
mod status;
mod store;
mod template;
mod template_calls;
#[cfg(test)]
mod tests;
mod throttle;
mod weather;
mod witness;

pub use bus::{NOTICE_RULE, RecordingBus};
pub use cache::{Cache, CacheShape, CacheTold};
pub use cache_snapshot::{CacheOrigin, CacheSnapshot, CacheSnapshotState, CreateCacheSnapshot};
pub use configuration::{Configuration, DescribeConfigurations};
pub use fault::AwsError;
pub use filter::{Filter, Page, Paging};
pub use group::{CreateGroup, DescribeGroups, Group, Times, TimesText, UpdateGroup};
pub use group_calls::Deletion;
pub use image::{CreateImage, Image, ImageState, Mapping, Protection, Sickness, StateReason};
pub use image_calls::{DeletionResult, DescribeImages, RegisterImage};
pub use instance::{DescribeInstances, Instance, InstanceState, Volume};
pub use instance_type::{Architecture, DescribeInstanceTypes, InstanceType};
pub use launch::{Device, Launch};
pub use member::{Capacity, Lifecycle, Member, ScaleIn};
pub use parameter::{Overwrite, Parameter, PutParameter};
pub use policy::{LaunchFrom, LaunchFromText, MixedPolicy, MixedText, Override, OverrideText, Specification, Verbatim};
pub use power::{Nature, OffBy, TRIAL};
pub use reference::{DescribeReferences, Reference};
pub use refresh::{DescribeRefreshes, Refresh, RefreshStatus, StartRefresh};
pub use scaling::LaunchFailure;
pub use secured::Launches;
pub use service::{AutoScaling, Ec2, ElastiCache, ParameterStore};
pub use settings::Settings;
pub use setup::by_number;
pub use snapshot::{DescribeSnapshots, Snapshot, SnapshotState};
pub use state::{ACCOUNT, Call, REGION, World};
pub use status::{DescribeStatuses, InstanceStatus, StatusCheck};
pub use store::{Kept, MemoryStore, SavedBackup, SavedRollout};
pub use template::{
    CreateVersion, DescribeTemplates, DescribeVersions, Template, TemplateData, TemplateName, TemplateVersion,
};
pub use template_calls::VersionDeletion;
pub use weather::Weather;
pub use witness::Arrival;
