//! What is written to a space.

use redb::Table;
use sync_core::store::{CommitInfo, CommitWrite, LogEntry, check_tree_ops, gives_way};
use sync_core::{Record, RecordKey};

use crate::error::Job;
use crate::keys::{key, parts};
use crate::rows;
use crate::tables::{CLIENTS, COMMITS, FEED, LOG, RECORDS, TOMBSTONES};
use crate::view::View;

type Key = (&'static str, &'static str);

/// The three tables that a record is in, which always change together.
pub(crate) struct Records<'t> {
    records: Table<'t, Key, &'static [u8]>,
    feed: Table<'t, i64, Key>,
    tombstones: Table<'t, i64, Key>,
}

impl<'t> Records<'t> {
    pub(crate) fn open(view: &'t View) -> Job<Self> {
        let (records, feed) = (view.table_mut(RECORDS)?, view.table_mut(FEED)?);
        Ok(Self { records, feed, tombstones: view.table_mut(TOMBSTONES)? })
    }

    /// Puts a record in the place of its older state, if there is one and it gives way.
    fn put(&mut self, record: &Record) -> Job<()> {
        if record.key.collection.is_tree()
            && self.old(&record.key)?.is_some_and(|old| !gives_way(&old, record))
        {
            return Ok(());
        }
        self.remove(&record.key)?;
        let (key, version) = (parts(&record.key), record.meta.version.get());
        self.records.insert(key, rows::from_record(record).as_slice())?;
        self.feed.insert(version, key)?;
        if record.is_deleted() {
            self.tombstones.insert(version, key)?;
        }
        Ok(())
    }

    fn old(&self, key: &RecordKey) -> Job<Option<Record>> {
        let row = redb::ReadableTable::get(&self.records, parts(key))?;
        Ok(row.map(|row| rows::to_record(key.clone(), row.value())).transpose()?)
    }

    /// Removes a record without a trace, and yields it. Its version is read from its row, which is verified: a wrong one
    /// would remove the entry of another.
    pub(crate) fn remove(&mut self, key: &RecordKey) -> Job<Option<Record>> {
        let Some(row) = self.records.remove(parts(key))? else { return Ok(None) };
        let old = rows::to_record(key.clone(), row.value())?;
        self.feed.remove(old.meta.version.get())?;
        self.tombstones.remove(old.meta.version.get())?;
        Ok(Some(old))
    }

    /// The oldest tombstone: its version and its key.
    pub(crate) fn oldest_tombstone(&self) -> Job<Option<(i64, RecordKey)>> {
        let Some((version, place)) = redb::ReadableTable::first(&self.tombstones)? else { return Ok(None) };
        Ok(Some((version.value(), key(place.value())?)))
    }
}

pub(crate) fn apply(view: &mut View, write: &CommitWrite) -> Job<()> {
    check_tree_ops(write)?;
    let mut records = Records::open(view)?;
    write.records.iter().try_for_each(|record| records.put(record))?;
    write.purges.iter().try_for_each(|key| records.remove(key).map(drop))?;
    drop(records);
    let mut clients = view.table_mut(CLIENTS)?;
    for client in &write.clients {
        clients.insert(client.client.as_str(), rows::from_value(client).as_slice())?;
    }
    drop(clients);
    put_log(view, &write.log)?;
    put_commits(view, &write.commits)?;
    view.store_head()
}

fn put_log(view: &mut View, entries: &[LogEntry]) -> Job<()> {
    let mut log = view.table_mut(LOG)?;
    for entry in entries {
        log.insert(entry.entry, (entry.head.get(), rows::from_value(entry).as_slice()))?;
    }
    drop(log);
    view.head.log_head = entries.last().map_or(view.head.log_head, |entry| entry.entry);
    Ok(())
}

fn put_commits(view: &mut View, infos: &[CommitInfo]) -> Job<()> {
    let mut commits = view.table_mut(COMMITS)?;
    for commit in infos {
        commits.insert(commit.last.get(), (commit.first.get(), *commit.tag.as_bytes()))?;
    }
    drop(commits);
    if let Some(newest) = infos.last() {
        (view.head.head, view.head.tag) = (newest.last, newest.tag);
    }
    Ok(())
}
