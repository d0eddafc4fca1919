//! Requests that go away at any moment: nothing is half done, nothing is stuck, what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sync_core::conformance::{Dice, contents, epoch, put, space_id, stamp};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Result, SpaceId};
use sync_store_sqlite::SqliteStore;
use world::{World, kind_of};

/// Records of one commit: it is there whole or not at all.
const BATCH: usize = 20;
const ATTEMPTS: usize = 400;

/// One push; counts when it was acknowledged.
async fn push(store: SqliteStore, space: SpaceId, n: usize, n_acknowledged: Arc<AtomicUsize>) -> Result<()> {
    let mut txn = store.write(&space).await?;
    let ids: Vec<String> = (0..BATCH).map(|m| format!("{n}-{m}")).collect();
    let write = stamp(&mut *txn, ids.iter().map(|id| put("notes", id, "1"))).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    n_acknowledged.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn aborted_pushes_are_whole_or_absent(world: World) {
    let space = space_id("family");
    world.store.create_space(&space, epoch(1)).await.unwrap();
    let n_acknowledged = Arc::new(AtomicUsize::new(0));
    let dice = Dice::new(7);
    for n in 0..ATTEMPTS {
        let task = tokio::spawn(push(world.store.clone(), space.clone(), n, n_acknowledged.clone()));
        tokio::time::sleep(Duration::from_micros(dice.below(3_000) as u64)).await;
        task.abort();
    }
    let n_acknowledged = n_acknowledged.load(Ordering::SeqCst);
    assert!(n_acknowledged > 0, "every push was aborted, which shows nothing");
    assert!(n_acknowledged < ATTEMPTS, "no push was aborted, which shows nothing");
    // A later writer gets in at once, and its commit is the last.
    push(world.store.clone(), space.clone(), ATTEMPTS, Arc::default()).await.unwrap();
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!(found.records.len(), found.commits.len() * BATCH);
    assert!(found.commits.len() > n_acknowledged, "an acknowledged push is missing");
    assert_eq!(found.head.head, found.feed.last().unwrap().meta.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_pushes_to_one_file_are_whole_or_absent() {
    aborted_pushes_are_whole_or_absent(World::file().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_pushes_to_one_file_per_space_are_whole_or_absent() {
    aborted_pushes_are_whole_or_absent(World::folder().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_and_deletions_that_are_dropped_leave_spaces_that_work() {
    let world = World::folder().await;
    let dice = Dice::new(11);
    for n in 0..60 {
        let (store, space) = (world.store.clone(), space_id(&format!("s{}", n % 4)));
        let is_creation = dice.below(2) == 0;
        let task = tokio::spawn(async move {
            if is_creation {
                store.create_space(&space, epoch(n)).await
            } else {
                store.delete_space(&space).await.map(drop)
            }
        });
        tokio::time::sleep(Duration::from_micros(dice.below(6_000) as u64)).await;
        task.abort();
    }
    for n in 0..4 {
        let space = space_id(&format!("s{n}"));
        // What was asked for and abandoned may still happen; it is not much.
        let mut n_tries = 0;
        loop {
            let created = world.store.create_space(&space, epoch(99)).await;
            assert!(created.is_ok() || kind_of(created) == ErrorKind::AlreadyExists);
            let pushed = push(world.store.clone(), space.clone(), n, Arc::default()).await;
            n_tries += 1;
            match pushed {
                Ok(()) => break,
                Err(error) => assert!(error.kind() == ErrorKind::NotFound && n_tries < 20, "{error:?}"),
            }
        }
    }
    world.store.close().await;
    let store = SqliteStore::open(world.options.clone()).await.unwrap();
    assert_eq!(store.spaces(None, 10).await.unwrap().len(), 4);
    assert!(!world.folder.path().join("data/aside").exists());
}
