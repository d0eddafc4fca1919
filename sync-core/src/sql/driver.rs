//! What a backend supplies: an open transaction that runs statements.

use async_trait::async_trait;
use sea_query::{PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder, Values};

use crate::error::Result;

/// Which SQL a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.51 or newer.
    Sqlite,
    /// Postgres 15 or newer.
    Postgres,
}

/// One statement with its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text; parameters are placeholders, never content.
    pub sql: String,
    /// The parameters, in order.
    pub values: Values,
    /// Whether the same text comes again and again, so that keeping it prepared pays.
    pub reusable: bool,
}

impl Statement {
    /// Writes `query` in `dialect`.
    pub fn new(dialect: Dialect, query: &impl QueryStatementWriter) -> Self {
        let (sql, values) = match dialect {
            Dialect::Sqlite => query.build(SqliteQueryBuilder),
            Dialect::Postgres => query.build(PostgresQueryBuilder),
        };
        Self { sql, values, reusable: true }
    }

    /// A text without parameters that is always the same.
    pub fn fixed(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), values: Values(Vec::new()), reusable: true }
    }

    /// Marks a text that is unlikely to come again, because it grows with its parameters.
    #[must_use]
    pub fn once(self) -> Self {
        Self { reusable: false, ..self }
    }
}

/// An open transaction of a backend.
///
/// Dropping it rolls back. Errors are already sorted into [`ErrorKind`](crate::ErrorKind)s; after one, the driver is
/// only dropped.
#[async_trait]
pub trait Driver: Send {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs a statement and says how many rows it touched.
    async fn execute(&mut self, statement: Statement) -> Result<u64>;

    /// Runs statements that do not touch the same row. A backend for which each call is dear may run them as one, and as
    /// late as with the next call: then that one, or [`commit`](Driver::commit), reports their errors.
    async fn execute_all(&mut self, statements: Vec<Statement>) -> Result<()> {
        for statement in statements {
            self.execute(statement).await?;
        }
        Ok(())
    }

    /// Runs a query and yields the text in the first column of its only row; `None` where there is no row or it is
    /// NULL.
    async fn text(&mut self, statement: Statement) -> Result<Option<String>>;

    /// Makes everything durable and visible.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it is not known whether that happened; any other kind means
    /// that it did not.
    async fn commit(self) -> Result<()>
    where
        Self: Sized;
}

/// A limit as SQL takes it: beyond the range of its integers there is no difference to none.
pub fn limit(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}
