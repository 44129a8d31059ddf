//! A simulated AWS: one account in one Region, with a clock that tests move.
//!
//! One [`World`] holds what there is. Its operations are AWS's own calls ([`World::ec2`], [`World::autoscaling`]), each
//! rule of theirs in one place with the AWS page that it comes from ("AWS: CreateImage"). Two faces stand on them: the
//! engine's ports, in process, with futures that are ready at once; and [`door`], an HTTP server that speaks AWS's
//! query protocols to any SDK. [`MemoryStore`] and [`RecordingBus`] are the other ports.
//!
//! Nothing here reads a clock, the environment or randomness: the same calls make the same world.

mod bus;
pub mod door;
mod events;
mod fault;
mod filter;
mod group;
mod image;
mod image_calls;
mod instance;
mod port;
mod scaling;
mod service;
mod settings;
mod setup;
mod snapshot;
mod state;
mod store;
mod template;
mod template_calls;
#[cfg(test)]
mod tests;

pub use bus::RecordingBus;
pub use fault::AwsError;
pub use filter::{Filter, Page, Paging};
pub use group::{
    CreateGroup, Deletion, DescribeGroups, Group, LaunchFailure, LaunchFrom, LaunchFromText, Lifecycle, Member,
    UpdateGroup,
};
pub use image::{CreateImage, Image, ImageState, Mapping, Protection, StateReason};
pub use image_calls::{DeletionResult, DescribeImages};
pub use instance::{DescribeInstances, Device, Instance, InstanceState, Launch, Volume};
pub use service::{AutoScaling, Ec2};
pub use settings::Settings;
pub use setup::by_number;
pub use snapshot::{DescribeSnapshots, Snapshot, SnapshotState};
pub use state::{ACCOUNT, Call, REGION, World};
pub use store::MemoryStore;
pub use template::{
    CreateVersion, DescribeTemplates, DescribeVersions, Template, TemplateData, TemplateName, TemplateVersion,
};
pub use template_calls::VersionDeletion;
