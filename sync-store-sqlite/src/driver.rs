//! An open transaction on a file.

use async_trait::async_trait;
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Row};
use sync_core::sql::{Dialect, Driver, Statement};
use sync_core::store::Mode;
use sync_core::{Error, Result};

use crate::database::Pin;
use crate::error::sorted;
use crate::lane::Lease;

/// A transaction on one file, which stays open for as long.
///
/// It holds the connection and the file, in this order: the connection is given back before the file may be closed.
/// The transaction is SQL text and not sqlx's `Transaction`, which borrows its connection or owns one of sqlx's pool;
/// the lease rolls back what was not committed.
#[derive(Debug)]
pub(crate) struct SqliteDriver {
    lease: Lease,
    pin: Pin,
    mode: Mode,
}

impl SqliteDriver {
    /// Begins on a connection of the file.
    pub(crate) async fn begin(mut lease: Lease, pin: Pin, mode: Mode) -> Result<Self> {
        // A deferred transaction that turns to writing fails when another wrote since; so writers say it at once.
        let begin = match mode {
            Mode::Read => "BEGIN DEFERRED",
            Mode::Write => "BEGIN IMMEDIATE",
        };
        lease.must_roll_back(true);
        let mut driver = Self { lease, pin, mode };
        let begun = sqlx::query(begin).execute(&mut *driver.lease.connection().await?).await;
        begun.map_err(|error| driver.failed("begin a transaction", error))?;
        Ok(driver)
    }

    fn failed(&mut self, what: &str, error: sqlx::Error) -> Error {
        // SQLite ends a transaction by itself after some errors; after others it is not known what is on the disk.
        self.lease.spoil();
        sorted(what, error)
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values));
        let done = query.persistent(statement.reusable).execute(&mut *self.lease.connection().await?).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.failed("write", error))
    }

    async fn text(&mut self, statement: Statement) -> Result<Option<String>> {
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values));
        let row =
            query.persistent(statement.reusable).fetch_optional(&mut *self.lease.connection().await?).await;
        let text = row.and_then(|row| row.map_or(Ok(None), |row| row.try_get::<Option<String>, _>(0)));
        text.map_err(|error| self.failed("read", error))
    }

    async fn commit(mut self) -> Result<()> {
        let done = sqlx::query("COMMIT").execute(&mut *self.lease.connection().await?).await;
        done.map_err(|error| self.failed("commit", error))?;
        self.lease.must_roll_back(false);
        match self.mode {
            Mode::Read => Ok(()),
            // What was written to a file that is no longer at its place is not durable.
            Mode::Write => self.pin.check_place(),
        }
    }
}
