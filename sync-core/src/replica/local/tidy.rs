//! Tidying up: tombstones and history of the local store that nobody will ask for.
//!
//! A tombstone here tells an old state of the server from a new one. Once everything was sent and everything was taken in,
//! the cursor does that, and the tombstone can go. So it is done after a sync that found nothing to send.

use std::time::Duration;

use futures_util::FutureExt;

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::local::state::State;
use crate::replica::local::txn::Local;

/// History that is left before it is worth a write.
const TIDY_AFTER: Duration = Duration::from_secs(3600);
/// Tombstones that go in one transaction: the application does not wait for more.
const TIDY_ROWS_MAX: usize = 1000;

impl Replica {
    /// Removes what is not needed any more, if there is much of it and nothing waits to be sent.
    pub(crate) async fn tidy_up(&self) -> Result<()> {
        while self.write(|local| local.tidy_some().boxed()).await? {}
        Ok(())
    }
}

impl Local {
    /// Whether there is much that may be removed.
    fn is_untidy(&self) -> bool {
        let (head, floor) = (self.space_head().head.get(), self.space_head().floor.get());
        // Seqs grow by microseconds, or faster.
        u128::try_from(head.saturating_sub(floor)).is_ok_and(|n_micros| n_micros > TIDY_AFTER.as_micros())
    }

    /// The state if there is nothing to do but to ask what others did, and whether to tidy up then.
    pub(crate) async fn quiet_and_tidy(&mut self) -> Result<Option<(State, bool)>> {
        let is_untidy = self.is_untidy();
        Ok(self.quiet_state().await?.map(|state| (state, is_untidy)))
    }

    /// Removes some of it. Says whether there is more.
    async fn tidy_some(&mut self) -> Result<bool> {
        if self.quiet_state().await?.is_none() {
            return Ok(false);
        }
        let head = self.space_head().head;
        Ok(self.collect(head, TIDY_ROWS_MAX).await?.more)
    }
}
