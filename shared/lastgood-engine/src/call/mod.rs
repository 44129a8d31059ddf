//! The calls of AWS: one type for each look and each change, in the file of its service.
//!
//! Whoever [`Answers`] all of them is a [`Cloud`]: lastgood-aws calls AWS, tests/world answers in process, and
//! [`crate::Paced`] calls either of them no faster than our share allows.

pub mod autoscaling;
pub mod ec2;
pub mod elasticache;
pub mod power;
pub mod ssm;

use std::future::Future;

use crate::port::{Answer, CallFailed};

/// Something that AWS is asked, or asked to do. To repeat it is safe.
pub trait Call: Sync {
    /// What AWS answers. What is unknown is absent from it.
    type Told: Send;
    /// Its name, as the field knows it: `ec2:CreateImage`. Our share of the account's calls goes by it.
    const ACTION: &'static str;
    /// A call that is made before it, of another kind.
    const FIRST: Option<&'static str> = None;

    /// How often AWS is called for it. Further pages of one answer ride along.
    fn times(&self) -> usize {
        1
    }

    /// The one thing that it changes: whoever looks at that first has the call kept before the look.
    fn changes(&self) -> Option<&str> {
        None
    }
}

/// What came of a call: an answer, which may be a refusal, or that it did not get through.
pub type Called<T> = Result<Answer<T>, CallFailed>;

/// Who can be called so. Lists are split as AWS wants them, and every page is read.
pub trait Answers<C: Call>: Sync {
    /// Calls.
    fn call(&self, call: &C) -> impl Future<Output = Called<C::Told>> + Send;
}

macro_rules! cloud {
    ($($call:ty),+ $(,)?) => {
        /// AWS: EC2, Auto Scaling, ElastiCache and the Parameter Store, as far as the engine calls them.
        pub trait Cloud: $(Answers<$call> +)+ {}

        impl<T: $(Answers<$call> +)+> Cloud for T {}
    };
}

cloud! {
    autoscaling::GroupsNamed,
    autoscaling::GroupsTagged,
    autoscaling::ActiveRefresh,
    autoscaling::LaunchConfigurations,
    autoscaling::SetScaleInProtection,
    autoscaling::SetGroupVersion,
    autoscaling::SetMixedVersion,
    autoscaling::NewestRefreshes,
    autoscaling::RefreshById,
    autoscaling::StartRefresh,
    autoscaling::RollBackRefresh,
    autoscaling::CancelRefresh,
    autoscaling::SuspendRefresh,
    autoscaling::ResumeRefresh,
    ec2::InstancesById,
    ec2::InstancesOf,
    ec2::StatusesOf,
    ec2::ImagesById,
    ec2::ForeignImageById,
    ec2::ImageNamed,
    ec2::ImagesTagged,
    ec2::ImageReferences,
    ec2::CreateImage,
    ec2::DeregisterImage,
    ec2::SnapshotsById,
    ec2::SnapshotsTagged,
    ec2::TypesRun,
    ec2::DeleteSnapshot,
    ec2::VersionOf,
    ec2::VersionsWith,
    ec2::CreateVersion,
    ec2::DeleteVersions,
    ec2::SetDefaultVersion,
    power::InstancesTagged,
    power::MayStart,
    power::TypesInStore,
    power::StopProtected,
    power::OneTimeSpot,
    power::StopInstance,
    power::StartInstance,
    elasticache::CachesById,
    elasticache::CachesTagged,
    elasticache::ReservedMemory,
    elasticache::ReplicaLag,
    elasticache::CacheTags,
    elasticache::ManualCacheSnapshots,
    elasticache::CacheSnapshotsById,
    elasticache::CacheSnapshotsTagged,
    elasticache::CreateCacheSnapshot,
    elasticache::DeleteCacheSnapshot,
    ssm::GetParameter,
    ssm::PutParameter,
}
