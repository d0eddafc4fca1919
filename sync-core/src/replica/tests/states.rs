//! What is shown of a sync, and what counting costs.

use std::sync::Arc;
use std::sync::Mutex;

use futures_util::{FutureExt, StreamExt};
use serde_json::json;

use super::faults::Failing;
use super::world::*;
use crate::error::ErrorKind;
use crate::replica::{Phase, Progress, Replica, SyncState, Unsent};
use crate::store::{Call, FaultyStore, MemoryStore};

#[tokio::test]
async fn a_push_is_shown_with_the_edits_there_are_to_send() {
    let world = World::new().await;
    let one = world.fresh().await;
    world.settle(&[&one]).await;
    for n in 0..2500 {
        one.put("notes", &n.to_string(), &n).await.unwrap();
    }
    let seen = Mutex::new(Vec::new());
    one.sync_with_progress(&world.loopback(), |progress| {
        assert_eq!(one.sync_state(), SyncState::Syncing(progress));
        seen.lock().unwrap().push(progress);
    })
    .await
    .unwrap();
    let pushing: Vec<Progress> =
        seen.into_inner().unwrap().into_iter().filter(|p| p.phase == Phase::Pushing).collect();
    assert!(pushing.iter().all(|progress| progress.n_total == Some(2500)), "{pushing:?}");
    assert_eq!((pushing[0].n_done, pushing.last().unwrap().n_done), (0, 2500));
    assert!(pushing.is_sorted_by_key(|progress| progress.n_done));
    assert_eq!(one.sync_state(), SyncState::Idle);
}

#[tokio::test]
async fn where_a_sync_ends_is_shown() {
    let world = World::new().await;
    let one = world.fresh().await;
    let mut states = one.states();
    assert_eq!(states.next().now_or_never(), Some(Some(SyncState::Idle)));
    for (kind, expected) in [
        (ErrorKind::Unauthorized, SyncState::NeedsSignIn),
        (ErrorKind::Forbidden, SyncState::NoAccess),
        (ErrorKind::NotFound, SyncState::NoAccess),
        (ErrorKind::Unavailable, SyncState::Offline { retry_at: None, why: ErrorKind::Unavailable }),
        (ErrorKind::Distrusted, SyncState::Offline { retry_at: None, why: ErrorKind::Distrusted }),
        (ErrorKind::Incompatible, SyncState::Stopped { why: ErrorKind::Incompatible }),
    ] {
        one.sync(&Failing(kind)).await.unwrap_err();
        assert_eq!(states.next().now_or_never(), Some(Some(expected)), "the newest, and only that");
        assert_eq!(states.next().now_or_never(), None);
    }
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(states.next().now_or_never(), Some(Some(SyncState::Idle)));
    drop((one, world));
    // The task of the last local transaction may hold a handle for a moment.
    assert_eq!(states.next().await, None);
}

#[tokio::test]
async fn a_sync_that_is_dropped_is_not_shown_any_more() {
    let world = World::new().await;
    let one = world.fresh().await;
    let mut sync = Box::pin(one.sync(&Hanging));
    for _ in 0..100 {
        assert!(sync.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(one.sync_state(), SyncState::Connecting);
    drop(sync);
    assert_eq!(one.sync_state(), SyncState::Idle);
}

#[tokio::test]
async fn counting_costs_as_much_as_there_is_to_count() {
    let world = World::new().await;
    let local = FaultyStore::new(Arc::new(MemoryStore::default()));
    let one = Replica::open(Arc::new(local.clone()), space(), world.options()).await.unwrap();
    for n in 0..3000 {
        one.put("notes", &n.to_string(), &n).await.unwrap();
    }
    world.settle(&[&one]).await;
    one.put("notes", "1", &-1).await.unwrap();
    let before = local.calls();
    assert_eq!(one.unsent().await.unwrap(), Unsent { n_waiting: 1, ..Unsent::default() });
    let after = local.calls();
    let n = |call| after.get(&call).unwrap_or(&0) - before.get(&call).unwrap_or(&0);
    assert_eq!((n(Call::Stats), n(Call::Scan), n(Call::Records), n(Call::BeginRead)), (0, 3, 1, 1));
}

#[tokio::test]
async fn open_conflicts_are_counted_and_settled_ones_are_not() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["a", "b"] {
        one.put("notes", id, &json!({"x": 0})).await.unwrap();
    }
    world.settle(&[&one, &two]).await;
    for id in ["a", "b"] {
        one.put("notes", id, &json!({"x": 1})).await.unwrap();
        two.put("notes", id, &json!({"x": 2})).await.unwrap();
    }
    world.settle(&[&one, &two]).await;
    assert_eq!(one.unsent().await.unwrap(), Unsent { n_conflicts: 2, ..Unsent::default() });
    let conflict = one.conflicts(1).await.unwrap().remove(0);
    one.resolve(&conflict, crate::Resolution::TakeTheirs).await.unwrap();
    assert_eq!(one.unsent().await.unwrap().n_conflicts, 1);
    assert!(!one.unsent().await.unwrap().is_empty(), "the decision is yet to be sent");
}
