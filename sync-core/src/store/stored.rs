//! How stores write down what has many fields: one text each, so that a field is named in one place and not in every
//! backend.
//!
//! Of a record a store keeps the key, the version (the feed is ordered by it), the content, and one text with all the rest:
//! [`stored_meta`] writes it and [`StoredRecords`] reads it back. What else a backend keeps, it may keep as JSON:
//! [`SpaceHead`](crate::store::SpaceHead), [`ClientState`](crate::store::ClientState), [`LogEntry`](crate::store::LogEntry)
//! and [`User`](crate::User) have a form of their own with serde.

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::types::{
    ActorId, ClientId, Collection, Record, RecordId, RecordKey, RecordMeta, Version, checksum,
};

/// Words of the text.
const N_WORDS: usize = 6;

/// What a store keeps of a record beside its key, its version and its content, the checksum included: words with blanks
/// between them, which none of them contains.
///
/// ```
/// use sync_core::json::Json;
/// use sync_core::store::{StoredRecords, stored_meta};
/// use sync_core::{ActorId, Collection, ErrorKind, Record, RecordId, RecordKey, RecordMeta, Seq};
/// let (version, author) = (Seq::new(7)?, ActorId::new("ada")?);
/// let key = RecordKey::new(Collection::new("notes")?, RecordId::new("1")?);
/// let record = Record { key, data: Some(Json::null()), meta: RecordMeta::first(version, author) };
/// let text = stored_meta(&record);
///
/// let mut reader = StoredRecords::default();
/// assert_eq!(reader.read("notes", "1", version, &text, Some("null"))?, record);
/// let damaged = reader.read("notes", "1", version, &text, Some("nulk")).unwrap_err();
/// assert_eq!(damaged.kind(), ErrorKind::Corrupt);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn stored_meta(record: &Record) -> String {
    // The version stands beside it.
    let RecordMeta { version: _, revision, edited_at, author, client, upstream } = &record.meta;
    let client = client.as_ref().map_or("", |client| client.as_str());
    let (edited_at, checksum) = (edited_at.as_micros(), record.checksum());
    format!("{revision} {edited_at} {upstream} {checksum} {author} {client}")
}

/// Reads records back that a store kept. Names that a record shares with the one before it cost nothing, so one of these is
/// for all records of a page.
#[derive(Debug, Default)]
pub struct StoredRecords {
    collection: Option<Collection>,
    author: Option<ActorId>,
    client: Option<ClientId>,
}

impl StoredRecords {
    /// The record that was kept with this text of [`stored_meta`]; without content it is a tombstone.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) when it is not what was written: the checksum, over the key and the version too, is
    /// compared before anything is believed.
    pub fn read(
        &mut self,
        collection: &str,
        id: &str,
        version: Version,
        meta: &str,
        data: Option<&str>,
    ) -> Result<Record> {
        let collection = shared(&mut self.collection, collection, Collection::from_stored)?;
        let key = RecordKey::new(collection, RecordId::new(id).map_err(|_| damaged())?);
        let (meta, expected) = self.meta(version, meta)?;
        if checksum(&key, data, &meta) != expected {
            return Err(damaged());
        }
        Ok(Record { key, data: data.map(Json::from_canonical), meta })
    }

    fn meta(&mut self, version: Version, text: &str) -> Result<(RecordMeta, u64)> {
        let mut words = text.splitn(N_WORDS, ' ');
        let words: [&str; N_WORDS] = std::array::from_fn(|_| words.next().unwrap_or("?"));
        let [revision, edited_at, upstream, checksum, author, client] = words;
        let client = match client {
            "" => None,
            client => Some(shared(&mut self.client, client, |text| ClientId::new(text))?),
        };
        let meta = RecordMeta {
            version,
            revision: number(revision)?,
            edited_at: Timestamp::from_micros(number(edited_at)?).ok_or_else(damaged)?,
            author: shared(&mut self.author, author, |text| ActorId::new(text))?,
            client,
            upstream: Version::new(number(upstream)?).map_err(|_| damaged())?,
        };
        Ok((meta, number(checksum)?))
    }
}

fn shared<T, E>(last: &mut Option<T>, text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<T>
where
    T: Clone + AsRef<str>,
{
    match last {
        Some(name) if name.as_ref() == text => Ok(name.clone()),
        _ => {
            let name = parse(text).map_err(|_| damaged())?;
            *last = Some(name.clone());
            Ok(name)
        }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "a stored record is not what was written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const META: &str = "2 3 4 14967051125751526476 ada replica-b";

    fn read(meta: &str, data: Option<&str>) -> Result<Record> {
        StoredRecords::default().read("notes", "1", Version::new(1).expect("in range"), meta, data)
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let record = read(META, Some("null")).unwrap();
        assert_eq!(stored_meta(&record), META);
        assert_eq!((record.meta.revision, record.meta.author.as_str()), (2, "ada"));
    }

    #[test]
    fn no_flipped_bit_is_handed_out_and_none_panics() {
        for (meta, data) in [(META, "null"), (META, r#"{"a":[1,"b"]}"#)] {
            let written = {
                let mut record = read(META, Some("null")).unwrap();
                record.data = Some(Json::from_canonical(data));
                (stored_meta(&record), record)
            };
            assert!(meta.len() <= written.0.len());
            for bit in 0..(written.0.len() + data.len()) * 8 {
                let mut bytes = [written.0.as_bytes(), data.as_bytes()].concat();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let (meta, data) = bytes.split_at(written.0.len());
                let (Ok(meta), Ok(data)) = (std::str::from_utf8(meta), std::str::from_utf8(data)) else {
                    continue;
                };
                match read(meta, Some(data)) {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                    // Leading zeros and signs are another way to write the same number.
                    Ok(record) => assert_eq!(record, written.1),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nonsense_is_damage(meta in ".{0,60}", data in ".{0,20}") {
            if let Err(error) = read(&meta, Some(&data)) {
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
            }
        }
    }
}
