//! Postgres and pgbouncer for tests: processes of their own, that may be killed and leave nothing behind.
//!
//! - [`database_url`] is for tests that need some Postgres and share it. `scripts/with-postgres` provides one.
//! - [`Cluster`] is for tests that stop, kill or configure theirs. It is ready in about half a second.
//! - [`Pgbouncer`] stands between a test and a cluster.
//!
//! Where there are no programs all of these are `None`, and say on the error output that the test is skipped. Where
//! the variable `REQUIRE_POSTGRES` is set, as in CI and by `scripts/test`, they panic instead: there nothing is skipped.
//!
//! Everything blocks, and fails by panicking with the log of the server. Nothing depends on a database driver. The
//! commands are those of `scripts/postgres`; killing needs Linux's `/proc`.
//!
//! ```no_run
//! use postgres_testing::{Cluster, Shutdown};
//!
//! #[test]
//! fn survives_a_crash_of_the_database() {
//!     let Some(mut cluster) = Cluster::start(&[("fsync", "on")]) else { return };
//!     let url = cluster.url();
//!     // … connect, write …
//!     cluster.kill_all();
//!     cluster.start_again();
//!     // … everything acknowledged is there …
//!     cluster.restart(Shutdown::Fast);
//! }
//! ```

mod cluster;
mod pgbouncer;
mod process;
mod programs;
mod watched;

pub use cluster::{Cluster, Shutdown};
pub use pgbouncer::Pgbouncer;
pub use programs::{database_url, find_pgbouncer, find_postgres};
