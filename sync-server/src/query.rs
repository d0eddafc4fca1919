//! Query strings, read strictly: every parameter is known, appears once and decodes to text.

use std::ops::RangeInclusive;

use sync_core::{Collection, NameError, RecordId};

use crate::problem::{Code, Problem};

/// Parameters in one query. 32: twice what the richest route knows; more is not a request of ours.
const PARAMETERS_MAX: usize = 32;

/// The decoded parameters of one request.
///
/// ```
/// use sync_server::query::Query;
/// let query = Query::parse(Some("limit=10&collections=a,b"), &["limit", "collections"]).unwrap();
/// assert_eq!(query.u32_in("limit", 1..=100).unwrap(), Some(10));
/// assert_eq!(query.list("collections").unwrap(), Some(vec!["a", "b"]));
/// assert!(Query::parse(Some("limti=10"), &["limit"]).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    /// Reads the part of an address after `?`. `known` are the names the route understands.
    ///
    /// `+` and `%20` are both a space, as browsers write them. A name without `=` has the empty value.
    ///
    /// # Errors
    ///
    /// `invalid_query`, naming the parameter, for an unknown or repeated name, a malformed escape, bytes
    /// that are not UTF-8, a NUL, or an empty part between two `&`.
    pub fn parse(raw: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut query = Self::default();
        for part in raw.filter(|raw| !raw.is_empty()).into_iter().flat_map(|raw| raw.split('&')) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name).ok_or_else(|| refused(name, "its name is not encoded UTF-8"))?;
            if !known.contains(&name.as_str()) {
                return Err(refused(&name, "it is not a parameter of this route"));
            }
            if query.string(&name).is_some() || query.parameters.len() == PARAMETERS_MAX {
                return Err(refused(&name, "it may appear only once"));
            }
            let value = decode(value).ok_or_else(|| refused(&name, "its value is not encoded UTF-8"))?;
            query.parameters.push((name, value));
        }
        Ok(query)
    }

    /// The value of `name`, if it was given.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name` as a whole number within `range`.
    ///
    /// # Errors
    ///
    /// `invalid_query` when it is not written in digits only, or is out of range.
    pub fn u32_in(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some(value) = self.string(name) else { return Ok(None) };
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse() {
            Ok(number) if digits && range.contains(&number) => Ok(Some(number)),
            _ => {
                let (low, high) = range.into_inner();
                Err(refused(name, &format!("it must be a number from {low} to {high}")))
            }
        }
    }

    /// The value of `name` as `true` or `false`; `false` when it was not given.
    ///
    /// # Errors
    ///
    /// `invalid_query` when it is any other word.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.string(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(refused(name, "it must be true or false")),
        }
    }

    /// The value of `name` as the id of a record.
    ///
    /// # Errors
    ///
    /// `invalid_query` when no record can have it.
    pub fn record_id(&self, name: &str) -> Result<Option<RecordId>, Problem> {
        self.parsed(name)
    }

    /// The value of `name` as a value of ours that has a text.
    ///
    /// # Errors
    ///
    /// `invalid_query` when it is not the text of one.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let value = self.string(name).map(str::parse).transpose();
        value.map_err(|error: T::Err| refused(name, &error.to_string()))
    }

    /// The value of `name` as a list separated by commas.
    ///
    /// # Errors
    ///
    /// `invalid_query` when an element is empty or appears twice.
    pub fn list(&self, name: &str) -> Result<Option<Vec<&str>>, Problem> {
        let Some(value) = self.string(name) else { return Ok(None) };
        let elements: Vec<_> = value.split(',').collect();
        let distinct: std::collections::HashSet<_> = elements.iter().collect();
        if elements.contains(&"") || distinct.len() < elements.len() {
            return Err(refused(name, "its elements must be distinct and not empty"));
        }
        Ok(Some(elements))
    }

    /// The value of `name` as a list of collections. Which of those of the library may be asked for is left to the service.
    ///
    /// # Errors
    ///
    /// As [`Query::list`], and `validation_failed` for a name that no collection can have.
    pub fn collections(&self, name: &str) -> Result<Option<Vec<Collection>>, Problem> {
        let refused = |error: NameError| {
            Problem::new(Code::ValidationFailed).detail(error.to_string()).extra("parameter", name)
        };
        let collection = |text| Collection::from_stored(text).map_err(refused);
        self.list(name)?.map(|names| names.into_iter().map(collection).collect()).transpose()
    }
}

fn refused(name: &str, why: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::new(Code::InvalidQuery)
        .detail(format!("query parameter `{}`: {why}", name.escape_debug()))
        .extra("parameter", name)
}

/// Text of a part of a query; `None` for a broken escape, bytes that are not UTF-8, or a NUL.
fn decode(part: &str) -> Option<String> {
    unescape(&part.replace('+', " ")).filter(|text| !text.contains('\0'))
}

/// Text of a percent-encoded part of an address; `None` for a broken escape or bytes that are not UTF-8.
pub(crate) fn unescape(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Query, Problem> {
        Query::parse(Some(raw), &["a", "b", "é"])
    }

    #[test]
    fn values_are_decoded() {
        for (raw, expected) in
            [("a=1", "1"), ("a=%C3%a9", "é"), ("a=x+y%20z", "x y z"), ("a", ""), ("a=b=c", "b=c")]
        {
            assert_eq!(parse(raw).unwrap().string("a"), Some(expected), "{raw}");
        }
        assert_eq!(parse("%C3%A9=1").unwrap().string("é"), Some("1"));
        assert_eq!(Query::parse(None, &[]).unwrap(), Query::parse(Some(""), &[]).unwrap());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (raw, name) in [
            ("a=%zz", "`a`"),
            ("a=%4", "`a`"),
            ("a=%", "`a`"),
            ("a=%ff", "`a`"),
            ("a=%c0%80", "`a`"),
            ("a=%00", "`a`"),
            ("a=1&a=2", "`a`"),
            ("a=1&%61=2", "`a`"),
            ("c=1", "`c`"),
            ("A=1", "`A`"),
            ("a=1&&b=2", "``"),
            ("%0a=1", "`\\n`"),
        ] {
            let problem = parse(raw).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidQuery, "{raw}");
            assert!(format!("{problem:?}").contains(&name.replace('\\', "\\\\")), "{raw}: {problem:?}");
        }
    }

    #[test]
    fn numbers_are_digits_within_the_range() {
        for (raw, expected) in [("a=1", Some(1)), ("a=9", Some(9)), ("b=1", None)] {
            assert_eq!(parse(raw).unwrap().u32_in("a", 1..=9).unwrap(), expected, "{raw}");
        }
        for raw in ["a=0", "a=10", "a=", "a=%2B5", "a=-1", "a=1.0", "a=0x1", "a=99999999999", "a=+1", "a=١"]
        {
            assert!(parse(raw).unwrap().u32_in("a", 1..=9).is_err(), "{raw}");
        }
    }

    #[test]
    fn flags_are_two_words() {
        for (raw, expected) in [("a=true", true), ("a=false", false), ("b=x", false)] {
            assert_eq!(parse(raw).unwrap().flag("a").unwrap(), expected, "{raw}");
        }
        for raw in ["a", "a=1", "a=TRUE", "a=yes"] {
            assert!(parse(raw).unwrap().flag("a").is_err(), "{raw}");
        }
    }

    #[test]
    fn lists_have_distinct_elements() {
        assert_eq!(parse("a=x,y").unwrap().list("a").unwrap(), Some(vec!["x", "y"]));
        assert_eq!(parse("b=x").unwrap().list("a").unwrap(), None);
        for raw in ["a=", "a=x,", "a=,x", "a=x,x"] {
            assert!(parse(raw).unwrap().list("a").is_err(), "{raw}");
        }
    }
}
