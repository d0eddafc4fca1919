//! Rows: values of the library as bytes, and back. What does not read back is `Corrupt`.
//!
//! A record is a line of JSON with its meta and checksum, and after it the content as it is: it is canonical text, and
//! any other encoding would have to promise that it stays so. A tombstone has no second line. Everything else is JSON.

use serde::{Deserialize, Serialize};
use serde_json::de::SliceRead;
use sync_core::json::Json;
use sync_core::store::{ClientState, SpaceHead};
use sync_core::{
    ActorId, ClientId, Epoch, Error, MutationNumber, Record, RecordKey, RecordMeta, Result, Seq, Tag,
    Timestamp, User, Version,
};

use crate::error::corrupt;

type Writer<'a> = serde_json::Serializer<&'a mut Vec<u8>>;
type Reader<'a> = serde_json::Deserializer<SliceRead<'a>>;

/// The first line of a record.
#[derive(Serialize, Deserialize)]
struct FirstLine {
    checksum: u64,
    #[serde(with = "MetaFields")]
    meta: RecordMeta,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RecordMeta", deny_unknown_fields)]
struct MetaFields {
    version: Version,
    revision: i64,
    edited_at: Timestamp,
    author: ActorId,
    client: Option<ClientId>,
    upstream: Version,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SpaceHead", deny_unknown_fields)]
struct HeadFields {
    epoch: Epoch,
    head: Seq,
    tag: Tag,
    floor: Seq,
    log_head: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ClientState", deny_unknown_fields)]
struct ClientFields {
    client: ClientId,
    actor: ActorId,
    last: MutationNumber,
    batch_hash: [u8; 16],
    answer: String,
    acked: Seq,
    seen_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "User", deny_unknown_fields)]
struct UserFields {
    id: ActorId,
    name: String,
    name_key: String,
    password_hash: String,
    created_at: Timestamp,
}

pub(crate) fn from_record(record: &Record) -> Vec<u8> {
    let line = FirstLine { checksum: record.checksum(), meta: record.meta.clone() };
    let mut row = write(|to| line.serialize(to));
    if let Some(data) = &record.data {
        row.push(b'\n');
        row.extend_from_slice(data.as_str().as_bytes());
    }
    row
}

/// The record of this row, which is the one that was written: its checksum, over the key too, says so.
pub(crate) fn to_record(key: RecordKey, row: &[u8]) -> Result<Record> {
    let what = || format!("record {key}");
    let mut lines = row.splitn(2, |byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let FirstLine { checksum, meta } = read(what, first, |from| FirstLine::deserialize(from))?;
    let text = lines.next().map(std::str::from_utf8).transpose().map_err(|error| damaged(what(), error))?;
    let record = Record { key, data: text.map(Json::from_canonical), meta };
    if record.checksum() == checksum {
        Ok(record)
    } else {
        Err(corrupt(format!("record {} is damaged", record.key)))
    }
}

/// Whether a row is a tombstone, for counting: nothing is taken from it, so nothing is compared.
pub(crate) fn is_tombstone(row: &[u8]) -> bool {
    !row.contains(&b'\n')
}

pub(crate) fn from_head(head: &SpaceHead) -> Vec<u8> {
    write(|to| HeadFields::serialize(head, to))
}

pub(crate) fn to_head(row: &[u8]) -> Result<SpaceHead> {
    read(|| "the head of a space".into(), row, |from| HeadFields::deserialize(from))
}

pub(crate) fn from_client(client: &ClientState) -> Vec<u8> {
    write(|to| ClientFields::serialize(client, to))
}

pub(crate) fn to_client(row: &[u8]) -> Result<ClientState> {
    read(|| "the state of a replica".into(), row, |from| ClientFields::deserialize(from))
}

pub(crate) fn from_user(user: &User) -> Vec<u8> {
    write(|to| UserFields::serialize(user, to))
}

pub(crate) fn to_user(row: &[u8]) -> Result<User> {
    read(|| "a user".into(), row, |from| UserFields::deserialize(from))
}

/// Reads what is JSON by its own definition.
pub(crate) fn to_value<'a, T: Deserialize<'a>>(what: &str, row: &'a [u8]) -> Result<T> {
    serde_json::from_slice(row).map_err(|error| damaged(what.into(), error))
}

/// Writes what is JSON by its own definition.
pub(crate) fn from_value(value: &impl Serialize) -> Vec<u8> {
    write(|to| value.serialize(to))
}

fn write(value: impl FnOnce(&mut Writer<'_>) -> serde_json::Result<()>) -> Vec<u8> {
    let mut row = Vec::new();
    value(&mut Writer::new(&mut row)).expect("these values have text for keys, and memory takes every write");
    row
}

fn read<'a, T>(
    what: impl FnOnce() -> String,
    row: &'a [u8],
    value: impl FnOnce(&mut Reader<'a>) -> serde_json::Result<T>,
) -> Result<T> {
    let mut reader = Reader::from_slice(row);
    let value = value(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| damaged(what(), error))
}

fn damaged(what: String, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    corrupt(format!("{what} is damaged")).with_source(cause)
}
