//! Statements as text: several made one, or one without parameters, to save round trips.

use std::fmt::Write as _;

use sea_query::{Value, Values};
use sync_core::sql::Statement;

/// Makes one statement of several that do not touch the same row: all but the last become parts of its `WITH`.
pub(crate) fn join(mut statements: Vec<Statement>) -> Option<Statement> {
    let last = statements.pop()?;
    if statements.is_empty() {
        return Some(last);
    }
    let (mut sql, mut values, mut reusable) = (String::from("WITH "), Vec::new(), last.reusable);
    for (n, statement) in statements.into_iter().enumerate() {
        sql.push_str(if n == 0 { "" } else { ", " });
        // Writing to a String cannot fail.
        let _ = write!(sql, "w{n} AS (");
        append(&mut sql, &statement.sql, values.len());
        sql.push(')');
        values.extend(statement.values.0);
        reusable &= statement.reusable;
    }
    sql.push(' ');
    append(&mut sql, &last.sql, values.len());
    values.extend(last.values.0);
    Some(Statement { sql, values: Values(values), reusable })
}

/// Appends a statement whose parameters follow `n_before` others.
fn append(sql: &mut String, statement: &str, n_before: usize) {
    each_part(statement, |part| match part {
        Part::Text(text) => sql.push_str(text),
        Part::Parameter(number) => drop(write!(sql, "${}", n_before + number)),
    });
}

/// The statement with its parameters written out, if all of them are numbers and texts that mean nothing but
/// themselves in SQL. Names of spaces are such texts, and so are most mail addresses.
pub(crate) fn with_literals(statement: &Statement) -> Option<String> {
    let literals: Option<Vec<String>> = statement.values.0.iter().map(literal).collect();
    let (literals, mut sql) = (literals?, String::with_capacity(statement.sql.len() + 64));
    each_part(&statement.sql, |part| match part {
        Part::Text(text) => sql.push_str(text),
        // Parameters count from 1.
        Part::Parameter(number) => {
            sql.push_str(literals.get(number.wrapping_sub(1)).map_or("NULL", String::as_str))
        }
    });
    Some(sql)
}

fn literal(value: &Value) -> Option<String> {
    match value {
        Value::BigInt(Some(number)) => Some(number.to_string()),
        Value::BigUnsigned(Some(number)) => Some(number.to_string()),
        Value::String(Some(text)) => {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'@');
            text.bytes().all(is_plain).then(|| format!("'{text}'"))
        }
        _ => None,
    }
}

/// A piece of a statement: text as it is, or a parameter with its number.
enum Part<'a> {
    Text(&'a str),
    Parameter(usize),
}

/// Takes a statement apart. Its text has no `$` of its own: content never gets into it, and names of tables have none.
fn each_part<'a>(sql: &'a str, mut take: impl FnMut(Part<'a>)) {
    let mut parts = sql.split('$');
    take(Part::Text(parts.next().unwrap_or_default()));
    for part in parts {
        let n_digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, text) = part.split_at(n_digits);
        take(Part::Parameter(number.parse().unwrap_or_default()));
        take(Part::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement { sql: sql.to_owned(), values: Values(values.into_iter().collect()), reusable: true }
    }

    #[test]
    fn statements_become_one_with_parameters_counted_on() {
        let [a, b, c]: [Value; 3] = ["a", "b", "c"].map(Into::into);
        let one = statement("INSERT INTO r SELECT $1, $2", [a.clone(), b.clone()]);
        let two = statement("DELETE FROM c WHERE s = $1", [c.clone()]);
        let three = statement("UPDATE s SET h = $1", [a.clone()]);
        let joined = join(vec![one, two.once(), three]).unwrap();
        let wanted = "WITH w0 AS (INSERT INTO r SELECT $1, $2), w1 AS (DELETE FROM c WHERE s = $3) UPDATE s SET h = $4";
        assert_eq!((joined.sql.as_str(), joined.reusable), (wanted, false));
        assert_eq!(joined.values, Values(vec![a.clone(), b, c, a]));
        assert!(join(Vec::new()).is_none());
    }

    #[test]
    fn only_texts_that_mean_nothing_in_sql_are_written_out() {
        let plain = statement("s = $1 AND n > $2", ["family-7_a.b:c@d".into(), (-3_i64).into()]);
        assert_eq!(with_literals(&plain).unwrap(), "s = 'family-7_a.b:c@d' AND n > -3");
        for text in ["it's", "a b", "a\\", "ä", "a;b", "$1", "a\0", "a\u{1f}b"] {
            assert!(with_literals(&statement("s = $1", [text.into()])).is_none(), "{text:?}");
        }
        assert!(with_literals(&statement("s = $1", [Value::String(None)])).is_none());
    }
}
