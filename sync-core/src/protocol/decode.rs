//! Reading JSON strictly, with errors that say where.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

use crate::error::{Error, Result};
use crate::json::{Json, JsonError, JsonErrorKind, Limits};
use crate::protocol::code;

/// Reads a body, which is one object.
///
/// # Errors
///
/// `invalid_encoding` when it is not UTF-8, `malformed_json` when it is not JSON or repeats a member,
/// `version_out_of_range` or `validation_failed` with a pointer when it does not have the shape of `T`.
pub fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    if let [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = body {
        return Err(Error::invalid(code::MALFORMED_JSON, "the body begins with a byte order mark"));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Error::invalid(code::INVALID_ENCODING, "the body is not UTF-8").with_source(error)
    })?;
    read::<Object<T>>(text).map(|object| object.0)
}

/// Reads JSON of any shape.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// A struct written as an object. By itself serde also takes an array with the members in their order, and a client
/// that gets away with that breaks when a member is added.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads the body a second time to find the place of the error; the fast path does not keep track of it.
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let is_shape = error.classify() == Category::Data || (message.starts_with(NO_WORD) && is_json(text));
    if !is_shape || message.starts_with("duplicate field") {
        return Error::invalid(code::MALFORMED_JSON, format!("the body is not valid JSON: {message}"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return Error::invalid(code::VALIDATION_FAILED, message);
    };
    let place = error.path().iter().next_back();
    let is_version = matches!(place, Some(Segment::Map { key }) if key == "base_version" || key == "version");
    let is_known = !message.starts_with("unknown field");
    let code = if is_version && is_known { code::VERSION_OUT_OF_RANGE } else { code::VALIDATION_FAILED };
    let pointer = pointer_to(error.path());
    let message = error.into_inner().to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let message =
        if message == NO_WORD { "a string is expected that is one of a few words" } else { message };
    Error::invalid(code, message).with_pointer(pointer)
}

/// What serde_json says, as if it were a fault of the syntax, where a word of an enum should stand and a number does.
const NO_WORD: &str = "expected value";

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A place in a document, as a JSON Pointer.
pub(crate) fn pointer_to(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Takes over a value of the body, checked and in canonical form.
pub(super) fn content(raw: &RawValue, pointer: &str) -> Result<Json> {
    Json::parse(raw.get().as_bytes(), &Limits::RECORD).map_err(|error| refuse_content(&error, pointer))
}

/// The error for content that cannot be stored.
pub fn refuse_content(error: &JsonError, pointer: &str) -> Error {
    use JsonErrorKind as K;
    let (code, limit) = match error.kind() {
        K::Malformed | K::DuplicateKey | K::LoneSurrogate => (code::MALFORMED_JSON, None),
        K::Encoding => (code::INVALID_ENCODING, None),
        K::TooLarge => (code::BODY_TOO_LARGE, u64::try_from(Limits::RECORD.bytes_max).ok()),
        K::KeyTooLong => (code::VALIDATION_FAILED, u64::try_from(Limits::RECORD.key_bytes_max).ok()),
        K::TooDeep => (code::VALIDATION_FAILED, u64::try_from(Limits::RECORD.depth_max).ok()),
        _ => (code::VALIDATION_FAILED, None),
    };
    let refused =
        Error::invalid(code, error.to_string()).with_pointer(format!("{pointer}{}", error.pointer()));
    match limit {
        Some(limit) => refused.with_limit(limit),
        None => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    #[derive(Debug, Deserialize)]
    struct Seat {
        #[serde(rename = "role")]
        _role: Role,
    }

    #[test]
    fn what_is_no_word_is_told_from_what_is_no_json() {
        for value in ["3", "null", "true", "[\"owner\"]", "\"chief\"", "{\"owner\":3}"] {
            let body = format!("{{\"role\":{value}}}");
            let error = decode::<Seat>(body.as_bytes()).unwrap_err();
            assert_eq!(
                (error.code(), error.pointer()),
                (Some("validation_failed"), Some("/role")),
                "{value}"
            );
        }
        for body in ["{\"role\":}", "{\"role\":owner}", "{\"role\":3", "{\"role\":\"owner\"}}"] {
            assert_eq!(decode::<Seat>(body.as_bytes()).unwrap_err().code(), Some("malformed_json"), "{body}");
        }
    }
}
