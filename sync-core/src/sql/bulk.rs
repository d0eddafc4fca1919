//! Statements about many rows at once: the one place where the databases truly differ.
//!
//! SQLite takes the rows as a list of values, so the text grows with them. Postgres takes each *column* as one text of
//! values with separators between them, the reverse of [`pack`](crate::sql::pack), and takes it apart itself: the
//! statement is the same for any number of rows and stays prepared, and a row costs no parameters.

use std::borrow::Cow;
use std::fmt::Write;

use sea_query::{Alias, Expr, ExprTrait, Iden, OnConflict, Query, SelectStatement, Value, Values};

use crate::sql::driver::{Dialect, Statement};
use crate::sql::pack::{FIELD, ROW};
use crate::store::KEYS_MAX;
use crate::types::SpaceId;

/// Up to this many rows a text that grows with them is kept prepared for each count, as it is for the largest: pushes
/// are mostly small or full, and a prepared statement of 1,000 rows takes a third of a megabyte.
const REUSABLE_ROWS_MAX: usize = 16;

/// One value of a row.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    /// A number.
    Int(i64),
    /// A text without the separators of [`pack`](crate::sql::pack).
    Text(Cow<'a, str>),
    /// A text that is not empty, or NULL.
    MaybeText(Option<&'a str>),
    /// A text that may be empty, or NULL.
    AnyText(Option<&'a str>),
}

impl Cell<'_> {
    /// The value as a parameter of its own.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.as_ref().into(),
            Self::MaybeText(text) | Self::AnyText(text) => (*text).into(),
        }
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

/// An insertion of any number of rows into a table whose first column is the space.
pub(super) struct Insert<I, const N: usize> {
    /// The table.
    pub(super) table: I,
    /// Its column for the space.
    pub(super) space: I,
    /// The other columns.
    pub(super) columns: [I; N],
    /// So many of `columns` are, with the space, the key by which a new row replaces an old one; `None` when there is
    /// no old one.
    pub(super) n_key: Option<usize>,
    /// So many of `columns`, after those of the key, never change: a new row in which one differs is ignored.
    pub(super) n_fixed: usize,
}

impl<I: Iden + Copy, const N: usize> Insert<I, N> {
    /// The statement for these rows, of which there must be one.
    pub(super) fn rows(&self, dialect: Dialect, space: &SpaceId, rows: &[[Cell<'_>; N]]) -> Statement {
        let one = self.one_row(dialect);
        let (before, rest) = one.split_once("VALUES ").expect("an insertion of values says so");
        let (_, after) = rest.split_once(')').expect("the row is in parentheses");
        match dialect {
            Dialect::Sqlite => {
                let statement = Statement {
                    sql: format!("{before}VALUES {}{after}", placeholders(rows.len(), N + 1)),
                    values: values(space, rows),
                    reusable: true,
                };
                let is_reusable = rows.len() <= REUSABLE_ROWS_MAX || rows.len() == KEYS_MAX;
                if is_reusable { statement } else { statement.once() }
            }
            Dialect::Postgres => {
                let mut sources = Vec::with_capacity(N);
                let mut values = vec![space.as_str().into()];
                for column in 0..N {
                    // The space is the first parameter.
                    let (source, joined) = column_of(rows, column, column + 2);
                    sources.push(source);
                    values.push(joined.into());
                }
                let sql = format!("{before}SELECT $1, * FROM unnest({}){after}", sources.join(", "));
                Statement { sql, values: Values(values), reusable: true }
            }
        }
    }

    /// For a thousand rows sea-query takes longer than SQLite does to insert a third of them, as it copies each value
    /// twice. So it writes the statement for one row, and the rest is done here.
    fn one_row(&self, dialect: Dialect) -> String {
        let mut insert = Query::insert().into_table(Alias::new(self.table.unquoted())).take();
        let columns =
            || [self.space].into_iter().chain(self.columns).map(|column| Alias::new(column.unquoted()));
        insert.columns(columns()).values_panic((0..=N).map(|_| Expr::val(0)));
        if let Some(n_key) = self.n_key {
            let key = columns().take(1 + n_key);
            let changing = columns().skip(1 + n_key + self.n_fixed);
            let mut conflict = OnConflict::columns(key).update_columns(changing).to_owned();
            for column in self.columns.iter().skip(n_key).take(self.n_fixed) {
                conflict.action_and_where(self.stays(column));
            }
            insert.on_conflict(conflict);
        }
        Statement::new(dialect, &insert).sql
    }

    /// The condition that a column says in a new row what it says in the old one.
    fn stays(&self, column: &I) -> Expr {
        let (table, column) = (self.table.unquoted(), column.unquoted());
        Expr::cust(format!("\"{table}\".\"{column}\" IS NOT DISTINCT FROM \"excluded\".\"{column}\""))
    }
}

fn placeholders(n_rows: usize, n_columns: usize) -> String {
    let row = format!("({})", vec!["?"; n_columns].join(", "));
    vec![row; n_rows].join(", ")
}

fn values<const N: usize>(space: &SpaceId, rows: &[[Cell<'_>; N]]) -> Values {
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * (N + 1));
    for row in rows {
        values.push(space.as_str().into());
        values.extend(row.iter().map(Cell::value));
    }
    Values(values)
}

/// For Postgres: the expression that yields a column of many rows as an array, and the text that it takes as the parameter of
/// this number.
pub(super) fn column_of<const N: usize>(
    rows: &[[Cell<'_>; N]],
    column: usize,
    parameter: usize,
) -> (String, String) {
    let mut joined = String::with_capacity(rows.iter().map(|row| len(&row[column]) + 1).sum());
    let (mut null, mut cast, mut may_be_empty) = (String::new(), "", false);
    for (n, row) in rows.iter().enumerate() {
        if n > 0 {
            joined.push(ROW);
        }
        match &row[column] {
            Cell::Int(number) => {
                cast = "::bigint[]";
                // Writing to a String cannot fail.
                let _ = write!(joined, "{number}");
            }
            Cell::Text(text) => {
                may_be_empty = true;
                joined.push_str(text);
            }
            Cell::MaybeText(text) => {
                null = ", ''".to_owned();
                joined.push_str(text.unwrap_or_default());
            }
            // No text contains the separator of fields, so it stands for none.
            Cell::AnyText(text) => {
                (null, may_be_empty) = (format!(", '{FIELD}'"), true);
                match text {
                    Some(text) => joined.push_str(text),
                    None => joined.push(FIELD),
                }
            }
        }
    }
    let array = format!("string_to_array(${parameter}, '{ROW}'{null}){cast}");
    // Of an empty text Postgres makes no element, but it is one: there is never no row.
    let array = if may_be_empty {
        format!("CASE ${parameter} WHEN '' THEN ARRAY[''] ELSE {array} END")
    } else {
        array
    };
    (array, joined)
}

fn len(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Int(_) => 16,
        Cell::Text(text) => text.len(),
        Cell::MaybeText(text) | Cell::AnyText(text) => text.map_or(1, str::len),
    }
}

/// The condition that a column of text has one of these values, and whether its text is the same for any number of
/// them.
pub(super) fn is_any_of<'a, I: Iden + Copy>(
    dialect: Dialect,
    column: I,
    texts: impl Iterator<Item = &'a str>,
) -> (Expr, bool) {
    let name = Alias::new(column.unquoted());
    match dialect {
        Dialect::Sqlite => {
            let texts: Vec<&str> = texts.collect();
            let is_one = texts.len() == 1;
            (Expr::col(name).is_in(texts), is_one)
        }
        Dialect::Postgres => {
            let sql = format!("\"{}\" = ANY(string_to_array($1, '{ROW}'))", column.unquoted());
            (Expr::cust_with_values(sql, [joined(texts)]), true)
        }
    }
}

/// The condition that a column is among what `select` yields, which is run first and by itself: as a list to be in,
/// Postgres may take it for a reason to read the whole table and compare.
pub(super) fn is_among<I: Iden + Copy>(dialect: Dialect, column: I, select: SelectStatement) -> Expr {
    match dialect {
        Dialect::Sqlite => Expr::col(Alias::new(column.unquoted())).in_subquery(select),
        Dialect::Postgres => {
            Expr::cust_with_expr(format!("\"{}\" = ANY(ARRAY $1)", column.unquoted()), select)
        }
    }
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for (n, text) in texts.enumerate() {
        if n > 0 {
            joined.push(ROW);
        }
        joined.push_str(text);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tables::Log;

    const INSERT: Insert<Log, 2> = Insert {
        table: Log::Table,
        space: Log::Space,
        columns: [Log::Entry, Log::Body],
        n_key: Some(1),
        n_fixed: 0,
    };

    fn two_rows(dialect: Dialect) -> Statement {
        let rows = [[Cell::Int(1), Cell::MaybeText(Some("a"))], [Cell::Int(-2), Cell::MaybeText(None)]];
        INSERT.rows(dialect, &SpaceId::new("s").unwrap(), &rows)
    }

    const END: &str = "ON CONFLICT (\"space\", \"entry\") DO UPDATE SET \"body\" = \"excluded\".\"body\"";

    #[test]
    fn sqlite_takes_a_list_of_rows() {
        let statement = two_rows(Dialect::Sqlite);
        let begin = "INSERT INTO \"log\" (\"space\", \"entry\", \"body\")";
        assert_eq!(statement.sql, format!("{begin} VALUES (?, ?, ?), (?, ?, ?) {END}"));
        let none = Value::String(None);
        let wanted = vec!["s".into(), 1_i64.into(), "a".into(), "s".into(), (-2_i64).into(), none];
        assert_eq!(statement.values, Values(wanted));
    }

    #[test]
    fn postgres_takes_a_text_for_each_column() {
        let statement = two_rows(Dialect::Postgres);
        let source = "unnest(string_to_array($2, '\u{1e}')::bigint[], string_to_array($3, '\u{1e}', ''))";
        let begin = "INSERT INTO \"log\" (\"space\", \"entry\", \"body\")";
        assert_eq!(statement.sql, format!("{begin} SELECT $1, * FROM {source} {END}"));
        assert_eq!(statement.values, Values(vec!["s".into(), "1\u{1e}-2".into(), "a\u{1e}".into()]));
    }

    #[test]
    fn postgres_takes_one_empty_text_for_a_row() {
        let rows = [[Cell::Int(1), Cell::Text("".into())]];
        let sql = INSERT.rows(Dialect::Postgres, &SpaceId::new("s").unwrap(), &rows).sql;
        let texts = "CASE $3 WHEN '' THEN ARRAY[''] ELSE string_to_array($3, '\u{1e}') END";
        assert!(sql.contains(texts), "{sql}");
    }

    #[test]
    fn postgres_tells_an_empty_text_from_none() {
        let rows = [None, Some(""), Some("a")].map(|text| [Cell::Int(1), Cell::AnyText(text)]);
        let statement = INSERT.rows(Dialect::Postgres, &SpaceId::new("s").unwrap(), &rows);
        assert!(
            statement.sql.contains("ELSE string_to_array($3, '\u{1e}', '\u{1f}') END"),
            "{}",
            statement.sql
        );
        assert_eq!(statement.values.0[2], "\u{1f}\u{1e}\u{1e}a".into());
    }

    #[test]
    fn a_row_that_differs_in_what_is_fixed_replaces_nothing() {
        let columns = [Log::Entry, Log::Head, Log::Body];
        let insert = Insert { table: Log::Table, space: Log::Space, columns, n_key: Some(1), n_fixed: 1 };
        let rows = [[Cell::Int(1), Cell::Int(2), "a".into()]];
        let end = "DO UPDATE SET \"body\" = \"excluded\".\"body\" \
                   WHERE \"log\".\"head\" IS NOT DISTINCT FROM \"excluded\".\"head\"";
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let sql = insert.rows(dialect, &SpaceId::new("s").unwrap(), &rows).sql;
            assert!(sql.ends_with(end), "{sql}");
        }
    }

    #[test]
    fn the_text_for_postgres_does_not_depend_on_the_number_of_rows() {
        let space = SpaceId::new("s").unwrap();
        let rows = |n| vec![[Cell::Int(n), Cell::MaybeText(None)]; usize::try_from(n).unwrap()];
        let [one, many] = [1, 50].map(|n| INSERT.rows(Dialect::Postgres, &space, &rows(n)).sql);
        assert_eq!(one, many);
    }
}
