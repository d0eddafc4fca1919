//! A front of a transport that passes everything on, for traps that change some of it.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use sync_core::protocol::{
    PullReply, PullRequest, PushDone, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use sync_core::simulator::{Hooks, Process};
use sync_core::store::{Mode, Store, StoreTxn};
use sync_core::transport::{LiveStream, Transport};
use sync_core::{Error, ErrorKind, Outcome, Result, Runtime, Seq, SpaceId};

/// What a trap changes on the way to a server and back. What it does not mention is passed on.
#[async_trait]
pub(super) trait WayTrap: Debug + Send + Sync + 'static {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        way.push(space, push).await
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        way.pull(space, pull).await
    }

    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        way.snapshot(space, ask)
    }

    fn live(&self, way: &dyn Transport, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        way.live(space, ask)
    }
}

/// A snapshot on its way.
pub(super) type Items = BoxStream<'static, Result<SnapshotItem>>;

/// A transport with a trap in it.
#[derive(Debug)]
pub(super) struct TrappedWay<T> {
    way: Arc<dyn Transport>,
    trap: T,
}

impl<T: WayTrap> TrappedWay<T> {
    pub(super) fn front(way: Arc<dyn Transport>, trap: T) -> Arc<dyn Transport> {
        Arc::new(Self { way, trap })
    }
}

#[async_trait]
impl<T: WayTrap> Transport for TrappedWay<T> {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.trap.push(&*self.way, space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.trap.pull(&*self.way, space, pull).await
    }

    fn snapshot(&self, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        self.trap.snapshot(&self.way, space, ask)
    }

    fn live(&self, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        self.trap.live(&*self.way, space, ask)
    }
}

/// The answer that refuses everything in a batch.
pub(super) fn all_refused(push: &PushRequest) -> PushReply {
    let outcomes = vec![Outcome::rejected("refused", "it was given up"); push.mutations.len()];
    PushReply::Done(PushDone { outcomes, head: Seq::ZERO, receipt: None, page: None })
}

/// The store of a server, for traps that have to know what is there.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerStore(Arc<Mutex<Option<Opened>>>);

/// A store, and the process that has it.
type Opened = (Arc<dyn Store>, Process);

impl ServerStore {
    /// How long to wait for what is there: a server that dies says nothing.
    const WAIT_MAX: Duration = Duration::from_secs(1);

    /// Hooks that take it down.
    pub(super) fn watched(&self) -> Hooks {
        let seen = self.clone();
        Hooks::default().server_store(move |store, place| {
            *seen.0.lock().unwrap() = Some((Arc::clone(&store), place.process.clone()));
            store
        })
    }

    /// What is there now, for as long as its transaction is used [in time](Self::in_time).
    pub(super) async fn read(&self, space: &SpaceId) -> Result<Box<dyn StoreTxn>> {
        let (store, _) = self.0.lock().unwrap().clone().expect("a server has run");
        store.begin(space, Mode::Read).await
    }

    /// What a look at it comes to; an error when the server does not say.
    pub(super) async fn in_time<T>(&self, look: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let (_, process) = self.0.lock().unwrap().clone().expect("a server has run");
        match select(pin!(look), process.sleep(Self::WAIT_MAX)).await {
            Either::Left((seen, _)) => seen,
            Either::Right(_) => Err(Error::new(ErrorKind::Unavailable, "the server does not say")),
        }
    }
}
