//! The simulator.

mod app;
mod checks;
mod device;
mod dice;
mod disk;
mod drive;
mod executor;
mod facts;
mod hooks;
mod journal;
mod network;
mod report;
mod run;
mod scenario;
mod script;
mod token;
mod violation;
mod witness;
mod world;

pub use dice::Dice;
pub(crate) use disk::History;
pub use disk::{Disks, MemoryDisks, OpenedDisks, copy_whole};
pub use executor::{Executor, Machine, Process, Sleep, Stuck};
pub use hooks::{Hooks, Place};
pub use report::Report;
pub use run::{run, seeds};
pub use scenario::{FaultKind, Scenario};
pub use violation::{Invariant, Violation};
