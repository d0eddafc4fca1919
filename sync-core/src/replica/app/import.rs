//! Writing many records at once.

use futures_util::FutureExt;

use crate::error::Result;
use crate::json::Json;
use crate::replica::Replica;
use crate::replica::local::rows::Base;
use crate::types::RecordKey;

/// Records in one transaction: as many keys as one statement carries.
const IMPORT_ROWS_MAX: usize = 1000;

impl Replica {
    /// Makes all of these the records under their keys, a thousand per transaction, and says how many changed.
    ///
    /// They count as edits made now, here and by this replica's actor: what dates and authors they had elsewhere is not
    /// taken over. As with [`put`](Replica::put), they replace what is there.
    ///
    /// If it fails half way, whole thousands are in; repeating it costs no harm.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::json::Json;
    /// use sync_core::{Collection, RecordId, RecordKey};
    /// let numbers = Collection::new("numbers")?;
    /// let records = (0..2500).map(|n| {
    ///     let id = RecordId::new(n.to_string()).expect("a number is an id");
    ///     (RecordKey::new(numbers.clone(), id), Json::null())
    /// });
    /// assert_eq!(replica.import(records).await?, 2500);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a key in a collection of the library, and what the store reports.
    pub async fn import(&self, records: impl IntoIterator<Item = (RecordKey, Json)>) -> Result<u64> {
        let mut records = records.into_iter();
        let mut n_changed = 0;
        loop {
            let part: Vec<(RecordKey, Json)> = records.by_ref().take(IMPORT_ROWS_MAX).collect();
            if part.is_empty() {
                return Ok(n_changed);
            }
            n_changed += self.import_part(part).await?;
        }
    }

    async fn import_part(&self, part: Vec<(RecordKey, Json)>) -> Result<u64> {
        if let Some((key, _)) =
            part.iter().find(|(key, _)| key.collection.is_system() || key.collection.is_tree())
        {
            super::access::key(key.collection.as_str(), key.id.as_str())?;
        }
        self.write(move |local| {
            async move {
                local.load(part.iter().flat_map(|(key, _)| [key.clone(), Base::key_for(key)])).await?;
                let mut n_changed = 0;
                for (key, data) in part {
                    n_changed += u64::from(local.edit(&key, Some(data)).await?);
                }
                Ok(n_changed)
            }
            .boxed()
        })
        .await
    }
}
