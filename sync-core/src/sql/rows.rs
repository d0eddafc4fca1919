//! From packed text to the types of the domain. Whatever does not fit is damage, never data.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::sql::pack::{damaged, fields, split_rows};
use crate::store::{ClientState, CommitInfo, LogEntry, SpaceHead};
use crate::types::{
    ActorId, ClientId, Collection, Epoch, MutationNumber, Record, RecordId, RecordKey, RecordMeta, Seq, Tag,
};

/// Reads records packed by `read::record_row`, and verifies the checksum of each.
pub(super) fn records(packed: Option<&str>) -> Result<Vec<Record>> {
    let mut names = Names::default();
    split_rows(packed).map(|row| record(row, &mut names)).collect()
}

/// The names of the last record: neighbours mostly share them, and a shared one costs no allocation.
#[derive(Default)]
struct Names {
    collection: Option<Collection>,
    author: Option<ActorId>,
    client: Option<ClientId>,
}

fn record(row: &str, names: &mut Names) -> Result<Record> {
    let [version, revision, edited_at, upstream, checksum, collection, id, author, client, data] =
        fields(row)?;
    let collection = shared(&mut names.collection, collection, Collection::from_stored)?;
    let client = if client.is_empty() {
        None
    } else {
        Some(shared(&mut names.client, client, |text| ClientId::new(text))?)
    };
    let record = Record {
        key: RecordKey::new(collection, RecordId::new(id).map_err(|_| damaged())?),
        data: (!data.is_empty()).then(|| Json::from_canonical(data)),
        meta: RecordMeta {
            version: seq(version)?,
            revision: number(revision)?,
            edited_at: time(edited_at)?,
            author: shared(&mut names.author, author, |text| ActorId::new(text))?,
            client,
            upstream: seq(upstream)?,
        },
    };
    if record.checksum().cast_signed() == number::<i64>(checksum)? { Ok(record) } else { Err(damaged()) }
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

pub(super) fn head(row: &str) -> Result<SpaceHead> {
    let [epoch, head, floor, tag, log_head] = fields(row)?;
    Ok(SpaceHead {
        epoch: Epoch::from_hex(epoch).ok_or_else(damaged)?,
        head: seq(head)?,
        tag: Tag::from_hex(tag).ok_or_else(damaged)?,
        floor: seq(floor)?,
        log_head: number(log_head)?,
    })
}

pub(super) fn commit(row: &str) -> Result<CommitInfo> {
    let [first, last, tag] = fields(row)?;
    Ok(CommitInfo { first: seq(first)?, last: seq(last)?, tag: Tag::from_hex(tag).ok_or_else(damaged)? })
}

pub(super) fn client(row: &str) -> Result<ClientState> {
    let [client, actor, last, batch_hash, acked, seen_at, answer] = fields(row)?;
    Ok(ClientState {
        client: ClientId::new(client).map_err(|_| damaged())?,
        actor: ActorId::new(actor).map_err(|_| damaged())?,
        last: MutationNumber::new(number(last)?).map_err(|_| damaged())?,
        batch_hash: *Tag::from_hex(batch_hash).ok_or_else(damaged)?.as_bytes(),
        answer: answer.to_owned(),
        acked: seq(acked)?,
        seen_at: time(seen_at)?,
    })
}

pub(super) fn log_entry(body: &str) -> Result<LogEntry> {
    serde_json::from_str(body).map_err(|_| damaged())
}

pub(super) fn collection_count(row: &str) -> Result<(Collection, u64)> {
    let [collection, count] = fields(row)?;
    Ok((Collection::from_stored(collection).map_err(|_| damaged())?, number(count)?))
}

pub(super) fn seq(text: &str) -> Result<Seq> {
    Seq::new(number(text)?).map_err(|_| damaged())
}

pub(super) fn time(text: &str) -> Result<Timestamp> {
    Timestamp::from_micros(number(text)?).ok_or_else(damaged)
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| damaged())
}
