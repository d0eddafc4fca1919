//! How an application reads records: as one of its types.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::json::Json;
use crate::protocol::{code, pointer_to};
use crate::types::RecordKey;

/// What an application takes a record for. Knows the type without naming it, so that edits of all types are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    check: fn(&RecordKey, &Json) -> Result<()>,
    view: fn(&Json) -> Option<Json>,
}

impl Lens {
    /// Records of any kind.
    pub(crate) fn any() -> Self {
        Self { check: |_, _| Ok(()), view: |data| Some(data.clone()) }
    }

    /// Records that can be read as a `T`.
    pub(crate) fn reading<T: DeserializeOwned>() -> Self {
        Self { check: |key, data| typed::<T>(key, data).map(drop), view: |data| Some(data.clone()) }
    }

    /// Records that can be read as a `T`, and what such a `T` is written as.
    pub(crate) fn of<T: DeserializeOwned + Serialize>() -> Self {
        Self { view: view::<T>, ..Self::reading::<T>() }
    }

    /// Lets content pass that can be read.
    pub(crate) fn admit(self, key: &RecordKey, data: Json) -> Result<Json> {
        (self.check)(key, &data).map(|()| data)
    }

    /// A record as the application would write what it reads of it: without members that its type does not know, and
    /// with those that the type fills in. `None` when it cannot read it.
    pub(crate) fn view(self, data: &Json) -> Option<Json> {
        (self.view)(data)
    }
}

fn view<T: DeserializeOwned + Serialize>(data: &Json) -> Option<Json> {
    let value: T = serde_json::from_str(data.as_str()).ok()?;
    let text = serde_json::to_string(&value).ok()?;
    Json::parse(text.as_bytes(), &crate::json::Limits::RECORD).ok()
}

/// Reads a record.
pub(crate) fn typed<T: DeserializeOwned>(key: &RecordKey, data: &Json) -> Result<T> {
    serde_json::from_str(data.as_str()).map_err(|error| explain::<T>(key, data, error))
}

/// Reads a record a second time to find the place of the error; the fast path does not keep track of it.
fn explain<T: DeserializeOwned>(key: &RecordKey, data: &Json, error: serde_json::Error) -> Error {
    let mut reader = serde_json::Deserializer::from_str(data.as_str());
    let pointer = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => pointer_to(error.path()),
        Ok(_) => String::new(),
    };
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    let message = format!("record {key} is not of the type that was asked for: {cause}");
    let refused = Error::invalid(code::VALIDATION_FAILED, message).with_source(error);
    if pointer.is_empty() { refused } else { refused.with_pointer(pointer) }
}
