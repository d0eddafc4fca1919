//! How a replica stands: what waits, and a hash to compare it with others.

use futures_util::FutureExt;

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::place::Side;
use crate::replica::row::Row;
use crate::replica::rows::Base;
use crate::state_hash::StateHash;

/// What of a replica's work the server has not confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// Records with edits that wait to be sent.
    pub n_waiting: u64,
    /// Edits that were sent and not answered yet.
    pub n_in_flight: u64,
    /// Edits that were refused and not dismissed yet.
    pub n_set_aside: u64,
}

impl Unsent {
    /// Whether something waits for a sync.
    pub fn is_empty(&self) -> bool {
        self.n_waiting == 0 && self.n_in_flight == 0
    }
}

impl Replica {
    /// Counts what the server has not confirmed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("notes", "1", "milk").await?;
    /// replica.put("notes", "1", "oat milk").await?;
    /// assert_eq!(replica.unsent().await?.n_waiting, 1, "edits of one record are one until they are sent");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn unsent(&self) -> Result<Unsent> {
        let inner = self.0.clone();
        let stats = self.run(async move { inner.store.stats(inner.place.space(Side::Live)).await }).await?;
        let count = |name: &str| {
            let found = stats.collections.iter().find(|stats| stats.collection.as_str() == name);
            found.map_or(0, |stats| stats.n_records)
        };
        let batch = self.read(|local| local.batch().boxed()).await?;
        let n_in_flight = batch.map_or(0, |batch| u64::try_from(batch.entries.len()).unwrap_or(u64::MAX));
        Ok(Unsent { n_waiting: count(Base::COLLECTION), n_in_flight, n_set_aside: count("$aside") })
    }

    /// A hash over what the application sees: equal to the server's and every other replica's once all are in sync.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// let before = replica.state_hash().await?;
    /// replica.put("notes", "1", "milk").await?;
    /// assert_ne!(replica.state_hash().await?, before);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn state_hash(&self) -> Result<StateHash> {
        self.read(|local| local.state_hash().boxed()).await
    }
}
