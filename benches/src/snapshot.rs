//! The first load: as a stream over HTTP, and into a replica on SQLite.

use std::sync::Arc;

use hyper::Method;
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::transport::HttpTransport;
use sync_core::{ActorId, SpaceId, TokioRuntime};
use sync_store_sqlite::SqliteStore;

use crate::bare::Bare;
use crate::data::{push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

pub(crate) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n);
    let subject = Subject::start(Place::Sqlite).await;
    subject.fill(&push_bodies(&samples, 1000)).await;
    let mut bare = Bare::create(subject.folder(), "bare.db");
    samples.chunks(1000).for_each(|batch| bare.write(batch));
    let (mut streamed, mut loaded) = (Vec::new(), Vec::new());
    for round in 0..report.rounds() {
        let clock = start();
        tokio::task::block_in_place(|| assert!(bare.select_to_json() > n * 100));
        let reference = rate(n, clock.elapsed());
        let mut client = subject.client().await;
        let clock = start();
        let lines = client.ok(Method::GET, &format!("{}/snapshot", subject.space), "").await;
        streamed.push((rate(n, clock.elapsed()), reference));
        assert!(lines.ends_with(b"\"}}\n"), "the snapshot was cut");
        let mut empty = Bare::create(subject.folder(), &format!("load-{round}.db"));
        let clock = start();
        tokio::task::block_in_place(|| samples.chunks(1000).for_each(|batch| empty.write(batch)));
        let reference = rate(n, clock.elapsed());
        loaded.push((load(&subject, n, round).await, reference));
    }
    subject.stop().await;
    report.add("snapshot, HTTP stream (records)", "bare SELECT to JSON", &streamed, None);
    report.add(
        "first load into a replica on SQLite (records)",
        "bare prepared INSERT, 1,000 a commit",
        &loaded,
        None,
    );
}

/// Loads everything into a new replica, which keeps a copy of its own on SQLite.
async fn load(subject: &Subject, n: usize, round: usize) -> f64 {
    let store = SqliteStore::open_file(subject.folder().join(format!("replica-{round}.db"))).await;
    let store = Arc::new(store.expect("the folder can be written"));
    let actor = ActorId::new("bench").expect("a word is an actor");
    let space = subject
        .space
        .rsplit('/')
        .next()
        .and_then(|name| SpaceId::new(name).ok())
        .expect("the path ends with it");
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), actor);
    let replica = Replica::open(store.clone(), space, options).await.expect("the store is empty");
    let server = HttpTransport::new(&format!("http://{}", subject.address), Some(&subject.token));
    let server = server.expect("the address is plain");
    let clock = start();
    let report = replica.sync(&server).await.expect("the server answers");
    let loaded = rate(n, clock.elapsed());
    assert_eq!(report.pulled, n as u64);
    store.close().await;
    loaded
}
