//! Opening a replica, and what it is made of.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::lock::Mutex;

use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::id_source::{IdSource, OsIds};
use crate::policies::Policies;
use crate::replica::local::alone::Alone;
use crate::replica::local::doors::Doors;
use crate::replica::local::place::{Place, Side};
use crate::replica::local::state::State;
use crate::replica::local::trees::OpenTrees;
use crate::replica::local::txn::Local;
use crate::replica::tell::signals::Signals;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::store::{Mode, Store};
use crate::types::{ActorId, SpaceId};

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
pub struct Replica(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) space: SpaceId,
    pub(crate) options: ReplicaOptions,
    pub(crate) place: Place,
    /// Held by the one `sync` that runs.
    pub(crate) syncing: Mutex<()>,
    /// What those who wait are told.
    pub(crate) signals: Signals,
    /// Who works here.
    pub(crate) doors: Arc<Doors>,
    pub(crate) alone: Alone,
    /// Trees that the application has at hand.
    pub(crate) trees: OpenTrees,
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
    /// Whether the very first load shows records as they arrive. Otherwise nothing of the server is seen before all of
    /// it is there. Later loads, which replace what is there already, are never seen half done.
    pub shows_partial_load: bool,
    /// Ops that a tree has got since its last checkpoint when it gets another one, from which it begins after the next
    /// start; in a large tree at least a quarter of what it had then. Fewer are applied in some hundredths of a second.
    pub checkpoint_ops_min: u64,
}

impl ReplicaOptions {
    /// The machine's clock and randomness, and the default policies.
    pub fn new(runtime: Arc<dyn Runtime>, actor: ActorId) -> Self {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(OsIds));
        Self {
            runtime,
            clock,
            ids,
            policies: Policies::default(),
            actor,
            shows_partial_load: false,
            checkpoint_ops_min: crate::tree::kept::OPS_MIN,
        }
    }

    /// [`new`](Self::new) for whoever is signed in, so that edits cannot be given to somebody else by accident.
    pub fn for_session(runtime: Arc<dyn Runtime>, session: &Session) -> Self {
        Self::new(runtime, session.user.clone())
    }
}

impl Replica {
    /// Opens the local copy of `space` in `store`, and creates it if it is not there.
    ///
    /// `space` is its name at the server. Several spaces fit in one store; the store of a server role does not belong
    /// here, unless the spaces differ.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// let store = Arc::new(MemoryStore::default());
    /// let family = Replica::open(store.clone(), SpaceId::new("family")?, options.clone()).await?;
    /// let work = Replica::open(store.clone(), SpaceId::new("work")?, options.clone()).await?;
    /// assert!(Replica::open(store, SpaceId::new("work")?, options).await.is_err(), "once is enough");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Incompatible`](crate::ErrorKind::Incompatible) when a replica of this space is open over this very store
    /// already: it was not [closed](Replica::close), or it was dropped and still finishes what it began; what the store
    /// reports.
    pub async fn open(store: Arc<dyn Store>, space: SpaceId, options: ReplicaOptions) -> Result<Self> {
        let (place, alone) = (Place::new(&space), Alone::claim(&store, &space)?);
        let replica = Self(Arc::new(Inner {
            store,
            space,
            options,
            place,
            syncing: Mutex::new(()),
            signals: Signals::default(),
            doors: Arc::default(),
            alone,
            trees: OpenTrees::default(),
        }));
        let inner = Arc::clone(&replica.0);
        replica
            .in_task(async move {
                inner.create_if_missing(Side::Live).await?;
                inner.find_live().await
            })
            .await?;
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
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// assert_eq!(replica.space().as_str(), "family");
    /// # Ok(()) }
    /// ```
    pub fn space(&self) -> &SpaceId {
        &self.0.space
    }
}

impl Inner {
    /// Begins a transaction on one of the local spaces.
    pub(crate) async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Local> {
        Ok(Local::new(self.store.begin(space, mode).await?, &self.options))
    }
}
