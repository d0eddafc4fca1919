//! Keys of records: text in the file, checked names in the library.

use sync_core::{Collection, NameError, RecordId, RecordKey};

use crate::error::{Failure, Job, corrupt};

/// A key as redb compares it: the collection first, then the id, both by bytes.
pub(crate) fn parts(key: &RecordKey) -> (&str, &str) {
    (key.collection.as_str(), key.id.as_str())
}

/// A key as the library has it. Collections of the library itself are stored too, so the names are those of a store.
pub(crate) fn key((collection, id): (&str, &str)) -> Job<RecordKey> {
    let damaged = |error: NameError| Failure(corrupt("the key of a record is damaged").with_source(error));
    let collection = Collection::from_stored(collection).map_err(damaged)?;
    Ok(RecordKey::new(collection, RecordId::new(id).map_err(damaged)?))
}
