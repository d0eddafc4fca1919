//! Limits: what waits too long is told so, and nothing stays behind.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::time::Duration;

use sync_core::conformance::{commit, contents, epoch, put, space_id, stamp};
use sync_core::store::{Store, StoreExt};
use sync_core::{Error, ErrorKind, Result, SpaceId};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use tokio::time::{Instant, sleep};
use world::{Session, World, kind_of, soon};

/// How long these stores wait, and how much later an answer may come on a busy machine.
const WAIT: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(3);

async fn with_space(options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Option<(World, SpaceId)> {
    let (world, space) = (World::with(options).await?, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    Some((world, space))
}

/// Holds a transaction open for a while, and commits.
async fn push_slowly(store: PostgresStore, space: SpaceId, id: String, pause: Duration) -> Result<()> {
    let mut txn = store.write(&space).await?;
    let write = stamp(&mut *txn, [put("notes", &id, "1")]).await?;
    sleep(pause).await;
    txn.apply(&write).await?;
    txn.commit().await
}

/// Someone else who holds the row of the space.
async fn holder(world: &World, space: &SpaceId) -> Session {
    let mut holder = world.connect().await;
    holder.run("BEGIN").await;
    holder.run(&format!("SELECT * FROM spaces WHERE space = '{space}' FOR UPDATE")).await;
    holder
}

fn assert_overloaded(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error:?}");
    assert!(error.retry_after().is_some(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_writers_with_two_connections_each_succeeds_or_is_told_to_come_back() {
    const N_TASKS: usize = 100;
    let Some((world, _)) = with_space(|options| options.connections_max(2).wait_max(WAIT)).await else {
        return;
    };
    let spaces: Vec<SpaceId> = (0..5).map(|n| space_id(&format!("s{n}"))).collect();
    for space in &spaces {
        world.store.create_space(space, epoch(1)).await.unwrap();
    }
    let pause = Duration::from_millis(20);
    let start = |n: usize| push_slowly(world.store.clone(), spaces[n % 5].clone(), n.to_string(), pause);
    let tasks: Vec<_> = (0..N_TASKS).map(|n| tokio::spawn(start(n))).collect();
    let mut n_done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => n_done += 1,
            Err(error) => assert_overloaded(&error),
        }
    }
    assert!((2..N_TASKS).contains(&n_done), "{n_done} of {N_TASKS} succeeded, which shows nothing");
    let mut n_found = 0;
    for space in &spaces {
        commit(&world.store, space, [put("notes", "later", "1")]).await.unwrap();
        n_found += contents(&world.store, space).await.unwrap().commits.len() - 1;
    }
    assert_eq!(n_found, n_done);
    world.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_that_someone_else_holds_is_overloaded_in_time_and_others_go_on() {
    let Some((world, held)) = with_space(|options| options.wait_max(WAIT)).await else { return };
    let free = space_id("friends");
    world.store.create_space(&free, epoch(1)).await.unwrap();
    let mut holder = holder(&world, &held).await;
    let begun = Instant::now();
    let start = |n: usize| push_slowly(world.store.clone(), held.clone(), n.to_string(), Duration::ZERO);
    let tasks: Vec<_> = (0..4).map(|n| tokio::spawn(start(n))).collect();
    commit(&world.store, &free, [put("notes", "1", "1")]).await.unwrap();
    world.store.read(&held).await.unwrap();
    for task in tasks {
        assert_overloaded(&task.await.unwrap().unwrap_err());
    }
    let waited = begun.elapsed();
    assert!((WAIT..WAIT + LATE).contains(&waited), "waited {waited:?}");
    world.is_quiet().await;
    holder.run("COMMIT").await;
    commit(&world.store, &held, [put("notes", "1", "1")]).await.unwrap();
}

/// A process of the database that waits for a lock does not see that nobody waits for it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_give_up_leave_no_pile_of_backends() {
    let Some((world, space)) = with_space(|options| options.connections_max(3)).await else { return };
    let mut holder = holder(&world, &space).await;
    let mut most = 0;
    for n in 0..40 {
        let push = push_slowly(world.store.clone(), space.clone(), n.to_string(), Duration::ZERO);
        let task = tokio::spawn(push);
        sleep(Duration::from_millis(20)).await;
        task.abort();
        most = most.max(world.n_backends("%").await);
    }
    // One more listens, and one may be just about to end.
    assert!(most <= 5, "{most} connections to the database with at most 3 and one that listens");
    holder.run("COMMIT").await;
    soon("a writer to get in", async || commit(&world.store, &space, [put("notes", "1", "1")]).await.is_ok())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended_except_when_a_space_is_deleted() {
    let limits = |options: PostgresOptions| options.statement_max(WAIT).wait_max(Duration::from_secs(20));
    let Some((world, space)) = with_space(limits).await else { return };
    let mut holder = world.connect().await;
    holder.run("BEGIN; LOCK TABLE records").await;
    let begun = Instant::now();
    assert_overloaded(&contents(&world.store, &space).await.unwrap_err());
    assert!(begun.elapsed() < WAIT + LATE, "waited {:?}", begun.elapsed());
    let (store, space) = (world.store.clone(), space.clone());
    let deletion = tokio::spawn(async move { store.delete_space(&space).await });
    sleep(WAIT * 2).await;
    holder.run("COMMIT").await;
    assert!(deletion.await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_froze_is_ended_and_leaves_no_trace() {
    let Some((world, space)) = with_space(|options| options.idle_writer_max(WAIT)).await else { return };
    let mut frozen = world.store.write(&space).await.unwrap();
    let write = stamp(&mut *frozen, [put("notes", "frozen", "1")]).await.unwrap();
    frozen.apply(&write).await.unwrap();
    let begun = Instant::now();
    let other = world.second().await;
    commit(&other, &space, [put("notes", "other", "1")]).await.unwrap();
    assert!(begun.elapsed() < WAIT + LATE, "waited {:?}", begun.elapsed());
    assert_eq!(kind_of(frozen.commit().await), ErrorKind::Unavailable);
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!((found.commits.len(), found.records[0].key.id.as_str()), (1, "other"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_whose_session_was_ended_fails_and_leaves_no_trace() {
    let Some((world, space)) = with_space(|options| options).await else { return };
    for applies_again in [false, true] {
        let mut txn = world.store.write(&space).await.unwrap();
        let write = stamp(&mut *txn, [put("notes", "1", "1")]).await.unwrap();
        txn.apply(&write).await.unwrap();
        let of_it = format!("application_name = '{}' AND state = 'idle in transaction'", world.schema);
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid, 5000))::text FROM pg_stat_activity WHERE {of_it}"
        );
        assert_eq!(world.sql(&ended).await.as_deref(), Some("1"));
        if applies_again {
            assert_eq!(kind_of(txn.apply(&write).await), ErrorKind::Unavailable);
            // Nothing of it was sent, so this much is known.
            assert_eq!(kind_of(txn.commit().await), ErrorKind::Internal);
        } else {
            assert_eq!(kind_of(txn.commit().await), ErrorKind::Unavailable);
        }
        assert!(contents(&world.store, &space).await.unwrap().records.is_empty());
    }
    commit(&world.store, &space, [put("notes", "1", "1")]).await.unwrap();
}

/// Postgres takes zero for "no limit", and refuses what it cannot count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_cannot_be_said_to_the_database_become_the_nearest_that_can() {
    let most = |options: PostgresOptions| {
        let options = options.wait_max(Duration::MAX).statement_max(Duration::MAX);
        options.idle_writer_max(Duration::MAX).poll_every(Duration::MAX)
    };
    let Some((world, space)) = with_space(most).await else { return };
    commit(&world.store, &space, [put("notes", "1", "1")]).await.unwrap();
    let _lock = {
        let mut session = world.connect().await;
        session.run("BEGIN; LOCK TABLE records").await;
        session
    };
    let least = PostgresStore::open(world.options.clone().statement_max(Duration::ZERO)).await.unwrap();
    let read = tokio::time::timeout(LATE, contents(&least, &space)).await;
    assert_overloaded(&read.expect("a statement has a limit").unwrap_err());
}
