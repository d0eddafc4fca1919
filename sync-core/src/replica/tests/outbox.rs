//! Unsent work survives everything: every reason to load a space anew, crossed with every state in which a replica's
//! edits can be. What was edited before is applied, in conflict or set aside afterwards, each edit in one place.

mod account;
mod scene;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::laws::everything_kept;
use super::world::*;
use crate::error::{Error, Result};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, ResyncReason, SnapshotItem, SnapshotRequest, code,
};
use crate::replica::Replica;
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;
use scene::Scene;

/// What happens to the server, or to the replica's place in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    /// History has expired since the replica last synced.
    Horizon,
    /// The space was created anew, and is empty.
    EpochChanged,
    /// The server was restored from a backup, and others wrote to it since.
    Restored,
    /// The server was restored from a backup, and nothing happened since: the cursor lies ahead of it.
    CursorAhead,
    /// The replica comes to a copy of the server that has gone its own way.
    Forked,
    /// The server cannot read the cursor.
    InvalidCursor,
    /// The replica's file was copied, and the copy syncs first.
    Cloned,
}

const EVENTS: [Event; 8] = [
    Event::Nothing,
    Event::Horizon,
    Event::EpochChanged,
    Event::Restored,
    Event::CursorAhead,
    Event::Forked,
    Event::InvalidCursor,
    Event::Cloned,
];

impl Event {
    fn reason(self) -> Option<ResyncReason> {
        match self {
            Self::Nothing | Self::Cloned => None,
            Self::Horizon | Self::InvalidCursor => Some(ResyncReason::Horizon),
            Self::EpochChanged => Some(ResyncReason::EpochChanged),
            Self::Restored | Self::CursorAhead | Self::Forked => Some(ResyncReason::HistoryDiverged),
        }
    }
}

/// What the replica has edited.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edits {
    None,
    /// Updates, a replacement, a delete, a creation, a clash, a step of a counter.
    Plain,
    /// The decision of a conflict.
    Resolution,
    /// Some of it in one transaction.
    Group,
    /// A transaction of which one record is in conflict.
    FailingGroup,
}

/// How far the edits are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Dirty,
    Sealed,
    /// Sent; the request was lost.
    Lost,
    /// Sent and carried out; the answer was lost.
    Unanswered,
    /// Sent and lost, and the same records were edited again.
    LostAndEdited,
    /// Carried out and not answered, and the same records were edited again.
    UnansweredAndEdited,
}

const WAYS: [Way; 6] =
    [Way::Dirty, Way::Sealed, Way::Lost, Way::Unanswered, Way::LostAndEdited, Way::UnansweredAndEdited];

/// A server that cannot read the first cursor it gets.
#[derive(Debug)]
struct Forgetful(Loopback, AtomicBool);

impl Forgetful {
    fn read(&self, has_cursor: bool) -> Result<()> {
        if has_cursor && !self.1.swap(true, Ordering::SeqCst) {
            return Err(Error::invalid(code::INVALID_CURSOR, "not a cursor of this space"));
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for Forgetful {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.read(push.after.is_some())?;
        self.0.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.read(pull.after.is_some())?;
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

async fn run(event: Event, edits: Edits, way: Way) {
    println!("{event:?}: {edits:?}, {way:?}");
    let mut scene = Scene::new(event).await;
    scene.edit(edits).await;
    scene.send_off(way, edits).await;
    scene.strike(event).await;
    let report = match event {
        Event::InvalidCursor => {
            let line = Forgetful(scene.world.loopback(), AtomicBool::default());
            scene.one.sync(&line).await.unwrap()
        }
        _ => scene.one.sync(&scene.world.loopback()).await.unwrap(),
    };
    assert_eq!(report.resynced, event.reason());
    scene.check(event, "after the first sync").await;
    scene.settle().await;
    scene.world.assert_converged(&[&scene.one, &scene.two]).await;
    assert!(scene.one.unsent().await.unwrap().is_empty());
    scene.check(event, "once all are in sync").await;
    let kept = everything_kept(&[&scene.one, &scene.two]).await;
    for token in scene.tokens.owed() {
        assert!(kept.contains(&format!("\"{token}\"")), "{token} is nowhere\n{kept}");
    }
    scene.check_groups().await;
    check_counter(&scene.two, event, edits, way).await;
    if edits == Edits::Plain {
        assert_eq!(value(&scene.two, "delete").await, None, "what was deleted stays deleted");
    }
    // And life goes on.
    scene.set("after", "t").await;
    scene.settle().await;
    assert!(value(&scene.two, "after").await.is_some());
}

/// Each step of the counter counts once, however often it was sent and whatever became of the server.
async fn check_counter(two: &Replica, event: Event, edits: Edits, way: Way) {
    let n = value(two, "counter").await.map(|value| value["n"].as_i64().unwrap());
    let is_edited_again = matches!(way, Way::LostAndEdited | Way::UnansweredAndEdited);
    let n_steps = if edits == Edits::Plain { 1 + i64::from(is_edited_again) } else { 0 };
    match event {
        Event::EpochChanged if n_steps == 0 => assert_eq!(n, None),
        // The steps of the copy are steps, too, unless they were sent in one and the same batch.
        Event::Cloned => assert!((n_steps..=2 * n_steps).contains(&n.unwrap()), "{n:?}"),
        _ => assert_eq!(n, Some(n_steps)),
    }
}

#[tokio::test]
async fn unsent_work_survives_every_reason_to_load_anew_in_every_state() {
    for event in EVENTS {
        run(event, Edits::None, Way::Dirty).await;
        for edits in [Edits::Plain, Edits::Resolution, Edits::Group, Edits::FailingGroup] {
            for way in WAYS {
                run(event, edits, way).await;
            }
        }
    }
}
