//! Traps between a replica and its disk.

use async_trait::async_trait;
use sync_core::replica::ACCESS_LOST;
use sync_core::simulator::{Hooks, Place};
use sync_core::store::CommitWrite;
use sync_core::{Record, Result};

use super::store::{At, StoreTrap, TrappedStore};

/// Hooks that put a trap before the disk of each replica.
pub(super) fn in_each_replica<T: StoreTrap>(trap: impl Fn(&Place) -> T + Send + Sync + 'static) -> Hooks {
    Hooks::default().replica_store(move |store, place| TrappedStore::front(store, trap(place)))
}

/// Whether the answer to a batch is recorded: it goes.
pub(super) fn is_answered(write: &CommitWrite) -> bool {
    write.purges.iter().any(|key| key.collection.as_str() == "$outbox")
}

/// T6: the commit that removes the batch in flight also removes what says that its records were edited meanwhile.
#[derive(Debug)]
pub(super) struct MarkedClean;

#[async_trait]
impl StoreTrap for MarkedClean {
    async fn apply(&self, at: &mut At, mut write: CommitWrite) -> Result<()> {
        if is_answered(&write) {
            let is_base = |record: &Record| record.key.collection.as_str() == "$base";
            let (bases, kept): (Vec<_>, _) = write.records.into_iter().partition(is_base);
            write.records = kept;
            write.purges.extend(bases.into_iter().map(|record| record.key));
        }
        at.txn.apply(&write).await
    }
}

/// T24: what was not sent when a copy is given up goes with it.
#[derive(Debug)]
pub(super) struct UnsentGoesToo;

#[async_trait]
impl StoreTrap for UnsentGoesToo {
    async fn apply(&self, at: &mut At, mut write: CommitWrite) -> Result<()> {
        let is_unsent = |record: &Record| {
            let text = record.data.as_ref().map_or("", |data| data.as_str());
            record.key.collection.as_str() == "$aside" && text.contains(ACCESS_LOST)
        };
        write.records.retain(|record| !is_unsent(record));
        at.txn.apply(&write).await
    }
}
