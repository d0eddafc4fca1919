//! What watchers are told, whoever made the change.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};

use super::slow::SlowStore;
use super::world::*;
use crate::conflict::Resolution;
use crate::error::ErrorKind;
use crate::protocol::{PushReply, PushRequest};
use crate::replica::{Event, Origin, Query, Replica, Watch};
use crate::store::{Fault, FaultyStore, MemoryStore};
use crate::types::Collection;

/// What waits for a watcher, as collection and id, content, origin.
fn told(watch: &mut Watch) -> Vec<(String, Option<Value>, Origin)> {
    let events = std::iter::from_fn(|| watch.next().now_or_never().flatten());
    let change = |event| match event {
        Event::Changed(change) => {
            (change.key.to_string(), change.data.map(|data| data.to_value()), change.origin)
        }
        Event::Reload => panic!("nothing overflows here"),
    };
    events.map(change).collect()
}

fn said(id: &str, data: impl Into<Option<Value>>, origin: Origin) -> (String, Option<Value>, Origin) {
    (format!("notes/{id}"), data.into(), origin)
}

async fn two() -> (World, Replica, Replica) {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    (world, one, two)
}

#[tokio::test]
async fn own_edits_are_told_once_and_their_confirmation_is_not() {
    let (world, one, _) = two().await;
    let mut watch = one.watch(&["notes"]).unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.put("other", "a", &1).await.unwrap();
    one.put("notes", "a", &json!({"x": 1, "y": 0})).await.unwrap();
    one.delete("notes", "a").await.unwrap();
    one.delete("notes", "not-there").await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let expected = [said("a", json!({"x": 1, "y": 0}), Origin::Local), said("a", None, Origin::Local)];
    assert_eq!(told(&mut watch), expected);
}

#[tokio::test]
async fn a_transaction_is_told_in_the_order_of_its_writes_and_only_if_it_happened() {
    let (_, one, _) = two().await;
    let mut watch = one.watch(&[]).unwrap();
    let abandoned: crate::Result<()> = one
        .transaction(async |t| {
            t.put("notes", "b", &1).await?;
            Err(crate::Error::invalid("mine", "no"))
        })
        .await;
    abandoned.unwrap_err();
    one.transaction(async |t| {
        for id in ["z", "b", "q", "b"] {
            t.put("notes", id, &json!(id)).await?;
        }
        t.put("notes", "b", &json!(2)).await?;
        t.put("notes", "taken back", &json!(1)).await?;
        t.delete("notes", "taken back").await
    })
    .await
    .unwrap();
    let expected = [("z", json!("z")), ("b", json!(2)), ("q", json!("q"))];
    let expected = expected.map(|(id, data)| said(id, data, Origin::Local));
    assert_eq!(told(&mut watch), expected);
}

#[tokio::test]
async fn what_others_did_is_told_as_remote_and_what_was_joined_as_merge() {
    let (world, one, two) = two().await;
    let mut watch = two.watch(&["notes"]).unwrap();
    one.put("notes", "b", &1).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    let expected = [said("b", json!(1), Origin::Remote), said("a", json!({"x": 1, "y": 0}), Origin::Remote)];
    assert_eq!(told(&mut watch), expected);
    // Joined at the server: the outcome brings it.
    one.patch("notes", "a", &json!({"x": 2})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    two.patch("notes", "a", &json!({"y": 2})).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    let expected = [
        said("a", json!({"x": 1, "y": 2}), Origin::Local),
        said("a", json!({"x": 2, "y": 2}), Origin::Merge),
    ];
    assert_eq!(told(&mut watch), expected);
}

#[tokio::test]
async fn a_page_that_meets_an_edit_is_told_as_merge() {
    let (world, one, two) = two().await;
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let mut watch = two.watch(&["notes"]).unwrap();
    let after = two.state().await.unwrap().cursor.unwrap();
    let request = crate::protocol::PullRequest { after: Some(after.clone()), ..Default::default() };
    let reply = world.service.pull(&ada(), &space(), request).await.unwrap();
    let crate::protocol::PullReply::Page(page) = reply else { panic!("no page") };
    two.patch("notes", "a", &json!({"y": 2})).await.unwrap();
    let asked = crate::replica::sync::page::Asked { after, receipt: None };
    two.write(move |local| async move { local.apply_page(page, &asked).await }.boxed()).await.unwrap();
    let expected = [
        said("a", json!({"x": 0, "y": 2}), Origin::Local),
        said("a", json!({"x": 1, "y": 2}), Origin::Merge),
    ];
    assert_eq!(told(&mut watch), expected);
}

#[tokio::test]
async fn a_refused_edit_is_told_as_the_server_state_again() {
    let (world, one, _) = two().await;
    let mut watch = one.watch(&["notes"]).unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&Refusing(world.loopback())).await.unwrap();
    let expected = [
        said("a", json!({"x": 1, "y": 0}), Origin::Local),
        said("a", json!({"x": 0, "y": 0}), Origin::Remote),
    ];
    assert_eq!(told(&mut watch), expected);
}

#[tokio::test]
async fn conflicts_are_told_to_those_who_watch_them_and_to_nobody_else() {
    let (world, one, two) = two().await;
    let (mut all, mut conflicts) = (two.watch(&[]).unwrap(), two.watch_conflicts());
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    two.patch("notes", "a", &json!({"x": 2})).await.unwrap();
    world.settle(&[&one, &two]).await;
    let conflict = two.conflicts(10).await.unwrap().remove(0);
    let id = conflict.id.clone();
    let arisen = told(&mut conflicts);
    assert_eq!(arisen.len(), 1);
    assert_eq!((arisen[0].0.clone(), arisen[0].2), (format!("$conflicts/{id}"), Origin::Remote));
    two.resolve(&conflict, Resolution::TakeMine).await.unwrap();
    world.settle(&[&two, &one]).await;
    assert_eq!(told(&mut conflicts), [(format!("$conflicts/{id}"), None, Origin::Local)]);
    let expected = [
        said("a", json!({"x": 2, "y": 0}), Origin::Local),
        said("a", json!({"x": 1, "y": 0}), Origin::Remote),
        said("a", json!({"x": 2, "y": 0}), Origin::Local),
    ];
    assert_eq!(told(&mut all), expected);
    assert!(two.watch(&[Collection::CONFLICTS]).is_ok());
    assert_eq!(two.watch(&["$base"]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_watch_replayed_onto_a_list_is_the_list() {
    // Two writers at once, one of them the sync: the order of what is told is the order of what is stored.
    let (world, one, two) = two().await;
    let mut watch = two.watch(&["notes"]).unwrap();
    for n in 0..40 {
        one.put("notes", &format!("k{}", n % 5), &json!({"one": n})).await.unwrap();
        let (_, line) = (one.sync(&world.loopback()).await.unwrap(), world.loopback());
        let edits = async {
            for m in 0..3 {
                two.put("notes", &format!("k{}", (n + m) % 5), &json!({"two": n, "m": m})).await.unwrap();
            }
        };
        let (synced, ()) = futures_util::join!(two.sync(&line), edits);
        synced.unwrap();
    }
    let mut shown = std::collections::BTreeMap::from([("notes/a".to_owned(), json!({"x": 0, "y": 0}))]);
    for (key, data, _) in told(&mut watch) {
        match data {
            Some(data) => shown.insert(key, data),
            None => shown.remove(&key),
        };
    }
    let records = two.list("notes", &Query::all()).await.unwrap();
    let listed = records.into_iter().map(|r| (r.key.to_string(), r.data.unwrap().to_value())).collect();
    assert_eq!(shown, listed);
}

#[tokio::test]
async fn edits_of_many_tasks_are_told_in_the_order_of_commits() {
    let world = World::new().await;
    let one = Replica::open(Arc::new(SlowStore::default()), space(), world.options()).await.unwrap();
    let mut watch = one.watch(&[]).unwrap();
    let edits = |task: u32| {
        let one = one.clone();
        async move {
            for n in 0..20 {
                one.put("notes", &format!("{task}-{n}"), &n).await.unwrap();
            }
        }
    };
    futures_util::future::join_all((0..6).map(edits)).await;
    let mut stored = one.list("notes", &Query::all()).await.unwrap();
    stored.sort_by_key(|record| record.meta.version);
    let stored: Vec<String> = stored.iter().map(|record| record.key.to_string()).collect();
    let told: Vec<String> = told(&mut watch).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(told, stored);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_a_reload() {
    let world = World::new().await;
    let store = FaultyStore::new(Arc::new(MemoryStore::default()));
    let one = Replica::open(Arc::new(store.clone()), space(), world.options()).await.unwrap();
    let mut watch = one.watch(&[]).unwrap();
    let n_before = store.n_calls();
    one.put("notes", "a", &1).await.unwrap();
    assert_eq!(told(&mut watch).len(), 1);
    // The last call of a write is its commit.
    store.fail_at(2 * store.n_calls() - n_before, Fault::AnswerLost);
    assert_eq!(one.put("notes", "b", &1).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(value(&one, "b").await, Some(json!(1)), "it happened");
    assert_eq!(watch.next().now_or_never(), Some(Some(Event::Reload)));
}

/// Answers every mutation with a refusal.
#[derive(Debug)]
pub(super) struct Refusing(pub(super) crate::transport::Loopback);

#[async_trait::async_trait]
impl crate::transport::Transport for Refusing {
    async fn push(&self, _: &crate::SpaceId, push: &PushRequest) -> crate::Result<PushReply> {
        let refused = |_| crate::Outcome::rejected("not_today", "no");
        let outcomes = push.mutations.iter().map(refused).collect();
        Ok(PushReply::Done(crate::protocol::PushDone {
            outcomes,
            head: crate::Seq::ZERO,
            receipt: None,
            page: None,
        }))
    }

    async fn pull(
        &self,
        space: &crate::SpaceId,
        pull: &crate::protocol::PullRequest,
    ) -> crate::Result<crate::protocol::PullReply> {
        self.0.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &crate::SpaceId,
        request: &crate::protocol::SnapshotRequest,
    ) -> futures_util::stream::BoxStream<'static, crate::Result<crate::protocol::SnapshotItem>> {
        self.0.snapshot(space, request)
    }
}
