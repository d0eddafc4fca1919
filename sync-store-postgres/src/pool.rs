//! The connections of this process, and how a transaction begins on one of them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPoolOptions, Postgres};
use sqlx::{ConnectOptions, PgPool};
use sync_core::store::Mode;
use sync_core::{Error, ErrorKind, Result};

use crate::driver::PostgresDriver;
use crate::error::sorted;
use crate::options::PostgresOptions;

/// How long a statement may run whose work has no bound: deleting a space, however large.
const LONG_STATEMENT_MAX: Duration = Duration::from_secs(3600);
/// How long after its own limits the database may be silent: a slow network, not a dead one.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long to ask what keeps this process from connecting: a refusal comes at once.
const ASK_WHY_MAX: Duration = Duration::from_secs(1);

/// How statements are planned. Each has one good plan: by index, in the order of the index. Postgres finds it where it
/// knows the tables, but a plan that is made while they are empty, and kept, may read and sort a whole space. And a plan
/// for a thousand keys in particular takes longer to make than to run.
const PLANS: &str = "SET LOCAL plan_cache_mode TO force_generic_plan; \
    SET LOCAL enable_seqscan TO off; \
    SET LOCAL enable_bitmapscan TO off; \
    SET LOCAL enable_sort TO off;";

/// Waits for the disk although someone has turned that off since the database was opened. What is stricter stays.
const DURABLE: &str = ", set_config('synchronous_commit', \
    coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)";

/// What a transaction is for, which decides its isolation and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reading from one moment.
    Read,
    /// Writing a bounded amount.
    Write,
    /// Writing that takes as long as it takes.
    LongWrite,
}

impl From<Mode> for Work {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Read => Self::Read,
            Mode::Write => Self::Write,
        }
    }
}

/// Connections, opened when first needed.
#[derive(Debug)]
pub(crate) struct Pool {
    pool: PgPool,
    options: PostgresOptions,
}

impl Pool {
    /// A pool that has no connections yet.
    pub(crate) fn new(options: PostgresOptions) -> Arc<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(options.wait_max)
            // A dead one is noticed by its first statement, before anything has happened; asking each time costs a
            // round trip.
            .test_before_acquire(false)
            .connect_lazy_with(options.connect.clone());
        Arc::new(Self { pool, options })
    }

    /// A transaction. It takes a connection with its first statement.
    pub(crate) fn transaction(self: &Arc<Self>, work: impl Into<Work>) -> PostgresDriver {
        PostgresDriver::new(self.clone(), work.into())
    }

    /// Borrows a connection.
    ///
    /// # Errors
    ///
    /// [`Overloaded`](sync_core::ErrorKind::Overloaded) after waiting too long.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>> {
        self.pool.acquire().await.map_err(|error| self.unconnected(error))
    }

    /// Borrows the first connection. As a database may only just be starting, the pool tries for a while when it is
    /// refused, and then does not say by what; so it is asked once more, past the pool.
    ///
    /// # Errors
    ///
    /// As [`connection`](Self::connection), with what keeps it from connecting.
    pub(crate) async fn first_connection(&self) -> Result<PoolConnection<Postgres>> {
        match self.pool.acquire().await {
            Err(sqlx::Error::PoolTimedOut) => {}
            acquired => return acquired.map_err(|error| self.unconnected(error)),
        }
        match tokio::time::timeout(ASK_WHY_MAX, self.options.connect.connect()).await {
            Ok(Ok(_)) => self.connection().await,
            Ok(Err(error)) => Err(self.unconnected(error)),
            Err(_) => {
                let message = format!("the database at {} does not answer", self.options.place());
                Err(Error::new(ErrorKind::Overloaded, message))
            }
        }
    }

    fn unconnected(&self, error: sqlx::Error) -> Error {
        sorted(&format!("connect to the database at {}", self.options.place()), error)
    }

    /// The statements that begin a transaction, as one text: its settings, the question whether the database is a
    /// standby, and the first query.
    ///
    /// All settings are of this transaction alone: nothing stays behind on a connection, which behind a pooler may be
    /// someone else's next.
    pub(crate) fn beginning(&self, work: Work, query: &str) -> String {
        let options = &self.options;
        let (isolation, idle) = match work {
            Work::Read => ("REPEATABLE READ READ ONLY", options.idle_reader_max),
            Work::Write | Work::LongWrite => ("READ COMMITTED", options.idle_writer_max),
        };
        let (wait_ms, idle_ms) = (options.wait_max.as_millis(), idle.as_millis());
        let statement_ms = self.statement_max(work).as_millis();
        // Where many wait for one row, each waits for its turn and then for the row: two locks, with a timeout each. And
        // a first query is a small one.
        let first_ms = if work == Work::LongWrite { statement_ms } else { wait_ms };
        let durable = if work == Work::Read || options.takes_weak_durability { "" } else { DURABLE };
        format!(
            "BEGIN ISOLATION LEVEL {isolation}; \
             SET LOCAL search_path TO \"{}\"; \
             SET LOCAL lock_timeout TO {wait_ms}; \
             SET LOCAL statement_timeout TO {first_ms}; \
             SET LOCAL idle_in_transaction_session_timeout TO {idle_ms}; \
             {PLANS} \
             SELECT pg_is_in_recovery(){durable}; \
             {query}; \
             SET LOCAL statement_timeout TO {statement_ms}",
            options.schema
        )
    }

    /// How long the database may work on one statement.
    fn statement_max(&self, work: Work) -> Duration {
        if work == Work::LongWrite { LONG_STATEMENT_MAX } else { self.options.statement_max }
    }

    /// How long to wait for an answer at all. The database keeps to its limits if it can; it may also have gone without
    /// a word.
    pub(crate) fn answer_max(&self, work: Work) -> Duration {
        self.statement_max(work) + self.options.wait_max + SILENCE_MAX
    }

    /// The same for the beginning of a transaction.
    pub(crate) fn beginning_max(&self, work: Work) -> Duration {
        match work {
            Work::Read | Work::Write => self.options.wait_max + SILENCE_MAX,
            Work::LongWrite => self.answer_max(work),
        }
    }

    /// What it was made with.
    pub(crate) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Waits for open transactions to end, and closes all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
