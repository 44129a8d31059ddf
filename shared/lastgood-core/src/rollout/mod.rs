//! A rollout: one instance refresh, ours or one that is watched.
//!
//! [`life`] is the place to begin; an image that an operator gives a group begins in [`change`]; who judges its pauses is in [`visit`], and what a plan says of it in [`policy`].

pub mod change;
#[cfg(test)]
mod change_table;
pub mod fitness;
#[cfg(test)]
mod fitness_rules;
pub mod goal;
#[cfg(test)]
mod goal_rules;
pub mod life;
#[cfg(test)]
mod life_table;
mod looks;
mod moves;
mod news;
pub mod others;
pub mod outcome;
pub mod policy;
pub mod record;
#[cfg(test)]
mod record_rules;
pub mod suspension;
pub mod verdict;
#[cfg(test)]
mod verdict_rules;
pub mod visit;
#[cfg(test)]
mod visit_rules;

pub use change::Change;
pub use life::{Alone, Event, State, decide};
pub use outcome::Outcome;
pub use policy::{Followed, Judge, Others, Otherwise, RolloutPolicy, VerdictPolicy};
pub use record::{Given, Kept, NEWS_COUNT_MAX, Opinion, Order, Rollout, Verdict, Visit};
pub use suspension::Suspension;
