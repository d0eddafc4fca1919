//! Canonical JSON: one text for each value, made in one pass over the bytes.
//!
//! Content is kept as text, never as a tree: both databases return the same bytes for the same input, hashes
//! agree, equality compares bytes, and an answer is put together from stored text without parsing it.
//! The form itself is described in `docs/canonical-json.md`; where a number cannot be held exactly, or a text
//! means different things to different readers, it is refused and never mended.
//!
//! ```
//! use sync_core::json::{Json, JsonErrorKind, Limits};
//!
//! let json = Json::parse(br#"{ "b": 1.0, "a": "\u00e9" }"#, &Limits::RECORD)?;
//! assert_eq!(json.as_str(), r#"{"a":"é","b":1}"#);
//!
//! let error = Json::parse(br#"{"a": [0, 1e400]}"#, &Limits::RECORD).unwrap_err();
//! assert_eq!((error.kind(), error.pointer()), (JsonErrorKind::Number, "/a/1"));
//! # Ok::<(), sync_core::json::JsonError>(())
//! ```

mod error;
mod number;
mod output;
mod scan;
mod string;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

pub use error::{JsonError, JsonErrorKind};

/// Deepest nesting that any limit can allow: what `serde_json` reads, and far from the end of the stack.
const DEPTH_CEILING: usize = 127;

/// How much of a text is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and objects inside each other; a scalar has depth 0, `[[]]` has 2. More than 127 counts as 127.
    pub depth_max: usize,
    /// Bytes of the text as it came, and of its canonical form.
    pub bytes_max: usize,
    /// Bytes of a key after unescaping.
    pub key_bytes_max: usize,
}

impl Limits {
    /// Content of one record.
    ///
    /// 32 levels is deeper than people model and a quarter of what common parsers stop at; 1 MiB keeps a page of
    /// records small enough to hold in memory (larger things are files); 1 KiB for a key leaves room for any name
    /// and stops values from being used as keys.
    pub const RECORD: Self = Self { depth_max: 32, bytes_max: 1 << 20, key_bytes_max: 1 << 10 };

    /// A whole request.
    ///
    /// Four levels around a record (body, list, mutation, one to spare), and room for some large records or a
    /// thousand of ordinary size.
    pub const BODY: Self = Self { depth_max: Self::RECORD.depth_max + 4, bytes_max: 8 << 20, ..Self::RECORD };
}

/// A JSON value as canonical text: two are equal exactly when their bytes are.
///
/// Cloning is cheap. The order is that of the bytes: total and stable, without meaning.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Json(Arc<str>);

impl Json {
    /// Reads a text, checks it, and brings it to canonical form.
    ///
    /// # Errors
    /// Of every [`JsonErrorKind`]: see there.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, JsonError> {
        scan::canonical(bytes, limits).map(|text| Self(Arc::from(&*text)))
    }

    /// The canonical form of a value in memory, within [`Limits::RECORD`].
    ///
    /// # Errors
    /// `NulCharacter`, `TooDeep` and `TooLarge`; offsets refer to the value printed by `serde_json`.
    ///
    /// ```
    /// use sync_core::json::Json;
    ///
    /// let json = Json::from_value(&serde_json::json!({"b": [1.0, 1e21], "a": null}))?;
    /// assert_eq!(json.as_str(), r#"{"a":null,"b":[1,1e+21]}"#);
    /// # Ok::<(), sync_core::json::JsonError>(())
    /// ```
    pub fn from_value(value: &serde_json::Value) -> Result<Self, JsonError> {
        Self::parse(value.to_string().as_bytes(), &Limits::RECORD)
    }

    /// The value as a tree. A whole number comes back as an integer also when it was a float before.
    ///
    /// # Panics
    /// When [`from_canonical`](Self::from_canonical) was given something that is not canonical JSON.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).expect("canonical text is JSON, and not deeper than serde_json reads")
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes text that is canonical already, without reading it.
    ///
    /// For text that was canonical when it was written: from a store, after its checksum was verified, or a slice
    /// of a body that [`canonicalize`] returned. Other text breaks what this type promises; debug builds check.
    /// Where limits smaller than those of the body matter, [`parse`](Self::parse) the slice instead.
    ///
    /// ```
    /// use sync_core::json::Json;
    ///
    /// assert_eq!(Json::from_canonical("null"), Json::null());
    /// ```
    pub fn from_canonical(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        debug_assert!(is_canonical(&text), "the text is not canonical");
        Self(text)
    }

    /// `null`.
    pub fn null() -> Self {
        Self(Arc::from("null"))
    }
}

/// Brings a whole request body to canonical form.
///
/// Values sliced from the result (`&RawValue` fields of a struct read from it) are canonical too, and can be taken
/// over with [`Json::from_canonical`].
///
/// # Errors
/// Of every [`JsonErrorKind`]: see there.
///
/// ```
/// use sync_core::json::{Json, Limits, canonicalize};
///
/// #[derive(serde::Deserialize)]
/// struct Put<'a> {
///     #[serde(borrow)]
///     data: &'a serde_json::value::RawValue,
/// }
///
/// let body = canonicalize(br#"{"id": 7, "data": {"y": 2, "x": 1}}"#, &Limits::BODY)?;
/// let put: Put<'_> = serde_json::from_str(&body)?;
/// assert_eq!(Json::from_canonical(put.data.get()).as_str(), r#"{"x":1,"y":2}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn canonicalize(bytes: &[u8], limits: &Limits) -> Result<String, JsonError> {
    scan::canonical(bytes, limits).map(|text| text.into_owned())
}

fn is_canonical(text: &str) -> bool {
    let unlimited = Limits { depth_max: DEPTH_CEILING, bytes_max: usize::MAX, key_bytes_max: usize::MAX };
    scan::canonical(text.as_bytes(), &unlimited).is_ok_and(|canonical| *canonical == *text)
}

impl Serialize for Json {
    /// Writes the text as it is; meant for `serde_json`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    /// Reads within [`Limits::RECORD`]; meant for `serde_json`, and not for use below `flatten` or in untagged enums.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get().as_bytes(), &Limits::RECORD).map_err(de::Error::custom)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Json {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
