//! The state of a space as a transaction is about to leave it: what was loaded, overlaid with what changes.
//!
//! Mutations are carried out here, in memory, one after the other; the store sees the result once. A group that fails
//! is undone from a journal, so no database savepoint is needed.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::service::tree_op::TreeBook;
use crate::store::{CommitWrite, SpaceHead, Stamper};
use crate::types::{ActorId, ClientId, Collection, Record, RecordKey, RecordMeta, Seq, Version};

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
    states: HashMap<RecordKey, State>,
    journal: Vec<(RecordKey, State)>,
    n_bytes: usize,
    /// The trees that got ops and are not written down yet, as they are now.
    trees: HashMap<Collection, TreeBook>,
}

/// A record as it is here, and whether that is what the store has.
#[derive(Debug, Default)]
struct State {
    record: Option<Record>,
    is_changed: bool,
}

/// A point to which a stage can go back.
pub(super) struct Mark {
    n_journal: usize,
    n_bytes: usize,
    stamper: Stamper,
    trees: HashMap<Collection, TreeBook>,
}

impl Stage {
    pub(super) fn new(head: SpaceHead, now: Timestamp) -> Self {
        let stamper = Stamper::new(head, now);
        let (states, trees) = (HashMap::new(), HashMap::new());
        Self { head, stamper, states, journal: Vec::new(), n_bytes: 0, trees }
    }

    /// Takes what the store says about these keys.
    pub(super) fn load(&mut self, keys: Vec<RecordKey>, records: Vec<Option<Record>>) {
        let states = records.into_iter().map(|record| State { record, is_changed: false });
        self.states.extend(keys.into_iter().zip(states));
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
        self.states.get(key)?.record.as_ref()
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
        let state = self.states.entry(key.clone()).or_default();
        let old_meta = state.record.as_ref().map(|record| &record.meta);
        let first = RecordMeta::first(version, author.actor.clone());
        let meta = RecordMeta { edited_at, client: author.client.clone(), ..first }.following(old_meta);
        self.n_bytes = self.n_bytes.saturating_add(data.as_ref().map_or(0, |data| data.as_str().len()));
        let record = Some(Record { key: key.clone(), data, meta });
        self.journal.push((key.clone(), std::mem::replace(state, State { record, is_changed: true })));
        Ok(&state.record.as_ref().expect("it was just put there").meta)
    }

    /// Bytes of content that were written so far.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// What is known of a tree that got ops and is not written down yet.
    pub(super) fn tree(&self, tree: &Collection) -> Option<TreeBook> {
        self.trees.get(tree).copied()
    }

    /// Notes what is known of a tree now.
    pub(super) fn note_tree(&mut self, tree: &Collection, book: TreeBook) {
        self.trees.insert(tree.clone(), book);
    }

    /// The trees that got ops and are not written down yet. They count as written down afterwards.
    pub(super) fn take_trees(&mut self) -> HashMap<Collection, TreeBook> {
        std::mem::take(&mut self.trees)
    }

    pub(super) fn mark(&self) -> Mark {
        let (n_journal, n_bytes) = (self.journal.len(), self.n_bytes);
        Mark { n_journal, n_bytes, stamper: self.stamper.clone(), trees: self.trees.clone() }
    }

    /// Undoes everything since the mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        for (key, state) in self.journal.drain(mark.n_journal..).rev() {
            self.states.insert(key, state);
        }
        (self.stamper, self.n_bytes, self.trees) = (mark.stamper, mark.n_bytes, mark.trees);
    }

    /// Those of the changes since `after` that are wanted, as they are now, ascending.
    pub(super) fn changes_since(&self, after: Seq, is_wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let of_interest = |record: &&Record| record.meta.version > after && is_wanted(record);
        let changed = self.states.values().filter(|state| state.is_changed);
        let records = changed.filter_map(|state| state.record.as_ref()).filter(of_interest);
        let mut records: Vec<Record> = records.cloned().collect();
        records.sort_unstable_by_key(|record| record.meta.version);
        records
    }

    /// What must be written.
    pub(super) fn into_commit(self) -> CommitWrite {
        let changed = self.states.into_values().filter(|state| state.is_changed);
        self.stamper.commit(changed.filter_map(|state| state.record).collect())
    }
}
