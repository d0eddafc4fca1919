//! Pages as one text: how the database joins rows, and how they are taken apart again.
//!
//! Fields are separated by U+001F and rows by U+001E. Names cannot contain them and JSON must escape them, so joined
//! text splits in one way only; texts of other origin are refused by [`check_plain`] when they are written.

use sea_query::{Alias, Expr, Iden, IntoIden, SelectStatement};

use crate::error::{Error, ErrorKind, Result};

/// Between two fields of a row.
pub const FIELD: char = '\u{1f}';
/// Between two rows.
pub const ROW: char = '\u{1e}';

/// The name of the one column of a query that is packed.
pub(super) const PACKED: &str = "packed";

/// A column that may be NULL, which packs as an empty text; or one that may not.
#[derive(Clone, Copy, Debug)]
pub enum Field<I> {
    /// Never NULL.
    Of(I),
    /// A text. NULL becomes empty.
    OrEmpty(I),
    /// A number. NULL becomes empty.
    NumberOrEmpty(I),
}

/// An expression that joins the columns of one row.
pub fn row<I: Iden>(fields: impl IntoIterator<Item = Field<I>>) -> Expr {
    let mut sql = format!("concat_ws('{FIELD}'");
    for field in fields {
        match field {
            Field::Of(column) => sql.extend([", \"", column.unquoted(), "\""]),
            Field::NumberOrEmpty(column) => {
                sql.extend([", coalesce(CAST(\"", column.unquoted(), "\" AS text), '')"]);
            }
            Field::OrEmpty(column) => sql.extend([", coalesce(\"", column.unquoted(), "\", '')"]),
        }
    }
    sql.push(')');
    Expr::cust(sql)
}

/// Turns a query of one text column (see [`row`]) with an order into one that yields all its rows as one text.
pub fn rows(expr: Expr, mut query: SelectStatement) -> SelectStatement {
    query.expr_as(expr, Alias::new(PACKED));
    joined(query)
}

/// The same for a query whose column has its [name](PACKED) already.
pub(super) fn joined(query: SelectStatement) -> SelectStatement {
    sea_query::Query::select()
        .expr(Expr::cust(format!("string_agg(\"{PACKED}\", '{ROW}')")))
        .from_subquery(query, Alias::new("rows").into_iden())
        .take()
}

/// Splits what [`rows`] yielded.
pub fn split_rows(packed: Option<&str>) -> impl Iterator<Item = &str> {
    packed.into_iter().flat_map(|text| text.split(ROW))
}

/// Splits one row into exactly `N` fields.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] when there are fewer or more.
pub fn fields<const N: usize>(row: &str) -> Result<[&str; N]> {
    split_exactly(row, FIELD)
}

pub(super) fn split_exactly<const N: usize>(text: &str, separator: char) -> Result<[&str; N]> {
    let mut parts = text.split(separator);
    let mut fields = [""; N];
    for field in &mut fields {
        *field = parts.next().ok_or_else(damaged)?;
    }
    if parts.next().is_some() { Err(damaged()) } else { Ok(fields) }
}

/// Refuses a text that could not be packed.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] when it contains one of the separators.
pub fn check_plain(what: &str, text: &str) -> Result<()> {
    if text.contains([FIELD, ROW]) {
        return Err(Error::new(ErrorKind::Invalid, format!("cannot store {what} with control characters")));
    }
    Ok(())
}

/// The error for stored text that is not what was stored.
pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "read a row that is not as it was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_with_a_field_too_few_or_too_many_is_damaged() {
        assert_eq!(fields::<2>("a\u{1f}b").unwrap(), ["a", "b"]);
        assert_eq!(fields::<2>("\u{1f}").unwrap(), ["", ""]);
        for row in ["a", "a\u{1f}b\u{1f}c", ""] {
            assert_eq!(fields::<2>(row).unwrap_err().kind(), ErrorKind::Corrupt, "{row:?}");
        }
    }

    #[test]
    fn nothing_packs_as_no_row_and_an_empty_text_as_one() {
        assert_eq!(split_rows(None).count(), 0);
        assert_eq!(split_rows(Some("")).count(), 1);
        assert_eq!(split_rows(Some("a\u{1e}b")).collect::<Vec<_>>(), ["a", "b"]);
    }
}
