//! Live connections: what it costs to tell many at once, beside a bare broadcast over WebSockets.
//!
//! ```text
//! this process ── push ─▶ sync-server, a process of its own ── frames ─▶ followers, a process of their own
//!              ── text ─▶ bare, a process of its own        ── texts ──▶ the same followers
//! ```
//! - `fan_out`: one writer, a thousand followers of one space
//! - `memory`: ten thousand connections that do nothing, in a thousand spaces
//! - `latency`: from a push to its delivery, in one process and over several on Postgres
//! - `stalled`: a thousand who do not read, during many writes
//! - `storm`: ten thousand replicas whose server ends and is started again; `returning` is their process
//!
//! A message carries the time at which it was sent; followers and writers share the clock of one machine. The server is the
//! binary beside this program.

mod bare;
mod crowd;
mod fan_out;
mod follow;
mod latency;
mod memory;
mod returning;
mod stalled;
mod storm;
mod writer;

pub(crate) use bare::serve as serve_bare;
pub(crate) use follow::follow;
pub(crate) use returning::run as come_back;

use crate::Options;
use crate::report::Report;

/// Runs those that are wanted, on SQLite.
pub(crate) async fn run(report: &mut Report, options: &Options) {
    if options.wants("live") {
        fan_out::run(report, options.followers).await;
        latency::run(report).await;
    }
    if options.wants("live-memory") {
        memory::run(report, options.idle).await;
    }
    if options.wants("live-stalled") {
        stalled::run(report, options.followers, options.records).await;
    }
    if options.wants("live-storm") {
        storm::run(report, options.idle).await;
    }
}

/// The same on Postgres.
pub(crate) async fn run_on_postgres(report: &mut Report, url: &str) {
    latency::run_on_postgres(report, url).await;
}
