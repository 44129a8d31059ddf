//! A source: one protected thing, its schedule, and what stands of its backups. See [`life`].

pub mod life;
#[cfg(test)]
mod life_rules;

pub use life::{
    Claim, Good, Outcome, Published, Source, Turn, apply, ask_turn, claim, free_turn, hear, overdue, release, sent,
    wake,
};
