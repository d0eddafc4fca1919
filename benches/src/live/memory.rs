//! What connections cost that do nothing: ten thousand of them, spread over a thousand spaces.

use std::time::Duration;

use tempfile::TempDir;

use super::crowd::{Crowd, OF_SPACE, n_users, users_and_spaces};
use crate::program::Program;
use crate::report::Report;
use crate::subject::Place;

/// Bytes of the message that each sends, and is sent.
const MESSAGE_BYTES: usize = 4_000;

/// After this time nothing is held any more that may be needed again at once.
const SETTLED: Duration = Duration::from_secs(15);

pub(super) async fn run(report: &mut Report, n_connections: usize) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let (server, address) = Program::server(&Place::Sqlite.store(folder.path()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    note(report, "a server with nothing to do", server.resident());
    let mut crowd = Crowd::new();
    let spaces = users_and_spaces(address, n_connections).await;
    for user in &spaces {
        crowd.join("live", address, std::slice::from_ref(user), OF_SPACE);
    }
    let (n_users, n_spaces) = (n_users(n_connections), spaces.len());
    let without = server.resident();
    note(report, &format!("{n_users} users and {n_spaces} spaces, about to be followed"), without);
    crowd.ready();
    tokio::time::sleep(SETTLED).await;
    let idle = server.resident();
    let what = format!("{n_connections} idle connections, {n_spaces} spaces (goal: 96 MB)");
    note(report, &what, idle);
    crowd.exchange(MESSAGE_BYTES);
    let busy = server.resident();
    note(report, "right after each has sent and was sent 4 kB (goal: 200 MB)", busy);
    tokio::time::sleep(SETTLED).await;
    note(report, "the same, a while later (goal: 200 MB)", server.resident());
}

fn note(report: &mut Report, what: &str, n_bytes: u64) {
    report.note(&format!("memory: {what}: {:.1} MB", n_bytes as f64 / 1e6));
}
