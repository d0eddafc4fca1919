//! T17: the server was restored from a backup and has moved on, and believes every cursor below its head.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use sync_core::simulator::{FaultKind, Hooks, Invariant, Scenario};
use sync_core::store::{Mode, Store};
use sync_core::transport::Transport;
use sync_core::{Cursor, CursorToken, Result, Seq, SpaceId, Tag};

use super::caught_as;

/// The store of the server that runs now.
type Current = Arc<Mutex<Option<Arc<dyn Store>>>>;

/// Gives cursors the tag that the server's history has at their place.
#[derive(Debug)]
struct Believed {
    way: Arc<dyn Transport>,
    server: Current,
}

impl Believed {
    async fn believed(&self, space: &SpaceId, after: Option<&CursorToken>) -> Option<CursorToken> {
        let mut cursor = Cursor::decode(after?, space).ok()?;
        let store = self.server.lock().unwrap().clone()?;
        let mut txn = store.begin(space, Mode::Read).await.ok()?;
        let commit = txn.commits(cursor.seq, 1).await.ok()?.pop();
        let commit = commit.filter(|_| cursor.seq > Seq::ZERO);
        let tag = commit.map_or(Tag::ZERO, |commit| commit.tag);
        (cursor.tag, cursor.epoch) = (tag, txn.head().epoch);
        if cursor.seq >= txn.head().head {
            (cursor.seq, cursor.tag) = (txn.head().head, txn.head().tag);
        }
        cursor.seen = cursor.seq;
        Some(cursor.encode(space))
    }
}

#[async_trait]
impl Transport for Believed {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let after = self.believed(space, push.after.as_ref()).await.or(push.after.clone());
        self.way.push(space, &PushRequest { after, ..push.clone() }).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let after = self.believed(space, pull.after.as_ref()).await.or(pull.after.clone());
        self.way.pull(space, &PullRequest { after, ..pull.clone() }).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.way.snapshot(space, request)
    }
}

#[test]
fn a_server_that_believes_cursors_of_a_lost_history_is_caught() {
    let server: Current = Arc::default();
    let seen = Arc::clone(&server);
    let hooks = Hooks::default()
        .server_store(move |store, _place| {
            *seen.lock().unwrap() = Some(Arc::clone(&store));
            store
        })
        .transport(move |way, _place| Arc::new(Believed { way, server: Arc::clone(&server) }));
    let scenario = Scenario::restored().without(FaultKind::Forks).with_hooks(hooks);
    let broken = [Invariant::RestoreNoticed, Invariant::Convergent, Invariant::Durable];
    caught_as("T17", 30, &scenario, &broken);
}
