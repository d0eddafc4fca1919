//! A small world: one service, some replicas on stores of their own, a clock that is told what time it is.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use crate::accounts::Role;
use crate::clock::{ManualClock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::SeededIds;
use crate::policies::Policies;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::replica::{Replica, ReplicaOptions};
use crate::runtime::TokioRuntime;
use crate::service::{Actor, Limits, Service};
use crate::state_hash::{StateHash, at_rest, state_hash};
use crate::store::{MemoryStore, ScanQuery, StoreExt};
use crate::transport::{Loopback, Transport};
use crate::types::{ActorId, Collection, Record, RecordId, SpaceId};

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: MemoryStore,
    pub(super) service: Service,
    policies: Policies,
    n_seeds: AtomicU64,
}

/// Who replicas speak for unless a test says otherwise.
pub(super) fn ada() -> Actor {
    Actor::new(ActorId::new("ada").unwrap(), Role::Owner)
}

pub(super) fn space() -> SpaceId {
    SpaceId::new("family").unwrap()
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Policies::default(), Limits::default()).await
    }

    pub(super) async fn with(policies: Policies, limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000).unwrap()));
        let store = MemoryStore::default();
        let service = service(&store, &clock, &policies, limits, 1);
        service.create_space(&space()).await.unwrap();
        Self { clock, store, service, policies, n_seeds: AtomicU64::new(2) }
    }

    pub(super) fn seed(&self) -> u64 {
        self.n_seeds.fetch_add(1, Ordering::Relaxed)
    }

    /// Another service over another store, in place of this one's.
    pub(super) fn restore(&mut self, store: MemoryStore) {
        self.service = service(&store, &self.clock, &self.policies, Limits::default(), self.seed());
        self.store = store;
    }

    pub(super) fn options(&self) -> ReplicaOptions {
        ReplicaOptions {
            runtime: Arc::new(TokioRuntime),
            clock: self.clock.clone(),
            ids: Arc::new(SeededIds::new(self.seed())),
            policies: self.policies.clone(),
            actor: ActorId::new("ada").unwrap(),
            shows_partial_load: false,
            checkpoint_ops_min: crate::tree::kept::OPS_MIN,
        }
    }

    pub(super) async fn replica(&self, store: &MemoryStore) -> Replica {
        Replica::open(Arc::new(store.clone()), space(), self.options()).await.unwrap()
    }

    pub(super) async fn fresh(&self) -> Replica {
        self.replica(&MemoryStore::default()).await
    }

    pub(super) fn loopback(&self) -> Loopback {
        Loopback::new(self.service.clone(), ada())
    }

    pub(super) fn line(&self) -> Line {
        Line::new(self.loopback())
    }

    pub(super) async fn hash(&self) -> StateHash {
        let mut txn = self.store.read(&space()).await.unwrap();
        state_hash(&mut *txn, |meta| meta.version).await.unwrap()
    }

    /// The conflicts that the server has.
    pub(super) async fn conflicts(&self) -> Vec<RecordId> {
        let query = ScanQuery {
            collection: Some(Collection::system(Collection::CONFLICTS)),
            after: None,
            descending: false,
            tombstones: false,
            rows_max: 1000,
            bytes_max: usize::MAX,
        };
        let page = self.store.read(&space()).await.unwrap().scan(&query).await.unwrap();
        page.records.into_iter().map(|record| record.key.id).collect()
    }

    async fn shown(&self) -> Vec<String> {
        let page = self.store.read(&space()).await.unwrap().scan(&everything()).await.unwrap();
        page.records.iter().map(|record| at_rest(record, record.meta.version)).collect()
    }

    /// Syncs all until nothing moves any more.
    pub(super) async fn settle(&self, replicas: &[&Replica]) {
        for _ in 0..20 {
            let mut moved = false;
            for replica in replicas {
                let report = replica.sync(&self.loopback()).await.unwrap();
                moved |= report != Default::default();
            }
            if !moved {
                return;
            }
        }
        panic!("the replicas do not come to rest");
    }

    pub(super) async fn assert_converged(&self, replicas: &[&Replica]) {
        let hash = self.hash().await;
        for (idx, replica) in replicas.iter().enumerate() {
            assert!(replica.unsent().await.unwrap().is_empty(), "replica {idx} still has edits");
            let (shown, expected) = (shown(replica).await, self.shown().await);
            for (shown, expected) in shown.iter().zip(&expected) {
                assert_eq!(shown, expected, "replica {idx} differs");
            }
            assert_eq!(shown.len(), expected.len(), "replica {idx} lacks some, or has too many");
            assert_eq!(replica.state_hash().await.unwrap(), hash, "replica {idx} shows the same");
        }
    }
}

/// The records and conflicts of a replica, as the server must have them.
async fn shown(replica: &Replica) -> Vec<String> {
    let page = replica.read(|local| async move { local.stored(&everything()).await }.boxed()).await.unwrap();
    let is_shown = |record: &&Record| {
        let collection = &record.key.collection;
        !collection.is_system() || collection.as_str() == Collection::CONFLICTS
    };
    let shown = page.records.iter().filter(is_shown);
    shown.map(|record| at_rest(record, record.meta.upstream)).collect()
}

fn everything() -> ScanQuery {
    ScanQuery {
        collection: None,
        after: None,
        descending: false,
        tombstones: false,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

fn service(
    store: &MemoryStore,
    clock: &Arc<ManualClock>,
    policies: &Policies,
    limits: Limits,
    seed: u64,
) -> Service {
    Service::builder(Arc::new(store.clone()), Arc::new(TokioRuntime))
        .clock(clock.clone())
        .ids(Arc::new(SeededIds::new(seed)))
        .policies(policies.clone())
        .limits(limits)
        .build()
}

pub(super) async fn value(replica: &Replica, id: &str) -> Option<Value> {
    replica.get("notes", id).await.unwrap()
}

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives and is answered.
    Deliver,
    /// It does not arrive.
    DropRequest,
    /// It arrives, the answer does not.
    DropReply,
    /// It arrives twice; the second answer counts.
    Repeat,
}

/// A way to the service on which messages have fates.
#[derive(Debug)]
pub(super) struct Line {
    inner: Loopback,
    fates: Mutex<Box<dyn FateSource>>,
    /// What was pushed, in order.
    pub(super) pushed: Mutex<Vec<PushRequest>>,
}

pub(super) trait FateSource: Send + std::fmt::Debug {
    fn next(&mut self) -> Fate;
}

#[derive(Debug, Default)]
struct Listed(std::collections::VecDeque<Fate>);

impl FateSource for Listed {
    fn next(&mut self) -> Fate {
        self.0.pop_front().unwrap_or(Fate::Deliver)
    }
}

impl Line {
    pub(super) fn new(inner: Loopback) -> Self {
        Self::of(inner, Listed::default())
    }

    pub(super) fn of(inner: Loopback, fates: impl FateSource + 'static) -> Self {
        Self { inner, fates: Mutex::new(Box::new(fates)), pushed: Mutex::default() }
    }

    pub(super) fn with(inner: Loopback, fates: impl IntoIterator<Item = Fate>) -> Self {
        Self::of(inner, Listed(fates.into_iter().collect()))
    }

    fn fate(&self) -> Fate {
        self.fates.lock().unwrap().next()
    }
}

pub(super) fn unreachable() -> Error {
    Error::new(ErrorKind::Unavailable, "the line is down").with_retry_after(Duration::from_secs(1))
}

#[async_trait]
impl Transport for Line {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.pushed.lock().unwrap().push(push.clone());
        match self.fate() {
            Fate::Deliver => self.inner.push(space, push).await,
            Fate::DropRequest => Err(unreachable()),
            Fate::DropReply => {
                self.inner.push(space, push).await?;
                Err(unreachable())
            }
            Fate::Repeat => {
                self.inner.push(space, push).await?;
                self.inner.push(space, push).await
            }
        }
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        match self.fate() {
            Fate::Deliver | Fate::Repeat => self.inner.pull(space, pull).await,
            Fate::DropRequest | Fate::DropReply => Err(unreachable()),
        }
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let whole = self.inner.snapshot(space, request);
        match self.fate() {
            Fate::Deliver | Fate::Repeat => whole,
            Fate::DropRequest => stream::iter([Err(unreachable())]).boxed(),
            // Cut somewhere in the middle.
            Fate::DropReply => whole.take(5).boxed(),
        }
    }
}

/// Answers nothing, ever.
#[derive(Debug)]
pub(super) struct Hanging;

#[async_trait]
impl Transport for Hanging {
    async fn push(&self, _: &SpaceId, _: &PushRequest) -> Result<PushReply> {
        std::future::pending().await
    }

    async fn pull(&self, _: &SpaceId, _: &PullRequest) -> Result<PullReply> {
        std::future::pending().await
    }

    fn snapshot(&self, _: &SpaceId, _: &SnapshotRequest) -> BoxStream<'static, Result<SnapshotItem>> {
        stream::pending().boxed()
    }
}
