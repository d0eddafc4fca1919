//! Whether a record is asked for.

use std::cmp::Ordering;

use serde_json::Value;

use super::order::{compare, rank};
use crate::merge::Pointer;

/// How a value in a record compares to one that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cmp {
    /// They are the same; numbers by what they are worth.
    Equal,
    /// They are not the same, or there is none in the record.
    NotEqual,
    /// It is smaller, and of the same type.
    Less,
    /// It is smaller or the same, and of the same type.
    AtMost,
    /// It is larger, and of the same type.
    Greater,
    /// It is larger or the same, and of the same type.
    AtLeast,
}

/// A condition on one place of a record.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) pointer: Pointer,
    pub(crate) test: Test,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Compares(Cmp, Value),
    Exists,
    Missing,
    Contains(String),
    Begins(String),
}

impl Filter {
    pub(crate) fn matches(&self, record: &Value) -> bool {
        let found = record.pointer(self.pointer.as_str());
        match &self.test {
            Test::Compares(cmp, value) => cmp.holds(found, value),
            Test::Exists => found.is_some(),
            Test::Missing => found.is_none(),
            Test::Contains(part) => found.and_then(Value::as_str).is_some_and(|text| text.contains(part)),
            Test::Begins(prefix) => {
                found.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix.as_str()))
            }
        }
    }
}

impl Cmp {
    fn holds(self, found: Option<&Value>, value: &Value) -> bool {
        let ordering = compare(found, Some(value));
        let is_alike = found.is_some_and(|found| rank(found) == rank(value));
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::NotEqual => ordering != Ordering::Equal,
            Self::Less => is_alike && ordering.is_lt(),
            Self::AtMost => is_alike && ordering.is_le(),
            Self::Greater => is_alike && ordering.is_gt(),
            Self::AtLeast => is_alike && ordering.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::Json;
    use crate::replica::Query;

    #[test]
    fn every_test_says_yes_and_no_where_it_should() {
        let record = json!({
            "done": false, "stars": 3, "title": "Übung", "none": null, "tags": ["a", "b"], "a/b": {"c": 1.0},
        });
        let record = Json::from_value(&record).unwrap();
        let all = Query::all;
        let yes = [
            all(),
            all().where_eq("/done", false),
            all().where_eq("/stars", 3.0),
            all().where_eq("/none", Value::Null),
            all().where_eq("/tags", json!(["a", "b"])),
            all().where_eq("/tags/1", "b"),
            all().where_eq("/a~1b/c", 1),
            all().where_ne("/stars", 4),
            all().where_ne("/missing", 4),
            all().where_cmp("/stars", Cmp::Less, 3.5),
            all().where_cmp("/stars", Cmp::AtMost, 3),
            all().where_cmp("/stars", Cmp::Greater, -1),
            all().where_cmp("/stars", Cmp::AtLeast, 3),
            all().where_cmp("/title", Cmp::Greater, "U"),
            all().where_exists("/none"),
            all().where_exists(""),
            all().where_missing("/stars/0"),
            all().where_contains("/title", "bun"),
            all().where_prefix("/title", "Üb"),
            all().where_prefix("/title", ""),
        ];
        for query in yes {
            assert!(query.matches(&record), "{query:?}");
        }
        let no = [
            all().where_eq("/missing", Value::Null),
            all().where_eq("/stars", "3"),
            all().where_ne("/stars", 3.0),
            all().where_cmp("/stars", Cmp::Less, 3),
            all().where_cmp("/stars", Cmp::Less, "many"),
            all().where_cmp("/title", Cmp::Greater, 3),
            all().where_cmp("/missing", Cmp::AtMost, 3),
            all().where_cmp("/missing", Cmp::Less, 3),
            all().where_exists("/missing"),
            all().where_missing("/none"),
            all().where_contains("/stars", "3"),
            all().where_prefix("/title", "bung"),
            all().where_eq("/done", false).where_eq("/stars", 4),
            all().where_eq("done", false),
        ];
        for query in no {
            assert!(!query.matches(&record), "{query:?}");
        }
    }
}
