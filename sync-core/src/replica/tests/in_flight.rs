//! What is edited while a push or a pull is under way, at every point of it; and batches of which one edit is bad.

use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

use super::world::*;
use crate::error::Result;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, code};
use crate::replica::Replica;
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;

/// An edit of the record `r`, which is `{"x": 1, "y": 0}` and on its way, or around it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edit {
    SameField,
    OtherField,
    /// Back to what it was before the edit that is on its way.
    TakeBack,
    Delete,
    Recreate,
    OtherRecord,
    /// The record and another one, together.
    Together,
    /// Another one that is on its way, too.
    Second,
}

const EDITS: [Edit; 8] = [
    Edit::SameField,
    Edit::OtherField,
    Edit::TakeBack,
    Edit::Delete,
    Edit::Recreate,
    Edit::OtherRecord,
    Edit::Together,
    Edit::Second,
];

async fn make(replica: &Replica, edit: Edit) {
    let put = async |id: &str, value: Value| replica.put("notes", id, &value).await.map(|_| ());
    match edit {
        Edit::SameField => replica.patch("notes", "r", &json!({"x": 2})).await.map(|_| ()),
        Edit::OtherField => replica.patch("notes", "r", &json!({"y": 2})).await.map(|_| ()),
        Edit::TakeBack => replica.patch("notes", "r", &json!({"x": 0})).await.map(|_| ()),
        Edit::Delete => replica.delete("notes", "r").await.map(|_| ()),
        Edit::Recreate => {
            replica.delete("notes", "r").await.unwrap();
            put("r", json!({"new": 1})).await
        }
        Edit::OtherRecord => put("other", json!({"x": 2})).await,
        Edit::Second => put("s", json!({"x": 2})).await,
        Edit::Together => {
            let work = replica.transaction(async |t| {
                t.patch("notes", "r", &json!({"x": 3})).await?;
                t.put("notes", "with-it", &json!({"x": 3})).await
            });
            work.await.map(|_| ())
        }
    }
    .unwrap();
}

/// A line on which someone edits at a certain point: before a request or after its answer, which may then be lost.
#[derive(Debug)]
struct Meanwhile<'a> {
    inner: Loopback,
    replica: &'a Replica,
    edit: Edit,
    at: usize,
    is_answer_lost: bool,
    n_points: Mutex<usize>,
}

impl Meanwhile<'_> {
    /// Whether this point was the one.
    async fn point(&self) -> bool {
        let is_here = {
            let mut n_points = self.n_points.lock().unwrap();
            *n_points += 1;
            *n_points - 1 == self.at
        };
        if is_here {
            make(self.replica, self.edit).await;
        }
        is_here
    }

    async fn around<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.point().await;
        let reply = request.await;
        let is_here = self.point().await;
        if is_here && self.is_answer_lost { Err(unreachable()) } else { reply }
    }
}

#[async_trait]
impl Transport for Meanwhile<'_> {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.around(self.inner.push(space, push)).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.around(self.inner.pull(space, pull)).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.inner.snapshot(space, request)
    }
}

/// Runs a sync during which this edit is made at this point; says how many points there were.
async fn run(edit: Edit, at: usize, is_answer_lost: bool, is_joined: bool) -> usize {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["r", "s"] {
        one.put("notes", id, &json!({"x": 0, "y": 0})).await.unwrap();
    }
    world.settle(&[&one, &two]).await;
    if is_joined {
        // Someone else has changed the record in another place: what is sent is joined with that.
        two.patch("notes", "r", &json!({"z": 1})).await.unwrap();
        two.put("notes", "theirs", &json!(1)).await.unwrap();
        two.sync(&world.loopback()).await.unwrap();
    }
    for id in ["r", "s"] {
        one.patch("notes", id, &json!({"x": 1})).await.unwrap();
    }
    let line = Meanwhile {
        inner: world.loopback(),
        replica: &one,
        edit,
        at,
        is_answer_lost,
        n_points: Mutex::new(0),
    };
    let result = one.sync(&line).await;
    let n_points = *line.n_points.lock().unwrap();
    if at >= n_points {
        return n_points;
    }
    assert!(result.is_ok() || is_answer_lost, "{result:?}");
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
    assert_eq!(one.conflicts(10).await.unwrap(), [], "one is not in conflict with oneself");
    assert_eq!(one.set_aside(10).await.unwrap(), []);
    check(edit, &two, is_joined).await;
    n_points
}

async fn check(edit: Edit, two: &Replica, is_joined: bool) {
    let mut expected = match edit {
        Edit::SameField => Some(json!({"x": 2, "y": 0})),
        Edit::OtherField => Some(json!({"x": 1, "y": 2})),
        Edit::TakeBack => Some(json!({"x": 0, "y": 0})),
        Edit::Delete => None,
        Edit::Recreate => Some(json!({"new": 1})),
        Edit::OtherRecord | Edit::Second => Some(json!({"x": 1, "y": 0})),
        Edit::Together => Some(json!({"x": 3, "y": 0})),
    };
    if let Some(expected) = expected.as_mut().filter(|_| is_joined) {
        expected["z"] = json!(1);
    }
    assert_eq!(value(two, "r").await, expected);
    let x = async |id: &str| value(two, id).await.map(|value| value["x"].clone());
    assert_eq!(x("s").await, Some(json!(if edit == Edit::Second { 2 } else { 1 })));
    assert_eq!(x("other").await, (edit == Edit::OtherRecord).then(|| json!(2)));
    assert_eq!(x("with-it").await, (edit == Edit::Together).then(|| json!(3)));
}

#[tokio::test]
async fn an_edit_at_any_point_of_a_sync_is_neither_lost_nor_taken_for_what_was_sent() {
    for edit in EDITS {
        for is_joined in [false, true] {
            // Whoever deletes or replaces what others are changing is in conflict with them, and rightly so.
            if is_joined && matches!(edit, Edit::Delete | Edit::Recreate) {
                continue;
            }
            for is_answer_lost in [false, true] {
                let mut at = 0;
                loop {
                    println!("{edit:?} at point {at}, answer lost {is_answer_lost}, joined {is_joined}");
                    if at >= run(edit, at, is_answer_lost, is_joined).await {
                        break;
                    }
                    at += 1;
                }
                assert!(at >= 2, "there is a push, and points before and after it");
            }
        }
    }
}

/// Two replicas with twenty edits each of records that both have, of which the one in the middle will be `middle`.
async fn twenty(middle: [Value; 2]) -> (World, Replica, Replica) {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for n in 0..20 {
        one.put("notes", &format!("{n:02}"), &json!({"x": -1})).await.unwrap();
    }
    world.settle(&[&one, &two]).await;
    let [theirs, mine] = middle;
    two.put("notes", "10", &theirs).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    for n in 0..20 {
        let value = if n == 10 { mine.clone() } else { json!({"x": n}) };
        one.put("notes", &format!("{n:02}"), &value).await.unwrap();
    }
    (world, one, two)
}

async fn assert_others_arrived(world: &World, one: &Replica, two: &Replica) {
    world.settle(&[one, two]).await;
    for n in (0..20).filter(|n| *n != 10) {
        assert_eq!(value(two, &format!("{n:02}")).await, Some(json!({"x": n})));
    }
    world.assert_converged(&[one, two]).await;
}

#[tokio::test]
async fn one_bad_edit_in_a_batch_is_set_aside_and_shown_and_the_others_are_applied() {
    // Each fits into a record, and both together do not.
    let large = |field: &str| json!({"x": -1, field: "x".repeat(600_000)});
    let (world, one, two) = twenty([large("theirs"), large("mine")]).await;
    let line = world.line();
    let report = one.sync(&line).await.unwrap();
    assert_eq!((report.pushed, report.rejected, report.conflicts), (20, 1, 0));
    assert_eq!(line.pushed.lock().unwrap().len(), 1, "one batch of twenty");
    assert_eq!(value(&one, "10").await, Some(large("theirs")), "the server's state is shown again");
    let aside = one.set_aside(10).await.unwrap();
    assert_eq!((aside.len(), aside[0].code.as_str()), (1, code::VALIDATION_FAILED));
    assert!(aside[0].mutation.to_json().contains("/mine"), "and the edit is kept");
    assert_eq!(one.unsent().await.unwrap().n_set_aside, 1);
    assert_others_arrived(&world, &one, &two).await;
}

#[tokio::test]
async fn one_conflict_in_a_batch_does_not_hold_up_the_others() {
    let (world, one, two) = twenty([json!({"x": "theirs"}), json!({"x": "mine"})]).await;
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.pushed, report.rejected, report.conflicts), (20, 0, 1));
    assert_eq!(value(&one, "10").await, Some(json!({"x": "theirs"})));
    assert_eq!(one.conflicts(10).await.unwrap()[0].body.mine, Some(json!({"x": "mine"})));
    assert_others_arrived(&world, &one, &two).await;
}
