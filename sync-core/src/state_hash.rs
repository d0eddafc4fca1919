//! The canonical hash of a space, by which a server and its replicas are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::store::{ScanQuery, StoreTxn};
use crate::types::{RecordMeta, Version};

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
    let mut hasher = blake3::Hasher::new();
    let mut query = ScanQuery {
        collection: None,
        after: None,
        tombstones: false,
        rows_max: PAGE_ROWS,
        bytes_max: PAGE_BYTES,
    };
    loop {
        let page = txn.scan(&query).await?;
        for record in page.records.iter().filter(|record| !record.key.collection.is_system()) {
            let version = version(&record.meta).get().to_le_bytes();
            let data = record.data.as_ref().map_or("", |data| data.as_str());
            let parts = [
                record.key.collection.as_str().as_bytes(),
                record.key.id.as_str().as_bytes(),
                &version,
                data.as_bytes(),
            ];
            for part in parts {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
            }
        }
        query.after = page.records.into_iter().next_back().map(|record| record.key);
        if !page.more {
            return Ok(StateHash(*hasher.finalize().as_bytes()));
        }
    }
}
