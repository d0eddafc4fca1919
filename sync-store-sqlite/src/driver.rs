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
pub struct SqliteDriver {
    lease: Lease,
    pin: Pin,
    mode: Mode,
    has_begun: bool,
    /// Writes that were asked for and not sent yet.
    pending: Vec<Statement>,
}

impl SqliteDriver {
    /// A transaction on a connection of the file. It begins with its first statement.
    pub(crate) fn new(lease: Lease, pin: Pin, mode: Mode) -> Self {
        Self { lease, pin, mode, has_begun: false, pending: Vec::new() }
    }

    /// The statement that begins the transaction, if it is still to come.
    fn begin(&mut self) -> Option<&'static str> {
        if std::mem::replace(&mut self.has_begun, true) {
            return None;
        }
        self.lease.must_roll_back(true);
        // A deferred transaction that turns to writing fails when another wrote since; so writers say it at once.
        Some(match self.mode {
            Mode::Read => "BEGIN DEFERRED",
            Mode::Write => "BEGIN IMMEDIATE",
        })
    }

    /// Sends what is pending, in as few calls as can be.
    async fn flush(&mut self) -> Result<()> {
        for joined in join(std::mem::take(&mut self.pending)) {
            self.run(joined).await?;
        }
        Ok(())
    }

    async fn run(&mut self, statement: Statement) -> Result<u64> {
        if let Some(begin) = self.begin() {
            // By itself: for the rows it touched SQLite would repeat what the statement before it had touched.
            let begun = sqlx::query(begin).execute(&mut *self.lease.connection().await?).await;
            begun.map_err(|error| self.failed("begin a transaction", error))?;
        }
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values));
        let done = query.persistent(statement.reusable).execute(&mut *self.lease.connection().await?).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.failed("write", error))
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
        self.flush().await?;
        self.run(statement).await
    }

    /// Only noted here: they go together with whatever comes next, mostly the end of the transaction. Those noted before
    /// go now, so that what is held in memory is no more than one call brings.
    async fn execute_all(&mut self, statements: Vec<Statement>) -> Result<()> {
        self.flush().await?;
        self.pending = statements;
        Ok(())
    }

    async fn text(&mut self, statement: Statement) -> Result<Option<String>> {
        self.flush().await?;
        // Together: each call goes to the connection's thread and back, which takes longer than most statements.
        let sql = match self.begin() {
            Some(begin) => format!("{begin}; {}", statement.sql),
            None => statement.sql,
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(statement.values));
        let row =
            query.persistent(statement.reusable).fetch_optional(&mut *self.lease.connection().await?).await;
        let text = row.and_then(|row| row.map_or(Ok(None), |row| row.try_get::<Option<String>, _>(0)));
        text.map_err(|error| self.failed("read", error))
    }

    async fn commit(mut self) -> Result<()> {
        if !self.has_begun && self.pending.is_empty() {
            return Ok(());
        }
        self.pending.push(Statement::fixed("COMMIT"));
        self.flush().await?;
        self.lease.must_roll_back(false);
        match self.mode {
            Mode::Read => Ok(()),
            // What was written to a file that is no longer at its place is not durable.
            Mode::Write => self.pin.check_place(),
        }
    }
}

/// Joins neighbours into one text, which takes one call: SQLite runs its statements in order, each with the parameters
/// that follow those of the one before. What is kept prepared is not joined with what is not.
fn join(statements: Vec<Statement>) -> Vec<Statement> {
    let mut joined: Vec<Statement> = Vec::with_capacity(2);
    for statement in statements {
        match joined.last_mut().filter(|last| last.reusable == statement.reusable) {
            Some(last) => {
                last.sql.push_str("; ");
                last.sql.push_str(&statement.sql);
                last.values.0.extend(statement.values.0);
            }
            None => joined.push(statement),
        }
    }
    joined
}
