//! Behind a pooler that gives a connection to each transaction: the whole contract, and connections that are shared.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use postgres_testing::{Cluster, Pgbouncer};
use sqlx::Connection;
use sync_core::conformance::{Subject, commit, contents, epoch, put, seq, space_id};
use sync_core::store::{Store, StoreExt};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use world::World;

/// Connections to the database for all stores of all tests here, each of which would open up to six by itself.
const SHARED: &str = "8";

/// One for all tests; it ends with the process that holds it.
static POOLER: OnceLock<Option<(Cluster, Pgbouncer)>> = OnceLock::new();

fn pooler() -> Option<&'static (Cluster, Pgbouncer)> {
    let start = || {
        let cluster = Cluster::start(&[])?;
        let bouncer = Pgbouncer::start(cluster.socket_dir(), &[("default_pool_size", SHARED)])?;
        Some((cluster, bouncer))
    };
    POOLER.get_or_init(start).as_ref()
}

async fn fresh() -> Option<Box<dyn Subject>> {
    let url = format!("{}&pooler=transaction", pooler()?.1.url());
    // Hints come by looking alone.
    let often = Duration::from_millis(50);
    Some(Box::new(World::at(&url, |options| options.poll_every(often)).await))
}

sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_with_many_connections_share_two_of_the_database() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let Some(bouncer) = Pgbouncer::start(cluster.socket_dir(), &[("default_pool_size", "2")]) else { return };
    let url = format!("{}&pooler=transaction", bouncer.url());
    let often = Duration::from_millis(50);
    let world = World::at(&url, |options| options.connections_max(10).poll_every(often)).await;
    let stores = [world.store.clone(), world.second().await];
    let space = space_id("family");
    stores[0].create_space(&space, epoch(1)).await.unwrap();
    let mut hints = [stores[0].hints(&space), stores[1].hints(&space)];
    let write = |n: usize| {
        let (store, space) = (stores[n % 2].clone(), space.clone());
        async move {
            for m in 0..10 {
                commit(&store, &space, [put("notes", &format!("{n}-{m}"), "1")]).await?;
            }
            store.read(&space).await.map(drop)
        }
    };
    let tasks: Vec<_> = (0..20).map(|n| tokio::spawn(write(n))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for hints in &mut hints {
        while hints.next().await.unwrap() < seq(200) {}
    }
    assert_eq!(contents(&stores[1], &space).await.unwrap().commits.len(), 200);
    let backends = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND application_name <> 'direct'";
    let mut direct = sqlx::PgConnection::connect(&format!("{}&application_name=direct", cluster.url())).await;
    let n: String = sqlx::query_scalar(backends).fetch_one(direct.as_mut().unwrap()).await.unwrap();
    assert_eq!(n, "2", "connections to the database");
}

/// Why the parameter is needed, and that it is what helps: a statement prepared on one connection is not on the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_parameter_prepared_statements_are_missed() {
    let Some((_, bouncer)) = pooler() else { return };
    let options = |url: &str| PostgresOptions::from_url(url).unwrap().schema("unpooled").unwrap();
    let wrong = PostgresStore::open(options(&bouncer.url()).listens(false)).await.unwrap();
    let right = PostgresStore::open(options(&format!("{}&pooler=transaction", bouncer.url()))).await.unwrap();
    let space = space_id("family");
    right.create_space(&space, epoch(1)).await.unwrap();
    let write = |store: PostgresStore, n: usize| {
        let space = space.clone();
        async move {
            let mut n_failed = 0;
            for m in 0..10 {
                let change = [put("notes", &format!("{n}-{m}"), "1")];
                n_failed += usize::from(commit(&store, &space, change).await.is_err());
            }
            n_failed
        }
    };
    for (store, fails) in [(right, false), (wrong, true)] {
        let tasks: Vec<_> = (0..6).map(|n| tokio::spawn(write(store.clone(), n))).collect();
        let mut n_failed = 0;
        for task in tasks {
            n_failed += task.await.unwrap();
        }
        assert_eq!(n_failed > 0, fails, "{n_failed} of 60 commits failed");
    }
}
