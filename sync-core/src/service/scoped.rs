//! Reading a space through a view: what a scope hides is in no list, no count and no hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::service::rules::View;
use crate::state_hash::{StateHash, StateHasher};
use crate::store::{CollectionStats, KEYS_MAX, LogEntry, Page, ScanQuery, StoreTxn};
use crate::types::{Collection, Record, RecordKey};

/// Records read at once where all of them are read.
const SURVEY_ROWS: usize = 1000;
/// Bytes of content read at once where all of them are read.
const SURVEY_BYTES: usize = 8 << 20;

/// One record.
pub(super) async fn record(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
    key: &RecordKey,
) -> Result<Option<Record>> {
    let found = txn.records(std::slice::from_ref(key)).await?.pop().flatten();
    Ok(found.and_then(|record| view.of(record)))
}

/// The next records of a query that has no tombstones. When there are more it yields at least one: where a reader is to
/// go on must not be told by the name of a record that is hidden.
pub(super) async fn scan(view: View<'_>, txn: &mut dyn StoreTxn, query: &ScanQuery) -> Result<Page> {
    let mut query = query.clone();
    loop {
        let mut page = txn.scan(&query).await?;
        if view.is_whole() {
            return Ok(page);
        }
        query.after = page.records.last().map(|record| record.key.clone());
        page.records = view.all(page.records);
        page.records.retain(|record| !record.is_deleted());
        if !page.records.is_empty() || !page.more {
            return Ok(page);
        }
    }
}

/// Counts what a view shows, by collection, and hashes it. It reads everything.
pub(super) async fn survey(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
) -> Result<(Vec<CollectionStats>, StateHash)> {
    let mut counts = BTreeMap::<Collection, CollectionStats>::new();
    let mut hasher = StateHasher::default();
    let (rows_max, bytes_max) = (SURVEY_ROWS, SURVEY_BYTES);
    let mut query = ScanQuery { collection: None, after: None, tombstones: true, rows_max, bytes_max };
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
