//! The canonical hash of a space, by which a server and its replicas are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::store::{ScanQuery, StoreTxn};
use crate::types::{Record, RecordMeta, Version};

/// Hash of all records of the application in a space: 64 hexadecimal digits of BLAKE3.
///
/// Covers collection, id, version and content of every record that exists, ascending by the bytes of (collection, id),
/// each part led by its length as eight bytes, little endian. Two copies with the same hash hold the same records in the
/// same versions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateHash([u8; 32]);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<StateHash> for String {
    fn from(hash: StateHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for StateHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| "a state hash is 64 hexadecimal digits")?;
        Ok(Self(*hash.as_bytes()))
    }
}

/// Hashes records as they come by, for who reads them anyway.
#[derive(Debug, Default)]
pub(crate) struct StateHasher(blake3::Hasher);

impl StateHasher {
    /// Takes in the next record by key. Those that do not count are passed over.
    pub(crate) fn add(&mut self, record: &Record, version: Version) {
        let Some(data) = record.data.as_ref().filter(|_| !record.key.collection.is_system()) else { return };
        let parts = [
            record.key.collection.as_str().as_bytes(),
            record.key.id.as_str().as_bytes(),
            &version.get().to_le_bytes(),
            data.as_str().as_bytes(),
        ];
        for part in parts {
            self.0.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }

    /// The hash of all that came by.
    pub(crate) fn finish(&self) -> StateHash {
        StateHash(*self.0.finalize().as_bytes())
    }
}

/// What a server and its replicas must agree on of a record when all is quiet, as a text that shows where they do not:
/// the hash has less, as it is part of the protocol. `version` is the one at the server. A field that is new has its
/// place here, or a reason why not.
#[cfg(any(test, feature = "simulator"))]
pub(crate) fn at_rest(record: &Record, version: Version) -> String {
    // The version of a replica is local, and what follows nobody has no upstream one: both are `version` here. The others:
    // not all answers to own edits tell them, and until the feed brings the record a replica keeps what it believes.
    let RecordMeta { version: _, upstream: _, revision: _, edited_at: _, author: _, client: _ } =
        &record.meta;
    format!("{}@{version} = {:?}", record.key, record.data)
}

/// Records read at once while hashing.
const PAGE_ROWS: usize = 1000;
/// Bytes of content read at once while hashing.
const PAGE_BYTES: usize = 8 << 20;

/// Hashes what a transaction sees. `version` says which version of a record counts: on a server its own, on a replica
/// the upstream one.
///
/// # Errors
///
/// What the store reports.
pub async fn state_hash(txn: &mut dyn StoreTxn, version: fn(&RecordMeta) -> Version) -> Result<StateHash> {
    let mut hasher = StateHasher::default();
    let mut query = ScanQuery {
        collection: None,
        after: None,
        descending: false,
        tombstones: false,
        rows_max: PAGE_ROWS,
        bytes_max: PAGE_BYTES,
    };
    loop {
        let page = txn.scan(&query).await?;
        page.records.iter().for_each(|record| hasher.add(record, version(&record.meta)));
        query.after = page.records.into_iter().next_back().map(|record| record.key);
        if !page.more {
            return Ok(hasher.finish());
        }
    }
}
