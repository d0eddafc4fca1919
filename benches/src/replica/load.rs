//! The first load of many small records into a new replica.

use super::device::{Device, transport};
use crate::bare::Bare;
use crate::data::{push_bodies, small_samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

/// Records whose pushes are in memory at once while the server is filled.
const FILL: usize = 50_000;

pub(super) async fn run(report: &mut Report, n: usize) {
    let samples = small_samples(n);
    let subject = Subject::start(Place::Sqlite).await;
    for part in samples.chunks(FILL) {
        subject.fill(&push_bodies(part, 1000)).await;
    }
    let server = transport(subject.address, &subject.token);
    let mut loaded = Vec::new();
    for round in 0..report.rounds() {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let mut bare = Bare::create(folder.path(), "bare.db");
        let clock = start();
        tokio::task::block_in_place(|| samples.chunks(1000).for_each(|batch| bare.write(batch)));
        let reference = rate(n, clock.elapsed());
        let device = Device::of(&subject, &format!("load-{round}")).await;
        let clock = start();
        device.load(&server, n).await;
        loaded.push((rate(n, clock.elapsed()), reference));
        device.remove().await;
    }
    subject.stop().await;
    report.add(
        "first load into a replica (small records)",
        "bare prepared INSERT, 1,000 a commit",
        &loaded,
        None,
    );
}
