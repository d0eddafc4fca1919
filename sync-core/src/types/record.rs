//! A record: one JSON value under (collection, id), with what the library knows about it.

use xxhash_rust::xxh3::Xxh3;

use crate::clock::Timestamp;
use crate::json::Json;
use crate::types::{ActorId, ClientId, RecordKey, Version};

/// The latest state of a record, or its tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which record.
    pub key: RecordKey,
    /// Its content; `None` when it is deleted and only the tombstone is left.
    pub data: Option<Json>,
    /// What the library knows about this state.
    pub meta: RecordMeta,
}

/// When, how often and by whom a record came to its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// Seq of its last change in the store it is read from.
    pub version: Version,
    /// How often it changed: 1, 2, 3 … For people; never used for correctness.
    pub revision: i64,
    /// When its author made the change, by the author's clock; decides `last_write_wins`.
    pub edited_at: Timestamp,
    /// Who made the change.
    pub author: ActorId,
    /// Through which replica, if it came from one.
    pub client: Option<ClientId>,
    /// On a replica: the version of this record at the server it follows, [`Version::ZERO`] while the server does not
    /// know the record. On a server: always zero.
    pub upstream: Version,
}

impl Record {
    /// Whether this is a tombstone.
    pub fn is_deleted(&self) -> bool {
        self.data.is_none()
    }

    /// The length of the content in bytes; zero for a tombstone.
    pub fn data_len(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.as_str().len())
    }

    /// A checksum over everything in the record.
    ///
    /// Stores keep it beside the record and compare it on every read: databases do not notice a flipped bit inside a
    /// row. It protects against damage, not against an attacker.
    pub fn checksum(&self) -> u64 {
        let mut hasher = Xxh3::new();
        self.each_part(&mut |part| {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        });
        hasher.digest()
    }

    /// Appends everything in the record in the form that is hashed.
    pub(crate) fn write_digest(&self, out: &mut Vec<u8>) {
        self.each_part(&mut |part| {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part);
        });
    }

    fn each_part(&self, with: &mut dyn FnMut(&[u8])) {
        let meta = &self.meta;
        with(self.key.collection.as_str().as_bytes());
        with(self.key.id.as_str().as_bytes());
        with(self.data.as_ref().map_or(b"", |data| data.as_str().as_bytes()));
        with(meta.author.as_str().as_bytes());
        with(meta.client.as_ref().map_or(b"", |client| client.as_str().as_bytes()));
        let mut numbers = [0; 33];
        let fields = [meta.version.get(), meta.revision, meta.edited_at.as_micros(), meta.upstream.get()];
        for (slot, field) in numbers.chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        numbers[32] = u8::from(self.is_deleted());
        with(&numbers);
    }
}
