//! Some of a space's collections, and access that is taken away.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;

use super::world::*;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, code};
use crate::replica::{ACCESS_LOST, Query, Replica};
use crate::store::{MemoryStore, Store};
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;

async fn n(replica: &Replica, collection: &str) -> usize {
    replica.list(collection, &Query::all()).await.unwrap().len()
}

/// A server with three records in each of three collections, and who wrote them.
async fn three_collections() -> (World, Replica) {
    let world = World::new().await;
    let one = world.fresh().await;
    for collection in ["notes", "photos", "tasks"] {
        for id in ["a", "b", "c"] {
            one.put(collection, id, &json!({"x": 0, "y": 0})).await.unwrap();
        }
    }
    one.sync(&world.loopback()).await.unwrap();
    (world, one)
}

#[tokio::test]
async fn only_what_is_selected_is_kept_and_everything_can_be_changed() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    two.select(&["notes", "tasks"]).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    assert_eq!((n(&two, "notes").await, n(&two, "photos").await, n(&two, "tasks").await), (3, 0, 3));
    one.patch("photos", "a", &json!({"x": 1})).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    two.put("photos", "mine", &json!(1)).await.unwrap();
    two.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&two, "a").await, Some(json!({"x": 1, "y": 1})));
    assert_eq!(one.get("photos", "mine").await.unwrap(), Some(json!(1)), "it was sent");
    assert_eq!(n(&two, "photos").await, 0, "and is not kept");
    assert!(two.unsent().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_narrower_selection_removes_what_is_confirmed_and_sends_the_rest_first() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    world.settle(&[&two]).await;
    two.patch("photos", "a", &json!({"y": 1})).await.unwrap();
    two.delete("photos", "b").await.unwrap();
    two.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    two.put("photos", "new", &json!(1)).await.unwrap();
    two.select(&["notes"]).await.unwrap();
    assert_eq!((n(&two, "notes").await, n(&two, "photos").await, n(&two, "tasks").await), (3, 2, 0));
    world.settle(&[&two, &one]).await;
    assert_eq!(n(&two, "photos").await, 0);
    assert_eq!(one.get("photos", "a").await.unwrap(), Some(json!({"x": 0, "y": 1})));
    assert_eq!(one.get::<i64>("photos", "b").await.unwrap(), None);
    assert_eq!(one.get("photos", "new").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn a_wider_selection_loads_what_is_new_and_keeps_edits() {
    let (world, one) = three_collections().await;
    let disk = MemoryStore::default();
    let two = world.replica(&disk).await;
    two.select(&["notes"]).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    two.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    two.put("photos", "a", &json!({"x": 0, "y": 0, "z": 1})).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    two.select(&["notes", "photos"]).await.unwrap();
    drop(two);
    let two = world.replica(&disk).await;
    assert_eq!(n(&two, "photos").await, 1, "nothing of it is seen before it is all there");
    world.settle(&[&two, &one]).await;
    assert_eq!((n(&two, "notes").await, n(&two, "photos").await, n(&two, "tasks").await), (3, 3, 0));
    assert_eq!(value(&one, "a").await, Some(json!({"x": 1, "y": 1})));
    assert_eq!(one.get("photos", "a").await.unwrap(), Some(json!({"x": 0, "y": 0, "z": 1})));
    two.select_all().await.unwrap();
    world.settle(&[&two, &one]).await;
    world.assert_converged(&[&one, &two]).await;
}

/// A server that says no, to everything or to writing only.
#[derive(Debug)]
struct Refusing {
    inner: Loopback,
    code: &'static str,
    is_readable: bool,
}

impl Refusing {
    fn refusal(&self) -> Error {
        Error::new(ErrorKind::Forbidden, "no").with_code(self.code)
    }
}

#[async_trait]
impl Transport for Refusing {
    async fn push(&self, _: &SpaceId, _: &PushRequest) -> Result<PushReply> {
        Err(self.refusal())
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        if self.is_readable { self.inner.pull(space, pull).await } else { Err(self.refusal()) }
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        if self.is_readable {
            return self.inner.snapshot(space, request);
        }
        stream::iter([Err(self.refusal())]).boxed()
    }
}

#[tokio::test]
async fn access_that_is_lost_removes_the_copy_and_sets_unsent_edits_aside() {
    let (world, one) = three_collections().await;
    let disk = MemoryStore::default();
    let two = world.replica(&disk).await;
    world.settle(&[&two]).await;
    two.put("notes", "sent", &json!("unanswered")).await.unwrap();
    two.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    two.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    two.delete("photos", "b").await.unwrap();
    let server = Refusing { inner: world.loopback(), code: code::SPACE_REVOKED, is_readable: false };
    assert_eq!(two.sync(&server).await.unwrap_err().kind(), ErrorKind::Forbidden);
    for collection in ["notes", "photos", "tasks"] {
        assert_eq!(n(&two, collection).await, 0, "{collection}");
    }
    let aside = two.set_aside(10).await.unwrap();
    assert!(aside.iter().all(|edit| edit.code == ACCESS_LOST));
    let mut keys: Vec<String> = aside.iter().map(|edit| edit.mutation.key.to_string()).collect();
    keys.sort();
    assert_eq!(keys, ["notes/a", "notes/sent", "photos/b"]);
    assert_eq!(disk.spaces(None, 10).await.unwrap().len(), 1, "the copy is still on the disk");
    // It is given back later, and the replica begins anew; what was set aside stays until someone dismisses it.
    two.sync(&server).await.unwrap_err();
    world.settle(&[&two, &one]).await;
    world.assert_converged(&[&one, &two]).await;
    assert_eq!(two.set_aside(10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_space_that_is_not_found_or_forbidden_without_saying_why_costs_nothing() {
    let (world, _) = three_collections().await;
    let two = world.fresh().await;
    world.settle(&[&two]).await;
    two.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    let server = Refusing { inner: world.loopback(), code: "forbidden", is_readable: false };
    assert_eq!(two.sync(&server).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!((n(&two, "notes").await, two.set_aside(10).await.unwrap().len()), (3, 0));
    world.settle(&[&two]).await;
    world.assert_converged(&[&two]).await;
}

#[tokio::test]
async fn who_may_not_write_still_reads_and_keeps_its_edits() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    world.settle(&[&two]).await;
    two.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let server = Refusing { inner: world.loopback(), code: "forbidden_role", is_readable: true };
    assert_eq!(two.sync(&server).await.unwrap_err().code(), Some("forbidden_role"));
    assert_eq!(value(&two, "a").await, Some(json!({"x": 1, "y": 1})), "what others did, and its own edit");
    assert_eq!(two.unsent().await.unwrap().n_waiting, 1);
    world.settle(&[&two, &one]).await;
    world.assert_converged(&[&one, &two]).await;
}

/// Selects another collection while the snapshot is received.
#[derive(Debug)]
struct SelectsMeanwhile {
    inner: Loopback,
    replica: Replica,
}

#[async_trait]
impl Transport for SelectsMeanwhile {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.inner.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.replica.select(&["notes", "tasks"]).await?;
        self.inner.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.inner.snapshot(space, request)
    }
}

#[tokio::test]
async fn a_selection_that_changes_while_it_is_loaded_is_loaded_as_it_is_then() {
    let (world, _) = three_collections().await;
    let two = world.fresh().await;
    two.select(&["notes", "photos"]).await.unwrap();
    let server = SelectsMeanwhile { inner: world.loopback(), replica: two.clone() };
    two.sync(&server).await.unwrap();
    assert_eq!((n(&two, "notes").await, n(&two, "photos").await, n(&two, "tasks").await), (3, 0, 3));
}

#[tokio::test]
async fn a_refusal_of_what_was_sent_before_does_not_take_it_apart() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    world.settle(&[&two]).await;
    two.put("notes", "new", &json!("carried out")).await.unwrap();
    two.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    for is_readable in [false, true] {
        let server = Refusing { inner: world.loopback(), code: "forbidden_role", is_readable };
        assert_eq!(two.sync(&server).await.unwrap_err().code(), Some("forbidden_role"));
        assert_eq!(two.unsent().await.unwrap().n_in_flight, 1);
    }
    // The server has the record: a delete that found it unsent would have nothing to say.
    assert!(two.delete("notes", "new").await.unwrap());
    world.settle(&[&two, &one]).await;
    assert_eq!(value(&one, "new").await, None, "the delete is lost");
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_position_is_not_reached_while_more_is_wanted_than_is_here() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    two.select(&["notes"]).await.unwrap();
    world.settle(&[&two, &one]).await;
    let position = one.position().await.unwrap().unwrap();
    two.wait_for(&position).await.unwrap();
    two.select_all().await.unwrap();
    assert!(two.wait_for(&position).now_or_never().is_none());
    let sync = async { world.settle(&[&two]).await };
    let (reached, ()) = futures_util::join!(two.wait_for(&position), sync);
    reached.unwrap();
    assert_eq!(n(&two, "photos").await, 3);
}

#[tokio::test]
async fn a_removal_that_is_late_leaves_what_was_selected_again() {
    let (world, one) = three_collections().await;
    let two = world.fresh().await;
    world.settle(&[&two, &one]).await;
    two.select(&["notes"]).await.unwrap();
    two.select_all().await.unwrap();
    world.settle(&[&two]).await;
    // What a removal does that looked at the selection before.
    let photos = crate::types::Collection::new("photos").unwrap();
    let late = two.write(|local| async move { local.remove_some(photos, None).await }.boxed());
    assert_eq!(late.await.unwrap(), (0, None));
    assert_eq!(n(&two, "photos").await, 3);
}
