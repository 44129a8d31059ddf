//! A source: one protected thing, its schedule, and what stands of its backups.
//!
//! [`life`] is the place to begin; what operators ask of a source is in [`operator`], whether a plan file fits in [`fit`] and
//! what it changes in [`selection`], how sources are found and lost in [`survey`], and what may go of its backups in
//! [`cleanup`].

pub mod cleanup;
#[cfg(test)]
mod cleanup_rules;
pub mod fit;
pub mod life;
#[cfg(test)]
mod life_rules;
#[cfg(test)]
mod life_table;
mod off;
pub mod operator;
pub mod record;
pub mod selection;
#[cfg(test)]
mod size_laws;
pub mod standing;
pub mod survey;
#[cfg(test)]
mod survey_rules;
pub mod turn;
#[cfg(test)]
mod turn_rules;

pub use life::{Claim, Outcome, apply, begins_anew, claim, expect, halt, hear, overdue, unplan};
pub use off::{MayTakeOff, ask_off};
pub use record::{Asked, Because, Changing, Expected, Failure, Found, Good, Hold, OffFor, Published, Retry, Source};
pub use standing::Standing;
pub use turn::{Turn, ask_to_roll, ask_turn, forget_rollout, free_turn, is_at_it, rolls, rolls_no_more};
