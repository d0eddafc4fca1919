//! Pages of records, by version and by key; and of whatever else has a key of two parts.

use std::ops::Bound;

use redb::{ReadableTable, Value};
use sync_core::store::{FeedQuery, Page, PageBuilder, ScanQuery};

use crate::error::{Job, corrupt};
use crate::keys::{key, parts};
use crate::rows;
use crate::tables::{FEED, RECORDS};
use crate::view::View;

pub(crate) fn feed(view: &View, query: &FeedQuery) -> Job<Page> {
    if query.after >= query.up_to {
        return Ok(Page::default());
    }
    let (feed, records) = (view.table(FEED)?, view.table(RECORDS)?);
    let range = (Bound::Excluded(query.after.get()), Bound::Included(query.up_to.get()));
    let mut page = PageBuilder::new(query.rows_max, query.bytes_max);
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
    Ok(page.finish())
}

pub(crate) fn scan(view: &View, query: &ScanQuery) -> Job<Page> {
    let records = view.table(RECORDS)?;
    let mut page = PageBuilder::new(query.rows_max, query.bytes_max);
    let end = query.collection.as_ref().map(|name| format!("{name}\0"));
    let mut entries = records.range::<(&str, &str)>(scan_range(query, end.as_deref()))?;
    while let Some(entry) = if query.descending { entries.next_back() } else { entries.next() } {
        let (place, row) = entry?;
        let record = rows::to_record(key(place.value())?, row.value())?;
        if query.collection.as_ref().is_some_and(|name| *name != record.key.collection) {
            break;
        }
        if (query.tombstones || !record.is_deleted()) && !page.takes(record) {
            break;
        }
    }
    Ok(page.finish())
}

/// The keys of a scan: from the first of its collection to `end`, where the next one could begin, or less by the key that it
/// goes on after.
fn scan_range<'q>(query: &'q ScanQuery, end: Option<&'q str>) -> (Bound<Place<'q>>, Bound<Place<'q>>) {
    let after = query.after.as_ref().map(parts);
    let first = query.collection.as_ref().map(|name| (name.as_str(), ""));
    let end = end.map(|end| (end, ""));
    let (mut low, mut high) =
        (first.map_or(Bound::Unbounded, Bound::Included), end.map_or(Bound::Unbounded, Bound::Excluded));
    match after {
        Some(after) if query.descending && end.is_none_or(|end| after < end) => high = Bound::Excluded(after),
        Some(after) if !query.descending && Some(after) >= first => low = Bound::Excluded(after),
        _ => {}
    }
    (low, high)
}

type Place<'a> = (&'a str, &'a str);

/// What `read` makes of at most `limit` entries that have `first` in front, after the one with `after` behind it.
pub(crate) fn after_key<V: Value + 'static, T>(
    table: &impl ReadableTable<(&'static str, &'static str), V>,
    (first, after): (&str, &str),
    limit: usize,
    mut read: impl FnMut(&str, V::SelfType<'_>) -> Job<T>,
) -> Job<Vec<T>> {
    let mut found = Vec::new();
    // No name is empty, so an empty one is before the first.
    let from = Bound::Excluded((first, after));
    for entry in table.range::<(&str, &str)>((from, Bound::Unbounded))?.take(limit) {
        let (key, value) = entry?;
        let (of, behind) = key.value();
        if of != first {
            break;
        }
        found.push(read(behind, value.value())?);
    }
    Ok(found)
}
