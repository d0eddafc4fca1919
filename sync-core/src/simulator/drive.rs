//! Keeping a replica in sync: the one place that knows how often to try.

use std::sync::Arc;
use std::time::Duration;

use crate::replica::{Replica, RunOptions};
use crate::runtime::Runtime;
use crate::simulator::device::Device;
use crate::simulator::journal::Journal;
use crate::transport::Transport;

/// How long to wait when all is well, before the next look.
pub(crate) const POLL: Duration = Duration::from_secs(2);
/// The first wait after a failure; it doubles.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How a replica that runs by itself paces itself: as fast as whoever syncs it, so that all are in sync as soon.
const PACE: RunOptions = RunOptions { wait: POLL, poll_every: POLL, sign_in_every: POLL, access_every: POLL };

/// Lets a replica run until it gives up.
pub(crate) async fn run(
    device: Arc<Device>,
    replica: Replica,
    transport: Arc<dyn Transport>,
    journal: Arc<Journal>,
) {
    let error = replica.run_with(&*transport, &PACE).await;
    journal.note(&device, format_args!("does not run any more: {error}"));
}

/// Syncs for ever, whatever happens.
pub(crate) async fn keep_in_sync(
    device: Arc<Device>,
    replica: Replica,
    transport: Arc<dyn Transport>,
    runtime: Arc<dyn Runtime>,
    journal: Arc<Journal>,
) {
    let mut retry = RETRY_MIN;
    loop {
        let alone = device.alone.lock().await;
        let synced = replica.sync(&*transport).await;
        drop(alone);
        journal.count("syncs");
        let wait = match synced {
            Ok(report) => {
                if report != Default::default() {
                    journal.note(&device, format_args!("synced: {report:?}"));
                }
                retry = RETRY_MIN;
                POLL
            }
            Err(error) => {
                journal.note(&device, format_args!("could not sync: {error}"));
                let wait = error.retry_after().unwrap_or(retry).min(RETRY_MAX);
                retry = (retry * 2).min(RETRY_MAX);
                wait
            }
        };
        runtime.sleep(wait).await;
    }
}
