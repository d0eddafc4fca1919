//! The replica on SQLite: what an application and its user wait for, beside SQLite alone with the same durability.
//!
//! - [`mod@write`]: edits of one record each, and imports, against a bare INSERT with as many commits
//! - [`read`]: records by key and by pages, against a bare SELECT that yields the same
//! - [`sync`]: sending edits to a server, against a bare INSERT and against a client that only sends
//! - [`load`]: the first load from a server, against a bare INSERT
//! - [`idle`]: a sync with nothing to do, against the one request it makes

mod device;
mod idle;
mod line;
mod load;
mod read;
mod sync;
mod write;

use crate::Options;
use crate::report::Report;

/// Runs those that are wanted.
pub(crate) async fn run(report: &mut Report, options: &Options) {
    if options.wants("replica-write") {
        write::run(report, options.edits).await;
    }
    if options.wants("replica-read") {
        read::run(report, options.records).await;
    }
    if options.wants("replica-sync") {
        sync::run(report, options.dirty).await;
    }
    if options.wants("replica-load") {
        load::run(report, options.loaded).await;
    }
    if options.wants("replica-idle") {
        idle::run(report, options.records, options.edits / 10).await;
    }
}
