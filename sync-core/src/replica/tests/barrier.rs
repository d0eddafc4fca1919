//! Waiting for the server, and for what another replica has seen.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::BoxStream;
use serde_json::json;

use super::weather::{Sky, Weather};
use super::world::*;
use crate::error::{ErrorKind, Result};
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::replica::{Position, Replica};
use crate::service::Limits;
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;

/// Lets the tasks of a future's local transactions run, and says whether it is done.
async fn is_done<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(1), future).await.ok()
}

async fn position(replica: &Replica) -> Position {
    replica.position().await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_edited_before_is_waited_for_and_what_is_edited_after_is_not() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.sync(&world.loopback()).await.unwrap();
    is_done(one.wait_until_sent()).await.expect("nothing waits").unwrap();
    one.put("notes", "a", &1).await.unwrap();
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    one.put("notes", "a", &2).await.unwrap();
    one.put("notes", "b", &1).await.unwrap();
    let mut sent = Box::pin(one.wait_until_sent());
    assert!(is_done(&mut sent).await.is_none());
    // The answer to the first, and no more.
    one.sync(&Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest])).await.unwrap_err();
    assert!(is_done(&mut sent).await.is_none(), "of the later edit of the same record there is no answer");
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    assert!(is_done(&mut sent).await.is_none());
    one.put("notes", "a", &3).await.unwrap();
    one.put("notes", "c", &1).await.unwrap();
    let line = Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest]);
    one.sync(&line).await.unwrap_err();
    one.put("notes", "d", &1).await.unwrap();
    is_done(&mut sent).await.expect("what was edited since does not count").unwrap();
    assert!(is_done(one.wait_until_sent()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_is_refused_taken_back_or_merged_is_not_waited_for_any_more() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    one.put("notes", "b", &1).await.unwrap();
    let mut sent = Box::pin(one.wait_until_sent());
    assert!(is_done(&mut sent).await.is_none());
    one.delete("notes", "b").await.unwrap();
    is_done(&mut sent).await.expect("taken back").unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    let mut sent = Box::pin(one.wait_until_sent());
    assert!(is_done(&mut sent).await.is_none());
    one.sync(&super::watch::Refusing(world.loopback())).await.unwrap();
    is_done(&mut sent).await.expect("refused").unwrap();
    assert_eq!(one.set_aside(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_waited_for_across_a_load_that_replaces_everything() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    world.settle(&[&one, &two]).await;
    // The other side begins to count anew, far below.
    for n in 0..200 {
        two.put("notes", "a", &n).await.unwrap();
    }
    two.sync(&world.loopback()).await.unwrap();
    two.put("notes", "b", &1).await.unwrap();
    two.select(&["notes", "more"]).await.unwrap();
    two.select_all().await.unwrap();
    let generation = two.state().await.unwrap().generation;
    let mut before = Box::pin(two.wait_until_sent());
    assert!(is_done(&mut before).await.is_none());
    // The load replaces the side, and the push that follows it is lost.
    let line = Line::with(world.loopback(), [Fate::Deliver, Fate::Deliver, Fate::DropRequest]);
    two.sync(&line).await.unwrap_err();
    assert_eq!(two.state().await.unwrap().generation, generation + 1, "it was replaced");
    assert!(is_done(&mut before).await.is_none());
    assert!(is_done(two.wait_until_sent()).await.is_none());
    two.sync(&world.loopback()).await.unwrap();
    is_done(&mut before).await.expect("sent").unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_one_replica_has_sent_another_sees_after_waiting_for_its_position() {
    let limits = Limits { page_rows_max: 3, ..Limits::default() };
    let world = World::with(Default::default(), limits).await;
    let (one, two, three) = (world.fresh().await, world.fresh().await, world.fresh().await);
    assert_eq!(one.position().await.unwrap(), None);
    world.settle(&[&one, &two, &three]).await;
    for n in 0..20 {
        three.put("notes", &n.to_string(), &n).await.unwrap();
    }
    three.sync(&world.loopback()).await.unwrap();
    one.put("notes", "own", &1).await.unwrap();
    let mut sent = Box::pin(one.wait_until_sent());
    // The push is answered, the pull that brings the rest of what others did is not.
    let line = Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest]);
    one.sync(&line).await.unwrap_err();
    assert!(!one.has_unsent().await.unwrap());
    assert!(is_done(&mut sent).await.is_none(), "its position is not behind the edit yet");
    one.sync(&world.loopback()).await.unwrap();
    is_done(&mut sent).await.expect("now it is").unwrap();
    let seen = position(&one).await;
    is_done(one.wait_for(&seen)).await.expect("it is there").unwrap();
    let mut arrived = Box::pin(two.wait_for(&seen));
    assert!(is_done(&mut arrived).await.is_none());
    two.sync(&Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest])).await.unwrap_err();
    assert!(is_done(&mut arrived).await.is_none());
    two.sync(&world.loopback()).await.unwrap();
    is_done(&mut arrived).await.expect("it is there").unwrap();
    assert_eq!(value(&two, "own").await, Some(json!(1)));
    assert_eq!(two.wait_for(&Position::new("nonsense")).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_position_that_was_lost_in_a_restore_is_an_error_and_no_endless_wait() {
    let mut world = World::new().await;
    let (one, two, late) = (world.fresh().await, world.fresh().await, world.fresh().await);
    one.put("notes", "a", &1).await.unwrap();
    world.settle(&[&one, &two, &late]).await;
    let good = position(&one).await;
    let backup = world.store.fork();
    world.clock.advance(Duration::from_secs(10));
    one.put("notes", "b", &1).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let lost = position(&one).await;
    let mut waiting = Box::pin(two.wait_for(&lost));
    assert!(is_done(&mut waiting).await.is_none());
    world.restore(backup);
    two.sync(&world.loopback()).await.unwrap();
    let error = is_done(&mut waiting).await.expect("it is known now").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Later the new history is longer than the old one was.
    world.clock.advance(Duration::from_secs(100));
    two.put("notes", "c", &1).await.unwrap();
    world.settle(&[&two, &late]).await;
    let mut waiting = Box::pin(late.wait_for(&lost));
    assert!(is_done(&mut waiting).await.is_none());
    late.sync(&world.loopback()).await.unwrap();
    assert_eq!(is_done(&mut waiting).await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    let mut waiting = Box::pin(late.wait_for(&good));
    assert!(is_done(&mut waiting).await.is_none());
    late.sync(&world.loopback()).await.unwrap();
    is_done(&mut waiting).await.expect("what both histories have is there").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_runs_catches_up_at_once_when_someone_waits() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    let sky = std::sync::Arc::new(Sky::over(world.loopback()));
    sky.set(Weather::Unheld);
    for replica in [one.clone(), two.clone()] {
        let sky = std::sync::Arc::clone(&sky);
        tokio::spawn(async move { replica.run(&*sky).await });
    }
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = tokio::time::Instant::now();
    one.put("notes", "a", &1).await.unwrap();
    one.wait_until_sent().await.unwrap();
    two.wait_for(&position(&one).await).await.unwrap();
    assert_eq!(value(&two, "a").await, Some(json!(1)));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_leaves_nothing_behind() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &1).await.unwrap();
    world.settle(&[&one]).await;
    let seen = position(&one).await;
    assert!(two.wait_for(&seen).now_or_never().is_none());
    assert!(is_done(two.wait_for(&seen)).await.is_none());
    let sky = Sky::over(world.loopback());
    two.sync(&sky).await.unwrap();
    assert_eq!(sky.n_requests(), 1, "nobody asks for a position");
}

/// Says that there is nothing new, except of positions that are asked about.
#[derive(Debug)]
struct Stale(Loopback);

#[async_trait]
impl Transport for Stale {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.0.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let mut reply = self.0.pull(space, pull).await?;
        if let (PullReply::Page(page), None) = (&mut reply, pull.limit) {
            page.changes.clear();
            page.cursor = pull.after.clone().unwrap();
        }
        Ok(reply)
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.0.snapshot(space, request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_was_good_before_a_restore_is_not_taken_for_reached_after_it() {
    let mut world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &1).await.unwrap();
    world.settle(&[&one, &two]).await;
    let backup = world.store.fork();
    world.clock.advance(Duration::from_secs(10));
    one.put("notes", "b", &1).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let lost = position(&one).await;
    let mut waiting = Box::pin(two.wait_for(&lost));
    assert!(is_done(&mut waiting).await.is_none());
    two.sync(&Stale(world.loopback())).await.unwrap();
    assert!(is_done(&mut waiting).await.is_none(), "the server knows it, but it is not here");
    world.restore(backup);
    world.clock.advance(Duration::from_secs(100));
    let three = world.fresh().await;
    three.put("notes", "c", &1).await.unwrap();
    three.sync(&world.loopback()).await.unwrap();
    // What it has is in both histories, so it notices nothing of the restore.
    assert_eq!(two.sync(&world.loopback()).await.unwrap().resynced, None);
    assert_eq!(is_done(&mut waiting).await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
}
