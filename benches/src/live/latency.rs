//! From a push to its delivery, beside the answer to the push: in one process, and with followers on another one than the writer.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use super::crowd::{Crowd, User};
use super::writer::Writer;
use crate::measure::Delivered;
use crate::program::Program;
use crate::report::Report;
use crate::subject::Place;

/// Messages, and the pause between two: each alone.
const N_MESSAGES: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn run(report: &mut Report) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    for store in ["memory:".to_owned(), Place::Sqlite.store(folder.path())] {
        let name = store.split(':').next().unwrap_or_default().to_owned();
        over(report, &name, &store, 1).await;
    }
}

pub(super) async fn run_on_postgres(report: &mut Report, url: &str) {
    for n_processes in [1, 3] {
        let store = Place::Postgres(url).store(std::path::Path::new(""));
        over(report, &format!("Postgres, processes: {n_processes}"), &store, n_processes).await;
    }
}

/// One follower at each server; those at the last one are what is quoted.
async fn over(report: &mut Report, name: &str, store: &str, n_processes: usize) {
    let mut servers = Vec::new();
    for _ in 0..n_processes {
        servers.push(Program::server(store));
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.1).collect();
    let (first, last) = (addresses[0], addresses[n_processes - 1]);
    let user = User::register(first, "writer").await;
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        pairs.push(measured(first, last, &user).await);
    }
    let what = format!("{name}: from a push to its delivery");
    report.add_timed(&what, "from a push to its answer", &pairs);
}

async fn measured(first: SocketAddr, last: SocketAddr, user: &User) -> (Delivered, Delivered) {
    let mut crowd = Crowd::new();
    crowd.join("live", last, std::slice::from_ref(user), 1);
    crowd.ready();
    let mut writer = Writer::pushing(first, user).await;
    writer.write_all(3, Some(PAUSE)).await;
    crowd.delivered(3);
    let answered = writer.write_all(N_MESSAGES, Some(PAUSE)).await;
    (crowd.delivered(N_MESSAGES), answered)
}
