//! Replicas of the library that run against a server, and hear of each other only over live connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use sync_core::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use sync_core::replica::{Event, Replica, ReplicaOptions, SyncState};
use sync_core::store::MemoryStore;
use sync_core::transport::{HttpTransport, LiveStream, Transport};
use sync_core::{ActorId, ErrorKind, Result, SpaceId, TokioRuntime};
use tokio::time::timeout;

use crate::world::{PATIENCE, User, World};

/// A way on which no request is held: what comes by itself, comes live.
#[derive(Clone, Debug)]
pub(crate) struct OnlyLive {
    inner: Arc<HttpTransport>,
    /// Requests that the server has answered with a refusal.
    pub(crate) n_refused: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for OnlyLive {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.inner.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        if pull.wait.is_some() {
            return std::future::pending().await;
        }
        self.inner.pull(space, pull).await.inspect_err(|error| {
            self.n_refused.fetch_add(usize::from(error.code().is_some()), Ordering::SeqCst);
        })
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.inner.snapshot(space, request)
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        self.inner.live(space, subscribe)
    }
}

pub(crate) fn way(world: &World, user: &User) -> OnlyLive {
    let base = format!("http://{}", world.address);
    let inner = Arc::new(HttpTransport::new(&base, Some(&user.token)).unwrap());
    OnlyLive { inner, n_refused: Arc::default() }
}

/// A replica that runs and has loaded the space.
pub(crate) async fn running(way: &OnlyLive, user: &User, space: &str) -> Replica {
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new(&*user.id).unwrap());
    let space = SpaceId::new(space).unwrap();
    let replica = Replica::open(Arc::new(MemoryStore::default()), space, options).await.unwrap();
    timeout(PATIENCE, replica.sync(way)).await.unwrap().unwrap();
    let (runs, way) = (replica.clone(), way.clone());
    tokio::spawn(async move { runs.run(&way).await });
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_puts_another_one_watches() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "editor").await;
    let ways = [way(&world, &ada), way(&world, &bob)];
    let (one, two) = (running(&ways[0], &ada, &ada.space).await, running(&ways[1], &bob, &ada.space).await);
    // A second space on the same connection, and a second reader of the same one.
    let other = running(&ways[1], &bob, &bob.space).await;
    let again = running(&ways[1], &bob, &ada.space).await;
    for round in 0..20 {
        for (n, (writer, reader)) in [(&one, &two), (&two, &one), (&one, &again)].into_iter().enumerate() {
            let (mut watch, id) = (reader.watch(&["notes"]).unwrap(), format!("{round}-{n}"));
            writer.put("notes", &id, &json!({"round": round})).await.unwrap();
            let is_it =
                |event: &Event| matches!(event, Event::Changed(change) if change.key.id.as_str() == id);
            let told = async { while !watch.next().await.is_some_and(|event| is_it(&event)) {} };
            timeout(PATIENCE, told).await.unwrap();
        }
    }
    assert!(other.get::<Value>("notes", "1-1").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_server_ends_is_offline_soon() {
    let mut world = World::new().await;
    let ada = world.user("ada").await;
    let replica = running(&way(&world, &ada), &ada, &ada.space).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut states = replica.states();
    world.stop().await.unwrap();
    let offline = async {
        loop {
            if let Some(SyncState::Offline { why, .. }) = states.next().await {
                return why;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, offline).await.unwrap(), ErrorKind::Unavailable);
}
