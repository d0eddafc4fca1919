//! Databases that do not do, or do only just, and what is said of them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::time::Duration;

use postgres_testing::{Cluster, Shutdown};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use sync_core::conformance::{actor, commit, contents, epoch, put, space_id};
use sync_core::store::{Store, StoreExt};
use sync_core::{Accounts, Error, ErrorKind};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use world::{World, kind_of, soon};

async fn open(url: &str) -> Result<PostgresStore, Error> {
    PostgresStore::open(PostgresOptions::from_url(url).unwrap()).await
}

async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refusal(url: &str) -> (ErrorKind, String) {
    let error = open(url).await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_commits_are_refused_unless_they_are_asked_for_and_then_told() {
    let Some(mut world) = World::new().await else { return };
    let url = format!("{}&options=-c%20synchronous_commit%3Doff", postgres_testing::database_url().unwrap());
    let (kind, message) = refusal(&url).await;
    assert_eq!(kind, ErrorKind::Incompatible);
    assert!(message.contains("ALTER ROLE") && message.contains("synchronous_commit = on"), "{message}");
    let options = PostgresOptions::from_url(&url).unwrap().schema(&world.schema).unwrap();
    world.store = PostgresStore::open(options.takes_weak_durability()).await.unwrap();
    let warnings = world.store.check().await.unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("synchronous_commit=off")), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_wait_for_its_disk_is_told_by_the_check() {
    let Some(mut cluster) = Cluster::start(&[("fsync", "off"), ("full_page_writes", "off")]) else { return };
    let store = open(&cluster.url()).await.unwrap();
    let warnings = store.check().await.unwrap().join("\n");
    assert!(warnings.contains("fsync=off") && warnings.contains("full_page_writes=off"), "{warnings}");
    store.close().await;
    cluster.configure(&[("fsync", "on"), ("full_page_writes", "on")]);
    cluster.restart(Shutdown::Fast);
    assert!(open(&cluster.url()).await.unwrap().check().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_refused_for_opening_reading_and_writing_until_it_is_promoted() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    let (store, space) = (open(&cluster.url()).await.unwrap(), space_id("family"));
    store.create_space(&space, epoch(1)).await.unwrap();
    commit(&store, &space, [put("notes", "1", "1")]).await.unwrap();
    // The same address leads to a standby now, as after a failover in the wrong direction.
    cluster.stop(Shutdown::Fast);
    std::fs::write(cluster.socket_dir().join("data/standby.signal"), "").unwrap();
    cluster.start_again();

    let (kind, message) = refusal(&cluster.url()).await;
    assert!(kind == ErrorKind::Unavailable && message.contains("standby"), "{message}");
    assert_eq!(kind_of(store.write(&space).await.map(drop)), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.create_space(&space_id("new"), epoch(1)).await), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.delete_space(&space).await), ErrorKind::Unavailable);
    let error = store.read(&space).await.map(drop).unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("standby"), "{error:?}");
    assert_eq!(kind_of(store.spaces(None, 1).await), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.stats(&space).await), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.role(&space, &actor("anna")).await), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.shared_secret("a", "b").await), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.check().await), ErrorKind::Unavailable);

    run(&cluster.url(), "SELECT pg_promote()").await;
    soon("the promoted standby to serve", async || {
        commit(&store, &space, [put("notes", "2", "1")]).await.is_ok()
    })
    .await;
    assert_eq!(contents(&store, &space).await.unwrap().records.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_newer_than_the_program_are_refused() {
    let Some(world) = World::new().await else { return };
    world.sql("INSERT INTO schema_version VALUES (99)").await;
    let error = PostgresStore::open(world.options.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_stores_that_open_an_empty_database_at_once_one_migrates_and_all_work() {
    // What a role may have as its defaults must not matter: neither a snapshot from before the wait, nor its end.
    let harsh = "options=-c%20default_transaction_isolation%3Dserializable%20-c%20statement_timeout%3D300\
                 %20-c%20lock_timeout%3D300";
    for parameter in ["connections=6", harsh] {
        let Some(world) = World::with_parameter(parameter).await else { return };
        let mut migrating = world.connect().await;
        migrating.run("SELECT pg_advisory_lock(x'53796e634d696772'::bigint)").await;
        migrating.run(&format!("DROP SCHEMA {} CASCADE", world.schema)).await;
        let opening: Vec<_> =
            (0..4).map(|_| tokio::spawn(PostgresStore::open(world.options.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(600)).await;
        migrating.run("SELECT pg_advisory_unlock_all()").await;
        for (n, opening) in (0..).zip(opening) {
            let (store, space) = (opening.await.unwrap().unwrap(), space_id(&format!("s{n}")));
            store.create_space(&space, epoch(1)).await.unwrap();
            commit(&store, &space, [put("notes", "1", "1")]).await.unwrap();
            store.close().await;
        }
        assert_eq!(
            world.sql("SELECT string_agg(version::text, ' ') FROM schema_version").await.unwrap(),
            "1 2 3 4"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_owns_its_schema_needs_no_other_right() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let url = cluster.url().replace("//postgres@", "//app@");
    run(
        &cluster.url(),
        "CREATE ROLE app LOGIN; REVOKE ALL ON DATABASE postgres FROM PUBLIC; \
                         GRANT CONNECT ON DATABASE postgres TO app; REVOKE ALL ON SCHEMA public FROM PUBLIC",
    )
    .await;
    let (kind, message) = refusal(&url).await;
    assert_eq!(kind, ErrorKind::Incompatible, "{message}");
    run(&cluster.url(), "CREATE SCHEMA sync").await;
    let (kind, message) = refusal(&url).await;
    assert_eq!(kind, ErrorKind::Incompatible, "{message}");
    run(&cluster.url(), "ALTER SCHEMA sync OWNER TO app").await;
    let (store, space) = (open(&url).await.unwrap(), space_id("family"));
    store.create_space(&space, epoch(1)).await.unwrap();
    commit(&store, &space, [put("notes", "1", "1")]).await.unwrap();
    assert_eq!(contents(&store, &space).await.unwrap().records.len(), 1);

    // Someone who only looks sees the view, and nothing behind it.
    run(&url, "GRANT USAGE ON SCHEMA sync TO PUBLIC; GRANT SELECT ON sync.records_json TO PUBLIC").await;
    run(&cluster.url(), "CREATE ROLE guest LOGIN; GRANT CONNECT ON DATABASE postgres TO guest").await;
    let mut guest = PgConnection::connect(&cluster.url().replace("//postgres@", "//guest@")).await.unwrap();
    sqlx::raw_sql("SELECT data FROM sync.records_json").fetch_one(&mut guest).await.unwrap();
    for table in ["records", "secrets", "users"] {
        let sql = format!("SELECT * FROM sync.{table}");
        assert!(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut guest).await.is_err(), "{table}");
    }
    guest.close().await.unwrap();
    assert!(store.delete_space(&space).await.unwrap());

    // Whoever asks whether it is well hears of a right that was taken away, before a client does.
    store.check().await.unwrap();
    run(&url, "REVOKE DELETE ON sync.clients FROM app").await;
    assert_eq!(kind_of(store.check().await), ErrorKind::Incompatible);
    run(&url, "GRANT DELETE ON sync.clients TO app").await;
    store.check().await.unwrap();
}

/// As an operator, or a provider whose disk is nearly full, sets it: to be respected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_set_to_reading_only_is_read_and_refuses_writers() {
    let Some(world) = World::new().await else { return };
    let space = space_id("family");
    world.store.create_space(&space, epoch(1)).await.unwrap();
    commit(&world.store, &space, [put("notes", "1", "1")]).await.unwrap();
    let secret = world.store.shared_secret("for tokens", "first").await.unwrap();
    let url = postgres_testing::database_url().unwrap() + "&options=-c%20default_transaction_read_only%3Don";
    let options = PostgresOptions::from_url(&url).unwrap().schema(&world.schema).unwrap();
    let store = PostgresStore::open(options).await.unwrap();
    assert_eq!(contents(&store, &space).await.unwrap().records.len(), 1);
    assert_eq!(
        store.shared_secret("for tokens", "second").await.unwrap(),
        secret,
        "a server could not start"
    );
    assert_eq!(kind_of(store.write(&space).await.map(drop)), ErrorKind::Unavailable);
    assert_eq!(kind_of(store.delete_space(&space).await), ErrorKind::Unavailable);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_an_encoding_is_refused() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let create =
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'";
    run(&cluster.url(), create).await;
    let (kind, message) = refusal(&cluster.url_of("bytes")).await;
    assert!(kind == ErrorKind::Incompatible && message.contains("UTF8"), "{message}");
}
