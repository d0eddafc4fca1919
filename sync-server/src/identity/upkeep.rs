//! What has to be done now and then.

use std::time::Duration;

use super::synced::NOTE_INTERVAL;
use crate::identity::Identity;
use crate::problem::Problem;

/// How often credentials that ended are removed. A minute: nobody sees them any more, they only take room.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

impl Identity {
    /// Keeps up with what other processes change, writes down how far devices are, and removes what has ended, for as long
    /// as it is polled.
    pub async fn keep_up(&self) {
        let notes = every(NOTE_INTERVAL, || self.write_notes());
        let expired = every(FORGET_INTERVAL, || self.forget_expired());
        tokio::join!(self.0.rights.keep_up(), notes, expired);
    }
}

async fn every<F: Future<Output = Result<(), Problem>>>(interval: Duration, work: impl Fn() -> F) {
    loop {
        tokio::time::sleep(interval).await;
        if let Err(problem) = work().await {
            tracing::warn!(code = problem.code().as_str(), "upkeep of accounts failed; it is tried again");
        }
    }
}
