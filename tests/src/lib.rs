//! What the tests and the demo are made of: a whole deployment in one process, and one of real binaries.

pub mod chaos;
mod clock;
pub mod cut;
pub mod fuzz;
pub mod ministack;
pub mod package;
pub mod python;
mod rollout_saves;
mod saves;
pub mod stack;
pub mod stage;
pub mod template;
pub mod tour;
