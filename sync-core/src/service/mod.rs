//! The service: the server role. It holds every rule, and neither a database nor a network.
//!
//! ```text
//! push ─▶ lane (one per space) ─▶ one write transaction for all that wait ─▶ answers
//! pull, snapshot, reads ─▶ one read transaction each
//! commit ─▶ hub (one per space that someone follows) ─▶ one read transaction for all who follow ─▶ frames
//! ```
//! All database work runs in tasks of the injected [`Runtime`], never in the caller's future: a caller may go away at
//! any time without leaving a transaction half way.

mod admit;
mod answer;
mod audit;
mod collect;
mod commit;
mod conflicts;
mod cursors;
mod decide;
mod head;
mod lane;
mod limits;
mod live;
mod losers;
mod plan;
mod pull;
mod push;
mod read;
mod roles;
pub mod rules;
mod scoped;
mod selection;
mod settle;
mod snapshot;
mod stage;
mod tree_cache;
mod tree_op;
mod tree_read;
mod trees;

use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::accounts::Role;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::{IdSource, OsIds};
use crate::policies::Policies;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::types::{ActorId, Epoch, SpaceId};

pub use collect::CollectReport;
pub use conflicts::Resolved;
pub use limits::Limits;
pub use live::{Live, Subscription};
pub use read::{CollectionStatus, RecordPage, ReplicaStatus, Status};
pub use roles::Roles;
pub use tree_read::{TreePage, Vertex};
pub use trees::{OpsAdded, OpsPage};

/// Who is doing it, and what they may do in the space at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their id.
    pub id: ActorId,
    /// Their role in the space.
    pub role: Role,
}

impl Actor {
    /// Someone with a role in the space at hand.
    pub fn new(id: ActorId, role: Role) -> Self {
        Self { id, role }
    }
}

/// The server role of the library, over any [`Store`]. Cheap to clone.
///
/// ```
/// # use std::sync::Arc;
/// use sync_core::protocol::{PullRequest, PushRequest, PullReply};
/// use sync_core::service::{Actor, Service};
/// use sync_core::store::MemoryStore;
/// use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
/// let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Owner));
/// service.create_space(&space).await?;
/// let body = br#"{"mutations":[{"op":"put","collection":"notes","id":"1","data":{"text":"hello"}}]}"#;
/// service.push(&me, &space, PushRequest::from_json(body)?).await?;
/// let PullReply::Page(page) = service.pull(&me, &space, PullRequest::default()).await? else { unreachable!() };
/// assert_eq!(page.changes[0].data.as_ref().unwrap().as_str(), r#"{"text":"hello"}"#);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    policies: Policies,
    limits: Limits,
    roles: Option<Arc<dyn Roles>>,
    rules: rules::Rules,
    lanes: lane::Lanes,
    waiters: pull::Waiters,
    hubs: live::Hubs,
    trees: tree_cache::TreeCache,
}

/// What a [`Service`] is made of; see [`Service::builder`].
#[derive(Debug)]
pub struct ServiceBuilder(Inner);

impl ServiceBuilder {
    /// Takes the time from this clock instead of the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Takes ids from this source instead of the operating system's randomness.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.0.ids = ids;
        self
    }

    /// Merges by these policies instead of field by field with open conflicts.
    #[must_use]
    pub fn policies(mut self, policies: Policies) -> Self {
        self.0.policies = policies;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Asks this for the roles of those who push, in the commit itself, instead of believing what a push was given.
    #[must_use]
    pub fn roles(mut self, roles: Arc<dyn Roles>) -> Self {
        self.0.roles = Some(roles);
        self
    }

    /// Lets this decide what may be written.
    #[must_use]
    pub fn validate(mut self, validator: impl rules::Validate + 'static) -> Self {
        self.0.rules.validate = Some(Arc::new(validator));
        self
    }

    /// Lets this decide who may read what.
    #[must_use]
    pub fn scope(mut self, scope: impl rules::Scope + 'static) -> Self {
        self.0.rules.scope = Some(Arc::new(scope));
        self
    }

    /// Puts the service together.
    pub fn build(self) -> Service {
        Service(Arc::new(self.0))
    }
}

impl Service {
    /// A service over a store, with the defaults of everything else.
    pub fn new(store: Arc<dyn Store>, runtime: Arc<dyn Runtime>) -> Self {
        Self::builder(store, runtime).build()
    }

    /// A service over a store, of which more is to be decided.
    pub fn builder(store: Arc<dyn Store>, runtime: Arc<dyn Runtime>) -> ServiceBuilder {
        ServiceBuilder(Inner {
            store,
            runtime,
            clock: Arc::new(SystemClock),
            ids: Arc::new(OsIds),
            policies: Policies::default(),
            limits: Limits::default(),
            roles: None,
            rules: rules::Rules::default(),
            lanes: lane::Lanes::default(),
            waiters: pull::Waiters::default(),
            hubs: live::Hubs::default(),
            trees: tree_cache::TreeCache::default(),
        })
    }

    /// The limits this service keeps.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Creates an empty space.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when there is one of this name, and what the store reports.
    pub async fn create_space(&self, space: &SpaceId) -> Result<()> {
        let mut epoch = [0; 16];
        self.0.ids.fill(&mut epoch);
        let space = space.clone();
        self.run(move |inner| async move { inner.store.create_space(&space, Epoch::from_bytes(epoch)).await })
            .await
    }

    /// Deletes a space and everything in it. Says whether there was one.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        let space = space.clone();
        self.run(move |inner| async move { inner.store.delete_space(&space).await }).await
    }

    /// Runs database work in a task of its own and waits for what it yields; if the caller goes away, the work goes on.
    async fn run<T, F, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
        W: FnOnce(Arc<Inner>) -> F + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let inner = Arc::clone(&self.0);
        self.0.runtime.spawn(Box::pin(async move {
            // Whoever asked may be gone by now; that is theirs to decide.
            let _ = reply.send(work(inner).await);
        }));
        answer
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the task that was to answer has died")))
    }
}

impl Inner {
    /// Runs a transaction, again a bounded number of times when another one was in the way.
    async fn retried<T, F: Future<Output = Result<T>>>(&self, transaction: impl Fn() -> F) -> Result<T> {
        let mut attempt = 1;
        loop {
            match transaction().await {
                Err(error) if error.kind() == ErrorKind::Contended && attempt < self.limits.attempts_max => {
                    self.runtime.sleep(RETRY_DELAY * 2u32.saturating_pow(attempt)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }
}

/// The first wait after a lost race; it doubles with every attempt.
const RETRY_DELAY: Duration = Duration::from_millis(2);
