//! From packed text to the types of the domain. Whatever does not fit is damage, never data.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::sql::pack::{FIELD, ROW, damaged, fields};
use crate::sql::tree_ops::{OpReader, counted_collection};
use crate::store::{ClientState, CommitInfo, LogEntry, SpaceHead, StoredRecords};
use crate::types::{ActorId, ClientId, Collection, Epoch, MutationNumber, Record, Seq, Tag};

/// Reads records packed by `read::record_row` and ops packed by `tree_ops::row`, and verifies the checksum of each. One pass over the text: a row is not
/// looked for before its fields are.
pub(super) fn records(packed: Option<&str>) -> Result<Vec<Record>> {
    let (mut records, mut rest) = (Vec::new(), packed);
    let (mut reader, mut ops) = (StoredRecords::default(), OpReader::default());
    while let Some(text) = rest {
        let mut fields = text.splitn(5, FIELD);
        let [version, collection, id, meta, after] =
            [fields.next(), fields.next(), fields.next(), fields.next(), fields.next()];
        let after = after.ok_or_else(damaged)?;
        let data;
        (data, rest) = after.split_once(ROW).map_or((after, None), |(data, rest)| (data, Some(rest)));
        let [version, collection, id, meta] = [version, collection, id, meta].map(Option::unwrap_or_default);
        let version = seq(version)?;
        records.push(match ops.read(collection, id, data)? {
            Some((collection, id, data)) => reader.read(collection, id, version, meta, Some(&data))?,
            None => reader.read(collection, id, version, meta, (!data.is_empty()).then_some(data))?,
        });
    }
    Ok(records)
}

/// Where a space stands, and the length of its longest content.
pub(super) fn head(row: &str) -> Result<(SpaceHead, usize)> {
    let [epoch, head, floor, tag, log_head, largest] = fields(row)?;
    let head = SpaceHead {
        epoch: Epoch::from_hex(epoch).ok_or_else(damaged)?,
        head: seq(head)?,
        tag: Tag::from_hex(tag).ok_or_else(damaged)?,
        floor: seq(floor)?,
        log_head: number(log_head)?,
    };
    Ok((head, number(largest)?))
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
    Ok((counted_collection(collection)?, number(count)?))
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
