//! Traps about who may still have what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::StreamExt;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotRequest};
use sync_core::simulator::Hooks;
use sync_core::transport::Transport;
use sync_core::{Error, ErrorKind, Result, SpaceId};

use super::way::{Items, TrappedWay, WayTrap};

/// What is heard where nothing is said of a right that was taken away.
fn not_told(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Forbidden => Error::new(ErrorKind::Unavailable, "try again later"),
        _ => error,
    }
}

/// T22: whoever may not read any more is still answered when they write: with what others have written.
#[derive(Debug)]
pub(super) struct WriterIsTold {
    device: usize,
    ways: Arc<Mutex<BTreeMap<usize, Arc<dyn Transport>>>>,
}

impl WriterIsTold {
    pub(super) fn hooks() -> Hooks {
        let ways: Arc<Mutex<BTreeMap<usize, Arc<dyn Transport>>>> = Arc::default();
        Hooks::default().transport(move |way, place| {
            ways.lock().unwrap().insert(place.number, Arc::clone(&way));
            TrappedWay::front(way, Self { device: place.number, ways: Arc::clone(&ways) })
        })
    }

    /// The way of someone who may.
    fn another(&self) -> Option<Arc<dyn Transport>> {
        let ways = self.ways.lock().unwrap();
        ways.iter().find(|(device, _)| **device != self.device).map(|(_, way)| Arc::clone(way))
    }
}

#[async_trait]
impl WayTrap for WriterIsTold {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        match (way.push(space, push).await, self.another()) {
            (Err(error), Some(other)) if error.kind() == ErrorKind::Forbidden => {
                other.push(space, push).await
            }
            (reply, _) => reply,
        }
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        way.pull(space, pull).await.map_err(not_told)
    }

    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        way.snapshot(space, ask).map(|item| item.map_err(not_told)).boxed()
    }
}

/// T23: nobody is told that they may not read any more, and so keep what they have.
#[derive(Debug)]
pub(super) struct NotTold;

#[async_trait]
impl WayTrap for NotTold {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        way.push(space, push).await.map_err(not_told)
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        way.pull(space, pull).await.map_err(not_told)
    }

    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        way.snapshot(space, ask).map(|item| item.map_err(not_told)).boxed()
    }
}
