//! Reading a space through a view: what a scope hides is in no list, no count and no hash, and moves no end of a page.
//!
//! A reader chooses where a page begins and how long it is, so anything in an answer that depends on a hidden record can
//! be asked for again and again until it has told its key. Pages are therefore filled with what is shown, and there is
//! more only when there is more to show. What was passed over on the way has neither a row nor a byte in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::service::rules::View;
use crate::service::selection;
use crate::state_hash::{StateHash, StateHasher};
use crate::store::{CollectionStats, FeedQuery, KEYS_MAX, LogEntry, Page, PageBuilder, ScanQuery, StoreTxn};
use crate::types::{Collection, Record, RecordKey, Seq};

/// Records read at once where a view is asked about each: as many as a statement answers well.
const READ_ROWS: usize = 1000;
/// Bytes of content read at once where a view is asked about each. With the page they are all that is held in memory.
const READ_BYTES: usize = 8 << 20;

/// One record.
pub(super) async fn record(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
    key: &RecordKey,
) -> Result<Option<Record>> {
    let found = txn.records(std::slice::from_ref(key)).await?.pop().flatten();
    Ok(found.and_then(|record| view.of(record)))
}

/// The next records of a query that has no tombstones, as a view shows them.
///
/// It passes over what is hidden until the page is full or nothing is left. An end on the way would have to be told by a
/// place among hidden keys, as places in a list are keys. So it may read all of its collection, as a [`survey`] does; what
/// is held at a time is a page and one read.
pub(super) async fn scan(view: View<'_>, txn: &mut dyn StoreTxn, query: &ScanQuery) -> Result<Page> {
    if view.is_whole() {
        return txn.scan(query).await;
    }
    let mut shown = PageBuilder::new(query.rows_max, query.bytes_max);
    // Where little is hidden, one read and a look at whether there is more.
    let rows_max = query.rows_max.saturating_add(1);
    let mut query = ScanQuery { rows_max, bytes_max: READ_BYTES, ..query.clone() };
    loop {
        let page = txn.scan(&query).await?;
        query.after = page.records.last().map(|record| record.key.clone());
        let records = view.all(page.records).into_iter().filter(|record| !record.is_deleted());
        if fills(&mut shown, records) || !page.more {
            return Ok(shown.finish());
        }
        query.rows_max = READ_ROWS;
    }
}

/// Some changes as a view shows them.
pub(super) struct Changes {
    /// The changes, ascending by version.
    pub(super) records: Vec<Record>,
    /// Up to here there is nothing else to tell.
    pub(super) end: Seq,
    /// Whether there is, or may be, more to tell after that.
    pub(super) more: bool,
}

/// The next changes of a query, as a view shows them.
///
/// It passes over what is hidden until the page is full, the query is at its end, or `n_reads_max` reads were made. That
/// bound is there because a place in the feed can be told: it says that something happened in the space, which everybody
/// may know, and nothing about where. For this the feed is read as a whole also when collections are asked for.
pub(super) async fn feed(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
    query: &FeedQuery,
    n_reads_max: usize,
) -> Result<Changes> {
    if query.after >= query.up_to {
        return Ok(Changes { end: query.up_to, more: false, records: Vec::new() });
    }
    if view.is_whole() {
        let page = txn.feed(query).await?;
        return Ok(Changes {
            end: end(&page, query.up_to),
            more: page.more,
            records: selection::delivered(page.records),
        });
    }
    let mut shown = PageBuilder::new(query.rows_max, query.bytes_max);
    let is_wanted = |record: &Record| selection::has(query.collections.as_deref(), &record.key.collection);
    let rows_max = query.rows_max.saturating_add(1);
    let mut read = FeedQuery { collections: None, rows_max, bytes_max: READ_BYTES, ..query.clone() };
    let mut n_reads_left = n_reads_max;
    loop {
        let page = txn.feed(&read).await?;
        (read.after, read.rows_max) = (end(&page, query.up_to), READ_ROWS);
        n_reads_left = n_reads_left.saturating_sub(1);
        if fills(&mut shown, view.all(page.records).into_iter().filter(is_wanted)) {
            let page = shown.finish();
            return Ok(Changes { end: end(&page, query.up_to), more: page.more, records: page.records });
        }
        if !page.more || n_reads_left == 0 {
            return Ok(Changes { end: read.after, more: page.more, records: shown.finish().records });
        }
    }
}

/// Puts records into a page; says whether there was one that it has no room for.
fn fills(page: &mut PageBuilder, records: impl IntoIterator<Item = Record>) -> bool {
    records.into_iter().any(|record| !page.takes(record))
}

/// Up to where a page of the feed tells everything.
fn end(page: &Page, up_to: Seq) -> Seq {
    page.records.last().filter(|_| page.more).map_or(up_to, |record| record.meta.version)
}

/// Counts what a view shows, by collection, and hashes it. It reads everything.
pub(super) async fn survey(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
) -> Result<(Vec<CollectionStats>, StateHash)> {
    let mut counts = BTreeMap::<Collection, CollectionStats>::new();
    let mut hasher = StateHasher::default();
    let (rows_max, bytes_max) = (READ_ROWS, READ_BYTES);
    let mut query =
        ScanQuery { collection: None, after: None, descending: false, tombstones: true, rows_max, bytes_max };
    loop {
        let page = txn.scan(&query).await?;
        query.after = page.records.last().map(|record| record.key.clone());
        for record in view.all(page.records) {
            hasher.add(&record, record.meta.version);
            let collection = record.key.collection.clone();
            let none = CollectionStats { collection, n_records: 0, n_tombstones: 0 };
            let counted = counts.entry(record.key.collection.clone()).or_insert(none);
            *if record.is_deleted() { &mut counted.n_tombstones } else { &mut counted.n_records } += 1;
        }
        if !page.more {
            return Ok((counts.into_values().collect(), hasher.finish()));
        }
    }
}

/// Leaves out of other people's entries what was done to records that a view does not show. Deletions are everyone's to
/// know; what nothing is left of is nobody's.
pub(super) async fn log(view: View<'_>, txn: &mut dyn StoreTxn, entries: &mut [LogEntry]) -> Result<()> {
    let is_own = |entry: &LogEntry| entry.actor == *view.actor();
    let outcomes = entries.iter().filter(|entry| !is_own(entry)).flat_map(|entry| &entry.outcomes);
    let keys: BTreeSet<RecordKey> = outcomes.map(|outcome| outcome.key.clone()).collect();
    let keys: Vec<RecordKey> = keys.into_iter().collect();
    let mut shown = BTreeSet::new();
    for keys in keys.chunks(KEYS_MAX) {
        let records = txn.records(keys).await?.into_iter().flatten();
        shown.extend(records.filter(|record| !view.hides(record)).map(|record| record.key));
    }
    for entry in entries.iter_mut().filter(|entry| !is_own(entry)) {
        entry.outcomes.retain(|outcome| shown.contains(&outcome.key));
    }
    Ok(())
}
