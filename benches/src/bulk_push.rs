//! Batches of a thousand records over HTTP.

use hyper::Method;

use crate::bare::Bare;
use crate::data::{push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

pub(crate) const BATCH: usize = 1000;

/// Goal of the design: at least this part of the bare loop.
const GOAL: f64 = 0.60;

pub(crate) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n);
    let bodies = push_bodies(&samples, BATCH);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let reference = {
            let subject = Subject::start(Place::Sqlite).await;
            let mut bare = Bare::create(subject.folder(), "bare.db");
            let clock = start();
            tokio::task::block_in_place(|| samples.chunks(BATCH).for_each(|batch| bare.write(batch)));
            let reference = rate(n, clock.elapsed());
            subject.stop().await;
            reference
        };
        one.push((push(Place::Sqlite, &bodies, n, 1).await, reference));
        two.push((push(Place::Sqlite, &bodies, n, 2).await, reference));
    }
    report.add(
        "bulk push, HTTP, 1 client (records)",
        "bare prepared INSERT, 1,000 a commit",
        &one,
        Some(GOAL),
    );
    report.add("bulk push, HTTP, 2 clients (records)", "bare prepared INSERT, 1,000 a commit", &two, None);
}

/// Pushes the bodies over `n_clients` connections, each sending its next batch when the last was answered.
pub(crate) async fn push(place: Place<'_>, bodies: &[String], n: usize, n_clients: usize) -> f64 {
    let subject = Subject::start(place).await;
    let path = format!("{}/changes", subject.space);
    let mut clients = Vec::new();
    for _ in 0..n_clients {
        clients.push(subject.client().await);
    }
    let clock = start();
    let mut tasks = tokio::task::JoinSet::new();
    for (idx, mut client) in clients.into_iter().enumerate() {
        let mine: Vec<String> = bodies.iter().skip(idx).step_by(n_clients).cloned().collect();
        let path = path.clone();
        tasks.spawn(async move {
            for body in mine {
                client.ok(Method::POST, &path, body).await;
            }
        });
    }
    tasks.join_all().await;
    let pushed = rate(n, clock.elapsed());
    subject.stop().await;
    pushed
}
