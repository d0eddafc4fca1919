//! The first load, as a stream over HTTP.

use hyper::Method;

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
    let mut streamed = Vec::new();
    for _ in 0..report.rounds() {
        let clock = start();
        tokio::task::block_in_place(|| assert!(bare.select_to_json() > n * 100));
        let reference = rate(n, clock.elapsed());
        let mut client = subject.client().await;
        let clock = start();
        let lines = client.ok(Method::GET, &format!("{}/snapshot", subject.space), "").await;
        streamed.push((rate(n, clock.elapsed()), reference));
        assert!(lines.ends_with(b"\"}}\n"), "the snapshot was cut");
    }
    subject.stop().await;
    report.add("snapshot, HTTP stream (records)", "bare SELECT to JSON", &streamed, None);
}
