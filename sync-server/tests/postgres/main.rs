//! The whole program on Postgres: several processes on one database, and a database that has troubles of its own.
//!
//! The real binary, real sockets, and a Postgres for each test. Where there is none the tests are skipped and say so.
//!
//! `SYNC_SOAK_RUNS` and `SYNC_SOAK_FAULTS` (in each run) make the soak longer, `SYNC_CRASH_SEED` repeats the choices of
//! one run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what a failed run did, and how to repeat it")]
#![expect(clippy::disallowed_methods, reason = "other processes are awaited in real time")]

mod line;
mod live;
mod locked;
mod outage;
mod pool;
mod race;
mod refused;
mod rights;
mod sessions;
mod site;
mod soak;
mod sockets;
mod stop;
#[path = "../support/mod.rs"]
mod support;
