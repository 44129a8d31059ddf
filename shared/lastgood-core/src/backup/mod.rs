//! A backup: one artifact of one source for one slot, through its whole life.
//!
//! [`life`] is the place to begin. Two facts beside the state have files of their own: whether the group launches
//! from the image ([`publication`]), and what of it is left at AWS once it must go ([`removal`]).

pub mod life;
pub mod publication;
pub mod record;
pub mod removal;
pub mod sight;

pub use life::{Effect, Event, State, Step, decide, due, queue, wake};
pub use publication::Publication;
pub use record::{Artifact, Backup, Origin};

#[cfg(test)]
mod life_rules;
#[cfg(test)]
mod life_table;
