//! The canonical hash of a space: what a server and its replicas compare to know that they agree.

use std::fmt;

use crate::error::Result;
use crate::store::{ScanQuery, StoreTxn};
use crate::types::Record;

/// Records that are hashed at once.
const ROWS_MAX: usize = 1000;
/// Their content at most.
const BYTES_MAX: usize = 8 << 20;

/// A hash over the live records of an application: collection, id, version at the server and content, in the order of
/// their keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateHash([u8; 32]);

/// From which side a space is looked at: whose versions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The store of a server: its versions are the versions.
    Server,
    /// The store of a replica, which notes the server's versions beside its own.
    Replica,
}

/// Hashes the application's records as the transaction sees them. Conflicts and other collections of the library do
/// not count, nor do tombstones: they are collected at different times.
///
/// # Errors
///
/// What the store reports.
pub async fn state_hash(txn: &mut dyn StoreTxn, side: Side) -> Result<StateHash> {
    let mut hasher = blake3::Hasher::new();
    let mut after = None;
    loop {
        let query = ScanQuery {
            collection: None,
            after,
            tombstones: false,
            rows_max: ROWS_MAX,
            bytes_max: BYTES_MAX,
        };
        let page = txn.scan(&query).await?;
        page.records.iter().for_each(|record| add(record, side, &mut hasher));
        after = page.records.last().filter(|_| page.more).map(|record| record.key.clone());
        if after.is_none() {
            return Ok(StateHash(*hasher.finalize().as_bytes()));
        }
    }
}

fn add(record: &Record, side: Side, hasher: &mut blake3::Hasher) {
    let Some(data) = record.data.as_ref().filter(|_| !record.key.collection.is_system()) else { return };
    let version = match side {
        Side::Server => record.meta.version,
        Side::Replica => record.meta.upstream,
    };
    for part in [record.key.collection.as_str(), record.key.id.as_str(), data.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.update(&version.get().to_le_bytes());
}

impl fmt::Display for StateHash {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateHash({self})")
    }
}
