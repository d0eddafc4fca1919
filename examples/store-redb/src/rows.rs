//! Rows: values of the library as bytes, and back. What does not read back is `Corrupt`.
//!
//! A record is its version, a line with what [`stored_meta`] says of it, and after that the content as it is: it is
//! canonical text, and any other encoding would have to promise that it stays so. A tombstone has no second line.
//! Everything else is JSON by its own definition.

use serde::{Deserialize, Serialize};
use sync_core::store::{StoredRecords, stored_meta};
use sync_core::{Error, Record, RecordKey, Result, Version};

use crate::error::corrupt;

pub(crate) fn from_record(record: &Record) -> Vec<u8> {
    let mut row = format!("{} {}", record.meta.version, stored_meta(record)).into_bytes();
    if let Some(data) = &record.data {
        row.push(b'\n');
        row.extend_from_slice(data.as_str().as_bytes());
    }
    row
}

/// The record of this row, which is the one that was written: its checksum, over the key too, says so.
pub(crate) fn to_record(key: RecordKey, row: &[u8]) -> Result<Record> {
    let damaged = || corrupt(format!("record {key} is damaged"));
    let text = std::str::from_utf8(row).map_err(|error| damaged().with_source(error))?;
    let (line, data) = text.split_once('\n').map_or((text, None), |(line, data)| (line, Some(data)));
    let (version, meta) = line.split_once(' ').ok_or_else(damaged)?;
    let version = version.parse().ok().and_then(|version| Version::new(version).ok()).ok_or_else(damaged)?;
    StoredRecords::default().read(key.collection.as_str(), key.id.as_str(), version, meta, data)
}

/// Whether a row is a tombstone, for counting: nothing is taken from it, so nothing is compared.
pub(crate) fn is_tombstone(row: &[u8]) -> bool {
    !row.contains(&b'\n')
}

/// Writes what is JSON by its own definition.
pub(crate) fn from_value(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("these values have text for keys, and memory takes every write")
}

/// Reads what is JSON by its own definition.
pub(crate) fn to_value<'a, T: Deserialize<'a>>(what: &str, row: &'a [u8]) -> Result<T> {
    let damaged =
        |error: serde_json::Error| -> Error { corrupt(format!("{what} is damaged")).with_source(error) };
    serde_json::from_slice(row).map_err(damaged)
}
