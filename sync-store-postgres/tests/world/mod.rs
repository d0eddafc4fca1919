//! A store in a schema of its own, for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::print_stderr, reason = "there is no log in a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use sync_core::conformance::Subject;
use sync_core::store::Store;
use sync_core::{Accounts, ErrorKind, RecordKey, Result, Runtime, SpaceId, TokioRuntime};
use sync_store_postgres::{PostgresOptions, PostgresStore};

/// A store and the schema it lives in.
pub(crate) struct World {
    pub(crate) store: PostgresStore,
    pub(crate) options: PostgresOptions,
    pub(crate) schema: String,
    url: String,
}

/// Tells the schemas of one test binary apart.
static N_WORLDS: AtomicUsize = AtomicUsize::new(0);

impl World {
    /// A store on the database for tests, or `None` where there is none.
    pub(crate) async fn new() -> Option<Self> {
        Self::with(|options| options).await
    }

    /// The same with other options.
    pub(crate) async fn with(options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Option<Self> {
        let url = postgres_testing::database_url()?;
        let n = N_WORLDS.fetch_add(1, Ordering::SeqCst);
        let schema = format!("test_{}_{n}", std::process::id());
        let base = PostgresOptions::from_url(&url).unwrap().schema(&schema).unwrap().connections_max(6);
        let options = options(base);
        let store = PostgresStore::open(options.clone()).await.unwrap();
        Some(Self { store, options, schema, url })
    }

    /// Runs SQL beside the store, and yields the first column of its first row.
    pub(crate) async fn sql(&self, sql: &str) -> Option<String> {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let sql = format!("SET search_path TO \"{}\"; {sql}", self.schema);
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.and_then(|row| sqlx::Row::try_get::<Option<String>, _>(&row, 0).unwrap())
    }
}

impl Drop for World {
    /// Leaves the database as it was, which may be someone's own.
    fn drop(&mut self) {
        let (url, schema) = (self.url.clone(), self.schema.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut connection = PgConnection::connect(&url).await?;
                let sql = format!("DROP SCHEMA \"{schema}\" CASCADE");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
                connection.close().await
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("schema {} is left behind: {error}", self.schema);
        }
    }
}

#[async_trait]
impl Subject for World {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(TokioRuntime)
    }

    fn accounts(&self) -> Option<Arc<dyn Accounts>> {
        Some(Arc::new(self.store.clone()))
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.store.close().await;
        self.store = PostgresStore::open(self.options.clone()).await?;
        Ok(true)
    }

    async fn damage(&self, space: &SpaceId, key: &RecordKey) -> Result<bool> {
        let damage = "overlay(data placing chr(ascii(substring(data, 2, 1)) # 1) from 2 for 1)";
        let which = format!("collection = '{}' AND id = '{}'", key.collection, key.id);
        let sql = format!(
            "UPDATE records SET data = {damage} WHERE space = '{space}' AND {which} RETURNING 'damaged'"
        );
        assert_eq!(self.sql(&sql).await.as_deref(), Some("damaged"));
        Ok(true)
    }
}

/// The kind of an error that had to happen.
pub(crate) fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}
