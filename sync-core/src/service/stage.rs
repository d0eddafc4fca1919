//! The state of a space as a transaction is about to leave it: what was loaded, overlaid with what changes.
//!
//! Mutations are carried out here, in memory, one after the other; the store sees the result once. A group that fails
//! is undone from a journal, so no database savepoint is needed.

use std::collections::{HashMap, HashSet};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::store::{CommitWrite, SpaceHead, Stamper};
use crate::types::{ActorId, ClientId, Record, RecordKey, RecordMeta, Seq, Version};

/// Who makes a change, and when.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) actor: ActorId,
    pub(super) client: Option<ClientId>,
    pub(super) now: Timestamp,
}

/// Loaded records with pending changes on top.
#[derive(Debug)]
pub(super) struct Stage {
    head: SpaceHead,
    stamper: Stamper,
    states: HashMap<RecordKey, Option<Record>>,
    changed: HashSet<RecordKey>,
    journal: Vec<(RecordKey, Option<Record>, bool)>,
}

/// A point to which a stage can go back.
pub(super) struct Mark {
    n_journal: usize,
    stamper: Stamper,
}

impl Stage {
    pub(super) fn new(head: SpaceHead, now: Timestamp) -> Self {
        let stamper = Stamper::new(head, now);
        Self { head, stamper, states: HashMap::new(), changed: HashSet::new(), journal: Vec::new() }
    }

    /// Takes what the store says about these keys.
    pub(super) fn load(&mut self, keys: Vec<RecordKey>, records: Vec<Option<Record>>) {
        self.states.extend(keys.into_iter().zip(records));
    }

    pub(super) fn head(&self) -> SpaceHead {
        self.head
    }

    /// The newest seq in use: the head, or that of the last change.
    pub(super) fn last(&self) -> Seq {
        self.stamper.last()
    }

    /// The state of a record, with the changes so far.
    pub(super) fn current(&self, key: &RecordKey) -> Option<&Record> {
        self.states.get(key)?.as_ref()
    }

    /// The version of a record, with the changes so far; zero when there is none.
    pub(super) fn version(&self, key: &RecordKey) -> Version {
        self.current(key).map_or(Version::ZERO, |record| record.meta.version)
    }

    /// Changes a record and says what it is now.
    pub(super) fn write(
        &mut self,
        key: &RecordKey,
        data: Option<Json>,
        edited_at: Timestamp,
        author: &Author,
    ) -> Result<&RecordMeta> {
        let version = self.stamper.next_seq()?;
        let old = self.states.remove(key).flatten();
        let old_meta = old.as_ref().map(|record| &record.meta);
        let meta = RecordMeta {
            version,
            revision: old_meta.map_or(1, |meta| meta.revision.saturating_add(1)),
            // A record's date never goes back, whatever the clocks of its authors do.
            edited_at: old_meta.map_or(edited_at, |meta| meta.edited_at.max(edited_at)),
            author: author.actor.clone(),
            client: author.client.clone(),
            upstream: Version::ZERO,
        };
        let is_first = self.changed.insert(key.clone());
        self.journal.push((key.clone(), old, is_first));
        let record = Record { key: key.clone(), data, meta };
        let slot = self.states.entry(key.clone()).insert_entry(Some(record));
        Ok(&slot.into_mut().as_ref().expect("it was just put there").meta)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { n_journal: self.journal.len(), stamper: self.stamper.clone() }
    }

    /// Undoes everything since the mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        for (key, old, is_first) in self.journal.drain(mark.n_journal..).rev() {
            if is_first {
                self.changed.remove(&key);
            }
            self.states.insert(key, old);
        }
        self.stamper = mark.stamper;
    }

    /// The changes since `after` in a collection, as they are now, ascending.
    pub(super) fn changes_since(&self, after: Seq, collection: &str) -> Vec<Record> {
        let of_interest = |key: &&RecordKey| key.collection.as_str() == collection;
        let records = self.changed.iter().filter(of_interest).filter_map(|key| self.current(key));
        let mut records: Vec<Record> =
            records.filter(|record| record.meta.version > after).cloned().collect();
        records.sort_unstable_by_key(|record| record.meta.version);
        records
    }

    /// What must be written.
    pub(super) fn into_commit(mut self) -> CommitWrite {
        let records = self.changed.iter().filter_map(|key| self.states.remove(key).flatten()).collect();
        self.stamper.commit(records)
    }
}
