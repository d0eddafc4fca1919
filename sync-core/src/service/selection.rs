//! Which collections a reader asks for.

use crate::error::{Error, Result};
use crate::protocol::code;
use crate::service::Limits;
use crate::types::{Collection, Record};

/// Checks the collections of a pull or a snapshot.
///
/// # Errors
///
/// `validation_failed` for too many of them, or for one of the library that is never delivered.
pub(super) fn check(collections: Option<&[Collection]>, limits: &Limits) -> Result<()> {
    let (names, max) = (collections.unwrap_or_default(), limits.collections_max);
    let refused = |why| Err(Error::invalid(code::VALIDATION_FAILED, why).with_pointer("/collections"));
    if names.len() > max {
        return refused(format!("at most {max} collections can be asked for at once"));
    }
    match names.iter().find(|name| !name.is_delivered()) {
        Some(name) => refused(format!("records of {name} are not delivered")),
        None => Ok(()),
    }
}

/// Whether a collection is among those a reader asks for.
pub(super) fn has(collections: Option<&[Collection]>, name: &Collection) -> bool {
    collections.is_none_or(|collections| collections.contains(name))
}

/// What of these records is delivered. A space that is also the local copy of a replica holds that replica's books, which
/// are nobody else's.
pub(super) fn delivered(mut records: Vec<Record>) -> Vec<Record> {
    records.retain(|record| record.key.collection.is_delivered());
    records
}
