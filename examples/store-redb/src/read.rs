//! What is read of a space apart from pages of records: each verb is some rows of one table.

use std::collections::BTreeSet;
use std::ops::Bound;

use sync_core::store::{ClientState, CollectionStats, CommitInfo, LogEntry, SpaceStats};
use sync_core::{ClientId, Record, RecordKey, Seq, Tag};

use crate::error::{Failure, Job, corrupt};
use crate::keys::{key, parts};
use crate::rows;
use crate::tables::{CLIENTS, COMMITS, LOG, RECORDS};
use crate::view::View;

pub(crate) fn records(view: &View, keys: &[RecordKey]) -> Job<Vec<Option<Record>>> {
    let table = view.table(RECORDS)?;
    let one = |key: &RecordKey| -> Job<Option<Record>> {
        let row = table.get(parts(key))?;
        Ok(row.map(|row| rows::to_record(key.clone(), row.value())).transpose()?)
    };
    keys.iter().map(one).collect()
}

pub(crate) fn named_clients(view: &View, names: BTreeSet<ClientId>) -> Job<Vec<ClientState>> {
    let table = view.table(CLIENTS)?;
    let one = |name: ClientId| -> Job<Option<ClientState>> {
        Ok(table
            .get(name.as_str())?
            .map(|row| rows::to_value("the state of a replica", row.value()))
            .transpose()?)
    };
    names.into_iter().filter_map(|name| one(name).transpose()).collect()
}

pub(crate) fn clients_after(view: &View, after: Option<&ClientId>, limit: usize) -> Job<Vec<ClientState>> {
    let table = view.table(CLIENTS)?;
    let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
    let listed = table.range::<&str>((from, Bound::Unbounded))?.take(limit);
    listed.map(|entry| Ok(rows::to_value("the state of a replica", entry?.1.value())?)).collect()
}

pub(crate) fn commits(view: &View, from: Seq, limit: usize) -> Job<Vec<CommitInfo>> {
    let table = view.table(COMMITS)?;
    let listed = table.range(from.get()..)?.take(limit);
    listed
        .map(|entry| {
            let (last, rest) = entry?;
            let (first, tag) = rest.value();
            Ok(CommitInfo { first: seq(first)?, last: seq(last.value())?, tag: Tag::from_bytes(tag) })
        })
        .collect()
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
