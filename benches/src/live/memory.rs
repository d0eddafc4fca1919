//! What connections cost that do nothing: ten thousand of them, spread over a thousand spaces.

use std::time::Duration;

use tempfile::TempDir;

use super::crowd::{Crowd, User, n_users};
use crate::client::Client;
use crate::program::Program;
use crate::report::Report;
use crate::subject::Place;

/// Connections of one space.
const OF_SPACE: usize = 10;

/// Bytes of the message that each sends, and is sent.
const MESSAGE_BYTES: usize = 4_000;

/// After this time nothing is held any more that may be needed again at once.
const SETTLED: Duration = Duration::from_secs(15);

pub(super) async fn run(report: &mut Report, n_connections: usize) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let (server, address) = Program::server(&Place::Sqlite.store(folder.path()));
    let n_spaces = n_connections.div_ceil(OF_SPACE);
    tokio::time::sleep(Duration::from_secs(1)).await;
    note(report, "a server with nothing to do", server.resident());
    let mut crowd = Crowd::new();
    let n_users = n_users(n_connections);
    for n in 0..n_users {
        let user = User::register(address, &format!("user-{n}")).await;
        let mut client = Client::connect(address, &user.token).await;
        for _ in 0..n_spaces / n_users + usize::from(n < n_spaces % n_users) {
            let space = user.another_space(&mut client).await;
            let user = User { space, ..user.clone() };
            crowd.join("live", address, &[user], OF_SPACE);
        }
    }
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
