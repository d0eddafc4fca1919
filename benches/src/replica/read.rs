//! Local reads of a copy that was loaded from a server.

use serde_json::Value;
use sync_core::replica::Query;

use super::device::{Device, transport};
use crate::bare::Bare;
use crate::data::{Sample, push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

/// Records on a page: what a long list on a screen asks for at once.
const PAGE: usize = 100;

pub(super) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n);
    let subject = Subject::start(Place::Sqlite).await;
    subject.fill(&push_bodies(&samples, 1000)).await;
    let mut bare = Bare::create(subject.folder(), "bare.db");
    samples.chunks(1000).for_each(|batch| bare.write(batch));
    let device = Device::of(&subject, "read").await;
    device.load(&transport(subject.address, &subject.token), n).await;
    let (mut by_key, mut listed) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let clock = start();
        tokio::task::block_in_place(|| {
            samples.iter().for_each(|sample| assert!(bare.get(&sample.id).is_object()))
        });
        let reference = rate(n, clock.elapsed());
        by_key.push((get_each(&device, &samples).await, reference));
        let clock = start();
        tokio::task::block_in_place(|| assert_eq!(bare.list(PAGE), n));
        let reference = rate(n, clock.elapsed());
        listed.push((list(&device, n).await, reference));
    }
    device.remove().await;
    subject.stop().await;
    report.add("local get by key", "bare SELECT by key, parsed", &by_key, None);
    report.add("local list, pages of 100 (records)", "bare SELECT by pages", &listed, None);
}

async fn get_each(device: &Device, samples: &[Sample]) -> f64 {
    let clock = start();
    for sample in samples {
        let found: Option<Value> =
            device.replica.get("notes", &sample.id).await.expect("the store can be read");
        assert!(found.is_some_and(|value| value.is_object()));
    }
    rate(samples.len(), clock.elapsed())
}

async fn list(device: &Device, n: usize) -> f64 {
    let (mut n_listed, mut after) = (0, None::<String>);
    let clock = start();
    loop {
        let query = Query::all().limit(PAGE);
        let query = after.as_deref().map_or(query.clone(), |after| query.after(after));
        let page = device.replica.list("notes", &query).await.expect("the store can be read");
        n_listed += page.len();
        match page.last() {
            Some(last) => after = Some(last.key.id.to_string()),
            None => break,
        }
    }
    let listed = rate(n, clock.elapsed());
    assert_eq!(n_listed, n);
    listed
}
