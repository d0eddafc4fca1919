//! What is read of a space: each verb is a range of one table.

use std::collections::BTreeSet;
use std::ops::Bound;

use sync_core::store::{
    ClientState, CollectionStats, CommitInfo, FeedQuery, LogEntry, Page, ScanQuery, SpaceStats,
};
use sync_core::{ClientId, Collection, Record, RecordId, RecordKey, Seq, Tag};

use crate::error::{Failure, Job, corrupt};
use crate::rows;
use crate::tables::{CLIENTS, COMMITS, FEED, LOG, RECORDS};
use crate::view::View;

/// A key as redb has it.
pub(crate) fn parts(key: &RecordKey) -> (&str, &str) {
    (key.collection.as_str(), key.id.as_str())
}

/// A key as the library has it.
pub(crate) fn key((collection, id): (&str, &str)) -> Job<RecordKey> {
    let what = || corrupt("the key of a record is damaged");
    let collection = Collection::from_stored(collection).map_err(|error| what().with_source(error))?;
    Ok(RecordKey::new(collection, RecordId::new(id).map_err(|error| what().with_source(error))?))
}

pub(crate) fn records(view: &View, keys: &[RecordKey]) -> Job<Vec<Option<Record>>> {
    let table = view.table(RECORDS)?;
    let one = |key: &RecordKey| -> Job<Option<Record>> {
        let row = table.get(parts(key))?;
        Ok(row.map(|row| rows::to_record(key.clone(), row.value())).transpose()?)
    };
    keys.iter().map(one).collect()
}

pub(crate) fn feed(view: &View, query: &FeedQuery) -> Job<Page> {
    if query.after >= query.up_to {
        return Ok(Page::default());
    }
    let (feed, records) = (view.table(FEED)?, view.table(RECORDS)?);
    let range = (Bound::Excluded(query.after.get()), Bound::Included(query.up_to.get()));
    let mut page = Filling::new(query.rows_max, query.bytes_max);
    for entry in feed.range::<i64>(range)? {
        let (version, place) = entry?;
        let key = key(place.value())?;
        if query.collections.as_ref().is_some_and(|names| !names.contains(&key.collection)) {
            continue;
        }
        let row = records.get(parts(&key))?.ok_or_else(|| corrupt(format!("record {key} is missing")))?;
        let record = rows::to_record(key, row.value())?;
        if record.meta.version.get() != version.value() {
            return Err(corrupt(format!("record {} is not where the feed has it", record.key)).into());
        }
        if !page.takes(record) {
            break;
        }
    }
    Ok(page.done())
}

pub(crate) fn scan(view: &View, query: &ScanQuery) -> Job<Page> {
    let records = view.table(RECORDS)?;
    let mut page = Filling::new(query.rows_max, query.bytes_max);
    for entry in records.range::<(&str, &str)>((scan_from(query), Bound::Unbounded))? {
        let (place, row) = entry?;
        let record = rows::to_record(key(place.value())?, row.value())?;
        if query.collection.as_ref().is_some_and(|name| *name != record.key.collection) {
            break;
        }
        if (query.tombstones || !record.is_deleted()) && !page.takes(record) {
            break;
        }
    }
    Ok(page.done())
}

/// Where a scan begins: after a key, or at the first of its collection, whichever is later.
fn scan_from(query: &ScanQuery) -> Bound<(&str, &str)> {
    let first = query.collection.as_ref().map(|name| (name.as_str(), ""));
    match (query.after.as_ref().map(parts), first) {
        (Some(after), first) if Some(after) >= first => Bound::Excluded(after),
        (_, Some(first)) => Bound::Included(first),
        (_, None) => Bound::Unbounded,
    }
}

/// A page that is read until it is full, and no further: with one record more than it yields, to know that there is more.
struct Filling {
    records: Vec<Record>,
    n_bytes: usize,
    rows_max: usize,
    bytes_max: usize,
}

impl Filling {
    fn new(rows_max: usize, bytes_max: usize) -> Self {
        Self { records: Vec::new(), n_bytes: 0, rows_max, bytes_max }
    }

    /// Takes a record; says whether the next one is worth reading.
    fn takes(&mut self, record: Record) -> bool {
        self.n_bytes = self.n_bytes.saturating_add(record.data_len());
        self.records.push(record);
        let is_alone = self.records.len() == 1;
        self.records.len() <= self.rows_max && (is_alone || self.n_bytes <= self.bytes_max)
    }

    fn done(self) -> Page {
        Page::cut(self.records, self.rows_max, self.bytes_max)
    }
}

pub(crate) fn named_clients(view: &View, names: BTreeSet<ClientId>) -> Job<Vec<ClientState>> {
    let table = view.table(CLIENTS)?;
    let one = |name: ClientId| -> Job<Option<ClientState>> {
        Ok(table.get(name.as_str())?.map(|row| rows::to_client(row.value())).transpose()?)
    };
    names.into_iter().filter_map(|name| one(name).transpose()).collect()
}

pub(crate) fn clients_after(view: &View, after: Option<&ClientId>, limit: usize) -> Job<Vec<ClientState>> {
    let table = view.table(CLIENTS)?;
    let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
    let listed = table.range::<&str>((from, Bound::Unbounded))?.take(limit);
    listed.map(|entry| Ok(rows::to_client(entry?.1.value())?)).collect()
}

pub(crate) fn commits(view: &View, from: Seq, limit: usize) -> Job<Vec<CommitInfo>> {
    let table = view.table(COMMITS)?;
    let listed = table.range(from.get()..)?.take(limit);
    let one = |entry: Result<(redb::AccessGuard<'_, i64>, redb::AccessGuard<'_, (i64, [u8; 16])>), _>| {
        let (last, rest) = entry?;
        let (first, tag) = rest.value();
        Ok(CommitInfo { first: seq(first)?, last: seq(last.value())?, tag: Tag::from_bytes(tag) })
    };
    listed.map(one).collect()
}

fn seq(number: i64) -> Job<Seq> {
    Seq::new(number).map_err(|error| Failure(corrupt("a commit is damaged").with_source(error)))
}

pub(crate) fn log(view: &View, before: Option<i64>, limit: usize) -> Job<Vec<LogEntry>> {
    let table = view.table(LOG)?;
    let before = before.map_or(Bound::Unbounded, Bound::Excluded);
    let listed = table.range::<i64>((Bound::Unbounded, before))?.rev().take(limit);
    listed.map(|entry| Ok(rows::to_value("an entry of the audit log", entry?.1.value().1)?)).collect()
}

pub(crate) fn stats(view: &View) -> Job<SpaceStats> {
    let mut collections: Vec<CollectionStats> = Vec::new();
    for entry in view.table(RECORDS)?.range::<(&str, &str)>(..)? {
        let (place, row) = entry?;
        let collection = key(place.value())?.collection;
        if collections.last().is_none_or(|last| last.collection != collection) {
            collections.push(CollectionStats { collection, n_records: 0, n_tombstones: 0 });
        }
        if let Some(last) = collections.last_mut() {
            *if rows::is_tombstone(row.value()) { &mut last.n_tombstones } else { &mut last.n_records } += 1;
        }
    }
    Ok(SpaceStats { collections })
}
