//! The whole program under faults: killed, stopped, without power, on a full or failing disk.
//!
//! The real binary on real files, and clients over real sockets that log what they were told. Afterwards their logs
//! are held against everything the server says; the numbers of broken invariants stand in the messages.
//!
//! `SYNC_CRASH_CYCLES` (kills per layout) and `SYNC_CRASH_CUTS` (power cuts) make the runs longer, `SYNC_CRASH_SEED`
//! repeats the choices of one. What needs root, strace or ext4 is skipped without them, and says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what a failed run did, and how to repeat it")]
#![expect(clippy::disallowed_methods, reason = "another process is awaited in real time")]

mod creation;
mod full;
mod kill;
mod power;
mod race;
mod start;
mod stop;
#[path = "../support/mod.rs"]
mod support;
mod syscall;
