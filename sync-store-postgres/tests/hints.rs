//! Hints between processes: by `NOTIFY` at once, by looking in the end, and never of what is not so.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sync_core::conformance::{commit, epoch, put, seq, space_id, stamp_at};
use sync_core::store::{Store, StoreExt};
use sync_core::{Seq, SpaceId};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use tokio::time::timeout;
use world::World;

/// So rarely that whatever arrives within a test was not found by looking every now and then.
const NEVER: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

type Hints = BoxStream<'static, Seq>;

/// A store, another one on the same schema, and who follows a space through that.
async fn two_stores(
    options: impl FnOnce(PostgresOptions) -> PostgresOptions,
) -> Option<(World, SpaceId, PostgresStore, Hints)> {
    let (world, space) = (World::with(options).await?, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    let other = world.second().await;
    let hints = other.hints(&space);
    Some((world, space, other, hints))
}

async fn move_head(store: &PostgresStore, space: &SpaceId) {
    commit(store, space, [put("notes", "1", "1")]).await.unwrap();
}

/// The first hint at or after `head`.
async fn until(hints: &mut Hints, head: Seq) -> Seq {
    let newest = async {
        loop {
            let hint = hints.next().await.unwrap();
            if hint >= head {
                return hint;
            }
        }
    };
    timeout(PATIENCE, newest).await.unwrap_or_else(|_| panic!("no hint of {head}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_who_follows_its_space_in_another_process_without_looking() {
    let Some((world, space, _other, mut hints)) = two_stores(|options| options.poll_every(NEVER)).await
    else {
        return;
    };
    for n in 1..=5 {
        // The first may have been found by the look with which listening begins; the others were told.
        move_head(&world.store, &space).await;
        assert_eq!(until(&mut hints, seq(n)).await, seq(n));
    }
    let channel = format!("sync_hints_{}", world.schema);
    let nonsense = format!("NOTIFY \"{channel}\", 'nonsense'; NOTIFY \"{channel}\"");
    world.connect().await.run(&nonsense).await;
    move_head(&world.store, &space).await;
    assert_eq!(until(&mut hints, seq(6)).await, seq(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_listening_a_commit_is_found_by_looking() {
    let blind = |options: PostgresOptions| options.listens(false).poll_every(NEVER);
    let Some((world, space, _other, mut nothing)) = two_stores(blind).await else { return };
    let looks = world.options.clone().poll_every(Duration::from_millis(50));
    let looking = PostgresStore::open(looks).await.unwrap();
    let mut hints = looking.hints(&space);
    for n in 1..=5 {
        move_head(&world.store, &space).await;
        assert_eq!(until(&mut hints, seq(n)).await, seq(n));
    }
    let told = timeout(Duration::from_millis(300), nothing.next()).await;
    assert!(told.is_err(), "told of {told:?} without listening or looking, so this shows nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_misses_nothing_when_its_connection_is_ended_during_writes() {
    let Some((world, space, _other, mut hints)) = two_stores(|options| options.poll_every(NEVER)).await
    else {
        return;
    };
    let listening = format!("application_name = '{}' AND query LIKE 'LISTEN%'", world.schema);
    let end =
        format!("SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity WHERE {listening}");
    let mut session = world.connect().await;
    let mut n_ended = 0;
    for _ in 0..40 {
        n_ended += session.ask(&end).await.unwrap().parse::<usize>().unwrap();
        move_head(&world.store, &space).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(n_ended >= 4, "{n_ended} listeners of two stores were ended, each time only at the first try");
    assert_eq!(until(&mut hints, seq(40)).await, seq(40));
    move_head(&world.store, &space).await;
    assert_eq!(until(&mut hints, seq(41)).await, seq(41));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_of_schemas_never_meet() {
    let never = |options: PostgresOptions| options.poll_every(NEVER);
    let Some((busy, space, _other, mut of_busy)) = two_stores(never).await else { return };
    let Some((quiet, _, _other_quiet, mut of_quiet)) = two_stores(never).await else { return };
    for _ in 0..10 {
        move_head(&busy.store, &space).await;
    }
    until(&mut of_busy, seq(10)).await;
    move_head(&quiet.store, &space).await;
    assert_eq!(until(&mut of_quiet, seq(1)).await, seq(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_was_not_committed() {
    let Some((world, space, _other, mut hints)) = two_stores(|options| options.poll_every(NEVER)).await
    else {
        return;
    };
    let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON records DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.id = 'refused') EXECUTE FUNCTION fail()";
    world.sql(fail).await;
    for id in ["dropped", "refused"] {
        let mut txn = world.store.write(&space).await.unwrap();
        let write = stamp_at(&mut *txn, seq(1_000), [put("notes", id, "1")]).await.unwrap();
        txn.apply(&write).await.unwrap();
        if id == "refused" {
            txn.commit().await.unwrap_err();
        }
    }
    move_head(&world.store, &space).await;
    // The newest there is: whatever else was told has come before it.
    assert_eq!(until(&mut hints, seq(1)).await, seq(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_moving_spaces_reaches_everyone_who_follows_one_of_them() {
    const N_SPACES: usize = 1_500;
    // They all wait for two connections, and so does the notification: when its turn comes, hundreds have moved.
    const N_TASKS: usize = 300;
    let narrow = |options: PostgresOptions| options.poll_every(NEVER).connections_max(2).wait_max(PATIENCE);
    let Some((world, _, other, _)) = two_stores(narrow).await else { return };
    // As long as names may be, so that they fill many notifications.
    let spaces: Vec<SpaceId> = (0..N_SPACES).map(|n| space_id(&format!("{n:0>64}"))).collect();
    world
        .sql(&format!(
            "INSERT INTO spaces SELECT lpad(n::text, 64, '0'), epoch, head, floor, tag, log_head, largest
                FROM spaces, generate_series(0, {}) n",
            N_SPACES - 1
        ))
        .await;
    let mut all: Vec<Hints> = spaces.iter().map(|space| other.hints(space)).collect();
    let tasks: Vec<_> = (0..N_TASKS)
        .map(|task| {
            let (store, spaces) = (world.store.clone(), spaces.clone());
            tokio::spawn(async move {
                for space in spaces.iter().skip(task).step_by(N_TASKS) {
                    move_head(&store, space).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for hints in &mut all {
        assert_eq!(until(hints, seq(1)).await, seq(1));
    }
}
