//! From packed text to the types of the domain. Whatever does not fit is damage, never data.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::sql::pack::{FIELD, ROW, damaged, fields, split_exactly};
use crate::store::{ClientState, CommitInfo, LogEntry, SpaceHead};
use crate::types::{
    ActorId, ClientId, Collection, Epoch, MutationNumber, Record, RecordId, RecordKey, RecordMeta, Seq, Tag,
    Version,
};

/// Reads records packed by `read::record_row`, and verifies the checksum of each. One pass over the text: a row is not
/// looked for before its fields are.
pub(super) fn records(packed: Option<&str>) -> Result<Vec<Record>> {
    let (mut records, mut names, mut rest) = (Vec::new(), Names::default(), packed);
    while let Some(text) = rest {
        let mut fields = text.splitn(5, FIELD);
        let [version, collection, id, meta, after] =
            [fields.next(), fields.next(), fields.next(), fields.next(), fields.next()];
        let after = after.ok_or_else(damaged)?;
        let data;
        (data, rest) = after.split_once(ROW).map_or((after, None), |(data, rest)| (data, Some(rest)));
        let fields = [version, collection, id, meta].map(Option::unwrap_or_default);
        records.push(record(fields, data, &mut names)?);
    }
    Ok(records)
}

/// The names of the last record: neighbours mostly share them, and a shared one costs no allocation.
#[derive(Default)]
struct Names {
    collection: Option<Collection>,
    author: Option<ActorId>,
    client: Option<ClientId>,
}

fn record([version, collection, id, meta]: [&str; 4], data: &str, names: &mut Names) -> Result<Record> {
    let (meta, checksum) = parse_meta(seq(version)?, meta, names)?;
    let collection = shared(&mut names.collection, collection, Collection::from_stored)?;
    let record = Record {
        key: RecordKey::new(collection, RecordId::new(id).map_err(|_| damaged())?),
        data: (!data.is_empty()).then(|| Json::from_canonical(data)),
        meta,
    };
    if record.checksum() == checksum { Ok(record) } else { Err(damaged()) }
}

/// What stands in `records.meta`: revision, edited_at, upstream, checksum, author and client, separated by blanks,
/// which none of them contains. One column, because a database takes as long to write five numbers as digits and join
/// them as for all the rest of a row.
pub(super) fn meta_text(record: &Record) -> String {
    let meta = &record.meta;
    let client = meta.client.as_ref().map_or("", |client| client.as_str());
    format!(
        "{} {} {} {} {} {client}",
        meta.revision,
        meta.edited_at.as_micros(),
        meta.upstream,
        record.checksum(),
        meta.author
    )
}

fn parse_meta(version: Version, text: &str, names: &mut Names) -> Result<(RecordMeta, u64)> {
    let [revision, edited_at, upstream, checksum, author, client] = split_exactly(text, ' ')?;
    let client = match client {
        "" => None,
        client => Some(shared(&mut names.client, client, |text| ClientId::new(text))?),
    };
    let meta = RecordMeta {
        version,
        revision: number(revision)?,
        edited_at: time(edited_at)?,
        author: shared(&mut names.author, author, |text| ActorId::new(text))?,
        client,
        upstream: seq(upstream)?,
    };
    Ok((meta, number(checksum)?))
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
