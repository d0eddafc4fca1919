//! What a space should contain: the obvious slow answer to every query, and histories that follow from a seed.

use std::collections::BTreeMap;

use crate::conformance::{Change, delete, move_op, put, set_op, stamp_at};
use crate::error::Result;
use crate::id_source::{IdSource, SeededIds};
use crate::store::{CommitWrite, FeedQuery, Page, ScanQuery, Store, StoreExt};
use crate::types::{Record, RecordKey, SpaceId};

/// The records that a space should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model(BTreeMap<RecordKey, Record>);

impl Model {
    /// Takes over what a commit wrote.
    pub fn apply(&mut self, write: &CommitWrite) {
        for record in &write.records {
            // The content of an op never changes.
            let old = self.0.get(&record.key).filter(|old| old.key.collection.is_tree());
            if old.is_none_or(|old| old.data == record.data) {
                self.0.insert(record.key.clone(), record.clone());
            }
        }
        self.0.retain(|key, _| !write.purges.contains(key));
    }

    /// The keys it holds, ascending.
    pub fn keys(&self) -> Vec<RecordKey> {
        self.0.keys().cloned().collect()
    }

    /// What the feed should yield.
    pub fn feed(&self, query: &FeedQuery) -> Page {
        let wanted = |record: &&Record| {
            let names = query.collections.as_ref();
            record.meta.version > query.after
                && record.meta.version <= query.up_to
                && names.is_none_or(|names| names.contains(&record.key.collection))
        };
        let mut records: Vec<Record> = self.0.values().filter(wanted).cloned().collect();
        records.sort_by_key(|record| record.meta.version);
        page(records, query.rows_max, query.bytes_max)
    }

    /// What a scan should yield.
    pub fn scan(&self, query: &ScanQuery) -> Page {
        let is_next = |key: &RecordKey, after: &RecordKey| {
            if query.descending { key < after } else { key > after }
        };
        let wanted = |record: &&Record| {
            query.after.as_ref().is_none_or(|after| is_next(&record.key, after))
                && query.collection.as_ref().is_none_or(|name| record.key.collection == *name)
                && (query.tombstones || !record.is_deleted())
        };
        let mut records: Vec<Record> = self.0.values().filter(wanted).cloned().collect();
        if query.descending {
            records.reverse();
        }
        page(records, query.rows_max, query.bytes_max)
    }
}

fn page(all: Vec<Record>, rows_max: usize, bytes_max: usize) -> Page {
    let (n_all, mut n_bytes, mut records) = (all.len(), 0, Vec::new());
    for record in all {
        n_bytes += record.data_len();
        let is_full = records.len() == rows_max || (!records.is_empty() && n_bytes > bytes_max);
        if is_full {
            break;
        }
        records.push(record);
    }
    Page { more: records.len() < n_all, records }
}

/// Choices that follow from a seed.
#[derive(Debug)]
pub struct Dice(SeededIds);

impl Dice {
    /// The choices of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(SeededIds::new(seed))
    }

    /// A number below `n`, which must not be zero.
    pub fn below(&self, n: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        usize::try_from(u32::from_le_bytes(bytes)).map_or(0, |number| number % n)
    }

    /// Whether something happens that happens once in `n` times.
    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these, of which there must be one.
    pub fn of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// One of these texts.
    pub fn word<'a>(&self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// Collections whose order and equality a careless comparison gets wrong.
pub(super) const COLLECTIONS: [&str; 7] = ["$conflicts", "notes", "Notes", "a", "a-b", "a:b", "ab"];

/// Trees of the same kind: their collections lie between those of the library and those of the application.
pub(super) const TREES: [&str; 3] = ["t", "T", "t.1"];

/// Ids of ops: clocks of different lengths, and peers of which one begins another.
pub(super) const OP_IDS: [&str; 8] =
    ["1@a", "2@a", "2@a0", "2@b", "9@f", "10@-", "70000@0", "9007199254740990@f"];

/// Record ids of the same kind: case, accents and their two spellings, blanks, prefixes, and characters that UTF-16
/// orders differently.
pub(super) const IDS: [&str; 24] = [
    "1",
    "10",
    "2",
    "a",
    "A",
    "aa",
    "z",
    "Ä",
    "ä",
    "a\u{308}",
    "\u{e000}",
    "\u{fffd}",
    "\u{10000}",
    "日本",
    "~",
    "a b",
    "a ",
    " a",
    "a-b",
    "a:b",
    "ß",
    "ss",
    "İ",
    "i",
];

/// Fills a space with `n_commits` commits of a few records each, with gaps between their seqs, and says what is in it.
///
/// # Errors
///
/// Those of the store.
pub async fn sample(store: &dyn Store, space: &SpaceId, n_commits: usize, seed: u64) -> Result<Model> {
    let (dice, mut model) = (Dice::new(seed), Model::default());
    for _ in 0..n_commits {
        let mut changes = BTreeMap::new();
        for _ in 0..=dice.below(4) {
            let change = any_change(&dice);
            changes.insert(change.key.clone(), change);
        }
        let mut txn = store.write(space).await?;
        let first = txn.head().head.checked_add(1 + dice.below(3)).expect("a sample is short");
        let write = stamp_at(&mut *txn, first, changes.into_values()).await?;
        txn.apply(&write).await?;
        txn.commit().await?;
        model.apply(&write);
    }
    Ok(model)
}

/// The name of a collection, of an application or the library or a tree.
pub(super) fn any_collection(dice: &Dice) -> String {
    if dice.one_in(4) { format!("$tree:{}", dice.word(&TREES)) } else { dice.word(&COLLECTIONS).to_owned() }
}

/// Some op, with the same id as some others.
pub(super) fn any_op(dice: &Dice) -> Change {
    let (tree, id) = (dice.word(&TREES), dice.word(&OP_IDS));
    let target = dice.word(&["v", "w", "é \"\\"]);
    let value = format!("\"{}\"", "x".repeat(dice.below(40)));
    match dice.below(4) {
        0 => move_op(tree, id, target, None),
        1 => move_op(tree, id, target, Some("p")),
        2 => set_op(tree, id, target, dice.word(&["", "name"]), None),
        _ => set_op(tree, id, target, "name", Some(&value)),
    }
}

fn any_change(dice: &Dice) -> Change {
    if dice.one_in(4) {
        return any_op(dice);
    }
    let (collection, id) = (dice.of(&COLLECTIONS), dice.of(&IDS));
    if dice.below(4) == 0 {
        delete(collection, id)
    } else {
        put(collection, id, &format!("\"{}\"", "x".repeat(dice.below(40))))
    }
}
