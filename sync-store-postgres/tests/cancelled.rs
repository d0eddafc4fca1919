//! Requests that go away at any moment: nothing is half done, nothing is stuck, what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use postgres_testing::{Cluster, Pgbouncer};
use sqlx::Connection;
use sync_core::conformance::{Dice, contents, epoch, put, space_id, stamp};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Result, SpaceId};
use sync_store_postgres::PostgresStore;
use world::{World, kind_of, soon};

/// Records of one commit: it is there whole or not at all.
const BATCH: usize = 20;
const ATTEMPTS: usize = 200;
/// Pushes to one space at the same time: all but one of them wait in `begin`.
const AT_ONCE: usize = 4;

/// One push; counts when it was acknowledged.
async fn push(
    store: PostgresStore,
    space: SpaceId,
    n: usize,
    n_acknowledged: Arc<AtomicUsize>,
) -> Result<()> {
    let mut txn = store.write(&space).await?;
    let ids: Vec<String> = (0..BATCH).map(|m| format!("{n}-{m}")).collect();
    let write = stamp(&mut *txn, ids.iter().map(|id| put("notes", id, "1"))).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    n_acknowledged.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// Aborts each of many pushes at a moment of its own; yields how many were acknowledged.
async fn push_and_abort(world: &World, space: &SpaceId) -> usize {
    world.store.create_space(space, epoch(1)).await.unwrap();
    let n_acknowledged = Arc::new(AtomicUsize::new(0));
    let dice = Dice::new(7);
    for n in 0..ATTEMPTS / AT_ONCE {
        let start = |m| push(world.store.clone(), space.clone(), n * AT_ONCE + m, n_acknowledged.clone());
        let tasks: Vec<_> = (0..AT_ONCE).map(|m| tokio::spawn(start(m))).collect();
        for task in tasks {
            // From far too short for a push to far too long, on a machine of any speed.
            tokio::time::sleep(Duration::from_micros(dice.below(2_000 << (n % 6)) as u64)).await;
            task.abort();
        }
    }
    n_acknowledged.load(Ordering::SeqCst)
}

async fn assert_whole_or_absent(world: &World, space: &SpaceId, n_acknowledged: usize) {
    assert!(n_acknowledged > 0, "every push was aborted, which shows nothing");
    assert!(n_acknowledged < ATTEMPTS, "no push was aborted, which shows nothing");
    // A later writer gets in, and its commit is the last.
    push(world.store.clone(), space.clone(), ATTEMPTS, Arc::default()).await.unwrap();
    let found = contents(&world.store, space).await.unwrap();
    assert_eq!(found.records.len(), found.commits.len() * BATCH);
    assert!(found.commits.len() > n_acknowledged, "an acknowledged push is missing");
    assert_eq!(found.head.head, found.feed.last().unwrap().meta.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_pushes_are_whole_or_absent_and_leave_no_transaction_open() {
    let Some(world) = World::new().await else { return };
    let space = space_id("family");
    let n_acknowledged = push_and_abort(&world, &space).await;
    assert_whole_or_absent(&world, &space, n_acknowledged).await;
    world.is_quiet().await;
}

/// There one connection serves everyone: a transaction that was left open on it would stop, or swallow, what others do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_aborted_pushes_take_nothing_from_others() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let Some(bouncer) = Pgbouncer::start(cluster.socket_dir(), &[("default_pool_size", "1")]) else { return };
    let world = World::at(&bouncer.url(), |options| options.behind_transaction_pooler()).await;
    let mut other = sqlx::PgConnection::connect(&cluster.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE inserted (n INT)").execute(&mut other).await.unwrap();
    let inserts = tokio::spawn(insert_beside(bouncer.url()));
    let space = space_id("family");
    let n_acknowledged = push_and_abort(&world, &space).await;
    soon("inserts beside the pushes", async || N_INSERTED.load(Ordering::SeqCst) > 10).await;
    inserts.abort();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM inserted").fetch_one(&mut other).await;
    // One more may be there, whose answer nobody waited for.
    assert!(count.unwrap() >= N_INSERTED.load(Ordering::SeqCst), "an acknowledged insert is lost");
    assert_whole_or_absent(&world, &space, n_acknowledged).await;
}

/// Rows that were inserted and acknowledged beside the store.
static N_INSERTED: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

/// Inserts row by row, each a transaction of its own, as any program behind the same pooler does.
async fn insert_beside(url: String) {
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    loop {
        let insert = sqlx::raw_sql("INSERT INTO public.inserted VALUES (1)");
        insert.execute(&mut connection).await.unwrap();
        N_INSERTED.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_and_deletions_that_are_dropped_leave_spaces_that_work() {
    let Some(world) = World::new().await else { return };
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
        tokio::time::sleep(Duration::from_micros(dice.below(4_000) as u64)).await;
        task.abort();
    }
    for n in 0..4 {
        let space = space_id(&format!("s{n}"));
        let created = world.store.create_space(&space, epoch(99)).await;
        assert!(created.is_ok() || kind_of(created) == ErrorKind::AlreadyExists);
        push(world.store.clone(), space, n, Arc::default()).await.unwrap();
    }
    assert_eq!(world.store.spaces(None, 10).await.unwrap().len(), 4);
    world.is_quiet().await;
}
