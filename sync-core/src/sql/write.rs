//! The statements that write records and move the head.

use sea_query::{DeleteStatement, Expr, ExprTrait, OnConflict, Query};

use crate::sql::driver::{Dialect, Statement};
use crate::sql::read::one_of;
use crate::sql::rows;
use crate::sql::tables::{Records, Spaces};
use crate::store::CommitWrite;
use crate::types::{Record, RecordKey, SpaceId};

/// Writes new states of records over the old ones.
pub(super) fn records(dialect: Dialect, space: &SpaceId, records: &[Record]) -> Statement {
    let columns =
        [Records::Space, Records::Collection, Records::Id, Records::Version, Records::Meta, Records::Data];
    let mut insert = Query::insert().into_table(Records::Table).columns(columns).take();
    for record in records {
        insert.values_panic([
            Expr::val(space.as_str()),
            Expr::val(record.key.collection.as_str()),
            Expr::val(record.key.id.as_str()),
            Expr::val(record.meta.version.get()),
            Expr::val(rows::meta_text(record)),
            Expr::val(record.data.as_ref().map(|data| data.as_str())),
        ]);
    }
    let key = [Records::Space, Records::Collection, Records::Id];
    insert
        .on_conflict(OnConflict::columns(key).update_columns(columns.into_iter().skip(key.len())).to_owned());
    Statement::new(dialect, &insert)
}

/// Removes records without a trace.
pub(super) fn purges(dialect: Dialect, space: &SpaceId, keys: &[RecordKey]) -> Statement {
    let mut delete = delete_of(Records::Table, Records::Space, space);
    Statement::new(dialect, delete.and_where(one_of(keys))).once()
}

/// Moves the space to where `write` leaves it; `None` when it stays. `largest` is the length of its longest content.
pub(super) fn head(
    dialect: Dialect,
    space: &SpaceId,
    write: &CommitWrite,
    largest: usize,
) -> Option<Statement> {
    let mut update = Query::update().table(Spaces::Table).take();
    if let Some(commit) = &write.commit {
        update.value(Spaces::Head, commit.last.get()).value(Spaces::Tag, commit.tag.to_string());
    }
    if let Some(entry) = write.log.last() {
        update.value(Spaces::LogHead, entry.entry);
    }
    if !write.records.is_empty() {
        update.value(Spaces::Largest, i64::try_from(largest).unwrap_or(i64::MAX));
    }
    update.and_where(Expr::col(Spaces::Space).eq(space.as_str()));
    let moves = write.commit.is_some() || !write.log.is_empty() || !write.records.is_empty();
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
