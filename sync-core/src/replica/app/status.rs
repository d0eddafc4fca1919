//! How a replica stands: what waits, and a hash to compare it with others.

use futures_util::FutureExt;

use crate::conflict::{Conflict, ConflictState};
use crate::error::Result;
use crate::replica::Replica;
use crate::replica::app::aside::AsideRow;
use crate::replica::local::row::Row;
use crate::replica::local::rows::{Base, Batch};
use crate::replica::local::txn::Local;
use crate::state_hash::StateHash;
use crate::store::ScanQuery;
use crate::types::{ClientId, Collection, Record};

#[cfg(doc)]
use crate::conflict::ConflictBody;

/// Rows that are counted at once.
const COUNT_ROWS_MAX: usize = 1000;
/// Their content at most. Conflicts and edits hold records side by side.
const COUNT_BYTES_MAX: usize = 8 << 20;

/// What of a replica's work the server has not confirmed, or someone must look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// Records with edits that wait to be sent.
    pub n_waiting: u64,
    /// Edits that were sealed and not answered: sent, or about to be, also again. They cannot be changed any more.
    pub n_in_flight: u64,
    /// Edits that were refused and not dismissed yet; see [`set_aside`](Replica::set_aside).
    pub n_set_aside: u64,
    /// Open conflicts of the space, which someone must decide; see [`conflicts`](Replica::conflicts).
    pub n_conflicts: u64,
}

impl Unsent {
    /// Whether something waits for a sync.
    pub fn is_empty(&self) -> bool {
        self.n_waiting == 0 && self.n_in_flight == 0
    }
}

impl Replica {
    /// The name under which the server knows this replica: of its edits, as [`ConflictBody::client`] and in
    /// [`RecordMeta::client`](crate::types::RecordMeta). It changes when the file of the replica was copied, or its server
    /// restored from a backup.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// println!("this is {}", replica.client_id().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn client_id(&self) -> Result<ClientId> {
        Ok(self.state().await?.client)
    }

    /// Counts what the server has not confirmed, and what someone must look at. Costs as much as there is of it, however
    /// many records there are.
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
        self.read(|local| local.unsent().boxed()).await
    }

    pub(crate) async fn has_unsent(&self) -> Result<bool> {
        self.read(|local| local.has_unsent().boxed()).await
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

impl Local {
    async fn unsent(&mut self) -> Result<Unsent> {
        let batch = self.batch().await?;
        let is_open = |record: &Record| {
            let conflict = Conflict::from_record(record)?;
            Ok(conflict.is_some_and(|conflict| conflict.body.state == ConflictState::Open))
        };
        Ok(Unsent {
            n_waiting: self.n_waiting().await?,
            n_in_flight: batch.as_ref().map_or(0, n_entries),
            n_set_aside: self.count(AsideRow::COLLECTION, |_| Ok(true)).await?,
            n_conflicts: self.count(Collection::CONFLICTS, is_open).await?,
        })
    }

    /// Whether anything waits for the server's answer. Cheap.
    pub(crate) async fn has_unsent(&mut self) -> Result<bool> {
        Ok(self.batch().await?.is_some() || self.has_edits().await?)
    }

    /// Records with edits that were not sealed.
    pub(crate) async fn n_waiting(&mut self) -> Result<u64> {
        self.count(Base::COLLECTION, |_| Ok(true)).await
    }

    /// Counts rows of one of the books.
    async fn count(
        &mut self,
        collection: &'static str,
        counts: impl Fn(&Record) -> Result<bool> + Send,
    ) -> Result<u64> {
        let collection = Some(Collection::system(collection));
        let (rows_max, bytes_max) = (COUNT_ROWS_MAX, COUNT_BYTES_MAX);
        let mut query =
            ScanQuery { collection, after: None, descending: false, tombstones: false, rows_max, bytes_max };
        let mut n = 0;
        loop {
            let page = self.stored(&query).await?;
            for record in &page.records {
                n += u64::from(counts(record)?);
            }
            query.after = page.records.into_iter().next_back().map(|record| record.key);
            if !page.more {
                return Ok(n);
            }
        }
    }
}

/// Edits in a batch.
pub(crate) fn n_entries(batch: &Batch) -> u64 {
    u64::try_from(batch.entries.len()).unwrap_or(u64::MAX)
}
