//! The store: what each call does to the database.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use sync_core::sql::{Driver, SqlAccounts, SqlTxn, spaces};
use sync_core::store::{LogEntry, Mode, SpaceStats, Store, StoreTxn, space_exists};
use sync_core::{Epoch, Result, Seq, SpaceId};
use tokio::task::AbortHandle;

use crate::driver::PostgresDriver;
use crate::hints::Hints;
use crate::options::PostgresOptions;
use crate::pool::{Pool, Work};
use crate::schema::{self, Tables};

/// Connections for accounts. 4: each is busy for a millisecond at a time, and a list of changes waits for the one before.
const ACCOUNT_CONNECTIONS: u32 = 4;

/// Spaces and accounts in a Postgres database, for this process and any number of others.
///
/// It must be used within a tokio runtime. Clones share its connections.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sync_core::store::Store;
/// use sync_core::{Epoch, SpaceId};
/// use sync_store_postgres::{PostgresOptions, PostgresStore};
///
/// let options = PostgresOptions::from_url("postgres://sync:secret@db.example/sync")?;
/// let store = PostgresStore::open(options).await?;
/// store.create_space(&SpaceId::new("a")?, Epoch::from_bytes([1; 16])).await?;
/// assert_eq!(store.spaces(None, 10).await?, [SpaceId::new("a")?]);
/// store.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    /// Of accounts: who commits to a space asks here who may, and must not wait for others who do the same.
    accounts: Arc<Pool>,
    hints: Arc<Hints>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl PostgresStore {
    /// Opens a store: looks at the settings of the database, makes the tables or brings them up to date, and starts to
    /// listen for what other processes commit.
    ///
    /// # Errors
    ///
    /// [`Incompatible`](sync_core::ErrorKind::Incompatible) when the database does not do (a version before 15, an
    /// encoding other than UTF-8, `synchronous_commit=off`), when its tables are newer than this program, or when it
    /// refuses the credentials; [`Unavailable`](sync_core::ErrorKind::Unavailable) when it cannot be reached or is a
    /// standby; [`Overloaded`](sync_core::ErrorKind::Overloaded) when it does not answer in time.
    pub async fn open(options: PostgresOptions) -> Result<Self> {
        Self::open_with(options, Tables::Prepare).await
    }

    /// Opens a store that is there, as this program knows it: makes no tables and changes none. For programs that only look
    /// after what others serve, and that may be pointed at a wrong database.
    ///
    /// # Errors
    ///
    /// Those of [`open`](PostgresStore::open); and [`Incompatible`](sync_core::ErrorKind::Incompatible) also when there is no
    /// store (with code [`NO_STORE`](crate::NO_STORE)), or when its tables are older than this program.
    pub async fn open_existing(options: PostgresOptions) -> Result<Self> {
        Self::open_with(options, Tables::Expect).await
    }

    async fn open_with(options: PostgresOptions, tables: Tables) -> Result<Self> {
        // To its end even when the caller goes away: half a migration must not go back to the pool.
        run(async move {
            let accounts = Pool::new(options.clone().connections_max(ACCOUNT_CONNECTIONS));
            let (pool, hints) = (Pool::new(options), Arc::new(Hints::default()));
            schema::open(&pool, tables).await?;
            let mut tasks = vec![
                tokio::spawn(hints.clone().tell(pool.clone())).abort_handle(),
                tokio::spawn(hints.clone().look(pool.clone())).abort_handle(),
            ];
            if pool.options().listens {
                tasks.push(tokio::spawn(hints.clone().listen(pool.clone())).abort_handle());
            }
            Ok(Self(Arc::new(Inner { pool, accounts, hints, tasks })))
        })
        .await
    }

    /// Waits for open transactions to end and closes all connections. Afterwards every call fails.
    pub async fn close(&self) {
        self.0.tasks.iter().for_each(AbortHandle::abort);
        self.0.pool.close().await;
        self.0.accounts.close().await;
    }

    /// The secret of this name that all processes on the database share; `candidate` becomes it where there is none yet.
    ///
    /// # Errors
    ///
    /// As those of every other call.
    pub async fn shared_secret(&self, name: &str, candidate: &str) -> Result<String> {
        let (store, name, candidate) = (self.clone(), name.to_owned(), candidate.to_owned());
        run(async move {
            let mut driver = store.transaction(Work::Write);
            let secret = schema::shared_secret(&mut driver, &name, &candidate).await?;
            driver.commit().await?;
            Ok(secret)
        })
        .await
    }

    fn transaction(&self, work: Work) -> PostgresDriver {
        self.0.pool.transaction(work)
    }

    async fn txn(&self, space: &SpaceId, mode: Mode) -> Result<SqlTxn<PostgresDriver>> {
        SqlTxn::begin(self.transaction(mode.into()), space, mode, self.0.hints.clone()).await
    }
}

/// Runs database work in a task of its own. Who asks may be a request whose client goes away at any moment; a
/// transaction that is cut off costs its connection.
async fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(crate::error::task)?
}

#[async_trait]
impl Store for PostgresStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        let mut driver = self.transaction(Work::Write);
        if spaces::create(&mut driver, space, epoch).await? {
            driver.commit().await
        } else {
            Err(space_exists(space))
        }
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        let mut driver = self.transaction(Work::LongWrite);
        let was_there = spaces::delete(&mut driver, space).await?;
        driver.commit().await?;
        Ok(was_there)
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        spaces::list(&mut self.transaction(Work::Read), after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        Ok(Box::new(self.txn(space, mode).await?))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.txn(space, Mode::Read).await?.stats().await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.txn(space, Mode::Read).await?.log(before, limit).await
    }

    async fn check(&self) -> Result<Vec<String>> {
        let store = self.clone();
        run(async move { schema::warnings(&store.0.pool).await }).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.0.hints.hub().subscribe(space).boxed()
    }
}

#[async_trait]
impl SqlAccounts for PostgresStore {
    type Driver = PostgresDriver;

    async fn begin_accounts(&self, mode: Mode) -> Result<PostgresDriver> {
        Ok(self.0.accounts.transaction(Work::from(mode)))
    }

    async fn carry_out<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        run(work).await
    }
}
