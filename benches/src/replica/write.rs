//! Local edits: each is durable when it is answered.

use serde_json::Value;
use tempfile::TempDir;

use super::device::Device;
use crate::bare::Bare;
use crate::data::{Sample, samples};
use crate::report::{Report, rate, start};

/// Records of an import for each edit: so that both take about as long.
const IMPORTED_PER_EDIT: usize = 10;

pub(super) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n * IMPORTED_PER_EDIT);
    let singles = &samples[..n];
    let (mut new, mut again, mut imported) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let mut bare = Bare::create(folder.path(), "bare.db");
        let first = bare_singles(&mut bare, singles);
        let second = bare_singles(&mut bare, singles);
        let device = Device::create(folder.path(), "edits", "bench").await;
        new.push((put_each(&device, singles, 0).await, first));
        again.push((put_each(&device, singles, 1).await, second));
        device.remove().await;
        let mut bare = Bare::create(folder.path(), "bulk.db");
        let clock = start();
        tokio::task::block_in_place(|| samples.chunks(1000).for_each(|part| bare.write(part)));
        let reference = rate(samples.len(), clock.elapsed());
        let device = Device::create(folder.path(), "import", "bench").await;
        let clock = start();
        device.import(&samples).await;
        imported.push((rate(samples.len(), clock.elapsed()), reference));
        device.remove().await;
    }
    report.add("local put of a new record", "bare INSERT, one commit each", &new, None);
    report.add("local put of a record that waits to be sent", "bare upsert, one commit each", &again, None);
    report.add("local import (records)", "bare prepared INSERT, 1,000 a commit", &imported, None);
}

fn bare_singles(bare: &mut Bare, samples: &[Sample]) -> f64 {
    let clock = start();
    tokio::task::block_in_place(|| samples.chunks(1).for_each(|one| bare.write(one)));
    rate(samples.len(), clock.elapsed())
}

async fn put_each(device: &Device, samples: &[Sample], round: usize) -> f64 {
    let values: Vec<Value> = samples.iter().map(|sample| value(sample, round)).collect();
    let clock = start();
    for (sample, value) in samples.iter().zip(&values) {
        let changed = device.replica.put("notes", &sample.id, value).await;
        assert!(changed.expect("the store can be written"));
    }
    rate(samples.len(), clock.elapsed())
}

/// The content of a sample, other in each round: what does not change is not written.
fn value(sample: &Sample, round: usize) -> Value {
    let mut value: Value = serde_json::from_str(&sample.data).expect("samples are JSON");
    value["round"] = round.into();
    value
}
