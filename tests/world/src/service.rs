//! The face that both ports stand on: one method for each operation of AWS, in the file of what it is about.

use crate::state::World;

/// EC2's operations.
#[derive(Clone, Copy, Debug)]
pub struct Ec2<'a>(pub(crate) &'a World);

/// Auto Scaling's operations.
#[derive(Clone, Copy, Debug)]
pub struct AutoScaling<'a>(pub(crate) &'a World);

/// The Parameter Store's operations.
#[derive(Clone, Copy, Debug)]
pub struct ParameterStore<'a>(pub(crate) &'a World);

/// ElastiCache's operations, and the one of the Resource Groups Tagging API.
#[derive(Clone, Copy, Debug)]
pub struct ElastiCache<'a>(pub(crate) &'a World);

impl World {
    /// ElastiCache's operations.
    pub fn elasticache(&self) -> ElastiCache<'_> {
        ElastiCache(self)
    }

    /// EC2's operations.
    pub fn ec2(&self) -> Ec2<'_> {
        Ec2(self)
    }

    /// Auto Scaling's operations.
    pub fn autoscaling(&self) -> AutoScaling<'_> {
        AutoScaling(self)
    }

    /// The Parameter Store's operations.
    pub fn parameter_store(&self) -> ParameterStore<'_> {
        ParameterStore(self)
    }
}
