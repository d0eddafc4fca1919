//! Sending edits that were made offline.

use hyper::Method;

use super::device::{Device, transport};
use crate::bare::Bare;
use crate::data::{Sample, push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

pub(super) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n);
    let (mut written, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let bare = bare(&samples).await;
        let client = client(&samples).await;
        let replica = replica(&samples).await;
        written.push((replica, bare));
        sent.push((replica, client));
    }
    let what = "sync of edited records, HTTP";
    report.add(what, "bare prepared INSERT, 1,000 a commit", &written, None);
    report.add(what, "the same pushes by a client that keeps nothing", &sent, None);
}

async fn bare(samples: &[Sample]) -> f64 {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let mut bare = Bare::create(folder.path(), "bare.db");
    let clock = start();
    tokio::task::block_in_place(|| samples.chunks(1000).for_each(|batch| bare.write(batch)));
    rate(samples.len(), clock.elapsed())
}

async fn client(samples: &[Sample]) -> f64 {
    let subject = Subject::start(Place::Sqlite).await;
    let (bodies, path) = (push_bodies(samples, 1000), format!("{}/changes", subject.space));
    let mut client = subject.client().await;
    let clock = start();
    for body in bodies {
        client.ok(Method::POST, &path, body).await;
    }
    let sent = rate(samples.len(), clock.elapsed());
    subject.stop().await;
    sent
}

/// The replica knows the space already; what it does not have to find out is not measured.
async fn replica(samples: &[Sample]) -> f64 {
    let subject = Subject::start(Place::Sqlite).await;
    let device = Device::of(&subject, "sync").await;
    let server = transport(subject.address, &subject.token);
    device.load(&server, 0).await;
    device.import(samples).await;
    let clock = start();
    let report = device.replica.sync(&server).await.expect("the server answers");
    let sent = rate(samples.len(), clock.elapsed());
    assert_eq!(report.pushed, samples.len() as u64);
    device.remove().await;
    subject.stop().await;
    sent
}
