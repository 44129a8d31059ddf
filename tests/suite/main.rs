//! The tests of the whole: stories in a simulated world, contracts of events, the shape of the repository.

mod between;
mod budget;
mod bugs;
mod by_hand;
mod capture;
mod chaos;
mod checkpoint;
mod cleanup;
mod contracts;
mod deletions;
mod disasters;
mod door;
mod e2e;
mod fuzz;
mod interruptions;
mod kill;
mod layering;
mod names;
mod needed;
mod pacing;
mod plans;
mod selection;
mod stories;
mod transcript;
mod two_at_once;
mod ways;
