//! A sync with nothing to do: most syncs.

use hyper::Method;

use super::device::{Device, transport};
use super::line::Line;
use crate::data::{push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

/// Syncs whose bytes are counted.
const COUNTED: usize = 10;

pub(super) async fn run(report: &mut Report, n_records: usize, n_syncs: usize) {
    let n_syncs = n_syncs.max(COUNTED);
    let subject = Subject::start(Place::Sqlite).await;
    subject.fill(&push_bodies(&samples(n_records), 1000)).await;
    let device = Device::of(&subject, "idle").await;
    let server = transport(subject.address, &subject.token);
    device.load(&server, n_records).await;
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        let pulled = pull_each(&subject, n_syncs).await;
        pairs.push((sync_each(&device, &server, n_syncs).await, pulled));
    }
    report.add("sync with nothing to do", "the same pull by a client that keeps nothing", &pairs, None);
    let line = Line::open(subject.address).await;
    let counted = transport(line.address, &subject.token);
    sync_each(&device, &counted, COUNTED).await;
    drop(counted);
    report.note(&line.close(COUNTED).await);
    device.remove().await;
    subject.stop().await;
}

async fn sync_each(device: &Device, server: &sync_core::transport::HttpTransport, n: usize) -> f64 {
    let clock = start();
    for _ in 0..n {
        let report = device.replica.sync(server).await.expect("the server answers");
        assert_eq!(report, Default::default(), "there was something to do");
    }
    rate(n, clock.elapsed())
}

async fn pull_each(subject: &Subject, n: usize) -> f64 {
    let mut client = subject.client().await;
    let status = client.ok(Method::GET, &format!("{}/snapshot?collections=none", subject.space), "").await;
    let status = String::from_utf8_lossy(&status).into_owned();
    let cursor =
        status.split('"').find(|part| part.len() == 66).expect("a snapshot names its cursor").to_owned();
    let path = format!("{}/changes?after={cursor}", subject.space);
    let clock = start();
    for _ in 0..n {
        client.ok(Method::GET, &path, "").await;
    }
    rate(n, clock.elapsed())
}
