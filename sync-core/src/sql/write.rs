//! The statements that write records and move the head.

use sea_query::{DeleteStatement, Expr, ExprTrait, Query};

use crate::sql::bulk::{Cell, Insert};
use crate::sql::driver::{Dialect, Statement};
use crate::sql::tables::{Records, Spaces};
use crate::store::{CommitWrite, stored_meta};
use crate::types::{Record, SpaceId};

const RECORDS: Insert<Records, 5> = Insert {
    table: Records::Table,
    space: Records::Space,
    columns: [Records::Collection, Records::Id, Records::Version, Records::Meta, Records::Data],
    n_key: Some(2),
};

/// Writes new states of records over the old ones.
pub(super) fn records(dialect: Dialect, space: &SpaceId, records: &[Record]) -> Statement {
    RECORDS.rows(dialect, space, &records.iter().map(cells).collect::<Vec<_>>())
}

fn cells(record: &Record) -> [Cell<'_>; 5] {
    [
        record.key.collection.as_str().into(),
        record.key.id.as_str().into(),
        Cell::Int(record.meta.version.get()),
        stored_meta(record).into(),
        Cell::MaybeText(record.data.as_ref().map(|data| data.as_str())),
    ]
}

/// Moves the space to where `write` leaves it; `None` when it stays. `largest` is the length of its longest content.
pub(super) fn head(
    dialect: Dialect,
    space: &SpaceId,
    write: &CommitWrite,
    largest: usize,
) -> Option<Statement> {
    let mut update = Query::update().table(Spaces::Table).take();
    if let Some(commit) = write.head() {
        update.value(Spaces::Head, commit.last.get()).value(Spaces::Tag, commit.tag.to_string());
    }
    if let Some(entry) = write.log.last() {
        update.value(Spaces::LogHead, entry.entry);
    }
    if !write.records.is_empty() {
        update.value(Spaces::Largest, i64::try_from(largest).unwrap_or(i64::MAX));
    }
    update.and_where(Expr::col(Spaces::Space).eq(space.as_str()));
    let moves = !write.commits.is_empty() || !write.log.is_empty() || !write.records.is_empty();
    moves.then(|| Statement::new(dialect, &update))
}

/// A deletion within one space.
pub(super) fn delete_of<T, C>(table: T, column: C, space: &SpaceId) -> DeleteStatement
where
    T: sea_query::IntoTableRef,
    C: sea_query::IntoColumnRef,
{
    Query::delete().from_table(table).and_where(Expr::col(column).eq(space.as_str())).take()
}
