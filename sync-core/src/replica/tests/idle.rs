//! A sync with nothing to do: what it costs, however much there is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::json;

use super::world::*;
use crate::accounts::Role;
use crate::error::Result;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::replica::{Replica, SyncReport};
use crate::runtime::TokioRuntime;
use crate::service::{Actor, Service};
use crate::store::{Call, FaultyStore, MemoryStore};
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;

/// Bytes of content that a request or its answer may have when there is nothing to say.
const BODY_BYTES_MAX: usize = 300;

/// Notes what is asked, with the bytes of the request (a pull has none but its cursor) and of the answer.
#[derive(Debug)]
struct Noted(Loopback, Mutex<Vec<(&'static str, usize, usize)>>);

impl Noted {
    fn note(&self, what: &'static str, n_asked: usize, n_answered: usize) {
        self.1.lock().unwrap().push((what, n_asked, n_answered));
    }
}

#[async_trait]
impl Transport for Noted {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let reply = self.0.push(space, push).await?;
        let PushReply::Done(done) = &reply else { panic!("not done: {reply:?}") };
        self.note("push", push.to_json().len(), done.to_json().len());
        Ok(reply)
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let reply = self.0.pull(space, pull).await?;
        let PullReply::Page(page) = &reply else { panic!("not a page: {reply:?}") };
        let n_asked = pull.after.as_ref().map_or(0, |after| after.as_str().len());
        self.note("pull", n_asked, page.to_json().len());
        Ok(reply)
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.note("snapshot", 0, 0);
        self.0.snapshot(space, request)
    }
}

type Calls = BTreeMap<Call, u64>;

/// What one more sync of a space of `n` records costs: at the replica's store, at the server's, and on the line.
type Cost = (Calls, Calls, Vec<(&'static str, usize, usize)>);

async fn cost_with(n: usize) -> Cost {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let replica = world.replica(&disk).await;
    for id in 0..n {
        replica.put("notes", &id.to_string(), &json!({"n": id})).await.unwrap();
    }
    world.settle(&[&replica]).await;
    let local = FaultyStore::new(Arc::new(disk));
    let options = world.options();
    let replica = Replica::open(Arc::new(local.clone()), space(), options.clone()).await.unwrap();
    let remote = FaultyStore::new(Arc::new(world.store.clone()));
    let service = Service::new(Arc::new(remote.clone()), Arc::new(TokioRuntime));
    let line = Noted(Loopback::new(service, Actor::new(options.actor, Role::Owner)), Mutex::default());
    let opening = local.calls();
    assert_eq!(replica.sync(&line).await.unwrap(), SyncReport::default());
    let mut at_replica = local.calls();
    at_replica.iter_mut().for_each(|(call, n)| *n -= opening.get(call).unwrap_or(&0));
    at_replica.retain(|_, n| *n > 0);
    (at_replica, remote.calls(), line.1.into_inner().unwrap())
}

#[tokio::test]
async fn a_sync_with_nothing_to_do_asks_once_and_looks_at_three_places() {
    let (at_replica, at_server, asked) = cost_with(10).await;
    // The state and the batch, whether anything was edited, and at the end whether anything was edited meanwhile.
    assert_eq!(at_replica, Calls::from([(Call::BeginRead, 2), (Call::Records, 1), (Call::Scan, 2)]));
    assert_eq!(
        at_server,
        Calls::from([(Call::BeginRead, 1)]),
        "where the space stands comes with the transaction"
    );
    let [("pull", n_asked, n_answered)] = asked[..] else { panic!("not one pull: {asked:?}") };
    assert!(n_asked < BODY_BYTES_MAX && n_answered < BODY_BYTES_MAX, "{asked:?}");
}

#[tokio::test]
async fn a_sync_with_nothing_to_do_costs_the_same_however_many_records_there_are() {
    assert_eq!(cost_with(10).await, cost_with(2000).await);
}
