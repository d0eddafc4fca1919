//! Opening a replica, and what it is made of.

use std::sync::Arc;

use async_lock::Mutex;
use futures_util::FutureExt;

use crate::clock::{Clock, SystemClock};
use crate::error::{ErrorKind, Result};
use crate::id_source::{IdSource, OsIds};
use crate::policies::Policies;
use crate::replica::rows::State;
use crate::replica::signals::Signals;
use crate::runtime::Runtime;
use crate::store::{Store, StoreExt};
use crate::types::{ActorId, Epoch, SpaceId};

/// A local copy of a space: reads and writes work offline, [`sync`](Replica::sync) exchanges them with a server.
///
/// Cheap to clone; all clones are the same replica and may be used from many tasks. Every method that changes
/// something is durable in the local store when it returns.
///
/// ```
/// # use std::sync::Arc;
/// use serde_json::json;
/// use sync_core::replica::{Replica, ReplicaOptions};
/// use sync_core::store::MemoryStore;
/// use sync_core::{ActorId, SpaceId, TokioRuntime};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
/// let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
/// replica.put("notes", "1", &json!({"text": "milk"})).await?;
/// assert_eq!(replica.get("notes", "1").await?, Some(json!({"text": "milk"})));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Replica(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) space: SpaceId,
    pub(super) options: ReplicaOptions,
    /// Held by the one `sync` that runs.
    pub(super) syncing: Mutex<()>,
    /// What those who wait are told.
    pub(super) signals: Signals,
}

/// What a replica needs from outside.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// Runs its local transactions.
    pub runtime: Arc<dyn Runtime>,
    /// Where the time comes from. It dates edits and never orders them.
    pub clock: Arc<dyn Clock>,
    /// Where the names of replicas and other ids come from.
    pub ids: Arc<dyn IdSource>,
    /// How concurrent edits are merged; the same as at the server, which has the last word.
    pub policies: Policies,
    /// Whose edits these are.
    pub actor: ActorId,
}

impl ReplicaOptions {
    /// The machine's clock and randomness, and the default policies.
    pub fn new(runtime: Arc<dyn Runtime>, actor: ActorId) -> Self {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(OsIds));
        Self { runtime, clock, ids, policies: Policies::default(), actor }
    }
}

impl Replica {
    /// Opens the local copy of `space` in `store`, and creates it if it is not there.
    ///
    /// `space` is its name at the server. Several spaces fit in one store; the store of a server role does not belong
    /// here, unless the spaces differ.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn open(store: Arc<dyn Store>, space: SpaceId, options: ReplicaOptions) -> Result<Self> {
        let replica = Self(Arc::new(Inner {
            store,
            space,
            options,
            syncing: Mutex::new(()),
            signals: Signals::default(),
        }));
        replica.create_if_missing().await?;
        replica
            .write(|local| {
                async move {
                    if local.get(&State::key()).await?.is_none() {
                        local.save(&State::new(&*local.options.ids.clone()))?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await?;
        Ok(replica)
    }

    /// The space this is a copy of.
    pub fn space(&self) -> &SpaceId {
        &self.0.space
    }

    async fn create_if_missing(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        self.run(async move {
            if inner.store.has_space(&inner.space).await? {
                return Ok(());
            }
            let mut epoch = [0; 16];
            inner.options.ids.fill(&mut epoch);
            match inner.store.create_space(&inner.space, Epoch::from_bytes(epoch)).await {
                // Another task was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                result => result,
            }
        })
        .await
    }
}
