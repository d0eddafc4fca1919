//! Followers who do not read, while much is written: what they cost in memory, and whether others notice.

use std::time::Duration;

use tempfile::TempDir;

use super::crowd::{Crowd, User, n_users};
use super::writer::Writer;
use crate::measure::Delivered;
use crate::program::Program;
use crate::report::Report;
use crate::subject::Place;

/// Followers who read.
const N_READING: usize = 20;

/// Messages of one commit, and the pause between two.
const OF_COMMIT: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Commits after which memory is looked at: once a second.
const LOOK_EVERY: usize = 20;

/// How the writing went.
struct Written {
    delivered: Delivered,
    before: u64,
    most: u64,
}

pub(super) async fn run(report: &mut Report, n_stalled: usize, n_messages: usize) {
    let (mut pairs, mut grown) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds().min(2) {
        let without = written(0, n_messages).await;
        let with = written(n_stalled, n_messages).await;
        pairs.push((with.delivered, without.delivered));
        grown.push((with, without));
    }
    let what = format!("{N_READING} who read, beside {n_stalled} who do not, {n_messages} writes");
    report.add_timed(&what, "nobody beside them", &pairs);
    for (with, without) in grown {
        let mb = |n_bytes: u64| n_bytes as f64 / 1e6;
        report.note(&format!(
            "memory: {:.1} MB, at most {:.1} MB beside those who do not read; {:.1} and {:.1} MB without them",
            mb(with.before),
            mb(with.most),
            mb(without.before),
            mb(without.most)
        ));
    }
}

async fn written(n_stalled: usize, n_messages: usize) -> Written {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let (server, address) = Program::server(&Place::Sqlite.store(folder.path()));
    let owner = User::register(address, "writer").await;
    let members = owner.with_members(address, n_users(n_stalled + N_READING)).await;
    let (mut readers, mut others) = (Crowd::new(), Crowd::new());
    readers.join("live", address, &members, N_READING);
    others.join("stall", address, &members, n_stalled);
    readers.ready();
    others.ready();
    let mut writer = Writer::pushing(address, &owner).await;
    let before = server.resident();
    let (mut most, mut pace) = (before, tokio::time::interval(PAUSE));
    let n_commits = n_messages / OF_COMMIT;
    for n in 0..n_commits {
        pace.tick().await;
        writer.write(OF_COMMIT).await;
        if n % LOOK_EVERY == 0 {
            most = most.max(server.resident());
        }
    }
    let delivered = readers.delivered(n_commits * OF_COMMIT);
    Written { delivered, before, most: most.max(server.resident()) }
}
