//! A row: something the replica keeps in its books, as JSON in a collection of the library.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::json::{Json, Limits};
use crate::replica::local::txn::Local;
use crate::types::{Collection, Record, RecordId, RecordKey, RecordMeta, Version};

/// Books hold several records of 1 MiB side by side, one level or two deeper; a batch is cut at a few MiB.
const LIMITS: Limits =
    Limits { depth_max: 64, bytes_max: 64 << 20, key_bytes_max: Limits::RECORD.key_bytes_max };

/// Something that is kept as a row in a collection of the library.
pub(crate) trait Row: Serialize + DeserializeOwned {
    const COLLECTION: &'static str;
    fn id(&self) -> RecordId;
}

pub(crate) fn row_key(collection: &'static str, id: &str) -> RecordKey {
    RecordKey::new(
        Collection::system(collection),
        RecordId::new(id).expect("ids of rows are short and plain"),
    )
}

/// Reads a row.
pub(crate) fn parse<R: Row>(record: &Record) -> Result<R> {
    let text = record.data.as_ref().map_or("null", Json::as_str);
    serde_json::from_str(text).map_err(|error| damaged(R::COLLECTION, error))
}

pub(crate) fn damaged(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Corrupt, format!("cannot read {what} of the replica")).with_source(error)
}

impl Local {
    /// Reads a row, if it is there.
    pub(crate) async fn row<R: Row>(&mut self, key: &RecordKey) -> Result<Option<R>> {
        let record = self.get(key).await?;
        record.filter(|record| record.data.is_some()).as_ref().map(parse).transpose()
    }

    /// Writes a row.
    pub(crate) fn save<R: Row>(&mut self, row: &R) -> Result<()> {
        let text = serde_json::to_string(row).expect("rows consist of names, numbers and JSON");
        let data = Json::parse(text.as_bytes(), &LIMITS)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a row").with_source(error))?;
        let meta = RecordMeta::first(Version::ZERO, self.options.actor.clone());
        let key = RecordKey::new(Collection::system(R::COLLECTION), row.id());
        self.set(Record { key, data: Some(data), meta });
        Ok(())
    }
}

/// Whether a count need not be written down.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like that")]
pub(crate) fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Reads content back that was written as canonical text; it was checked on its way in, also where it is larger than
/// a record may be (a conflict holds two).
pub(crate) fn kept_always<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
    Ok(Json::from_canonical(Box::<RawValue>::deserialize(deserializer)?.get()))
}

pub(crate) fn kept<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    kept_always(deserializer).map(Some)
}

/// A key as it is kept in rows; also one of the library's own collections.
pub(crate) mod key_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::{Collection, RecordId, RecordKey};

    pub(crate) fn serialize<S: Serializer>(key: &RecordKey, to: S) -> Result<S::Ok, S::Error> {
        (key.collection.as_str(), key.id.as_str()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RecordKey, D::Error> {
        let (collection, id) = <(String, RecordId)>::deserialize(from)?;
        Ok(RecordKey::new(Collection::from_stored(&collection).map_err(D::Error::custom)?, id))
    }
}
