//! Transactions that get in each other's way: told as that, tried again, and done once.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use sync_core::conformance::{actor, commit, contents, delete, epoch, put, space_id, stamp};
use sync_core::protocol::{PushReply, PushRequest};
use sync_core::service::{Actor, Service};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Result, Role, SpaceId, TokioRuntime};
use world::{Session, World, kind_of};

/// A store whose sessions have a setting of their own, as the role or the database may have.
async fn with_setting(setting: &str) -> Option<(World, SpaceId)> {
    Some(with_space(World::with_parameter(&format!("options=-c%20{setting}")).await?).await)
}

async fn with_space(world: World) -> (World, SpaceId) {
    let space = space_id("family");
    world.store.create_space(&space, epoch(1)).await.unwrap();
    (world, space)
}

/// Makes the next `n` statements, or commits, that write records fail with this code. A sequence counts them, as it does
/// not go back with their transactions.
async fn fail_next(world: &World, n: u32, code: &str, when: &str) {
    world
        .sql(&format!(
            "CREATE SEQUENCE n_tries;
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('n_tries') <= {n} THEN RAISE 'in the way' USING ERRCODE = '{code}'; END IF;
                 RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON records DEFERRABLE {when}
                 FOR EACH ROW EXECUTE FUNCTION fail()"
        ))
        .await;
}

async fn n_tries(world: &World) -> String {
    world.sql("SELECT last_value::text FROM n_tries").await.unwrap()
}

/// Batch number `first` of a replica that saw the record at this version.
fn batch(first: u32, base: i64) -> PushRequest {
    let mutation =
        format!(r#"{{"op":"put","collection":"notes","id":"1","base_version":{base},"data":{first}}}"#);
    let body = format!(r#"{{"client_id":"replica-1","first":{first},"mutations":[{mutation}]}}"#);
    PushRequest::from_json(body.as_bytes()).unwrap()
}

async fn push(service: &Service, space: &SpaceId, batch: PushRequest) -> Result<PushReply> {
    service.push(&Actor::new(actor("anna"), Role::Owner), space, batch).await
}

fn service_of(world: &World) -> Service {
    Service::new(Arc::new(world.store.clone()), Arc::new(TokioRuntime))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_isolation_of_the_database_does_not_matter() {
    let setting = "default_transaction_isolation%3Dserializable%20-c%20default_transaction_deferrable%3Don";
    let Some((world, space)) = with_setting(setting).await else { return };
    let start = |n: usize| {
        let (store, space) = (world.store.clone(), space.clone());
        async move {
            for m in 0..10 {
                let mut txn = store.write(&space).await?;
                let write = stamp(&mut *txn, [put("notes", "1", &format!("[{n},{m}]"))]).await?;
                txn.apply(&write).await?;
                txn.commit().await?;
            }
            Ok::<_, sync_core::Error>(())
        }
    };
    let tasks: Vec<_> = (0..5).map(|n| tokio::spawn(start(n))).collect();
    for task in tasks {
        task.await.unwrap().expect("whoever waited for the space reads what was committed meanwhile");
    }
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!((found.records[0].meta.revision, found.commits.len()), (50, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeouts_of_the_role_do_not_end_transactions() {
    let setting = "statement_timeout%3D200%20-c%20lock_timeout%3D200\
                   %20-c%20idle_in_transaction_session_timeout%3D200";
    let Some((world, space)) = with_setting(setting).await else { return };
    let mut holder = world.connect().await;
    holder.run("BEGIN; SELECT * FROM spaces FOR UPDATE").await;
    let (store, space_) = (world.store.clone(), space.clone());
    let pause = Duration::from_millis(500);
    let ours = tokio::spawn(async move {
        let mut txn = store.write(&space_).await?;
        let write = stamp(&mut *txn, [put("notes", "1", "1"), delete("notes", "2")]).await?;
        tokio::time::sleep(pause).await;
        txn.apply(&write).await?;
        txn.commit().await
    });
    tokio::time::sleep(pause).await;
    holder.run("COMMIT").await;
    ours.await.unwrap().unwrap();
    assert_eq!(contents(&world.store, &space).await.unwrap().records.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_with_someone_else_is_contention_and_the_service_tries_again() {
    // Ours is the first to look for one, and so the one that gives way.
    let Some((world, space)) = with_setting("deadlock_timeout%3D100ms").await else { return };
    let service = service_of(&world);
    push(&service, &space, batch(1, 0)).await.unwrap();

    let mut other = take_record(&world).await;
    let (store, space_) = (world.store.clone(), space.clone());
    let ours = tokio::spawn(async move {
        let mut txn = store.write(&space_).await?;
        let write = stamp(&mut *txn, [put("notes", "1", "9")]).await?;
        txn.apply(&write).await?;
        txn.commit().await
    });
    take_space(&world, &mut other).await;
    assert_eq!(kind_of(ours.await.unwrap()), ErrorKind::Contended);

    let base = contents(&world.store, &space).await.unwrap().head.head;
    let second = batch(2, base.get());
    let mut other = take_record(&world).await;
    let (service_, space_) = (service.clone(), space.clone());
    let ours = tokio::spawn(async move { push(&service_, &space_, second).await });
    take_space(&world, &mut other).await;
    let PushReply::Done(_) = ours.await.unwrap().unwrap() else { panic!("the batch was not carried out") };
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!((found.records[0].meta.revision, found.commits.len(), found.log.len()), (2, 2, 2));
}

/// Someone who changes a record by hand, without having locked its space.
async fn take_record(world: &World) -> Session {
    let mut other = world.connect().await;
    other.run("SET deadlock_timeout TO '20s'; BEGIN; SELECT * FROM records FOR UPDATE").await;
    other
}

/// … and then goes for the space, which ours has: both wait for each other. Yields when they no longer do.
async fn take_space(world: &World, other: &mut Session) {
    world::soon("our writer to wait", async || {
        let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND";
        let sql = format!("{waits} application_name = '{}'", world.schema);
        world.sql(&sql).await.as_deref() == Some("1")
    })
    .await;
    other.run("SELECT * FROM spaces FOR UPDATE; COMMIT").await;
}

/// At once, and at the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_serializations_are_tried_again_with_one_effect() {
    for (code, when) in [("40001", "INITIALLY IMMEDIATE"), ("40001", "INITIALLY DEFERRED"), ("40P01", "")] {
        let Some(world) = World::new().await else { return };
        let (world, space) = with_space(world).await;
        fail_next(&world, 4, code, when).await;
        let store = &world.store;
        assert_eq!(kind_of(commit_once(store, &space).await), ErrorKind::Contended);
        push(&service_of(&world), &space, batch(1, 0)).await.unwrap();
        assert_eq!(n_tries(&world).await, "5");
        let found = contents(store, &space).await.unwrap();
        assert_eq!((found.records.len(), found.commits.len(), found.log.len()), (1, 1, 1));
    }
}

async fn commit_once(store: &dyn Store, space: &SpaceId) -> Result<()> {
    let mut txn = store.write(space).await?;
    let write = stamp(&mut *txn, [put("notes", "9", "1")]).await?;
    txn.apply(&write).await?;
    txn.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_always_in_the_way_is_given_up_after_some_tries_and_nothing_of_it_is_there() {
    let Some(world) = World::new().await else { return };
    let (world, space) = with_space(world).await;
    let service = service_of(&world);
    let n_attempts = service.limits().attempts_max;
    fail_next(&world, n_attempts, "40001", "INITIALLY DEFERRED").await;
    assert_eq!(kind_of(push(&service, &space, batch(1, 0)).await), ErrorKind::Contended);
    assert_eq!(n_tries(&world).await, n_attempts.to_string());
    assert!(contents(&world.store, &space).await.unwrap().log.is_empty());
    // The same batch again, as its client does.
    push(&service, &space, batch(1, 0)).await.unwrap();
    push(&service, &space, batch(1, 0)).await.unwrap();
    commit(&world.store, &space, [put("notes", "9", "1")]).await.unwrap();
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!((found.records.len(), found.commits.len(), found.log.len()), (2, 2, 1));
}
