//! The statements about commits and the audit log.

use sea_query::{Expr, ExprTrait, Query};

use crate::error::{Error, ErrorKind, Result};
use crate::sql::bulk::{Cell, Insert};
use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::pack::{Field, row, rows};
use crate::sql::tables::{Commits, Log};
use crate::store::{CommitInfo, LogEntry};
use crate::types::{Seq, SpaceId};

const COMMITS: Insert<Commits, 3> = Insert {
    table: Commits::Table,
    space: Commits::Space,
    columns: [Commits::Last, Commits::First, Commits::Tag],
    n_key: None,
    n_fixed: 0,
};

/// Adds commits to the history.
pub(super) fn write_commits(dialect: Dialect, space: &SpaceId, commits: &[CommitInfo]) -> Statement {
    let row = |commit: &CommitInfo| {
        [Cell::Int(commit.last.get()), Cell::Int(commit.first.get()), commit.tag.to_string().into()]
    };
    COMMITS.rows(dialect, space, &commits.iter().map(row).collect::<Vec<_>>())
}

/// The oldest `limit` commits that end at or after `from`, ascending.
pub(super) fn commits_from(dialect: Dialect, space: &SpaceId, from: Seq, limit: usize) -> Statement {
    let mut select = Query::select();
    select
        .from(Commits::Table)
        .and_where(Expr::col(Commits::Space).eq(space.as_str()))
        .and_where(Expr::col(Commits::Last).gte(from.get()))
        .order_by(Commits::Last, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let commit = row([Field::Of(Commits::First), Field::Of(Commits::Last), Field::Of(Commits::Tag)]);
    Statement::new(dialect, &rows(commit, select))
}

const LOG: Insert<Log, 3> = Insert {
    table: Log::Table,
    space: Log::Space,
    columns: [Log::Entry, Log::Head, Log::Body],
    n_key: None,
    n_fixed: 0,
};

/// Appends to the audit log.
pub(super) fn write_log(dialect: Dialect, space: &SpaceId, entries: &[LogEntry]) -> Result<Statement> {
    let row = |entry: &LogEntry| {
        let body = serde_json::to_string(entry).map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot write a log entry as JSON").with_source(error)
        })?;
        Ok([Cell::Int(entry.entry), Cell::Int(entry.head.get()), body.into()])
    };
    let rows = entries.iter().map(row).collect::<Result<Vec<_>>>()?;
    Ok(LOG.rows(dialect, space, &rows))
}

/// The newest `limit` entries below `before`, newest first.
pub(super) fn log_before(dialect: Dialect, space: &SpaceId, before: Option<i64>, limit: usize) -> Statement {
    let mut select = Query::select();
    select
        .from(Log::Table)
        .and_where(Expr::col(Log::Space).eq(space.as_str()))
        .and_where(Expr::col(Log::Entry).lt(before.unwrap_or(i64::MAX)))
        .order_by(Log::Entry, sea_query::Order::Desc)
        .limit(driver::limit(limit));
    Statement::new(dialect, &rows(row([Field::Of(Log::Body)]), select))
}
