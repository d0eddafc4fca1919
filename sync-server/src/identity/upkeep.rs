//! What has to be done now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use super::synced::NOTE_INTERVAL;
use crate::identity::Identity;
use crate::problem::Problem;

/// How often credentials that ended are removed. A minute: nobody sees them any more, they only take room.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How often spaces are looked for that a request or a process left half made or half erased. A minute: nobody reaches
/// them, and who asks for their names does not wait for it.
const ERASE_INTERVAL: Duration = Duration::from_secs(60);

impl Identity {
    /// Keeps up with what other processes change, writes down how far devices are, and removes what has ended, for as long
    /// as it is polled. It begins with what was left when the last process ended.
    pub async fn keep_up(&self) {
        let notes = every(NOTE_INTERVAL, || self.write_notes());
        let expired = every(FORGET_INTERVAL, || self.forget_expired());
        tokio::join!(self.0.rights.keep_up(), notes, expired, self.keep_erasing());
    }

    async fn keep_erasing(&self) {
        let mut known = BTreeSet::new();
        loop {
            if let Err(problem) = self.erase_left_over(&mut known).await {
                warn_of(&problem);
            }
            tokio::time::sleep(ERASE_INTERVAL).await;
        }
    }
}

async fn every<F: Future<Output = Result<(), Problem>>>(interval: Duration, work: impl Fn() -> F) {
    loop {
        tokio::time::sleep(interval).await;
        if let Err(problem) = work().await {
            warn_of(&problem);
        }
    }
}

fn warn_of(problem: &Problem) {
    tracing::warn!(code = problem.code().as_str(), "upkeep of accounts failed; it is tried again");
}
