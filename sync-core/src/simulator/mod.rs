//! The simulator: whole worlds of servers, replicas, networks and disks that follow from a seed, and the checks that no
//! promise of the library is broken in them.
//!
//! ```text
//! apps (random edits) ─▶ replicas ─▶ network (late, lost, repeated, cut, lying) ─▶ servers ─▶ disks (slow, failing)
//!        │                  │             what each was told and decided             │           │
//!        └──────────────────┴──────────▶ facts ─▶ checks of I1 to I17 ◀──────────────┴───────────┘
//! ```
//!
//! Everything runs in one thread under an [`Executor`] with virtual time: when nothing can go on, time jumps to the next
//! timer. A [`Scenario`] says how large a world is and what may go wrong in it; the seed decides the rest: who edits what
//! and when, which message is lost, at which call of a store a process dies, when the server is restored from a backup.
//! Then the faults end, and within thirty seconds everything must be in sync by itself. Every edit carries a token of its
//! own, so that none can be lost without being missed.
//!
//! ```
//! use sync_core::simulator::{MemoryDisks, Scenario, run};
//! match run(7, &Scenario::small(), &MemoryDisks::default()) {
//!     Ok(report) => println!("{report}"),
//!     Err(violation) => panic!("{violation}"), // with the seed that shows it again
//! }
//! ```
//!
//! # Your own store
//!
//! [`OpenedDisks`] runs it on any [`Store`](crate::store::Store): say how one is opened by name. Over the memory store a
//! seed decides everything and shows the same again. A store with threads or a runtime of its own (databases, that is)
//! brings their timing along: run the simulation on a thread that has entered the runtime
//! (`let _entered = handle.enter();`), and expect a seed to repeat the script, but not every interleaving. Virtual time
//! stands still while such a store works. The example program `soak` does this for SQLite.
//!
//! # Is it blind?
//!
//! [`Hooks`] put a front before the stores, transports, runtimes or clocks of a world. With them, each known trap of systems
//! like this one is built as a bug in `tests/simulator/traps`, and has to be found, for the reason for which it is one.
//! Do the same with the bugs you are afraid of.
//!
//! # Seeds
//!
//! [`seeds`] reads `SYNC_SEED` (this one) and `SYNC_SEEDS` (so many):
//!
//! ```sh
//! SYNC_SEEDS=2000 cargo test --release -p sync-core --features simulator,tokio --test simulator seeds
//! cargo run --release -p sync-examples --bin soak -- --minutes 60
//! ```

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
