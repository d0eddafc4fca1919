//! Answers that are no answers: refused, and nothing moves.

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::json;

use super::world::*;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, Resync, ResyncReason, SnapshotItem, SnapshotRequest, code,
};
use crate::transport::{Loopback, Transport};
use crate::types::{Cursor, Epoch, Seq, SpaceId, Tag};

/// Asks for a resync whatever it is asked.
#[derive(Debug)]
pub(super) struct Always(pub(super) Loopback);

fn resync() -> Resync {
    Resync { reason: ResyncReason::Horizon, epoch: Epoch::from_bytes([1; 16]), floor: Seq::ZERO }
}

#[async_trait]
impl Transport for Always {
    async fn push(&self, _: &SpaceId, _: &PushRequest) -> Result<PushReply> {
        Ok(PushReply::ResyncRequired(resync()))
    }

    async fn pull(&self, _: &SpaceId, _: &PullRequest) -> Result<PullReply> {
        Ok(PullReply::ResyncRequired(resync()))
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.0.snapshot(space, request)
    }
}

/// Changes what comes back, one way or another.
type Bend<T> = fn(T) -> T;

#[derive(Debug)]
struct Bent {
    inner: Loopback,
    push: Bend<PushReply>,
    pull: Bend<PullReply>,
    snapshot: Bend<SnapshotItem>,
}

impl Bent {
    fn over(world: &World) -> Self {
        Self { inner: world.loopback(), push: |r| r, pull: |r| r, snapshot: |r| r }
    }
}

#[async_trait]
impl Transport for Bent {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.inner.push(space, push).await.map(self.push)
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.inner.pull(space, pull).await.map(self.pull)
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let bend = self.snapshot;
        self.inner.snapshot(space, request).map(move |item| item.map(bend)).boxed()
    }
}

fn bend_page(reply: PullReply, bend: fn(&mut crate::protocol::PullPage)) -> PullReply {
    let PullReply::Page(mut page) = reply else { panic!("not a page") };
    bend(&mut page);
    PullReply::Page(page)
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_and_nothing_moves() {
    let bends: [(&str, Bend<PullReply>); 6] = [
        ("backwards", |reply| bend_page(reply, |page| page.changes.reverse())),
        ("twice", |reply| {
            bend_page(reply, |page| {
                let first = page.changes[0].clone();
                page.changes.insert(0, first);
            })
        }),
        ("beyond the head", |reply| bend_page(reply, |page| page.head = Seq::new(1).unwrap())),
        ("beyond the cursor", |reply| {
            bend_page(reply, |page| page.changes.last_mut().unwrap().meta.version = Seq::MAX)
        }),
        ("another space's", |reply| {
            bend_page(reply, |page| {
                let cursor = Cursor::decode(&page.cursor, &space()).unwrap();
                page.cursor = cursor.encode(&SpaceId::new("other").unwrap());
            })
        }),
        ("leading back", |reply| {
            bend_page(reply, |page| {
                let mut cursor = Cursor::decode(&page.cursor, &space()).unwrap();
                (cursor.seq, cursor.tag) = (Seq::ZERO, Tag::ZERO);
                page.cursor = cursor.encode(&space());
                page.changes.clear();
            })
        }),
    ];
    for (name, pull) in bends {
        let world = World::new().await;
        let (one, two) = (world.fresh().await, world.fresh().await);
        one.put("notes", "0", &0).await.unwrap();
        world.settle(&[&one, &two]).await;
        for id in ["a", "b"] {
            one.put("notes", id, &json!(1)).await.unwrap();
        }
        one.sync(&world.loopback()).await.unwrap();
        let before = two.state_hash().await.unwrap();
        let error = two.sync(&Bent { pull, ..Bent::over(&world) }).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Distrusted, "{name}");
        assert_eq!(two.state_hash().await.unwrap(), before, "{name}");
        world.settle(&[&two]).await;
        world.assert_converged(&[&one, &two]).await;
    }
}

#[tokio::test]
async fn an_answer_with_other_outcomes_than_mutations_is_refused_and_the_batch_stays() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.put("notes", "a", &1).await.unwrap();
    let line = Bent {
        push: |reply| match reply {
            PushReply::Done(mut done) => {
                done.outcomes.clear();
                PushReply::Done(done)
            }
            other => other,
        },
        ..Bent::over(&world)
    };
    assert_eq!(one.sync(&line).await.unwrap_err().kind(), ErrorKind::Distrusted);
    assert_eq!(one.unsent().await.unwrap().n_in_flight, 1);
    one.sync(&world.loopback()).await.unwrap();
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn an_older_state_that_comes_with_a_newer_outcome_is_ignored() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.sync(&world.loopback()).await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    one.put("notes", "a", &2).await.unwrap();
    let line = Bent {
        push: |reply| {
            let PushReply::Done(mut done) = reply else { panic!("not done") };
            let newest = done.outcomes[0].version().unwrap();
            let meta = crate::RecordMeta {
                version: Seq::new(newest.get() - 1).unwrap(),
                revision: 1,
                edited_at: crate::Timestamp::ZERO,
                author: crate::ActorId::new("eve").unwrap(),
                client: None,
                upstream: Seq::ZERO,
            };
            let key = crate::replica::app::access::key("notes", "a").unwrap();
            let older = crate::Record { key, data: Some(crate::json::Json::null()), meta };
            done.page.as_mut().unwrap().changes.insert(0, older);
            PushReply::Done(done)
        },
        ..Bent::over(&world)
    };
    one.sync(&line).await.unwrap();
    assert_eq!(value(&one, "a").await, Some(json!(2)));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_snapshot_of_another_space_is_refused() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.put("notes", "a", &1).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let line = Bent {
        snapshot: |item| match item {
            SnapshotItem::Begin { n_records, .. } => {
                let cursor = Cursor::start(Epoch::from_bytes([1; 16]));
                SnapshotItem::Begin { cursor: cursor.encode(&SpaceId::new("other").unwrap()), n_records }
            }
            other => other,
        },
        ..Bent::over(&world)
    };
    let two = world.fresh().await;
    assert_eq!(two.sync(&line).await.unwrap_err().kind(), ErrorKind::Distrusted);
    assert_eq!(value(&two, "a").await, None);
}

#[tokio::test]
async fn books_of_the_replica_cannot_be_written_by_a_server() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    world.settle(&[&one, &two]).await;
    one.put("notes", "a", &1).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let line = Bent {
        pull: |reply| {
            bend_page(reply, |page| {
                for change in &mut page.changes {
                    change.key = crate::replica::local::row::row_key("$state", "replica");
                }
            })
        },
        ..Bent::over(&world)
    };
    two.sync(&line).await.unwrap();
    two.put("notes", "b", &1).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
}

/// Refuses every batch that holds a record with one of these ids, as a server with other limits would.
#[derive(Debug)]
pub(super) struct Picky(pub(super) Loopback);

#[async_trait]
impl Transport for Picky {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        if push.mutations.iter().any(|mutation| mutation.key.id.as_str().starts_with("bad")) {
            return Err(Error::invalid(code::BODY_TOO_LARGE, "too large"));
        }
        self.0.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.0.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.0.snapshot(space, request)
    }
}

#[tokio::test]
async fn a_refused_batch_is_split_until_only_what_is_refused_is_set_aside() {
    let world = World::new().await;
    let one = world.fresh().await;
    for n in 0..60 {
        let id = if n % 20 == 7 { format!("bad{n}") } else { format!("good{n}") };
        one.put("notes", &id, &json!(n)).await.unwrap();
    }
    let report = one.sync(&Picky(world.loopback())).await.unwrap();
    assert_eq!((report.pushed, report.rejected), (57, 3));
    let aside = one.set_aside(10).await.unwrap();
    assert!(aside.len() == 3 && aside.iter().all(|edit| edit.mutation.key.id.as_str().starts_with("bad")));
    assert_eq!(value(&one, "bad7").await, None, "the server's state is shown");
    assert!(one.dismiss(&aside[0].id).await.unwrap());
    assert_eq!(one.unsent().await.unwrap().n_set_aside, 2);
    world.assert_converged(&[&one]).await;
}

/// Fails every request in one way.
#[derive(Debug)]
pub(super) struct Failing(pub(super) ErrorKind);

#[async_trait]
impl Transport for Failing {
    async fn push(&self, _: &SpaceId, _: &PushRequest) -> Result<PushReply> {
        Err(Error::new(self.0, "no"))
    }

    async fn pull(&self, _: &SpaceId, _: &PullRequest) -> Result<PullReply> {
        Err(Error::new(self.0, "no"))
    }

    fn snapshot(&self, _: &SpaceId, _: &SnapshotRequest) -> BoxStream<'static, Result<SnapshotItem>> {
        stream::iter([Err(Error::new(self.0, "no"))]).boxed()
    }
}

#[tokio::test]
async fn failures_consume_nothing() {
    use ErrorKind as K;
    for kind in [K::Unauthorized, K::Unavailable, K::Overloaded, K::Distrusted, K::NotFound, K::Forbidden] {
        let world = World::new().await;
        let one = world.fresh().await;
        one.sync(&world.loopback()).await.unwrap();
        one.put("notes", "a", &1).await.unwrap();
        assert_eq!(one.sync(&Failing(kind)).await.unwrap_err().kind(), kind);
        let unsent = one.unsent().await.unwrap();
        assert_eq!(unsent.n_in_flight + unsent.n_waiting, 1, "{kind:?}");
        assert_eq!(value(&one, "a").await, Some(json!(1)));
        one.sync(&world.loopback()).await.unwrap();
        world.assert_converged(&[&one]).await;
    }
}
