//! Statements about the rows of many keys at once. Postgres must be kept from reading the whole space and comparing.

use sea_query::{Alias, Expr, ExprTrait, Iden, Query, SelectStatement, ValueTuple};

use crate::sql::bulk::{Cell, column_of};
use crate::sql::driver::{Dialect, Statement};
use crate::sql::pack::{self, PACKED};
use crate::types::SpaceId;

/// A table whose rows are found by a key within a space.
pub(super) struct Keyed<I, const N: usize> {
    /// The table.
    pub(super) table: I,
    /// Its column for the space.
    pub(super) space: I,
    /// The columns of the key behind it.
    pub(super) columns: [I; N],
}

impl<I: Iden + Copy, const N: usize> Keyed<I, N> {
    /// The statement that packs the rows of these keys with `packed`, in no order.
    pub(super) fn read(
        &self,
        dialect: Dialect,
        space: &SpaceId,
        keys: &[[Cell<'_>; N]],
        packed: Expr,
    ) -> Statement {
        if dialect == Dialect::Postgres && keys.len() > 1 {
            let select = self.select().expr_as(packed, Alias::new(PACKED)).take();
            return self.for_each(space, keys, "string_agg(\"found\".\"packed\", '\u{1e}')", select);
        }
        let mut select = self.select();
        select.and_where(self.is_of(space)).and_where(self.is_one_of(keys));
        let statement = Statement::new(dialect, &pack::rows(packed, select));
        if keys.len() == 1 { statement } else { statement.once() }
    }

    /// The statement that removes the rows of these keys without a trace.
    pub(super) fn delete(&self, dialect: Dialect, space: &SpaceId, keys: &[[Cell<'_>; N]]) -> Statement {
        if dialect == Dialect::Postgres && keys.len() > 1 {
            let row = self.select().expr(Expr::cust("ctid")).take();
            let rows = self.for_each(space, keys, "\"found\".ctid", row);
            let table = self.table.unquoted();
            let sql = format!("DELETE FROM \"{table}\" WHERE ctid = ANY(ARRAY({}))", rows.sql);
            return Statement { sql, ..rows };
        }
        let mut delete = Query::delete().from_table(Alias::new(self.table.unquoted())).take();
        delete.and_where(self.is_of(space)).and_where(self.is_one_of(keys));
        Statement::new(dialect, &delete).once()
    }

    fn select(&self) -> SelectStatement {
        Query::select().from(Alias::new(self.table.unquoted())).take()
    }

    fn is_of(&self, space: &SpaceId) -> Expr {
        Expr::col(Alias::new(self.space.unquoted())).eq(space.as_str())
    }

    /// For Postgres: `yields` over the one row of each key, which `select` reads as `found`.
    ///
    /// A sub-query with a limit can be run in one way only: for each key, by the index. As a list of keys to be in, Postgres
    /// may take it for a reason to read the whole space and compare.
    fn for_each(
        &self,
        space: &SpaceId,
        keys: &[[Cell<'_>; N]],
        yields: &str,
        mut select: SelectStatement,
    ) -> Statement {
        let names = self.columns.map(|column| format!("\"{}\"", column.unquoted()));
        select.and_where(self.is_of(space));
        for name in &names {
            select.and_where(Expr::cust(format!("{name} = \"keys\".{name}")));
        }
        let found = Statement::new(Dialect::Postgres, select.limit(1));
        let (mut values, mut sources) = (found.values, Vec::with_capacity(N));
        for column in 0..N {
            let (source, joined) = column_of(keys, column, values.0.len() + 1);
            sources.push(source);
            values.0.push(joined.into());
        }
        let sql = format!(
            "SELECT {yields} FROM unnest({}) AS \"keys\" ({}) CROSS JOIN LATERAL ({}) AS \"found\"",
            sources.join(", "),
            names.join(", "),
            found.sql
        );
        Statement { sql, values, reusable: true }
    }

    /// The condition that a row has one of these keys.
    fn is_one_of(&self, keys: &[[Cell<'_>; N]]) -> Expr {
        let columns = self.columns.map(|column| Expr::col(Alias::new(column.unquoted())));
        if let [key] = keys {
            let each = columns.into_iter().zip(key).map(|(column, cell)| column.eq(cell.value()));
            return each.reduce(ExprTrait::and).expect("a key has a column");
        }
        // As a sub-query, because SQLite takes a list of row values in no other form.
        let tuples: Vec<ValueTuple> =
            keys.iter().map(|key| ValueTuple::Many(key.iter().map(Cell::value).collect())).collect();
        let list = Query::select().expr(Expr::cust("*")).from_values(tuples, Alias::new("keys")).take();
        Expr::tuple(columns).in_subquery(list)
    }
}
