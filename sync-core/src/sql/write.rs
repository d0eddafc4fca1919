//! The statements that write records and move the head.

use sea_query::{DeleteStatement, Expr, ExprTrait, OnConflict, Query, Value, Values};

use crate::sql::driver::{Dialect, Statement};
use crate::sql::read::one_of;
use crate::sql::rows;
use crate::sql::tables::{Records, Spaces};
use crate::store::{CommitWrite, KEYS_MAX};
use crate::types::{Record, RecordKey, SpaceId};

/// Up to this many rows the statement is kept prepared for each count, as it is for the largest: pushes are mostly
/// small or full, and a prepared statement of 1,000 rows takes a third of a megabyte.
const REUSABLE_ROWS_MAX: usize = 16;

const COLUMNS: [Records; 6] =
    [Records::Space, Records::Collection, Records::Id, Records::Version, Records::Meta, Records::Data];

/// Writes new states of records over the old ones.
///
/// For a thousand rows sea-query takes longer than SQLite does to insert a third of them, as it copies each value
/// twice. So it writes the statement for one row, and the row is repeated here.
pub(super) fn records(dialect: Dialect, space: &SpaceId, records: &[Record]) -> Statement {
    let key_len = 3;
    let mut insert = Query::insert().into_table(Records::Table).columns(COLUMNS).to_owned();
    insert.values_panic(COLUMNS.map(|_| Expr::val(0)));
    insert.on_conflict(
        OnConflict::columns(COLUMNS.into_iter().take(key_len))
            .update_columns(COLUMNS.into_iter().skip(key_len))
            .to_owned(),
    );
    let one = Statement::new(dialect, &insert);
    let statement = Statement {
        sql: repeat_row(dialect, &one.sql, records.len()),
        values: values(space, records),
        reusable: true,
    };
    let is_reusable = records.len() <= REUSABLE_ROWS_MAX || records.len() == KEYS_MAX;
    if is_reusable { statement } else { statement.once() }
}

fn values(space: &SpaceId, records: &[Record]) -> Values {
    let mut values: Vec<Value> = Vec::with_capacity(records.len() * COLUMNS.len());
    for record in records {
        values.extend([
            space.as_str().into(),
            record.key.collection.as_str().into(),
            record.key.id.as_str().into(),
            record.meta.version.get().into(),
            rows::meta_text(record).into(),
            record.data.as_ref().map(|data| data.as_str()).into(),
        ]);
    }
    Values(values)
}

/// Makes an insertion of `n` rows of one with a single row, whose placeholders follow its only `VALUES`.
fn repeat_row(dialect: Dialect, one: &str, n: usize) -> String {
    let (before, rest) = one.split_once("VALUES ").expect("an insertion of values says so");
    let (_, after) = rest.split_once(')').expect("the row is in parentheses");
    let mut sql = String::with_capacity(one.len() + n * COLUMNS.len() * 7);
    sql.extend([before, "VALUES "]);
    for row in 0..n {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..COLUMNS.len() {
            sql.push_str(if column == 0 { "" } else { ", " });
            match dialect {
                Dialect::Sqlite => sql.push('?'),
                Dialect::Postgres => sql.extend(["$", &(row * COLUMNS.len() + column + 1).to_string()]),
            }
        }
        sql.push(')');
    }
    sql.push_str(after);
    sql
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_repeated_with_placeholders_of_its_own() {
        let one = "INSERT INTO r (a) VALUES (?) ON CONFLICT (a) DO NOTHING";
        let two = "(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)";
        let wanted = format!("INSERT INTO r (a) VALUES {two} ON CONFLICT (a) DO NOTHING");
        assert_eq!(repeat_row(Dialect::Sqlite, one, 2), wanted);
        let wanted = "INSERT VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12) END";
        assert_eq!(repeat_row(Dialect::Postgres, "INSERT VALUES ($1) END", 2), wanted);
    }
}
