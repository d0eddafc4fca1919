//! The statements that write records and move the head.

use sea_query::{DeleteStatement, Expr, ExprTrait, Query};

use crate::error::Result;
use crate::sql::bulk::{Cell, Insert};
use crate::sql::driver::{Dialect, Statement};
use crate::sql::tables::{Records, Spaces};
use crate::sql::{read, tree_ops};
use crate::store::{CommitWrite, KEYS_MAX, stored_meta, tree_op};
use crate::types::{Record, RecordKey, SpaceId, TreeOp};

/// Content that one statement writes: well below the gigabyte that Postgres takes for a text.
const WRITE_BYTES_MAX: usize = 128 << 20;

const RECORDS: Insert<Records, 5> = Insert {
    table: Records::Table,
    space: Records::Space,
    columns: [Records::Collection, Records::Id, Records::Version, Records::Meta, Records::Data],
    n_key: Some(2),
    n_fixed: 0,
};

/// The statements that write these records, ops among them.
///
/// # Errors
///
/// Those of [`tree_op`].
pub(super) fn contents(dialect: Dialect, space: &SpaceId, written: &[Record]) -> Result<Vec<Statement>> {
    let (others, ops) = told_apart(written)?;
    let others = chunks(&others, |record| record.data_len()).map(|chunk| records(dialect, space, chunk));
    let ops = chunks(&ops, |op| op.record.data_len()).map(|chunk| tree_ops::write(dialect, space, chunk));
    Ok(others.chain(ops).collect())
}

/// The statements that remove the records and ops of these keys.
pub(super) fn purges(dialect: Dialect, space: &SpaceId, keys: &[RecordKey]) -> Vec<Statement> {
    let (others, ops) = (read::keys_of_records(keys), tree_ops::ids_of(keys));
    let others = others.chunks(KEYS_MAX).map(|chunk| read::delete(dialect, space, chunk));
    others.chain(ops.chunks(KEYS_MAX).map(|chunk| tree_ops::delete(dialect, space, chunk))).collect()
}

/// A record that is an op of a tree, and what it says.
pub(super) struct Op<'a> {
    pub(super) record: &'a Record,
    pub(super) op: TreeOp,
}

/// Tells records and ops apart.
///
/// # Errors
///
/// Those of [`tree_op`].
fn told_apart(records: &[Record]) -> Result<(Vec<&Record>, Vec<Op<'_>>)> {
    let (mut others, mut ops) = (Vec::with_capacity(records.len()), Vec::new());
    for record in records {
        match tree_op(record)? {
            Some(op) => ops.push(Op { record, op }),
            None => others.push(record),
        }
    }
    Ok((others, ops))
}

/// Splits records into what one statement may carry.
fn chunks<R>(records: &[R], len: impl Fn(&R) -> usize) -> impl Iterator<Item = &[R]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut n_bytes = 0;
        let fits = |record: &&R| {
            n_bytes += len(record);
            n_bytes <= WRITE_BYTES_MAX
        };
        let n = rest.iter().take(KEYS_MAX).take_while(fits).count().max(1).min(rest.len());
        let (chunk, after) = rest.split_at(n);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Writes new states of records over the old ones.
fn records(dialect: Dialect, space: &SpaceId, records: &[&Record]) -> Statement {
    RECORDS.rows(dialect, space, &records.iter().map(|record| cells(record)).collect::<Vec<_>>())
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
