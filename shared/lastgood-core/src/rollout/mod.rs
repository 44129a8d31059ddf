//! A rollout: one instance refresh that was seen. So far it is recorded and announced, not judged. See [`life`].

pub mod life;

pub use life::{Event, Rollout, decide};
