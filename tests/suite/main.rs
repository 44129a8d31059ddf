//! The tests of the whole: stories in a simulated world, contracts of events, the shape of the repository.

mod budget;
mod contracts;
mod door;
mod kill;
mod layering;
mod stories;
