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

impl RecordMeta {
    /// The first state of a record, of which nothing else is known. Changes that are not told apart by more begin with
    /// this one and name what they know.
    ///
    /// ```
    /// use sync_core::{ActorId, RecordMeta, Seq, Timestamp};
    /// let ada = ActorId::new("ada")?;
    /// let first = RecordMeta { edited_at: Timestamp::ZERO, ..RecordMeta::first(Seq::new(7)?, ada.clone()) };
    /// let second = RecordMeta::first(Seq::new(9)?, ada).following(Some(&first));
    /// assert_eq!((first.revision, second.revision), (1, 2));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn first(version: Version, author: ActorId) -> Self {
        let (edited_at, upstream) = (Timestamp::ZERO, Version::ZERO);
        Self { version, revision: 1, edited_at, author, client: None, upstream }
    }

    /// This state as it comes after another one of the same record: the one rule of what a change does to what is known of
    /// a record. Revisions count, and a date never goes back, whatever the clocks of the authors do.
    #[must_use]
    pub fn following(self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        let revision = before.revision.saturating_add(1);
        Self { revision, edited_at: self.edited_at.max(before.edited_at), ..self }
    }
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
        checksum(&self.key, self.data.as_ref().map(Json::as_str), &self.meta)
    }

    /// Appends everything in the record in the form that is hashed.
    pub(crate) fn write_digest(&self, out: &mut Vec<u8>) {
        each_part(&self.key, self.data.as_ref().map(Json::as_str), &self.meta, &mut |part| {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part);
        });
    }
}

/// The checksum of a record whose content is not trusted yet to be what a record may hold.
pub(crate) fn checksum(key: &RecordKey, data: Option<&str>, meta: &RecordMeta) -> u64 {
    let mut hasher = Xxh3::new();
    each_part(key, data, meta, &mut |part| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    });
    hasher.digest()
}

/// Numbers among the parts of a record.
const N_NUMBERS: usize = 4;

/// Everything in a record, part by part. Whoever adds a field is asked for it here.
fn each_part(key: &RecordKey, data: Option<&str>, meta: &RecordMeta, with: &mut dyn FnMut(&[u8])) {
    let RecordKey { collection, id } = key;
    let RecordMeta { version, revision, edited_at, author, client, upstream } = meta;
    with(collection.as_str().as_bytes());
    with(id.as_str().as_bytes());
    with(data.unwrap_or_default().as_bytes());
    with(author.as_str().as_bytes());
    with(client.as_ref().map_or(b"", |client| client.as_str().as_bytes()));
    let values: [i64; N_NUMBERS] = [version.get(), *revision, edited_at.as_micros(), upstream.get()];
    let mut numbers = [0; N_NUMBERS * 8 + 1];
    for (slot, value) in numbers.chunks_exact_mut(8).zip(values) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    numbers[N_NUMBERS * 8] = u8::from(data.is_none());
    with(&numbers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Collection, RecordId};

    fn record() -> Record {
        let key = RecordKey::new(Collection::new("notes").unwrap(), RecordId::new("1").unwrap());
        let author = ActorId::new("ada").unwrap();
        let meta = RecordMeta {
            revision: 2,
            edited_at: Timestamp::from_micros(3).unwrap(),
            client: Some(ClientId::new("replica-b").unwrap()),
            upstream: Version::new(4).unwrap(),
            ..RecordMeta::first(Version::new(1).unwrap(), author)
        };
        Record { key, data: Some(Json::null()), meta }
    }

    #[test]
    fn every_part_of_a_record_counts_in_its_checksum() {
        type Change = fn(&mut Record);
        let changes: [(&str, Change); 9] = [
            ("collection", |record| record.key.collection = Collection::new("tasks").unwrap()),
            ("id", |record| record.key.id = RecordId::new("2").unwrap()),
            ("data", |record| record.data = None),
            ("version", |record| record.meta.version = Version::new(2).unwrap()),
            ("revision", |record| record.meta.revision = 3),
            ("edited_at", |record| record.meta.edited_at = Timestamp::ZERO),
            ("author", |record| record.meta.author = ActorId::new("bob").unwrap()),
            ("client", |record| record.meta.client = None),
            ("upstream", |record| record.meta.upstream = Version::ZERO),
        ];
        let before = record().checksum();
        for (part, change) in changes {
            let mut changed = record();
            change(&mut changed);
            assert_ne!(changed.checksum(), before, "{part} does not count");
        }
    }

    #[test]
    fn a_checksum_is_what_it_was_when_the_first_files_were_written() {
        assert_eq!(record().checksum(), 14_967_051_125_751_526_476);
    }

    #[test]
    fn revisions_count_and_a_date_never_goes_back() {
        let first = record().meta;
        let earlier = RecordMeta::first(Version::new(9).unwrap(), ActorId::new("bob").unwrap());
        let second = earlier.clone().following(Some(&first));
        assert_eq!((second.revision, second.edited_at), (3, first.edited_at));
        assert_eq!((second.author.as_str(), second.version.get()), ("bob", 9));
        assert_eq!(earlier.clone().following(None), earlier);
    }
}
