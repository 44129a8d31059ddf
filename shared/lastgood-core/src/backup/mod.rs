//! A backup: one artifact of one source for one slot, through its whole life.
//!
//! [`life`] is the place to begin. Four facts beside the state have files of their own: whether the group launches from
//! the image ([`publication`]), what of it is left at AWS once it must go ([`removal`]), whether its instance is
//! protected from scale-in meanwhile ([`scale_in`]), and whether it was shut down and is to be started
//! ([`power`]).

pub mod cache;
mod consistency;
pub mod copy;
mod effect;
pub mod image;
pub mod inspection;
pub mod instance;
pub mod kinds;
mod late;
pub mod life;
mod manual;
mod moves;
mod parameter;
mod place;
pub mod power;
pub mod proof;
pub mod publication;
pub mod queue;
mod reading;
pub mod record;
pub mod removal;
pub mod reservation;
pub(crate) mod rolling;
pub mod scale_in;
mod shutdown;
pub mod sight;
mod startup;

pub use late::PUBLISH_HEARD_SECONDS_MAX;
pub use life::{Alone, Effect, Event, State, Together, decide, due};
pub use publication::{Publication, PublishedTo};
pub use record::{Artifact, Backup, Origin, Pin};
pub use scale_in::ScaleIn;

#[cfg(test)]
mod cache_rules;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod instance_rules;
#[cfg(test)]
mod life_rules;
#[cfg(test)]
mod life_table;
#[cfg(test)]
mod part_tables;
#[cfg(test)]
mod power_rules;
#[cfg(test)]
mod step_rules;
