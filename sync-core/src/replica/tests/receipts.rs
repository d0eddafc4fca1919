//! Receipts that cannot be read, and pages that do not show what they were asked to show.

use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::json;

use super::world::{Fate, Line, World, space, value};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, ResyncReason, SnapshotItem, SnapshotRequest, code,
};
use crate::replica::Replica;
use crate::transport::{Loopback, Transport};
use crate::types::{CursorToken, SpaceId};

/// A way on which something goes wrong.
#[derive(Debug)]
struct Way {
    server: Loopback,
    /// The server cannot read this receipt, as if another version of it had written it.
    unreadable: Option<CursorToken>,
    /// A proxy answers the next pull with this.
    cached: Mutex<Option<PullReply>>,
}

impl Way {
    fn read(&self, receipt: Option<&CursorToken>) -> Result<()> {
        if receipt.is_some() && receipt == self.unreadable.as_ref() {
            return Err(Error::invalid(code::INVALID_CURSOR, "not a cursor of this space"));
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for Way {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.read(push.receipt.as_ref())?;
        self.server.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.read(pull.receipt.as_ref())?;
        let cached = self.cached.lock().unwrap().take();
        match cached {
            Some(reply) => Ok(reply),
            None => self.server.pull(space, pull).await,
        }
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.server.snapshot(space, request)
    }
}

/// A replica that was answered and has not pulled since.
async fn answered(world: &World) -> (Replica, CursorToken) {
    let one = world.fresh().await;
    one.select(&["notes"]).await.unwrap();
    one.put("notes", "a", &json!(1)).await.unwrap();
    world.settle(&[&one]).await;
    one.put("notes", "b", &json!(1)).await.unwrap();
    let line = Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest]);
    one.sync(&line).await.unwrap_err();
    let receipt = one.state().await.unwrap().receipt.expect("nothing shows it yet");
    (one, receipt)
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_is_as_good_as_lost_and_keeps_nobody_from_anything() {
    for writes_again in [false, true] {
        let world = World::new().await;
        let (one, receipt) = answered(&world).await;
        if writes_again {
            one.put("notes", "c", &json!(1)).await.unwrap();
        }
        let server = Way { server: world.loopback(), unreadable: Some(receipt), cached: Mutex::default() };
        let report = one.sync(&server).await.unwrap();
        assert_eq!(report.resynced, Some(ResyncReason::HistoryDiverged), "writes again: {writes_again}");
        assert!(one.set_aside(10).await.unwrap().is_empty());
        assert_eq!(one.state().await.unwrap().receipt, None);
        assert_eq!(value(&one, "c").await.is_some(), writes_again);
        assert_eq!(one.sync(&server).await.unwrap().resynced, None);
        world.assert_converged(&[&one]).await;
    }
}

#[tokio::test]
async fn a_receipt_goes_when_a_page_has_shown_it_and_not_before() {
    let world = World::new().await;
    let (one, receipt) = answered(&world).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    assert_eq!(one.state().await.unwrap().receipt, Some(receipt));
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(one.state().await.unwrap().receipt, None);
}

#[tokio::test]
async fn a_page_from_before_the_answer_shows_nothing_of_it() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.select(&["notes"]).await.unwrap();
    one.put("notes", "a", &json!(1)).await.unwrap();
    world.settle(&[&one]).await;
    let after = one.state().await.unwrap().cursor;
    let collections = one.state().await.unwrap().wanted();
    let early = PullRequest { after, collections, ..PullRequest::default() };
    let early = world.loopback().pull(&space(), &early).await.unwrap();
    one.put("notes", "b", &json!(1)).await.unwrap();
    let proxy = Way { server: world.loopback(), unreadable: None, cached: Mutex::new(Some(early)) };
    assert_eq!(one.sync(&proxy).await.unwrap_err().kind(), ErrorKind::Distrusted);
    assert!(one.state().await.unwrap().receipt.is_some());
    one.sync(&proxy).await.unwrap();
    assert_eq!(one.state().await.unwrap().receipt, None);
}
