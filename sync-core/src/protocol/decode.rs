//! Reading JSON strictly, with errors that say where.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

use crate::error::{Error, Result};
use crate::json::{Json, JsonError, JsonErrorKind, Limits};
use crate::protocol::code;

/// Reads a body.
///
/// # Errors
///
/// `invalid_encoding` when it is not UTF-8, `malformed_json` when it is not JSON or repeats a member,
/// `version_out_of_range` or `validation_failed` with a pointer when it does not have the shape of `T`.
pub fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Error::invalid(code::INVALID_ENCODING, "the body is not UTF-8").with_source(error)
    })?;
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// Reads the body a second time to find the place of the error; the fast path does not keep track of it.
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    if error.classify() != Category::Data || message.starts_with("duplicate field") {
        return Error::invalid(code::MALFORMED_JSON, format!("the body is not valid JSON: {message}"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return Error::invalid(code::VALIDATION_FAILED, message);
    };
    let is_version =
        matches!(error.path().iter().next_back(), Some(Segment::Map { key }) if key == "base_version");
    let code = if is_version { code::VERSION_OUT_OF_RANGE } else { code::VALIDATION_FAILED };
    let mut pointer = String::new();
    for segment in error.path().iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let message = error.into_inner().to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Error::invalid(code, message).with_pointer(pointer)
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
