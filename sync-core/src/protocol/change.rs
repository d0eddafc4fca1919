//! A record as it travels in the feed, in snapshots and in plain reads.
//!
//! Its content is spliced in as the text it is stored as, without being parsed.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::conflict::ConflictBody;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{Json, Limits};
use crate::types::{ActorId, ClientId, Collection, Record, RecordId, RecordKey, RecordMeta, Version};

/// Appends a record as JSON: `collection`, `id`, `version`, `revision`, `deleted`, `edited_at`, `author`, `client` if
/// there is one, and `data` unless it is deleted.
pub fn write_change(record: &Record, out: &mut String) {
    // `upstream` is a replica's own business. Whoever adds a field is asked here whether it travels.
    let RecordMeta { version, revision, edited_at, author, client, upstream: _ } = &record.meta;
    out.push_str("{\"collection\":\"");
    out.push_str(record.key.collection.as_str());
    out.push_str("\",\"id\":");
    push_string(record.key.id.as_str(), out);
    push_number(",\"version\":", version.get(), out);
    push_number(",\"revision\":", *revision, out);
    push_number(",\"edited_at\":", edited_at.as_micros(), out);
    out.push_str(",\"author\":");
    push_string(author.as_str(), out);
    if let Some(client) = client {
        out.push_str(",\"client\":\"");
        out.push_str(client.as_str());
        out.push('"');
    }
    match &record.data {
        Some(data) => {
            out.push_str(",\"deleted\":false,\"data\":");
            out.push_str(data.as_str());
        }
        None => out.push_str(",\"deleted\":true"),
    }
    out.push('}');
}

fn push_number(label: &str, number: i64, out: &mut String) {
    use std::fmt::Write;
    out.push_str(label);
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

pub(super) fn push_string(text: &str, out: &mut String) {
    let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// A change as a client reads it. Members it does not know are ignored: a newer server may send more.
#[derive(Deserialize)]
pub(super) struct ChangeWire<'a> {
    collection: String,
    id: RecordId,
    version: Version,
    revision: i64,
    deleted: bool,
    edited_at: Timestamp,
    author: ActorId,
    client: Option<ClientId>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl ChangeWire<'_> {
    /// The record as the server has it: its version is the server's.
    pub(super) fn into_record(self) -> Result<Record> {
        let distrust =
            |why: String| Error::new(ErrorKind::Distrusted, format!("the server sent a bad change: {why}"));
        let collection =
            Collection::from_stored(&self.collection).map_err(|error| distrust(error.to_string()))?;
        let data = match (self.deleted, self.data) {
            (true, _) => None,
            // The member is `null` or missing: `Option<&RawValue>` reads null as none.
            (false, None) => Some(Json::null()),
            (false, Some(raw)) => {
                // The library's own records are conflicts, which hold two of the application's.
                let limits = if collection.is_system() { ConflictBody::LIMITS } else { Limits::RECORD };
                let json = Json::parse(raw.get().as_bytes(), &limits);
                Some(json.map_err(|error| distrust(error.to_string()))?)
            }
        };
        let meta = RecordMeta {
            version: self.version,
            revision: self.revision,
            edited_at: self.edited_at,
            author: self.author,
            client: self.client,
            upstream: Version::ZERO,
        };
        Ok(Record { key: RecordKey::new(collection, self.id), data, meta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_between_two_records_of_full_size_can_be_read() {
        let side = "x".repeat(900 << 10);
        let deep = format!("{}1{}", "[".repeat(31), "]".repeat(31));
        let data =
            Json::from_canonical(format!(r#"{{"mine":"{side}","patch":[[{deep}]],"theirs":"{side}"}}"#));
        let meta = RecordMeta::first(Version::new(7).unwrap(), ActorId::new("ada").unwrap());
        let key = crate::conflict::Conflict::key(RecordId::new("c1").unwrap());
        let record = Record { key, data: Some(data), meta };
        let mut text = String::new();
        write_change(&record, &mut text);
        let read: ChangeWire<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.into_record().unwrap(), record);
    }
}
