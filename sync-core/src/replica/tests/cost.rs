//! What a sync costs: with nothing to do, however much there is, and with edits, however many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::json;

use super::world::*;
use crate::accounts::Role;
use crate::error::Result;
use crate::json::Json;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::replica::app::access::key;
use crate::replica::{Replica, SyncReport};
use crate::runtime::TokioRuntime;
use crate::service::{Actor, Service};
use crate::store::{Call, FaultyStore, KEYS_MAX, MemoryStore};
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
    put(&replica, n).await;
    world.settle(&[&replica]).await;
    let local = FaultyStore::new(Arc::new(disk));
    let replica = Replica::open(Arc::new(local.clone()), space(), world.options()).await.unwrap();
    let remote = FaultyStore::new(Arc::new(world.store.clone()));
    let line = line_to(&world, remote.clone());
    let opening = local.calls();
    assert_eq!(replica.sync(&line).await.unwrap(), SyncReport::default());
    (since(&opening, &local), remote.calls(), line.1.into_inner().unwrap())
}

async fn put(replica: &Replica, n: usize) {
    let key = |id: usize| key("notes", &id.to_string()).unwrap();
    let records = (0..n).map(|id| (key(id), Json::from_value(&json!({"n": id})).unwrap()));
    replica.import(records).await.unwrap();
}

fn line_to(world: &World, store: FaultyStore) -> Noted {
    let service =
        Service::builder(Arc::new(store), Arc::new(TokioRuntime)).clock(world.clock.clone()).build();
    let ada = Actor::new(world.options().actor, Role::Owner);
    Noted(Loopback::new(service, ada), Mutex::default())
}

fn since(before: &Calls, store: &FaultyStore) -> Calls {
    let mut calls = store.calls();
    calls.iter_mut().for_each(|(call, n)| *n -= before.get(call).unwrap_or(&0));
    calls.retain(|_, n| *n > 0);
    calls
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

/// The calls of both stores for a sync of `n` edits, which are one batch.
async fn cost_of(n: usize) -> (Calls, Calls) {
    cost_of_edits(n, async |replica| put(replica, n).await).await
}

async fn cost_of_edits(n: usize, edit: impl AsyncFnOnce(&Replica)) -> (Calls, Calls) {
    let world = World::new().await;
    let local = FaultyStore::new(Arc::new(MemoryStore::default()));
    let replica = Replica::open(Arc::new(local.clone()), space(), world.options()).await.unwrap();
    world.settle(&[&replica]).await;
    edit(&replica).await;
    let (remote, opening) = (FaultyStore::new(Arc::new(world.store.clone())), local.calls());
    let line = line_to(&world, remote.clone());
    assert_eq!(replica.sync(&line).await.unwrap().pushed, n as u64);
    assert_eq!(
        line.1.into_inner().unwrap().len(),
        1,
        "the answer to the push says that there is nothing to pull"
    );
    (since(&opening, &local), remote.calls())
}

#[tokio::test]
async fn sending_a_batch_takes_as_many_calls_whatever_its_size() {
    // Each edit has two rows, and one call reads a thousand of them.
    assert_eq!(cost_of(1).await, cost_of(KEYS_MAX / 2).await);
}

/// The calls for a sync of `n` transactions of two edits.
async fn cost_of_transactions(n: usize) -> (Calls, Calls) {
    let edit = async |replica: &Replica| {
        for pair in 0..n {
            let both = replica.transaction(async |t| {
                t.put("notes", &format!("{pair}-left"), &1).await?;
                t.put("notes", &format!("{pair}-right"), &1).await
            });
            both.await.unwrap();
        }
    };
    cost_of_edits(2 * n, edit).await
}

#[tokio::test]
async fn sending_transactions_takes_as_many_calls_however_many_there_are() {
    assert_eq!(cost_of_transactions(2).await, cost_of_transactions(KEYS_MAX / 4).await);
}
