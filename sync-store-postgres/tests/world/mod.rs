//! A store in a schema of its own, for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::print_stderr, reason = "there is no log in a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use sync_core::conformance::Subject;
use sync_core::store::Store;
use sync_core::{Accounts, ErrorKind, OpId, RecordKey, Result, Runtime, SpaceId, TokioRuntime};
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
        Some(Self::at(&postgres_testing::database_url()?, options).await)
    }

    /// The same with a parameter in its URL, which is for the store alone.
    pub(crate) async fn with_parameter(parameter: &str) -> Option<Self> {
        Some(Self::made(&postgres_testing::database_url()?, parameter, |options| options).await)
    }

    /// The same on a database of the caller's.
    pub(crate) async fn at(url: &str, options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Self {
        Self::made(url, "", options).await
    }

    /// The connections of the store have the name of the schema.
    async fn made(
        url: &str,
        parameter: &str,
        options: impl FnOnce(PostgresOptions) -> PostgresOptions,
    ) -> Self {
        let n = N_WORLDS.fetch_add(1, Ordering::SeqCst);
        let schema = format!("test_{}_{n}", std::process::id());
        let separator = if url.contains('?') { '&' } else { '?' };
        let own = format!("{url}{separator}application_name={schema}&{parameter}");
        let base = PostgresOptions::from_url(&own).unwrap().schema(&schema).unwrap().connections_max(6);
        let options = options(base);
        let store = PostgresStore::open(options.clone()).await.unwrap();
        Self { store, options, schema, url: url.to_owned() }
    }

    /// Another store on the same schema, as another process has.
    pub(crate) async fn second(&self) -> PostgresStore {
        PostgresStore::open(self.options.clone()).await.unwrap()
    }

    /// A connection beside the store, with the settings of the database. Not for use behind a pooler.
    pub(crate) async fn connect(&self) -> Session {
        let mut session = self.session().await;
        session.run(&format!("SET search_path TO \"{}\"", self.schema)).await;
        session
    }

    async fn session(&self) -> Session {
        let options: PgConnectOptions = self.url.parse().unwrap();
        Session(options.application_name("foreign").connect().await.unwrap())
    }

    /// Runs SQL beside the store, and yields the first column of its first row. As one text: behind a pooler the next one
    /// may come to another connection, where the schema is not set.
    pub(crate) async fn sql(&self, sql: &str) -> Option<String> {
        let mut session = self.session().await;
        let answer = session.ask(&format!("SET LOCAL search_path TO \"{}\"; {sql}", self.schema)).await;
        session.0.close().await.unwrap();
        answer
    }

    /// How many connections of stores on this schema are in a state (a pattern as of `LIKE`).
    pub(crate) async fn n_backends(&self, state: &str) -> usize {
        let of_it = format!("application_name = '{}' AND state LIKE '{state}'", self.schema);
        let sql = format!("SELECT count(*)::text FROM pg_stat_activity WHERE {of_it}");
        self.sql(&sql).await.unwrap().parse().unwrap()
    }

    /// Waits until no connection of the stores is in a transaction.
    pub(crate) async fn is_quiet(&self) {
        soon("the transactions to end", async || {
            self.n_backends("idle in transaction%").await + self.n_backends("active").await == 0
        })
        .await;
    }
}

/// A connection of someone else.
pub(crate) struct Session(pub(crate) PgConnection);

impl Session {
    /// The first column of the first row.
    pub(crate) async fn ask(&mut self, sql: &str) -> Option<String> {
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut self.0).await.unwrap();
        row.and_then(|row| sqlx::Row::try_get::<Option<String>, _>(&row, 0).unwrap())
    }

    /// The first column of all rows.
    pub(crate) async fn lines(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
    }

    /// Runs statements of which nothing is to be known.
    pub(crate) async fn run(&mut self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    /// The same where it may fail.
    pub(crate) async fn try_run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await.map(drop)
    }
}

/// How long anything may take to happen by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until it is so.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < until, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for World {
    /// Leaves the database as it was, which may be someone's own. Blocks until transactions on it have ended, so other
    /// threads must be there to end them.
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
        let (table, column, which) = match (key.collection.tree(), OpId::from_record_id(&key.id)) {
            (Some(tree), Ok(OpId { clock, peer })) => {
                let op = format!("tree_id = '{tree}' AND clock = {clock} AND peer_id = '{peer}'");
                ("tree_ops", "value", format!("space_id = '{space}' AND {op}"))
            }
            _ => {
                let key = format!("collection = '{}' AND id = '{}'", key.collection, key.id);
                ("records", "data", format!("space = '{space}' AND {key}"))
            }
        };
        let flipped = format!("chr(ascii(substring({column}, 2, 1)) # 1)");
        let damage = format!("overlay({column} placing {flipped} from 2 for 1)");
        let sql = format!("UPDATE {table} SET {column} = {damage} WHERE {which} RETURNING 'damaged'");
        assert_eq!(self.sql(&sql).await.as_deref(), Some("damaged"));
        Ok(true)
    }
}

/// The kind of an error that had to happen.
pub(crate) fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}
