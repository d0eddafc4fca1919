//! An open transaction on a connection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_query_sqlx::SqlxValues;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Row};
use sync_core::sql::{Dialect, Driver, Statement};
use sync_core::{Error, ErrorKind, Result};

use crate::error::{is_broken, sorted, sorted_commit};
use crate::joined::{join, with_literals};
use crate::pool::{Pool, Work};

/// How long a rollback may take before its connection is closed instead: it waits for nothing but the network and, where
/// a call was interrupted, for that to end.
const ROLLBACK_MAX: Duration = Duration::from_secs(5);

/// A transaction. It takes a connection and begins with its first statement, in one round trip.
///
/// The transaction is SQL text and not sqlx's `Transaction`: the version at hand gives a connection back to its pool
/// with the transaction open when whoever begins it goes away. Here a connection goes back only after its transaction
/// has ended, and is closed when a call on it was interrupted.
pub struct PostgresDriver {
    pool: Arc<Pool>,
    work: Work,
    connection: Option<PoolConnection<Postgres>>,
    state: State,
}

/// What has to be done with the connection in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: no transaction was begun, or it has ended.
    Idle,
    /// Roll back, unless it is committed.
    InTransaction,
    /// Roll back: a statement has failed. Postgres answers a commit of such a transaction with a rollback and no error.
    Failed,
    /// Close: a call is under way or was interrupted, or the other side is gone.
    Unknown,
}

impl PostgresDriver {
    /// A transaction that has not begun.
    pub(crate) fn new(pool: Arc<Pool>, work: Work) -> Self {
        Self { pool, work, connection: None, state: State::Idle }
    }

    /// The connection, with the transaction begun on it. From here to the answer its state is unknown, and whoever drops
    /// the future in between leaves it so.
    async fn begun(&mut self) -> Result<&mut PoolConnection<Postgres>> {
        if self.connection.is_none() {
            self.begin("").await?;
        }
        self.open()
    }

    fn open(&mut self) -> Result<&mut PoolConnection<Postgres>> {
        match &mut self.connection {
            Some(connection) if self.state == State::InTransaction => {
                self.state = State::Unknown;
                Ok(connection)
            }
            _ => Err(Error::new(ErrorKind::Internal, "cannot go on with a transaction that has failed")),
        }
    }

    /// Begins the transaction together with a query, and yields the rows of that.
    ///
    /// A connection that has been idle may be dead without anyone knowing; then the next one is tried, as nothing has
    /// happened yet. There are not more of them than the pool holds.
    async fn begin(&mut self, query: &str) -> Result<Vec<PgRow>> {
        let sql = self.pool.beginning(self.work, query);
        let max = self.pool.beginning_max(self.work);
        let mut n_tries = self.pool.options().connections_max;
        loop {
            let connection = self.connection.insert(self.pool.connection().await?);
            self.state = State::Unknown;
            let rows = sqlx::raw_sql(AssertSqlSafe(sql.as_str())).fetch_all(&mut **connection);
            match in_time(max, rows).await {
                Ok(rows) => {
                    self.state = State::InTransaction;
                    return beyond_standby(rows);
                }
                Err(error) if is_broken(&error) && !is_silence(&error) && n_tries > 0 => {
                    n_tries -= 1;
                    close(self.connection.take()).await;
                }
                Err(error) => return Err(self.failed("begin a transaction", error)),
            }
        }
    }

    fn failed(&mut self, what: &str, error: sqlx::Error) -> Error {
        self.state = if is_broken(&error) { State::Unknown } else { State::Failed };
        sorted(what, error)
    }

    fn keeps_prepared(&self, statement: &Statement) -> bool {
        statement.reusable && !self.pool.options().is_pooled
    }
}

/// The rows after the first, which says whether the database is a standby.
fn beyond_standby(mut rows: Vec<PgRow>) -> Result<Vec<PgRow>> {
    let answer = rows.first().map(|row| row.try_get::<bool, _>(0));
    match answer {
        Some(Ok(false)) => Ok(rows.split_off(1)),
        Some(Ok(true)) => Err(Error::new(
            ErrorKind::Unavailable,
            "the database is a standby, which may not have what clients have seen; connect to the primary",
        )),
        _ => Err(Error::new(ErrorKind::Internal, "the database did not say whether it is a standby")),
    }
}

/// Waits for an answer of the database, but not for ever.
async fn in_time<T>(max: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(max, answer).await.unwrap_or_else(|_| {
        let silence = std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer");
        Err(sqlx::Error::Io(silence))
    })
}

fn is_silence(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

async fn rolled_back(connection: &mut PgConnection, max: Duration) -> bool {
    let rollback = sqlx::raw_sql("ROLLBACK").execute(connection);
    matches!(tokio::time::timeout(max, rollback).await, Ok(Ok(_)))
}

async fn close(connection: Option<PoolConnection<Postgres>>) {
    if let Some(connection) = connection {
        // It may be gone already, and there is nobody to tell.
        let _ = tokio::time::timeout(ROLLBACK_MAX, connection.close()).await;
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let keep = self.keeps_prepared(&statement);
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values));
        let max = self.pool.answer_max(self.work);
        let done = in_time(max, query.persistent(keep).execute(&mut **self.begun().await?)).await;
        let done = done.map_err(|error| self.failed("write", error))?;
        self.state = State::InTransaction;
        Ok(done.rows_affected())
    }

    /// As one statement: each costs a round trip, and a commit has five.
    async fn execute_all(&mut self, statements: Vec<Statement>) -> Result<()> {
        match join(statements) {
            Some(joined) => self.execute(joined).await.map(drop),
            None => Ok(()),
        }
    }

    async fn text(&mut self, statement: Statement) -> Result<Option<String>> {
        let first = if self.connection.is_none() { with_literals(&statement) } else { None };
        let row = match first {
            Some(sql) => self.begin(&sql).await?.pop(),
            None => {
                let keep = self.keeps_prepared(&statement);
                let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values));
                let max = self.pool.answer_max(self.work);
                let row = query.persistent(keep).fetch_optional(&mut **self.begun().await?);
                let row = in_time(max, row).await.map_err(|error| self.failed("read", error))?;
                self.state = State::InTransaction;
                row
            }
        };
        let text = row.map_or(Ok(None), |row| row.try_get::<Option<String>, _>(0));
        text.map_err(|error| sorted("read", error))
    }

    async fn commit(mut self) -> Result<()> {
        if self.connection.is_none() {
            return Ok(());
        }
        // Not `failed`: after an error it is not known whether the transaction has ended.
        let max = self.pool.answer_max(self.work);
        let committed = in_time(max, sqlx::raw_sql("COMMIT").execute(&mut **self.open()?)).await;
        committed.map_err(sorted_commit)?;
        self.state = State::Idle;
        Ok(())
    }
}

impl Drop for PostgresDriver {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let state = self.state;
        if state == State::Idle {
            // Dropped, it goes back to the pool.
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // No one is left to end the transaction in order: without its connection the database does.
            drop(connection.detach());
            return;
        };
        // Also before it closes: the database does not notice who left while it waits for a lock, and whoever tries again
        // and again would have it hold many more connections than this pool may.
        let max = self.pool.options().wait_max.saturating_add(ROLLBACK_MAX);
        runtime.spawn(async move {
            if !rolled_back(&mut connection, max).await || state == State::Unknown {
                close(Some(connection)).await;
            }
        });
    }
}

impl std::fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresDriver")
            .field("work", &self.work)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sea_query::Values;

    use super::*;

    fn statement(sql: &str) -> Statement {
        Statement { sql: sql.to_owned(), values: Values(Vec::new()), reusable: true }
    }

    #[tokio::test]
    async fn a_transaction_in_which_a_statement_failed_is_not_committed() {
        let Some(url) = postgres_testing::database_url() else { return };
        let pool = Pool::new(crate::PostgresOptions::from_url(&url).unwrap());
        let mut driver = pool.transaction(Work::Write);
        driver.execute(statement("SELECT 1")).await.unwrap();
        assert!(driver.execute(statement("SELECT 1 / 0")).await.is_err());
        assert!(driver.execute(statement("SELECT 1")).await.is_err());
        assert!(
            driver.commit().await.is_err(),
            "it was rolled back, and someone would be told that it was not"
        );
        pool.close().await;
    }

    #[tokio::test]
    async fn writers_wait_for_the_disk_although_that_was_turned_off() {
        let Some(url) = postgres_testing::database_url() else { return };
        for (told, used) in
            [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
        {
            let url = format!("{url}&options=-c%20synchronous_commit%3D{told}");
            let pool = Pool::new(crate::PostgresOptions::from_url(&url).unwrap());
            let mut driver = pool.transaction(Work::Write);
            let found = driver.text(statement("SELECT current_setting('synchronous_commit')")).await.unwrap();
            assert_eq!(found.as_deref(), Some(used), "{told}");
            drop(driver);
            pool.close().await;
        }
    }

    /// A broken promise of ours must not be told to a client as a fault of theirs.
    #[tokio::test]
    async fn constraints_of_our_own_are_told_apart_from_those_of_the_owner() {
        let Some(url) = postgres_testing::database_url() else { return };
        let pool = Pool::new(crate::PostgresOptions::from_url(&url).unwrap());
        for (constraint, kind) in
            [("records_feed", ErrorKind::Internal), ("one_for_each_city", ErrorKind::Invalid)]
        {
            let mut driver = pool.transaction(Work::Write);
            let table =
                format!("CREATE TEMP TABLE t (n int, CONSTRAINT {constraint} UNIQUE (n)) ON COMMIT DROP");
            driver.execute(statement(&table)).await.unwrap();
            driver.execute(statement("INSERT INTO t VALUES (1)")).await.unwrap();
            let refused = driver.execute(statement("INSERT INTO t VALUES (1)")).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{constraint}");
        }
        pool.close().await;
    }
}
